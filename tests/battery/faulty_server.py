"""A model server that speaks HTTP by hand, so that it can break any rule of it at any byte.

Each call has a script of its own under the name of the model that is asked for; what the script says with `text` and `think` is what
the reader must keep, however the script goes on.  Bytes leave cut at random, into HTTP chunks and TCP segments alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from model_server import DIALECTS, Dialect

PATIENCE = 5.0
"""Seconds to wait for a reader to hear what was said, before the fault comes anyway."""


@dataclass
class Asked:
    """One call: what to do, what was said of it so far, and the requests that came.  Whoever reads sets `heard` when all that was
    said has arrived; `over` is set when an answer is."""

    script: Callable[[Wire], Awaitable[None]]
    chance: random.Random
    text: str = ""
    reasoning: str = ""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


class Wire:
    """The server's end of one request.  `say` writes events in the dialect that was asked in."""

    def __init__(
        self, server: FaultyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked, say: Dialect
    ) -> None:
        self.server, self.asked, self.say = server, asked, say
        self.reader, self.writer = reader, writer
        self.chance, self.chunked, self.open = asked.chance, True, True
        self.body = b""

    @property
    def key(self) -> str:
        headers = self.asked.requests[-1][1]
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def by_openai(self) -> bool:
        """Whether OpenAI's own client asks, which reads a stream in another way than litellm does."""
        return "OpenAI" in self.asked.requests[-1][1].get("user-agent", "")

    @property
    def attempt(self) -> int:
        return len(self.asked.requests)

    def _cut(self, data: bytes, most: int) -> list[bytes]:
        edges = sorted(self.chance.randrange(1, len(data)) for _ in range(self.chance.randint(0, most))) if len(data) > 1 else []
        return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True) if a < b]

    async def raw(self, data: bytes) -> None:
        for piece in self._cut(data, 2):
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def head(self, status: str = "200 OK", kind: str | None = None, chunked: bool = True, **headers: str) -> None:
        """The status line and the headers; `kind` "" leaves the content type out."""
        self.chunked = chunked
        kind = self.say.content_type if kind is None else kind
        lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else [])]
        lines += ["Transfer-Encoding: chunked"] if chunked else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    async def send(self, *pieces: bytes) -> None:
        """More of the body."""
        for piece in self._cut(b"".join(pieces), 3):
            await self.raw(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)

    async def begin(self) -> None:
        await self.head()
        await self.send(self.say.begin())

    async def text(self, *texts: str, rewrite: Callable[[bytes], bytes] = bytes) -> None:
        """`rewrite` makes of each event what is sent instead."""
        for text in texts:
            self.asked.text += text
            self.asked.heard.clear()
            await self.send(rewrite(self.say.text(text)))

    async def think(self, *texts: str) -> None:
        for text in texts:
            self.asked.reasoning += text
            self.asked.heard.clear()
            await self.send(self.say.reasoning(text))

    async def end(self, reason: str = "", usage: bool = True) -> None:
        """All that ends a whole reply."""
        await self.send(self.say.finish(reason or self.say.stop), self.say.usage(11, 7) if usage else b"", self.say.end())
        await self.over()

    async def over(self) -> None:
        """The end of a body, as HTTP has it; the connection may serve again."""
        if self.chunked:
            await self.raw(b"0\r\n\r\n")
        else:
            self.close()

    async def whole(self, status: str, body: Any, kind: str = "application/json", **headers: str) -> None:
        """An answer with its length."""
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        await self.head(status, kind, False, **{"Content-Length": str(len(data)), **headers})
        await self.raw(data)

    async def heard(self, unless: asyncio.Task[None] | None = None) -> None:
        """Waits until all that was said has reached the reader, or `unless` is done."""
        hearing = asyncio.create_task(self.asked.heard.wait())
        await asyncio.wait({hearing, unless} if unless else {hearing}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        hearing.cancel()

    async def hold(self) -> None:
        """Says nothing more, until the client hangs up."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        self.close()

    async def keep_on(self, event: bytes, every: float = 0.02) -> None:
        """Sends `event` until the client hangs up."""
        holding = asyncio.create_task(self.hold())
        with contextlib.suppress(ConnectionError):
            while not holding.done():
                await self.send(event)
                await asyncio.wait({holding}, timeout=every)
        await holding

    def close(self) -> None:
        self.open = False
        self.writer.close()

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        self.open = False
        transport = self.writer.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class FaultyServer:
    """`calls` has what to do, by model; `underway` are the models whose requests are still being answered, and `strays` the requests
    that nobody should have made.  `elsewhere` is where a redirect leads."""

    def __init__(self, elsewhere: str = "") -> None:
        self.elsewhere = elsewhere
        self.calls: dict[str, Asked] = {}
        self.underway: set[str] = set()
        self.strays: list[str] = []
        self.writers: set[asyncio.StreamWriter] = set()

    @property
    def root(self) -> str:
        return "http://{}:{}".format(*self._server.sockets[0].getsockname()[:2])

    def base(self, shape: str) -> str:
        return self.root if shape in {"anthropic", "ollama_chat"} else f"{self.root}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; tells whether the connection may serve again."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ", 2)
        body = json.loads(data) if method == "POST" and data else {}
        asked = self.calls.get(str(body.get("model")))
        dialect = next((each for end, each in DIALECTS.items() if path.endswith(end)), None)
        if asked is None or dialect is None:
            self.strays.append(f"{first} {headers}")
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        asked.requests.append((path, headers, body))
        wire = Wire(self, reader, writer, asked, dialect(body))
        self.underway.add(body["model"])
        try:
            await asked.script(wire)
        finally:
            self.underway.discard(body["model"])
            asked.over.set()
        return wire.open

    async def hang_up(self) -> None:
        """Closes every connection that is open."""
        for writer in self.writers:
            writer.close()
        while self.writers:
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[FaultyServer]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        try:
            yield self
        finally:
            await self.hang_up()
            self._server.close()
            await self._server.wait_closed()
