"""The disk fails at any operation, loses power behind any, or the process is killed at any: nothing acknowledged is lost, every fault
is a sentence, and after it the same thing is done again and succeeds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from table import Table, sized

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None,
    reason="the failing disk is a preloaded library, built with cc",
)
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "HALF")
SENTENCE = re.compile(r"[^\n]*(?:t\.db|attempts-csv|session-jsonl|markdown)[^\n]*")
ADVICE = ("then try again.", "Choose another file with --db.", "cannot be written: ")
WRONG = ("acknowledged lost", "text lost", "damaged", "not opened", "half done", "unclear", "raised raw", "not gone on")
LEFT = {
    "leave": "a session left on a disk that stays full",
    "strand": "a session left where the folder for temporary files is on that disk, too",
}
SCENARIOS = {
    "first": "a new notebook",
    "turns": "turns and checkpoints",
    "play": "a session by hand",
    "samples": "sixteen samples at once",
    "import": "an import",
    "export": "three exports",
}


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def broken(shim: Path, folder: Path, scenario: str, rounds: int, chance: Random, *hows: str, plant: str = "") -> Counter[str]:
    """What came of a fault at `rounds` of the scenario's operations, for each of `hows`."""
    here = folder / scenario
    here.mkdir()
    words = [scenario, chance.random(), rounds, here, *hows]
    env = {**os.environ, "LD_PRELOAD": str(shim), "PLANT": plant}
    program = [sys.executable, Path(__file__).with_name("faulty_disk.py"), *map(str, words)]
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = Counter({"faults": 0} | dict.fromkeys(WRONG, 0))
    for line in done.stdout.splitlines():
        out = json.loads(line)
        counts["faults"] += bool(out["fired"])
        counts.update(out["faults"])
        counts["raised raw"] += len(out["odd"])
        counts["not gone on"] += out["how"] not in ("KILL", "POWER") and not out["ended"]
        counts["unclear"] += sum(not (SENTENCE.fullmatch(told) and any(word in told for word in ADVICE)) for told in out["told"])
    shutil.rmtree(here)
    return counts


def wrong(counts: Counter[str]) -> Counter[str]:
    return Counter({name: counts[name] for name in WRONG if counts[name]})


@sized(fast=1, long=100_000, shards=1)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_disk_that_fails_loses_nothing_and_says_so(
    shim: Path, tmp_path: Path, chance: Random, table: Table, scenario: str, rounds: int
) -> None:
    hows = [f"{error}-{until}" for error in ERRORS for until in ("once", "until-mended")]
    counts = broken(shim, tmp_path, scenario, rounds, chance, *hows)
    table.row(f"disk: an error at each operation of {SCENARIOS[scenario]}", counts)
    assert counts["faults"] >= len(hows) * min(rounds, 20)
    assert not wrong(counts)


@sized(fast=2, long=100_000, shards=1)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_at_any_operation_loses_nothing(
    shim: Path, tmp_path: Path, chance: Random, table: Table, scenario: str, rounds: int
) -> None:
    counts = broken(shim, tmp_path, scenario, rounds, chance, "KILL")
    table.row(f"kill -9: at each operation of {SCENARIOS[scenario]}", counts)
    assert counts["faults"] >= min(rounds, 20)
    assert not wrong(counts)


@sized(fast=20, long=2_000, shards=1)
@pytest.mark.parametrize("scenario", ["first", "turns", "play", "import"])
def test_a_power_cut_loses_nothing(shim: Path, tmp_path: Path, chance: Random, table: Table, scenario: str, rounds: int) -> None:
    counts = broken(shim, tmp_path, scenario, rounds, chance, "POWER")
    table.row(f"power cut: behind any operation of {SCENARIOS[scenario]}", counts)
    assert counts["faults"] == rounds
    assert not wrong(counts)


@sized(fast=3, long=100_000, shards=1)
@pytest.mark.parametrize("scenario", LEFT)
def test_whoever_leaves_a_full_disk_takes_the_last_reply_along(
    shim: Path, tmp_path: Path, chance: Random, table: Table, scenario: str, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    counts = broken(shim, tmp_path, scenario, rounds, chance, *(f"{error}-until-mended" for error in ERRORS))
    table.row(f"disk: {LEFT[scenario]}", counts)
    assert counts["faults"]
    assert not wrong(counts)


@pytest.mark.parametrize(("scenario", "bug"), [("leave", "a reply let go of"), ("strand", "a reply that is not told")])
def test_a_reply_that_is_left_behind_is_caught(
    shim: Path, tmp_path: Path, chance: Random, table: Table, scenario: str, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    plant = LET_GO if scenario == "leave" else UNTOLD
    lost = broken(shim, tmp_path, scenario, 20, chance, "ENOSPC-until-mended", plant=plant)["text lost"]
    assert lost
    table.caught(f"disk: {LEFT[scenario]}", bug, f"{lost} text lost")


LET_GO = """
from lifeline_tui.session.session import Session
save = Session.save_elsewhere
async def without(self, path):
    self.unsaved = {}
    await save(self, path)
Session.save_elsewhere = without
"""
UNTOLD = """
from lifeline_tui.store import Unkept
make = Unkept.__init__
Unkept.__init__ = lambda self, why, text: make(self, why, "")
"""
NO_SYNC = """
import functools, sqlite3
class Careless(sqlite3.Connection):
    def execute(self, sql, *values):
        return super().execute(sql.replace("= FULL", "= OFF").replace("= NORMAL", "= OFF"), *values)
sqlite3.connect = functools.partial(sqlite3.connect, factory=Careless)
"""
SWALLOWED = """
from contextlib import contextmanager, suppress
from lifeline_tui.store import StoreError
from lifeline_tui.store.database import Database
writing = Database.writing
@contextmanager
def careless(self, **more):
    with suppress(StoreError), writing(self, **more) as conn:
        yield conn
Database.writing = careless
"""
RAW = """
import sqlite3
from lifeline_tui.store import store, database
database.TROUBLE = ()
"""
LATE = """
import functools, sqlite3
class Late(sqlite3.Connection):
    owed = False
    def execute(self, sql, *values):
        if sql in ("COMMIT", "ROLLBACK") and (self.owed or sql == "COMMIT"):
            self.owed = True
            return super().execute("SELECT 1")
        if self.owed and (sql == "BEGIN IMMEDIATE" or sql.startswith("PRAGMA")):
            self.owed = False
            super().execute("COMMIT")
        return super().execute(sql, *values)
sqlite3.connect = functools.partial(sqlite3.connect, factory=Late)
"""
NOT_RENAMED = """
import lifeline_tui.exporters as exporters
def write(format, store, sessions, path, *, blind=False):
    with path.open("w", newline="") as out:
        exporters.exporter(format)(store, sessions, out, blind)
import __main__
__main__.write = write
"""


UNSAID = """
from contextlib import suppress
import __main__
from lifeline_tui.exporters import ExportError
real = __main__.write
def write(*what):
    with suppress(ExportError):
        real(*what)
__main__.write = write
"""
ERROR, KILL, CUT = "disk: an error at each operation of", "kill -9: at each operation of", "power cut: behind any operation of"
SWALLOWS, EARLY, UNSYNCED = "a StoreError swallowed", "a transaction acknowledged before its commit", "synchronous=OFF"
FIRST = [
    (ERROR, "play", "ENOSPC-until-mended", 12, SWALLOWS, SWALLOWED, "acknowledged lost"),
    (ERROR, "turns", "EIO-once", 12, "SQLite's own error let through", RAW, "raised raw"),
    (KILL, "turns", "KILL", 20, EARLY, LATE, "acknowledged lost"),
    (KILL, "export", "KILL", 20, "an export written in place", NOT_RENAMED, "half done"),
    (CUT, "play", "POWER", 30, UNSYNCED, NO_SYNC, "acknowledged lost"),
    (CUT, "first", "POWER", 30, UNSYNCED, NO_SYNC, "acknowledged lost"),
]
REST = [
    (ERROR, "first", "ENOSPC-until-mended", 12, SWALLOWS, SWALLOWED, "text lost"),
    (ERROR, "import", "ENOSPC-until-mended", 12, SWALLOWS, SWALLOWED, "text lost"),
    (ERROR, "export", "ENOSPC-until-mended", 20, "an ExportError swallowed", UNSAID, "acknowledged lost"),
    (KILL, "first", "KILL", 20, EARLY, LATE, "acknowledged lost"),
    (KILL, "play", "KILL", 20, EARLY, LATE, "acknowledged lost"),
    (KILL, "import", "KILL", 20, EARLY, LATE, "acknowledged lost"),
    (CUT, "turns", "POWER", 30, UNSYNCED, NO_SYNC, "acknowledged lost"),
    (CUT, "import", "POWER", 30, UNSYNCED, NO_SYNC, "acknowledged lost"),
]


@pytest.mark.parametrize(
    ("check", "scenario", "how", "rounds", "bug", "plant", "fault"),
    [*FIRST, *(pytest.param(*each, marks=pytest.mark.slow) for each in REST)],
)
def test_a_careless_store_is_caught(
    shim: Path,
    tmp_path: Path,
    chance: Random,
    table: Table,
    check: str,
    scenario: str,
    how: str,
    rounds: int,
    bug: str,
    plant: str,
    fault: str,
) -> None:
    found = broken(shim, tmp_path, scenario, rounds, chance, how, plant=plant)[fault]
    assert found
    table.caught(f"{check} {SCENARIOS[scenario]}", bug, f"{found} {fault}")
