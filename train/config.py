"""Everything that decides what a training run does; kept beside its checkpoints, so that a run says how it was made."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

OPTIMIZERS = "adamw", "muon"


@dataclass(frozen=True)
class FitConfig:
    """On the CPU, two runs with the same FitConfig, data and number of threads give the same losses."""

    preset: str = "small"
    """Shape of the model, see ModelConfig.preset."""
    epochs: int = 20
    """Passes over the training pairs. May change when a run is resumed."""
    tokens_per_batch: int = 4096
    """Target tokens of a batch, padding included; the source has no more. A batch is a step, of all processes."""
    tokens_at_once: int = 0
    """How many of them one process holds at a time, give or take a sentence; a step adds up the gradients of as many
    passes as it takes. 0: its whole share. May change when a run is resumed."""
    optimizer: str = "adamw"
    """`adamw`, or `muon` for the matrices and AdamW for the rest."""
    learning_rate: float = 1e-3
    """At its highest."""
    warmup_steps: int = 800
    """Steps over which the learning rate rises from zero."""
    decay_share: float = 0.4
    """Last part of the run, over which the learning rate falls to zero."""
    weight_decay: float = 0.01
    """Decoupled, for matrices; embeddings, gains and biases are left alone."""
    label_smoothing: float = 0.1
    """Probability given to all tokens alike in every target (Szegedy et al., 2016)."""
    dropout: float = 0.1
    clip_norm: float = 1.0
    """Largest norm of a gradient, over all parameters."""
    average_decay: float = 0.999
    """Weight of the past in the moving average of weights that is validated and published."""
    weight: tuple[str, ...] = ()
    """How often an epoch takes the pairs of a source: `pattern=number`, later rules over earlier ones."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer is {self.optimizer!r}; choose one of {', '.join(OPTIMIZERS)}.")
        for name in ("epochs", "tokens_per_batch", "warmup_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.tokens_at_once < 0:
            raise ValueError(f"tokens_at_once is {self.tokens_at_once}; it must be at least 0.")
        for name in ("decay_share", "label_smoothing", "dropout", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and less than 1.")
        for name in ("learning_rate", "clip_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be more than 0.")

    def rate(self, step: int, progress: float) -> float:
        """The learning rate of a step (from 1) at a progress through the run (0 to 1): warm-up, stable, linear decay.

        Stable in the middle (Hägele et al., 2024), so that a run can be made longer before its decay has begun.
        """
        warmup = step / self.warmup_steps
        decay = (1 - progress) / self.decay_share if self.decay_share else 1.0
        return self.learning_rate * min(1.0, warmup, decay)

    def num_slices(self, num_processes: int) -> int:
        """Into how many slices every batch is cut, the same number for each process"""
        wanted = math.ceil(self.tokens_per_batch / (self.tokens_at_once or self.tokens_per_batch))
        return math.ceil(wanted / num_processes) * num_processes

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def load(cls, path: Path) -> "FitConfig":
        """Reads what `to_json` wrote. Raises ValueError."""
        try:
            return cls.read(json.loads(path.read_text()))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is not the configuration of a run ({error}).") from error

    @classmethod
    def read(cls, fields: dict) -> "FitConfig":
        """From the fields of a JSON object. Raises ValueError, TypeError, KeyError."""
        fields = {**fields, "weight": tuple(fields["weight"])}
        # Older runs have this field; those that had it at zero are no different without it.
        if fields.pop("merge_dropout", 0):
            raise ValueError("the option merge_dropout is gone; start a new run without it")
        return cls(**fields)
