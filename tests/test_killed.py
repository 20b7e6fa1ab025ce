"""`kill -9` in the middle of a reply, of a run and of the app: what was acknowledged and what had arrived is there (Law 5)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, environ, lifeline
from model_server import ModelServer, behaviour, model_server
from model_server import Reply as Answer

from lifeline_tui.config import Config
from lifeline_tui.core.nodes import Node, Reply, Status
from lifeline_tui.lab import Lab
from lifeline_tui.store import Reader, StoreError

__all__ = ["model_server"]
BEHIND_S = 0.25
"""How much of the end of a reply a kill may lose."""
SLACK_S = 0.5
"""For the way from the server's hand to the checkpoint on a busy machine."""
SENT: list[tuple[float, int]] = []


@behaviour
async def count(r: Answer) -> None:
    """Counts up, and keeps when it said which number."""
    SENT.clear()
    await r.send(r.say.begin())
    for number in range(100_000):
        await r.send(r.say.text(f"{number} "))
        SENT.append((time.monotonic(), number))
        await asyncio.sleep(0.01)


@contextmanager
def running(*words: object, terminal: bool) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[bytes], object]]]:
    """A real process, on a terminal or not, and how to type to it."""
    ours, theirs = pty.openpty() if terminal else (-1, subprocess.DEVNULL)
    if terminal:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command, out = [*COMMAND, *map(str, words)], theirs if terminal else subprocess.DEVNULL
    env = environ(TERM="xterm-256color")
    process = subprocess.Popen(command, env=env, stdin=theirs, stdout=out, stderr=out, start_new_session=True)
    if terminal:
        os.close(theirs)
        threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    try:
        yield process, lambda keys: os.write(ours, keys)
    finally:
        process.kill()
        process.wait()
        if terminal:
            os.close(ours)


def _drain(fd: int) -> None:
    with suppress(OSError):
        while os.read(fd, 1 << 16):
            pass


def until(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(StoreError):
            if found := look():
                return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


def nodes(db: Path) -> list[Node]:
    if not db.exists():
        return []
    with Reader(db) as store:
        return [node for row in store.sessions() for node in store.nodes(row.id)]


@pytest.mark.parametrize("terminal", [False, True], ids=["run", "app"])
async def test_a_kill_in_mid_stream_loses_at_most_a_quarter_of_a_second(
    model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    db = tmp_path / "t.db"
    monkeypatch.setenv("LIFELINE_DB", str(db))
    monkeypatch.chdir(tmp_path)
    model_server.gone.clear()
    at = ("--model", "openai/count", "--api-base", model_server.url)
    words = ("open", "--plan", "baseline-20") if terminal else ("run", "baseline-20", "--json")

    def partial() -> str:
        (shown,) = lifeline("show", id, "--json").data
        return str(shown["nodes"][-1].get("partial", {}).get("text", ""))

    def status() -> str:
        return str(lifeline("sessions", "--json").data[0]["status"])

    with running(*words, *at, terminal=terminal) as (process, press):
        id = until(lambda: nodes(db), "a session")[0].session
        if terminal:
            # Keys pressed before the screen is there are nobody's.
            until(lambda: press(b"n") and len(nodes(db)) > 2, "a call")
        until(lambda: len(partial()) > 400, "text on the disk")
        before = nodes(db)
        assert status() == "streaming"
        said = len(SENT)
        until(lambda: len(SENT) > said + 15, "as much as lies between two checkpoints")
        killed = time.monotonic()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    # The provider child ends with its parent, and the request with it.
    assert await asyncio.to_thread(model_server.gone.wait, 10)
    assert status() == "interrupted"
    kept = partial()
    assert kept == "".join(f"{number} " for number in range(len(kept.split())))
    assert len(kept.split()) > max(number for when, number in SENT if when < killed - BEHIND_S - SLACK_S)

    lab = Lab(Config(), db, paced=False)
    session = await lab.open(id)
    reply = session.tree[session.tip].body
    assert isinstance(reply, Reply)
    assert reply.status is Status.INTERRUPTED
    assert reply.spans[0].text == kept
    assert session.refusal("regenerate") is None
    assert [node.id for node in nodes(db)][: len(before)] == [node.id for node in before]
    await session.close()
    await lab.close()
    assert lifeline("verify").code == 0
    assert status() == "idle"
