"""The views on the real page: what they show is of the visitor's own translation, and what they ask is answered."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .running import LONG_TEXT, Visit, visit

SENTENCE = "The children are playing in the garden near the river."
NAMES = {"Inside": "inside", "Search": "search", "Watch it learn": "learn", "Break it": "breakit"}
SIGNS = {
    "inside": "#view-inside canvas",
    "search": "#view-search [role=tree]",
    "learn": "#view-learn canvas",
    "breakit": "#view-breakit canvas",
}
"""What stands in each view once it is drawn"""


def open_view(visitor: Visit, title: str) -> None:
    visitor.page.locator("#views .choose button", has_text=title).click()
    expect(visitor.page.locator(SIGNS[NAMES[title]]).first).to_be_visible(timeout=30_000)


def words(visitor: Visit) -> list[str]:
    return [word.strip() for word in visitor.target.locator(".word").all_text_contents()]


@pytest.mark.parametrize("fixture", ["desk", "night", "phone"])
def test_every_view_opens_of_the_translation(fixture: str, request: pytest.FixtureRequest) -> None:
    visitor = request.getfixturevalue(fixture)
    visitor.translate(SENTENCE)
    for title in NAMES:
        open_view(visitor, title)
        assert visitor.page.locator("#views .panel > section:visible").count() == 1
    width, room = visitor.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room


def test_a_new_translation_is_shown_in_the_open_view(desk: Visit) -> None:
    desk.translate(SENTENCE)
    open_view(desk, "Inside")
    expect(desk.page.locator("#view-inside")).to_contain_text("garden")
    desk.translate("Good morning.")
    expect(desk.page.locator("#view-inside")).to_contain_text("morning")
    expect(desk.page.locator("#view-inside")).not_to_contain_text("garden")


def test_a_view_that_needs_a_translation_says_so(desk: Visit) -> None:
    desk.page.locator("#views .choose button", has_text="Inside").click()
    expect(desk.page.locator(".views > .status")).to_contain_text("Translate something first")
    desk.translate(SENTENCE)
    expect(desk.page.locator(SIGNS["inside"]).first).to_be_visible()


def test_attribution_is_asked_of_the_server(desk: Visit) -> None:
    desk.translate(SENTENCE)
    open_view(desk, "Inside")
    desk.page.get_by_label("Attribution").check()
    expect(desk.page.locator("#view-inside")).to_contain_text(re.compile(r"nats"), timeout=20_000)


def test_numbers_are_linked_to_their_lines(desk: Visit) -> None:
    desk.translate(SENTENCE)
    open_view(desk, "Inside")
    desk.page.get_by_text("The model in numbers").click()
    address = desk.page.locator("#view-inside a[href*='#L']").nth(2).evaluate("link => link.href")
    desk.page.goto(address)
    line = desk.page.locator(f"#{address.partition('#')[2]}")
    expect(line).to_be_in_viewport()
    expect(line).to_contain_text("self.weight")


def test_another_word_changes_only_what_follows_it(desk: Visit) -> None:
    desk.translate(SENTENCE)
    before = words(desk)
    word = desk.target.locator(".word").nth(2)
    word.click()
    desk.page.locator(".reading-card .choices button").nth(1).click()
    desk.page.wait_for_function(
        "before => document.querySelector('#target .text').textContent !== before", arg=desk.malay, timeout=20_000
    )
    after = words(desk)
    assert after[:2] == before[:2] and after != before


def test_options_of_the_search_view_translate_the_text(desk: Visit) -> None:
    desk.translate(SENTENCE)
    open_view(desk, "Search")
    desk.page.get_by_role("button", name="Translate with these").first.click()
    desk.page.wait_for_function("window.malaygpt.options().num_beams === 1")
    desk.wait_until_done()
    assert desk.malay
    desk.translate("Good morning.")  # they stay until the page is cleared
    assert desk.page.evaluate("window.malaygpt.options().num_beams") == 1
    desk.button("Clear").click()
    expect(desk.source).to_have_value("")
    desk.translate(SENTENCE)
    assert desk.page.evaluate("window.malaygpt.options()") == {}


def test_after_a_stop_no_view_tells_of_the_text_before(desk: Visit) -> None:
    desk.translate(SENTENCE)
    open_view(desk, "Inside")
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    desk.button("Stop").click()
    expect(desk.page.locator(".views > .status")).to_contain_text("Translate something first")
    desk.wait_until_done()
    desk.translate(SENTENCE)
    expect(desk.page.locator(SIGNS["inside"]).first).to_be_visible()
    expect(desk.page.locator("#view-inside")).to_contain_text("garden")


def test_after_a_choice_by_keyboard_the_attention_is_of_the_new_sentence(desk: Visit) -> None:
    desk.translate(SENTENCE)
    asked: list[dict] = []
    desk.page.on("request", lambda request: "component_server" in request.url and asked.append(request.post_data_json))
    desk.target.locator(".word").first.focus()
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("Enter")
    choice = desk.page.locator(".reading-card .choices button").nth(1)
    choice.focus()
    before = desk.malay
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_function(
        "before => document.querySelector('#target .text').textContent !== before", arg=before, timeout=20_000
    )
    desk.page.wait_for_timeout(1000)
    questions = [each["data"] for each in asked]
    choices = [each["payload"] for each in questions if each["kind"] == "choose"]
    said = [each["payload"]["tokens"] for each in questions if each["kind"] == "attention"]
    assert len(choices) == 1
    assert choices[0]["said"] in said  # before it
    assert [tokens for tokens in said if tokens != choices[0]["said"]]  # and after it
    assert said[-1] != choices[0]["said"]


def test_a_link_translates_when_it_is_opened(browser: Browser, url: str) -> None:
    with visit(browser, url, 1280, 860, dark=False, path="/?q=Good%20morning.&num_beams=1#breakit") as visitor:
        expect(visitor.target).not_to_have_text("", timeout=30_000)
        visitor.wait_until_done()
        assert visitor.source.input_value() == "Good morning."
        assert visitor.page.evaluate("window.malaygpt.options()") == {"num_beams": 1}
        expect(visitor.page.locator(SIGNS["breakit"]).first).to_be_visible(timeout=30_000)
        assert visitor.troubles == []


def test_a_shared_link_brings_the_same_translation(desk: Visit, browser: Browser, url: str) -> None:
    malay = desk.translate(SENTENCE)
    desk.button("Share").click()
    desk.page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('?q=')")
    link = desk.page.evaluate("navigator.clipboard.readText()")
    with visit(browser, url, 1280, 860, dark=False, path=link.removeprefix(url)) as visitor:
        expect(visitor.target).to_have_text(malay, timeout=30_000)


def test_the_page_speaks_malay_and_remembers_it(desk: Visit) -> None:
    malay = desk.translate(SENTENCE)
    open_view(desk, "Inside")
    desk.button("Bahasa Melayu").click()
    expect(desk.button("Terjemah")).to_be_visible()
    expect(desk.page.locator("#view-inside")).to_contain_text("Langkah")
    assert desk.malay == malay
    assert desk.page.get_by_label("Bahasa Inggeris", exact=True).input_value() == SENTENCE
    assert desk.page.evaluate("document.documentElement.lang") == "ms"
    desk.page.reload()
    expect(desk.button("Terjemah")).to_be_visible()
    expect(desk.page.locator("#views h2")).to_contain_text("Lihat")
    desk.button("English").click()
    expect(desk.button("Translate")).to_be_visible()


def test_a_file_becomes_the_english(desk: Visit, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Aishah,\n\nthank you for the \U0001f600 mangoes.\n", encoding="utf-8")
    desk.page.locator("#file").set_input_files(path)
    expect(desk.source).to_have_value(path.read_text(encoding="utf-8"))
    desk.button("Translate").click()
    desk.wait_until_done()
    assert desk.malay.strip()


def test_a_file_that_is_no_text_is_refused_and_nothing_is_lost(desk: Visit, tmp_path: Path) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(b"\xff\xfe\x00\x01")
    desk.source.fill(SENTENCE)
    desk.page.locator("#file").set_input_files(path)
    expect(desk.page.locator("#status")).to_contain_text("not text")
    assert desk.source.input_value() == SENTENCE


def test_a_long_text_does_not_hang_the_views(desk: Visit) -> None:
    desk.translate(LONG_TEXT)
    open_view(desk, "Inside")
    open_view(desk, "Search")
    desk.page.locator("#view-search select").first.select_option(index=3)
    expect(desk.page.locator(SIGNS["search"]).first).to_be_visible(timeout=30_000)


def test_a_question_that_is_no_question_is_answered_with_an_error(desk: Visit) -> None:
    found = desk.page.evaluate("""async () => {
        const shell = await import(`${window.gradio_config.root}/see/shell.js`);
        return shell.ask("search", { text: "x".repeat(6000), options: {} }).catch((error) => error.message);
    }""")
    assert "6,000 characters" in found


@pytest.mark.parametrize("fixture", ["desk", "phone"])
def test_the_tour_leads_through_the_views(fixture: str, request: pytest.FixtureRequest) -> None:
    visitor = request.getfixturevalue(fixture)
    visitor.button("Take the tour").click()  # with no text: it brings one of its own
    card = visitor.page.get_by_role("dialog", name=re.compile(".+"))
    expect(card).to_be_visible(timeout=30_000)
    stops, views = [], set()
    for _ in range(12):
        expect(card.get_by_role("heading")).not_to_have_text(stops[-1] if stops else "", timeout=30_000)
        stops.append(card.get_by_role("heading").inner_text())
        views |= {each.get_attribute("id") for each in visitor.page.locator("#views .panel > section:visible").all()}
        visitor.page.keyboard.press("ArrowRight")
    assert len(set(stops)) == 12
    assert views == {"view-inside", "view-search", "view-learn", "view-breakit"}
    visitor.page.keyboard.press("Escape")
    expect(card).to_be_hidden()


ROLES = {"button", "link", "textbox", "combobox", "slider", "checkbox", "radio", "dialog", "tree", "grid", "spinbutton"}
"""What a screen reader has to be able to name"""


@pytest.mark.parametrize("title", NAMES)
def test_everything_has_a_name_for_screen_readers(desk: Visit, title: str) -> None:
    desk.translate(SENTENCE)
    open_view(desk, title)
    tree = desk.page.context.new_cdp_session(desk.page).send("Accessibility.getFullAXTree")["nodes"]
    found = [node for node in tree if not node["ignored"] and node["role"]["value"] in ROLES]
    assert len(found) > 20
    assert [node for node in found if not node["name"]["value"].strip()] == []
    ids = desk.page.evaluate("[...document.querySelectorAll('[id]')].map(({ id }) => id).filter(Boolean)")
    assert len(set(ids)) == len(ids)
