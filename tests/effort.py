"""How much work something is, told without a clock on the wall: no test may fail because a machine is slow or busy.

`lines` counts the lines of Python that run.  Where the work is within C (a regular expression), `Effort` weighs the processor time
against that of a fixed piece of work done on the same processor right before and after.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines(do: Callable[[], object], most: int) -> int:
    """How many lines of Python `do` ran; it is stopped, and the test failed, after `most`."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        assert count <= most, f"more than {most:,} lines were run"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
    return count


def _yard() -> float:
    """Processor time of a fixed piece of work."""
    begun, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return time.process_time() - begun


class Effort:
    """`with Effort() as effort: …`, and then `effort.yards` is how many times a fixed piece of work it was."""

    yards: float

    def __enter__(self) -> Effort:
        self._yard = _yard()
        self._begun = time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        spent = time.process_time() - self._begun
        self.yards = spent / max(self._yard, _yard())
