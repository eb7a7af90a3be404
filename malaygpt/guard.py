"""What must come out of a translation as it went in, and whether it did.

Two kinds of span are kept. What a model of words has no words for (URLs, e-mail addresses, emoji, other scripts, code)
is hidden from it: it reads a stand-in such as "{0}", which it copies more surely than anything else that was tried
(tests/benchmarks/keeping.py), and the span takes the stand-in's place in the Malay. What it mostly copies by itself
(numbers, amounts of money, product codes, names) it reads, and `find_faults` tells which of it was lost, so that the
next attempt can hide that too.

Text in, text out; when to try again is attempts.py's.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from malaygpt.traced import Edit, edit

STAND_INS = ("{{{}}}", "%{}$s", "[{}]")
"""Formats of stand-ins, the surest first; texts of software taught the model to copy them"""

# Pictographs and shapes with what joins and colours them, and keycaps; a lone joiner or selector is not one. A plain
# arrow stays in its sentence ("Settings \u2192 Privacy"), where it stands for a word.
_PICTOGRAPH = (
    "(?:[\U0001f000-\U0001faff\u203c\u2049\u2139\u2300-\u23ff\u24c2\u25a0-\u27bf"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299]|[\u2190-\u21ff\u2900-\u297f]\ufe0f|[0-9#*]\ufe0f?\u20e3)"
)
_JOINED = "[\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]"
EMOJI = f"{_PICTOGRAPH}(?:{_PICTOGRAPH}|{_JOINED})*"
"""Pattern of one or more emoji without anything between them"""

# Every block of characters but those of Latin letters, the marks put on them, punctuation, symbols, spaces and emoji.
_FOREIGN = (
    "[\u0370-\u1cff\u1f00-\u1fff\u2c00-\u2c5f\u2c80-\u2dff\u2e80-\u2fff\u3001-\ua71f\ua800-\uab2f\uab70-\ufaff"
    "\ufb07-\ufdff\ufe30-\ufefe\uff00-\uffef\U00010000-\U0001efff\U00020000-\U0003ffff]"
)
_URL_REST = r"(?:[^\s<>\"“”()]|\([^\s()]*\))+(?<![.,;:!?'’…])"
_TOP_LEVEL = (
    r"(?:com|org|net|edu|gov|mil|info|biz|int|io|dev|app|ai|co|tv|shop|xyz|online|site|store|blog|cloud|tech|my|sg|id|bn"
    r"|uk|au|nz|ca|de|fr|jp|cn|hk|tw|kr|ph|th|vn|nl|es|pt|br|ru|ch|se|dk|fi|pl|eu)"
)
_FILE_TYPE = (
    r"(?:txt|md|pdf|docx?|xlsx?|pptx?|csv|tsv|json|ya?ml|toml|ini|cfg|conf|log|xml|html?|css|jsx?|tsx?|py|ipynb|java|cpp"
    r"|hpp|rs|go|rb|php|sh|bat|exe|dll|apk|dmg|iso|zip|tar|gz|7z|rar|png|jpe?g|gif|svg|webp|mp[34]|wav|mov|avi|mkv|sql"
    r"|db|bak|tmp|pem|env)"
)
_HIDDEN = re.compile(
    "|".join(
        (
            EMOJI,
            r"`[^`\n]+`",
            r"\{\{[^{}\n]*\}\}|\$?\{[^{}\s]*\}|%\(\w+\)[sd]|(?<!\d)%(?:\d+\$)?[sd]\b",  # templates
            r"</?[A-Za-z][^<>\n]*>|&#?\w+;",  # markup
            rf"\b(?:https?|ftps?|file)://{_URL_REST}|\bwww\.{_URL_REST}",
            r"(?<![\w.+'%-])[\w.+'%-]+@[\w-]+(?:\.[\w-]+)+",  # e-mail addresses
            r"(?<![\w@/&])@(?=\w*[^\W\d])\w+(?:\.\w+)*|(?<![\w&])#\w+",  # handles and tags
            r"\b[A-Za-z]:\\[^\s\"<>|*?]+(?<![.,;:!?)])|(?<!\S)\\\\\w[^\s\"<>|*?]+",  # Windows paths
            r"(?<![\w/.~])(?:(?:~|\.{1,2})(?:/[\w+-][\w.+-]*)+|(?:/[\w+-][\w.+-]*){2,})(?<!\.)/?",  # Unix paths
            rf"(?<![\w./-])(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.{_FILE_TYPE}(?![\w-])",
            r"(?<![\w.])\.(?:env|git\w*|bash\w*|ssh|docker\w*|htaccess|npmrc|vimrc|zshrc)\b",
            rf"(?<![\w@./-])(?:[A-Za-z0-9](?:[\w-]*\w)?\.)+{_TOP_LEVEL}(?![\w-])(?::\d+)?(?:/{_URL_REST}|/)?",
            r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?(?![\w.]*\d)",  # IP addresses
            r"\b(?:v\d+(?:\.\d+)*|\d+(?:\.\d+){2,})(?:-[A-Za-z][\w.]*\w)?\b",  # versions
            r"\b0x[0-9A-Fa-f]+\b|\b(?=[a-f]*\d)(?=\d+[a-f]|[a-f])[0-9a-f]{7,40}\b",  # hexadecimal numbers
            r"\b[A-Za-z_][\w.]*\(\)",
            r"\b[A-Za-z]\w*=[^\s,;]+(?<![.!?)])|(?<!\S)--[a-z][\w-]*(?:=\S+)?|\$[A-Z][A-Z_]+\b",
            r"\b[A-Za-z0-9]+_\w*\w|\b__\w+__\b",
            r"\b(?:Ctrl|Alt|Shift|Cmd)(?:\+\w+)+",
            r"(?<![\w-])\d+(?:-\d+){2,}(?:-[\dX])?(?!\w)|\+\d[\d -]{6,}\d\b",  # ISBN and the like, telephones
            rf"{_FOREIGN}+(?:[^\w\n]{{1,2}}{_FOREIGN}+)*",
        )
    )
)

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*", re.ASCII)
_CHECKED = re.compile(
    "|".join(
        (
            r"(?:\bRM ?|[$¢£¥€₩₫₱₹฿])\d+(?:[.,]\d+)*",  # money
            r"[\w.,]*[\u00a6-\u00a9\u00ac\u00ae\u00b0\u00b1\u00b5\u00d7\u00f7\u2100-\u214f\u2190-\u22ff]+\w*",  # 25°C
            r"\b(?!\d+(?:AM|PM|ST|ND|RD|TH)\b)(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*\b",  # MH370
            r"\b[A-Za-z]*[a-z][A-Z][A-Za-z]*\b",  # YouTube
            r"\b(?=[A-Za-z]*[\u00c0-\u024f\u1e00-\u1eff])[A-Z\u00c0-\u00de\u0100-\u024f\u1e00-\u1eff]\w+",  # Müller
        )
    )
)
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH_NUMBER = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|billion|dozen|once|twice|half|quarter|noon|"
    r"midnight|first|second|third|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|\w+teen|\w+tie)th)s?\b",
    re.IGNORECASE,
)
_MALAY_NUMBERS = {
    "1": r"satu|pertama|se\w+",
    "2": r"(?:ke)?dua",
    "3": r"(?:ke)?tiga",
    "4": r"(?:ke)?empat",
    "5": r"(?:ke)?lima",
    "6": r"(?:ke)?enam",
    "7": r"(?:ke)?tujuh",
    "8": r"(?:ke)?lapan",
    "9": r"(?:ke)?sembilan",
    "10": r"(?:ke)?sepuluh",
    "11": r"(?:ke)?sebelas",
    "12": r"(?:ke)?dua belas",
}
# What Malay spells in its own way (Olympic, Olimpik; Congress, Kongres). The endings of words that are no names:
_RESPELT = re.compile(
    r"(?:i?ans?|ese|ish|[st]ani|is[mt]s?|log(?:y|ists?)|graphy|[ts]ions?|ics?|ical|ives?|ents?|sphere|ty|ments?|ures?"
    r"|[ae]nces?|[aeiu]um|ica|ia|land)$",
    re.IGNORECASE,
)
# And letters, in turn:
_RESPELLING = (("ch", "k"), ("ck", "k"), ("ph", "f"), ("ve", "f"), ("ey", "i"), ("c", "k"), ("y", "i"))
_LEAST_LIKENESS = 0.6
_LEAST_PIECES = 3
_LOOP = re.compile(r"(.)\1{9,}|(.{2,11}?)\2{3,}|(.{12,80}?)\3{2,}", re.DOTALL | re.IGNORECASE)
_MARGINS = re.compile(r"(\W*)(.*?)([^\w.!?]*)", re.DOTALL)
REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class Hidden:
    """A span that the model does not see."""

    span: str
    stand_in: str
    """What the model sees instead"""
    glued: tuple[bool, bool]
    """Whether the span touches another word before it, and after it; its stand-in touches neither"""
    start: int
    """Where the span stands in the sentence"""


@dataclass(frozen=True)
class Protected:
    """A sentence as the model is to read it."""

    text: str
    hidden: tuple[Hidden, ...]

    @property
    def edits(self) -> list[Edit]:
        """What makes `text` of the sentence"""
        return [
            Edit(item.start, item.start + len(item.span), " " * item.glued[0] + item.stand_in + " " * item.glued[1])
            for item in self.hidden
        ]

    @property
    def has_words(self) -> bool:
        """Whether anything is left to translate"""
        rest = self.text
        for item in self.hidden:
            rest = rest.replace(item.stand_in, "")
        return any(c.isalpha() for c in rest)


@dataclass(frozen=True)
class Faults:
    """What is wrong with a translation."""

    lost: frozenset[str] = frozenset()
    """Spans of the English that did not come through"""
    strays: int = 0
    """Numbers that come from nowhere, and characters that are none"""
    has_loop: bool = False

    @property
    def count(self) -> int:
        return len(self.lost) + self.strays + self.has_loop


def protect(sentence: str, style: int = 0, also: Collection[str] = ()) -> Protected:
    """Hides the spans that the model must not see, and those of `also` wherever they stand.

    `style` chooses among STAND_INS; one that the sentence itself has something like is passed over.
    """
    places = _places(sentence, also)
    form = _free_form(sentence, places, style)
    hidden = []
    for number, (start, stop) in enumerate(places, 1):
        span = sentence[start:stop]
        glued = (_is_glued(sentence[start - 1 : start], span[0]), _is_glued(sentence[stop : stop + 1], span[-1]))
        hidden.append(Hidden(span, form.format(number), glued, start))
    protected = Protected(sentence, tuple(hidden))
    return replace(protected, text=edit(sentence, protected.edits))


def _is_glued(neighbour: str, edge: str) -> bool:
    """Whether a span's edge touches a word that it is no part of: as in "it😍so", and not in "21st"."""
    return neighbour.isalnum() and not (edge.isascii() and edge.isalnum())


def _places(sentence: str, also: Collection[str]) -> list[tuple[int, int]]:
    """Where spans to be hidden begin and end; those with nothing but a space between them are one."""
    places = [match.span() for match in _HIDDEN.finditer(sentence)]
    for span in sorted(also, key=len, reverse=True):
        for match in re.finditer(_whole(span), sentence):
            if all(match.end() <= start or stop <= match.start() for start, stop in places):
                places.append(match.span())
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(places):
        if merged and sentence[merged[-1][1] : start] in ("", " "):
            start = merged.pop()[0]
        merged.append((start, stop))
    return merged


def _free_form(sentence: str, places: list[tuple[int, int]], style: int) -> str:
    """The form of stand-ins of this style, or the next of which none stands in what the model sees of the sentence."""
    ends = [0, *(end for place in places for end in place), len(sentence)]
    seen = "\n".join(sentence[ends[i] : ends[i + 1]] for i in range(0, len(ends), 2))
    forms = [STAND_INS[(style + i) % len(STAND_INS)] for i in range(len(STAND_INS))]
    free = (form for form in forms if not any(form.format(i) in seen for i in range(1, len(places) + 1)))
    return next(free, forms[0])


def restore(protected: Protected, malay: str) -> str | None:
    """The Malay with the spans in their places; None unless each stand-in stands there exactly once."""
    if any(malay.count(item.stand_in) != 1 for item in protected.hidden):
        return None
    return edit(malay, restoring(protected, malay))


def restore_start(protected: Protected, malay: str) -> str:
    """The beginning of a translation as far as it can be shown: no stand-in is seen, not even a part of one."""
    for item in protected.hidden:
        cut = next((n for n in range(len(item.stand_in) - 1, 0, -1) if malay.endswith(item.stand_in[:n])), 0)
        if cut:
            malay = malay[:-cut]
    malay = malay.rstrip()
    return edit(malay, restoring(protected, malay))


def restoring(protected: Protected, malay: str) -> list[Edit]:
    """What puts the spans in the places of their stand-ins, as many as are there, without the spaces that parted them
    from the words they touch. Found in one pass, because a span may look like the stand-in of another."""
    items = {item.stand_in: item for item in protected.hidden}
    if not items:
        return []
    stand_ins = "|".join(re.escape(stand_in) for stand_in in items)
    edits = []
    for match in re.finditer(rf"( ?)({stand_ins})( ?)", malay):
        left, right = items[match[2]].glued
        edits += [Edit(*match.span(1), "")] * left
        edits += [Edit(*match.span(2), items[match[2]].span)]
        edits += [Edit(*match.span(3), "")] * right
    return edits


def split_around(sentence: str) -> list[tuple[str, bool]]:
    """The sentence as stretches in turn, each with whether it is words: what is to be hidden is not, nor margins."""
    stretches, end = [], 0
    for start, stop in [*_places(sentence, ()), (len(sentence), len(sentence))]:
        before, words, after = _MARGINS.fullmatch(sentence[end:start]).groups()
        has_words = any(c.isalpha() for c in words)
        stretches += [(before, False), (words, has_words), (after + sentence[start:stop], False)]
        end = stop
    return [(text, has_words) for text, has_words in stretches if text]


def find_faults(english: str, malay: str, num_pieces: Callable[[str], int]) -> Faults:
    """What is wrong with this translation, as far as it can be seen without knowing either language.

    `num_pieces` counts the tokens of a word: those of names that the model does not know are many.
    """
    lost, num_strays = _compare_numbers(english, malay)
    lost |= {span for span in _CHECKED.findall(english) if _count(span, malay) < _count(span, english)}
    lost |= _misspelt(english, malay, num_pieces)
    num_broken = malay.count(REPLACEMENT)
    if num_broken:
        lost |= {word for word in english.split() if not word.isascii() and word not in malay}
    return Faults(frozenset(lost), num_strays + num_broken, find_loop(malay, english) is not None)


def _compare_numbers(english: str, malay: str) -> tuple[set[str], int]:
    """The numbers that are not in the Malay, and how many came from nowhere: then all of them are in doubt.

    7:30 may become 7.30. A small number may become a word, and there may be as many new numbers as there are words for
    numbers ("three", "noon") in the English.
    """
    numbers = _NUMBER.findall(english)
    wanted = Counter(number.replace(":", ".") for number in numbers)
    found = Counter(number.replace(":", ".") for number in _NUMBER.findall(malay))
    missing = {number for number in wanted - found if not _is_spelt_out(number, malay)}
    num_strays = max(0, (found - wanted).total() - len(_ENGLISH_NUMBER.findall(english)))
    return {number for number in numbers if num_strays or number.replace(":", ".") in missing}, num_strays


def _is_spelt_out(number: str, malay: str) -> bool:
    word = _MALAY_NUMBERS.get(number)
    return word is not None and re.search(rf"\b(?:{word})\b", malay, re.IGNORECASE) is not None


def _misspelt(english: str, malay: str, num_pieces: Callable[[str], int]) -> set[str]:
    """Names in whose place the Malay has something like them: Nikopoulos for Nikolakopoulos.

    A name is a word within the sentence with a capital and many pieces, and so is what it was misspelt as. A word that
    has another form in Malay (Germany, Jerman) is known to the model, in few pieces.
    """
    words = set(_WORD.findall(english))
    strangers = [word for word in set(_WORD.findall(malay)) - words if _may_be_name(word, num_pieces)]
    if not strangers:
        return set()
    names = {match[0] for match in _WORD.finditer(english) if match.start() and not _RESPELT.search(match[0])}
    lost = [name for name in names - set(_WORD.findall(malay)) if _may_be_name(name, num_pieces)]
    return {name for name in lost if any(_are_alike(name, stranger) for stranger in strangers)}


def _may_be_name(word: str, num_pieces: Callable[[str], int]) -> bool:
    return word[0].isupper() and len(word) > 3 and num_pieces(f" {word}") >= _LEAST_PIECES


def _are_alike(name: str, word: str) -> bool:
    """Whether one is much like the other and yet not what Malay makes of it."""
    name, word = _respell(name), _respell(word)
    return name != word and SequenceMatcher(None, name, word).ratio() >= _LEAST_LIKENESS


def _respell(word: str) -> str:
    word = word.casefold()
    for english, malay in _RESPELLING:
        word = word.replace(english, malay)
    return re.sub(r"(.)\1", r"\1", word)


def _count(span: str, text: str) -> int:
    return len(re.findall(_whole(span), text))


def _whole(span: str) -> str:
    """The pattern of a span that is not part of a longer word or number; a space within it may be absent."""
    pattern = re.escape(span).replace(r"\ ", r"\s?")
    if span[0].isdigit():
        pattern = rf"(?<!\d)(?<!\d[.,:/]){pattern}"
    elif span[0].isalpha():
        pattern = rf"(?<![^\W\d_]){pattern}"
    if span[-1].isdigit():
        return rf"{pattern}(?!\d|[.,:/]\d)"
    return rf"{pattern}(?![^\W\d_])" if span[-1].isalpha() else pattern


def find_loop(malay: str, english: str = "") -> int | None:
    """Where the first unit of a loop ends; None if nothing is said three or four times running, or the English has it.

    Short units count from four times on ("ajaranajaranajaranajaran"), those of twelve characters from three.
    """
    match = _LOOP.search(malay)
    if match is None or _LOOP.search(english):
        return None
    return match.start() + len(match[match.lastindex])


def cut_loops(text: str) -> str:
    """The text with every loop said once."""
    return edit(text, cutting(text))


def cutting(text: str) -> list[Edit]:
    """What leaves of every loop its first unit"""
    return [Edit(match.end(match.lastindex), match.end(), "") for match in _LOOP.finditer(text)]
