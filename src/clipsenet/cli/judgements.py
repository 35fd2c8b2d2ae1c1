"""What a calibration is worth, as tables and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsenet.calibrating.calibration import Calibration
    from clipsenet.calibrating.judging import Bin, Section

TITLES = {
    "brier": "Brier score (less is better)",
    "log_loss": "log loss (less is better)",
    "auroc": "AUROC",
    "f1": "F1",
    "tnr": "true-negative rate",
    "f1_tnr": "0.7 F1 + 0.3 TNR",
    "false_alarms": "false alarms (FPIR)",
    "misses": "misses (FNIR)",
}


def judgement_values(
    calibration: "Calibration", parts: "Sequence[Section]", bins: "Sequence[Bin]", notes: Sequence[str]
) -> dict[str, Any]:
    """Everything for programs; NaN as null."""
    about = calibration.to_values()
    del about["pictures"]
    values = {
        "calibration": about,
        "judged": [asdict(one) for one in parts],
        "reliability": [asdict(one) for one in bins],
        "notes": list(notes),
    }
    plain: dict[str, Any] = _without_nan(values)
    return plain


def print_judgement(
    calibration: "Calibration", run: Path, parts: "Sequence[Section]", bins: "Sequence[Bin]", notes: Sequence[str]
) -> None:
    """Tables for a reader."""
    from clipsenet.calibrating.judging import CALIBRATED, DIFFERENCE, PLAIN
    from clipsenet.console import out, print_rows

    sizes = ", ".join(map(str, calibration.sizes))
    for line in (
        f"learned from {calibration.data} {calibration.fingerprint}: {calibration.examples} searches by {calibration.queries} "
        f"pictures of {calibration.vehicles} vehicles in galleries of {sizes}",
        f"run {calibration.run_id[:16]}, similarity {calibration.similarity}, {_share(calibration.expect_absent)} absent",
        f"accepted from {calibration.belief.threshold:.3f} on, chosen for {calibration.goal}",
    ):
        out.print(line, markup=False)
    weights = [
        (one.name, f"{one.mean:.3f}", f"{one.deviation:.3f}", f"{one.weight:+.3f}") for one in calibration.belief.features
    ]
    print_rows(("evidence", "mean", "deviation", "weight"), weights)
    ways = (CALIBRATED, PLAIN, DIFFERENCE)
    for one in parts:
        at = "all sizes" if one.title == "all" else f"galleries of {one.title}{_outside(calibration, int(one.title))}"
        right = "" if math.isnan(one.rank_1) else f"; where it is present, the first answer is right in {one.rank_1:.3f}"
        out.print(f"{at}: {one.searches} searches, in {one.absent} the vehicle is absent{right}", markup=False)
        rows = [
            (title, *(_figure(one.figures[way][name], one.intervals.get(way, {}).get(name), way == DIFFERENCE) for way in ways))
            for name, title in TITLES.items()
        ]
        print_rows(("figure", *ways), rows)
    shown = [(f"{one.p:.3f}", _figure(one.right, one.interval, False), _share(one.share)) for one in bins]
    print_rows(("mean confidence", "share that is right", "of searches"), shown)
    for note in notes:
        out.print(f"note: {note}", markup=False)
    out.print(f"kept in {run}/calibration.json; search and compare with this run now give a verdict", markup=False)


def _outside(calibration: "Calibration", size: int) -> str:
    return "" if calibration.sizes[0] <= size <= calibration.sizes[-1] else " (outside those learned from)"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _figure(value: float, bounds: tuple[float, float] | None, signed: bool) -> str:
    if math.isnan(value):
        return "none"
    sign = "+" if signed else ""
    text = f"{value:{sign}.3f}"
    if bounds is None or math.isnan(bounds[0]):
        return text
    return f"{text} [{bounds[0]:{sign}.3f}, {bounds[1]:{sign}.3f}]"


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return value
