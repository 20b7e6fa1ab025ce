"""The operator's own settings: `config.toml` in the user's folder, read and never written.

It holds no key: keys live in the environment alone (Law 10), and an error here never repeats what might be one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .loading import MAX_DEPTH, BadFile, Entry, decoded, read_bytes, user_folder
from .subjects.protocol import Deadlines

MAX_BYTES = 20_000  # tomllib takes time with the square of a dotted key's length

# Text, not compiled: where there is no file, the first paint does not wait for them.
_SECRET = r"(?i)key|token|secret|passw|auth|header|credential"
_HEADER = r"\s*\[\s*([^\[\]]+?)\s*\]"
_FIELD = r"\s*([A-Za-z0-9_.\"'-]+)\s*="


@dataclass(frozen=True, slots=True)
class Model:
    """A name of the operator's own for a litellm model, where it is served, and `capabilities` that the operator knows better."""

    model: str
    api_base: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """Empty text: nothing chosen.  `keys` maps a binding's id to its keys, `models` a name to a model; `deadlines` in seconds."""

    model: str = ""
    theme: str = ""
    glyphs: str = "unicode"
    db: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    deadlines: Deadlines = field(default_factory=Deadlines)


def config_path() -> Path:
    return user_folder() / "config.toml"


def default_db() -> Path:
    """The notebook's place where nothing else is said: the platform's folder for a user's data."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("lifeline-tui", appauthor=False)) / "lifeline.db"


def load_config(path: Path | None = None) -> Config:
    """The settings in a file, by default the user's own; those of a file that does not exist are the defaults.  Raises BadFile."""
    path = path or config_path()
    return parse(read_bytes(path, MAX_BYTES), path) if os.path.lexists(path) else Config()


def parse(data: bytes, file: str | Path) -> Config:
    """The settings in TOML `data`.  Raises BadFile."""
    entry = _read(decoded(data, file), file)
    _refuse_secrets(entry)
    config = Config(
        model=entry.text("model", ""),
        theme=entry.text("theme", ""),
        glyphs=entry.choice("glyphs", ("unicode", "ascii"), "unicode"),
        db=entry.text("db", ""),
        keys={name: entry.child("keys").text(name) for name in entry.child("keys").names()},
        models={name: _model(entry.child("models").child(name)) for name in entry.child("models").names()},
        deadlines=_deadlines(entry.child("deadlines")),
    )
    entry.done()
    return config


def _model(entry: Entry) -> Model:
    return Model(entry.text("model"), _api_base(entry) if entry.has("api_base") else "", _capabilities(entry.child("capabilities")))


def _api_base(entry: Entry) -> str:
    found, text = entry.entry("api_base"), entry.text("api_base")
    if problem := bad_address(text):
        raise found.bad(problem)
    return text


def bad_address(text: str) -> str:
    """What is wrong with an API base, which is stored and so may hold nothing that could be a key; "" where nothing is."""
    from urllib.parse import urlsplit

    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and text.isprintable() and " " not in text
    except ValueError:
        good = False
    if not good:
        return "must be an http or https address, such as http://127.0.0.1:8080/v1"
    if "@" in url.netloc or url.query or url.fragment:
        return "must carry no user, password or query: set the key as the provider's environment variable"
    return ""


def on_this_machine(address: str) -> bool:
    """Whether an API base is of this machine: what is sent there leaves nothing."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _capabilities(entry: Entry) -> dict[str, Any]:
    known: dict[str, Any] = {name: entry.flag(name) for name in ("chat", "reasoning", "prefill") if entry.has(name)}
    if entry.has("params"):
        known["params"] = entry.list_of_text("params")
    if entry.has("note"):
        known["note"] = entry.text("note")
    # So that an unknown field is told from these five, whichever of them are written.
    entry.taken.update(("chat", "params", "reasoning", "prefill", "note"))
    return known


def _deadlines(entry: Entry) -> Deadlines:
    usual = Deadlines()
    return Deadlines(
        connect=entry.number("connect", 0.01, 86_400, usual.connect),
        first_token=entry.number("first_token", 0.01, 86_400, usual.first_token),
        gap=entry.number("gap", 0.01, 86_400, usual.gap),
        total=entry.number("total", 0.01, 86_400, usual.total),
        retries=entry.integer("retries", 0, 20, usual.retries),
    )


def _refuse_secrets(entry: Entry) -> None:
    """Raises if a setting looks like the place of a key, before anything could repeat its value.  Two tables only sound so:
    `[keys]` binds the keyboard, and `[deadlines]` has a first_token."""
    for name in entry.names():
        found = entry.entry(name)
        harmless = entry.parent is None and name in ("keys", "deadlines")
        if isinstance(found.value, dict) and not harmless:
            _refuse_secrets(found)
        elif re.search(_SECRET, name) and not harmless:
            raise found.bad("is not read from a file: set the provider's environment variable, such as OPENAI_API_KEY")
    entry.taken.clear()


def _read(text: str, file: str | Path) -> Entry:
    """TOML as entries, so that it is typed by the same rules as every other file."""
    import tomllib

    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        at = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        problem = str(error)[: at.start()].strip() if at else str(error)
        raise BadFile(file, f"is not valid TOML: {problem}", int(at[1]) if at else None) from None
    return _entry(data, Entry(str(file), 1, {}), (), _lines(text))


def _entry(value: Any, here: Entry, path: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> Entry:
    """`here` with `value` in it."""
    if len(path) > MAX_DEPTH:
        raise BadFile(here.file, f"is nested more than {MAX_DEPTH} deep", here.line)
    if isinstance(value, dict):
        fields: dict[str, Entry] = {}
        entry = Entry(here.file, here.line, fields, here.parent, here.key)
        for name, item in value.items():
            below = (*path, name)
            fields[name] = _entry(item, Entry(here.file, lines.get(below, here.line), "", entry, name), below, lines)
        return entry
    if isinstance(value, list):
        items: list[Entry] = []
        entry = Entry(here.file, here.line, items, here.parent, here.key)
        for place, item in enumerate(value):
            items.append(_entry(item, Entry(here.file, here.line, "", entry, place), (*path, str(place)), lines))
        return entry
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return Entry(here.file, here.line, word, here.parent, here.key)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Where each table and field stands, as far as a look at each line can tell: tomllib does not say."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(_HEADER, line):
            table = _dotted(header[1])
            found.setdefault(table, number)
        elif match := re.match(_FIELD, line):
            found.setdefault((*table, *_dotted(match[1])), number)
    return found


def _dotted(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))
