"""Where ids and the time come from: the core may not ask, so the store is handed these two and tests hand it others."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_guard = threading.Lock()
_last = 0


def now_iso() -> str:
    """The time in UTC with milliseconds: ``2026-11-21T01:30:00.123Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ulid() -> str:
    """A new ULID: 26 characters that sort by time, and within this process strictly in the order they were asked for."""
    global _last
    fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
    with _guard:
        # Within one millisecond, or after the clock went back, count on from the last one.
        _last = fresh if fresh >> _RANDOM_BITS > _last >> _RANDOM_BITS else _last + 1
        number = _last
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
