"""What a provider really sent, read from the wire beside litellm, and what that makes of the reply.

litellm turns every ending into "stop": an unknown finish reason, a stream that broke off, a web page.  And it fills in usage that
nobody reported.  So the bytes of a response also pass through here, whichever provider it is, and the status of a reply rests on
them; litellm is asked only where they cannot be read (a binary protocol).
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...core.nodes import Cause, Status

COMPLETE = {"stop", "end_turn", "stop_sequence", "eos", "eos_token", "endoftext", "complete", "completed", "finished", "done"}
COMPLETE |= {"tool_calls", "tool_use", "function_call"}
TRUNCATED = {"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "model_length", "token_limit"}
FILTERED = {"content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii"}
FILTERED |= {"guardrail_intervened", "model_armor", "sensitive", "error_toxic", "image_safety", "language"}
FAILED = {"error", "failed", "network_error", "insufficient_system_resource", "malformed_response", "other"}
FAILED |= {"abort", "aborted", "cancelled", "canceled", "user_cancel", "timeout", "time_limit"}
KEPT = 4096
RETRIED = {408, 409, 425, 429}
CAUSE_AT_MOST = 600
"""Characters of a cause that are kept."""
_NOISE = re.compile(
    r" ssl:<[^>]*>|\.? Handle with `litellm\.\w+`\.| To drop unsupported params set .*| Original exception: .*"
    r"| Traceback \(most recent call last\): .*|<RawResponseMessage\(.*"
)
_PREFIX = re.compile(r"^(?:litellm\.)?[\w-]*(?:Error|Exception|Timeout)\w*(?: -(?: |$)|: )")


def _at(value: Any, *path: str | int) -> Any:
    """`value[path[0]][path[1]]…`, or None where there is no such thing."""
    for key in path:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and len(value) > key else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def _sum(*counts: Any) -> int | None:
    """The sum of token counts, or None if one of them is no such number, whatever a provider wrote there."""
    return sum(counts) if all(type(count) is int and 0 <= count < 1 << 53 for count in counts) else None


def message_in(data: Any) -> str:
    """The words of an error object, however it is wrapped."""
    for path in (("error", "message"), ("message",), ("error",), ("detail",), (0, "error", "message")):
        found = _at(data, *path)
        if found and isinstance(found, str):
            return str(found)
    return json.dumps(data.get("error") or data) if isinstance(data, dict) else ""


class Lines:
    """Bytes that arrive cut anywhere, as lines.  Those end at a newline and nowhere else."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` ends."""
        first, *more = data.split(b"\n")
        self._rest.append(first)
        return [self._next(piece) for piece in more]

    def close(self) -> bytes:
        """The last line, without a newline."""
        return self._next(b"")

    def _next(self, piece: bytes) -> bytes:
        line, self._rest = b"".join(self._rest), [piece]
        return line


class Observed:
    """One HTTP exchange.  `connect`: seconds it may take to connect; `late`: it took longer than that; `sent`: a request went out,
    and `failed` is why it got no answer; `status` and `headers` are None and empty until one came, and `let_go` frees its connection;
    `events` counts JSON events, and `on_event` hears of each; `torn`: what should have been one, before the finish reason, could not
    be read; `broken`: the connection failed while the body was read; `finish` is the raw finish reason; `done`: the protocol's own
    end mark was seen; `error` is an error event's message; `usage` holds what was reported of tokens, and `cached_apart` tells that
    Anthropic reported it, whose count of the input leaves out what was cached."""

    def __init__(self, connect: float = 15.0) -> None:
        self.connect = connect
        self.on_event: Callable[[], None] = lambda: None
        self.sent, self.late, self.broken, self.torn = False, False, False, False
        self.failed: Exception | None = None
        self.let_go: Callable[[], Awaitable[None]] | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.events, self.bytes, self.head = 0, 0, b""
        self.finish, self.error, self.model, self.fingerprint, self.done = "", "", "", "", False
        self.usage: dict[str, Any] = {}
        self.cached_apart = False
        self._lines = Lines()

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, headers

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def feed(self, data: bytes) -> None:
        """Bytes of the body as they arrive, cut anywhere."""
        self.bytes += len(data)
        if len(self.head) < KEPT:
            self.head += data[: KEPT - len(self.head)]
        for line in self._lines.feed(data):
            self.line(line)

    def close(self) -> None:
        """The body is over: a last line without a newline counts."""
        self.line(self._lines.close())

    def line(self, line: bytes) -> None:
        line = line.strip().removeprefix(b"data:").strip()
        if line == b"[DONE]":
            self.done = True
        if not line.startswith(b"{") or (self.status or 0) >= 400:
            return
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            self.torn = self.torn or not self.finish
            return
        self.events += 1
        self.note(event)
        self.on_event()

    def note(self, event: dict[str, Any]) -> None:
        """Takes what it knows from one event: the shapes of OpenAI (three), Anthropic, Ollama, Gemini and Cohere."""
        kind = str(event.get("type"))
        inner = _at(event, "response") or _at(event, "message")
        told = kind in {"message_start", "response.completed", "response.incomplete"} and isinstance(inner, dict)
        whole = {**event, **inner} if told else event
        finish = (
            _at(event, "choices", 0, "finish_reason")
            or _at(event, "delta", "stop_reason")
            or _at(event, "delta", "finish_reason")
            or _at(event, "candidates", 0, "finishReason")
            or _at(event, "promptFeedback", "blockReason")
            or _at(event, "done_reason")
        )
        if kind in {"response.completed", "response.incomplete"}:
            finish = _at(whole, "incomplete_details", "reason") or whole.get("status")
        self.finish = str(finish) if finish else self.finish
        self.cached_apart = self.cached_apart or kind == "message_start"
        self.done = self.done or event.get("done") is True or kind == "message_stop"
        if event.get("error") or kind in {"error", "response.failed"}:
            self.error = message_in(inner if kind == "response.failed" else event) or "no reason was given"
        self.model = str(whole.get("model") or whole.get("modelVersion") or self.model)
        self.fingerprint = str(whole.get("system_fingerprint") or self.fingerprint)
        counts = [whole.get("usage"), whole.get("usageMetadata"), event if "eval_count" in event else None]
        for usage in counts:
            if isinstance(usage, dict):
                self.usage |= {name: value for name, value in usage.items() if value is not None}

    def tokens(self) -> dict[str, int | None] | None:
        """Reported tokens as {input, output, reasoning}; None when the provider reported none.  What it left out, or wrote as no
        number, is None."""
        names = {
            "input": ("prompt_tokens", "input_tokens", "prompt_eval_count", "promptTokenCount"),
            "output": ("completion_tokens", "output_tokens", "eval_count", "candidatesTokenCount"),
        }
        found = {part: next((self.usage[name] for name in ours if name in self.usage), None) for part, ours in names.items()}
        thought = _at(self.usage, "completion_tokens_details", "reasoning_tokens")
        thought = thought if thought is not None else _at(self.usage, "output_tokens_details", "reasoning_tokens")
        thoughts = self.usage.get("thoughtsTokenCount", 0)
        if self.cached_apart:
            found["input"] = _sum(found["input"], *(self.usage.get(f"cache_{did}_input_tokens", 0) for did in ("creation", "read")))
        found["output"] = _sum(found["output"], thoughts)  # Gemini counts what it thought apart
        found["reasoning"] = _sum(thought if thought is not None else self.usage.get("thoughtsTokenCount"))
        counts = {part: _sum(value) for part, value in found.items()}
        return None if counts["input"] is None and counts["output"] is None else counts

    def verdict(self, text: bool, reasoning: bool, guess: str) -> tuple[Status, str, str]:
        """(status, cause, raw finish reason) of a stream that ended without an exception.  `guess` is litellm's finish reason,
        which counts only if no event could be read although text arrived."""
        finish = self.finish or (guess if not self.events and (text or reasoning) else "")
        word, where = finish.lower(), f"HTTP {self.status}, {self.content_type or 'no content type'}, {self.bytes} bytes"
        if self.error:
            return Status.ERROR, f"the provider reported an error in mid-stream: {self.error}", finish
        if word in FILTERED:
            if text:
                return Status.FILTERED, f"the provider cut the reply off ({finish})", finish
            return Status.REFUSED, f"the provider refused to answer ({finish})", finish
        if word in TRUNCATED:
            return Status.TRUNCATED, "the token limit was reached" + ("" if text else " before any text"), finish
        if word in FAILED:
            return Status.ERROR, f"the provider gave up ({finish})", finish
        if not finish and self.events and not self.done:
            return Status.ERROR, "the stream ended before a finish reason", finish
        if self.torn and self.events:
            return Status.ERROR, "an event could not be read, so the reply may not be whole", finish
        if not text:
            what = "reasoning but no text" if reasoning else "nothing" if self.events else "no reply that could be read"
            return Status.EMPTY, f"the server sent {what} ({where})", finish
        if not finish:
            return Status.COMPLETE, "the server ended the stream without a finish reason", finish
        if word not in COMPLETE:
            return Status.ERROR, f"the finish reason “{finish}” is not known, so the reply may not be whole", finish
        return Status.COMPLETE, "", finish


def one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= CAUSE_AT_MOST else text[: CAUSE_AT_MOST - 1] + "…"


def words_of(error: BaseException) -> str:
    """The part of a litellm exception that its provider or the network wrote, or else the name of what came first."""
    name = ""
    inner: BaseException | None = error
    while inner is not None:
        text = _NOISE.sub("", " ".join(str(inner).split()))
        while match := _PREFIX.match(text):
            text = text[match.end() :]
        if text and "Connection error" not in text:
            return text
        name, inner = type(inner).__name__, inner.__cause__ or inner.__context__
    return name


def _answer(seen: Observed) -> str:
    """The words of an answer that is an error: those of an error object, else the whole body."""
    if not seen.head:
        return "no reason was given"
    with contextlib.suppress(ValueError):
        return message_in(json.loads(seen.head))
    return "" if seen.head.lstrip().startswith(b"{") else one_line(seen.head.decode("utf-8", "replace"))


def cause_of(error: BaseException, seen: Observed) -> str:
    if seen.error:
        return f"the provider reported an error in mid-stream: {seen.error}"
    if seen.finish.lower() in FAILED:  # litellm raises for some of these words
        return f"the provider gave up ({seen.finish})"
    if seen.status is not None and seen.status >= 400:
        return f"HTTP {seen.status}: {_answer(seen) or words_of(error)}"
    if seen.status is not None and seen.status >= 300:
        where = seen.headers.get("location", "elsewhere")
        return f"HTTP {seen.status}: a request goes to the chosen address alone, and the server sends us on to {where}"
    if seen.status is not None:
        return f"the stream broke off: {words_of(error)}"
    if seen.late:
        return f"no connection within {seen.connect:g} s"
    return f"no answer from the server: {words_of(error)}" if seen.sent else f"nothing was sent: {words_of(error)}"


def kind_of(seen: Observed) -> Cause:
    """The closed word that goes with `cause_of` an exception."""
    if seen.error or seen.finish.lower() in FAILED:
        return Cause.PROVIDER
    if seen.status is not None:
        return Cause.HTTP if seen.status >= 300 else Cause.NETWORK
    if seen.late:
        return Cause.CONNECT
    return Cause.NETWORK if seen.sent else Cause.NOT_SENT


def kind_of_end(status: Status, cause: str, seen: Observed) -> Cause:
    """The closed word that goes with the verdict on a stream that ended without an exception."""
    match status:
        case Status.COMPLETE:
            return Cause.NO_FINISH if cause else Cause.NONE
        case Status.FILTERED | Status.REFUSED:
            return Cause.FILTER
        case Status.TRUNCATED:
            return Cause.LENGTH
        case Status.EMPTY:
            return Cause.NO_TEXT
    return Cause.PROVIDER if seen.error or seen.finish.lower() in FAILED else Cause.UNREADABLE


def may_retry(seen: Observed) -> bool:
    """Only before the first event: a busy or broken server, or a connection that failed."""
    if seen.events or seen.error or not seen.sent:
        return False
    return seen.status is None or seen.status in RETRIED or seen.status >= 500 or seen.status == 200


def pause(seen: Observed, attempt: int) -> float:
    """Seconds to wait before the next attempt: Retry-After in seconds or as a date, else 1, 2, 4 … 30."""
    header = seen.headers.get("retry-after", "")
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return min(30.0, 2.0 ** (attempt - 1))
