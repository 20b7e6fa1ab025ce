"""Where shipped files and the user's own are found.  platformdirs is imported where it is used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from .entry import SLUG
from .files import BadFile, listed, meant

KINDS: Final = {
    "sessions": ("plan", ".yaml"),
    "prompts/puzzles": ("pack", ".yaml"),
    "prompts/rules": ("rule", ".txt"),
    "prompts/interventions": ("intervention", ".txt"),
    "prompts/personas": ("persona", ".txt"),
}
"""Folder -> what a file in it is called, and its suffix."""


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
    hint = meant(name, known)
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
