"""What `lifeline doctor` finds: what this installation has, and what may bite, each in a sentence.

All that is wrong with the config is said here, one sentence each: also what cannot be told when it is read, since names of keys and of
themes are known to the app alone.  The app is imported for those two only.
"""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

from ..loading.config import Config, config_path, database, look_at_config, screen_of
from ..loading.files import BadFile, listed
from ..loading.packs import pack_names
from ..loading.plans import plan_names
from ..loading.resources import user_folder
from ..session.models import Models
from ..store import Reader, StoreError
from ..subjects.protocol import SubjectError

Finding = tuple[bool, str]


def findings(db: str | None) -> Iterator[Finding]:
    """(fine, sentence) for each thing that a user may trip over."""
    yield sys.version_info >= (3, 11), f"Python {platform.python_version()} on {platform.system()}"
    for package in ("textual", "litellm", "sqlite-utils", "pyyaml"):
        try:
            yield True, f"{package} {version(package)}"
        except PackageNotFoundError:
            yield False, f"{package} is not installed: install lifeline-tui again"
    known = sqlite3.sqlite_version_info >= (3, 51, 3)
    note = "" if known else ": has a rare fault with two writing connections, which this tool's lock keeps from happening"
    yield True, f"SQLite {sqlite3.sqlite_version}{note}"
    try:
        config, wrong = look_at_config()
    except BadFile as error:
        config, wrong = Config(), [error]
    yield from _notebook(database(config, db))
    for kind, names in (("plans", plan_names), ("packs", pack_names)):
        try:
            yield bool(names()), f"{kind}: {', '.join(names()) or 'none found: install lifeline-tui again'}"
        except BadFile as error:
            yield False, str(error)
    yield True, f"your own config, plans and prompts: {user_folder()}"
    for problem in (*wrong, *_unknown_to_the_app(config)):
        yield False, str(problem)
    if not any(problem.field == "model" for problem in wrong):
        yield _subject(config)


def _notebook(db: Path) -> Iterator[Finding]:
    if not db.exists():
        yield True, f"no notebook yet at {db}; it is made with the first session"
        return
    mode = db.stat().st_mode & 0o777
    alone = mode & 0o077 == 0
    yield alone, f"{db} can be read by {'you alone' if alone else f'others (mode {mode:o}): chmod 600 it'}"
    try:
        with Reader(db) as store:
            yield True, f"{len(store.sessions(include_hidden=True, limit=None))} sessions in it"
    except StoreError as error:
        yield False, str(error)


def _subject(config: Config) -> Finding:
    model = config.model or "sim/anxious"
    try:
        Models(config.models, paced=False).make(model)
    except (SubjectError, BadFile) as error:
        return False, f"{config_path()}: model: {error}"
    return True, f"default subject: {model}"


def _unknown_to_the_app(config: Config) -> Iterator[BadFile]:
    """What the config names that the app does not have: a theme, the name of a key; and keys that it has for something else."""
    if not (config.theme or config.keys) or find_spec("textual") is None:
        return
    from textual.theme import BUILTIN_THEMES

    from ..tui.theme import THEMES

    themes = [*(theme.name for theme in THEMES), *BUILTIN_THEMES]
    if config.theme and config.theme not in themes:
        yield BadFile(config_path(), f"there is no theme '{config.theme}'; there are {listed(themes)}", field="theme")
    if config.keys:
        yield from _unknown_keys(config)


def _unknown_keys(config: Config) -> Iterator[BadFile]:
    usual = bindings()
    taken = {(screen_of(name), key): name for name, keys in usual.items() if name not in config.keys for key in keys.split(",")}
    for name, keys in config.keys.items():
        if name not in usual:
            close = get_close_matches(name, usual, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"in a session there are {listed(n for n in usual if '.' not in n)}"
            yield BadFile(config_path(), f"a key does nothing of this name; {hint}", field=f"keys.{name}")
            continue
        for key in keys.split(","):
            if other := taken.get((screen_of(name), key)):
                problem = f"'{key}' is the key of {other} too, which then has none: give {other} another here"
                yield BadFile(config_path(), problem, field=f"keys.{name}")


def bindings() -> dict[str, str]:
    """Whatever a key does in the app: its name in `[keys]` → the keys that it has unless they are changed there."""
    from textual.binding import Binding

    from .. import tui

    found: dict[str, str] = {}
    for module in walk_packages(tui.__path__, f"{tui.__name__}."):
        for each in vars(import_module(module.name)).values():
            own = vars(each).get("BINDINGS", ()) if isinstance(each, type) and each.__module__ == module.name else ()
            found |= {binding.id: binding.key for binding in own if isinstance(binding, Binding) and binding.id}
    return found
