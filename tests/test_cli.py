"""The command line from end to end, in this process; and once as a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsenet.cli import main
from clipsenet.features import Features
from clipsenet.runs import Run
from clipsenet.scorecard import Scorecard
from conftest import ROOT
from drawn_layouts import draw_vehicleid, draw_veri776, draw_veriwild

TINY = [
    *("--set", "images.size=[32, 32]", "--set", "schedule.epochs=2", "--set", "schedule.warmup_epochs=0"),
    *("--set", "sampler.vehicles=4", "--device", "cpu", "--threads", "1"),
]


RUN = "the trained run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, toy_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    with pytest.raises(SystemExit) as exit_:
        main(["train", str(ROOT / "recipes" / "toy.yaml"), "--data", str(toy_folder), "--run", str(folder), *TINY])
    assert not exit_.value.code
    return folder


def test_train_says_what_is_next(run, toy_folder: Path, tmp_path: Path) -> None:
    result = run("train", "toy", "--data", toy_folder, "--run", tmp_path / "r", *TINY)
    assert result.code == 0
    assert "toy: resnet10t, 4,923,512 parameters, on cpu in 32-true; 84 pictures of 14 vehicles of toy" in result.out
    assert "epoch 2: loss" in result.out
    assert f"saved in {tmp_path / 'r'} (last and best); run id {Run.open(tmp_path / 'r').id[:16]}" in result.out
    assert f"next: clipsenet evaluate {tmp_path / 'r'} --data {toy_folder}" in result.out
    again = run("train", "toy", "--data", toy_folder, "--run", tmp_path / "r", *TINY)
    assert again.code == 1
    assert "exists and is not empty; go on with --resume" in again.err


def test_evaluate_prints_card_and_table_and_writes_json(run, trained: Path, toy_folder: Path, tmp_path: Path) -> None:
    words = ("evaluate", trained, "--data", toy_folder, "--slice", "type=disc", "--intervals")
    result = run(*words, "--json", tmp_path / "card.json")
    assert result.code == 0
    for text in ("benchmark", "toy (drawn)", "same vehicle in the same camera", "cosine, plain", "last, epoch 2", "TOY"):
        assert text in result.out
    for text in ("all: ", "type=disc: ", "not type=disc: ", "colour histogram", "difference", "mINP", "[", "95 % bootstrap"):
        assert text in result.out
    card = json.loads((tmp_path / "card.json").read_text())
    (kept,) = (trained / "scorecards").glob("toy-last-*/scorecard.json")
    assert (kept.parent / "queries.parquet").is_file()
    assert card == json.loads(kept.read_text())
    printed = run(*words, "--json", "-")
    assert json.loads(printed.out) == card, "the same features give the same scores and intervals"


def test_evaluate_the_best_checkpoint_without_a_reference(run, trained: Path, toy_folder: Path) -> None:
    words = ("evaluate", trained, "--data", toy_folder, "--reference", "none", "--no-intervals", "--json", "-")
    for choice in (("--checkpoint", "best"), ("--set", "evaluation.checkpoint=best")):
        card = json.loads(run(*words, *choice).out)
        assert card["card"]["checkpoint"].startswith("best, epoch")
    assert len(card["sections"][0]["lines"]) == 1


def test_evaluate_does_not_let_the_network_be_changed(run, trained: Path, toy_folder: Path) -> None:
    for words in (("evaluate", trained, "--data", toy_folder), ("embed", trained, toy_folder, "--to", "nowhere")):
        result = run(*words, "--set", "images.size=[64, 64]")
        assert result.code == 2
        assert "the network is the run's" in result.err


def test_an_unexpected_error_is_one_line(run, trained: Path, toy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("first line\nTraceback (most recent call last)")

    monkeypatch.setattr("clipsenet.loading.open_sighting", fail)
    result = run("evaluate", trained, "--data", toy_folder, "--reference", "none")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("error: unexpected RuntimeError: first line; run again with --debug")
    assert "Traceback" not in result.err


def test_embed_writes_a_features_folder(run, trained: Path, toy_folder: Path, tmp_path: Path) -> None:
    result = run("embed", trained, toy_folder / "pictures.csv", "--to", tmp_path / "f")
    assert result.code == 0
    features = Features.load(tmp_path / "f")
    assert len(features) == 144
    assert features.run_id == Run.open(trained).id
    assert features.sightings.camera.count() == 3
    one = run("embed", trained, features.sightings.path[0], "--to", tmp_path / "one", "--json")
    assert json.loads(one.out) == {"pictures": 1, "left_out": 0, "dim": 512, "run_id": features.run_id, "labels_told": 0}
    assert np.abs(Features.load(tmp_path / "one").embeddings[0] - features.embeddings[0]).max() < 1e-5
    folder = run("embed", trained, toy_folder, "--to", tmp_path / "all", "--set", "data.pattern={vehicle}_c{camera}_{*}.png")
    assert folder.code == 0
    assert Features.load(tmp_path / "all").sightings.vehicle.count() == 24
    again = run("embed", trained, toy_folder, "--to", tmp_path / "all")
    assert again.code == 1
    assert "exists and is not empty" in again.err


def test_compare_gives_a_similarity_and_no_verdict(run, trained: Path, toy_folder: Path) -> None:
    a, b = toy_folder / "shape000_c1_0.png", toy_folder / "shape001_c1_0.png"
    result = run("compare", trained, a, b)
    assert result.code == 0
    assert "no verdict" in result.out
    assert json.loads(run("compare", trained, a, a, "--json").out)["cosine"] == pytest.approx(1, abs=1e-5)
    assert json.loads(run("compare", trained, a, b, "--json").out)["cosine"] < 0.999


def test_describe_prints_parts(run) -> None:
    result = run("describe", "two-cameras", "--vehicles", 345)
    assert result.code == 0
    assert "resnet18_ibn_a" in result.out
    assert "11,176,512" in result.out
    described = json.loads(run("describe", "two-cameras", "--json").out)
    assert described["parameters"] == 11_177_536


@pytest.mark.parametrize(
    ("what", "name"),
    [("recipes", "two-cameras"), ("trunks", "resnext101_ibn_a"), ("benchmarks", "manifest"), ("losses", "CircleLoss")],
)
def test_list_names_what_can_be_chosen(run, what: str, name: str) -> None:
    assert any(line.split()[0] == name for line in run("list", what).out.splitlines())
    assert name in json.loads(run("list", what, "--json").out)


def test_bench_training_compares_with_the_bare_step(run, toy_folder: Path) -> None:
    words = ("bench", "training", "toy", "--data", toy_folder, "--steps", 2, "--rounds", 1, *TINY)
    result = json.loads(run(*words, "--json").out)
    assert result["ratio"] == pytest.approx(
        result["train_step_seconds"] / (result["bare_step_seconds"] + result["loading_cpu_seconds_per_step"] / result["cores"])
    )
    assert {"load", "transfer", "forward", "backward", "update"} <= result["parts_of_train_step"].keys()
    assert result["pictures_per_step"] == 16
    assert "ratio: train step / reference" in run(*words).out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "toy"], 2, "Missing option '--data'"),
        (["train", "no-such", "--data", "x"], 2, "neither a file nor one of ours"),
        (
            ["train", "toy", "--data", "x", "--set", "optimiser.rat=1"],
            2,
            "unknown setting 'optimiser.rat': did you mean 'rate'?",
        ),
        (["train", "toy", "--data", "x", "--set", "schedule.epochs=many"], 2, "'many', wanted: a valid integer"),
        (["train", "toy", "--data", "x", "--set", "optimiser.rate"], 2, "wanted key=value"),
        (["train", "toy", "--data", "nowhere"], 1, "no toy benchmark at nowhere: draw one with"),
        (["train", "two-cameras", "--data", "nowhere"], 1, "no such file or folder: nowhere"),
        (
            ["train", "toy", "--data", "x", "--set", "data.benchmark=veri"],
            2,
            "unknown benchmark 'veri': choose from drawn, manifest, toy",
        ),
        (["evaluate", "nowhere", "--data", "x"], 1, "nowhere is not a run folder"),
        (["evaluate", RUN, "--data", "x", "--checkpoint", "first"], 2, "wanted: last, best, or epoch-N"),
        (["describe", "toy", "--set", "model.trunk=resnet_18"], 2, "unknown trunk 'resnet_18': did you mean 'resnet"),
        (["list", "cars"], 2, "'cars'"),
        (["fly"], 2, "No such command 'fly'"),
        (["toy", "x", "--shapes", "2"], 1, "wanted at least 8"),
    ],
)
def test_wrong_use_exits_two_and_failure_one_without_a_traceback(
    run, trained: Path, words: list[str], code: int, message: str
) -> None:
    result = run(*(trained if word == RUN else word for word in words))
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err


def test_debug_shows_the_traceback(toy_folder: Path) -> None:
    with pytest.raises(Exception, match="no such file or folder"):
        main(["train", "two-cameras", "--data", "nowhere", "--debug"])


def test_broken_pictures_are_named_or_left_out(run, toy_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(toy_folder, data)
    (data / "shape003_c1_0.png").write_bytes(b"broken")
    (data / "shape004_c2_1.png").unlink()
    lines = (data / "pictures.csv").read_text().splitlines()
    row = next(number for number, text in enumerate(lines, 1) if text.startswith("shape003_c1_0.png"))

    missing = run("train", "toy", "--data", data, "--run", tmp_path / "a", *TINY)
    assert missing.code == 1
    assert "1 of 84 files are missing, the first" in missing.err
    Image.new("RGB", (9, 9)).save(data / "shape004_c2_1.png")
    broken = run("train", "toy", "--data", data, "--run", tmp_path / "b", *TINY)
    assert broken.code == 1
    assert f"pictures.csv, line {row}): not a readable picture" in broken.err
    skipped = run("train", "toy", "--data", data, "--run", tmp_path / "c", "--skip-broken", *TINY)
    assert skipped.code == 0
    assert "left out: " in skipped.err
    assert "83 pictures of 14 vehicles" in skipped.out


def test_vehicles_with_one_picture_are_a_warning(
    run, toy_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    shutil.copytree(toy_folder, data)
    lines = (data / "pictures.csv").read_text().splitlines()
    kept = [text for text in lines if "shape001" not in text or text.startswith("shape001_c1_0")]
    (data / "pictures.csv").write_text("\n".join(kept) + "\n")
    assert run("train", "toy", "--data", data, "--run", tmp_path / "a", *TINY).code == 0
    assert "1 of 14 training vehicles have one picture only" in caplog.text


def test_resuming_with_another_recipe_names_the_settings(run, trained: Path, toy_folder: Path) -> None:
    words = ("train", "toy", "--data", toy_folder, "--run", trained, "--resume", *TINY)
    other = run(*words, "--set", "optimiser.rate=0.5")
    assert other.code == 2
    assert "these settings differ: optimiser.rate" in other.err
    done = run(*words)
    assert done.code == 1
    assert "finished" in done.err


def clipsenet(*words: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clipsenet", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]


@pytest.mark.slow
def test_ctrl_c_in_a_real_process_with_workers_saves_and_resumes(toy_folder: Path, tmp_path: Path) -> None:
    words = ("train", "toy", "--data", toy_folder, "--run", tmp_path / "r", *TINY)
    many = ("--set", "schedule.epochs=200", "--set", "training.workers=1", "--set", "training.validate_every=1")
    process = clipsenet(*words, *many, start_new_session=True)
    history = tmp_path / "r" / "history.csv"
    deadline = time.monotonic() + 120
    while not history.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "and saved; go on with the same command" in err
    assert "Traceback" not in err
    assert (tmp_path / "r" / "resume.safetensors").exists()


def killed_and_resumed(words: tuple[object, ...], folder: Path, seconds: float) -> str | None:
    """Train in a process, kill it after some seconds, resume here; the run's id, none if there was nothing to resume."""
    process = clipsenet(*words, "--run", folder, start_new_session=True)
    while not (folder / "recipe.yaml").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if process.returncode != -signal.SIGKILL or not (folder / "resume.safetensors").exists():
        return None
    with pytest.raises(SystemExit) as exit_:
        main([*map(str, words), "--run", str(folder), "--resume"])
    assert not exit_.value.code
    return Run.open(folder).id


@pytest.mark.slow
@pytest.mark.parametrize("round_", [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 20))])
def test_a_training_killed_at_a_random_moment_ends_as_an_unbroken_one(toy_folder: Path, tmp_path: Path, round_: int) -> None:
    words = ("train", "toy", "--data", toy_folder, *TINY, "--set", "schedule.epochs=20", "--set", "training.validate_every=5")
    with pytest.raises(SystemExit):
        main([*map(str, words), "--run", str(tmp_path / "unbroken")])
    rng = np.random.default_rng(round_)
    for attempt in range(20):  # a kill before the first save, or after the end, shows nothing: try another moment
        found = killed_and_resumed(words, tmp_path / f"broken{attempt}", float(rng.uniform(0.3, 6)))
        if found is not None:
            break
    assert found == Run.open(tmp_path / "unbroken").id


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; import clipsenet.cli as cli\ntry: cli.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("False")
    for verb in ("train", "evaluate", "embed", "compare", "describe", "list", "bench", "toy"):
        assert verb in result.stdout


@pytest.mark.parametrize("name", ["veri776", "vehicleid:small", "veriwild:large"])
def test_evaluate_on_the_published_layouts(run, trained: Path, tmp_path: Path, name: str) -> None:
    draw = {"veri776": draw_veri776, "vehicleid:small": draw_vehicleid, "veriwild:large": draw_veriwild}[name]
    root = draw(tmp_path / "data")
    words = ("evaluate", trained, "--data", root, "--benchmark", name, "--reference", "none", "--json", "-")
    card = json.loads(run(*words).out)
    lines = [(line["similarity"], line["junk"]) for line in card["sections"][0]["lines"]]
    if name == "veri776":
        ranked = [
            f"k-reciprocal:{rest}"
            for rest in ("k1=50,k2=15,original=0.5", "k1=80,k2=16,original=0.3", "k1=20,k2=6,original=0.3")
        ]
        assert lines == [(one, "same-camera") for one in ("cosine", *ranked)]
        assert any("own picture stands in the gallery" in note for note in card["card"]["notes"])
    elif name == "vehicleid:small":
        assert lines == [("cosine", "same-file")]
        assert len(card["card"]["trials"]) == 10
        assert card["sections"][0]["lines"][0]["deviation"]
    else:
        assert lines == [("cosine", "same-camera"), ("cosine", "same-file")]
        assert (card["card"]["queries"], card["card"]["without_match"]) == (2, 1)
    assert card["card"]["copy"].startswith("modified")
    assert any("officially" in note for note in card["card"]["notes"])


def test_the_same_camera_kept_never_finds_the_query_itself(run, trained: Path, tmp_path: Path) -> None:
    """VeRi's queries stand in the gallery: kept are the vehicle's other pictures of that camera, not the query's own."""
    root = draw_veri776(tmp_path / "data")
    shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("scorecards"))
    words = ("evaluate", tmp_path / "run", "--data", root, "--benchmark", "veri776", "--reference", "none")
    words = (*words, "--similarity", "cosine")
    card = json.loads(run(*words, "--same-camera", "kept", "--json", "-").out)
    assert [line["junk"] for line in card["sections"][0]["lines"]] == ["same-camera", "same-file"]
    (kept,) = (tmp_path / "run" / "scorecards").glob("veri776-*")
    rows = Scorecard.load(kept).queries
    assert rows is not None
    for row in rows.to_pylist():
        assert row["candidates"] == (5 if row["junk"] == "same-file" else {"0002": 4, "0005": 5}[row["vehicle"]])
        assert row["first"] != row["picture"]
    wrong = run(*words, "--same-camera", "maybe")
    assert wrong.code == 2
    assert "wanted kept" in wrong.err


@pytest.mark.slow
def test_train_on_the_layout_of_veri776_with_camera_and_view_rows(run, tmp_path: Path) -> None:
    root = draw_veri776(tmp_path / "data")
    words = ("train", "toy", "--data", root, "--run", tmp_path / "run", *TINY, "--set", "data.benchmark=veri776")
    result = run(*words, "--set", "sampler.vehicles=2", "--set", "model.places.labels=camera-view")
    assert result.code == 0, result.err
    card = run("evaluate", tmp_path / "run", "--data", root, "--similarity", "cosine", "--reference", "none")
    assert "true camera and view" in card.out
    assert "TRAINED" not in card.out


@pytest.mark.slow
def test_fusion_features_and_audit_from_the_command_line(run, trained: Path, toy_folder: Path, tmp_path: Path) -> None:
    words = ("evaluate", trained, "--data", toy_folder, "--reference", "none")
    shown = run(*words, "--audit", "--features", tmp_path / "f", "--similarity", "expansion:k=2 + k-reciprocal:k1=4,k2=2")
    assert shown.code == 0
    for text in ("audit: the camera is told from the embedding", "camera pair", "brightness", "short side", "junk: same-file"):
        assert text in shown.out
    assert "up to about 0." in shown.err
    assert "features kept in" in shown.err
    assert "features read from" in run(*words, "--features", tmp_path / "f").out
    fused = run(*words, "--fuse", f"{trained}=0.4")
    assert "FUSED, the weighted sum of cosines: 0.4 of toy" in fused.out
    for wrong in ("nothing", f"{trained}=1.5", f"{trained}=half"):
        refused = run(*words, "--fuse", wrong)
        assert refused.code == 2
        assert "wanted a run folder and its weight between 0 and 1" in refused.err


@pytest.mark.slow
def test_a_scorecard_is_kept_even_if_nobody_reads_what_is_printed(trained: Path, toy_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("scorecards"))
    command = f"{sys.executable} -m clipsenet evaluate {folder} --data {toy_folder} --threads 1 | head -1"
    subprocess.run(command, shell=True, capture_output=True, check=False)
    assert list((folder / "scorecards").glob("*/queries.parquet"))


def test_similarities_are_listed(run) -> None:
    listed = run("list", "similarities").out
    for text in ("cosine", "k-reciprocal", "k1=20, k2=6, original=0.3", "whitening", "expansion", "augmentation"):
        assert text in listed
