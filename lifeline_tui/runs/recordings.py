"""Recorded example sessions that ship with the tool, as session-jsonl: read for the tour, never stored."""

from __future__ import annotations

from ..core.tree import Tree
from ..importers.session_jsonl import parse
from ..loading.resources import shipped_folder
from ..session.view import MAIN, Reading


def recording(name: str) -> Reading:
    """A shipped recording, on the branch that ends it: the last that was made.  Raises BadFile."""
    found = parse(shipped_folder() / "sessions" / f"{name}.jsonl")
    branches = {branch["name"]: branch["tip"] for branch in found.branches}
    tree = Tree(found.nodes, found.notes)
    last = max(branches, key=lambda branch: tree[branches[branch]].seq)
    return Reading(tree, branches, last if last in branches else MAIN)
