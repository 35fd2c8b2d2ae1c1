"""Verdicts: goals and figures against slow ones, the weights behind them, intervals over vehicles."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrating_cases import SIZE, by_hand, fitted, lessons_of, made_up, p_of, share_of
from clipsenet.calibrating.examples import Examples, join
from clipsenet.calibrating.goals import parse_goal
from clipsenet.calibrating.judging import join_judgements, judge, reliability, sections
from clipsenet.calibrating.verdicts import auroc, curves, figures_of
from clipsenet.errors import ClipsenetError, UsageError

SCORES = (0.1, 0.2, 0.5, 0.7, 0.9)
KINDS = st.sampled_from(["right", "wrong", "absent"])

cases = st.lists(st.tuples(st.sampled_from(SCORES), KINDS, st.integers(1, 4)), min_size=1, max_size=25)
"""Score, what came of it, and the example's weight."""

of_sizes = st.lists(st.tuples(st.sampled_from(SCORES), KINDS, st.sampled_from([10, 100])), min_size=1, max_size=25)
"""Score, what came of it, and the gallery's size."""

Row = tuple[float, str, float]


def columns(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    score, kind, last = zip(*rows, strict=True)
    kinds = np.array(kind)
    return np.array(score), kinds == "right", kinds != "absent", np.array(last, dtype=float)


def slow_counts(rows: list[Row], threshold: float) -> dict[str, float]:
    count = dict.fromkeys(("tp", "fp", "fn", "tn", "absent", "present"), 0.0)
    for score, kind, weight in rows:
        accepted = score >= threshold
        count["absent" if kind == "absent" else "present"] += weight
        count["tp"] += weight * (accepted and kind == "right")
        count["fp"] += weight * (accepted and kind != "right")
        count["fn"] += weight * (kind != "absent" and (not accepted or kind == "wrong"))
        count["tn"] += weight * (kind == "absent" and not accepted)
    return count


def slow_f1(count: dict[str, float]) -> float:
    both = 2 * count["tp"] + count["fp"] + count["fn"]
    return 2 * count["tp"] / both if both else 0.0


def slow_alarms(count: dict[str, float]) -> float:
    return 1 - count["tn"] / count["absent"] if count["absent"] else 0.0


def slow_weights(rows: list[Row], share: float) -> list[Row]:
    """Rows of score, kind and size become rows of score, kind and weight."""
    found = []
    for score, kind, size in rows:
        alike = [one for one in rows if one[2] == size and (one[1] == "absent") == (kind == "absent")]
        found.append((score, kind, (share if kind == "absent" else 1 - share) / len(alike)))
    return found


@given(cases, st.sampled_from([0.0, 0.15, 0.5, 0.8, 1.0]))
@settings(deadline=None)
def test_figures_are_those_of_a_plain_loop(rows: list[Row], threshold: float) -> None:
    score, right, present, weight = columns(rows)
    found = figures_of(score, score >= threshold, right, present, weight)
    count, total = slow_counts(rows, threshold), sum(weight for *_, weight in rows)
    wanted = {
        "brier": sum(w * (p - (kind == "right")) ** 2 for p, kind, w in rows) / total,
        "log_loss": -sum(w * np.log(p if kind == "right" else 1 - p) for p, kind, w in rows) / total,
        "f1": slow_f1(count),
        "tnr": count["tn"] / count["absent"] if count["absent"] else np.nan,
        "misses": count["fn"] / count["present"] if count["present"] else np.nan,
    }
    good, bad = ([(p, w) for p, kind, w in rows if (kind == "right") is wanted_] for wanted_ in (True, False))
    pairs = [(w * v, 1.0 if p > q else 0.5 if p == q else 0.0) for p, w in good for q, v in bad]
    wanted["auroc"] = sum(w * win for w, win in pairs) / sum(w for w, _ in pairs) if pairs else np.nan
    wanted["f1_tnr"] = 0.7 * wanted["f1"] + 0.3 * wanted["tnr"]
    wanted["false_alarms"] = 1 - wanted["tnr"]
    assert found == pytest.approx(wanted, nan_ok=True)


@given(cases)
@settings(deadline=None)
def test_curves_are_those_of_every_threshold_tried(rows: list[Row]) -> None:
    at = curves(*columns(rows))
    assert all(a > b for a, b in pairwise(at.threshold))
    for row, threshold in enumerate(at.threshold):
        count = slow_counts(rows, threshold)
        assert at.f1[row] == pytest.approx(slow_f1(count))
        assert at.false_alarms[row] == pytest.approx(slow_alarms(count))
        assert at.misses[row] == pytest.approx(count["fn"] / count["present"] if count["present"] else 0.0)


@given(of_sizes, st.sampled_from([0.0, 0.2, 0.5, 0.9]))
@settings(deadline=None)
def test_f1_and_tnr_are_the_best_of_every_threshold_at_the_expected_share(rows: list[Row], share: float) -> None:
    score, right, present, size = columns(rows)
    weighed = slow_weights(rows, share)

    def worth(threshold: float) -> float:
        count = slow_counts(weighed, threshold)
        return 0.7 * slow_f1(count) + 0.3 * (1 - slow_alarms(count))

    chosen = parse_goal("f1+tnr").threshold(score, right, present, size.astype(int), share)
    assert worth(chosen) == pytest.approx(max(worth(one) for one in (*SCORES, 1.0)))


def test_another_share_of_absent_queries_moves_the_threshold_of_f1_and_tnr() -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(["right", "wrong", "absent"], 4000, p=[0.5, 0.1, 0.4])
    score = np.where(kind == "right", rng.normal(0.7, 0.15, 4000), rng.normal(0.5, 0.15, 4000))
    goal, size = parse_goal("f1+tnr"), np.full(4000, 100)
    few, many = (goal.threshold(score, kind == "right", kind != "absent", size, share) for share in (0.1, 0.9))
    assert many > few + 0.1


@given(of_sizes, st.sampled_from([0.0, 0.2, 0.5, 0.9]))
@settings(deadline=None)
def test_false_alarms_are_the_lowest_threshold_that_keeps_every_size(rows: list[Row], share: float) -> None:
    score, right, present, size = columns(rows)
    goal = parse_goal("false-alarms<=25%")
    if present.all():
        with pytest.raises(ClipsenetError, match="the vehicle of every example is in the gallery"):
            goal.threshold(score, right, present, size.astype(int), share)
        return

    def kept(threshold: float) -> bool:
        parts = [[(p, kind, 1.0) for p, kind, of in rows if of == one] for one in (10, 100)]
        return all(slow_alarms(slow_counts(part, threshold)) <= 0.25 for part in parts)

    chosen = goal.threshold(score, right, present, size.astype(int), share)
    assert kept(chosen)
    assert not any(kept(one) for one in score.tolist() if one < chosen)
    assert chosen in score or chosen == pytest.approx(score.max())


def sizes_of_growing_strangers(seed: int = 0) -> Examples:
    """In larger galleries the best stranger is more alike, and nothing in the evidence but the similarity tells."""
    parts = []
    for number, size in enumerate((100, 1000)):
        one, _ = made_up(4000, seed=seed + number, size=size)
        evidence = one.evidence.copy()
        evidence[~one.present, 0] += 0.1 * number
        evidence[:, SIZE] = np.log(100)
        parts.append(Examples(evidence, one.right, one.present, one.vehicle, one.size))
    return join(parts)


def test_false_alarms_are_kept_at_every_size_and_for_every_share() -> None:
    examples = sizes_of_growing_strangers()
    goal = "false-alarms<=5%"
    for share in (0.0, 0.5, 0.9):
        calibration = fitted(examples, goal, share)
        for threshold, p in (
            (calibration.belief.threshold, p_of(calibration, examples)),
            (calibration.plain.threshold, calibration.plain.probability(examples.evidence)),
        ):
            alarms = [(p >= threshold)[(examples.size == size) & ~examples.present].mean() for size in (100, 1000)]
            assert max(alarms) <= 0.05
            assert max(alarms) > 0.045  # and no more is refused than need be
            assert min(alarms) < 0.04
    p, chosen = p_of(fitted(examples, goal, 0.5), examples), parse_goal(goal)
    of = examples.right, examples.present, examples.size
    assert len({chosen.threshold(p, *of, share) for share in (0.0, 0.5, 0.9)}) == 1


def test_a_goal_of_false_alarms_is_refused_where_nobody_is_absent() -> None:
    examples, _ = made_up(400)
    with pytest.raises(ClipsenetError, match=r"--goal 'false-alarms<=1%': the vehicle of every example is in the gallery"):
        fitted(examples[examples.present], "false-alarms<=1%", 0.0)
    fitted(examples[examples.present], "f1+tnr", 0.0)
    fitted(examples, "false-alarms<=1%", 0.0)


def test_equal_scores_are_accepted_together_or_not_at_all() -> None:
    examples, _ = made_up(300)
    same = Examples(np.tile(examples.evidence[0], (300, 1)), examples.right, examples.present, examples.vehicle, examples.size)
    for goal, count in (("false-alarms<=1%", 0), ("false-alarms<=100%", 300)):
        told = fitted(same, goal).believe(same.evidence)
        assert told.p == pytest.approx(same.right.mean(), abs=1e-3)
        assert told.accepted.sum() == count
    assert auroc(np.zeros(300), same.right, np.ones(300)) == 0.5


@pytest.mark.parametrize("text", ["", "f1", "false-alarms<=1", "false-alarms<=101%", "false-alarms>=1%"])
def test_a_goal_that_cannot_be_read_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="wanted f1\\+tnr, or false-alarms<=1%"):
        parse_goal(text)
    assert str(parse_goal(" false-alarms <= 0.5 % ")) == "false-alarms<=0.5%"


def rows_of(p: np.ndarray, examples: Examples) -> list[Row]:
    kinds = np.where(examples.right, "right", np.where(examples.present, "wrong", "absent"))
    return list(zip(p.tolist(), kinds.tolist(), examples.size.tolist(), strict=True))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_each_way_is_judged_by_its_own_threshold_with_the_share_of_absent_ones(share: float) -> None:
    examples = join([made_up(150, size=50)[0], made_up(90, seed=1)[0]])
    calibration = by_hand("r" * 64)
    parts = sections(judge(lessons_of(examples), calibration).searches, share, draws=0)
    assert [one.title for one in parts] == ["all", "50", "100"]
    told = {
        "calibrated": (p_of(calibration, examples), calibration.belief.threshold),
        "similarity alone": (calibration.plain.probability(examples.evidence), calibration.plain.threshold),
    }
    assert told["calibrated"][1] != told["similarity alone"][1]
    for part in parts:
        of = slice(None) if part.title == "all" else examples.size == int(part.title)
        for way, (p, threshold) in told.items():
            rows = slow_weights(rows_of(p[of], examples[np.arange(len(examples))[of]]), share)
            count, total = slow_counts(rows, threshold), sum(weight for *_, weight in rows)
            figures = part.figures[way]
            assert figures["f1"] == pytest.approx(slow_f1(count))
            assert figures["false_alarms"] == pytest.approx(slow_alarms(count))
            assert figures["brier"] == pytest.approx(sum(w * (q - (kind == "right")) ** 2 for q, kind, w in rows) / total)
        assert part.figures["difference"]["f1"] == pytest.approx(
            part.figures["calibrated"]["f1"] - part.figures["similarity alone"]["f1"]
        )


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_reliability_diagram_weighs_absent_ones_as_expected(share: float) -> None:
    examples = join([made_up(300, size=50)[0], made_up(200, seed=1)[0]])
    calibration = by_hand("r" * 64)
    p = p_of(calibration, examples)
    rows = slow_weights(rows_of(p, examples), share)
    found = reliability(judge(lessons_of(examples), calibration).searches, share, draws=0)
    wanted = [[row for row in rows if low <= 10 * row[0] < low + 1] for low in range(10)]
    filled = [part for part in wanted if part]
    assert len(found) == len(filled) > 5
    total = sum(weight for *_, weight in rows)
    for one, part in zip(found, filled, strict=True):
        weight = sum(w for *_, w in part)
        assert one.share == pytest.approx(weight / total)
        assert one.p == pytest.approx(sum(q * w for q, _, w in part) / weight)
        assert one.right == pytest.approx(sum(w for _, kind, w in part if kind == "right") / weight)


def test_folds_are_judged_together() -> None:
    examples, _ = made_up(200)
    calibration = by_hand("r" * 64)
    halves = [judge(lessons_of(examples[np.arange(200) % 2 == one]), calibration) for one in (0, 1)]
    joined = join_judgements(halves)
    (apart,), (together,) = (sections(one.searches, 0.5, 0) for one in (joined, judge(lessons_of(examples), calibration)))
    for way, figures in together.figures.items():
        assert apart.figures[way] == pytest.approx(figures)
    assert joined.later is None
    assert len(joined.pairs.examples) == 2 * len(halves[0].pairs.examples)


def test_intervals_draw_whole_vehicles() -> None:
    """Each vehicle's searches repeated: the interval stays what it was, though there are four times as many."""
    examples, _ = made_up(400)
    calibration = fitted(examples)
    four = examples[np.tile(np.arange(400), 4)]
    (plain,) = sections(judge(lessons_of(examples), calibration).searches, 0.5, draws=0)
    assert plain.rank_1 == pytest.approx(examples.right.sum() / examples.present.sum())
    assert (plain.searches, plain.absent, plain.intervals) == (400, int((~examples.present).sum()), {})
    once, often = (
        sections(judge(lessons_of(one), calibration).searches, share_of(examples), draws=100)[0] for one in (examples, four)
    )
    assert often.intervals["calibrated"]["brier"] == pytest.approx(once.intervals["calibrated"]["brier"])
    low, high = once.intervals["difference"]["brier"]
    assert low < once.figures["difference"]["brier"] < high
