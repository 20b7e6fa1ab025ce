"""The client of the provider child: hosted and local models through litellm, which this process never imports.

litellm takes seconds to import and blocks while it parses, so it lives in one long-lived child that all litellm subjects share.
It starts at the first need, is started anew if it died, sits in a session of its own so that ctrl-c in the terminal
reaches only us, and ends when its stdin closes, so that even `kill -9` leaves no orphan.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import dataclasses
import itertools
import json
import os
import signal
import stat
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

from ...core.nodes import Cause, Status, Usage
from ..protocol import Capabilities, Delta, End, Event, Request, Retry, SubjectError
from .keys import missing_key
from .redaction import Redaction, secrets

LONGEST_LINE = 1 << 24
STARTING = 180.0
"""Seconds that the child may take to import litellm."""
STOPPING = 3.0
ROOT = str(Path(__file__).resolve().parents[3])
MAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import lifeline_tui
sys.path.append(sys.path.pop(0))
from lifeline_tui.subjects.child.worker import main
main()
"""
"""`-m lifeline_tui.subjects.child.worker`, but surely of this copy of the package, and never with the working folder on the import
path: it may be a download."""


class _Child:
    """One run of the child process."""

    def __init__(self, environ: Mapping[str, str], log: Path | None) -> None:
        self.environ, self.log = environ, log
        self.calls: dict[int, asyncio.Queue[Event]] = {}
        self.asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.died, self.closing = "", False
        self.process: asyncio.subprocess.Process | None = None
        self.last_words: deque[str] = deque(maxlen=40)
        self.running = asyncio.create_task(self.run())

    async def run(self) -> None:
        trouble = ""
        try:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", MAIN, ROOT),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self.environ),
                cwd=os.sep,
                limit=LONGEST_LINE,
                start_new_session=True,
            )
            if self.closing:
                self.hang_up()
            listening = asyncio.create_task(self.listen(self.process))
            try:
                async with asyncio.timeout(STARTING) as limit:
                    assert self.process.stdout is not None
                    async for line in self.process.stdout:
                        limit.reschedule(None)
                        self.take(json.loads(line))
                with contextlib.suppress(TimeoutError):  # it closed stdout, so it is about to end
                    await asyncio.wait_for(self.process.wait(), STOPPING)
            except TimeoutError:
                trouble = f": litellm was not ready after {STARTING:g} s"
            except ValueError as error:
                trouble = f": it sent what is not a message ({error})"
            finally:
                if self.process.returncode is None:
                    os.kill(self.process.pid, signal.SIGKILL)  # not `Process.kill`, which may steal its exit code
                code = await self.process.wait()
                await listening
            last = next((line for line in reversed(self.last_words) if line.strip()), "") if code > 0 else ""
            trouble = trouble or (f": {last}" if last else "")
            if self.closing:
                self.fail("the provider process was closed")
            self.fail(f"the provider process died (exit {code}){trouble}; what had arrived is kept, and a retry starts it anew")
        except OSError as error:
            self.fail(f"the provider process could not be started: {error}")
        finally:
            self.fail("the provider process was closed")

    def fail(self, why: str) -> None:
        """Ends everything under way."""
        if self.died:
            return
        self.died = why
        if not self.ready.done():
            self.ready.set_exception(SubjectError(why))
            self.ready.exception()  # whoever waits sees it; nobody has to
        for queue in self.calls.values():
            queue.put_nowait(End(Status.ERROR, cause=why, cause_kind=Cause.CHILD))
        for asked in self.asked.values():
            if not asked.done():
                asked.set_exception(SubjectError(why))

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        """Its stderr goes to the log file, if there is one; never to the terminal, never with a key in it."""
        stream, decode = Redaction(secrets(self.environ)).stream(), codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        assert process.stderr is not None
        with contextlib.ExitStack() as files:
            write: Callable[[str], object] = len
            if self.log:
                with contextlib.suppress(OSError):  # no log is no reason to have no model
                    how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                    log = files.enter_context(os.fdopen(os.open(self.log, how, 0o600), "w", 1, "utf-8"))
                    facts = os.fstat(log.fileno())
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:  # else it is another file, by another name
                        write = log.write
            while data := await process.stderr.read(1 << 16):
                text = stream.feed(decode(data))
                self.last_words.extend(text.splitlines())
                write(text)
            write(stream.flush())

    def take(self, message: dict[str, Any]) -> None:
        """Hands a message of the child to whoever waits for it; nobody does after a cancel."""
        kind, queue = message["type"], self.calls.get(message.get("id", -1))
        if kind == "ready" and not self.ready.done():
            self.ready.set_result(None)
        elif kind == "described":
            asked = self.asked.get(message["id"])
            if asked is not None and not asked.done():
                asked.set_result(message)
        elif queue is None:
            return
        elif kind == "delta":
            queue.put_nowait(Delta(message.get("text", ""), message.get("reasoning", "")))
        elif kind == "retry":
            queue.put_nowait(Retry(message["attempt"], message["wait"], message["why"]))
        elif kind == "end":
            usage = Usage(**message["usage"]) if message["usage"] else None
            facts = {name: message[name] for name in ("cause", "finish_raw", "model", "fingerprint", "redacted")}
            kind = Cause(message["cause_kind"])
            queue.put_nowait(End(Status(message["status"]), usage=usage, cause_kind=kind, **facts))

    def send(self, **message: Any) -> None:
        if not self.died and self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n")

    async def drain(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(ConnectionError):  # its death is reported by `run`
                await self.process.stdin.drain()

    def hang_up(self) -> None:
        """Asks it to end.  Its stdin closes, too: it notices even while it imports."""
        self.send(type="shutdown")
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    async def close(self) -> None:
        self.closing = True
        self.hang_up()
        done, _ = await asyncio.wait({self.running}, timeout=STOPPING)
        if not done:
            self.running.cancel()
            await asyncio.wait({self.running})


class Provider:
    """The child process, started when first needed.  `log` is the file for what it prints; `environ` holds the keys."""

    def __init__(self, log: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._log = log
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self._child: _Child | None = None
        self._numbers = itertools.count(1)

    def subject(
        self, name: str, model: str = "", api_base: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> LitellmSubject:
        """A model; `overrides` are `Capabilities` that the operator knows better, by field name."""
        return LitellmSubject(self, name, model or name, api_base, overrides)

    async def ready(self) -> _Child:
        """The child, once litellm is there.  Raises SubjectError."""
        if self._child is None or self._child.died:
            self._child = _Child(dict(self.environ), self._log)
        child = self._child
        await asyncio.shield(child.ready)
        return child

    async def describe(self, model: str, api_base: str | None) -> dict[str, Any]:
        """The child's facts on a model.  Raises SubjectError."""
        child, number = await self.ready(), next(self._numbers)
        if child.died:
            raise SubjectError(child.died)
        child.asked[number] = asyncio.get_running_loop().create_future()
        try:
            child.send(type="describe", id=number, model=model, api_base=api_base)
            facts = await child.asked[number]
        finally:
            del child.asked[number]
        if facts.get("error"):
            raise SubjectError(facts["error"])
        return facts

    async def stream(self, model: str, api_base: str | None, request: Request) -> AsyncGenerator[Event, None]:
        try:
            child = await self.ready()
        except SubjectError as error:
            yield End(Status.ERROR, cause=str(error), cause_kind=Cause.CHILD)
            return
        number, ended = next(self._numbers), False
        queue = child.calls[number] = asyncio.Queue()
        kind = "chat" if request.prompt is None else "text"
        said = {"messages": [dict(m) for m in request.messages]} if request.prompt is None else {"prompt": request.prompt}
        deadlines = dataclasses.asdict(request.deadlines)
        if child.died:
            queue.put_nowait(End(Status.ERROR, cause=child.died, cause_kind=Cause.CHILD))
        try:
            child.send(
                type="start",
                id=number,
                model=model,
                api_base=api_base,
                kind=kind,
                params=dict(request.params),
                deadlines=deadlines,
                **said,
            )
            await child.drain()
            while not ended:
                event = await queue.get()
                ended = isinstance(event, End)
                yield event
        finally:
            del child.calls[number]
            if not ended:
                child.send(type="cancel", id=number)

    async def close(self) -> None:
        """Ends the child; calls under way end as errors."""
        if self._child is not None:
            await self._child.close()
            self._child = None


class LitellmSubject:
    """A model behind litellm, as a `Subject`."""

    simulated = False

    def __init__(
        self, provider: Provider, name: str, model: str, api_base: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> None:
        self.provider, self.name, self.model, self.api_base = provider, name, model, api_base
        self.overrides = dict(overrides or {})

    async def capabilities(self) -> Capabilities:
        """What litellm knows of this model, and over it what the operator does.  Raises SubjectError."""
        prefix = self.model.partition("/")[0]
        if missing := missing_key(prefix, self.model, self.api_base, self.provider.environ):
            raise SubjectError(missing)
        facts = await self.provider.describe(self.model, self.api_base)
        known = {field.name: facts[field.name] for field in dataclasses.fields(Capabilities)} | self.overrides
        params = known["params"]
        return Capabilities(**{**known, "params": None if params is None else frozenset(params)})

    def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        """See `Subject.stream`.  Deadlines start when the child is ready."""
        return self.provider.stream(self.model, self.api_base, request)

    async def close(self) -> None:
        """Nothing of its own: the child belongs to the `Provider`."""
