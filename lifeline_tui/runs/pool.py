"""Runs of plans without hands: many sessions at once, bounded, each summed up when it ends.  The lab is the caller's, and stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..core.nodes import Reply
from ..interventions.types import Refusal, named
from ..session.branches import home
from ..session.calls import Change, PassedOver, Waiting
from ..session.lab import Lab
from ..session.session import Session
from ..store import StoreError
from .autoplay import Ended, play
from .context_room import room

Say = Callable[[object], None]
"""Takes a sentence, or an error, for the operator."""


async def run_plan(
    lab: Lab,
    plan: str,
    model: str,
    *,
    api_base: str,
    repeats: int,
    seed: int | None,
    item_seed: int | None = None,
    concurrency: int,
    limit: int | None,
    tell: Callable[[dict[str, Any]], None] = lambda result: None,
    ended: Callable[[], None] = lambda: None,
    say: Say = lambda sentence: None,
) -> list[dict[str, Any]]:
    """Runs `repeats` sessions of a plan, seeds counting up, all with the items of `item_seed` where one is given; returns one summary
    each, in the order of their seeds.  `tell` gets each as soon as it and all before it are there, so that what is done is known even
    if the rest is stopped; `ended` is called when any ends; `say` gets what the operator should know meanwhile."""
    first = lab.plan(plan)[0].seed if seed is None else seed
    gate = asyncio.Semaphore(concurrency)

    async def one(number: int) -> dict[str, Any]:
        async with gate:
            session = await lab.new(
                plan,
                model,
                seed=first + number,
                item_seed=item_seed,
                api_base=api_base,
                limit=limit,
                hands=False,
                listen=_listener(say),
            )
            try:
                return await _played(session, say, first=number == 0)
            finally:
                await session.close()
                ended()

    tasks = [asyncio.create_task(one(number)) for number in range(repeats)]
    results = []
    try:
        for task in tasks:
            # Not awaited itself: a cancel would reach it alone, and the next in line would begin.
            await asyncio.wait({task})
            results.append(task.result())
            tell(results[-1])
        return results
    finally:
        for task in tasks:
            task.cancel()
        lost = [each for each in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(each, StoreError)]
        for each in lost[1:]:
            say(each)
        if lost:
            raise lost[0]


async def resume_run(lab: Lab, name: str, *, api_base: str, say: Say = lambda sentence: None) -> dict[str, Any]:
    """Goes on with the run of a stored session where it stopped; returns its summary."""
    session = await lab.open(name, api_base=api_base, hands=False, listen=_listener(say))
    try:
        if session.trunk != home(session):  # a branch made by hand was left in view; a probe's fork is gone on with where it broke
            await session.go(home(session))
        return await _played(session, say, first=True)
    finally:
        await session.close()


def _listener(say: Say) -> Callable[[Change], None]:
    def heard(change: Change) -> None:
        match change:
            case Waiting():
                say(f"retry {change.retry.attempt} in {change.retry.wait:.1f} s: {change.retry.why}")
            case PassedOver():
                say(named(change.why))

    return heard


async def _played(session: Session, say: Say, *, first: bool) -> dict[str, Any]:
    """Runs the plan of a session from where it stands.  Of the `first` of a run it is said what the backend does not take, and whether
    its context holds the plan."""
    if first:
        for sentence in (await session.left_out(), room(session.state(), await session.capabilities(), session.subject.name)):
            if sentence:
                say(sentence)
    try:
        ended = await play(session)
    except Refusal as why:
        say(f"session {session.id} stopped: {why}")
        ended = Ended("partial", (f"the rest of the plan: {why}",))
    last = session.tree[session.tip].body
    if isinstance(last, Reply) and session.broken:
        say(f"session {session.id} stopped: {last.status}: {last.cause}")
    state = session.state()
    if ended.status != "complete" and (session.broken or state.owed or state.next_puzzle is not None):
        say(f"session {session.id} can be gone on with: lifeline run --resume {session.id}")
    return summary(session, ended)


def summary(session: Session, ended: Ended) -> dict[str, Any]:
    """What `run --json` prints: counts over the trunk's attempts, both scores, and how the run ended.

    A score is null where nothing could be read: 0 would say what nobody knows.  `asked_again` and `discarded` count the replies among
    which somebody chose, in the whole session; `left_out` says what of the plan was not done."""
    state = session.state(session.branches[session.trunk])
    tally = asdict(state.tally())
    unread = tally.pop("unread")
    return {
        "session": session.id,
        "branch": session.trunk,
        "plan": state.plan.name,
        "model": session.subject.name,
        "seed": state.root.seed,
        "simulated": session.subject.simulated,
        "lifelines_offered": state.offered,
        **tally,
        "score_true": state.score_true if state.readable else None,
        "score_shown": state.score_shown if state.readable else None,
        "status": ended.status,
        "left_out": list(ended.left_out),
        "unread": unread,
        **asdict(session.choices()),
        "item_seed": state.root.items,
    }
