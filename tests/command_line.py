"""What the tests of the command line share: a command run in this process, and a real one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lifeline_tui.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "lifeline_tui"]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def data(self) -> list[Any]:
        """Stdout as JSON lines, which are ASCII."""
        assert self.out.isascii()
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """The one line of words of a command that failed and put out no data."""
        assert self.out == ""
        assert self.err.startswith("lifeline: ")
        assert self.err.count("\n") == 1
        return self.err


def lifeline(*args: object, stdin: bytes = b"") -> Done:
    """Runs a command in this process."""
    given, out, err = (io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="") for data in (stdin, b"", b""))
    names = {"stdin": given, "stdout": out, "stderr": err, "argv": ["lifeline", *map(str, args)], "excepthook": sys.excepthook}
    code: Any = 0
    with patch.multiple(sys, **names):
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
    for stream in (out, err):
        stream.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Done(code, *texts)


def environ(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def start(*args: object, **more: str) -> subprocess.Popen[bytes]:
    """Starts a real command, with `more` in its environment."""
    command = [*COMMAND, *map(str, args)]
    return subprocess.Popen(command, env=environ(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


def real(*args: object, **more: str) -> Done:
    """Runs a real command to its end."""
    with start(*args, **more) as process:
        out, err = process.communicate(timeout=60)
    return Done(process.returncode, out.decode(), err.decode())
