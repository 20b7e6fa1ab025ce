"""A value of a file that people share, with its place: read strictly, as the schema that asks for it says.

Every scalar is text (`no`, `012`, `1:30` and dates stay as written) until a schema asks for a number or a word.  Whatever is wrong is a
`BadFile` that names file, line and field.

`~` and `null` are plain text too.  A field with nothing after its colon has no value, which is an error wherever a value is read:
write `""` for an empty text, or leave the line out for the default.

yaml and platformdirs are imported where they are used: this module is loaded before the first paint.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from .files import BadFile, listed, meant, short

D = TypeVar("D")

MAX_DEPTH = 20
MAX_VALUES = 50_000

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# Text, not compiled: the first paint needs neither these nor the time that they take.
_INTEGER = r"[+-]?[0-9]{1,15}"
_NUMBER = r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?"
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


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
            hint = meant(name, unread)
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
            raise found.bad(f"must be a name of letters, digits, '.', '-' and '_', not {short(value)}")
        return value

    def integer(
        self, name: str | None = None, low: int | None = None, high: int | None = None, default: int | _Required = REQUIRED
    ) -> int:
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("a whole number")
        if not re.fullmatch(_INTEGER, value) or not _within(int(value), low, high):
            raise found.bad(f"must be a whole number{_range(low, high)}, not {short(value)}")
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
            raise found.bad(f"must be a number{_range(low, high)}, not {short(value)}")
        return int(value) if re.fullmatch(_INTEGER, value) else float(value)

    def flag(self, name: str | None = None, default: bool | _Required = REQUIRED) -> bool:
        """true, yes, false or no."""
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar("true or false")
        if value.lower() not in _WORDS:
            raise found.bad(f"must be true or false, not {short(value)}")
        return _WORDS[value.lower()]

    def choice(self, name: str | None, options: Collection[str], default: str | _Required = REQUIRED) -> str:
        found = self._at(name, default)
        if not isinstance(found, Entry):
            return found
        value = found._scalar(listed(options, "or"))
        if value not in options:
            raise found.bad(f"must be {listed(options, 'or')}, not {short(value)}")
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
                    hint = meant(name, self.taken - self.value.keys()) or meant(name, self.taken)
                    instead = f"did you mean {hint!r}?" if hint else f"the fields are {listed(sorted(self.taken))}"
                    raise entry.bad(f"is not a field here; {instead}")
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
            return short(self.value)
        return "nothing" if self.value is None else "a list" if isinstance(self.value, list) else "fields with values"


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else f" of at most {high}" if high is not None else ""
