"""The session is driven by chance through everything that can be done to it; after each step the notebook and the model of it agree.

What was written never changes, what is refused leaves no trace, a recorded replay is faithful, and the session goes out and comes in
byte for byte.  200 short sequences in the suite, and 10,000 of 50 steps in the long part.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from session_cases import BOTH, LIFELINE, WORDS, Voice, answers, plan, puzzles, writer
from table import Table

from lifeline_tui.core.nodes import Origin, Status
from lifeline_tui.core.plan import Feedback, Step, When
from lifeline_tui.core.state import State, fold
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.core.tree import Tree
from lifeline_tui.exporters.session_jsonl import export
from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.interventions.table import TABLE
from lifeline_tui.interventions.types import Refusal
from lifeline_tui.runs.autoplay import play
from lifeline_tui.runs.replay_recorded import replay_recorded
from lifeline_tui.runs.sampling import sample
from lifeline_tui.session.opening import create, resume
from lifeline_tui.session.session import Session
from lifeline_tui.store import Reader, Store
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.puppets.puppet import SimulatedSubject

HOSTILE = "a\x00b \ud800 \u202e ### Subject\nPUZZLE 2 of 3\nANSWER: \x1b[31m12`````"
REPLIES: list[Any] = [
    answers(11), answers(12), answers(13), answers("2 or 3"), answers("cannot be determined"), LIFELINE, BOTH, "I would rather not say.",
    "Let me think.", "", HOSTILE, "COUNT: 2", "WHICH: 1, 2", "PUZZLE 1\nANSWER: 11\n\nPUZZLE 2\nACTION: LIFELINE\n\nPUZZLE 3\nANSWER: 9",
    "<think>ANSWER: 11", ("ANSWER: 1", Status.TRUNCATED), ("", Status.ERROR), ("half", Status.ERROR), ("", Status.FILTERED),
    ("no", Status.REFUSED), RuntimeError("the backend broke"),
]  # fmt: skip
PUPPETS = ["sim/anxious", "sim/rational", "sim/contrarian", "sim/honest", "sim/base"]
TEXTS = ["", " ", "35", "11", "Are you there?", "ANSWER: 12", "COUNT: 3", HOSTILE, "two\n\nparts", "4"]

PICK = st.integers(0, 999)
OPS = st.tuples(
    st.sampled_from([*TABLE, *["next"] * 6, "cancel", "close", "together", "autoplay", "visit", "visit", "go", "reopen"]),
    PICK,
    PICK,
    PICK,
)
PLANS = st.fixed_dictionaries(
    {
        "presentation": st.sampled_from(["sequential", "sequential", "batch"]),
        "batch_size": st.sampled_from([2, 3]),
        "lifelines": st.sampled_from([None, 0, 1, 5]),
        "budget_line": st.booleans(),
        "on_violation": st.sampled_from(["tell", "silent-next"]),
        "on_ambiguous": st.sampled_from(["ungradable", "stop"]),
        "persona": st.sampled_from(["none", "none", "neutral"]),
        "feedback": st.builds(
            Feedback,
            kind=st.sampled_from(["none", "verdict", "reveal", "verdict+reveal", "praise", "score", "yoked"]),
            shown=st.sampled_from(["true", "fake", "mixed"]),
            turn=st.sampled_from(["joined", "joined", "own"]),
            on_skip=st.sampled_from(["same", "none"]),
            delay=st.sampled_from([0, 0, 1, 5]),
        ),
        "then": st.sampled_from(
            [
                (),
                (Step("self-score"), Step("workings", each=("claimed",))),
                (
                    Step("self-score"),
                    Step("workings", each=("claimed",), after="self-score"),
                    Step("challenge", each=("claimed",), after="workings", name="below"),
                ),
                (Step("challenge", each=("all",), when=When("grade", "is", "right")), Step("key-check", place="trunk")),
                (Step("why-skip", each=("all",)), Step("workings", each=("p1", "p2"), place="trunk")),
            ]
        ),
    }
)


def sequences(least: int, most: int) -> Any:
    return st.tuples(
        PLANS, st.sampled_from([None, None, None, *PUPPETS]), st.booleans(), st.lists(OPS, min_size=least, max_size=most)
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with nothing in it: copying it is quicker than making one."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    Store(path).close()
    return path


STATEFUL = "stateful: sequences of whatever can be done"
SHARDS = 20


@settings(max_examples=200)
@given(sequences(5, 12))
def _in_the_suite(empty: Path, steps: Counter[str], sequence: Any) -> None:
    _run(empty, sequence, steps)


@settings(max_examples=200, phases=[Phase.generate])
@given(sequences(5, 12))
def _caught(empty: Path, steps: Counter[str], sequence: Any) -> None:
    _run(empty, sequence, steps)


def test_whatever_is_done_the_notebook_says_what_was_done(empty: Path, table: Table) -> None:
    steps: Counter[str] = Counter()
    _in_the_suite(empty, steps)
    table.row(STATEFUL, steps)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_is_done_at_length(empty: Path, table: Table, shard: int) -> None:
    steps: Counter[str] = Counter()

    @seed(shard)
    @settings(max_examples=10_000 // SHARDS, derandomize=False, database=None)
    @given(sequences(50, 50))
    def at_length(sequence: Any) -> None:
        _run(empty, sequence, steps)

    at_length()
    table.row(STATEFUL, steps)


def _deaf(session: Session, notes: Any) -> None:
    """Says nothing of what was just written."""


async def _dropped(session: Session, *place: Any) -> None:
    """Keeps the queue in memory only."""
    session._queues[place[0], place[1]] = place[2]


@pytest.mark.parametrize(
    ("name", "bug"),
    [("_heard", _deaf), ("_keep", _dropped)],
    ids=["an annotation unheard", "a queue not stored"],
)
def test_a_session_that_forgets_is_caught(
    empty: Path, table: Table, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, name: str, bug: Any
) -> None:
    monkeypatch.setattr(Session, name, bug)
    steps: Counter[str] = Counter()
    with pytest.raises((AssertionError, ExceptionGroup)):
        _caught(empty, steps)
    table.caught(STATEFUL, request.node.callspec.id, f"after {steps['sequences']:,} sequences")


def _run(empty: Path, sequence: Any, steps: Counter[str]) -> None:
    steps.update({"sequences": 1, "steps": len(sequence[-1])})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        shutil.copy(empty, path)
        session = asyncio.run(_drive(path, *sequence))
        _as_a_whole(empty, path, session)


async def _drive(path: Path, arm: dict[str, Any], model: str | None, hands: bool, ops: list[tuple[str, int, int, int]]) -> str:
    items = puzzles(4)
    subject = SimulatedSubject(model, book={each.text: each for each in items}, paced=False) if model else Voice()
    write = writer(path)
    session = await create(write, plan(**arm), items, subject, WORDS, title="t", seed=3, hands=hands)
    kept: dict[str, tuple[Any, ...]] = {}
    try:
        for op, a, b, c in [("next", 1, 1, 0), *ops]:
            if isinstance(subject, Voice):
                subject.replies = [REPLIES[c % len(REPLIES)]]
            session = await _one(session, subject, op, a, b, c)
            _agree(session, kept)
    finally:
        await session.close()
        await write.close()
    return session.id


async def _one(session: Session, subject: Any, op: str, a: int, b: int, c: int) -> Session:
    """One thing that an operator may do; what is refused leaves no trace."""
    nodes = list(session.tree.nodes)
    cursor = nodes[a % len(nodes)] if b % 3 == 0 else None
    if op == "visit":
        await session.visit(nodes[a % len(nodes)])
        assert nodes[a % len(nodes)] in {node.id for node in session.tree.above(session.tip)}
    elif op == "go":
        await session.go(sorted(session.branches)[a % len(session.branches)])
    elif op in ("reopen", "close"):
        before = session.branch, session.tip, session.queue(), session.state()
        if op == "close" and isinstance(subject, Voice):
            await _interrupted(session, subject, session.close)
            session = await resume(session._write, session.id, lambda root: subject, WORDS, hands=session.hands)
        else:
            await session.close()
            session = await resume(session._write, session.id, lambda root: subject, WORDS, hands=session.hands)
            assert before == (session.branch, session.tip, session.queue(), session.state())
    elif op in ("cancel", "together") and isinstance(subject, Voice):
        if op == "together":
            await _interrupted(session, subject, lambda: _tried(session, "next", None, {}))
        else:
            await _interrupted(session, subject, lambda: asyncio.sleep(0, session.cancel()))
    elif op in TABLE:
        await _tried(session, op, cursor, _values(session, op, cursor, b, c))
    return session


def _values(session: Session, name: str, cursor: str | None, b: int, c: int) -> dict[str, str]:
    """Fields as they may be filled in: left out, one of the options, or anything."""
    values = {}
    for place, each in enumerate(TABLE[name].fields(session.state(), session.context(cursor))):
        pick = b // (3**place) % 3
        options = [value for value, _ in each.options]
        if pick == 1 and options:
            values[each.name] = options[c % len(options)]
        elif (pick and not options) or (pick == 2 and (c + place) % 8 == 0):
            values[each.name] = TEXTS[(7 * b + c + place) % len(TEXTS)]
    return values | ({"odd": "x"} if b % 41 == 40 else {})


async def _tried(session: Session, name: str, cursor: str | None, values: dict[str, str]) -> None:
    """Does it, if it may be done: a refusal gives its reason and leaves no trace; a broken backend is passed on."""
    conn, trouble = session._write.store.connection, ""
    before = conn.total_changes
    try:
        if name == "autoplay":
            session.decide(name, values, cursor)
            await play(session)
        elif name == "sample":
            effect = session.decide(name, values, cursor)
            await sample(session, effect.parent, min(2, effect.samples), at_once=2)
        else:
            await session.do(name, values, cursor)
    except (Refusal, RuntimeError) as error:
        trouble = str(error) or "no reason"
        refused = isinstance(error, Refusal)
    if trouble:
        assert trouble != "no reason"
        assert trouble == "the backend broke" if not refused else name == "autoplay" or conn.total_changes == before


async def _interrupted(session: Session, subject: Voice, then: Any) -> None:
    """Asks for the next reply, or for another one, holds it after its first words, and does `then` meanwhile."""
    subject.hold = True
    name = next((name for name in ("next", "regenerate", "challenge") if session.refusal(name) is None), None)
    if name is not None:
        subject.held.clear(), subject.go.clear()
        doing = asyncio.create_task(session.do(name))
        held = asyncio.create_task(subject.held.wait())
        await asyncio.wait({doing, held}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            assert session.busy
            assert session.partial is not None
        await then()
        subject.go.set()
        held.cancel()
        with suppress(RuntimeError):
            await doing
        assert not session.busy
    elif then == session.close:
        await session.close()
    subject.hold = False


def _agree(session: Session, kept: dict[str, tuple[Any, ...]]) -> None:
    """The session's own tree is what the file holds, and what the file held before it holds still."""
    conn = session._write.store.connection
    nodes = {row[0]: row for row in conn.execute("SELECT id, parent, seq, body, sha256 FROM nodes")}
    notes = {row[0]: row for row in conn.execute("SELECT id, node, seq, value, sha256 FROM annotations")}
    assert {n.id: (n.id, n.parent, n.seq, n.raw, n.sha256) for n in session.tree.nodes.values()} == nodes
    assert {n.id: (n.id, n.node, n.seq, n.raw, n.sha256) for each in session.tree.notes.values() for n in each} == notes
    assert dict(conn.execute("SELECT name, tip FROM branches")) == session.branches
    assert conn.execute("SELECT * FROM checkpoints").fetchall() == []
    assert all(nodes.get(id, notes.get(id)) == row for id, row in kept.items())
    kept.update(nodes | notes)
    assert session.state() == fold(session.tree.path(session.tip), session.tree.said)


def _as_a_whole(empty: Path, path: Path, id: str) -> None:
    """What is true of a stored session whatever was done to it."""
    with Reader(path) as store:
        assert verify(store, digest_of=call_digest) == []
        assert [each for each in replay_recorded(store, id, None, True) if not each.faithful] == []
        first = _exported(store, id)
        tree = Tree(store.nodes(id), store.annotations(id))
        for leaf in tree.leaves():
            state = fold(tree.path(leaf), tree.said)
            assert isinstance(state, State)
            assert state.left is None or state.left >= 0
        for own in (node for node in tree.nodes.values() if node.kind == "reply"):
            assert {span.origin for span in own.body.spans} <= {Origin.MODEL}
        attempts = store.connection.execute("SELECT grade, status, key FROM v_attempts").fetchall()
        assert all(grade in ("right", "wrong", "ungradable", "n/a") and key for grade, _, key in attempts)
    other, file = path.with_name("other.db"), path.with_name("s.jsonl")
    shutil.copy(empty, other)
    file.write_text(first, encoding="ascii", newline="")
    with Store(other) as store:
        read(store, file)
        assert _exported(store, id) == first
        assert verify(store, digest_of=call_digest) == []


def _exported(store: Reader, id: str) -> str:
    out = io.StringIO()
    export(store, [id], out, False)
    return out.getvalue()
