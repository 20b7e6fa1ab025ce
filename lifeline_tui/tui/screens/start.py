"""The start screen: go on, begin anew, pick a model, take the tour.  A newcomer is two keys from a puzzle: enter, then n.

Painted before anything heavy is imported: plans are names of files until then, and stored sessions arrive a moment later.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ...loading.files import BadFile
from ...loading.resources import resources
from ...subjects.names import simulated
from ..host import Host
from ..show import shown, shown_line
from ..widgets.menu import Menu

if TYPE_CHECKING:
    from ...store import Session as Row

FIRST = "lifelines-10"
"""The plan under the cursor when the app opens."""

SETTLED = 0.05
"""Seconds from showing the screen to reading what is stored, so that the first paint and a first key need not wait for it."""

UNUSABLE = "cannot be used"

ABOUT = "Step a model through puzzles, tell it the truth or not, fork, keep all."

RECENT = 5
"""Sessions under CONTINUE."""

UNSENT = 2
"""Nodes of a session of which nothing was sent yet: its root, and a system prompt where the plan has one."""

AROUND, TALL = 6, 30
"""Lines around the list; and the height from which on there is room for blank ones between."""

NAME = 19
"""Cells of a title or name."""


class StartScreen(Screen[None]):
    """A list; enter does what it says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "model", "Pick a model", show=False, id="start.model"),
        Binding("t", "app.tour", "Tour", show=False, id="start.tour"),
        Binding("slash", "app.find", "Sessions", show=False, id="start.sessions"),
        Binding("question_mark", "app.help", "Help", show=False, id="start.help"),
        Binding("q", "app.quit", "Quit", show=False, id="start.quit"),
    ]
    DEFAULT_CSS = """
    StartScreen { align: center middle; }
    StartScreen > Vertical { width: 90%; max-width: 92; height: auto; max-height: 100%; }
    StartScreen #opening { width: auto; color: $text-muted; }
    StartScreen #title { text-style: bold; color: $primary; height: 1; }
    StartScreen #about { color: $text-muted; height: 1; }
    StartScreen OptionList {
        height: auto; border: none; padding: 0; background: $background; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    StartScreen OptionList:focus { border: none; background-tint: $background 0%; }
    StartScreen #words { height: 3; color: $text-muted; }
    StartScreen.tall #about { margin-bottom: 1; }
    StartScreen.tall #words { margin-top: 1; }
    StartScreen #keys { height: 1; color: $text-muted; }
    """

    app: Host

    def __init__(self, covered: bool = False) -> None:
        """`covered`: a session opens over it at once, so nothing of it is made until it is seen."""
        super().__init__()
        self.covered = covered
        self.stand = ""
        """The line of the session that was just left, until the cursor is on it."""
        self.abouts: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        if self.covered:
            what = f"{self.app.plan} on {self.app.model}" if self.app.plan else "the session"
            yield Static(shown_line(f"Opening {what} …"), id="opening")
            return
        with Vertical():
            yield Static(shown("lifeline"), id="title")
            yield Static(shown(ABOUT), id="about")
            yield Menu(id="menu")
            yield Static(id="words")
            yield Static(shown("enter choose · m model · t tour · / sessions · ? help · q quit"), id="keys")

    def on_mount(self) -> None:
        if not self.covered:
            self.fill([])
            self.query(OptionList).focus()

    def on_resize(self, event: events.Resize) -> None:
        """The list gives way, never what stands under it; blank lines only where there is room."""
        tall = event.size.height >= TALL
        self.set_class(tall, "tall")
        for menu in self.query(OptionList):
            menu.styles.max_height = max(3, event.size.height - AROUND - 2 * tall)

    async def on_screen_resume(self) -> None:
        if self.covered and self.app.session is not None:
            await self.uncover()
        self.stand = f"open:{self.app.last_session}" if self.app.last_session else ""
        self.app.last_session = ""
        self.set_timer(SETTLED, self.load)

    async def uncover(self) -> None:
        """Shows itself, the first time that it is seen."""
        if self.covered:
            self.covered = False
            await self.recompose()
            self.on_mount()
            self.set_timer(SETTLED, self.load)

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        """Stored sessions and what the plans are about, once the screen stands; nothing while another screen covers it."""
        if self.covered or not self.is_current:
            return
        await asyncio.to_thread(
            import_module, "lifeline_tui.session.lab"
        )  # the import takes long; the lab itself is made on this thread
        from ...store import StoreError

        try:
            stored = await asyncio.to_thread(self.app.lab.rows)
        except StoreError as error:
            self.notify(str(error), severity="error", timeout=15)
            stored = []
        left = self.app.session.id if self.app.session is not None else ""
        begun = [row for row in stored if row.attempts or row.nodes > UNSENT]
        rows = begun[:RECENT] + [row for row in begun[RECENT:] if row.id == left]
        self.abouts = await asyncio.to_thread(_plan_abouts)
        self.fill([(row.id, row.title, _described(row)) for row in rows])

    def fill(self, sessions: list[tuple[str, str, str]]) -> None:
        """The menu, with the cursor where it was or on the first plan; nothing while it is being made."""
        if not self.query(OptionList):
            return
        menu = self.query_one(OptionList)
        at = menu.highlighted
        was = menu.get_option_at_index(at).id if at is not None else f"plan:{FIRST}"
        if self.stand in [f"open:{id}" for id, _, _ in sessions]:
            was, self.stand = self.stand, ""
        menu.clear_options()
        if sessions:
            menu.add_option(_heading("CONTINUE"))
            menu.add_options(Option(_line(title, about), id=f"open:{id}") for id, title, about in sessions)
        menu.add_option(_heading("NEW SESSION"))
        menu.add_options(Option(_line(name, self.abouts.get(name, "")), id=f"plan:{name}") for name in _plans())
        menu.add_option(_heading("OR"))
        menu.add_option(Option(_line("model", _model(self.app.model, self.app.api_base)), id="model"))
        for number, used in enumerate(self.app.recent.used):
            if (used.model, used.api_base) != (self.app.model, self.app.api_base):
                menu.add_option(Option(_line("  used before", _model(used.model, used.api_base)), id=f"recent:{number}"))
        menu.add_option(Option(_line("tour", "two puppets side by side, recorded"), id="tour"))
        menu.add_option(Option(_line("sessions", "search, resume, rename, hide"), id="sessions"))
        ids = [option.id for option in menu.options]
        menu.highlighted = ids.index(was) if was in ids else ids.index(f"plan:{FIRST}") if f"plan:{FIRST}" in ids else 1
        self.words()

    def on_key(self) -> None:
        """Whoever has begun to move is left where they are."""
        self.stand = ""

    def words(self) -> None:
        """What the highlighted line will do."""
        menu = self.query_one(OptionList)
        chosen = menu.get_option_at_index(menu.highlighted).id or "" if menu.highlighted is not None else ""
        kind, _, name = chosen.partition(":")
        puppet = "a puppet, which proves nothing about models: " if simulated(self.app.model) else ""
        said = {
            "open": "Goes on where you left it: every turn, branch and queued feedback is there.",
            "plan": f"Starts {name} on {puppet}{self.app.model}. Then n sends the first turn.",
            "model": "Puppets need nothing. A hosted model needs its key in the environment, a local one a server on a port.",
            "recent": "Makes this the model of new sessions, served where it was before.",
            "tour": "A recording of sim/anxious and sim/rational on the same puzzles. Both are puppets.",
            "sessions": f"All that is in {self.app.db}.",
        }.get(kind, "")
        unusable = kind == "plan" and self.abouts.get(name, "").startswith(UNUSABLE)
        self.query_one("#words", Static).update(shown(self.abouts[name], "$tone-error") if unusable else shown(said))

    def on_option_list_option_highlighted(self) -> None:
        self.words()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        kind, _, name = (message.option.id or "").partition(":")
        if kind == "plan":
            self.app.begin(name)
        elif kind == "open":
            self.app.resume(name)
        elif kind == "model":
            self.action_model()
        elif kind == "recent":
            used = self.app.recent.used[int(name)]
            self._use(used.model, used.api_base)
        elif kind == "tour":
            self.app.action_tour()
        else:
            self.app.action_find()

    @work
    async def action_model(self) -> None:
        from .models import ModelScreen

        chosen = await self.app.push_screen_wait(ModelScreen(self.app.model))
        if chosen is not None:
            self._use(*chosen)

    def _use(self, model: str, api_base: str) -> None:
        self.app.choose_model(model, api_base)
        self.load()


def _plans() -> list[str]:
    return sorted(resources("sessions"), key=lambda name: (name != FIRST, name))


def _plan_abouts() -> dict[str, str]:
    """What each plan says of itself; of one that cannot be used, why."""
    from ...interventions.table import scriptable
    from ...loading.plans import load_plan, plan_names

    abouts = {}
    for name in plan_names():
        try:
            abouts[name] = load_plan(name, scriptable()).about
        except BadFile as error:
            abouts[name] = f"{UNUSABLE}: {error}"
    return abouts


def _model(name: str, api_base: str) -> str:
    """A model, where it is served, and before both that it is none."""
    return f"{'SIMULATED ' if simulated(name) else ''}{name}{f' at {api_base}' if api_base else ''}"


def _heading(text: str) -> Option:
    return Option(shown_line(text, "bold $text-muted"), disabled=True)


def _line(name: str, about: str) -> Content:
    """The name is cut, never what follows it: there stands SIMULATED."""
    return Content.assemble(
        "  ", shown_line(name).truncate(NAME, ellipsis=True, pad=True), " ", shown_line(about, "$text-muted", 120)
    )


def _described(row: Row) -> str:
    """What may be cut comes last."""
    label = "SIMULATED " if row.simulated else ""
    return (
        f"{label}{row.model} · {row.attempts} attempt{'s' if row.attempts != 1 else ''} · {row.updated_at[5:16].replace('T', ' ')}"
    )
