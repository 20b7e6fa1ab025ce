"""The line above the actions of the run screen: what happened, what is kept, and what can be done, with the marks of keys in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.nodes import Reply, Status
from ..interventions.types import MARK
from ..session.session import Session
from ..store import StoreError
from .record import unread

if TYPE_CHECKING:
    from ..runs.autoplay import Ended


def notice(session: Session, ended: str, outcome: Ended | None) -> tuple[str, bool]:
    """What happened to the last reply, what is kept and what can be done; else what to do first.  Whether it is said calmly: nothing
    went wrong.  `ended` is what is to be said of the last run of the plan, which ended with `outcome`."""
    body, state = session.tree[session.tip].body, session.state()
    last = state.last_part
    if count := len(session.partials):
        arrive = "1 sample is" if count == 1 else f"{count} samples are"
        return f"{arrive} arriving: {{key:cancel}} stops the rest and keeps what came.", True
    if isinstance(body, Reply) and body.status is not Status.COMPLETE:
        kept = "What arrived is kept." if body.spans or body.reasoning else "Nothing arrived."
        cause = (body.cause or "no cause was given").rstrip(".")
        return (
            f"The reply ended as {body.status}: {plainly(cause)}. {kept} {{key:regenerate}} asks again; {{key:next}} goes on.",
            False,
        )
    if state.owed:
        return "The subject owes a reply: {key:regenerate} asks for it.", False
    if last is not None and last.via == "form-again" and any(a.unread for a in state.attempts):
        return "The form was asked for again: move to the reply that could not be read, and {key:grade} reads it by hand.", True
    if lost := unread(a for a in state.attempts if a.reply == session.tip):
        return f"{lost} {{key:grade}} reads it by hand; {{key:form-again}} asks for the form; {{key:regenerate}} asks again.", False
    if ended:
        return ended, False
    if not state.attempts and session.refusal("next") is None:
        plan = state.plan
        count = min(plan.batch_size, len(state.root.puzzles)) if plan.presentation == "batch" else 1
        what = "the first puzzle" if count == 1 else f"{count} puzzles in one message"
        return f"{{key:next}} sends {what}; {{key:autoplay}} runs the whole plan; {{key:help}} lists all that can be done.", True
    if session.trunk != session.branch:
        aside = f"A fork, {plainly(session.branch)}: {plainly(session.trunk)} never sees it."
        return f"{aside} {{key:next}} goes on there, {{key:back}} shows it; {{key:fork}} makes a branch to go on with here.", True
    if last is not None and state.next_puzzle is None and session.refusal("next") is not None:
        return over(session, outcome), True
    return "", False


def unsaved(error: StoreError, session: Session) -> str:
    """What could not be written, and where it is meanwhile."""
    if session.partial is not None:
        return (
            f"{plainly(str(error))} The reply is kept here: {{key:save}} tries to save it again, {{key:export}} saves it elsewhere."
        )
    return f"{plainly(str(error))} Nothing was sent; what you typed is kept in the form."


def plainly(text: str) -> str:
    """Text from outside, within a sentence of ours: what looks like the mark of a key is none."""
    return MARK.sub("{key:\\1 }", text)


def over(session: Session, outcome: Ended | None) -> str:
    """What is to be said at the end of a plan, of which the last run here ended with `outcome`."""
    scripted = session.state().plan.then or session.state().plan.steps
    if outcome is not None and outcome.status == "partial" and not outcome.left_out:
        return "The plan is paused: {key:autoplay} goes on with it."
    if scripted and outcome is None and session.run_status() != "complete":
        return "Every puzzle has been posed: {key:autoplay} asks what the plan asks then, {key:workings} and {key:self-score} ask more."
    asks = "{key:workings}, {key:self-score}, {key:key-check} still ask"
    return f"The plan has ended, and all is saved: {asks}; {{key:export}} exports; {{key:leave}} leaves."


def left_out(ended: Ended | None) -> str:
    """What a run of the plan left out, and why, in one sentence."""
    if ended is None or not ended.left_out:
        return ""
    return plainly(f"The plan left out: {'; '.join(each.rstrip('.') for each in ended.left_out)}.")
