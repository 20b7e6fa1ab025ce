"""What model servers do, well and badly: each row is what one does, and the status and the cause with which a reply must then end."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from faulty_server import Wire
from model_server import Ollama

from lifeline_tui.core.nodes import Status

KEY = "sk-loopback-0123456789"
HELD = KEY[:5]
"""The beginning of a key, which is held back while it could still go on: what breaks off ends in it."""
CHAT, TEXT, VLLM, ANTHROPIC, OLLAMA = "openai", "text-completion-openai", "hosted_vllm", "anthropic", "ollama_chat"
OPENAI = (CHAT, TEXT)
KEYED = (*OPENAI, VLLM, ANTHROPIC)
ALL = (*KEYED, OLLAMA)
COMPLETE, ERROR, EMPTY, REFUSED, TRUNCATED = Status.COMPLETE, Status.ERROR, Status.EMPTY, Status.REFUSED, Status.TRUNCATED

Does = Callable[[Wire], Awaitable[None]]
Cause = str | re.Pattern[str]


@dataclass(frozen=True)
class Fault:
    """`cause` is the whole cause, or a pattern for all of it, or one of them for each shape, with "" for the rest.  `limits` are
    deadlines, and `due` the seconds at which one of them ends the call.  `waits` are those before the retries that are seen, `hits`
    the requests that come.  `tail`: characters at the end of what was said that may come too late.  `where`: another address than
    the server's.  `finish`: the raw finish reason.  `alone`: it keeps a processor busy for longer than the deadlines of others."""

    name: str
    does: Does
    status: Status
    cause: Cause | Mapping[str, Cause] = ""
    shapes: tuple[str, ...] = OPENAI
    limits: Mapping[str, float] = field(default_factory=dict)
    due: float | None = None
    waits: tuple[float, ...] = ()
    hits: int = 1
    tail: int = 0
    where: str = ""
    finish: str | None = None
    alone: bool = False

    def told(self, shape: str, cause: str) -> bool:
        """Whether `cause` is what it must be."""
        wanted = self.cause.get(shape, self.cause.get("", "")) if isinstance(self.cause, Mapping) else self.cause
        return wanted.fullmatch(cause) is not None if isinstance(wanted, re.Pattern) else wanted == cause


FAULTS: dict[str, Fault] = {}


def row(status: Status, cause: Any = "", name: str = "", **more: Any) -> Callable[[Does], Does]:
    def add(does: Does) -> Does:
        title = name or does.__name__.replace("_", "-")
        assert title not in FAULTS
        FAULTS[title] = Fault(title, does, status, cause, **more)
        return does

    return add


def like(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


BROKE, NO_ANSWER = "the stream broke off: ", "no answer from the server: "
EARLY = "the stream ended before a finish reason"
TORN = "an event could not be read, so the reply may not be whole"
ON_FIRE = "the provider reported an error in mid-stream: the GPU caught fire"
CUT_SHORT = like(f"{BROKE}Response payload is not completed: .*")
RESET = like(f"{BROKE}.*Connection reset by peer.{{0,2}}")
NOT_UTF8 = like(rf"{BROKE}'utf-8' codec can't decode byte 0x[0-9a-f]{{2}} in position \d+: invalid start byte")

ODD = [
    "é",
    "漢",
    "🏴‍☠️",
    "\ud83d\ude00",
    "\ud800",
    "\udc80",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\u2028",
    "\x85",
    "\r\n",
    "\n\n",
    "\x0b",
    "\x1c",
]
ODD += [
    '"',
    "\\",
    "</s>",
    "<|im_end|>",
    "\ufeff",
    "data: [DONE]\n\n",
    "event: error\n",
    "{{x}}",
    " ",
    "ANSWER: 4",
    "[/INST]",
    "\U000e0041",
]


def words(w: Wire, most: int = 6) -> list[str]:
    """Pieces of text, odd ones among them; the last ends in the beginning of a key."""
    chance, choose = w.chance, [*ODD, "so ", "far ", "it is "]
    pieces = ["".join(chance.choices(choose, k=chance.randint(1, 5))) for _ in range(chance.randint(1, most))]
    return ["So ", *pieces, f"and then {HELD}"]


async def speak(w: Wire) -> None:
    """A reply so far."""
    await w.begin()
    await w.text(*words(w))


async def finish(w: Wire) -> None:
    """All events that end a reply, and not yet the body."""
    await w.send(w.say.finish(w.say.stop), w.say.usage(11, 7), w.say.end())


async def reply(w: Wire) -> None:
    await speak(w)
    await w.end()


# Whole replies, however they come


row(COMPLETE, "", "well", shapes=ALL)(reply)


@row(COMPLETE, shapes=(CHAT, VLLM, ANTHROPIC, OLLAMA))
async def reasoning(w: Wire) -> None:
    await w.begin()
    await w.think("let me ", *words(w))
    await w.text(*words(w))
    await w.end()


@row(COMPLETE)
async def no_done(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.finish("stop"))
    await w.over()


@row(COMPLETE, "the server ended the stream without a finish reason")
async def no_finish(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.end())
    await w.over()


@row(COMPLETE)
async def no_usage(w: Wire) -> None:
    await speak(w)
    await w.end(usage=False)


@row(COMPLETE, shapes=ALL, alone=True)
async def repeated_chunks(w: Wire) -> None:
    await w.begin()
    await w.text(*["again and again "] * 150)
    await w.end()


@row(COMPLETE, shapes=ALL, alone=True)
async def five_megabytes(w: Wire) -> None:
    await w.begin()
    await w.text("0123456789abcdef" * (5 << 16))
    await w.end()


@row(COMPLETE, shapes=ALL)
async def whole_and_never_closed(w: Wire) -> None:
    await speak(w)
    await finish(w)
    await w.hold()


@row(COMPLETE, shapes=ALL)
async def whole_and_reset(w: Wire) -> None:
    await speak(w)
    await w.heard()
    await finish(w)
    w.reset()


@row(COMPLETE, shapes=ALL)
async def no_length(w: Wire) -> None:
    """Neither chunks nor a length: the end of the connection is the end of the body."""
    await w.head(chunked=False)
    await w.send(w.say.begin())
    await w.text(*words(w))
    await w.end()


@row(COMPLETE)
async def carriage_returns(w: Wire) -> None:
    await w.begin()
    await w.text(*words(w), rewrite=lambda event: event.replace(b"\n", b"\r\n"))
    await w.end()


@row(COMPLETE)
async def comments_and_no_spaces(w: Wire) -> None:
    await w.begin()
    await w.text(*words(w), rewrite=lambda event: b": working\n\n" + event.replace(b"data: ", b"data:", 1))
    await w.end()


@row(COMPLETE, shapes=ALL)
async def raw_line_separators(w: Wire) -> None:
    """Characters that end a line elsewhere, and none in JSON."""

    def raw(event: bytes) -> bytes:
        for each in "\u2028\u2029\x85é":
            event = event.replace(json.dumps(each)[1:-1].encode(), each.encode())
        return event

    await w.begin()
    await w.text("one\u2028two", "\x85three\u2029", "é\u2028", f"four {HELD}", rewrite=raw)
    await w.end()


@row(COMPLETE, shapes=ALL)
async def done_in_a_text(w: Wire) -> None:
    await w.begin()
    await w.text("data: [DONE]\n\n", "[DONE]", f"[[DONE]] {HELD}")
    await w.end()


@row(COMPLETE)
async def null_content(w: Wire) -> None:
    nothing = w.say.choice({"content": None}).replace(b'"text": ""', b'"text": null')
    await w.begin()
    await w.text(*words(w), rewrite=lambda event: nothing + event + nothing)
    await w.end()


@row(COMPLETE)
async def empty_choices_between(w: Wire) -> None:
    await w.begin()
    await w.text(*words(w), rewrite=lambda event: w.say.chunk([]) + event)
    await w.end()


@row(COMPLETE)
async def odd_events_between(w: Wire) -> None:
    odd = [{"choices": [], "usage": None}, {"choices": [], "x": [[[]]]}, {"choices": [], "model": 7, "error": None}]
    await w.begin()
    await w.text(*words(w), rewrite=lambda event: w.say.sse(w.chance.choice(odd)) + event)
    await w.end()


@row(COMPLETE)
async def wrong_content_type(w: Wire) -> None:
    await w.head(kind=w.chance.choice(["application/json", "text/plain", "image/png", "text/html", ""]))
    await w.send(w.say.begin())
    await w.text(*words(w))
    await w.end()


@row(COMPLETE, shapes=ALL)
async def gzip_in_one(w: Wire) -> None:
    texts, end = words(w), [w.say.finish(w.say.stop), w.say.usage(11, 7), w.say.end()]
    w.asked.text = "".join(texts)
    await w.head(Content_Encoding="gzip")
    await w.send(gzip.compress(b"".join([w.say.begin(), *map(w.say.text, texts), *end])))
    await w.over()


@row(COMPLETE)
async def early_hints(w: Wire) -> None:
    await w.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    await reply(w)


@row(COMPLETE, shapes=(CHAT,))
async def tool_calls_after_text(w: Wire) -> None:
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "rm", "arguments": "{}"}}
    await speak(w)
    await w.send(w.say.choice({"tool_calls": [call]}))
    await w.end("tool_calls")


@row(TRUNCATED, "the token limit was reached")
async def text_after_the_finish(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.finish("length"))
    await w.text(" more")
    await w.send(w.say.end())
    await w.over()


# Finish reasons


def finishing(reason: str, status: Status, cause: str, shapes: tuple[str, ...] = OPENAI, text: bool = True, name: str = "") -> None:
    async def does(w: Wire) -> None:
        await w.begin()
        if text:
            await w.text(*words(w))
        await w.end(reason)

    raw = "[redacted]" if reason == KEY else reason
    row(status, cause, f"finish-{name or reason}{'' if text else '-without-text'}", shapes=shapes, finish=raw)(does)


UNKNOWN = "the finish reason “{}” is not known, so the reply may not be whole"
finishing("banana", ERROR, UNKNOWN.format("banana"), ALL)
finishing(KEY, ERROR, UNKNOWN.format("[redacted]"), KEYED, name="key")
finishing("STOP", COMPLETE, "")
finishing("abort", ERROR, "the provider gave up (abort)", ALL)
finishing("error", ERROR, "the provider gave up (error)", ALL)
finishing("error", ERROR, "the provider gave up (error)", ALL, text=False)
finishing("length", TRUNCATED, "the token limit was reached")
finishing("length", TRUNCATED, "the token limit was reached before any text", text=False)
finishing("max_tokens", TRUNCATED, "the token limit was reached", (ANTHROPIC,))
finishing("content_filter", Status.FILTERED, "the provider cut the reply off (content_filter)")
finishing("content_filter", REFUSED, "the provider refused to answer (content_filter)", text=False)
finishing("refusal", Status.FILTERED, "the provider cut the reply off (refusal)", (ANTHROPIC,))


# No text


def sent(
    what: str, kind: str = r"(text/event-stream|application/x-ndjson)", number: str = r"\d+", status: int = 200
) -> re.Pattern[str]:
    return like(rf"the server sent {what} \(HTTP {status}, {kind}, {number} bytes\)")


UNREAD = "no reply that could be read"


@row(EMPTY, sent(UNREAD, "text/html; charset=utf-8", "55"), shapes=ALL)
async def web_page(w: Wire) -> None:
    await w.whole("200 OK", "<html><body>Log in to the hotel's network</body></html>", "text/html; charset=utf-8")


@row(EMPTY, sent("nothing"))
async def empty_choices(w: Wire) -> None:
    await w.begin()
    await w.send(w.say.chunk([]), w.say.end())
    await w.over()


@row(EMPTY, sent("nothing"), shapes=ALL)
async def says_nothing(w: Wire) -> None:
    await w.begin()
    await w.end()


@row(EMPTY, sent("reasoning but no text"), shapes=(CHAT, VLLM, ANTHROPIC, OLLAMA))
async def only_thinks(w: Wire) -> None:
    await w.begin()
    await w.think(*words(w))
    await w.end()


@row(EMPTY, sent(UNREAD, number="0"), shapes=ALL)
async def empty_body(w: Wire) -> None:
    await w.head()
    await w.over()


@row(EMPTY, sent(UNREAD, "no content type", "0", 204))
async def no_content(w: Wire) -> None:
    await w.head("204 No Content", "", chunked=False)


@row(EMPTY, sent("nothing"), shapes=(CHAT,))
async def only_tool_calls(w: Wire) -> None:
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "rm", "arguments": '{"x":'}}
    await w.begin()
    await w.send(
        w.say.choice({"tool_calls": [call]}), w.say.choice({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]})
    )
    await w.end("tool_calls")


@row(EMPTY, sent("nothing", "application/json"))
async def not_a_stream(w: Wire) -> None:
    """A whole reply as one object, although a stream was asked for."""
    await w.whole("200 OK", {"choices": [{"message": {"content": "hi"}, "text": "hi", "finish_reason": "stop"}], "model": "m"})


# Streams that break


@row(ERROR, EARLY, shapes=ALL)
async def ends_early(w: Wire) -> None:
    await speak(w)
    await w.over()


@row(ERROR, CUT_SHORT, shapes=ALL)
async def hangs_up(w: Wire) -> None:
    await speak(w)
    await w.heard()
    w.close()


@row(ERROR, RESET, shapes=ALL)
async def resets(w: Wire) -> None:
    await speak(w)
    await w.heard()
    w.reset()


@row(ERROR, RESET, shapes=ALL, limits={"retries": 2})
async def resets_and_is_not_asked_again(w: Wire) -> None:
    await resets(w)


@row(ERROR, EARLY, shapes=ALL)
async def half_an_event(w: Wire) -> None:
    await speak(w)
    event = w.say.text("never whole")
    await w.send(event[: w.chance.randrange(1, len(event) - 4)])
    await w.over()


@row(ERROR, CUT_SHORT, shapes=ALL)
async def half_a_chunk(w: Wire) -> None:
    """Announces more of an HTTP chunk than it sends."""
    await speak(w)
    await w.heard()
    await w.raw(b"400\r\n" + w.say.text("x")[:9])
    w.close()


@row(ERROR, CUT_SHORT, shapes=ALL)
async def a_length_never_reached(w: Wire) -> None:
    await w.head(chunked=False, Content_Length="100000")
    await w.send(w.say.begin())
    await w.text(*words(w))
    await w.heard()
    w.close()


@row(ERROR, {"": TORN, **dict.fromkeys(OPENAI, like(f"{BROKE}Unterminated string starting at: .*"))}, shapes=ALL)
async def bad_json(w: Wire) -> None:
    await speak(w)
    await w.send(b'{"message": {"con\n' if isinstance(w.say, Ollama) else b'data: {"choices": [{"delta": {"con\n\n')
    await w.end()


@row(ERROR, {"": TORN, **dict.fromkeys(OPENAI, NOT_UTF8)}, shapes=ALL)
async def bad_utf8(w: Wire) -> None:
    await speak(w)
    await w.heard()
    if not w.by_openai:
        w.asked.text += "\ufffd" * 3  # as litellm reads it
    await w.send(w.say.text("?!").replace(b"?!", b"\xff\xfe\xc3"))
    await w.end()


@row(ERROR, like(f"{BROKE}maximum recursion depth exceeded.*"))
async def deep_json(w: Wire) -> None:
    await speak(w)
    await w.send(b"data: " + b"[" * 100_000 + b"\n\n")
    await w.end()


@row(ERROR, f"{BROKE}Expecting value: line 1 column 1 (char 0)")
async def a_comment_after_an_id(w: Wire) -> None:
    """The OpenAI client takes the comment for an event without data."""
    await w.begin()
    await w.send(b"id: 7\n")
    await w.text(words(w)[-1])
    await w.send(b": working\n\n")
    await w.end()


@row(ERROR, ON_FIRE, shapes=ALL)
async def error_midway(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.error("the GPU caught fire"))
    await w.over()


@row(ERROR, ON_FIRE, shapes=ALL)
async def error_midway_and_never_closed(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.error("the GPU caught fire"))
    await w.hold()


@row(ERROR, ON_FIRE, shapes=ALL, limits={"retries": 2})
async def error_at_once(w: Wire) -> None:
    await w.begin()
    await w.send(w.say.error("the GPU caught fire"))
    await w.over()


@row(ERROR, "the provider reported an error in mid-stream: late")
async def error_after_the_finish(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.finish("stop"), w.say.error("late"))
    await w.over()


@row(ERROR, "the provider reported an error in mid-stream: no [redacted]", shapes=KEYED)
async def error_with_the_key(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.error(f"no {w.key}"))
    await w.over()


@row(ERROR, "the provider reported an error in mid-stream: no such model", shapes=ALL)
async def error_under_a_success(w: Wire) -> None:
    await w.whole("200 OK", {"error": {"message": "no such model", "code": 404}})


@row(ERROR, f"{BROKE}Error -3 while decompressing data: incorrect header check", shapes=ALL)
async def gzip_garbage(w: Wire) -> None:
    await w.head(Content_Encoding="gzip")
    await w.send(b"this is no gzip " * 9)
    await w.over()


async def packed(w: Wire) -> None:
    """A reply so far, of which each event can be unpacked as it comes."""
    pack, texts = zlib.compressobj(wbits=31), words(w)
    w.asked.text = "".join(texts)
    await w.head(Content_Encoding="gzip")
    for event in (w.say.begin(), *map(w.say.text, texts)):
        await w.send(pack.compress(event) + pack.flush(zlib.Z_SYNC_FLUSH))


@row(ERROR, EARLY, shapes=ALL)
async def gzip_cut_short(w: Wire) -> None:
    await packed(w)
    await w.over()


@row(ERROR, like(f"{BROKE}Error -3 while decompressing data: .*"), shapes=ALL)
async def gzip_garbage_midway(w: Wire) -> None:
    await packed(w)
    await w.heard()
    await w.send(b"this is no gzip " * 9)
    await w.over()


@row(ERROR, NOT_UTF8)
async def unknown_encoding(w: Wire) -> None:
    await w.head(Content_Encoding="lifeline")
    await w.send(bytes(range(256)))
    await w.over()


# No answer


@row(ERROR, like(f"{NO_ANSWER}Cannot connect to host .*"), hits=0, where="nobody", shapes=ALL)
async def refuses_the_connection(w: Wire) -> None:
    raise AssertionError


@row(ERROR, "no connection within 0.5 s", hits=0, where="deaf", limits={"connect": 0.5}, due=0.5, shapes=ALL)
async def never_accepts(w: Wire) -> None:
    raise AssertionError


@row(ERROR, like(rf"{NO_ANSWER}\[Errno \d+\] Connection reset by peer"), shapes=ALL)
async def resets_at_once(w: Wire) -> None:
    w.reset()


@row(ERROR, f"{NO_ANSWER}Server disconnected", shapes=ALL)
async def hangs_up_at_once(w: Wire) -> None:
    w.close()


@row(ERROR, f"{NO_ANSWER}ServerDisconnectedError", shapes=ALL)
async def half_the_headers(w: Wire) -> None:
    await w.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/ev")
    w.close()


@row(ERROR, like(f"{NO_ANSWER}400, message=.Bad status line:.*b'S.*"), shapes=ALL)
async def not_http(w: Wire) -> None:
    await w.raw(b"SSH-2.0-OpenSSH_9.2\r\n\x00\xff\x1b[2J\r\n\r\n")
    w.close()


@row(ERROR, like(f"{NO_ANSWER}400, message=.Got more than 8190 bytes.*"), shapes=ALL)
async def huge_header(w: Wire) -> None:
    await w.head(X_Long="x" * 300_000)
    await w.hold()


# Deadlines

FIRST: dict[str, Any] = {"limits": {"first_token": 0.8}, "due": 0.8}
GAP: dict[str, Any] = {"limits": {"gap": 0.6}, "due": 0.6}
TOTAL: dict[str, Any] = {"limits": {"total": 1.2}, "due": 1.2}
NO_FIRST, NO_EVENT, TOO_LONG = "no first token within 0.8 s", "no event for 0.6 s", "the call took longer than 1.2 s in all"


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def stalls_before_headers(w: Wire) -> None:
    await w.hold()


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def stalls_in_the_headers(w: Wire) -> None:
    await w.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/ev")
    await w.hold()


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def stalls_after_headers(w: Wire) -> None:
    await w.head()
    await w.hold()


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def stalls_before_text(w: Wire) -> None:
    await w.begin()
    await w.hold()


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def stalls_in_an_error(w: Wire) -> None:
    await w.head("500 Oh", "application/json", chunked=False, Content_Length="1000")
    await w.raw(b'{"error"')
    await w.hold()


@row(ERROR, NO_FIRST, **FIRST)
async def comments_for_ever(w: Wire) -> None:
    await w.head()
    await w.keep_on(b": working\n\n")


@row(ERROR, NO_FIRST, shapes=ALL, **FIRST)
async def empty_text_for_ever(w: Wire) -> None:
    await w.begin()
    await w.keep_on(w.say.text(""))


@row(ERROR, NO_EVENT, shapes=ALL, **GAP)
async def stalls_midway(w: Wire) -> None:
    await speak(w)
    await w.hold()


@row(ERROR, NO_EVENT, shapes=ALL, **GAP)
async def stalls_in_an_event(w: Wire) -> None:
    await speak(w)
    await w.send(w.say.text("never whole")[:-9])
    await w.hold()


@row(ERROR, NO_EVENT, shapes=(CHAT, VLLM, ANTHROPIC, OLLAMA), **GAP)
async def stalls_in_reasoning(w: Wire) -> None:
    await w.begin()
    await w.think("hm", f" hm {HELD}")
    await w.hold()


@row(ERROR, NO_EVENT, shapes=ALL, **GAP)
async def chunk_garbage(w: Wire) -> None:
    """aiohttp waits on."""
    await speak(w)
    await w.heard()
    await w.raw(b"zz\r\nnot a chunk\r\n")
    await w.hold()


@row(ERROR, TOO_LONG, shapes=ALL, tail=5, **TOTAL)
async def slow_drip(w: Wire) -> None:
    await w.begin()
    holding = asyncio.create_task(w.hold())
    while not holding.done():
        await w.text(" drip")
        await asyncio.wait({holding}, timeout=0.02)
        await w.heard(holding)


@row(ERROR, TOO_LONG, shapes=ALL, **TOTAL)
async def empty_text_after_text_for_ever(w: Wire) -> None:
    await speak(w)
    await w.keep_on(w.say.text(""))


@row(ERROR, TOO_LONG, shapes=ALL, **TOTAL)
async def a_line_without_end(w: Wire) -> None:
    await speak(w)
    await w.keep_on(b"x" * 1000)


# Answers that are errors


def oops(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def answering(
    name: str, status: str, body: Any, cause: str, end: Status = ERROR, kind: str = "application/json", **more: Any
) -> None:
    headers = more.pop("headers", {})

    async def does(w: Wire) -> None:
        await w.whole(status, body(w) if callable(body) else body, kind, **headers)

    row(end, cause, name, **{"shapes": ALL, **more})(does)


answering("key-in-an-error", "401 No", lambda w: oops(f"not {w.key}"), "HTTP 401: not [redacted]", shapes=KEYED)
answering("key-in-a-text", "401 No", lambda w: f"who is {w.key}?", "HTTP 401: who is [redacted]?", kind="text/plain", shapes=KEYED)
answering("policy", "400 No", oops("against our content policy"), "HTTP 400: against our content policy", REFUSED)
answering("bad-request", "400 No", oops("what is min_p?"), "HTTP 400: what is min_p?")
answering("forbidden-page", "403 No", "<html>no</html>", "HTTP 403: <html>no</html>", kind="text/html")
answering("not-found", "404 No", {"detail": "no such model"}, "HTTP 404: no such model")
answering("no-words", "413 No", "", "HTTP 413: no reason was given", kind="")
answering("hostile-error", "500 Oh", "\x1b]0;evil\x07 \x00", "HTTP 500: \x1b]0;evil\x07 \x00", kind="text/plain")
answering("overloaded", "529 Oh", oops("later"), "HTTP 529: later")
answering("status-999", "999 What", oops("what"), "HTTP 999: what")
answering(
    "always-down",
    "503 Oh",
    oops("down"),
    "HTTP 503: down",
    headers={"Retry-After": "0.05"},
    limits={"retries": 2},
    waits=(0.05,) * 2,
    hits=3,
)
LATER = "to wait 3600 s for the next attempt would take longer than 20 s in all"
answering(
    "busy-for-an-hour",
    "429 Slow",
    oops("slow down"),
    f"HTTP 429: slow down; {LATER}",
    headers={"Retry-After": "3600"},
    limits={"retries": 2},
)


@row(COMPLETE, shapes=ALL, limits={"retries": 2}, waits=(0.1,), hits=2)
async def busy_once(w: Wire) -> None:
    if w.attempt == 1:
        await w.whole("429 Slow", oops(f"slow down, {w.key}"), Retry_After="0.1")
    else:
        await reply(w)


# Redirects


def redirecting(status: str, where: str) -> None:
    async def does(w: Wire) -> None:
        places = {
            "elsewhere": f"{w.server.elsewhere}/v1/chat/completions",
            "here": f"{w.server.root}/v1/completions",
            "nowhere": "",
        }
        await w.whole(status, "", "", Location=places[where])

    there = {"elsewhere": " http://.*/v1/chat/completions", "here": " http://.*/v1/completions", "nowhere": ""}[where]
    row(ERROR, like(f"HTTP {status[:3]}: .*the server sends us on to{there}.*"), f"redirect-{status[:3]}-{where}", shapes=ALL)(does)


for each in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
    redirecting(each, "elsewhere")
redirecting("307 Temporary", "here")
redirecting("307 Temporary", "nowhere")
