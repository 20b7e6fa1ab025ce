"""Colours: few, and each means one thing.  What a colour says is always said by a glyph and a word too (Law 3).

Cool colours are the experiment's ordinary voices (model, template), warm ones are interference (forged, edited, fake).  Without
colour (`NO_COLOR`, `TERM=dumb`, or the theme `lifeline-mono`) only bold, dim and reverse are left, in the
terminal's own two colours and its grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from textual.app import App
from textual.theme import Theme

R = TypeVar("R")

_DARK_INK = {
    "origin-model": "#7fb4e0",
    "origin-operator": "#d9d4c7",
    "origin-template": "#8d97a5",
    "origin-forged": "#e8a15c",
    "origin-edited": "#d9bf5e",
    "origin-imported": "#a99bd6",
    "origin-other": "#74bfb0",
    "tone-fake": "#ee8f7a",
    "tone-error": "#ee7d86",
    "tone-right": "#93c47d",
    "tone-skip": "#a99bd6",
    "quiet": "#8b95a1",
    "faint": "#59626d",
    "unavailable": "#59626d",
    "cursor-line": "#232a33",
}
_LIGHT_INK = {
    "origin-model": "#1f5f99",
    "origin-operator": "#3d3a33",
    "origin-template": "#66707d",
    "origin-forged": "#a85508",
    "origin-edited": "#7d6400",
    "origin-imported": "#6350a0",
    "origin-other": "#157568",
    "tone-fake": "#b23a1e",
    "tone-error": "#b0202e",
    "tone-right": "#2f7326",
    "tone-skip": "#6350a0",
    "quiet": "#666b73",
    "faint": "#9a978d",
    "unavailable": "#9a978d",
    "cursor-line": "#e9e6dc",
}
_NO_INK = dict.fromkeys(_DARK_INK, "ansi_default")
_GREY = dict.fromkeys(
    (
        *("border", "border-blurred", "scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active"),
        *("link-color", "link-color-hover", "link-background-hover", "footer-key-foreground"),
        *(f"markdown-h{level}-color" for level in range(1, 7)),
    ),
    "ansi_default",
)
"""What Textual paints in its own colours where a theme of the terminal's colours says nothing."""

DARK = Theme(
    name="lifeline-dark",
    primary="#7fb4e0",
    secondary="#8d97a5",
    accent="#e8a15c",
    warning="#d9bf5e",
    error="#ee7d86",
    success="#93c47d",
    foreground="#d7dae0",
    background="#14181d",
    surface="#191e24",
    panel="#20262e",
    dark=True,
    variables={
        **_DARK_INK,
        "text-muted": _DARK_INK["quiet"],
        "text-disabled": _DARK_INK["faint"],
        "border": "#3a4450",
        "border-blurred": "#2a323b",
        "block-cursor-background": "#2f4254",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#232a33",
        "scrollbar": "#333d48",
        "scrollbar-background": "#14181d",
        "scrollbar-background-hover": "#14181d",
        "scrollbar-background-active": "#14181d",
    },
)
LIGHT = Theme(
    name="lifeline-light",
    primary="#1f5f99",
    secondary="#66707d",
    accent="#a85508",
    warning="#7d6400",
    error="#b0202e",
    success="#2f7326",
    foreground="#23262b",
    background="#faf8f3",
    surface="#f4f1ea",
    panel="#ece8de",
    dark=False,
    variables={
        **_LIGHT_INK,
        "text-muted": _LIGHT_INK["quiet"],
        "text-disabled": _LIGHT_INK["faint"],
        "border": "#c4beb0",
        "border-blurred": "#ddd8cb",
        "block-cursor-background": "#cfdfec",
        "block-cursor-foreground": "#10202e",
        "block-cursor-blurred-background": "#e9e6dc",
        "scrollbar": "#cdc7b8",
        "scrollbar-background": "#faf8f3",
        "scrollbar-background-hover": "#faf8f3",
        "scrollbar-background-active": "#faf8f3",
    },
)
MONO = Theme(
    name="lifeline-mono",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    accent="ansi_default",
    warning="ansi_default",
    error="ansi_default",
    success="ansi_default",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        **_NO_INK,
        **_GREY,
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "faint": "ansi_bright_black",
        "unavailable": "dim",
        "text-disabled": "ansi_bright_black",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-text-style": "underline",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_white",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_white",
        "screen-selection-foreground": "ansi_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_bright_black",
        "scrollbar-active": "ansi_white",
    },
)
THEMES = (DARK, LIGHT, MONO)


def without_colour(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is asked to do without colour: any non-empty `NO_COLOR`, or a dumb terminal."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"


class Themed(App[R]):
    """An app with these themes.  Give its constructor `ansi_color=True` where `without_colour`, so that Textual drops colours
    instead of turning them into greys, and then set the theme `lifeline-mono`."""

    # Notifications stand at the top, since the keys stand at the bottom; without colour what is selected is reversed.
    CSS = """
    ToastRack { dock: top; align: right top; margin: 1 0 0 0; }
    Toast { margin: 0 0 1 0; padding: 0 1; max-width: 60%; }
    Toast:ansi { border: solid ansi_default; }
    ModalScreen:ansi > Vertical { border: solid ansi_default; padding: 0 1; }
    Pager:ansi > .title, Pager:ansi > .keys { text-style: reverse; }
    Input:ansi > .input--selection { text-style: reverse; }
    TextArea:ansi > .text-area--selection { text-style: reverse; }
    """

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return _DARK_INK if self.current_theme.dark else _LIGHT_INK

    def use_theme(self, name: str) -> None:
        """Registers our themes and changes to `name`, which may be one of Textual's own; to ours where there is none of that name."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = name if name in self.available_themes else DARK.name
