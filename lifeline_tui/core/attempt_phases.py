"""The law of an attempt, as one table.

An attempt is (reply, puzzle).  `LAW` says in which phase what may happen to it and where that leads; nothing else decides this.
`apply` folds a path through it and is total (Law 12); interventions ask it through `may`.  CONTRIBUTING's diagram is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    POSED = "posed"
    CALLED = "called"
    REPLIED = "replied"
    ANSWERED = "answered"
    SKIPPED = "skipped"
    VIOLATED = "violated"
    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"
    UNPARSED = "unparsed"
    GRADED = "graded"
    TOLD = "told"
    FAILED = "failed"


class Event(StrEnum):
    CALL = "call"
    REPLY = "reply"
    FORGE = "forge"
    ANSWER = "answer"
    LIFELINE = "lifeline"
    VIOLATION = "violation"
    BOTH = "both"
    REFUSAL = "refusal"
    UNPARSED = "unparsed"
    FAIL = "fail"
    GRADE = "grade"
    TELL = "tell"


P, E = Phase, Event
LAW: Mapping[Phase, Mapping[Event, Phase]] = {
    P.POSED: {E.CALL: P.CALLED, E.FORGE: P.REPLIED},
    P.CALLED: {E.REPLY: P.REPLIED},
    P.REPLIED: {
        E.ANSWER: P.ANSWERED,
        E.LIFELINE: P.SKIPPED,
        E.VIOLATION: P.VIOLATED,
        E.BOTH: P.AMBIGUOUS,
        E.REFUSAL: P.REFUSED,
        E.UNPARSED: P.UNPARSED,
        E.FAIL: P.FAILED,
    },
    P.ANSWERED: {E.GRADE: P.GRADED},
    P.SKIPPED: {E.TELL: P.TOLD},
    P.VIOLATED: {E.TELL: P.TOLD},
    P.AMBIGUOUS: {},
    P.REFUSED: {E.TELL: P.TOLD},
    P.UNPARSED: {E.TELL: P.TOLD},
    P.GRADED: {E.TELL: P.TOLD},
    P.TOLD: {E.TELL: P.TOLD},
    P.FAILED: {},
}


def may(phase: Phase, event: Event) -> bool:
    """Whether `event` is lawful in `phase`."""
    return event in LAW[phase]


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows; the same one where the law does not provide for `event`, so that a stored path always opens."""
    return LAW[phase].get(event, phase)


def mermaid() -> str:
    """`LAW` as a Mermaid state diagram, for CONTRIBUTING."""
    lines = ["stateDiagram-v2", "    [*] --> posed"]
    for phase, moves in LAW.items():
        lines += [f"    {phase} --> {target}: {event}" for event, target in moves.items()]
    return "\n".join(lines)
