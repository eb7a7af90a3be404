"""A trained model as a directory: `config.json`, `model.safetensors`, `tokenizer.json` (and scores.json, README.md).

Safetensors only: a pickled file can run code, so it is refused and never opened.
"""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from malaygpt.model import ModelConfig, Transformer
from malaygpt.tokenizer import Tokenizer

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message is one line that says what is wrong and what to do."""


def save_checkpoint(
    directory: Path, config: ModelConfig, weights: dict[str, torch.Tensor], tokenizer: Tokenizer, dtype: torch.dtype
) -> None:
    """Writes the three files into an existing directory, weights as `dtype`."""
    (directory / CONFIG).write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")
    save_file(
        {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in weights.items()}, directory / WEIGHTS
    )
    tokenizer.save(directory / TOKENIZER)


def load_checkpoint(directory: str | Path) -> tuple[Transformer, Tokenizer]:
    """The model (float32, ready to translate, on the CPU) and its tokenizer. Raises CheckpointError."""
    directory = Path(directory)
    if not directory.is_dir():
        raise CheckpointError(
            f"There is no checkpoint directory {directory}; give a directory or a Hub repo (user/name)."
        )
    missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if not (directory / name).is_file()]
    if missing:
        raise CheckpointError(_explain_missing(directory, missing))
    config = load_config(directory / CONFIG)
    try:
        tokenizer = Tokenizer.load(directory / TOKENIZER)
    except ValueError as error:
        raise CheckpointError(f"{error} Fetch the checkpoint again.".replace("\n", " ")) from error
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{directory}: the tokenizer has {tokenizer.vocab_size} tokens and the model {config.vocab_size}; "
            "take both from the same checkpoint."
        )
    return load_model(config, directory / WEIGHTS), tokenizer


def load_config(path: Path) -> ModelConfig:
    """Reads a config.json. Raises CheckpointError."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return ModelConfig(**fields)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a malaygpt config ({error}). Fetch the checkpoint again.") from error


def load_model(config: ModelConfig, path: Path) -> Transformer:
    """A Transformer with the weights of a safetensors file, which may hold any float type. Raises CheckpointError."""
    try:
        weights = load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not safetensors ({error}). Fetch the checkpoint again.") from error
    with torch.device("meta"):
        model = Transformer(config)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    if expected != found:
        name = next(n for n in sorted(expected.keys() | found.keys()) if expected.get(n) != found.get(n))
        raise CheckpointError(
            f"{path} does not fit its config.json: {name} should be {_shape(expected.get(name))} and is "
            f"{_shape(found.get(name))}. Take both from the same checkpoint."
        )
    model = Transformer(config)
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model.eval()


def _shape(shape: torch.Size | None) -> str:
    return "absent" if shape is None else str(tuple(shape))


def _explain_missing(directory: Path, missing: list[str]) -> str:
    pickles = [file.name for file in directory.iterdir() if file.suffix in PICKLES]
    if WEIGHTS in missing and pickles:
        return (
            f"{directory} holds pickled weights ({', '.join(pickles)}), which can run code and are not opened; "
            f"convert them to {WEIGHTS}."
        )
    return f"{directory} lacks {', '.join(missing)}; a checkpoint is {CONFIG}, {WEIGHTS} and {TOKENIZER}."
