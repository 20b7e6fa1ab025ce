"""P4 and P5: streaming against `Static.update`, through the transcript and through the whole run screen; length, and trees.

Alternatives run by turns, each in a process and a pseudo-terminal of its own, and the medians are compared, since absolute times mean
little on a shared machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from figures import Row, by_turns, compared
from terminal import Terminal

HERE = Path(__file__).resolve()
TOKENS = [f"tok{i % 97} " if i % 40 else "end of it.\n" for i in range(20_000)]


def stream(rounds: int) -> list[Row]:
    """P4: CPU of 20,000 tokens in ten seconds, and the gaps that the event loop sees meanwhile."""
    found: dict[str, list[dict[str, float]]] = {"static": [], "transcript": [], "run screen": [], "idle": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, results in found.items():
                out = Path(folder) / "result.json"
                environ = {"HOME": folder, "LIFELINE_DB": str(Path(folder) / f"{len(results)}.db")}
                with Terminal([sys.executable, str(HERE), name, str(out)], (120, 40), environ) as terminal:
                    terminal.end()
                results.append(json.loads(out.read_text()))
                out.unlink()

    def middle(name: str, figure: str) -> float:
        return median(result[figure] for result in found[name])

    rows = []
    idle = middle("idle", "cpu")
    base = middle("static", "cpu") - idle
    for name in ("transcript", "run screen"):
        cpu = middle(name, "cpu") - idle
        words = f"{name} {cpu:.2f} s, Static.update at 30 Hz {base:.2f} s, idle {idle:.2f} s taken off"
        rows.append(Row("P4", f"CPU of 20,000 tokens in 10 s, {name}", 0.35, cpu / base, words, rounds))
        p99 = middle(name, "p99")
        words = f"p99 {p99:.1f} ms of 33, p50 {middle(name, 'p50'):.1f}, worst {middle(name, 'worst'):.0f}"
        rows.append(Row("P4", f"p99 gap at 20,000 tokens, {name}", 1.0, p99 / 33, words, rounds))
    return rows


def length(rounds: int) -> list[Row]:
    """P5: opening 10,000 messages against 1,000."""
    text = "A paragraph of some words that wraps a few times. " * 12
    found = asyncio.run(_length(text, rounds))
    return [compared("P5", "opening a branch of 10,000 messages, against 1,000", 2.0, found, "10000", "1000")]


async def _length(text: str, rounds: int) -> dict[str, list[float]]:
    from lifeline_tui.core.nodes import Origin
    from lifeline_tui.tui.blocks import Block

    times: dict[str, list[float]] = {"1000": [], "10000": []}
    for _ in range(rounds):
        for count, found in times.items():
            blocks = [Block(str(i), Origin.MODEL, "model", text) for i in range(int(count))]
            app, view = _viewer()
            start = time.perf_counter()
            async with app.run_test(size=(120, 40)) as pilot:
                view.set_blocks(blocks)
                await pilot.pause()
                found.append(time.perf_counter() - start)
    return times


def tree(rounds: int) -> list[Row]:
    """P5: a tree of 100,000 nodes, against 100 ms."""
    from lifeline_tui.tui.rail import Grove, Twig, rail_rows

    twigs = [Twig("0", None, "0")]
    twigs += [Twig(str(i), str(i - 1 if i % 500 else (i // 500) * 7), str(i)) for i in range(1, 100_000)]
    grove = Grove(twigs)
    measures: dict[str, Callable[[], Any]] = {
        "rows of a path": lambda: rail_rows(grove, "99999"),
        "rows of another": lambda: rail_rows(grove, "50400"),
        "add a leaf": lambda: grove.add(Twig(str(len(grove.twigs)), "99999", "new")),
    }
    found = by_turns({name: _timed(call) for name, call in measures.items()}, rounds)
    found["allowed"] = [0.1]
    return [compared("P5", f"a tree of 100,000 nodes: {name}", 1.0, found, name, "allowed") for name in measures]


def _timed(call: Callable[[], Any]) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return measure


def _viewer() -> tuple[Any, Any]:
    from textual.app import ComposeResult

    from lifeline_tui.tui.guard import Guarded
    from lifeline_tui.tui.theme import Themed
    from lifeline_tui.tui.widgets.transcript import Transcript

    view = Transcript()

    class Viewer(Themed[None], Guarded[None]):
        def compose(self) -> ComposeResult:
            yield view

    app = Viewer()
    app.use_theme("lifeline-dark")
    return app, view


def _child(name: str, out: str) -> None:
    """One streaming run in a terminal; its figures go to `out`."""
    if name == "run screen":
        return _run_screen(out)
    from textual.app import App, ComposeResult
    from textual.containers import VerticalScroll
    from textual.content import Content
    from textual.widgets import Static

    from lifeline_tui.core.nodes import Origin
    from lifeline_tui.tui.blocks import Block

    if name == "transcript":
        app, view = _viewer()
        view.set_blocks([Block("reply", Origin.MODEL, "model", "")])

        def feed(token: str) -> None:
            view.stream("reply", token)
    else:
        static = Static()
        scroll = VerticalScroll(static)
        text: list[str] = []

        class Baseline(App[None]):
            def compose(self) -> ComposeResult:
                yield scroll

            def on_mount(self) -> None:
                if name == "static":
                    self.set_interval(1 / 30, self.paint)

            def paint(self) -> None:
                static.update(Content("".join(text)))
                scroll.scroll_end(animate=False)

        app, feed = Baseline(), text.append if name == "static" else lambda token: None

    async def run() -> None:
        await asyncio.sleep(1)
        async with _watched(out):
            async for tokens in _flow():
                for token in tokens:
                    feed(token)
        app.exit()

    app.call_later(lambda: app.run_worker(run()))
    return app.run()


def _run_screen(out: str) -> None:
    """The app itself, with the store behind it and a subject that answers fast."""
    from lifeline_tui.core.nodes import Status
    from lifeline_tui.core.plan import Plan, Selection
    from lifeline_tui.loading.config import Config
    from lifeline_tui.loading.packs import load_pack
    from lifeline_tui.loading.templates import load_templates
    from lifeline_tui.session.calls import Writer
    from lifeline_tui.session.opening import create
    from lifeline_tui.store import Store
    from lifeline_tui.subjects.protocol import Capabilities, Delta, End, Event, Request
    from lifeline_tui.tui.app import LifelineApp, run

    class Fast:
        name, model, simulated = "sim/fast", "sim/fast", True

        async def capabilities(self) -> Capabilities:
            return Capabilities()

        async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
            async for tokens in _flow():  # what has come together is told together, as the provider child does
                if tokens:
                    yield Delta("".join(tokens))
            yield End(Status.COMPLETE)

        async def close(self) -> None:
            """Nothing is held."""

    class Streaming(LifelineApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.run_worker(self.stream())

        async def stream(self) -> None:
            puzzles = load_pack("starter").puzzles[:2]
            writer = Writer(Store(self.db))
            plan = Plan("fast", puzzles=Selection(count=2))
            session = await create(writer, plan, puzzles, Fast(), load_templates(), title="fast", seed=1)
            await self._show(session)
            await asyncio.sleep(2)
            async with _watched(out):
                await session.do("next")
            self.exit()

    asyncio.run(run(Streaming(Config(), Path(os.environ["LIFELINE_DB"]), paced=False)))


async def _flow() -> AsyncGenerator[list[str], None]:
    """All the tokens, 2,000 a second, as they come due."""
    start, sent = time.perf_counter(), 0
    while sent < len(TOKENS):
        due = min(len(TOKENS), int((time.perf_counter() - start) * 2000))
        yield TOKENS[sent:due]
        sent = due
        await asyncio.sleep(0.005)


@asynccontextmanager
async def _watched(out: str) -> AsyncIterator[None]:
    """Writes what happened meanwhile: this process's CPU, and the gaps of the event loop."""
    gaps: list[float] = []
    before = time.process_time()
    beat = asyncio.create_task(_beat(gaps))
    yield
    beat.cancel()
    gaps.sort()
    result = {"cpu": time.process_time() - before, "p50": gaps[len(gaps) // 2], "p99": gaps[len(gaps) * 99 // 100]}
    Path(out).write_text(json.dumps({**result, "worst": gaps[-1]}))


async def _beat(gaps: list[float]) -> None:
    """Milliseconds between turns of an event loop that is asked to turn every 5 ms."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        gaps.append((now - last) * 1000)
        last = now


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2])
