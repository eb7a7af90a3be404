"""A checkpoint in the formats of other engines, with the same weights and so the same greedy translations.

    python -m train.export assets/checkpoint --ctranslate2 exported/ct2 --transformers exported/hf

Each directory is whole, and translates one sentence at a time; cutting a text into sentences is the translator's work:

    translator = ctranslate2.Translator("exported/ct2", compute_type="int8")
    tokenizer = tokenizers.Tokenizer.from_file("exported/ct2/tokenizer.json")
    tokenizer.encode_special_tokens = True  # whoever types "[SEP]" means those five characters
    result = translator.translate_batch([tokenizer.encode("Good morning.").tokens], beam_size=1)[0]
    print(tokenizer.decode([tokenizer.token_to_id(token) for token in result.hypotheses[0]]))

    model = AutoModelForSeq2SeqLM.from_pretrained("exported/hf")
    tokenizer = AutoTokenizer.from_pretrained("exported/hf")
    ids = model.generate(**tokenizer(["Good morning."], return_tensors="pt"))
    print(tokenizer.batch_decode(ids, skip_special_tokens=True))

Neither format can hold our bound on the length of a translation (malaygpt.decode), which stops one that loops: each
engine has a bound of its own, and an option for it. The engines are needed here and nowhere else in training.
"""

import argparse
import math
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from tokenizers import Tokenizer as HFTokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn

from malaygpt.checkpoint import TOKENIZER, WEIGHTS, CheckpointError, load_checkpoint
from malaygpt.model import LayerNorm, MultiHeadAttention, Transformer
from malaygpt.tokenizer import CLS, CLS_ID, PAD, PAD_ID, SEP, SEP_ID, UNK, UNK_ID

NEVER_SAID = [PAD_ID, UNK_ID, CLS_ID]
"""Tokens that our decoding never chooses"""


def new_directory(path: Path) -> None:
    """Makes a directory to write into. Raises ValueError when it holds anything: it might be the only copy."""
    if path.is_dir() and any(path.iterdir()):
        raise ValueError(f"{path} is not empty; choose another directory.")
    path.mkdir(parents=True, exist_ok=True)


def engine(name: str) -> ModuleType:
    """The package of an engine. Raises ModuleNotFoundError with the command that installs it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"Writing for {name} needs its package ({error}): pip install {name}") from error


# CTranslate2


def to_ctranslate2(checkpoint: Path, out: Path, quantization: str | None = None) -> None:
    """Writes the directory of a `ctranslate2.Translator`, and our tokenizer beside it, for version 4 or later.

    Weights are stored in float32, or as `quantization` says ("int8"); `compute_type` says at loading how to compute.
    It adds [SEP] to a source by itself, and never says [PAD], [UNK] or [CLS]. Raises CheckpointError,
    ModuleNotFoundError, and ValueError when `out` is not empty.
    """
    specs = engine("ctranslate2").specs
    model, _ = load_checkpoint(checkpoint)
    new_directory(out)
    spec = _ctranslate2_spec(specs, model)
    vocabulary = _vocabulary(checkpoint, model.config.vocab_size)
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = UNK, CLS, SEP
    spec.config.decoder_start_token, spec.config.add_source_eos = CLS, True
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(out))
    shutil.copyfile(checkpoint / TOKENIZER, out / TOKENIZER)


def _ctranslate2_spec(specs: ModuleType, model: Transformer) -> Any:
    """CTranslate2's description of a Transformer, filled with the model's weights"""
    config = model.config
    num_blocks = config.num_encoder_blocks, config.num_decoder_blocks
    spec = specs.TransformerSpec.from_config(num_blocks, config.num_heads, activation=specs.Activation.RELU)
    spec.config.layer_norm_epsilon = model.encoder.norm.eps
    for ours, theirs, embeddings in (
        (model.encoder, spec.encoder, spec.encoder.embeddings[0]),
        (model.decoder, spec.decoder, spec.decoder.embeddings),
    ):
        embeddings.weight = _array(model.embedding.weight)
        theirs.scale_embeddings = True
        theirs.position_encodings.encodings = _array(model.positions.table)
        _fill_norm(theirs.layer_norm, ours.norm)
        for block, layer in zip(ours.blocks, theirs.layer, strict=True):
            _fill_self_attention(layer.self_attention, block.self_attention)
            _fill_norm(layer.self_attention.layer_norm, block.add_self_attention.norm)
            _fill_linear(layer.ffn.linear_0, block.feed_forward.expand)
            _fill_linear(layer.ffn.linear_1, block.feed_forward.contract)
            _fill_norm(layer.ffn.layer_norm, block.add_feed_forward.norm)
    for block, layer in zip(model.decoder.blocks, spec.decoder.layer, strict=True):
        _fill_cross_attention(layer.attention, block.cross_attention)
        _fill_norm(layer.attention.layer_norm, block.add_cross_attention.norm)
    # A bias that our projection lacks keeps unsaid what has to be, whatever options a translation is asked with.
    bias = torch.zeros(config.vocab_size)
    bias[NEVER_SAID] = -math.inf
    spec.decoder.projection.weight = _array(model.embedding.weight)
    spec.decoder.projection.bias = _array(bias)
    return spec


def _fill_self_attention(spec: Any, attention: MultiHeadAttention) -> None:
    _fill_linear(spec.linear[0], attention.query, attention.key, attention.value)
    _fill_linear(spec.linear[1], attention.output)


def _fill_cross_attention(spec: Any, attention: MultiHeadAttention) -> None:
    _fill_linear(spec.linear[0], attention.query)
    _fill_linear(spec.linear[1], attention.key, attention.value)
    _fill_linear(spec.linear[2], attention.output)


def _fill_linear(spec: Any, *linears: nn.Linear) -> None:
    """Several layers that read the same vector become one."""
    spec.weight = _array(torch.cat([linear.weight for linear in linears]))
    spec.bias = _array(torch.cat([linear.bias for linear in linears]))


def _fill_norm(spec: Any, norm: LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.gain), _array(norm.bias)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy()


def _vocabulary(checkpoint: Path, vocab_size: int) -> list[str]:
    """Every token as it is spelt in tokenizer.json, in the order of ids; ids beyond the tokenizer's have a filler."""
    tokenizer = HFTokenizer.from_file(str(checkpoint / TOKENIZER))
    tokens = (tokenizer.id_to_token(i) for i in range(vocab_size))
    return [f"[UNUSED{i}]" if token is None else token for i, token in enumerate(tokens)]


# transformers

PEGASUS_NAMES = (
    ("embedding", "shared"),
    ("add_self_attention.norm", "self_attn_layer_norm"),
    ("add_cross_attention.norm", "encoder_attn_layer_norm"),
    ("add_feed_forward.norm", "final_layer_norm"),
    ("self_attention", "self_attn"),
    ("cross_attention", "encoder_attn"),
    ("feed_forward.expand", "fc1"),
    ("feed_forward.contract", "fc2"),
    ("query", "q_proj"),
    ("key", "k_proj"),
    ("value", "v_proj"),
    ("output", "out_proj"),
    ("blocks", "layers"),
    ("coder.norm", "coder.layer_norm"),
    ("gain", "weight"),
)
"""Parts of our parameters' names and what Pegasus calls them, in the order in which they are replaced"""
READERS = {"embedding", "query", "key", "value", "expand"}
"""Modules whose weight has the features of the residual stream as its columns; those of all others are rows."""


def to_transformers(checkpoint: Path, out: Path) -> None:
    """Writes a directory for `AutoModelForSeq2SeqLM` and `AutoTokenizer` of Hugging Face's transformers, 5 or later.

    Our Transformer is their Pegasus once the features of the residual stream stand in another order (`in_halves`).
    Weights are float32, in which ours are computed. Raises CheckpointError, ModuleNotFoundError, and ValueError when
    `out` is not empty.
    """
    transformers = engine("transformers")
    model, _ = load_checkpoint(checkpoint)
    new_directory(out)
    pegasus = transformers.PegasusForConditionalGeneration(_pegasus_config(transformers, model))
    absent, unknown = pegasus.model.load_state_dict(_pegasus_weights(model), strict=False)
    # Positions are their own formula, and the embeddings of both sides are `shared`.
    strays = [name for name in absent if ".embed_positions." not in name and ".embed_tokens." not in name]
    assert not strays and not unknown, (strays, unknown)
    pegasus.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=CLS_ID,
        bos_token_id=CLS_ID,
        eos_token_id=SEP_ID,
        pad_token_id=PAD_ID,
        suppress_tokens=NEVER_SAID,
        max_new_tokens=model.config.max_length,
    )
    pegasus.save_pretrained(out)
    (out / WEIGHTS).chmod(0o644)  # safetensors makes a file that its owner alone can read
    _pegasus_tokenizer(transformers, checkpoint, model.config.max_length).save_pretrained(out)


def _pegasus_config(transformers: ModuleType, model: Transformer) -> Any:
    ours = model.config
    return transformers.PegasusConfig(
        vocab_size=ours.vocab_size,
        d_model=ours.d_model,
        encoder_layers=ours.num_encoder_blocks,
        decoder_layers=ours.num_decoder_blocks,
        encoder_attention_heads=ours.num_heads,
        decoder_attention_heads=ours.num_heads,
        encoder_ffn_dim=ours.d_ff,
        decoder_ffn_dim=ours.d_ff,
        max_position_embeddings=ours.max_length,
        activation_function="relu",
        scale_embedding=True,
        dropout=ours.dropout,
        attention_dropout=ours.dropout,
        activation_dropout=ours.dropout,
        decoder_start_token_id=CLS_ID,
        bos_token_id=CLS_ID,
        eos_token_id=SEP_ID,
        forced_eos_token_id=None,
        pad_token_id=PAD_ID,
        dtype=torch.float32,
    )


def _pegasus_weights(model: Transformer) -> dict[str, Tensor]:
    """Our parameters by Pegasus' names, features of the residual stream in Pegasus' order"""
    weights = {}
    for name, tensor in model.state_dict().items():
        tensor = in_halves(name, tensor)
        for ours, theirs in PEGASUS_NAMES:
            name = name.replace(ours, theirs)
        weights[name] = tensor
    return weights


def in_halves(name: str, tensor: Tensor) -> Tensor:
    """A parameter for a model whose positions hold all sines and then all cosines, where ours take turns.

    Nothing but the position table knows the order of a Transformer's features: with all that reads or writes the
    residual stream in another order, every sum is over the same numbers.
    """
    module, kind = name.split(".")[-2:]
    if module in READERS:
        return _evens_then_odds(tensor, dim=1) if kind == "weight" else tensor
    return _evens_then_odds(tensor, dim=0)


def _evens_then_odds(tensor: Tensor, dim: int) -> Tensor:
    order = torch.arange(tensor.size(dim))
    return tensor.index_select(dim, torch.cat([order[0::2], order[1::2]]))


def _pegasus_tokenizer(transformers: ModuleType, checkpoint: Path, max_length: int) -> Any:
    """Our tokenizer, which besides ends a source with [SEP]"""
    backend = HFTokenizer.from_file(str(checkpoint / TOKENIZER))
    backend.post_processor = TemplateProcessing(single=f"$A {SEP}", pair=f"$A $B {SEP}", special_tokens=[(SEP, SEP_ID)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        unk_token=UNK,
        bos_token=CLS,
        eos_token=SEP,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
        split_special_tokens=True,  # as malaygpt.tokenizer does
    )


FORMATS = {"ctranslate2": to_ctranslate2, "transformers": to_transformers}


def add_options(parser: argparse.ArgumentParser) -> None:
    """An option for every format"""
    for name in FORMATS:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"write the checkpoint for {name} as well")


def export(checkpoint: Path, options: argparse.Namespace) -> None:
    """Writes the formats that `add_options` was given directories for."""
    for name, write in FORMATS.items():
        if directory := getattr(options, name):
            write(checkpoint, directory)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.export", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="directory of a checkpoint or bundle")
    add_options(parser)
    options = parser.parse_args(arguments)
    if not any(getattr(options, name) for name in FORMATS):
        parser.error("give a directory to write: " + " or ".join(f"--{name} DIR" for name in FORMATS))
    try:
        export(options.checkpoint, options)
    except (CheckpointError, ModuleNotFoundError, OSError, ValueError) as error:
        print(f"train.export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
