"""The battery's table: what each check tried, what it found wrong, and which planted bugs it caught.

A check counts; its test asserts that nothing it counted is a fault, puts the raw counts into the table, and a second test plants a
bug and asserts that the same count then finds one.  `pytest -m battery` runs every check at length and prints the table.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def sized(fast: int, long: int, shards: int = 2) -> pytest.MarkDecorator:
    """Runs a test with `rounds` = `fast` in the suite; behind the marker also with `long` rounds in all, in `shards` tests."""
    share, rest = divmod(long, shards)
    parts = [share + (part < rest) for part in range(shards)]
    return pytest.mark.parametrize(
        "rounds",
        [pytest.param(fast, id="fast"), *(pytest.param(n, id=f"long{i}", marks=pytest.mark.slow) for i, n in enumerate(parts))],
    )


HIGHEST = {"surfaces", "ms for the slowest key"}
"""Counts that are not added up: the highest one counts."""


class Table:
    """What one test says for the table."""

    def __init__(self, record: Callable[[str, Any], None]) -> None:
        self._record = record

    def row(self, check: str, counts: Counter[str] | dict[str, int]) -> None:
        """Raw counts of `check`; those of one check are added up, in the order in which they are named.  To be called before it is
        asserted that no fault is among them, so that a check that failed shows what it found."""
        self._record("battery", ("row", check, dict(counts)))

    def caught(self, check: str, bug: str, found: int | str) -> None:
        """That a planted `bug` was found, and how often, or as what."""
        self._record("battery", ("caught", check, bug, found))


@pytest.fixture
def table(record_property: Callable[[str, Any], None]) -> Table:
    return Table(record_property)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that is the same whenever the same test runs; LIFELINE_SEED makes it another."""
    return random.Random(f"{request.node.name} {os.environ.get('LIFELINE_SEED', '1')}")


def command(plant: str = "") -> list[str]:
    """The real command, in a process of its own, after `plant`: code that breaks something."""
    return (
        [sys.executable, "-c", f"{plant}\nfrom lifeline_tui.__main__ import main\nmain()"]
        if plant
        else [sys.executable, "-m", "lifeline_tui"]
    )


def printed(reports: Iterable[Any]) -> str:
    """The table of a whole run, as Markdown."""
    rows: dict[str, Counter[str]] = {}
    caught: dict[str, dict[str, int | str]] = {}
    for report in reports:
        for name, entry in report.user_properties:
            if name != "battery":
                continue
            kind, check, *rest = entry
            counts = rows.setdefault(check, Counter())
            if kind == "row":
                for word, count in rest[0].items():
                    counts[word] = max(counts[word], count) if word in HIGHEST else counts[word] + count
            else:
                caught.setdefault(check, {})[rest[0]] = rest[1]
    lines = ["| check | raw counts | planted bugs, and what was found of them |", "| --- | --- | --- |"]
    for check in sorted(rows):
        said = ", ".join(f"{count:,} {word}" for word, count in rows[check].items())
        found = "; ".join(f"{bug}: {n}" for bug, n in caught.get(check, {}).items())
        lines.append(f"| {check} | {said} | {found} |")
    return "\n".join(lines)
