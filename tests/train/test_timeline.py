"""A run's timeline says what its checkpoints say, its figures are those of its log, and damage to it is noticed."""

import errno
import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from malaygpt.checkpoint import CheckpointError, load_checkpoint
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.timeline import TIMELINE, load_timeline
from malaygpt.tokenizer import CLS_ID, SEP_ID, Tokenizer
from train import fit, publish
from train.packed import PackedPairs
from train.state import checkpoints
from train.timeline import MAX_MOMENTS, MAX_POINTS, PROBES, Leg, main, read_probes, some, thin, timeline, translate

PROBE = "The teacher will buy two books in the morning."
OPTIONS = ["--preset", "tiny", "--tokens-per-batch", "512", "--warmup-steps", "50", "--learning-rate", "5e-3"]
QUICK = ["--average-decay", "0.98", "--log-every", "7", "--num-samples", "0", "--threads", "1"]
"""Seven does not divide an epoch: the last steps of the run are in no line of its log."""


@pytest.fixture(scope="module")
def run(packed, tmp_path_factory) -> Path:
    """A run long enough to learn the grammar, with its moments and its log"""
    run = tmp_path_factory.mktemp("run") / "fit"
    assert fit.main([str(packed), "--out", str(run), "--epochs", "25", *OPTIONS, *QUICK]) == 0
    return run


@pytest.fixture(scope="module")
def leg(packed, run, tmp_path_factory) -> Path:
    """A run that goes on from the end of that one"""
    leg = tmp_path_factory.mktemp("leg") / "fit"
    start = ["--start-from", str(checkpoints(run)[-1])]
    assert fit.main([str(packed), "--out", str(leg), "--epochs", "2", *start, *OPTIONS, *QUICK]) == 0
    return leg


@pytest.fixture(scope="module")
def made(run) -> dict:
    """The timeline of the run with its twelve probes and one of the grammar, made by the command and read back"""
    probes = run.parent / "probes.txt"
    probes.write_text(f"{PROBES.read_text()}\n{PROBE}\n")
    assert main([str(run), "--probes", str(probes)]) == 0
    return load_timeline(run)


def log(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / fit.LOG).read_text().splitlines()]


def last_step(run: Path) -> int:
    return int(checkpoints(run)[-1].name.removeprefix("step-"))


def unpack(text: str, num_maps: int, num_rows: int) -> np.ndarray:
    """(num_maps, T, S), from 0 to 1"""
    return np.frombuffer(b64decode(text), np.uint8).reshape(num_maps, num_rows, -1) / 255


@torch.inference_mode()
def next_log_probs(model: Transformer, src: torch.Tensor, tgt: list[int]) -> torch.Tensor:
    """(T, V): what may follow each of the target tokens, by one pass over all of them; never [PAD], [UNK] or [CLS]"""
    logits = model(src, torch.tensor([tgt]))[0]
    logits[:, :SEP_ID] = -torch.inf
    return logits.log_softmax(-1)


def test_there_are_twelve_probes_of_four_to_fourteen_words():
    assert [4 <= len(probe.split()) <= 14 for probe in read_probes(PROBES)] == [True] * 12


def test_a_timeline_goes_from_random_weights_to_the_last_and_shows_learning(run, made):
    steps = [moment["step"] for moment in made["moments"]]
    assert steps[:3] == [0, 10, 20] and steps[-1] == last_step(run)
    assert 8 <= len(steps) <= MAX_MOMENTS
    first, last = (made["moments"][i]["translations"][-1] for i in (0, -1))
    assert last["text"] == "Guru itu akan membeli dua buah buku pada waktu pagi."
    assert np.mean(last["probabilities"]) > 0.7 > 0.3 > np.mean(first["probabilities"])


def test_pieces_join_to_the_texts_and_end_with_the_end(made):
    for text in (made["probes"][-1], made["moments"][-1]["translations"][-1]):
        assert "".join(text["pieces"]) == text["text"] + "[SEP]"


def test_translations_that_do_not_end_are_cut_off(made):
    lengths = [[len(said["pieces"]) for said in moment["translations"]] for moment in made["moments"]]
    assert max(map(max, lengths)) == max(lengths[1]) == 40
    assert "[SEP]" not in max(made["moments"][1]["translations"], key=lambda said: len(said["pieces"]))["pieces"]


@pytest.mark.parametrize("at", [3, -1])
def test_probabilities_and_attention_are_those_of_a_teacher_forced_pass(run, made, at):
    moment = made["moments"][at]
    model, tokenizer = load_checkpoint(Leg(run).weights[moment["step"]])
    said = moment["translations"][-1]
    src, tgt, chosen = torch.tensor([[*tokenizer.encode(PROBE), SEP_ID]]), [CLS_ID], []
    for _ in said["pieces"]:
        value, token = next_log_probs(model, src, tgt)[-1].max(-1)
        tgt, chosen = [*tgt, token.item()], [*chosen, value.item()]
    assert tokenizer.pieces(tgt[1:]) == said["pieces"]
    forced = next_log_probs(model, src, tgt[:-1]).gather(1, torch.tensor(tgt[1:])[:, None])
    assert said["probabilities"] == pytest.approx(forced[:, 0].exp().tolist(), abs=1e-4)
    cross = model.attend(src, torch.tensor([tgt[:-1]])).cross.numpy()
    layers = unpack(said["layers"], made["num_layers"], len(chosen))
    heads = unpack(said["heads"], made["num_heads"], len(chosen))
    np.testing.assert_allclose(layers, cross.mean(axis=1), atol=0.51 / 255)
    np.testing.assert_allclose(heads, cross[-1], atol=0.51 / 255)


@torch.no_grad()
def test_a_byte_is_where_the_schema_says(tokenizer: Tokenizer):
    """A model made by hand, which says one token for ever and at place i attends to the source at place i"""
    model = build_model(ModelConfig(tokenizer.vocab_size, 24, 3, 1, 2, 8, max_length=64)).eval()
    for name, parameter in model.named_parameters():
        parameter.fill_(float(name.endswith("gain")))
    model.positions.table.zero_()[:24] = torch.eye(24)
    for block in model.decoder.blocks:
        for layer in (block.cross_attention.query, block.cross_attention.key):
            layer.weight.copy_(torch.eye(8, 24).repeat(3, 1))  # every head sees the first eight places
    model.decoder.norm.gain.zero_()
    model.decoder.norm.bias[23] = 100
    model.embedding.weight[9, 23] = 0.01
    (said,) = translate(model, tokenizer, [[5, 6, 7, 8]])
    num_rows, num_columns = 40, 5
    assert said["pieces"] == tokenizer.pieces([9]) * num_rows
    for name, num_maps in ("layers", 2), ("heads", 3):
        data = b64decode(said[name])
        assert len(data) == num_maps * num_rows * num_columns
        for number in range(num_maps):
            rows = [data[(number * num_rows + i) * num_columns :][:num_columns] for i in range(num_columns)]
            assert [[i for i, byte in enumerate(row) if byte > 250] for row in rows] == [[0], [1], [2], [3], [4]]


def test_figures_of_a_moment_are_those_of_the_log(packed, run, made):
    lines = [line for line in log(run) if "loss" in line]
    seconds = np.cumsum([0, *(line["tokens"] / line["tokens_per_second"] for line in lines)])
    moments = {moment["step"]: moment for moment in made["moments"]}
    names = "step", "epoch", "tokens", "seconds", "loss", "chrf"
    assert [moments[0][name] for name in names] == [0, 0, 0, 0, None, None]
    tenth = moments[10]
    assert tenth["loss"] == round(lines[1]["loss"], 4)
    assert tenth["seconds"] == pytest.approx(seconds[1] + 3 / 7 * (seconds[2] - seconds[1]), abs=0.06)
    assert tenth["epoch"] == pytest.approx(10 * lines[1]["epoch"] / 14, abs=1e-3)
    assert tenth["validation_loss"] is tenth["bleu"] is tenth["chrf"] is None
    last, scores = made["moments"][-1], log(run)[-1]
    assert (last["epoch"], last["chrf"], last["bleu"]) == (25, round(scores["chrf"], 2), round(scores["bleu"], 2))
    lengths = PackedPairs(packed / "train").tgt_lengths
    assert last["step"] % 7, "the last steps are to be in no line"
    assert last["tokens"] == pytest.approx(25 * (lengths.sum() + len(lengths)), rel=2e-3)
    assert last["loss"] == round(lines[-1]["loss"], 4)
    beyond = (last["step"] - lines[-1]["step"]) / 7
    assert last["seconds"] == pytest.approx(seconds[-1] + beyond * (seconds[-1] - seconds[-2]), abs=0.06)


def test_curves_are_those_of_the_log(run, made):
    lines = log(run)
    losses = [(line["step"], round(line["loss"], 4)) for line in lines if "loss" in line]
    chrf = [(line["step"], round(line["chrf"], 2)) for line in lines if "chrf" in line]
    training, validation = made["training"], made["validation"]
    assert list(zip(training["step"], training["loss"], strict=True)) == losses
    assert list(zip(validation["step"], validation["chrf"], strict=True)) == chrf
    assert training["seconds"] == sorted(training["seconds"]) and training["seconds"][0] > 0


def test_legs_count_on_from_one_another(run, leg):
    assert 0 in Leg(leg).weights and 0 not in Leg(leg, Leg(run)).weights  # the same as the end of the first
    first, second, both = (timeline(runs, [PROBE]) for runs in ([run], [leg], [run, leg]))
    ends = [each["moments"][-1] for each in (first, second, both)]
    for name in ("step", "epoch", "tokens", "seconds"):
        assert ends[2][name] == pytest.approx(ends[0][name] + ends[1][name], abs=1), name
    assert ends[2]["translations"] == ends[1]["translations"]
    steps = [moment["step"] for moment in both["moments"]]
    assert steps == sorted(set(steps)) and len(steps) <= MAX_MOMENTS
    end = ends[0]["step"]
    assert both["training"]["step"] == first["training"]["step"] + [end + n for n in second["training"]["step"]]
    assert both["validation"]["step"] == first["validation"]["step"] + [end + n for n in second["validation"]["step"]]


def test_a_leg_of_other_tokens_is_refused_in_one_line(run, leg, tokenizer, tmp_path, capsys):
    stranger = tmp_path / "stranger"
    shutil.copytree(leg, stranger)
    for path in stranger.rglob("tokenizer.json"):
        tokenizer.save(path)
    assert main([str(run), str(stranger)]) == 2
    assert "different tokenizers" in only_line(capsys)


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (lambda lines: [{k: v for k, v in json.loads(x).items() if k != "tokens"} for x in lines], True),
        (lambda lines: [], False),
    ],
)
def test_what_the_log_does_not_tell_is_null(run, tmp_path, change: Callable, known: bool):
    other = tmp_path / "run"
    shutil.copytree(run, other)
    lines = (other / fit.LOG).read_text().splitlines()
    (other / fit.LOG).write_text("".join(json.dumps(line) + "\n" for line in change(lines)))
    probes = tmp_path / "probes.txt"
    probes.write_text(PROBE)
    assert main([str(other), "--probes", str(probes)]) == 0
    last = load_timeline(other)["moments"][-1]
    assert last["tokens"] is last["seconds"] is None
    assert [last[name] is not None for name in ("epoch", "chrf")] == [known, known]


def test_a_line_that_a_kill_cut_off_is_left_out(run, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(run, other)
    text = (other / fit.LOG).read_text()
    (other / fit.LOG).write_text(text[:-20])
    assert len(Leg(other).validations) == len(Leg(run).validations) - 1


def test_thinned_moments_keep_both_ends_and_are_even_over_the_logarithm():
    moments, epochs = [0, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], range(897, 9000, 898)
    assert thin(moments, 16) == moments
    kept = thin({*moments, *epochs}, 16)
    assert len(kept) == 16 and kept[:7] == moments[:7] and kept[-1] == epochs[-1]
    late = np.diff(np.log(kept[7:]))
    assert late.min() > 0.1
    assert thin([0, 10, 11, 20, *range(8000, 9000)], 5) == [0, 10, 20, 8000, 8999]
    assert thin([7], 16) == [7] and thin(range(9), 1) == [0, 8]


def test_a_long_curve_is_thinned_and_keeps_both_ends_and_its_beginning():
    points = [{"step": step} for step in range(5000)]
    steps = [point["step"] for point in some(points)]
    assert len(steps) <= MAX_POINTS and steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, 4999)
    assert sum(step < 500 for step in steps) > len(steps) / 4


def test_a_full_disk_leaves_the_old_file_whole(run, made, monkeypatch, capsys):
    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = (run / TIMELINE).read_bytes()
    monkeypatch.setattr("train.state.flush", fail)
    assert main([str(run)]) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]
    assert (run / TIMELINE).read_bytes() == before


def test_what_cannot_be_made_is_refused_in_one_line(run, tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "not a run" in only_line(capsys)
    empty, long = tmp_path / "empty.txt", tmp_path / "long.txt"
    empty.write_text("\n \n")
    long.write_text("fish " * 2000)
    assert main([str(run), "--probes", str(empty)]) == 2
    assert "holds no sentences" in only_line(capsys)
    assert main([str(run), "--probes", str(long), "--out", str(tmp_path / "out.json")]) == 2
    assert "too long" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out.json").exists()


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


def test_a_bundle_takes_the_timeline_of_its_run(run, made, tmp_path):
    for _ in range(2):  # and gives it up for a newer one
        assert publish.main([str(run), "--out", str(tmp_path / "bundle")]) == 0
        assert load_timeline(tmp_path / "bundle") == made


def test_a_checkpoint_need_not_have_a_timeline(tmp_path):
    assert load_timeline(tmp_path) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.pop("version"),
        lambda t: t.pop("moments"),
        lambda t: t["moments"].clear(),
        lambda t: t["moments"].reverse(),
        lambda t: t["moments"][2].pop("seconds"),
        lambda t: t["moments"][2]["translations"].pop(),
        lambda t: t["moments"][2]["translations"][0]["probabilities"].pop(),
        lambda t: t["moments"][2]["translations"][0].update(layers="AAAA"),
        lambda t: t["moments"][2]["translations"][0].update(heads="not base64"),
        lambda t: t["moments"][2].update(translations=7),
        lambda t: t["probes"][0]["pieces"].pop(),
        lambda t: t["training"]["loss"].pop(),
        lambda t: t["validation"].pop("bleu"),
    ],
)
def test_damage_is_refused_in_one_line(made, tmp_path, damage: Callable[[dict], object]):
    copy = json.loads(json.dumps(made))
    damage(copy)
    (tmp_path / TIMELINE).write_text(json.dumps(copy))
    with pytest.raises(CheckpointError, match=r"timeline\.json is damaged .* delete it\.$"):
        load_timeline(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"version": 1', "\x00", "[" * 100_000])
def test_a_file_that_is_no_timeline_is_refused_in_one_line(tmp_path, text):
    (tmp_path / TIMELINE).write_text(text)
    with pytest.raises(CheckpointError, match=r"timeline\.json is damaged"):
        load_timeline(tmp_path)


def test_a_timeline_of_another_version_is_refused_by_its_number(tmp_path):
    (tmp_path / TIMELINE).write_text('{"version": 2, "rooms": []}')
    with pytest.raises(CheckpointError, match=r"is of version 2 and this program reads 1\. Update malaygpt"):
        load_timeline(tmp_path)
