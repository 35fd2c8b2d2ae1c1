"""Repair: what can be mended is mended, what is lost is named and dropped on request, what cannot be mended is said."""

from pathlib import Path

import numpy as np

from clipsenet.gallery.checking import Finding, find_damage
from clipsenet.gallery.ledger import AUDIT_HEAD, Ledger
from clipsenet.gallery.neighbourhood import KEY
from clipsenet.gallery.retention import take_out, wipe
from clipsenet.gallery.schema import explained, transaction
from clipsenet.gallery.writing import Writing


def repair_gallery(folder: Path, *, drop_lost: bool = False) -> list[str]:
    """Mend a gallery, also one that cannot be opened; a sentence for each thing that was wrong, empty where nothing was.

    Sightings whose vector is lost stay recorded, unless told otherwise: a folder that is not mounted may come back. Dropped,
    each is named, and can be indexed again from its picture.

    Args:
        folder: the gallery's.
        drop_lost: whether sightings whose vector or record is lost are removed; never where the records are damaged.

    Raises:
        ClipsenetError: it is no gallery or of a newer version; another process writes to it; no rights.
    """
    with explained(folder):
        Ledger(folder, write=False).close()  # what is no gallery gets no lock
        writing = Writing(folder)
        try:
            findings = find_damage(folder, lambda: False)
            if not findings:
                return []
            ledger = Ledger(folder, write=True)
            try:
                drop_lost = drop_lost and not any(finding.untrue for finding in findings)
                dropped = _mend(ledger, findings, drop_lost)
                if all(finding.mends for finding in findings):
                    wipe(folder, ledger)
            finally:
                ledger.close()
        finally:
            writing.release()
    return [_said(finding, drop_lost) for finding in findings] + [f"dropped: {sighting}" for sighting in dropped]


def _mend(ledger: Ledger, findings: list[Finding], drop_lost: bool) -> list[str]:
    """Do what can be done but for the wiping; whom it dropped."""
    for finding in findings:
        if finding.index:
            ledger.unset_meta(KEY)
        if finding.audit and drop_lost:
            ledger.unset_meta(AUDIT_HEAD)
        if finding.renewal is not None:
            with transaction(ledger.db, write=True):
                ledger.remove_renewal(finding.renewal)
    lost = np.array(sorted({id_ for finding in findings for id_ in finding.lost}), dtype=np.int64)
    if not drop_lost or not len(lost):
        return []
    path_of = ledger.paths(lost.tolist())
    take_out(ledger, lost)
    return [f"{id_} ({path_of[id_]})" if id_ in path_of else str(id_) for id_ in lost.tolist()]


def _said(finding: Finding, drop_lost: bool) -> str:
    if not finding.mends:
        return f"cannot be mended: {finding.sentence}"
    if finding.audit and drop_lost:
        return f"accepted: {finding.sentence}; the record goes on from what is there"
    if finding.audit:
        return f"left as it is: {finding.sentence}; bring back a copy, or accept the loss with --drop-lost"
    if finding.lost and not drop_lost:
        return (
            f"left as it is: {finding.sentence}; bring the file back, or pass --drop-lost and index the pictures again, which "
            "is possible where the records are not damaged themselves"
        )
    return f"mended: {finding.sentence}"
