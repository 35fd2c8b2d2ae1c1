"""evaluate(): a run on a benchmark becomes a Scorecard with its protocol card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import nn

from clipsenet.auditing import audit
from clipsenet.chain import PLAIN, Chain
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features, extract
from clipsenet.files import short_name
from clipsenet.fusion import fuse
from clipsenet.histogram import extract_histograms
from clipsenet.intervals import bootstrap, difference_intervals, intervals
from clipsenet.memory import require_memory
from clipsenet.protocol import JUNK, Benchmark, JunkRule
from clipsenet.queries import query_table
from clipsenet.recipe import EvaluationSettings
from clipsenet.removal import remove_branch
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run, trained_on
from clipsenet.scorecard import Card, Line, Scorecard, Section
from clipsenet.sightings import UNKNOWN, Sightings
from clipsenet.trials import Evaluation, TrialResult, require_matches, search

REFERENCES = {"histogram": ("colour histogram", extract_histograms)}
"""A reference's name to its title and its extractor: ``(sightings) -> Features``, without any training."""

SEED = 0
"""Of the bootstrap: the same features give the same interval."""


@dataclass(frozen=True, eq=False)
class Method:
    """One line of a scorecard before it is averaged.

    Attributes:
        name: the run, or the reference.
        chain: by what similarity.
        junk: by what rule.
        found: all trials, searched.
    """

    name: str
    chain: Chain
    junk: JunkRule
    found: Evaluation


def evaluate(
    run: Run,
    benchmark: Benchmark,
    settings: EvaluationSettings | None = None,
    *,
    fused: Sequence[tuple[Run, float]] = (),
    features: Path | None = None,
    workers: int = 0,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> Scorecard:
    """Extract a benchmark's test pictures, search every trial by each similarity, and score.

    The plain cosine is always scored first, whatever else is asked for.

    Args:
        run: the model.
        benchmark: its pictures, trials and protocol.
        settings: similarities, slices and what else is printed beside; none: as the run's recipe says.
        fused: further runs with their weights; the first run has what is left of 1.
        features: a features folder of the run: read where it is there, written where it is not, so that several tests of
            the same pictures cost one extraction.
        workers: processes that open pictures.
        device: where the models compute.
        watch: told what begins, what memory it takes, and how far it is.

    Raises:
        ClipsenetError: nothing to test, no query with a match, a broken picture, a slice that holds no query, a similarity
            that does not fit into memory, features of another run or without some of the pictures.
        UsageError: a similarity or weight that cannot be read.
    """
    wanted = settings or run.recipe.evaluation
    own = benchmark.protocol
    weights = [weight for _, weight in fused]
    if any(weight <= 0 for weight in weights) or sum(weights) >= 1:
        shown = ", ".join(f"{weight:g}" for weight in weights)
        raise UsageError(f"weights of fused runs {shown}: wanted numbers above 0 that leave something of 1 for the first run")
    if fused and wanted.without is not None:
        raise UsageError("runs are fused whole: leave out either fused runs or evaluation.without")
    masks = {text: _slice_mask(benchmark, text) for text in wanted.slices}
    asked = own.similarities if wanted.similarities is None else wanted.similarities
    chains = list({str(chain): chain for chain in (PLAIN, *map(Chain.parse, asked))}.values())
    rules: list[JunkRule] = list(dict.fromkeys((own.junk, *own.beside)))
    if (wanted.same_camera_kept or wanted.audit) and "same-file" not in rules:
        rules.append("same-file")
    require_matches(benchmark.test, benchmark.trials, own.junk)  # before minutes of extraction
    for chain in chains:
        _require_memory(chain, benchmark, run.dim + sum(other.dim for other, _ in fused), bool(fused), watch)
    places = [places_told(one, benchmark.test, wanted) for one in (run, *(other for other, _ in fused))]
    labels = [_labels_used(one, told) for one, told in zip((run, *(other for other, _ in fused)), places, strict=True)]
    embedded, notes = embed_test(run, benchmark, wanted, places[0], features, workers, device, watch)
    if fused:
        others = [
            embed_test(other, benchmark, wanted, told, None, workers, device, watch)[0]
            for (other, _), told in zip(fused, places[1:], strict=True)
        ]
        embedded = fuse([embedded, *others], [1 - sum(weights), *weights])
        notes += _fused_notes(fused, labels[1:], benchmark)
    reference = None
    if wanted.reference != "none":  # its pictures are opened before hours of searching, which a broken one would lose
        title, extractor = REFERENCES[wanted.reference]
        histograms = extractor(benchmark.test, progress=watch.stage(title))
        searched = search(histograms, benchmark.trials, own, PLAIN, map_at=wanted.map_at, watch=watch)
        reference = Method(title, PLAIN, own.junk, searched[own.junk])
    name = run.recipe.name if wanted.without is None else f"{run.recipe.name} without {wanted.without}"
    if fused:
        name = " + ".join([f"{1 - sum(weights):g} {name}", *(f"{weight:g} {other.recipe.name}" for other, weight in fused)])
    methods: list[Method] = []
    for chain in chains:
        found = search(embedded, benchmark.trials, own, chain, rules, wanted.map_at, watch)
        methods += [Method(name, chain, rule, found[rule]) for rule in rules]
    sections = [_section("all", methods, reference, None, wanted.intervals)]
    for text, mask in masks.items():
        for title, rows in ((text, mask), (f"not {text}", ~mask)):
            if any(_count(result, rows) for result in methods[0].found.results):
                sections.append(_section(title, methods, reference, rows, wanted.intervals))
    told_at_test = "; another run: ".join(dict.fromkeys(labels))
    card = _card(run, benchmark, methods, told_at_test, wanted.without, embedded, notes)
    audited = audit(embedded, methods[0].found, own, watch=watch) if wanted.audit else None
    rows_of = [(one.name, str(one.chain), one.junk, one.found) for one in (*methods, *([reference] if reference else []))]
    return Scorecard(card, tuple(sections), audited, query_table(rows_of))


def places_told(run: Run, pictures: Sightings, settings: EvaluationSettings) -> Int[np.ndarray, " n"]:
    """``(n,)`` the rows of camera and view that a run is told of pictures; -1 for none."""
    places = run.model.place_rows(pictures)
    return places if settings.labels else np.full_like(places, UNKNOWN)


def _require_memory(chain: Chain, benchmark: Benchmark, dim: int, fused: bool, watch: Watch) -> None:
    """Say what the features and a chain will take, and refuse what cannot fit; of the trials the largest counts.

    The features stand in memory, a copy of a side whose rows are scattered beside them, and while runs are fused all parts.
    """
    features = len(benchmark.test) * dim * 4 * (3 if fused else 2)
    sizes = {(len(trial.query), len(trial.gallery)) for trial in benchmark.trials}
    bytes_of = {size: chain.memory(*size, dim) for size in sizes}
    queries, gallery = max(bytes_of, key=lambda size: bytes_of[size])
    line = require_memory(
        features + bytes_of[queries, gallery],
        f"features and {chain} for {queries} queries among {gallery} pictures",
        "take smaller k1 and k2, k-reciprocal with queries=alone and a limit, or a machine with more memory",
    )
    if not chain.plain:
        watch.say(line)


def embed_test(
    run: Run,
    benchmark: Benchmark,
    settings: EvaluationSettings,
    places: Int[np.ndarray, " n"],
    folder: Path | None,
    workers: int,
    device: torch.device | str,
    watch: Watch,
) -> tuple[Features, list[str]]:
    """The embeddings of a benchmark's test pictures, and what a reader must know of them.

    Args:
        run: the network.
        benchmark: its pictures.
        settings: the batch, and a branch that is left out.
        places: rows of camera and view that are told, as ``places_told`` gives them.
        folder: a features folder: read where it is there, written where it is not; none: neither.
        workers: processes that open pictures.
        device: where the network computes.
        watch: told how far it is.

    Raises:
        ClipsenetError: a broken picture, features of another run or without some of the pictures.
        UsageError: a features folder for a network without a branch.
    """
    model: nn.Module = run.model
    notes: list[str] = []
    told = bool((places != UNKNOWN).any())
    if folder is not None and settings.without is not None:
        raise UsageError("a features folder holds the whole network's embeddings: leave out either it or evaluation.without")
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        notes.append(f"features read from {folder.name}, not extracted anew: a picture that was changed since is not seen")
        return Features.load(folder).of(benchmark.test, run.id, told, str(folder)), notes
    if settings.without is not None:
        model, spread = remove_branch(
            run.model,
            settings.without,
            benchmark.test,
            run.test_transform,
            places,
            batch=settings.batch,
            workers=workers,
            device=device,
            progress=watch.stage("extracting each branch's part"),
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
        batch=settings.batch,
        workers=workers,
        device=device,
        progress=watch.stage("extracting"),
    )
    if folder is not None:
        features.save(folder)
        watch.say(f"features kept in {folder}")
    return features, notes


def _section(
    title: str, methods: Sequence[Method], reference: Method | None, mask: Bool[np.ndarray, " n"] | None, draws: int
) -> Section:
    every = [*methods, *([] if reference is None else [reference])]
    sampled = bootstrap([one.found for one in every], draws, SEED, mask) if draws else []
    lines = []
    for number, one in enumerate(every):
        bounds = intervals(sampled[number]) if draws else {}
        deviation = _deviation(one.found.trial_scores(mask))
        queries = sum(_count(result, mask) for result in one.found.results)
        how = (str(one.chain), one.chain.label(), one.junk, not one.chain.plain, queries)
        lines.append(Line(one.name, *how, one.found.scores(mask), deviation, bounds))
    if reference is not None:  # both plain, by the same rule
        ours, theirs = lines[0], lines[-1]
        gain = {score: ours.scores[score] - theirs.scores[score] for score in ours.scores}
        bounds = difference_intervals(sampled[0], sampled[-1]) if draws else {}
        lines.append(Line("difference", ours.similarity, ours.label, ours.junk, False, ours.queries, gain, {}, bounds))
    queries = sum(_count(result, mask) for result in methods[0].found.results)
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


def has_queries(benchmark: Benchmark, text: str) -> bool:
    """Whether some query is in a slice, such as ``type=van``."""
    column, _, value = text.partition("=")
    if column not in ("vehicle", "camera", "view", "track", *benchmark.test.extra):
        return False
    mask = benchmark.test.column(column) == value
    return any(bool(mask[trial.query].any()) for trial in benchmark.trials)


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
    run: Run,
    benchmark: Benchmark,
    methods: Sequence[Method],
    labels: str,
    without: str | None,
    embedded: Features,
    notes: Sequence[str],
) -> Card:
    height, width = run.recipe.images.size
    model = run.recipe.model
    return Card(
        benchmark=benchmark.name,
        fingerprint=benchmark.fingerprint,
        copy=benchmark.copy,
        queries=sum(len(trial.query) for trial in benchmark.trials),
        gallery=tuple(len(trial.gallery) for trial in benchmark.trials),
        without_match=sum(result.without_match for result in methods[0].found.results),
        junk=JUNK[benchmark.protocol.junk],
        average_precision=benchmark.protocol.ap,
        trials=tuple(trial.name for trial in benchmark.trials),
        similarity=tuple(dict.fromkeys(one.chain.describe() for one in methods)),
        labels_at_test=labels,
        checkpoint=f"{run.checkpoint}, epoch {run.epoch}",
        image_size=f"{height} x {width}, squashed, {run.recipe.images.interpolation}",
        embedding=(f"{model.embedding} the BNNeck, " if model.neck else "")
        + f"{embedded.dim}-d, unit length"
        + (f", WITHOUT {without}: its part of T replaced by its mean over the tested pictures" if without else ""),
        run_id=embedded.run_id,
        notes=(*benchmark.notes, *_unknown_cameras(benchmark), *notes, *_trained_on(run, benchmark)),
    )


def _unknown_cameras(benchmark: Benchmark) -> list[str]:
    """Pictures of which the junk rule leaves out nothing but themselves, where it is a rule of cameras."""
    unknown = int((~benchmark.test.camera.known).sum())
    if benchmark.protocol.junk == "same-file" or not unknown:
        return []
    return [f"NO CAMERA is known for {unknown} of {len(benchmark.test)} test pictures: of those only the same file is junk"]


def _fused_notes(fused: Sequence[tuple[Run, float]], labels: Sequence[str], benchmark: Benchmark) -> list[str]:
    """What the card says of each further run."""
    notes = []
    for (run, weight), told in zip(fused, labels, strict=True):
        height, width = run.recipe.images.size
        notes.append(
            f"FUSED, the weighted sum of cosines: {weight:g} of {run.recipe.name}, id {run.id[:16]}, {run.checkpoint}, epoch "
            f"{run.epoch}, {height} x {width}, {run.dim}-d; labels at test: {told}"
        )
        notes += _trained_on(run, benchmark)
    return notes


def _trained_on(run: Run, benchmark: Benchmark) -> Sequence[str]:
    """Whether tested pictures were trained on, as far as the run folder can tell."""
    trained = trained_on(run.folder)
    if trained is None:
        return (f"whether the tested vehicles were trained on is not known: {run.folder.name} does not list what it learned",)
    vehicles = benchmark.test.vehicle.texts().tolist()
    same = [one for one in zip(vehicles, map(short_name, benchmark.test.files()), strict=True) if one in trained]
    if same:
        found = len({vehicle for vehicle, _ in same})
        return (f"TRAINED ON {len(same)} of the {len(vehicles)} tested pictures, {found} vehicles: this is no test",)
    names = (set(vehicles) - {""}) & {vehicle for vehicle, _ in trained}
    if names:
        return (f"{len(names)} tested vehicles bear the name of a TRAINED one: if they are the same, this is no test",)
    return ()
