"""The one way in for files that people share: a strict YAML loader, and where shipped and user files are found.

YAML is read as a stream of events, never as objects: no aliases, anchors, merges, tags, duplicate keys or second document, so a
small file cannot grow and cannot name a Python type.  Every scalar is text (`no`, `012`, `1:30` and dates stay as written) until a
schema asks for a number or a word.  Whatever is wrong is a `BadFile` that names file, line and field; nothing else is raised.

`~` and `null` are plain text too.  A field with nothing after its colon has no value, which is an error wherever a value is read:
write `""` for an empty text, or leave the line out for the default.

yaml and platformdirs are imported where they are used: this module is loaded before the first paint.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from ..core.text import visible_line

D = TypeVar("D")

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_VALUES = 50_000

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# Text, not compiled: the first paint needs neither these nor the time that they take.
_INTEGER = r"[+-]?[0-9]{1,15}"
_NUMBER = r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?"
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"

KINDS: Final = {
    "sessions": ("plan", ".yaml"),
    "prompts/puzzles": ("pack", ".yaml"),
    "prompts/rules": ("rule", ".txt"),
    "prompts/interventions": ("intervention", ".txt"),
    "prompts/personas": ("persona", ".txt"),
}
"""Folder -> what a file in it is called, and its suffix."""


class BadFile(ValueError):
    """A file cannot be used.  `str()` is one safe line: ``plan.yaml:12: feedback.fake_rate: must be a number from 0 to 1``."""

    def __init__(self, path: str | Path, problem: str, line: int | None = None, field: str = "") -> None:
        self.path, self.line, self.field, self.problem = str(path), line, field, problem
        shown = visible_line(self.path, 10_000)
        where = shown if len(shown) <= 120 else "…" + shown[-119:]
        where += f":{line}" if line is not None else ""
        super().__init__(": ".join([where, *([visible_line(field, 80)] if field else []), visible_line(problem, 400)]))


class _Required:
    """The default of a field that has none."""


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A value in a file, with its place.  `value` is text, a mapping, a list, or None where nothing is written.

    Typed reading: `entry.integer("count", low=1)` reads a field, `item.integer()` the entry itself.  `done()` then refuses every field
    that nobody read, here and below.
    """

    file: str
    line: int
    value: str | dict[str, Entry] | list[Entry] | None
    parent: Entry | None = None
    key: str | int = ""
    taken: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """The field path: ``puzzles[3].answer.type``; empty for a whole file."""
        if self.parent is None:
            return ""
        above = self.parent.path
        if isinstance(self.key, int):
            return f"{above}[{self.key + 1}]"
        return f"{above}.{self.key}" if above else self.key

    def bad(self, problem: str) -> BadFile:
        """An error about this entry, to be raised."""
        return BadFile(self.file, problem, self.line, self.path)

    def has(self, name: str) -> bool:
        return name in self._fields()

    def names(self) -> tuple[str, ...]:
        """The fields that are written here, in order."""
        return tuple(self._fields())

    def entry(self, name: str) -> Entry:
        """A field as it is, whatever it holds."""
        fields = self._fields()
        self.taken.add(name)
        if name not in fields:
            unread = fields.keys() - self.taken
            hint = _meant(name, unread)
            raise BadFile(
                self.file, "is missing" + (f" ({hint!r} is not a field here)" if hint else ""), self.line, self._under(name)
            )
        return fields[name]

    def text(self, name: str | None = None, default: str | _Required = REQUIRED) -> str:
        """Text.  Without a default it may not be blank."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("text")
        if default is REQUIRED and not value.strip():
            raise found.bad("must not be empty")
        return value

    def slug(self, name: str | None = None, default: str | _Required = REQUIRED) -> str:
        """A name that is safe in a path: letters, digits, dot, dash and underscore."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("a name")
        if not SLUG.fullmatch(value):
            raise found.bad(f"must be a name of letters, digits, '.', '-' and '_', not {_short(value)}")
        return value

    def integer(
        self, name: str | None = None, low: int | None = None, high: int | None = None, default: int | _Required = REQUIRED
    ) -> int:
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("a whole number")
        if not re.fullmatch(_INTEGER, value) or not _within(int(value), low, high):
            raise found.bad(f"must be a whole number{_range(low, high)}, not {_short(value)}")
        return int(value)

    def number(
        self, name: str | None = None, low: float | None = None, high: float | None = None, default: float | _Required = REQUIRED
    ) -> float:
        """A finite number; one that is written without point and exponent is an int."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("a number")
        if not re.fullmatch(_NUMBER, value) or not _within(float(value), low, high):
            raise found.bad(f"must be a number{_range(low, high)}, not {_short(value)}")
        return int(value) if re.fullmatch(_INTEGER, value) else float(value)

    def flag(self, name: str | None = None, default: bool | _Required = REQUIRED) -> bool:
        """true, yes, false or no."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("true or false")
        if value.lower() not in _WORDS:
            raise found.bad(f"must be true or false, not {_short(value)}")
        return _WORDS[value.lower()]

    def choice(self, name: str | None, options: Collection[str], default: str | _Required = REQUIRED) -> str:
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar(listed(options, "or"))
        if value not in options:
            raise found.bad(f"must be {listed(options, 'or')}, not {_short(value)}")
        return value

    def list_of_text(self, name: str | None = None, default: Iterable[str] | _Required = REQUIRED) -> tuple[str, ...]:
        """A list of texts, none of them blank."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return tuple(found)
        return tuple(item.text() for item in found.children())

    def children(self, name: str | None = None, default: tuple[()] | _Required = REQUIRED) -> list[Entry]:
        """The items of a list."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return []
        if not isinstance(found.value, list):
            raise found.bad(f"must be a list, not {found._what()}")
        return found.value

    def child(self, name: str) -> Entry:
        """A mapping; where the field is left out, an empty one, so that the defaults of its fields apply."""
        if not self.has(name):
            self.taken.add(name)
            return Entry(self.file, self.line, {}, self, name)
        found = self.entry(name)
        found._fields()
        return found

    def done(self) -> None:
        """Raises on a field that was not read, here or in what was read below."""
        if isinstance(self.value, dict):
            for name, entry in self.value.items():
                if name not in self.taken:
                    hint = _meant(name, self.taken - self.value.keys()) or _meant(name, self.taken)
                    meant = f"did you mean {hint!r}?" if hint else f"the fields are {listed(sorted(self.taken))}"
                    raise entry.bad(f"is not a field here; {meant}")
                entry.done()
        elif isinstance(self.value, list):
            for item in self.value:
                item.done()

    def _fields(self) -> dict[str, Entry]:
        if not isinstance(self.value, dict):
            raise self.bad(f"must be fields with values, not {self._what()}")
        return self.value

    def _at(self, name: str | None, default: D | _Required) -> Entry | D:
        if name is None:
            return self
        if isinstance(default, _Required) or self.has(name):
            return self.entry(name)
        self.taken.add(name)
        return default

    def _under(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _scalar(self, wanted: str) -> str:
        if not isinstance(self.value, str):
            raise self.bad(f"must be {wanted}, not {self._what()}")
        return self.value

    def _what(self) -> str:
        if isinstance(self.value, str):
            return _short(self.value)
        return "nothing" if self.value is None else "a list" if isinstance(self.value, list) else "fields with values"


def load(path: str | Path) -> Entry:
    """The YAML file at `path`.  Raises BadFile."""
    return parse(read_bytes(path), path)


def parse(data: bytes, file: str | Path) -> Entry:
    """YAML `data`, with `file` as its name in errors.  Raises BadFile."""
    import yaml

    text = decoded(data, file)
    odd = re.search(_FORBIDDEN, text)
    if odd:
        raise BadFile(file, f"holds the control character U+{ord(odd[0]):04X}", text.count("\n", 0, odd.start()) + 1)
    try:
        return _tree(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), str(file))
    except BadFile:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise BadFile(file, f"is not valid YAML: {_why(error, text, line)}", line) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise BadFile(file, f"is not valid YAML: {error}") from None


def read_bytes(path: str | Path, limit: int = MAX_BYTES) -> bytes:
    """A regular file's bytes, at most `limit`.  Raises BadFile."""
    with _opened(path, limit) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_lines(path: str | Path, limit: int, longest: int) -> Iterator[bytes]:
    """A regular file's lines one after another, each of at most `longest` bytes, with its end.  Raises BadFile."""
    with _opened(path, limit) as file:
        number = 0
        while line := file.readline(longest + 1):
            number += 1
            if len(line) > longest:
                raise BadFile(path, f"is a line of more than {longest:,} bytes", number)
            yield line


@contextmanager
def _opened(path: str | Path, limit: int) -> Iterator[BinaryIO]:
    """A folder, a device or a pipe is refused without waiting, and what is too large without reading it."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise BadFile(path, "is not a regular file")
            if found.st_size > limit:
                raise _too_large(path, limit)
            with open(handle, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(handle)
    except BadFile:
        raise
    except (OSError, ValueError) as error:
        raise BadFile(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _too_large(path: str | Path, limit: int) -> BadFile:
    return BadFile(path, f"is too large: more than {limit:,} bytes")


def decoded(data: bytes, file: str | Path) -> str:
    """UTF-8 text, a byte order mark left out.  Raises BadFile."""
    if len(data) > MAX_BYTES:
        raise _too_large(file, MAX_BYTES)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadFile(file, f"is not UTF-8 text (byte {error.start + 1})", data.count(b"\n", 0, error.start) + 1) from None


def _tree(events: Iterable[Any], file: str) -> Entry:
    """The events as entries, each checked before it is kept."""
    import yaml

    root: Entry | None = None
    open_: list[Entry] = []
    keys: list[tuple[str, int] | None] = []  # per open mapping: the key that waits for its value
    documents = count = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BadFile(file, "a second document starts here; a file holds one", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            keys.pop()
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            above = open_[-1] if open_ else None
            waits = keys[-1] if keys else None
            if problem := _forbidden(event, len(open_), count):
                raise BadFile(file, problem, line, above.path if above else "")
            scalar = event if isinstance(event, yaml.ScalarEvent) else None
            if above is not None and isinstance(above.value, dict) and waits is None:
                keys[-1] = (_new_key(scalar.value if scalar else None, above, line), line)
                continue
            value: Any = _value(scalar) if scalar else {} if isinstance(event, yaml.MappingStartEvent) else []
            if above is None:
                entry = root = Entry(file, line, value)
            elif isinstance(above.value, list):
                entry = Entry(file, line, value, above, len(above.value))
                above.value.append(entry)
            else:
                assert isinstance(above.value, dict)
                assert waits is not None
                entry = above.value[waits[0]] = Entry(file, waits[1], value, above, waits[0])
                keys[-1] = None
            if not scalar:
                open_.append(entry)
                keys.append(None)
    if root is None or root.value is None:
        raise BadFile(file, "is empty")
    return root


def _value(event: Any) -> str | None:
    """A scalar's text; None where nothing is written, which quotes would be."""
    return event.value if event.value or event.style else None


def _forbidden(event: Any, depth: int, count: int) -> str:
    """What this loader does not take, as a sentence; empty if the event may pass."""
    import yaml

    if isinstance(event, yaml.AliasEvent):
        return f"the alias {_short(f'*{event.anchor}')} is not allowed; write the value out"
    if event.anchor is not None:
        return f"the anchor {_short(f'&{event.anchor}')} is not allowed; write the value out where it is needed"
    if event.tag is not None:
        return f"the tag {_short(event.tag)} is not allowed; values are plain text"
    if depth >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
        return f"is nested more than {MAX_DEPTH} deep"
    return f"holds more than {MAX_VALUES:,} values" if count > MAX_VALUES else ""


def _new_key(key: str | None, mapping: Entry, line: int) -> str:
    assert isinstance(mapping.value, dict)
    problem = ""
    if key is None:
        problem = "a field's name must be plain text"
    elif key == "<<":
        problem = "the merge key '<<' is not allowed; write the fields out"
    elif key in mapping.value:
        problem = f"{_short(key)} is given twice (first on line {mapping.value[key].line})"
    if problem or key is None:
        raise BadFile(mapping.file, problem, line, mapping.path)
    return key


def _why(error: Any, text: str, line: int | None) -> str:
    lines = text.split("\n", line) if line else []
    if line and line <= len(lines) and lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())].count("\t"):
        return "a tab cannot indent; use spaces"
    return ", ".join(part for part in (error.context, error.problem) if part)


def resources(kind: str) -> dict[str, Path]:
    """Name -> file for a folder of KINDS: the shipped files, those of the user's own folder put over them."""
    return dict(sorted({**files_in(shipped_folder(), kind), **files_in(user_folder(), kind)}.items()))


def files_in(base: Path, kind: str) -> dict[str, Path]:
    """Name -> file of one base folder; nothing if there is none.  A link that leads out of the base is passed over.  Raises BadFile
    for a folder that cannot be read: what ships would otherwise stand in silence for the user's own."""
    suffix = KINDS[kind][1]
    found: dict[str, Path] = {}
    try:
        inside = base.resolve()
        for file in (base / kind).iterdir():
            named = file.suffix == suffix and SLUG.fullmatch(file.stem)
            if named and _leads(file).is_relative_to(inside) and file.is_file():
                found[file.stem] = file
    except (FileNotFoundError, NotADirectoryError):
        return found
    except (OSError, RuntimeError) as error:
        raise BadFile(base / kind, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return found


def _leads(file: Path) -> Path:
    """Where a file really is; nowhere in particular for links in a circle."""
    try:
        return file.resolve()
    except RuntimeError:
        return Path()


def find(kind: str, name_or_path: str | Path) -> Path:
    """The file of a shipped or own name, or the path itself where one is given.  Raises BadFile that lists what exists.

    Text with a slash or the kind's suffix is a path.  Never pass a path that a shared file names: check with `Entry.slug`.
    """
    noun, suffix = KINDS[kind]
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in name or os.sep in name or name.endswith(suffix):
        return Path(name).expanduser()
    known = resources(kind)
    if name in known:
        return known[name]
    hint = _meant(name, known)
    there = f"there are {listed(known)}" if known else "there are none"
    raise BadFile(name, f"no {noun} has this name; " + (f"did you mean {hint!r}? " if hint else "") + there)


def shipped_folder() -> Path:
    """Where prompts/ and sessions/ are: inside an installed package, beside it in a source tree."""
    package = Path(__file__).parents[1]
    inside = package / "_shipped"
    return inside if inside.is_dir() else package.parent


def user_folder() -> Path:
    """The user's own base folder: $LIFELINE_HOME, else the platform's config folder."""
    own = os.environ.get("LIFELINE_HOME")
    if own:
        return Path(own).expanduser()
    from platformdirs import user_config_dir

    return Path(user_config_dir("lifeline-tui", appauthor=False))


def listed(words: Iterable[str], joint: str = "and") -> str:
    """``a, b and c``."""
    items = [str(word) for word in words]
    return f"{', '.join(items[:-1])} {joint} {items[-1]}" if len(items) > 1 else "".join(items)


def _short(value: str) -> str:
    return f"'{value}'" if len(value) <= 60 else f"'{value[:59]}…'"


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else f" of at most {high}" if high is not None else ""


def _meant(name: str, known: Iterable[str]) -> str:
    """The name most like `name`, or nothing."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, [word for word in known if len(word) <= 40], 1)), "") if len(name) <= 40 else ""
