"""What peers keep and let through, beside lifeline: ``python tests/benchmarks/peers.py [kill first cancel hostile] [--rounds N]
[--llm COMMAND] [--elia COMMAND] [--loom COMMAND]``, for the commands of llm, elia-chat and basemode-loom; who is not given is left out.

Every program is a real process in a pseudo-terminal, configured as its documentation says, in a home of its own, and talks to a model
server on loopback.  Each is asked one question, by hand as its user would.  One Markdown table of raw counts comes out; under it, what
stood behind them.  The same four checks are made of all:

kill     ``kill -9`` at a random moment of a slow reply.  The question, and the words that had stood on the screen for 250 ms, are looked
         for in every cell of every SQLite file that the program has made: wherever they are, they count as kept.
first    ``kill -9`` in the first start: at moments spread over the time to the first word, and, where there is strace, before writes
         spread over all that it makes to its database (each once, where they are few).  Then it is started again, undisturbed, and
         must answer and keep the answer.
cancel   The program's own key, or control-c, at a random moment of a slow reply; then it is left by its own key, and looked into.
         elia has no key for it: there it is escape, which closes the chat, and with it the stream.
hostile  One reply of strings that a terminal obeys, that hide or reorder text, or that toolkits take for markup.  A string is raw if any
         such character of it was written to the terminal; markup is parsed if it was shown, but not as it was sent.

Where one package has two ways to ask, both have a column; the first start of the second is that of the first.  No database is looked into
while its program runs.  Not part of the test suite.
"""
# ruff: noqa: E402, T201

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[2])]

import model_server
from bench_start import lifeline
from model_server import ModelServer, Reply
from terminal import Terminal

QUESTION = "why is the sky blue"
WORD = re.compile(r"word(\d{4})")
FIRST, END = b"word0000", b"theend"
"""How every reply begins, and how the hostile one ends."""
BEHIND_S = 0.25
"""How much of the end of a reply a kill may lose."""
PACE_S = 0.04
SETTLED_S = 1.0
"""How long after the end of a reply was shown the program is given to be done with it; its cursor may blink for ever."""
SIZE, TALL = (100, 40), (180, 200)

OBEYED = {
    "clear": "\x1b[2J",
    "home": "\x1b[H",
    "conceal": "\x1b[8m",
    "leave the screen": "\x1b[?1049l",
    "mouse on": "\x1b[?1003h",
    "ask the cursor": "\x1b[6n",
    "reset": "\x1bc",
    "charset": "\x1b(0",
    "title": "\x1b]0;pwned\x07",
    "title with st": "\x1b]2;pwned\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "clipboard with st": "\x1b]52;c;cm0gLXJm\x1b\\",
    "link": "\x1b]8;;http://x\x1b\\",
    "colours": "\x1b]11;#000000\x07",
    "dcs": "\x1bP+q544e\x1b\\",
    "apc": "\x1b_Ga=q;AAAA\x1b\\",
    "csi c1": "\x9b2J",
    "osc c1": "\x9d52;c;cm0gLXJm\x9c",
    "dcs c1": "\x90q\x9c",
    "next line c1": "\x85",
    "nul": "\x00",
    "enquiry": "\x05",
    "bell": "\x07",
    "backspace": "safe\x08\x08\x08\x08rm",
    "vertical tab": "\x0b",
    "form feed": "\x0c",
    "carriage return": "safe\rrm",
    "shift out": "\x0e",
    "cancel": "\x18",
    "delete": "\x7f",
}
UNSEEN = {
    "override": "\u202eevil\u202c",
    "embedding": "\u202b",
    "isolate": "\u2066",
    "mark": "\u200f",
    "zero width": "\u200b",
    "joiner": "\u2060",
    "byte order": "\ufeff",
    "tag": "\U000e0041\U000e0042",
}
MARKUP = {
    "action": "[@click=app.quit]x[/]",
    "colour": "[red]x[/red]",
    "linked": "[link=http://x]x[/link]",
    "stray end": "[/INST]",
    "brackets": "list[int]",
    "unclosed": "[bold",
}
HOSTILE = {**OBEYED, **UNSEEN, **MARKUP}
FRAMED = {name: (f"q{n:02}a", text, f"z{n:02}q") for n, (name, text) in enumerate(HOSTILE.items())}
"""Each string between two marks that nothing else writes."""
OURS = re.compile(r"\x1b\[[0-9;]*[mH]|\r?\n")
"""What a program itself may write between them: colours, cursor moves and line ends."""
CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
HIDDEN = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


async def slow(r: Reply) -> None:
    await r.send(r.say.begin())
    for number in range(500):
        await r.send(r.say.text(f"word{number:04} "))
        await asyncio.sleep(PACE_S)
    await r.close()


async def quick(r: Reply) -> None:
    await r.texts(FIRST.decode())
    await r.close()


async def hostile(r: Reply) -> None:
    await r.texts(FIRST.decode(), *["\n\n" + "".join(parts) for parts in FRAMED.values()], f"\n\n{END.decode()}")
    await r.close()


MODELS = {"slow": slow, "quick": quick, "hostile": hostile}


@dataclass(frozen=True, slots=True)
class Program:
    """`words` is its command line for a model, `files` its configuration, `db` the database that its first start makes.  `steps` are
    what is typed to ask, and `cancel` to stop the reply, each after or until something is shown; `leave` ends it after that."""

    name: str
    words: Callable[[str], list[str]]
    db: str
    files: dict[str, str] = field(default_factory=dict)
    steps: Sequence[tuple[bytes, bytes]] = ()
    cancel: Sequence[tuple[bytes, bytes]] = ((b"\x03", b""),)
    leave: bytes = b""
    first: bool = True


def command(word: str) -> str:
    """Where it is, which another working folder does not change."""
    found = shutil.which(word)
    if not found:
        raise argparse.ArgumentTypeError(f"there is no command {word!r}")
    return str(Path(found).absolute())


def version(command: str, package: str) -> str:
    """That of `package`, as the interpreter beside its command tells it."""
    python = Path(command).resolve().with_name("python")
    said = f"import importlib.metadata as m; print(m.version({package!r}))"
    return f"{package} {subprocess.run([python, '-c', said], capture_output=True, text=True, check=True).stdout.strip()}"


def programs(llm: str | None, elia: str | None, loom: str | None, url: str) -> Iterator[Program]:
    own = lifeline()
    yield Program(
        version(own, "lifeline-tui"),
        lambda model: [own, "open", "--plan", "baseline-20", "--model", f"openai/{model}", "--api-base", url],
        "lifeline.db",
        steps=((b"PUZZLE", b"i"), (b"ctrl+s", QUESTION.encode()), (b"sky", b"\x13")),
        cancel=((b"\x1b", b"cancelled"),),
        leave=b"\x11",
    )
    if llm:
        name, models = version(llm, "llm"), "".join(f"- model_id: {m}\n  model_name: {m}\n  api_base: {url}\n" for m in MODELS)
        files = {"llm/extra-openai-models.yaml": models}
        yield Program(f"{name}, prompt", lambda model: [llm, "-m", model, QUESTION], "llm/logs.db", files)
        steps = ((b"\n> ", f"{QUESTION}\r".encode()),)
        yield Program(f"{name}, chat", lambda model: [llm, "chat", "-m", model], "llm/logs.db", files, steps, first=False)
    if elia:
        models = "".join(f'[[models]]\nname = "openai/{model}"\napi_base = "{url}"\napi_key = "none"\n' for model in MODELS)
        yield Program(
            version(elia, "elia-chat"),
            lambda model: [elia, "-m", f"openai/{model}", QUESTION],
            "elia/elia.sqlite",
            {"elia/config.toml": models},
            cancel=((b"\x1b", b"History"),),
            leave=b"\x03",
        )
    if loom:
        name = version(loom, "basemode-loom")
        chat = lambda model: [loom, "chat", QUESTION, "-m", f"openai/{model}"]  # noqa: E731
        yield Program(f"{name}, chat", chat, "chats.sqlite")
        yield Program(
            f"{name}, view",
            lambda model: [loom, "view", f"{model}.json"],
            "loom.sqlite",
            {f"{model}.json": tree(model) for model in MODELS},
            steps=((b"sky", b" "),),
            cancel=((b"\x1b", b"GEN:"), (b"\x1b", b"view:branch")),
            leave=b"q",
            first=False,
        )


def tree(model: str) -> str:
    """A loom of one node, whose plan is to ask one model once."""
    plan = {"model": f"openai/{model}", "n_branches": 1, "max_tokens": 4000, "temperature": 0.9, "enabled": True}
    root = {"id": f"{model}-root", "parent_id": None, "text": QUESTION, "created_at": "2026-01-01T00:00:00Z"}
    return json.dumps({"nodes": [{**root, "metadata": {"config": {"model_plan": [plan]}}}]})


class Screen(Terminal):
    """`shown` says when each word of a slow reply was first on it."""

    def __init__(self, cmd: Sequence[str], size: tuple[int, int], environ: dict[str, str]) -> None:
        super().__init__(cmd, size, environ)
        self.shown: dict[int, float] = {}

    def _more(self, timeout: float) -> bool | None:
        before, self.seen = self.seen, b""
        more = super()._more(timeout)
        for number in WORD.findall((before[-7:] + self.seen).decode(errors="replace")):
            self.shown.setdefault(int(number), time.perf_counter())
        self.seen = before + self.seen
        return more

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Takes in what is written for so long, or until something holds or the program has ended."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0 and not until() and self._more(min(left, 0.05)) is not False:
            pass

    @property
    def trouble(self) -> str:
        """What was written of an error, or else last."""
        words = " ".join(re.sub(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|[^ -~]", " ", self.seen.decode(errors="replace")).split())
        return (re.findall(r"\w*Error\)?:? .{0,60}", words) or [words[-100:]])[-1]


@dataclass(frozen=True, slots=True)
class Kept:
    """Of all SQLite files of a home: whether they pass their check, and hold the question, and which words of a reply they hold."""

    sound: bool
    turn: bool
    words: frozenset[int]


def kept(home: Path) -> Kept:
    files = [file for file in home.rglob("*") if file.is_file() and file.read_bytes()[:6] == b"SQLite"]
    text, sound = "", True
    for file in files:
        try:
            with closing(sqlite3.connect(file, timeout=10)) as db:
                sound &= db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                text += "\n".join(db.iterdump())
        except sqlite3.DatabaseError:
            sound = False
    return Kept(sound, QUESTION in text, frozenset(map(int, WORD.findall(text))))


@contextmanager
def home(program: Program) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in program.files.items():
            (Path(folder) / name).parent.mkdir(exist_ok=True)
            (Path(folder) / name).write_text(text)
        yield Path(folder)


@contextmanager
def started(program: Program, place: Path, model: str, size: tuple[int, int] = SIZE, under: Sequence[str] = ()) -> Iterator[Screen]:
    """The program in its home, which no other setting reaches."""
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), str(place))
    names = {"LIFELINE_DB": "lifeline.db", "LLM_USER_PATH": "llm", "BASEMODE_DB": "loom.sqlite", "BASEMODE_CHAT_DB": "chats.sqlite"}
    paths = {name: str(place / value) for name, value in names.items()}
    with chdir(place), Screen([*under, *program.words(model)], size, {"PYTHONPATH": "", **homes, **paths}) as screen:
        yield screen
        if under:  # what runs under it would survive it
            os.killpg(screen.pid, signal.SIGKILL)


def ask(program: Program, screen: Screen, within: float = 60.0) -> None:
    """Asks the question, and waits for the first word of the answer; TimeoutError if it is not there so long after the exec."""
    end = screen.start + within
    for marker, keys in program.steps:
        screen.until(marker, end - screen.start)
        screen.type(keys)
    screen.until(FIRST, end - screen.start)


class Checks:
    """Each check gives its counts by name; `notes` are what stood behind them."""

    def __init__(self, server: ModelServer, rounds: int) -> None:
        self.server, self.rounds, self.chance = server, rounds, random.Random(1)
        self.notes: dict[str, list[str]] = {}

    def kill(self, program: Program) -> dict[str, str]:
        found: Counter[str] = Counter()
        for _ in range(self.rounds):
            with home(program) as place:
                self.server.gone.clear()
                with started(program, place, "slow") as screen:
                    ask(program, screen)
                    screen.watch(self.chance.uniform(0.5, 3))
                    os.kill(screen.pid, signal.SIGKILL)
                    due = {number for number, when in screen.shown.items() if when <= time.perf_counter() - BEHIND_S}
                assert self.server.gone.wait(10)
                self.count(found, due, kept(place))
        return self.told("kill -9 in mid-stream", found, f"on the screen {BEHIND_S * 1000:.0f} ms before")

    def cancel(self, program: Program) -> dict[str, str]:
        found: Counter[str] = Counter()
        for _ in range(self.rounds):
            with home(program) as place:
                self.server.gone.clear()
                with started(program, place, "slow") as screen:
                    ask(program, screen)
                    screen.watch(self.chance.uniform(0.5, 3))
                    due = set(screen.shown)
                    for keys, marker in program.cancel:
                        screen.type(keys)
                        screen.until(marker)
                    screen.watch(25, self.server.gone.is_set)
                    self.leave(program, screen)
                self.count(found, due, kept(place))
        return self.told("cancel in mid-stream", found, "on the screen")

    def count(self, found: Counter[str], due: set[int], now: Kept) -> None:
        assert due
        found["sound"] += now.sound
        found["turn"] += now.turn
        found["any"] += bool(now.words & due)
        found["all"] += now.words >= due
        found["due"] += len(due)
        found["held"] += len(now.words & due)

    def told(self, what: str, found: Counter[str], where: str) -> dict[str, str]:
        of = f"of {self.rounds}"
        return {
            f"{what}: database passes its check": f"{found['sound']} {of}",
            f"{what}: user's turn kept": f"{found['turn']} {of}",
            f"{what}: some of the partial kept": f"{found['any']} {of}",
            f"{what}: all of it that was {where}": f"{found['all']} {of}",
            f"{what}: words kept, of those {where}": f"{found['held']:,} of {found['due']:,}",
        }

    def first(self, program: Program) -> dict[str, str]:
        if not program.first:
            return {}
        with home(program) as place, started(program, place, "quick") as screen:
            start = screen.start
            ask(program, screen)
            whole = time.perf_counter() - start
        said = {"at moments spread over it": self.again(program, [whole * part for part in self.spread()])}
        if strace := shutil.which("strace"):
            writes = self.writes(program, strace)
            numbers = sorted({1 + int(writes * part) for part in self.spread()})
            said["before writes spread over it"] = self.again(program, numbers, strace)
            self.note(program, f"{writes} writes to the database in the first start")
        return {f"kill -9 in the first start, {how}: started again, it answers and keeps": cell for how, cell in said.items()}

    def spread(self) -> list[float]:
        """A chance point in each of as many equal parts of 0 to 1 as there are rounds."""
        return [(n + self.chance.random()) / self.rounds for n in range(self.rounds)]

    def traced(self, strace: str, program: Program, place: Path, when: int = 0) -> list[str]:
        """Runs under strace, which kills it before its write number `when` to the database, or else writes them down."""
        files = [word for tail in ("", "-journal", "-wal") for word in ("-P", f"{place / program.db}{tail}")]
        does = ["-e", f"inject=pwrite64:signal=KILL:when={when}"] if when else []
        return [strace, "-f", "-qq", "-o", os.devnull if when else "writes", "-e", "trace=pwrite64", *does, *files]

    def writes(self, program: Program, strace: str) -> int:
        """How many writes the first start makes, in the thread that makes most."""
        with home(program) as place:
            with started(program, place, "quick", under=self.traced(strace, program, place)) as screen:
                ask(program, screen)
            lines = (place / "writes").read_text().splitlines()
        return Counter(line.split()[0] for line in lines if "pwrite64" in line).most_common(1)[0][1]

    def again(self, program: Program, kills: Sequence[float], strace: str = "") -> str:
        """How it does after first starts that were killed, each so many seconds after its exec, or before that write of it."""
        well, begun = 0, 0
        for when in kills:
            with home(program) as place:
                under = self.traced(strace, program, place, int(when)) if strace else ()
                with started(program, place, "quick", under=under) as screen, suppress(TimeoutError, RuntimeError):
                    ask(program, screen, 60.0 if strace else when)
                begun += (place / program.db).exists()
                well += self.works(program, place)
        return f"{well} of {len(kills)} ({begun} with a database begun)"

    def works(self, program: Program, place: Path) -> bool:
        try:
            with started(program, place, "quick") as screen:
                ask(program, screen)
                screen.watch(SETTLED_S)
                self.leave(program, screen)
        except (TimeoutError, RuntimeError):
            self.note(program, f"after a kill in its first start: {screen.trouble}")
            return False
        now = kept(place)
        well = now.sound and bool(now.words)
        if not well:
            self.note(program, "after a kill in its first start: answered, and did not keep it")
        return well

    def leave(self, program: Program, screen: Screen) -> None:
        """By the program's own key, if it has not ended by itself."""
        if program.leave:
            screen.type(program.leave)
        screen.end(10)

    def hostile(self, program: Program) -> dict[str, str]:
        with home(program) as place, started(program, place, "hostile", TALL) as screen:
            try:
                ask(program, screen)
                screen.until(END)
                screen.watch(SETTLED_S)
            except (TimeoutError, RuntimeError):
                self.note(program, f"did not show the hostile reply to its end: {screen.trouble}")
            out = screen.seen.decode(errors="replace")
        spans = {name: re.findall(re.escape(a) + "(.{0,80}?)" + re.escape(z), out, re.DOTALL) for name, (a, _, z) in FRAMED.items()}

        def raw(strings: dict[str, str], looks: re.Pattern[str]) -> list[str]:
            return [name for name, text in strings.items() if any(text == s or looks.search(OURS.sub("", s)) for s in spans[name])]

        found = {
            "controls raw": (raw(OBEYED, CONTROL), OBEYED),
            "bidi and invisible characters raw": (raw(UNSEEN, HIDDEN), UNSEEN),
            "markup parsed": ([name for name, text in MARKUP.items() if spans[name] and text not in spans[name]], MARKUP),
            "strings not to be found on one line": ([name for name in HOSTILE if not spans[name]], HOSTILE),
        }
        for what, (names, _) in found.items():
            if names:
                self.note(program, f"{what}: {', '.join(names)}")
        return {f"hostile reply: {what}": f"{len(names)} of {len(strings)}" for what, (names, strings) in found.items()}

    def note(self, program: Program, words: str) -> None:
        notes = self.notes.setdefault(program.name, [])
        if words not in notes:
            notes.append(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    names = ("kill", "first", "cancel", "hostile")
    parser.add_argument("checks", nargs="*", help=f"of {', '.join(names)}; default: all")
    for name, package in (("llm", "llm"), ("elia", "elia-chat"), ("loom", "basemode-loom")):
        parser.add_argument(f"--{name}", type=command, help=f"the command of {package}; not given: left out")
    parser.add_argument("--rounds", type=int, default=20, help="kills and cancels of each kind")
    given = parser.parse_args()
    if set(given.checks) - set(names):
        parser.error(f"the checks are {', '.join(names)}")
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_SECRET")) or name.startswith(("LIFELINE_", "LLM_", "ELIA_", "BASEMODE_")):
            del os.environ[name]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and so it would be by all of them
    model_server.BEHAVIOURS.update(MODELS)
    with ModelServer() as server:
        # The price map of the peers' litellm is otherwise fetched at every start.
        os.environ.update(
            OPENAI_API_KEY="none", OPENAI_API_BASE=server.url, OPENAI_BASE_URL=server.url, LITELLM_LOCAL_MODEL_COST_MAP="True"
        )
        checks, rows = Checks(server, given.rounds), {}
        columns = list(programs(given.llm, given.elia, given.loom, server.url))
        for program in columns:
            for name in given.checks or names:
                cells = getattr(checks, name)(program)
                print(f"{program.name}: {cells}", file=sys.stderr, flush=True)
                for row, cell in cells.items():
                    rows.setdefault(row, {})[program.name] = cell
    print("| check |" + "".join(f" {program.name} |" for program in columns) + "\n| --- |" + " --- |" * len(columns))
    for row, cells in rows.items():
        print(f"| {row} |" + "".join(f" {cells.get(program.name, '')} |" for program in columns))
    for name, notes in checks.notes.items():
        print(f"\n{name}", *[f"- {note}" for note in notes], sep="\n")


if __name__ == "__main__":
    main()
