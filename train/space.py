"""The app as a Space of the Hub, on a checkpoint from there.

    python -m train.space --model user/name --repo user/space [--private]
    python -m train.space --model user/name --out DIR

Both make the same directory: the app, the library, what the page shows, the embedded checkpoint to fall back on, and
requirements that bring PyTorch for the CPU alone. --repo publishes it in one commit. A Space is built without a token,
so the model must be public. To try the directory: `python space.py` in it.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from malaygpt.checkpoint import CONFIG, TOKENIZER, WEIGHTS, CheckpointError
from train.upload import open_repo, push

ROOT = Path(__file__).resolve().parent.parent
PARTS = "app.py", "malaygpt", "assets"
LEFT_OUT = "__pycache__", "screenshots", "data.md"
REQUIREMENTS = (
    *("torch", "gradio", "huggingface_hub", "tokenizers", "safetensors"),
    *("sentencex", "pygments", "starlette", "numpy", "tqdm"),
)
"""Those of requirements.txt that serving needs"""
WHEELS = "--extra-index-url https://download.pytorch.org/whl/cpu"
ENTRY = "space.py"
ENTRY_CODE = '''"""What the Space runs: the page, on the checkpoint of a Hub repo."""

import sys

from app import main

sys.exit(main(["--checkpoint", "{model}"]))
'''
README = """---
{metadata}---

# {title}

Translates English to Malay with [{repo}](https://huggingface.co/{repo}), a Transformer written from scratch in PyTorch.
"""


def write_space(directory: Path, model: str) -> None:
    """Writes all of a Space that serves the Hub's checkpoint `user/name[@revision]` into an empty directory."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ValueError(f"{directory} is not empty; choose another --out.")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copyfile(ROOT / part, directory / part)
    (directory / ENTRY).write_text(ENTRY_CODE.format(model=model), encoding="utf-8")
    (directory / "requirements.txt").write_text(requirements(), encoding="utf-8")
    (directory / "README.md").write_text(readme(model), encoding="utf-8")


def requirements() -> str:
    """A Space's requirements.txt: the versions of ours."""
    pinned = re.findall(r"^([\w-]+)==\S+$", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    if missing := set(REQUIREMENTS) - set(pinned):
        raise ValueError(f"requirements.txt pins no {min(missing)}, which the app needs.")
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return "\n".join([WHEELS, *(line for line in lines if line.partition("==")[0] in REQUIREMENTS)]) + "\n"


def readme(model: str) -> str:
    """A Space's README.md: the metadata of ours, and what is to be loaded when the Space is built."""
    _, front, _ = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    repo, _, revision = model.partition("@")
    preload = f"{repo} {CONFIG},{WEIGHTS},{TOKENIZER} {revision}" if revision else repo
    metadata = yaml.safe_load(front) | {"app_file": ENTRY, "models": [repo], "preload_from_hub": [preload]}
    shown = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    return README.format(metadata=shown, title=metadata["title"], repo=repo)


def is_ours(path: str) -> bool:
    """Whether a path in a Space's repo is one that `write_space` may have written"""
    return path.partition("/")[0] in PARTS or path in (ENTRY, "requirements.txt", "README.md")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.space", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, metavar="USER/NAME[@REVISION]", help="Hub repo to serve")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repo", metavar="USER/SPACE", help="Space to publish to; made if it is not there")
    where.add_argument("--out", type=Path, help="directory to write instead")
    parser.add_argument("--private", action="store_true", help="only if nobody else can see the Space")
    options = parser.parse_args(arguments)
    try:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+(@\S+)?", options.model):
            raise ValueError(f"{options.model!r} is not a Hub repo, which is written user/name or user/name@revision.")
        if options.out:
            write_space(options.out, options.model)
            return 0
        with TemporaryDirectory() as temporary:
            directory = Path(temporary)
            write_space(directory, options.model)
            files = {str(file.relative_to(directory)): file for file in directory.rglob("*") if file.is_file()}
            remote = open_repo(options.repo, "space", options.private)
            commit = push(remote, files, f"The page on {options.model}", is_ours)
            print(f"Published to the Space {options.repo}: commit {commit}")
    except (CheckpointError, OSError, ValueError) as error:
        print(f"train.space: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
