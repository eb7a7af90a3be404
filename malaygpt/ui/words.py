"""Every word that the page says, in one place.

A language is one `Words` value: to add Malay, write a second one and choose between them where `ENGLISH` is used.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The page's words in one language. A name in braces is filled in by `str.format`."""

    title: str
    """Browser tab"""
    tagline: str
    english: str
    malay: str
    """Names of the two languages; they label the two text boxes"""
    source_hint: str
    target_hint: str
    translate: str
    stop: str
    clear: str
    copy: str
    shortcuts: str
    """Tooltip of the Translate button"""
    examples: str
    """Heading above the example sentences"""
    about: str
    """Footer; {millions} of parameters that the model has"""
    counter: str
    """{count} characters typed of {limit}; the browser keeps it current"""
    over: str
    """Beside the counter when the text is too long; {excess} is by how many characters"""
    translating: str
    done: str
    stopped: str
    copied: str
    copy_failed: str
    """The five above are the states that the browser shows and screen readers hear"""
    failed: str
    """Notice after an unexpected error"""
    missed: str
    """Notice above the panes when the embedded checkpoint stands in for that of a Hub {repo}"""


ENGLISH = Words(
    title="malaygpt · English to Malay",
    tagline="English to Malay",
    english="English",
    malay="Bahasa Melayu",
    source_hint="Type or paste English text",
    target_hint="The Malay appears here",
    translate="Translate",
    stop="Stop",
    clear="Clear",
    copy="Copy",
    shortcuts="Ctrl + Enter or ⌘ + Enter translates, Esc stops",
    examples="Or start with one of these",
    about="Translated on this server by a Transformer of {millions:.1f} million parameters. It can be wrong.",
    counter="{count} / {limit}",
    over="{excess} too many",
    translating="Translating…",
    done="Translated",
    stopped="Stopped",
    copied="Copied",
    copy_failed="Copying is not allowed here: select the text and press Ctrl + C",
    failed="Something went wrong on our side before the translation was finished. Please try again.",
    missed="The checkpoint `{repo}` could not be had from the Hugging Face Hub. "
    "The one that comes with this page translates in its place.",
)
