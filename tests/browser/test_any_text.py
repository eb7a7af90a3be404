"""Whatever is typed is text: it is translated or refused with a sentence, is never lost, and never runs."""

import pytest

from .running import Visit

HOSTILE = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=1'>",
    "${alert(1)} and ${window.pwned=1}",
    "{{7*7}} and {{constructor.constructor('window.pwned=1')()}}",
    "[link](javascript:window.pwned=1) <b>bold</b> &amp; &lt;",
    "[PAD] [CLS] [SEP] </textarea>",
]
ODD = [
    "I love durian \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 so much \U0001f1f2\U0001f1fe!",
    "Left \u202eright to left\u202c and \u2067back\u2069 again.",
    "A\x01B\x07C\x1b[31mD\x7f and a\ttab.",
    "Baris pertama\n\nBaris kedua\n",
    "शुभ प्रभात, 早上好, صباح الخير",
    "?",
    "a" * 2000,
]


@pytest.mark.parametrize("text", HOSTILE + ODD)
def test_text_is_only_text(desk: Visit, text: str) -> None:
    malay = desk.translate(text)
    assert malay.strip() or desk.notice
    assert desk.source.input_value() == text
    assert desk.page.evaluate("window.pwned") is None
    assert desk.page.locator("#panes script, #panes img, #panes b").count() == 0


@pytest.mark.parametrize("text", ["", "   ", "\n\t \n"])
def test_nothing_to_translate_gives_a_notice(desk: Visit, text: str) -> None:
    assert desk.translate(text) == ""
    assert desk.notice
    assert desk.status != "Translated"


def test_notice_goes_with_the_next_translation(desk: Visit) -> None:
    desk.translate(" ")
    assert desk.translate("Good morning.").strip()
    assert desk.notice == ""


@pytest.mark.parametrize("length", [5_001, 100_000])
def test_too_long_text_is_refused_and_kept(desk: Visit, length: int) -> None:
    assert desk.translate("a " * (length // 2) + "b" * (length % 2)) == ""
    assert "5" in desk.notice
    assert len(desk.source.input_value()) == length


def test_notice_is_announced_and_moves_nothing(desk: Visit) -> None:
    before = desk.page.locator("#panes").bounding_box()
    desk.translate("a" * 6000)
    assert desk.page.locator("#notice").get_attribute("role") == "status"
    assert desk.page.locator("#panes").bounding_box() == before


@pytest.mark.parametrize(
    ("text", "counter", "excess"),
    [
        ("", "0 / 5,000", ""),
        ("Good morning", "12 / 5,000", ""),
        ("\U0001f600", "1 / 5,000", ""),
        ("a" * 5000, "5,000 / 5,000", ""),
        ("a" * 5003, "5,003 / 5,000", "3 too many"),
    ],
)
def test_counter_counts_characters_and_warns(desk: Visit, text: str, counter: str, excess: str) -> None:
    desk.source.fill(text)
    desk.page.wait_for_function("expected => document.querySelector('#counter').innerText === expected", arg=counter)
    assert desk.page.locator("#excess").inner_text() == excess
