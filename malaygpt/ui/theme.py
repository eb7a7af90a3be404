"""The page's colours and type: mangosteen and songket gold on plain cloth, day and night, in the reader's own fonts."""

import gradio as gr
from gradio.themes.utils import colors, sizes

MANGOSTEEN = colors.Color(
    name="mangosteen",
    c50="#fbf3f7",
    c100="#f4e1ea",
    c200="#e6bdd0",
    c300="#d292b0",
    c400="#b4638a",
    c500="#8f3a66",
    c600="#6b1d45",
    c700="#561536",
    c800="#43102a",
    c900="#320c20",
    c950="#210815",
)
GOLD = colors.Color(
    name="gold",
    c50="#fdf9ee",
    c100="#f8edd0",
    c200="#f0d99f",
    c300="#e6c26c",
    c400="#d9ac4f",
    c500="#b98a2f",
    c600="#946b20",
    c700="#71511a",
    c800="#513a14",
    c900="#36270e",
    c950="#1f1608",
)
CLOTH = colors.Color(
    name="cloth",
    c50="#f7f4f6",
    c100="#efeaed",
    c200="#e2dade",
    c300="#cbbfc6",
    c400="#a897a2",
    c500="#7d6b77",
    c600="#64535e",
    c700="#43353e",
    c800="#2b2028",
    c900="#1f161d",
    c950="#150e13",
)
SANS = ("-apple-system", "Segoe UI", "Roboto", "Noto Sans", "system-ui", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


class Songket(gr.themes.Base):
    """Gradio's own parts in the page's colours; everything of the page's own is in assets/page/page.css."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=MANGOSTEEN,
            secondary_hue=GOLD,
            neutral_hue=CLOTH,
            radius_size=sizes.radius_md,
            font=SANS,
            font_mono=MONO,
        )
        self.set(
            body_background_fill="*neutral_50",
            body_background_fill_dark="*neutral_950",
            body_text_color="#23161f",
            body_text_color_dark="#f3eaf0",
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_400",
            background_fill_primary="#ffffff",
            background_fill_primary_dark="*neutral_900",
            border_color_primary="*neutral_200",
            border_color_primary_dark="*neutral_700",
            button_primary_background_fill="*primary_600",
            button_primary_background_fill_hover="*primary_700",
            button_primary_text_color="#ffffff",
            button_primary_background_fill_dark="*secondary_400",
            button_primary_background_fill_hover_dark="*secondary_300",
            button_primary_text_color_dark="*primary_950",
            button_secondary_background_fill="transparent",
            button_secondary_background_fill_dark="transparent",
        )
