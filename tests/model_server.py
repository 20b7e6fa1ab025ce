"""A model server on loopback that speaks four dialects and misbehaves on request.

The model's name chooses the behaviour: `openai/reset` with this server's `url` as the API base gets a stream that breaks.  A name
that is not in `BEHAVIOURS` is a well-behaved model that answers with `reply(body)`.  It runs in its own thread, so that tests of
any event loop, and of whole processes, can use it.  Fixtures: `model_server`; or `with ModelServer() as server:`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

FOREVER = 3600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Dialect:
    """OpenAI chat, and the base of the others: how events are written."""

    content_type = "text/event-stream"
    stop, length, filtered = "stop", "length", "content_filter"

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.model = f"{body.get('model', '')}-2026-01-01"

    def sse(self, data: Any, event: str = "") -> bytes:
        text = data if isinstance(data, str) else json.dumps(data)
        return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()

    def chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": self.model, "system_fingerprint": "fp_1"}
        return self.sse({**head, "choices": choices, **more})

    def choice(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self.chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def begin(self) -> bytes:
        return self.choice({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self.choice({"content": text})

    def reasoning(self, text: str) -> bytes:
        return self.choice({"reasoning_content": text})

    def finish(self, reason: str) -> bytes:
        return self.choice({}, reason)

    def usage(self, tokens_in: int, tokens_out: int, reasoning: int = 0) -> bytes:
        details = {"completion_tokens_details": {"reasoning_tokens": reasoning}} if reasoning else {}
        total = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        return self.chunk([], usage={**total, **details})

    def end(self) -> bytes:
        return self.sse("[DONE]")

    def error(self, message: str) -> bytes:
        return self.sse({"error": {"message": message, "type": "server_error", "code": 500}})


class OpenAIText(Dialect):
    def choice(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        text = delta.get("content") or ""
        return self.chunk([{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}], object="text_completion")

    def begin(self) -> bytes:
        return b""


class Anthropic(Dialect):
    stop, length, filtered = "end_turn", "max_tokens", "refusal"

    def begin(self) -> bytes:
        message = {"id": "m1", "type": "message", "role": "assistant", "model": self.model, "content": [], "stop_reason": None}
        message["usage"] = {"input_tokens": 11, "output_tokens": 1}
        return self.sse({"type": "message_start", "message": message}, "message_start") + self.block({"type": "text", "text": ""})

    def block(self, block: dict[str, Any]) -> bytes:
        return self.sse({"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start")

    def delta(self, delta: dict[str, Any]) -> bytes:
        return self.sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")

    def text(self, text: str) -> bytes:
        return self.delta({"type": "text_delta", "text": text})

    def reasoning(self, text: str) -> bytes:
        return self.delta({"type": "thinking_delta", "thinking": text})

    def finish(self, reason: str) -> bytes:
        delta = {"stop_reason": reason, "stop_sequence": None}
        return self.sse({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}, "message_delta")

    def usage(self, tokens_in: int, tokens_out: int, reasoning: int = 0) -> bytes:
        return b""

    def end(self) -> bytes:
        return self.sse({"type": "message_stop"}, "message_stop")

    def error(self, message: str) -> bytes:
        return self.sse({"type": "error", "error": {"type": "overloaded_error", "message": message}}, "error")


class Ollama(Dialect):
    content_type = "application/x-ndjson"

    def line(self, done: bool = False, **more: Any) -> bytes:
        data = {"model": self.model, "created_at": "2026-01-01T00:00:00Z", "done": done, **more}
        return json.dumps(data).encode() + b"\n"

    def begin(self) -> bytes:
        return b""

    def text(self, text: str) -> bytes:
        return self.line(message={"role": "assistant", "content": text})

    def reasoning(self, text: str) -> bytes:
        return self.line(message={"role": "assistant", "content": "", "thinking": text})

    def finish(self, reason: str) -> bytes:
        counts = {"prompt_eval_count": 11, "eval_count": 7, "total_duration": 1}
        return self.line(done=True, done_reason=reason, message={"role": "assistant", "content": ""}, **counts)

    def usage(self, tokens_in: int, tokens_out: int, reasoning: int = 0) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""

    def error(self, message: str) -> bytes:
        return json.dumps({"error": message}).encode() + b"\n"


DIALECTS = {"/chat/completions": Dialect, "/completions": OpenAIText, "/messages": Anthropic, "/api/chat": Ollama}


class Reply:
    """One reply being written: a behaviour calls these in the order it likes."""

    def __init__(self, server: ModelServer, request: web.Request, seen: Seen, dialect: Dialect) -> None:
        self.server, self.request, self.seen, self.say = server, request, seen, dialect
        self.response: web.StreamResponse | None = None

    @property
    def key(self) -> str:
        return self.seen.headers.get("x-api-key") or self.seen.headers.get("authorization", "").removeprefix("Bearer ")

    async def send(self, *pieces: bytes, content_type: str = "") -> None:
        if self.response is None:
            self.response = web.StreamResponse(headers={"Content-Type": content_type or self.say.content_type})
            await self.response.prepare(self.request)
        for piece in pieces:
            if piece:
                await self.response.write(piece)
                self.server.pieces += 1

    async def texts(self, *texts: str) -> None:
        await self.send(self.say.begin(), *[self.say.text(text) for text in texts])

    async def close(self, reason: str = "", usage: bool = True) -> None:
        tail = self.say.usage(11, 7) if usage else b""
        await self.send(self.say.finish(reason or self.say.stop), tail, self.say.end())

    def fail(self, status: int, body: Any, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.response = web.Response(status=status, text=text, content_type=kind, headers=headers)

    def break_off(self) -> None:
        """Drops the connection with a TCP reset."""
        transport = self.request.transport
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


Behaviour = Callable[[Reply], Awaitable[None]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__.strip("_").replace("_", "-")] = function
    return function


async def happy(r: Reply) -> None:
    text = r.server.reply(r.seen.body)
    await r.texts(*[text[i : i + 8] for i in range(0, len(text), 8)])
    await r.close()


@behaviour
async def reasoning(r: Reply) -> None:
    await r.send(r.say.begin(), r.say.reasoning("let me "), r.say.reasoning("think"), r.say.text("ANSWER: 4"))
    await r.send(r.say.finish(r.say.stop), r.say.usage(11, 7, reasoning=3), r.say.end())


@behaviour
async def no_usage(r: Reply) -> None:
    await r.texts("four", " and five")
    await r.close(usage=False)


@behaviour
async def banana(r: Reply) -> None:
    await r.texts("four")
    await r.close("banana")


@behaviour
async def abort(r: Reply) -> None:
    await r.texts("ACTION: ANSWER\nANSWER: 4\n")
    await r.close("abort")


@behaviour
async def length(r: Reply) -> None:
    await r.texts("it is, as we sh")
    await r.close(r.say.length)


@behaviour
async def filtered(r: Reply) -> None:
    await r.texts("first you")
    await r.close(r.say.filtered)


@behaviour
async def refused(r: Reply) -> None:
    await r.send(r.say.begin())
    await r.close(r.say.filtered)


@behaviour
async def html(r: Reply) -> None:
    await r.send(b"<html><body>Log in to the hotel's network</body></html>", content_type="text/html; charset=utf-8")


@behaviour
async def repeat(r: Reply) -> None:
    await r.texts(*["again and again "] * 400)
    await r.close()


@behaviour
async def drip(r: Reply) -> None:
    await r.texts("drip")
    for _ in range(10_000):
        await asyncio.sleep(0.02)
        await r.send(r.say.text(" drip"))


@behaviour
async def stall(r: Reply) -> None:
    await asyncio.sleep(FOREVER)


@behaviour
async def stall_midway(r: Reply) -> None:
    await r.texts("so far")
    await asyncio.sleep(FOREVER)


@behaviour
async def reset(r: Reply) -> None:
    await r.texts("so far")
    await asyncio.sleep(0.05)
    r.break_off()


@behaviour
async def cut(r: Reply) -> None:
    await r.texts("so far")
    await asyncio.sleep(0.05)
    assert r.request.transport is not None
    r.request.transport.close()


@behaviour
async def error_midway(r: Reply) -> None:
    await r.texts("so far")
    await r.send(r.say.error("the GPU caught fire"))


@behaviour
async def unauthorized(r: Reply) -> None:
    r.fail(401, {"error": {"message": f"Incorrect API key provided: {r.key}", "code": "invalid_api_key"}})


@behaviour
async def busy_once(r: Reply) -> None:
    if r.server.hits("busy-once") == 1:
        headers = {"Retry-After": "0.2"}
        r.fail(429, {"error": {"message": f"slow down, {r.key}", "code": "rate_limit"}}, **headers)
    else:
        await happy(r)


@behaviour
async def broken_once(r: Reply) -> None:
    if r.server.hits("broken-once") == 1:
        r.fail(500, {"error": {"message": "oops"}}, **{"Retry-After": "0"})
    else:
        await happy(r)


@behaviour
async def always_busy(r: Reply) -> None:
    r.fail(429, {"error": {"message": "slow down"}}, **{"Retry-After": "3600"})


@behaviour
async def always_broken(r: Reply) -> None:
    r.fail(503, {"error": {"message": "down"}}, **{"Retry-After": "0"})


@behaviour
async def big(r: Reply) -> None:
    await r.texts("0123456789abcdef" * (5 << 16))
    await r.close()


@behaviour
async def echo_key(r: Reply) -> None:
    """Says its key in text and in reasoning, three characters a chunk."""
    key = r.key
    parts = [key[i : i + 3] for i in range(0, len(key), 3)]
    await r.send(r.say.begin(), r.say.reasoning("the key "), *[r.say.reasoning(part) for part in parts])
    for part in ["it is ", *parts, ", isn't it? ", key[:5]]:
        await r.send(r.say.text(part))
        await asyncio.sleep(0.01)
    await r.close()


@behaviour
async def cuts_key(r: Reply) -> None:
    """Says all of its key but the last character, and stops there."""
    await r.send(r.say.begin(), r.say.reasoning(f"the key {r.key[:-1]}"), r.say.text("key: "), *map(r.say.text, r.key[:-1]))
    await r.close(r.say.length)


@behaviour
async def cuts_key_and_breaks(r: Reply) -> None:
    await r.texts("key: ", *r.key[:-1])
    await r.send(r.say.error("the GPU caught fire"))


@behaviour
async def base64_key(r: Reply) -> None:
    """Says its key in base64, as `curl -u` sends it: in a reply, and when asked again, in an error."""
    said = f"Basic {base64.b64encode(f':{r.key}'.encode()).decode()}"
    if r.server.hits("base64-key") % 2:
        await r.texts(*said, "!")
        await r.close()
    else:
        r.fail(400, {"error": {"message": f"no {said}"}})


@behaviour
async def odd_usage(r: Reply) -> None:
    await r.texts("four")
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "cache_read_input_tokens": "80"}
    await r.send(r.say.finish(r.say.stop), r.say.chunk([], usage=usage), r.say.end())


@behaviour
async def cached(r: Reply) -> None:
    await r.texts("four")
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "prompt_tokens_details": {"cached_tokens": 80}}
    await r.send(r.say.finish(r.say.stop), r.say.chunk([], usage={**usage, "cache_read_input_tokens": 80}), r.say.end())


@dataclass
class ModelServer:
    """`url` is the API base for OpenAI-shaped names, `root` that for Anthropic and Ollama; `gone` is set when a client hangs up in
    mid-stream; `pieces` counts what was written; `reply` makes the text of the well-behaved model."""

    reply: Callable[[dict[str, Any]], str] = lambda body: "ACTION: ANSWER\nANSWER: 4\n"
    seen: list[Seen] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    pieces: int = 0
    root: str = ""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def hits(self, model: str) -> int:
        return sum(seen.body.get("model") == model for seen in self.seen)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.path, {name.lower(): value for name, value in request.headers.items()}, await request.json())
        self.seen.append(seen)
        self.arrived.set()
        dialect = next((cls for end, cls in DIALECTS.items() if request.path.endswith(end)), None)
        if dialect is None:
            raise web.HTTPNotFound
        reply = Reply(self, request, seen, dialect(seen.body))
        try:
            await BEHAVIOURS.get(seen.body.get("model", ""), happy)(reply)
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return reply.response or web.Response()

    async def serve(self, ready: Callable[[], None]) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.root = "http://{}:{}".format(*runner.addresses[0][:2])
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ready()
        await self._stop.wait()
        await runner.cleanup()

    def __enter__(self) -> ModelServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server
