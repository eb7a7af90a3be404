"""What a visitor does with the page: translate, watch, interrupt, copy, clear, try an example."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from .running import EXAMPLES, LONG_TEXT, Visit

SENTENCE = "Good morning! The food at the market is cheap."
RECORD_TARGET = """() => {
    window.seen = [];
    const box = document.querySelector("#target .text");
    setInterval(() => { if (box.textContent !== window.seen.at(-1)) window.seen.push(box.textContent); }, 5);
}"""


def test_typed_english_becomes_another_text(desk: Visit) -> None:
    desk.source.press_sequentially(SENTENCE)
    desk.button("Translate").click()
    desk.wait_until_done()
    assert desk.malay.strip() not in ("", SENTENCE)
    assert desk.status == "Translated"


def test_malay_grows_while_it_is_decoded(desk: Visit) -> None:
    desk.page.evaluate(RECORD_TARGET)
    desk.translate(LONG_TEXT)
    seen = desk.page.evaluate("window.seen")
    lengths = [len(text) for text in seen]
    assert len(seen) >= 5
    # A sentence may give way to a likelier one, which may be shorter, as long as it is not done.
    assert all(later > earlier - 60 for earlier, later in pairwise(lengths))
    assert lengths[-1] > 2 * lengths[len(lengths) // 4]


def test_panes_stand_still_while_malay_grows(desk: Visit) -> None:
    before = desk.page.locator("#panes").bounding_box()
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    assert desk.page.locator("#panes").bounding_box() == before
    desk.button("Stop").click()
    desk.wait_until_done()


@pytest.mark.parametrize("keys", ["Control+Enter", "Meta+Enter"])
def test_keys_translate(desk: Visit, keys: str) -> None:
    desk.source.press_sequentially(SENTENCE)
    desk.source.press(keys)
    desk.wait_until_done()
    assert desk.malay.strip()
    assert desk.source.input_value() == SENTENCE


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stop_ends_it_and_keeps_the_text_so_far(desk: Visit, how: str) -> None:
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    if how == "button":
        desk.button("Stop").click()
    else:
        desk.page.keyboard.press(how)
    desk.wait_until_done()
    kept = desk.malay
    desk.page.wait_for_timeout(1000)
    assert desk.malay == kept != ""
    assert desk.status == "Stopped"
    assert desk.source.input_value() == LONG_TEXT


def test_translating_again_works_after_stop(desk: Visit) -> None:
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    desk.button("Stop").click()
    desk.wait_until_done()
    assert desk.translate(SENTENCE).strip()
    assert desk.status == "Translated"


def test_translate_at_the_heels_of_stop_is_not_lost(desk: Visit) -> None:
    expected = desk.translate(SENTENCE)
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    desk.source.fill(SENTENCE)
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.target).to_have_text(expected, timeout=20_000)


def test_translate_while_translating_starts_over_with_the_new_text(desk: Visit) -> None:
    expected = desk.translate(SENTENCE)
    desk.start(LONG_TEXT)
    desk.page.wait_for_timeout(300)
    desk.start(SENTENCE)
    expect(desk.target).to_have_text(expected, timeout=20_000)
    desk.wait_until_done()
    assert desk.malay == expected


def test_double_click_translates_once(desk: Visit) -> None:
    desk.source.fill(LONG_TEXT)
    desk.button("Translate").dblclick()
    desk.wait_until_streaming()
    desk.button("Stop").dblclick()
    desk.wait_until_done()
    assert desk.status == "Stopped"


def test_clear_empties_both_and_ends_it(desk: Visit) -> None:
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    desk.button("Clear").click()
    desk.wait_until_done()
    desk.page.wait_for_timeout(1000)
    assert (desk.source.input_value(), desk.malay) == ("", "")
    assert desk.page.locator("#counter").inner_text() == "0 / 5,000"


def test_copy_puts_the_malay_on_the_clipboard(desk: Visit) -> None:
    malay = desk.translate(SENTENCE)
    desk.button("Copy").click()
    expect(desk.page.locator("#target .note")).to_have_text("Copied")
    assert desk.page.evaluate("navigator.clipboard.readText()") == malay


def test_malay_can_be_selected_but_not_changed(desk: Visit) -> None:
    malay = desk.translate(SENTENCE)
    desk.page.evaluate("getSelection().selectAllChildren(document.querySelector('#target .text'))")
    assert desk.page.evaluate("getSelection().toString()") == malay
    desk.page.keyboard.type("x")
    assert desk.malay == malay


def test_example_is_filled_in_and_translated(desk: Visit) -> None:
    desk.button(EXAMPLES[4]).click()
    desk.page.wait_for_function("document.querySelector('#target .text').textContent !== ''")
    desk.wait_until_done()
    assert desk.source.input_value() == EXAMPLES[4]
    assert desk.malay.strip()


def test_example_replaces_a_running_translation(desk: Visit) -> None:
    expected = desk.translate(EXAMPLES[0])
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    desk.button(EXAMPLES[0]).click()
    expect(desk.target).to_have_text(expected, timeout=20_000)
    assert desk.source.input_value() == EXAMPLES[0]


def test_two_visitors_do_not_see_each_other(desk: Visit, night: Visit) -> None:
    desk.start(LONG_TEXT)
    malay = night.translate(SENTENCE)
    desk.button("Stop").click()
    desk.wait_until_done()
    assert desk.translate(SENTENCE) == malay
    assert night.malay == malay
