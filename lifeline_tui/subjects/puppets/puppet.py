"""The embedded puppets: subjects for learning the tool and for testing it, with no model behind them.

They prove nothing about models, and are flagged as simulated everywhere (Law 8).  A puppet's reply follows from its seed and the
messages alone; the answer book only lets it be right now and then, and recognise a fake.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from ...core.chance import draw
from ...core.nodes import Cause, Status, Usage
from ...core.puzzle import Puzzle
from ..names import SIMULATED
from ..protocol import Capabilities, Delta, End, Event, Request, SubjectError
from .hearing import read, split_prompt
from .lines import speak
from .minds import TRAITS, Book, Mind

FINGERPRINT = "puppet-1"
_PARAMS = frozenset({"temperature", "top_p", "max_tokens", "seed", "stop"})
_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")


class SimulatedSubject:
    """One puppet.  `book` holds puzzles by their text; `paced` streams at a reading pace instead of at once.

    Temperature and top_p are taken and change nothing.  A token is a word; `max_tokens` counts those of the reply, not of its reasoning.
    """

    simulated = True

    def __init__(self, name: str, *, book: Mapping[str, Puzzle] | None = None, paced: bool = True) -> None:
        """Raises SubjectError for a name that is no puppet's."""
        if name not in TRAITS:
            raise SubjectError(f"no puppet is called {name!r}; there are {', '.join(SIMULATED)}")
        self.name = self.model = name
        self.paced = paced
        self._book = Book(book or {})

    async def capabilities(self) -> Capabilities:
        chat = self.name != "sim/base"
        return Capabilities(chat=chat, params=_PARAMS, reasoning=chat, prefill=not chat, note="a puppet, not a model")

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        messages = request.messages if request.prompt is None else split_prompt(request.prompt)
        seed = _whole(request.params.get("seed"), 0)
        mind = Mind(TRAITS[self.name], seed, read(messages), self._book)
        reasoning, text = speak(mind)
        text, cut = _limited(_stopped(text, request.params.get("stop")), request.params.get("max_tokens"))
        if self.paced:
            await asyncio.sleep(0.3 + 0.6 * mind.chance("think", text))
            async for delta in _spoken(reasoning, text, seed):
                yield delta
        else:
            if reasoning:
                yield Delta(reasoning=reasoning)
            if text:
                yield Delta(text=text)
        status = Status.TRUNCATED if cut else Status.COMPLETE if text.strip() else Status.EMPTY
        cause = "the reply reached max_tokens" if cut else "" if text.strip() else "a stop sequence came before any text"
        kind = Cause.LENGTH if cut else Cause.NONE if text.strip() else Cause.NO_TEXT
        yield End(
            status,
            cause,
            "length" if cut else "stop",
            _usage((message.get("content") or "" for message in messages), text, reasoning),
            self.name,
            FINGERPRINT,
            cause_kind=kind,
        )

    async def close(self) -> None:
        """Nothing is held."""


def _whole(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _stopped(text: str, stop: Any) -> str:
    """`text` up to the first stop sequence."""
    for mark in [stop] if isinstance(stop, str) else stop or ():
        if mark:
            text = text.partition(mark)[0]
    return text


def _limited(text: str, limit: Any) -> tuple[str, bool]:
    """At most `limit` words of `text`, and whether any were cut off."""
    most = _whole(limit, -1)
    if most < 0:
        return text, False
    words = list(re.finditer(r"\S+", text))
    return (text, False) if len(words) <= most else (text[: words[most - 1].end()] if most else "", True)


def _usage(read_: Iterable[str], text: str, reasoning: str) -> Usage:
    """The puppet's own count, in words; it costs nothing."""
    thought = len(reasoning.split())
    return Usage(
        input=sum(len(content.split()) for content in read_), output=len(text.split()) + thought, reasoning=thought, cost=0.0
    )


async def _spoken(reasoning: str, text: str, seed: int) -> AsyncGenerator[Event, None]:
    """Word by word, 40 to 80 a second, with a breath after a sentence."""
    for silent, said in ((True, reasoning), (False, text)):
        for place, word in enumerate(_WORD.findall(said)):
            yield Delta(reasoning=word) if silent else Delta(text=word)
            pause = 0.0125 + 0.0125 * draw(seed, "pace", silent, place)
            await asyncio.sleep(pause * (4 if word.endswith((".", "?")) else 1))
