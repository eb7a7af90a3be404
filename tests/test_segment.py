"""Nothing of a text is lost between its segments, and sentences hold only what the model should see."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from malaygpt.segment import cut_before_last, is_latin, segment, split_to_fit, tidy

# Every code point, surrogates too, and more often than by chance what splitters and strippers stumble on.
AWKWARD_CHARACTERS = (
    "aZ .!?…\"'()[]“”\n\r\t\v\f\x85\u2028\u2029\xa0\u3000\x00\x1c\x1f\u200b\u200d\u202e\ufe0f\ufeff\u0301\ud83d\ude00。"
)
AWKWARD_STRINGS = [
    *("\r\n", "Mr. ", "e.g. ", "U.S. ", "http://a.b/c?d ", "Hello there", "你好", "שלום", "e\u0301"),
    *("1️⃣", "👍🏽", "🇲🇾", "👨‍👩‍👧"),
]
awkward = st.sampled_from([*AWKWARD_CHARACTERS, *AWKWARD_STRINGS])
texts = st.one_of(st.text(max_size=40), st.lists(awkward, max_size=25).map("".join))

LINE_ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"]


def sentences(text: str) -> list[str]:
    return [part.text for part in segment(tidy(text)) if part.is_sentence]


@given(texts)
@example("")
@example(" \n ")
def test_segments_joined_are_the_tidied_text(text: str):
    assert "".join(part.text for part in segment(tidy(text))) == tidy(text)


@given(texts)
def test_no_segment_is_empty_and_sentences_have_no_margins(text: str):
    for part in segment(tidy(text)):
        assert part.text
        assert not part.is_sentence or part.text == part.text.strip()


@given(texts)
def test_a_sentence_is_one_line_of_mostly_latin_letters(text: str):
    for sentence in sentences(text):
        assert sentence.splitlines() == [sentence]
        assert is_latin(sentence)


@given(texts)
@example("e\u200b\u0301")
@example("e\x1f\u0301")
def test_tidying_is_nfc_without_what_is_invisible_and_needs_no_second_time(text: str):
    tidied = tidy(text)
    assert unicodedata.is_normalized("NFC", tidied)
    assert tidy(tidied) == tidied
    invisible = {c for c in tidied if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn")}
    assert invisible <= {*"\t\n\r\v\f\x85\u200c\u200d"}
    tidied.encode("utf-8")


@pytest.mark.parametrize(
    "text", ["Hello, world.\n\tA\u00a0b", "Café £5 ✓ 你好 नमस्ते", "👨‍👩‍👧‍👦 👍🏽 🇲🇾 ❤️ 1️⃣", "می‌خواهم"]
)
def test_tidying_leaves_visible_text_alone(text: str):
    assert tidy(text) == text


def test_sentences_of_a_paragraph_are_apart():
    assert sentences("Mr. Lim paid $3.50 for it. Was it good? Yes!") == [
        "Mr. Lim paid $3.50 for it.",
        "Was it good?",
        "Yes!",
    ]


@pytest.mark.parametrize("end", LINE_ENDS)
def test_line_ends_are_segments_of_their_own(end: str):
    parts = [(part.text, part.is_sentence) for part in segment(f"One line{end}{end}another")]
    assert parts == [("One line", True), (end, False), (end, False), ("another", True)]


@pytest.mark.parametrize(
    "emoji",
    [
        *("👍", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇲🇾", "🇲🇾🇬🇧", "❤️", "❤\ufe0e", "☀", "✅", "🧑🏿‍🚀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        *("1️⃣", "#️⃣", "⏰", "⌚", "▶️", "ℹ️", "↔️", "‼️", "㊗️"),
    ],
    ids=ascii,
)
def test_emoji_stay_whole_and_out_of_sentences_at_their_edges(emoji: str):
    for text in (f"{emoji} Good morning", f"Good morning{emoji}", f"Good morning {emoji}\n", emoji):
        assert sentences(text) in (["Good morning"], []), text
        assert emoji in "".join(part.text for part in segment(tidy(text)) if not part.is_sentence), text
    if emoji != "‼️":  # which ends a sentence
        assert sentences(f"Good {emoji} morning") == [f"Good {emoji} morning"]


@pytest.mark.parametrize(
    "sign", ["1.", "12)", "(3)", "2.1", "2.1.", "(a)", "b)", "c.", "iv)", "(ii)", "iii.", "IV.", "-", "*", "+", "•"]
)
def test_a_sign_that_opens_an_item_stays_out_of_its_sentence(sign: str):
    assert sentences(f"{sign} Buy two eggs.\n  {sign}  Buy some fish.") == ["Buy two eggs.", "Buy some fish."]


@pytest.mark.parametrize(
    "text", ["3.5 kg of rice is enough", "12 apples fell", "A. Rahman said so", "mix.it all", "I am here", "-5 is cold"]
)
def test_what_merely_resembles_such_a_sign_is_part_of_its_sentence(text: str):
    assert sentences(text) == [text]


@pytest.mark.parametrize("bullet", ["•", "◦", "▪", "‣", "-", "*", "·", "●", "○", "■", "→", "✓", "1."])
def test_a_bullet_stays_out_of_the_sentence_after_it(bullet: str):
    assert sentences(f"{bullet} Buy two eggs.\n  {bullet}  Buy some fish.") == ["Buy two eggs.", "Buy some fish."]


@pytest.mark.parametrize(
    "text", ["你好。再见。", "Привет, мир!", "שלום עולם", "नमस्ते दुनिया।", "สวัสดี", "12,345.67", "... !? --", "<> {} #"]
)
def test_what_has_no_latin_letters_is_not_translated(text: str):
    assert sentences(text) == []


def test_other_scripts_stay_out_of_the_sentences_beside_them():
    assert sentences("Hello there.\n你好。\nGoodbye now.") == ["Hello there.", "Goodbye now."]


@pytest.mark.parametrize("text", ["Hello", "x", "Café déjà", "Please say 你好 to her", "I have 1,000,000 of them"])
def test_english_is_latin(text: str):
    assert is_latin(text)


# Texts too long for memory


def test_a_text_is_cut_before_its_last_sentence():
    assert cut_before_last("One is here. Two is there. Three") == len("One is here. Two is there. ")


def test_a_single_sentence_is_cut_before_its_last_word_and_a_single_word_at_its_end():
    assert cut_before_last("one two three") == len("one two ")
    assert cut_before_last("one") == 3


@given(texts.map(tidy).filter(bool))
def test_a_cut_leaves_something_before_it(text: str):
    assert 0 < cut_before_last(text) <= len(text)


# Sentences too long for the model


@given(st.text(alphabet="ab \té", max_size=80), st.integers(1, 20))
@example(" " * 30, 3)
@example("a" + " " * 30, 1)
@example("a " * 10 + "b" * 60, 4)
def test_pieces_join_to_the_text_and_fit(text: str, most: int):
    pieces = split_to_fit(text, lambda piece: len(piece) <= most)
    assert "".join(pieces) == text
    assert all(len(piece) <= most for piece in pieces)
    assert all(pieces) or text == ""


def test_a_text_that_fits_is_not_split():
    assert split_to_fit("one two three", lambda _: True) == ["one two three"]


def test_a_text_is_split_between_words():
    assert split_to_fit("one two three four", lambda piece: len(piece) <= 10) == ["one two ", "three four"]


def test_what_never_fits_ends_at_single_characters():
    assert split_to_fit("abc d", lambda _: False) == [*"abc d"]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        " " * 100_000,
        "a " * 50_000,
        "a " + "b" * 99_998,
        "b" * 99_998 + " a",
        "a " * 100 + "b" * 99_600 + " a" * 100,
    ],
    ids=["no space", "only spaces", "only words", "space first", "space last", "spaces at both ends"],
)
def test_a_hundred_thousand_characters_are_split_without_deep_recursion(text: str):
    depth = 0

    def fits(piece: str) -> bool:
        nonlocal depth
        depth += 1
        return len(piece) <= 100

    pieces = split_to_fit(text, fits)
    assert "".join(pieces) == text and max(map(len, pieces)) <= 100
    assert depth < 10_000


@pytest.mark.parametrize(
    "unit", ["a", "a. ", "(", '"A. ', "Mr. ", "1.", "?!", "\u0301\u0316", "👍", "\n", "…"], ids=ascii
)
def test_no_text_takes_long_to_segment(unit: str, time_limit):
    text = unit * (20_000 // len(unit))
    with time_limit(5):
        segment(tidy(text))
