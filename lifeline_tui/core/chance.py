"""Chance that can be repeated: draws and orders that follow from a seed and labels alone, on any Python version.

`random` promises no order of its own across versions, and the core may not hold a generator's state; a hash needs neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(seed: int, *labels: object) -> float:
    """A number in [0, 1) that is fixed by `seed` and `labels`: the first 53 bits of SHA-256 over their text."""
    text = "\x1f".join([str(seed), *map(str, labels)])
    return (int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 11) / (1 << 53)


def pick(options: Sequence[T], seed: int, *labels: object) -> T:
    """One of `options` (at least one), fixed by `seed` and `labels`."""
    return options[int(draw(seed, *labels) * len(options))]


def shuffled(items: Iterable[T], seed: int, *labels: object) -> list[T]:
    """`items` in an order fixed by `seed`, `labels` and each item's place."""
    ranked = sorted(enumerate(items), key=lambda pair: (draw(seed, *labels, pair[0]), pair[0]))
    return [item for _, item in ranked]


def derive(seed: int, *labels: object) -> int:
    """A seed of 31 bits for something below `seed`: siblings get distinct ones."""
    return int(draw(seed, "derive", *labels) * (1 << 31))
