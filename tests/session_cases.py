"""What the tests of the session share: a subject that says what it is told to and can be held in mid-stream, and small plans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lifeline_tui.core.nodes import Call, Reply, Status, User, plain, text_of
from lifeline_tui.core.plan import Feedback, Plan
from lifeline_tui.core.puzzle import Answer, Fake, Puzzle
from lifeline_tui.interventions.table import TABLE
from lifeline_tui.loading.templates import load_templates
from lifeline_tui.session.calls import Writer
from lifeline_tui.session.opening import create, judge_unanswered, resume
from lifeline_tui.session.session import Session
from lifeline_tui.store import Store
from lifeline_tui.subjects.protocol import Capabilities, Delta, End, Event, Request

WORDS = load_templates()
LIFELINE = "ACTION: LIFELINE"
BOTH = "ACTION: LIFELINE\nANSWER: 11"
assert TABLE


def answers(value: object, confidence: int = 80) -> str:
    return f"ACTION: ANSWER\nANSWER: {value}\nDIFFICULTY: 5\nCONFIDENCE: {confidence}"


def puzzles(count: int, fakes: int = 2) -> tuple[Puzzle, ...]:
    """p1 … with keys 11, 12, … and fakes 21, 31; 22, 32; …"""
    return tuple(
        Puzzle(
            id=f"p{i}",
            text=f"How many of the {i}?",
            answer=Answer("int", str(10 + i)),
            fakes=tuple(Fake(str(10 * (2 + j) + i), "one too many") for j in range(fakes)),
            family="counts",
            stratum="hard",
            pack="tests",
        )
        for i in range(1, count + 1)
    )


class Voice:
    """A subject that gives `replies` in order, the last for ever: a text, or (text, status), or an exception to raise.

    While `hold` is set it stops after its first text until `go` is; `held` says that it has come there.
    """

    simulated = True
    name = model = "scripted/voice"

    def __init__(self, *replies: Any, chat: bool = True, params: frozenset[str] | None = None) -> None:
        self.replies = list(replies) or [answers(11)]
        self.requests: list[Request] = []
        self.hold = False
        self.held, self.go = asyncio.Event(), asyncio.Event()
        self.heard: Callable[[], None] = lambda: None
        self._capabilities = Capabilities(chat=chat, params=params)

    async def capabilities(self) -> Capabilities:
        return self._capabilities

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        self.heard()
        said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        text, status = said if isinstance(said, tuple) else (said, Status.COMPLETE)
        if isinstance(said, BaseException):
            raise said
        half = len(text) // 2
        yield Delta(text=text[:half], reasoning="hm")
        if self.hold:
            self.held.set()
            await self.go.wait()
        yield Delta(text=text[half:])
        yield End(status, "" if status is Status.COMPLETE else "said so", "stop")

    async def close(self) -> None:
        """Nothing is held."""


def writer(path: Path) -> Writer:
    store = Store(path, judged=judge_unanswered)
    return Writer(store)


def plan(**changes: Any) -> Plan:
    """A sequential plan with three lifelines, nothing told back."""
    if isinstance(given := changes.get("feedback"), str):
        changes["feedback"] = Feedback(kind=given)
    return replace(Plan("test", lifelines=3), **changes)


@asynccontextmanager
async def opened(
    path: Path, voice: Any, *, count: int = 3, fakes: int = 2, hands: bool = True, seed: int = 1, **changes: Any
) -> AsyncIterator[Session]:
    """A new session in a notebook of its own, closed afterwards."""
    write = writer(path / "t.db")
    try:
        session = await create(write, plan(**changes), puzzles(count, fakes), voice, WORDS, title="test", seed=seed, hands=hands)
        try:
            yield session
        finally:
            await session.close()
    finally:
        await write.close()


async def reopened(session: Session, voice: Any) -> Session:
    """The same session, closed and opened again on the same store."""
    await session.close()
    return await resume(session._write, session.id, lambda root: voice, WORDS, hands=session.hands)


async def steps(session: Session, *names: str | tuple[str, dict[str, str]]) -> None:
    for each in names:
        name, values = (each, {}) if isinstance(each, str) else each
        await session.do(name, values)


def asked(session: Session, tip: str | None = None) -> str:
    """The last user turn on the path, as the subject read it."""
    return next(text_of(node.body) for node in session.tree.above(tip or session.tip) if isinstance(node.body, User))


def said(session: Session, tip: str | None = None) -> str:
    """The last reply on the path."""
    return next(plain(node.body.spans) for node in session.tree.above(tip or session.tip) if isinstance(node.body, Reply))


def call_of(session: Session, tip: str | None = None) -> Call:
    return next(node.body for node in session.tree.above(tip or session.tip) if isinstance(node.body, Call))


def queued(session: Session) -> list[str]:
    return [plain(part.spans) for part in session.queue()]


def rows(session: Session) -> Sequence[tuple[Any, ...]]:
    """The attempts table."""
    found = session._write.store.connection.execute("SELECT * FROM v_attempts WHERE session = ?", (session.id,))
    names = [each[0] for each in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]
