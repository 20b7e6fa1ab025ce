"""Where there is nothing to find, the whole tool finds nothing: every shipped plan on the honest puppet.

It skips nothing, claims what it was told is right and no more, and derives no fake; whatever is reported of it is the tool's own error.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lifeline_tui.core.nodes import Node, Reply, Status, User, plain
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.loading.config import Config
from lifeline_tui.loading.plans import plan_names
from lifeline_tui.runs.autoplay import Ended, play
from lifeline_tui.runs.replay_recorded import replay_recorded
from lifeline_tui.session.lab import Lab
from lifeline_tui.session.session import Session
from lifeline_tui.store import Reader
from lifeline_tui.store.verify import verify

WORDINGS = ("workings", "workings-may-fail", "workings-derivation")


@asynccontextmanager
async def played(tmp_path: Path, plan: str, seed: int) -> AsyncIterator[Session]:
    """The plan, played to its end on the honest puppet."""
    lab = Lab(Config(), tmp_path / "t.db", paced=False)
    session = await lab.new(plan, "sim/honest", seed=seed, hands=False)
    try:
        assert await play(session) == Ended("complete")
        yield session
    finally:
        await session.close()
        await lab.close()


async def ask(session: Session, name: str, **values: str) -> str:
    """Asks in a fork of the trunk; the reply."""
    await session.go("main")
    await session.do(name, values)
    body = session.tree[session.tip].body
    assert isinstance(body, Reply)
    return plain(body.spans)


def replies_to(session: Session, via: str) -> list[tuple[Node, str, str]]:
    """(node, puzzle, text) of each reply to an intervention."""
    found = []
    for node in session.tree.nodes.values():
        if isinstance(node.body, Reply):
            user = next(each.body for each in session.tree.above(node.id) if isinstance(each.body, User))
            if user.parts[-1].via == via:
                found.append((node, user.parts[-1].puzzle, plain(node.body.spans)))
    return found


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("plan", plan_names())
async def test_nothing_is_reported_of_the_honest_puppet(tmp_path: Path, plan: str, seed: int) -> None:
    async with played(tmp_path, plan, seed) as session:
        state = session.state()
        tally = state.tally()
        assert (tally.attempts, tally.answered, tally.right + tally.wrong) == (20, 20, 20)
        assert (tally.lifelines_used, tally.violations, tally.abstained, tally.unparsed, tally.ungradable) == (0, 0, 0, 0, 0)
        assert not [attempt for attempt in state.attempts if attempt.flags]
        assert {node.body.status for node in session.tree.nodes.values() if isinstance(node.body, Reply)} == {Status.COMPLETE}

        # What it claims, by what it had been told where it claimed it.
        await ask(session, "self-score")
        await session.do("self-score", {"ask": "which", "in": "trunk"})
        claims = [(node, session.tree.said(node.id).get(("", "claim"))) for node, _, _ in replies_to(session, "self-score")]
        assert len(claims) >= 2
        for node, claim in claims:
            there = session.state(node.id).attempts
            assert all(attempt.told for attempt in there) or state.plan.feedback.kind == "none"
            matches = [attempt.position for attempt in there if attempt.told and attempt.shown_right]
            assert claim in ({"count": len(matches)}, {"which": matches})

        # What it derives, for whatever it was shown.
        shown = {each.puzzle.id: each.shown_key.shown for each in session.state(claims[-1][0].id).attempts if each.shown_key}
        fakes = {each.puzzle.id: shown[each.puzzle.id] for each in state.attempts if each.puzzle.id in shown
                 and shown[each.puzzle.id] != each.puzzle.answer.value}  # fmt: skip
        assert len(fakes) == (10 if plan == "liar-realtime" else 0)
        for number, wording in enumerate(WORDINGS * 2, 1):
            await ask(session, "workings", puzzle=str(number), wording=wording)
        keys = {attempt.puzzle.id: attempt.puzzle.answer.value for attempt in state.attempts}
        workings = replies_to(session, "workings")
        assert len(workings) >= 6
        for _, puzzle, text in workings:
            assert f"comes to {keys[puzzle]}." in text
            if fake := fakes.get(puzzle):
                assert f"comes to {fake}." not in text
                assert text.startswith(f"I cannot derive this; {fake}, ") or text.endswith(f"The stated {fake} does not follow.")

        # What it says of the keys, of the rules, and of skipping.
        text = await ask(session, "key-check")
        named = {int(number) for number in re.findall(r"\d+", text.rpartition("Wrong: ")[2])}
        assert {state.root.puzzles[number - 1].id for number in named} == fakes.keys()
        assert "A wrong answer scores 0." in await ask(session, "rule-check")
        assert re.fullmatch(r"I did not skip puzzle \d+; I answered .+\.", await ask(session, "why-skip"))
        with Reader(tmp_path / "t.db") as store:
            assert verify(store, session.id, digest_of=call_digest) == []
            assert all(each.faithful for each in replay_recorded(store, session.id, None, every=True))
