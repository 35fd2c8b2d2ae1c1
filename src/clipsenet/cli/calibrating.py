"""The command that learns when to say no: calibrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsenet.cli.opening import data_settings, open_benchmark, open_run, print_json, use_threads
from clipsenet.cli.options import AsJson, CheckpointName, Data, Device, RunFolder, Set, SkipBroken, Threads
from clipsenet.errors import ClipsenetError, UsageError

if TYPE_CHECKING:
    from clipsenet.broken import Part
    from clipsenet.calibrating.asked import Asked
    from clipsenet.calibrating.calibration import Calibration
    from clipsenet.calibrating.judging import Judgement

Sizes = Annotated[str | None, typer.Option(metavar="N,N,...", help="Galleries to learn from; none: 100 to all, in steps.")]


def calibrate(
    run: RunFolder,
    data: Data,
    benchmark: Annotated[str | None, typer.Option(help="The reader; none: the recipe's.")] = None,
    goal: Annotated[
        str | None, typer.Option(help="f1+tnr (none: this one), or false-alarms<=1%: what the threshold is for.")
    ] = None,
    expect_absent: Annotated[
        float | None, typer.Option(help="The share of queries whose vehicle is not in the gallery, 0 to below 1; none: 0.5.")
    ] = None,
    similarity: Annotated[str, typer.Option(metavar="CHAIN", help="By which galleries will be searched.")] = "cosine",
    sizes: Sizes = None,
    test_sizes: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Galleries to judge on; none: the same, ten times the smallest, all.")
    ] = None,
    folds: Annotated[
        int,
        typer.Option(min=0, help="Where vehicles are few: judge the test part in so many nested folds, then learn from it."),
    ] = 0,
    judge_only: Annotated[
        bool, typer.Option("--judge-only", help="Judge the run's calibration on the data's test part.")
    ] = False,
    other_vehicles: Annotated[
        bool, typer.Option("--other-vehicles", help="Vehicles that bear a trained one's name are others.")
    ] = False,
    features: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep each part's features there; read where they are there.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw reliability.png and det.png there.")] = None,
    draws: Annotated[int, typer.Option(min=0, help="Of the bootstrap over vehicles; 0: no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawn galleries.")] = 0,
    checkpoint: CheckpointName = None,
    set_: Set = None,
    skip_broken: SkipBroken = False,
    device: Device = "auto",
    threads: Threads = None,
    json_: AsJson = False,
) -> None:
    """Learn how sure an answer is, and when to say 'not seen', from vehicles that the run was not trained on.

    Learns from the data's validation part, judges on its test part; with --folds both from the test part.
    """
    from clipsenet.calibrating.asked import prepare
    from clipsenet.calibrating.calibration import load_calibration, require_calibrated, require_share
    from clipsenet.calibrating.disjoint import require_unlearned, require_untouched
    from clipsenet.calibrating.fitting import fit
    from clipsenet.calibrating.goals import parse_goal
    from clipsenet.calibrating.judging import judge
    from clipsenet.calibrating.nested import judge_nested
    from clipsenet.calibrating.searches import sizes_up_to
    from clipsenet.chain import Chain
    from clipsenet.console import watching
    from clipsenet.devices import find_device
    from clipsenet.trials import all_against_all

    use_threads(threads)
    wanted, chain = parse_goal(goal or "f1+tnr"), Chain.parse(similarity)
    share = 0.5 if expect_absent is None else expect_absent
    require_share(share)
    learned_sizes, judged_sizes = _sizes(sizes, "--sizes"), _sizes(test_sizes, "--test-sizes")
    learning = {"--folds": folds or None, "--goal": goal, "--expect-absent": expect_absent, "--sizes": sizes}
    given = [option for option, value in learning.items() if value is not None]
    if judge_only and given:
        raise UsageError(
            f"{given[0]} with --judge-only: the calibration that is there is judged as it is; leave one of them out"
        )
    if folds and judged_sizes:
        raise UsageError("--test-sizes with --folds: each fold is judged in galleries of the sizes learned from; give --sizes")
    opened = open_run(run, checkpoint)
    parts: tuple[Part, ...] = ("test",) if folds or judge_only else ("validation", "test")
    found = open_benchmark(data_settings(run, benchmark, set_, "calibrate"), data, parts, skip_broken)
    notes: list[str] = []
    on, junk = find_device(device), found.protocol.junk

    with watching() as watch:

        def part(name: str) -> "Asked":
            sightings = found.validation if name == "validation" else found.test
            trials = all_against_all(sightings) if name == "validation" else found.trials
            notes.extend(require_unlearned(opened, sightings, name, other_vehicles=other_vehicles))
            kept = None if features is None else features / name
            title = f"{found.name} {name}"
            return prepare(title, opened, sightings, trials, junk, features=kept, seed=seed, device=on, watch=watch)

        if folds:
            asked = part("test")
            judgement, at = judge_nested(
                asked, chain, wanted, folds=folds, expect_absent=share, sizes=learned_sizes, seed=seed, watch=watch
            )
            calibration = fit(asked.search(chain, at, seed, watch), asked.source(chain), wanted, share)
            notes.append(
                f"judged in {folds} nested folds of the test part; the calibration that is kept learned from all of it"
            )
        else:
            learned = None
            if judge_only:
                kept = load_calibration(run)
                if kept is None:
                    raise ClipsenetError(f"{run} has no calibration: make one first, without --judge-only")
                require_calibrated(kept, opened.id, str(chain.alone()))
                pictures, named = kept.pictures, kept.named
            else:
                if not len(found.validation):
                    raise ClipsenetError(
                        f"{data} has no validation part to learn from: give one in its split column, or hold out vehicles "
                        "that were not trained on with --set data.validation_vehicles=N, or learn and judge in the test part "
                        "with --folds 2"
                    )
                learned = part("validation")
                source = learned.source(chain)
                pictures, named = source.pictures, source.named
            if not found.trials:
                raise ClipsenetError(f"{data} has no test part to judge on; give one, or learn and judge with --folds 2")
            tested = part("test")
            asking = tested.digests.tolist()
            notes += require_untouched(pictures, named, asking, tested.features.sightings, other_vehicles=other_vehicles)
            if learned is not None:
                at = learned_sizes or sizes_up_to(learned.largest)
                calibration = fit(learned.search(chain, at, seed, watch), source, wanted, share)
            else:
                assert kept is not None
                calibration = kept
            largest = tested.largest
            usual = {*calibration.sizes, 10 * calibration.sizes[0], largest}
            at = judged_sizes or sorted(size for size in usual if size <= largest)
            judgement = judge(tested.search(chain, at, seed + 1, watch), calibration)
    if not judge_only:
        notes += _replaced(run, calibration)
        calibration.save(run)
    _show(judgement, calibration, run, draws, figures, notes, json_)


def _replaced(run: Path, new: "Calibration") -> list[str]:
    """What a reader must know of the calibration that goes."""
    from clipsenet.calibrating.calibration import load_calibration

    try:
        old = load_calibration(run)
    except ClipsenetError as error:
        return [f"a calibration that could not be read was replaced ({error})"]
    if old is None or (old.run_id, old.similarity) == (new.run_id, new.similarity):
        return []
    return [
        f"the calibration for similarity {old.similarity} of run {old.run_id[:16]} was replaced: a run folder holds one; the "
        f"embeddings and similarity that it was for have no verdict any longer"
    ]


def _show(
    judgement: "Judgement",
    calibration: "Calibration",
    run: Path,
    draws: int,
    figures: Path | None,
    notes: list[str],
    json_: bool,
) -> None:
    from clipsenet.calibrating.judging import reliability, sections
    from clipsenet.calibrating.prior import share_of_pairs
    from clipsenet.cli.judgements import Shown, judgement_values, print_judgement

    share, of_pairs = calibration.expect_absent, share_of_pairs(calibration.expect_absent)
    shown = Shown(
        calibration=calibration,
        parts=sections(judgement.searches, share, draws),
        bins=reliability(judgement.searches, share, draws),
        pairs=sections(judgement.pairs, of_pairs, draws),
        bins_of_pairs=reliability(judgement.pairs, of_pairs, draws),
        bins_of_later=[] if judgement.later is None else reliability(judgement.later, share, draws),
        notes=notes,
    )
    if figures is not None:
        from clipsenet.figures.det import draw_det
        from clipsenet.figures.reliability import draw_reliability

        draw_reliability(shown.bins, figures / "reliability.png")
        draw_det(judgement.searches, share, figures / "det.png")
    if json_:
        print_json(judgement_values(shown))
    else:
        print_judgement(shown, run)


def _sizes(text: str | None, option: str) -> list[int]:
    """Sizes from ``100,1000``, ascending."""
    try:
        found = sorted({int(one) for one in text.split(",")}) if text else []
    except ValueError:
        found = [0]
    if found and found[0] < 2:
        raise UsageError(f"{option} {text}: wanted whole numbers from 2 with commas between them, such as 100,1000")
    return found
