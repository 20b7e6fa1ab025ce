"""What is put before a model is a template filled in one flat pass: `{{name}}` and nothing else (no formats, no attributes, no loops).

What is filled in is never read as a template again, and every span keeps the origin of whoever wrote it (Law 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from .nodes import Origin, Span, Spans, plain

_MARK = re.compile(r"\{\{([^{}\n]{0,80})\}\}|\{\{")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

Value = str | Span | Sequence[Span]


class TemplateError(ValueError):
    """A template cannot be filled.  `line` is 1-based; `str()` names file and line."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        self.path, self.line, self.problem = path, line, problem
        super().__init__(f"{path}:{line}: {problem}")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders.  `name` is its folder and file (``rules/score``), `version` 12 hex of its file's SHA-256."""

    name: str
    text: str
    version: str = ""
    path: str = ""

    def marks(self) -> Iterator[tuple[str, int, int, int]]:
        """Each placeholder's name, line, start and end.  Raises TemplateError for a `{{` that opens none."""
        line, seen = 1, 0
        for match in _MARK.finditer(self.text):
            line, seen = line + self.text.count("\n", seen, match.start()), match.start()
            if match[1] is None or not _NAME.fullmatch(match[1]):
                start = self.text[match.start() : match.start() + 20].partition("\n")[0]
                raise TemplateError(self.path or self.name, line, f"'{start}' is not a placeholder; write {{{{name}}}}")
            yield match[1], line, match.start(), match.end()


def render(template: Template, values: Mapping[str, Value]) -> Spans:
    """`template` with `values` filled in.  Its own words and plain strings are the template's; spans keep their origin; neighbours of one
    origin are joined and empty ones left out.  Raises TemplateError for a placeholder that has no value."""
    spans: list[Span] = []
    last = 0
    for name, line, start, end in template.marks():
        if name not in values:
            raise TemplateError(template.path or template.name, line, f"nothing is known here to fill in {{{{{name}}}}}")
        value = values[name]
        spans.append(Span(template.text[last:start], Origin.TEMPLATE))
        spans += [Span(value, Origin.TEMPLATE)] if isinstance(value, str) else [value] if isinstance(value, Span) else value
        last = end
    return joined([*spans, Span(template.text[last:], Origin.TEMPLATE)])


def joined(spans: Sequence[Span]) -> Spans:
    """`spans` without empty ones, neighbours of one origin made one."""
    groups = groupby((span for span in spans if span.text), key=attrgetter("origin"))
    return tuple(Span(plain(list(group)), origin) for origin, group in groups)
