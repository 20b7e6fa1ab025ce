"""Every command that displays a text of somebody else's, with what it needs to do so, and a process in a terminal that runs them.

The process imports once and forks for each command, so that thousands of them take minutes; each has the terminal for its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from foreign import column
from hostile_hands import Tape
from hostile_walk import Notebook, Said, in_yaml

from lifeline_tui.core.nodes import canonical

BETWEEN = b"\n=====next=====\n"
FORKS = f"""
import asyncio, json, os, sys, yaml, platformdirs, textual.binding
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
import lifeline_tui
from lifeline_tui import cli, exporters, families, importers, loading, runs, session, store, subjects
from lifeline_tui.cli.main import main
for package in (cli, exporters, importers, loading, runs, session, store):
    for module in walk_packages(package.__path__, package.__name__ + "."):
        import_module(module.name)
for job in json.loads(Path(os.environ["JOBS"]).read_text()):
    if not (child := os.fork()):
        os.chdir(job["place"])
        os.environ.update(job["environ"])
        os.dup2(os.open(job["stdin"], os.O_RDONLY), 0)
        sys.argv = ["lifeline", *job["words"]]
        exec(job["plant"])
        try:
            main()
        except SystemExit:
            pass
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, {BETWEEN!r})
sys.exit()
"""
FAULT = """
from lifeline_tui.cli import doctor
def findings(db):
    raise RuntimeError({0!a})
doctor.findings = findings
"""


@dataclass(frozen=True)
class Job:
    """One command: the marks of `places` must be seen in what it displays."""

    name: str
    words: tuple[str, ...]
    places: tuple[str, ...]
    stdin: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    plant: str = ""


def in_argv(text: str) -> str:
    """`text` as a process finds it among its arguments: bytes that are no UTF-8 among them, and no NUL."""
    return os.fsdecode(text.replace("\0", "").encode("utf-8", "surrogatepass"))


def in_path(text: str) -> str:
    """`text` as the name of a file."""
    return os.fsdecode(in_argv(text).replace("/", "|").encode("utf-8", "surrogateescape")[:200])


def jobs(notebook: Notebook, said: Said) -> Iterator[Job]:
    """Every command of one string, whose sessions, plans and files are in the notebook."""
    kept, places = notebook.kept, ("aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii", "jj")
    names = {place: in_argv(said(place)) for place in places}
    flat = {place: name.replace("/", "|") for place, name in names.items()}
    stored = all(not 0xD800 <= ord(char) < 0xE000 for char in said.text)  # of what cannot be, only that is said
    told = ("sy", "ru", "pt", "re", "rs", "fk", "pr", "ca", "la", "no", "an", "gr", "vi", "ti", "pl", "ho", "or", "ss")
    yield Job("show", ("show", kept), told)
    yield Job("show --json", ("show", kept, "--json"), ("re", "an", "fi", "mr", "by"))
    yield Job("show --branch", ("show", kept, "--branch", names["aa"]), ("aa",))
    yield Job("show: no such session", ("show", names["aa"]), ("aa",) if stored else ())
    yield Job("replay", ("replay", kept, "--all"), ("sy", "re", "rs", "fk", "ho", "cl"))
    yield Job("replay --json", ("replay", kept, "--json"), ("re", "fi", "pt"))
    yield Job("sessions", ("sessions",), ("ti", "mo"))
    yield Job("sessions --json", ("sessions", "--json"), ("ti", "mo", "pl"))
    yield Job("sessions --search", ("sessions", "--search", names["aa"]), ("aa",) if stored else ())
    yield Job("sessions: an argument more", ("sessions", names["bb"]), ("bb",))
    yield Job("export markdown", ("export", kept, "--format", "markdown"), told)
    row = ("an", "gr", "ka", "fa", "st", "pk", "fi", "mr", "pl", "fl")
    yield Job("export attempts-csv", ("export", kept, "--format", "attempts-csv"), row)
    yield Job("export session-jsonl", ("export", kept, "--format", "session-jsonl"), ("re", "an", "fi", "br", "ti"))
    yield Job("export -o", ("export", kept, "--format", "markdown", "-o", in_path(said("cc"))), ("cc",))
    yield Job("export -o: no folder", ("export", kept, "--format", "markdown", "-o", f"no-such/{in_path(said('dd'))}"), ("dd",))
    yield Job("export --format", ("export", "--format", names["ee"]), ("ee",))
    yield Job("no such command", (names["ff"],), ("ff",))
    yield Job("no such option", (f"--{names['gg']}",), ("gg",))
    yield Job("run --seed", ("run", "zz-plan", "--seed", names["hh"]), ("hh",))
    yield Job("run: no such plan", ("run", flat["ii"]), ("ii",))
    yield Job("run --model", ("run", "zz-plan", "--model", flat["jj"]), ("jj",))
    yield Job("run --model sim/", ("run", "zz-plan", "--model", f"sim/{names['jj']}"), ("jj",))
    yield Job("run --model scripted/", ("run", "zz-plan", "--model", f"scripted/no-such/{names['jj']}"), ("jj",))
    yield Job("run --api-base", ("run", "zz-plan", "--model", "openai/x", "--api-base", names["aa"]), ())
    yield Job("run", ("run", "lifelines-10", "--limit", "2", "--model", f"scripted/{notebook.script}"), ("sc",))
    yield Job("run --json", ("run", "zz-plan", "--model", f"scripted/{notebook.script}", "--json"), ("sc",))
    yield Job("run: a bad plan", ("run", "zzz-bad"), ("bp",))
    yield Job("plans list", ("plans", "list"), ("pa", "bp"))
    (notebook.home / f"raw-{said.n}.yaml").write_bytes(said("aa").encode("utf-8", "replace"))
    yield Job("plans show", ("plans", "show", f"./raw-{said.n}.yaml"), ("aa",))
    yield Job("plans show: no such plan", ("plans", "show", flat["bb"]), ("bb",))
    yield Job("plans check", ("plans", "check", "zzz-bad"), ("bp",))
    yield Job("plans check: a file", ("plans", "check", f"./{in_path(said('cc'))}.yaml"), ("cc",))
    yield Job("packs list", ("packs", "list"), ("kb",))
    yield Job("packs show", ("packs", "show", "hostile"), ("kt", "kv", "ke"))
    yield Job("packs show --json", ("packs", "show", "hostile", "--json"), ("kt", "kv", "ke"))
    yield Job("packs check", ("packs", "check", "hostile"), ("kv",))
    yield Job("packs check: no such pack", ("packs", "check", flat["dd"]), ("dd",))
    yield Job("import: no such file", ("import", f"no-such/{in_path(said('ee'))}"), ("ee",))
    for place, what, file in refused(notebook, said):
        yield Job(f"import: {what}", ("import", file), (place,) if stored or place not in ("i3", "i4") else ())
    yield Job("parse", ("parse",), ("pa",), json.dumps({"text": f"ACTION: ANSWER\nANSWER: {said('pa').strip()}"}))
    yield Job("grade", ("grade",), ("ty",), json.dumps({"type": said("ty"), "key": "1"}))
    others = {"LIFELINE_DB": tampered(notebook, said)}
    yield Job("verify", ("verify",), ("x0",), environ=others)
    yield Job("a notebook of others: sessions", ("sessions",), ("x0", "x1", "x2", "x3"), environ=others)
    for words in (("show", kept), ("export", "--format", "markdown"), ("export", "--format", "attempts-csv")):
        yield Job(f"a notebook of others: {words[-1] if words[1] != kept else 'show'}", words, ("x0",), environ=others)
    nowhere = {"LIFELINE_DB": f"no-such/{in_path(said('ff'))}", "LIFELINE_HOME": in_path(said("gg"))}
    yield Job("doctor", ("doctor",), ("ff", "gg"), environ=nowhere)
    yield Job("doctor: config", ("doctor",), ("th",), environ=settings(notebook, f"theme = {in_yaml(said('th'))}\n"))
    yield Job("models", ("models",), ("al", "am"))
    yield Job("models --json", ("models", "--json"), ("al", "am"))
    yield Job("probe", ("probe", "--model", flat["hh"]), ("hh",))
    yield Job("--db: no such file", ("--db", f"no-such/{in_path(said('aa'))}", "sessions"), ("aa",))
    yield Job("--db: no notebook", ("--db", notebook.script, "sessions"), ("sc",))
    yield Job("config: a value", ("models",), ("gl",), environ=settings(notebook, f"glyphs = {in_yaml(said('gl'))}\n"))
    yield Job("config: a field", ("models",), ("fd",), environ=settings(notebook, f"{in_yaml(said('fd'))} = 1\n"))
    yield Job("a fault of our own", ("doctor",), ("fa",), plant=FAULT.format(said("fa")))


def settings(notebook: Notebook, text: str) -> dict[str, str]:
    """A folder of its own for a config."""
    place = notebook.home / f"config-{len(list(notebook.home.glob('config-*')))}"
    place.mkdir()
    (place / "config.toml").write_text(text)
    return {"LIFELINE_HOME": str(place)}


def refused(notebook: Notebook, said: Said) -> Iterator[tuple[str, str, str]]:
    """Files that cannot be imported, each for another reason, which names what they hold."""
    lines = (notebook.home / f"{said.n}-kept.jsonl").read_text().splitlines()
    head, root, end = json.loads(lines[0]), json.loads(lines[1]), json.loads(lines[-1])
    made = {
        "i0 a kind": [head, {**root, "kind": said("i0")}],
        "i1 a field": [head, {**root, said("i1"): 1}],
        "i2 a version": [{**head, "version": said("i2")}, root],
        "i3 a parent": [head, {**root, "parent": said("i3")}],
        "i4 a branch": [head, root, {"kind": "branch", "name": said("i4"), "tip": said("i4")}],
    }
    for number, (what, rows) in enumerate(made.items()):
        text = "".join(canonical(row) + "\n" for row in rows)
        counts = {"nodes": 1, "annotations": 0, "branches": len(rows) - 2}
        text += canonical({**end, "counts": counts, "sha256": hashlib.sha256(text.encode()).hexdigest()}) + "\n"
        file = notebook.home / f"refused-{said.n}-{number}.jsonl"
        file.write_text(text)
        yield what[:2], what[3:], str(file)


IDS = {
    "nodes": ("id", "session", "parent", "root"),
    "annotations": ("id", "session", "node"),
    "branches": ("session", "tip", "name"),
    "sessions": ("id",),
}


def tampered(notebook: Notebook, said: Said) -> str:
    """A notebook whose maker went round the store: hostile ids, names and times in its very columns."""
    path = notebook.home / "others.db"
    with closing(sqlite3.connect(notebook.db)) as there, closing(sqlite3.connect(path)) as here:
        there.backup(here)
        triggers = here.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            here.execute(f"DROP TRIGGER {name}")
        for table, columns in IDS.items():
            here.execute(f"DELETE FROM {table} WHERE {'id' if table == 'sessions' else 'session'} <> ?", (notebook.kept,))
            for each in columns:
                here.execute(f"UPDATE {table} SET {each} = {each} || ?", (column(said("x0")),))
        row = [column(said(place)) for place in ("x1", "x2", "x3")]
        here.execute("UPDATE sessions SET title = ?, model = ?, updated_at = ?", row)
        for _, sql in triggers:
            here.execute(sql)
        here.commit()
    return str(path)


def displayed(home: Path, todo: list[tuple[Notebook, Job]], plant: str = "") -> list[bytes]:
    """What each command wrote to the terminal."""
    rows = []
    for number, (notebook, job) in enumerate(todo):
        stdin = home / f"stdin-{number}"
        stdin.write_text(job.stdin)
        environ = {**notebook.environ, **job.environ}
        asked = {"place": str(notebook.home), "words": job.words, "stdin": str(stdin), "environ": environ}
        rows.append({**asked, "plant": plant + job.plant})
    file = home / "jobs.json"
    file.write_text(json.dumps(rows))
    with Tape(plant=FORKS, size=(200, 50), JOBS=str(file)) as terminal:
        terminal.ended(900)
    parts = bytes(terminal.out).split(BETWEEN.replace(b"\n", b"\r\n"))
    assert len(parts) == len(todo) + 1, parts[-1][-2000:]
    return parts[:-1]
