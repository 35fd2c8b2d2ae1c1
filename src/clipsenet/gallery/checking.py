"""Checking: everything a gallery holds, against what it recorded of it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int
from torch import Tensor

from clipsenet.errors import ClipsenetError
from clipsenet.gallery.audit import AUDIT, Audit
from clipsenet.gallery.interface import NOBODY
from clipsenet.gallery.ledger import Ledger, label_columns
from clipsenet.gallery.leftovers import find_leftovers, missing_index
from clipsenet.gallery.schema import explained, transaction
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
    """

    sentence: str
    lost: list[int] = field(default_factory=list)
    mends: bool = True


def verify_gallery(folder: Path) -> list[str]:
    """What is wrong with a gallery, a sentence each, empty where nothing is; also of one that cannot be opened.

    Raises:
        ClipsenetError: it is no gallery, or of a newer version.
    """
    return [finding.sentence for finding in find_damage(folder, quiet=not is_written(folder))]


def find_damage(folder: Path, *, quiet: bool) -> list[Finding]:
    """Everything that is wrong.

    Args:
        folder: the gallery's.
        quiet: whether nobody else writes, so that bytes beyond what is recorded are nobody's.

    Raises:
        ClipsenetError: it is no gallery, or of a newer version.
    """
    with explained(folder):
        ledger = Ledger(folder, write=False)
        try:
            said = [text for (text,) in ledger.db.execute("PRAGMA integrity_check(3)")]
            if said != ["ok"]:
                return [Finding(f"the ledger is damaged: {'; '.join(said)}; bring back a copy, or index again", mends=False)]
            findings = _of_records(ledger)
            if quiet:
                findings += _of_leftovers(ledger)
        finally:
            ledger.close()
        if (folder / AUDIT).exists():
            findings += [Finding(sentence, mends=False) for sentence in Audit(folder).verify()]
    return findings


def _of_records(ledger: Ledger) -> list[Finding]:
    """Vectors against their checksums, columns against sightings and names."""
    findings: list[Finding] = []
    recorded: list[Int[np.ndarray, " _"]] = [np.empty(0, dtype=np.int64)]
    used: set[int] = set()
    to_check: list[tuple[int, Tensor, dict[str, np.ndarray]]] = []
    with transaction(ledger.db, write=False):
        layout = ledger.layout()
        for number, file, rows in ledger.segments():
            try:
                columns = ledger.columns(number, rows)
            except ClipsenetError as error:
                return [Finding(str(error), mends=False)]
            if not {"id", "time", "quality", "checksum"} <= set(columns):
                findings.append(Finding(f"segment {number} has no ids or checksums: the ledger is damaged", mends=False))
                continue
            recorded.append(columns["id"])
            used |= {int(value) for name in label_columns(columns) for value in np.unique(columns[name])}
            path = layout.path(file)
            there = min(rows, path.stat().st_size // layout.row_bytes) if path.exists() else 0
            if there < rows:
                lost = columns["id"][there:].tolist()
                what = f"has {there} of {rows} vectors" if path.exists() else f"is not there: {rows} vectors"
                findings.append(Finding(f"{path} {what}; {_named(ledger, lost)}", lost))
            if there:
                to_check.append((number, layout.map(file, there), {name: values[:there] for name, values in columns.items()}))
        sighted = np.array([id_ for (id_,) in ledger.db.execute("SELECT id FROM sighting ORDER BY id")], dtype=np.int64)
        unnamed = sorted(used - {0} - set(ledger.names(sorted(used))))
        pending, index = ledger.meta("cleaning"), missing_index(ledger)
    ids = np.sort(np.concatenate(recorded))
    if len(twice := np.unique(ids[1:][np.diff(ids) == 0])):
        findings.append(Finding(f"{len(twice)} ids are recorded twice, the first: {twice[0]}", mends=False))
    if len(blind := np.setdiff1d(sighted, ids)):
        findings.append(Finding(f"{len(blind)} sightings have no vector; {_named(ledger, blind.tolist())}", blind.tolist()))
    if len(bare := np.setdiff1d(ids, sighted)):
        findings.append(Finding(f"{len(bare)} vectors have no sighting, the first: id {bare[0]}", bare.tolist()))
    if unnamed:
        findings.append(Finding(f"{len(unnamed)} names of labels are missing, the first: number {unnamed[0]}", mends=False))
    if index:
        findings.append(Finding(f"the index of neighbours {index} is not there; searches are exact until it is built again"))
    if pending:
        findings.append(Finding("what was forgotten is not yet wiped from the files; whoever opens it to write does it"))
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


def _of_leftovers(ledger: Ledger) -> list[Finding]:
    found = find_leftovers(ledger)
    end = "left by a process that was killed; whoever opens the gallery to write clears it away"
    findings = [
        Finding(f"{ledger.layout().path(file)} has {behind} bytes beyond the recorded length, {end}")
        for file, _, behind in found.tails
    ]
    return findings + [Finding(f"{path} is not recorded, {end}") for path in found.orphans]


def _named(ledger: Ledger, ids: list[int]) -> str:
    """The first few of some sightings."""
    rows = [(id_, ledger.paths([id_])) for id_ in ids[:NAMED] if id_ != NOBODY]
    listed = ", ".join(f"{id_} ({path[0]})" if path else str(id_) for id_, path in rows)
    return f"lost: {listed}" + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
