"""Nothing that a terminal obeys, and no action that text has planted, gets past the guard, however careless the widget."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from lifeline_tui.core.text import visible
from lifeline_tui.tui.guard import Guarded, guard
from lifeline_tui.tui.show import shown, shown_line

HOSTILE = {
    "escape": "a\x1b[2Jb",
    "clipboard": "a\x1b]52;c;cm0gLXJm\x07b",
    "window title": "a\x1b]0;pwned\x1b\\b",
    "csi c1": "a\x9b2Jb",
    "osc c1": "a\x9d52;c;eA==\x9cb",
    "nul": "a\x00b",
    "delete": "a\x7fb",
    "bidi": "a\u202eb",
    "isolate": "a\u2066b",
    "zero width": "a\u200bb",
    "tag": "a\U000e0041b",
    "surrogate": "a\ud800b",
    "backspace": "safe\x08\x08\x08\x08rm",
    "carriage return": "safe\rrm",
}
OURS = re.compile(r"\x1b\[[0-9;]*[mH]|\n")
"""What the compositor itself writes: colours, cursor moves and line ends."""


class Careless(Widget):
    """Hands Textual whatever it was given, as a forgotten call site would."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.border_title = "title"
        self.styles.border = ("round", "red")

    def render(self) -> str:
        return self.text


class GuardedApp(Guarded[None]):
    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.quits = 0

    def compose(self) -> ComposeResult:
        yield self.widget

    def action_planted(self) -> None:
        self.quits += 1


class Unguarded(GuardedApp):
    get_line_filters = App.get_line_filters


def written(app: App[None]) -> str:
    """The bytes that a full paint would send to a terminal."""
    return app.screen._compositor.render_full_update().render_segments(app.console)


def unsafe(output: str) -> list[str]:
    """What is left of `output` that a terminal might obey, hide or fail on."""
    left = OURS.sub("", output)
    return sorted({char for char in left if visible(char) != char})


def widths(app: App[None]) -> Iterable[int]:
    return (strip.cell_length for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_control_byte_reaches_the_terminal(name: str) -> None:
    app = GuardedApp(Careless(HOSTILE[name]))
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        output = written(app)
        assert unsafe(output) == []
        assert "title" in output
        assert set(widths(app)) == {40}
        output.encode()
        app.export_screenshot().encode()


async def test_without_the_guard_they_do() -> None:
    leaks = 0
    for text in ("a\x1b[2Jb", "a\x9b2Jb", "a\u202eb", "a\x00b"):
        app = Unguarded(Careless(text))
        async with app.run_test(size=(40, 6)) as pilot:
            await pilot.pause()
            leaks += bool(unsafe(written(app)))
    assert leaks == 4


async def test_a_hostile_border_title_is_shown_too() -> None:
    widget = Careless("text")
    app = GuardedApp(widget)
    async with app.run_test(size=(40, 6)) as pilot:
        widget.border_title = "t\x1b]52;c;eA==\x07\u202e"
        await pilot.pause()
        assert unsafe(written(app)) == []
        assert "␛" in written(app)


async def _click_markup(app: GuardedApp) -> None:
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        await pilot.click(offset=(2, 0))
        await pilot.pause()


async def test_a_planted_action_does_not_run() -> None:
    app = GuardedApp(Static("[@click=app.planted]click me[/]"))
    await _click_markup(app)
    assert app.quits == 0
    careless = Unguarded(Static("[@click=app.planted]click me[/]"))
    await _click_markup(careless)
    assert careless.quits == 1


async def test_the_scrollbar_can_still_be_dragged() -> None:
    class Long(GuardedApp):
        def compose(self) -> ComposeResult:
            yield VerticalScroll(Static("line\n" * 100))

    app = Long(Careless("x"))
    async with app.run_test(size=(40, 10)) as pilot:
        scroll = app.query_one(VerticalScroll)
        await pilot.mouse_down(offset=(39, 0))
        await pilot.hover(offset=(39, 5))
        await pilot.mouse_up(offset=(39, 5))
        await pilot.pause()
        assert scroll.scroll_y > 20


async def test_a_planted_link_is_not_written() -> None:
    class Linked(Widget):
        def render_line(self, y: int):  # type: ignore[no-untyped-def]
            from rich.segment import Segment
            from textual.strip import Strip

            return Strip([Segment("link", Style(link="http://x/\x1b]52;c;eA==\x07"))])

    app = GuardedApp(Linked())
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        assert "\x1b]" not in written(app)


async def test_clean_lines_pass_untouched() -> None:
    from rich.segment import Segment

    segments = [Segment("plain"), Segment("日本語 👩‍🔬 é", Style(color="red"))]
    assert guard(segments) is segments


async def test_what_goes_round_the_lines_is_guarded() -> None:
    app = GuardedApp(Careless("x"))
    sent: list[str] = []
    async with app.run_test(size=(60, 12), notifications=True) as pilot:
        assert app._driver is not None
        app._driver.write = sent.append  # type: ignore[method-assign]
        app.title = "a\x1b]0;b\nc"
        assert unsafe(app.title) == []
        app.copy_to_clipboard("rm -rf /\x1b\ud800\r")
        payload = base64.b64decode(sent[-1].split(";")[2].rstrip("\a")).decode()
        assert unsafe(payload) == []
        app.notify("[@click=app.planted]hit[/] \x1b[2J [/INST]", title="\u202e[x")
        await _painted(pilot)
        assert unsafe(written(app)) == []
        assert "[/INST]" in written(app)


async def _painted(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.pause()


async def test_a_crash_prints_no_locals() -> None:
    class Crash(GuardedApp):
        told = ""

        def _print_error_renderables(self) -> None:
            self.told = "".join(str(item) for item in self._exit_renderables)

        def on_mount(self) -> None:
            secret = "sk-" + "verysecret"
            raise RuntimeError(f"broke \x1b[2J {len(secret)}")

    app = Crash(Careless("x"))
    with pytest.raises(RuntimeError):
        async with app.run_test():
            pass
    assert app.return_code == 1
    assert "RuntimeError: broke ␛[2J" in app.told
    assert "sk-verysecret" not in app.told


@pytest.mark.parametrize("text", ["[@click=app.quit]x[/]", "list[int]", "[/INST]", "[bold"])
def test_shown_text_is_never_markup(text: str) -> None:
    assert shown(text).plain == text
    assert shown(text).spans == []
    assert shown_line(text + "\n" + text, "bold").plain == f"{text} ⏎ {text}"
