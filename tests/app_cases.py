"""What the tests of the app share: an app on an empty notebook, keys pressed until the session rests, and subjects from a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from lifeline_tui.loading.config import Config
from lifeline_tui.subjects.protocol import Delta, Event, Request
from lifeline_tui.subjects.scripted import ScriptedSubject
from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.screens.run import RunScreen
from lifeline_tui.tui.widgets.transcript import Transcript

WIDE, SMALL = (120, 40), (80, 24)


@asynccontextmanager
async def running(
    home: Path, size: tuple[int, int] = WIDE, *, model: str | None = None, plan: str | None = None, config: Config | None = None
) -> AsyncIterator[tuple[LifelineApp, Pilot[None]]]:
    """The app on a notebook in `home`, left as `run` leaves it."""
    app = LifelineApp(config or Config(), home / "notebook.db", model=model, plan=plan, paced=False)
    async with app.run_test(size=size, tooltips=True, notifications=True) as pilot:
        await rest(pilot)
        if plan:
            await until(
                pilot, lambda: isinstance(app.screen, RunScreen) or any(each.severity == "error" for each in app._notifications)
            )
            assert isinstance(app.screen, RunScreen), f"{app.screen}: {said(app)}"
        try:
            yield app, pilot
        finally:
            await app.leave()


async def until(pilot: Pilot[None], holds: object) -> None:
    """Waits until the condition holds; a condition that never does fails the test."""
    assert callable(holds)
    async with asyncio.timeout(60):
        while not holds():
            await pilot.pause(0.005)
    await pilot.pause()


async def rest(pilot: Pilot[None]) -> None:
    """Waits until nothing is being done or drawn.  A worker that waits for a form does not count."""
    await pilot.pause()
    app = pilot.app
    waiting = {"ask", "agree", "export", "action_model"}
    async with asyncio.timeout(120):
        while any(worker.is_running and worker.name not in waiting for worker in app.workers):
            await pilot.pause(0.005)
    await pilot.pause()
    screen = app.screen
    if isinstance(screen, RunScreen):
        await until(pilot, lambda: screen._due is None)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Presses keys one after the other, each when what the one before it began is over."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await rest(pilot)


def run_screen(app: LifelineApp) -> RunScreen:
    return next(screen for screen in app.screen_stack if isinstance(screen, RunScreen))


def transcript(app: LifelineApp) -> Transcript:
    return app.screen.query_one(Transcript)


def drawn(app: LifelineApp) -> str:
    """What stands on the screen, without colours and scrollbars."""
    lines = ("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())
    return "\n".join(re.sub("[▁▂▃▄▅▆▇](?= *▏| *$)", " ", line).rstrip() for line in lines)


def notice(app: LifelineApp) -> str:
    return str(run_screen(app).query_one("#notice", Static).content)


def said(app: LifelineApp) -> str:
    """What the notifications say."""
    return "\n".join(f"{each.title}: {each.message}" for each in app._notifications)


async def half_a_reply(self: ScriptedSubject, request: Request) -> AsyncGenerator[Event, None]:
    """In the place of a scripted subject's stream: a reply that never ends."""
    yield Delta(text="half of an")
    await asyncio.Event().wait()


def script(home: Path, text: str) -> str:
    """The name of a subject that answers from `text`."""
    path = home / "script.yaml"
    path.write_text(text)
    return f"scripted/{path}"
