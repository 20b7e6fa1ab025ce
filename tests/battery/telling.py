"""Where in an answer a server can repeat a text, in pieces of a size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from model_server import Dialect, Reply

Tells = Callable[[Reply, str, int], Awaitable[None]]
PLACES: dict[str, Tells] = {}
OF_OPENAI = {"the fingerprint", "the usage", "a tool call", "a field of a chunk", "a refusal", "a comment"}
"""What only the dialect of OpenAI has."""


def place(function: Tells) -> Tells:
    PLACES[function.__name__.replace("_", " ").strip()] = function
    return function


def in_a_header(text: str) -> str:
    return text.encode("ascii", "ignore").decode().replace("\n", " ")


@place
async def the_text(r: Reply, text: str, size: int) -> None:
    await r.texts(*cut(text, size))
    await r.close()


@place
async def the_reasoning(r: Reply, text: str, size: int) -> None:
    await r.send(r.say.begin(), *map(r.say.reasoning, cut(text, size)), r.say.text("ANSWER: 4"))
    await r.close()


@place
async def first_the_reasoning_then_the_text(r: Reply, text: str, size: int) -> None:
    half = len(text) // 2
    await r.send(r.say.begin(), *map(r.say.reasoning, cut(text[:half], size)), *map(r.say.text, cut(text[half:], size)))
    await r.close()


@place
async def an_error(r: Reply, text: str, size: int) -> None:
    r.fail(401, {"error": {"message": f"Incorrect API key provided: {text}", "code": text, "param": text}})


@place
async def an_error_of_another_shape(r: Reply, text: str, size: int) -> None:
    r.fail(400, {"detail": [{"msg": text, "input": text}], "status": text})


@place
async def an_error_in_words(r: Reply, text: str, size: int) -> None:
    r.response = web.Response(status=500, text=f"no key {text}")


@place
async def a_web_page(r: Reply, text: str, size: int) -> None:
    r.fail(403, f"<html><title>{text}</title><body>{text}</body></html>")


@place
async def a_page_where_a_reply_should_be(r: Reply, text: str, size: int) -> None:
    kind = f"text/html; charset=utf-8; key={in_a_header(text)[:3000]}"
    await r.send(f"<html>{text}</html>".encode(errors="replace"), content_type=kind)


@place
async def a_busy_answer(r: Reply, text: str, size: int) -> None:
    r.fail(429, {"error": {"message": f"slow down, {text}"}}, **{"Retry-After": "0"})


@place
async def an_error_in_mid_stream(r: Reply, text: str, size: int) -> None:
    await r.texts("so far ")
    await r.send(r.say.error(text))


@place
async def half_and_a_reset(r: Reply, text: str, size: int) -> None:
    await r.texts(*cut(text[: len(text) // 2], size))
    r.break_off()


@place
async def half_and_the_end(r: Reply, text: str, size: int) -> None:
    await r.texts(*cut(text[: len(text) // 2], size))


@place
async def what_is_no_event(r: Reply, text: str, size: int) -> None:
    await r.texts("so far ")
    await r.send(b'data: {"choices": [{"delta": ' + text.encode(errors="replace").replace(b"\n", b" ") + b"\n\n")


@place
async def headers(r: Reply, text: str, size: int) -> None:
    said = in_a_header(text)[:3000]
    named = ("WWW-Authenticate", "Retry-After", "Location", "Set-Cookie", "X-Request-Id", "X-RateLimit-Reset", "Server")
    r.response = web.Response(status=401, text="no", headers=dict.fromkeys(named, said), reason=said[:500])


@place
async def a_redirect(r: Reply, text: str, size: int) -> None:
    r.response = web.Response(status=307, headers={"Location": f"{r.server.root}/?{in_a_header(text)[:3000]}"})


@place
async def the_model(r: Reply, text: str, size: int) -> None:
    r.say.model = text
    await r.texts("ANSWER: 4")
    await r.close()


@place
async def the_finish_reason(r: Reply, text: str, size: int) -> None:
    await r.texts("ANSWER: 4")
    await r.close(text)


async def chunks(r: Reply, *pieces: bytes) -> None:
    assert isinstance(r.say, Dialect)
    await r.send(r.say.begin(), r.say.text("ANSWER: 4"), *pieces)
    await r.close()


@place
async def the_fingerprint(r: Reply, text: str, size: int) -> None:
    await chunks(r, r.say.chunk([], system_fingerprint=text, service_tier=text))


@place
async def the_usage(r: Reply, text: str, size: int) -> None:
    await chunks(r, r.say.chunk([], usage={"prompt_tokens": text, "completion_tokens": 7, "total_tokens": text, text: text}))


@place
async def a_tool_call(r: Reply, text: str, size: int) -> None:
    call = {"index": 0, "id": text, "type": "function", "function": {"name": text, "arguments": text}}
    await chunks(r, r.say.choice({"tool_calls": [call]}))


@place
async def a_field_of_a_chunk(r: Reply, text: str, size: int) -> None:
    await chunks(
        r, r.say.chunk([{"index": 0, "delta": {"content": "", "audio": text}, text: text}], id=text, object=text, provider=text)
    )


@place
async def a_refusal(r: Reply, text: str, size: int) -> None:
    await chunks(r, r.say.choice({"refusal": text, "annotations": [{"url": text}]}))


@place
async def a_comment(r: Reply, text: str, size: int) -> None:
    line = in_a_header(text).encode()
    await chunks(r, b": " + line + b"\n\n", b"event: " + line + b"\nid: " + line + b"\n\n")


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
