"""What a calibration is worth, as tables and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class Shown:
    """What is shown of a judgement.

    Attributes:
        calibration: that was judged.
        parts: the figures of first answers, of all and by size.
        bins: their reliability.
        pairs: the figures of two pictures; the plain way is the threshold of searches.
        bins_of_pairs, bins_of_later: the reliability of pairs, and of answers after the first.
        notes: what a reader must know.
    """

    calibration: "Calibration"
    parts: "Sequence[Section]"
    bins: "Sequence[Bin]"
    pairs: "Sequence[Section]"
    bins_of_pairs: "Sequence[Bin]"
    bins_of_later: "Sequence[Bin]"
    notes: Sequence[str]


def judgement_values(shown: Shown) -> dict[str, Any]:
    """Everything for programs; NaN as null."""
    about = shown.calibration.to_values()
    del about["pictures"], about["named"]
    values = {
        "calibration": about,
        "judged": [asdict(one) for one in shown.parts],
        "reliability": [asdict(one) for one in shown.bins],
        "pairs": [asdict(one) for one in shown.pairs],
        "reliability_of_pairs": [asdict(one) for one in shown.bins_of_pairs],
        "reliability_of_later": [asdict(one) for one in shown.bins_of_later],
        "notes": list(shown.notes),
    }
    plain: dict[str, Any] = _without_nan(values)
    return plain


def print_judgement(shown: Shown, run: Path) -> None:
    """Tables for a reader."""
    from clipsenet.calibrating.judging import CALIBRATED, DIFFERENCE, PLAIN
    from clipsenet.console import out, print_rows

    calibration, belief = shown.calibration, shown.calibration.belief
    sizes = ", ".join(map(str, calibration.sizes))
    accepted = f"accepted from {belief.threshold:.3f} on, chosen for {calibration.goal}"
    for line in (
        f"learned from {calibration.data} {calibration.fingerprint}: {calibration.examples} searches by {calibration.queries} "
        f"pictures of {calibration.vehicles} vehicles in galleries of {sizes}",
        f"run {calibration.run_id[:16]}, similarity {calibration.similarity}, {_share(calibration.expect_absent)} absent",
        f"{accepted}; it rests on {belief.alarms} of these vehicles, which were accepted though they were absent",
        f"two pictures: accepted from {calibration.pair.threshold:.3f} on, which rests on {calibration.pair.alarms}",
    ):
        out.print(line, markup=False)
    if belief.threshold < 1:
        cost = belief.threshold / (1 - belief.threshold)
        out.print(f"this threshold is the cheapest where a wrong acceptance costs {cost:.2g} times a miss", markup=False)
    weights = [(one.name, f"{one.mean:.3f}", f"{one.deviation:.3f}", f"{one.weight:+.3f}") for one in belief.features]
    print_rows(("evidence", "mean", "deviation", "weight"), weights)
    for one in shown.parts:
        at = "all sizes" if one.title == "all" else f"galleries of {one.title}{_outside(calibration, int(one.title))}"
        right = "" if math.isnan(one.rank_1) else f"; where it is present, the first answer is right in {one.rank_1:.3f}"
        out.print(f"{at}: {one.searches} searches, in {one.absent} the vehicle is absent{right}", markup=False)
        _print_figures(one, (CALIBRATED, PLAIN, DIFFERENCE))
    _print_bins("first answers", shown.bins)
    _print_bins("answers after the first", shown.bins_of_later)
    for one in shown.pairs:
        out.print(
            f"two pictures: {one.searches} pairs, {one.absent} of two vehicles; beside it the threshold of searches",
            markup=False,
        )
        _print_figures(one, (CALIBRATED, PLAIN, DIFFERENCE), titles=("by pairs", "by searches", "difference"))
    _print_bins("pairs", shown.bins_of_pairs)
    out.print(
        "intervals: 95 %, over vehicles that ask; the calibration, and whom they are asked among, stay as they are",
        markup=False,
    )
    for note in shown.notes:
        out.print(f"note: {note}", markup=False)
    out.print(f"kept in {run}/calibration.json; search and compare with this run give a verdict", markup=False)


def _print_figures(one: "Section", ways: Sequence[str], titles: Sequence[str] = ()) -> None:
    from clipsenet.calibrating.judging import DIFFERENCE
    from clipsenet.console import print_rows

    rows = [
        (title, *(_figure(one.figures[way][name], one.intervals.get(way, {}).get(name), way == DIFFERENCE) for way in ways))
        for name, title in TITLES.items()
    ]
    print_rows(("figure", *(titles or ways)), rows)


def _print_bins(what: str, bins: "Sequence[Bin]") -> None:
    from clipsenet.console import print_rows

    if bins:
        rows = [(f"{one.p:.3f}", _figure(one.right, one.interval, False), _share(one.share)) for one in bins]
        print_rows((f"{what}: mean confidence", "share that is right", "share of them"), rows)


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
