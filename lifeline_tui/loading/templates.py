"""The words put before a model: `prompts/rules`, `prompts/interventions` and `prompts/personas`, the user's own files over them.

A file of the user's own is checked when the templates are loaded, so that a wrong placeholder is an error with file and line then
and not in the middle of a session.  Shipped files are read when they are first asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.template import Template, TemplateError
from .files import BadFile, decoded, listed, read_bytes
from .resources import files_in, shipped_folder, user_folder

FOLDERS = ("rules", "interventions", "personas")


class Templates(Mapping[str, Template]):
    """``rules/score`` -> Template, each read once.  Getting one raises BadFile, or KeyError if there is none of that name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(sorted(files.items()))
        self._read: dict[str, Template] = {}

    def __getitem__(self, name: str) -> Template:
        if name not in self._read:
            self._read[name] = read_template(name, self._files[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def load_templates() -> Templates:
    """The shipped templates and the user's own.  Raises BadFile if one of the user's own cannot be used."""
    shipped, own = _files(shipped_folder()), _files(user_folder())
    originals = Templates(shipped)
    for name, path in own.items():
        allowed = placeholders(originals[name]) if name in shipped else set()
        for placeholder, line, _, _ in _marks(read_template(name, path)):
            if placeholder not in allowed:
                may = listed(sorted(f"{{{{{word}}}}}" for word in allowed)) or "no placeholder"
                raise BadFile(path, f"{{{{{placeholder}}}}} is not known here; this template may use {may}", line)
    return Templates({**shipped, **own})


def read_template(name: str, path: Path) -> Template:
    """The template in a file; the file's last newline is not part of it.  Raises BadFile."""
    data = read_bytes(path)
    text = decoded(data, path).replace("\r\n", "\n").removesuffix("\n")
    template = Template(name, text, hashlib.sha256(data).hexdigest()[:12], str(path))
    _marks(template)
    return template


def placeholders(template: Template) -> set[str]:
    """The names that a template fills in.  Raises BadFile."""
    return {name for name, _, _, _ in _marks(template)}


def _marks(template: Template) -> list[tuple[str, int, int, int]]:
    try:
        return list(template.marks())
    except TemplateError as error:
        raise BadFile(error.path, error.problem, error.line) from None


def _files(base: Path) -> dict[str, Path]:
    return {f"{folder}/{name}": path for folder in FOLDERS for name, path in files_in(base, f"prompts/{folder}").items()}
