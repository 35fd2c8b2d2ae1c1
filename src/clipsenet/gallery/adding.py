"""Adding: vectors are written and synced, then one transaction records them; before that none of them is there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from clipsenet.errors import ClipsenetError
from clipsenet.features import Features
from clipsenet.gallery import segments
from clipsenet.gallery.encoding import escaped, is_utf8
from clipsenet.gallery.interface import NOBODY, Embedding
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.leftovers import discard_unrecorded
from clipsenet.gallery.recorded_segments import EXTRA, LABELS
from clipsenet.gallery.schema import transaction
from clipsenet.sightings import Labels


@dataclass
class _Piece:
    """Rows of a batch that go into one segment.

    Attributes:
        day: of the segment.
        number: the segment's; none for a new one.
        file: of its vectors.
        before: rows that it has.
        rows: of the batch.
    """

    day: str
    number: int | None
    file: int
    before: int
    rows: Int[np.ndarray, " _"]


def refuse_others(features: Features, embedding: Embedding) -> None:
    """Refuse embeddings that mean something else.

    Raises:
        ClipsenetError: another run, length or labels.
    """
    if features.run_id != embedding.run_id:
        raise ClipsenetError(
            f"embeddings of run {features.run_id[:16]}; this gallery holds those of run {embedding.run_id[:16]} "
            f"({embedding.preprocessing}), and similarities between two runs mean nothing. Use that run, or bring the gallery "
            "over with clipsenet gallery re-embed"
        )
    if features.dim != embedding.dim:
        raise ClipsenetError(f"embeddings of length {features.dim}, wanted {embedding.dim}")
    if features.labels_told != embedding.labels_told:
        told = {True: "told camera or view", False: "told no labels"}
        raise ClipsenetError(
            f"embeddings of a network that was {told[features.labels_told]}; this gallery's was "
            f"{told[embedding.labels_told]}, and the two are not alike"
        )


def add(
    ledger: Ledger, features: Features, content: list[str], quality: Float[np.ndarray, " n"] | None
) -> Int[np.ndarray, " n"]:
    """Keep what is not in yet; the ids of all.

    Raises:
        ClipsenetError: not as many contents or qualities as pictures, a quality outside of 0 to 1, or a text that is not UTF-8.
        OSError, sqlite3.Error: a full disk; nothing has changed then.
    """
    n = len(features)
    if len(content) != n:
        raise ClipsenetError(f"{len(content)} digests of contents for {n} pictures, wanted one for each")
    if quality is None:
        quality = np.ones(n, dtype=np.float32)
    if len(quality) != n or not ((quality > 0) & (quality <= 1)).all():
        raise ClipsenetError(f"{len(quality)} qualities for {n} pictures; wanted one for each, above 0 to 1")
    _require_utf8("path", features.sightings.files())
    ids = ledger.find(content)
    first_of = {one: row for row, one in reversed(list(enumerate(content)))}
    new = np.array([row for row in range(n) if ids[row] == NOBODY and first_of[content[row]] == row], dtype=np.int64)
    if not len(new):
        return ids
    layout = ledger.layout()
    vectors = layout.stored(features.embeddings[new])
    pieces = _pieces(ledger, segments.days(features.sightings.time[new]))
    try:
        for piece in pieces:
            layout.append(piece.file, piece.before, vectors[piece.rows])
        with transaction(ledger.db, write=True):
            ids[new] = _record(ledger, features[new], [content[row] for row in new], quality[new], vectors, pieces)
    except BaseException:
        discard_unrecorded(ledger)
        raise
    known = {one: int(ids[row]) for one, row in first_of.items()}
    return np.array([known[one] for one in content], dtype=np.int64)


def _pieces(ledger: Ledger, days: list[str]) -> list[_Piece]:
    """Which rows go where: behind the day's last segment until it is full, then into new ones."""
    pieces = []
    next_file = int(ledger.meta("next_file"))
    of_day = np.array(days)
    for day in dict.fromkeys(days):
        rows = np.flatnonzero(of_day == day)
        last = ledger.last_of_day(day)
        if last is not None and (room := segments.SEGMENT_ROWS - last[2]) > 0:
            pieces.append(_Piece(day, last[0], last[1], last[2], rows[:room]))
            rows = rows[room:]
        while len(rows):
            pieces.append(_Piece(day, None, next_file, 0, rows[: segments.SEGMENT_ROWS]))
            rows, next_file = rows[segments.SEGMENT_ROWS :], next_file + 1
    return pieces


def _record(
    ledger: Ledger,
    features: Features,
    content: list[str],
    quality: Float[np.ndarray, " n"],
    vectors: Float[np.ndarray, "n dim"],
    pieces: list[_Piece],
) -> Int[np.ndarray, " n"]:
    sightings, n = features.sightings, len(features)
    first_id = ledger.take_number("next_id", n)
    ids = np.arange(first_id, first_id + n)
    columns = {"id": ids, "time": sightings.time, "quality": quality, "checksum": segments.checksums(vectors)}
    labels = {name: getattr(sightings, name) for name in LABELS}
    labels |= {EXTRA + name: found for name, found in sightings.extra.items()}
    for name, found in labels.items():
        if name.startswith(EXTRA) or found.known.any():
            columns[name] = _numbers(ledger, name, found)
    ledger.take_number("next_file", sum(piece.number is None for piece in pieces))
    for piece in pieces:
        if piece.number is None:
            piece.number = ledger.add_segment(piece.day, piece.file, len(piece.rows))
        else:
            ledger.grow_segment(piece.number, piece.before + len(piece.rows))
        ledger.append_columns(piece.number, piece.before, {name: values[piece.rows] for name, values in columns.items()})
    ledger.add_sightings(ids.tolist(), content, sightings.files(), [sightings.box_of(row) for row in range(n)])
    return ids


def _numbers(ledger: Ledger, name: str, labels: Labels) -> Int[np.ndarray, " n"]:
    """The gallery's own numbers of a label, 0 for unknown."""
    used, inverse = np.unique(labels.numbers, return_inverse=True)
    texts = [labels.names[number] if number >= 0 else "" for number in used]
    _require_utf8(name.removeprefix(EXTRA), texts)
    return np.array(ledger.number_names(name, texts), dtype=np.int32)[inverse.reshape(-1)]


def _require_utf8(column: str, texts: list[str]) -> None:
    bad = [text for text in texts if not is_utf8(text)]
    if bad:
        raise ClipsenetError(
            f"column {column}: {len(bad)} texts are not UTF-8 and cannot be kept, the first: {escaped(bad[0])}; rename "
            "the file, or leave the picture out"
        )
