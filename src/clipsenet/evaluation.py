"""evaluate(): a run on a benchmark becomes a Scorecard with its protocol card."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import nn

from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Progress, extract
from clipsenet.histogram import extract_histograms
from clipsenet.intervals import bootstrap, difference_intervals, intervals
from clipsenet.protocol import JUNK, Benchmark
from clipsenet.recipe import EvaluationSettings
from clipsenet.removal import remove_branch
from clipsenet.runs import Run, short_name, trained_on
from clipsenet.scorecard import Card, Line, Scorecard, Section
from clipsenet.sightings import UNKNOWN
from clipsenet.trials import Evaluation, TrialResult, require_matches, search

REFERENCES = {"histogram": ("colour histogram", extract_histograms)}
"""A reference's name to its title and its extractor: ``(sightings) -> Features``, without any training."""

SEED = 0
"""Of the bootstrap: the same features give the same interval."""


def evaluate(
    run: Run,
    benchmark: Benchmark,
    settings: EvaluationSettings | None = None,
    *,
    workers: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Scorecard:
    """Extract a benchmark's test pictures, search every trial by cosine, and score.

    Args:
        run: the model.
        benchmark: its pictures, trials and protocol.
        settings: what is printed beside the scores; none: as the run's recipe says.
        workers: processes that open pictures.
        device: where the model computes.
        progress: told after each batch.

    Raises:
        ClipsenetError: nothing to test, no query with a match, a broken picture, a slice that holds no query.
    """
    wanted = settings or run.recipe.evaluation
    masks = {text: _slice_mask(benchmark, text) for text in wanted.slices}
    require_matches(benchmark.test, benchmark.trials, benchmark.protocol.junk)  # before minutes of extraction
    places = run.model.place_rows(benchmark.test)
    if not wanted.labels:
        places = np.full_like(places, UNKNOWN)
    model: nn.Module = run.model
    notes: list[str] = []
    if wanted.without is not None:
        model, spread = remove_branch(
            run.model,
            wanted.without,
            benchmark.test,
            run.test_transform,
            places,
            batch=wanted.batch,
            workers=workers,
            device=device,
            progress=progress,
        )
        widths = ", ".join(f"{name} {value:.2f}" for name, value in spread.items())
        notes.append(f"spread of each branch's part of T over the tested pictures: {widths}")
    features = extract(
        model,
        benchmark.test,
        run.test_transform,
        run.id,
        dim=run.dim,
        places=places,
        batch=wanted.batch,
        workers=workers,
        device=device,
        progress=progress,
    )
    junk = benchmark.protocol.junk
    method = run.recipe.name if wanted.without is None else f"{run.recipe.name} without {wanted.without}"
    methods = [(method, search(features, benchmark.trials, junk, wanted.map_at))]
    if wanted.reference != "none":
        title, extractor = REFERENCES[wanted.reference]
        methods.append((title, search(extractor(benchmark.test), benchmark.trials, junk, wanted.map_at)))
    sections = [_section("all", methods, None, wanted.intervals)]
    for text, mask in masks.items():
        for title, rows in ((text, mask), (f"not {text}", ~mask)):
            if any(_count(result, rows) for result in methods[0][1].results):
                sections.append(_section(title, methods, rows, wanted.intervals))
    return Scorecard(_card(run, benchmark, methods[0][1], _labels_used(run, places), wanted.without, notes), tuple(sections))


def _section(title: str, methods: list[tuple[str, Evaluation]], mask: Bool[np.ndarray, " n"] | None, draws: int) -> Section:
    evaluations = [evaluation for _, evaluation in methods]
    sampled = bootstrap(evaluations, draws, SEED, mask) if draws else []
    lines = []
    for number, (name, evaluation) in enumerate(methods):
        bounds = intervals(sampled[number]) if draws else {}
        lines.append(Line(name, evaluation.scores(mask), _deviation(evaluation.trial_scores(mask)), bounds))
    if len(lines) == 2:
        ours, theirs = lines
        gain = {score: ours.scores[score] - theirs.scores[score] for score in ours.scores}
        lines.append(Line("difference", gain, {}, difference_intervals(*sampled) if draws else {}))
    queries = sum(_count(result, mask) for result in evaluations[0].results)
    return Section(title, queries, tuple(lines))


def _deviation(of_trials: list[dict[str, float]]) -> dict[str, float]:
    """The standard deviation over the trials that have a query, divided by n - 1; none for a single one."""
    result = {}
    for score in of_trials[0]:
        values = np.array([one[score] for one in of_trials])
        values = values[~np.isnan(values)]
        if len(values) > 1:
            result[score] = float(np.std(values, ddof=1))
    return result


def _count(result: TrialResult, mask: Bool[np.ndarray, " n"] | None) -> int:
    """The queries that a mean counts: they have a match, and their row is in the slice."""
    counted = ~np.isnan(result.per_query["mAP"])
    return int((counted if mask is None else counted & mask[result.trial.query]).sum())


def _slice_mask(benchmark: Benchmark, text: str) -> Bool[np.ndarray, " n"]:
    column, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"slice '{text}': wanted column=value, for instance type=van")
    texts = benchmark.test.column(column)
    mask: Bool[np.ndarray, " n"] = texts == value
    if not any(mask[trial.query].any() for trial in benchmark.trials):
        found = sorted({str(one) for one in texts})
        raise ClipsenetError(
            f"slice '{text}': no query has it; column {column} holds {', '.join(found[:12])}. Name another with "
            "--slice, or drop those of the recipe with --set evaluation.slices=[]"
        )
    return mask


def _labels_used(run: Run, places: Int[np.ndarray, " n"]) -> str:
    """What the network was told about the tested pictures, beside their pixels."""
    settings = run.recipe.model.places
    if settings is None:
        return "none"
    what = " and ".join(settings.labels.split("-"))
    known = int((places != UNKNOWN).sum())
    if not known:
        return f"none (trained with rows of {what}, which were not told)"
    return f"true {what} (by the names of the training set), of {known} of {len(places)} pictures"


def _card(
    run: Run, benchmark: Benchmark, evaluation: Evaluation, labels: str, without: str | None, notes: Sequence[str]
) -> Card:
    height, width = run.recipe.images.size
    model = run.recipe.model
    return Card(
        benchmark=benchmark.name,
        fingerprint=benchmark.fingerprint,
        copy=benchmark.copy,
        queries=sum(len(trial.query) for trial in benchmark.trials),
        gallery=tuple(len(trial.gallery) for trial in benchmark.trials),
        without_match=sum(result.without_match for result in evaluation.results),
        junk=JUNK[benchmark.protocol.junk],
        average_precision=benchmark.protocol.ap,
        trials=tuple(trial.name for trial in benchmark.trials),
        similarity="cosine, plain (not re-ranked)",
        labels_at_test=labels,
        checkpoint=f"{run.checkpoint}, epoch {run.epoch}",
        image_size=f"{height} x {width}, squashed, {run.recipe.images.interpolation}",
        embedding=(f"{model.embedding} the BNNeck, " if model.neck else "")
        + f"{run.dim}-d, unit length"
        + (f", WITHOUT {without}: its part of T replaced by its mean over the tested pictures" if without else ""),
        run_id=run.id,
        notes=(*benchmark.notes, *notes, *_trained_on(run, benchmark)),
    )


def _trained_on(run: Run, benchmark: Benchmark) -> Sequence[str]:
    """Whether tested pictures were trained on, as far as the run folder can tell."""
    trained = trained_on(run.folder)
    if trained is None:
        return (f"whether the tested vehicles were trained on is not known: {run.folder} does not list what it learned",)
    vehicles = benchmark.test.vehicle.texts().tolist()
    same = [one for one in zip(vehicles, map(short_name, benchmark.test.files()), strict=True) if one in trained]
    if same:
        found = len({vehicle for vehicle, _ in same})
        return (f"TRAINED ON {len(same)} of the {len(vehicles)} tested pictures, {found} vehicles: this is no test",)
    names = (set(vehicles) - {""}) & {vehicle for vehicle, _ in trained}
    if names:
        return (f"{len(names)} tested vehicles bear the name of a TRAINED one: if they are the same, this is no test",)
    return ()
