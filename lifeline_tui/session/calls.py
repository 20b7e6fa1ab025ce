"""One call to a subject: what arrives is told, checkpointed while it streams, and ends in a reply however it ends (Law 5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from ..core.nodes import Cause, Origin, Reply, Span, Status
from ..store import Store, StoreError
from ..subjects.protocol import Delta, End, Request, Retry, Subject

P = ParamSpec("P")
T = TypeVar("T")

CHECKPOINT_SECONDS = 0.2
STOPPED = "the program was stopped"


async def carried_through(work: Awaitable[T], stop: Callable[[], None] = lambda: None) -> T:
    """What `work` gives.  Once begun it is done to its end, however often the caller is cancelled meanwhile; `stop` is how the
    work itself is told to come to that end."""
    done = asyncio.ensure_future(work)
    stopped: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError as error:
            stopped = error
            stop()
    if stopped is not None:
        if not done.cancelled():
            done.exception()  # so that the loop does not report it as never looked at
        raise stopped
    return done.result()


class Writer:
    """The one thread on which a store is used, so that a slow disk or another process's lock never stops the screen."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lifeline-store")

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `work` on the store's thread."""
        return await carried_through(asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs)))

    async def close(self) -> None:
        """Closes the store, then the thread."""
        await self(self.store.close)
        self._thread.shutdown()


@dataclass(frozen=True, slots=True)
class Grew:
    """The tree, the tip, the queue or what is said about a node changed."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """More of the reply to `call` arrived."""

    call: str
    text: str
    reasoning: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The subject will retry by itself."""

    call: str
    retry: Retry


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A scripted action could not be done, and the run went on without it.  `why` is a sentence that names the action."""

    why: str


Change = Grew | Streamed | Waiting | PassedOver


@dataclass(slots=True)
class Partial:
    """What has arrived of a reply, and how much of it is on disk."""

    call: str
    started: float
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    first: float | None = None
    retries: int = 0
    dirty: bool = False


class OpenCall:
    """One call in flight, with its own checkpoints, deadlines, cancel and end.  `partial` is what has arrived."""

    def __init__(self, subject: Subject, writer: Writer, call: str, listen: Callable[[Change], None]) -> None:
        self.partial = Partial(call, time.monotonic())
        self._subject, self._write, self._listen = subject, writer, listen
        self._reader: asyncio.Task[End] | None = None
        self._cancelled: tuple[str, Cause] | None = None

    async def reply(self, request: Request) -> tuple[Reply, BaseException | None]:
        """The reply, and what must be raised once it is stored: the subject's own fault, or the end of this task."""
        saver = asyncio.create_task(self._checkpoints())
        self._reader = asyncio.create_task(self._read(request))
        if self._cancelled is not None:
            self._reader.cancel()
        failure: BaseException | None = None
        try:
            end = await self._reader
        except asyncio.CancelledError as stopped:
            await asyncio.wait({self._reader})
            cause, kind = self._cancelled or (STOPPED, Cause.STOPPED)
            end = End(Status.CANCELLED, cause, cause_kind=kind)
            task = asyncio.current_task()
            failure = stopped if task is not None and task.cancelling() else None
        except Exception as error:
            end = End(Status.ERROR, f"the subject failed: {type(error).__name__}: {error}", cause_kind=Cause.SUBJECT)
            failure = error
        finally:
            saver.cancel()
            await asyncio.wait({saver})
        return self._closed(end), failure

    def cancel(self, cause: str = STOPPED, kind: Cause = Cause.STOPPED) -> None:
        """Stops the stream, or keeps it from beginning, for a `cause` that the reply will name."""
        self._cancelled = self._cancelled or (cause, kind)
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self, request: Request) -> End:
        partial = self.partial
        async with aclosing(self._subject.stream(request)) as events:
            async for event in events:
                match event:
                    case Delta(text=text, reasoning=reasoning):
                        partial.text.append(text)
                        partial.reasoning.append(reasoning)
                        partial.first = partial.first or time.monotonic()
                        partial.dirty = True
                        self._listen(Streamed(partial.call, text, reasoning))
                    case Retry():
                        partial.retries += 1
                        self._listen(Waiting(partial.call, event))
                    case End():
                        return event
        return End(Status.ERROR, "the subject stopped without saying how it ended", cause_kind=Cause.SUBJECT)

    async def _checkpoints(self) -> None:
        """Saves what has arrived, a few times a second, for as long as it streams."""
        partial = self.partial
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            if partial.dirty:
                partial.dirty = False
                text, reasoning = "".join(partial.text), "".join(partial.reasoning)
                try:
                    await self._write(self._write.store.checkpoint, partial.call, text, reasoning)
                except StoreError:
                    partial.dirty = True  # tried again in a moment; the reply itself is stored, or kept, when it ends

    def _closed(self, end: End) -> Reply:
        partial = self.partial
        text, reasoning = "".join(partial.text), "".join(partial.reasoning)
        status, cause, kind = end.status, end.cause, end.cause_kind
        if status is Status.COMPLETE and not text:
            status, cause = Status.EMPTY, cause or "the subject ended its turn without any text"
            kind = kind or Cause.NO_TEXT
        return Reply(
            spans=(Span(text, Origin.MODEL),) if text else (),
            reasoning=reasoning,
            status=status,
            cause=cause,
            cause_kind=Cause(kind),
            finish_raw=end.finish_raw,
            model_returned=end.model,
            fingerprint=end.fingerprint,
            usage=end.usage,
            first_ms=round((partial.first - partial.started) * 1000) if partial.first else None,
            total_ms=round((time.monotonic() - partial.started) * 1000),
            retries=partial.retries,
            redacted=end.redacted,
        )
