"""A plan without hands: its puzzles one after the other, then its scripted actions, each an intervention like any other.

The same code drives autoplay in the app and headless runs.  Where a run stands follows from the tree alone (a turn made by an action
bears that action's place in the script), so a run that was broken off goes on where it stopped: a reply that was cut off is asked
for again beside it, and an action whose turn stands already is not done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .actions import Effect, Refusal
from .calling import PassedOver
from .core.nodes import Node, Part, Reply, Status, User
from .core.plan import Plan, Step, When
from .core.state import Attempt
from .core.turn import Phase
from .interventions import TABLE

if TYPE_CHECKING:
    from .session import Session

BROKEN = frozenset({Status.ERROR, Status.CANCELLED, Status.INTERRUPTED})
"""A reply that ended so is an outage, not data: a run stops there."""

Values = dict[str, str]


def broken(session: Session) -> bool:
    """Whether the tip is a reply that was cut off."""
    body = session.tree[session.tip].body
    return isinstance(body, Reply) and body.status in BROKEN


async def play(session: Session, paused: Callable[[], bool]) -> str:
    """Runs the plan from the current branch's tip.  Returns complete, partial (paused, stopped or cut off) or failed (no reply)."""
    plan = session.state().plan
    await _take_up(session)
    while not (plan.steps or paused() or _stopped(session)) and session.refusal("next") is None:
        await session.do("next")
    if paused() or _stopped(session) or not (plan.steps or session.state().next_puzzle is None):
        return _short(session)
    trunk = session.branch
    try:
        for place, step in enumerate(_script(plan)):
            for attempt, values in _occasions(session, place, step):
                if paused():
                    return _short(session)
                await _mark(session, place, _decide(session, step, values, attempt), attempt)
                if not paused():
                    await _ask_which(session)
                if broken(session) or _needs_which(session):
                    return _short(session)
                if step.place == "fork":
                    await session.go(trunk)
    finally:
        if session.branch != trunk and not broken(session) and not _needs_which(session):
            await session.go(trunk)
    return "complete"


def _script(plan: Plan) -> tuple[Step, ...]:
    return plan.steps or plan.then


def _stopped(session: Session) -> bool:
    """Whether the run cannot go on from the tip: its reply was cut off, or needs the operator to say what it means."""
    state = session.state()
    ambiguous = state.latest is not None and state.latest.phase is Phase.AMBIGUOUS
    return broken(session) or (ambiguous and (session.hands or state.plan.on_ambiguous == "stop"))


def _short(session: Session) -> str:
    """What a run that ends early is: partial, or failed where nothing came back."""
    replies = (node.body for node in session.tree.above(session.tip))
    return "partial" if any(isinstance(body, Reply) and body.status not in BROKEN for body in replies) else "failed"


# Going on


async def _take_up(session: Session) -> None:
    """Asks again for a reply that was cut off, and from the fork of a scripted probe goes back to the trunk."""
    if broken(session) or session.state().owed:
        await session.do("regenerate")
    await _ask_which(session)
    if not broken(session) and session.trunk != session.branch:
        await session.go(session.trunk)


def _step_of(node: Node) -> int:
    """The place in the script of the action that made this turn; -1 where none did."""
    parts = node.body.parts if isinstance(node.body, User) else ()
    return next((part.step for part in reversed(parts) if part.step is not None), -1)


# Doing


def _field(session: Session, step: Step, name: str) -> bool:
    """Whether the action has a field of this name to fill in."""
    return name in {each.name for each in TABLE[step.do].fields(session.state(), session.context())}


def _values(session: Session, step: Step) -> Values:
    return dict(step.fields) | ({"in": step.place} if _field(session, step, "in") else {})


def _decide(session: Session, step: Step, values: Values, attempt: Attempt | None) -> Effect:
    """What an action would do.  One about no puzzle by itself, such as a challenge, is done where the attempt's reply was the last
    word.  Raises Refusal."""
    if attempt is None or "puzzle" in values or values.get("in") != "fork":
        return session.decide(step.do, values, attempt.reply if attempt is not None else None)
    context = replace(session.context(attempt.reply), queue=session.queue(attempt.reply))
    return replace(TABLE[step.do].decide(session.state(attempt.reply), context, values), parent=attempt.reply)


def _needs_which(session: Session) -> bool:
    """Whether the tip is the reply to a scripted self-score whose list a later action needs, and which was not asked for yet."""
    script, last = _script(session.state().plan), session.state().last_part
    if last is None or last.step is None or last.template != "interventions/self-score" or broken(session):
        return False
    return "ask" not in script[last.step].fields and any("claimed" in each.each for each in script[last.step + 1 :])


async def _ask_which(session: Session) -> None:
    """Follows a self-score by the question which, in a later turn of its own, where that is needed."""
    last = session.state().last_part
    if _needs_which(session) and last is not None and last.step is not None:
        step = _script(session.state().plan)[last.step]
        values = _values(session, step) | {"ask": "which", "in": "trunk"}
        await _mark(session, last.step, session.decide(step.do, values), None)


async def _mark(session: Session, place: int, effect: Effect, attempt: Attempt | None) -> None:
    """Carries out what an action decided, what it says bearing its place in the script and its puzzle."""
    known = session.queue()

    def mark(part: Part) -> Part:
        puzzle = part.puzzle or (attempt.puzzle.id if attempt is not None else "")
        return part if part in known else replace(part, step=place, puzzle=puzzle)

    queue = tuple(map(mark, effect.queue)) if effect.queue is not None else None
    await session.carry_out(replace(effect, turn=tuple(map(mark, effect.turn)), queue=queue))


def _occasions(session: Session, place: int, step: Step) -> Iterator[tuple[Attempt | None, Values]]:
    """Each time that `step` is still to be done: the attempt it is `for`, and its fields.  What is refused is passed over, and told."""
    values = _values(session, step)
    done = _done(session, place)
    if not step.each:
        if not done and _can(session, step, values, None):
            yield None, values
        return
    for attempt in _chosen(session, step.each):
        each = values | ({"puzzle": str(attempt.position)} if _field(session, step, "puzzle") else {})
        if attempt.puzzle.id not in done and _holds(step.when, attempt) and _can(session, step, each, attempt):
            yield attempt, each


def _can(session: Session, step: Step, values: Values, attempt: Attempt | None) -> bool:
    try:
        _decide(session, step, values, attempt)
    except Refusal as why:
        of = f" for puzzle {attempt.position}" if attempt is not None else ""
        session.listen(PassedOver(f"The plan's {step.do}{of} was passed over: {why}"))
        return False
    return True


def _done(session: Session, place: int) -> set[str]:
    """The puzzles ("" for none) that the action at `place` was already done for, on this trunk or in a fork of it."""
    trunk = [node.id for node in session.tree.above(session.tip)]
    below = {node for above in trunk for node in session.tree.kids(above)}
    parts = [part for node in below if isinstance(user := session.tree[node].body, User) for part in user.parts]
    return {part.puzzle for part in (*parts, *session.queue()) if part.step == place}


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
    """The positions that the subject listed when last asked, on this trunk or in a fork of it, as those it got right."""
    trunk = [node.id for node in session.tree.above(session.tip)]
    forks = {kid for above in trunk for kid in session.tree.kids(above) if _self_score(session.tree[kid])}
    nodes = {*trunk, *(node for fork in forks for node in session.tree.walk(fork))}
    latest: list[int] = []
    for node in sorted(nodes, key=lambda node: session.tree[node].seq):
        claim = session.tree.said(node).get(("", "claim"))
        if isinstance(claim, dict) and isinstance(claim.get("which"), list):
            latest = claim["which"]
    return frozenset(latest)


def _self_score(node: Node) -> bool:
    return isinstance(node.body, User) and any(part.via == "self-score" for part in node.body.parts)


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
