"""A plan without hands: its puzzles one after the other, then its scripted actions, each an intervention like any other.

The same code drives autoplay in the app and headless runs.  Where a run stands follows from the tree alone (a turn made by an action
bears that action's place in the script), so a run that was broken off goes on where it stopped: a reply that was cut off is asked
for again beside it, and an action whose turn stands already is not done twice.  What of the script cannot be done is left out, and said:
a run that left out a thing is not complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from ..core.attempt_phases import Phase
from ..core.nodes import FAILED, Assistant, Node, Part, Remark, Reply, User
from ..core.plan import Plan, Step, When, before
from ..core.state import Attempt
from ..interventions.table import TABLE
from ..interventions.types import Effect, Refusal
from ..session.calls import PassedOver
from ..session.session import Session
from ..subjects.protocol import SubjectError

Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: complete, partial (paused, stopped, cut off, or something was left out) or failed (no reply).  `left_out` says
    what of the script was not done, and why: "workings for the claimed puzzles: nothing was claimed"."""

    status: str
    left_out: tuple[str, ...] = ()


async def play(session: Session) -> Ended:
    """Runs the plan from the current branch's tip to its end, or until paused or a call fails; how it ended is recorded.  Raises Refusal,
    SubjectError and StoreError."""
    async with session.running():
        await _record(session, "started")  # and so it stays where the process is killed
        try:
            ended = await _play(session)
        except (Refusal, SubjectError) as why:
            await _record(session, "partial", (f"the rest of the plan: {why}",))
            raise
        await _record(session, ended.status, ended.left_out)
        return ended


async def _record(session: Session, status: str, left_out: tuple[str, ...] | None = None) -> None:
    more = {} if left_out is None else {"left_out": list(left_out)}
    await session.remark([Remark("run", {"status": status, **more}, node=session.origin)])


async def _play(session: Session) -> Ended:
    plan = session.state().plan
    left_out: list[str] = []
    earlier = {attempt.reply for attempt in session.state().attempts}

    def resting() -> bool:
        """Whether so many replies in a row, of this run's, could not be read that somebody should look."""
        limit, unread = plan.pause_after_unread, _unread(session, earlier)
        if not limit or unread < limit:
            return False
        why = f"{unread} replies in a row could not be read" if unread > 1 else "a reply could not be read"
        left_out.append(f"the rest of the plan: {why}")
        session.listen(
            PassedOver(
                f"Paused: {why}. {{key:grade}} reads one by hand, {{key:regenerate}} asks again; played again, the plan goes on from here."
            )
        )
        return True

    await _take_up(session)
    while not (plan.steps or session.paused or _stopped(session)) and session.refusal("next") is None:
        if resting():
            return _short(session, left_out)
        await session.do("next")
    if session.paused or _stopped(session) or not (plan.steps or session.state().next_puzzle is None):
        return _short(session, left_out)
    trunk = session.branch
    try:
        for place, step in enumerate(_script(plan)):
            for attempt, values in _occasions(session, place, left_out):
                if session.paused or resting():
                    return _short(session, left_out)
                await _mark(session, place, _decide(session, place, values, attempt), attempt)
                if not session.paused:
                    await _ask_which(session)
                if session.broken or _needs_which(session):
                    return _short(session, left_out)
                if step.place == "fork":
                    await session.go(trunk)
    finally:
        if session.branch != trunk and not session.broken and not _needs_which(session):
            await session.go(trunk)
    return Ended("partial" if left_out else "complete", tuple(left_out))


def _script(plan: Plan) -> tuple[Step, ...]:
    return plan.steps or plan.then


def _stopped(session: Session) -> bool:
    """Whether the run cannot go on from the tip: its reply was cut off, or needs the operator to say what it means."""
    state = session.state()
    ambiguous = state.latest is not None and state.latest.phase is Phase.AMBIGUOUS
    return session.broken or (ambiguous and (session.hands or state.plan.on_ambiguous == "stop"))


def _short(session: Session, left_out: list[str]) -> Ended:
    """How a run ends that ends early: partial, or failed where nothing came back."""
    replies = (node.body for node in session.tree.above(session.tip))
    some = any(isinstance(body, Reply) and body.status not in FAILED for body in replies)
    return Ended("partial" if some else "failed", tuple(left_out))


def _unread(session: Session, earlier: set[str]) -> int:
    """How many replies to puzzles in a row, the last ones and none of the `earlier`, said nothing that could be read."""
    read: dict[str, bool] = {}
    for attempt in session.state().attempts:
        if attempt.reply and attempt.reply not in earlier:
            read[attempt.reply] = read.get(attempt.reply, False) or attempt.outcome is not Phase.UNPARSED
    return sum(1 for _ in takewhile(lambda was_read: not was_read, reversed(read.values())))


# Going on


async def _take_up(session: Session) -> None:
    """Asks again for a reply that was cut off, and from the fork of a scripted probe goes back to the trunk."""
    if session.broken or session.state().owed:
        await session.do("regenerate")
    await _ask_which(session)
    if not session.broken and session.trunk != session.branch:
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


def _decide(session: Session, place: int, values: Values, attempt: Attempt | None) -> Effect:
    """What the action at `place` would do.  It is done where the one that it continues ended; one about no puzzle by itself, such as a
    challenge, where the attempt's reply was the last word; any other at the tip.  Raises Refusal."""
    step = _script(session.state().plan)[place]
    at = ""
    if step.after:
        at = _end(session, place, attempt)
    elif attempt is not None and "puzzle" not in values and values.get("in") == "fork":
        at = attempt.reply
    return session.decide(step.do, values, attempt.reply if attempt is not None else None, at)


def _end(session: Session, place: int, attempt: Attempt | None) -> str:
    """The turn of the subject's with which the action that the one at `place` continues has ended: about the same puzzle, where it was
    done for each of several.  Raises Refusal."""
    script = _script(session.state().plan)
    step, leader = script[place], before(script, place)
    if leader is None or not _field(session, step, "in"):
        raise Refusal(f"it cannot continue {step.after}.")
    ends: list[Node] = []
    for turn in _turns(session, leader):
        if attempt is None or not script[leader].each or attempt.puzzle.id in _puzzles([turn], leader):
            below = [session.tree[node] for node in session.below(turn.id)]
            ends += [node for node in below if _closes(node) and _asked_by(session, node) == leader]
    if not ends:
        raise Refusal(f"{step.after}, which it continues, has no reply.")
    return max(ends, key=lambda node: (session.state(node.id).turns, node.seq)).id


def _closes(node: Node) -> bool:
    return isinstance(node.body, Assistant) or (isinstance(node.body, Reply) and node.body.status not in FAILED)


def _asked_by(session: Session, reply: Node) -> int:
    """The place in the script of the action that asked for a reply; -1 where none did."""
    return next((_step_of(node) for node in session.tree.above(reply.id) if isinstance(node.body, User)), -1)


def _needs_which(session: Session) -> bool:
    """Whether the tip is the reply to a scripted self-score whose list a later action needs, and which was not asked for yet."""
    script, last = _script(session.state().plan), session.state().last_part
    if last is None or last.step is None or last.template != "interventions/self-score" or session.broken:
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
    fork = effect.fork and (_script(session.state().plan)[place].name or effect.fork)
    await session.carry_out(replace(effect, turn=tuple(map(mark, effect.turn)), queue=queue, fork=fork))


def _occasions(session: Session, place: int, left_out: list[str]) -> Iterator[tuple[Attempt | None, Values]]:
    """Each time that the action at `place` is still to be done: the attempt it is `for`, and its fields.  What cannot be done is
    `left_out`, and told."""
    step = _script(session.state().plan)[place]
    values = _values(session, step)
    done = _done(session, place)
    if not step.each:
        if not done and _can(session, place, values, None, left_out):
            yield None, values
        return
    chosen = _chosen(session, step.each)
    for of, why in _unchosen(session, step.each, chosen):
        _leave_out(session, f"{step.called} for {of}", why, left_out)
    for attempt in chosen:
        each = values | ({"puzzle": str(attempt.position)} if _field(session, step, "puzzle") else {})
        wanted = attempt.puzzle.id not in done and _holds(step.when, attempt)
        if wanted and _can(session, place, each, attempt, left_out):
            yield attempt, each


def _can(session: Session, place: int, values: Values, attempt: Attempt | None, left_out: list[str]) -> bool:
    try:
        _decide(session, place, values, attempt)
    except Refusal as why:
        name = _script(session.state().plan)[place].called
        _leave_out(session, f"{name} for puzzle {attempt.position}" if attempt is not None else name, str(why), left_out)
        return False
    return True


def _leave_out(session: Session, what: str, why: str, left_out: list[str]) -> None:
    left_out.append(f"{what}: {why}")
    session.listen(PassedOver(f"The plan's {what} was passed over: {why}"))


def _turns(session: Session, place: int) -> list[Node]:
    """The turns that the action at `place` began with, on this trunk, in a fork of it, or below the action that it continues."""
    script = _script(session.state().plan)
    trunk = [node.id for node in session.tree.above(session.tip)]
    leader = before(script, place)
    forks = _turns(session, leader) if leader is not None else ()
    above = {*trunk, *(node for fork in forks for node in session.below(fork.id))}
    kids = [session.tree[kid] for node in above for kid in session.tree.kids(node)]
    return [node for node in kids if _puzzles([node], place)]


def _puzzles(turns: list[Node], place: int | None) -> set[str]:
    """The puzzles ("" for none) that the action at `place` is about in these turns."""
    parts = [part for node in turns if isinstance(node.body, User) for part in node.body.parts]
    return {part.puzzle for part in parts if part.step == place}


def _done(session: Session, place: int) -> set[str]:
    """The puzzles ("" for none) that the action at `place` was already done for, or is about to be."""
    return _puzzles(_turns(session, place), place) | {part.puzzle for part in session.queue() if part.step == place}


def _chosen(session: Session, each: tuple[str, ...]) -> list[Attempt]:
    """The attempts that `for:` names, in the order of their puzzles."""
    attempts = list(session.state().counted)
    if each == ("all",):
        return attempts
    if each == ("wrong",):
        return [a for a in attempts if a.grade == "wrong"]
    if each == ("claimed",):
        claimed = claimed_right(session)
        return [a for a in attempts if a.position in claimed]
    return [a for a in attempts if a.puzzle.id in each]


def _unchosen(session: Session, each: tuple[str, ...], chosen: list[Attempt]) -> Iterator[tuple[str, str]]:
    """Which of what `for:` names has no attempt here, and why."""
    if each in (("all",), ("wrong",)):
        return
    if each != ("claimed",):
        known = {attempt.puzzle.id for attempt in chosen}
        yield from ((f"puzzle {name}", "it has no reply here") for name in each if name not in known)
    elif not chosen:
        asked, claims = _claims(session)
        why = "the claim could not be read" if asked else "it was not asked which it got right"
        if any(claim.get("which") == [] or claim.get("count") == 0 for claim in claims):
            why = "nothing was claimed"
        elif claimed_right(session):
            why = "none of them has a reply here"
        yield "the claimed puzzles", why


def claimed_right(session: Session) -> frozenset[int]:
    """The positions that the subject listed when last asked, on this trunk or in a fork of it, as those it got right."""
    lists = [claim["which"] for claim in _claims(session)[1] if isinstance(claim.get("which"), list)]
    return frozenset(lists[-1] if lists else ())


def _claims(session: Session) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the subject was asked for its own score, on this trunk or in a fork of it, and what it claimed, in order."""
    trunk = [node.id for node in session.tree.above(session.tip)]
    forks = {kid for above in trunk for kid in session.tree.kids(above) if _self_score(session.tree[kid])}
    nodes = {*trunk, *(node for fork in forks for node in session.below(fork))}
    said = [session.tree.said(node).get(("", "claim")) for node in sorted(nodes, key=lambda node: session.tree[node].seq)]
    asked = any(_self_score(session.tree[node]) for node in nodes)
    return asked, [claim for claim in said if isinstance(claim, dict)]


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
