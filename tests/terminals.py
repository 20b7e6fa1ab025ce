"""A real command in a terminal of its own, which can be typed into, resized, closed and read to the byte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from table import ROOT, command

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"


def until(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """What `look` gives, once it is anything."""
    end = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.005)


class Terminal:
    """`out` is all that was written so far.  `plant` is code that breaks something first.  Where it does not control the process, that
    is sent no signal by it."""

    def __init__(
        self, *words: object, plant: str = "", size: tuple[int, int] = (100, 30), controls: bool = True, **more: str
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.out = b""

        def begin() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
            if controls:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        around = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [*command(plant), *map(str, words)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**around, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "TERM": "xterm-256color", **more},
            start_new_session=True,
            preexec_fn=begin,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def send(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read(self, until: Callable[[], Any], what: str = "", seconds: float = 30) -> None:
        """Takes in what is written until something holds."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"waited {seconds:g} s for {what}; it ended with {self.out[-1500:]!r}"
            self._take(0.01)

    def _take(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # nobody holds the other end any more
            return False
        self.out += data
        return bool(data)

    def ended(self, seconds: float = 20) -> int:
        """The exit code, once it has ended and all that it wrote is in `out`."""
        self.read(lambda: self.process.poll() is not None, "its end", seconds)
        while self._take(0):
            pass
        return self.process.returncode

    @property
    def given_back(self) -> bool:
        """Whether the terminal is as it was before: its own screen, its modes, its cursor and no mouse reports."""
        left = self.out.rfind(ALTERNATE_OFF) >= self.out.rfind(ALTERNATE_ON)
        shown = self.out.rfind(b"\x1b[?25h") >= self.out.rfind(b"\x1b[?25l")
        mouse = all(
            self.out.rfind(f"\x1b[?{n}l".encode()) >= self.out.rfind(f"\x1b[?{n}h".encode()) for n in (1000, 1003, 1006, 2004)
        )
        return left and shown and mouse and termios.tcgetattr(self.slave)[:4] == self.before[:4]

    def hang_up(self) -> None:
        """Closes the terminal, as a window that is closed."""
        for end in (self.slave, self.master):
            with suppress(OSError):
                os.close(end)
