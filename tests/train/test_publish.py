import json

from safetensors import safe_open

from malaygpt import Translator
from train import publish
from train.state import checkpoints


def test_a_bundle_translates_as_its_run_does_and_says_what_it_is(data, trained, tmp_path):
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "old.txt").write_text("left from before")
    assert publish.main([str(trained), "--out", str(out), "--test", str(data / "eval.tsv")]) == 0
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
