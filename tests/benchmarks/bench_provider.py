"""P3 and P9: litellm in its child process, against litellm in this one: gaps of the screen, first tokens, and cost a token.

The model server is a process of its own, so that its work is nobody's.  Each way runs in a process that stays, and they take turns.
"""
# ruff: noqa: E402, T201

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2])]

from figures import Row, compared
from terminal import Terminal

TOKENS = 2_000
PACED = 50
"""Tokens a second of a paced stream, as of a fast hosted model; eight of them take litellm a third of a core."""
WATCH = 4.0
"""Seconds of each look at the gaps of an event loop."""


def serve() -> None:
    """A server whose model `flat-out` writes `TOKENS` tokens at once, and `paced` as many as `PACED` a second."""
    import model_server
    from model_server import ModelServer, Reply

    async def flat_out(r: Reply) -> None:
        await r.texts(*[f"tok{i % 97} " for i in range(TOKENS)])
        await r.close()

    async def paced(r: Reply) -> None:
        await r.texts("tok ")
        for i in range(TOKENS):
            await asyncio.sleep(1 / PACED)
            await r.send(r.say.text(f"tok{i % 97} "))
        await r.close()

    model_server.BEHAVIOURS.update({"flat-out": flat_out, "paced": paced})
    with ModelServer() as server:
        print(server.url, flush=True)
        sys.stdin.read()


@contextmanager
def helper(*words: str) -> Iterator[subprocess.Popen[str]]:
    """This file as another process, which ends when its stdin does."""
    process = subprocess.Popen([sys.executable, str(HERE), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(20)


async def _inside(url: str) -> AsyncIterator[str]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    stream: Any = await litellm.acompletion(
        model="openai/flat-out", api_base=url, api_key="none", stream=True, messages=[{"role": "user", "content": "go"}]
    )
    async for chunk in stream:
        if text := chunk.choices[0].delta.content:
            yield text


async def work(way: str, url: str) -> None:
    """For every line on stdin one stream; its first token and its processor time in this process, as JSON."""
    from lifeline_tui.subjects.child.client import Provider
    from lifeline_tui.subjects.protocol import Delta, Request

    provider = Provider()
    subject = provider.subject("openai/flat-out", api_base=url)

    async def through() -> AsyncIterator[str]:
        async for event in subject.stream(Request(messages=({"role": "user", "content": "go"},))):
            if isinstance(event, Delta):
                yield event.text

    for _ in sys.stdin:
        start, used, first, length = time.perf_counter(), time.process_time(), 0.0, 0
        async for text in through() if way == "child" else _inside(url):
            first = first or time.perf_counter() - start
            length += len(text)
        assert length > TOKENS
        print(json.dumps({"first": first, "cpu": (time.process_time() - used) / TOKENS}), flush=True)
    await provider.close()


def tokens(rounds: int) -> list[Row]:
    """P9."""
    found: dict[str, list[dict[str, float]]] = {"inside": [], "child": []}
    with helper("serve") as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with helper("work", "inside", url) as inside, helper("work", "child", url) as child:
            ways = {"inside": inside, "child": child}
            for turn in range(rounds + 2):
                for name, process in ways.items():
                    assert process.stdin is not None
                    assert process.stdout is not None
                    process.stdin.write("go\n")
                    process.stdin.flush()
                    result = json.loads(process.stdout.readline())
                    if turn >= 2:  # the first calls warm litellm up
                        found[name].append(result)
    first = {name: [each["first"] for each in results] for name, results in found.items()}
    first["inside + 30 ms"] = [value + 0.03 for value in first["inside"]]
    cpu = {name: [each["cpu"] for each in results] for name, results in found.items()}
    return [
        compared("P9", "first token through the child, against in-process", 1.0, first, "child", "inside + 30 ms"),
        compared("P9", "UI-side CPU a token, against litellm in-process", 0.1, cpu, "child", "inside", "µs", 1e6),
    ]


def gaps(rounds: int) -> list[Row]:
    """P3: the longest gap of the screen's event loop in `WATCH` seconds: idle, while litellm loads, while eight streams run."""
    found: dict[str, list[float]] = {"idle": [], "loading": [], "eight streams": []}
    with helper("serve") as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        out = HERE.with_name(f".gaps-{server.pid}.json")
        try:
            for _ in range(rounds):
                with Terminal([sys.executable, str(HERE), "watch", url, str(out)]) as terminal:
                    terminal.end()
                for name, gap in json.loads(out.read_text()).items():
                    found[name].append(gap)
        finally:
            out.unlink(missing_ok=True)
    return [
        compared("P3", "longest UI gap while litellm loads, against idle", 2.0, found, "loading", "idle"),
        compared("P3", "longest UI gap while 8 streams run, against idle", 2.0, found, "eight streams", "idle"),
    ]


def watch(url: str, out: str) -> None:
    """The screen with eight replies on it, and the gaps of its event loop."""
    from textual.app import ComposeResult

    from lifeline_tui.core.nodes import Origin
    from lifeline_tui.subjects.child.client import Provider
    from lifeline_tui.subjects.protocol import Delta, Request
    from lifeline_tui.tui.blocks import Block
    from lifeline_tui.tui.guard import Guarded
    from lifeline_tui.tui.theme import Themed
    from lifeline_tui.tui.widgets.transcript import Transcript

    view, provider = Transcript(), Provider()

    class Viewer(Themed[None], Guarded[None]):
        def compose(self) -> ComposeResult:
            yield view

        def on_mount(self) -> None:
            view.set_blocks([Block(str(i), Origin.MODEL, "model", "") for i in range(8)])
            self.run_worker(self.look())

        async def stream(self, block: str) -> None:
            subject = provider.subject("openai/paced", api_base=url)
            async for event in subject.stream(Request(messages=({"role": "user", "content": "go"},))):
                if isinstance(event, Delta):
                    view.stream(block, event.text)

        async def look(self) -> None:
            await asyncio.sleep(1)
            found = {"idle": await longest(WATCH)}
            warming = asyncio.create_task(provider.ready())
            found["loading"] = await longest(WATCH)
            await warming
            streams = [asyncio.create_task(self.stream(str(i))) for i in range(8)]
            await asyncio.sleep(2)  # the first call of all takes litellm longer
            found["eight streams"] = await longest(WATCH)
            for task in streams:
                task.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
            await provider.close()
            Path(out).write_text(json.dumps(found))
            self.exit()

    app = Viewer()
    app.use_theme("lifeline-dark")
    app.run()


async def longest(seconds: float) -> float:
    """The longest time between two turns of an event loop that is asked to turn every 5 ms."""
    end, gap, last = time.perf_counter() + seconds, 0.0, time.perf_counter()
    while last < end:
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        gap, last = max(gap, now - last), now
    return gap


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve()
    elif sys.argv[1:2] == ["work"]:
        asyncio.run(work(sys.argv[2], sys.argv[3]))
    elif sys.argv[1:2] == ["watch"]:
        watch(sys.argv[2], sys.argv[3])
