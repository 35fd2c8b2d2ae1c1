"""Repair: what can be mended is mended, what is lost is dropped and named, what cannot be mended is said."""

from pathlib import Path

import numpy as np

from clipsenet.gallery.checking import find_damage
from clipsenet.gallery.ledger import Ledger
from clipsenet.gallery.retention import take_out, wipe
from clipsenet.gallery.schema import explained
from clipsenet.gallery.writing import Writing


def repair_gallery(folder: Path) -> list[str]:
    """Mend a gallery, also one that cannot be opened; a sentence for each thing that was wrong, empty where nothing was.

    Raises:
        ClipsenetError: it is no gallery or of a newer version; another process writes to it; no rights.
    """
    with explained(folder):
        Ledger(folder, write=False).close()  # what is no gallery gets no lock
        writing = Writing(folder)
        try:
            findings = find_damage(folder, quiet=True)
            if not findings:
                return []
            ledger = Ledger(folder, write=True)
            try:
                lost = np.array(sorted({id_ for finding in findings for id_ in finding.lost}), dtype=np.int64)
                if len(lost):
                    take_out(ledger, lost)
                if all(finding.mends for finding in findings):
                    wipe(folder, ledger)
            finally:
                ledger.close()
        finally:
            writing.release()
    return [f"{'mended' if finding.mends else 'cannot be mended'}: {finding.sentence}" for finding in findings]
