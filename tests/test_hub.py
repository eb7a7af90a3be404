"""Which sources are directories and which are repositories, and what a Hub gives: its double on loopback, and the real
client, each time in a process of its own.
"""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from malaygpt import hub
from malaygpt.checkpoint import CheckpointError, load_checkpoint
from malaygpt.hub import find_checkpoint
from tests.hub_double import TOKEN, HubDouble, User, serving

ROOT = Path(__file__).resolve().parent.parent

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


# What a Hub gives


@pytest.fixture
def hub_double() -> Iterator[HubDouble]:
    with serving() as double:
        yield double


@pytest.fixture
def files(checkpoint: Path) -> dict[str, bytes]:
    """A published checkpoint"""
    return {file.name: file.read_bytes() for file in checkpoint.iterdir()} | {"README.md": b"a card"}


@pytest.fixture
def user(hub_double: HubDouble, tmp_path: Path) -> User:
    """Someone without a token whose cache is empty"""
    return User(hub_double.endpoint, tmp_path / "cache")


def pull(*sources: str) -> list[Path | str]:
    """The directory of each source, or why there is none; done in a process of its own."""
    found = []
    for source in sources:
        try:
            found.append(find_checkpoint(source))
        except CheckpointError as error:
            found.append(str(error))
    return found


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def pull_one(user: User, source: str = "user/name", **settings: str) -> Path | str:
    (found,) = user.run(pull, source, **settings).value
    return found


def assert_one_line(message: Path | str, *words: str) -> None:
    assert isinstance(message, str), f"nothing was refused: {message}"
    assert len(message.splitlines()) == 1 and len(message) < 400, message
    for word in words:
        assert word in message


def test_a_checkpoint_is_pulled_bit_for_bit_without_its_pickles(hub_double: HubDouble, user: User, files: dict):
    hub_double.put("user/name", files | {"pytorch_model.bin": b"a pickle", "more/config.json": b"another's"})
    directory = pull_one(user)
    assert contents(directory) == files
    load_checkpoint(directory)
    assert not [asked for asked in hub_double.asked if asked.endswith((".bin", "more/config.json"))]


def test_after_a_pull_a_commit_needs_no_hub_and_a_branch_asks_it_once(hub_double: HubDouble, user: User, files: dict):
    commit = hub_double.put("user/name", files)
    directory = pull_one(user)
    assert directory.name == commit
    hub_double.asked.clear()
    assert user.run(pull, f"user/name@{commit}").value == [directory]
    assert hub_double.asked == []
    assert pull_one(user) == directory
    assert hub_double.asked == ["GET /api/models/user/name/revision/main"]
    hub_double.asked.clear()
    assert user.run(pull, "user/name", f"user/name@{commit}", HF_HUB_OFFLINE="1").value == [directory] * 2
    assert hub_double.asked == []
    hub_double.stop()
    assert pull_one(user) == directory


def test_a_branch_is_followed_and_a_commit_stays(hub_double: HubDouble, user: User, files: dict):
    old = hub_double.put("user/name", files)
    pull_one(user)
    new = hub_double.put("user/name", files | {"README.md": b"a better card"})
    followed, pinned = user.run(pull, "user/name", f"user/name@{old}").value
    assert (followed.name, pinned.name) == (new, old)
    assert contents(pinned) == files and contents(followed)["README.md"] == b"a better card"


def test_tags_and_branches_with_slashes_are_found_again_offline(hub_double: HubDouble, user: User, files: dict):
    commit = hub_double.put("user/name", files)
    hub_double.repos["model", "user/name"].tags |= {"v1": commit, "refs/pr/1": commit}
    sources = "user/name@v1", "user/name@refs/pr/1"
    found = user.run(pull, *sources).value
    assert [directory.name for directory in found] == [commit, commit]
    assert user.run(pull, *sources, HF_HUB_OFFLINE="1").value == found


def test_a_private_repo_is_pulled_by_whom_its_token_lets(hub_double: HubDouble, user: User, files: dict):
    hub_double.put("user/secret", files, private=True)
    assert_one_line(pull_one(user, "user/secret"), "user/secret", "missing or private", "HF_TOKEN")
    assert contents(pull_one(user, "user/secret", HF_TOKEN=TOKEN)) == files


def test_what_is_not_on_the_hub_is_named(hub_double: HubDouble, user: User, files: dict):
    hub_double.put("user/name", files)
    hub_double.put("user/other", {"config.json": b"{}", "pytorch_model.bin": b"a pickle"})
    sources = "user/absent", "user/name@v9", "user/name@" + "0" * 40, "user/other", "not a repo/at all/no"
    absent, no_tag, no_commit, other, strange = user.run(pull, *sources).value
    assert_one_line(absent, "user/absent", "missing or private", "HF_TOKEN")
    assert_one_line(no_tag, "user/name", "no revision 'v9'")
    assert_one_line(no_commit, "user/name", "no revision '0000")
    assert_one_line(other, "user/other", "lacks model.safetensors, tokenizer.json")
    assert_one_line(strange, "not a repo/at all/no", "user/name")


def test_a_checkpoint_of_a_later_format_is_named(hub_double: HubDouble, user: User, files: dict):
    later = json.dumps(json.loads(files["config.json"]) | {"format": 2, "num_experts": 8})
    hub_double.put("user/name", files | {"config.json": later.encode()})
    with pytest.raises(CheckpointError, match=r"format 2 and this program reads 1\. Update malaygpt") as refused:
        load_checkpoint(pull_one(user))
    assert len(str(refused.value).splitlines()) == 1


# A Hub that fails


def test_offline_and_not_in_the_cache_is_one_line(tmp_path: Path):
    user = User("http://127.0.0.1:9", tmp_path)
    assert_one_line(pull_one(user, HF_HUB_OFFLINE="1"), "user/name", "not in the cache", "HF_HUB_OFFLINE")


def test_a_hub_that_is_down_is_one_line_at_once(hub_double: HubDouble, user: User):
    hub_double.stop()
    outcome = user.run(pull, "user/name", "user/name@v2", "user/name@" + "0" * 40)
    for message in outcome.value:
        assert_one_line(message, "user/name", "not in the cache", "check the network")
    assert outcome.seconds < 15, "left to itself, the client tries for 23 seconds"


def test_a_hub_that_takes_calls_and_says_nothing_is_one_line_in_seconds(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = User(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path).run(pull, "user/name")
    assert_one_line(outcome.value[0], "user/name", "check the network")
    assert outcome.seconds < 15


def test_a_hub_whose_answer_trickles_is_one_line_in_seconds(tmp_path: Path):
    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # until the other end is gone
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(60):
                connection.sendall(b"X-%d: 1\r\n" % number)
                time.sleep(0.5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=trickle, args=(listener,), daemon=True).start()
        outcome = User(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path).run(pull, "user/name")
    assert_one_line(outcome.value[0], "user/name", "check the network")
    assert outcome.seconds < 15


@pytest.mark.parametrize("asked", ["revision/main", "GET .*/config.json"])
def test_a_hub_that_answers_503_is_one_line_and_what_was_fetched_whole_is_used(
    hub_double: HubDouble, user: User, files: dict, asked: str
):
    commit = hub_double.put("user/name", files)
    hub_double.answer(asked, 503, times=99)
    assert_one_line(pull_one(user), "user/name", "503", "try again later")
    hub_double.forgive()
    directory = pull_one(user)
    assert directory.name == commit and contents(directory) == files
    hub_double.put("user/name", files | {"config.json": files["config.json"] + b"\n"})
    hub_double.answer(asked, 503, times=99)
    outcome = user.run(pull, "user/name")
    assert outcome.value == [directory]
    assert commit in outcome.output, "it is said in the log"


def test_a_rate_limit_is_waited_for_or_named(hub_double: HubDouble, user: User, files: dict):
    hub_double.put("user/name", files)
    hub_double.answer("revision/main", 429, **{"Retry-After": "120"})
    assert_one_line(pull_one(user), "user/name", "120 seconds", "HF_TOKEN")
    hub_double.answer("GET /lfs/", 429, **{"Retry-After": "0"})
    assert contents(pull_one(user)) == files
    assert sum(asked.startswith("GET /lfs/") for asked in hub_double.asked) == 2


def test_a_hub_that_dies_half_way_leaves_nothing_half(hub_double: HubDouble, user: User, files: dict):
    commit = hub_double.put("user/name", files)
    hub_double.die("GET /lfs/.*model.safetensors")
    assert_one_line(pull_one(user), "user/name", "check the network")
    (snapshot,) = user.home.glob("hub/*/snapshots/*")
    assert "model.safetensors" not in contents(snapshot)
    assert_one_line(pull_one(user, HF_HUB_OFFLINE="1"), "not in the cache")
    hub_double.start()
    directory = pull_one(user)
    assert directory.name == commit and contents(directory) == files


def test_a_failed_update_leaves_what_was_there_in_use(hub_double: HubDouble, user: User, files: dict):
    old = hub_double.put("user/name", files)
    directory = pull_one(user)
    new = hub_double.put("user/name", files | {"README.md": b"a better card"})
    hub_double.answer(f"GET .*{new}/README.md", 503, times=99)
    for settings in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert pull_one(user, **settings) == directory, settings
    assert contents(directory) == files and directory.name == old
    hub_double.forgive()
    assert pull_one(user).name == new


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_wrong_bytes_of_the_right_size_are_fetched_again_or_refused(
    hub_double: HubDouble, user: User, files: dict, name: str
):
    hub_double.put("user/name", files)
    hub_double.damage(f"GET .*{name}", times=99)
    assert_one_line(pull_one(user), name, "user/name", "damaged", "checksum")
    assert_one_line(pull_one(user, HF_HUB_OFFLINE="1"), "not in the cache")
    hub_double.forgive()
    hub_double.damage(f"GET .*{name}", times=1)
    assert contents(pull_one(user)) == files


def test_what_the_disk_damaged_is_fetched_again_and_never_used(hub_double: HubDouble, user: User, files: dict):
    commit = hub_double.put("user/name", files)
    weights = (pull_one(user) / "model.safetensors").resolve()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert_one_line(pull_one(user, f"user/name@{commit}", HF_HUB_OFFLINE="1"), "not in the cache")
    assert contents(pull_one(user, f"user/name@{commit}")) == files


def pull_with_little_room(source: str) -> list[Path | str]:
    """As `pull`, when no file may be larger than 20,000 bytes: the kernel fails the write as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    return pull(source)


def test_a_full_disk_is_one_line_and_nothing_half_is_left(hub_double: HubDouble, user: User, files: dict):
    assert len(files["model.safetensors"]) > 20_000
    hub_double.put("user/name", files)
    (message,) = user.run(pull_with_little_room, "user/name").value
    assert_one_line(message, "user/name", "make room", "HF_HOME", str(user.home))
    assert not list(user.home.rglob("*.incomplete"))
    assert contents(pull_one(user)) == files


def test_a_cache_that_cannot_be_made_is_one_line(hub_double: HubDouble, files: dict, tmp_path: Path):
    hub_double.put("user/name", files)
    (tmp_path / "file").write_text("not a directory")
    assert_one_line(pull_one(User(hub_double.endpoint, tmp_path / "file" / "cache")), "user/name", "could not be")
