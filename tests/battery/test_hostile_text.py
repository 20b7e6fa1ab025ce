"""Text that means harm, on every surface that displays any: what reaches the terminal is painting and nothing else.

Each string comes in by the doors that are there for it: a model's reply, an imported session, a plan, a pack, the config, a name, a
paste, an argument.  The mass of strings goes over the app's surfaces in this process; real processes in real terminals prove that
what is painted is what is written.  No control gets through, nothing is done, no link is opened, and no key waits.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import foreign
import pytest
from app_cases import rest
from hostile import HOSTILE
from hostile_cli import displayed, in_argv, jobs
from hostile_hands import FAULTS, KEYS, Eyes, Here, Tape, There, Watched, bytes_of, painted, unpainted
from hostile_walk import START, Notebook, Said, walk
from hostile_widgets import PLACES, Careless
from model_server import BEHAVIOURS, ModelServer, Reply
from table import Table, sized
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip
from vt import Written

from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.loading.config import load_config
from lifeline_tui.store import Store
from lifeline_tui.tui import guard, show
from lifeline_tui.tui.screens import run as run_screen

ALL = list(HOSTILE.values())
RAW_SHOW = """
from lifeline_tui.tui import show
show.visible = lambda text: text
show.visible_line = lambda text, limit=200: text[:limit]
"""
NO_GUARD = """
from textual.app import App
from lifeline_tui.tui.guard import Guarded
Guarded.get_line_filters = App.get_line_filters
"""
RAW_WORDS = """
from lifeline_tui.cli import output
output.visible = lambda text: text
output.visible_line = lambda text, limit=200: text[:limit]
"""
CRASH = """
import sys
from lifeline_tui.tui.screens.start import StartScreen
def fault(self):
    raise RuntimeError({0!a})
StartScreen.action_model = fault
"""


def strings(request: pytest.FixtureRequest, rounds: int, chance: random.Random) -> list[Said]:
    """Of the fast size a few by chance; of the long size this shard's share of all."""
    size = request.node.callspec.id
    shard = int(size.removeprefix("long")) if size.startswith("long") else None
    own = range(len(ALL)) if shard is None else range(shard, len(ALL), 2)
    numbers = sorted(chance.sample(own, min(rounds, len(own))))
    return [Said(number, ALL[number]) for number in numbers]


def some(*parts: str) -> list[Said]:
    """The first string with each of the parts."""
    return [next(Said(number, text) for number, text in enumerate(ALL) if part in text) for part in parts]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short name: a long one would push out of sight what stands behind it."""
    with tempfile.TemporaryDirectory(prefix="h") as name:
        monkeypatch.chdir(name)
        for variable, value in (made := Notebook(Path(name))).environ.items():
            monkeypatch.setenv(variable, value)
        yield made.home


async def screens(home: Path, said: list[Said]) -> Eyes:
    """Every string past every surface of the app, in this process."""
    eyes, notebook = Eyes(), Notebook(home)
    app = Watched(load_config(), notebook.db, paced=False)
    with unpainted():
        async with app.run_test(size=Here.size, tooltips=True, notifications=True) as pilot:
            await rest(pilot)
            hands = Here(pilot, eyes)
            for hands.said in said:
                notebook.bring(hands.said)
                app.config = load_config()
                await walk(hands, notebook)
                eyes.counts["strings"] += 1
            await app.leave()
    eyes.counts.update(app.done)
    return eyes


async def terminals(home: Path, said: list[Said], plant: str = "", brief: bool = False) -> Eyes:
    """The same walk in a terminal for each string, to the way out."""
    eyes = Eyes()
    with Tape(plant=plant, size=There.size, **Notebook(home).environ) as terminal:
        terminal.read(lambda: terminal.shows(START))
        terminal.send(b"q")
        terminal.ended()
        usual = Written(bytes(terminal.out)).controls
    for each in said:
        notebook = Notebook(home)
        notebook.bring(each)
        with Tape(plant=plant, size=There.size, **notebook.environ) as terminal:
            hands = There(terminal, each, eyes)
            terminal.read(lambda: terminal.shows("CONTINUE"))
            terminal.rest()
            await walk(hands, notebook, brief)
            terminal.send(b"q")
            eyes.counts["not given back"] += terminal.ended() != 0 or not terminal.given_back
            written = eyes.written(each, bytes(terminal.out), usual)
            eyes.counts["unapproved bytes"] += abs(len(written.copied) - hands.copies)
        eyes.counts["strings"] += 1
        if not brief:
            await opened(notebook, each, eyes, usual, plant)
    return eyes


async def opened(notebook: Notebook, said: Said, eyes: Eyes, usual: Counter[str], plant: str) -> None:
    """The app in a terminal, opened on what is not there."""
    asked = {"session os": ("open", in_argv(said("os"))), "plan op": ("open", "--plan", in_argv(said("op")).replace("/", "|"))}
    for what, words in asked.items():
        with Tape(*words, plant=plant, size=There.size, **notebook.environ) as terminal:
            await There(terminal, said, eyes).see(f"notification: no such {what}")
            terminal.rest()
            terminal.send(b"q")
            eyes.counts["not given back"] += terminal.ended() != 0 or not terminal.given_back
            eyes.written(said, bytes(terminal.out), usual)


def commands(home: Path, said: list[Said], plant: str = "") -> Eyes:
    """Every string in every command, each in the terminal."""
    eyes = Eyes()
    todo = []
    for each in said:
        (notebook := Notebook(home / str(each.n))).bring(each)
        todo += [(each, notebook, job) for job in jobs(notebook, each)]
        eyes.counts["strings"] += 1
    outs = displayed(home, [(notebook, job) for _, notebook, job in todo], plant)
    for (each, _, job), out in zip(todo, outs, strict=True):
        written = eyes.written(each, out, paints=False)
        eyes.displayed(each, written.text, *(f"{job.name} {place}" for place in job.places))
        crashed = "Traceback" in written.text and not job.plant
        eyes.counts["crashes"] += crashed
        if crashed:
            print(f"crashed: {job.name}: {written.text[-300:]!a}")
    eyes.counts["commands"] = len(todo)
    return eyes


async def kinds(said: list[Said]) -> Eyes:
    """Every string in every kind of widget, handed over raw, with markup where the kind parses any."""
    eyes, app = Eyes(), Careless()
    try:
        with unpainted():
            async with app.run_test(size=(100, 150), tooltips=True, notifications=True) as pilot:
                for each in said:
                    await app.show(each)
                    await pilot.hover(app.last)
                    patience = time.monotonic() + 60
                    while True:
                        strips = painted(app)
                        seen = "\n".join(strip.text for strip in strips)
                        there = all(each.mark(place) in seen for place in PLACES.values())
                        if app._exception or there or time.monotonic() > patience:
                            break
                        await pilot.pause(0.02)
                    eyes.written(each, bytes_of(app, strips))
                    eyes.styled(strips)
                    eyes.displayed(each, seen, *(f"{kind} {place}" for kind, place in PLACES.items()))
                    if "hit" in each.text:
                        eyes.counts["clicks"] += await clicked(pilot, strips)
                    eyes.counts["strings"] += 1
                    if app._exception is not None:
                        break
    except Exception:
        if app._exception is None:
            raise
    eyes.counts["crashes"] = int(app._exception is not None)
    eyes.counts.update(actions=app.actions, links=app.links)
    return eyes


async def clicked(pilot: Pilot[None], strips: list[Strip]) -> int:
    """Clicks on every word that markup would have made an action of; how many."""
    places = [(match.start(), y) for y, strip in enumerate(strips) for match in re.finditer("hit", strip.text)]
    for place in places:
        await pilot.click(offset=place)
    return len(places)


LINE = ("x" * 99 + "\u202e") * 50_000
BIG = {
    "a line of 5 MB": LINE,
    "3,000 headings": "".join(f"# Heading {n}\n\n[x](http://evil/{n}) list[int] \x1b[2J\n\n" for n in range(3000)),
}
PRESSED = """up down home end full_stop g escape f escape w escape a escape o end ctrl+y escape e x escape ctrl+y ctrl+e escape
ctrl+p escape ctrl+t right_square_bracket left_square_bracket r z slash slash escape escape escape"""
OPEN, ANSWER = 3.0, 1.0
"""Seconds that the first paint, and each key after it, may take."""


def slow(home: Path, texts: dict[str, str], plant: str = "") -> Counter[str]:
    """Opens a session whose replies are such a text, and presses every key.  What hangs is what keeps the processor busy for so long, or
    does not answer at all: how long the machine has something else to do says nothing."""
    counts = Counter(dict.fromkeys(("texts", "keys", "hangs", "unapproved bytes", "ms for the slowest key"), 0))
    for number, text in enumerate(texts.values()):
        notebook = Notebook(home)
        session = foreign.write(home / f"{number}.jsonl", lambda place, text=text: text if place == "re" else place)
        with Store(notebook.db) as store:
            read(store, home / f"{number}.jsonl")
        with Tape("open", session, plant=plant, size=(120, 40), **notebook.environ) as terminal:
            terminal.read(lambda: terminal.shows("? help"), seconds=60)
            terminal.rest()
            counts["hangs"] += terminal.worked > OPEN
            for key in PRESSED.split():
                before, since = terminal.worked, len(terminal.out)
                terminal.send(KEYS.get(key, key).encode())
                with suppress(AssertionError):
                    terminal.read(lambda: len(terminal.out) > since, seconds=10)
                terminal.rest()
                took = terminal.worked - before
                counts["hangs"] += took > ANSWER or len(terminal.out) == since
                counts["ms for the slowest key"] = max(counts["ms for the slowest key"], round(took * 1000))
                counts["keys"] += 1
            terminal.send(b"q")
            terminal.ended()
            beyond = Written(bytes(terminal.out)).harmful
            counts["unapproved bytes"] += beyond.total()
        counts["texts"] += 1
    return counts


def crashed(home: Path, said: list[Said], plant: str = "") -> Eyes:
    """The app ends on a fault of its own whose words hold every string."""
    eyes = Eyes()
    usual: Counter[str] = Counter()
    for words in ([], said):
        text = "\n".join(each("cr") for each in words)
        with Tape(plant=plant + CRASH.format(text), size=There.size, **Notebook(home).environ) as terminal:
            terminal.read(lambda: terminal.shows(START))
            terminal.rest()
            terminal.send(b"m")
            eyes.counts["not given back"] += terminal.ended() != 1 or not terminal.given_back
            out = bytes(terminal.out)
        if not words:
            usual = Written(out).controls
    for each in said:
        eyes.displayed(each, Written(out).text, "crash screen cr")
        eyes.counts["unapproved bytes"] += bool(each.raw) and each.raw in out
    eyes.counts["unapproved bytes"] += Written(out).beyond(usual).total()
    eyes.counts["strings"] = len(said)
    return eyes


def served(said: list[Said], plant: str = "") -> Eyes:
    """A run whose every session ends on an error of its server's, in the server's words; beside its progress bar."""
    eyes = Eyes()
    bar: set[str] = set()
    with ModelServer() as server, pytest.MonkeyPatch.context() as patch:
        for words in (["no harm"] * 2, [each("er") for each in said]):
            errors = iter(words)

            async def fail(reply: Reply, errors: Iterator[str] = errors) -> None:
                reply.fail(400, {"error": {"message": next(errors)}})

            patch.setitem(BEHAVIOURS, "evil", fail)
            asked = ("--model", "openai/evil", "--api-base", server.url, "--repeats", len(words), "--concurrency", 1)
            with Tape(
                "run", "lifelines-10", "--limit", 1, *asked, plant=plant, size=(400, 50), OPENAI_API_KEY="sk-none"
            ) as terminal:
                terminal.ended(300)
                written = Written(bytes(terminal.out))
            bar = bar or set(written.controls)
    for each in said:
        eyes.displayed(each, written.text, "run: a server's error er")
        eyes.counts["unapproved bytes"] += bool(each.raw) and each.raw in bytes(terminal.out)
    eyes.counts["unapproved bytes"] += (
        sum(n for control, n in written.controls.items() if control not in bar) + written.harmful.total()
    )
    eyes.counts["strings"] = len(said)
    return eyes


APP, TERMINAL = "HOSTILE TEXT: the app", "HOSTILE TEXT: the app in a terminal"
COMMANDS, WIDGETS = "HOSTILE TEXT: the command line, in a terminal", "HOSTILE TEXT: careless widgets of every kind"
LONG = "HOSTILE TEXT: a line of 5 MB, and 3,000 headings"
SECOND = ", where show() writes as it is and only the second guard is left"


def good(eyes: Eyes, row: str, table: Table) -> None:
    table.row(row, {**eyes.counts, "surfaces": len(eyes.surfaces)})
    assert eyes.counts["displays"] >= eyes.counts["strings"] > 0
    assert {word: eyes.counts[word] for word in (*FAULTS, "crashes", "not given back") if eyes.counts[word]} == {}


@sized(fast=1, long=len(ALL))
async def test_no_surface_of_the_app_obeys_a_text(
    rounds: int, home: Path, request: pytest.FixtureRequest, chance: random.Random, table: Table
) -> None:
    eyes = await screens(home, strings(request, rounds, chance))
    good(eyes, APP, table)


@sized(fast=1, long=12)
async def test_no_terminal_is_sent_more_than_painting(
    rounds: int, home: Path, request: pytest.FixtureRequest, chance: random.Random, table: Table
) -> None:
    eyes = await terminals(home, strings(request, rounds, chance), brief=rounds == 1)
    good(eyes, TERMINAL, table)


@sized(fast=1, long=len(ALL))
def test_no_command_writes_a_control(
    rounds: int, home: Path, request: pytest.FixtureRequest, chance: random.Random, table: Table
) -> None:
    eyes = commands(home, strings(request, rounds, chance))
    good(eyes, COMMANDS, table)


@sized(fast=2, long=len(ALL))
async def test_no_kind_of_widget_gets_a_text_past_the_guard(
    rounds: int, request: pytest.FixtureRequest, chance: random.Random, table: Table
) -> None:
    eyes = await kinds(strings(request, rounds, chance))
    good(eyes, WIDGETS, table)


@pytest.mark.slow
def test_a_fault_of_the_app_and_a_server_speak_plainly(home: Path, table: Table) -> None:
    said = [Said(number, text) for number, text in enumerate(ALL)]
    for row, eyes in (("crash screen", crashed(home, said)), ("errors of a server", served(said))):
        good(eyes, f"HOSTILE TEXT: {row}", table)


@pytest.mark.slow
def test_a_text_too_long_to_be_edited_in_place_is_edited_outside(home: Path) -> None:
    (home / "editor").write_text("#!/bin/sh\nprintf 'edited outside' > \"$1\"\n")
    (home / "editor").chmod(0o700)
    notebook = Notebook(home)
    session = foreign.write(home / "long.jsonl", lambda place: "x" * 200_000 if place == "re" else place)
    with Store(notebook.db) as store:
        read(store, home / "long.jsonl")
    with Tape("open", session, size=There.size, EDITOR=str(home / "editor"), **notebook.environ) as terminal:
        terminal.read(lambda: terminal.shows("? help"))
        terminal.rest()
        terminal.send(b"e")
        terminal.read(lambda: terminal.shows("200,000 characters, too many to be edited here"))
        terminal.rest()
        since = len(terminal.out)
        terminal.send(b"\x0f")
        terminal.read(lambda: terminal.shows("14 characters", since) and terminal.shows("edited outside", since))
        terminal.rest()
        since = len(terminal.out)
        terminal.send(b"\x13")
        terminal.read(lambda: terminal.shows("edited outside", since) and terminal.shows("? help", since))


@pytest.mark.slow
def test_no_text_is_so_long_that_a_key_waits(home: Path, table: Table) -> None:
    counts = slow(home, BIG)
    table.row(LONG, counts)
    assert counts["hangs"] == counts["unapproved bytes"] == 0


# Planted bugs


def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.Guarded, "get_line_filters", App.get_line_filters)


@pytest.mark.slow
async def test_without_the_guard_careless_widgets_are_obeyed(monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    unguarded(monkeypatch)
    eyes = await kinds(some("\x1b]52", "[@click=app.planted]"))
    assert min(eyes.counts[word] for word in ("unapproved bytes", "actions", "links")) > 0
    found = sum(eyes.counts[word] for word in FAULTS)
    table.caught(WIDGETS, "the guard of lines removed", found)


async def test_a_notification_that_is_markup_ends_the_app(monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.delattr(guard.Guarded, "notify")
    eyes = await kinds(some("[/INST]"))
    assert eyes.counts["crashes"] == 1
    table.caught(WIDGETS, "notifications unguarded", "a crash")


@pytest.mark.slow
def test_words_of_the_command_line_that_are_not_made_visible_are_found(home: Path, table: Table) -> None:
    eyes = commands(home, some("\x1b]52"), RAW_WORDS)
    assert eyes.counts["unapproved bytes"] > 0
    table.caught(COMMANDS, "say() and fail() write as it is", eyes.counts["unapproved bytes"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "bug",
    ["show() writes as it is", "… and the guard removed", "a widget given markup, and the guard removed", "clipboard unguarded"],
)
async def test_a_surface_that_obeys_is_found(bug: str, home: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    if "show" in bug or "…" in bug:
        monkeypatch.setattr(show, "visible", lambda text: text)
        monkeypatch.setattr(show, "visible_line", lambda text, limit=200: text[:limit])
    if "guard removed" in bug:
        unguarded(monkeypatch)
    if "markup" in bug:
        monkeypatch.setattr(run_screen, "shown", lambda text, style="": text)
    if "clipboard" in bug:
        monkeypatch.delattr(guard.Guarded, "copy_to_clipboard")
    eyes = await screens(home, some("[@click=app.planted]" if "markup" in bug else "\x1b]2;"))
    if bug.startswith("show"):
        good(eyes, APP + SECOND, table)
        return
    found = sum(eyes.counts[word] for word in FAULTS[1:])
    assert found > 0
    table.caught(APP + SECOND if bug.startswith("…") else APP, bug, found)


@pytest.mark.slow
async def test_the_second_guard_catches_what_the_first_lets_through(home: Path, table: Table) -> None:
    said = some("\x1b]2;")
    caught = await terminals(home, said, RAW_SHOW, brief=True)
    good(caught, TERMINAL + SECOND, table)
    through = await terminals(home, said, RAW_SHOW + NO_GUARD, brief=True)
    assert through.counts["unapproved bytes"] > 0
    for row in (TERMINAL, TERMINAL + SECOND):
        table.caught(row, "both guards removed", through.counts["unapproved bytes"])


@pytest.mark.slow
def test_a_crash_and_a_server_that_are_not_made_visible_are_found(home: Path, table: Table) -> None:
    said = some("\x1b]2;")
    eyes = crashed(home, said, "from lifeline_tui.tui import guard\nguard.visible = lambda text: text\n")
    assert eyes.counts["unapproved bytes"] > 0
    table.caught("HOSTILE TEXT: crash screen", "its words written as they are", eyes.counts["unapproved bytes"])
    eyes = served(
        said,
        "from lifeline_tui.cli import output\noutput.visible = lambda text: text\noutput.visible_line = lambda text, limit=200: text\n",
    )
    assert eyes.counts["unapproved bytes"] > 0
    table.caught("HOSTILE TEXT: errors of a server", "its words written as they are", eyes.counts["unapproved bytes"])


@pytest.mark.slow
def test_a_text_that_is_edited_in_place_whatever_its_length_is_found(home: Path, table: Table) -> None:
    plant = "from lifeline_tui.tui.screens import form\nform.IN_PLACE = 1 << 40\n"
    counts = slow(home, {"a line": LINE}, plant)
    assert counts["hangs"] > 0
    table.caught(LONG, "a text of any length is edited in place", counts["hangs"])
