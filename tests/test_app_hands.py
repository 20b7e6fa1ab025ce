"""The hands on the run screen: where a probe starts, what is taken back, what leaves, and which keys wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from app_cases import SMALL, WIDE, drawn, half_a_reply, notice, press, rest, run_screen, running, said, script, transcript, until
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList

from lifeline_tui.core.nodes import User
from lifeline_tui.interventions.table import TABLE
from lifeline_tui.loading.config import Config
from lifeline_tui.session.session import Session
from lifeline_tui.subjects.protocol import Capabilities, SubjectError
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.screens.form import Form
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.screens.start import StartScreen
from lifeline_tui.tui.widgets.actions import Actions
from lifeline_tui.tui.widgets.tree_rail import TreeRail

PLAN = "lifelines-10"
ANSWER = "ACTION: ANSWER\\nANSWER: 1\\nDIFFICULTY: 3\\nCONFIDENCE: 60"


def session_of(app: LifelineApp) -> Session:
    assert app.session is not None
    return app.session


def asked(session: Session, branch: str) -> list[str]:
    """What each user turn of a branch asked last."""
    bodies = (node.body for node in session.tree.path(session.branches[branch]))
    return [body.parts[-1].via for body in bodies if isinstance(body, User)]


async def later(pilot: Pilot[None], *keys: str) -> None:
    """Presses keys one after the other, and waits for none of them."""
    for key in keys:
        await pilot.press(key)


# -- probes start from the trunk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_a_second_probe_does_not_see_the_first_and_the_plan_goes_on_with_the_trunk(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n", "r", "w", "enter", "s")
        assert "from main, after puzzle 2" in drawn(app)
        await press(pilot, "enter")
        assert asked(session, "workings") == ["next", "next", "workings"]
        assert asked(session, "self-score") == ["next", "next", "self-score"]
        for fork in ("workings", "self-score"):
            parts = next(node.body for node in session.tree.above(session.branches[fork]) if isinstance(node.body, User)).parts
            assert parts[0].via == "reveal", "the feedback that waited was carried along"
        await press(pilot, "n")
        assert session.branch == "main"
        assert asked(session, "main") == ["next", "next", "next"]
        assert "Back on main" in said(app)


async def test_a_probe_starts_from_the_turn_of_the_trunk_that_the_cursor_is_on(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n", "n")
        first = next(a for a in session.state().attempts if a.position == 1)
        transcript(app).show_block(first.reply)
        await press(pilot, "s")
        assert "from main, after puzzle 1" in drawn(app)
        await press(pilot, "enter")
        assert asked(session, "self-score") == ["next", "self-score"]


async def test_here_is_chosen_and_then_the_probe_is_asked_here(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "w", "enter", "c", "right", "enter")
        assert asked(session, "challenge") == ["next", "workings", "challenge"]
        await press(pilot, "k", "right", "right", "enter")
        assert session.branch == "challenge"
        assert asked(session, "challenge") == ["next", "workings", "challenge", "key-check"]


async def test_a_plan_goes_on_within_a_fork_where_a_branch_was_made_there(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "w", "enter")
        assert "main never sees it" in notice(app)
        await press(pilot, "b", "n")
        assert session.branch == "fork"
        assert asked(session, "fork") == ["next", "workings", "next"]
        await press(pilot, "s", "enter")
        assert asked(session, "self-score") == ["next", "workings", "next", "self-score"], "that branch is a trunk of its own"


async def test_text_in_a_fork_leaves_the_trunk_too_and_autoplay_goes_on_there(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "w", "enter", "i", *"Hm?", "tab", "left", "left", "ctrl+s")
        assert asked(session, "free") == ["next", "free"]
        await press(pilot, "space")
        assert session.branch == "main"
        assert len(session.state().attempts) == 20


# -- the tree says what its rows are ---------------------------------------------------------------------------------------------


async def test_rows_of_the_tree_say_what_was_asked_of_which_puzzle_and_below_which_fake(tmp_path: Path) -> None:
    replies = "".join(f'- "{ANSWER}"\n' for _ in range(3)) + '- "Because."\n- "COUNT: 1"\n- "Yes."\n' + f'- "{ANSWER}"\n'
    async with running(tmp_path, (200, 50), plan=PLAN, model=script(tmp_path, replies)) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n", "n", "f", "enter")
        fake = session.queue()[-1].shown
        await press(pilot, "w", "enter", "s", "enter", "backspace", "z", "c", "enter", "backspace")
        screen = drawn(app)
        assert f"workings P3 ← fake {fake}" in screen
        assert "self-score ← fake" in screen
        assert "challenge" in screen
        await press(pilot, "ctrl+r")
        assert "3 again" in drawn(app)


async def test_a_row_that_is_cut_says_so(tmp_path: Path) -> None:
    replies = f'- "{ANSWER}"\n- "Because."\n'
    async with running(tmp_path, SMALL, plan=PLAN, model=script(tmp_path, replies)) as (app, pilot):
        await press(pilot, "n", "f", "tab", "tab", *"123456789012345", "enter", "w", "enter", "tab")
        rail = app.screen.query_one(TreeRail)
        rows = ["".join(segment.text for segment in rail.render_line(y)) for y in range(len(rail.rows))]
        cut = next(row for row in rows if "workings P1" in row)
        assert "…" in cut
        assert "123456789012345" not in cut


# -- one undo, one redo ----------------------------------------------------------------------------------------------------------


async def test_what_was_done_is_taken_back_in_order_and_done_again(tmp_path: Path) -> None:
    async with running(tmp_path, (200, 50), plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n")
        tip = session.tip
        await press(pilot, "m", "l", *"W3", "enter", "semicolon", *"odd", "ctrl+s", "f", "enter", "b", "n")
        fork = session.tip
        nodes, notes = len(session.tree), sum(map(len, session.tree.notes.values()))
        labels = ["turn 3 (P3)", "fork", "fake key P2 (queued)", "note on 2", "label W3 on 2", "bookmark on 2"]
        for label in [*labels, "turn 2 (P2)", "turn 1 (P1)"]:
            assert session.label("undo") == f"undo: {label}"
            assert f"z undo: {label}"[:25] in drawn(app)
            await press(pilot, "z")
            assert f"Taken back: {label}." in said(app)
        assert session.refusal("undo") == "Nothing to undo: the session starts here."
        assert not session.state().attempts
        assert "bookmarked" not in drawn(app)
        assert len(session.tree) == nodes, "all stays in the tree"
        assert sum(map(len, session.tree.notes.values())) == notes + 3, "and so does all that was said"
        await press(pilot, "ctrl+d", "ctrl+d")
        assert session.tip == tip, "the same turns"
        await press(pilot, *["ctrl+d"] * 3)
        assert {tag for block in transcript(app).blocks for tag in block.tags} >= {"bookmarked", "label W3"}
        assert [block.text for block in transcript(app).blocks if block.heading == "note"] == ["odd"]
        await press(pilot, *["ctrl+d"] * 3)
        assert (session.branch, session.tip) == ("fork", fork)
        assert "Nothing to redo" in (session.refusal("redo") or "")


async def test_an_override_that_is_taken_back_leaves_the_machines_reading(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, f'- "{ANSWER}"\n')) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n")
        before = session.state().attempts
        await press(pilot, "g", "tab", "tab", "ctrl+u", *"77", "enter")
        assert session.state().attempts[0].answer == "77"
        assert session.label("undo") == "undo: override P1"
        await press(pilot, "z")
        assert session.state().attempts == before
        marks = {note.version for note in session.tree.notes[session.tip] if note.by == "operator"}
        assert marks == {"", "undone"}, "an operator's remark that is known to say only what the machine had said"
        await press(pilot, "ctrl+d")
        assert session.state().attempts[0].answer == "77"


async def test_what_can_be_taken_back_outlives_the_program(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "n", "m", "z", "r")
        id = session_of(app).id
        undoes = session_of(app).label("undo")
    async with running(tmp_path) as (app, pilot):
        app.resume(id)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        session = session_of(app)
        assert session.label("undo") == undoes == "undo: true key P2 (queued)"
        await press(pilot, "z", "z", "ctrl+d", "ctrl+d")
        assert session.label("undo") == undoes
        assert [part.via for part in session.queue()] == ["reveal"]


async def test_a_new_deed_drops_what_could_be_done_again_and_no_turn(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n")
        second = session.tip
        await press(pilot, "z", "n")
        assert session.tip != second
        assert second in session.tree
        assert "Nothing to redo" in (session.refusal("redo") or "")


async def test_asking_again_is_taken_back_to_the_first_reply(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n")
        first = session.tip
        await press(pilot, "ctrl+r", "z")
        assert session.tip == first


async def test_a_session_without_a_record_of_deeds_is_taken_back_a_turn_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n", "n")
        session.history.recall({"done": [{"label": 3}], "undone": "x"})
        tip = session.tip
        assert session.label("undo") == "undo: turn 2 (P2)"
        await press(pilot, "z")
        assert len(session.state().attempts) == 1
        await press(pilot, "ctrl+d")
        assert session.tip == tip


# -- leaving -----------------------------------------------------------------------------------------------------------------------


async def test_escape_never_leaves_and_the_key_that_does_is_in_sight(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as (app, pilot):
        await press(pilot, "enter", "n", "escape", "escape")
        assert isinstance(app.screen, RunScreen)
        assert "ctrl+x leaves the session" in said(app)
        assert "ctrl+x leave" in drawn(app).splitlines()[-1]
        id = session_of(app).id
        await press(pilot, "ctrl+x")
        assert isinstance(app.screen, StartScreen)
        menu = app.screen.query_one(OptionList)
        await until(pilot, lambda: menu.highlighted is not None and menu.get_option_at_index(menu.highlighted).id == f"open:{id}")
        await press(pilot, "enter")
        assert isinstance(app.screen, RunScreen)


async def test_a_session_is_not_left_while_a_reply_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSubject, "stream", half_a_reply)
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        session = session_of(app)
        await pilot.press("n")
        await until(pilot, lambda: session.partial is not None and session.partial.text)
        assert "esc cancel" in drawn(app).splitlines()[-1]
        await pilot.press("ctrl+x")
        assert isinstance(app.screen, RunScreen)
        assert "esc stops it" in said(app)
        app.action_home()
        assert isinstance(app.screen, RunScreen)
        await press(pilot, "escape")
        assert not session.busy


# -- keys wait -----------------------------------------------------------------------------------------------------------------------


class Slow:
    """Holds what a scripted subject can do until `ready`."""

    def __init__(self, patch: pytest.MonkeyPatch, calls: int = 1, fault: SubjectError | None = None) -> None:
        self.ready, self.asked = asyncio.Event(), asyncio.Event()
        first = ScriptedSubject.capabilities
        slow, count = self, iter(range(1, 1000))

        async def capabilities(self: ScriptedSubject) -> Capabilities:
            if next(count) >= calls:
                slow.asked.set()
                await slow.ready.wait()
                if fault is not None:
                    raise fault
            return await first(self)

        patch.setattr(ScriptedSubject, "capabilities", capabilities)


async def test_keys_wait_while_a_session_opens_and_are_done_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    model = script(tmp_path, f'- "{ANSWER}"\n- "{ANSWER}"\n')
    async with running(tmp_path, model=model) as (app, pilot):
        await pilot.press("enter")
        await slow.asked.wait()
        await later(pilot, "n", "n", "f", "enter", "m")
        assert app.session is None
        slow.ready.set()
        await until(pilot, lambda: app.session is not None)
        await until(pilot, lambda: not app.waiting)
        await rest(pilot)
        session = session_of(app)
        assert len(session.state().attempts) == 2
        assert [part.via for part in session.queue()] == ["fake"], "the form got its key"
        assert session.label("undo") == "undo: bookmark on 2"


async def test_keys_wait_while_what_answers_is_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, calls=2)
    async with running(tmp_path, model=script(tmp_path, f'- "{ANSWER}"\n')) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        session = session_of(app)
        await pilot.press("n")
        await until(pilot, lambda: session.starting)
        await later(pilot, "n", "m")
        await until(pilot, lambda: "Keys that wait: n m. esc drops them." in notice(app))
        slow.ready.set()
        await until(pilot, lambda: not app.waiting)
        await rest(pilot)
        assert len(session.state().attempts) == 2
        assert session.label("undo") == "undo: bookmark on 2"


async def test_escape_gives_up_what_is_being_opened_and_the_keys_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    async with running(tmp_path, model=script(tmp_path, f'- "{ANSWER}"\n')) as (app, pilot):
        await pilot.press("enter")
        await slow.asked.wait()
        await later(pilot, "n", "n", "escape")
        await rest(pilot)
        assert not app.waiting
        assert app.session is None
        assert isinstance(app.screen, StartScreen)
        assert "Nothing was opened" in said(app)


async def test_keys_that_waited_for_what_could_not_be_opened_do_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch, fault=SubjectError("The server went away."))
    async with running(tmp_path, model=script(tmp_path, f'- "{ANSWER}"\n')) as (app, pilot):
        await pilot.press("enter")
        await slow.asked.wait()
        await later(pilot, "q", "m")
        slow.ready.set()
        await rest(pilot)
        assert "The server went away" in said(app)
        assert app.is_running
        assert isinstance(app.screen, StartScreen)


# -- what could not be read, and the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("Let me think about that.", "no ANSWER: line was found"),
        ("PUZZLE 7\\nANSWER: 4", "may be those of several puzzles"),
        ("<think>ANSWER: 11", "its thinking never ended"),
    ],
)
@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "small"])
async def test_a_reply_that_could_not_be_read_says_so_and_what_can_be_done(
    tmp_path: Path, size: tuple[int, int], reply: str, why: str
) -> None:
    async with running(tmp_path, size, plan=PLAN, model=script(tmp_path, f'- "{reply}"\n- "{ANSWER}"\n')) as (app, pilot):
        await press(pilot, "n")
        assert any(tag.startswith("not read: ") and why in tag for tag in transcript(app).blocks[-1].tags)
        assert transcript(app).blocks[-1].tone == "error"
        for words in ("could not be read", why, "g reads it by hand", "ctrl+f asks for the form", "ctrl+r asks again"):
            assert words in " ".join(notice(app).split())
        if size == SMALL and len(why) > 30:
            line = next(line for line in drawn(app).splitlines() if "not read: " in line)
            assert line.rstrip().endswith("…"), "what is cut says so"
        await press(pilot, "ctrl+f", "enter")
        session = session_of(app)
        assert asked(session, "main") == ["next", "form-again"]
        assert "Please end your reply to puzzle 1 with these lines:" in drawn(app)
        await press(pilot, "z")
        await session.do("grade", {"action": "answer", "answer": "12"})
        await rest(pilot)
        assert "could not be read" not in notice(app)


async def test_the_end_of_a_plan_says_so_and_what_can_be_done_now(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN, model=script(tmp_path, f'- "{ANSWER}"\n' * 20)) as (app, pilot):
        await press(pilot, "space")
        assert len(session_of(app).state().attempts) == 20
        for words in ("The plan has ended", "w, s, k still ask", "ctrl+e exports", "ctrl+x leaves"):
            assert words in notice(app)
        assert "CONFIDENCE: 60" in drawn(app), "nothing is covered"


async def test_why_a_run_of_the_plan_paused_is_a_sentence_on_the_screen(tmp_path: Path) -> None:
    model = script(tmp_path, "- I would rather talk of bracelets.\n" * 9)
    async with running(tmp_path, plan=PLAN, model=model) as (app, pilot):
        await press(pilot, "space")
        assert len(session_of(app).state().attempts) == 3
        assert "Paused: 3 replies in a row could not be read. g reads one by hand, ctrl+r asks again" in "".join(said(app))
        assert "the reply could not be read" in notice(app)
        await press(pilot, "space")
        assert len(session_of(app).state().attempts) == 6, "played again, it goes on from there"


# -- keys in sentences -------------------------------------------------------------------------------------------------------------


async def test_sentences_name_the_keys_as_they_are_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        "regenerate": "f2",
        "cancel": "f3",
        "grade": "f4",
        "next": "f5",
        "leave": "f6",
        "form-again": "f7",
        "redo": "f8",
        "fork": "f9",
    }
    replies = '- {status: error, text: "half"}\n- "no label"\n- "ACTION: LIFELINE\\nANSWER: 3"\n'
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, replies), config=Config(keys=keys)) as (app, pilot):
        seen = []
        for pressed in ("f5", "f2", "f5", "f5", "f5", "z", "f3"):
            await press(pilot, pressed)
            seen += [notice(app), said(app)]
        told = "\n".join(seen)
        for sentence in (
            "f2 asks again; f5 goes on",
            "f4 reads it by hand; f7 asks for the form; f2 asks again",
            "f8 does it again",
            "say which with f4 first",
            "f6 leaves the session",
        ):
            assert sentence in told
        assert "{key" not in told
        assert "ctrl+r" not in told
        assert "esc" not in told


def test_without_a_keyboard_a_sentence_names_what_would_be_done() -> None:
    from lifeline_tui.interventions.types import Refusal

    refusal = Refusal("The subject still owes a reply: {key:regenerate} asks for it.")
    assert str(refusal) == "The subject still owes a reply: regenerate asks for it."


async def test_the_bar_never_jumps_with_what_undo_would_take_back(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        bar = app.screen.query_one(Actions)
        before = [(item.name, item.x, item.y) for item in bar.items()]
        await press(pilot, "n", "f", "enter")
        assert "z undo: fake key P1 …" in drawn(app)
        assert [(item.name, item.x, item.y) for item in bar.items()] == before
        assert TABLE["redo"].key == "ctrl+d"
        assert isinstance(run_screen(app), RunScreen)
        assert not isinstance(app.screen, Form)


async def test_keys_of_one_burst_go_where_they_were_meant_to(tmp_path: Path) -> None:
    """As a terminal hands them over when someone types faster than a form can be drawn."""
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, f'- "{ANSWER}"\n' * 3)) as (app, pilot):
        session = session_of(app)
        await press(pilot, "n")
        for key in ("f", "enter", "semicolon", "o", "k", "ctrl+s", "m", "w", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: not app.waiting)
        await rest(pilot)
        assert asked(session, "workings") == ["next", "workings"]
        await press(pilot, "z", "z")
        assert (session.label("undo"), session.label("redo")) == ("undo: note on 1", "redo: bookmark on 1")


async def test_a_key_too_many_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedSubject, "stream", half_a_reply)
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- x")) as (app, pilot):
        session = session_of(app)
        for _ in range(5):
            app.post_message(events.Key("n", "n"))
        await until(pilot, lambda: session.partial is not None and session.partial.text)
        await until(pilot, lambda: not app.waiting)
        assert "A reply is still arriving" in said(app)
        await press(pilot, "escape")
        assert len(session.state().attempts) == 1


# -- two keys at once ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opens", [("s",), ("l", "a"), ("g",), ("question_mark",), ("ctrl+p", *"label")], ids="/".join)
@pytest.mark.parametrize("closes", ["enter", "escape"])
async def test_what_is_closed_twice_at_once_takes_nothing_else_away(tmp_path: Path, opens: tuple[str, ...], closes: str) -> None:
    async with running(tmp_path, SMALL, plan=PLAN) as (app, pilot):
        await press(pilot, "n", *opens)
        over = app.screen
        assert not isinstance(over, RunScreen)
        for action in ("send", "choose", "dismiss"):  # as two keys do that come in one read
            if closes == "enter" and hasattr(over, f"action_{action}"):
                await over.run_action(action)
                await over.run_action(action)
                break
        over.dismiss()
        over.dismiss()
        await rest(pilot)
        assert any(isinstance(screen, RunScreen) for screen in app.screen_stack)
        transcript(app)


async def test_an_override_previews_no_key_that_the_card_hides(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "g")
        key = session_of(app).state().attempts[0].puzzle
        for hidden in ("overruled", "agrees", *(fake.value for fake in key.fakes if fake.value not in key.text)):
            assert hidden not in drawn(app)


async def test_what_is_typed_on_a_choice_of_the_override_is_the_answer(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN, model=script(tmp_path, "- I would rather talk of bracelets.\n")) as (app, pilot):
        await press(pilot, "n", "g", "4", "2", "enter")
        (attempt,) = session_of(app).state().attempts
        assert (attempt.action, attempt.answer) == ("answer", "42")
        await press(pilot, "g", "enter")
        assert "nothing was changed" in drawn(app), "an override that changes nothing is none"


async def test_a_plan_that_is_paused_is_not_said_to_have_ended(tmp_path: Path) -> None:
    async with running(tmp_path, plan=PLAN) as (app, pilot):
        await press(pilot, "n", "space")
        session = session_of(app)
        assert session.run_status() == "complete"
        assert "The plan has ended" in notice(app)
        screen = run_screen(app)
        assert screen.outcome is not None
        screen.outcome = replace(screen.outcome, status="partial")
        screen.redraw()
        assert "The plan is paused" in notice(app)
