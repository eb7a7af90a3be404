"""malaygpt: an English to Malay translator, and a Transformer to look into."""

from malaygpt.checkpoint import CheckpointError
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.translator import InputError, Translator, Update, malaygpt

__all__ = [
    "CheckpointError",
    "InputError",
    "ModelConfig",
    "Transformer",
    "Translator",
    "Update",
    "build_model",
    "malaygpt",
]
