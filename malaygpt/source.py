"""model.py as a page to read: every line numbered and linkable, coloured, by day and by night, without scripts.

Line 12 has the id L12, so that `source#L12` leads to it and marks it.
"""

import functools
import inspect
from html import escape
from itertools import groupby
from operator import itemgetter

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

import malaygpt.model

COLOURED = {
    "comment": (Comment, String.Doc),
    "string": (String,),
    "number": (Number,),
    "keyword": (Keyword, Operator.Word),
    "defined": (Name.Class, Name.Function),
}
"""The classes of the style below, and the tokens of Pygments that each is for; the first that fits counts."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #23161f; --muted: #64535e; --card: #ffffff; --line: #ddd3d9; --accent: #6b1d45; --marked: #fbeecd;
  --string: #1d6135; --number: #8a4300;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #f3eaf0; --muted: #b5a4af; --card: #1f161d; --line: #43353e; --accent: #e6c26c; --marked: #4d3a1d;
    --string: #9ccf9f; --number: #f0a878;
  }
}
body { margin: 0 auto; padding: 24px 16px 40vh; max-width: 1120px; color: var(--ink); background: var(--card); }
h1 { margin: 0 0 16px; font: 700 20px/1.3 system-ui, sans-serif; }
pre { margin: 0; font: 13.5px/1.6 ui-monospace, Menlo, Consolas, monospace; tab-size: 4; }
.line { display: grid; grid-template-columns: 4ch minmax(0, 1fr); gap: 2ch; scroll-margin-top: 30vh; }
.line:target { background: var(--marked); box-shadow: -4px 0 0 var(--accent); }
.line a { color: var(--muted); text-align: right; text-decoration: none; user-select: none; }
.line a:is(:hover, :focus-visible) { color: var(--accent); text-decoration: underline; }
code { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; }
.comment { color: var(--muted); }
.string { color: var(--string); }
.number { color: var(--number); }
.keyword { color: var(--accent); }
.defined { font-weight: 700; }
@media (max-width: 600px) {
  body { padding: 16px 10px 40vh; }
  pre { font-size: 12px; }
  .line { grid-template-columns: 3ch minmax(0, 1fr); gap: 1ch; }
}
"""


@functools.cache
def source_page() -> str:
    """The HTML of the page."""
    numbered = enumerate(_lines(inspect.getsource(malaygpt.model)), start=1)
    rows = (f'<span class="line" id="L{i}"><a href="#L{i}">{i}</a><code>{line}</code></span>' for i, line in numbered)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>model.py</title>
<style>{STYLE}</style>
</head>
<body>
<h1>model.py</h1>
<pre>{"".join(rows)}</pre>
</body>
</html>
"""


def _lines(source: str) -> list[str]:
    """The lines of a Python file as HTML; what goes over several lines is coloured in each of them."""
    tokens = PythonLexer(stripnl=False).get_tokens(source)
    runs = groupby(((_style(kind), text) for kind, text in tokens), key=itemgetter(0))
    html = "".join(_coloured(style, "".join(text for _, text in run)) for style, run in runs)
    return html.removesuffix("\n").split("\n")


def _style(kind: tuple[str, ...]) -> str | None:
    return next((name for name, kinds in COLOURED.items() if any(kind in each for each in kinds)), None)


def _coloured(style: str | None, text: str) -> str:
    lines = escape(text, quote=False).split("\n")
    return "\n".join(f'<span class="{style}">{line}</span>' if style and line else line for line in lines)
