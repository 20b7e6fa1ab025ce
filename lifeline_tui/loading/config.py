"""The operator's own settings: `config.toml` in the user's folder, read and never written.

It holds no key: keys live in the environment alone (Law 10), and an error here never repeats what might be one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..subjects.protocol import Deadlines
from .entry import MAX_DEPTH, Entry
from .files import BadFile, decoded, listed, read_bytes
from .resources import user_folder

MAX_BYTES = 20_000
MAX_DOTS = 500
"""In one line: tomllib takes time with the square of a dotted key's length."""

# Text, not compiled: where there is no file, the first paint does not wait for them.
_SECRET = r"(?i)key|token|secret|passw|auth|header|credential"
_HEADER = r"\s*\[\s*([^\[\]]+?)\s*\]"
_PART = r"\"[^\"]*\"|'[^']*'|[^.\s]+"
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
    calls_at_once: int = 8
    """Calls of one session that may run at one time where several are asked for together."""


def config_path() -> Path:
    return user_folder() / "config.toml"


def database(config: Config, given: str | None = None) -> Path:
    """The notebook's file: --db, else LIFELINE_DB, else the config, else the platform's user data folder.  By its real name: it may
    be a link, and what is beside a notebook is beside the real one."""
    named = given or os.environ.get("LIFELINE_DB") or config.db
    path = os.path.abspath(os.path.expanduser(named)) if named else default_db()
    # As the store's `real` does, which would bring the store, and 23 ms, before the first paint.
    return Path(os.path.realpath(path) if os.path.exists(path) else path)


def default_db() -> Path:
    """The notebook's place where nothing else is said: the platform's folder for a user's data."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("lifeline-tui", appauthor=False)) / "lifeline.db"


def load_config(path: Path | None = None) -> Config:
    """The settings in a file, by default the user's own; those of a file that does not exist are the defaults.  Raises BadFile."""
    config, wrong = look_at_config(path)
    if wrong:
        raise wrong[0]
    return config


def look_at_config(path: Path | None = None) -> tuple[Config, list[BadFile]]:
    """The settings in a file, and all that is wrong with their values: for the doctor, who names each.  Raises BadFile where the file
    itself cannot be read, or is not of a config's shape."""
    path = path or config_path()
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Config(), []
    except OSError:
        pass  # reading it says what is wrong
    return look_at(read_bytes(path, MAX_BYTES), path)


def parse(data: bytes, file: str | Path) -> Config:
    """The settings in TOML `data`.  Raises BadFile."""
    config, wrong = look_at(data, file)
    if wrong:
        raise wrong[0]
    return config


def look_at(data: bytes, file: str | Path) -> tuple[Config, list[BadFile]]:
    """The settings in TOML `data`, and all that is wrong with their values.  Raises BadFile."""
    from ..subjects.child.redaction import holds_secret

    text = decoded(data, file)
    if holds_secret(text):
        raise BadFile(file, "holds a key that is set in the environment: keys live there alone")
    entry = _read(text, file)
    _refuse_secrets(entry)
    config = Config(
        model=entry.text("model", ""),
        theme=entry.text("theme", ""),
        glyphs=entry.choice("glyphs", ("unicode", "ascii"), "unicode"),
        db=entry.text("db", ""),
        keys={name: _keys(entry.child("keys"), name) for name in entry.child("keys").names()},
        models={name: _model(entry.child("models").child(name)) for name in entry.child("models").names()},
        deadlines=_deadlines(entry.child("deadlines")),
        calls_at_once=entry.integer("calls_at_once", 1, 256, 8),
    )
    entry.done()
    wrong = [*_wrong_models(entry, config), *_wrong_keys(entry.child("keys"), config.keys)]
    return config, sorted(wrong, key=lambda error: error.line or 0)


def _wrong_models(entry: Entry, config: Config) -> Iterator[BadFile]:
    """What no subject could be made of.  Whether a provider knows a model, only the provider can say."""
    if config.model and "/" not in config.model and config.model not in config.models:
        known = listed(["sim/anxious", *config.models], "or")
        yield entry.entry("model").bad(f"names no model: write provider/model as litellm does, or {known}")
    for name, model in config.models.items():
        if "/" not in model.model:
            found = entry.child("models").child(name).entry("model")
            yield found.bad("names no model: write provider/model as litellm does")


def _wrong_keys(entry: Entry, keys: Mapping[str, str]) -> Iterator[BadFile]:
    """Keys that no keyboard has, and keys that two names of one screen are bound to."""
    if not keys:
        return
    from .keyboard import no_key, spelled

    bound: dict[tuple[str, str], str] = {}
    for name, chosen in keys.items():
        for key in chosen.split(","):
            if not spelled(key):
                yield entry.entry(name).bad(no_key(key))
            elif (other := bound.setdefault((screen_of(name), key), name)) != name:
                yield entry.entry(name).bad(f"'{key}' is the key of {other} too: give one of them another")


def screen_of(name: str) -> str:
    """The screen that a binding's name belongs to; "" for that of a session."""
    return name.rpartition(".")[0]


def _keys(entry: Entry, name: str) -> str:
    """Keys as Textual spells them; what is no key, as it is written."""
    from .keyboard import spelled

    if isinstance(entry.entry(name).value, dict):
        raise entry.entry(name).bad(f'a name with a dot stands in quotes: "{name}.…" = "f5"')
    return ",".join(spelled(key.strip()) or key.strip() for key in entry.text(name).split(","))


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
    if entry.has("context"):
        known["context"] = entry.integer("context", 1, 1_000_000_000)
    # So that an unknown field is told from these six, whichever of them are written.
    entry.taken.update(("chat", "params", "reasoning", "prefill", "note", "context"))
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

    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS:
            raise BadFile(file, f"holds more than {MAX_DOTS} dots", number)
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
    return tuple(part.strip("\"'") for part in re.findall(_PART, name))
