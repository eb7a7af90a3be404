"""What a model could say while it learnt: `timeline.json` of a checkpoint, written by train.timeline, for browsers.

    {"version": 1,
     "num_layers": L, "num_heads": H,       decoder blocks, and attention heads of each
     "probes": [                            the sentences that were translated
       {"text": str,
        "pieces": [str, ...]}, ...],        its S tokens as texts that join to it, and "[SEP]"
     "moments": [                           by step, earliest first: the weights that a run had
       {"step": int,                        steps of the optimizer taken
        "epoch": float | null,              passes over the training pairs
        "tokens": int | null,               target tokens learnt from
        "seconds": float | null,            spent on the steps; validating and saving are not counted
        "loss": float | null,               training loss, a mean over the steps about this one; null at step 0
        "validation_loss": float | null,
        "bleu": float | null,
        "chrf": float | null,               on held-out pairs, 0 to 100; null where it was not measured
        "translations": [                   one for each probe, in the probes' order
          {"text": str,
           "pieces": [str, ...],            T tokens; the last is "[SEP]" unless the length bound cut it off
           "probabilities": [float, ...],   T numbers: what the model gave each token, knowing those before it
           "layers": str,                   cross-attention of each layer, mean of its heads: L maps
           "heads": str                     cross-attention of each head of the last layer: H maps
          }, ...]}, ...],
     "training": {"step": [...], "seconds": [...], "loss": [...]},
     "validation": {"step": [...], "seconds": [...], "loss": [...], "bleu": [...], "chrf": [...]}}

Maps are base64 of bytes, map after map, each T rows (what was said) of S columns (what was attended to): byte
(map * T + row) * S + column is the weight * 255, rounded, so that a row adds up to about 255. The two curves have a
point at every place of their lists; "seconds" in them may be null, and either may be empty. Where a run was made in
several legs, steps, epochs, tokens and seconds count on from leg to leg.

A token may be part of a character: its piece is then U+FFFD, and the pieces do not join to the text.
"""

import json
from base64 import b64decode
from pathlib import Path

from malaygpt.checkpoint import CheckpointError

TIMELINE = "timeline.json"
VERSION = 1
CURVES = {"training": ("loss",), "validation": ("loss", "bleu", "chrf")}
FIGURES = "step", "epoch", "tokens", "seconds", "loss", "validation_loss", "bleu", "chrf"
"""Of a moment"""


def load_timeline(directory: str | Path) -> dict | None:
    """The timeline of a checkpoint, if it has one, in which every list is as long as it should be.

    Raises CheckpointError.
    """
    path = Path(directory) / TIMELINE
    if not path.exists():
        return None
    try:
        timeline = json.loads(path.read_text(encoding="utf-8"))
        version = timeline["version"]
        if version == VERSION:
            _check(timeline)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"{path} is damaged ({reason}). Fetch the checkpoint again, or delete it.") from error
    if version != VERSION:
        raise CheckpointError(
            f"{path} is of version {version!r} and this program reads {VERSION}. Update malaygpt, or delete the file."
        )
    return timeline


def _check(timeline: dict) -> None:
    """Raises ValueError, KeyError, TypeError or AttributeError when it is not as the schema says."""
    probes, moments = timeline["probes"], timeline["moments"]
    steps = [moment["step"] for moment in moments]
    if not probes or not steps or steps != sorted(set(steps)):
        raise ValueError("no probes, no moments, or moments out of order")
    for moment in moments:
        if missing := [name for name in FIGURES if name not in moment]:
            raise ValueError(f"the moment of step {moment['step']} lacks {missing[0]}")
        for probe, said in zip(probes, moment["translations"], strict=True):
            rows, columns = len(said["pieces"]), len(probe["pieces"])
            maps = (("layers", timeline["num_layers"]), ("heads", timeline["num_heads"]))
            sizes = {name: len(b64decode(said[name], validate=True)) for name, _ in maps}
            if len(said["probabilities"]) != rows or sizes != {name: n * rows * columns for name, n in maps}:
                raise ValueError(f"the translation of {probe['text']!r} at step {moment['step']} has parts missing")
    for curve, values in CURVES.items():
        if len({len(timeline[curve][name]) for name in ("step", "seconds", *values)}) > 1:
            raise ValueError(f"the {curve} curve has points missing")
