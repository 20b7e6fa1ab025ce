"""A place for bombs, what runs commands on them, and what counts as a fault.  For `test_hostile_files` and `test_fuzz`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from bombs import CANARY
from command_line import lifeline
from table import ROOT, command

from lifeline_tui.loading.files import BadFile
from lifeline_tui.store import StoreError
from lifeline_tui.subjects.protocol import SubjectError

SECOND, LARGE = 1.0, 200_000
"""Seconds of processor time beyond the same command with a good file, and KB at the most."""
HUNG = 60
REFUSALS = (BadFile, StoreError, SubjectError)
"""What may be said of a file."""

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


def real_session(folder: Path) -> tuple[Path, list[str]]:
    """A notebook with one session, and the lines of another."""
    notebook, other = folder / "n.db", folder / "other.db"
    with patch.dict(os.environ, {"HOME": str(folder), "LIFELINE_HOME": str(folder / "base")}):
        for db, plan in ((notebook, "realtime-reveal"), (other, "liar-realtime")):
            assert lifeline("run", plan, "--limit", "3", "--model", "sim/anxious", "--db", db).code == 0
        (row,) = lifeline("sessions", "--json", "--db", other).data
        exported = lifeline("export", row["session"], "--format", "session-jsonl", "--db", other)
    return notebook, exported.out.splitlines()
