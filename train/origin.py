"""Where the weights of a run came from that did not begin at random: the legs before it.

`RUN/origin.json` is a list, the oldest first; of each leg the FitConfig and the position of the checkpoint that the
next one began with. A leg whose run is not known has neither.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from train.config import FitConfig
from train.state import Position, read_position, write_atomically
from train.trainer import CONFIG

ORIGIN = "origin.json"
NAMES = {"adamw": "AdamW", "muon": "Muon"}


@dataclass(frozen=True)
class Leg:
    """One run of those that made a checkpoint."""

    fit: FitConfig | None
    position: Position | None

    @property
    def line(self) -> str:
        """In words, for the model card"""
        if self.fit is None or self.position is None:
            return "a run that is not known"
        steps, epochs = f"{self.position.step:,} steps", f"{self.position.epoch} epochs"
        return (
            f"{steps}, {epochs}, with {NAMES[self.fit.optimizer]} at a peak learning rate of {self.fit.learning_rate}"
        )


def write_origin(run: Path, checkpoint: Path) -> None:
    """Notes in a run that it begins with this checkpoint's weights."""
    earlier = checkpoint.resolve().parents[1]
    legs = read_origin(earlier)
    if (earlier / CONFIG).is_file():
        legs.append(Leg(FitConfig.load(earlier / CONFIG), read_position(checkpoint)))
    else:
        legs.append(Leg(None, None))
    write_atomically(run / ORIGIN, json.dumps([dataclasses.asdict(leg) for leg in legs], indent=1) + "\n")


def read_origin(run: Path) -> list[Leg]:
    """The legs before a run, oldest first; none when it began at random."""
    path = run / ORIGIN
    if not path.is_file():
        return []
    return [
        Leg(FitConfig.read(leg["fit"]), Position(**leg["position"])) if leg["fit"] else Leg(None, None)
        for leg in json.loads(path.read_text())
    ]
