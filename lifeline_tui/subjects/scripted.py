"""A subject that answers from a file, in order: for tests, tours and demonstrations.

Which reply is given follows from the transcript alone (the k-th call on a path gets the k-th reply), so that forks and regenerated
replies are repeatable.  It is as little a model as a puppet is, and is flagged as simulated too (Law 8).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from ..core.nodes import Cause, Status, Usage
from .protocol import Capabilities, Delta, End, Event, Request, SubjectError
from .puppets.hearing import split_prompt


@dataclass(frozen=True, slots=True)
class Line:
    """One reply: `delay_ms` milliseconds before its first text, in `chunks` pieces as equal as can be."""

    text: str = ""
    reasoning: str = ""
    status: Status = Status.COMPLETE
    delay_ms: int = 0
    chunks: int = 1


def read_script(path: str | Path) -> tuple[Line, ...]:
    """The replies in a file.  Raises SubjectError, which names file, line and field."""
    from ..loading.files import BadFile
    from ..loading.strict_yaml import load

    try:
        script = load(path)
        lines = []
        for entry in script.children():
            if isinstance(entry.value, str):
                lines.append(Line(entry.value))
                continue
            status = Status(entry.choice("status", list(Status), default=Status.COMPLETE))
            text = entry.text("text", default="") if status is not Status.COMPLETE else entry.text("text")
            delay = entry.integer("delay_ms", 0, 600_000, default=0)
            lines.append(
                Line(text, entry.text("reasoning", default=""), status, delay, entry.integer("chunks", 1, 10_000, default=1))
            )
        script.done()
    except BadFile as error:
        raise SubjectError(str(error)) from None
    return tuple(lines)


class ScriptedSubject:
    """The subject ``scripted/FILE``.  Unless `paced`, delays are passed over."""

    simulated = True

    def __init__(self, name: str, path: str | Path, paced: bool = False) -> None:
        """Raises SubjectError for a file that cannot be used."""
        self.name = self.model = name
        self.paced = paced
        self._file = Path(path).name
        self._lines = read_script(path)

    async def capabilities(self) -> Capabilities:
        return Capabilities(params=frozenset({"seed"}), reasoning=True, note="replies from a file, not a model")

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        messages = request.messages if request.prompt is None else split_prompt(request.prompt)
        before = messages[:-1] if messages and messages[-1].get("role") == "assistant" else messages
        place = sum(message.get("role") == "assistant" for message in before)
        if place >= len(self._lines):
            count = len(self._lines)
            cause = f"{self._file} has only {count} {'reply' if count == 1 else 'replies'}"
            yield End(Status.ERROR, cause, model=self.name, cause_kind=Cause.SCRIPT)
            return
        line = self._lines[place]
        if self.paced and line.delay_ms:
            await asyncio.sleep(line.delay_ms / 1000)
        if line.reasoning:
            yield Delta(reasoning=line.reasoning)
        for number in range(line.chunks):
            start, end = (len(line.text) * at // line.chunks for at in (number, number + 1))
            if start < end:
                yield Delta(text=line.text[start:end])
        cause = "" if line.status is Status.COMPLETE else f"reply {place + 1} of {self._file} says so"
        thought = len(line.reasoning.split())
        given = sum(len((message.get("content") or "").split()) for message in messages)
        usage = Usage(input=given, output=len(line.text.split()) + thought, reasoning=thought, cost=0.0)
        yield End(line.status, cause, line.status.value, usage, self.name, cause_kind=Cause.SCRIPT if cause else Cause.NONE)

    async def close(self) -> None:
        """Nothing is held."""
