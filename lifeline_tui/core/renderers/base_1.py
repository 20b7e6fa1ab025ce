r"""Renderer `base-1`, released and frozen: the prompt of a base model, blocks under headings, ending where the subject is to write.

Its cut rule is its own copy: the parser's may move on, and a call that was made with this one must keep its digest.  It is never
edited, as `chat-1`, which it calls.  A test compares this file with its recorded hash, and another holds digests of recorded calls fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..nodes import Body
from . import chat_1
from .rendered import Rendered

NAME = "base-1"
STOP = ("\n### ",)
"""Where a base model's continuation ends: it would go on to write the operator's part."""

_HEADINGS = {"user": "### Operator\n", "assistant": "### Subject\n"}
_BLANK = " \t\u00a0\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_EDGE = _BLANK + "*_`"
_DECOR = (
    rf"(?:[{_EDGE}>#|+•◦‣▪●○·→➤✅✔☑👉🔹\ufe0f–—-]|[0-9]{{1,3}}[.)]|</?[a-z][a-z0-9]{{0,15}}>"
    r"|\\(?:text|textbf|mathbf|boxed)\{|\[[ x]\])"
)
_HEADERS = (
    re.compile(r"^[ \t]{0,40}+PUZZLE[ \t]{1,9}[0-9]", re.MULTILINE),
    re.compile(
        rf"^(?:{_DECOR}|[=<(\[]){{0,60}}+PUZZLE[ \t]{{0,9}}(?:no\.?|number|\#)?[ \t]{{0,9}}([0-9]{{1,4}})"
        rf"(?:[ \t]{{0,9}}(?:of|/)[ \t]{{0,9}}[0-9]{{1,4}})?[{_EDGE}]{{0,40}}+(?:$|(?![.-][0-9])[:：.)\]>=|(#–—-]++)",
        re.IGNORECASE | re.MULTILINE,
    ),
)


def _own_turn(text: str) -> str:
    """A reply up to the next item header that is not its first thing, or to the stop string: what it wrote past its own turn is cut."""
    first = len(text) - len(text.lstrip())
    headers = (next((m.start() for m in header.finditer(text) if m.start() > first), -1) for header in _HEADERS)
    cuts = [place for place in (*headers, *(text.find(stop) for stop in STOP)) if place >= 0]
    return text[: min(cuts)] if cuts else text


def render(path: Iterable[Body]) -> Rendered:
    blocks = []
    turns = chat_1.turns(path)
    for role, text, _ in turns:
        body = _own_turn(text).strip("\n") if role == "assistant" else text
        blocks.append(_HEADINGS.get(role, "") + body)
    if not turns or turns[-1][0] != "assistant":
        blocks.append("### Subject\n")
    return Rendered(NAME, prompt="\n\n".join(blocks))
