"""What many tests need: the reference outputs, the real pictures, a toy set and a run trained on it."""

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from clipsenet.cli import main
from clipsenet.datasets import toy
from clipsenet.datasets.manifest import ManifestSettings
from clipsenet.errors import ClipsenetError
from clipsenet.protocol import Benchmark
from clipsenet.recipe import Recipe, load_recipe
from clipsenet.runs import Run
from clipsenet.synthetic.drawing import draw as draw_vehicles
from clipsenet.synthetic.plan import Plan
from clipsenet.training import train

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
GOLDEN = Path(os.environ.get("CLIPSENET_GOLDEN", str(SHARED / "golden")))

torch.set_num_threads(1)  # two test processes share two cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first, so that on two cores it does not run alone at the end."""
    items.sort(key=lambda item: "test_every_command" not in item.name)


def golden(name: str) -> Path:
    """A file of the reference set; skips where the set, or the file, is not there."""
    path = GOLDEN / name
    if not path.is_file():
        pytest.skip(f"no reference file {path} (set CLIPSENET_GOLDEN)")
    return path


class Arrays(dict[str, np.ndarray]):
    """The arrays of a reference file; a test that asks for one that this set does not have is skipped."""

    def __missing__(self, key: str) -> np.ndarray:
        pytest.skip(f"the reference set has no array {key}")


def golden_arrays(name: str) -> Arrays:
    with np.load(golden(name)) as arrays:
        return Arrays({key: arrays[key] for key in arrays.files})


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute entry."""
    return float(np.abs(np.asarray(found, dtype=np.float64) - wanted).max() / np.abs(wanted).max())


def tensor_for(key: str, shape: tuple[int, ...], salt: int) -> np.ndarray:
    """The reference set fills a network's tensors from their names (golden/README.md)."""
    rng = np.random.default_rng(zlib.crc32(key.encode()) + salt)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if key.endswith(("running_mean", "bias")):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    if len(shape) == 1:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    fan = int(np.prod(shape[1:]))
    return (rng.standard_normal(shape) * np.sqrt(1.0 / fan)).astype(np.float32)


@pytest.fixture(scope="session")
def two_cameras() -> Path:
    path = SHARED / "data" / "two-cameras" / "pictures.csv"
    if not path.is_file():
        pytest.skip(f"no real pictures at {path}: they are not part of the project")
    return path


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "pictures"
    toy.draw(folder, shapes=24, cameras=3, pictures=2)
    return folder


@pytest.fixture(scope="session")
def toy_benchmark(toy_folder: Path) -> Benchmark:
    return toy.load(toy_folder, ManifestSettings())


@pytest.fixture(scope="session")
def renderer() -> None:
    """Skips where nothing draws without a display."""
    pytest.importorskip("vtkmodules", reason="VTK is not installed: pip install 'clipsenet[synthetic]'")
    from clipsenet.synthetic.renderer import Renderer

    try:
        Renderer(8, 8).close()
    except ClipsenetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def drawn_vehicles(renderer: None, pytestconfig: pytest.Config) -> Path:
    """A tiny drawn set, kept from one session to the next as long as the code that draws is the same."""
    code = sorted((ROOT / "src" / "clipsenet" / "synthetic").rglob("*.[pg][yl]*"))
    key = zlib.crc32(b"".join(path.read_bytes() for path in code if "__pycache__" not in path.parts))
    folder = pytestconfig.cache.mkdir("drawn-vehicles") / f"{key:08x}"  # type: ignore[union-attr]
    plan = Plan(vehicles=14, cameras=4, pictures=4, size=96, validation=0.15, test=0.4)
    while True:
        try:
            draw_vehicles(plan, folder, processes=1)
            return folder
        except ClipsenetError as error:  # the other test process draws it
            if "another process draws" not in str(error) and "is not empty" not in str(error):
                raise
            time.sleep(0.2)


def tiny_recipe(*assignments: str) -> Recipe:
    """The toy recipe, shrunk to a second."""
    small = ("images.size=[32, 32]", "schedule.epochs=2", "schedule.warmup_epochs=0", "sampler.vehicles=4")
    return load_recipe(ROOT / "recipes" / "toy.yaml", [*small, *assignments])


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, toy_benchmark: Benchmark) -> Run:
    """A run of two epochs: enough to be loaded, not enough to be good."""
    return train(tiny_recipe(), toy_benchmark, tmp_path_factory.mktemp("run") / "run", device="cpu")


def id_in_another_process(folder: Path, threads: int) -> str:
    """``Run.id`` of a run folder as a fresh process with so many threads finds it."""
    program = (
        "import sys, torch; torch.set_num_threads(int(sys.argv[2])); from pathlib import Path; "
        "from clipsenet.runs import Run; print(Run.open(Path(sys.argv[1])).id)"
    )
    command = [sys.executable, "-c", program, str(folder), str(threads)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Result:
    """What a command gave: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """The command line, in this process."""

    def call(*words: object) -> Result:
        with pytest.raises(SystemExit) as exit_:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(int(exit_.value.code or 0), captured.out, captured.err)

    return call


def stopped_politely(folder: Path, words: list[str], stop: Callable[[int], None]) -> str:
    """Begin a training of so many epochs that it does not end, stop it when its first state is saved; what it said then."""
    command = [sys.executable, "-m", "clipsenet", "train", str(ROOT / "recipes" / "toy.yaml"), "--run", str(folder)]
    command += ["--device", "cpu", "--set", "images.size=[32, 32]", "--set", "schedule.epochs=400", *words]
    begun = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (folder / "resume.safetensors").exists() and begun.poll() is None:
        assert time.monotonic() < deadline, "no epoch was finished"
        time.sleep(0.1)
    stop(begun.pid)
    _, errors = begun.communicate(timeout=120)
    assert begun.returncode == 130, errors
    return errors
