"""What goes wrong for a user: always what came, what was wanted and what to do next."""


class ClipsenetError(Exception):
    """Something the user can mend: a broken picture, a missing file, a full disk. Exit code 1."""


class UsageError(ClipsenetError):
    """A wrong word in a command or a recipe: unknown setting, wrong type, unknown name. Exit code 2."""


class Interrupted(ClipsenetError):  # noqa: N818 - the user's wish, no error
    """The user stopped a training; the message says how to go on. Exit code 130."""
