"""Files as one commit of a Hub repo: all of them or none, and only onto the commit that was there at the beginning."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from malaygpt.checkpoint import CheckpointError, first_line

KINDS = {"model": {}, "space": {"space_sdk": "gradio"}}
"""What the Hub is told of a new repo of each kind"""


@dataclass(frozen=True)
class Remote:
    """A branch of a Hub repo as it was when we looked."""

    repo: str
    kind: str
    branch: str
    head: str
    """Hash of its last commit; the next one is made on this or not at all"""
    paths: frozenset[str]
    """Of that commit's files"""


def open_repo(repo: str, kind: str = "model", private: bool = False, tag: str | None = None) -> Remote:
    """The repo's main branch; a repo that is not there yet is made. Raises CheckpointError.

    Here and not after hours of work it is seen that the token may write, that nobody reads what should be private, and
    that the tag is free.
    """
    from huggingface_hub import HfApi

    with _failures_in_one_line(repo):
        api = HfApi()
        api.create_repo(repo, repo_type=kind, private=private or None, exist_ok=True, **KINDS[kind])
        info = api.repo_info(repo, repo_type=kind)
        if private and not info.private:
            raise CheckpointError(
                f"The Hub repo {repo} is public already; make it private in its settings, or leave out --private."
            )
        if tag and tag in {ref.name for ref in api.list_repo_refs(repo, repo_type=kind).tags}:
            raise CheckpointError(f"The Hub repo {repo} has a tag {tag!r} already; choose another --tag.")
        return _look(repo, kind, "main")


def open_branch(remote: Remote, branch: str) -> Remote:
    """Another branch of the repo, made from this one if it is not there yet. Raises CheckpointError."""
    from huggingface_hub import HfApi

    with _failures_in_one_line(remote.repo):
        HfApi().create_branch(remote.repo, branch=branch, revision=remote.head, repo_type=remote.kind, exist_ok=True)
        return _look(remote.repo, remote.kind, branch)


def push(
    remote: Remote, files: dict[str, Path], message: str, owned: Callable[[str], bool], tag: str | None = None
) -> str:
    """Commits the files (path in the repo: local file), and gives the commit's hash. Raises CheckpointError.

    What is `owned` in the repo and not among the files is deleted in the same commit; all else there stays.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    stale = sorted(path for path in remote.paths - files.keys() if owned(path))
    operations = [CommitOperationAdd(path, file) for path, file in sorted(files.items())]
    operations += [CommitOperationDelete(path) for path in stale]
    with _failures_in_one_line(remote.repo):
        commit = HfApi().create_commit(
            remote.repo,
            operations,
            commit_message=message,
            repo_type=remote.kind,
            revision=remote.branch,
            parent_commit=remote.head,
        )
        if tag:
            HfApi().create_tag(remote.repo, tag=tag, revision=commit.oid, repo_type=remote.kind)
        return commit.oid


def _look(repo: str, kind: str, branch: str) -> Remote:
    from huggingface_hub import HfApi

    info = HfApi().repo_info(repo, repo_type=kind, revision=branch)
    return Remote(repo, kind, branch, info.sha, frozenset(file.rfilename for file in info.siblings or ()))


@contextmanager
def _failures_in_one_line(repo: str) -> Iterator[None]:
    """Makes a CheckpointError of whatever goes wrong inside with the Hub."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(_explain(error, repo)) from error


def _explain(error: Exception, repo: str) -> str:
    """What went wrong and what to do, for whoever publishes."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, OfflineModeIsEnabled

    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # the client's "error while uploading" a file
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 412:
        return (
            f"The Hub repo {repo} has changed since this began: someone else has published. Nothing was changed by "
            "this; look at what is there, and call it again."
        )
    if status in (401, 403, 404):
        return (
            f"The Hub does not let you write to {repo} ({status}); check its name, "
            "and set HF_TOKEN to a token that may write there."
        )
    reason = first_line(error)
    match error:
        case HFValidationError():
            return f"{repo!r} is not the name of a Hub repo, which is written user/name."
        case OfflineModeIsEnabled():
            return f"Nothing can be published to {repo} while HF_HUB_OFFLINE is set."
        case HfHubHTTPError():
            reason = f"the Hub answers {status}"
        case HTTPError():
            reason = f"the Hub cannot be reached: {reason}"
        case ValueError():
            reason = " ".join(str(error).split())
    return f"Publishing to {repo} failed ({reason}); what had been published stands as it was. Try again."
