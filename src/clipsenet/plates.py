"""The number-plate audit: how much of an embedding lies on the plate, and what is found when the plate is covered."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from clipsenet.attribution import activation_maps, enlarged
from clipsenet.chain import PLAIN
from clipsenet.covering import NOWHERE, Cover, elsewhere, plate_boxes
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.features import Features, extract
from clipsenet.images import open_sighting
from clipsenet.intervals import Asked, bootstrap, bootstrap_queries, difference_intervals, intervals
from clipsenet.protocol import Benchmark
from clipsenet.reporting import SILENT, Watch
from clipsenet.runs import Run
from clipsenet.sightings import Sightings
from clipsenet.trials import Evaluation, search

DRAWS, SEED = 1000, 0
SHOWN = 200
"""Pictures whose activation maps are made: each costs a forward and a backward pass."""

Values = dict[str, Any]


def audit_plates(
    run: Run,
    benchmark: Benchmark,
    features: Features,
    places: Int[np.ndarray, " n"],
    device: torch.device | str = "cpu",
    watch: Watch = SILENT,
    seed: int = 0,
) -> Values | None:
    """Cover the plates, and as much elsewhere on the same pictures, and score again; and the share of maps on the plate.

    Queries and gallery are covered, wherever the column ``plate`` tells the place. Elsewhere is a rectangle of the same size
    by chance, in the picture's middle and not on the plate: what covering costs that has nothing to do with plates.

    Args:
        run: the network.
        benchmark: its test pictures and trials.
        features: of the test pictures as they are.
        places: rows of camera and view that the network was told.
        device: where the network computes.
        watch: told how far it is.
        seed: of the rectangles elsewhere, and of the pictures whose maps are made.

    Returns:
        None where no plate is known; else

        * ``pictures`` with a known plate, of ``of``; ``covered`` of them, ``without_room`` the others; ``area``: the plates'
          mean share of their pictures;
        * ``shares``: branch to the mean share of the map's positive part that lies on the plate, with its ``interval``, over
          ``maps`` pictures; empty where the trunk has no map, with the reason in ``no_maps``;
        * ``scores``: for ``as it is``, ``plates covered`` and ``as much covered elsewhere`` mAP and R1 of all queries, plain;
        * ``cost``: by how much covering the plate lowers each score more than covering elsewhere, with its ``interval`` over
          vehicles; empty where nothing was covered.

    Raises:
        ClipsenetError: a plate that cannot be read or leaves its picture; a picture that cannot be opened.
    """
    test = benchmark.test
    boxes = plate_boxes(test)
    known = np.flatnonzero(boxes[:, 2])
    if not len(known):
        return None
    rng = np.random.default_rng(seed)
    moved, area = _moved(test, boxes, known, rng)
    covered = {}
    mean = [round(255 * one) for one in run.model.mean]
    for name, where in (("plates covered", np.where(moved[:, 2:3] > 0, boxes, NOWHERE)), ("as much covered elsewhere", moved)):
        changed = np.flatnonzero(where[:, 2])
        again = extract(
            run.model,
            test[changed],
            run.test_transform,
            run.id,
            dim=run.dim,
            places=places[changed],
            batch=run.recipe.evaluation.batch,
            workers=run.recipe.training.workers,
            device=device,
            progress=watch.stage(name),
            paint=Cover(where[changed], (mean[0], mean[1], mean[2])),
        )
        embeddings = features.embeddings.copy()
        embeddings[changed] = again.embeddings
        covered[name] = _search(benchmark, Features(test, embeddings, run.id, features.labels_told))
    as_it_is = _search(benchmark, features)
    sampled = bootstrap([covered["as much covered elsewhere"], covered["plates covered"]], DRAWS, SEED)
    lost = difference_intervals(*sampled)
    scores = {"as it is": as_it_is, **covered}
    elsewhere_scores, plate_scores = covered["as much covered elsewhere"].scores(), covered["plates covered"].scores()
    without_room = int((moved[known, 2] == 0).sum())
    chosen = rng.permutation(known)[:SHOWN]
    shares, no_maps = {}, ""
    try:
        shares = _shares(run, test, boxes, chosen, places, watch)
    except UsageError as error:  # a trunk without places
        no_maps = str(error)
    return {
        "pictures": len(known),
        "of": len(test),
        "covered": len(known) - without_room,
        "without_room": without_room,
        "area": area,
        "maps": len(chosen),
        "shares": shares,
        "no_maps": no_maps,
        "scores": {name: {score: one.scores()[score] for score in ("mAP", "R1")} for name, one in scores.items()},
        "cost": {
            score: {"difference": elsewhere_scores[score] - plate_scores[score], "interval": list(lost[score])}
            for score in ("mAP", "R1")
            if len(known) > without_room
        },
    }


def _search(benchmark: Benchmark, features: Features) -> Evaluation:
    return search(features, benchmark.trials, benchmark.protocol, PLAIN)[benchmark.protocol.junk]


def _moved(
    test: Sightings, boxes: Int[np.ndarray, "n 4"], known: Int[np.ndarray, " k"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, "n 4"], float]:
    """A place elsewhere for every plate, and the plates' mean share of their pictures."""
    moved = np.zeros_like(boxes)
    areas = []
    for row in known.tolist():
        x, y, width, height = boxes[row].tolist()
        size = open_sighting(test, row).size
        if x + width > size[0] or y + height > size[1]:
            raise ClipsenetError(
                f"{test.describe(row)}, column plate: {x} {y} {width} {height} leaves the picture of {size[0]} x {size[1]}; "
                "wanted pixels of the upright file"
            )
        moved[row] = elsewhere((x, y, width, height), size, rng)
        areas.append(width * height / (size[0] * size[1]))
    return moved, float(np.mean(areas))


def _shares(
    run: Run,
    test: Sightings,
    boxes: Int[np.ndarray, "n 4"],
    rows: Int[np.ndarray, " k"],
    places: Int[np.ndarray, " n"],
    watch: Watch,
) -> Values:
    """Branch to the mean share of the map's positive part on the plate, by the pictures' own embedding."""
    tick = watch.stage("maps of plates")
    on_plate: dict[str, list[float]] = {}
    run.model.to("cpu")
    for done, row in enumerate(rows.tolist()):
        picture = open_sighting(test, row)
        images = run.test_transform(picture)[None]
        maps = activation_maps(run.model, images, torch.from_numpy(places[[row]]))
        mask = torch.from_numpy(_mask(boxes[row], picture.size, (images.shape[2], images.shape[3])))
        for branch, found in maps.items():
            heat = enlarged(found, (images.shape[2], images.shape[3]))[0].clamp(min=0)
            on_plate.setdefault(branch, []).append(float((heat * mask).sum() / heat.sum().clamp(min=1e-12)))
        tick(done + 1, len(rows))
    shares = {}
    for branch, values in on_plate.items():
        # a picture without a vehicle is one of its own
        vehicle = np.where(test.vehicle.known[rows], test.vehicle.numbers[rows], -1 - np.arange(len(rows)))
        asked = Asked(vehicle, {"share": np.array(values)})
        bounds = intervals(bootstrap_queries([[asked]], DRAWS, SEED)[0])["share"]
        shares[branch] = {"share": float(np.mean(values)), "interval": list(bounds)}
    return shares


def _mask(box: Int[np.ndarray, " 4"], size: tuple[int, int], seen: tuple[int, int]) -> Float[np.ndarray, "height width"]:
    """How much of each pixel that the network sees lies on the plate, 0 to 1."""
    x, y, width, height = box.tolist()

    def along(start: float, stop: float, pixels: int) -> Float[np.ndarray, " p"]:
        edge = np.arange(pixels + 1, dtype=np.float64)
        covered: Float[np.ndarray, " p"] = np.clip(np.minimum(edge[1:], stop) - np.maximum(edge[:-1], start), 0, 1)
        return covered

    rows = along(y / size[1] * seen[0], (y + height) / size[1] * seen[0], seen[0])
    columns = along(x / size[0] * seen[1], (x + width) / size[0] * seen[1], seen[1])
    mask: Float[np.ndarray, "height width"] = np.outer(rows, columns).astype(np.float32)
    return mask
