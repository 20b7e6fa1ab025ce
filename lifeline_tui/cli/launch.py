"""Opens the app: what `lifeline` and `lifeline open` share, kept apart from the command line so that neither click nor yaml is
imported before the first paint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..core.text import visible_line
from ..loading.config import Config, default_db, load_config
from ..loading.entry import BadFile, resources


def database(config: Config, given: str | None = None) -> Path:
    """The notebook's file: --db, else LIFELINE_DB, else the config, else the platform's user data folder.  By its real name: it may
    be a link, and what is beside a notebook is beside the real one."""
    named = given or os.environ.get("LIFELINE_DB") or config.db
    path = os.path.abspath(os.path.expanduser(named)) if named else default_db()
    # As the store's `real` does, which would bring the store, and 23 ms, before the first paint.
    return Path(os.path.realpath(path) if os.path.exists(path) else path)


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
