"""Confidence: made-up answers with known probabilities, monotone curves, the file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrating_cases import (
    BEHIND,
    GAP,
    PAIRS,
    QUALITY,
    SHARPNESS,
    SIMILARITY,
    SIZE,
    SOURCE,
    Alike,
    by_hand,
    curve,
    fitted,
    lessons_of,
    made_up,
    made_up_later,
    p_of,
    share_of,
)
from clipsenet.calibrating.calibration import load_calibration, require_calibrated
from clipsenet.calibrating.evidence import FEATURES, SIGNS, evidence_of, track_numbers
from clipsenet.calibrating.examples import Examples, Lessons, join_lessons
from clipsenet.calibrating.judging import judge, reliability, sections
from clipsenet.calibrating.logistic import fit_curve
from clipsenet.errors import ClipsenetError
from clipsenet.sightings import Sightings


def test_known_probabilities_are_recovered() -> None:
    examples, _ = made_up(20_000)
    calibration = fitted(examples)
    other, truth = made_up(5000, seed=1)
    found = p_of(calibration, other)
    assert np.abs(found - truth).mean() < 0.01
    assert np.abs(found - truth).max() < 0.05
    weight = {one.name: one.weight / one.deviation for one in calibration.belief.features}
    assert weight["similarity"] == pytest.approx(15, rel=0.05)
    assert weight["gap"] == pytest.approx(10, rel=0.1)


def test_pairs_have_a_curve_of_their_own() -> None:
    """Two pictures are another question than the best of a gallery: the searches' curve is far off there."""
    pairs = Alike(absent=0.5, found_first=1.0, wrong_at=0.5, pair=True, size=1)
    calibration = fitted(Alike().examples(), absent=0.5, pairs=pairs.examples())
    asked = Alike(n=2000, found_first=1.0, wrong_at=0.5, pair=True, seed=1, size=1).examples()
    truth = pairs.truth(asked.evidence[:, SIMILARITY], 0.5)
    told = calibration.believe(asked.evidence)
    assert np.abs(told.p - truth).mean() < 0.01
    assert told.pair.all()
    assert np.abs(calibration.belief.probability(asked.evidence) - truth).mean() > 0.1
    assert np.abs(calibration.plain.probability(asked.evidence) - truth).mean() > 0.1
    assert calibration.pair.absent_among_wrong == 1
    judged = judge(lessons_of(Alike().examples(), pairs=asked), calibration).pairs
    for one in reliability(judged, 0.5, draws=0):
        assert one.p == pytest.approx(one.right, abs=0.1)
    (section,) = sections(judged, 0.5, draws=0)
    assert section.figures["difference"]["brier"] < -0.005  # beside it the threshold and the curve of searches


def test_a_reliability_diagram_of_recovered_probabilities_lies_on_the_diagonal() -> None:
    examples, _ = made_up(20_000)
    judgement = judge(lessons_of(examples), fitted(examples))
    assert judgement.later is None
    bins = reliability(judgement.searches, share_of(examples), draws=50)
    assert sum(one.share for one in bins) == pytest.approx(1)
    for one in bins:
        assert one.p == pytest.approx(one.right, abs=0.03)
        assert one.interval[0] <= one.right <= one.interval[1]


def test_answers_after_the_first_lie_on_the_diagonal_by_a_curve_of_their_own() -> None:
    first, of_first = made_up(20_000)
    later, truth = made_up_later(first, of_first)
    calibration = fitted(first, later=later)
    other, of_other = made_up(20_000, seed=7)
    asked, truth = made_up_later(other, of_other, seed=8)
    judgement = judge(lessons_of(other, later=asked), calibration)
    assert judgement.later is not None
    found = judgement.later.calibrated.p
    assert np.abs(found - truth).mean() < 0.015
    bins = reliability(judgement.later, share_of(asked), draws=0)
    assert len(bins) > 7
    for one in bins:
        assert one.p == pytest.approx(one.right, abs=0.04)
    assert np.abs(calibration.belief.probability(asked.evidence) - truth).mean() > 0.05  # the first ones' curve is none


def test_no_later_answer_is_judged_surer_than_the_first_of_its_own_search() -> None:
    first, of_first = made_up(2000)
    later, _ = made_up_later(first, of_first)
    calibration = fitted(first, later=later)
    two = np.array([int(np.argmin(of_first)), int(np.argmax(of_first))])
    sure = later.evidence[:1].copy()
    sure[0, [SIMILARITY, BEHIND]] = 0.7, 0.0
    one = Examples(np.tile(sure, (2, 1)), later.right[two], later.present[two], later.vehicle[two], later.size[two])
    lessons = Lessons(first[two], one, np.array([1, 0]), PAIRS.examples())  # the second search has the first of these
    judgement = judge(lessons, calibration)
    assert judgement.later is not None
    of_first_found, alone = judgement.searches.calibrated.p, float(calibration.believe_later(sure)[0])
    assert of_first_found[0] < alone < of_first_found[1]
    assert judgement.later.calibrated.p == pytest.approx([alone, of_first_found[0]])


def test_later_answers_of_which_none_is_right_are_not_learned() -> None:
    first, of_first = made_up(2000)
    later, _ = made_up_later(first, of_first)
    calibration = fitted(first, later=later[~later.right])
    assert calibration.later is None
    assert np.isnan(calibration.believe_later(later.evidence)).all()
    assert judge(lessons_of(first, later=later), calibration).later is None
    learned = fitted(first, later=later)
    assert judge(lessons_of(first), learned).later is None  # nothing to judge


def test_joined_lessons_keep_their_searches() -> None:
    first, of_first = made_up(30)
    later, _ = made_up_later(first, of_first)
    one = Lessons(first, later[np.array([4, 9])], np.array([4, 9]), PAIRS.examples()[np.arange(5)])
    both = join_lessons([one, one])
    assert (len(both.first), len(both.later), len(both.pairs)) == (60, 4, 10)
    assert both.search.tolist() == [4, 9, 34, 39]


def test_the_curve_is_the_unbounded_one_where_signs_agree() -> None:
    """Against plain gradient descent on the same loss."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 2))
    right = rng.uniform(size=400) < 1 / (1 + np.exp(-(0.3 + x @ np.array([1.0, -0.7]))))
    weight = rng.uniform(0.1, 3, 400) * np.where(right, 4, 1)
    curve_ = fit_curve(x, right, weight, np.array([1, -1]))
    b = np.zeros(3)
    for _ in range(4000):
        p = 1 / (1 + np.exp(-(b[0] + x @ b[1:])))
        slope = weight / weight.sum() * (p - right)
        b -= 2.0 * np.concatenate([[slope.sum()], slope @ x + 1e-4 * b[1:]])
    assert [curve_.intercept, *curve_.weights] == pytest.approx(b.tolist(), abs=1e-4)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_probability_is_monotone_in_each_feature_even_where_the_examples_say_otherwise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(120, len(FEATURES)))
    evidence[:, SIZE] = np.log(rng.integers(2, 1000, 120))
    wrong_way = evidence[:, SIMILARITY] - evidence[:, SIZE] / 3 - evidence[:, BEHIND]
    right = rng.uniform(size=120) < 1 / (1 + np.exp(wrong_way))
    right[:2] = True, False
    present = right | (rng.uniform(size=120) < 0.5)
    present[2], right[2] = False, False
    examples = Examples(evidence, right, present, np.array(["a", "b"] * 60), np.full(120, 2))
    calibration = fitted(examples, absent=0.5, later=examples)
    assert calibration.later is not None
    base = np.tile(evidence[7], (21, 1))
    for column, name in enumerate(FEATURES):
        changed = base.copy()
        changed[:, column] = np.sort(rng.normal(evidence[:, column].mean(), 2, 21))
        for p in (calibration.believe(changed).p, calibration.believe_later(changed)):
            assert (np.diff(p) * SIGNS[name] >= -1e-12).all(), name
    nobody = base[:1].copy()
    nobody[:, [GAP, SHARPNESS]] = np.nan
    more = nobody + np.eye(len(FEATURES))[SIMILARITY]
    assert calibration.believe(more).p >= calibration.believe(nobody).p - 1e-12


def test_evidence_by_hand() -> None:
    similarity, track = np.array([0.9, 0.8, 0.5, 0.4]), np.array([1, 1, 2, -4])
    assert evidence_of(similarity, track, 7, 0.6) == pytest.approx([0.9, 0.4, 0.9 - 1.7 / 3, np.log(7), 0.6, 0])
    assert evidence_of(similarity, track, 7, 0.6, answer=2) == pytest.approx([0.5, -0.4, 0.5 - 0.7, np.log(7), 0.6, 0.4])
    same = np.array([1, 1, 1, 1])
    # whoever else there is, is no more alike than 0.4
    assert evidence_of(similarity, same, 7, 0.6)[GAP] == pytest.approx(0.5)
    assert np.isnan(evidence_of(similarity, same, 4, 0.6)[GAP])  # nobody else is there
    one = evidence_of(np.array([0.9]), np.array([1]), 1, np.nan)
    assert one[[SIMILARITY, SIZE, BEHIND]].tolist() == [0.9, 0, 0]
    assert np.isnan(one[[GAP, SHARPNESS, QUALITY]]).all()


def test_a_track_is_a_name_under_one_camera() -> None:
    some = Sightings.of(["a", "b", "c", "d", "e"], track=["t", "t", "t", "", ""], camera=["1", "1", "2", "1", "1"])
    number = track_numbers(some).tolist()
    assert number[0] == number[1]
    assert len(set(number)) == 4


def test_each_evidence_is_told_by_the_curve_that_it_is_for() -> None:
    calibration = by_hand("r" * 64)
    similarity, track = np.array([0.85, 0.7, 0.6]), np.array([0, 1, 2])
    evidence = np.stack([evidence_of(similarity, track, 50, 0.7), evidence_of(np.array([0.85]), np.array([0]), 1, np.nan)])
    told = calibration.believe(evidence)
    size = float(np.log(50))
    first = curve(calibration.belief, similarity=0.85, gap=0.15, sharpness=0.2, size=size, quality=0.7)
    assert told.p == pytest.approx([first, curve(calibration.pair, similarity=0.85)])
    assert told.threshold.tolist() == [0.55, 0.7]
    assert told.pair.tolist() == [False, True]
    assert told.accepted.tolist() == [one >= at for one, at in zip(told.p, told.threshold, strict=True)]
    after = evidence_of(similarity, track, 50, 0.7, answer=1)
    assert calibration.later is not None
    later = curve(calibration.later, similarity=0.7, behind=0.15, sharpness=0.7 - 0.725, size=size, quality=0.7)
    assert calibration.believe_later(after[None]) == pytest.approx([later])
    # where all that are there are of one track, nothing tells of another
    together = evidence_of(similarity, np.zeros(3, dtype=int), 3, 0.7)
    assert calibration.believe(together[None]).p == pytest.approx([curve(calibration.pair, similarity=0.85)])


def test_a_smaller_gallery_than_any_learned_from_counts_as_the_smallest() -> None:
    calibration = by_hand("r" * 64, sizes=(20, 100))
    evidence = np.tile(evidence_of(np.array([0.85, 0.7]), np.array([0, 1]), 20, 0.7), (4, 1))
    evidence[:, SIZE] = np.log([2, 20, 21, 400])
    p, later = calibration.believe(evidence).p, calibration.believe_later(evidence)
    for found in (p, later):
        assert found[0] == found[1] > found[2] > found[3]
    assert evidence[0, SIZE] == np.log(2)  # what came in stays as it is


def test_a_search_unlike_those_learned_from_is_warned_of() -> None:
    examples, _ = made_up()
    calibration = fitted(examples)
    assert "120 candidates, calibrated on galleries of 100 to 100" in calibration.warnings(120, tracks=True)[0]
    # a single one is a pair, which has a curve of its own
    assert [len(calibration.warnings(size, tracks=True)) for size in (1, 2, 80, 95, 100, 105, 120)] == [0, 1, 1, 0, 0, 0, 1]
    assert "this gallery has none" in calibration.warnings(100, tracks=False)[0]
    assert calibration.warnings(100, tracks=True) == []


def test_a_query_of_unknown_quality_counts_as_one_of_mean_quality() -> None:
    examples, _ = made_up()
    calibration = fitted(examples)
    unknown, mean = examples.evidence[:5].copy(), examples.evidence[:5].copy()
    unknown[:, QUALITY], mean[:, QUALITY] = np.nan, calibration.belief.features[QUALITY].mean
    assert calibration.believe(unknown).p == pytest.approx(calibration.believe(mean).p)


def test_the_file_says_on_how_many_absent_vehicles_a_threshold_rests() -> None:
    examples, _ = made_up(4000)
    for goal in ("f1+tnr", "false-alarms<=0.1%"):
        calibration = fitted(examples, goal)
        accepted = calibration.believe(examples.evidence).accepted
        fooled = {str(name) for name in examples.vehicle[accepted & ~examples.present]}
        assert calibration.belief.alarms == len(fooled)
        by_similarity = calibration.plain.probability(examples.evidence) >= calibration.plain.threshold
        assert calibration.plain.alarms == len(set(examples.vehicle[by_similarity & ~examples.present].tolist()))
    assert calibration.belief.alarms <= 1 < fitted(examples).belief.alarms


def test_it_comes_back_from_its_file_and_refuses_others(tmp_path) -> None:
    examples, of_first = made_up(400)
    calibration = fitted(examples, "false-alarms<=5%", later=made_up_later(examples, of_first)[0])
    path = calibration.save(tmp_path)
    again = load_calibration(tmp_path)
    assert again == calibration
    assert again is not None
    assert (p_of(again, examples) == p_of(calibration, examples)).all()
    assert (again.named, again.pictures, again.queries) == (SOURCE.named, SOURCE.pictures, 50)
    assert load_calibration(tmp_path / "elsewhere") is None
    require_calibrated(again, SOURCE.run_id, "cosine")
    with pytest.raises(ClipsenetError, match="these embeddings are of run other"):
        require_calibrated(again, "other", "cosine")
    with pytest.raises(ClipsenetError, match="calibrate this one: clipsenet calibrate --similarity 'whitening"):
        require_calibrated(again, SOURCE.run_id, "whitening + cosine")
    text = path.read_text()
    values = json.loads(text)
    assert values["format"] == 2
    path.write_text(json.dumps(values | {"format": 3}))
    with pytest.raises(ClipsenetError, match="has format 3, this version reads 2: update clipsenet"):
        load_calibration(tmp_path)
    path.write_text(json.dumps(values | {"format": 1}))
    with pytest.raises(ClipsenetError, match=r"has format 1, which was never released; .* make it again"):
        load_calibration(tmp_path)
    path.write_text(text[:100])
    with pytest.raises(ClipsenetError, match="not a whole calibration"):
        load_calibration(tmp_path)
    path.write_text(text.replace('"goal"', '"gaol"'))
    with pytest.raises(ClipsenetError, match="make it again"):
        load_calibration(tmp_path)
