"""A readable record: every branch of a session as badged Markdown, every word under the name of who wrote it.

Turns that branches share are printed once, on the first; a later branch says where it leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from ..core.nodes import UNDONE, Annotation, Assistant, Call, Node, Purpose, Reply, Span, Status, System, User
from ..core.text import last_part, visible, visible_line
from ..core.tree import Tree, in_force
from ..store import Reader

LEGEND = "Who wrote what: `model` the subject · `template` the tool's fixed wording · `operator` typed · `forged`/`edited` put in the subject's mouth or changed by the operator."


def export(store: Reader, sessions: Sequence[str], out: TextIO, blind: bool) -> None:
    """Every session in turn, one heading each; `blind` leaves out subject, plan, and what was true or right."""
    for session in sessions:
        for line in record(store, session, blind):
            out.write(line + "\n")


def record(store: Reader, session: str, blind: bool, branch: str | None = None) -> Iterator[str]:
    """The lines of one session, or of one branch of it.  Raises BadReference."""
    row = store.session(session)
    tree, tips = store.tree(session)
    branches = _in_order(tree, tips) if branch is None else [(branch, store.branch(session, branch).tip)]
    sections = [(f"Branch {_plain(name)}", tip) for name, tip in branches]
    if branch is None:
        held = {node.id for _, tip in branches for node in tree.above(tip)}
        sections += [(_loose(tree, leaf), leaf) for leaf in tree.leaves() if leaf not in held]
    yield f"# {_plain(row.id if blind else row.title)}"
    yield ""
    simulated = "**SIMULATED: a puppet, which proves nothing about models**" if row.simulated else ""
    about = "" if blind else f"Subject {_plain(row.model)} · plan {_plain(row.plan)} · {_plain(row.created_at)}"
    if simulated or about:
        yield " · ".join(filter(None, (simulated, about)))
        yield ""
    if not blind and (names := _answered_as(tree, row.model)):
        yield f"The server answered as {', '.join(map(_plain, names))}."
        yield ""
    yield LEGEND
    printed: set[str] = set()
    for heading, tip in sections:
        yield ""
        yield f"## {heading}"
        path = tree.path(tip)
        shared = [node for node in path if node.id in printed]
        if shared:
            yield ""
            yield f"Leaves the turns above after `{visible_line(shared[-1].id)}`."
        for node in path:
            if node.id not in printed:
                printed.add(node.id)
                yield from _node(tree, node, blind)
    yield ""


TAKEN_BACK = "Taken back, or asked again: on no branch"
SAMPLE = "A sample, beside the conversation"


def _in_order(tree: Tree, tips: Mapping[str, str]) -> list[tuple[str, str]]:
    """The branches with their tips: the first conversation, and then each other by the first turn of its own."""
    main = {node.id for node in tree.above(tips["main"])} if "main" in tips else set()

    def own(tip: str) -> int:
        return min((node.seq for node in tree.above(tip) if node.id not in main), default=tree[tip].seq)

    return sorted(tips.items(), key=lambda each: (each[0] != "main", own(each[1])))


def _loose(tree: Tree, leaf: str) -> str:
    """What a turn is that no branch holds."""
    calls = [node.body for node in tree.above(leaf) if isinstance(node.body, Call)][:1]
    return SAMPLE if calls and calls[0].purpose is Purpose.SAMPLE else TAKEN_BACK


def _answered_as(tree: Tree, asked: str) -> list[str]:
    """The names under which replies came, other than the one that was asked for; of a path on the server's machine, its last part."""
    came = (last_part(node.body.model_returned) for node in tree.nodes.values() if isinstance(node.body, Reply))
    return [name for name in dict.fromkeys(came) if name and name not in (asked, asked.partition("/")[2])]


def _node(tree: Tree, node: Node, blind: bool) -> Iterator[str]:
    match node.body:
        case System(spans=spans):
            yield from _turn("system", node, spans)
        case User(parts=parts):
            for part in parts:
                lie = {True: ", truthful", False: ", NOT TRUE", None: ""}[part.truthful]
                yield from _turn(f"user · {part.kind if blind else f'{part.via or part.kind}{lie}'}", node, part.spans)
        case Reply(spans=spans, reasoning=reasoning, status=status, cause=cause):
            if reasoning:
                yield from _block("reasoning", node.id, reasoning)
            state = "" if status is Status.COMPLETE else f" · {status}: {visible_line(cause)}"
            yield from _turn(f"reply{state}", node, spans)
            yield from _said(tree, node, blind)
        case Assistant(spans=spans, how=how):
            yield from _turn(f"assistant, not the subject's own: {how}", node, spans)
            yield from _said(tree, node, blind)


def _turn(heading: str, node: Node, spans: Sequence[Span]) -> Iterator[str]:
    for span in joined(spans) or (None,):
        yield from _block(f"{heading} · {span.origin if span else 'nothing'}", node.id, span.text if span else "")


def joined(spans: Sequence[Span]) -> list[Span]:
    """One span for what one writer wrote at a stretch.  What shows nothing, such as the space between two writers, joins the span
    before it, or else the one after: every word stays under the name of who wrote it."""
    made: list[Span] = []
    for span in spans:
        before = made[-1] if made else None
        if before and (span.origin == before.origin or _shows_nothing(span)):
            made[-1] = Span(before.text + span.text, before.origin)
        elif before and _shows_nothing(before):
            made[-1] = Span(before.text + span.text, span.origin)
        else:
            made.append(span)
    return made


def _shows_nothing(span: Span) -> bool:
    return not visible(span.text).strip()


def _block(heading: str, node: str, text: str) -> Iterator[str]:
    """A fenced block whose fence is longer than any in the text."""
    text = visible(text)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    yield ""
    yield f"**{_plain(heading)}** `{visible_line(node)}`"
    yield ""
    yield f"{fence}text"
    yield text
    yield fence


def _said(tree: Tree, node: Node, blind: bool) -> Iterator[str]:
    """How the turn was read and graded, and by whom where that was not the machine; `blind` leaves out the grade."""
    notes = in_force(tree.notes.get(node.id, ()))
    said = tree.said(node.id)
    for puzzle in dict.fromkeys(place[0] for place in said if place[0]):
        facts = [
            f"{name} {said[puzzle, name]}" + (" (by the operator)" if _by_hand(notes[puzzle, name]) else "")
            for name in ("action", "answer", "grade", "confidence")
            if said.get((puzzle, name)) is not None and not (blind and name == "grade")
        ]
        if facts:
            yield ""
            yield f"> {_plain(puzzle)}: {_plain(' · '.join(facts))}"
    for name in ("label", "note"):
        if value := said.get(("", name)):
            yield ""
            yield f"> {name}: {_plain(str(value))}"


def _by_hand(note: Annotation) -> bool:
    """Whether the operator says it: what was taken back says once more what the machine had said."""
    return note.by == "operator" and note.version != UNDONE


def _plain(text: str) -> str:
    """Text within a line, with what Markdown would act on defused."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", visible_line(text, 10_000))
