"""The one way in for YAML that people share.

It is read as a stream of events, never as objects: no aliases, anchors, merges, tags, duplicate keys or second document, so a small
file cannot grow and cannot name a Python type.  Whatever is wrong is a `BadFile` that names file, line and field; nothing else is raised.

yaml is imported where it is used: this module is loaded before the first paint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .entry import MAX_DEPTH, MAX_VALUES, Entry
from .files import BadFile, decoded, read_bytes, short

_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


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
        return f"the alias {short(f'*{event.anchor}')} is not allowed; write the value out"
    if event.anchor is not None:
        return f"the anchor {short(f'&{event.anchor}')} is not allowed; write the value out where it is needed"
    if event.tag is not None:
        return f"the tag {short(event.tag)} is not allowed; values are plain text"
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
        problem = f"{short(key)} is given twice (first on line {mapping.value[key].line})"
    if problem or key is None:
        raise BadFile(mapping.file, problem, line, mapping.path)
    return key


def _why(error: Any, text: str, line: int | None) -> str:
    lines = text.split("\n", line) if line else []
    if line and line <= len(lines) and lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())].count("\t"):
        return "a tab cannot indent; use spaces"
    return ", ".join(part for part in (error.context, error.problem) if part)
