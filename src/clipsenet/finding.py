"""What a setting ``weights`` names, as a file: one of yours, or a published one that lies in the cache, its hash checked.

Nothing here uses the network; ``fetching.py`` does.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path

from torch import hub

from clipsenet.errors import ClipsenetError
from clipsenet.files import write_text
from clipsenet.published import PUBLISHED, Published
from clipsenet.settings import closest

log = logging.getLogger("clipsenet")

_hashes: dict[tuple[str, int, int], str] = {}
"""Path, bytes and time of change of a file that this process has read, to its SHA-256."""


def cache_path(entry: Published) -> Path:
    """Where a published file lies, or would lie: in the folder that torch.hub uses, too."""
    return Path(hub.get_dir()) / "checkpoints" / entry.name


def by_hand(entry: Published) -> str:
    """What a user can do without us, for messages."""
    return f"get {entry.url} and put it at {cache_path(entry)}"


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in lower hex digits; read once in a process, as long as the file stays the same.

    Raises:
        ClipsenetError: it cannot be read.
    """
    try:
        facts = path.stat()
        key = (str(path), facts.st_size, facts.st_mtime_ns)
        if key not in _hashes:
            with path.open("rb") as file:
                _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return _hashes[key]
    except OSError as error:
        raise ClipsenetError(f"cannot read {path}: {error}; give a file that can be read") from error


def hash_file(entry: Published) -> Path:
    """Beside a file without a published hash: the SHA-256 that it had when it was first used, as sha256sum writes it."""
    path = cache_path(entry)
    return path.with_name(f"{path.name}.sha256")


def wanted_hash(entry: Published) -> tuple[str, str] | None:
    """How the file's SHA-256 has to begin, and who says so; none: nobody has said it yet.

    Raises:
        ClipsenetError: the file beside it, which should say it, is broken.
    """
    if entry.sha256 is not None:
        return entry.sha256, f"from {entry.hash_from}"
    beside = hash_file(entry)
    if not beside.is_file():
        return None
    digits = re.match(r"[0-9a-f]{64}\b", beside.read_text(encoding="utf-8", errors="replace"))
    if digits is None:
        raise ClipsenetError(f"{beside} holds no SHA-256 of {entry.name}; remove it to trust the file as it is")
    return digits[0], f"of its first use, from {beside}"


def checked(entry: Published, say: Callable[[str], None] = log.warning) -> Path:
    """The published file in the cache, if it is what was published.

    A file whose hash nobody has published is trusted when it is first used: its SHA-256 is kept beside it, said, and
    demanded from then on.

    Args:
        entry: the file; it has to lie there.
        say: told of a file that is trusted.

    Raises:
        ClipsenetError: another hash, or a file that cannot be read.
    """
    path = cache_path(entry)
    found, wanted = sha256_of(path), wanted_hash(entry)
    if wanted is None:
        say(f"nobody publishes a hash of {entry.name}: it is trusted as it is, SHA-256 {found}{_keep(entry, found)}")
    elif not found.startswith(wanted[0]):
        raise ClipsenetError(
            f"{path} is not the published file: its SHA-256 is {found}, wanted {wanted[0]} ({wanted[1]}); remove it, then: "
            f"clipsenet weights fetch {entry.name}"
        )
    return path


def _keep(entry: Published, found: str) -> str:
    """Keep the hash of the first use; what to say of that."""
    beside = hash_file(entry)
    try:
        write_text(beside, f"{found}  {entry.name}\n")
    except ClipsenetError:  # a cache that others own
        return f", which cannot be kept in {beside}"
    return f", kept in {beside}"


def find(given: Path, where: str) -> Path:
    """The file that the setting ``<where>weights`` names: a local one wins, then a published one in the cache.

    Args:
        given: a path, or exactly the name of a published file.
        where: what stands before ``weights`` in the settings, for the message.

    Raises:
        ClipsenetError: neither is there, or the one in the cache is not what was published.
    """
    if given.is_file():
        return given
    entry, setting = PUBLISHED.get(str(given)), f"{where}weights"
    if entry is None:
        # a name without a folder may be meant as a published one; a path may not
        near = f"; {closest(given.name, list(PUBLISHED))}" if str(given) == given.name or given.name in PUBLISHED else ""
        raise ClipsenetError(
            f"{setting}: found no file {given}; give yours with --set {setting}=PATH, or a published one by its name alone "
            f"(clipsenet weights list{near}), or begin at random with --set {setting}=null"
        )
    if not cache_path(entry).is_file():
        raise ClipsenetError(
            f"{setting}: found no file {given}, and the published one is not in the cache: clipsenet weights fetch {given}, or "
            f"{by_hand(entry)}; or give yours with --set {setting}=PATH, or begin at random with --set {setting}=null"
        )
    return checked(entry)
