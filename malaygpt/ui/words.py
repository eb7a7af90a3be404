"""Every word that the page says, in one place.

A language is one `Words` value; those of the views are in assets/page/see/*.words.js. What the server says (errors, the
names of what is broken) is in English.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The page's words in one language. A name in braces is filled in by `str.format`."""

    code: str
    """BCP 47: `en`, `ms`"""
    other_language: str
    """Button that changes the page to the other language, in that language"""
    title: str
    """Browser tab"""
    tagline: str
    english: str
    malay: str
    """Names of the two languages; they label the two panes"""
    source_hint: str
    translate: str
    stop: str
    clear: str
    open: str
    """Button that reads a file into the English"""
    not_text: str
    """Status after a file that is no text"""
    shortcuts: str
    """Tooltip of the Translate button"""
    examples: str
    """Heading above the example sentences"""
    about: str
    """Footer; {millions} of parameters that the model has, as text"""
    counter: str
    """{count} characters typed of {limit}; the browser keeps it current"""
    over: str
    """Beside the counter when the text is too long; {excess} is by how many characters"""
    translating: str
    done: str
    stopped: str
    """The three above are the states that the browser shows and screen readers hear"""


BUSY = "The server is busy. Try again in a moment."
FAILED = "Something went wrong on our side before the translation was finished. Please try again."
MISSED = (
    "The checkpoint `{repo}` could not be had from the Hugging Face Hub. "
    "The one that comes with this page translates in its place."
)
"""What the server says, which does not know in which language the visitor reads"""

ENGLISH = Words(
    code="en",
    other_language="Bahasa Melayu",
    title="malaygpt · English to Malay",
    tagline="English to Malay",
    english="English",
    malay="Bahasa Melayu",
    source_hint="Type or paste English text",
    translate="Translate",
    stop="Stop",
    clear="Clear",
    open="Open a text file",
    not_text="That file is not text in UTF-8",
    shortcuts="Ctrl + Enter or ⌘ + Enter translates, Esc stops",
    examples="Or start with one of these",
    about="Translated on this server by a Transformer of {millions} million parameters. It can be wrong.",
    counter="{count} / {limit}",
    over="{excess} too many",
    translating="Translating…",
    done="Translated",
    stopped="Stopped",
)

MALAY = Words(
    code="ms",
    other_language="English",
    title="malaygpt · Inggeris ke Melayu",
    tagline="Inggeris ke Melayu",
    english="Bahasa Inggeris",
    malay="Bahasa Melayu",
    source_hint="Taip atau tampal teks bahasa Inggeris",
    translate="Terjemah",
    stop="Henti",
    clear="Kosongkan",
    open="Buka fail teks",
    not_text="Fail itu bukan teks UTF-8",
    shortcuts="Ctrl + Enter atau ⌘ + Enter menterjemah, Esc menghentikan",
    examples="Atau mulakan dengan salah satu ayat ini",
    about="Diterjemah pada pelayan ini oleh sebuah Transformer dengan {millions} juta parameter. Ia mungkin tersilap.",
    counter="{count} / {limit}",
    over="{excess} terlebih",
    translating="Menterjemah…",
    done="Siap",
    stopped="Dihentikan",
)
