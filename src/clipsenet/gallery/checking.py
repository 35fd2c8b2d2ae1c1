"""Checking: everything a gallery holds, against what it recorded of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt32
from torch import Tensor

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.audit import Audit
from clipsenet.gallery.interface import NOBODY
from clipsenet.gallery.ledger import AUDIT_HEAD, Ledger
from clipsenet.gallery.leftovers import find_leftovers, missing_index
from clipsenet.gallery.neighbourhood import KEY, Facts
from clipsenet.gallery.recorded_segments import EXTRA, label_columns
from clipsenet.gallery.schema import AGAIN, explained, transaction
from clipsenet.gallery.segments import checksums
from clipsenet.gallery.writing import is_written

CHECKED = 8192
"""Rows that are read at once."""

NAMED = 5
"""How many pictures a sentence names."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        sentence: for people.
        lost: ids of sightings that cannot be kept.
        mends: whether repair can put an end to it.
        untrue: whether records themselves are wrong, so that nothing is to be dropped on their word.
        index: whether the index of neighbours is to be dropped.
        renewal: a segment whose new vectors are to be made again.
        audit: whether records of searches are gone.
    """

    sentence: str
    lost: list[int] = field(default_factory=list)
    mends: bool = True
    untrue: bool = False
    index: bool = False
    renewal: int | None = None
    audit: bool = False


def verify_gallery(folder: Path) -> list[str]:
    """What is wrong with a gallery, a sentence each, empty where nothing is; also of one that cannot be opened.

    Raises:
        ClipsenetError: it is no gallery, or of a newer version.
    """
    return [finding.sentence for finding in findings_of(folder)]


def findings_of(folder: Path) -> list[Finding]:
    """As ``verify_gallery``, with what repair can do about it."""
    return find_damage(folder, lambda: is_written(folder))


def find_damage(folder: Path, is_written: Callable[[], bool]) -> list[Finding]:
    """Everything that is wrong.

    Args:
        folder: the gallery's.
        is_written: whether somebody else may be writing now: bytes beyond what is recorded may then be theirs.

    Raises:
        ClipsenetError: it is no gallery, or of a newer version.
    """
    with explained(folder):
        ledger = Ledger(folder, write=False)
        try:
            said = [text for (text,) in ledger.db.execute("PRAGMA integrity_check(3)")]
            if said != ["ok"]:
                return [Finding(f"the ledger is damaged: {'; '.join(said)}; {AGAIN}", mends=False, untrue=True)]
            findings = _of_records(ledger)
            findings += _of_leftovers(ledger, is_written)
            noted = ledger.meta(AUDIT_HEAD)
        finally:
            ledger.close()
        findings += _of_audit(Audit(folder), noted)
    return findings


def _of_audit(audit: Audit, noted: str) -> list[Finding]:
    """The chain against itself, and against the last head that a writer has noted."""
    itself = audit.verify()
    cut = [sentence for sentence in audit.verify(noted) if sentence not in itself] if noted else []
    return [Finding(sentence, mends=False) for sentence in itself] + [Finding(sentence, audit=True) for sentence in cut]


def _of_records(ledger: Ledger) -> list[Finding]:
    """Vectors against their checksums, columns against sightings and names."""
    findings: list[Finding] = []
    recorded: list[Int[np.ndarray, " _"]] = [np.empty(0, dtype=np.int64)]
    used: set[int] = set()
    to_check: list[tuple[int, Tensor, dict[str, np.ndarray]]] = []
    with transaction(ledger.db, write=False):
        layout = ledger.layout()
        rotten = ledger.rotten_blocks()
        for segment, name, first, count in rotten:
            what = f"column {name.removeprefix(EXTRA)} of segment {segment}, {count} rows from {first} on,"
            findings.append(Finding(f"{what} is not as it was written; {AGAIN}", mends=False, untrue=True))
        if changed := ledger.rotten_sightings():
            what = f"{len(changed)} records of pictures are not as they were written, the first: id {changed[0]}"
            findings.append(Finding(f"{what}; {AGAIN}", mends=False, untrue=True))
        renewals = [(segment, file, ledger.renewed_stretches(segment)) for segment, file, _ in ledger.renewals()]
        for number, file, rows in ledger.segments():
            try:
                columns = ledger.columns(number, rows)
            except ClipsenetError as error:
                return [Finding(str(error), mends=False, untrue=True)]
            if not {"id", "time", "quality", "checksum"} <= set(columns):
                findings.append(
                    Finding(f"segment {number} has no ids or checksums: the ledger is damaged", mends=False, untrue=True)
                )
                continue
            recorded.append(columns["id"])
            used |= {int(value) for name in label_columns(columns) for value in np.unique(columns[name])}
            path = layout.path(file)
            there = min(rows, path.stat().st_size // layout.row_bytes) if path.exists() else 0
            if there < rows:
                lost = columns["id"][there:].tolist()
                what = f"has {there} of {rows} vectors" if path.exists() else f"is not there: {rows} vectors"
                findings.append(Finding(f"{path} {what}; {_named(ledger, lost)}", lost))
            if there and number not in {segment for segment, *_ in rotten}:  # else good vectors would be taken for lost
                to_check.append((number, layout.map(file, there), {name: values[:there] for name, values in columns.items()}))
        sighted = np.array([id_ for (id_,) in ledger.db.execute("SELECT id FROM sighting ORDER BY id")], dtype=np.int64)
        unnamed = sorted(used - {0} - set(ledger.names(sorted(used))))
        pending, index, remembered = ledger.meta("cleaning"), missing_index(ledger), ledger.meta(KEY)
    ids = np.sort(np.concatenate(recorded))
    if len(twice := np.unique(ids[1:][np.diff(ids) == 0])):
        findings.append(Finding(f"{len(twice)} ids are recorded twice, the first: {twice[0]}", mends=False, untrue=True))
    if len(blind := np.setdiff1d(sighted, ids)):
        findings.append(Finding(f"{len(blind)} sightings have no vector; {_named(ledger, blind.tolist())}", blind.tolist()))
    if len(bare := np.setdiff1d(ids, sighted)):
        findings.append(Finding(f"{len(bare)} vectors have no sighting, the first: id {bare[0]}", bare.tolist()))
    if unnamed:
        findings.append(
            Finding(f"{len(unnamed)} names of labels are missing, the first: number {unnamed[0]}", mends=False, untrue=True)
        )
    if index:
        findings.append(Finding(f"the index of neighbours {index} is not there; searches are exact until it is built again"))
    elif remembered and not (facts := Facts.read(remembered)).is_as_written(ledger.folder):
        what = f"the index of neighbours {facts.file} is not as it was written; searches are exact until it is built again"
        findings.append(Finding(what, index=True))
    if pending:
        findings.append(Finding("what was forgotten is not yet wiped from the files; whoever opens it to write does it"))
    findings += [one for renewal in renewals for one in _of_renewal(ledger, *renewal)]
    return findings + [one for number, vectors, columns in to_check for one in _of_vectors(ledger, number, vectors, columns)]


def _of_vectors(ledger: Ledger, number: int, vectors: Tensor, columns: dict[str, np.ndarray]) -> list[Finding]:
    rotten: list[int] = []
    for start in range(0, len(vectors), CHECKED):
        part = slice(start, start + CHECKED)
        block = vectors[part].numpy()
        length = np.linalg.norm(block.astype(np.float32), axis=1)
        bad = (checksums(block) != columns["checksum"][part]) | ~(np.abs(length - 1) < 1e-2)
        rotten += columns["id"][part][bad].tolist()
    if not rotten:
        return []
    what = f"{len(rotten)} vectors of segment {number} are not as they were written"
    return [Finding(f"{what}; {_named(ledger, rotten)}", rotten)]


def _of_renewal(ledger: Ledger, segment: int, file: int, recorded: list[tuple[int, UInt32[np.ndarray, " _"]]]) -> list[Finding]:
    """Vectors that are to take a segment's place, against their checksums."""
    layout = ledger.layout("renewal")
    path = layout.path(file)
    there = path.stat().st_size // layout.row_bytes if path.exists() else 0
    vectors = layout.map(file, there).numpy() if there else np.empty((0, layout.dim), dtype=layout.dtype)
    right = 0
    for first, sums in recorded:
        found = checksums(vectors[first : first + len(sums)])
        right += int(np.count_nonzero(found == sums[: len(found)]))
    count = sum(len(sums) for _, sums in recorded)
    if right == count:
        return []
    what = f"of {count} new vectors of segment {segment} {right} are as they were written"
    return [Finding(f"{what}; the re-embedding makes that segment's again", renewal=segment)]


def _of_leftovers(ledger: Ledger, is_written: Callable[[], bool]) -> list[Finding]:
    """What is nobody's: it stays while nobody writes."""
    if is_written():
        return []
    found = find_leftovers(ledger)
    if is_written() or find_leftovers(ledger) != found:
        return []
    end = "left by a process that was killed; whoever opens the gallery to write clears it away"
    findings = [
        Finding(f"{ledger.layout().path(file)} has {behind} bytes beyond the recorded length, {end}")
        for file, _, behind in found.tails
    ]
    return findings + [Finding(f"{path} is not recorded, {end}") for path in found.orphans]


def _named(ledger: Ledger, ids: list[int]) -> str:
    """The first few of some sightings."""
    named = [id_ for id_ in ids[:NAMED] if id_ != NOBODY]
    path_of = ledger.paths(named)
    listed = ", ".join(f"{id_} ({path_of[id_]})" if id_ in path_of else str(id_) for id_ in named)
    return f"lost: {listed}" + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
