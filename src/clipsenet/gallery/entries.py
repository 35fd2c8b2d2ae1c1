"""What an entry of the audit says: the text that is hashed, the link to the entry before, and salted digests."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from clipsenet.gallery.interface import Filter

BEGINNING = sha256(b"").hexdigest()
"""What the first entry builds on."""

SALT = 16
"""Bytes of a salt. A digest is of salt and text together: only their fixed length tells where the text begins."""

Clear = tuple[str, int, int, bytes, bytes]
"""A clear text: its kind ('query' or 'answer'), the query's number, its place, itself and its salt."""


@dataclass(frozen=True)
class Entry:
    """A search that was made.

    Attributes:
        number: counts from 1.
        time: microseconds since 1970 UTC.
        purpose: why, in the words of whoever searched.
        where: the filter.
        queries: the picture of each query, none where it was forgotten.
        results: of each query the ids of its answers, none where one was forgotten.
        hash: of the chain up to here.
    """

    number: int
    time: int
    purpose: str
    where: Filter
    queries: list[str | None]
    results: list[list[int | None]]
    hash: str


@dataclass(frozen=True)
class Body:
    """What is hashed of an entry, read back.

    Attributes:
        number, time, purpose, where: as an entry has them.
        queries: the digest of each query's picture.
        results: of each query the digests of its answers.
    """

    number: int
    time: int
    purpose: str
    where: Filter
    queries: list[str]
    results: list[list[str]]

    @classmethod
    def read(cls, text: str) -> "Body":
        """Read the text that was hashed.

        Raises:
            ValueError: it is none that ``write`` makes.
        """
        try:
            facts = json.loads(text)
            return cls(
                number=int(facts["number"]),
                time=int(facts["time"]),
                purpose=str(facts["purpose"]),
                where=_recorded_filter(facts["where"]),
                queries=[str(one) for one in facts["queries"]],
                results=[[str(one) for one in ids] for ids in facts["results"]],
            )
        except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"it is no record of a search: {error!r}") from error

    def digest_of(self, kind: str, query: int, place: int) -> str | None:
        """The digest that was recorded of a clear text; none where there was no such text."""
        if kind == "query":
            return self.queries[query] if 0 <= query < len(self.queries) and place == 0 else None
        ids = self.results[query] if kind == "answer" and 0 <= query < len(self.results) else []
        return ids[place] if 0 <= place < len(ids) else None


def write_body(
    number: int, time: int, purpose: str, where: Filter, queries: Sequence[bytes], results: Sequence[Sequence[bytes]]
) -> tuple[str, list[Clear]]:
    """The text of an entry that is hashed, and the clear texts with fresh salts that its digests are of."""
    clear: list[Clear] = []

    def salted(kind: str, query: int, place: int, text: bytes) -> str:
        clear.append((kind, query, place, text, os.urandom(SALT)))
        return digest(text, clear[-1][-1])

    facts = {
        "number": number,
        "time": time,
        "purpose": purpose,
        "where": asdict(where),
        "queries": [salted("query", query, 0, text) for query, text in enumerate(queries)],
        "results": [
            [salted("answer", query, place, text) for place, text in enumerate(texts)] for query, texts in enumerate(results)
        ],
    }
    return json.dumps(facts, sort_keys=True), clear


def link(before: str, body: str) -> str:
    """The hash of the chain up to an entry."""
    return sha256(f"{before}\n".encode() + raw(body)).hexdigest()


def digest(text: bytes, salt: bytes) -> str:
    """What the chain covers of a text that may have to be forgotten."""
    return sha256(salt + text).hexdigest()


def raw(text: str) -> bytes:
    """The bytes of a text that was read by ``lenient``."""
    return text.encode(errors="surrogateescape")


def lenient(data: bytes) -> str:
    """A text of the file, also one that somebody has made no UTF-8."""
    return data.decode(errors="surrogateescape")


def read_id(text: object) -> int | None:
    """The id that a clear text is; none where it is not as ids are written."""
    if not isinstance(text, str) or not text.isdecimal() or len(text) > 19:
        return None
    return int(text) if str(int(text)) == text else None


def _recorded_filter(facts: Any) -> Filter:
    """A filter as it was recorded, also one that would be refused today."""
    where = object.__new__(Filter)
    vars(where).update(
        cameras=tuple(str(name) for name in facts["cameras"]),
        since=None if facts["since"] is None else int(facts["since"]),
        until=None if facts["until"] is None else int(facts["until"]),
        equal=tuple((str(name), str(value)) for name, value in facts["equal"]),
    )
    return where
