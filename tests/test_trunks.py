"""Where a fork left, and the trunk that goes on after it: read from the notebook, and guessed right where an older one says nothing."""

from __future__ import annotations

from pathlib import Path

from session_cases import Voice, answers, opened, steps

from lifeline_tui.session.branches import left, trunk_of
from lifeline_tui.session.session import Session


def where(session: Session) -> dict[str, tuple[str, str | None, str]]:
    return {name: (*left(session, name), trunk_of(session, name)) for name in session.branches if name != "main"}


async def test_a_guess_from_the_tree_is_what_the_notebook_would_have_said(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(1), answers(2), *(["12."] * 9)), count=5) as session:
        await steps(session, "next", "next")
        two = session.tip
        await steps(session, "workings")  # in a fork of main
        below = session.tip
        await steps(session, ("self-score", {"in": "fork"}))  # in a fork of that fork
        await session.go("main")
        await steps(session, "self-score", "next")  # beside the first probe; then main goes on
        await steps(session, "fork", "next", "workings")  # a branch of the operator's, which goes on too
        known = where(session)
        session.tree.forks.clear()
        guessed = where(session)
    assert known == guessed
    assert known["workings"] == ("main", two, "main")
    assert known["self-score"] == ("workings", below, "main")
    assert known["self-score-2"] == ("main", two, "main")
    assert known["fork"][0] == "main"
    assert known["workings-2"][0::2] == ("fork", "fork")


async def test_a_probe_asked_of_the_trunk_left_the_trunk_whatever_was_on_the_screen(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(1), answers(2), *(["12."] * 9)), count=5) as session:
        await steps(session, "next", "next", "self-score", "key-check", "workings")
        assert {name: left(session, name)[0] for name in session.branches if name != "main"} == {
            "self-score": "main",
            "key-check": "main",
            "workings": "main",
        }
