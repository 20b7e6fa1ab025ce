"""A session in another file: for one that cannot be stored where it is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.nodes import (
    Remark,
    Reply,
    plain,
)
from ..core.tree import Tree
from ..store import Draft, Store


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A reply that could not be stored when it came."""

    call: str
    reply: Reply
    remarks: Sequence[Remark]
    branch: str


def copy(
    path: Path,
    about: Mapping[str, Any],
    tree: Tree,
    branches: Mapping[str, str],
    view: Mapping[str, Any],
    unsaved: Sequence[Unsaved],
) -> None:
    """Writes a session, with its `view` state and the replies that could not be stored, to the notebook at `path`, which is made if
    there is none.  Raises StoreError.  Blocks."""
    session = str(about["id"])
    nodes, notes = list(tree.nodes.values()), [note for each in tree.notes.values() for note in each]
    with Store(path) as other:
        other.own(session)  # before its open calls come in, which an owner-to-be would close
        other.import_session(dict(about), nodes, notes, [{"name": name, "tip": tip} for name, tip in branches.items()])
        for key, value in view.items():
            other.set_view_state(session, key, value)
        unanswered = {point.call for point in other.open_calls(session)}
        for each in unsaved:
            if each.call in unanswered:
                branch = each.branch if branches.get(each.branch) == each.call else None
                other.append(session, [Draft(each.reply)], parent=each.call, remarks=each.remarks, branch=branch)


def rescued_place() -> Path:
    """A new file's place, in a folder for temporary files.  Raises OSError."""
    return Path(tempfile.mkdtemp(prefix="lifeline-")) / "rescued.db"


def told(unsaved: Sequence[Unsaved]) -> str:
    """All that the replies say, reasoning first."""
    replies = [each.reply for each in unsaved]
    return "\n\n".join(part for reply in replies for part in (reply.reasoning, plain(reply.spans)) if part)
