"""Asked: a benchmark's part with all that its searches need, and what they gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from clipsenet.calibrating.disjoint import DIGITS, name_digests
from clipsenet.calibrating.examples import Lessons, join_lessons
from clipsenet.calibrating.fitting import Source
from clipsenet.calibrating.searches import largest_size, search_drawn
from clipsenet.chain import Chain
from clipsenet.contents import contents_of
from clipsenet.errors import ClipsenetError
from clipsenet.features import Features, extract
from clipsenet.protocol import JunkRule, fingerprint
from clipsenet.quality import measure_qualities
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run
from clipsenet.sightings import Sightings, Trial

MOST_QUERIES = 2000
"""Pictures that ask, of each trial; where there are more they are drawn."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Pictures, their embeddings, and which of them ask which.

    Attributes:
        name: of the part.
        features: of its pictures.
        quality: of each picture that asks, NaN for the others.
        digests: of the content of each picture that asks, empty for the others.
        trials: the questions.
        junk: the rule.
    """

    name: str
    features: Features
    quality: Float[np.ndarray, " n"]
    digests: Shaped[np.ndarray, " n"]
    trials: tuple[Trial, ...]
    junk: JunkRule

    @property
    def largest(self) -> int:
        """The largest gallery that every query of every trial can be asked of."""
        return min(largest_size(self.features[trial.query], self.features[trial.gallery], self.junk) for trial in self.trials)

    def of(self, vehicles: Bool[np.ndarray, " n"]) -> "Asked":
        """The same questions among some rows only.

        Raises:
            ClipsenetError: nobody is left to ask or to be found.
        """
        trials = []
        for trial in self.trials:
            query, gallery = trial.query[vehicles[trial.query]], trial.gallery[vehicles[trial.gallery]]
            if not len(query) or not len(gallery):
                raise ClipsenetError(
                    f"{self.name}: too few vehicles for so many folds; {len(query)} queries and {len(gallery)} gallery "
                    "pictures are left in one of them: take fewer --folds"
                )
            trials.append(Trial(query, gallery, trial.name))
        return Asked(self.name, self.features, self.quality, self.digests, tuple(trials), self.junk)

    def search(self, chain: Chain, sizes: Sequence[int], seed: int, watch: Watch = SILENT, aside: str = "") -> Lessons:
        """All searches of galleries of these sizes; ``aside`` tells a reader which of several times this is.

        Raises:
            ClipsenetError: as ``search_drawn``.
        """
        parts = []
        for number, trial in enumerate(self.trials):
            query, gallery = self.features[trial.query], self.features[trial.gallery]
            which = f" {trial.name}" if len(self.trials) > 1 else ""
            tick = watch.stage(f"searching drawn galleries, {self.name}{which}{aside}")
            asked = search_drawn(
                query, gallery, self.quality[trial.query], self.junk, chain, sizes, seed=seed + 1000 * number, tick=tick
            )
            parts.append(asked)
        return join_lessons(parts)

    def source(self, chain: Chain, rows: Bool[np.ndarray, " n"] | None = None) -> Source:
        """Where its examples come from; of some rows only."""
        taken = np.ones(len(self.features), dtype=bool) if rows is None else rows
        sightings = self.features.sightings[taken]
        asking = np.unique(np.concatenate([trial.query for trial in self.trials]))
        return Source(
            run_id=self.features.run_id,
            similarity=str(chain.alone()),
            data=self.name,
            fingerprint=fingerprint(sightings),
            pictures=tuple(sorted({*self.digests[taken].tolist()} - {""})),
            named=name_digests(sightings),
            tracks=bool(sightings.track.known.any()),
            queries=int(taken[asking].sum()),
        )


def prepare(
    name: str,
    run: Run,
    sightings: Sightings,
    trials: tuple[Trial, ...],
    junk: JunkRule,
    *,
    features: Path | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
) -> Asked:
    """Embed a part's pictures, without labels told (as a gallery does), and measure those that ask.

    Args:
        name: of the part.
        run: the network.
        sightings: the pictures.
        trials: which ask which; of more than ``MOST_QUERIES`` some are drawn.
        junk: the rule.
        features: a features folder: read where it is there, written where it is not.
        seed: of that draw.
        device: where the network computes.
        watch: told how far it is.

    Raises:
        ClipsenetError: no question, a broken picture, features of another run.
    """
    if not trials:
        raise ClipsenetError(f"{name}: no pictures that ask or are asked; hold vehicles out, or name another part")
    if features is not None and features.is_dir() and any(features.iterdir()):
        embedded = Features.load(features).of(sightings, run.id, False, str(features))
        watch.say(f"features read from {features}, not extracted anew")
    else:
        embedded = extract(
            run.model,
            sightings,
            run.test_transform,
            run.id,
            dim=run.dim,
            batch=run.recipe.evaluation.batch,
            workers=run.recipe.training.workers,
            device=device,
            progress=watch.stage(f"extracting, {name}"),
        )
        if features is not None:
            embedded.save(features)
    rng = np.random.default_rng(seed)
    fewer = tuple(
        Trial(np.sort(rng.choice(one.query, MOST_QUERIES, replace=False)), one.gallery, one.name)
        if len(one.query) > MOST_QUERIES
        else one
        for one in trials
    )
    asking = np.unique(np.concatenate([one.query for one in fewer]))
    quality = np.full(len(sightings), np.nan, dtype=np.float32)
    quality[asking], _ = measure_qualities(sightings[asking])
    digests = np.full(len(sightings), "", dtype=f"<U{DIGITS}")
    digests[asking] = [content[:DIGITS] for content in contents_of(sightings[asking])]
    return Asked(name, embedded, quality, digests, fewer, junk)
