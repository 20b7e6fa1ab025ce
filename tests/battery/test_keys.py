"""A key never leaves the environment (Law 10): canary keys of every shape through every failure and every mode, and then a search of all
that was written, shown or stored.

What the operator types is the operator's own: a key in a turn is kept as it was typed.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES, FORMS, KEYS, TOLD, TYPED, all_told, hits, search
from children import SHAPES, USUAL, Bench, Child, bench, lab, with_plant, without
from command_line import lifeline, start
from connections import Watch, at, elsewhere
from model_server import BEHAVIOURS, ModelServer, Reply
from table import ROOT, Table, command, sized
from telling import OF_OPENAI, PLACES, cut
from terminals import Terminal

from lifeline_tui.cli.output import report
from lifeline_tui.loading.config import Config, config_path
from lifeline_tui.runs.pool import run_plan
from lifeline_tui.runs.probe import probe_model
from lifeline_tui.session import models
from lifeline_tui.session.calls import Streamed
from lifeline_tui.session.lab import Lab
from lifeline_tui.store import Store
from lifeline_tui.subjects.child import client as provider
from lifeline_tui.subjects.child import redaction, worker
from lifeline_tui.subjects.child.redaction import REDACTED, Redaction, secrets
from lifeline_tui.subjects.protocol import Delta, End, Event, Retry, SubjectError

__all__ = ["bench"]

HIT = "hits"


# Text in pieces


PIECES = "KEYS: text in pieces"


def texts(rounds: int, chance: random.Random) -> Counter[str]:
    """Texts full of keys in every form, cut anywhere: what is left of them, and whether the cuts matter."""
    known = Redaction(secrets(CANARIES))
    counts: Counter[str] = Counter({HIT: 0, "read otherwise in pieces": 0})
    fillers = ("", " ", "the answer is 4\n", "sk-", "eyJ", "key=", "0123456789abcdef", '{"a": "', "é")
    for _ in range(rounds):
        parts = [chance.choice(fillers)]
        for _ in range(chance.randrange(1, 4)):
            told = TOLD[chance.choice(list(TOLD))](KEYS[chance.choice(list(KEYS))])
            parts += [told[chance.choice((0, 0, 0, 1, 9)) :], chance.choice(fillers)]
        text = "".join(parts)
        stream, said, rest = known.stream(), [], text
        while rest:
            size = chance.choice((1, 1, 2, 3, 7, 20, len(rest)))
            said.append(stream.feed(rest[:size]))
            rest = rest[size:]
            counts["pieces"] += 1
        said.append(stream.flush())
        counts["texts"] += 1
        counts[HIT] += hits("".join(said)).total()
        counts["read otherwise in pieces"] += "".join(said) != known.clean(text)
    return counts


@sized(fast=300, long=20_000)
def test_nothing_of_a_key_is_left_however_a_text_is_cut(rounds: int, chance: random.Random, table: Table) -> None:
    counts = texts(rounds, chance)
    table.row(PIECES, counts)
    assert counts[HIT] == counts["read otherwise in pieces"] == 0, counts


BLIND = [
    ("nothing is taken out", redaction.Redaction, "runs", lambda self, text: []),
    ("nothing is held back at the end of a piece", redaction.Redaction, "hold", lambda self, text: len(text)),
    ("only whole keys are known", redaction, "PIECE", 10_000),
    ("variables called …_TOKEN are not known", redaction, "_KEYLIKE", redaction.re.compile("API_?KEY")),
    ("nothing is known in base64", redaction, "_encoded", lambda value: ()),
    ("nothing is known where it is escaped", redaction, "_escaped", lambda value: (value,)),
]


@pytest.mark.parametrize(("bug", "where", "name", "instead"), BLIND, ids=[each[0] for each in BLIND])
def test_a_key_that_is_left_is_found(
    bug: str, where: Any, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch, chance: random.Random, table: Table
) -> None:
    monkeypatch.setattr(where, name, instead)
    counts = texts(60, chance)
    found = counts[HIT] + counts["read otherwise in pieces"]
    assert found
    table.caught(PIECES, bug, found)


# Deaths and crashes


DEATHS = "KEYS: deaths and crashes"
DYING = """
import base64, json, os, sys
sys.stderr.reconfigure(errors="backslashreplace")
print(os.environ)
print(json.dumps(dict(os.environ)))
for name, value in os.environ.items():
    sys.stderr.write(f"{name}={value}\\n{base64.b64encode(value.encode())}\\n")
    sys.stderr.flush()
open(GATE).read()
key = os.environ["OPENAI_API_KEY"]
raise ImportError(f"litellm cannot be used with {key} and {os.environ['FOO_API_KEY']!r}")
"""
FAULT = """
import os
from lifeline_tui.tui.app import LifelineApp
def fault(self):
    key = os.environ["OPENAI_API_KEY"]
    raise RuntimeError("a fault of its own, with " + key + " and " + repr(os.environ))
LifelineApp.action_help = fault
"""
CLI_FAULT = """
import os
from lifeline_tui.loading import packs
def fault():
    key = os.environ["OPENAI_API_KEY"]
    raise RuntimeError("a fault of its own, with " + key + " and " + repr(os.environ))
packs.pack_names = fault
"""
WITH_LOCALS = """
from textual.app import App
from lifeline_tui.tui.guard import Guarded
Guarded._fatal_error = App._fatal_error
"""
WITH_WORDS = """
from lifeline_tui.subjects.child import redaction
redaction.without_secrets = lambda text: text
"""


def command_line(pid: int) -> bytes:
    """What `ps` shows of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def child_dies(home: Path, main: str = USUAL) -> Counter[str]:
    """A child that dies while it imports litellm, after it printed all of its environment."""
    folder, gate = home / "python", home / "gate"
    folder.mkdir(parents=True)
    os.mkfifo(gate)
    (folder / "litellm.py").write_text(DYING.replace("GATE", repr(str(gate))))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": str(home), **CANARIES}
    counts: Counter[str] = Counter({"deaths": 1})
    with closing(Child(environ, home / "provider.log", main)) as child:
        opened = os.open(gate, os.O_WRONLY)  # which waits until it is at the gate
        counts["command lines"] += 1
        counts[HIT] += hits(command_line(child.pid)).total()
        os.close(opened)
        with pytest.raises(SubjectError, match="litellm cannot be used with") as died:
            child.ready()
    gate.unlink()
    counts["places taken out"] += (home / "provider.log").read_text().count(REDACTED)
    search(counts, home)
    counts[HIT] += hits(str(died.value)).total()
    return counts


def command_crashes(plant: str = "") -> Counter[str]:
    environ = {**os.environ, **CANARIES, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command(CLI_FAULT + plant), "packs", "list"], env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"a fault of its own, with" in done.stderr
    return Counter({"crashes": 1, HIT: hits(done.stdout + done.stderr).total()})


def app_crashes(home: Path, plant: str = "") -> Counter[str]:
    with Terminal("--db", home / "it.db", plant=FAULT + plant, **CANARIES) as terminal:
        terminal.read(lambda: b"tour" in terminal.out.lower(), "the start screen")
        terminal.send(b"?")
        assert terminal.ended() == 1
    assert b"a fault of its own" in terminal.out
    return Counter({"crashes": 1, HIT: hits(terminal.out).total()})


def test_however_it_ends_no_key_is_told(tmp_path: Path, table: Table) -> None:
    counts = child_dies(tmp_path / "it")
    assert counts["places taken out"] > len(KEYS)
    counts.update(command_crashes())
    counts.update(app_crashes(tmp_path))
    table.row(DEATHS, counts)
    assert counts[HIT] == 0, counts


SHOWN = f"{USUAL}\n# {KEYS['OPENAI_API_KEY']}"
CARELESS: list[tuple[str, Callable[[Path], Counter[str]]]] = [
    ("a key on the child's command line", lambda home: child_dies(home, SHOWN)),
    ("a command's traceback as it is", lambda home: command_crashes(WITH_WORDS)),
    ("the app's traceback as it is", lambda home: app_crashes(home, WITH_WORDS)),
    ("the app's traceback with its locals", lambda home: app_crashes(home, WITH_LOCALS)),
]


@pytest.mark.parametrize(("bug", "dies"), [pytest.param(*each, marks=pytest.mark.slow, id=each[0]) for each in CARELESS])
def test_an_end_that_tells_a_key_is_seen(bug: str, dies: Callable[[Path], Counter[str]], tmp_path: Path, table: Table) -> None:
    found = dies(tmp_path / "it")[HIT]
    assert found
    table.caught(DEATHS, bug, found)


def test_a_log_that_tells_a_key_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setattr(provider, "secrets", lambda environ: frozenset())
    found = child_dies(tmp_path / "it")[HIT]
    assert found
    table.caught(DEATHS, "a log of whatever the child prints", found)


@pytest.mark.slow
def test_a_child_killed_with_half_a_key_in_hand_gives_nothing_away(tmp_path: Path, table: Table) -> None:
    """It holds back what could become a key; so does the log, and what the parent has is stored."""
    key = KEYS["HOSTED_VLLM_API_KEY"]

    async def begins(r: Reply) -> None:
        await r.texts("it is ", *key[: len(key) // 2])
        await asyncio.sleep(3600)

    BEHAVIOURS["begins"] = begins
    with Bench(tmp_path / "it") as bench:
        here = lab(bench, tmp_path / "it" / "it.db")

        async def killed() -> str:
            heard = asyncio.Event()
            session = await here.new(
                "baseline-20",
                "hosted_vllm/begins",
                api_base=bench.server.url,
                listen=lambda change: heard.set() if isinstance(change, Streamed) else None,
            )
            asking = asyncio.create_task(session.do("next"))
            await heard.wait()
            while bench.server.pieces <= len(key) // 2:
                await asyncio.sleep(0.01)
            os.kill(bench.child.pid, signal.SIGKILL)
            await asking
            await session.close()
            await here.close()
            return session.id

        id = bench.child.run(killed())
        shown = lifeline("show", id, "--db", here.db).out
        counts = Counter({"deaths": 1, HIT: hits(shown).total()})
        search(counts, tmp_path / "it")
    table.row(DEATHS, counts)
    assert "it is" in shown
    assert "provider process died" in shown
    assert counts[HIT] == 0, counts


# Where a key does not belong


ASTRAY = "KEYS: keys where an address or a name belongs"
PLACED = (
    "http://user:KEY@127.0.0.1:9/v1",
    "http://KEY@127.0.0.1:9/v1",
    "http://KEY:@127.0.0.1:9/v1",
    "http://127.0.0.1:9/KEY/v1",
    "http://127.0.0.1:9/v1?key=KEY",
    "http://127.0.0.1:9/v1#KEY",
    "http://127.0.0.1:KEY/v1",
    "http://KEY.example.org/v1",
    "KEY",
    f"http://user:{TYPED}@127.0.0.1:9/v1",
    f"http://{TYPED}@127.0.0.1:9/v1",
    f"http://127.0.0.1:9/v1?key={TYPED}",
    f"http://127.0.0.1:9/v1#{TYPED}",
)
GIVEN = (
    *(f"run baseline-20 --model {model} --api-base {base}" for model in ("sim/anxious", "openai/x") for base in PLACED),
    *(f"probe --model sim/anxious --api-base {base}" for base in PLACED),
    *(
        f"{words} --model {model}"
        for words in ("run baseline-20", "probe")
        for model in ("KEY", "openai/KEY", "sim/KEY", "scripted/KEY", "KEY/x")
    ),
    "run KEY",
    "show KEY",
    "replay KEY",
    "export KEY --format markdown",
    "import KEY",
    "plans show KEY",
    "packs check KEY",
    "KEY",
    "run --KEY",
    "export x --format KEY",
    "show x --db {home}/none/KEY",
)
FILES = (
    'model = "openai/KEY"',
    '[models.mine]\nmodel = "openai/KEY"',
    '[models."KEY"]\nmodel = "openai/x"',
    '[models.mine]\nmodel = "openai/x"\napi_base = "http://127.0.0.1:9/KEY"',
    '[models.mine]\nmodel = "openai/x"\napi_base = "http://u:KEY@127.0.0.1:9/"',
    '[models.mine]\nmodel = "openai/x"\napi_key = "KEY"',
    '[models.mine]\nmodel = "openai/x"\nheaders = {authorization = "KEY"}',
    'theme = "KEY"',
    "KEY",
    "# KEY",
)


def in_an_address(key: str) -> str:
    return key if key.isascii() and key.replace("-", "").replace("_", "").replace(".", "").isalnum() else FORMS["URL"](key)


def astray(home: Path, keys: Sequence[str], given: Sequence[str] = GIVEN) -> Counter[str]:
    """Gives each key where a model, an address, a session or a file is asked for, and puts it into the config."""
    counts: Counter[str] = Counter({"not refused": 0, "without a sentence": 0, HIT: 0})
    config = config_path()
    config.parent.mkdir(parents=True, exist_ok=True)
    for key in keys:
        told = in_an_address(key)
        for line in given:
            done = lifeline(*[word.format(home=home) for word in line.replace("KEY", told).split()])
            counts["commands"] += 1
            counts["not refused"] += done.code == 0
            counts["without a sentence"] += not done.err.startswith("lifeline: ") or done.err.count("\n") != 1
            counts[HIT] += hits(done.out + done.err).total()
        for number, text in enumerate(FILES):
            config.write_text(text.replace("KEY", told))
            done = lifeline("doctor" if number == 0 else "models")
            counts["commands"] += 1
            counts["not refused"] += done.code == 0
            counts[HIT] += hits(done.out + done.err).total()
        config.unlink()
    search(counts, home)
    return counts


WRONG = ("not refused", "without a sentence", HIT)


@sized(fast=1, long=len(KEYS))
@pytest.mark.usefixtures("keyed")
def test_a_key_where_it_does_not_belong_is_refused_unseen(rounds: int, tmp_path: Path, chance: random.Random, table: Table) -> None:
    given = GIVEN if rounds > 1 else chance.sample(GIVEN, 12)
    counts = astray(tmp_path, chance.sample(list(KEYS.values()), rounds), given)
    table.row(ASTRAY, counts)
    assert not any(counts[word] for word in WRONG), counts


LAX = [
    ("models and addresses are not looked at", models, "holds_secret", lambda text: False),
    ("the config is not looked at", redaction, "holds_secret", lambda text: False),
    ("an address may hold a password", models, "bad_address", lambda text: ""),
    ("a refusal repeats what was given", redaction, "without_secrets", lambda text: text),
]


@pytest.mark.slow
@pytest.mark.usefixtures("keyed")
@pytest.mark.parametrize(("bug", "where", "name", "instead"), LAX, ids=[each[0] for each in LAX])
def test_a_key_that_is_taken_is_found(
    bug: str, where: Any, name: str, instead: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    monkeypatch.setattr(where, name, instead)
    counts = astray(tmp_path, [KEYS["GEMINI_API_KEY"]], [line for line in GIVEN if "openai" not in line and "/x" not in line])
    found = sum(counts[word] for word in WRONG)
    assert found
    table.caught(ASTRAY, bug, found)


# What a server repeats


SERVER = "KEYS: what a server repeats"


def words(events: Sequence[Event]) -> str:
    """All that a call gave, with its pieces joined."""
    text, reasoning, rest = "", "", []
    for event in events:
        match event:
            case Delta():
                text, reasoning = text + event.text, reasoning + event.reasoning
            case _:
                rest += [str(value) for value in dataclasses.asdict(event).values()]
    return "\n".join([text, reasoning, *rest])


def tell(bench: Bench, shape: str, where: str, text: str, size: int) -> list[Event]:
    """What a call gives whose server tells `text` somewhere."""
    BEHAVIOURS["tells"] = lambda r: PLACES[where](r, text, size)
    return bench.ask(shape, "tells", retries=1)


def told(bench: Bench, rounds: int, chance: random.Random) -> Counter[str]:
    """Lets a server tell all keys, in a random form at each place, `rounds` times; then looks at all that came of it."""
    counts: Counter[str] = Counter({HIT: 0, "replies that do not say so": 0})
    for _ in range(rounds):
        for where in PLACES:
            shape = chance.choice(SHAPES[:2] if where in OF_OPENAI else SHAPES)
            how = chance.choice(list(TOLD))
            keys = chance.sample(list(KEYS.values()), len(KEYS))
            text = all_told(TOLD[how], keys, chance.choice((" ", "\n", ", ", "")))
            events = tell(bench, shape, where, text, max(chance.choice((1, 3, 8, 60, 500)), len(text) // 100))
            end, said = events[-1], words(events)
            assert isinstance(end, End)
            counts["calls"] += 1
            counts["keys told"] += len(KEYS)
            counts[HIT] += hits(said).total()
            counts["replies that do not say so"] += REDACTED in said and not end.redacted
            counts["places taken out"] += said.count(REDACTED)
            counts["retries"] += sum(isinstance(event, Retry) for event in events)
    search(counts, bench.folder)
    return counts


@pytest.fixture(scope="module", autouse=True)
def begun(bench: Bench) -> None:
    """The child starts at once, while other tests run."""


@sized(fast=1, long=60)
def test_a_server_can_repeat_a_key_nowhere(rounds: int, bench: Bench, chance: random.Random, table: Table) -> None:
    counts = told(bench, rounds, chance)
    table.row(SERVER, counts)
    assert counts[HIT] == counts["replies that do not say so"] == 0, counts
    assert counts["places taken out"] > counts["calls"]
    assert counts["retries"] >= rounds


ALONE = """
m.BATCH = 0.0
from lifeline_tui.subjects.child.redaction import RedactedStream
feed = RedactedStream.feed
def alone(self, text):
    said = feed(self, text) + self._last[self._done :]
    self._last, self._done = "", 0
    return said
RedactedStream.feed = alone
"""
BLIND_CHILDREN = [
    ("the child takes nothing out", "m.Redaction.runs = lambda self, text: []"),
    ("the child takes nothing out of what is no text", "m.Batch.clean = lambda self, text: text"),
    ("the child looks at each piece alone", ALONE),
    ("the child knows whole keys alone", "import lifeline_tui.subjects.child.redaction as r; r.PIECE = 10_000"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "code"), BLIND_CHILDREN, ids=[bug for bug, _ in BLIND_CHILDREN])
def test_a_key_that_a_child_lets_through_is_found(bug: str, code: str, tmp_path: Path, chance: random.Random, table: Table) -> None:
    with Bench(tmp_path / "it", with_plant(code)) as blind:
        found = told(blind, 3, chance)[HIT]
    assert found
    table.caught(SERVER, bug, found)


# Every way in, and everything that is written


EVERYWHERE = "KEYS: every command, file and screen"
ALL = "\n".join(all_told(how) for how in (FORMS["plain"], FORMS["base64"], FORMS["URL"], TOLD["masked"]))


async def tells_every_key(r: Reply) -> None:
    """Answers with every key in the text, the reasoning, its own name and the end; when asked again, in an error."""
    if r.server.hits(str(r.seen.body["model"])) % 2:
        r.say.model = ALL
        await r.send(r.say.begin(), *map(r.say.reasoning, cut(ALL, 50)), r.say.text("ACTION: ANSWER\nANSWER: 4\n"))
        await r.send(*map(r.say.text, cut(ALL, 50)))
        await r.close()
    else:
        r.fail(401, {"error": {"message": f"Incorrect API key provided: {ALL}"}})


BEHAVIOURS["every-key"] = tells_every_key


async def run(lab: Lab, model: str, base: str) -> str:
    """The session of a run of two puzzles."""
    async with lab:
        (summary,) = await run_plan(lab, "baseline-20", model, api_base=base, repeats=1, seed=None, concurrency=1, limit=2)
    return str(summary["session"])


async def probed(lab: Lab, base: str) -> dict[str, Any]:
    async with lab:
        return await probe_model(lab, "hosted_vllm/every-key", base, report)


READS = (
    "show {id}",
    "show {id} --json",
    "replay {id} --all",
    "replay {id} --json",
    "sessions --json",
    "sessions --search ANSWER",
    *(
        f"export {{id}} --format {name}{more}"
        for name in ("session-jsonl", "attempts-csv", "markdown")
        for more in ("", " -o {home}/" + name)
    ),
    "export {id} --format markdown --blind",
    "import {home}/session-jsonl --db {home}/other.db",
    "verify",
    "doctor",
    "models --json",
    "plans list",
    "packs list",
)


def everywhere(bench: Bench, said: Callable[[], str]) -> Counter[str]:
    """A run and a probe against a server that tells all keys, and then every command that reads; what they wrote and left behind.
    `said` gives what went to this process's own output."""
    counts: Counter[str] = Counter({HIT: 0})
    db = Path(os.environ["LIFELINE_DB"])
    home = db.parent
    id = bench.child.run(run(lab(bench, db), "hosted_vllm/every-key", bench.server.url))
    facts = bench.child.run(probed(lab(bench, home / "none.db"), bench.server.url))
    out = [json.dumps(facts), said()]
    for line in READS:
        done = lifeline(*[word.format(id=id, home=home) for word in line.split()])
        assert done.code == 0, (line, done.err)
        out += [done.out, done.err]
    with Store(db) as store:  # what is in the write-ahead log is still there, too
        store.rename(id, "a title")
        search(counts, home, bench.folder)
    counts["commands"] += len(READS) + 2
    counts[HIT] += sum(hits(each).total() for each in out)
    counts["places taken out"] += "".join(out).count(REDACTED)
    return counts


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canaries in this process's own environment, and a notebook."""
    monkeypatch.setenv("LIFELINE_DB", str(tmp_path / "it.db"))
    for name, value in Watch(
        tmp_path / "watch"
    ).environ.items():  # so that nothing leaves this machine, whatever is taken for a model
        monkeypatch.setenv(name, value)
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("keyed")
def test_no_key_is_shown_or_stored(bench: Bench, capsys: pytest.CaptureFixture[str], table: Table) -> None:
    counts = everywhere(bench, lambda: "".join(capsys.readouterr()))
    table.row(EVERYWHERE, counts)
    assert counts[HIT] == 0, counts
    assert counts["places taken out"] > 100


@pytest.mark.slow
@pytest.mark.usefixtures("keyed")
def test_a_key_that_is_stored_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], table: Table) -> None:
    with Bench(tmp_path / "it", with_plant(BLIND_CHILDREN[0][1])) as blind:
        found = everywhere(blind, lambda: "".join(capsys.readouterr()))[HIT]
    assert found
    table.caught(EVERYWHERE, BLIND_CHILDREN[0][0], found)


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    below = children.get(pid, [])
    return below + [each for child in below for each in descendants(child)]


def whole_programs(home: Path, server: ModelServer) -> Counter[str]:
    """The command and the app as processes of their own, with a child each; also what `ps` shows of them."""
    counts: Counter[str] = Counter({HIT: 0})
    (home / "tmp").mkdir()
    environ = {**CANARIES, "TMPDIR": str(home / "tmp"), "LIFELINE_DB": str(home / "it.db")}
    words = ("--model", "hosted_vllm/every-key", "--api-base", server.url)
    go = threading.Event()

    async def waits(r: Reply) -> None:
        await asyncio.to_thread(go.wait, 60)
        await tells_every_key(r)

    def look(pid: int) -> None:
        for each in (pid, *descendants(pid)):
            counts["command lines"] += 1
            counts[HIT] += hits(command_line(each)).total()

    def at_work(process: subprocess.Popen[bytes], what: Callable[[], object]) -> None:
        server.arrived.clear()
        what()
        assert server.arrived.wait(60)
        look(process.pid)
        go.set()

    BEHAVIOURS["every-key"] = waits
    try:
        for said in (("run", "baseline-20", *words, "--limit", "2", "--json"), ("probe", *words)):
            server.arrived.clear()
            go.clear()
            with start(*said, **environ) as process:
                at_work(process, lambda: None)
                for out in process.communicate(timeout=60):
                    counts[HIT] += hits(out).total()
                    counts["places taken out"] += out.count(REDACTED.encode())
            counts["programs"] += 1
        go.clear()
        with Terminal("open", "--plan", "baseline-20", *words, **environ) as terminal:
            terminal.read(lambda: b"NEXT" in terminal.out, "the session", 60)
            at_work(terminal.process, lambda: terminal.send(b"n"))
            terminal.read(lambda: REDACTED.encode() in terminal.out, "the reply")
            for keys in (b"\x19", b"o"):  # copies the reply, and shows what the subject saw
                seen = len(terminal.out)
                terminal.send(keys)
                terminal.read(lambda seen=seen: len(terminal.out) > seen, repr(keys))
            terminal.send(b"\x11")
            assert terminal.ended() == 0
            counts["programs"] += 1
            counts[HIT] += hits(terminal.out).total()
            counts["places taken out"] += terminal.out.count(REDACTED.encode())
    finally:
        BEHAVIOURS["every-key"] = tells_every_key
    search(counts, home)
    return counts


@pytest.mark.slow
def test_no_program_tells_a_key(tmp_path: Path, table: Table) -> None:
    with ModelServer() as server:
        counts = whole_programs(tmp_path, server)
    table.row(EVERYWHERE, counts)
    assert counts[HIT] == 0, counts
    assert counts["command lines"] >= 6
    assert counts["places taken out"] > 0


def test_what_the_operator_types_is_kept_as_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = CANARIES["OPENAI_API_KEY"]
    monkeypatch.setenv("OPENAI_API_KEY", key)
    lab = Lab(Config(), tmp_path / "it.db", paced=False)

    async def typed() -> None:
        session = await lab.new("baseline-20", "sim/rational")
        await session.do("next")
        await session.do("free", {"text": f"my key is {key}", "in": "trunk"})
        await session.close()
        await lab.close()

    asyncio.run(typed())
    assert key in lifeline("show", "baseline-20", "--db", tmp_path / "it.db").out


# Keys in files


ELSEWHERE = "KEYS: keys in files of other tools"
LEFT_ABOUT = {
    ".netrc": "machine 127.0.0.1\nlogin me\npassword {}\n",
    ".aws/credentials": "[default]\naws_access_key_id = {0}\naws_secret_access_key = {0}\n",
    ".config/litellm/github_copilot/access-token": "{}",
    ".config/litellm/xai_oauth/auth.json": '{{"access_token": "{}"}}',
    ".config/litellm/chatgpt/auth.json": '{{"access_token": "{}"}}',
}
STRAY = "gho-left-about-0123456789"


def left_about(folder: Path, main: str = USUAL) -> Counter[str]:
    """Calls from a home that holds keys of other tools: whether the server, or anybody, is sent one."""
    counts: Counter[str] = Counter({"files": len(LEFT_ABOUT), "keys sent": 0, "requests elsewhere": 0})
    for name, text in LEFT_ABOUT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.format(STRAY))
    with Bench(folder, main) as bench:
        bench.server.reply = lambda body: "ANSWER: 4"
        for shape in (*SHAPES, "openai_like", "xai"):
            bench.child.ask(f"{shape}/happy", bench.base(shape))
            counts["calls"] += 1
        for model in ("github_copilot/gpt-4o", "chatgpt/gpt-5"):
            with suppress(SubjectError):
                bench.child.ask(model, None)
            counts["calls"] += 1
        for seen in bench.server.seen:
            counts["keys sent"] += any(
                each in json.dumps(seen.headers) for each in (STRAY, base64.b64encode(f"me:{STRAY}".encode()).decode())
            )
        counts["requests elsewhere"] += len(elsewhere(bench.watch.tried("connection", "name"), at(bench.server.url)))
    return counts


def test_no_key_is_taken_from_a_file_of_another_tool(tmp_path: Path, table: Table) -> None:
    counts = left_about(tmp_path / "it")
    table.row(ELSEWHERE, counts)
    assert counts["keys sent"] == counts["requests elsewhere"] == 0, counts


@pytest.mark.slow
def test_a_key_that_is_taken_from_a_file_is_found(tmp_path: Path, table: Table) -> None:
    let_in = without(worker.Calls.place, "self.litellm.constants.PROVIDERS_THAT_AUTHENTICATE_ON_PROVIDER_INFO", "()")
    code = let_in + "\n" + without(worker.load_litellm, ", HOME=os.devnull", "")
    counts = left_about(tmp_path / "it", with_plant(code))
    found = counts["keys sent"] + counts["requests elsewhere"]
    assert found
    table.caught(ELSEWHERE, "whoever signs in by itself is let in, and finds its files", found)
