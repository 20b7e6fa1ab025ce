"""Things done to a notebook on a disk that fails, cuts the power or kills at one exact operation.

Run as a program with the shim preloaded: `SCENARIO SEED ROUNDS FOLDER HOW …`.  HOW is the name of an error with `-once` or `-until-mended`,
or KILL, or POWER.  Each round is a fork of its own, in which the fault comes at one of the scenario's operations: at each of them, or,
in fewer rounds, at as many that chance chose.  One JSON line says what came of it.  `PLANT` in the environment is code that breaks
something first.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]

from power import cut, operations  # noqa: E402
from store_cases import begin, reply  # noqa: E402

from lifeline_tui.core.nodes import Call, Reply, plain  # noqa: E402
from lifeline_tui.core.transcript import call_digest  # noqa: E402
from lifeline_tui.exporters import ExportError, write  # noqa: E402
from lifeline_tui.importers.session_jsonl import read  # noqa: E402
from lifeline_tui.interventions.types import Refusal  # noqa: E402
from lifeline_tui.loading.config import Config  # noqa: E402
from lifeline_tui.runs.sampling import sample  # noqa: E402
from lifeline_tui.session.lab import Lab  # noqa: E402
from lifeline_tui.store import Draft, Reader, Store, StoreError, Unkept  # noqa: E402
from lifeline_tui.store.migrations import migrations  # noqa: E402
from lifeline_tui.store.verify import verify  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "sessions" / "tour-anxious.jsonl"
HOW = {name: getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES")} | {"HALF": -1, "KILL": -2}
STEPS = (
    ("next", {}),
    ("reveal", {}),
    ("next", {}),
    ("fake", {}),
    ("note", {"text": "odd"}),
    ("next", {}),
    ("challenge", {}),
    ("verdict", {}),
)
LONG = "so it goes on " * 400
assert migrations

shim: Any = ctypes.CDLL(os.environ["LD_PRELOAD"]) if "LD_PRELOAD" in os.environ else None
if shim is not None:
    shim.shim_last.restype = ctypes.c_char_p


@dataclass
class Outcome:
    """What one run at one place said.  `acked`: ids of the rows that a call acknowledged; `told`: sentences about faults; `odd`: what
    was raised beside them; `lost`: texts that were received and are gone."""

    place: int
    fired: str = ""
    acked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    lost: int = 0
    ended: bool = False


class Run:
    """One run in a fork.  What it says goes to a pipe at once, so that a kill cannot take it back."""

    def __init__(self, folder: Path, pipe: int) -> None:
        self.folder, self.pipe = folder, pipe
        self.db = folder / "t.db"

    def say(self, kind: str, value: Any) -> None:
        os.write(self.pipe, json.dumps([kind, value]).encode() + b"\n")
        if kind == "acked":
            shim.shim_mark(json.dumps(value).encode())

    def trying(self, what: Callable[[], Any], sentences: tuple[type[Exception], ...] = (StoreError,)) -> Any:
        """Does it; a fault is told, the disk is mended, and it is done again."""
        try:
            return what()
        except sentences as error:
            self.say("told", str(error))
        except Exception as error:
            self.say("odd", f"{type(error).__name__}: {error}")
        self.mend()
        return what()

    def mend(self) -> None:
        self.say("fired", shim.shim_last().decode())
        shim.shim_arm(None, 0, 0, 0)


def first(run: Run) -> None:
    """A new notebook and its first turn."""
    store = run.trying(lambda: Store(run.db))
    session, *_ = run.trying(lambda: begin(store))
    run.say("acked", [node.id for node in store.nodes(session)])
    store.close()


def turns(run: Run) -> None:
    """Turns, checkpoints and folds of the write-ahead log in a notebook that is there already."""
    import lifeline_tui.store.database as database

    database.WAL_PAGES = 20
    store = run.trying(lambda: Store(run.db))
    session, _, call = run.trying(lambda: begin(store))
    for _ in range(6):
        run.trying(lambda: store.checkpoint(call, LONG))
        nodes, _ = run.trying(lambda: store.append(session, [Draft(reply(LONG))], parent=call, branch="main"))
        run.say("acked", [node.id for node in nodes])
        nodes, _ = run.trying(lambda: begin_again(store, session, nodes[-1].id))
        run.say("acked", [node.id for node in nodes])
        call = nodes[-1].id
    store.close()


def begin_again(store: Store, session: str, parent: str) -> Any:
    from store_cases import CALL, item

    return store.append(session, [Draft(item()), Draft(CALL)], parent=parent, branch="main")


def play(run: Run) -> None:
    """A session with hands: what an operator does, and does again after a fault."""
    asyncio.run(_play(run))


async def _play(run: Run) -> None:
    lab = Lab(Config(), run.db, paced=False)
    session = await _again(run, lambda: lab.new("liar-realtime", f"scripted/{run.folder.parent / 'script.yaml'}", limit=3))
    for name, values in STEPS:
        run.say("acked", list(session.tree.nodes))
        before = len(session.tree.nodes)
        try:
            await session.do(name, values)
        except StoreError as error:
            run.say("told", str(error))
            run.say("kept", session.partial is not None)
            run.mend()
            await session.save()
            if len(session.tree.nodes) == before and session.refusal(name) is None:
                await session.do(name, values)
        except Refusal as why:
            run.say("odd", f"refused: {why}")
        except Exception as error:
            run.say("odd", f"{name}: {type(error).__name__}: {error}")
            run.mend()
    run.say("acked", list(session.tree.nodes))
    run.say(
        "open", [node.id for node in session.tree.nodes.values() if isinstance(node.body, Call) and not session.tree.kids(node.id)]
    )
    await _again(run, session.close)
    await _again(run, lab.close)


def samples(run: Run) -> None:
    """Sixteen samples in flight at once."""
    asyncio.run(_samples(run))


async def _samples(run: Run) -> None:
    lab = Lab(Config(), run.db, paced=False)
    session = await _again(run, lambda: lab.new("liar-realtime", f"scripted/{run.folder.parent / 'script.yaml'}", limit=3))
    for _ in range(2):
        try:
            if session.refusal("next") is None and not session.state().attempts:
                await session.do("next")
            await sample(session, session.tip, 16, at_once=16)
            break
        except StoreError as error:
            run.say("told", str(error))
            run.mend()
            await session.save()
            run.say("lost", bool(session.unsaved or session.partials))
        except Exception as error:
            run.say("odd", f"sample: {type(error).__name__}: {error}")
            run.mend()
    run.say("acked", list(session.tree.nodes))
    calls = [node for node in session.tree.nodes.values() if isinstance(node.body, Call)]
    run.say("open", [node.id for node in calls if not session.tree.kids(node.id)])
    await _again(run, session.close)
    await _again(run, lab.close)


def leave(run: Run) -> None:
    """A session by hand on a disk that stays full: at the first fault the operator gives up and leaves."""
    asyncio.run(_leave(run))


def strand(run: Run) -> None:
    """The same where the folder for temporary files is on that disk, too."""
    tempfile.tempdir = str(run.folder)
    asyncio.run(_leave(run))


async def _leave(run: Run) -> None:
    lab = Lab(Config(), run.db, paced=False)
    try:
        session = await lab.new("liar-realtime", f"scripted/{run.folder.parent / 'script.yaml'}", limit=3)
    except StoreError as error:
        return run.say("told", str(error))
    for name, values in STEPS:
        run.say("acked", list(session.tree.nodes))
        try:
            await session.do(name, values)
        except StoreError as error:
            run.say("told", str(error))
            break
    kept = next(iter(session.unsaved.values()), None)
    place = run.folder.parent / f"{run.folder.name}-elsewhere.db"
    if kept is not None:
        await session.save_elsewhere(place)
        run.say("lost", _missing(place, kept.reply))
    try:
        await session.close()
        run.say("lost", kept is not None)
    except Unkept as error:
        run.say("told", str(error))
        run.say("lost", kept is None or error.text != plain(kept.reply.spans))
    except StoreError as error:
        run.say("told", str(error))
        rescued = re.search(r"--db (\S+/rescued\.db)", str(error))
        run.say("lost", rescued is None or kept is None or _missing(Path(rescued[1]), kept.reply))
    return None


def _missing(notebook: Path, reply: Reply) -> bool:
    with Reader(notebook) as store:
        return bool(verify(store, digest_of=call_digest)) or reply not in [
            n.body for row in store.sessions() for n in store.nodes(row.id)
        ]


async def _again(run: Run, what: Callable[[], Any]) -> Any:
    try:
        return await what()
    except StoreError as error:
        run.say("told", str(error))
    except Exception as error:
        run.say("odd", f"{type(error).__name__}: {error}")
    run.mend()
    return await what()


def bring(run: Run) -> None:
    """An import."""
    store = run.trying(lambda: Store(run.db))
    session, _ = run.trying(lambda: read(store, TOUR))
    run.say("acked", [node.id for node in store.nodes(session)])
    store.close()


def send(run: Run) -> None:
    """Exports over older ones."""
    for format in ("attempts-csv", "session-jsonl", "markdown"):
        out = run.folder / format

        def export(format: str = format, out: Path = out) -> None:
            with Reader(run.db) as store, store.moment():
                write(format, store, [store.sessions()[0].id], out)

        run.trying(export, (StoreError, ExportError))
        run.say("acked", [f"exported {format}"])


SCENARIOS: dict[str, Callable[[Run], None]] = {
    "first": first,
    "turns": turns,
    "play": play,
    "samples": samples,
    "leave": leave,
    "strand": strand,
    "import": bring,
    "export": send,
}
FRESH = {"first"}


def prepare(scenario: str, folder: Path) -> None:
    """What the scenario finds: for most, a notebook with a session in it."""
    (folder / "script.yaml").write_text(
        "".join(f'- {{text: "ACTION: ANSWER\\nANSWER: {n}\\n{LONG}", chunks: 5}}\n' for n in range(40))
    )
    if scenario not in FRESH:
        with Store(folder / "before.db") as store:
            read(store, ROOT / "sessions" / "tour-rational.jsonl")


def once(scenario: str, how: str, times: int, place: int, folder: Path, log: str = "") -> Outcome:
    """Runs the scenario in a fork, with a fault at `place`."""
    here = folder / f"{place}"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir(mode=0o700)
    if scenario not in FRESH:
        shutil.copy(folder / "before.db", here / "t.db")
    if scenario == "export":
        for format in ("attempts-csv", "session-jsonl", "markdown"):
            (here / format).write_text("as it was")
    ours, theirs = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(ours)
            run = Run(here, theirs)
            if log:
                shim.shim_log(log.encode())
            shim.shim_arm(str(here).encode(), place, times, HOW[how])
            SCENARIOS[scenario](run)
            run.say("fired", shim.shim_last().decode())
            run.say("ended", shim.shim_seen())
            status = 0
        except BaseException as error:
            os.write(theirs, json.dumps(["odd", f"ended by {type(error).__name__}: {error}"]).encode() + b"\n")
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = [json.loads(line) for line in pipe if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    out = Outcome(place)
    for kind, value in said:
        match kind:
            case "acked":
                out.acked += value
            case "told" | "odd":
                getattr(out, kind).append(value)
            case "fired":
                out.fired = out.fired or value
            case "lost":
                out.lost += value
            case "open" if value:
                out.odd.append(f"calls left open: {value}")
            case "ended":
                out.ended, out.place = True, place or value
    if os.WIFSIGNALED(status):
        out.fired = out.fired or signal.Signals(os.WTERMSIG(status)).name
    return out


def judged(out: Outcome, folder: Path, scenario: str, how: str) -> dict[str, int]:
    """The faults, as the notebook shows them afterwards."""
    here = folder / f"{out.place}"
    faults = dict.fromkeys(("acknowledged lost", "text lost", "damaged", "not opened", "half done"), 0)
    db = here / "t.db"
    if scenario == "export":
        for format in ("attempts-csv", "session-jsonl", "markdown"):
            text = (here / format).read_text()
            whole = text.endswith("\n") and (format != "session-jsonl" or '"kind":"end"' in text.splitlines()[-1].replace(" ", ""))
            faults["half done"] += text != "as it was" and not whole
            faults["acknowledged lost"] += f"exported {format}" in out.acked and text == "as it was"
        # A killed process cannot take its temporary file away, nor can one whose disk refuses that, too.
        faults["half done"] += out.ended and out.fired != "unlink" and any(each.name.startswith(".") for each in here.iterdir())
        return faults
    try:
        with Store(db) as store:
            nodes = {node.id: node.body for row in store.sessions(include_hidden=True) for node in store.nodes(row.id)}
            faults["acknowledged lost"] = len(set(out.acked) - set(nodes))
            replies = [nodes.get(id) for id in out.acked if scenario in ("turns", "play", "samples")]
            faults["text lost"] = sum(not plain(body.spans).endswith(LONG) for body in replies if isinstance(body, Reply))
            for row in store.sessions(include_hidden=True):
                store.own(row.id)
            found = verify(store, digest_of=call_digest if scenario in ("play", "samples", "leave", "strand", "import") else None)
            # A power cut leaves such a log where nothing had been acknowledged, and a write that ends in the middle where all that was
            # acknowledged is in the file: whether that is so is counted above.
            torn = sum("write-ahead log" in str(each) for each in found)
            faults["told of a torn log"] = torn if how.startswith(("POWER", "HALF")) else 0
            faults["damaged"] = len(found) - faults["told of a torn log"]
            begin(store)
            if scenario == "import":
                rows = [row.nodes for row in store.sessions() if row.title not in ("one",)]
                faults["half done"] = sum(nodes not in WHOLE for nodes in rows)
    except StoreError:
        faults["not opened"] = 1
    except Exception:  # rows that cannot be read
        faults["damaged"] += 1
    return faults


def power(scenario: str, folder: Path, rounds: int, chance: random.Random) -> None:
    """The scenario once, and then cuts of the power behind operations of it."""
    log = folder / "log"
    once(scenario, "EIO", 0, 0, folder, str(log))
    note_whole(scenario, folder)
    ops = operations(log)
    before = {str(folder / "0" / "t.db"): (folder / "before.db").read_bytes()} if scenario not in FRESH else {}
    for place in sorted(chance.choices(range(1, len(ops) + 1), k=rounds)):
        shutil.rmtree(folder / "0")
        files, acked = cut(ops, place, before, chance)
        for path, data in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(data)
        (folder / "0").mkdir(exist_ok=True)
        out = Outcome(0, "power cut", acked)
        print(
            json.dumps(asdict(out) | {"how": "POWER", "place": place, "faults": judged(out, folder, scenario, "POWER")}), flush=True
        )


WHOLE: set[int] = set()


def note_whole(scenario: str, folder: Path) -> None:
    """How large the sessions are that an import leaves, if it leaves any."""
    if scenario == "import":
        with Reader(folder / "0" / "t.db") as store:
            WHOLE.update(row.nodes for row in store.sessions())


def main() -> None:
    scenario, seed, rounds, base, *hows = sys.argv[1:]
    exec(os.environ.get("PLANT", ""), {})  # noqa: S102
    folder, chance = Path(base), random.Random(seed)
    prepare(scenario, folder)
    for how in hows:
        if how == "POWER":
            power(scenario, folder, int(rounds), chance)
        else:
            faults(scenario, folder, int(rounds), chance, how)


def faults(scenario: str, folder: Path, rounds: int, chance: random.Random, how: str) -> None:
    """The scenario with a fault at each of `rounds` places."""
    error, _, until = how.partition("-")
    whole = once(scenario, "EIO", 0, 0, folder)
    note_whole(scenario, folder)
    places = range(1, whole.place + 1)
    for place in sorted(chance.sample(places, min(rounds, len(places)))):
        out = once(scenario, error, -1 if until == "until-mended" else 1, place, folder)
        out.odd += whole.odd
        found = judged(out, folder, scenario, how)
        found["text lost"] += out.lost
        if out.ended and scenario not in ("leave", "strand"):
            found["text lost"] += len(set(out.acked)) < len(set(whole.acked))
        print(json.dumps(asdict(out) | {"how": how, "faults": found}), flush=True)
        shutil.rmtree(folder / str(place))


if __name__ == "__main__":
    main()
