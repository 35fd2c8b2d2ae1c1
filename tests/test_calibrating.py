"""Confidence: made-up scores with known probabilities, monotone curves, prior shift, goals and figures against slow ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsenet.calibrating.calibration import Calibration, load_calibration, require_calibrated
from clipsenet.calibrating.evidence import FEATURES, SIGNS, evidence_of, track_numbers
from clipsenet.calibrating.examples import Examples
from clipsenet.calibrating.fitting import Source, fit
from clipsenet.calibrating.goals import parse_goal
from clipsenet.calibrating.judging import judge, reliability, sections
from clipsenet.calibrating.logistic import fit_curve
from clipsenet.calibrating.prior import restate, weigh
from clipsenet.calibrating.verdicts import auroc, curves, figures_of
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.sightings import Sightings

SOURCE = Source("run" * 10, "cosine", "made up", "f" * 16, ("0" * 12,), True, 50)


def made_up(n: int = 4000, absent: float = 0.5, seed: int = 0, size: int = 100) -> tuple[Examples, np.ndarray]:
    """Searches whose answers are right with a known logistic probability of the evidence, and that probability."""
    rng = np.random.default_rng(seed)
    similarity, gap = rng.normal(0.6, 0.1, n), np.abs(rng.normal(0, 0.1, n))
    evidence = np.stack([similarity, gap, rng.normal(0.3, 0.1, n), np.full(n, np.log(size)), rng.uniform(0.1, 1, n)], axis=1)
    p = 1 / (1 + np.exp(-(15 * (similarity - 0.6) + 10 * (gap - 0.08))))
    right = rng.uniform(size=n) < p
    present = right | (rng.uniform(size=n) > absent)
    vehicle = np.array([f"v{number % 80:02}" for number in range(n)])
    return Examples(evidence, right, present, vehicle, np.full(n, size)), p


def fitted(examples: Examples, goal: str = "f1+tnr", absent: float | None = None) -> Calibration:
    """By default with the share of absent ones that the examples have, so that no weight changes a probability."""
    share = float((~examples.present).mean()) if absent is None else absent
    return fit(examples, SOURCE, parse_goal(goal), share)


def test_known_probabilities_are_recovered() -> None:
    examples, p = made_up(20_000)
    calibration = fitted(examples)
    other, truth = made_up(5000, seed=1)
    found = calibration.probability(other.evidence)
    assert np.abs(found - truth).mean() < 0.01
    assert np.abs(found - truth).max() < 0.05
    weight = {one.name: one.weight / one.deviation for one in calibration.belief.features}
    assert weight["similarity"] == pytest.approx(15, rel=0.05)
    assert weight["gap"] == pytest.approx(10, rel=0.1)
    assert p.shape == (20_000,)


def test_a_reliability_diagram_of_recovered_probabilities_lies_on_the_diagonal() -> None:
    examples, _ = made_up(20_000)
    bins = reliability(judge(examples, fitted(examples)), float((~examples.present).mean()), draws=50)
    assert sum(one.share for one in bins) == pytest.approx(1)
    for one in bins:
        assert one.p == pytest.approx(one.right, abs=0.03)
        assert one.interval[0] <= one.right <= one.interval[1]


def test_the_curve_is_the_unbounded_one_where_signs_agree() -> None:
    """Against plain gradient descent on the same loss."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    right = rng.uniform(size=400) < 1 / (1 + np.exp(-(0.3 + x @ np.array([1.0, -0.7]))))
    weight = rng.uniform(0.5, 1.5, 400)
    curve = fit_curve(x, right, weight, np.array([1, -1]))
    b = np.zeros(3)
    for _ in range(4000):
        p = 1 / (1 + np.exp(-(b[0] + x @ b[1:])))
        slope = weight / weight.sum() * (p - right)
        b -= 2.0 * np.concatenate([[slope.sum()], slope @ x + 1e-4 * b[1:]])
    assert [curve.intercept, *curve.weights] == pytest.approx(b.tolist(), abs=1e-4)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_probability_is_monotone_in_each_feature_even_where_the_examples_say_otherwise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(120, 5))
    evidence[:, 3] = np.log(rng.integers(2, 1000, 120))
    right = rng.uniform(size=120) < 1 / (1 + np.exp(evidence[:, 0] - evidence[:, 3] / 3))  # similarity and size the wrong way
    right[:2] = True, False
    present = right | (rng.uniform(size=120) < 0.5)
    present[2], right[2] = False, False
    calibration = fitted(Examples(evidence, right, present, np.array(["a", "b"] * 60), np.full(120, 2)), absent=0.5)
    base = np.tile(evidence[7], (21, 1))
    for column, name in enumerate(FEATURES):
        changed = base.copy()
        changed[:, column] = np.sort(rng.normal(evidence[:, column].mean(), 2, 21))
        steps = np.diff(calibration.probability(changed)) * SIGNS[name]
        assert (steps >= -1e-12).all(), name


def test_evidence_by_hand() -> None:
    similarity, track = np.array([0.9, 0.8, 0.5, 0.4]), np.array([1, 1, 2, -4])
    assert evidence_of(similarity, track, 7, 0.6) == pytest.approx([0.9, 0.4, 0.9 - 1.7 / 3, np.log(7), 0.6])
    assert evidence_of(similarity, track, 7, 0.6, answer=2) == pytest.approx([0.5, -0.4, 0.5 - 0.7, np.log(7), 0.6])
    same = np.array([1, 1, 1, 1])
    assert evidence_of(similarity, same, 7, 0.6)[1] == pytest.approx(0.5)  # whoever else there is, is no more alike than 0.4
    assert np.isnan(evidence_of(similarity, same, 4, 0.6)[1])  # nobody else is there
    one = evidence_of(np.array([0.9]), np.array([1]), 1, np.nan)
    assert one[0] == 0.9
    assert one[3] == 0
    assert np.isnan(one[[1, 2, 4]]).all()


def test_a_track_is_a_name_under_one_camera() -> None:
    some = Sightings.of(["a", "b", "c", "d", "e"], track=["t", "t", "t", "", ""], camera=["1", "1", "2", "1", "1"])
    number = track_numbers(some).tolist()
    assert number[0] == number[1]
    assert len(set(number)) == 4


def test_of_one_picture_the_similarity_alone_tells() -> None:
    examples, truth = made_up()
    calibration = fitted(examples)
    alone = evidence_of(np.array([0.7]), np.array([0]), 1, np.nan)
    near = np.abs(examples.evidence[:, 0] - 0.7) < 0.02
    p, threshold = calibration.believe(alone[None])
    assert p == pytest.approx(truth[near].mean(), abs=0.05)
    assert threshold == calibration.plain.threshold
    assert "1 candidates, calibrated on galleries of 100 to 100" in calibration.warnings(1, tracks=True)[0]
    assert [len(calibration.warnings(size, tracks=True)) for size in (80, 95, 100, 105, 120)] == [1, 0, 0, 0, 1]
    assert "this gallery has none" in calibration.warnings(100, tracks=False)[0]
    assert calibration.warnings(100, tracks=True) == []


def test_a_query_of_unknown_quality_counts_as_one_of_mean_quality() -> None:
    examples, _ = made_up()
    calibration = fitted(examples)
    unknown, mean = examples.evidence[:5].copy(), examples.evidence[:5].copy()
    unknown[:, 4], mean[:, 4] = np.nan, calibration.belief.features[4].mean
    assert calibration.probability(unknown) == pytest.approx(calibration.probability(mean))


def test_equal_scores_are_accepted_together_or_not_at_all() -> None:
    examples, _ = made_up(300)
    same = Examples(np.tile(examples.evidence[0], (300, 1)), examples.right, examples.present, examples.vehicle, examples.size)
    for goal, count in (("false-alarms<=1%", 0), ("false-alarms<=100%", 300)):
        calibration = fitted(same, goal)
        p = calibration.probability(same.evidence)
        assert p == pytest.approx(same.right.mean(), abs=1e-3)
        assert (p >= calibration.belief.threshold).sum() == count
    assert auroc(np.zeros(300), same.right, np.ones(300)) == 0.5


def test_absent_ones_none_one_and_all() -> None:
    examples, _ = made_up(400)
    present = examples[examples.present]
    with pytest.raises(ClipsenetError, match=r"the vehicle of all .* examples is in the gallery"):
        fitted(present, absent=0.5)
    none = fitted(present, absent=0.0)
    assert none.absent_among_wrong == 0
    with pytest.raises(UsageError, match="made for no absent query"):
        none.probability(present.evidence, expect_absent=0.5)
    (all_,) = sections(judge(present, none), 0.0, draws=20)
    assert np.isnan(all_.figures["calibrated"]["tnr"])
    assert 0 < all_.figures["calibrated"]["f1"] <= 1
    rows = np.concatenate([np.flatnonzero(examples.present), np.flatnonzero(~examples.present)[:1]])
    assert fitted(examples[rows], absent=0.5).absent_among_wrong > 0.5  # the single one weighs half
    with pytest.raises(ClipsenetError, match=r"0 of .* examples have a right first answer"):
        fitted(examples[~examples.present], absent=0.5)
    (gone,) = sections(judge(examples[~examples.present], fitted(examples)), 0.5, draws=20)
    assert np.isnan(gone.figures["calibrated"]["misses"])
    assert np.isnan(gone.figures["calibrated"]["auroc"])
    with pytest.raises(UsageError, match="from 0 to below 1"):
        fitted(examples, absent=1.0)


def test_restating_the_share_of_absent_queries_is_what_simulation_finds() -> None:
    """Searches with one number as evidence; a wrong answer looks the same whether the vehicle is there or not."""
    rng = np.random.default_rng(0)
    n, found_first = 400_000, 0.8

    def simulate(share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        present = rng.uniform(size=n) >= share
        right = present & (rng.uniform(size=n) < found_first)
        return np.where(right, rng.normal(1, 1, n), rng.normal(0, 1, n)), right, present

    score, right, present = simulate(0.3)
    bins = np.linspace(-2, 3, 11)
    number = np.digitize(score, bins)
    p = np.bincount(number, right) / np.bincount(number)
    absent_among_wrong = (~present).sum() / (~right).sum()
    score, right, _ = simulate(0.8)
    number = np.digitize(score, bins)
    wanted = np.bincount(number, right) / np.bincount(number)
    assert restate(p, 0.3, 0.8, absent_among_wrong) == pytest.approx(wanted, abs=0.02)
    assert np.abs(p - wanted).max() > 0.2  # without it the numbers are far off
    assert restate(p, 0.3, 0.3, absent_among_wrong) == pytest.approx(p)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.01, 0.99), st.floats(0, 0.99), st.floats(0, 1))
def test_restating_never_turns_an_order_or_a_verdict(p: list[float], a: float, b: float, w: float) -> None:
    ordered = np.array(sorted(p))
    assert (np.diff(restate(ordered, a, b, w)) >= -1e-12).all()


def test_weights_give_absent_ones_their_share_of_each_size() -> None:
    present, size = np.array([True, True, True, False, True, False, False]), np.array([1, 1, 1, 1, 2, 2, 2])
    weight = weigh(present, size, 0.25)
    for one in (1, 2):
        assert weight[(size == one) & ~present].sum() == pytest.approx(0.25)
        assert weight[(size == one) & present].sum() == pytest.approx(0.75)


cases = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.sampled_from(["right", "wrong", "absent"]), st.integers(1, 4)),
    min_size=1,
    max_size=25,
)


def columns(rows: list[tuple[float, str, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    score, kind, weight = zip(*rows, strict=True)
    kinds = np.array(kind)
    return np.array(score), kinds == "right", kinds != "absent", np.array(weight, dtype=float)


def slow_counts(rows: list[tuple[float, str, int]], threshold: float) -> dict[str, float]:
    count = dict.fromkeys(("tp", "fp", "fn", "tn", "absent", "present"), 0.0)
    for score, kind, weight in rows:
        accepted = score >= threshold
        count["absent" if kind == "absent" else "present"] += weight
        count["tp"] += weight * (accepted and kind == "right")
        count["fp"] += weight * (accepted and kind != "right")
        count["fn"] += weight * (kind != "absent" and (not accepted or kind == "wrong"))
        count["tn"] += weight * (kind == "absent" and not accepted)
    return count


@given(cases, st.sampled_from([0.0, 0.15, 0.5, 0.8, 1.0]))
def test_figures_are_those_of_a_plain_loop(rows: list[tuple[float, str, int]], threshold: float) -> None:
    score, right, present, weight = columns(rows)
    found = figures_of(score, score >= threshold, right, present, weight)
    count, total = slow_counts(rows, threshold), sum(weight for *_, weight in rows)
    both = 2 * count["tp"] + count["fp"] + count["fn"]
    wanted = {
        "brier": sum(w * (p - (kind == "right")) ** 2 for p, kind, w in rows) / total,
        "log_loss": -sum(w * np.log(p if kind == "right" else 1 - p) for p, kind, w in rows) / total,
        "f1": 2 * count["tp"] / both if both else 0.0,
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
def test_curves_and_goals_are_those_of_every_threshold_tried(rows: list[tuple[float, str, int]]) -> None:
    score, right, present, weight = columns(rows)
    at = curves(score, right, present, weight)
    assert all(a > b for a, b in pairwise(at.threshold))
    utility, kept = [], []
    for row, threshold in enumerate(at.threshold):
        count = slow_counts(rows, threshold)
        both = 2 * count["tp"] + count["fp"] + count["fn"]
        f1 = 2 * count["tp"] / both if both else 0.0
        alarms = 1 - count["tn"] / count["absent"] if count["absent"] else 0.0
        assert at.f1[row] == pytest.approx(f1)
        assert at.false_alarms[row] == pytest.approx(alarms)
        assert at.misses[row] == pytest.approx(count["fn"] / count["present"] if count["present"] else 0.0)
        utility.append(0.7 * f1 + 0.3 * (1 - alarms))
        kept.append(threshold if alarms <= 0.25 else np.inf)
    best = parse_goal("f1+tnr").threshold(score, right, present, weight)
    assert utility[at.threshold.tolist().index(best)] == pytest.approx(max(utility))
    assert parse_goal("false-alarms<=25%").threshold(score, right, present, weight) == min(kept)


@pytest.mark.parametrize("text", ["", "f1", "false-alarms<=1", "false-alarms<=101%", "false-alarms>=1%"])
def test_a_goal_that_cannot_be_read_is_explained(text: str) -> None:
    with pytest.raises(UsageError, match="wanted f1\\+tnr, or false-alarms<=1%"):
        parse_goal(text)
    assert str(parse_goal(" false-alarms <= 0.5 % ")) == "false-alarms<=0.5%"


def test_intervals_draw_whole_vehicles() -> None:
    """Each vehicle's searches repeated: the interval stays what it was, though there are four times as many."""
    examples, _ = made_up(400)
    calibration = fitted(examples)
    four = examples[np.tile(np.arange(400), 4)]
    (plain,) = sections(judge(examples, calibration), 0.5, draws=0)
    assert plain.rank_1 == pytest.approx(examples.right.sum() / examples.present.sum())
    (once,), (often,) = (sections(judge(one, calibration), 0.5, draws=100) for one in (examples, four))
    assert often.intervals["calibrated"]["brier"] == pytest.approx(once.intervals["calibrated"]["brier"])
    low, high = once.intervals["difference"]["brier"]
    assert low < once.figures["difference"]["brier"] < high


def test_it_comes_back_from_its_file_and_refuses_others(tmp_path) -> None:
    examples, _ = made_up(400)
    calibration = fitted(examples, "false-alarms<=5%")
    path = calibration.save(tmp_path)
    again = load_calibration(tmp_path)
    assert again == calibration
    assert again is not None
    assert (again.probability(examples.evidence) == calibration.probability(examples.evidence)).all()
    assert load_calibration(tmp_path / "elsewhere") is None
    require_calibrated(again, SOURCE.run_id, "cosine")
    with pytest.raises(ClipsenetError, match="these embeddings are of run other"):
        require_calibrated(again, "other", "cosine")
    with pytest.raises(ClipsenetError, match="calibrate this one: clipsenet calibrate --similarity 'whitening"):
        require_calibrated(again, SOURCE.run_id, "whitening + cosine")
    text = path.read_text()
    path.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(ClipsenetError, match="this version reads up to 1: update clipsenet"):
        load_calibration(tmp_path)
    path.write_text(text[:100])
    with pytest.raises(ClipsenetError, match="not a whole calibration"):
        load_calibration(tmp_path)
    path.write_text(text.replace('"goal"', '"gaol"'))
    with pytest.raises(ClipsenetError, match="make it again"):
        load_calibration(tmp_path)


def test_another_share_leaves_every_verdict_as_it_was() -> None:
    examples, _ = made_up(500)
    calibration = fitted(examples)
    p, threshold = calibration.probability(examples.evidence), calibration.belief.threshold
    for share in (0.0, 0.1, 0.9):
        restated = calibration.probability(examples.evidence, share)
        at = calibration.restated(np.array([threshold]), share)[0]
        assert ((restated >= at) == (p >= threshold)).all()
    assert calibration.probability(examples.evidence, 0.9).mean() < p.mean()
    with pytest.raises(UsageError, match=r"--expect-absent 1\.5"):
        calibration.probability(examples.evidence, 1.5)
