"""What somebody sends may be anything: it is taken or refused at once, in one line, and does nothing else.

Every bomb of `bombs` goes through every command that reads files of its kind: in this process, and in real ones that are weighed, timed
and heard (each connection, each process started, each file opened outside its place is an event of Python's audit).  What is refused is
refused with exit 2 and one line; nothing of it is in the notebook, and nothing is made or read outside.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import io
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bombs
import pytest
from bombs import CANARY, PLACES, SIZES, Content
from command_line import lifeline
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from table import ROOT, Table, command, sized
from terminals import Terminal

from lifeline_tui import loading
from lifeline_tui import plans as plans_
from lifeline_tui.config import Config
from lifeline_tui.config import parse as parse_config
from lifeline_tui.core import wording
from lifeline_tui.core.nodes import Origin, Span, canonical
from lifeline_tui.core.template import Template, TemplateError, render
from lifeline_tui.core.text import visible
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.exporters import exporter
from lifeline_tui.headless import replay_recorded
from lifeline_tui.importers import fitting, session_jsonl
from lifeline_tui.importers.session_jsonl import read as read_session
from lifeline_tui.interventions import scriptable
from lifeline_tui.lab import Lab
from lifeline_tui.loading import BadFile, parse
from lifeline_tui.packs import check_pack, load_pack
from lifeline_tui.plans import parse as parse_plan
from lifeline_tui.store import Reader, Store, StoreError, database
from lifeline_tui.store.database import Database
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.protocol import SubjectError
from lifeline_tui.subjects.scripted import read_script
from lifeline_tui.templates import read_template

SECOND, LARGE = 1.0, 200_000
"""Seconds of processor time beyond the same command with a good file, and KB at the most."""
HUNG = 60
WORDS = "faults"

# Where it happens: a home, a folder of the user's own, one for what came in, and one outside


@dataclass
class Place:
    """A folder for one bomb after another.  `notebook` holds a session that nothing may touch."""

    folder: Path
    good: Path
    lines: list[str]

    def __post_init__(self) -> None:
        for name in ("home", "base", "in", "outside"):
            (self.folder / name).mkdir(parents=True)
        for name, text in (
            ("canary.txt", f"secret: {CANARY}\n"),
            ("canary.yaml", f"- {CANARY}\n"),
            ("plan.yaml", f"name: {CANARY}\n"),
        ):
            (self.outside / name).write_text(text)
        (self.folder / "session.jsonl").write_text("".join(f"{line}\n" for line in self.lines))
        shutil.copy(self.good, self.notebook)
        self.before = self.rows()
        with closing(sqlite3.connect(self.notebook)) as conn:
            ((self.session,),) = conn.execute("SELECT id FROM sessions")

    @property
    def notebook(self) -> Path:
        return self.folder / "n.db"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "LIFELINE_HOME": str(self.folder / "base"),
            "LIFELINE_DB": str(self.notebook),
            "OPENAI_API_KEY": "sk-" + CANARY,
        }

    def rows(self) -> str:
        """All that the notebook holds, digested."""
        with closing(sqlite3.connect(f"file:{self.notebook}?mode=ro", uri=True)) as conn:
            return hashlib.sha256("\n".join(conn.iterdump()).encode()).hexdigest()

    def laid(self) -> dict[str, tuple[int, int, int]]:
        """Every file here but the notebook's own: its mode, size and time."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if not path.name.startswith(("n.db", "bomb.db")) or path.parent.name not in (self.folder.name, "in"):
                seen = path.lstat()
                found[str(path)] = (seen.st_mode, seen.st_size if path.is_file() else 0, seen.st_mtime_ns if path.is_file() else 0)
        return found

    def clear(self) -> None:
        """Takes the last bomb away."""
        for name in ("base", "in"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()


@dataclass(frozen=True)
class Bomb:
    """`lay` puts it in a place; `words` are the commands that meet it, with what each must come to: `refused` (exit 2, one line), `taken`
    (exit 0), `told` (a report: exit 1 or 2) or `any` of those."""

    name: str
    lay: Callable[[Place], object]
    words: tuple[tuple[str, ...], ...]
    wanted: str = "refused"


@dataclass
class Outcome:
    code: int
    out: str
    err: str
    cpu: float
    wall: float = 0.0
    kilobytes: int = 0
    events: list[str] = field(default_factory=list)


Run = Callable[[Place, tuple[str, ...]], Outcome]


def filled(words: tuple[str, ...], place: Place) -> list[str]:
    return [word.format(place=place.folder, db=place.folder / "in" / "bomb.db", session=place.session) for word in words]


def here(place: Place, words: tuple[str, ...]) -> Outcome:
    """A command in this process."""
    with patch.dict(os.environ, place.environ):
        begun = time.process_time()
        try:
            done = lifeline(*filled(words, place))
        except Exception as error:
            return Outcome(-1, "", f"Traceback: {error!r}", time.process_time() - begun)
    return Outcome(done.code, done.out, done.err, time.process_time() - begun)


# Real processes

STARTER = """
import json, os, signal, sys, time
for line in sys.stdin:
    ask = json.loads(line)
    os.chdir(ask["folder"])
    begun, pid = time.monotonic(), 0
    streams = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    streams += [(os.POSIX_SPAWN_OPEN, n, name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for n, name in ((1, ask["out"]), (2, ask["err"]))]
    pid = os.posix_spawn(ask["words"][0], ask["words"], ask["environ"], file_actions=streams)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, 9))
    signal.alarm(ask["seconds"])
    _, status, used = os.wait4(pid, 0)
    signal.alarm(0)
    print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss]), flush=True)
"""
"""Starts commands and waits for them.  It is small, because what a process weighs at most is counted from before it began its program."""

HEARD = """
import os, sys
def _hear(folder, log):
    log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    outside = folder + "/outside"
    def heard(event, args):
        if event in ("open", "sqlite3.connect", "os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.chmod", "os.truncate", "os.rmdir"):
            if isinstance(args[0], int):
                return
            path = os.path.abspath(os.fsdecode(args[0]))
            writes = event not in ("open", "sqlite3.connect") or event == "open" and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if outside in path or writes and not path.startswith((folder, "/dev/null")):
                os.write(log, f"{event} {path}\\n".encode("utf-8", "replace"))
        elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.", "urllib.", "webbrowser.")):
            if event not in ("socket.__new__", "socket.gethostname"):
                os.write(log, f"{event} {str(args)[:200]}\\n".encode("utf-8", "replace"))
    sys.addaudithook(heard)
_hear({folder!r}, {log!r})
"""


class Starter:
    """Runs commands as processes of their own, heard and weighed.  `plant` is code that breaks something first."""

    def __init__(self, plant: str = "") -> None:
        self.plant = plant
        words = [sys.executable, "-S", "-E", "-c", STARTER]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, *problem: object) -> None:
        self.process.communicate()

    def __call__(self, place: Place, words: tuple[str, ...]) -> Outcome:
        out, err, log = (place.folder.parent / f"{place.folder.name}.{name}" for name in ("out", "err", "log"))
        log.unlink(missing_ok=True)
        heard = HEARD.replace("{folder!r}", repr(str(place.folder))).replace("{log!r}", repr(str(log)))
        ask = {
            "words": [*command(heard + self.plant), *filled(words, place)],
            "environ": {**os.environ, **place.environ, "PYTHONPATH": str(ROOT)},
            "folder": str(place.folder / "in"),
            "out": str(out),
            "err": str(err),
            "seconds": HUNG,
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        code, cpu, wall, kilobytes = json.loads(self.process.stdout.readline())
        texts = [path.read_text("utf-8", "replace") for path in (out, err)]
        return Outcome(code, *texts, cpu, wall, kilobytes, log.read_text().splitlines() if log.exists() else [])


# What counts as a fault


class Judge:
    """Counts what was tried and every fault, and remembers which bomb it was."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter({"bombs": 0, "commands": 0})
        for word in FAULTS:
            self.counts[word] = 0
        self.faults: list[str] = []
        self.most = Counter[str]()

    def judge(self, bomb: Bomb, words: tuple[str, ...], done: Outcome, start: float) -> None:
        self.counts["commands"] += 1
        said = f"{bomb.name}: {' '.join(words)}: exit {done.code}, {done.out[:200]!r} {done.err[-700:]!r}"
        extra = done.cpu - start
        if done.kilobytes:
            self.most["ms"] = max(self.most["ms"], int(extra * 1000))
        self.most["MB"] = max(self.most["MB"], done.kilobytes // 1000)
        if "Traceback" in done.err:
            self.fault("tracebacks", said)
        elif not _as_wanted(bomb.wanted, done):
            self.fault("answered otherwise", said)
        if "\x1b" in done.out + done.err or "\x9b" in done.out + done.err:
            self.fault("escape sequences", said)
        if extra > SECOND:
            self.fault("over a second", f"{extra:.1f} s: {said}")
        if done.wall > HUNG - 1:
            self.fault("hung", said)
        if done.kilobytes > LARGE:
            self.fault("over 200 MB", f"{done.kilobytes // 1000} MB: {said}")
        if CANARY in done.out + done.err:
            self.fault("files outside made, changed or read", said)
        for event in done.events:
            kind = (
                "connections or processes"
                if event.startswith(("socket", "subprocess", "os.fork", "os.exec", "os.posix", "os.system", "ctypes", "urllib"))
                else "files outside made, changed or read"
            )
            self.fault(kind, f"{event}: {said}")

    def fault(self, word: str, said: str) -> None:
        self.counts[word] += 1
        self.faults.append(f"{word}: {said}")

    @property
    def found(self) -> int:
        return len(self.faults)


FAULTS = (
    "answered otherwise",
    "tracebacks",
    "escape sequences",
    "over a second",
    "over 200 MB",
    "hung",
    "half imported",
    "files outside made, changed or read",
    "connections or processes",
)


def _as_wanted(wanted: str, done: Outcome) -> bool:
    one_line = done.err.startswith("lifeline: ") and done.err.count("\n") == 1 and done.err.endswith("\n")
    match wanted:
        case "refused":
            return done.code == 2 and done.out == "" and one_line
        case "taken":
            return done.code == 0
        case "told":
            return done.code in (1, 2)
        case "damaged":
            return done.code in (1, 2) and one_line
    return done.code in (0, 1, 2)


def blown(place: Place, chosen: Sequence[Bomb], run: Run, judge: Judge | None = None) -> Judge:
    """Every command of every bomb, and what became of it."""
    judge = judge or Judge()
    start = 0.0 if run is here else min(run(place, ("--version",)).cpu for _ in range(2))
    for bomb in chosen:
        judge.counts["bombs"] += 1
        bomb.lay(place)
        before = place.laid()
        for words in bomb.words:
            judge.judge(bomb, words, run(place, words), start)
            if (after := place.laid()) != before:
                judge.fault("files outside made, changed or read", f"{bomb.name}: {set(after.items()) ^ set(before.items())}")
                before = after
        if place.rows() != place.before:
            if bomb.wanted != "taken":
                judge.fault("half imported", bomb.name)
            shutil.copy(place.good, place.notebook)
        place.clear()
    return judge


# The bombs, each with the commands that meet it

IN = "{place}/in/bomb"
PLAN = (("plans", "check", f"{IN}.yaml"), ("run", f"{IN}.yaml", "--limit", "1"))
OWN_PLAN = (("plans", "check", "bomb"),)
PACK = (("packs", "check", "bomb"), ("packs", "show", "bomb"), ("plans", "check", f"{IN}-plan.yaml"), ("run", f"{IN}-plan.yaml"))
SCRIPT = (("run", "baseline-20", "--limit", "1", "--model", f"scripted/{IN}.yaml"),)
TEMPLATE = (("run", "baseline-20", "--limit", "1"),)
CONFIG = (("run", "baseline-20", "--limit", "1"), ("sessions",), ("models",))
IMPORT = (("import", f"{IN}.jsonl"),)
SHOWN = (("plans", "show", f"{IN}.yaml"),)


def written(name: str, what: Content, size: int = 0) -> Callable[[Place], object]:
    def lay(place: Place) -> None:
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if size:
            bombs.sparse(path, size)
        else:
            path.write_bytes(what() if callable(what) else what)

    return lay


def both(*lays: Callable[[Place], object]) -> Callable[[Place], object]:
    return lambda place: [lay(place) for lay in lays]


def placed(name: str, make: Callable[[Path, Path], object]) -> Callable[[Place], object]:
    def lay(place: Place) -> None:
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, place.outside)

    return lay


OWN_PACK = "base/prompts/puzzles/bomb.yaml"
DRAWS = written("in/bomb-plan.yaml", b"name: x\npuzzles: {pack: bomb, count: 1, strata: [easy]}\n")


def pack(what: Content) -> Callable[[Place], object]:
    return both(written(OWN_PACK, what), DRAWS)


def plans() -> Iterator[Bomb]:
    for name, what in {**bombs.YAML, **bombs.PLANS}.items():
        yield Bomb(f"plan: {name}", written("in/bomb.yaml", what), PLAN)
        yield Bomb(f"plan shown: {name}", written("in/bomb.yaml", what), SHOWN, "any")
    for name, what in bombs.ODD_PLANS.items():
        yield Bomb(f"odd plan: {name}", written("in/bomb.yaml", what), PLAN[:1], "taken")
    for name, make in PLACES.items():
        yield Bomb(f"plan's place: {name}", placed("in/bomb.yaml", make), PLAN)
        yield Bomb(f"own plan's place: {name}", placed("base/sessions/bomb.yaml", make), OWN_PLAN)
    good = placed("base/sessions/bomb.yaml", lambda path, outside: path.symlink_to(outside / "plan.yaml"))
    yield Bomb("own plan's place: a link to a good file outside", good, OWN_PLAN)


def packs() -> Iterator[Bomb]:
    for name, what in {**bombs.YAML, **bombs.PACKS}.items():
        yield Bomb(f"pack: {name}", pack(what), PACK)
    for name, what in bombs.COSTLY_PACKS.items():
        yield Bomb(f"odd pack: {name}", pack(what), PACK[:2], "any")
    for name, make in PLACES.items():
        yield Bomb(f"pack's place: {name}", both(placed(OWN_PACK, make), DRAWS), PACK)


def templates() -> Iterator[Bomb]:
    for name, (where, what) in bombs.TEMPLATES.items():
        yield Bomb(f"template: {name}", written(f"base/prompts/{where}.txt", what, SIZES.get(name, 0)), TEMPLATE)
    for name, (where, what) in bombs.ODD_TEMPLATES.items():
        yield Bomb(f"odd template: {name}", written(f"base/prompts/{where}.txt", what), TEMPLATE, "taken")


def configs() -> Iterator[Bomb]:
    for name, what in bombs.CONFIGS.items():
        yield Bomb(f"config: {name}", written("base/config.toml", what, SIZES.get(name, 0)), CONFIG)
        yield Bomb(f"config, to the doctor: {name}", written("base/config.toml", what, SIZES.get(name, 0)), (("doctor",),), "told")
    for name, make in PLACES.items():
        if name not in ("a link to nothing", "a file nobody wrote"):
            yield Bomb(f"config's place: {name}", placed("base/config.toml", make), CONFIG)


def scripts() -> Iterator[Bomb]:
    for name, what in {**bombs.YAML, **bombs.SCRIPTS}.items():
        yield Bomb(f"script: {name}", written("in/bomb.yaml", what), SCRIPT)
    for name, make in PLACES.items():
        yield Bomb(f"script's place: {name}", placed("in/bomb.yaml", make), SCRIPT)


def session(change: Callable[[list[str]], list[str]], name: str = "in/bomb.jsonl") -> Callable[[Place], object]:
    def lay(place: Place) -> None:
        text = "".join(f"{line}\n" for line in change(list(place.lines)))
        (place.folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))

    return lay


def sessions() -> Iterator[Bomb]:
    for name, change in bombs.SESSIONS.items():
        yield Bomb(f"session: {name}", session(change), IMPORT)
    for name, change in bombs.ODD_SESSIONS.items():
        yield Bomb(f"odd session: {name}", session(change), (*IMPORT, ("verify",)), "taken")
    for name, form in bombs.FORMS.items():

        def lay_form(place: Place, name: str = name, form: Callable[[str], bytes] = form) -> None:
            text = "".join(f"{line}\n" for line in place.lines)
            written("in/bomb.jsonl", form(text), SIZES.get(name, 0))(place)

        yield Bomb(f"session: {name}", lay_form, IMPORT)
    for name, make in PLACES.items():
        yield Bomb(f"session's place: {name}", placed("in/bomb.jsonl", make), IMPORT)


DB = ("--db", "{db}")
READING = (
    ("sessions", *DB),
    ("sessions", "--search", "the", *DB),
    ("show", "{session}", *DB),
    ("show", "{session}", "--json", *DB),
    ("export", "{session}", "--format", "attempts-csv", *DB),
    ("export", "{session}", "--format", "session-jsonl", *DB),
    ("export", "{session}", "--format", "markdown", *DB),
    ("replay", "{session}", "--all", *DB),
    ("verify", *DB),
    ("doctor", *DB),
)
WRITING = (("import", "{place}/session.jsonl", *DB), ("run", "baseline-20", "--limit", "1", *DB))


def notebook(make: Callable[[Path], object]) -> Callable[[Place], object]:
    def lay(place: Place) -> None:
        shutil.copy(place.good, place.folder / "in" / "bomb.db")
        make(place.folder / "in" / "bomb.db")

    return lay


def notebooks() -> Iterator[Bomb]:
    """Given by --db to every command that takes one."""
    for name, make in bombs.FOREIGN.items():
        yield Bomb(f"notebook read: {name}", notebook(make), READING, "any")
        yield Bomb(f"notebook written: {name}", notebook(make), WRITING, "damaged")
    for name, make in bombs.TAMPERED.items():
        yield Bomb(f"notebook tampered with: {name}", notebook(make), (*READING, *WRITING), "any")
    for name, put in PLACES.items():
        if name not in ("a file nobody wrote", "a link to nothing", "a link to itself"):
            yield Bomb(f"notebook's place: {name}", placed("in/bomb.db", put), (*READING[:-1], *WRITING), "damaged")
    for name, form in bombs.FORMS.items():
        if name not in SIZES and name not in ("nothing", "a line end"):
            yield Bomb(f"notebook: {name}", written("in/bomb.db", partial(form, "x\n")), (*READING[:-1], *WRITING), "damaged")


# A real session, to be changed


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A notebook with one session, and the lines of another."""
    folder = tmp_path_factory.mktemp("real")
    notebook, other = folder / "n.db", folder / "other.db"
    with patch.dict(os.environ, {"HOME": str(folder), "LIFELINE_HOME": str(folder / "base")}):
        for db, plan in ((notebook, "realtime-reveal"), (other, "liar-realtime")):
            assert lifeline("run", plan, "--limit", "3", "--model", "sim/anxious", "--db", db).code == 0
        (row,) = lifeline("sessions", "--json", "--db", other).data
        exported = lifeline("export", row["session"], "--format", "session-jsonl", "--db", other)
    return notebook, exported.out.splitlines()


@pytest.fixture
def place(tmp_path: Path, real: tuple[Path, list[str]]) -> Place:
    notebook, lines = real
    return Place(tmp_path / "place", notebook, lines)


def part(chosen: Sequence[Bomb], request: pytest.FixtureRequest, rounds: int, chance: random.Random) -> Sequence[Bomb]:
    """In the suite `rounds` bombs with a command or two each; at length all of them, shared out among the shards."""
    shard = request.node.callspec.id.removeprefix("long")
    if shard != "fast":
        return chosen[int(shard) :: SHARDS]
    quick = [bomb for bomb in chosen if not any(word in bomb.name for word in SLOW)]
    few = chance.sample(quick, min(rounds, len(quick)))
    return [replace(bomb, words=tuple(chance.sample(bomb.words, min(2, len(bomb.words))))) for bomb in few]


SHARDS = 2
SLOW = ("MB", "GB", "million", "000", "too many", "pipe", "costly", "terabyte", "largest", "thousand", "fakes", "index")
"""In the names of bombs that are large to make, or for which this process itself would have to wait."""


def reported(table: Table, check: str, judge: Judge, size: str) -> None:
    """Raw counts, and the most that a single command took in a process of its own."""
    most = {
        f"ms of processor time at the most beyond the start ({size})": judge.most["ms"],
        f"MB at the most ({size})": judge.most["MB"],
    }
    table.row(f"HOSTILE FILES: {check}", {**judge.counts, **(most if judge.most["MB"] else {})})
    assert not judge.faults, "\n".join(judge.faults)


DOORS = {"plans": plans, "packs": packs, "templates": templates, "configs": configs, "scripts": scripts, "sessions": sessions}


@sized(fast=4, long=2, shards=SHARDS)
def test_a_bomb_is_refused_at_once_and_does_nothing_else(
    place: Place, rounds: int, chance: random.Random, request: pytest.FixtureRequest, table: Table
) -> None:
    size, judge = request.node.callspec.id, Judge()
    for door in DOORS.values():
        if size == "fast":
            blown(place, part(list(door()), request, rounds, chance), here, judge)
        else:
            with Starter() as starter:
                blown(place, part(list(door()), request, rounds, chance), starter, judge)
    if size == "fast":
        few = [
            bomb for bomb in (*plans(), *sessions()) if bomb.name in ("plan: merge bomb", "session: a body of 20 MB of brackets")
        ]
        with Starter() as starter:
            blown(place, [replace(bomb, words=bomb.words[:1]) for bomb in few], starter, judge)
    reported(table, "bombs at every door", judge, size)


@sized(fast=6, long=2, shards=SHARDS)
def test_a_notebook_that_is_not_ours_does_nothing(
    place: Place, rounds: int, chance: random.Random, request: pytest.FixtureRequest, table: Table
) -> None:
    size, judge = request.node.callspec.id, Judge()
    chosen = part(list(notebooks()), request, rounds, chance)
    if size == "fast":
        blown(place, chosen, here, judge)
    else:
        with Starter() as starter:
            blown(place, chosen, starter, judge)
    reported(table, "notebooks that are not ours", judge, size)


# Files at random: real ones, a little changed


@st.composite
def changed(draw: st.DrawFn, source: bytes) -> bytes:
    """A file with up to four of its bytes, words or lines dropped, doubled, changed over, or with something of `bombs.TOKENS` among them."""
    pieces = draw(st.sampled_from((BYTES, WORDS, LINES))).findall(source)
    for _ in range(draw(st.integers(1, 4))):
        here, there = (draw(st.integers(0, max(0, len(pieces) - 1))) for _ in range(2))
        match draw(st.sampled_from(("drop", "double", "change over", "put in", "put in place", "cut"))):
            case "drop":
                del pieces[here : here + 1]
            case "double":
                pieces[here:here] = pieces[here : here + 1] * draw(st.sampled_from((1, 2, 300)))
            case "change over" if pieces:
                pieces[here], pieces[there] = pieces[there], pieces[here]
            case "put in":
                pieces.insert(here, draw(st.sampled_from(bombs.TOKENS)))
            case "put in place":
                pieces[here : here + 1] = [draw(st.sampled_from(bombs.TOKENS))]
            case "cut":
                del pieces[here:]
    return b"".join(pieces)


BYTES, WORDS, LINES = (re.compile(unit, re.DOTALL) for unit in (b".", rb"\w+|\s|[^\w\s]", rb"[^\n]*\n"))


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield (*above, key)
        yield from places(value, (*above, key))


@st.composite
def changed_session(draw: st.DrawFn, lines: list[str]) -> bytes:
    """A session with up to three values or lines changed, its hashes and digest redone, or its digest alone, or nothing."""
    rows = [json.loads(line) for line in lines[:-1]]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(rows) - 1))
        match draw(
            st.sampled_from(("value", "value", "value", "drop line", "double line", "change lines over", "another's value"))
        ):
            case "value":
                *above, last = draw(st.sampled_from(list(places(rows[at]))))
                _within(rows[at], above)[last] = copy.deepcopy(draw(st.sampled_from(bombs.VALUES)))
            case "drop line" if len(rows) > 1:
                del rows[at]
            case "double line":
                rows.insert(at, copy.deepcopy(rows[at]))
            case "change lines over":
                other = draw(st.integers(0, len(rows) - 1))
                rows[at], rows[other] = rows[other], rows[at]
            case "another's value":
                *above, last = draw(st.sampled_from(list(places(rows[at]))))
                other = draw(st.sampled_from(rows))
                _within(rows[at], above)[last] = copy.deepcopy(_within(other, draw(st.sampled_from(list(places(other))))))
    changed = [canonical(row) for row in rows]
    if draw(st.booleans()):
        with suppress(KeyError, TypeError, AttributeError, ValueError):
            return _file(bombs.careful([*changed, ""]))
    at = draw(st.integers(0, len(changed) - 1))
    old, new = draw(
        st.sampled_from(((":", ": "), ("{", '{"kind":"x",'), ('":', '" :'), ("a", "\\u0061"), ("", ""), ("", ""), ("0", "0.0")))
    )
    changed[at] = changed[at].replace(old, new, 1) if old else changed[at]
    return _file(bombs.closed(changed))


def _within(data: Any, way: Sequence[Any]) -> Any:
    for key in way:
        data = data[key]
    return data


def _file(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


Take = Callable[[bytes], object]


def takers(place: Place) -> dict[str, tuple[st.SearchStrategy[bytes], Take]]:
    """Kind of file → real ones with something changed, and how one is taken in; what may be wrong with it is one of `REFUSALS`."""
    path = place.folder / "in" / "any"
    shipped = [ROOT / name for name in ("sessions/liar-realtime.yaml", "prompts/puzzles/starter.yaml", "prompts/rules/item.txt")]
    plan, pack, template = (file.read_bytes() for file in shipped)
    pack = b"".join(pack.splitlines(keepends=True)[:60])

    def filed(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    def take_session(data: bytes) -> None:
        filed(data)
        try:
            with Store(place.notebook) as store:
                session, _ = read_session(store, path, scriptable())
            with Reader(place.notebook) as reader:
                assert verify(reader, digest_of=call_digest) == [], "taken in, and not sound"
                out = io.StringIO()
                exporter("session-jsonl")(reader, [session], out, False)
                assert out.getvalue().encode() == data, "taken in otherwise than written"
                list(replay_recorded(reader, session, None, True))
        except (BadFile, StoreError):
            assert place.rows() == place.before, "half imported"
            raise
        finally:
            shutil.copy(place.good, place.notebook)

    def take_notebook(data: bytes) -> None:
        filed(data)
        with Reader(path) as reader:
            if not verify(reader, digest_of=call_digest):
                for row in reader.sessions(include_hidden=True):
                    exporter("session-jsonl")(reader, [row.id], io.StringIO(), False)
                    list(replay_recorded(reader, row.id, None, True))

    def take_template(data: bytes) -> None:
        found = read_template("rules/item", filed(data))
        with suppress(TemplateError):
            render(found, {"i": "1", "n": "2", "text": "{{i}}"})

    return {
        "plan": (changed(plan), lambda data: parse_plan(parse(data, "f.yaml"), scriptable())),
        "pack": (changed(pack), lambda data: check_pack(load_pack(filed(data)))),
        "template": (changed(template), take_template),
        "config": (changed(CONFIGURED), lambda data: parse_config(data, "c.toml")),
        "script": (changed(SCRIPTED), lambda data: read_script(filed(data))),
        "session": (changed_session(place.lines), take_session),
        "session's text": (changed(_file(place.lines)), take_session),
        "notebook": (changed_pages(place.good.read_bytes()), take_notebook),
    }


@st.composite
def changed_pages(draw: st.DrawFn, source: bytes) -> bytes:
    """A notebook with up to eight runs of its bytes written over."""
    data = bytearray(source)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data) - 1))
        run = draw(st.binary(min_size=1, max_size=40) | st.sampled_from(bombs.TOKENS))
        data[at : at + len(run)] = run
    return bytes(data[: draw(st.integers(100, len(data)))] if draw(st.integers(0, 9)) == 0 else data)


REFUSALS = (BadFile, StoreError, SubjectError)
CONFIGURED = b"""\
model = "fast"
theme = "nord"
db = "~/notes.db"
[keys]
workings = "w,f5"
"app.quit" = "ctrl+q"
[models.fast]
model = "openai/some-model"
api_base = "http://127.0.0.1:8080/v1"
[models.fast.capabilities]
chat = false
params = ["temperature", "max_tokens"]
[deadlines]
gap = 10
retries = 0
"""
SCRIPTED = b"""\
- "ANSWER: 38"
- {text: "ANSWER: 012\\nCONFIDENCE: 40", reasoning: Hm., chunks: 3, delay_ms: 5000}
- {text: "ANSW", status: truncated}
- {status: error}
"""


def fuzzed(place: Place, seconds: float, begin: int, kinds: Sequence[str] = (), shrink: bool = True) -> Judge:
    """Random files of every kind for so many seconds; ends at the first fault, which is told with its seed and its file."""
    judge = Judge()
    judge.counts = Counter({"files": 0, "taken": 0, "refused": 0, **dict.fromkeys(FUZZ_FAULTS, 0)})
    ends, last = time.monotonic() + seconds, b""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    options = settings(
        max_examples=20, deadline=None, database=None, phases=phases, derandomize=False, suppress_health_check=list(HealthCheck)
    )
    every = {kind: taker for kind, taker in takers(place).items() if not kinds or kind in kinds}
    for number in count(begin):
        kind, (files, take) = list(every.items())[number % len(every)]

        def one(take: Take, data: bytes) -> None:
            nonlocal last
            last, begun = data, time.process_time()
            judge.counts["files"] += 1
            try:
                take(data)
                judge.counts["taken"] += 1
            except REFUSALS:
                judge.counts["refused"] += 1
            assert time.process_time() - begun < SECOND, "over a second"

        try:
            seed(number)(options(given(st.just(take), files)(one)))()
        except Exception as error:
            word = next((word for word in FUZZ_FAULTS if word in str(error)), "tracebacks")
            judge.fault(word, f"{kind}, seed {number}: {error!r} of {last[:4000]!r}")
        if judge.faults or time.monotonic() > ends:
            return judge
    raise AssertionError("it never ends")


FUZZ_FAULTS = ("tracebacks", "over a second", "half imported", "taken in, and not sound", "taken in otherwise than written")


@sized(fast=1, long=3600, shards=SHARDS)
def test_whatever_is_in_a_file_it_is_taken_or_refused(
    place: Place, rounds: int, request: pytest.FixtureRequest, table: Table
) -> None:
    fast = request.node.callspec.id == "fast"
    judge = fuzzed(
        place, rounds, 0 if fast else int(os.environ.get("LIFELINE_SEED", "0")) or random.SystemRandom().randrange(1 << 40)
    )
    table.row("HOSTILE FILES: real files changed at random", judge.counts)
    assert not judge.faults, "\n".join(judge.faults)


# Taken up, as the app does, to go on with


async def _taken_up(db: Path) -> None:
    lab = Lab(Config(), db, paced=False)
    try:
        for row in lab.rows(hidden=True):
            session = await lab.open(row.id)
            try:
                session.state()
                session.rendered(session.tip)
            finally:
                await session.close()
    finally:
        await lab.close()


def taken_up(place: Place, chosen: Sequence[Bomb]) -> Judge:
    """Every session of every notebook opened to go on with it: it opens, or a sentence says why not."""
    judge = Judge()
    for bomb in chosen:
        judge.counts["bombs"] += 1
        bomb.lay(place)
        before, begun = place.laid(), time.process_time()
        done = Outcome(0, "", "", 0)
        try:
            asyncio.run(_taken_up(place.folder / "in" / "bomb.db"))
        except REFUSALS as error:
            done.err = visible(str(error))
        except Exception as error:
            done.err = f"Traceback: {error!r}"
        done.cpu = time.process_time() - begun
        judge.judge(replace(bomb, wanted="any"), ("open",), done, 0)
        if "sealed anew" in bomb.name and not done.err:
            judge.fault("answered otherwise", f"{bomb.name}: it can be gone on with")
        if (after := place.laid()) != before:
            judge.fault("files outside made, changed or read", f"{bomb.name}: {set(after.items()) ^ set(before.items())}")
        place.clear()
    return judge


@sized(fast=6, long=2, shards=SHARDS)
def test_a_session_of_somebody_elses_notebook_opens_or_says_why_not(
    place: Place, rounds: int, chance: random.Random, request: pytest.FixtureRequest, table: Table
) -> None:
    judge = taken_up(place, part(list(notebooks()), request, rounds, chance))
    reported(table, "notebooks taken up", judge, request.node.callspec.id)


def test_a_planted_bug_in_taking_a_notebook_up_is_found(place: Place, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    chosen = called((notebooks(),), "notebook tampered with: a body that is a list")
    assert taken_up(place, chosen).found == 0
    monkeypatch.setattr(Reader, "_read", lambda self, to, rows: [to(row) for row in rows])
    found = taken_up(place, chosen).found
    assert found
    table.caught("HOSTILE FILES: notebooks taken up", "a row is taken for what it should be", found)


# In the app, where a person would meet them


def in_a_terminal(place: Place, rounds: int, plant: str = "") -> Counter[str]:
    """The app opened on bombs: it says what is wrong and can be left, the terminal as it was; with a bad config it does not open."""
    counts = Counter({"opened in a terminal": 0, "nothing said": 0, "not left in peace": 0})
    cases: list[tuple[Callable[[Place], object], tuple[str, ...], bytes, int]] = [
        (written("in/bomb.yaml", bombs.YAML["alias"]), ("--plan", f"{IN}.yaml"), b"alias", 0),
        (written("base/config.toml", b'api_key = "x"\n'), (), b"environment", 2),
        (notebook(bombs.FOREIGN["sessions is a view that never ends"]), ("{session}", *DB), b"sessions", 0),
    ]
    for lay, words, said, code in cases[:rounds]:
        lay(place)
        counts["opened in a terminal"] += 1
        with Terminal("open", *filled(words, place), plant=plant, size=(220, 50), **place.environ) as terminal:
            with suppress(AssertionError):
                terminal.read(
                    lambda said=said, terminal=terminal: said in terminal.out or terminal.process.poll() is not None, "words", 15
                )
            ended = terminal.process.poll() is not None
            counts["nothing said"] += said not in terminal.out
            if not ended:
                terminal.send(b"\x11")
            with suppress(AssertionError):
                terminal.ended()
            left = terminal.process.returncode == code and b"Traceback" not in terminal.out
            counts["not left in peace"] += not (left and (ended or terminal.given_back))
        place.clear()
    return counts


@sized(fast=1, long=3, shards=1)
def test_the_app_says_what_is_wrong_with_a_file_and_goes_on(place: Place, rounds: int, table: Table) -> None:
    counts = in_a_terminal(place, rounds)
    table.row("HOSTILE FILES: bombs in the app", counts)
    assert counts["nothing said"] == counts["not left in peace"] == 0


# Planted bugs


def called(doors: Iterable[Iterator[Bomb]], *names: str) -> list[Bomb]:
    found = [bomb for door in doors for bomb in door if bomb.name in names]
    assert len(found) == len(names)
    return found


def _aliases(patch: pytest.MonkeyPatch) -> None:
    true = loading._forbidden
    patch.setattr(loading, "_forbidden", lambda event, *rest: "" if getattr(event, "anchor", None) else true(event, *rest))


def _steered(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(plans_.SAMPLING, "api_base", lambda entry, name: entry.text(name))
    patch.setattr(fitting, "SAMPLED", (*fitting.SAMPLED, "api_base"))


def _formatted(patch: pytest.MonkeyPatch) -> None:
    def render(template: Template, values: dict[str, Any]) -> tuple[Span, ...]:
        return (Span(template.text.format(**values), Origin.TEMPLATE),)

    patch.setattr(wording, "render", render)


def _by_line(patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def writing(self: Database, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        yield self.conn

    patch.setattr(Database, "writing", writing)


def _anywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loading, "_leads", lambda file: file)


def _endless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loading, "MAX_DEPTH", 10**9)


PLANTED: list[tuple[str, Callable[[pytest.MonkeyPatch], None], tuple[str, ...]]] = [
    ("YAML's aliases are let through", _aliases, ("plan: alias for a list", "plan: anchor that nobody needs")),
    ("YAML may be of any depth", _endless, ("plan: 30,000 open brackets",)),
    ("a file may set an API base", _steered, ("plan: api_base of the subject", "session: api_base of the subject")),
    ("templates are filled in by str.format", _formatted, ("odd template: formats of other languages",)),
    ("an import is no transaction", _by_line, ("session: another digest",)),
    ("a link may lead out of the user's folder", _anywhere, ("own plan's place: a link to a good file outside",)),
]


@pytest.mark.parametrize(
    ("bug", "plant", "names"),
    [pytest.param(*case, id=case[0], marks=pytest.mark.slow if case[1] is _endless else ()) for case in PLANTED],
)
def test_a_planted_bug_in_a_door_is_found(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    table: Table,
    bug: str,
    plant: Callable[[pytest.MonkeyPatch], None],
    names: tuple[str, ...],
) -> None:
    chosen = called((plans(), templates(), sessions()), *names)
    assert blown(place, chosen, here).found == 0
    plant(monkeypatch)
    found = blown(place, chosen, here).found
    assert found
    table.caught("HOSTILE FILES: bombs at every door", bug, found)


TALKING = """
import socket
import lifeline_tui.loading as loading
read = loading.load
def load(path):
    with socket.socket() as out:
        out.connect_ex(("127.0.0.1", 9))
    open(os.path.join(os.environ["HOME"], "..", "outside", "made"), "w").close()
    return read(path)
loading.load = load
"""


def test_a_planted_bug_in_a_process_of_its_own_is_found(place: Place, table: Table) -> None:
    with Starter(TALKING) as starter:
        judge = blown(place, [replace(bomb, words=bomb.words[:1]) for bomb in called((plans(),), "plan: alias")], starter)
    for fault, bug in (
        ("connections or processes", "a loader connects"),
        ("files outside made, changed or read", "a loader writes elsewhere"),
    ):
        assert judge.counts[fault]
        table.caught("HOSTILE FILES: bombs at every door", bug, judge.counts[fault])


def test_a_planted_bug_in_a_notebook_is_found(place: Place, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    chosen = called((notebooks(),), "notebook written: a trigger that writes")
    assert blown(place, chosen, here).found == 0
    monkeypatch.setattr(database, "_check_schema", lambda *_, **__: None)
    found = blown(place, chosen, here).found
    assert found
    table.caught("HOSTILE FILES: notebooks that are not ours", "nobody looks whose tables and triggers they are", found)


def _any_spelling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(session_jsonl, "_object", lambda line, path, number: json.loads(line))


def _any_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loading.Entry, "_scalar", lambda entry, wanted: entry.value)


@pytest.mark.parametrize(
    ("bug", "plant", "kind"),
    [
        ("a line may be spelled in any way", _any_spelling, "session"),
        ("a text may be a list", _any_value, "plan"),
    ],
)
def test_a_planted_bug_is_found_by_files_at_random(
    place: Place, monkeypatch: pytest.MonkeyPatch, table: Table, bug: str, plant: Callable[[pytest.MonkeyPatch], None], kind: str
) -> None:
    plant(monkeypatch)
    judge = fuzzed(place, 20, 7, [kind], shrink=False)
    assert judge.found
    table.caught("HOSTILE FILES: real files changed at random", bug, f"after {judge.counts['files']} files")


def test_a_planted_bug_in_the_app_is_found(place: Place, table: Table) -> None:
    counts = in_a_terminal(place, 1, "import lifeline_tui.lab as lab\nlab.Lab.plan = lambda self, name: {}[name]\n")
    assert counts["not left in peace"]
    table.caught("HOSTILE FILES: bombs in the app", "a bad plan breaks the app", counts["not left in peace"])


def test_what_a_plan_may_set_of_a_subject_is_what_an_import_may() -> None:
    assert set(plans_.SAMPLING) == set(fitting.SAMPLED)
