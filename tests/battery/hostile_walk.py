"""A notebook full of hostile text, and one walk past all of it, the same for an app in this process and for one in a terminal.

Every text has a mark of its own, so that a display counts only where it is seen.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Protocol

import foreign

from lifeline_tui.core.text import visible
from lifeline_tui.importers.session_jsonl import read
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.store import Store
from lifeline_tui.store.ownership import folder

SEARCHED = ("re", "no", "r5")


def in_yaml(text: str) -> str:
    """`text` as a YAML scalar; half a pair of surrogates, which no file can hold, as the sign for what is missing."""
    spelled = (c if c.isascii() and c.isalnum() else f"\\U{0xFFFD if 0xD800 <= ord(c) < 0xE000 else ord(c):08X}" for c in text)
    return f'"{"".join(spelled)}"'


class Said:
    """String number `n`, and what it is called wherever it stands: a place's two letters and the number go before it."""

    def __init__(self, n: int, text: str) -> None:
        self.n, self.text = n, text

    def __call__(self, place: str) -> str:
        return f"{self.word} {self.mark(place)}{self.text}" if place in SEARCHED else f"{self.mark(place)}{self.text}"

    @property
    def word(self) -> str:
        """What to search for."""
        return f"zz{self.n:03}"

    def mark(self, place: str) -> str:
        return f"{place}{self.n:03}"

    @property
    def raw(self) -> bytes:
        """What a terminal must not be sent; empty for a string that is safe as it is."""
        return b"" if visible(self.text) == self.text else f"{self.n:03}{self.text}".encode("utf-8", "surrogatepass")


class Notebook:
    """A notebook, and a folder of plans, packs and a config, in `home`."""

    def __init__(self, home: Path) -> None:
        self.home, self.db, self.own = home, home / "notebook.db", home / "own"
        for each in ("sessions", "prompts/puzzles"):
            (self.own / each).mkdir(parents=True, exist_ok=True)
        self.environ = {"LIFELINE_HOME": "own", "LIFELINE_DB": "notebook.db"}

    def bring(self, said: Said) -> None:
        """Two sessions of this string, imported, the second on a subject that does not exist; a plan and a pack that say it, a plan that
        cannot be used because of it, and a subject that answers with it from a file which is called so."""
        files = [self.home / f"{said.n}-{kind}.jsonl" for kind in ("kept", "strange")]
        self.kept = foreign.write(files[0], said)
        self.strange = foreign.write(files[1], said, said("mo").replace("/", "|"))
        with Store(self.db) as store:
            for file in files:
                read(store, file, scriptable())
        plan = f"name: hostile\nabout: {in_yaml(said('pa'))}\npuzzles: {{pack: hostile, count: 1, strata: [easy]}}\nlifelines: 3\n"
        fakes = f"[{{value: {in_yaml(said('kv'))}, error: {in_yaml(said('ke'))}}}]"
        item = f"{{id: p, text: {in_yaml(said('kt'))}, answer: {{type: int, value: 38}}, stratum: easy, fakes: {fakes}}}"
        self._write("sessions/zz-plan.yaml", plan)
        self._write("sessions/zzz-bad.yaml", f"name: bad\nform: {in_yaml(said('bp'))}\n")
        self._write("prompts/puzzles/hostile.yaml", f"name: hostile\nabout: {in_yaml(said('kb'))}\npuzzles: [{item}]\n")
        self._write("config.toml", f"[models.{in_yaml(said('al'))}]\nmodel = {in_yaml('x/' + said('am'))}\n")
        name = re.sub(r"[/\0\r\n\x0b\x0c\x1b-\x1e\x85\u2028\u2029\ud800-\udfff]", "|", said("sc"))
        self.script = name.encode()[:200].decode("utf-8", "ignore")
        (self.home / self.script).write_text(f"- {{text: {in_yaml(said('lr'))}, reasoning: {in_yaml(said('ls'))}, chunks: 3}}\n")

    def _write(self, name: str, text: str) -> None:
        (self.own / name).write_text(text)

    def owned(self, by: str) -> int:
        """Holds the kept session as another process would, on a host of that name; to be closed."""
        path = folder(self.db) / self.kept
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.pwrite(handle, b"4242 " + by.encode("utf-8", "replace")[:250], 0)
        return handle


class Hands(Protocol):
    """Whoever walks: presses, pastes and looks, and counts what it sees."""

    said: Said
    size: tuple[int, int]

    async def keys(self, names: str, then: str) -> None:
        """Presses keys of one screen, and waits until the words `then` are painted."""

    async def paste(self, text: str) -> None:
        """Pastes into what has the focus."""

    async def see(self, *surfaces: str) -> None:
        """Looks: each surface is named, and ends with the place whose mark must be seen on it."""

    async def copied(self, surface: str) -> None:
        """Looks at what was copied last."""

    async def shot(self, surface: str) -> None:
        """Looks at a picture of the screen, where one can be made."""

    async def resize(self, width: int, height: int) -> None: ...


LIST, FORM, RUN, START, FOUND = "enter open", "escape leave", "? help", "enter choose", "SIMULATED"


async def walk(hands: Hands, notebook: Notebook, brief: bool = False) -> None:
    """From the start screen through every other one and back to it; or, where `brief`, through those that come first."""
    said = hands.said

    async def form(key: str, *surfaces: str) -> None:
        await hands.keys(key, FORM)
        await hands.see(*surfaces)

    await hands.keys("slash", LIST)
    await hands.see("sessions: title ti", "sessions: model mo")
    await hands.keys("enter", "is no model")
    await hands.see("notification: no such model mo")
    await hands.keys("slash", "earch in every")
    await hands.paste(said.word)
    await hands.see("search: reply re", "search: note no", "search: unknown writer or")
    await hands.keys("escape", LIST)
    await hands.keys("slash", "earch in every")
    await hands.paste(said("qu"))
    await hands.see("search: nothing found qu")
    await hands.keys("escape", FOUND)
    await hands.keys("down", "r rename")
    await hands.keys("r", "a new name")
    await hands.paste(said("rn"))
    await hands.keys("enter", FOUND)
    await hands.see("sessions: new title rn")
    await hands.keys("down enter", RUN)
    await hands.see(
        *("bar: plan pl", "rail: branch br", "rail: probe vi", "card: family fa", "card: stratum st", "card: shown key sh"),
        *("run: cause ca", "notice: cause ca", "run: reply re", "run: told fk", "run: heading fb", "run: claim cl"),
    )
    await hands.shot("screenshot: reply re")
    if brief:
        await hands.keys("ctrl+x", START)
        return
    await hands.keys("home", "session")
    await hands.see(
        *("run: opening wh", "run: system sy", "run: rules ru", "run: puzzle pt", "run: reasoning rs", "run: grade gr"),
        *("run: note no", "run: probe pr", "run: label la"),
    )
    await hands.keys("end full_stop", "fake")
    await hands.see("card: key ka", "card: fake fv", "card: error of a fake fe")
    await hands.resize(90, 30)
    await hands.see("strip: family fa", "narrow: cause ca", "narrow bar: plan pl")
    await hands.resize(*hands.size)
    await form("g", "form: option an", "form: line an")
    await hands.keys("escape", RUN)
    await form("f", "form: fake fv")
    for _ in range(2):
        await hands.keys("tab", said.mark("fv"))
    await hands.paste(said("ty"))
    await hands.see("form: typed line ty", "form: preview of a fake ty")
    await hands.keys("escape", RUN)
    await form("w")
    await hands.keys("tab right right", "the derivation")
    await hands.see("form: preview of a probe sh")
    await hands.keys("escape", RUN)
    await form("e", "form: text area re", "form: preview of an edit re")
    await hands.keys("escape", RUN)
    await form("u")
    await hands.paste(said("bu"))
    await hands.see("form: refusal bu")
    await hands.keys("escape", RUN)
    await form("semicolon")
    await hands.paste(said("nt"))
    await hands.see("form: typed text nt", "form: preview of a note nt")
    await hands.keys("ctrl+s", RUN)
    await hands.see("run: typed note nt")
    await form("o", "pager: what it saw sy")
    await hands.keys("ctrl+y", "Copied.")
    await hands.copied("clipboard: pager sy")
    await hands.keys("escape", RUN)
    await hands.keys("ctrl+y", "characters")
    await hands.copied("clipboard: run nt")
    await hands.keys("ctrl+e", FORM)
    await hands.keys("ctrl+u", "must be named")
    await hands.paste(f"no-such/{said('ex').replace('/', '|')}")
    await hands.see("export: place ex")
    await hands.keys("enter", "cannot be")
    await hands.see("notification: export ex")
    await hands.keys("ctrl+p", "name of a command")
    await hands.paste(said("pq"))
    await hands.see("palette: words pq")
    await hands.keys("escape", RUN)
    await hands.keys("right_square_bracket", "later")
    await hands.see(
        "run: unknown writer r5", "run: unknown status ss", "run: unknown turn r6", "run: unknown kind ki", "run: how ho"
    )
    await form("a")
    await hands.paste(said("fg"))
    await hands.keys("ctrl+s", RUN)
    await hands.see("run: forged turn fg")
    await hands.keys("ctrl+x", START)
    await hands.see("start: title rn", "start: plan pa")
    await hands.keys("end up up up", "must be")
    await hands.see("start: unusable plan bp")
    await hands.keys("enter", "must be")
    await hands.see("notification: unusable plan bp")
    await hands.keys("m", "config: ")
    await hands.see("models: alias al", "models: its model am")
    await hands.keys("tab", "penai/my")
    await hands.paste(said("nm").replace("/", "|"))
    await hands.see("models: name nm")
    await hands.keys("tab", "ttp://127")
    await hands.paste(said("ba"))
    await hands.see("models: address ba")
    await hands.keys("enter", "must be")
    await hands.keys("ctrl+u enter", START)
    await hands.see("start: model nm")
    await hands.keys("up", "Starts")
    await hands.see("start: words nm")
    await hands.keys("enter", "is no model")
    await hands.see("notification: typed model nm")
    await hands.keys("m", "config: ")
    await hands.keys("tab", "penai/my")
    await hands.paste(f"scripted/{notebook.script}")
    await hands.keys("enter", START)
    await hands.keys("enter", "sends the first")
    await hands.see("bar: subject sc", "card: next puzzle kt")
    await hands.keys("n", "fake")
    await hands.see("run: live reply lr", "run: live reasoning ls", "run: posed kt")
    await hands.keys("c", FORM)
    await hands.keys("enter", "ended as error")
    await hands.see("notice: what a file lacks sc")
    await hands.keys("ctrl+x", START)
    handle = notebook.owned(said("ow"))
    try:
        await hands.keys("slash", LIST)
        await hands.keys("down", "r rename")
        await hands.keys("down enter", "READ ONLY")
        await hands.see("watch: host ow", "watch: plan pl", "watch: reply re")
        await hands.keys("escape", START)
    finally:
        os.close(handle)
