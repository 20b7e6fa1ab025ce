"""Long text in the operator's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from .show import shown_line


def edit_outside(app: App[Any], text: str) -> str:
    """`text` as $VISUAL or $EDITOR leaves it; unchanged, with a word why, where there is no editor or it fails."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        app.notify("Set EDITOR to edit long text outside.", severity="warning", markup=False)
        return text
    handle, name = tempfile.mkstemp(prefix="lifeline-", suffix=".txt")
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as out:
            out.write(text)
        with app.suspend():
            done = subprocess.run([*shlex.split(command), name], check=False)
        if done.returncode:
            app.notify(
                str(shown_line(f"{command} ended with exit code {done.returncode}; the text is unchanged.")), severity="warning"
            )
            return text
        return path.read_text(encoding="utf-8", errors="surrogatepass").removesuffix("\n")
    except (OSError, ValueError, SuspendNotSupported) as error:
        app.notify(
            str(shown_line(f"{command} could not be run ({error}); the text is unchanged.")), severity="warning", markup=False
        )
        return text
    finally:
        path.unlink(missing_ok=True)
