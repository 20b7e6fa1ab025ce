"""Opens the app: what `lifeline` and `lifeline open` share, kept apart from the command line so that neither click nor yaml is
imported before the first paint."""

from __future__ import annotations

import sys

from ..core.text import visible_line
from ..loading.config import database, load_config
from ..loading.files import BadFile
from ..loading.resources import resources


def open_app(
    session: str | None = None, *, plan: str | None = None, model: str | None = None, api_base: str = "", db: str | None = None
) -> int:
    """Runs the app until it is left; returns the exit code."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("lifeline: the app needs a terminal; `lifeline --help` lists what runs without one.", file=sys.stderr)  # noqa: T201
        return 2
    try:
        config = load_config()
        path = database(config, db)
        resources("sessions")  # said here where it cannot be read: the start screen could only break on it
    except BadFile as error:
        print(f"lifeline: {visible_line(str(error), 500)}", file=sys.stderr)  # noqa: T201
        return 2
    from ..tui.app import LifelineApp

    app = LifelineApp(config, path, session=session, plan=plan, model=model, api_base=api_base)
    import asyncio

    from ..tui.app import run

    code = asyncio.run(run(app))
    if app.unsaved:
        from .output import complain

        for lost in app.unsaved:
            complain(lost)
    return code
