"""A commit of a Hub repo as a local directory: fetched whole, its checksums verified, found again without a network.

A branch or tag is made the hash of a commit first, and everything else is pinned to that: what is loaded never mixes
two commits. The directory is in the Hub's own cache (HF_HOME), where each file appears whole or not at all. That all
of a commit's files are there, and are what the Hub says they are, is checked at every call: a download checks sizes
only, and disks fail too. The cache's `refs` name the last commit that passed, to fall back on when the Hub is away.
"""

import errno
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from huggingface_hub import HfApi, RepoFile, constants, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP client: whatever can befall a request
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
    XetDownloadError,
)

from malaygpt.checkpoint import CONFIG, TOKENIZER, WEIGHTS, CheckpointError, first_line

SECONDS_TO_ANSWER = 5
"""How long the Hub may take to say which commit is the newest; without an answer, nothing more is asked of it."""
DISK_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
RATE_LIMIT = 429
FAILURES = OSError, HTTPError, HFValidationError, XetDownloadError, RuntimeError
"""All that the client raises"""
_COMMIT = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")
logger = logging.getLogger(__name__)


def download(repo: str, revision: str | None, files: Sequence[str]) -> Path:
    """The directory with those of `files` that the repo has at the revision, `main` by default.

    A revision that is a commit's hash needs no network once its files are in the cache. Of any other the Hub is asked
    once, and when it cannot be reached, what it last was is taken, with a warning in the log. Raises CheckpointError.
    """
    revision = revision or constants.DEFAULT_REVISION
    with _failures_in_one_line(repo, revision):
        if _COMMIT.fullmatch(revision) and (cached := _find_cached(repo, revision, files)):
            return cached
        try:
            commit = _newest_commit(repo, revision)
            directory = _fetch(repo, commit, files)
        except FAILURES as error:
            cached = _find_last(repo, revision, files) if _is_passing(error) else None
            if cached is None:
                raise
            logger.warning("The Hub cannot be reached; %s is taken from the cache, at %s.", repo, cached.name)
            return cached
        if revision != commit:
            _remember(directory, revision)
        return directory


def _newest_commit(repo: str, revision: str) -> str:
    """The hash of the commit that a revision stands for. Raises CheckpointError for a repo of something else."""
    info = _in_time(lambda: HfApi().model_info(repo, revision=revision, timeout=SECONDS_TO_ANSWER))
    names = {file.rfilename for file in info.siblings or ()}
    if missing := [name for name in (CONFIG, WEIGHTS, TOKENIZER) if name not in names]:
        raise CheckpointError(f"The Hub repo {repo} is not a checkpoint of malaygpt: it lacks {', '.join(missing)}.")
    return info.sha


def _in_time(ask: Callable[[], T]) -> T:
    """What `ask` returns or raises, or TimeoutError. The client's own timeout is for each wait by itself: it bounds
    neither the lookup of a name, nor addresses that are tried in turn, nor an answer that trickles."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    Thread(target=work, daemon=True).start()
    return answer.result(SECONDS_TO_ANSWER + 1)


def _fetch(repo: str, commit: str, files: Sequence[str]) -> Path:
    """Downloads what the cache lacks of a commit. Raises CheckpointError when what comes is not what the Hub lists."""
    for _ in range(2):  # once more for what was damaged in the cache, or on its way
        directory = snapshot_download(repo, revision=commit, allow_patterns=list(files), etag_timeout=SECONDS_TO_ANSWER)
        damaged = _damaged(Path(directory), _listing(repo, commit), files)
        if not damaged:
            return Path(directory)
        for path in damaged:
            path.resolve().unlink(missing_ok=True)  # what the cache's link points to
            path.unlink(missing_ok=True)
    raise CheckpointError(
        f"{damaged[0].name} of the Hub repo {repo} came damaged: its checksum is not the one that the Hub lists; "
        "try again later, or choose another revision."
    )


def _find_cached(repo: str, commit: str, files: Sequence[str]) -> Path | None:
    """The directory of a commit when the cache holds all of it, undamaged; asks nothing of the network."""
    try:
        listing = get_cached_repo_tree(repo, revision=commit)
        directory = snapshot_download(repo, revision=commit, allow_patterns=list(files), local_files_only=True)
    except (CachedRepoTreeNotFoundError, LocalEntryNotFoundError):
        return None
    return None if _damaged(Path(directory), listing, files) else Path(directory)


def _find_last(repo: str, revision: str, files: Sequence[str]) -> Path | None:
    """The same for the commit that a revision stood for when it was last fetched."""
    try:
        commit = HfApi().resolve_revision(repo, revision=revision, local_files_only=True).resolved
    except RevisionResolutionError:
        return None
    return _find_cached(repo, commit, files)


def _remember(directory: Path, revision: str) -> None:
    """Notes in the cache, where `resolve_revision` reads it, what commit a revision stands for."""
    path = directory.parents[1] / "refs" / revision
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):  # a cache that can only be read serves all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(directory.name)
        partial.replace(path)


def _listing(repo: str, commit: str) -> list[RepoFile]:
    """What a commit holds, as the Hub said when it was first asked."""
    try:
        return get_cached_repo_tree(repo, revision=commit)
    except CachedRepoTreeNotFoundError:  # the cache cannot be written
        return [file for file in HfApi().list_repo_tree(repo, revision=commit) if isinstance(file, RepoFile)]


def _damaged(directory: Path, listing: list[RepoFile], files: Sequence[str]) -> list[Path]:
    return [path for file in listing if file.path in files and not is_blob(path := directory / file.path, file.blob_id)]


def is_blob(path: Path, blob_id: str) -> bool:
    """Whether a file is the one that Git lists under this hash: its own, or, for a file in LFS, that of its pointer.

    The pointer holds the file's SHA-256 and has one canonical form (git-lfs, docs/spec.md).
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {path.stat().st_size}\n"
    return git_hash(pointer.encode()) == blob_id or git_hash(path.read_bytes()) == blob_id


def git_hash(content: bytes) -> str:
    """The name that Git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _is_passing(error: Exception) -> bool:
    """Whether a failure is one of the network, so that what was fetched earlier still stands."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, RATE_LIMIT)
    is_of_disk = isinstance(error, OSError) and error.errno is not None
    return not is_of_disk and not isinstance(error, HFValidationError)


@contextmanager
def _failures_in_one_line(repo: str, revision: str) -> Iterator[None]:
    """Makes a CheckpointError of whatever goes wrong inside."""
    try:
        yield
    except FAILURES as error:
        raise CheckpointError(_explain(error, repo, revision)) from error


def _explain(error: Exception, repo: str, revision: str) -> str:
    """What went wrong and what to do, for whoever named the repo."""
    name = f"The Hub repo {repo}"
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what the client met when it asked the Hub
    match error:
        case HFValidationError():
            return f"{repo!r} is neither a directory nor a Hub repo, which is written user/name."
        case RevisionNotFoundError():
            return f"{name} has no revision {revision!r}."
        case RepositoryNotFoundError():
            return f"{name} is missing or private; check its name, or set HF_TOKEN to a token that may read it."
        case OfflineModeIsEnabled():
            return f"{name} is not in the cache, and HF_HUB_OFFLINE keeps it from being fetched; give a directory."
        case HfHubHTTPError():
            return _explain_answer(error, name)
        case HTTPError() | TimeoutError():
            reason = first_line(error)
            return f"{name} is not in the cache, and the Hub cannot be reached ({reason}); check the network."
        case OSError() if error.errno in DISK_FULL:
            cache = constants.HF_HUB_CACHE
            return f"{name} does not fit on the disk: {cache} is full; make room, or set HF_HOME to another directory."
    return f"{name} could not be fetched ({first_line(error)}); try again, or give a directory."


def _explain_answer(error: HfHubHTTPError, name: str) -> str:
    status = error.response.status_code
    if status == RATE_LIMIT:
        seconds = error.response.headers.get("Retry-After")
        wait = f"{seconds} seconds" if seconds else "a few minutes"
        return f"{name} could not be fetched: too much was asked of the Hub; try again in {wait}, or set HF_TOKEN."
    if status in (401, 403):
        return f"{name} could not be fetched: the Hub refuses the token ({status}); set HF_TOKEN to one that may read."
    return f"{name} could not be fetched: the Hub answers {status}; try again later, or give a directory."
