"""The app: holds the lab and the session in hand, opens screens, and makes sure that whatever ends it ends it cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.notifications import Notify
from textual.worker import WorkerCancelled

from ..interventions.types import ARRIVING
from ..loading.config import Config
from .gone import Lasting, watch
from .host import Host
from .recent import Used, recall, remember
from .screens.start import StartScreen
from .theme import without_colour
from .typed import forgive

if TYPE_CHECKING:
    from textual.driver import Driver

    from ..session.lab import Lab
    from ..session.session import Session
    from ..store import StoreError
    from .commands import Command
    from .glyphs import Glyphs
    from .screens.run import RunScreen

PATIENCE = 0.4
"""Seconds of opening a session before it is said that it takes time."""

SAID = 5.0
"""Seconds after which it is said again."""

MOST_SAID = 3
"""Notifications that stand at one time, errors apart."""

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class LifelineApp(Host):
    """`session`, or else `plan` and `model`, say what to open at once; else the start screen comes first."""

    TITLE = "lifeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="quit"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, id="suspend"),
    ]

    def __init__(
        self,
        config: Config,
        db: Path,
        *,
        session: str | None = None,
        plan: str | None = None,
        model: str | None = None,
        api_base: str = "",
        paced: bool = True,
    ) -> None:
        super().__init__(ansi_color=without_colour(os.environ))
        self.config, self.db, self.paced = config, db, paced
        self.recent = recall()
        last = None if model else self.recent.last(config.model)
        self.model = model or (last.model if last else config.model) or "sim/anxious"
        self.api_base = api_base or (last.api_base if last else "")
        self.opening, self.plan, self._said_base = session, plan, api_base
        self.unsaved: list[StoreError] = []
        """What sessions said that were left and could not be stored."""
        self.keymap = dict(config.keys)
        self.session: Session | None = None
        self.last_session = ""
        """The session that was on the screen last: the start screen stands on it."""
        self.agreed: set[str] = set()
        """Sessions whose plan the operator has agreed to run on a model that may cost money."""
        self.set_keymap(self.keymap)
        # Before anything is painted: a theme that is set later parses every style again.
        self.use_theme("lifeline-mono" if without_colour(os.environ) else config.theme or "lifeline-dark")

    @cached_property
    def glyphs(self) -> Glyphs:
        """The signs that the config chose."""
        from .glyphs import ASCII, UNICODE

        return ASCII if self.config.glyphs == "ascii" else UNICODE

    @cached_property
    def lab(self) -> Lab:
        """Made after the first paint: nothing of it is needed for that."""
        from ..session.lab import Lab

        return Lab(self.config, self.db, paced=self.paced)

    def get_default_screen(self) -> StartScreen:
        return StartScreen(covered=bool(self.opening or self.plan))

    def on_mount(self) -> None:
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stopped, number)
        if sys.__stdin__ and not self.is_headless:
            watch(sys.__stdin__.fileno(), lambda: self.call_later(self._stopped, signal.SIGHUP))
        if self.config.theme and self.config.theme not in self.available_themes:
            known = ", ".join(sorted(self.available_themes))
            self.notify(f"The config names the theme {self.config.theme!r}; there are: {known}.", severity="warning", timeout=15)
        if self.recent.wrong:
            self.notify(self.recent.wrong, severity="warning", timeout=15)
        if self.opening or self.plan:
            self.run_worker(self._enter())

    def on_resize(self, event: events.Resize) -> None:
        """In a storm of sizes one signal is handled in the middle of another, and the last size that is told need not be the one that
        stands."""
        ask = None if self.is_headless else getattr(self._driver, "_get_terminal_size", None)
        if ask is not None and (stands := Size(*ask())) != event.size:
            self.post_message(events.Resize(stands, stands))

    def on_paste(self, event: events.Paste) -> None:
        """What no field took.  It is never played as keys, each of which would do something."""
        from textual.widgets import TextArea

        if event.text and not isinstance(self.focused, TextArea):
            self.notify(f"Nothing here takes text: the {len(event.text):,} pasted characters did nothing.", severity="warning")

    async def _enter(self) -> None:
        """Opens what the command line named; the start screen shows itself where that failed."""
        with suppress(WorkerCancelled):
            await (self.resume(self.opening) if self.opening else self.begin(self.plan or "")).wait()
        if isinstance(self.screen, StartScreen):
            await self.screen.uncover()

    def _build_driver(self, *args: Any, **options: Any) -> Driver:
        driver = super()._build_driver(*args, **options)
        if (file := getattr(driver, "_file", None)) is not None:
            vars(driver)["_file"] = Lasting(file)
        forgive(driver)
        return driver

    def _stopped(self, number: int) -> None:
        """A signal: everything is saved, the terminal is given back, and the exit code says which."""
        self.exit(return_code=128 + number)

    # Sessions

    def choose_model(self, model: str, api_base: str) -> None:
        """The model that new sessions are on, now and the next time."""
        self.model, self.api_base = model, api_base
        self.recent = self.recent.after(Used(model, api_base), self.config.model)
        try:
            remember(self.recent)
        except OSError as error:
            self.notify(f"The model could not be remembered for the next time: {error.strerror or error}.", severity="warning")

    @work(exclusive=True, group="open")
    async def begin(self, plan: str) -> None:
        """A new session of a plan, on the chosen model."""
        from ..core.plan import SelectionError
        from ..loading.files import BadFile
        from ..store import StoreError
        from ..subjects.protocol import SubjectError

        self.set_timer(PATIENCE, lambda: self._says_that_it_opens(plan))
        try:
            session = await self.lab.new(plan, self.model, api_base=self.api_base)
        except (BadFile, SelectionError, SubjectError, StoreError) as error:
            self._not_opened(error)
            return
        self.choose_model(self.model, self.api_base)
        await self._show(session)

    @work(exclusive=True, group="open")
    async def resume(self, id: str, at: str = "", word: str = "") -> None:
        """A stored session, where it was left; or with the cursor on the turn `at`, where `word` stands in it, on a branch that has it."""
        from ..loading.files import BadFile
        from ..store import OwnedElsewhere, StoreError
        from ..subjects.protocol import SubjectError

        if self.session is not None and self.session.id == id:
            await self._show(self.session, at, word)
            return
        self.set_timer(PATIENCE, lambda: self._says_that_it_opens("The session"))
        try:
            session = await self.lab.open(id, api_base=self._said_base if id == self.opening else "")
        except OwnedElsewhere:
            from .screens.watch import WatchScreen

            self.action_home()
            await self.push_screen(WatchScreen(id))
            return
        except (BadFile, StoreError, SubjectError) as error:
            self._not_opened(error)
            return
        await self._show(session, at, word)

    def _not_opened(self, why: Exception) -> None:
        """Says why; keys that waited for the session are not for what stands there instead."""
        self.waiting.clear()
        self.notify(str(why), severity="error", timeout=15)

    def _says_that_it_opens(self, what: str) -> None:
        if not self.under_way("open"):
            return
        from .keys import key_name

        stop = key_name(self.keys_of("cancel", "escape")[0])
        self.notify(f"{what} is being opened: keys wait until it is ready, {stop} stops it.", timeout=SAID)
        self.set_timer(SAID, lambda: self._says_that_it_opens(what))

    @property
    def starting(self) -> bool:
        return super().starting or (self.session is not None and self.session.starting)

    @property
    def unready(self) -> bool:
        """Also while a form was asked for and does not stand yet, or was sent and is not done with."""
        return super().unready or (self.under_way("form") and len(self.screen_stack) == 2)

    def chooses(self, key: str) -> bool:
        from .screens.run import RunScreen

        return super().chooses(key) or (isinstance(self.screen, RunScreen) and key in self.screen.own_keys)

    @property
    def resting(self) -> bool:
        """A run of the plan counts as resting: a key pauses it."""
        from .screens.run import RunScreen

        screen = self.screen
        if not isinstance(screen, RunScreen):
            return True
        return screen.playing or not (self.under_way("session") or self.under_way("form") or screen.session.busy)

    def stop_waiting(self) -> bool:
        if not self.under_way("open"):
            return False
        self.workers.cancel_group(self, "open")
        self.notify("Nothing was opened.")
        return True

    def waits(self) -> None:
        from .screens.run import RunScreen

        for screen in self.screen_stack:
            if isinstance(screen, RunScreen) and screen.is_mounted:
                screen.redraw()

    async def _show(self, session: Session, at: str = "", word: str = "") -> None:
        from .screens.run import RunScreen

        if self.session is not session:
            await self._give_up()
        self.session = session
        while len(self.screen_stack) > 1:
            self.pop_screen()
        screen = RunScreen(session)
        await self.push_screen(screen)
        if at in session.tree:
            if not session.busy:
                await session.visit(at)
                screen.redraw()
            screen.call_after_refresh(self._stand, screen, at, word)

    def _stand(self, screen: RunScreen, at: str, word: str) -> None:
        """Puts the cursor on the turn `at`, on that part of it in which `word` stands."""
        from .record import node_of
        from .widgets.transcript import Transcript

        screen._show(at)
        view = screen.query_one(Transcript)
        parts = [block for block in view.blocks if node_of(block.id) == at and word and word.casefold() in block.text.casefold()]
        if parts:
            view.show_block(parts[0].id)

    async def _give_up(self) -> None:
        """Closes the session in hand, and says where its last reply is if that could not be stored in the notebook."""
        from ..store import StoreError

        if self.session is None:
            return
        try:
            await self.session.close()
        except StoreError as error:
            self.unsaved.append(error)
            self.notify(str(error), severity="error", timeout=60)
        self.session = None

    def action_home(self) -> None:
        """Back to the start screen, its cursor on the session, which stays open; not while a reply arrives, which that would stop."""
        if self.session is not None and self.session.busy:
            from .keys import with_keys

            self.notify(with_keys(ARRIVING, self.keymap), severity="warning")
            return
        if self.session is not None:
            self.last_session = self.session.id
        self.hush()
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def on_notify(self, event: Notify) -> None:
        """What is said again stands once, under the name of what it answers now; of several the last ones stand, and an error until its time is over."""
        new = event.notification
        told = list(self._notifications)
        again = [each for each in told if (each.message, each.severity) == (new.message, new.severity)]
        passing = [each for each in told if each.severity != "error" and each not in again]
        for each in again + passing[: max(0, len(passing) - MOST_SAID + 1)]:
            self._unnotify(each, refresh=False)

    def action_help_quit(self) -> None:
        """ctrl+c, which copies in some terminals and ends programs in others: said in plain words, since markup is never parsed."""
        from .keys import key_name

        self.notify(f"{key_name(self.keymap.get('quit', 'ctrl+q'))} quits; everything is saved already.")

    def action_help(self) -> None:
        from .screens.help import help_blocks
        from .screens.pager import Pager, text_width

        self.push_screen(Pager("Help", help_blocks(self.screen, self.keymap, self.glyphs, text_width(self.size.width))))

    def action_command_palette(self) -> None:
        """All that can be done here, by name."""
        from .commands import commands
        from .screens.palette import Palette

        if isinstance(self.screen, Palette):
            return
        self.push_screen(Palette(commands(self.screen)), self._command)

    def _command(self, command: Command | None) -> None:
        """Does what was chosen, once the palette is gone."""
        if command is not None:
            self.call_later(command.act)

    def action_find(self) -> None:
        from .screens.sessions import SessionsScreen

        self.push_screen(SessionsScreen())

    def action_tour(self) -> None:
        from .screens.tour import TourScreen

        self.push_screen(TourScreen())

    @work
    async def export(self, session: str) -> None:
        """Asks for format and place, then exports."""
        from ..exporters import ExportError
        from ..store import StoreError
        from .screens.export import NOTEBOOK, ExportForm

        running = self.session if self.session is not None and self.session.id == session else None
        chosen = await self.push_screen_wait(ExportForm(session, unsaved=running is not None and bool(running.unsaved)))
        if chosen is None:
            return
        format_, path = chosen
        try:
            if format_ == NOTEBOOK and running is not None:
                await running.save_elsewhere(path)
            else:
                await asyncio.to_thread(self.lab.export, session, format_, path)
        except (ExportError, StoreError) as error:
            self.notify(str(error), severity="error", timeout=15)
            return
        self.notify(f"Exported to {path}.")

    async def leave(self) -> None:
        """Cancels what is arriving, keeps it, closes the notebook and ends the provider child."""
        await self._give_up()
        if "lab" in self.__dict__:
            await self.lab.close()


async def run(app: LifelineApp) -> int:
    """Runs the app; however it ends, everything is saved before this returns its exit code."""
    try:
        await app.run_async()
    finally:
        await app.leave()
    if app.return_code == 1:
        saved = "" if app.unsaved else "; every turn that was sent or received is saved"
        print(f"lifeline stopped on a fault of its own{saved}.", file=sys.stderr)  # noqa: T201
    return app.return_code or int(bool(app.unsaved))
