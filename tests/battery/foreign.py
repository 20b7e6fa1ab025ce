"""A session that somebody else made and sent on: wherever a text may stand in it, one of theirs does.

Made with the store, so that every hash and digest in it is right, and taken in by the real importer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lifeline_tui.core.codec import as_data
from lifeline_tui.core.nodes import (
    Assistant,
    Body,
    Call,
    How,
    Origin,
    Part,
    PartKind,
    Remark,
    Reply,
    Root,
    Span,
    Status,
    System,
    User,
)
from lifeline_tui.core.plan import Plan
from lifeline_tui.core.puzzle import Answer, Fake, Puzzle
from lifeline_tui.core.transcript import CHAT, render
from lifeline_tui.exporters import exporter
from lifeline_tui.store import Draft, Reader, Store

Say = Callable[[str], str]
"""The text for a place, by the place's name of two letters."""


def puzzle(say: Say, number: int) -> Puzzle:
    fakes = (Fake(say("fv"), say("fe")), Fake("7", say("fe")))
    return Puzzle(f"p{number}", say("pt"), Answer("int", say("ka")), fakes, say("fa"), say("st"), (), say("pk"))


def item(say: Say, number: int) -> Part:
    return Part(
        PartKind.ITEM, (Span(say("pt"), Origin.TEMPLATE),), "next", puzzle=f"p{number}", record=puzzle(say, number), position=number
    )


def judged(say: Say, puzzle: str, item: str) -> list[Remark]:
    """What was read in a reply to `item`, in words of theirs."""
    facts = {"item": item, "left": 3, "position": 1, "presentation": say("pn"), "form": say("fm"), "prediction": say("pd")}
    said = {"attempt": facts, "action": "answer", "answer": say("an"), "grade": say("gr"), "flags": [say("fl")], "confidence": 80}
    return [Remark(name, value, puzzle) for name, value in said.items()]


def spans(text: str, origin: str = Origin.MODEL) -> tuple[Span, ...]:
    return (Span(text, cast(Origin, origin)),)


def column(text: str) -> str:
    """What a column of the notebook can hold: no half of a pair of surrogates."""
    return text.encode("utf-8", "replace").decode()


def write(path: Path, say: Say, model: str = "sim/anxious") -> str:
    """The session as a session-jsonl file; returns its id.  Its main branch ends with an error; the others are a forged turn, and
    turns in words that only a later version could know."""
    with Store(path.with_suffix(".db"), clock=lambda: column(f"2026-11-21T01:30 {say('at')}")) as store:
        session = store.create_session(say("ti"), say("pl"), model, True)
        bodies: dict[str, list[Body]] = {}

        def grow(parent: str | None, body: Body, branch: str, remarks: Sequence[Remark] = ()) -> str:
            above = bodies.get(parent or "", [])
            if isinstance(body, Call):
                body = replace(body, model=model, simulated=True, renderer=CHAT, digest=render(above, CHAT).digest)
            nodes, _ = store.append(session, [Draft(body)], parent=parent, branch=branch, remarks=remarks)
            bodies[nodes[0].id] = [*above, body]
            return nodes[0].id

        def asks(kind: str = PartKind.PROBE) -> Part:
            return Part(cast(PartKind, kind), (Span(say("pr"), Origin.TEMPLATE),), say("vi"))

        def turn(parent: str, parts: tuple[Part, ...], reply: Reply, branch: str, *remarks: Remark) -> str:
            asked = grow(parent, User(parts), branch)
            posed = [part.puzzle for part in parts if part.kind is PartKind.ITEM]
            read = [remark for puzzle in posed for remark in judged(say, puzzle, asked)]
            call = Call(params={"stop": say("sp")}, dropped=(say("dr"),))
            return grow(grow(asked, call, branch), reply, branch, [*read, *remarks])

        plan = as_data(Plan(say("pl"), say("ab"), lifelines=3)) | {"persona": say("pe")}
        puzzles = tuple(puzzle(say, number) for number in (1, 2, 3))
        root = grow(None, Root(plan, puzzles, model, True, {"stop": say("pm")}, 1, say("wh")), "main")
        system = grow(root, System((Span(say("sy"), Origin.TEMPLATE),), say("te"), say("ve")), "main")
        rules = Part(PartKind.RULES, (Span(say("ru"), Origin.TEMPLATE), Span(say("ru"), Origin.OPERATOR)), "next")
        thought = Reply(spans(say("re")), say("rs"), finish_raw=say("fi"), model_returned=say("mr"), fingerprint=say("fp"))
        note, label = (Remark(name, say(name[:2]), by="operator") for name in ("note", "label"))
        odd_remark = Remark(column(say("fd")), say("an"), by=column(say("by")))
        first = turn(system, (rules, item(say, 1)), thought, "main", note, odd_remark)
        labelled = turn(first, (asks(),), Reply(spans(say("r2"))), "main", label)
        claims = Remark("claim", {"count": say("cl"), "which": [1]})
        claimed = turn(labelled, (asks(),), Reply(spans(say("r3"))), "main", claims)
        second = turn(claimed, (item(say, 2),), Reply(spans(say("r4"))), "main")
        told: dict[str, Any] = {"puzzle": "p2", "reply": second, "shown": say("sh"), "truthful": False}
        fake = Part(PartKind.FEEDBACK, spans(say("fk")), "fake", feedback="reveal", **told)
        odd = Part(PartKind.FEEDBACK, spans(say("fk")), say("vi"), feedback=say("fb"), **told)
        turn(second, (fake, odd), Reply(spans(say("re")), status=Status.ERROR, cause=say("ca")), "main")
        asked = next(node for node in store.nodes(session) if isinstance(node.body, User)).id
        grow(asked, Assistant((Span(say("fo"), Origin.FORGED),), How.FORGED, first), say("br"))
        later = Reply(spans(say("r5"), say("or")), status=cast(Status, say("ss")), cause=say("ca"))
        strange = turn(first, (asks(say("ki")),), later, "later")
        grow(strange, Assistant(spans(say("r6"), say("or")), cast(How, say("ho"))), "later")
        with Reader(store.file) as found, path.open("w") as out:
            exporter("session-jsonl")(found, [session], out, False)
    return session
