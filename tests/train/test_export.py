"""Other engines say with the exported weights what ours says: the same logits, and greedily the same tokens."""

import json
import sys
from pathlib import Path

import ctranslate2
import pytest
import torch
from tokenizers import Tokenizer as HFTokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from malaygpt.checkpoint import CONFIG, load_checkpoint, load_config, save_checkpoint
from malaygpt.decode import search_batch
from malaygpt.engine import PlainEngine
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.tokenizer import CLS_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS, Tokenizer
from tests.conftest import pad_rows
from train import export, publish
from train.export import NEVER_SAID, to_ctranslate2, to_transformers

TEXTS = [
    "I eat fish.",
    "a",
    "The cat sleeps, and nobody reads books: 24,259 of them!",
    "日本語 ñ 🐟",
    "[SEP] means [CLS]",
    "My house has doors, the house of the cat has doors, the doors have a house.",
]


@pytest.fixture(scope="session")
def random_checkpoint(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every parameter random, gains and biases too; deeper one side than the other, and with ids of no token.

    Its weights are large, so that it does not say the same token for ever, and what must not be said the largest.
    """
    config = ModelConfig(
        tokenizer.vocab_size + 3,
        d_model=32,
        num_heads=2,
        num_encoder_blocks=3,
        num_decoder_blocks=2,
        d_ff=64,
        max_length=96,
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(6)
        model = build_model(config)
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) / 10)
            elif name != "embedding.weight":
                parameter.mul_(3)
        model.embedding.weight[NEVER_SAID] *= 3
    directory = tmp_path_factory.mktemp("random")
    save_checkpoint(directory, config, model.state_dict(), tokenizer, torch.float32)
    return directory


@pytest.fixture(scope="session", params=["random", "trained"])
def ours(request: pytest.FixtureRequest) -> Path:
    """A checkpoint whose translations run to the length bound, and one whose translations end"""
    return request.getfixturevalue({"random": "random_checkpoint", "trained": "checkpoint"}[request.param])


@pytest.fixture(scope="session")
def ct2(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ctranslate2")
    to_ctranslate2(ours, directory)
    return directory


@pytest.fixture(scope="session")
def hf(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("transformers")
    to_transformers(ours, directory)
    return directory


def greedy(checkpoint: Path) -> list[list[int]]:
    """Our tokens for each of TEXTS"""
    model, tokenizer = load_checkpoint(checkpoint)
    return [list(best.ids) for best, *_ in search_batch(PlainEngine(model), tokenizer.encode_batch(TEXTS))]


def same_up_to_our_bound(theirs: list[list[int]], ours: list[list[int]]) -> bool:
    """Whether two lists of translations are one; those that loop go on for longer where nobody stops them."""
    return all(their[: len(our)] == our for their, our in zip(theirs, ours, strict=True))


def test_logits_of_transformers_equal_ours(ours: Path, hf: Path):
    model, tokenizer = load_checkpoint(ours)
    theirs = AutoModelForSeq2SeqLM.from_pretrained(hf)
    assert theirs.dtype == torch.float32
    assert not theirs.final_logits_bias.any()
    src = pad_rows([[*ids, SEP_ID] for ids in tokenizer.encode_batch(TEXTS)])
    tgt = pad_rows([[CLS_ID, *ids] for ids in tokenizer.encode_batch(TEXTS[::-1])])
    with torch.inference_mode():
        logits = theirs(input_ids=src, attention_mask=src != PAD_ID, decoder_input_ids=tgt).logits
        real = tgt != PAD_ID
        torch.testing.assert_close(logits[real], model(src, tgt)[real], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [1, len(TEXTS)])
def test_transformers_says_the_same_from_text(ours: Path, hf: Path, batch_size: int):
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(hf), AutoTokenizer.from_pretrained(hf)
    said = []
    for start in range(0, len(TEXTS), batch_size):
        inputs = tokenizer(TEXTS[start : start + batch_size], padding=True, return_tensors="pt")
        said += model.generate(**inputs)[:, 1:].tolist()
    assert same_up_to_our_bound([[i for i in ids if i not in (SEP_ID, PAD_ID)] for ids in said], greedy(ours))


def test_tokens_of_transformers_are_ours_and_an_end(ours: Path, hf: Path):
    _, tokenizer = load_checkpoint(ours)
    theirs = AutoTokenizer.from_pretrained(hf)
    assert theirs(TEXTS).input_ids == [[*ids, SEP_ID] for ids in tokenizer.encode_batch(TEXTS)]
    ids = tokenizer.encode_batch(TEXTS)
    assert theirs.batch_decode(ids, skip_special_tokens=True) == [tokenizer.decode(i) for i in ids] == TEXTS


@pytest.mark.parametrize("batch_size", [1, len(TEXTS)])
def test_ctranslate2_says_the_same_from_text(ours: Path, ct2: Path, batch_size: int):
    translator = ctranslate2.Translator(str(ct2), compute_type="float32", intra_threads=1)
    tokenizer = HFTokenizer.from_file(str(ct2 / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    tokens = [encoding.tokens for encoding in tokenizer.encode_batch(TEXTS)]
    max_length = load_config(ours / CONFIG).max_length
    results = translator.translate_batch(tokens, beam_size=1, max_batch_size=batch_size, max_decoding_length=max_length)
    vocabulary = json.loads((ct2 / "shared_vocabulary.json").read_text())
    said = [[vocabulary.index(token) for token in result.hypotheses[0]] for result in results]
    assert same_up_to_our_bound(said, greedy(ours))


def test_the_random_model_would_say_what_must_not_be_said_and_much_else(random_checkpoint: Path):
    """Without which the tests above would see little."""
    model, tokenizer = load_checkpoint(random_checkpoint)
    src = pad_rows([[*ids, SEP_ID] for ids in tokenizer.encode_batch(TEXTS)])
    assert set(first_choices(model, src)) & set(NEVER_SAID)
    assert len({token for said in greedy(random_checkpoint) for token in said}) > 20


@torch.inference_mode()
def first_choices(model: Transformer, src: torch.Tensor) -> list[int]:
    return model(src, torch.full((len(src), 1), CLS_ID))[:, -1].argmax(-1).tolist()


def test_eight_bit_weights_take_less_than_half_of_the_space(checkpoint: Path, tmp_path: Path):
    to_ctranslate2(checkpoint, tmp_path / "float32")
    to_ctranslate2(checkpoint, tmp_path / "int8", quantization="int8")
    whole, small = ((tmp_path / name / "model.bin").stat().st_size for name in ("float32", "int8"))
    assert small < whole / 2
    translator = ctranslate2.Translator(str(tmp_path / "int8"), intra_threads=1)
    said = translator.translate_batch([["ĠI"]], beam_size=4)[0].hypotheses[0]
    assert not set(said) & set(SPECIAL_TOKENS)


@pytest.mark.parametrize("name", export.FORMATS)
def test_what_is_there_is_never_overwritten(name: str, checkpoint: Path, tmp_path: Path, capsys):
    precious = tmp_path / "config.json"
    precious.write_text("precious")
    assert export.main([str(checkpoint), f"--{name}", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("name", export.FORMATS)
def test_a_missing_engine_is_named_with_the_command_that_installs_it(
    name: str, checkpoint, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, name, None)
    assert export.main([str(checkpoint), f"--{name}", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"pip install {name}" in error
    assert len(error.strip().splitlines()) == 1


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path, capsys):
    assert export.main([str(tmp_path), "--ctranslate2", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_run_is_published_for_all_engines_at_once(trained: Path, tmp_path: Path):
    options = ["--ctranslate2", str(tmp_path / "ct2"), "--transformers", str(tmp_path / "hf")]
    assert publish.main([str(trained), "--out", str(tmp_path / "bundle"), *options]) == 0
    assert ctranslate2.contains_model(str(tmp_path / "ct2"))
    theirs = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "hf").model.shared.weight
    bundled = load_checkpoint(tmp_path / "bundle")[0].embedding.weight
    torch.testing.assert_close(theirs, export.in_halves("embedding.weight", bundled), atol=0, rtol=0)
