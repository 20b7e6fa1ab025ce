"""A model to which nothing is sent until the operator has said where to: what is in its session can be read all the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from .protocol import Capabilities, Event, Request, SubjectError


class Withheld:
    """Raises SubjectError with `why` whenever it is asked for anything."""

    simulated = False

    def __init__(self, name: str, why: str) -> None:
        self.name = self.model = name
        self.why = why

    async def capabilities(self) -> Capabilities:
        raise SubjectError(self.why)

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        raise SubjectError(self.why)
        yield  # which makes it a generator

    async def close(self) -> None:
        """Holds nothing."""
