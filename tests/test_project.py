"""What the README promises is what the repository does."""

import json
import re
import subprocess
import sys
from pathlib import Path

from malaygpt.hub import EMBEDDED

ROOT = Path(__file__).parent.parent
TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -q -r tests/requirements.txt && .venv/bin/python -m pytest"
)


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listing.splitlines()]


def test_ci_runs_the_readmes_test_command():
    assert TEST_COMMAND in (ROOT / "README.md").read_text()
    assert TEST_COMMAND in (ROOT / ".ci" / "run").read_text()


def test_the_code_is_clean_to_ruff():
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


def test_every_figure_of_the_readme_stands_in_the_embedded_scores():
    scores = json.loads((EMBEDDED / "scores.json").read_text())
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (\S+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", readme, flags=re.MULTILINE)
    assert {row[0] for row in rows} == scores.keys()
    for name, *figures in rows:
        expected = [f"{scores[name]['metrics'][metric]['score']:.1f}" for metric in ("bleu", "chrf", "chrf++")]
        assert figures == expected


def test_the_embedded_checkpoint_is_small_enough_to_clone():
    assert sum(file.stat().st_size for file in EMBEDDED.iterdir()) <= 64e6


def test_every_large_file_is_a_checkpoint_a_picture_or_our_own_pairs():
    large = [file for file in tracked_files() if file.stat().st_size > 500_000]
    homes = {EMBEDDED, ROOT / "train" / "pairs"}
    assert all(homes & {*file.parents} or file.suffix == ".png" for file in large), large
