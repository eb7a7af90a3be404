"""The Space's directory, its upload, and its app, run as a Space would: from nothing but that directory."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from malaygpt.translator import Translator
from tests.hub_double import TOKEN, HubDouble, User, serving
from tests.test_architecture import LIBRARY, PAGE, ROOT, imports, top
from train import space

ENGLISH = "Our train leaves on Friday."
"""What the embedded checkpoint translates, and one that knows a few sentences by heart does not"""


@pytest.fixture
def hub_double() -> Iterator[HubDouble]:
    with serving() as double:
        yield double


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("space")
    assert space.main(["--model", "user/name", "--out", str(out)]) == 0
    return out


@contextmanager
def running(directory: Path, endpoint: str, home: Path) -> Iterator[str]:
    """Runs the Space's app where it can import nothing of ours but what lies in the directory; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = User(endpoint, home).settings() | {"GRADIO_SERVER_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    with (home.parent / "output").open("w+") as output:
        app = subprocess.Popen(
            [sys.executable, "space.py"], cwd=directory, env=kept | settings, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 90
            while not answers(url):
                ended = app.poll() is not None or time.monotonic() > deadline
                assert not ended, (home.parent / "output").read_text()
                time.sleep(0.1)
            yield url
        finally:
            app.terminate()
            app.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def translate(url: str, english: str) -> str:
    """Through the app's API, which takes two requests"""
    body = json.dumps({"data": [english]}).encode()
    request = urllib.request.Request(f"{url}/gradio_api/call/translate", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{url}/gradio_api/call/translate/{event}", timeout=60) as answer:
        (line,) = [line for line in answer.read().decode().splitlines() if line.startswith("data: ")]
    return json.loads(line.removeprefix("data: "))[0]


def words(url: str) -> str:
    """All that the page says at first"""
    with urllib.request.urlopen(f"{url}/config", timeout=30) as answer:
        return answer.read().decode()


def test_the_directory_serves_the_hubs_checkpoint(directory, hub_double, checkpoint, translator, tmp_path):
    hub_double.put("user/name", {file.name: file.read_bytes() for file in checkpoint.iterdir()})
    assert translator.translate(ENGLISH) != Translator.load().translate(ENGLISH)
    with running(directory, hub_double.endpoint, tmp_path / "cache") as url:
        assert translate(url, ENGLISH) == translator.translate(ENGLISH)
        assert "`user/name`" not in words(url)


def test_without_the_hub_it_serves_the_embedded_checkpoint_and_says_so(directory, hub_double, tmp_path):
    hub_double.stop()
    with running(directory, hub_double.endpoint, tmp_path / "cache") as url:
        assert translate(url, ENGLISH) == Translator.load().translate(ENGLISH)
        assert "`user/name` could not be had" in words(url)
    output = (tmp_path / "output").read_text()
    assert "user/name is not in the cache" in output and "embedded checkpoint is served" in output


def test_its_readme_tells_the_hub_what_it_needs(directory: Path):
    metadata = yaml.safe_load((directory / "README.md").read_text().split("---\n")[1])
    pins = dict(line.split("==") for line in (directory / "requirements.txt").read_text().splitlines() if "==" in line)
    assert metadata["sdk"] == "gradio" and metadata["sdk_version"] == pins["gradio"]
    assert (directory / metadata["app_file"]).is_file()
    assert metadata["models"] == metadata["preload_from_hub"] == ["user/name"]
    pinned = yaml.safe_load(space.readme("user/name@v1").split("---\n")[1])
    assert pinned["models"] == ["user/name"]
    assert pinned["preload_from_hub"] == ["user/name config.json,model.safetensors,tokenizer.json v1"]


def test_its_requirements_are_those_of_what_it_runs_and_no_gpus(directory: Path):
    lines = (directory / "requirements.txt").read_text().splitlines()
    assert lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert set(lines[1:]) <= set((ROOT / "requirements.txt").read_text().splitlines())
    imported = top(set().union(*(imports(path) for path in (*LIBRARY, *PAGE, ROOT / "app.py"))))
    needed = imported - sys.stdlib_module_names - {"malaygpt"}
    assert needed <= {line.partition("==")[0] for line in lines[1:]}


def test_it_holds_what_is_needed_and_no_more(directory: Path):
    held = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}
    assert {"app.py", "malaygpt/hub.py", "malaygpt/ui/page.py", "assets/checkpoint/model.safetensors"} <= held
    assert not [path for path in held if path.startswith(("train", "tests", "assets/screenshots")) or ".pyc" in path]


def test_it_is_published_in_one_commit_that_clears_away_what_is_old(directory, hub_double, tmp_path):
    user = User(hub_double.endpoint, tmp_path / "home", TOKEN)
    command = ["--model", "user/name", "--repo", "user/space"]
    hub_double.put("user/space", {"malaygpt/old.py": b"", "theirs.txt": b"", "README.md": b"old"}, kind="space")
    assert user.run(space.main, command).value == 0
    published = hub_double.files("user/space", kind="space")
    expected = {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}
    assert published == expected | {"theirs.txt": b""}
    assert len(hub_double.repos["space", "user/space"].commits) == 2

    other = {"app.py": b"of another"}
    hub_double.meanwhile("preupload", lambda: hub_double.put("user/space", other, kind="space"))
    outcome = user.run(space.main, ["--model", "user/name@v1", "--repo", "user/space"])
    assert outcome.value == 2 and "someone else has published" in outcome.output
    assert hub_double.files("user/space", kind="space") == other


def test_a_new_private_space_is_made(hub_double, tmp_path):
    user = User(hub_double.endpoint, tmp_path / "home", TOKEN)
    assert user.run(space.main, ["--model", "user/name", "--repo", "user/new", "--private"]).value == 0
    assert hub_double.repos["space", "user/new"].private


@pytest.mark.parametrize("model", ["name", "a/b/c", "user/na me", 'user/"name'])
def test_what_is_no_model_is_refused_in_one_line(model, tmp_path, capsys):
    assert space.main(["--model", model, "--out", str(tmp_path / "out")]) == 2
    assert "user/name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_directory_with_something_in_it_is_left_alone(directory, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(directory, out)
    assert space.main(["--model", "user/other", "--out", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert '"user/name"' in (out / "space.py").read_text()


def test_the_app_itself_refuses_a_directory_that_is_not_there(tmp_path):
    command = [sys.executable, "app.py", "--checkpoint", str(tmp_path / "absent")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert ran.returncode == 2
    assert str(tmp_path / "absent") in ran.stderr and len(ran.stderr.splitlines()) == 1
