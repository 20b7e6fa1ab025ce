"""Which models were used last, and where they were served: kept in a small file of the user's own, so that nobody types them twice.

It holds no key (Law 10): what might be one is not written.  It is no part of a notebook, since notebooks are shared.  One that
cannot be read is passed over, with a sentence for the operator.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..loading.config import bad_address
from ..loading.files import BadFile, decoded, read_bytes

FILE = "recent.json"
KEPT = 6
"""Models that are remembered."""
MAX_BYTES = 20_000
LONGEST = 400
"""Characters of a name or an address."""


@dataclass(frozen=True, slots=True)
class Used:
    """A model and its API base, "" for the provider's own."""

    model: str
    api_base: str = ""


@dataclass(frozen=True, slots=True)
class Recent:
    """The models used, the last one first; `config` is what the config named when that one was chosen; `wrong` why nothing is known."""

    used: tuple[Used, ...] = ()
    config: str = ""
    wrong: str = ""

    def last(self, config: str) -> Used | None:
        """What to start with: the last one, unless the config has named another model since."""
        return self.used[0] if self.used and self.config == config else None

    def after(self, used: Used, config: str) -> Recent:
        return Recent((used, *(each for each in self.used if each != used))[:KEPT], config)


def recent_path() -> Path:
    """In $LIFELINE_HOME, else in the platform's folder for a user's state."""
    own = os.environ.get("LIFELINE_HOME")
    if own:
        return Path(own).expanduser() / FILE
    from platformdirs import user_state_dir

    return Path(user_state_dir("lifeline-tui", appauthor=False)) / FILE


def recall() -> Recent:
    """What is remembered; nothing where there is no file, and nothing and why where it cannot be read."""
    path = recent_path()
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Recent()
    except OSError:
        pass  # reading it says what is wrong
    try:
        return _read(json.loads(decoded(read_bytes(path, MAX_BYTES), path)))
    except BadFile as error:
        why = str(error)
    except (ValueError, TypeError, KeyError, RecursionError):
        why = f"{path} is not as it was written"
    return Recent(wrong=f"The models used last are not known: {why}. The next choice writes the file anew.")


def _read(data: object) -> Recent:
    """What the file says.  Raises ValueError, TypeError, KeyError."""
    if not isinstance(data, dict) or not isinstance(data["models"], list):
        raise TypeError
    used = [Used(_word(each["model"]), _word(each.get("api_base", ""))) for each in data["models"][:KEPT]]
    if not all(each.model for each in used) or any(each.api_base and bad_address(each.api_base) for each in used):
        raise ValueError
    return Recent(tuple(used), _word(data.get("config", "")))


def _word(text: object) -> str:
    if not isinstance(text, str) or len(text) > LONGEST or (text and not text.isprintable()):
        raise ValueError
    return text


def remember(recent: Recent) -> None:
    """Writes the file, whole or not at all.  Raises OSError."""
    from ..subjects.child.redaction import holds_secret

    path = recent_path()
    kept = [each for each in recent.used if not holds_secret(f"{each.model}\n{each.api_base}")]
    models = [
        {"model": each.model, "api_base": each.api_base} for each in kept if max(len(each.model), len(each.api_base)) <= LONGEST
    ]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"config": recent.config, "models": models}, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
