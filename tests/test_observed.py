"""What a provider sent is read from the wire itself, however its bytes are cut, and decides how a reply ended (Law 6)."""

from __future__ import annotations

import email.utils
import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.nodes import Status
from lifeline_tui.subjects.child.wire import Observed, cause_of, may_retry, pause, words_of

BODY = (
    b": a comment\r\n\r\nevent: x\r\n"
    b'data: {"model": "m", "choices": [{"delta": {"content": "\xc3\xa9"}}]}\r\n\r\n'
    b'data: {"model": "m", "choices": [{"delta": {}, "finish_reason": "banana"}], "system_fingerprint": "f"}\n\n'
    b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}\n\ndata: [DONE]'
)


def observed(*events: Any, status: int = 200, headers: dict[str, str] | None = None) -> Observed:
    seen = Observed()
    seen.sent = True
    seen.answered(status, headers or {})
    for event in events:
        seen.feed(json.dumps(event).encode() + b"\n")
    return seen


@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_bytes_may_be_cut_anywhere(cuts: list[int]) -> None:
    seen = observed()
    edges = [0, *sorted(cuts), len(BODY)]
    for start, end in pairwise(edges):
        seen.feed(BODY[start:end])
    seen.close()
    assert (seen.events, seen.finish, seen.done, seen.model, seen.fingerprint) == (3, "banana", True, "m", "f")
    assert seen.tokens() == {"input": 3, "output": 4, "reasoning": None}
    assert (seen.bytes, seen.head) == (len(BODY), BODY)


RESPONSE = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "model": "m"}
RESPONSE["usage"] = {"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 1}}
SHAPES: list[tuple[str, list[Any], str, tuple[int | None, ...] | None]] = [
    ("openai responses", [{"type": "response.incomplete", "response": RESPONSE}], "max_output_tokens", (3, 4, 1)),
    (
        "anthropic with a cache",
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 1}}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        ],
        "end_turn",
        (3, 4, None),
    ),
    (
        "gemini",
        [
            {"candidates": [{"content": {}}], "usageMetadata": {"promptTokenCount": 3}},
            {
                "candidates": [{"finishReason": "MAX_TOKENS"}],
                "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 3, "thoughtsTokenCount": 1},
            },
        ],
        "MAX_TOKENS",
        (3, 4, 1),
    ),
    (
        "openai with a cache, by a proxy that says it twice",
        [
            {
                "choices": [{"finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 4, "cache_read_input_tokens": 80},
            }
        ],
        "stop",
        (100, 4, None),
    ),
    (
        "openai responses by such a proxy",
        [{"type": "response.completed", "response": {**RESPONSE, "usage": {"input_tokens": 100, "cache_read_input_tokens": 80}}}],
        "max_output_tokens",
        (100, None, None),
    ),
    ("no usage", [{"choices": [{"finish_reason": "stop"}], "usage": None}], "stop", None),
    ("odd shapes", [{"choices": [7], "delta": "x", "usage": 3, "response": [], "message": None, "error": None}], "", None),
]


@pytest.mark.parametrize(("shape", "events", "finish", "tokens"), SHAPES, ids=[row[0] for row in SHAPES])
def test_each_shape_of_event_is_understood(
    shape: str, events: list[Any], finish: str, tokens: tuple[int | None, ...] | None
) -> None:
    seen = observed(*events)
    assert seen.finish == finish
    counts = seen.tokens()
    assert (counts and tuple(counts.values())) == tokens


ODD = st.sampled_from(["80", -1, 2.5, True, 1 << 70, [], {}, None])


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 100, "output_tokens": 4, "cache_read_input_tokens": "80"}, (None, 4, None)),
        ({"prompt_tokens": 100, "completion_tokens": 4, "cache_read_input_tokens": "80"}, (100, 4, None)),
        ({"prompt_tokens": "100", "completion_tokens": 4}, (None, 4, None)),
        ({"prompt_tokens": True, "completion_tokens": 1 << 70}, None),
        ({"output_tokens": 4, "output_tokens_details": {"reasoning_tokens": "3"}}, (None, 4, None)),
        ({"candidatesTokenCount": 4, "thoughtsTokenCount": "3"}, None),
    ],
)
def test_a_count_that_is_no_number_is_no_count(usage: dict[str, Any], tokens: tuple[int | None, ...] | None) -> None:
    anthropic = {"type": "message_start", "message": {"usage": usage}}
    counts = observed(anthropic if "input_tokens" in usage else {"usage": usage}).tokens()
    assert (counts and tuple(counts.values())) == tokens


@given(st.dictionaries(st.sampled_from(["type", "message", "response", "usage", "error", "choices", "delta", "model"]), ODD))
def test_no_event_however_odd_fails_a_reply(event: dict[str, Any]) -> None:
    seen = observed(event, {**event, "type": "message_start"}, {"type": "response.failed", **event})
    seen.tokens()
    seen.verdict(True, False, "stop")


SAID, END = b'data: {"choices": [{"delta": {"content": "a"}}]}', b'data: {"choices": [{"finish_reason": "stop"}]}'


def finished(reason: str) -> Any:
    return {"choices": [{"finish_reason": reason}]}


@pytest.mark.parametrize(
    ("events", "text", "guess", "status"),
    [
        ([finished("stop")], True, "stop", Status.COMPLETE),
        ([finished("STOP")], True, "stop", Status.COMPLETE),
        ([finished("odd")], True, "stop", Status.ERROR),  # whole or not, nobody knows
        ([finished("odd")], False, "stop", Status.EMPTY),
        *(([finished(word)], True, "stop", Status.ERROR) for word in ("abort", "OTHER", "cancelled", "time_limit", "timeout")),
        ([finished("abort")], False, "stop", Status.ERROR),
        ([finished("length")], False, "length", Status.TRUNCATED),
        ([finished("SAFETY")], True, "stop", Status.FILTERED),
        ([finished("refusal")], False, "content_filter", Status.REFUSED),
        ([finished("error")], True, "stop", Status.ERROR),
        ([finished("stop"), {"error": {"message": "late"}}], True, "stop", Status.ERROR),
        ([{"choices": []}], True, "stop", Status.ERROR),
        ([], True, "stop", Status.COMPLETE),  # a binary protocol: litellm is asked
        ([], True, "length", Status.TRUNCATED),
        ([], False, "stop", Status.EMPTY),  # a web page: it is not
    ],
)
def test_the_wire_decides_and_litellm_only_where_it_cannot_be_read(
    events: list[Any], text: bool, guess: str, status: Status
) -> None:
    assert observed(*events).verdict(text, False, guess)[0] is status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([SAID, b'data: {"choices": [{"del', END], Status.ERROR),
        ([SAID, b'data: {"choices": "\xff"}', END], Status.ERROR),
        ([SAID, END, b'data: {"usage": {"pro'], Status.COMPLETE),  # nothing but counts comes after the end
        ([b"{", b'  "choices": [', b"  ]", b"}"], Status.COMPLETE),  # one object on many lines: litellm is asked
    ],
)
def test_an_event_that_cannot_be_read_leaves_a_reply_in_doubt(lines: list[bytes], status: Status) -> None:
    seen = observed()
    seen.feed(b"\n".join(lines))
    seen.close()
    assert seen.verdict(True, False, "stop")[0] is status


@pytest.mark.parametrize(
    ("seen", "again"),
    [
        (observed(status=429), True),
        (observed(status=529), True),
        (observed(status=400), False),
        (observed(status=404), False),
        (observed(status=200), True),  # the connection broke before the first event
        (observed({"choices": []}), False),
        (Observed(), False),  # nothing was sent: it would fail again
    ],
)
def test_only_what_may_pass_before_the_first_event_is_tried_again(seen: Observed, again: bool) -> None:
    assert may_retry(seen) is again


def test_retry_after_is_seconds_or_a_date_and_else_the_wait_doubles() -> None:
    def asked(header: str) -> Observed:
        return observed(status=429, headers={"retry-after": header})

    assert pause(asked("7.5"), 1) == 7.5
    assert pause(asked("-1"), 1) == 0
    assert 55 < pause(asked(email.utils.formatdate(time.time() + 60, usegmt=True)), 1) <= 61
    assert [pause(asked("soon"), attempt) for attempt in (1, 2, 3, 9)] == [1, 2, 4, 30]


def test_litellms_wrapping_is_taken_off_an_error() -> None:
    wrapped = "litellm.MidStreamFallbackError: litellm.APIConnectionError: APIConnectionError: OpenAIException - the GPU: on fire"
    assert words_of(Exception(f"{wrapped} Original exception: more of it")) == "the GPU: on fire"
    assert words_of(Exception(f'{wrapped}\nTraceback (most recent call last):\n  File "/home/me/x.py"')) == "the GPU: on fire"


def test_an_error_without_words_has_the_name_of_what_came_first() -> None:
    error = Exception("litellm.APIConnectionError: Text-completion-openaiException - ")
    error.__cause__ = ConnectionResetError()
    assert words_of(error) == "ConnectionResetError"


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "HTTP 500: no reason was given"),
        (b"<h1>Oh</h1>\n", "HTTP 500: <h1>Oh</h1>"),
        (b'{"error": {"message": "oh"}}', "HTTP 500: oh"),
        (b'{"error": {"message": "' + b"o" * 9000, "HTTP 500: as litellm has it"),
        (b"[7]", "HTTP 500: as litellm has it"),
    ],
)
def test_an_answer_that_is_an_error_is_told_in_its_own_words(body: bytes, cause: str) -> None:
    seen = observed(status=500)
    seen.feed(body)
    assert cause_of(Exception("litellm.InternalServerError: as litellm has it"), seen) == cause
