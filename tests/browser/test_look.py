"""The page can be read and used by day and by night, on a small phone, without a mouse and without a network."""

import pytest
from playwright.sync_api import Page

from .running import LONG_TEXT, Visit

READABLE = ["#masthead h1", "#masthead p", "#source textarea", "#target .text", "#counter", "#status", "#clear"]
READABLE += [
    "#translate",
    "#target .note",
    "#language",
    "#views h2",
    "#views strong",
    "#examples-title h2",
    ".example",
    "#colophon footer",
    "#source span",
]

# Any CSS colour as the browser paints it, and the contrast of WCAG 2: (lighter + 0.05) / (darker + 0.05).
CONTRAST = """(selector) => {
    const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (color) => {
        brush.clearRect(0, 0, 1, 1); brush.fillStyle = color; brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const element = document.querySelector(selector);
    let cloth = element;
    while (cloth.parentElement && paint(getComputedStyle(cloth).backgroundColor)[3] < 255) cloth = cloth.parentElement;
    const [dark, light] = [getComputedStyle(element).color, getComputedStyle(cloth).backgroundColor]
        .map((color) => luminance(paint(color))).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}"""


@pytest.mark.parametrize("selector", READABLE)
def test_text_has_contrast_by_day(desk: Visit, selector: str) -> None:
    assert desk.page.evaluate(CONTRAST, selector) >= 4.5


@pytest.mark.parametrize("selector", READABLE)
def test_text_has_contrast_by_night(night: Visit, selector: str) -> None:
    assert night.page.evaluate(CONTRAST, selector) >= 4.5


@pytest.mark.parametrize("fixture", ["desk", "night"])
def test_notice_has_contrast(fixture: str, request: pytest.FixtureRequest) -> None:
    visitor = request.getfixturevalue(fixture)
    visitor.translate(" ")
    assert visitor.page.evaluate(CONTRAST, "#notice p") >= 4.5


def test_night_is_darker_than_day(desk: Visit, night: Visit) -> None:
    backgrounds = [
        visitor.page.evaluate("getComputedStyle(document.querySelector('#panes')).backgroundColor")
        for visitor in (desk, night)
    ]
    assert backgrounds[0] != backgrounds[1]


def has_sideways_scroll(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_phone_needs_no_sideways_scroll(phone: Visit) -> None:
    assert not has_sideways_scroll(phone.page)
    phone.translate("a" * 5003)
    assert not has_sideways_scroll(phone.page)


def test_phone_stacks_the_panes_and_translates(phone: Visit) -> None:
    english, malay = (phone.page.locator(selector).bounding_box() for selector in ("#english", "#malay"))
    assert malay["y"] >= english["y"] + english["height"]
    assert phone.translate("Good morning.").strip()


def test_buttons_on_a_phone_are_as_large_as_a_finger(phone: Visit) -> None:
    boxes = [
        button.bounding_box()
        for button in phone.page.locator("#panes button:visible, #views button, #language, .example").all()
    ]
    assert len(boxes) == 25
    assert all(box["height"] >= 44 and box["width"] >= 44 for box in boxes)


def test_desktop_sets_the_panes_side_by_side(desk: Visit) -> None:
    english, malay = (desk.page.locator(selector).bounding_box() for selector in ("#english", "#malay"))
    assert malay["y"] == english["y"] and malay["x"] >= english["x"] + english["width"]
    assert not has_sideways_scroll(desk.page)


def test_keyboard_reaches_every_control_and_shows_where_it_is(desk: Visit) -> None:
    desk.translate("Good morning.")
    desk.source.focus()
    names = []
    for _ in range(12):
        desk.page.keyboard.press("Tab")
        focused = "document.activeElement"
        names.append(desk.page.evaluate(f"{focused}.classList.contains('word') ? 'word' : {focused}.innerText"))
        assert desk.page.evaluate(f"getComputedStyle({focused}).outlineStyle") != "none", names
    names = [name.strip().partition("\n")[0] for name in names]
    assert names[1:9] == ["Clear", "Translate", "word", "word", "Alternatives", "More", "Share", "Copy"]
    assert names[9:] == ["Take the tour", "Inside", "Search"]


def test_reduced_motion_stills_the_seam(desk: Visit) -> None:
    moving = "getComputedStyle(document.querySelector('#seam'), '::after').animationName"
    desk.start(LONG_TEXT)
    desk.wait_until_streaming()
    assert desk.page.evaluate(moving) == "shimmer"
    desk.page.emulate_media(reduced_motion="reduce")
    assert desk.page.evaluate(moving) == "none"
    desk.button("Stop").click()
    desk.wait_until_done()


def test_languages_of_the_boxes_are_declared(desk: Visit) -> None:
    assert desk.source.get_attribute("lang") == "en"
    assert desk.target.get_attribute("lang") == "ms"


def test_gradio_adds_no_footer(desk: Visit) -> None:
    assert desk.page.locator("footer").count() == 1
    assert "Gradio" not in desk.page.inner_text("body")
