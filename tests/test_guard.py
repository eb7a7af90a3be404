"""Which spans are kept from the model, that they come back, and which faults of a translation are seen."""

import itertools
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from malaygpt.guard import (
    STAND_INS,
    Faults,
    cut_loops,
    find_faults,
    find_loop,
    protect,
    restore,
    restore_start,
    split_around,
)
from tests.benchmarks.keeping import read_examples

SPANS = [
    *("https://example.com/a_(b)?c=1#d", "http://localhost:8080/x", "www.example.org", "example.com", "example.com.my"),
    *("example.com/shop", "ftp://files.example.org/a.zip", "lee.k+x@mail.example.my", "@some_one", "@a.b.c", "#SaveIt"),
    *("/etc/hosts", "~/a/b.txt", "./run.sh", "C:\\Users\\Mei\\a.doc", "src/main.py", "notes_2021.txt", ".env"),
    *("v2", "v3.0.0-beta", "1.2.3", "10.0.0.7", "192.168.0.1:80", "0x1F", "9f3c2ab", "snake_case", "__init__", "f()"),
    *("a.b.c()", "KEY=value", "--verbose", "$HOME_DIR", "`pip install x`", "{{name}}", "${x}", "{0}", "%s", "%1$s"),
    *("<b>", "</div>", "&amp;", "&#39;", "Ctrl+Shift+T", "978-0-306-40615-7", "2025-11-30", "+60 12-345 6789"),
    *(
        "👍",
        "👍🏽",
        "👨‍👩‍👧‍👦",
        "🇲🇾🇬🇧",
        "1️⃣",
        "❤️",
        "☎️",
        "✅",
        "寿司",
        "спасибо большое",
        "你好，世界",
        "שלום",
        "नमस्ते",
        "λ",
    ),
    *("தமிழ்", "สวัสดี", "김민수", "ひらがな", "كتاب", "𝓯𝓪𝓷𝓬𝔂"),
]
ENGLISH = [
    *(
        "and/or",
        "he/she",
        "24/7",
        "e.g.",
        "i.e.",
        "U.S.",
        "Ph.D.",
        "a.m.",
        "well-known",
        "mother-in-law",
        "3.5 kg",
        "50%",
    ),
    *(
        "10:30",
        "1,000,000",
        "$5",
        "RM45.90",
        "21st",
        "1990s",
        "it's",
        "“quoted”",
        "naïve",
        "café",
        "9/11",
        "km/h",
        "don’t",
    ),
    *(
        "Settings → Privacy",
        "A & B",
        "half - half",
        "x < y",
        "7-Eleven",
        "2-1",
        "Mr. Lim",
        "home.Then",
        "25°C",
        "No. 5",
    ),
]
pieces = st.sampled_from([*SPANS, *ENGLISH, " ", "", "a", "so", ".", ",", "(", ")", "5"])
sentences = st.lists(pieces | st.text(max_size=3), max_size=12).map("".join)


def one_piece(word: str) -> int:
    return 1


def many_pieces(word: str) -> int:
    return 4


def hidden(sentence: str) -> list[str]:
    return [item.span for item in protect(sentence).hidden]


# Spans that the model does not see


@pytest.mark.parametrize("span", SPANS)
def test_a_span_is_hidden_wherever_it_stands(span: str):
    for sentence in (f"Look at {span} today.", f"{span} is here", f"Look at {span}.", f"Look ({span}), or {span}?"):
        assert set(hidden(sentence)) == {span}


@pytest.mark.parametrize("text", ENGLISH)
def test_plain_english_is_not_hidden(text: str):
    assert hidden(f"We saw {text} today") == []


def test_punctuation_after_a_link_is_not_part_of_it():
    assert hidden("(see https://example.com/a). Go to www.example.org, please!") == [
        "https://example.com/a",
        "www.example.org",
    ]


def test_spans_with_only_a_space_between_them_are_one():
    assert hidden("Thanks @nurul 🙏 👍 for it") == ["@nurul 🙏 👍"]


def test_nothing_is_left_to_translate_in_a_sentence_of_spans():
    assert not protect("https://example.com 👍 (me@example.com)").has_words
    assert protect("See https://example.com").has_words


@given(sentences)
@example("it😍so")
@example("{1} %1$s [1] 👍")
def test_what_is_hidden_comes_back(sentence: str):
    for style in range(len(STAND_INS)):
        protected = protect(sentence, style)
        assert restore(protected, protected.text) == sentence


@given(sentences, st.lists(pieces.filter(bool), max_size=3))
def test_what_else_is_asked_for_is_hidden_and_comes_back(sentence: str, also: list[str]):
    protected = protect(sentence, also=also)
    assert restore(protected, protected.text) == sentence


def test_a_stand_in_that_the_sentence_has_already_is_not_used():
    protected = protect("As shown in [1], write to me@example.com", style=2)
    assert protected.hidden[0].stand_in != "[1]"


def test_a_stand_in_that_is_lost_or_said_twice_is_no_translation():
    protected = protect("Write to a@example.com and b@example.com")
    first, second = (item.stand_in for item in protected.hidden)
    assert restore(protected, f"Tulis kepada {second} dan {first}") == "Tulis kepada b@example.com dan a@example.com"
    assert restore(protected, f"Tulis kepada {first}") is None
    assert restore(protected, f"Tulis kepada {first} dan {second} dan {second}") is None


def test_a_span_in_a_word_is_apart_for_the_model_and_in_its_place_again_after_it():
    protected = protect("I love it😍so much")
    (item,) = protected.hidden
    assert protected.text == f"I love it {item.stand_in} so much"
    assert restore(protected, f"Saya suka {item.stand_in} sangat") == "Saya suka😍sangat"


def test_a_hidden_number_keeps_what_hangs_on_it():
    assert protect("the 37th year", also=["37"]).text == f"the {STAND_INS[0].format(1)}th year"


@given(sentences)
def test_the_start_of_a_translation_grows_and_shows_no_part_of_a_stand_in(sentence: str):
    protected = protect(sentence)
    starts = [restore_start(protected, protected.text[:n]) for n in range(len(protected.text) + 1)]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(starts))
    assert starts[-1] == sentence.rstrip() or not protected.hidden or sentence.startswith(starts[-1])


@given(sentences)
def test_stretches_around_spans_are_the_sentence(sentence: str):
    stretches = split_around(sentence)
    assert "".join(text for text, _ in stretches) == sentence
    assert all(text and not set(hidden(sentence)) & {text} for text, has_words in stretches if has_words)


def test_stretches_with_words_have_neither_spans_nor_margins():
    assert [text for text, has_words in split_around("(Read www.example.com, then go 👍!)") if has_words] == [
        "Read",
        "then go",
    ]


# Faults


@pytest.mark.parametrize(
    ("english", "malay"),
    [
        ("It costs 1,000.50 today", "Harganya 1,000.50 hari ini"),
        ("the 21st of June", "21 Jun"),
        ("the 16th century", "abad ke-16"),
        ("in the 1990s", "pada tahun 1990-an"),
        ("at 7:30 p.m.", "pada 7.30 malam"),
        ("I have 3 cats and 1 dog", "Saya ada tiga ekor kucing dan seekor anjing"),
        ("my 2nd try", "percubaan kedua saya"),
        ("thirty-five people came at noon", "35 orang datang pada jam 12"),
        ("It is 25°C", "Suhunya 25°C"),
        ("$5 million for RM 45", "$5 juta untuk RM45"),
        ("from 10-15 people", "daripada 10 hingga 15 orang"),
        ("YouTube and MH370", "YouTube dan MH370"),
        ("very very very very good", "sangat sangat sangat sangat baik"),
        ("The National Congress of Brazil", "Kongres Kebangsaan Brazil"),
        ("He loves the Olympic Games", "Dia suka Sukan Olimpik"),
        ("We flew to Germany", "Kami terbang ke Jerman"),
    ],
)
def test_what_malay_writes_in_another_way_is_no_fault(english: str, malay: str):
    num_pieces = one_piece if "Germany" in english else many_pieces
    assert find_faults(english, malay, num_pieces) == Faults()


@pytest.mark.parametrize(
    ("english", "malay", "lost"),
    [
        ("Take route 66", "Ambil laluan 666", {"66"}),
        ("about 900 of 1,000", "kira-kira 90 daripada 1,000", {"900", "1,000"}),
        ("on 12 May at 3:17", "pada 3:17", {"12"}),
        ("Room 1408", "Bilik 1,408", {"1408"}),
        ("It was $900", "Ia RM900", {"$900"}),
        ("It was €6", "Ia ₂6", {"€6"}),
        ("Flight MH370 is late", "Penerbangan MH37 lewat", {"MH370"}),
        ("I saw it on YouTube", "Saya melihatnya di Youtub", {"YouTube"}),
        ("It is 25°C", "Suhunya 25C", {"25°C"}),
        ("The footballer Szczepański won", "Pemain Szczepa\ufffdski menang", {"Szczepański"}),
        ("I met Müller", "Saya bertemu Muller", {"Müller"}),
        ("George Nikolakopoulos said", "George Nikopoulos berkata", {"Nikolakopoulos"}),
    ],
)
def test_what_was_lost_is_named(english: str, malay: str, lost: set[str]):
    faults = find_faults(english, malay, many_pieces)
    assert faults.count
    assert lost <= faults.lost


def test_numbers_that_come_from_nowhere_are_counted():
    assert find_faults("I like rice", "Saya suka 5 nasi dan 6 ikan", one_piece).strays == 2


def test_a_short_or_common_word_is_no_misspelt_name():
    assert find_faults("George Nikolakopoulos said", "George Nikopoulos berkata", one_piece) == Faults()


# Loops


@pytest.mark.parametrize(
    "loop",
    [
        "kata kata kata kata kata",
        "ajaranajaranajaranajaran",
        "- - - - - - - - -",
        "itu dan ini, itu dan ini, itu dan ini,",
    ],
)
def test_a_loop_is_seen_and_cut(loop: str):
    malay = f"Saya berkata: {loop}"
    assert find_loop(malay) is not None
    assert len(cut_loops(malay)) <= len("Saya berkata: ") + len(loop) // 2
    assert find_loop(cut_loops(malay)) is None


@pytest.mark.parametrize("malay", ["kanak-kanak", "rama-rama dan kura-kura", "1,000,000", "ha ha ha", "Tunggu...", ""])
def test_what_malay_says_twice_or_thrice_is_no_loop(malay: str):
    assert find_loop(malay) is None


def test_a_loop_that_the_english_has_is_none():
    assert find_loop("ha ha ha ha ha ha", "Ha ha ha ha ha ha!") is None


@given(st.text(alphabet="ab ", max_size=200))
def test_cutting_never_adds(text: str):
    assert len(cut_loops(text)) <= len(text)


# All of it


@pytest.mark.parametrize(
    "unit", ["a", "a.", "a/", "@a", "1-", "a_", "{", "[1]", "👍", "你 ", "a@", "<", "1.", "`"], ids=ascii
)
def test_no_sentence_takes_long(unit: str):
    sentence = unit * (5_000 // len(unit))
    start = time.process_time()
    protected = protect(sentence)
    find_faults(sentence, protected.text, many_pieces)
    split_around(sentence)
    assert time.process_time() - start < 2


def test_the_examples_are_many_and_of_many_kinds():
    examples = read_examples()
    assert len(examples) >= 300
    assert len({example.kind for example in examples}) >= 10
    assert len({example.sentence for example in examples}) == len(examples)
