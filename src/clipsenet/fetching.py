"""A published file of weights into the cache: resumed after a break, checked, and put in place whole or not at all.

Processes take turns by a lock beside the file, so that all of them go on with one ``NAME.partial``: whoever comes second finds
the file there. The system frees the lock of a process that is killed. A name for each process would need no lock, but then
nobody could go on with what another one has begun.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from filelock import FileLock, Timeout

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.files import move_into_place
from clipsenet.finding import by_hand, cache_path, checked, sha256_of, wanted_hash
from clipsenet.published import PUBLISHED, Published
from clipsenet.reporting import SILENT, Tick, Watch
from clipsenet.settings import closest

OFFLINE = "CLIPSENET_OFFLINE"
"""The variable of the environment that forbids the network."""

PATIENCE = 30.0
"""Seconds that a server may be silent."""

PAUSE = 1.0
"""Seconds before a broken connection is taken up again."""

BLOCK = 1 << 18
"""Bytes between two ticks."""

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts that may be asked without encryption."""


class _Broken(Exception):  # noqa: N818 - a connection, and why
    """The server was not reached, refused, or stopped in the middle."""


def fetch(name: str, watch: Watch = SILENT) -> Path:
    """A published file, from the cache or fetched into it.

    Args:
        name: of ``PUBLISHED``.
        watch: told how many megabytes have come, and of a file that is trusted on first use.

    Raises:
        UsageError: an unknown name.
        ClipsenetError: no network, or forbidden; a file that is not what was published; a disk that is full.
    """
    entry = PUBLISHED.get(name)
    if entry is None:
        raise UsageError(f"unknown published weights '{name}': {closest(name, list(PUBLISHED))}; see: clipsenet weights list")
    path = cache_path(entry)
    if not path.is_file():
        if os.environ.get(OFFLINE, "0") not in ("", "0"):
            raise _unfetched(entry, f"{OFFLINE} forbids the network")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _turn(path, watch):
                if not path.is_file():  # the process before may have brought it
                    _bring(entry, path, watch)
        except OSError as error:  # the network's are _Broken
            raise ClipsenetError(
                f"cannot write {path}: {error}. Free some space, or let TORCH_HOME name another folder, and try again; what "
                f"had come is kept as {_partial(path).name}, to go on from there"
            ) from error
    return checked(entry, watch.say)


def _unfetched(entry: Published, reason: str) -> ClipsenetError:
    return ClipsenetError(f"cannot fetch {entry.name}: {reason}; try again, or {by_hand(entry)}")


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _tag(path: Path) -> Path:
    """Beside the partial file: which version of the file it is a part of (the server's ETag)."""
    return path.with_name(f"{path.name}.partial.tag")


@contextlib.contextmanager
def _turn(path: Path, watch: Watch) -> Iterator[None]:
    """While this process alone fetches the file."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        watch.say(f"another process fetches {path.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _bring(entry: Published, path: Path, watch: Watch) -> None:
    """Fetch, check, put in place; after a break again, as long as every try brings more."""
    partial = _partial(path)
    tick = watch.stage(f"fetching {entry.name}, megabytes")
    came = -1
    while True:
        try:
            _get(entry.url, path, tick)
            break
        except _Broken as error:
            if not partial.is_file() or partial.stat().st_size <= came:
                raise _unfetched(entry, str(error)) from error
            came = partial.stat().st_size
            time.sleep(PAUSE)
    try:
        _require_right(entry, path)
    except ClipsenetError:
        partial.unlink()
        _tag(path).unlink(missing_ok=True)
        raise
    move_into_place(partial, path)
    _tag(path).unlink(missing_ok=True)


def _require_right(entry: Published, path: Path) -> None:
    """Refuse what is not the file that was published, or no file of weights at all."""
    partial = _partial(path)
    wanted = wanted_hash(entry)
    if wanted is not None:
        found = sha256_of(partial)
        if not found.startswith(wanted[0]):
            raise _unfetched(entry, f"what came has the SHA-256 {found}, wanted {wanted[0]} ({wanted[1]}); it was thrown away")
        return
    with partial.open("rb") as file:
        begin = file.read(16)
    if not begin.startswith((b"PK", b"\x80")):  # a page that says no would be trusted for ever
        raise _unfetched(entry, f"what came is no file of torch.save, it begins with {begin!r}; it was thrown away")


def _get(url: str, path: Path, tick: Tick) -> None:
    """One request for what is missing; for all, where the server cannot go on or has another version by now.

    Raises:
        _Broken: see there; what came is kept.
        OSError: the disk's.
    """
    partial, tag = _partial(path), _tag(path)
    version_of_part = tag.read_text(encoding="utf-8") if tag.is_file() else ""
    have = partial.stat().st_size if version_of_part and partial.is_file() else 0
    headers = {"User-Agent": "clipsenet", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version_of_part}
    response = _open(url, headers)
    if response is None:
        return
    with response:
        goes_on = response.status == 206 and (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        if response.status not in (200, 206) or (response.status == 206 and not goes_on):
            raise _Broken(f"the server answers {response.status} with other bytes than were asked for")
        length = response.headers.get("Content-Length")
        with partial.open("ab" if goes_on else "wb") as file:
            if not goes_on:
                have = 0
                strong = response.headers.get("ETag", "")
                tag.write_text("" if strong.startswith("W/") else strong, encoding="utf-8")
            total = None if length is None else have + int(length)
            while block := _read(response):
                file.write(block)
                have += len(block)
                tick(-(-have // 10**6), -(-(total or have) // 10**6))
    if total is not None and have < total:
        raise _Broken(f"the connection broke after {have} of {total} bytes")


def _open(url: str, headers: dict[str, str]) -> Any:
    """The server's answer, after redirections; none: nothing is missing (a process was stopped after the last byte).

    Raises:
        _Broken: no answer came, or an error.
    """
    _require_safe(url)
    request = Request(url, headers=headers)  # noqa: S310 - only https, see _require_safe
    try:
        return build_opener(_SafeRedirects).open(request, timeout=PATIENCE)
    except HTTPError as error:
        with error:
            whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
            if error.code == 416 and whole is not None and headers.get("Range") == f"bytes={whole[1]}-":
                return None
            raise _Broken(f"{url} answers HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _Broken(f"{urlsplit(url).hostname} is not reached ({reason})") from error


def _read(response: Any) -> bytes:
    try:
        block: bytes = response.read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _Broken(f"the connection broke ({error or type(error).__name__})") from error
    return block


def _require_safe(url: str) -> None:
    """Only what nobody on the way can change is fetched."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise _Broken(f"{url} is not https, and only that is fetched")


class _SafeRedirects(HTTPRedirectHandler):
    """Follows a redirection only to where the first address might point, too."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str) -> Request | None:
        try:
            _require_safe(newurl)
        except _Broken:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)
