"""Where a checkpoint comes from: a directory, the Hugging Face Hub, or the one embedded in this repository."""

import os
from pathlib import Path

from malaygpt.checkpoint import CONFIG, SHORTLIST, TOKENIZER, WEIGHTS, CheckpointError

EMBEDDED = Path(__file__).resolve().parent.parent / "assets" / "checkpoint"
FILES = (CONFIG, WEIGHTS, TOKENIZER, SHORTLIST, "scores.json", "README.md")


def find_checkpoint(source: str | Path | None) -> Path:
    """The local directory of a checkpoint, fetched from the Hub if need be. Raises CheckpointError.

    A source that exists on the disk, or looks like a path, is a directory; "user/name" and "user/name@revision" are
    repositories; None is the embedded checkpoint.
    """
    if source is None:
        return EMBEDDED
    path = Path(os.path.expanduser(source))  # unlike Path's own, leaves the home of an unknown user as it is
    if path.exists() or isinstance(source, Path) or str(source).startswith((".", "/", "~")) or "/" not in str(source):
        return path
    repo, _, revision = str(source).partition("@")
    return fetch(repo, revision or None)


def fetch(repo: str, revision: str | None) -> Path:
    """Downloads a checkpoint from the Hub, or finds it in the cache. Raises CheckpointError."""
    # Here and not above: the embedded checkpoint needs no Hub, and the import costs a good part of a second.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(FILES)))
    except HFValidationError as error:
        raise CheckpointError(f"{repo!r} is neither a directory nor a Hub repo, which is written user/name.") from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"The Hub repo {repo} has no revision {revision or 'main'!r}.") from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"The Hub repo {repo} is missing or private; check its name, or set HF_TOKEN to a token that may read it."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"The Hub repo {repo} could not be fetched and is not in the cache ({reason}); "
            "check the network, or give a directory."
        ) from error
