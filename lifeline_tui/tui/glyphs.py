"""Signs for who wrote a thing and how it ended, each with a word beside it on screen: never colour alone (Law 3).

Every sign is one cell wide and in DejaVu Sans Mono; the ASCII set stands in where a font or a terminal lacks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.dom import DOMNode

from ..core.nodes import Origin


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs.  `marks` are what a turn of the tree can be marked with; `spark` rises from lowest to highest."""

    origin: Mapping[Origin, str]
    marks: Mapping[str, str]
    bar: str
    bar_here: str
    bar_thought: str
    opened: str
    shut: str
    here: str
    fork: str
    last: str
    through: str
    dot: str
    angles: tuple[str, str]
    more: str
    below: str
    spark: str
    full: str
    hollow: str
    hidden: str

    def mark(self, name: str) -> str:
        """The sign of that mark; a blank for one without a sign."""
        return self.marks.get(name, " ")


UNICODE = Glyphs(
    origin={
        Origin.MODEL: "◆",
        Origin.OPERATOR: "●",
        Origin.TEMPLATE: "▣",
        Origin.FORGED: "✎",
        Origin.EDITED: "✂",
        Origin.IMPORTED: "⇣",
        Origin.OTHER_MODEL: "◇",
    },
    marks={
        "right": "✓",
        "wrong": "✗",
        "lifeline": "↷",
        "ungradable": "≈",
        "unparsed": "?",
        "violation": "§",
        "both": "±",
        "refusal": "⊘",
        "refused-by-provider": "⊘",
        "filtered": "⊘",
        "empty": "∅",
        "truncated": "…",
        "cancelled": "✖",
        "error": "↯",
        "interrupted": "↯",
        "posed": "·",
        "fake": "≠",
        "forged": "✎",
        "edited": "✂",
        "bookmark": "★",
    },
    bar="▌",
    bar_here="█",
    bar_thought="┊",
    opened="▾",
    shut="▸",
    here="◉",
    fork="├",
    last="└",
    through="│",
    dot="·",
    angles=("‹", "›"),
    more="…",
    below="←",
    spark="▁▂▃▄▅▆▇█",
    full="▮",
    hollow="▯",
    hidden="█",
)
ASCII = Glyphs(
    origin={
        Origin.MODEL: "M",
        Origin.OPERATOR: "O",
        Origin.TEMPLATE: "T",
        Origin.FORGED: "F",
        Origin.EDITED: "E",
        Origin.IMPORTED: "I",
        Origin.OTHER_MODEL: "X",
    },
    marks={
        "right": "+",
        "wrong": "x",
        "lifeline": "L",
        "ungradable": "~",
        "unparsed": "?",
        "violation": "V",
        "both": "&",
        "refusal": "R",
        "refused-by-provider": "R",
        "filtered": "R",
        "empty": "0",
        "truncated": "t",
        "cancelled": "c",
        "error": "!",
        "interrupted": "!",
        "posed": ".",
        "fake": "k",
        "forged": "F",
        "edited": "E",
        "bookmark": "*",
    },
    bar="|",
    bar_here="#",
    bar_thought=":",
    opened="v",
    shut=">",
    here="@",
    fork="|",
    last="`",
    through="|",
    dot=".",
    angles=("<", ">"),
    more="...",
    below="<-",
    spark="_.-=+*%#",
    full="#",
    hollow="-",
    hidden="#",
)


def glyphs_of(widget: DOMNode) -> Glyphs:
    """The set that the widget's app has chosen, in its attribute `glyphs`."""
    chosen = getattr(widget.app, "glyphs", UNICODE)
    return chosen if isinstance(chosen, Glyphs) else UNICODE
