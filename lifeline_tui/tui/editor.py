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
    """`text` as $VISUAL or $EDITOR leaves it; unchanged, with a word why, where there is no editor or it fails.  What such an editor
    wrote all the same stays in its file, and that word says where."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        app.notify("Set EDITOR to edit long text outside.", severity="warning", markup=False)
        return text
    handle, name = tempfile.mkstemp(prefix="lifeline-", suffix=".txt")
    path, given = Path(name), text.encode("utf-8", "surrogatepass")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(given)
        with app.suspend():
            done = subprocess.run([*shlex.split(command), name], check=False)
        if not done.returncode:
            edited = path.read_text(encoding="utf-8", errors="surrogatepass").removesuffix("\n")
            path.unlink()
            return edited
        why = f"ended with exit code {done.returncode}"
    except UnicodeDecodeError:
        why = "wrote what is no UTF-8"
    except (OSError, ValueError, SuspendNotSupported) as error:
        why = f"could not be run ({error})"
    kept = ""
    if path.exists() and path.read_bytes() != given:
        kept = f"; what it wrote is in {path}"
    else:
        path.unlink(missing_ok=True)
    app.notify(
        str(shown_line(f"{command} {why}; the text is unchanged{kept}.", limit=500)), severity="warning", timeout=20, markup=False
    )
    return text
