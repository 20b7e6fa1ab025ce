"""The rail: the path without indentation, side branches folded, and a cost of the size of what is seen."""

from __future__ import annotations

from pathlib import Path

from effort import Effort
from hypothesis import given
from hypothesis import strategies as st
from session_cases import BOTH, LIFELINE, Voice, answers, opened, steps
from textual.app import ComposeResult

from lifeline_tui.core.text import visible
from lifeline_tui.tui.glyphs import ASCII, UNICODE, Glyphs
from lifeline_tui.tui.growth import Growth
from lifeline_tui.tui.guard import Guarded
from lifeline_tui.tui.rail import SIDES_SHOWN, Grove, Row, Twig, rail_rows
from lifeline_tui.tui.theme import Themed
from lifeline_tui.tui.widgets.spark import meter, skips, spark
from lifeline_tui.tui.widgets.tree_rail import TreeRail

FORKED = [
    Twig("1", None, "1"),
    Twig("2", "1", "2"),
    Twig("2b", "1", "2"),
    Twig("2b1", "2b", "probe"),
    Twig("2b2", "2b1", "probe"),
    Twig("2c", "1", "2"),
    Twig("3", "2", "3"),
]


def drawn(rows: list[Row]) -> list[str]:
    return [f"{row.guides}{row.twig.id}{'+' + str(row.hidden) if row.hidden else ''}" for row in rows]


def test_the_path_reads_down_and_its_forks_hang_beside_it() -> None:
    rows = rail_rows(Grove(FORKED), "3")
    assert drawn(rows) == ["1", "f2b+2", "l2c", "2", "3"]
    assert rows[0].fork == (1, 3)
    assert [row.twig.id for row in rows if row.on_path] == ["1", "2", "3"]
    assert [row.twig.id for row in rows if row.current] == ["3"]


def test_another_tip_takes_another_child() -> None:
    rows = rail_rows(Grove(FORKED), "2b1")
    assert drawn(rows) == ["1", "f2+1", "l2c", "2b", "2b1", "2b2"]
    assert rows[0].fork == (2, 3)
    assert not rows[-1].on_path


def test_an_unfolded_branch_is_one_step_further_in() -> None:
    assert drawn(rail_rows(Grove(FORKED), "3", {"2b"})) == ["1", "f2b", "t2b1", "t2b2", "l2c", "2", "3"]


def test_many_siblings_are_counted_not_listed() -> None:
    rows = rail_rows(Grove([Twig("r", None, "r"), *(Twig(str(i), "r", "x") for i in range(1000))]), "0")
    assert len(rows) == SIDES_SHOWN + 3
    assert rows[-2].rest == 999 - SIDES_SHOWN


@given(st.lists(st.integers(min_value=0, max_value=30), max_size=30), st.data())
def test_every_twig_is_drawn_or_counted_as_hidden(parents: list[int], data: st.DataObject) -> None:
    twigs = [Twig("0", None, "0")]
    for i, parent in enumerate(parents, 1):
        twigs.append(Twig(str(i), str(parent % i), str(i)))
    tip = data.draw(st.sampled_from([twig.id for twig in twigs]))
    opened = data.draw(st.sets(st.sampled_from([twig.id for twig in twigs])))
    whole, grown = Grove(twigs), Grove()
    for twig in twigs:
        grown.add(twig)
    assert whole.below == grown.below
    assert whole.kids == grown.kids
    rows = rail_rows(whole, tip, opened)
    assert len(rows) + sum(row.hidden for row in rows) == len(twigs)
    assert len({row.twig.id for row in rows}) == len(rows)
    assert {row.twig.id for row in rows if row.on_path} == whole.path(tip)


def test_a_tree_of_a_hundred_thousand_nodes_moves_at_once() -> None:
    twigs = [Twig("0", None, "0")]
    twigs += [Twig(str(i), str(i - 1 if i % 500 else (i // 500) * 7 % i), str(i)) for i in range(1, 100_000)]
    grove = Grove(twigs)
    with Effort() as effort:
        rows = rail_rows(grove, "99999")
    assert len(rows) < 5000
    assert effort.yards < 30  # generous: the goal of 100 ms is measured by the benchmarks


class RailApp(Themed[None], Guarded[None]):
    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.chosen: list[str] = []
        self.folds: list[tuple[str, bool]] = []
        self.use_theme("lifeline-dark")

    def compose(self) -> ComposeResult:
        yield TreeRail()

    def on_tree_rail_node_chosen(self, message: TreeRail.NodeChosen) -> None:
        self.chosen.append(message.node_id)

    def on_tree_rail_fold_asked(self, message: TreeRail.FoldAsked) -> None:
        self.folds.append((message.node_id, message.opened))

    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_keys_and_mouse_choose_and_fold() -> None:
    app = RailApp()
    async with app.run_test(size=(30, 8)) as pilot:
        rail = app.query_one(TreeRail)
        rail.set_rows(rail_rows(Grove(FORKED), "3"))
        rail.focus()
        await pilot.press("up", "enter")
        await pilot.press("up", "up", "space")
        await pilot.click(TreeRail, offset=(3, 0))
        await pilot.pause()
        assert app.chosen == ["2", "1"]
        assert app.folds == [("2b", False)]
        assert app.lines()[1] == "├ ▸ 2 +2"
        rail.set_rows(rail_rows(Grove(FORKED), "3", {"2b"}), to_current=False)
        assert rail.cursor_row is not None
        assert rail.cursor_row.twig.id == "1"


async def test_the_cursor_row_is_always_in_view() -> None:
    app = RailApp()
    async with app.run_test(size=(30, 8)) as pilot:
        rail = app.query_one(TreeRail)
        rail.set_rows([Row(Twig(str(i), None, f"row {i}"), current=i == 700) for i in range(100_000)])
        rail.focus()
        await pilot.pause()
        assert any("row 700" in line for line in app.lines())
        for key, row in [("end", "row 99999"), ("pageup", "row 99992"), ("home", "row 0"), ("pagedown", "row 7")]:
            await pilot.press(key)
            await pilot.pause()
            assert any(f" {row} " in f" {line} " for line in app.lines()), key


async def test_ascii_glyphs_draw_ascii_only_and_labels_are_made_visible() -> None:
    app = RailApp(ASCII)
    async with app.run_test(size=(30, 8)) as pilot:
        rows = rail_rows(Grove([*FORKED, Twig("4", "3", "\x1b[2J", tuple(UNICODE.marks))]), "3", {"2b"})
        app.query_one(TreeRail).set_rows(rows)
        await pilot.pause()
        text = "\n".join(app.lines())
        assert text.replace("␛", "").isascii()
        assert visible(text) == text


def test_sets_of_glyphs_are_complete_and_one_cell_wide() -> None:
    from rich.cells import cell_len

    assert ASCII.marks.keys() == UNICODE.marks.keys()
    assert ASCII.origin.keys() == UNICODE.origin.keys()
    assert len(set(ASCII.origin.values())) == len(set(UNICODE.origin.values())) == len(UNICODE.origin)
    for glyphs in (ASCII, UNICODE):
        assert all(cell_len(sign) == 1 for sign in [*glyphs.marks.values(), *glyphs.origin.values(), *glyphs.spark])


def test_a_sign_of_the_tree_has_one_meaning() -> None:
    refused, broken = ("refusal", "refused-by-provider", "filtered"), ("error", "interrupted")
    for glyphs in (ASCII, UNICODE):
        meant = {name: name for name in glyphs.marks} | dict.fromkeys(refused, "refused") | dict.fromkeys(broken, "broken")
        meanings = {(sign, meant[name]) for name, sign in glyphs.marks.items()} | {(s, str(o)) for o, s in glyphs.origin.items()}
        meanings |= {(glyphs.here, "here"), (glyphs.opened, "opened"), (glyphs.shut, "shut")}
        assert len({sign for sign, _ in meanings}) == len(meanings)


async def test_what_was_put_in_its_mouth_or_before_its_eyes_bears_its_own_sign(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(11), answers(12), LIFELINE, BOTH), lifelines=0, count=4) as session:
        await steps(session, "next", "fake", "next")
        told = session.tip
        await steps(session, "next")
        refused = session.tip
        await steps(session, "next")
        both = session.tip
        await session.do("edit", {"text": answers(13)}, told)
        edited = session.tip
        await session.do("forge", {"text": answers(14)}, told)
        twigs = Growth(session).grow().twigs
        firsts = {node: twigs[node].marks[0] for node in (refused, both, edited, session.tip)}
        assert list(firsts.values()) == ["violation", "both", "edited", "forged"]
        assert twigs[told].marks == ("right", "fake")
        assert all(mark in UNICODE.marks for twig in twigs.values() for mark in twig.marks)


def test_small_pictures() -> None:
    assert spark([0, 50, None, 100, 1000]) == "▁▅ ██"
    assert spark(list(range(100))) == "▇" * 13 + "█" * 7
    assert skips([False, True, False]) == "·L·"
    assert skips([True, *[False] * 20]) == "·" * 20
    assert meter(3, 4) == "▮▮▮▯"
    assert meter(9, 4, ASCII) == "####"
