"""The provider's real child for tests that are not themselves asynchronous, under watch, and a server for it to talk to.

It is started at once and ready by the time that it is needed; one serves all the tests of a process, since it takes seconds of work.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import textwrap
import threading
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from canaries import CANARIES
from connections import Tried, Watch
from model_server import ModelServer

from lifeline_tui.loading.config import Config
from lifeline_tui.session.lab import Lab
from lifeline_tui.subjects.child import client as provider
from lifeline_tui.subjects.child import worker
from lifeline_tui.subjects.child.client import Provider
from lifeline_tui.subjects.protocol import Deadlines, End, Event, Request

T = TypeVar("T")
USUAL = provider.MAIN


class Child:
    """A `Provider` on an event loop of its own thread.  `main` is what its child runs."""

    def __init__(self, environ: Mapping[str, str], log: Path, main: str = USUAL) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.provider = Provider(log, environ)
        self._begun = threading.Event()
        self._starting = asyncio.run_coroutine_threadsafe(self._start(main), self.loop)
        assert self._begun.wait(20)  # what a test plants in this process from now on does not reach it

    async def _start(self, main: str) -> None:
        usual, provider.MAIN = provider.MAIN, main
        try:
            starting = asyncio.ensure_future(self.provider.ready())
            await asyncio.sleep(0)
            while not starting.done() and (self.provider._child is None or self.provider._child.process is None):
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.005)
        finally:
            provider.MAIN = usual
            self._begun.set()
        await starting

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """What `work` gives, once the child is ready."""
        self.ready()
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def ready(self) -> None:
        """Waits until litellm is there.  Raises SubjectError."""
        self._starting.result(60)

    def ask(self, model: str, api_base: str | None, params: Mapping[str, Any] | None = None, **deadlines: Any) -> list[Event]:
        """All that one call gives."""
        words = "How many?"
        said: dict[str, Any] = {"messages": ({"role": "user", "content": words},)}
        if model.startswith("text-completion-"):
            said = {"messages": (), "prompt": words}
        request = Request(**said, params=params or {}, deadlines=Deadlines(**{"retries": 0, "total": 20.0, **deadlines}))

        async def read() -> list[Event]:
            async with aclosing(self.provider.subject(model, api_base=api_base).stream(request)) as events:
                return [event async for event in events]

        return self.run(read())

    @property
    def pid(self) -> int:
        child = self.provider._child
        assert child is not None
        assert child.process is not None
        return child.process.pid

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.provider.close(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


KEYED = {
    f"{name}_API_KEY": "sk-to-be-sent-to-one-host-4711"
    for name in ("COHERE", "DEEPSEEK", "FIREWORKS", "GROQ", "MISTRAL", "OPENROUTER", "REPLICATE", "TOGETHERAI", "XAI")
}
"""A key for every provider that has no canary."""
SHAPES = ("openai", "hosted_vllm", "anthropic", "ollama_chat", "text-completion-openai")


class Bench:
    """A child with a key for every provider, under watch, and the server that was chosen.  `folder` holds all that it writes, and
    `strays` what was found of other hosts."""

    def __init__(self, folder: Path, main: str = USUAL, **environ: str) -> None:
        self.folder, self.server = folder, ModelServer()
        self.watch, self.strays = Watch(folder / "watch"), list[Tried]()
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        given = {**kept, **KEYED, **CANARIES, **self.watch.environ, "HOME": str(folder), **environ}
        self.child = Child(given, folder / "provider.log", main)

    def base(self, shape: str) -> str:
        return self.server.root if shape in ("anthropic", "ollama_chat") else self.server.url

    def ask(self, shape: str, model: str, params: Mapping[str, Any] | None = None, **deadlines: Any) -> list[Event]:
        """All that a call to the chosen server gives."""
        events = self.child.ask(f"{shape}/{model}", self.base(shape), params, **deadlines)
        assert isinstance(events[-1], End)
        return events

    def __enter__(self) -> Bench:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close()
        self.server.__exit__()


_shared: list[Bench] = []


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Bench:
    """The one bench of this process, which has just begun to start."""
    if not _shared:
        _shared.append(Bench(tmp_path_factory.mktemp("bench")).__enter__())
        pytestconfig.add_cleanup(lambda: _shared.pop().__exit__())
    return _shared[0]


def with_plant(code: str) -> str:
    """What a child runs that has a bug: `code` runs before it begins, with `m` for its module."""
    begin = "from lifeline_tui.subjects.child.worker import main\n"
    assert begin in USUAL
    return USUAL.replace(begin, f"{begin}import lifeline_tui.subjects.child.worker as m\n{code}\n")


def without(function: Any, line: str, instead: str = "pass") -> str:
    """Code that takes `line` out of a function, or a method, of the child's module."""
    source = textwrap.dedent(inspect.getsource(function))
    assert line in source
    assert function.__module__ == worker.__name__
    owner, _, name = function.__qualname__.rpartition(".")
    put = f"\nm.{owner}.{name} = m.{name}" if owner else ""
    return f"exec({source.replace(line, instead)!r}, vars(m)){put}"


class Shared(Lab):
    """A lab whose provider child belongs to somebody else."""

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()


def lab(bench: Bench, db: Path, kind: type[Lab] = Shared) -> Lab:
    lab = kind(Config(), db, paced=False, deadlines=Deadlines(retries=0, total=20.0))
    lab.models._provider = bench.child.provider
    return lab
