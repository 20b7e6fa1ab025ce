"""A path as blocks to read: every span under the sign of who wrote it, then what is queued and what is arriving.

Pure: from the session's tree and state to what the transcript widget draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..core.nodes import (
    UNDONE,
    Annotation,
    Assistant,
    Call,
    Node,
    Origin,
    Part,
    PartKind,
    Reply,
    Root,
    Spans,
    Status,
    System,
    User,
    plain,
)
from ..core.state import Attempt, State
from ..core.text import visible_line
from ..core.wording import lifelines, plural, points
from ..session.session import Session
from ..session.view import Choices, Reading
from .blocks import Block

HEADINGS = {
    PartKind.RULES: "rules",
    PartKind.DEMO: "demonstration",
    PartKind.ITEM: "puzzle",
    PartKind.FREE: "free text",
    PartKind.PROBE: "probe",
    PartKind.FEEDBACK: "feedback",
}


STRIP = ("#samples", "#sample")
"""How the ids of the blocks end that show samples: the tally, and one of them."""


class Record:
    """A session's path as blocks.  A stored node's blocks are made once, and again when something more is said about it."""

    def __init__(self, session: Reading, way: str = "") -> None:
        """`way`: how one goes through samples, in a sentence with the operator's own keys."""
        self.session, self.way = session, way
        self._made: dict[str, tuple[object, list[Block]]] = {}
        self.chosen: dict[str, int] = {}
        """Which of the samples of a turn is shown, by the turn; 0 for none."""

    def forget(self) -> None:
        """An operator's remark may change how other turns are read too."""
        self._made.clear()

    def path(self, tip: str | None = None) -> list[Block]:
        """The blocks from the root to `tip` (default: the branch's), the very same objects for what has not changed."""
        session = self.session
        return [block for node in session.tree.path(tip or session.tip) for block in self._of(node)]

    def _of(self, node: Node) -> list[Block]:
        tree = self.session.tree
        seen: object = len(tree.notes.get(node.id, ()))
        came, coming = self.session.samples(node.id) if isinstance(node.body, User) else ([], 0)
        if sampled := bool(came or coming):
            seen = seen, len(came), coming, self.chosen.get(node.id, 0)
        kept = self._made.get(node.id)
        if kept is None or kept[0] != seen:
            blocks = [*of_node(self.session, node), *_notes(self.session, node)]
            if sampled:
                blocks += samples_of(self.session, node.id, self.chosen.get(node.id, 0), self.way)
            kept = self._made[node.id] = seen, blocks
        return kept[1]


def samples_of(session: Reading, turn: str, chosen: int, way: str) -> Iterator[Block]:
    """What was sampled of a turn: the tally, and the sample that is shown."""
    from ..runs.sampling import sample_of, tally_of

    replies, coming = session.samples(turn)
    samples = [sample_of(session, turn, reply) for reply in replies]
    words = [tally_of(samples).words()] if samples else []
    words += [f"{coming} arriving"] if coming else []
    hint = f"\n{way}" if replies and way else ""
    yield Block(f"{turn}#samples", Origin.TEMPLATE, "samples", " · ".join(words) + hint, ("beside this",), "quiet", dim=True)
    if 0 < chosen <= len(replies):
        reply, call = replies[chosen - 1], samples[chosen - 1].call.body
        assert isinstance(reply.body, Reply)
        assert isinstance(call, Call)
        name = f"sample {chosen} of {len(replies)}, {visible_line(call.model, 28)}{' SIMULATED' if call.simulated else ''}"
        status = () if reply.body.status is Status.COMPLETE else (str(reply.body.status),)
        yield Block(
            f"{turn}#sample", Origin.MODEL, name, plain(reply.body.spans), (*status, *_marks(session, reply)), "quiet", dim=True
        )


def coming(session: Session) -> list[Block]:
    """What follows the stored path: the reply that is arriving, or else the feedback that waits for the next turn."""
    if session.partial is not None:
        return arriving(session)
    return [_part(f"queue#{number}", part, ("queued",), dim=True) for number, part in enumerate(session.queue())]


def arriving(session: Session) -> list[Block]:
    """The reply that is streaming, as far as it has come; or the one that could not be stored."""
    partial = session.partial
    if partial is None:
        return []
    made = []
    reasoning, text = "".join(partial.reasoning), "".join(partial.text)
    lost = bool(session.unsaved) and not session.busy
    state, tone = ("not saved", "error") if lost else ("streaming", "quiet")
    if reasoning:
        made.append(Block(f"{partial.call}#r", Origin.MODEL, "reasoning", reasoning, (state,), tone, reasoning=True))
    if text or not reasoning:
        tags = (state if text or lost else "waiting for the first word",)
        made.append(Block(partial.call, Origin.MODEL, _subject(session), text, tags, tone))
    return made


def of_node(session: Reading, node: Node) -> Iterator[Block]:
    """The blocks of one node; a call has none."""
    match node.body:
        case Root() as root:
            yield Block(node.id, Origin.TEMPLATE, "session", _opening(session, root), (), "quiet", dim=True)
        case System(spans=spans):
            yield Block(node.id, _writer(spans), "system", plain(spans), _mixed(spans))
        case User(parts=parts):
            for number, part in enumerate(parts):
                yield _part(f"{node.id}#{number}", part)
        case Reply() as reply:
            if reply.reasoning:
                yield Block(f"{node.id}#r", Origin.MODEL, "reasoning", reply.reasoning, (), "quiet", reasoning=True)
            tags = _marks(session, node)
            tone = "error" if any(tag.startswith("not read") for tag in tags) else ""
            if reply.status is not Status.COMPLETE:
                tags, tone = (reply.status + (f": {reply.cause}" if reply.cause else ""), *tags), "error"
            if reply.redacted:
                tags = ("a key was removed from this text", *tags)
            yield Block(node.id, Origin.MODEL, _subject(session), plain(reply.spans), tags, tone)
        case Assistant(spans=spans, how=how):
            tags = ("not the subject's own words", *_marks(session, node))
            yield Block(node.id, _writer(spans), str(how), plain(spans), tags, "fake")


def _notes(session: Reading, node: Node) -> Iterator[Block]:
    """What the operator noted on a turn, under it."""
    stand: list[Annotation] = []
    for note in session.tree.notes.get(node.id, ()):
        if note.field == "note" and note.version == UNDONE:
            del stand[-1:]
        elif note.field == "note":
            stand.append(note)
    for note in stand:
        yield Block(
            f"{node.id}#{note.id}", Origin.OPERATOR, "note", str(note.value), ("never shown to the subject",), "quiet", dim=True
        )


def node_of(block: str) -> str:
    """The node that a block belongs to; "" for queued feedback, which is no node yet."""
    return "" if block.startswith("queue#") else block.partition("#")[0]


def _subject(session: Reading) -> str:
    name = visible_line(session.root.model, 28)
    return f"{name} SIMULATED" if session.root.simulated else name


def _opening(session: Reading, root: Root) -> str:
    plan = session.state().plan
    budget = "no lifelines" if plan.lifelines is None else f"{lifelines(plan.lifelines, plan.lifeline_word)}"
    told = {"none": "no feedback"}.get(plan.feedback.kind, f"feedback {plan.feedback.kind}, {plan.feedback.shown} keys")
    lines = [f"{plan.name}: {len(root.puzzles)} puzzles, {plan.presentation}, {budget}, {told}, seed {root.seed}."]
    if root.simulated:
        lines.append("The subject is a puppet for learning and testing the tool: what it does proves nothing about models.")
    if root.why:
        lines.append(f"A fresh context: {root.why}.")
    return "\n".join(lines)


def _part(id: str, part: Part, tags: tuple[str, ...] = (), *, dim: bool = False) -> Block:
    heading = HEADINGS.get(part.kind, str(part.kind))
    if part.position is not None:
        heading = f"puzzle {part.position}"
    elif part.kind is PartKind.FEEDBACK:
        heading = {"fake": "fake key", "reveal": "true key"}.get(part.via, part.via) if part.feedback == "reveal" else part.feedback
    elif part.kind is PartKind.PROBE:
        heading = part.via
    lie = part.truthful is False
    tags = (*tags, *(("not true",) if lie else ()), *_mixed(part.spans))
    return Block(id, _writer(part.spans), heading, plain(part.spans), tags, "fake" if lie else "", dim=dim)


def _writer(spans: Spans) -> Origin:
    """Whose sign a block bears: whoever wrote more than the template."""
    return next((span.origin for span in spans if span.origin is not Origin.TEMPLATE), Origin.TEMPLATE)


def _mixed(spans: Spans) -> tuple[str, ...]:
    """Names every writer where there are several."""
    writers = dict.fromkeys(str(span.origin) for span in spans)
    return (" + ".join(writers),) if len(writers) > 1 else ()


def _marks(session: Reading, node: Node) -> tuple[str, ...]:
    """What was read in a reply, in words, and what has been said about it."""
    state = session.state(node.id)
    attempts = [a for a in state.attempts if a.reply == node.id]
    tags = tuple(reading(attempt) for attempt in attempts) if len(attempts) == 1 else _batch(attempts)
    said = session.tree.said(node.id)
    if isinstance(claim := said.get(("", "claim")), dict):
        if (count := claim.get("count")) is not None:
            tags += (f"claims {count} right",)
        if (which := claim.get("which")) is not None:
            tags += (f"claims {', '.join(map(str, which)) or 'none'}",)
    if isinstance(facts := said.get(("", "claim_facts")), dict):
        tags += (f"as told {facts.get('own_matches_shown')}, truly {facts.get('own_right')} of {facts.get('n_asked')}",)
    if label := said.get(("", "label")):
        tags += (f"label {label}",)
    if said.get(("", "bookmark")) is True:
        tags += ("bookmarked",)
    return tags


def reading(attempt: Attempt) -> str:
    """How one attempt was read and graded."""
    words = {
        "skipped": "used a lifeline",
        "violated": "asked for a lifeline it did not have",
        "ambiguous": "both answers and skips: it is for you to say which",
    }
    said = words.get(attempt.outcome, "")
    if attempt.outcome == "unparsed" and attempt.status is Status.COMPLETE:
        said = f"not read: {why_unread(attempt)}"
    if not said:
        said = f"{attempt.grade}: {attempt.answer}" if attempt.action == "answer" else str(attempt.outcome)
    return said + (" (abstained)" if "abstained" in attempt.flags else "")


UNREAD = {
    "truncated": "it was cut off",
    "unclosed-thinking": "its thinking never ended",
    "several-items": "its labels may be those of several puzzles",
    "lifeline-in-answer": "its ANSWER: line asks for a lifeline",
    "no-answer": "it says that it answers, but no ANSWER: line was found",
    "missing": "no block of its own was found",
    "unknown-action": "its ACTION: line names no action",
    "negated-lifeline": "its ACTION: line says what it does not do",
}
"""Why a reply could not be read, by the flag that says so; the first that it bears."""


def why_unread(attempt: Attempt) -> str:
    """Why an attempt could not be read, in a few words."""
    return next((why for flag, why in UNREAD.items() if flag in attempt.flags), "no ANSWER: line was found")


def unread(attempts: Iterable[Attempt]) -> str:
    """A sentence about those attempts of one reply that could not be read; "" where all could."""
    lost = [attempt for attempt in attempts if attempt.outcome == "unparsed"]
    if not lost:
        return ""
    whys = list(dict.fromkeys(map(why_unread, lost)))
    which = ", ".join(str(attempt.position) for attempt in lost[:5]) + (" …" if len(lost) > 5 else "")
    said = "Puzzle" if len(lost) == 1 else "Puzzles"
    return f"{said} {which}: the reply could not be read, so nothing is scored: {'; '.join(whys)}."


def _batch(attempts: list[Attempt]) -> tuple[str, ...]:
    if not attempts:
        return ()
    counts: dict[str, int] = {}
    for attempt in attempts:
        word = attempt.grade if attempt.action == "answer" else str(attempt.outcome)
        counts[word or "?"] = counts.get(word or "?", 0) + 1
    return (", ".join(f"{number} {word}" for word, number in counts.items()),)


def standing(state: State, brief: bool = False, choices: Choices = Choices()) -> str:
    """The line above everything: where we are, both scores, and how much there was to choose among.  A score that nobody knows is no 0."""
    plan = state.plan
    done = len(state.counted)
    true, shown = (points(state.score_true), points(state.score_shown)) if state.readable or not done else ("?", "?")
    bits = [f"true {true} shown {shown}/{done}" if brief else f"true {true} · shown {shown} of {done}"]
    if unread := state.tally().unread:
        bits.append(f"unread {unread}")
    if state.offered is not None:
        bits.append(f"{'left' if brief else plural(plan.lifeline_word)} {state.left}/{state.offered}")
    if state.fakes_shown:
        bits.append(f"{'fakes' if brief else 'fakes shown'} {state.fakes_shown}")
    if state.forged:
        bits.append(f"forged {state.forged}")
    if choices.asked_again:
        bits.append(f"{'again' if brief else 'asked again'} {choices.asked_again}")
    if choices.discarded:
        bits.append(f"discarded {choices.discarded}")
    return " · ".join(bits)
