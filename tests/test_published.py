"""Published weights: fetched from a server of our own, never from the real one; found, loaded and looked into."""

import hashlib
import io
import json
import os
import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file

from clipsenet import fetching, finding
from clipsenet.errors import ClipsenetError, UsageError
from clipsenet.fetching import fetch
from clipsenet.finding import cache_path, find
from clipsenet.models import make_model
from clipsenet.models.backbones import make_network
from clipsenet.models.baseline import BaselineSettings
from clipsenet.models.clip_senet import AppearanceSettings, ClipSenetSettings
from clipsenet.models.ibn import IBN_TRUNKS
from clipsenet.models.pretrained import load_pretrained
from clipsenet.models.recognising import recognise
from clipsenet.models.semantics import SemanticsSettings
from clipsenet.models.wanted import fetch_wanted
from clipsenet.published import PUBLISHED, Published
from clipsenet.recipe import load_recipe, own_recipes
from clipsenet.reporting import Tick, Watch
from clipsenet.weights import open_state, read_state
from test_tinyclip import TOWER, microsofts, published

SIZE = (64, 64)


class Server:
    """What a server gives, how badly, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.cuts: list[int] = []
        """Bytes after which the connection breaks, an answer each; then none breaks."""
        self.ranges, self.tag = True, '"one"'
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0
        self.address = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name, wanted = self.path.strip("/"), self.headers.get("Range")
            state.asked.append((name, wanted))
            if name in state.moved:
                self.send_response(302)
                self.send_header("Location", state.moved[name])
                self.end_headers()
                return
            if name not in state.files:
                self.send_error(404)
                return
            body = state.files[name]
            begin = 0
            if wanted and state.ranges and self.headers.get("If-Range") == state.tag:
                begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206 if begin < len(body) else 416)
                self.send_header(
                    "Content-Range",
                    f"bytes {begin}-{len(body) - 1}/{len(body)}" if begin < len(body) else f"bytes */{len(body)}",
                )
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - begin))
            self.send_header("ETag", state.tag)
            self.end_headers()
            part = body[begin:][: state.cuts.pop(0) if state.cuts else None]
            state.sent += len(part)
            self.wfile.write(part)

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.address = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and the registry without its real entries; the network is allowed, the waiting is not."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.delenv(fetching.OFFLINE, raising=False)
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    monkeypatch.setattr(fetching, "BLOCK", 1000)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Published]:
    for name in list(PUBLISHED):
        monkeypatch.delitem(PUBLISHED, name)
    return PUBLISHED


def saved(state: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()


WEIGHTS = saved({"a": torch.arange(2000.0)})
DIGITS = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def entry(registry: dict[str, Published], server: Server, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A made-up published file whose name carries its hash."""
    return publish(server, monkeypatch, f"made-up-{DIGITS[:8]}.pth", WEIGHTS, DIGITS[:8])


def publish(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str, body: bytes, sha256: str | None, network: str = "resnet18_ibn_a"
) -> Published:
    server.files[name] = body
    one = Published(name, network, f"{server.address}/{name}", "MIT", sha256, "its name" if sha256 else "")
    monkeypatch.setitem(PUBLISHED, name, one)
    return one


class Heard(Watch):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ticks: list[tuple[int, int]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def stage(self, title: str) -> Tick:
        self.said.append(title)
        return lambda done, total: self.ticks.append((done, total))


# fetching


def test_a_file_is_fetched_once_and_lies_whole_in_the_cache(entry: Published, server: Server, cache: Path) -> None:
    watch = Heard()
    path = fetch(entry.name, watch)
    assert path == cache / entry.name
    assert path.read_bytes() == WEIGHTS
    assert watch.said == [f"fetching {entry.name}, megabytes"]
    assert len(watch.ticks) == -(-len(WEIGHTS) // 1000)
    assert set(watch.ticks) == {(1, 1)}
    assert fetch(entry.name) == path
    assert server.asked == [(entry.name, None)]
    assert {one.name for one in cache.iterdir()} <= {entry.name, f"{entry.name}.lock"}


def test_a_wrong_file_is_not_put_in_place(entry: Published, server: Server, cache: Path) -> None:
    other = saved({"a": torch.zeros(3)})
    server.files[entry.name] = other
    found = hashlib.sha256(other).hexdigest()
    with pytest.raises(ClipsenetError, match=f"SHA-256 {found}, wanted {DIGITS[:8]} .from its name.; it was thrown away"):
        fetch(entry.name)
    assert {one.name for one in cache.iterdir()} <= {f"{entry.name}.lock"}
    server.files[entry.name] = WEIGHTS
    assert fetch(entry.name).read_bytes() == WEIGHTS


def test_after_a_break_only_the_rest_is_asked_for(entry: Published, server: Server) -> None:
    server.cuts = [3000, 2500]
    assert fetch(entry.name).read_bytes() == WEIGHTS
    assert [wanted for _, wanted in server.asked] == [None, "bytes=3000-", "bytes=5500-"]
    assert server.sent == len(WEIGHTS)


def test_what_came_before_a_failure_is_kept_for_the_next_try(entry: Published, server: Server, cache: Path) -> None:
    server.cuts = [3000, 0]
    with pytest.raises(ClipsenetError, match=rf"the connection broke after 3000 of {len(WEIGHTS)} bytes; try again"):
        fetch(entry.name)
    assert not (cache / entry.name).exists()
    assert fetch(entry.name).read_bytes() == WEIGHTS
    assert server.asked[-1][1] == "bytes=3000-"


class Stops(Watch):
    """Ctrl-C in the middle."""

    def stage(self, title: str) -> Tick:
        def tick(done: int, total: int) -> None:
            raise KeyboardInterrupt

        return tick


def test_stopped_by_the_user_it_goes_on_later(entry: Published, server: Server, cache: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(entry.name, Stops())
    assert (cache / f"{entry.name}.partial").stat().st_size == 1000
    assert fetch(entry.name).read_bytes() == WEIGHTS
    assert server.asked[-1][1] == "bytes=1000-"


def test_stopped_between_the_last_byte_and_the_check_nothing_comes_again(entry: Published, server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{entry.name}.partial").write_bytes(WEIGHTS)
    (cache / f"{entry.name}.partial.tag").write_text(server.tag)
    assert fetch(entry.name).read_bytes() == WEIGHTS
    assert server.sent == 0


@pytest.mark.parametrize("change", ["no ranges", "another version", "weak tag"])
def test_a_server_that_cannot_go_on_begins_anew(entry: Published, server: Server, cache: Path, change: str) -> None:
    cache.mkdir(parents=True)
    (cache / f"{entry.name}.partial").write_bytes(b"of another version")
    (cache / f"{entry.name}.partial.tag").write_text('"none"' if change == "another version" else server.tag)
    if change == "weak tag":
        server.tag = 'W/"one"'
        server.cuts = [3000]
    server.ranges = change != "no ranges"
    assert fetch(entry.name).read_bytes() == WEIGHTS
    # the weak tag is not kept: the part after which the connection broke is of no use
    assert [wanted for _, wanted in server.asked] == ["bytes=18-", *([None] if change == "weak tag" else [])]


@pytest.mark.parametrize("value", ["1", "yes"])
def test_offline_nothing_is_asked_for_and_the_way_out_is_named(
    entry: Published, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(fetching.OFFLINE, value)
    with pytest.raises(ClipsenetError) as error:
        fetch(entry.name)
    assert "CLIPSENET_OFFLINE forbids the network" in str(error.value)
    assert f"get {entry.url} and put it at {cache / entry.name}" in str(error.value)
    assert server.asked == []
    cache.mkdir(parents=True)
    (cache / entry.name).write_bytes(WEIGHTS)
    assert fetch(entry.name) == cache / entry.name
    (cache / entry.name).unlink()
    monkeypatch.setenv(fetching.OFFLINE, "0")
    assert fetch(entry.name) == cache / entry.name


def test_a_server_that_refuses_or_is_not_there_is_named_with_the_way_out(entry: Published, server: Server, monkeypatch) -> None:
    server.files.clear()
    with pytest.raises(ClipsenetError, match=r"answers HTTP 404 Not Found; try again, or get http.* and put it at /"):
        fetch(entry.name)
    nowhere = Published(entry.name, "", "http://127.0.0.1:9/x.pth", "MIT", DIGITS)
    monkeypatch.setitem(PUBLISHED, entry.name, nowhere)
    with pytest.raises(ClipsenetError, match=r"127\.0\.0\.1 is not reached \(.*\); try again, or get http.* and put it at /"):
        fetch(entry.name)


def test_only_safe_addresses_are_fetched_after_a_redirection_too(entry: Published, server: Server, monkeypatch) -> None:
    server.moved = {"moved": f"{server.address}/{entry.name}", "away": "http://example.invalid/x.pth"}
    for url in ("http://example.invalid/x.pth", "ftp://127.0.0.1/x.pth", "file:///etc/passwd", f"{server.address}/away"):
        monkeypatch.setitem(PUBLISHED, entry.name, Published(entry.name, "", url, "MIT", DIGITS))
        with pytest.raises(ClipsenetError, match="is not https, and only that is fetched"):
            fetch(entry.name)
    monkeypatch.setitem(PUBLISHED, entry.name, Published(entry.name, "", f"{server.address}/moved", "MIT", DIGITS))
    assert fetch(entry.name).read_bytes() == WEIGHTS


def test_a_full_disk_leaves_nothing_under_the_name_and_goes_on_later(entry: Published, server: Server, cache: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))  # a disk that is full after 3,000 bytes
    try:
        with pytest.raises(
            ClipsenetError, match=r"cannot write .*File too large.* Free some space, .* kept as made-up.*\.partial"
        ):
            fetch(entry.name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (cache / entry.name).exists()
    assert fetch(entry.name).read_bytes() == WEIGHTS
    assert server.asked[-1][1] == "bytes=3000-"


def test_a_folder_that_cannot_be_made_is_named(entry: Published, cache: Path) -> None:
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(ClipsenetError, match=r"cannot write .* let TORCH_HOME name another folder"):
        fetch(entry.name)


def test_two_at_once_fetch_it_once(entry: Published, server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    waits = threading.Event()

    class Waits(Watch):
        def say(self, text: str) -> None:
            assert "another process fetches" in text
            waits.set()

    found: list[Path] = []
    second = threading.Thread(target=lambda: found.append(fetch(entry.name, Waits())))
    with FileLock(cache / f"{entry.name}.lock"):
        second.start()
        assert waits.wait(60)
        (cache / entry.name).write_bytes(WEIGHTS)  # what the first one brings
    second.join()
    assert found == [cache / entry.name]
    assert server.asked == []


def test_many_at_once_get_a_whole_file(entry: Published, server: Server) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(entry.name).read_bytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [WEIGHTS] * 4
    assert server.asked == [(entry.name, None)]


def test_an_unknown_name_names_the_nearest(entry: Published) -> None:
    with pytest.raises(UsageError, match=f"unknown published weights 'made-up.pth': did you mean '{entry.name}'"):
        fetch("made-up.pth")


# a file whose hash nobody publishes


def test_without_a_published_hash_the_first_use_decides(
    registry: dict[str, Published], server: Server, cache: Path, monkeypatch
) -> None:
    entry = publish(server, monkeypatch, "unhashed.pt", WEIGHTS, None)
    watch = Heard()
    path = fetch(entry.name, watch)
    assert (cache / "unhashed.pt.sha256").read_text() == f"{DIGITS}  unhashed.pt\n"
    (line,) = watch.said[1:]
    assert f"nobody publishes a hash of unhashed.pt: it is trusted as it is, SHA-256 {DIGITS}, kept in {cache}" in line
    watch.said.clear()
    assert fetch(entry.name, watch) == find(Path(entry.name), "model.") == path
    assert watch.said == []
    # altered, it is refused wherever it is used
    path.write_bytes(WEIGHTS + b"x")
    for use in (lambda: fetch(entry.name), lambda: find(Path(entry.name), "model.")):
        with pytest.raises(ClipsenetError, match=f"is not the published file: .* wanted {DIGITS} .of its first use, from"):
            use()
    # and the hash stays when the file goes
    path.unlink()
    server.files[entry.name] = saved({"b": torch.ones(1)})
    with pytest.raises(ClipsenetError, match=f"wanted {DIGITS} .of its first use"):
        fetch(entry.name)
    (cache / "unhashed.pt.sha256").write_text("nonsense")
    with pytest.raises(ClipsenetError, match=r"unhashed\.pt\.sha256 holds no SHA-256"):
        fetch(entry.name)


def test_a_page_that_says_no_is_not_trusted(registry: dict[str, Published], server: Server, cache: Path, monkeypatch) -> None:
    entry = publish(server, monkeypatch, "unhashed.pt", b"<html>log in first</html>", None)
    with pytest.raises(ClipsenetError, match=r"no file of torch\.save, it begins with b'<html>log in fir'"):
        fetch(entry.name)
    assert {one.name for one in cache.iterdir()} <= {"unhashed.pt.lock"}


# finding


def test_a_local_file_wins_then_the_cache(entry: Published, cache: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fetch(entry.name)
    assert find(Path(entry.name), "model.") == cache / entry.name
    Path(entry.name).write_bytes(b"mine")
    assert find(Path(entry.name), "model.") == Path(entry.name)


def test_the_hash_is_taken_once_a_process_and_again_after_a_change(entry: Published, cache: Path, monkeypatch) -> None:
    fetch(entry.name)
    finding._hashes.clear()
    read: list[int] = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *words: read.append(1) or digest(*words))
    for _ in range(3):
        find(Path(entry.name), "model.")
    assert len(read) == 1
    (cache / entry.name).write_bytes(WEIGHTS[:-1])
    with pytest.raises(
        ClipsenetError, match=f"is not the published file: .*remove it, then: clipsenet weights fetch {entry.name}"
    ):
        find(Path(entry.name), "model.")


def test_what_is_not_there_is_explained(entry: Published, server: Server, cache: Path) -> None:
    with pytest.raises(ClipsenetError) as error:
        find(Path(entry.name), "model.appearance.")
    for text in (
        f"model.appearance.weights: found no file {entry.name}, and the published one is not in the cache",
        f"clipsenet weights fetch {entry.name}, or get {entry.url} and put it at {cache / entry.name}",
        "--set model.appearance.weights=null",
    ):
        assert text in str(error.value)
    with pytest.raises(ClipsenetError, match=rf"found no file made-up\.pth; .*did you mean '{entry.name}'"):
        find(Path("made-up.pth"), "model.")
    with pytest.raises(ClipsenetError, match=r"found no file none/last\.pth; .*\(clipsenet weights list\)"):
        find(Path("none/last.pth"), "model.")
    assert server.asked == []


# what a recipe wants


def test_what_the_settings_name_is_fetched_and_then_no_network_is_needed(
    registry: dict[str, Published], server: Server, tmp_path: Path, monkeypatch
) -> None:
    torch.manual_seed(0)
    trunk, tower = make_network("resnet18_ibn_a", SIZE), make_network(TOWER, (224, 224), 512)
    files = {"trunk.pth": saved(dict(trunk.state_dict())), "tower.pt": saved(microsofts(tower))}
    for name, body in files.items():
        publish(server, monkeypatch, name, body, hashlib.sha256(body).hexdigest())
    settings = ClipSenetSettings(
        appearance=AppearanceSettings(trunk="resnet18_ibn_a", weights=Path("trunk.pth")),
        semantics=SemanticsSettings(tower=TOWER, weights=Path("tower.pt")),
        afem=None,
    )
    with pytest.raises(ClipsenetError, match=r"model\.appearance\.weights: found no file trunk\.pth"):
        make_model(settings, SIZE)
    fetch_wanted(settings)
    fetch_wanted(BaselineSettings(trunk="resnet18_ibn_a", weights=Path("trunk.pth")))
    assert server.asked == [("trunk.pth", None), ("tower.pt", None)]
    monkeypatch.setenv(fetching.OFFLINE, "1")
    fetch_wanted(settings)
    model = make_model(settings, SIZE)
    assert torch.equal(model.appearance.network.conv1.weight, trunk.conv1.weight)
    assert torch.equal(model.semantics.network.patch_embed.proj.weight, tower.patch_embed.proj.weight.half().float())


def test_nothing_else_is_fetched(entry: Published, server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fetch_wanted(BaselineSettings(trunk="resnet10t"))
    fetch_wanted(BaselineSettings(trunk="resnet10t", weights=Path("none.pth")))
    fetch_wanted(BaselineSettings(trunk="resnet10t", weights=Path("folder") / entry.name))
    Path(entry.name).write_bytes(b"mine")
    fetch_wanted(BaselineSettings(trunk="resnet10t", weights=Path(entry.name)))
    assert server.asked == []
    Path(entry.name).unlink()
    fetch_wanted(BaselineSettings(trunk="resnet10t", weights=Path(entry.name)))
    assert server.asked == [(entry.name, None)]


# the forms that files come in


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("wrapped", [True, False])
def test_every_form_fills_a_float32_network(tmp_path: Path, old: bool, dtype: torch.dtype, wrapped: bool) -> None:
    torch.manual_seed(0)
    own = make_network("resnet18_ibn_a", SIZE).state_dict()
    state = {key: value.to(dtype) if value.is_floating_point() else value for key, value in own.items()}
    form: Any = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3} if wrapped else dict(state)
    (tmp_path / "a.pth").write_bytes(saved(form, _use_new_zipfile_serialization=not old))
    found = open_state(tmp_path / "a.pth")
    assert (found.form, found.wrapped, found.prefixed) == ("old torch form" if old else "torch zip", wrapped, wrapped)
    network = make_network("resnet18_ibn_a", SIZE)
    load_pretrained(network, "resnet18_ibn_a", tmp_path / "a.pth")
    for key, value in network.state_dict().items():
        assert value.dtype == own[key].dtype
        assert torch.equal(value, state[key].to(own[key].dtype))


def test_a_plain_resnet_for_an_ibn_trunk_is_refused_by_its_published_name(
    registry: dict[str, Published], server: Server, monkeypatch
) -> None:
    body = saved(dict(make_network("resnet18", SIZE).state_dict()))
    name = "resnet18_ibn_a-made-up.pth"
    publish(server, monkeypatch, name, body, hashlib.sha256(body).hexdigest())
    settings = BaselineSettings(trunk="resnet18_ibn_a", weights=Path(name))
    fetch_wanted(settings)
    with pytest.raises(ClipsenetError, match=f"{name} holds a plain ResNet .* wanted resnet18_ibn_a"):
        make_model(settings, SIZE)


class Code:
    """A pickle that leaves a mark where it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("old", [True, False])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, run, old: bool) -> None:
    mark, path = tmp_path / "mark", tmp_path / "code.pth"
    path.write_bytes(saved({"a": torch.ones(1), "b": Code(mark)}, _use_new_zipfile_serialization=not old))
    for wrapped in (False, True):
        if wrapped:
            path.write_bytes(
                saved({"state_dict": {"a": torch.ones(1)}, "c": Code(mark)}, _use_new_zipfile_serialization=not old)
            )
        with pytest.raises(
            ClipsenetError, match=r"code\.pth is not a file of tensors alone \(it holds \w+\.mkdir, which is code"
        ):
            read_state(path)
        result = run("weights", "check", path)
        assert result.code == 1
        assert "which is code and was not run" in result.err
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the file would do it
    assert mark.is_dir()


# the commands


def test_list_tells_what_is_here(entry: Published, server: Server, cache: Path, run, monkeypatch) -> None:
    publish(server, monkeypatch, "unhashed.pt", WEIGHTS, None, network="auto-pruned")
    fetch(entry.name)
    first, second = json.loads(run("weights", "list", "--json").out)
    assert first == {
        "name": entry.name,
        "network": "resnet18_ibn_a",
        "url": entry.url,
        "licence": "MIT",
        "sha256": DIGITS[:8],
        "hash_from": "its name",
        "path": str(cache / entry.name),
    }
    assert (second["sha256"], second["path"]) == (None, None)
    out = run("weights", "list").out
    for text in (entry.name, str(cache), "unhashed.pt", "none published", "not here", "auto-pruned"):
        assert text in out


def test_fetch_tells_whether_it_lay_there(entry: Published, server: Server, cache: Path, run) -> None:
    first = json.loads(run("weights", "fetch", entry.name, "--json").out)
    assert first == {"name": entry.name, "path": str(cache / entry.name), "sha256": DIGITS, "fetched": True}
    assert json.loads(run("weights", "fetch", entry.name, "--json").out) == first | {"fetched": False}
    assert run("weights", "fetch", entry.name).out.startswith("lay there already: ")
    (cache / entry.name).write_bytes(b"altered")
    result = run("weights", "fetch", entry.name)
    assert result.code == 1
    assert "is not the published file" in result.err
    unknown = run("weights", "fetch", "made-up")
    assert unknown.code == 2
    assert "unknown published weights 'made-up'" in unknown.err


def test_check_tells_what_a_file_is(entry: Published, cache: Path, run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fetch(entry.name)
    by_name = json.loads(run("weights", "check", entry.name, "--json").out)
    assert by_name == {
        "path": str(cache / entry.name),
        "bytes": len(WEIGHTS),
        "sha256": DIGITS,
        "published": entry.name,
        "form": "torch zip",
        "wrapped": False,
        "prefixed": False,
        "dtypes": ["float32"],
        "tensors": 1,
        "parameters": 2000,
        "network": "other (its first tensors: a)",
    }
    state = {
        key: value.half() if value.is_floating_point() else value
        for key, value in make_network("resnet18", SIZE).state_dict().items()
    }
    body = saved({"state_dict": {f"module.{key}": value for key, value in state.items()}}, _use_new_zipfile_serialization=False)
    Path("mine.pth").write_bytes(body)
    mine = json.loads(run("weights", "check", "mine.pth", "--json").out)
    assert mine["sha256"] == hashlib.sha256(body).hexdigest()
    assert (mine["published"], mine["form"], mine["wrapped"], mine["prefixed"]) == (None, "old torch form", True, True)
    assert mine["dtypes"] == ["float16", "int64"]
    assert mine["parameters"] == sum(value.numel() for value in make_network("resnet18", SIZE).parameters())
    assert mine["network"] == "plain ResNet: resnet18"
    out = run("weights", "check", "mine.pth").out
    assert "old torch form, wrapped in state_dict, prefix module." in out
    assert "of float16, int64" in out
    # a local file that is named like a published one, and is not it
    Path(entry.name).write_bytes(body)
    assert f"but NOT that file: its hash begins with {DIGITS[:8]} (from its name)" in run("weights", "check", entry.name).out
    assert f"published   {entry.name}\n" in run("weights", "check", cache / entry.name).out


def test_check_refuses_what_is_no_file_of_weights(run, tmp_path: Path) -> None:
    save_file({"a": torch.ones(300)}, tmp_path / "whole.safetensors")
    bodies = {
        "cut.safetensors": (tmp_path / "whole.safetensors").read_bytes()[:-5],
        "cut.pth": WEIGHTS[: len(WEIGHTS) // 2],
        "cut-old.pth": saved({"a": torch.ones(300)}, _use_new_zipfile_serialization=False)[:-5],
        "empty.pth": b"",
        "page.pth": b"<html>" * 9,
        "list.pth": saved([torch.ones(1)]),
        "numbered.pth": saved({1: torch.ones(1)}),
        "no-tensors.pth": saved({"a": 1}),
    }
    for name, message in (
        ("none.pth", "no weights at"),
        ("cut.safetensors", "not a whole safetensors file"),
        ("cut.pth", "it is cut off or broken"),
        ("cut-old.pth", "it is cut off or broken"),
        ("empty.pth", "it is cut off or broken"),
        ("page.pth", "it is nothing that torch.save wrote"),
        ("list.pth", "found list, wanted a dict of tensors"),
        ("numbered.pth", "found dict, wanted a dict of tensors"),
        ("no-tensors.pth", "found dict, wanted a dict of tensors"),
    ):
        if name in bodies:
            (tmp_path / name).write_bytes(bodies[name])
        result = run("weights", "check", tmp_path / name)
        assert result.code == 1, name
        assert message in result.err, name
        assert str(tmp_path / name) in result.err


def test_networks_are_recognised_by_their_tensors() -> None:
    def state(name: str, outputs: int = 0) -> dict[str, torch.Tensor]:
        with torch.device("meta"):
            return dict(make_network(name, (224, 224), outputs).state_dict())

    tower = make_network(TOWER, (224, 224), 512)
    for tensors, wanted in (
        *((state(name), f"IBN-a ResNet: {name}") for name in IBN_TRUNKS),
        *((state(name), f"plain ResNet: {name}") for name in dict.fromkeys(IBN_TRUNKS.values())),
        (state("resnet26"), "plain ResNet, none of resnet18, resnet34, resnet50, resnet101, resnext101_32x4d"),
        (state("resnet18", 1000), "plain ResNet: resnet18"),
        (state(TOWER, 512), "CLIP image tower: vit_xsmall_patch16_clip_224 (width 256, patch 16, 10 blocks, projection 512)"),
        (microsofts(tower), "CLIP image tower: vit_xsmall_patch16_clip_224 (width 256, patch 16, 10 blocks, projection 512)"),
        (published(), "CLIP image tower, auto-pruned (width 12, patch 32, 3 blocks, projection 7)"),
        ({"appearance.network.conv1.weight": torch.ones(1), "neck.weight": torch.ones(1)}, "a run's checkpoint (appearance)"),
        ({"x": torch.ones(1), "y": torch.ones(1)}, "other (its first tensors: x, y)"),
        (published() | {"z": torch.ones(1)}, "other: CLIP's names, but it holds 1 tensors that are neither"),
    ):
        assert recognise(tensors).startswith(wanted)


# the registry as it is


def test_the_registry_holds_together() -> None:
    assert len(PUBLISHED) == 14
    for name, one in PUBLISHED.items():
        assert one.name == name
        assert one.url.startswith("https://github.com/")
        assert one.url.endswith(f"/{name}")
        assert (one.sha256 is None) == (one.hash_from == "")
        if one.sha256 is not None:
            assert set(one.sha256) <= set("0123456789abcdef")
            assert len(one.sha256) == 64 or name.endswith(f"-{one.sha256}.pth")
        assert cache_path(one).name == name
    of_ibn_net = {one.network for one in PUBLISHED.values() if "IBN-Net" in one.url}
    assert of_ibn_net == set(IBN_TRUNKS)
    for one in PUBLISHED.values():
        assert one.network in IBN_TRUNKS or SemanticsSettings(tower=one.network).tower == one.network


def test_every_file_that_a_recipe_names_is_published_and_for_that_network() -> None:
    named = 0
    for path in own_recipes().values():
        model = load_recipe(path).model.as_clip_senet()
        for part, network in ((model.appearance, "trunk"), (model.semantics, "tower")):
            if part is not None and part.weights is not None:
                assert PUBLISHED[str(part.weights)].network == getattr(part, network)
                named += 1
    assert named >= 8


@pytest.mark.parametrize("words", [[], ["--dry-run"]], ids=["train", "dry run"])
def test_a_training_fetches_what_its_recipe_names_before_anything_else(
    run, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("CLIPSENET_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    data = ["--data", toy_folder, "--set", "data.benchmark=toy", "--run", tmp_path / "run"]
    result = run("train", "veri776-baseline", *data, *words)
    assert result.code == 1
    assert "CLIPSENET_OFFLINE forbids the network" in result.err
    assert "releases/download/v1.0/resnext101_ibn_a-6ace051d.pth and put it at" in result.err
    assert not (tmp_path / "run").exists()
