"""The transcript: laid out the same however it arrives, following the end until left, and never hanging on what it is given."""

from __future__ import annotations

import pytest
from effort import Effort
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from textual.app import ComposeResult

from lifeline_tui.core.nodes import Origin
from lifeline_tui.core.text import visible
from lifeline_tui.tui.blocks import Block
from lifeline_tui.tui.column import Column
from lifeline_tui.tui.glyphs import UNICODE
from lifeline_tui.tui.guard import Guarded
from lifeline_tui.tui.theme import Themed
from lifeline_tui.tui.widgets.transcript import Transcript
from lifeline_tui.tui.wrap import _NARROW, SHOWN_AT_MOST, Flow

TEXTS = st.text(alphabet=st.sampled_from("ab c  \n\t\r日本é\u0301👩\u200d🔬\x1b\u202e-−…"), max_size=120)


def block(name: str, text: str = "some words", origin: Origin = Origin.MODEL, **more: object) -> Block:
    return Block(name, origin, "model", text, **more)  # type: ignore[arg-type]


# -- laying out ----------------------------------------------------------------------------------------------------------------


@given(TEXTS, st.integers(4, 30))
def test_no_line_is_wider_than_its_room_and_no_word_is_lost(text: str, width: int) -> None:
    lines = Flow(text, width).lines
    assert all(sum(map(get_character_cell_size, line)) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == visible(text).replace(" ", "").replace("\n", "")


@settings(max_examples=300)
@given(st.lists(TEXTS, max_size=8), st.integers(4, 30))
def test_text_that_streams_in_is_laid_out_like_text_that_was_there(pieces: list[str], width: int) -> None:
    flow = Flow("", width)
    for piece in pieces:
        before = list(flow.lines)
        first = flow.grow(piece)
        assert flow.lines[:first] == before[:first]
    assert flow.lines == Flow("".join(pieces), width).lines


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("a b", 10, ["a b"]),
        ("hello world", 5, ["hello", "world"]),
        ("hello brave world", 11, ["hello brave", "world"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("  indented", 12, ["  indented"]),
        ("one\n\ntwo\n", 9, ["one", "", "two", ""]),
        ("a\tb", 10, ["a    b"]),
        ("日本語日本", 6, ["日本語", "日本"]),
        ("日本 語日本語", 6, ["日本", "語日本", "語"]),
        ("e\u0301e\u0301e\u0301e\u0301e\u0301", 4, ["e\u0301" * 4, "e\u0301"]),
    ],
)
def test_lines(text: str, width: int, lines: list[str]) -> None:
    assert Flow(text, width).lines == lines


def test_the_narrow_alphabet_is_narrow() -> None:
    for code in range(0x20, 0x30000):
        if _NARROW(chr(code)):
            assert cell_len(chr(code)) == 1, hex(code)


def test_a_token_costs_its_last_line() -> None:
    flow = Flow("word " * 30_000, 60)
    kept = flow.lines[0]
    assert flow.grow("more") >= len(flow.lines) - 2
    assert flow.lines[0] is kept


def test_five_megabytes_in_one_line_are_cut_and_said_to_be() -> None:
    for unit in ("x", "word ", "日", "\x1b"):
        with Effort() as effort:
            flow = Flow(unit * (5_000_000 // len(unit)), 60)
        assert flow.cut == 5_000_000 - SHOWN_AT_MOST
        assert effort.yards < 200


def test_blocks_that_nobody_looks_at_are_not_laid_out() -> None:
    column = Column(60)
    column.set(block(str(i), "word " * 300) for i in range(10_000))
    column.measure_about(9_999, 40, 40)
    assert len(column._flows) < 10
    column.measure_about(5_000, 40, 40)
    assert len(column._flows) < 20
    for at in (0, 4_321, 9_999):
        assert column.at(column.top(at)) == at
        assert column.at(column.top(at + 1) - 1) == at


# -- on screen -----------------------------------------------------------------------------------------------------------------


class Reading(Themed[None], Guarded[None]):
    def __init__(self) -> None:
        super().__init__()
        self.use_theme("lifeline-dark")

    def compose(self) -> ComposeResult:
        yield Transcript()

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)

    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_every_block_says_who_wrote_it() -> None:
    app = Reading()
    async with app.run_test(size=(60, 40)) as pilot:
        app.transcript.set_blocks([Block(o, o, o, "text", tags=("queued",)) for o in Origin])
        await pilot.pause()
        for origin in Origin:
            assert any(f"{UNICODE.origin[origin]} {origin} · queued" in line for line in app.lines())


async def test_the_view_follows_the_end_until_the_operator_leaves_it() -> None:
    app = Reading()
    async with app.run_test(size=(60, 12)) as pilot:
        view = app.transcript
        view.set_blocks([block(str(i)) for i in range(30)])
        view.set_tail(30, [block("last", "the end of it")])
        await pilot.pause()
        assert any("the end of it" in line for line in app.lines())
        view.scroll_to(y=20, animate=False)
        await pilot.pause()
        before = app.lines()
        assert not view.following
        view.stream("last", " and more" * 200)
        view.set_tail(31, [block("later")])
        view.flush()
        await pilot.pause()
        assert [line.rstrip("▁▂▃▄▅▆▇█ ") for line in app.lines()] == [line.rstrip("▁▂▃▄▅▆▇█ ") for line in before]
        await pilot.press("end")
        await pilot.pause()
        assert view.following
        assert view.current_block == block("later")


async def test_streamed_text_is_gathered_and_ends_as_it_was_sent() -> None:
    app = Reading()
    async with app.run_test(size=(60, 12)) as pilot:
        view = app.transcript
        view.set_blocks([block("a"), block("b", "")])
        for word in range(200):
            view.stream("b", f"w{word} ")
        assert view.blocks[1].text == "w0 "  # the first at once, the others at the next flush
        view.flush()
        assert view.blocks[1].text == "".join(f"w{word} " for word in range(200))
        await pilot.pause()
        assert any("w199" in line for line in app.lines())
        view.stream("b", "late delta")
        view.set_tail(1, [block("b", "final")])
        view.flush()
        await pilot.pause()
        assert any(line.endswith("▌ final") or line.endswith("█ final") for line in app.lines())


async def test_scrolling_up_through_unseen_blocks_does_not_jump() -> None:
    app = Reading()
    async with app.run_test(size=(40, 14)) as pilot:
        view = app.transcript
        view.set_blocks([block(str(i), f"block {i} " + "averylongword " * (i % 17)) for i in range(300)])
        await pilot.pause()
        seen = app.lines()
        for _ in range(30):
            view.scroll_to(y=view.scroll_offset.y - 3, animate=False)
            await pilot.pause()
            now = app.lines()
            assert [line[:39].rstrip() for line in now[3:]] == [line[:39].rstrip() for line in seen[:-3]]
            seen = now


async def test_keys_and_mouse_move_the_cursor() -> None:
    app = Reading()
    async with app.run_test(size=(60, 20)) as pilot:
        view = app.transcript
        view.set_blocks([block(name) for name in "abcd"])
        view.focus()
        for key, name in [("up", "c"), ("up", "b"), ("down", "c"), ("home", "a")]:
            await pilot.press(key)
            assert view.current_block == block(name)
        await pilot.click(Transcript, offset=(5, 10))
        assert view.current_block == block("d")
        assert view.show_block("b")
        assert view.current_block is not None
        assert view.current_block.id == "b"
        assert not view.show_block("nowhere")


async def test_a_block_taller_than_the_view_is_read_by_half_pages() -> None:
    app = Reading()
    async with app.run_test(size=(60, 10)) as pilot:
        view = app.transcript
        view.set_blocks([block("a"), block("tall", "\n".join(f"line {i}" for i in range(30))), block("z")])
        view.focus()
        await pilot.press("home", "down")
        seen = set()
        while view.current_block is not None and view.current_block.id != "z":
            await pilot.pause()
            seen |= {line[2:].split("▁")[0].strip(" ▂▃▄▅▆▇█") for line in app.lines() if "line " in line}
            await pilot.press("down")
        assert {f"line {i}" for i in range(30)} <= seen
        assert view.current_block is not None
        assert view.current_block.id == "z"


async def test_hostile_text_is_drawn_harmlessly_and_resizing_keeps_everything() -> None:
    app = Reading()
    text = "\x1b]52;c;eA==\x07[@click=app.quit]x[/] 日本語\u202e 👩\u200d🔬 " * 20
    async with app.run_test(size=(60, 20)) as pilot:
        app.transcript.set_blocks([Block("h\x1b", Origin.IMPORTED, "head\x1b[2J", text, tags=("tag\x07",))])
        for size in [(30, 10), (8, 5), (1, 1), (120, 30)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {size[0]}
        drawn = "\n".join(app.lines())
        assert visible(drawn) == drawn
        assert "[@click=app.quit]" in drawn


async def test_mouse_selection_copies_what_was_read() -> None:
    app = Reading()
    async with app.run_test(size=(60, 20)) as pilot:
        app.transcript.set_blocks([block("a", "first line\nsecond line"), block("b", "third line")])
        await pilot.pause()
        await pilot.mouse_down(Transcript, offset=(2 + 6, 1))
        await pilot.hover(Transcript, offset=(2 + 4, 5))
        await pilot.mouse_up(Transcript, offset=(2 + 4, 5))
        await pilot.pause()
        assert app.screen.get_selected_text() == "line\nsecond line\nthird"


async def test_of_ten_thousand_blocks_only_those_in_view_are_laid_out() -> None:
    app = Reading()
    async with app.run_test(size=(80, 30)) as pilot:
        many = [block(str(i), "word " * 100) for i in range(10_000)]
        app.transcript.set_blocks(many)
        await pilot.pause()
        assert len(app.transcript._column._flows) < 100


@pytest.mark.parametrize("level", ["full", "none"])
async def test_pages_home_and_end_move_the_view_although_scrolling_may_be_animated(level: str) -> None:
    app = Reading()
    async with app.run_test(size=(60, 12)) as pilot:
        app.animation_level = level  # type: ignore[assignment]
        view = app.transcript
        view.set_blocks([block(str(i), f"block {i}\n" + "word " * (7 * i % 60)) for i in range(60)])
        view.focus()
        await pilot.press("home")
        seen = set()
        for _ in range(200):
            at, lines = view.scroll_offset.y, app.lines()
            seen |= {word for line in lines for word in line.split() if word.isdecimal()}
            first, last = view._column.at(at), view._column.at(min(at + view.size.height, view._column.height) - 1)
            assert first <= view.cursor <= last, "the cursor comes along"
            if at >= view.max_scroll_y:
                break
            await pilot.press("pagedown")
            assert view.scroll_offset.y > at
        assert seen == {str(i) for i in range(60)}
        assert view.cursor == 59
        for _ in range(200):
            at = view.scroll_offset.y
            if at == 0:
                break
            await pilot.press("pageup")
            assert view.scroll_offset.y < at
        assert view.scroll_offset.y == 0
        await pilot.press("end")
        assert view.scroll_offset.y == view.max_scroll_y
        await pilot.press("home")
        assert view.scroll_offset.y == 0


@pytest.mark.parametrize("width", range(8, 40))
async def test_what_is_said_of_a_turn_is_never_cut_without_a_sign(width: int) -> None:
    app = Reading()
    async with app.run_test(size=(width, 10)) as pilot:
        app.transcript.set_blocks([block("a", tags=("right: 20", "日本語"))])
        await pilot.pause()
        line = app.lines()[0].rstrip(" ▁▂▃▄▅▆▇█")
        assert line.endswith(("日本語", "…"))
