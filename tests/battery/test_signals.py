"""However the app or a run ends, what came is saved, the terminal is given back, and the exit code says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from app_cases import script
from command_line import lifeline
from table import Table, sized
from terminals import ALTERNATE_OFF, ALTERNATE_ON, Terminal

from lifeline_tui.core.nodes import Reply, Status, plain
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.store import Reader, StoreError
from lifeline_tui.store.verify import verify

TERM, HUP, INT = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
HANGING = """
import asyncio
from lifeline_tui.subjects.protocol import Delta
from lifeline_tui.subjects.scripted import ScriptedSubject
async def stream(self, request):
    yield Delta(text="half of an")
    await asyncio.Event().wait()
ScriptedSubject.stream = stream
"""
FAULT = """
from lifeline_tui.tui.screens.run import RunScreen
def fault(self):
    secret = "sk-not-to-be-" + "printed"
    raise RuntimeError("a fault of the app's own")
RunScreen.action_peek = fault
"""
IN_THE_BACKGROUND = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""As a shell starts a job that a script puts there."""
BACKGROUND = "SIGINT, then SIGTERM, to a run in the background of a script"
SILENT = "the terminal of the app, which sends no signal, closed in mid-stream"
WRONG = (
    "not saved",
    "said to be the operator's cancel",
    "terminal not given back",
    "wrong exit code",
    "tracebacks",
    "locals shown",
    "damaged",
    "hung",
)


class Ended(Terminal):
    """The app, or a run, on a notebook of its own, with half of a reply there."""

    def __init__(self, folder: Path, plant: str, *, app: bool = True, controls: bool = True) -> None:
        self.db = folder / "notebook.db"
        self.db.unlink(missing_ok=True)
        words = ("open", "--plan", "lifelines-10") if app else ("run", "lifelines-10", "--json")
        super().__init__(*words, "--model", script(folder, "- x"), "--db", self.db, plant=HANGING + plant, controls=controls)
        if app:
            self.read(lambda: b"NEXT" in self.out, "the run screen")
            self.send(b"n")
            self.read(lambda: self.asked and b"half of an" in self.out, "half of a reply")
        else:
            self.read(lambda: self.asked, "half of a reply")

    @property
    def asked(self) -> bool:
        """Whether a call is on the disk, and with it what has arrived of its reply."""
        try:
            with Reader(self.db) as store:
                return any(point.text for row in store.sessions() for point in store.open_calls(row.id))
        except StoreError:
            return False

    def left(self, code: int, *, terminal: bool = True) -> Counter[str]:
        """What is wrong with how it ended."""
        counts = Counter(dict.fromkeys(WRONG, 0))
        try:
            ended = self.ended() if terminal else self.process.wait(20)
        except (AssertionError, subprocess.TimeoutExpired):
            counts["hung"] += 1
            return counts
        counts["wrong exit code"] += ended != code
        counts["terminal not given back"] += terminal and not self.given_back
        counts["tracebacks"] += b"Traceback" in self.out
        counts["locals shown"] += b"sk-not-to-be-printed" in self.out
        with Reader(self.db) as store:
            bodies = [node.body for row in store.sessions() for node in store.nodes(row.id)]
            replies = [body for body in bodies if isinstance(body, Reply)]
            counts["not saved"] += [(each.status, plain(each.spans)) for each in replies] != [(Status.CANCELLED, "half of an")]
            counts["said to be the operator's cancel"] += any("operator" in each.cause for each in replies)
            counts["damaged"] += len(verify(store, digest_of=call_digest))
        return counts


@contextmanager
def _not_hanging(counts: Counter[str]) -> Iterator[None]:
    """What is waited for and never comes is a fault that is counted."""
    try:
        yield
    except (AssertionError, OSError) as error:
        print(f"hung: {error}")
        counts["hung"] += 1


def signalled(
    folder: Path, number: signal.Signals, plant: str = "", *, app: bool = True, first: signal.Signals | None = None
) -> Counter[str]:
    """`first`: a signal that must do nothing."""
    with Ended(folder, plant, app=app) as it:
        if first is not None:
            it.process.send_signal(first)
        it.process.send_signal(number)
        return it.left(128 + number)


IN_FLIGHT = 16


class Sampling(Terminal):
    """`lifeline sample`, with half of each of sixteen replies there."""

    def __init__(self, folder: Path, plant: str) -> None:
        self.db, home = folder / "notebook.db", folder / "home"
        self.db.unlink(missing_ok=True)
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(f"calls_at_once = {IN_FLIGHT}\n")
        ran = lifeline("run", "lifelines-10", "--limit", 1, "--model", script(folder, '- "ANSWER: 4"\n'), "--db", self.db, "--json")
        session = ran.data[0]["session"]
        with Reader(self.db) as store:
            turn = next(node.id for node in store.nodes(session) if node.kind == "user")
        words = ("sample", session, "--at", turn, "-k", 64, "--db", self.db)
        super().__init__(*words, plant=HANGING + plant, LIFELINE_HOME=str(home))
        self.read(lambda: self.asked == IN_FLIGHT, "half of each reply")

    @property
    def asked(self) -> int:
        """How many calls are on the disk with what has arrived of their replies."""
        with Reader(self.db) as store:
            return sum(bool(point.text) for row in store.sessions() for point in store.open_calls(row.id))


def sampled(folder: Path, number: signal.Signals, plant: str = "") -> Counter[str]:
    counts = Counter(dict.fromkeys(WRONG, 0))
    with Sampling(folder, plant) as it:
        it.process.send_signal(number)
        try:
            ended = it.process.wait(20)
        except subprocess.TimeoutExpired:
            counts["hung"] += 1
            return counts
        counts["wrong exit code"] += ended != 128 + number
        counts["tracebacks"] += b"Traceback" in it.out
        with Reader(it.db) as store:
            bodies = [node.body for row in store.sessions() for node in store.nodes(row.id)]
            cut = [body for body in bodies if isinstance(body, Reply) and body.status is not Status.COMPLETE]
            counts["not saved"] += [(each.status, plain(each.spans)) for each in cut] != [
                (Status.CANCELLED, "half of an")
            ] * IN_FLIGHT
            counts["said to be the operator's cancel"] += any("operator" in each.cause for each in cut)
            counts["damaged"] += len(verify(store, digest_of=call_digest))
    return counts


def hung_up(folder: Path, plant: str = "", *, app: bool = True, controls: bool = True) -> Counter[str]:
    """The window is closed."""
    with Ended(folder, plant, app=app, controls=controls) as it:
        it.hang_up()
        return it.left(129, terminal=False)


def suspended(folder: Path, plant: str = "") -> Counter[str]:
    """Control-z, and back with `fg`."""
    counts: Counter[str] = Counter()
    with Ended(folder, plant) as it, _not_hanging(counts):
        it.send(b"\x1a")
        it.read(lambda: os.waitid(os.P_PID, it.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None, "its stop")
        it.read(lambda: ALTERNATE_OFF in it.out, "the terminal")
        counts["terminal not given back"] += not termios.tcgetattr(it.slave)[3] & termios.ECHO
        it.out = b""
        it.process.send_signal(signal.SIGCONT)
        it.read(lambda: ALTERNATE_ON in it.out and b"half of an" in it.out, "its return")
        it.send(b"\x11")
        counts.update(it.left(0))
    return counts


def resized(folder: Path, chance: Random, plant: str = "") -> Counter[str]:
    """A storm of window sizes, from one cell to very many."""
    counts: Counter[str] = Counter()
    with Ended(folder, plant) as it, _not_hanging(counts):
        for _ in range(60):
            it.resize(chance.choice([1, 2, 5, 20, 80, 120, 400]), chance.choice([1, 2, 5, 24, 40, 200]))
            it._take(0.02)  # now and then it comes to paint one
        it.resize(100, 30)
        it.out = b""
        it.read(lambda: b"half of an" in it.out, "the last size")
        it.send(b"\x11")
        counts.update(it.left(0))
    return counts


def _times(table: Table, check: str, rounds: int, once: Callable[[], Counter[str]]) -> None:
    counts = Counter({"times": 0} | dict.fromkeys(WRONG, 0))
    for _ in range(rounds):
        counts.update({"times": 1}, **once())
    table.row(f"signals: {check}", counts)
    assert not any(counts[fault] for fault in WRONG), counts


@sized(fast=1, long=50)
@pytest.mark.parametrize("app", [True, False], ids=["app", "run"])
@pytest.mark.parametrize("number", [TERM, HUP, INT], ids=lambda number: number.name)
def test_a_signal_saves_what_came_and_gives_the_terminal_back(
    tmp_path: Path, table: Table, number: signal.Signals, app: bool, rounds: int
) -> None:
    check = f"{number.name} to {'the app' if app else 'a run'} in mid-stream"
    _times(table, check, rounds, lambda: signalled(tmp_path, number, app=app))


@sized(fast=1, long=50)
@pytest.mark.parametrize("number", [TERM, HUP, INT], ids=lambda number: number.name)
def test_a_signal_saves_each_of_sixteen_replies_that_are_arriving(
    tmp_path: Path, table: Table, number: signal.Signals, rounds: int
) -> None:
    _times(table, f"{number.name} to sixteen samples in mid-stream", rounds, lambda: sampled(tmp_path, number))


@sized(fast=1, long=50)
@pytest.mark.parametrize(
    ("what", "app", "controls"),
    [("the app", True, True), ("a run", False, True), ("the app, which sends no signal,", True, False)],
    ids=["app", "run", "silent"],
)
def test_a_closed_terminal_ends_it_with_everything_saved(
    tmp_path: Path, table: Table, what: str, app: bool, controls: bool, rounds: int
) -> None:
    _times(table, f"the terminal of {what} closed in mid-stream", rounds, lambda: hung_up(tmp_path, app=app, controls=controls))


@sized(fast=1, long=50)
def test_a_job_in_the_background_of_a_script_heeds_term_and_no_control_c(tmp_path: Path, table: Table, rounds: int) -> None:
    _times(table, BACKGROUND, rounds, lambda: signalled(tmp_path, TERM, IN_THE_BACKGROUND, app=False, first=INT))


@sized(fast=1, long=50)
def test_suspended_and_back_it_goes_on(tmp_path: Path, table: Table, rounds: int) -> None:
    _times(table, "TSTP and CONT in mid-stream", rounds, lambda: suspended(tmp_path))


@sized(fast=1, long=50)
def test_a_storm_of_sizes_harms_nothing(tmp_path: Path, chance: Random, table: Table, rounds: int) -> None:
    _times(table, "60 window sizes in mid-stream", rounds, lambda: resized(tmp_path, chance))


def crashed(folder: Path, plant: str = "") -> Counter[str]:
    with Ended(folder, FAULT + plant) as it:
        it.send(b".")
        counts = it.left(1)
        counts["wrong exit code"] += b"every turn that was sent or received is saved" not in it.out
        counts["tracebacks"] -= b"a fault of the app's own" in it.out  # of this one the operator is told
    return counts


@sized(fast=1, long=50)
def test_a_fault_of_its_own_is_told_without_locals_and_saves_everything(tmp_path: Path, table: Table, rounds: int) -> None:
    _times(table, "a fault of its own in mid-stream", rounds, lambda: crashed(tmp_path))


NO_HANDLERS = "from lifeline_tui.tui import app\napp.SIGNALS = ()\n"
NOT_HEEDED = "from lifeline_tui.cli import main\nmain.heed_signals = lambda: None\n"
NOT_WATCHED = "from lifeline_tui.tui import app\napp.watch = lambda *given: None\n"
DEAF = (
    IN_THE_BACKGROUND
    + """
from lifeline_tui.cli import main, output
main.heed_signals = lambda: [signal.signal(number, output._as_control_c) for number in (signal.SIGTERM, signal.SIGHUP)]
"""
)
LET_GO = "from lifeline_tui.session.calls import OpenCall\nOpenCall._closed = lambda self, end: 1 / 0\n"
NOT_LENT = "from textual.drivers.linux_driver import LinuxDriver\nLinuxDriver.suspend_application_mode = lambda self: None\n"
NARROW = """
from lifeline_tui.tui.screens.run import RunScreen
RunScreen.on_resize = lambda self, event: 1 // (event.size.width == 100)
"""
NO_CODE = "from lifeline_tui.tui.app import LifelineApp\nLifelineApp._stopped = lambda self, number: self.exit()\n"
LOCALS = "from textual.app import App\nfrom lifeline_tui.tui.guard import Guarded\nGuarded._fatal_error = App._fatal_error\n"


FIRST = [
    ("SIGTERM to the app in mid-stream", "no signal handlers", "wrong exit code", lambda at: signalled(at, TERM, NO_HANDLERS)),
    ("SIGHUP to a run in mid-stream", "no signal handlers", "not saved", lambda at: signalled(at, HUP, NOT_HEEDED, app=False)),
    ("SIGINT to the app in mid-stream", "an exit code of 0", "wrong exit code", lambda at: signalled(at, INT, NO_CODE)),
    ("SIGTERM to sixteen samples in mid-stream", "nothing is kept on a cancel", "not saved", lambda at: sampled(at, TERM, LET_GO)),
    ("a fault of its own in mid-stream", "Textual's crash screen", "locals shown", lambda at: crashed(at, LOCALS)),
]
REST = [
    ("SIGHUP to the app in mid-stream", "no signal handlers", "wrong exit code", lambda at: signalled(at, HUP, NO_HANDLERS)),
    ("SIGTERM to a run in mid-stream", "no signal handlers", "not saved", lambda at: signalled(at, TERM, NOT_HEEDED, app=False)),
    ("SIGINT to a run in mid-stream", "nothing is kept on a cancel", "not saved", lambda at: signalled(at, INT, LET_GO, app=False)),
    ("the terminal of the app closed in mid-stream", "no signal handlers", "wrong exit code", lambda at: hung_up(at, NO_HANDLERS)),
    ("the terminal of a run closed in mid-stream", "not heeded", "not saved", lambda at: hung_up(at, NOT_HEEDED, app=False)),
    (SILENT, "not watched", "hung", lambda at: hung_up(at, NOT_WATCHED, controls=False)),
    (BACKGROUND, "control-c stays ignored", "hung", lambda at: signalled(at, TERM, DEAF, app=False)),
    ("TSTP and CONT in mid-stream", "the terminal is kept", "hung", lambda at: suspended(at, NOT_LENT)),
    ("60 window sizes in mid-stream", "a size that nobody thought of", "hung", lambda at: resized(at, Random(1), NARROW)),
]


@pytest.mark.parametrize(
    ("check", "bug", "fault", "ends"),
    [
        *(pytest.param(*each, id=each[0]) for each in FIRST),
        *(pytest.param(*each, id=each[0], marks=pytest.mark.slow) for each in REST),
    ],
)
def test_a_careless_end_is_caught(
    tmp_path: Path, table: Table, check: str, bug: str, fault: str, ends: Callable[[Path], Counter[str]]
) -> None:
    counts = ends(tmp_path)
    found = counts[fault]
    assert found, counts
    table.caught(f"signals: {check}", bug, f"{found} {fault}")
