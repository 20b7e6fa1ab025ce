"""Programs in a pseudo-terminal of their own, and how long they take to show something: what a person at a keyboard would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
SMALL = (80, 24)
QUIET = 0.3
"""Seconds without output after which a program counts as idle."""


class Terminal:
    """One run of `cmd`.  Times are seconds since its exec, or since the last keys were typed.  Leaving it kills the program."""

    def __init__(self, cmd: Sequence[str], size: tuple[int, int] = SMALL, environ: Mapping[str, str] | None = None) -> None:
        self.cmd, self.seen = cmd, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), **(environ or {})})
            os.environ.pop("NO_COLOR", None)
            os.execvp(cmd[0], list(cmd))
        self.start = time.perf_counter()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def _more(self, timeout: float) -> bool | None:
        """Reads what is there: True; None when nothing came in `timeout` seconds, False when the program has ended."""
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return None
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen = (self.seen + data)[-400_000:]
        return bool(data)

    def until(self, marker: bytes, timeout: float = 60.0) -> float:
        """Waits for `marker`, which must be of one style, since the last keys (or the exec)."""
        end = self.start + timeout
        while marker not in self.seen:
            more = self._more(max(0.0, end - time.perf_counter()))
            if more is None:
                raise TimeoutError(f"{self.cmd[0]} did not write {marker!r} in {timeout} s")
            if not more:
                raise RuntimeError(f"{self.cmd[0]} ended before it wrote {marker!r}: {self.seen[-2000:].decode(errors='replace')}")
        return time.perf_counter() - self.start

    def end(self, timeout: float = 120.0) -> float:
        """Waits until the program has ended by itself."""
        while self._more(timeout):
            pass
        return time.perf_counter() - self.start

    def idle(self, quiet: float = QUIET) -> None:
        """Waits until nothing is written for `quiet` seconds."""
        while self._more(quiet):
            pass

    def type(self, keys: bytes) -> None:
        """Types `keys`; what was seen before is forgotten, and time counts from now."""
        while self._more(0):
            pass
        self.seen, self.start = b"", time.perf_counter()
        os.write(self.fd, keys)

    def resident(self) -> float:
        """The program's resident memory in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def processor(self) -> float:
        """Seconds of processor time that the program itself has used, its children left out."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
