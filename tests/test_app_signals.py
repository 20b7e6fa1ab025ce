"""However the app ends, everything is saved, the terminal is given back, and the exit code says what happened."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from app_cases import script
from store_cases import ROOT

from lifeline_tui.core.nodes import Call, Reply, Status
from lifeline_tui.store import Reader

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
HANGING = """
import asyncio, sys
from lifeline_tui.subjects.protocol import Delta
from lifeline_tui.subjects.scripted import ScriptedSubject
async def stream(self, request):
    yield Delta(text="half of an")
    await asyncio.Event().wait()
ScriptedSubject.stream = stream
"""
FAULT = """
from lifeline_tui.tui.screens.run import RunScreen
def fault(self):
    secret = "sk-not-to-be-" + "printed"
    raise RuntimeError("a fault of the app's own")
RunScreen.action_peek = fault
"""
RUN = "import sys\nfrom lifeline_tui.opening import open_app\nsys.exit(open_app(plan=sys.argv[1], model=sys.argv[2], db=sys.argv[3]))\n"


class Terminal:
    """The app in a terminal of its own."""

    def __init__(self, home: Path, code: str) -> None:
        self.db = home / "notebook.db"
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code + RUN, "lifelines-10", script(home, "- x"), str(self.db)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.out = b""

    def read(self, until: Callable[[], bool], seconds: float = 20) -> None:
        """Takes in what the app writes until something holds."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, self.out[-2000:]
            ready, _, _ = select.select([self.master], [], [], 0.02)
            if ready:
                with contextlib.suppress(OSError):
                    self.out += os.read(self.master, 65536)

    def send(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self) -> int:
        """The exit code."""
        self.read(lambda: self.process.poll() is not None)
        code = self.process.returncode
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], 0)[0]:
                self.out += os.read(self.master, 65536)
        return code

    def kinds(self) -> list[type]:
        """The nodes on disk."""
        try:
            with Reader(self.db) as store:
                return [type(node.body) for row in store.sessions() for node in store.nodes(row.id)]
        except Exception:
            return []

    def replies(self) -> list[tuple[Status, str]]:
        with Reader(self.db) as store:
            bodies = [node.body for row in store.sessions() for node in store.nodes(row.id)]
        return [(body.status, "".join(span.text for span in body.spans)) for body in bodies if isinstance(body, Reply)]

    def begin_reply(self) -> None:
        """Waits for the session, asks for the first puzzle, and waits until the half of a reply is on the screen."""
        self.read(lambda: b"NEXT" in self.out)
        self.send(b"n")
        self.read(lambda: Call in self.kinds() and b"half of an" in self.out)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for end in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def terminal(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened: list[Terminal] = []

    def make(code: str = HANGING) -> Terminal:
        opened.append(Terminal(tmp_path, code))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_saves_what_came_and_gives_the_terminal_back(terminal: Callable[..., Terminal], number: signal.Signals) -> None:
    app = terminal()
    app.begin_reply()
    app.process.send_signal(number)
    assert app.ended() == 128 + number
    assert app.replies() == [(Status.CANCELLED, "half of an")]
    assert app.out.rindex(ALTERNATE_OFF) > app.out.rindex(ALTERNATE_ON)
    assert termios.tcgetattr(app.slave)[:4] == app.before[:4]
    assert b"Traceback" not in app.out


def test_a_closed_terminal_ends_the_app_with_everything_saved(terminal: Callable[..., Terminal]) -> None:
    app = terminal()
    app.begin_reply()
    os.close(app.slave)
    os.close(app.master)
    app.process.wait(10)
    assert app.process.returncode == 129
    assert app.replies() == [(Status.CANCELLED, "half of an")]


def test_suspended_and_back_it_goes_on(terminal: Callable[..., Terminal]) -> None:
    app = terminal()
    app.begin_reply()
    app.send(b"\x1a")
    app.read(lambda: os.waitid(os.P_PID, app.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None)
    app.read(lambda: ALTERNATE_OFF in app.out)
    assert termios.tcgetattr(app.slave)[3] & termios.ECHO
    app.out = b""
    app.process.send_signal(signal.SIGCONT)
    app.read(lambda: ALTERNATE_ON in app.out and b"half of an" in app.out)
    app.send(b"\x11")
    assert app.ended() == 0
    assert app.replies() == [(Status.CANCELLED, "half of an")]


def test_a_fault_of_its_own_is_told_without_secrets_and_saves_everything(terminal: Callable[..., Terminal]) -> None:
    app = terminal(HANGING + FAULT)
    app.begin_reply()
    app.send(b".")
    assert app.ended() == 1
    assert b"a fault of the app's own" in app.out
    assert b"sk-not-to-be-printed" not in app.out
    assert b"every turn that was sent or received is saved" in app.out
    assert app.replies() == [(Status.CANCELLED, "half of an")]
    assert app.out.rindex(ALTERNATE_OFF) > app.out.rindex(ALTERNATE_ON)
