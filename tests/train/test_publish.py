import json

from safetensors import safe_open

from malaygpt import Translator
from train import publish
from train.state import checkpoints


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
