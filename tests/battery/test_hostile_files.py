"""What somebody sends may be anything: it is taken or refused at once, in one line, and does nothing else.

Every bomb of `bombs` goes through every command that reads files of its kind: in this process, and in real ones that are weighed, timed
and heard (each connection, each process started, each file opened outside its place is an event of Python's audit).  What is refused is
refused with exit 2 and one line; nothing of it is in the notebook, and nothing is made or read outside.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import bomb_notebooks
import bombs
import pytest
from blasts import REFUSALS, Bomb, Judge, Outcome, Place, Starter, blown, filled, here, real_session
from bombs import PLACES, SIZES, Content
from table import Table, sized
from terminals import Terminal

from lifeline_tui.core import wording
from lifeline_tui.core.nodes import Origin, Span
from lifeline_tui.core.template import Template
from lifeline_tui.core.text import visible
from lifeline_tui.importers import fitting
from lifeline_tui.loading import entry, resources, strict_yaml
from lifeline_tui.loading import plans as plans_
from lifeline_tui.loading.config import Config
from lifeline_tui.session import opening
from lifeline_tui.session.lab import Lab
from lifeline_tui.store import Reader, database
from lifeline_tui.store.database import Database

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
    for name, make in bomb_notebooks.FOREIGN.items():
        yield Bomb(f"notebook read: {name}", notebook(make), READING, "any")
        yield Bomb(f"notebook written: {name}", notebook(make), WRITING, "damaged")
    for name, make in bomb_notebooks.TAMPERED.items():
        yield Bomb(f"notebook tampered with: {name}", notebook(make), (*READING, *WRITING), "any")
    for name, put in PLACES.items():
        if name in (
            "a folder",
            "a pipe",
            "a link to a pipe",
            "a terabyte",
        ):  # whither else a link leads is what was named: `test_places`
            yield Bomb(f"notebook's place: {name}", placed("in/bomb.db", put), (*READING[:-1], *WRITING), "damaged")
    for name, form in bombs.FORMS.items():
        if name not in SIZES and name not in ("nothing", "a line end"):
            yield Bomb(f"notebook: {name}", written("in/bomb.db", partial(form, "x\n")), (*READING[:-1], *WRITING), "damaged")


# A real session, to be changed


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    return real_session(tmp_path_factory.mktemp("real"))


@pytest.fixture
def place(tmp_path: Path, real: tuple[Path, list[str]]) -> Place:
    notebook, lines = real
    return Place(tmp_path / "place", notebook, lines)


def part(chosen: Sequence[Bomb], request: pytest.FixtureRequest, rounds: int, chance: random.Random) -> Sequence[Bomb]:
    """In the suite `rounds` bombs with a command or two each; at length all of them, shared out among the shards."""
    shard = request.node.callspec.id.removeprefix("long")
    if shard != "fast":
        return chosen[int(shard) :: 2]
    quick = [bomb for bomb in chosen if not any(word in bomb.name for word in SLOW)]
    few = chance.sample(quick, min(rounds, len(quick)))
    return [replace(bomb, words=tuple(chance.sample(bomb.words, min(2, len(bomb.words))))) for bomb in few]


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


@sized(fast=4, long=2, shards=2)
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


@sized(fast=6, long=2, shards=2)
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


@sized(fast=6, long=2, shards=2)
def test_a_session_of_somebody_elses_notebook_opens_or_says_why_not(
    place: Place, rounds: int, chance: random.Random, request: pytest.FixtureRequest, table: Table
) -> None:
    judge = taken_up(place, part(list(notebooks()), request, rounds, chance))
    reported(table, "notebooks taken up", judge, request.node.callspec.id)


@pytest.mark.parametrize(
    ("bug", "where", "name", "instead", "bomb"),
    [
        ("a row is taken for what it should be", Reader, "_read", lambda self, to, rows: [*map(to, rows)], "a body that is a list"),
        ("a plan is taken for one of ours", opening, "check_body", lambda *_: None, "an action nobody has, sealed anew"),
    ],
)
def test_a_planted_bug_in_taking_a_notebook_up_is_found(
    place: Place, monkeypatch: pytest.MonkeyPatch, table: Table, bug: str, where: Any, name: str, instead: Any, bomb: str
) -> None:
    chosen = called((notebooks(),), f"notebook tampered with: {bomb}")
    assert taken_up(place, chosen).found == 0
    monkeypatch.setattr(where, name, instead)
    found = taken_up(place, chosen).found
    assert found
    table.caught("HOSTILE FILES: notebooks taken up", bug, found)


@pytest.mark.parametrize("view", ["a queue of other types", "a queue of a part that is none", "a branch in view that is a list"])
def test_a_view_that_another_made_up_is_refused_in_a_sentence(place: Place, view: str) -> None:
    assert taken_up(place, called((notebooks(),), f"notebook tampered with: {view}")).faults == []


# In the app, where a person would meet them


def in_a_terminal(place: Place, rounds: int, plant: str = "") -> Counter[str]:
    """The app opened on bombs: it says what is wrong and can be left, the terminal as it was; with a bad config it does not open."""
    counts = Counter({"opened in a terminal": 0, "nothing said": 0, "not left in peace": 0})
    cases: list[tuple[Callable[[Place], object], tuple[str, ...], bytes, int]] = [
        (written("in/bomb.yaml", bombs.YAML["alias"]), ("--plan", f"{IN}.yaml"), b"alias", 0),
        (written("base/config.toml", b'api_key = "x"\n'), (), b"environment", 2),
        (notebook(bomb_notebooks.FOREIGN["sessions is a view that never ends"]), ("{session}", *DB), b"sessions", 0),
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
    true = strict_yaml._forbidden
    patch.setattr(strict_yaml, "_forbidden", lambda event, *rest: "" if getattr(event, "anchor", None) else true(event, *rest))


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
    patch.setattr(resources, "_leads", lambda file: file)


def _endless(patch: pytest.MonkeyPatch) -> None:
    for module in (entry, strict_yaml):
        patch.setattr(module, "MAX_DEPTH", 10**9)


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
import lifeline_tui.loading.strict_yaml as loading
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


def test_a_planted_bug_in_the_app_is_found(place: Place, table: Table) -> None:
    counts = in_a_terminal(place, 1, "import lifeline_tui.session.lab as lab\nlab.Lab.plan = lambda self, name: {}[name]\n")
    assert counts["not left in peace"]
    table.caught("HOSTILE FILES: bombs in the app", "a bad plan breaks the app", counts["not left in peace"])


def test_what_a_plan_may_set_of_a_subject_is_what_an_import_may() -> None:
    assert set(plans_.SAMPLING) == set(fitting.SAMPLED)
