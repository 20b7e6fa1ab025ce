"""P1 and P2: how soon the app stands and answers, against a Textual hello and elia, and how much memory it takes.

Every program runs in a pseudo-terminal of 80×24; a time runs from the exec to the first frame that holds the expected text.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from figures import Measure, Row, by_turns, compared
from terminal import Terminal

HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("Hello, World")
    def on_key(self, event):
        self.query_one(Static).update("Pressed it")
Hello().run()
"""
DOWN = b"\x1b[B"
TURNS = 100


def lifeline() -> str:
    """The installed console script beside this interpreter."""
    return str(Path(sys.executable).with_name("lifeline"))


async def _write(db: Path, turns: int) -> str:
    """A notebook with one session of `turns` turns, and as many puzzles again to pose; the session's id."""
    from lifeline_tui.core.plan import Plan, Selection
    from lifeline_tui.loading.packs import load_pack
    from lifeline_tui.loading.templates import load_templates
    from lifeline_tui.session.calls import Writer
    from lifeline_tui.session.opening import create
    from lifeline_tui.store import Store
    from lifeline_tui.subjects.puppets.puppet import SimulatedSubject

    pool = load_pack("starter").puzzles
    puzzles = tuple(replace(pool[i % len(pool)], id=f"p{i}") for i in range(2 * turns))
    subject = SimulatedSubject("sim/anxious", book={puzzle.text: puzzle for puzzle in puzzles}, paced=False)
    plan = Plan(name="long", puzzles=Selection(pack="starter", count=len(puzzles)))
    writer = Writer(Store(db))
    session = await create(writer, plan, puzzles, subject, load_templates(), title="long", seed=1)
    for _ in range(turns):
        await session.do("next")
    await session.close()
    await writer.close()
    return session.id


def notebook(folder: Path, turns: int = TURNS) -> dict[str, str]:
    """The environment of a home with one saved session in it."""
    db = folder / "notebook.db"
    session = asyncio.run(_write(db, turns))
    return {"HOME": str(folder), "LIFELINE_DB": str(db), "SESSION": session}


def painted(cmd: Sequence[str], marker: bytes, environ: Mapping[str, str]) -> Measure:
    def measure() -> float:
        with Terminal(cmd, environ=environ) as terminal:
            return terminal.until(marker)

    return measure


def answered(cmd: Sequence[str], marker: bytes, key: bytes, answer: bytes, environ: Mapping[str, str]) -> Measure:
    """From the exec to the answer to a key that is typed at the first sight of `marker`."""

    def measure() -> float:
        with Terminal(cmd, environ=environ) as terminal:
            first = terminal.until(marker)
            terminal.type(key)
            return first + terminal.until(answer)

    return measure


def start(rounds: int, elia: str) -> list[Row]:
    """P1.  `elia` is the command of elia-chat; empty: that row is left out."""
    with tempfile.TemporaryDirectory() as folder:
        environ = notebook(Path(folder), 20)
        hello = [sys.executable, "-c", HELLO]
        app, opened = [lifeline()], [lifeline(), "open", environ["SESSION"]]
        measures = {
            "hello": painted(hello, b"Hello, World", environ),
            "start screen": painted(app, b"NEW SESSION", environ),
            "run screen": painted(opened, b"PUZZLE 20 of 40", environ),
            "hello key": answered(hello, b"Hello, World", b"x", b"Pressed it", environ),
            "start key": answered(app, b"NEW SESSION", DOWN, b"Starts baseline", environ),
        }
        if elia:
            measures["elia"] = painted([elia], b"Send message", environ)
        for measure in measures.values():
            measure()  # bytecode and the disk's cache are warm for all
        found = by_turns(measures, rounds)
    rows = [
        compared("P1", "start screen painted, against a Textual hello", 1.25, found, "start screen", "hello"),
        compared("P1", "start screen's key answered, against hello's", 1.4, found, "start key", "hello key"),
        compared("P1", "run screen of a saved session, against hello", 1.6, found, "run screen", "hello"),
    ]
    if elia:
        rows.append(compared("P1", "start screen painted, against elia", 0.5, found, "start screen", "elia"))
    return rows


def memory(rounds: int) -> list[Row]:
    """P2: resident memory with a session open, once idle.  That litellm is never imported is a test of the suite's."""
    with tempfile.TemporaryDirectory() as folder:
        environ = notebook(Path(folder))

        def resident(cmd: Sequence[str], marker: bytes) -> Measure:
            def measure() -> float:
                with Terminal(cmd, environ=environ) as terminal:
                    terminal.until(marker)
                    terminal.idle(0.6)
                    return terminal.resident()

            return measure

        found = by_turns(
            {
                "hello": resident([sys.executable, "-c", HELLO], b"Hello, World"),
                "run screen": resident([lifeline(), "open", environ["SESSION"]], b"PUZZLE 100 of 200"),
            },
            rounds,
        )
    return [compared("P2", "resident memory, a session of 100 turns open", 1.3, found, "run screen", "hello", "MiB", 1)]


def keys(rounds: int) -> list[Row]:
    """A key on the run screen of a session of 100 turns, from the key to what it painted; against a frame of 33 ms."""
    with tempfile.TemporaryDirectory() as folder:
        environ = notebook(Path(folder))
        moves = {"up": b"\x1b[A", "down": DOWN}
        found: dict[str, list[float]] = {"n": [], **{name: [] for name in moves}}
        for _ in range(rounds):
            copy = Path(folder) / "copy.db"
            shutil.copy(environ["LIFELINE_DB"], copy)
            with Terminal([lifeline(), "open", environ["SESSION"]], environ={**environ, "LIFELINE_DB": str(copy)}) as terminal:
                terminal.until(b"PUZZLE 100 of 200")
                terminal.idle()
                for _ in range(5):
                    for name, key in moves.items():
                        terminal.type(key)
                        found[name].append(terminal.until(b"\x1b["))
                        terminal.idle(0.05)
                terminal.type(b"n")
                found["n"].append(terminal.until(b"PUZZLE 101 of 200"))
            for old in Path(folder).glob("copy.db*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    found["a frame"] = [0.033]
    return [compared("keys", f"{name} on a run screen of 100 turns", 1.0, found, name, "a frame") for name in ("n", *moves)]
