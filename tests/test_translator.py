"""Text in, Malay out: whole, streamed, by lines, from many threads; whatever is typed, an answer and no exception."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import malaygpt
import malaygpt.watch
from malaygpt import hub
from malaygpt.model import ModelConfig, Transformer, build_model
from malaygpt.segment import segment, tidy
from malaygpt.tokenizer import Tokenizer
from malaygpt.translator import LINES_AT_ONCE, MAX_CHARS, InputError, Translator, Update, default_translator

ODD_TEXTS = [
    "",
    "   ",
    "\t \n\r\n ",
    "👍🏽👨‍👩‍👧‍👦🇲🇾1️⃣",
    "你好。再见。",
    "שלום עולם",
    "\x00\x01\x1b[31m\x7f",
    "a\x00b\x07c",
    "\u202eright to left\u202c \u200f",
    "\u200b\u2060\ufeff",
    "\ud800",
    "\ud83d \ude00 two halves",
    "\ud83d\ude00",
    "<script>alert('x')</script>",
    "{{7*7}} ${HOME} %s {0} {x!r}",
    "[SEP] [PAD] [CLS] [UNK]",
    "&amp; &lt;b&gt;",
    "$$x^2$$ \\(y\\) **bold** `code`",
    "e\u0301\u0301\u0301" * 20,
    "\U0010ffff \ufffe \ue000",
]

LINE_ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"]
mixtures = st.lists(st.text(max_size=15) | st.sampled_from([*LINE_ENDS, *".! ", *ODD_TEXTS]), max_size=5).map("".join)


@pytest.fixture
def forgotten_default() -> Iterator[None]:
    """The default translator is not loaded before the test, nor kept after it."""
    default_translator.cache_clear()
    yield
    default_translator.cache_clear()


def text_of(updates: Iterator[Update]) -> str:
    return list(updates)[-1].text


def line_ends(text: str) -> list[str]:
    return [part.text for part in segment(tidy(text)) if part.text in LINE_ENDS]


# Translations


def test_what_was_learnt_is_translated(translator: Translator, pairs: dict[str, str]):
    assert {english: translator.translate(english) for english in pairs} == pairs


def test_sentences_lines_spacing_and_emoji_keep_their_places(translator: Translator):
    assert translator.translate("  Thank you.  Good morning!\r\n\r\n\tThe cat sleeps. 👍🏽\n你好\n") == (
        "  Terima kasih.  Selamat pagi!\r\n\r\n\tKucing itu tidur. 👍🏽\n你好\n"
    )


def test_a_loaded_translator_gives_the_same(translator: Translator, checkpoint: Path, pairs: dict[str, str]):
    loaded = Translator.load(checkpoint, device="cpu")
    assert loaded.device == torch.device("cpu")
    assert loaded.num_parameters == translator.num_parameters
    assert [loaded.translate(english) for english in pairs] == list(pairs.values())


def test_its_name_says_what_model_it_is(translator: Translator):
    assert translator.name == f"Transformer, 2+2 blocks, {translator.num_parameters / 1e6:.1f} M parameters"


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_any_text_is_answered_and_its_lines_kept(translator: Translator, text: str):
    malay = translator.translate(text)
    malay.encode("utf-8")
    assert line_ends(malay) == line_ends(text)
    assert text_of(translator.stream(text)) == malay


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(mixtures)
def test_any_mixture_is_answered_and_its_lines_kept(translator: Translator, text: str):
    malay = translator.translate(text)
    assert line_ends(malay) == line_ends(text)
    assert text_of(translator.stream(text)) == malay


@pytest.mark.parametrize("text", ["", " ", "👍🏽", "你好", "12 + 3 = 15", "\n\n", "1️⃣"])
def test_what_holds_nothing_to_translate_comes_back_as_it_was(translator: Translator, text: str):
    assert translator.translate(text) == text


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "word " * 20_000, "The cat sleeps. " * 1_000], ids=["one word", "words", "sentences"]
)
def test_texts_of_many_thousand_characters_are_translated(translator: Translator, text: str):
    malay = translator.translate(text)
    assert len(malay) > 1000 and "\n" not in malay


def test_a_long_sentence_is_translated_in_pieces_that_fit_the_model(translator: Translator):
    """Its own pieces are chosen by the translator; that none is too long shows in that there is no ValueError."""
    text = " ".join(["the cat and the book, rice and fish"] * 40)
    assert text_of(translator.stream(text)) == translator.translate(text) != ""


def test_what_is_not_text_is_refused(translator: Translator):
    for value in (None, b"Thank you.", 3, ["Thank you."]):
        with pytest.raises(TypeError, match=type(value).__name__):
            translator.translate(value)
        with pytest.raises(TypeError, match=type(value).__name__):
            next(translator.stream(value))


# Streaming


def test_there_is_an_update_a_token_and_only_the_last_is_done(translator: Translator):
    text = "Thank you. I eat fish.\nMy house has 24 doors. The cat sleeps."
    *updates, last = translator.stream(text)
    assert [update.num_tokens for update in updates] == list(range(1, last.num_tokens + 1))
    assert len(updates) > 20
    assert last.done and not any(update.done for update in updates)
    assert last.text == translator.translate(text)


def test_what_is_done_stays_as_it_is(translator: Translator, pairs: dict[str, str]):
    """The sentence being decoded may change: the likeliest of several hypotheses is shown."""
    shown = [update.text for update in translator.stream("\n".join(pairs))]
    for text in shown:
        *done, _ = text.split("\n")
        assert done == list(pairs.values())[: len(done)]
    assert {text.count("\n") for text in shown} == set(range(len(pairs)))


def test_no_update_ends_within_a_character():
    """Every token of this vocabulary is one byte, and the model says them at random."""
    bytes_only = Tokenizer.train(["é"], vocab_size=4 + 256)
    model = build_model(ModelConfig.preset("tiny", bytes_only.vocab_size)).eval()
    translator = Translator(model, bytes_only, guarded=False)
    text = "Say. Something. Odd. Or not. " * 3
    *updates, last = translator.stream(text)
    assert any("\ufffd" in update.text for update in updates)
    assert not any(update.text.endswith("\ufffd") for update in updates)
    assert last.text == translator.translate(text)


def test_nothing_is_decoded_before_it_is_asked_for_nor_after_the_stream_is_closed(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
):
    num_steps = 0
    search = malaygpt.watch.search

    def counted(*arguments):
        nonlocal num_steps
        for step in search(*arguments):
            num_steps += 1
            yield step

    monkeypatch.setattr(malaygpt.watch, "search", counted)
    stream = translator.stream("He eats rice and fish, not meat. " * 20)
    assert num_steps == 0
    for _ in range(3):
        next(stream)
    stream.close()
    assert num_steps == 3
    assert list(stream) == []


def test_a_stream_of_nothing_is_one_update(translator: Translator):
    assert list(translator.stream(" \n")) == [Update(" \n", 0, True)]


# What comes out as it went in

HIDDEN = "See https://example.com/a?b=1 or write to me@example.com about 寿司 👍🏽 today."


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Translator:
    """A translator whose model says what it reads; token ids are characters"""
    return scripted(monkeypatch, lambda text: [text])


def scripted(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], list[str]]) -> Translator:
    """A translator whose model answers a text with these hypotheses"""
    config = ModelConfig.preset("tiny", 260)
    translator = Translator(build_model(config).eval(), Tokenizer.train(["é"], vocab_size=260))
    monkeypatch.setattr(
        translator,
        "_decode",
        lambda requests, *_: [answer(request.text)[: request.num_hypotheses] for request in requests],
    )
    monkeypatch.setattr(translator, "_fits", lambda sentence: True)
    return translator


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=mixtures | st.text(max_size=60))
@example(text="• It cost €5😍so (see example.com).\r\n\r\n  iv) «你好»  {1} %1$s [1]\x0c1. Go!\u2028 \n")
def test_a_model_that_says_what_it_reads_gives_the_text_back(echo: Translator, text: str):
    assert echo.translate(text) == tidy(text)


def test_what_is_hidden_comes_out_even_of_a_model_that_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch):
    translator = scripted(monkeypatch, lambda text: ["x"])
    assert translator.translate(HIDDEN) == "x https://example.com/a?b=1 x me@example.com x 寿司 👍🏽 x"


def test_what_is_hidden_comes_out_of_a_real_model_too(translator: Translator):
    for malay in (translator.translate(HIDDEN), text_of(translator.stream(HIDDEN))):
        for span in ("https://example.com/a?b=1", "me@example.com", "寿司", "👍🏽"):
            assert malay.count(span) == 1


def test_the_next_hypothesis_is_taken_when_the_best_has_lost_something(monkeypatch: pytest.MonkeyPatch):
    translator = scripted(monkeypatch, lambda text: ["tiada", text.replace("Go to", "Pergi ke")])
    assert translator.translate("Go to example.com now") == "Pergi ke example.com now"


def test_a_number_that_was_lost_is_hidden_from_the_next_attempt(monkeypatch: pytest.MonkeyPatch):
    translator = scripted(monkeypatch, lambda text: [text.replace("66", "666")])
    assert translator.translate("Take route 66 to Ipoh") == "Take route 66 to Ipoh"


def test_a_loop_is_decoded_again_and_cut_if_it_comes_again(monkeypatch: pytest.MonkeyPatch):
    translator = scripted(monkeypatch, lambda text: ["Saya suka " + "makan " * 20])
    assert translator.translate("I like to eat") == "Saya suka makan "


def test_only_sentences_with_faults_are_decoded_again(translator: Translator, monkeypatch: pytest.MonkeyPatch):
    asked = []
    decode = translator._decode
    monkeypatch.setattr(
        Translator, "_decode", lambda self, requests, *rest: (asked.append(len(requests)), decode(requests, *rest))[1]
    )
    list(translator.translate_lines(["Thank you.", "My house has 24 doors.", "The fish has 7 cats.", "I eat fish."]))
    assert asked[0] == 4
    assert asked[1:] == [1] * (len(asked) - 1) and len(asked) > 1


def test_a_stream_never_shows_a_stand_in(translator: Translator):
    for update in translator.stream(HIDDEN):
        assert not set(update.text) & set("{}")


def test_without_guards_the_model_is_believed(model: Transformer, tokenizer: Tokenizer):
    alone = Translator(model, tokenizer, guarded=False)
    assert alone.translate("Thank you.") == "Terima kasih."
    assert "寿司" not in alone.translate(HIDDEN)
    assert text_of(alone.stream(HIDDEN)) == alone.translate(HIDDEN)


# What a visitor is told


@pytest.mark.parametrize("text", ["", " ", " \n\t\r\n", "\u3000\xa0", "\u200b\ufeff", "\x00"], ids=ascii)
def test_an_empty_text_is_answered_with_what_to_do(translator: Translator, text: str):
    with pytest.raises(InputError, match="Type some English"):
        translator.check(text)


def test_a_text_that_is_too_long_is_answered_with_both_numbers(translator: Translator):
    translator.check("a" * MAX_CHARS)
    with pytest.raises(InputError, match=r"5,001 characters; the most is 5,000"):
        translator.check("a" * (MAX_CHARS + 1))


def test_a_text_that_can_be_translated_passes(translator: Translator):
    for text in ("a", " a ", "\n.\n", "你好", "👍"):
        translator.check(text)


# Lines


def test_there_is_a_line_out_for_every_line_in(translator: Translator):
    lines = [
        "Thank you.",
        "",
        "  ",
        "Good morning! The cat sleeps.",
        "你好",
        *["I eat fish."] * LINES_AT_ONCE,
        "She drinks water.",
    ]
    malay = list(translator.translate_lines(lines))
    assert malay[:5] == ["Terima kasih.", "", "  ", "Selamat pagi! Kucing itu tidur.", "你好"]
    assert malay[5:] == ["Saya makan ikan."] * LINES_AT_ONCE + ["Dia minum air."]


def test_no_lines_in_are_no_lines_out(translator: Translator):
    assert list(translator.translate_lines([])) == []


def test_lines_are_read_as_they_are_needed(translator: Translator):
    num_read = 0

    def lines() -> Iterator[str]:
        nonlocal num_read
        for _ in range(10 * LINES_AT_ONCE):
            num_read += 1
            yield "Thank you."

    malay = translator.translate_lines(lines())
    assert num_read == 0
    assert [next(malay) for _ in range(LINES_AT_ONCE + 1)] == ["Terima kasih."] * (LINES_AT_ONCE + 1)
    assert num_read <= 2 * LINES_AT_ONCE


# Many at once


def test_threads_get_what_one_gets(translator: Translator, pairs: dict[str, str]):
    texts = [" ".join(rotated) for rotated in itertools.islice(itertools.permutations(pairs, 3), 0, 120, 7)]
    alone = [translator.translate(text) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(translator.translate, texts)) == alone
        assert list(threads.map(lambda text: text_of(translator.stream(text)), texts)) == alone


def test_streams_that_take_turns_do_not_mix(translator: Translator, pairs: dict[str, str]):
    streams = [translator.stream(english) for english in pairs]
    last: dict[int, Update] = {}
    for updates in itertools.zip_longest(*streams):
        last |= {i: update for i, update in enumerate(updates) if update is not None}
    assert [last[i].text for i in range(len(pairs))] == list(pairs.values())


def test_a_translator_keeps_nothing_of_a_request(translator: Translator, model: Transformer):
    before = dict(vars(translator))
    modules = {name: set(vars(module)) for name, module in model.named_modules()}
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    translator.translate("A text of mine. Thank you.")
    next(translator.stream("Another text."))
    assert vars(translator) == before
    assert {name: set(vars(module)) for name, module in model.named_modules()} == modules
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


# malaygpt("...")


@pytest.mark.usefixtures("forgotten_default")
def test_malaygpt_reads_its_model_once(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    embedded = Path(shutil.copytree(checkpoint, tmp_path / "embedded"))
    monkeypatch.setattr(hub, "EMBEDDED", embedded)
    assert malaygpt.malaygpt("Thank you.") == "Terima kasih."
    shutil.rmtree(embedded)
    assert malaygpt.malaygpt("Good morning!") == "Selamat pagi!"


@pytest.mark.usefixtures("forgotten_default")
def test_malaygpt_reads_its_model_once_even_when_threads_come_first_together(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub, "EMBEDDED", checkpoint)
    reads = []
    load = Translator.load
    monkeypatch.setattr(Translator, "load", lambda *arguments: (reads.append(1), load(*arguments))[1])
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(malaygpt.malaygpt, ["Thank you."] * 4)) == ["Terima kasih."] * 4
    assert len(reads) == 1


@pytest.mark.usefixtures("forgotten_default")
def test_malaygpt_without_a_checkpoint_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "EMBEDDED", tmp_path / "absent")
    with pytest.raises(malaygpt.CheckpointError, match="absent"):
        malaygpt.malaygpt("Thank you.")
