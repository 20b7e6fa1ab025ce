"""Which branch left which, and where: the one place that tells a probe's fork from the trunk that it left.

A probe's fork says so in its `fork` annotation, or bears the probe's name.  Its trunk is the branch that it left, or, where that is a
probe's fork too, the trunk of that one.  Where a branch left is read from the machine's `fork` annotation; a session that has none is guessed at from its tree.
"""

from __future__ import annotations

from ..interventions.table import TABLE
from .view import MAIN, Reading


def home(reading: Reading) -> str:
    """The branch on which everything began."""
    return MAIN if MAIN in reading.branches else next(iter(reading.branches))


def made_by_probe(reading: Reading, branch: str) -> bool:
    """Whether `branch` is a probe's fork, or one of a text that was sent in a fork."""
    if (fork := reading.tree.forks.get(branch)) is not None:
        return bool(fork.probe)
    stem, _, number = branch.rpartition("-")
    entry = TABLE.get(branch) or (TABLE.get(stem) if number.isdecimal() else None)
    return entry is not None and bool(entry.place) and branch != home(reading)


def left(reading: Reading, branch: str) -> tuple[str, str | None]:
    """The branch that `branch` left, and the node where it did."""
    return _stored(reading, branch) or _guessed(reading, branch)


def trunk_of(reading: Reading, branch: str) -> str:
    """The branch that goes on when what `branch` was made for is over: itself, unless it is a probe's fork."""
    seen = set()
    while made_by_probe(reading, branch) and branch not in seen:
        seen.add(branch)
        branch = left(reading, branch)[0]
    return branch


def _stored(reading: Reading, branch: str) -> tuple[str, str] | None:
    """What the notebook says about where `branch` left."""
    fork = reading.tree.forks.get(branch)
    if fork is None or fork.left not in reading.branches or fork.left == branch or fork.node not in reading.tree:
        return None
    return fork.left, fork.node


def _guessed(reading: Reading, branch: str) -> tuple[str, str | None]:
    """The branch with which `branch` shares most of what was there before its own turns, and the last node that they share.  Of several
    it is none that a probe made, then one that had gone on by then, then the home branch."""
    mine = reading.tree.path(reading.branches[branch])
    place = {node.id: depth for depth, node in enumerate(mine)}
    found = []
    for name, tip in reading.branches.items():
        first = None  # of that branch's own nodes
        for node in reading.tree.above(tip):
            if node.id in place:
                break
            first = node
        else:
            continue
        depth = place[node.id]
        own = mine[depth + 1] if depth + 1 < len(mine) else None
        if name != branch and own is not None:
            older = first is None or first.seq < own.seq
            found.append((depth, not made_by_probe(reading, name), older, name == home(reading), name))
    deepest = max((each[0] for each in found if each[2]), default=None)
    best = max((each for each in found if deepest is None or each[0] == deepest), default=None)
    return (best[-1], mine[best[0]].id) if best is not None else (home(reading), None)
