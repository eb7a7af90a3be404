"""Where a checkpoint comes from: a directory, the Hugging Face Hub, or the one embedded in this repository."""

import os
from pathlib import Path

from malaygpt.checkpoint import CONFIG, SHORTLIST, TOKENIZER, WEIGHTS
from malaygpt.timeline import TIMELINE

EMBEDDED = Path(__file__).resolve().parent.parent / "assets" / "checkpoint"
FILES = (CONFIG, WEIGHTS, TOKENIZER, SHORTLIST, TIMELINE, "scores.json", "README.md")
"""All that a published checkpoint may hold, and all that is fetched of a Hub repo"""


def find_checkpoint(source: str | Path | None) -> Path:
    """The local directory of a checkpoint, fetched from the Hub if need be. Raises CheckpointError.

    A source that exists on the disk, or looks like a path, is a directory; "user/name" and "user/name@revision" are
    repositories; None is the embedded checkpoint.
    """
    if source is None:
        return EMBEDDED
    if is_repo(source):
        repo, _, revision = str(source).partition("@")
        return fetch(repo, revision or None)
    return _expanded(source)


def is_repo(source: str | Path | None) -> bool:
    """Whether a source is looked for on the Hub."""
    if source is None or isinstance(source, Path) or source.startswith((".", "/", "~")) or "/" not in source:
        return False
    return not _expanded(source).exists()


def fetch(repo: str, revision: str | None) -> Path:
    """A commit of a Hub repo, checked, as a directory of the Hub's cache. Raises CheckpointError."""
    # Here and not above: the embedded checkpoint needs no Hub, and the import costs a good part of a second.
    from malaygpt.download import download

    return download(repo, revision, FILES)


def _expanded(source: str | Path) -> Path:
    return Path(os.path.expanduser(source))  # unlike Path's own, leaves the home of an unknown user as it is
