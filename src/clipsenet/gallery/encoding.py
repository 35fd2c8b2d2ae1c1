"""Texts as the ledger keeps them, in UTF-8; a file's name may be other bytes, which Python hands on as lone surrogates."""


def is_utf8(text: str) -> bool:
    """Whether a text can be kept."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    r"""A text that can be printed; bytes that are no UTF-8 are written out, as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()
