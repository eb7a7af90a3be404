"""What is saved is what is loaded; whatever is wrong with a checkpoint is one line that names it and what to do."""

import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from malaygpt.checkpoint import CheckpointError, load_checkpoint, load_shortlist, save_checkpoint, save_shortlist
from malaygpt.engine import FlatEngine, Shortlist
from malaygpt.model import Transformer
from malaygpt.tokenizer import Tokenizer

SRC, TGT = torch.tensor([[5, 6, 7, 3]]), torch.tensor([[2, 9, 8]])


@pytest.fixture
def damaged(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint for a test to damage"""
    return Path(shutil.copytree(checkpoint, tmp_path / "damaged"))


def change_config(directory: Path, **fields: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def change_weights(directory: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    weights = load_file(directory / "model.safetensors")
    change(weights)
    (directory / "model.safetensors").unlink()
    save_file(weights, directory / "model.safetensors")


def change_tokenizer(directory: Path, old: str, new: str) -> None:
    path = directory / "tokenizer.json"
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def refusal(directory: Path) -> str:
    """Why a checkpoint is not loaded, which must be one line that ends with what to do"""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(directory)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and message.endswith(".") and len(message) < 400, message
    return message


# What is saved is what is loaded


def test_a_loaded_model_gives_the_same_logits(model: Transformer, checkpoint: Path):
    loaded, _ = load_checkpoint(checkpoint)
    assert loaded.config == model.config
    assert not loaded.training
    assert torch.equal(loaded(SRC, TGT), model(SRC, TGT))


def test_a_loaded_tokenizer_gives_the_same_ids(tokenizer: Tokenizer, checkpoint: Path, pairs: dict[str, str]):
    _, loaded = load_checkpoint(str(checkpoint))
    assert loaded.encode_batch([*pairs]) == tokenizer.encode_batch([*pairs])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_saved_in_half_are_loaded_as_float32(
    model: Transformer, tokenizer: Tokenizer, checkpoint: Path, tmp_path: Path, dtype: torch.dtype
):
    save_checkpoint(tmp_path, model.config, model.state_dict(), tokenizer, dtype)
    whole, half = (directory.joinpath("model.safetensors").stat().st_size for directory in (checkpoint, tmp_path))
    assert half < 0.6 * whole
    loaded, _ = load_checkpoint(tmp_path)
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].to(dtype).float())


@pytest.mark.parametrize("saved", [torch.bfloat16, torch.float32])
def test_weights_are_loaded_as_they_are_or_as_asked(
    model: Transformer, tokenizer: Tokenizer, tmp_path: Path, saved: torch.dtype
):
    save_checkpoint(tmp_path, model.config, model.state_dict(), tokenizer, saved)
    for asked, dtype in ((None, saved), (torch.bfloat16, torch.bfloat16), (torch.float32, torch.float32)):
        loaded, _ = load_checkpoint(tmp_path, asked)
        for name, tensor in loaded.state_dict().items():
            assert tensor.dtype == dtype
            assert torch.equal(tensor, model.state_dict()[name].to(saved).to(dtype))
        assert loaded.positions.table.dtype == torch.float32, "a formula is not a weight"
        assert not loaded.training
    assert load_checkpoint(tmp_path)[0].embedding.weight.dtype == torch.float32


def test_weights_loaded_as_they_are_serve_an_engine(model: Transformer, tokenizer: Tokenizer, tmp_path: Path):
    save_checkpoint(tmp_path, model.config, model.state_dict(), tokenizer, torch.bfloat16)
    logits = []
    for dtype in (None, torch.float32):
        engine = FlatEngine(load_checkpoint(tmp_path, dtype)[0], "float32", script=False)
        with torch.inference_mode():
            logits.append(engine.step(TGT[:, 0], engine.encode(SRC))[0])
    torch.testing.assert_close(*logits)


def test_the_config_file_is_the_config(model: Transformer, checkpoint: Path):
    assert json.loads((checkpoint / "config.json").read_text()) == dataclasses.asdict(model.config)


def test_a_checkpoint_has_three_files_and_each_tensor_once(model: Transformer, checkpoint: Path):
    assert sorted(file.name for file in checkpoint.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert load_file(checkpoint / "model.safetensors").keys() == dict(model.named_parameters()).keys()


# Files that are not there


def test_a_missing_directory_is_named(tmp_path: Path):
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message and "user/name" in message


def test_a_file_in_place_of_a_directory_is_named(checkpoint: Path):
    assert "config.json" in refusal(checkpoint / "config.json")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(damaged: Path, name: str):
    (damaged / name).unlink()
    assert f"{damaged} lacks {name};" in refusal(damaged)


# Weights


every_damage = pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-7],
        lambda whole: whole[:40],
        lambda whole: whole[:3],
        lambda _: b"",
        lambda _: bytes(range(256)) * 40,
    ],
    ids=["cut at the end", "cut in the header", "cut in the size", "empty", "other bytes"],
)
"""To a safetensors file, of whatever it holds"""


@every_damage
def test_damaged_weights_are_named(damaged: Path, damage: Callable[[bytes], bytes]):
    path = damaged / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    message = refusal(damaged)
    assert str(path) in message and "Fetch" in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: w.update({"encoder.norm.gain": torch.ones(1)}), "encoder.norm.gain should be (32,) and is (1,)"),
        (lambda w: w.pop("encoder.norm.gain"), "encoder.norm.gain should be (32,) and is absent"),
        (lambda w: w.update(more=torch.ones(2, 3)), "more should be absent and is (2, 3)"),
        (lambda w: w.update({"a\nb": torch.ones(1)}), "should be absent"),
        (lambda w: w.clear(), "is absent"),
    ],
    ids=["other shape", "missing", "extra", "line end in a name", "none"],
)
def test_weights_that_do_not_fit_are_named(damaged: Path, change: Callable, complaint: str):
    change_weights(damaged, change)
    message = refusal(damaged)
    assert "model.safetensors" in message and complaint in message


def test_weights_that_are_not_numbers_are_refused(damaged: Path):
    change_weights(damaged, lambda weights: weights["encoder.norm.gain"].fill_(torch.nan))
    message = refusal(damaged)
    assert "model.safetensors" in message and "encoder.norm.gain" in message


# Configs


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not JSON", b"[]", b"null", b"3", b'"text"', b"{}", b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "words", "list", "null", "number", "string", "no fields", "not UTF-8", "deep"],
)
def test_a_config_that_is_not_one_is_named(damaged: Path, content: bytes):
    (damaged / "config.json").write_bytes(content)
    assert str(damaged / "config.json") in refusal(damaged)


@pytest.mark.parametrize(
    "fields",
    [
        {"surprise": 1},
        {"a\nb": 1},
        {"num_heads": 5},
        {"d_model": "wide"},
        {"dropout": "0.1"},
        {"dropout": 2},
        {"pad_id": None},
    ],
    ids=str,
)
def test_a_config_with_a_field_that_cannot_be_is_named(damaged: Path, fields: dict[str, object]):
    change_config(damaged, **fields)
    assert str(damaged / "config.json") in refusal(damaged)


@pytest.mark.parametrize("field", ["vocab_size", "d_model", "d_ff", "max_length"])
def test_a_size_that_no_computer_has_room_for_is_refused(damaged: Path, field: str):
    change_config(damaged, **{field: 2**61})
    assert str(damaged) in refusal(damaged)


def test_a_config_of_another_model_is_refused(damaged: Path):
    change_config(damaged, num_decoder_blocks=3)
    assert "decoder.blocks.2" in refusal(damaged)


def test_a_config_whose_padding_is_not_the_tokenizers_is_refused(damaged: Path):
    """Such a model would mask a word of the source and attend to the padding, without an error anywhere."""
    change_config(damaged, pad_id=5)
    assert "pad_id" in refusal(damaged)


# Tokenizers


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON", b"\xff\x00"])
def test_a_tokenizer_that_is_not_one_is_named(damaged: Path, content: bytes):
    (damaged / "tokenizer.json").write_bytes(content)
    message = refusal(damaged)
    assert str(damaged / "tokenizer.json") in message and "Fetch" in message


def test_a_tokenizer_with_other_special_tokens_is_named(damaged: Path):
    change_tokenizer(damaged, "[CLS]", "<s>")
    message = refusal(damaged)
    assert str(damaged / "tokenizer.json") in message and "[CLS]" in message


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(damaged: Path, pairs: dict[str, str]):
    Tokenizer.train(pairs, vocab_size=400, min_frequency=1).save(damaged / "tokenizer.json")
    vocab_size = json.loads((damaged / "config.json").read_text())["vocab_size"]
    assert f"the model {vocab_size}" in refusal(damaged)


# Shortlists

WORDS = {"common": torch.tensor([3, 4, 9]), "candidates": torch.tensor([[3, 3], [5, 6], [7, 8], [4, 9], [9, 3]] * 2)}
"""A shortlist for ten tokens"""


def shortlist_refusal(directory: Path, vocab_size: int = 10) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_shortlist(directory, vocab_size)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and message.endswith(".") and len(message) < 400, message
    assert str(directory / "shortlist.safetensors") in message and "delete it" in message
    return message


def test_a_loaded_shortlist_allows_what_the_saved_one_allows(tmp_path: Path):
    saved = Shortlist(**WORDS)
    save_shortlist(tmp_path, saved)
    loaded = load_shortlist(str(tmp_path), 10)
    assert torch.equal(loaded.common, saved.common) and torch.equal(loaded.candidates, saved.candidates)
    src = torch.tensor([[5, 6, 3], [4, 3, 0]])
    assert torch.equal(loaded.allowed(src, None), saved.allowed(src, None))


def test_a_shortlist_is_small_and_anyone_may_read_it(tmp_path: Path):
    save_shortlist(tmp_path, Shortlist(torch.arange(3, 103), torch.zeros(200, 32, dtype=torch.long) + 3))
    file = (tmp_path / "shortlist.safetensors").stat()
    assert file.st_size < 4 * (100 + 200 * 32) + 500 and file.st_mode & 0o777 == 0o644


def test_a_checkpoint_need_not_have_a_shortlist(checkpoint: Path):
    assert load_shortlist(checkpoint, 320) is None


def test_a_shortlist_of_another_vocabulary_is_refused(tmp_path: Path):
    save_shortlist(tmp_path, Shortlist(**WORDS))
    for vocab_size in (9, 11):
        assert "vocabulary" in shortlist_refusal(tmp_path, vocab_size)


@pytest.mark.parametrize(
    "changes",
    [
        {"common": torch.tensor([3, 10])},
        {"common": torch.tensor([-1, 3])},
        {"common": torch.tensor([], dtype=torch.int32)},
        {"common": torch.tensor([[3, 4]])},
        {"common": torch.tensor([3.0, 4.5])},
        {"common": torch.tensor([True])},
        {"candidates": torch.full((10, 2), 10)},
        {"candidates": torch.full((10, 2), -1)},
        {"candidates": torch.zeros(10, 0, dtype=torch.int32)},
        {"candidates": torch.zeros(10, dtype=torch.int32)},
        {"candidates": torch.full((10, 2), torch.nan)},
    ],
    ids=str,
)
def test_a_shortlist_of_other_than_tokens_is_refused(tmp_path: Path, changes: dict[str, Tensor]):
    whole = {name: ids.int() for name, ids in WORDS.items()}
    changes = {name: ids if ids.dtype != torch.int64 else ids.int() for name, ids in changes.items()}
    save_file(whole | changes, tmp_path / "shortlist.safetensors")
    assert "vocabulary" in shortlist_refusal(tmp_path)


@pytest.mark.parametrize(
    "change", [lambda w: w.pop("common"), lambda w: w.update({"a\nb": w["common"].clone()}), lambda w: w.clear()]
)
def test_a_shortlist_of_other_parts_is_refused(tmp_path: Path, change: Callable):
    parts = {name: ids.int() for name, ids in WORDS.items()}
    change(parts)
    save_file(parts, tmp_path / "shortlist.safetensors")
    assert "damaged" in shortlist_refusal(tmp_path)


@every_damage
def test_a_damaged_shortlist_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]):
    save_shortlist(tmp_path, Shortlist(**WORDS))
    path = tmp_path / "shortlist.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert "damaged" in shortlist_refusal(tmp_path)


def test_a_directory_in_place_of_a_shortlist_is_named(tmp_path: Path):
    (tmp_path / "shortlist.safetensors").mkdir()
    assert "damaged" in shortlist_refusal(tmp_path)


# Pickles


class Trap:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name", ["model.pt", "pytorch_model.bin", "model.ckpt", "model.safetensors", "config.json", "tokenizer.json"]
)
def test_a_pickle_is_refused_and_never_opened(damaged: Path, tmp_path: Path, name: str):
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    pickle.loads(trap)
    assert sprung.exists(), "the trap does not work, and this test proves nothing"
    sprung.unlink()
    (damaged / "model.safetensors").unlink()
    (damaged / name).write_bytes(trap)
    message = refusal(damaged)
    assert not sprung.exists()
    if name not in ("model.safetensors", "config.json", "tokenizer.json"):
        assert name in message and "model.safetensors" in message


def test_a_pickle_in_place_of_a_shortlist_is_refused_and_never_opened(tmp_path: Path):
    (tmp_path / "shortlist.safetensors").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "damaged" in shortlist_refusal(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_beside_the_weights_is_ignored(damaged: Path, tmp_path: Path):
    (damaged / "optimizer.pt").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    load_checkpoint(damaged)
    assert not (tmp_path / "sprung").exists()
