"""Which part may know of which, read from the import statements: the library knows nothing of page or training."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LIBRARY = sorted(path for path in (ROOT / "malaygpt").glob("*.py"))
PAGE = sorted((ROOT / "malaygpt" / "ui").rglob("*.py"))
TRAINING = sorted((ROOT / "train").rglob("*.py"))

ALLOWED = {
    "model": set(),
    "tokenizer": set(),
    "traced": set(),
    "guard": {"traced"},
    "segment": {"guard"},
    "attempts": {"guard"},
    "linear": set(),
    "engine": {"linear", "model", "tokenizer"},
    "decode": {"engine", "model", "tokenizer"},
    "broken": {"model"},
    "attribution": {"model", "tokenizer"},
    "figures": {"model"},
    "source": {"model"},
    "growth": {"decode", "engine"},
    "explain": {"decode", "growth", "guard", "model", "tokenizer", "traced"},
    "retrace": {"decode", "explain", "growth", "guard", "tokenizer", "traced"},
    "watch": {"attempts", "decode", "engine", "explain", "guard", "retrace", "segment", "tokenizer"},
    "comparing": {"attempts", "broken", "decode", "engine", "explain", "model", "segment", "tokenizer", "watch"},
    "checkpoint": {"engine", "model", "tokenizer"},
    "download": {"checkpoint"},
    "hub": {"checkpoint", "download", "timeline"},
    "timeline": {"checkpoint"},
    "translator": {
        *("attempts", "checkpoint", "decode", "engine", "explain", "guard", "hub", "linear", "model", "segment"),
        *("tokenizer", "watch"),
    },
    "seeing": {
        *("attribution", "broken", "comparing", "decode", "explain", "figures", "timeline", "tokenizer", "translator"),
    },
    "__init__": {"checkpoint", "model", "translator"},
    "files": {"checkpoint", "segment", "translator"},
    "__main__": {"checkpoint", "files", "hub", "translator"},
}
"""Each module of the library and those of ours that it may import"""


def imports(path: Path) -> set[str]:
    """The dotted names of all that a file imports, within functions too: `from a.b import c` is a.b and a.b.c."""
    names: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parents, *filter(None, [node.module])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", LIBRARY, ids=relative)
def test_a_module_of_the_library_imports_only_those_below_it(path: Path):
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("malaygpt.")}
    assert ours <= ALLOWED[path.stem]
    assert "malaygpt" not in imports(path), "a module is imported from its own file, and not through the package"


def test_the_arrows_make_no_circle():
    below: set[str] = set()
    waiting = dict(ALLOWED)
    while waiting:
        ready = {name for name, needs in waiting.items() if needs <= below}
        assert ready, f"circle among {sorted(waiting)}"
        below |= ready
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}


@pytest.mark.parametrize("path", [*LIBRARY, *PAGE], ids=relative)
def test_what_serves_never_imports_what_trains(path: Path):
    assert not top(imports(path)) & {"train", "tests", "app", "datasets", "sacrebleu", "transformers", "ctranslate2"}


@pytest.mark.parametrize("path", [*LIBRARY, *TRAINING], ids=relative)
def test_only_the_page_imports_gradio(path: Path):
    assert not top(imports(path)) & {"gradio", "gradio_client"}
    assert not {name for name in imports(path) if name.startswith("malaygpt.ui")}


@pytest.mark.parametrize("path", PAGE, ids=relative)
def test_the_page_knows_the_translator_and_what_stands_beside_it_and_nothing_below(path: Path):
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("malaygpt.")}
    assert ours <= {"ui", "translator", "checkpoint", "seeing", "source"}


@pytest.mark.parametrize("path", [*LIBRARY, *PAGE, *TRAINING, ROOT / "app.py"], ids=relative)
def test_nothing_that_runs_imports_its_tests(path: Path):
    assert not top(imports(path)) & {"tests", "pytest", "hypothesis"}


def test_importing_malaygpt_loads_neither_the_page_nor_the_hub_nor_what_training_needs():
    heavy = ("gradio", "datasets", "huggingface_hub", "sacrebleu", "transformers", "train", "malaygpt.ui")
    code = f"import sys, malaygpt; print([name for name in {heavy!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr


def test_the_reader_of_imports_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "malaygpt" / "ui" / "page.py"
    path.parent.mkdir(parents=True)
    path.write_text("import a.b as c\nfrom d import e\nfrom . import f\nfrom ..g import H\ndef i():\n    import j\n")
    assert imports(path) == {"a.b", "d", "d.e", "malaygpt.ui", "malaygpt.ui.f", "malaygpt.g", "malaygpt.g.H", "j"}
