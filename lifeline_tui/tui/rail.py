"""The tree as rows: a pure function from parents to what the rail draws, of the size of what is unfolded.

The path reads downward without indentation, however long it is.  Beside it, at each fork, hang the other children, folded to one row
each; an unfolded one reads downward in its turn, one step further in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

SIDES_SHOWN = 40
"""Side branches listed at one fork before the rest are counted in one row."""


@dataclass(frozen=True, slots=True)
class Twig:
    """One turn or attempt of the tree.  `parent` is the nearest shown ancestor; `marks` are names of glyphs; `tone` is "", "right",
    "wrong", "skip", "forged" or "error"; `name` is that of a branch; `told` is the fake that stood above the question."""

    id: str
    parent: str | None
    label: str
    marks: tuple[str, ...] = ()
    tone: str = ""
    name: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the rail.  `guides` holds a letter a step: t(hrough), f(ork), l(ast), blank.  `fork` is (which child the path
    takes, of how many).  `hidden` counts what is folded away below; `opened` is None where there is nothing to fold.  A row with
    `rest` stands for that many side branches more, and its `twig` is the first of them."""

    twig: Twig
    guides: str = ""
    on_path: bool = False
    current: bool = False
    fork: tuple[int, int] | None = None
    hidden: int = 0
    opened: bool | None = None
    rest: int = 0


class Grove:
    """Twigs by id, their children in order, and how much hangs below each.  Parents come before their children."""

    def __init__(self, twigs: Iterable[Twig] = ()) -> None:
        order = list(twigs)
        self.twigs: dict[str, Twig] = {twig.id: twig for twig in order}
        self.kids: dict[str | None, list[str]] = {}
        self.below: dict[str | None, int] = {None: 0, **dict.fromkeys(self.twigs, 0)}
        kids, below = self.kids, self.below
        for twig in order:
            if twig.parent in kids:
                kids[twig.parent].append(twig.id)
            else:
                kids[twig.parent] = [twig.id]
        for twig in reversed(order):
            below[twig.parent] += below[twig.id] + 1

    def add(self, twig: Twig) -> None:
        """Adds a new twig, or puts a changed one in the place of its older self."""
        if twig.id in self.twigs:
            self.twigs[twig.id] = twig
            return
        self.twigs[twig.id] = twig
        self.kids.setdefault(twig.parent, []).append(twig.id)
        self.below[twig.id] = 0
        self.below[None] += 1
        at = twig.parent
        while at is not None:
            self.below[at] += 1
            at = self.twigs[at].parent

    def path(self, tip: str | None) -> set[str]:
        """`tip` and its ancestors."""
        path: set[str] = set()
        while tip is not None and tip in self.twigs:
            path.add(tip)
            tip = self.twigs[tip].parent
        return path


def rail_rows(grove: Grove, tip: str | None, opened: Collection[str] = ()) -> list[Row]:
    """The rows of the tree with the path to `tip` unfolded, and the side branches whose heads are in `opened`."""
    path = grove.path(tip)
    rows: list[Row] = []
    todo = _hang(grove.kids.get(None, []), path, "")
    while todo:
        head = todo.pop()
        twig, kids = grove.twigs[head.node], grove.kids.get(head.node, [])
        if head.rest:
            rows.append(Row(twig, head.own, rest=head.rest))
        elif head.side and head.node not in opened:
            rows.append(Row(twig, head.own, hidden=grove.below[head.node], opened=False if kids else None))
        else:
            fork = None
            if len(kids) > 1:
                fork = next((place for place, kid in enumerate(kids, 1) if kid in path), 1), len(kids)
            unfolded = True if head.side and kids else None
            rows.append(Row(twig, head.own, head.node in path, head.node == tip, fork, opened=unfolded))
            todo += _hang(kids, path, head.after)
    return rows


@dataclass(frozen=True, slots=True)
class _Head:
    """Where to go on: `own` guides its row, `after` those that follow it."""

    node: str
    own: str = ""
    after: str = ""
    side: bool = False
    rest: int = 0


def _hang(kids: list[str], path: Collection[str], guides: str) -> list[_Head]:
    """Children as a stack, the last one drawn first: the path's own (or the first) goes on at the same depth, below the others."""
    if len(kids) < 2:
        return [_Head(kid, guides, guides) for kid in kids]
    main = next((kid for kid in kids if kid in path), kids[0])
    sides = [kid for kid in kids if kid != main]
    heads = [_Head(kid, guides + "f", guides + "t", side=True) for kid in sides[:SIDES_SHOWN]]
    if len(sides) > SIDES_SHOWN:
        heads.append(_Head(sides[SIDES_SHOWN], guides + "l", side=True, rest=len(sides) - SIDES_SHOWN))
    else:
        heads[-1] = _Head(heads[-1].node, guides + "l", guides + " ", side=True)
    return [_Head(main, guides, guides), *reversed(heads)]
