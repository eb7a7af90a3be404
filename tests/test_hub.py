"""Which sources are directories and which are repositories, and fetching from a Hub: a small one that runs here.

huggingface_hub reads its settings when it is imported, so each of its settings is a process of its own.
"""

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from malaygpt import hub
from malaygpt.checkpoint import CheckpointError, load_checkpoint
from malaygpt.hub import FILES, find_checkpoint

ROOT = Path(__file__).resolve().parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "/api/models/user/name"

FETCH_EACH = """
import sys
from malaygpt.checkpoint import CheckpointError
from malaygpt.hub import find_checkpoint
for source in sys.argv[1:]:
    try:
        print("found", find_checkpoint(source))
    except CheckpointError as error:
        print("refused", repr(str(error)))
"""


def fetch_each(sources: list[str], cache: Path, **settings: str) -> list[tuple[str, str]]:
    """What becomes of each source in a new process: ("found", directory) or ("refused", message)"""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    ran = subprocess.run(
        [sys.executable, "-c", FETCH_EACH, *sources],
        env=inherited | {"HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    results = [line.split(" ", 1) for line in ran.stdout.splitlines()]
    return [(kind, ast.literal_eval(rest) if kind == "refused" else rest) for kind, rest in results]


def assert_one_line(message: str, *names: str) -> None:
    assert len(message.splitlines()) == 1 and len(message) < 400, message
    for name in names:
        assert name in message


# Where a source is looked for


@pytest.fixture
def no_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository is named and not fetched."""
    monkeypatch.setattr(hub, "fetch", lambda repo, revision: ("Hub", repo, revision))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, which is the home directory too"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("no_fetching", "here")
@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("user/name", ("Hub", "user/name", None)),
        ("user/name@v1.0", ("Hub", "user/name", "v1.0")),
        ("user/name@refs/pr/1", ("Hub", "user/name", "refs/pr/1")),
        ("user/name@", ("Hub", "user/name", None)),
        ("name", Path("name")),
        ("./user/name", Path("user/name")),
        ("../user/name", Path("../user/name")),
        ("/user/name", Path("/user/name")),
        (Path("user/name"), Path("user/name")),
    ],
)
def test_a_source_is_a_path_or_a_repository(source: str | Path, found: object):
    assert find_checkpoint(source) == found


@pytest.mark.usefixtures("no_fetching")
def test_what_exists_is_a_path_before_it_is_a_repository(here: Path):
    (here / "user" / "name").mkdir(parents=True)
    assert find_checkpoint("user/name") == Path("user/name")


@pytest.mark.usefixtures("no_fetching")
def test_a_tilde_is_the_home_directory(here: Path):
    assert find_checkpoint("~/name") == here / "name"
    assert find_checkpoint(Path("~/name")) == here / "name"


def test_no_source_is_the_embedded_checkpoint():
    assert find_checkpoint(None) == ROOT / "assets" / "checkpoint"


def test_the_home_of_nobody_is_refused_like_any_other_source():
    with pytest.raises(CheckpointError, match="~nosuchuser/name"):
        load_checkpoint(find_checkpoint("~nosuchuser/name"))


# What cannot be fetched


def test_without_a_network_each_failure_is_one_line(tmp_path: Path):
    offline, strange = fetch_each(["user/name", "not a repo/at all/no"], tmp_path, HF_HUB_OFFLINE="1")
    assert offline[0] == strange[0] == "refused"
    assert_one_line(offline[1], "user/name", "not in the cache", "give a directory")
    assert_one_line(strange[1], "not a repo/at all/no", "user/name")


def test_a_hub_that_does_not_answer_is_one_line(tmp_path: Path):
    closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    closed.server_close()
    ((kind, message),) = fetch_each(["user/name@v2"], tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{closed.server_port}")
    assert kind == "refused"
    assert_one_line(message, "user/name", "check the network")


# A Hub


class SmallHub(ThreadingHTTPServer):
    """One public repository, user/name, at one commit, main; it writes down what was asked of it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), SmallHubHandler)
        self.files = files
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class SmallHubHandler(BaseHTTPRequestHandler):
    server: SmallHub

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        if path.startswith("/api/models/user/broken"):
            self.answer(500, b"")
        elif not path.startswith((MODEL, "/user/name/")):
            self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif path in (f"{MODEL}/revision/main", f"{MODEL}/revision/{COMMIT}"):
            siblings = [{"rfilename": name} for name in self.server.files]
            self.answer_json({"id": "user/name", "sha": COMMIT, "siblings": siblings})
        elif path == f"{MODEL}/tree/{COMMIT}":
            sizes = {name: len(content) for name, content in self.server.files.items()}
            self.answer_json([{"type": "file", "path": n, "size": size, "oid": n} for n, size in sizes.items()])
        elif (name := path.removeprefix(f"/user/name/resolve/{COMMIT}/")) in self.server.files:
            self.answer(200, self.server.files[name], {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})
        else:
            self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})

    do_HEAD = do_GET

    def answer_json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def small_hub(checkpoint: Path) -> Iterator[SmallHub]:
    files = {file.name: file.read_bytes() for file in checkpoint.iterdir()}
    server = SmallHub(files | {"README.md": b"a card", "pytorch_model.bin": b"a pickle", "optimizer.pt": b"another"})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_repository_is_fetched_without_its_pickles_and_then_found_without_the_hub(
    small_hub: SmallHub, tmp_path: Path
):
    fetched, absent, no_revision, broken = fetch_each(
        ["user/name", "user/absent", "user/name@v9", "user/broken"], tmp_path, HF_ENDPOINT=small_hub.endpoint
    )
    assert fetched[0] == "found", fetched
    directory = Path(fetched[1])
    model, _ = load_checkpoint(directory)
    assert model.config.d_model == 32
    assert {file.name for file in directory.iterdir()} == {*FILES} & small_hub.files.keys()
    assert not [path for path in small_hub.asked if path.endswith((".bin", ".pt"))]

    assert absent[0] == no_revision[0] == broken[0] == "refused"
    assert_one_line(absent[1], "user/absent", "missing or private", "HF_TOKEN")
    assert_one_line(no_revision[1], "user/name", "no revision 'v9'")
    assert_one_line(broken[1], "user/broken", "could not be fetched")

    num_asked = len(small_hub.asked)
    ((kind, again),) = fetch_each(["user/name"], tmp_path, HF_HUB_OFFLINE="1", HF_ENDPOINT=small_hub.endpoint)
    assert (kind, Path(again)) == ("found", directory)
    assert len(small_hub.asked) == num_asked
