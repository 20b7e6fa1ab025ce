"""litellm in its child against servers that do all kinds of things wrong: each call ends with its status and its cause, in its time,
with every character that arrived, and leaves neither a socket nor a thread nor a task (Laws 5, 6, 10)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from faulty_server import Wire
from model_bench import AT_ONCE, BUGS, Bench, Heard, at_work, joined, limits
from model_faults import ALL, BROKE, COMPLETE, ERROR, FAULTS, HELD, KEY, NO_ANSWER, OPENAI, Fault, like, words
from table import Table, sized

from lifeline_tui.session.calls import OpenCall
from lifeline_tui.subjects.child.client import _Child

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLACK = 2.0
"""Seconds past a deadline that a busy machine may take."""
FAULTY = [
    "wrong statuses",
    "wrong causes",
    "wrong finish reasons",
    "characters lost",
    "late",
    "early",
    "requests unasked",
    "wrong retries",
    "keys told",
]
LEFT = ["sockets left", "threads left", "tasks left"]
BEHAVIOURS = f"MODEL FAULTS: {len(FAULTS)} behaviours of a server"
BORDERS, LEAVING, STORED = (
    f"MODEL FAULTS: {what}" for what in ("a break after every chunk", "a stream left half way", "into the notebook")
)

PLANTED = [
    # name, the bug, and some servers that bring it to light
    ("socket", "a stream is not closed", ["error-midway-and-never-closed"]),
    ("late", "the clock is never set", ["stalls-midway"]),
    ("complete", "every end is a good one", ["ends-early", "finish-banana"]),
    ("partial", "what was held back is dropped at the end", ["resets", "error-midway"]),
    ("error", "an error in mid-stream is swallowed", ["error-midway"]),
    ("redirect", "a redirect is followed", ["redirect-307-elsewhere"]),
    ("again", "litellm sends a request again by itself", ["resets-at-once"]),
    ("lines", "a line ends at U+2028", ["raw-line-separators"]),
    ("thread", "each call leaves a thread", ["well"]),
    ("task", "each call leaves a task", ["well"]),
]


def lost(said: str, kept: str) -> int:
    """Characters after the longest common beginning."""
    alike = next((i for i, pair in enumerate(zip(said, kept, strict=False)) if len(set(pair)) > 1), min(len(said), len(kept)))
    return 0 if said == kept else max(len(said), len(kept)) - alike


def latest(fault: Fault, slack: float) -> float:
    """Seconds that a call may take in all."""
    return (limits(fault).total if fault.due is None else fault.due) + slack


def judged(fault: Fault, shape: str, heard: Heard, slack: float = SLACK) -> Counter[str]:
    """What is wrong with one call."""
    said, kept = joined(heard.asked.text), joined(heard.text)
    in_time = said.startswith(kept) and len(said) - len(kept) <= fault.tail
    return Counter(
        {
            "calls": 1,
            "wrong statuses": heard.status is not fault.status,
            "wrong causes": not fault.told(shape, heard.cause),
            "wrong finish reasons": fault.finish not in (None, heard.finish),
            "characters lost": (0 if in_time else lost(said, kept)) + lost(joined(heard.asked.reasoning), joined(heard.reasoning)),
            "late": heard.seconds > latest(fault, slack),
            "early": fault.due is not None and heard.seconds < fault.due - 0.05,
            "requests unasked": abs(len(heard.asked.requests) - fault.hits),
            "wrong retries": heard.retries != fault.waits,
            "keys told": KEY in heard.text + heard.reasoning + heard.cause,
        }
    )


def faults(counts: Counter[str]) -> dict[str, int]:
    return {word: counts[word] for word in (*FAULTY, *LEFT) if counts[word]}


async def counted(
    bench: Bench, jobs: Iterable[tuple[Fault, str]], call: Callable[[Fault, str], Awaitable[Counter[str]]], moments: int = 20
) -> Counter[str]:
    """Makes these calls, eight at once, and counts what is wrong with them and what is left of them."""
    await bench.warm()
    waiting, tasks = sorted(jobs, key=lambda job: job[0].alone), asyncio.all_tasks()
    counts: Counter[str] = Counter(calls=0)

    async def work(alone: bool) -> None:
        while waiting and waiting[-1][0].alone is alone:
            fault, shape = waiting.pop()
            counts.update(found := await call(fault, shape))
            if faults(found):
                print(fault.name, shape, faults(found))

    await work(alone=True)
    await asyncio.gather(*[work(alone=False) for _ in range(AT_ONCE)])
    counts.update(await bench.left(moments))
    counts["tasks left"] += len(asyncio.all_tasks() - tasks)
    if strays := len(bench.server.strays) + len(bench.elsewhere.strays):
        counts["requests unasked"] += strays
    for each in (bench.server.strays, bench.elsewhere.strays, bench.server.calls):
        each.clear()
    return counts


async def asked(
    bench: Bench, jobs: Iterable[tuple[Fault, str]], chance: random.Random, bug: str = "", slack: float = SLACK
) -> Counter[str]:
    async def call(fault: Fault, shape: str) -> Counter[str]:
        heard = await bench.call(fault, shape, chance, latest(fault, slack) + 0.2, bug)
        return judged(fault, shape, heard, slack)

    return await counted(bench, jobs, call, 2 if bug else 20)


async def stored(bench: Bench, jobs: Iterable[tuple[Fault, str]], chance: random.Random, folder: Path) -> Counter[str]:
    async def call(fault: Fault, shape: str) -> Counter[str]:
        return judged(fault, shape, await bench.store(fault, shape, chance, folder))

    return await counted(bench, jobs, call)


async def left(bench: Bench, jobs: Iterable[tuple[Fault, str]], chance: random.Random, moments: int = 20) -> Counter[str]:
    async def call(fault: Fault, shape: str) -> Counter[str]:
        return Counter({"calls": 1, "sockets left": not await bench.leave(fault, shape, chance)})

    return await counted(bench, jobs, call, moments)


def cases(rounds: int, chance: random.Random, names: Iterable[str] = FAULTS) -> list[tuple[Fault, str]]:
    """Every behaviour in all of its shapes, so many times; or if that is no time at all, each that is quick once, in one of them."""
    some = [FAULTS[name] for name in names]
    found = [(fault, shape) for fault in some for shape in fault.shapes] * rounds
    found = found or [(fault, chance.choice(fault.shapes)) for fault in some if not fault.alone]
    chance.shuffle(found)
    return found


def breaks(chunks: int) -> Iterable[tuple[Fault, str]]:
    """A reply that breaks off after each of its chunks, and before the first."""

    def breaking(how: str, after: int) -> Callable[[Wire], Awaitable[None]]:
        async def does(w: Wire) -> None:
            await w.begin()
            if after:
                await w.text(*(f"{words(w)[1]}{HELD}" for _ in range(after)))
                await w.heard()
            getattr(w, how)()

        return does

    for shape in ALL:
        for how in ("reset", "close"):
            for after in range(chunks + 1):
                cause = like(f"({BROKE}|{BROKE if after else NO_ANSWER}).*")
                yield Fault(f"{how}-after-{after}", breaking(how, after), ERROR, cause), shape


async def talks_on(w: Wire) -> None:
    await w.begin()
    await w.text("So ")
    await w.keep_on(w.say.text("far "), every=w.chance.choice([0, 0.01]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def benches(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Bench]]:
    """A bench, and one whose child has bugs; they start side by side."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(at_work(tmp_path_factory.mktemp("bench"), plant)) for plant in ("", BUGS)]


@pytest.fixture
def bench(benches: list[Bench]) -> Bench:
    return benches[0]


@sized(fast=0, long=12)
async def test_every_behaviour_ends_as_it_must(bench: Bench, table: Table, chance: random.Random, rounds: int) -> None:
    counts = await asked(bench, cases(rounds, chance), chance)
    table.row(BEHAVIOURS, counts)
    assert not faults(counts)


@sized(fast=2, long=80)
async def test_what_came_before_a_break_is_kept(bench: Bench, table: Table, chance: random.Random, rounds: int) -> None:
    counts = await asked(bench, breaks(rounds), chance)
    table.row(BORDERS, counts)
    assert not faults(counts)


@sized(fast=1, long=60)
async def test_a_stream_that_is_left_leaves_nothing(bench: Bench, table: Table, chance: random.Random, rounds: int) -> None:
    counts = await left(bench, [(Fault("left", talks_on, COMPLETE), shape) for shape in ALL * rounds], chance)
    table.row(LEAVING, counts)
    assert not faults(counts)


HALF_WAY = ["well", "resets", "error-midway", "finish-length", "stalls-midway", "web-page", "busy-once"]


@sized(fast=0, long=2)
async def test_the_notebook_holds_what_arrived(
    bench: Bench, table: Table, chance: random.Random, rounds: int, tmp_path: Path
) -> None:
    counts = await stored(bench, cases(rounds, chance, FAULTS if rounds else HALF_WAY), chance, tmp_path)
    table.row(STORED, counts)
    assert not faults(counts)


@pytest.mark.parametrize(("bug", "what", "names"), PLANTED, ids=[row[0] for row in PLANTED])
async def test_a_planted_bug_is_found(
    benches: list[Bench], table: Table, chance: random.Random, bug: str, what: str, names: list[str]
) -> None:
    counts = await asked(benches[1], cases(1, chance, names), chance, bug, slack=0.3)
    found = faults(counts)
    assert found
    table.caught(BEHAVIOURS, what, ", ".join(f"{n} {word}" for word, n in found.items()))


async def test_characters_that_a_break_takes_along_are_found(benches: list[Bench], table: Table, chance: random.Random) -> None:
    counts = await asked(benches[1], breaks(1), chance, "partial")
    assert counts["characters lost"]
    table.caught(BORDERS, "what was held back is dropped at the end", f"{counts['characters lost']} characters lost")


async def test_a_cancel_that_is_not_sent_is_found(
    bench: Bench, table: Table, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _Child.send
    monkeypatch.setattr(_Child, "send", lambda child, **said: None if said["type"] == "cancel" else send(child, **said))
    counts = await left(bench, [(Fault("left", talks_on, COMPLETE), shape) for shape in OPENAI], chance, 2)
    assert counts["sockets left"]
    table.caught(LEAVING, "a cancel is not sent", f"{counts['sockets left']} sockets left")


async def test_a_partial_that_is_not_stored_is_found(
    bench: Bench, table: Table, chance: random.Random, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = OpenCall._closed

    def forgetful(asking: OpenCall, end: Any) -> Any:
        asking.partial.text.clear()
        return closed(asking, end)

    monkeypatch.setattr(OpenCall, "_closed", forgetful)
    counts = await stored(bench, cases(0, chance, ["resets", "error-midway"]), chance, tmp_path)
    assert counts["characters lost"]
    table.caught(STORED, "what arrived before an error is not stored", f"{counts['characters lost']} characters lost")
