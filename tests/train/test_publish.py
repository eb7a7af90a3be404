import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from malaygpt import Translator
from malaygpt.hub import EMBEDDED, FILES, find_checkpoint
from tests.hub_double import TOKEN, HubDouble, Outcome, User, serving
from train import fit, publish
from train.state import checkpoints, read_position


def test_a_bundle_translates_as_its_run_does_and_says_what_it_is(data, trained, tmp_path):
    out = tmp_path / "bundle"
    about = tmp_path / "about.md"
    about.write_text("All of it was made by us.")
    options = ["--test", str(data / "eval.tsv"), "--about", str(about)]
    assert publish.main([str(trained), "--out", str(out), *options]) == 0
    names = {"README.md", "config.json", "model.safetensors", "scores.json", "tokenizer.json"}
    assert {file.name for file in out.iterdir()} == names
    with safe_open(out / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118, no mapping
    ours, theirs = Translator.load(out), Translator.load(checkpoints(trained)[-1])
    english = [line.split("\t")[0] for line in (data / "eval.tsv").read_text().splitlines()]
    same = sum(ours.translate(text) == theirs.translate(text) for text in english)
    assert same >= 0.9 * len(english)  # bfloat16 may tip a balance now and then
    card = (out / "README.md").read_text()
    score = json.loads((out / "scores.json").read_text())["eval"]["metrics"]["chrf"]["score"]
    assert f"| {score:.1f} |" in card
    assert "| morning | 1 |" in card
    assert "made by us" in card


def test_the_card_names_the_runs_before(data, packed, trained, tmp_path):
    begin = [str(packed), "--out", str(tmp_path / "run"), "--preset", "tiny", "--epochs", "1", "--num-samples", "0"]
    assert fit.main([*begin, "--optimizer", "muon", "--start-from", str(checkpoints(trained)[-1])]) == 0
    assert publish.main([str(tmp_path / "run"), "--out", str(tmp_path / "bundle")]) == 0
    card = " ".join((tmp_path / "bundle" / "README.md").read_text().split())
    assert "Muon with a peak learning rate of 0.001" in card
    assert f"Before that: {read_position(checkpoints(trained)[-1]).step:,} steps" in card and "with AdamW" in card


def test_a_bundle_takes_the_place_of_a_bundle_and_of_nothing_else(trained, tmp_path, capsys):
    out = tmp_path / "bundle"
    for _ in range(2):
        assert publish.main([str(trained), "--out", str(out)]) == 0
    (out / "thesis.txt").write_text("precious")
    assert publish.main([str(trained), "--out", str(out)]) == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert (out / "thesis.txt").read_text() == "precious"


def test_a_score_on_what_may_have_been_trained_on_is_refused(data, trained, tmp_path, capsys):
    seen = tmp_path / "seen.tsv"
    seen.write_text((data / "eval.tsv").read_text())
    assert publish.main([str(trained), "--out", str(tmp_path / "bundle"), "--test", str(seen)]) == 2
    assert "not kept out" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_a_single_checkpoint_of_a_run_can_be_published(trained, tmp_path):
    assert publish.main([str(checkpoints(trained)[-1]), "--out", str(tmp_path / "bundle")]) == 0
    assert (tmp_path / "bundle" / "README.md").is_file()


def test_what_is_no_run_is_refused_in_one_line_and_nothing_is_lost(tmp_path, capsys):
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "model.safetensors").write_text("precious")
    assert publish.main([str(tmp_path), "--out", str(out)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert (out / "model.safetensors").read_text() == "precious"


# To the Hub


@pytest.fixture
def hub_double() -> Iterator[HubDouble]:
    with serving() as double:
        yield double


@pytest.fixture
def maker(hub_double: HubDouble, tmp_path: Path) -> User:
    """Someone who may write to the repos of `user`"""
    return User(hub_double.endpoint, tmp_path / "home of the maker", TOKEN)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be written into"""
    return shutil.copytree(trained, tmp_path / "run of the maker")


def pull(source: str) -> tuple[dict[str, bytes], list[str]]:
    """A checkpoint's files, and its translations."""
    directory = find_checkpoint(source)
    translator = Translator.load(source)
    return contents(directory), [translator.translate(text) for text in ("I eat fish .", "we see a house .")]


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.is_file()}


def assert_refused(outcome: Outcome, *words: str) -> None:
    assert outcome.value == 2, outcome
    (line,) = outcome.output.strip().splitlines()
    assert len(line) < 400
    for word in words:
        assert word in line


def test_what_is_published_is_pulled_bit_for_bit_and_translates_the_same(checkpoint, hub_double, maker):
    assert maker.run(publish.main, [str(checkpoint), "--repo", "user/name", "--tag", "v1"]).value == 0
    assert hub_double.files("user/name").keys() == {".gitattributes", *contents(checkpoint)}
    visitor = replace(maker, home=maker.home.with_name("home of a visitor"), token=None)
    files, translations = visitor.run(pull, "user/name@v1").value
    assert files == contents(checkpoint)
    assert translations == pull(str(checkpoint))[1]


def test_the_embedded_checkpoint_can_be_published_as_it_is(hub_double, maker):
    assert maker.run(publish.main, [str(EMBEDDED), "--repo", "user/embedded"]).value == 0
    published = hub_double.files("user/embedded")
    assert {name: published[name] for name in FILES if name in published} == contents(EMBEDDED)


def test_a_run_is_published_in_one_commit_with_a_card_that_the_hub_reads(data, run, hub_double, maker, tmp_path):
    from huggingface_hub import ModelCard  # not above: see hub_double

    about = tmp_path / "about.md"
    about.write_text("All of it was made by us.")
    options = ["--test", str(data / "eval.tsv"), "--about", str(about), "--license", "cc-by-4.0"]
    command = [str(run), "--repo", "user/name", "--private", *options, "--datasets", "user/pairs"]
    assert maker.run(publish.main, command).value == 0
    repo = hub_double.repos["model", "user/name"]
    assert repo.private and len(repo.commits) == 2, "the Hub's first commit and ours"
    published = hub_double.files("user/name")
    card = ModelCard(published["README.md"].decode())
    scores = json.loads(published["scores.json"])["eval"]
    assert (card.data.license, card.data.language, card.data.datasets) == ("cc-by-4.0", ["en", "ms"], ["user/pairs"])
    assert {"translation", "transformer", "malay"} <= set(card.data.tags)
    results = {result.metric_name: (result.dataset_name, result.metric_value) for result in card.data.eval_results}
    assert results == {
        name: ("eval", scores["metrics"][metric]["score"])
        for name, metric in (("BLEU", "bleu"), ("chrF", "chrf"), ("chrF++", "chrf++"))
    }
    assert 'load("user/name")' in card.text and "made by us" in card.text
    assert scores["command"].startswith("python -m train.evaluate user/name eval.tsv")


def test_nothing_private_is_uploaded(data, run, hub_double, maker):
    state = torch.load(checkpoints(run)[-1] / "training.pt", weights_only=True)
    assert state["optimizer"]
    command = [str(run), "--repo", "user/name", "--epochs", "--test", str(data / "eval.tsv")]
    assert maker.run(publish.main, command).value == 0
    sent = [*hub_double.received, *hub_double.objects.values()]
    for repo in hub_double.repos.values():
        for commit in repo.commits.values():
            assert commit.keys() <= {".gitattributes", *FILES}
            sent += [file.content for file in commit.values()]
    paths = [f"{path}/" for path in (data, maker.home, Path.home(), Path(tempfile.gettempdir()), Path.cwd())]
    for private in (*paths, run.name):
        assert not [content[:80] for content in sent if private.encode() in content], private
    assert not [content for content in sent if b"PK\x03\x04" in content[:4]], "a pickle of torch.save"


def test_what_lies_beside_a_bundle_stays_and_what_left_it_leaves_the_repo(checkpoint, hub_double, maker, tmp_path):
    out = tmp_path / "bundle"
    shutil.copytree(checkpoint, out)
    (out / "thesis.txt").write_text("precious")
    (out / "scores.json").write_text("{}")
    theirs = {"pictures/a.png": b"a picture of theirs", ".gitattributes": b""}
    hub_double.put("user/name", theirs)
    for names in ({"scores.json"}, set()):
        assert maker.run(publish.main, [str(out), "--repo", "user/name"]).value == 0
        (out / "scores.json").unlink(missing_ok=True)
        assert hub_double.files("user/name").keys() == theirs.keys() | contents(checkpoint).keys() | names


def make_two_epochs(run: Path) -> None:
    """Puts a checkpoint at the end of epochs 1 and 2 and one inside epoch 3 in the place of a run's only one."""
    (last,) = checkpoints(run)
    for step, epoch, batch in ((10, 1, 0), (20, 2, 0), (25, 2, 5)):
        copy = last.with_name(f"step-{step:08d}")
        shutil.copytree(last, copy, ignore=shutil.ignore_patterns("training.pt"))
        (copy / "position.json").write_text(json.dumps({"step": step, "epoch": epoch, "batch": batch}))
    shutil.rmtree(last)


def test_epochs_are_revisions(run, hub_double, maker):
    make_two_epochs(run)
    for _ in range(2):  # again, as after a failure half-way
        assert maker.run(publish.main, [str(run), "--repo", "user/name", "--epochs"]).value == 0
        assert hub_double.repos["model", "user/name"].branches.keys() == {"main", "epoch-01", "epoch-02"}
    files, _ = maker.run(pull, "user/name@epoch-02").value
    assert b"20 steps, 2 epochs" in files["README.md"]
    assert b"25 steps" in hub_double.files("user/name")["README.md"]


# What goes wrong on the way


def test_a_publisher_whom_another_overtakes_changes_nothing(checkpoint, hub_double, maker):
    hub_double.put("user/name", {"README.md": b"old"})
    hub_double.meanwhile("preupload", lambda: hub_double.put("user/name", {"README.md": b"of another"}))
    assert_refused(maker.run(publish.main, [str(checkpoint), "--repo", "user/name"]), "user/name", "call it again")
    assert hub_double.files("user/name") == {"README.md": b"of another"}
    assert maker.run(publish.main, [str(checkpoint), "--repo", "user/name"]).value == 0


def test_a_bundle_that_could_not_be_published_waits_to_be_published_again(run, hub_double, maker):
    hub_double.answer("POST .*/commit/main", 412)
    outcome = maker.run(publish.main, [str(run), "--repo", "user/name"])
    assert outcome.value == 2 and f"The bundle is {run / 'bundle'}" in outcome.output
    assert maker.run(publish.main, [str(run / "bundle"), "--repo", "user/name"]).value == 0
    published = hub_double.files("user/name")
    assert {name: published[name] for name in contents(run / "bundle")} == contents(run / "bundle")


def test_of_two_who_publish_at_once_one_wins_whole(checkpoint, trained, hub_double, maker, tmp_path):
    other = tmp_path / "other"
    assert publish.main([str(trained), "--out", str(other)]) == 0
    hub_double.put("user/name", {"README.md": b"old"})
    hub_double.gather("POST .*/commit/main", 2)
    waits = [maker.start(publish.main, [str(path), "--repo", "user/name"]) for path in (checkpoint, other)]
    outcomes = [wait() for wait in waits]
    assert sorted(outcome.value for outcome in outcomes) == [0, 2]
    winner = (checkpoint, other)[[outcome.value for outcome in outcomes].index(0)]
    published = hub_double.files("user/name")
    assert {name: published[name] for name in contents(winner)} == contents(winner)
    assert_refused(next(outcome for outcome in outcomes if outcome.value), "someone else has published")


def test_a_hub_that_fails_half_way_through_an_upload_keeps_what_it_had(checkpoint, hub_double, maker):
    hub_double.put("user/name", {"README.md": b"old"})
    for pattern, status in (("POST .*/commit/main", 503), ("POST .*/preupload/main", 400), ("batch", 403)):
        hub_double.answer(pattern, status)
        assert_refused(maker.run(publish.main, [str(checkpoint), "--repo", "user/name"]), "user/name", str(status))
        assert hub_double.files("user/name") == {"README.md": b"old"}
    hub_double.answer("PUT /lfs/", 503)
    assert maker.run(publish.main, [str(checkpoint), "--repo", "user/name"]).value == 0


@pytest.mark.parametrize("token", [None, "hf_of_nobody"])
def test_without_a_token_that_may_write_nothing_is_done(checkpoint, hub_double, maker, token):
    for repo in ("user/name", "other/name"):
        visitor = replace(maker, token=token)
        assert_refused(visitor.run(publish.main, [str(checkpoint), "--repo", repo]), repo, "HF_TOKEN")
    assert not hub_double.repos


def test_what_the_hub_would_refuse_or_show_is_refused_first(checkpoint, hub_double, maker):
    sha = hub_double.put("user/name", {"README.md": b"old"})
    hub_double.repos["model", "user/name"].tags["v1"] = sha
    command = [str(checkpoint), "--repo", "user/name"]
    assert_refused(maker.run(publish.main, [*command, "--private"]), "user/name", "public", "--private")
    assert_refused(maker.run(publish.main, [*command, "--tag", "v1"]), "'v1'", "another --tag")
    assert_refused(maker.run(publish.main, [*command, "--out", "x"]), "bundle", "--out")
    assert_refused(maker.run(publish.main, [str(checkpoint)]), "bundle already", "--repo")
    assert_refused(maker.run(publish.main, [str(checkpoint), "--repo", "a/b/c"]), "'a/b/c'", "user/name")
    assert_refused(maker.run(publish.main, command, HF_HUB_OFFLINE="1"), "HF_HUB_OFFLINE")
    hub_double.stop()
    assert_refused(maker.run(publish.main, command), "cannot be reached")
    assert hub_double.files("user/name") == {"README.md": b"old"}


def test_a_bundle_that_nobody_could_load_is_not_published(checkpoint, hub_double, maker, tmp_path):
    out = shutil.copytree(checkpoint, tmp_path / "bundle")
    (out / "model.safetensors").write_bytes((out / "model.safetensors").read_bytes()[:-8])
    assert_refused(maker.run(publish.main, [str(out), "--repo", "user/name"]), "model.safetensors", "damaged")
    assert not hub_double.repos


def test_what_only_the_hub_has_needs_a_repo(trained, tmp_path, capsys):
    for option in (["--tag", "v1"], ["--epochs"], ["--private"]):
        assert publish.main([str(trained), "--out", str(tmp_path / "out"), *option]) == 2
        assert f"{option[0]} is for the Hub" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
