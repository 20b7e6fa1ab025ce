"""`kill -9` at random moments of the app, of runs and of the provider child: nothing acknowledged is lost, of a reply at most its last
250 ms, and the notebook goes on (Law 5).  Kills at each single operation on the disk are in test_disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from command_line import environ, lifeline, real
from model_server import ModelServer, behaviour, model_server
from model_server import Reply as Answer
from table import Table, command, sized
from terminals import Terminal, until

from lifeline_tui.core.nodes import Call, Node, Reply, Status, plain
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.loading.config import Config
from lifeline_tui.session.lab import Lab
from lifeline_tui.store import Reader, Store
from lifeline_tui.store.verify import verify

__all__ = ["model_server"]
BEHIND_S = 0.25
"""How much of the end of a reply a kill may lose."""
WRONG = ("acknowledged lost", "over 250 ms behind", "not as received", "damaged", "no retry")

WITNESS = """
import json, os, time
from lifeline_tui.session.calls import OpenCall
from lifeline_tui.session.lab import Lab
from lifeline_tui.store import Store
out = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def say(*words):
    os.write(out, json.dumps(words).encode() + b"\\n")
def witnessed(name, ids):
    real = getattr(Store, name)
    def call(self, *args, **more):
        got = real(self, *args, **more)
        say("acked", ids(got))
        return got
    setattr(Store, name, call)
witnessed("append", lambda got: [row.id for rows in got for row in rows])
witnessed("annotate", lambda got: [row.id for row in got])
begin = OpenCall.__init__
def begin_(self, subject, writer, call, listen):
    def heard(change):
        if hasattr(change, "text"):
            say("got", time.monotonic(), call, change.text, change.reasoning)
        listen(change)
    begin(self, subject, writer, call, heard)
OpenCall.__init__ = begin_
make = Lab.__init__
def paced(self, config, db, **more):
    make(self, config, db, **{**more, "paced": True})
Lab.__init__ = paced
"""
"""What a real process acknowledged and received, told to a file at once; puppets stream at the pace of a person who reads."""


@dataclass
class Heard:
    """What the witness of one process said: acknowledged ids, and per call what arrived when."""

    acked: list[str] = field(default_factory=list)
    got: dict[str, list[tuple[float, str, str]]] = field(default_factory=dict)


def heard(witness: Path) -> Heard:
    found = Heard()
    with suppress(FileNotFoundError):
        for line in witness.read_bytes().split(b"\n")[:-1]:
            kind, *rest = json.loads(line)
            if kind == "acked":
                found.acked += rest[0]
            else:
                found.got.setdefault(rest[1], []).append((rest[0], rest[2], rest[3]))
    return found


async def afterwards(db: Path, killed: float, said: Heard) -> Counter[str]:
    """What the notebook holds after the kill, and that it goes on."""
    counts = Counter(dict.fromkeys(("replies cut off", "rows acknowledged", *WRONG), 0))
    counts["rows acknowledged"] = len(said.acked)
    if not db.exists() or not db.stat().st_size:
        counts["acknowledged lost"] += len(said.acked)
        return counts
    lab = Lab(Config(), db, paced=False)
    try:
        store = lab.writer.store
        conn = store.connection
        kept = {id for (id,) in conn.execute("SELECT id FROM nodes UNION ALL SELECT id FROM annotations")}
        counts["acknowledged lost"] = len(set(said.acked) - kept)
        for row in store.sessions():
            if not store.branches(row.id):
                continue  # killed before its first turn
            open_calls = [point.call for point in store.open_calls(row.id)]
            session = await lab.open(row.id)
            for call in open_calls:
                (reply,) = [session.tree[kid].body for kid in session.tree.kids(call)]
                counts["replies cut off"] += 1
                counts.update(_as_far_as(reply, said.got.get(call, []), killed))
                counts["no retry"] += reply.status is not Status.INTERRUPTED
            if isinstance(session.tree[session.tip].body, Reply):
                await session.do("regenerate")
                counts["no retry"] += session.tree[session.tip].body.status is not Status.COMPLETE
            await session.close()
        counts["damaged"] = len(verify(store, digest_of=call_digest))
    finally:
        await lab.close()
    return counts


def _as_far_as(kept: Reply, got: list[tuple[float, str, str]], killed: float) -> Counter[str]:
    """How what was kept of a reply compares with what had arrived, and when."""
    counts: Counter[str] = Counter()
    for part, text in ((1, plain(kept.spans)), (2, kept.reasoning)):
        counts["not as received"] += not "".join(each[part] for each in got).startswith(text)
        length = 0
        for when, *said in got:
            length += len(said[part - 1])
            if length > len(text):
                counts["over 250 ms behind"] += killed - when > BEHIND_S
                break
    return counts


def wrong(counts: Counter[str]) -> Counter[str]:
    return Counter({name: counts[name] for name in WRONG if counts[name]})


async def kills_of_the_app(folder: Path, rounds: int, chance: Random, plant: str = "") -> Counter[str]:
    """The real app in a terminal: most are killed in mid-stream, some while they start."""
    counts: Counter[str] = Counter()
    for number in range(rounds):
        db, witness = folder / f"{number // 10}.db", folder / "witness"
        witness.unlink(missing_ok=True)
        words = ("open", "--db", db, "--plan", "baseline-20", "--model", "sim/anxious")
        with Terminal(*words, plant=WITNESS + plant, WITNESS=str(witness)) as app:
            if number % 4 == 3:
                await asyncio.sleep(chance.uniform(0, 1.2))
            else:
                app.read(lambda: b"NEXT" in app.out, "the run screen")
                app.send(b"n")
                app.read(lambda: heard(witness).got, "a reply")
                end = time.monotonic() + chance.uniform(0, 1.5)
                app.read(lambda: time.monotonic() > end)
            killed = time.monotonic()
            os.kill(app.process.pid, signal.SIGKILL)
            app.process.wait()
        counts["kills"] += 1
        counts.update(await afterwards(db, killed, heard(witness)))
    return counts


async def kills_of_runs(folder: Path, rounds: int, chance: Random, plant: str = "") -> Counter[str]:
    """Runs without hands, four sessions streaming at once."""
    counts: Counter[str] = Counter()
    for number in range(rounds):
        db, witness = folder / f"{number // 10}.db", folder / "witness"
        witness.unlink(missing_ok=True)
        words = ("run", "lifelines-10", "--db", db, "--model", "sim/anxious", "--repeats", 4, "--seed", number, "--json")
        program = [*command(WITNESS + plant), *map(str, words)]
        with subprocess.Popen(program, env=environ(WITNESS=str(witness)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            if number % 4 != 3:
                until(lambda: heard(witness).got or run.poll() is not None, "a reply")
            await asyncio.sleep(chance.uniform(0, 1.5))
            killed = time.monotonic()
            run.kill()
            run.communicate()
        counts["kills"] += 1
        counts.update(await afterwards(db, killed, heard(witness)))
    return counts


async def kills_of_samples(folder: Path, rounds: int, chance: Random, plant: str = "") -> Counter[str]:
    """Sixteen replies to one turn, all arriving at once."""
    counts: Counter[str] = Counter()
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text("calls_at_once = 16\n")
    for number in range(rounds):
        db, witness = folder / f"s{number}.db", folder / "witness"
        witness.unlink(missing_ok=True)
        words = ("run", "lifelines-10", "--db", db, "--model", "sim/anxious", "--limit", 1, "--seed", number, "--json")
        session = (await asyncio.to_thread(real, *words)).data[0]["session"]
        with Reader(db) as store:
            turn = next(node.id for node in store.nodes(session) if node.kind == "user")
        program = [*command(WITNESS + plant), "sample", session, "--at", turn, "-k", "64", "--db", str(db), "--json"]
        given = environ(WITNESS=str(witness), LIFELINE_HOME=str(home))
        with subprocess.Popen(program, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sampling:
            until(lambda: len(heard(witness).got) >= 16 or sampling.poll() is not None, "sixteen replies")
            await asyncio.sleep(chance.uniform(0, 1.5))
            killed = time.monotonic()
            sampling.kill()
            sampling.communicate()
        counts["kills"] += 1
        counts.update(await afterwards(db, killed, heard(witness)))
    return counts


@sized(fast=2, long=400)
@pytest.mark.parametrize("what", [kills_of_the_app, kills_of_runs, kills_of_samples])
async def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(
    tmp_path: Path, chance: Random, table: Table, what: Callable[..., object], rounds: int
) -> None:
    counts = await what(tmp_path, rounds, chance)  # type: ignore[misc]
    table.row(NAMES[what], counts)
    assert counts["kills"] == rounds
    assert counts["rows acknowledged"] > rounds
    assert not wrong(counts)


NAMES = {
    kills_of_the_app: "kill -9: the app, at random moments",
    kills_of_runs: "kill -9: runs without hands, at random moments",
    kills_of_samples: "kill -9: sixteen samples at once, at random moments",
}
NO_CHECKPOINT = "Store.checkpoint = lambda self, *what: True\n"
SELDOM = "import lifeline_tui.session.calls\nlifeline_tui.session.calls.CHECKPOINT_SECONDS = 2\n"


@pytest.mark.parametrize(
    ("what", "bug", "plant"),
    [
        (kills_of_the_app, "no checkpoints", NO_CHECKPOINT),
        (kills_of_runs, "a checkpoint every two seconds", SELDOM),
        (kills_of_samples, "no checkpoints", NO_CHECKPOINT),
    ],
)
async def test_a_careless_program_is_caught(
    tmp_path: Path, chance: Random, table: Table, what: Callable[..., object], bug: str, plant: str
) -> None:
    counts = await what(tmp_path, 2, chance, plant)  # type: ignore[misc]
    found = counts["over 250 ms behind"]
    assert found
    table.caught(NAMES[what], bug, f"{found} over 250 ms behind")


# The provider child


@behaviour
async def count(r: Answer) -> None:
    """Counts up, for as long as anybody listens."""
    await r.send(r.say.begin())
    for number in range(100_000):
        await r.send(r.say.text(f"{number} "))
        await asyncio.sleep(0.01)


async def kills_of_the_child(folder: Path, rounds: int, chance: Random, server: ModelServer) -> Counter[str]:
    """The child is killed while a reply arrives: the call ends as an error with all that came, and the next one is answered."""
    counts = Counter(dict.fromkeys(("kills", "characters received", "not an error", "characters lost", "not answered after"), 0))
    lab = Lab(Config(), folder / "t.db", paced=False)
    text: list[str] = []
    session = await lab.new(
        "baseline-20", "openai/count", api_base=server.url, listen=lambda change: text.append(getattr(change, "text", ""))
    )
    try:
        for _ in range(rounds):
            text.clear()
            session.subject.model = "openai/count"  # type: ignore[attr-defined]
            asking = asyncio.create_task(session.do("regenerate" if session.refusal("next") else "next"))
            while not any(text):
                await asyncio.sleep(0.005)
            await asyncio.sleep(chance.uniform(0, 0.5))
            child = session.subject.provider._child  # type: ignore[attr-defined]
            os.kill(child.process.pid, signal.SIGKILL)
            await asking
            reply = session.tree[session.tip].body
            assert isinstance(reply, Reply)
            counts["kills"] += 1
            counts["characters received"] += len("".join(text))
            counts["not an error"] += reply.status is not Status.ERROR or "provider process died" not in reply.cause
            counts["characters lost"] += len("".join(text)) - len(plain(reply.spans))
            session.subject.model = "openai/well"  # type: ignore[attr-defined]
            await session.do("regenerate")
            again = session.tree[session.tip].body
            counts["not answered after"] += not (isinstance(again, Reply) and again.status is Status.COMPLETE)
    finally:
        await session.close()
        await lab.close()
    return counts


CHILD = "kill -9: the provider child in mid-stream"


@sized(fast=1, long=100, shards=1)
async def test_a_killed_child_ends_its_call_as_an_error_and_is_started_anew(
    tmp_path: Path, chance: Random, table: Table, model_server: ModelServer, rounds: int
) -> None:
    counts = await kills_of_the_child(tmp_path, rounds, chance, model_server)
    table.row(CHILD, counts)
    assert counts["characters received"]
    assert not any(counts[fault] for fault in ("not an error", "characters lost", "not answered after"))


async def test_a_partial_that_is_dropped_is_caught(
    tmp_path: Path, chance: Random, table: Table, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lifeline_tui.session.calls import OpenCall

    closed = OpenCall._closed
    monkeypatch.setattr(
        OpenCall,
        "_closed",
        lambda self, end: closed(self, end) if end.status is Status.COMPLETE else Reply((), "", end.status, end.cause),
    )
    counts = await kills_of_the_child(tmp_path, 1, chance, model_server)
    assert counts["characters lost"]
    table.caught(CHILD, "a partial dropped on error", counts["characters lost"])


def nodes(db: Path) -> list[Node]:
    if not db.exists():
        return []
    with suppress(Exception), Reader(db) as store:
        return [node for row in store.sessions() for node in store.nodes(row.id)]
    return []


async def kills_with_a_child(model_server: ModelServer, folder: Path, chance: Random, rounds: int, plant: str = "") -> Counter[str]:
    """The app, while a child of its own streams from a server."""
    counts = Counter(dict.fromkeys(("kills", "requests left running", *WRONG), 0))
    for number in range(rounds):
        db, witness = folder / f"{number}.db", folder / f"witness{number}"
        model_server.gone.clear()
        words = ("open", "--db", db, "--plan", "baseline-20", "--model", "openai/count", "--api-base", model_server.url)
        with Terminal(*words, plant=WITNESS + plant, WITNESS=str(witness)) as app:
            app.read(lambda: b"NEXT" in app.out, "the run screen")
            app.send(b"n")
            app.read(lambda: heard(witness).got, "a reply")
            end = time.monotonic() + chance.uniform(0.3, 1.5)
            app.read(lambda: time.monotonic() > end)
            assert lifeline("sessions", "--json", "--db", db).data[0]["status"] == "streaming"
            killed = time.monotonic()
            os.kill(app.process.pid, signal.SIGKILL)
            app.process.wait()
        counts["kills"] += 1
        counts["requests left running"] += not await asyncio.to_thread(model_server.gone.wait, 10)
        (call,) = [node for node in nodes(db) if isinstance(node.body, Call)]
        with Store(db) as store:
            counts["no retry"] += lifeline("sessions", "--json", "--db", db).data[0]["status"] != "interrupted"
            (reply,) = store.own(call.session)
            assert isinstance(reply.body, Reply)
            counts.update(_as_far_as(reply.body, heard(witness).got[call.id], killed))
            counts["damaged"] += len(verify(store, digest_of=call_digest))
    return counts


STREAMING = "kill -9: the app while a real child streams"
ORPHANED = """
from lifeline_tui.subjects import provider
provider.MAIN = provider.MAIN.replace("import main", "import main, os\\nleave = os._exit\\nos._exit = lambda code: code or __import__('time').sleep(15) or leave(0)")
"""


@sized(fast=1, long=100, shards=2)
async def test_a_killed_app_takes_its_child_and_its_request_with_it(
    model_server: ModelServer, tmp_path: Path, chance: Random, table: Table, rounds: int
) -> None:
    counts = await kills_with_a_child(model_server, tmp_path, chance, rounds)
    table.row(STREAMING, counts)
    assert not wrong(counts)
    assert not counts["requests left running"]


@pytest.mark.slow
async def test_a_child_that_outlives_the_app_is_caught(
    model_server: ModelServer, tmp_path: Path, chance: Random, table: Table
) -> None:
    counts = await kills_with_a_child(model_server, tmp_path, chance, 1, ORPHANED)
    assert counts["requests left running"]
    table.caught(STREAMING, "a child that lives on for a while", f"{counts['requests left running']} requests left running")
