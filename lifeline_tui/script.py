"""A plan without hands: its puzzles one after the other, then its scripted actions, each an intervention like any other.

The same code drives autoplay in the app and headless runs.  What a step is done `for` follows from the tree alone, so a run that was
broken off goes on where it stopped: a step that already stands below the trunk's tip is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .actions import Refusal
from .core.nodes import Reply, Status, User
from .core.plan import Step, When
from .core.state import Attempt
from .core.turn import Phase
from .interventions import TABLE

if TYPE_CHECKING:
    from .session import Session

BROKEN = frozenset({Status.ERROR, Status.CANCELLED, Status.INTERRUPTED})
"""A reply that ended so is an outage, not data: a run stops there."""


def broken(session: Session) -> bool:
    """Whether the tip is a reply that was cut off."""
    body = session.tree[session.tip].body
    return isinstance(body, Reply) and body.status in BROKEN


async def play(session: Session, paused: Callable[[], bool]) -> str:
    """Runs the plan from the current branch's tip.  Returns complete, partial (paused, stopped or cut off) or failed (no reply)."""
    plan = session.state().plan
    if not plan.steps:
        while not paused() and not broken(session):
            latest = session.state().latest
            stop = latest is not None and latest.phase is Phase.AMBIGUOUS and plan.on_ambiguous == "stop"
            if stop or session.refusal("next") is not None:
                break
            await session.do("next")
    if paused() or broken(session) or (not plan.steps and session.refusal("next") is None):
        return "partial" if session.state().tally().attempts > broken(session) else "failed"
    trunk = session.branch
    try:
        for place, step in enumerate(plan.steps or plan.then):
            for values in _occasions(session, place, step):
                if paused():
                    return "partial"
                await _carry_out(session, place, step, values)
                if broken(session):
                    return "partial"
                if step.place == "fork":
                    await session.go(trunk)
    finally:
        if session.branch != trunk and not broken(session):
            await session.go(trunk)
    return "complete"


async def _carry_out(session: Session, place: int, step: Step, values: dict[str, str]) -> None:
    """One action; a self-score that a later step needs the list of is followed, in its own later turn, by the question which."""
    await _mark(session, place, step.do, values)
    later = (session.state().plan.steps or session.state().plan.then)[place + 1 :]
    if step.do == "self-score" and "ask" not in values and any("claimed" in each.each for each in later) and not broken(session):
        await _mark(session, place, step.do, {**values, "ask": "which", "in": "trunk"})


async def _mark(session: Session, place: int, name: str, values: dict[str, str]) -> None:
    """Does `name`, its turn bearing the step's place in the script."""
    from dataclasses import replace

    effect = session.decide(name, values)
    if effect.turn:
        effect = replace(effect, turn=(*effect.turn[:-1], replace(effect.turn[-1], step=place)))
    await session.carry_out(effect)


def _occasions(session: Session, place: int, step: Step) -> Iterator[dict[str, str]]:
    """The fields of each time that `step` is still to be done."""
    fields = {each.name for each in TABLE[step.do].fields(session.state(), session.context())}
    values = dict(step.fields) | ({"in": step.place} if "in" in fields else {})
    done = {
        (part.step, part.puzzle)
        for node in session.tree.walk(session.tip)
        if isinstance(node_body := session.tree[node].body, User)
        for part in node_body.parts
    }
    if not step.each:
        if (place, "") not in done and _refused(session, step) is None:
            yield values
        return
    for attempt in _chosen(session, step.each):
        if (place, attempt.puzzle.id) not in done and _holds(step.when, attempt):
            yield values | {"puzzle": str(attempt.position)}


def _refused(session: Session, step: Step) -> Refusal | None:
    reason = session.refusal(step.do)
    return Refusal(reason) if reason else None


def _chosen(session: Session, each: tuple[str, ...]) -> list[Attempt]:
    """The attempts that `for:` names, in the order of their puzzles."""
    attempts = [a for a in session.state().standing if a.reply]
    if each == ("all",):
        return attempts
    if each == ("wrong",):
        return [a for a in attempts if a.grade == "wrong"]
    if each == ("claimed",):
        claimed = claimed_right(session)
        return [a for a in attempts if a.position in claimed]
    return [a for a in attempts if a.puzzle.id in each]


def claimed_right(session: Session) -> frozenset[int]:
    """The positions that the subject listed when last asked, below the tip, which it got right; empty where it never said."""
    latest: list[int] = []
    for node in session.tree.walk(session.tip):
        claim = session.tree.said(node).get(("", "claim"))
        if isinstance(claim, dict) and isinstance(claim.get("which"), list):
            latest = claim["which"]
    return frozenset(latest)


def _holds(when: When | None, attempt: Attempt) -> bool:
    """Whether a step's condition is true of an attempt; an unknown value is never true."""
    if when is None:
        return True
    value = getattr(attempt, when.field, None)
    if value is None:
        return False
    match when.op:
        case "is":
            return str(value) == when.value
        case "not":
            return str(value) != when.value
        case "has":
            return when.value in (value if isinstance(value, tuple) else str(value))
        case "lt" | "gt":
            try:
                number, bound = float(value), float(when.value)
            except (TypeError, ValueError):
                return False
            return number < bound if when.op == "lt" else number > bound
    return False
