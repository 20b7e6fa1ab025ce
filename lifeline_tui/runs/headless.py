"""What the command line does with sessions: runs, recorded replay, the JSON of a session, and a probe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from ..cli.output import complain, say_line
from ..core.nodes import FACTS, Assistant, Call, Node, Reply, Root, User, as_data, canonical, encode, text_of
from ..core.reading.auto_annotate import judge
from ..core.state import State, apply
from ..core.text import visible_line
from ..core.transcript import call_digest
from ..core.tree import Tree
from ..exporters.session_jsonl import branch_data, node_data, note_data
from ..interventions.types import Refusal, named
from ..session.branches import home
from ..session.calls import Change, PassedOver, Waiting
from ..session.lab import Lab
from ..session.session import Session
from ..store import Reader, StoreError
from ..store import Session as Row
from ..subjects.protocol import Capabilities, Deadlines, Delta, End, Request, Retry
from .autoplay import Ended, play


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
) -> list[dict[str, Any]]:
    """Runs `repeats` sessions of a plan, seeds counting up, all with the items of `item_seed` where one is given; returns one summary
    each, in the order of their seeds.  `tell` gets each as soon as it and all before it are there, so that what is done is known even
    if the rest is stopped."""
    first = lab.plan(plan)[0].seed if seed is None else seed
    gate = asyncio.Semaphore(concurrency)
    progress = Progress(repeats)

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
                listen=_heard,
            )
            try:
                return await _played(session, first=number == 0)
            finally:
                await session.close()
                progress.step()

    try:
        with progress:
            tasks = [asyncio.create_task(one(number)) for number in range(repeats)]
            results = []
            try:
                for task in tasks:
                    # Not awaited itself: a cancel would reach it alone, and the next in line would begin.
                    await asyncio.wait({task})
                    results.append(task.result())
                    with progress.aside():
                        tell(results[-1])
                return results
            finally:
                for task in tasks:
                    task.cancel()
                lost = [each for each in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(each, StoreError)]
                for each in lost[1:]:
                    complain(each)
                if lost:
                    raise lost[0]
    finally:
        await lab.close()


async def resume_run(lab: Lab, name: str, *, api_base: str) -> dict[str, Any]:
    """Goes on with the run of a stored session where it stopped; returns its summary."""
    try:
        session = await lab.open(name, api_base=api_base, hands=False, listen=_heard)
        try:
            if session.trunk != home(
                session
            ):  # a branch made by hand was left in view; a probe's fork is gone on with where it broke
                await session.go(home(session))
            return await _played(session, first=True)
        finally:
            await session.close()
    finally:
        await lab.close()


def _heard(change: Change) -> None:
    match change:
        case Waiting():
            say_line(f"retry {change.retry.attempt} in {change.retry.wait:.1f} s: {change.retry.why}")
        case PassedOver():
            say_line(named(change.why))


async def _played(session: Session, *, first: bool) -> dict[str, Any]:
    """Runs the plan of a session from where it stands.  Of the `first` of a run it is said what the backend does not take, and whether
    its context holds the plan."""
    if first:
        for sentence in (await session.left_out(), room(session.state(), await session.capabilities(), session.subject.name)):
            if sentence:
                say_line(sentence)
    try:
        ended = await play(session)
    except Refusal as why:
        say_line(f"session {session.id} stopped: {why}")
        ended = Ended("partial", (f"the rest of the plan: {why}",))
    last = session.tree[session.tip].body
    if isinstance(last, Reply) and session.broken:
        say_line(f"session {session.id} stopped: {last.status}: {last.cause}")
    state = session.state()
    if ended.status != "complete" and (session.broken or state.owed or state.next_puzzle is not None):
        say_line(f"session {session.id} can be gone on with: lifeline run --resume {session.id}")
    return summary(session, ended)


CHARACTERS_A_TOKEN = 3.5
"""Of English with numbers in it, a cautious estimate: real tokenizers give 3 to 4.5."""


def room(state: State, capabilities: Capabilities, name: str) -> str:
    """A sentence on whether the model's context can hold the plan, "" where its size is not known or all is posed.

    The last turn of a conversation is the longest: it holds every puzzle and every reply above it, each at most `max_tokens` long.
    """
    size = capabilities.context
    if size is None or state.next_puzzle is None:
        return ""
    puzzles = state.root.puzzles
    prompts = round(sum(len(puzzle.text) + 120 for puzzle in puzzles) / CHARACTERS_A_TOKEN)
    turns = -(-len(puzzles) // state.plan.batch_size) if state.plan.presentation == "batch" else len(puzzles)
    most = state.plan.subject.get("max_tokens")
    if not isinstance(most, int):
        return f"{name} holds {size:,} tokens; the prompts need about {prompts:,}, and how long the replies get is not bounded."
    needed = prompts + turns * most
    holds = (
        "which hold the whole plan"
        if needed <= size
        else "which may not hold the whole plan: see --limit, and max_tokens of the plan"
    )
    return f"{name} holds {size:,} tokens, {holds} (prompts about {prompts:,}, {turns} replies of at most {most:,} each)."


class Progress:
    """A bar on stderr where that is a terminal and there is more than one session; nothing else."""

    def __init__(self, total: int) -> None:
        self._bar: Any = None
        if total > 1 and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("sessions", total=total)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *problem: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way while something else is written."""
        self.__exit__()
        yield
        self.__enter__()

    def step(self) -> None:
        if self._bar is not None:
            self._bar.advance(self._task)


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


@dataclass(frozen=True, slots=True)
class Replayed:
    """A node played again: `faithful` when its request, body and machine readings come out as they were recorded."""

    node: Node
    branch: str
    faithful: bool
    why: str

    def data(self) -> dict[str, Any]:
        return {"branch": self.branch, "node": self.node.id, "kind": str(self.node.kind), "body": as_data(self.node.body)} | {
            "faithful": self.faithful,
            "why": self.why,
        }

    def text(self) -> str:
        mark = "" if self.faithful else f"  NOT AS RECORDED: {self.why}"
        return f"[{self._writer()}] {text_of(self.node.body)}{mark}".rstrip() + "\n"

    def _writer(self) -> str:
        body = self.node.body
        match body:
            case Root():
                return f"{self.node.kind} {visible_line(body.model)}{' SIMULATED' if body.simulated else ''}"
            case Assistant():
                return f"{self.node.kind}, not the subject's own: {body.how}"
            case User():
                return f"{self.node.kind} {', '.join(dict.fromkeys(span.origin for part in body.parts for span in part.spans))}"
        return str(self.node.kind)


def replay_recorded(store: Reader, name: str, branch: str | None, every: bool) -> Iterator[Replayed]:
    """Plays branches again from their record.  Each request is rendered anew and each turn judged anew; nothing is asked."""
    session = store.session(name).id
    tree, tips = store.tree(session)
    chosen = list(tips) if every else [branch or ("main" if "main" in tips else next(iter(tips), "main"))]
    for each in chosen:
        yield from _replay(tree, each, tips.get(each) or store.branch(session, each).tip)


def _replay(tree: Tree, branch: str, tip: str) -> Iterator[Replayed]:
    state = State()
    path = tree.path(tip)
    for place, node in enumerate(path):
        why = ""
        if encode(node.body) != node.raw:
            why = "the body is not what this version would write"
        elif isinstance(node.body, Call):
            again = call_digest(path[: place + 1])
            if again != node.body.digest:
                why = f"the request's digest was {node.body.digest}, and is now {again}"
        elif isinstance(node.body, Reply | Assistant):
            before = path[place - 1].body
            why = _judged_otherwise(tree, state, node, before if isinstance(before, Call) else None)
        state = apply(state, node, tree.said(node.id))
        yield Replayed(node, branch, not why, why)


def _judged_otherwise(tree: Tree, state: State, node: Node, call: Call | None) -> str:
    """How the machine would read a turn differently now; "" where it reads it as it did."""
    assert isinstance(node.body, Reply | Assistant)
    recorded = {
        (n.puzzle or "", n.field): n.raw for n in tree.notes.get(node.id, ()) if n.by == "machine" and n.field != "feedback"
    }
    again = {(r.puzzle or "", r.field): canonical(r.value) for r in judge(state, node.body, call, "")}
    for place in sorted(set(recorded) | set(again)):
        if place[1] not in FACTS and recorded.get(place) != again.get(place):
            return f"{place[1]} of {place[0] or 'the turn'} was {recorded.get(place)}, and is now {again.get(place)}"
    return ""


def session_line(store: Reader, row: Row) -> dict[str, Any]:
    """What `sessions --json` prints of a session.  `status`: streaming while a reply arrives in a live process, interrupted where
    one was cut off by a dead one, else idle."""
    status = "idle"
    if row.open_calls:
        status = "interrupted" if store.owner(row.id) is None else "streaming"
    names = ("title", "plan", "model", "simulated", "created_at", "updated_at", "nodes", "branches", "attempts")
    return {"session": row.id, "status": status} | {name: getattr(row, name) for name in names}


def session_data(store: Reader, session: str, branch: str | None) -> dict[str, Any]:
    """What `show --json` prints; a call without its reply carries what has arrived as `partial`."""
    row = store.session(session)
    nodes, branches = store.nodes(row.id), store.branches(row.id)
    if branch is not None:
        branches = [store.branch(row.id, branch)]
        nodes = store.path(row.id, branches[0].tip)
    shown = {node.id for node in nodes}
    open_calls = {point.call: point for point in store.open_calls(row.id)}
    data = []
    for node in nodes:
        each = node_data(node)
        if node.id in open_calls:
            each["partial"] = {"text": open_calls[node.id].text, "reasoning": open_calls[node.id].reasoning}
        data.append(each)
    notes = [note_data(note) for note in store.annotations(row.id) if note.node in shown]
    return {
        "session": session_line(store, row),
        "branches": [branch_data(each) for each in branches],
        "nodes": data,
        "annotations": notes,
    }


async def probe_model(lab: Lab, model: str, api_base: str) -> dict[str, Any]:
    """Capabilities and one short call: what came back, with its status and how long it took."""
    subject = lab.models.make(model, (), api_base)
    try:
        capabilities = await subject.capabilities()
        params = {"max_tokens": 16, "temperature": 1.0, "seed": 1}
        sent = {name: value for name, value in params.items() if name not in capabilities.dropped(params)}
        words = "Reply with the word ready."
        messages = ({"role": "user", "content": words},) if capabilities.chat else ()
        request = Request(messages, None if capabilities.chat else words, sent, Deadlines(first_token=60, total=120))
        text, end = "", None
        async for event in subject.stream(request):
            match event:
                case Delta():
                    text += event.text
                case Retry():
                    say_line(f"retry {event.attempt} in {event.wait:.1f} s: {event.why}")
                case End():
                    end = event
    finally:
        await subject.close()
        await lab.close()
    assert end is not None
    return {
        "model": model,
        "simulated": subject.simulated,
        "chat": capabilities.chat,
        "params": sorted(capabilities.params) if capabilities.params is not None else None,
        "reasoning": capabilities.reasoning,
        "prefill": capabilities.prefill,
        "text": text,
        "status": str(end.status),
        "cause": end.cause,
        "cause_kind": str(end.cause_kind),
        "finish_reason_raw": end.finish_raw,
        "model_returned": end.model,
    }
