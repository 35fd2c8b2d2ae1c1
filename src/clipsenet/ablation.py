"""A study of many runs: each cell (a row with a seed) is a normal run folder, trained and scored once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsenet.claims import claimed, holder
from clipsenet.continuing import train_or_go_on
from clipsenet.devices import find_device
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.evaluation import evaluate
from clipsenet.files import write_text
from clipsenet.models import without_weights
from clipsenet.models.clip_senet import ClipSenetSettings
from clipsenet.protocol import Benchmark
from clipsenet.recipe import EvaluationSettings, Recipe
from clipsenet.reporting import SILENT, Reporter, Watch
from clipsenet.resuming import differences
from clipsenet.runs import Run
from clipsenet.scorecard import CARD, Scorecard
from clipsenet.settings import override
from clipsenet.studies import Row, Study

FACTS = "study.json"


@dataclass(frozen=True)
class Cell:
    """One training of a study.

    Attributes:
        row: what it changes.
        seed: of the recipe.
        recipe: with both.
        folder: its run folder.
        checkpoints: which of its weights are scored.
    """

    row: Row
    seed: int
    recipe: Recipe
    folder: Path
    checkpoints: tuple[str, ...]

    def scorecard(self, checkpoint: str) -> Path:
        """Where its scores are kept."""
        return self.folder / "scorecards" / f"ablation-{checkpoint}"

    @property
    def done(self) -> bool:
        """Whether all its scores are there."""
        return all((self.scorecard(one) / CARD).is_file() for one in self.checkpoints)


@dataclass(frozen=True)
class Ablation:
    """A study on a base recipe.

    Attributes:
        study: which rows there are.
        base: what they change; CLIP-SENet with both branches and AFEM.
        rows: those that are wanted.
        seeds: each row is trained once with each.
        folder: where the runs are kept.
    """

    study: Study
    base: Recipe
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    folder: Path

    def cells(self) -> list[Cell]:
        """All of them; every row with the first seed comes before any with the second."""
        return [self._cell(row, seed) for seed in self.seeds for row in self.rows]

    def _cell(self, row: Row, seed: int) -> Cell:
        epochs = [epoch for epoch in self.study.epochs if epoch <= self.base.schedule.epochs]
        values = override(self.base.to_values(), [*_applicable(row, self.base), f"seed={seed}", f"name={row.name}"])
        values["training"]["keep_epochs"] = epochs
        for branch in ("appearance", "semantics"):  # one that the row takes away learns at no rate
            if values["model"].get(branch) is None:
                values["optimiser"]["branches"].pop(branch, None)
        recipe = Recipe.from_values(values, f"{self.base.name} as '{row.title}'")
        checkpoints = tuple(f"epoch-{epoch}" for epoch in epochs) or ("last",)
        return Cell(row, seed, recipe, self.folder / row.name / f"seed-{seed}", checkpoints)


def make_ablation(study: Study, base: Recipe, rows: tuple[str, ...], seeds: int, folder: Path) -> Ablation:
    """A study of the named rows (none: all) with ``seeds`` seeds, from the base's own on.

    Raises:
        UsageError: a row that the study does not have; a base that is no whole CLIP-SENet.
    """
    model = base.model
    if not isinstance(model, ClipSenetSettings) or None in (model.appearance, model.semantics, model.afem):
        raise UsageError(
            f"{base.name} is no whole CLIP-SENet: a study takes away from appearance, semantics and afem; give one"
        )
    known = {row.name: row for row in study.rows}
    for name in rows:
        if name not in known:
            raise UsageError(f"study {study.name} has no row '{name}': choose from {', '.join(known)}")
    wanted = tuple(known[name] for name in rows) or study.rows
    return Ablation(study, base, wanted, tuple(range(base.seed, base.seed + seeds)), folder)


def run_cells(
    ablation: Ablation,
    benchmark: Benchmark,
    device: str,
    reporter: Callable[[Cell], Reporter],
    *,
    watch: Watch = SILENT,
    finished: Callable[[Cell], None] = lambda cell: None,
) -> list[str]:
    """Train and score every cell that nobody else is at.

    Args:
        ablation: the study.
        benchmark: what is trained and tested on.
        device: where.
        reporter: who watches a cell's training.
        watch: who watches its scoring.
        finished: told after each cell.

    Returns:
        The cells that others are at, with their holders; nothing waits for them.

    Raises:
        ClipsenetError: the folder holds a study of another recipe or benchmark; or as ``train`` and ``evaluate``.
    """
    _begin_study(ablation, benchmark)
    busy = []
    for cell in ablation.cells():
        claim = cell.folder.with_name(f"{cell.folder.name}.claim")
        if cell.done:
            continue
        with claimed(claim) as got:
            if not got:
                busy.append(f"{cell.row.name} seed {cell.seed} ({holder(claim)})")
            elif not cell.done:  # else somebody finished it meanwhile
                train_or_go_on(cell.recipe, benchmark, cell.folder, device, lambda cell=cell: reporter(cell))  # type: ignore[misc]
                for checkpoint in cell.checkpoints:
                    _score(cell, checkpoint, benchmark, device, watch)
        if got:
            finished(cell)
    return busy


def scored(ablation: Ablation) -> Iterator[tuple[Cell, str, Scorecard]]:
    """Every score that is there: cell, checkpoint, scorecard."""
    for cell in ablation.cells():
        for checkpoint in cell.checkpoints:
            if (cell.scorecard(checkpoint) / CARD).is_file():
                yield cell, checkpoint, Scorecard.load(cell.scorecard(checkpoint))


def _score(cell: Cell, checkpoint: str, benchmark: Benchmark, device: str, watch: Watch) -> None:
    settings: EvaluationSettings = cell.recipe.evaluation
    alone = settings.model_copy(update={"reference": "none", "slices": (), "intervals": 0, "audit": False})
    run = Run.open(cell.folder, checkpoint)
    workers = cell.recipe.training.workers
    scorecard = evaluate(run, benchmark, alone, workers=workers, device=find_device(device), watch=watch)
    scorecard.save(cell.scorecard(checkpoint))


def _applicable(row: Row, base: Recipe) -> list[str]:
    """A row's assignments; published weights only where the base begins with some."""
    model = base.model.as_clip_senet()
    random = model.appearance is None or model.appearance.weights is None
    return [one for one in row.assignments if not (random and one.startswith("model.appearance.weights="))]


def require_same_study(ablation: Ablation, benchmark: Benchmark | None = None) -> None:
    """Refuse a folder that holds another study; one in which none was begun will do.

    Args:
        ablation: the study that is asked for.
        benchmark: what it is trained and tested on; none: that is not looked at.

    Raises:
        ClipsenetError: another study, recipe or benchmark.
    """
    path = ablation.folder / FACTS
    if not path.is_file():
        return
    base, facts = _unseeded(ablation.base), _facts(ablation, benchmark)
    kept = json.loads(path.read_text(encoding="utf-8"))
    other = [name for name, value in facts.items() if kept.get(name) != value]
    begun = Recipe.from_values(kept["recipe"], str(path))
    other += [f"recipe.{name}" for name in differences(begun, base)]
    other += ["recipe.evaluation"] if begun.evaluation != base.evaluation else []
    if other:
        raise ClipsenetError(
            f"{ablation.folder} holds a study with another {', '.join(other)}; give another folder with --to, or the same words"
        )


def _begin_study(ablation: Ablation, benchmark: Benchmark) -> None:
    """One folder holds one study: whoever begins it writes down of what."""
    path = ablation.folder / FACTS
    if not path.is_file():
        facts = {**_facts(ablation, benchmark), "recipe": _unseeded(ablation.base).to_values()}
        write_text(path, json.dumps(facts, indent=2) + "\n")
    require_same_study(ablation, benchmark)


def _facts(ablation: Ablation, benchmark: Benchmark | None) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"study": ablation.study.name}
    if benchmark is not None:
        facts |= {
            "benchmark": benchmark.name,
            "fingerprint": benchmark.fingerprint,
            "training_pictures": len(benchmark.train),
        }
    return facts


def _unseeded(base: Recipe) -> Recipe:
    """The base without what a study may differ in from one call to the next."""
    return base.model_copy(update={"model": without_weights(base.model), "seed": 0})
