"""The numbers that the page shows of a model, the lines of model.py they are linked to, and that file as a page."""

import dataclasses
import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from malaygpt import figures
from malaygpt.figures import lines
from malaygpt.model import ModelConfig, Transformer
from malaygpt.source import source_page

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "malaygpt" / "model.py"
VIEW = ROOT / "assets" / "page" / "see" / "inside.words.js"

EXPECTED = {
    "num_parameters": ("Transformer", r"class Transformer\(nn\.Module\):"),
    "vocab_size": ("TokenEmbedding", r"self\.weight = nn\.Parameter\(.*\bvocab_size\b"),
    "d_model": ("TokenEmbedding", r"return F\.embedding\("),
    "num_heads": ("MultiHeadAttention", r"\.unflatten\(-1, \(self\.num_heads,"),
    "d_head": ("MultiHeadAttention", r"\.unflatten\(-1, .*-1\)\)"),
    "d_ff": ("FeedForward", r"self\.expand = Linear\(.*\bd_ff\)"),
    "num_encoder_blocks": ("Encoder", r"self\.blocks = .*\bEncoderBlock\b.*num_encoder_blocks"),
    "num_decoder_blocks": ("Decoder", r"self\.blocks = .*\bDecoderBlock\b.*num_decoder_blocks"),
    "encoder": ("EncoderBlock", r"x = self\.add_self_attention\(.*self\.self_attention\(y, y, src_mask\)"),
    "decoder": ("DecoderBlock", r"x = self\.add_self_attention\(.*self\.self_attention\(y, y, tgt_mask\)"),
    "cross": ("DecoderBlock", r"x = self\.add_cross_attention\(.*self\.cross_attention\(y, memory,"),
}
"""The class that each line is to stand in, and what it is to say"""


def test_the_numbers_are_the_models(untrained_model: Transformer):
    found, config = figures.figures(untrained_model), untrained_model.config
    assert found["num_parameters"] == sum(tensor.numel() for tensor in untrained_model.state_dict().values())
    assert found["d_head"] == untrained_model.decoder.blocks[0].self_attention.keys_values(
        untrained_model.embedding.weight[None]
    )[0].size(-1)
    fields = {field.name for field in dataclasses.fields(ModelConfig)}
    named = found.keys() & fields
    assert {name: found[name] for name in named} == {name: getattr(config, name) for name in named}
    assert found.keys() - fields == {"num_parameters", "d_head"}


def test_every_number_that_the_view_shows_is_there_and_has_a_line(untrained_model: Transformer):
    (table,) = re.findall(r"ENGLISH = \{.*?\n  figure: \{(.*?)\n  \}", VIEW.read_text(encoding="utf-8"), re.DOTALL)
    shown = set(re.findall(r"^    (\w+):", table, re.MULTILINE))
    assert shown == lines().keys() == EXPECTED.keys()
    assert shown == figures.figures(untrained_model).keys() | {"encoder", "decoder", "cross"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_line_of_a_number_is_the_one_that_does_it(name: str):
    owner, code = EXPECTED[name]
    text = MODEL.read_text(encoding="utf-8").split("\n")
    number = lines()[name]
    assert re.search(code, text[number - 1])
    above = [match[1] for line in text[:number] if (match := re.match(r"class (\w+)", line))]
    assert above[-1] == owner


def test_the_lines_move_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = lines()
    moved = tmp_path / "moved.py"
    moved.write_text("#\n" * 7 + MODEL.read_text(encoding="utf-8"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("moved", moved)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(importlib.sys.modules, "moved", module)
    spec.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, type) and hasattr(figures, name):
            monkeypatch.setattr(figures, name, value)
    assert lines() == {name: number + 7 for name, number in before.items()}


# model.py as a page


class Page(HTMLParser):
    """Reads the text and the coloured parts of each line by its id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: dict[str, str] = {}
        self.coloured: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self._line, self._style, self._is_code = "", "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if "id" in given:
            assert given["id"] not in self.lines, "an id stands once"
            self._line = given["id"]
            self.lines[self._line] = ""
        self._is_code = self._is_code or tag == "code"
        self._style = given.get("class", "")

    def handle_endtag(self, tag: str) -> None:
        self._is_code = self._is_code and tag != "code"
        self._style = ""

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.lines[self._line] += data
            if self._style:
                self.coloured.append((self._style, data))


def test_the_page_has_every_line_of_the_file_at_its_anchor():
    text = MODEL.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert Page(source_page()).lines == {f"L{number}": line for number, line in enumerate(text, start=1)}


def test_code_is_text_and_not_markup():
    html = source_page()
    assert "0 <= self.dropout < 1" in MODEL.read_text(encoding="utf-8")
    assert " &lt;= " in html and not re.search(r"<(?![a-z/!])", html)
    assert Page(html).tags == {"html", "head", "meta", "title", "style", "body", "h1", "pre", "span", "a", "code"}


def test_the_page_needs_nothing_from_elsewhere():
    html = source_page()
    assert not re.search(r"""\bsrc=|url\(|@import|<link|<script|href=["'][^#]""", html)


def test_what_is_coloured_is_what_it_is_called():
    coloured = Page(source_page()).coloured
    for pair in (
        ("keyword", "class"),
        ("defined", "Transformer"),
        ("defined", "causal_mask"),
        ("number", "0.1"),
        ("comment", '"""Width of the residual stream."""'),
        ("comment", "# (B, H, N, K)"),
        ("string", '"tiny"'),
    ):
        assert pair in coloured
