"""How fast the screen is: first paint against a Textual hello (P1), streaming against `Static.update` (P4), length and trees (P5).

By hand: ``python tests/benchmarks/bench_ui.py [paint] [stream] [length] [tree]``.  Alternatives run by turns, each in a process and a
pseudo-terminal of its own, and the medians are compared, since absolute times mean little on a shared machine.
"""
# ruff: noqa: T201

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve()
HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("Hello, World")
Hello().run()
"""
TOKENS = [f"tok{i % 97} " if i % 40 else "end of it.\n" for i in range(20_000)]


def in_terminal(cmd: Sequence[str], until: bytes | None = None, timeout: float = 60.0, keys: bytes = b"") -> float:
    """Seconds until `cmd`, in a pseudo-terminal of 120×40, has written `until` (or, with None, has ended).  With `keys`, they are
    typed 0.2 s after the first sight of output, and the time counts from then on.  The process is ended afterwards."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", PYTHONPATH=str(HERE.parents[2]))
        os.environ.pop("NO_COLOR", None)
        os.execvp(cmd[0], list(cmd))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    start, seen, typed = time.perf_counter(), b"", not keys
    try:
        while time.perf_counter() - start < timeout:
            ready, _, _ = select.select([fd], [], [], 0.2 if not typed and seen else timeout)
            if not ready:
                os.write(fd, keys)
                start, seen, typed = time.perf_counter(), b"", True
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if not data:
                if until is None:
                    return time.perf_counter() - start
                raise RuntimeError(f"{cmd[0]} ended before it wrote {until!r}: {seen[-2000:].decode(errors='replace')}")
            seen = (seen + data)[-200_000:]
            if until is not None and typed and until in seen:
                return time.perf_counter() - start
        raise TimeoutError(f"{cmd[0]} did not write {until!r} in {timeout} s")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def first_paint(cmd: Sequence[str], marker: bytes) -> float:
    """Seconds from the start of `cmd` until `marker`, a word of its first screen in one style, is on the terminal."""
    return in_terminal(cmd, marker)


def key_answered(cmd: Sequence[str], keys: bytes, marker: bytes) -> float:
    """Seconds from typing `keys` into a running, idle `cmd` until `marker` is on the terminal."""
    return in_terminal(cmd, marker, keys=keys)


def by_turns(measures: Mapping[str, Callable[[], float]], rounds: int = 7) -> dict[str, float]:
    """The median of each measure; they take turns.  Prints each with its ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            times[name].append(measure())
    middle = {name: median(found) for name, found in times.items()}
    base = next(iter(middle.values()))
    for name, value in middle.items():
        print(f"  {name:<34}{value * 1000:>10.1f} ms {value / base:>8.2f}x")
    return middle


def paint(cmd: Sequence[str] | None = None, marker: bytes = b"lifeline", rounds: int = 9) -> dict[str, float]:
    """P1: first paint of `cmd` against a Textual hello."""
    print("P1 first paint (goal: 1.25x)")
    measures = {"textual hello": lambda: first_paint([sys.executable, "-c", HELLO], b"Hello, World")}
    if cmd is None:
        widgets = [sys.executable, str(HERE), "--child", "widgets"]
        measures["transcript, rail and themes"] = lambda: first_paint(widgets, b"first words")
    else:
        measures[" ".join(cmd[:3])] = lambda: first_paint(cmd, marker)
    return by_turns(measures, rounds)


def stream(rounds: int = 2) -> None:
    """P4: CPU of 20,000 tokens in ten seconds, and the gaps that the event loop sees meanwhile."""
    print("P4 streaming 20,000 tokens in 10 s (goals: CPU 0.35x, p99 gap 33 ms)")
    found: dict[str, list[dict[str, float]]] = {"static": [], "transcript": [], "idle": []}
    for _ in range(rounds):
        for name, results in found.items():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "result.json"
                in_terminal([sys.executable, str(HERE), "--child", name, str(out)])
                results.append(json.loads(out.read_text()))
    idle = median(result["cpu"] for result in found["idle"])
    base = median(result["cpu"] for result in found["static"]) - idle
    for name, results in found.items():
        cpu = median(result["cpu"] for result in results)
        gaps = " ".join(f"{key} {median(result[key] for result in results):.0f} ms" for key in ("p50", "p99", "worst"))
        print(f"  {name:<12} cpu {cpu:6.2f} s, above idle {(cpu - idle) / base:5.2f}x   gaps {gaps}")


def length(rounds: int = 5) -> None:
    """P5: opening 10,000 messages against 1,000."""
    print("P5 opening a transcript (goal: 2x)")
    text = "A paragraph of some words that wraps a few times. " * 12
    asyncio.run(_length(text, rounds))


async def _length(text: str, rounds: int) -> None:
    from lifeline_tui.core.nodes import Origin
    from lifeline_tui.tui.blocks import Block

    times: dict[int, list[float]] = {1_000: [], 10_000: []}
    for _ in range(rounds):
        for count, found in times.items():
            blocks = [Block(str(i), Origin.MODEL, "model", text) for i in range(count)]
            app, view = _viewer()
            start = time.perf_counter()
            async with app.run_test(size=(120, 40)) as pilot:
                view.set_blocks(blocks)
                await pilot.pause()
                found.append(time.perf_counter() - start)
    for count, found in times.items():
        print(f"  {count:>6} messages {median(found) * 1000:8.1f} ms")
    print(f"  ratio {median(times[10_000]) / median(times[1_000]):.2f}x")


def tree(rounds: int = 5) -> None:
    """P5: a tree of 100,000 nodes."""
    from lifeline_tui.tui.rail import Grove, Twig, rail_rows

    print("P5 a tree of 100,000 nodes (goal: opens and moves within 100 ms)")
    twigs = [Twig("0", None, "0")]
    twigs += [Twig(str(i), str(i - 1 if i % 500 else (i // 500) * 7), str(i)) for i in range(1, 100_000)]
    grove = Grove(twigs)
    measures: dict[str, Callable[[], Any]] = {
        "index it": lambda: Grove(twigs),
        "rows of a path": lambda: rail_rows(grove, "99999"),
        "rows of another": lambda: rail_rows(grove, "50400"),
        "add a leaf": lambda: grove.add(Twig(str(len(grove.twigs)), "99999", "new")),
    }
    by_turns({name: _timed(call) for name, call in measures.items()}, rounds)


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


def _widgets() -> None:
    from lifeline_tui.core.nodes import Origin
    from lifeline_tui.tui.blocks import Block

    app, view = _viewer()
    view.set_blocks([Block(str(i), Origin.MODEL, "model", "first words of it") for i in range(100)])
    app.run()


def _child(name: str, out: str) -> None:
    """One streaming run in a terminal; its figures go to `out`."""
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

    gaps: list[float] = []

    async def run() -> None:
        await asyncio.sleep(1)
        before, start, sent = time.process_time(), time.perf_counter(), 0
        beat = asyncio.create_task(_beat(gaps))
        while sent < len(TOKENS):
            due = min(len(TOKENS), int((time.perf_counter() - start) * 2000))
            for token in TOKENS[sent:due]:
                feed(token)
            sent = due
            await asyncio.sleep(0.005)
        beat.cancel()
        gaps.sort()
        result = {"cpu": time.process_time() - before, "p50": gaps[len(gaps) // 2], "p99": gaps[len(gaps) * 99 // 100]}
        Path(out).write_text(json.dumps({**result, "worst": gaps[-1]}))
        app.exit()

    app.call_later(lambda: app.run_worker(run()))
    app.run()


async def _beat(gaps: list[float]) -> None:
    """Milliseconds between turns of an event loop that is asked to turn every 5 ms."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.005)
        now = time.perf_counter()
        gaps.append((now - last) * 1000)
        last = now


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[2]))
    if sys.argv[1:2] == ["--child"]:
        if sys.argv[2] == "widgets":
            _widgets()
        else:
            _child(sys.argv[2], sys.argv[3])
    else:
        for part in sys.argv[1:] or ["paint", "stream", "length", "tree"]:
            {"paint": paint, "stream": stream, "length": length, "tree": tree}[part]()
