"""A bench for model faults: a provider with its real child, a server that does what it is told, and what is left of both.

The child says how much it holds when it gets a signal; one with planted bugs has them asleep, until a call wakes one by its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Asked, FaultyServer
from model_faults import ALL, FAULTS, HELD, KEY, TEXT, Fault
from session_cases import opened

from lifeline_tui.core.nodes import Reply, Status, plain
from lifeline_tui.session.calls import Change, Streamed
from lifeline_tui.store import Reader
from lifeline_tui.subjects.child import client as provider_module
from lifeline_tui.subjects.child.client import LitellmSubject, Provider
from lifeline_tui.subjects.protocol import Deadlines, Delta, End, Event, Request, Retry

AT_ONCE = 8
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HOSTED_VLLM_API_KEY")
GONE = 2.0
"""Seconds in which a server must see that a stream was left."""
POOLS = min(32, (os.cpu_count() or 1) + 4) + AT_ONCE
"""Threads that the pools of asyncio and of litellm's clients may hold."""
PROC = Path("/proc/self/fd").exists()

LOOK = r"""
import asyncio, signal, sys, threading

def look(*_):
    pools = ("asyncio_", "AnyIO worker")
    threads = [each for each in threading.enumerate() if not each.name.startswith(pools)]
    print("\nHOLDS", len(asyncio.all_tasks()), len(threads), file=sys.stderr, flush=True)

signal.signal(signal.SIGUSR1, look)
"""
"""For the child: it says how many tasks it has when it is asked, and how many threads that belong to no pool."""

BUGS = r"""
import asyncio, threading, httpx
from contextvars import ContextVar
from lifeline_tui.core.nodes import Status
from lifeline_tui.subjects.child.wire import Lines, Observed
from lifeline_tui.subjects.child.worker import Batch, Calls, Clock

BUG, KEPT = ContextVar("BUG", default=""), []
run = Calls.run

async def runs(self, message):
    BUG.set(message["model"].partition("!")[2])
    if BUG.get() == "task":
        KEPT.append(asyncio.create_task(asyncio.sleep(3600)))
    if BUG.get() == "thread":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    await run(self, message)

Calls.run = runs

def plant(bug, owner, name, broken):
    whole = getattr(owner, name)
    setattr(owner, name, lambda *args, **more: broken(whole, *args, **more) if BUG.get() == bug else whole(*args, **more))

class Open:
    def __init__(self, stream):
        self.stream = stream
        KEPT.append(stream)
    def __aiter__(self):
        return self.stream.__aiter__()
    async def aclose(self):
        pass

def forget(flush, batch, last=False):
    if last:
        batch.streams = {part: batch.redaction.stream() for part in batch.streams}
        batch.pieces = {part: [] for part in batch.pieces}
    flush(batch, last)

def swallow(note, seen, event):
    note(seen, event)
    seen.error = ""

plant("socket", Calls, "read", lambda read, calls, stream, *more: read(calls, Open(stream), *more))
Observed.let_go = property(lambda seen: None if BUG.get() == "socket" else seen.go, lambda seen, go: setattr(seen, "go", go))
plant("late", Clock, "beat", lambda beat, clock, talking=False: None)
plant("complete", Observed, "verdict", lambda verdict, seen, *more: (Status.COMPLETE, "", "stop"))
plant("partial", Batch, "flush", forget)
plant("error", Observed, "note", swallow)
plant("redirect", httpx.AsyncClient, "send", lambda send, *args, **more: send(*args, **{**more, "follow_redirects": True}))
plant("lines", Lines, "feed", lambda feed, lines, data: feed(lines, data.replace("\u2028".encode(), b"\n")))
Observed.failed = property(lambda seen: None if BUG.get() == "again" else seen.why, lambda seen, why: setattr(seen, "why", why))
"""
"""For a child with bugs: each is asleep but in the calls of a model that has its name behind an exclamation mark."""


@dataclass
class Heard:
    """What a reader got of one call."""

    asked: Asked
    text: str = ""
    reasoning: str = ""
    status: Status | None = None
    cause: str = ""
    finish: str = ""
    retries: tuple[float, ...] = ()
    seconds: float = 0.0

    def more(self, text: str, reasoning: str) -> None:
        """Tells the server when nothing of what it said is missing, but for what may be the beginning of a key."""
        self.text, self.reasoning = self.text + text, self.reasoning + reasoning
        for said, got in ((self.asked.text, self.text), (self.asked.reasoning, self.reasoning)):
            if len(said) > 1 << 20 or joined(got) not in (joined(said), joined(said).removesuffix(HELD)):
                return
        self.asked.heard.set()

    def take(self, event: Event) -> None:
        match event:
            case Delta(text=text, reasoning=reasoning):
                self.more(text, reasoning)
            case Retry(wait=wait):
                self.retries += (wait,)
            case End(status=status, cause=cause, finish_raw=finish):
                self.status, self.cause, self.finish = status, cause, finish


def joined(text: str) -> str:
    """A text in which two halves of a character are one, as they are once the two events that brought them are joined."""
    return str(json.loads(json.dumps(text)))


def limits(fault: Fault) -> Deadlines:
    return Deadlines(**{"retries": 0, "total": 20.0, **fault.limits})


def request(fault: Fault, shape: str) -> Request:
    said: dict[str, Any] = {"prompt": "How many?"} if shape == TEXT else {"messages": ({"role": "user", "content": "How many?"},)}
    return Request(**said, deadlines=limits(fault))


class Bench:
    """`places` are addresses where nobody answers.  `held` is what the child held when it had been asked in every shape."""

    def __init__(
        self, provider: Provider, log: Path, server: FaultyServer, elsewhere: FaultyServer, places: dict[str, str]
    ) -> None:
        self.provider, self.log, self.server, self.elsewhere, self.places = provider, log, server, elsewhere, places
        self.number = 0
        self.held: Counter[str] = Counter()

    def subject(self, fault: Fault, shape: str, chance: random.Random, bug: str = "") -> tuple[LitellmSubject, Asked]:
        """A model with a name of its own, and what the server will do for it."""
        self.number += 1
        name = f"{fault.name}.{self.number}{bug and '!'}{bug}"
        asked = self.server.calls[name] = Asked(fault.does, random.Random(chance.random()))
        return self.provider.subject(f"{shape}/{name}", api_base=self.places.get(fault.where) or self.server.base(shape)), asked

    async def call(self, fault: Fault, shape: str, chance: random.Random, patience: float, bug: str = "") -> Heard:
        """One call, read to its end, or until `patience` seconds are over."""
        subject, asked = self.subject(fault, shape, chance, bug)
        heard, begun = Heard(asked), time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience), aclosing(subject.stream(request(fault, shape))) as stream:
                async for event in stream:
                    heard.take(event)
        heard.seconds = time.monotonic() - begun
        return heard

    async def store(self, fault: Fault, shape: str, chance: random.Random, folder: Path) -> Heard:
        """One call, made by a session and read from its notebook."""
        subject, asked = self.subject(fault, shape, chance)
        heard = Heard(asked)

        def listen(change: Change) -> None:
            if isinstance(change, Streamed):
                heard.more(change.text, change.reasoning)

        place = folder / str(self.number)
        place.mkdir()
        async with opened(place, subject, count=1) as session:
            session.deadlines, session.listen = limits(fault), listen
            await session.do("next")
        with Reader(place / "t.db") as store:
            (reply,) = [node.body for node in store.nodes(session.id) if isinstance(node.body, Reply)]
        heard.text, heard.reasoning, heard.status, heard.cause = plain(reply.spans), reply.reasoning, reply.status, reply.cause
        heard.finish, heard.retries, heard.seconds = reply.finish_raw, fault.waits[: reply.retries], (reply.total_ms or 0) / 1000
        return heard

    async def leave(self, fault: Fault, shape: str, chance: random.Random) -> bool:
        """Leaves a stream after its first words, by closing it or as a task that is cancelled; whether the server sees that at once."""
        subject, asked = self.subject(fault, shape, chance)
        begun, cancelled = asyncio.Event(), chance.random() < 0.5

        async def read() -> None:
            async with aclosing(subject.stream(request(fault, shape))) as stream:
                async for event in stream:
                    begun.set()
                    if isinstance(event, End) or not cancelled:
                        break

        reading = asyncio.create_task(read())
        await begun.wait()
        if cancelled:
            reading.cancel()
        await asyncio.wait({reading})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.over.wait(), GONE)
        return asked.over.is_set()

    async def holds(self) -> Counter[str]:
        """The tasks, threads and sockets of the child."""
        child = await self.provider.ready()
        assert child.process is not None
        pid, before = child.process.pid, self.log.read_text().count("HOLDS")
        os.kill(pid, signal.SIGUSR1)
        while len(told := re.findall(r"HOLDS (\d+) (\d+)\n", self.log.read_text())) == before:
            await asyncio.sleep(0.005)
        tasks, threads = map(int, told[-1])
        found = Counter({"sockets left": 0, "threads left": threads, "tasks left": tasks})
        if PROC:
            found["threads left"] += max(0, len(os.listdir(f"/proc/{pid}/task")) - threads - POOLS)
            for each in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    found["sockets left"] += os.readlink(f"/proc/{pid}/fd/{each}").startswith("socket:")
        return found

    async def warm(self) -> None:
        """Asks once in every shape, before the first look."""
        if not self.held:
            await asyncio.gather(*[self.call(FAULTS["well"], shape, random.Random(1), 20) for shape in ALL])
            await self.server.hang_up()
            self.held = await self.holds()
            self.held["tasks left"] = 1  # what it does all the time is one task

    async def left(self, moments: int) -> Counter[str]:
        """What the child holds beyond what it held before, once it had so many moments to let go, and what is still being answered."""
        for _ in range(moments):
            if not self.server.underway:
                break
            await asyncio.sleep(0.1)
        busy = len(self.server.underway)
        for _ in range(moments):
            await self.server.hang_up()
            await self.elsewhere.hang_up()
            found = Counter({word: max(0, n - self.held[word]) for word, n in (await self.holds()).items()})
            if not found.total():
                break
            await asyncio.sleep(0.1)
        self.held += found
        found["sockets left"] += busy
        return found


@asynccontextmanager
async def at_work(folder: Path, plant: str = "") -> AsyncIterator[Bench]:
    """A bench whose child has begun to start."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **dict.fromkeys(KEYS, KEY)}
    provider = Provider(folder / "provider.log", environ)
    before, found, after = provider_module.MAIN.rpartition("main()")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider_module, "MAIN", f"{before}{LOOK}{plant}{found}{after}")
        starting = asyncio.create_task(provider.ready())
        while provider._child is None or provider._child.process is None:
            await asyncio.sleep(0.005)
    with contextlib.ExitStack() as sockets:
        nobody, deaf, *others = [sockets.enter_context(socket.socket()) for _ in range(4)]
        for each in (nobody, deaf):
            each.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for each in others:  # they fill its queue
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        places = {name: "http://{}:{}".format(*each.getsockname()) for name, each in (("nobody", nobody), ("deaf", deaf))}
        async with FaultyServer().listening() as elsewhere, FaultyServer(elsewhere.root).listening() as server:
            try:
                yield Bench(provider, folder / "provider.log", server, elsewhere, places)
            finally:
                await provider.close()
                await asyncio.wait({starting})
