"""A trained model as a directory: `config.json`, `model.safetensors`, `tokenizer.json`, perhaps
`shortlist.safetensors` (and scores.json, README.md).

Safetensors only: a pickled file can run code, so it is refused and never opened.
"""

import dataclasses
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from malaygpt.engine import Shortlist
from malaygpt.model import ModelConfig, Transformer
from malaygpt.tokenizer import PAD_ID, Tokenizer

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
SHORTLIST = "shortlist.safetensors"
"""Not every checkpoint has one"""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
FORMAT = 1
"""Of what is read here; a config.json of another format says so under "format"."""


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message is one line that says what is wrong and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def first_line(error: Exception) -> str:
    """What an error says, as far as it fits a line of ours"""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def save_checkpoint(
    directory: Path, config: ModelConfig, weights: dict[str, torch.Tensor], tokenizer: Tokenizer, dtype: torch.dtype
) -> None:
    """Writes the three files into an existing directory, weights as `dtype`."""
    (directory / CONFIG).write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")
    _save({name: tensor.detach().to("cpu", dtype) for name, tensor in weights.items()}, directory / WEIGHTS)
    tokenizer.save(directory / TOKENIZER)


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # safetensors makes a file that its owner alone can read


def load_checkpoint(directory: str | Path, dtype: torch.dtype | None = torch.float32) -> tuple[Transformer, Tokenizer]:
    """The model, ready to translate and on the CPU, and its tokenizer. Raises CheckpointError.

    Weights become `dtype`; None leaves them as they are in the file, which takes no memory but the file's.
    """
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
        raise CheckpointError(f"{error} Fetch the checkpoint again.") from error
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{directory}: the tokenizer has {tokenizer.vocab_size} tokens and the model {config.vocab_size}; "
            "take both from the same checkpoint."
        )
    if config.pad_id != PAD_ID:
        raise CheckpointError(f"{directory / CONFIG}: pad_id is {config.pad_id}; the tokenizer's [PAD] is {PAD_ID}.")
    return load_model(config, directory / WEIGHTS, dtype), tokenizer


def load_config(path: Path) -> ModelConfig:
    """Reads a config.json. Raises CheckpointError."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(fields, dict) and (written := fields.pop("format", FORMAT)) != FORMAT:
            raise CheckpointError(
                f"{path} is of checkpoint format {written!r} and this program reads {FORMAT}. "
                "Update malaygpt, or choose an older revision."
            )
        return ModelConfig(**fields)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a malaygpt config ({error}). Fetch the checkpoint again.") from error


def load_model(config: ModelConfig, path: Path, dtype: torch.dtype | None = torch.float32) -> Transformer:
    """A Transformer with the weights of a safetensors file, which may hold any float type. Raises CheckpointError."""
    try:
        weights = load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not safetensors ({error}). Fetch the checkpoint again.") from error
    try:
        model = Transformer(config)  # its matrices take no memory until something is written into them
    except RuntimeError as error:
        raise CheckpointError(f"{path}: a model as large as its config.json says does not fit in memory.") from error
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    if expected != found:
        name = next(n for n in sorted(expected.keys() | found.keys()) if expected.get(n) != found.get(n))
        raise CheckpointError(
            f"{path} does not fit its config.json: {name} should be {_shape(expected.get(name))} and is "
            f"{_shape(found.get(name))}. Take both from the same checkpoint."
        )
    if broken := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"{path}: {broken[0]} holds values that are not numbers. Fetch the checkpoint again.")
    if dtype is not None:
        weights = {name: tensor.to(dtype) for name, tensor in weights.items()}
    model.load_state_dict(weights, assign=True)
    return model.eval()


def save_shortlist(directory: Path, shortlist: Shortlist) -> None:
    """Writes it beside the checkpoint, which uses it from then on."""
    _save({"common": shortlist.common.int(), "candidates": shortlist.candidates.int()}, directory / SHORTLIST)


def load_shortlist(directory: str | Path, vocab_size: int) -> Shortlist | None:
    """The shortlist of a checkpoint, if it has one. Raises CheckpointError."""
    path = Path(directory) / SHORTLIST
    if not path.exists():
        return None
    try:
        shortlist = Shortlist(**load_file(path))
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Fetch the checkpoint again, or delete it.") from error
    common, candidates = shortlist.common, shortlist.candidates
    fits = common.dim() == 1 and candidates.dim() == 2 and len(candidates) == vocab_size
    if not fits or not all(_are_tokens(ids, vocab_size) for ids in (common, candidates)):
        raise CheckpointError(f"{path} is not of this checkpoint's vocabulary; delete it or make it again.")
    return Shortlist(common.long(), candidates.long())


def _are_tokens(ids: torch.Tensor, vocab_size: int) -> bool:
    return ids.dtype == torch.int32 and ids.numel() > 0 and bool(ids.min() >= 0 and ids.max() < vocab_size)


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
