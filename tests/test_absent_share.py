"""How many queries are absent: what a calibration is made for, and what it says of another share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrating_cases import (
    SIMILARITY,
    Alike,
    by_hand,
    curve,
    fitted,
    lessons_of,
    made_up,
    made_up_later,
    p_of,
)
from clipsenet.calibrating.deciding import Looked, Shown, decide
from clipsenet.calibrating.evidence import evidence_of
from clipsenet.calibrating.judging import judge, sections
from clipsenet.calibrating.prior import restate, weigh
from clipsenet.errors import ClipsenetError, UsageError


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_calibration_speaks_of_the_share_that_is_expected_whatever_its_examples_have(share: float) -> None:
    alike = Alike(absent=0.3)
    calibration = fitted(alike.examples(), absent=share, later=alike.examples())
    similarity = np.linspace(0.45, 0.95, 21)
    evidence = np.tile(alike.examples().evidence[0], (21, 1))
    evidence[:, SIMILARITY] = similarity
    assert calibration.believe(evidence).p == pytest.approx(alike.truth(similarity, share), abs=0.03)
    assert calibration.believe_later(evidence) == pytest.approx(alike.truth(similarity, share), abs=0.03)
    other = {0.05: 0.9, 0.5: 0.05, 0.9: 0.5}[share]  # a wrong answer looks the same whether the vehicle is there or not
    assert calibration.believe(evidence, other).p == pytest.approx(alike.truth(similarity, other), abs=0.03)
    assert calibration.believe_later(evidence, other) == pytest.approx(alike.truth(similarity, other), abs=0.03)
    assert np.abs(alike.truth(similarity, share) - alike.truth(similarity, other)).max() > 0.2


def test_evidence_is_standardised_as_often_as_it_is_expected() -> None:
    """What is unknown counts as the mean of the searches that are expected, not of those that were drawn."""
    examples = Alike(n=4000, absent=0.3).examples()
    (similarity, *_) = fitted(examples, absent=0.9).belief.features
    values, weight = examples.evidence[:, SIMILARITY], weigh(examples.present, examples.size, 0.9)
    mean = float(weight @ values / weight.sum())
    assert similarity.mean == pytest.approx(mean)
    assert similarity.deviation == pytest.approx(float(weight @ (values - mean) ** 2 / weight.sum()) ** 0.5)
    assert abs(mean - values.mean()) > 0.03


def test_a_pair_is_restated_as_two_vehicles_are_the_only_way_to_be_wrong() -> None:
    pairs = Alike(found_first=1.0, wrong_at=0.5, pair=True, size=1)
    calibration = fitted(Alike().examples(), absent=0.5, pairs=pairs.examples())
    assert calibration.belief.absent_among_wrong < 0.9
    similarity = np.linspace(0.5, 0.8, 13)
    evidence = np.stack([evidence_of(np.array([one]), np.array([0]), 1, np.nan) for one in similarity])
    told = calibration.believe(evidence, 0.9)
    assert told.p == pytest.approx(pairs.truth(similarity, 0.9), abs=0.02)
    assert ((told.p >= told.threshold) == told.accepted).all()
    by = by_hand("r" * 64)
    p, at = curve(by.pair, similarity=0.75), by.pair.threshold
    again = by.believe(evidence_of(np.array([0.75]), np.array([0]), 1, np.nan)[None], 0.9)
    # k = 0.2, m = 1.8 and nobody present among the wrong
    assert again.p == pytest.approx([0.2 * p / (0.2 * p + 1.8 * (1 - p))])
    assert again.threshold == pytest.approx([0.2 * at / (0.2 * at + 1.8 * (1 - at))])


def test_pairs_of_a_calibration_for_no_absent_query_say_half() -> None:
    """Of pairs of one vehicle only nothing could be learned; what is said names the share that was taken instead."""
    examples = Alike(n=4000, absent=0.3).examples()
    pairs = Alike(found_first=1.0, wrong_at=0.5, absent=0.75, pair=True, size=1)
    calibration = fitted(examples, absent=0.0, pairs=pairs.examples())
    similarity = np.linspace(0.5, 0.8, 7)
    evidence = np.stack([evidence_of(np.array([one]), np.array([0]), 1, np.nan) for one in similarity])
    assert calibration.believe(evidence).p == pytest.approx(pairs.truth(similarity, 0.5), abs=0.02)
    (_, alone), (_, beside) = (
        decide(calibration, Looked(np.array([0.7, 0.6][:n]), np.arange(n), n, 0.5, True), [Shown(0, 0.7, 0)]) for n in (1, 2)
    )
    assert (alone.expect_absent, alone.goal) == (0.5, "f1+tnr at 50 % absent")
    assert (beside.expect_absent, beside.goal) == (0, "f1+tnr at 0 % absent")


def test_absent_ones_none_one_and_all() -> None:
    examples, _ = made_up(400)
    present = examples[examples.present]
    with pytest.raises(ClipsenetError, match=r"the vehicle of all .* examples is in the gallery"):
        fitted(present, absent=0.5)
    none = fitted(present, absent=0.0)
    assert none.belief.absent_among_wrong == 0
    with pytest.raises(UsageError, match="made for no absent query"):
        none.believe(present.evidence, expect_absent=0.5)
    (all_,) = sections(judge(lessons_of(present), none).searches, 0.0, draws=20)
    assert np.isnan(all_.figures["calibrated"]["tnr"])
    assert 0 < all_.figures["calibrated"]["f1"] <= 1
    rows = np.concatenate([np.flatnonzero(examples.present), np.flatnonzero(~examples.present)[:1]])
    assert fitted(examples[rows], absent=0.5).belief.absent_among_wrong > 0.5  # the single one weighs half
    with pytest.raises(ClipsenetError, match=r"0 of .* examples have a right first answer"):
        fitted(examples[~examples.present], absent=0.5)
    (gone,) = sections(judge(lessons_of(examples[~examples.present]), fitted(examples)).searches, 0.5, draws=20)
    assert np.isnan(gone.figures["calibrated"]["misses"])
    assert np.isnan(gone.figures["calibrated"]["auroc"])
    with pytest.raises(UsageError, match="from 0 to below 1"):
        fitted(examples, absent=1.0)


def test_who_is_wrong_only_where_nobody_counts_is_told_from_nobody() -> None:
    """For no absent query the absent examples weigh nothing: all of those that count are right."""
    examples, _ = made_up(400)
    certain = examples[examples.right | ~examples.present]
    with pytest.raises(ClipsenetError, match="a probability needs some that are right and some that are not"):
        fitted(certain, absent=0.0)
    fitted(certain, absent=0.5)


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
@settings(deadline=None)
def test_restating_never_turns_an_order_or_a_verdict(p: list[float], a: float, b: float, w: float) -> None:
    ordered = np.array(sorted(p))
    assert (np.diff(restate(ordered, a, b, w)) >= -1e-12).all()


def test_another_share_leaves_every_verdict_as_it_was() -> None:
    examples, _ = made_up(500)
    calibration = fitted(examples)
    told = calibration.believe(examples.evidence)
    assert 0 < told.accepted.mean() < 1
    for share in (0.0, 0.1, 0.9):
        again = calibration.believe(examples.evidence, share)
        assert (again.accepted == told.accepted).all()
        assert ((again.p >= again.threshold) == told.accepted).all()
        assert (again.threshold < told.threshold).all() == (share == 0.9)
    assert p_of(calibration, examples, 0.9).mean() < told.p.mean()
    with pytest.raises(UsageError, match=r"--expect-absent 1\.5"):
        calibration.believe(examples.evidence, 1.5)


def test_later_answers_are_restated_by_who_is_absent_among_their_own_wrong_ones() -> None:
    first, of_first = made_up(4000)
    later, _ = made_up_later(first, of_first)
    calibration = fitted(first, later=later)
    assert calibration.later is not None
    assert calibration.later.absent_among_wrong == pytest.approx((~later.present).sum() / (~later.right).sum())
    assert abs(calibration.later.absent_among_wrong - calibration.belief.absent_among_wrong) > 0.05
    k, m = (1 - 0.9) / (1 - calibration.expect_absent), 0.9 / calibration.expect_absent
    p, w = calibration.believe_later(later.evidence), calibration.later.absent_among_wrong
    wanted = k * p / (k * p + (1 - p) * (m * w + k * (1 - w)))
    assert calibration.believe_later(later.evidence, 0.9) == pytest.approx(wanted)


def test_weights_give_absent_ones_their_share_of_each_size() -> None:
    present, size = np.array([True, True, True, False, True, False, False]), np.array([1, 1, 1, 1, 2, 2, 2])
    weight = weigh(present, size, 0.25)
    for one in (1, 2):
        assert weight[(size == one) & ~present].sum() == pytest.approx(0.25)
        assert weight[(size == one) & present].sum() == pytest.approx(0.75)
