"""A key never leaves the environment (Law 10), however a stream cuts it up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.subjects.keys import dummy_key, missing_key
from lifeline_tui.subjects.redaction import REDACTED, Redaction, secrets

SECRETS = ("abababab", "ababababcab", "bcabcabcc", "cc\\nccabab")
TEXTS = st.lists(st.sampled_from([*SECRETS, *"abcd\n", "abab", "bcabc"]), max_size=12).map("".join)


@given(TEXTS, st.data())
def test_a_stream_says_what_the_whole_would(text: str, data: st.DataObject) -> None:
    redaction = Redaction(SECRETS)
    stream, said, rest = redaction.stream(), [], text
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        said.append(stream.feed(rest[:cut]))
        rest = rest[cut:]
    said.append(stream.flush())
    assert "".join(said) == redaction.clean(text)
    assert stream.hit == (REDACTED in "".join(said))
    assert not any(secret in "".join(said) for secret in SECRETS)


def test_only_the_beginning_of_a_secret_is_held_back() -> None:
    stream = Redaction(["sk-12345678"]).stream()
    assert stream.feed("hello s") == "hello "
    assert stream.feed("ks") == "sk"
    assert stream.feed("k-1234") == ""
    assert stream.feed("5678!") == f"{REDACTED}!"
    assert stream.feed("the sk-") == "the "
    assert stream.flush() == "sk-"


def test_without_secrets_text_passes_untouched() -> None:
    stream = Redaction(()).stream()
    assert (stream.feed("any text"), stream.flush(), stream.hit) == ("any text", "", False)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("OPENAI_API_KEY", "sk-123456789", True),
        ("HF_TOKEN", "hf_123456789", True),
        ("AWS_SECRET_ACCESS_KEY", "abcdefgh1234", True),
        ("AWS_ACCESS_KEY_ID", "AKIA12345678", True),
        ("MY_CLIENT_SECRET", "abcdefgh1234", True),
        ("OPENAI_API_KEY", "short", False),
        ("TOKENIZERS_PARALLELISM", "a-long-value", False),
        ("KEYBOARD_LAYOUT", "a-long-value", False),
        ("HOME", "/home/somebody", False),
    ],
)
def test_a_secret_is_known_by_the_name_of_its_variable(name: str, value: str, kept: bool) -> None:
    assert (value in secrets({name: value})) is kept


def test_escaped_forms_of_a_key_are_secret_too() -> None:
    key = 'a"key/with\\marks'
    assert secrets({"X_API_KEY": key}) == {key, json.dumps(key)[1:-1], "a%22key%2Fwith%5Cmarks"}


def test_a_missing_key_is_one_sentence_that_names_its_variable() -> None:
    said = missing_key("anthropic", "anthropic/claude", None, {})
    assert "ANTHROPIC_API_KEY" in said
    assert "sim/anxious" in said
    assert said.count(".") == 1
    assert "\n" not in said


@pytest.mark.parametrize(
    ("provider", "base", "environ", "missing", "dummy"),
    [
        ("openai", None, {}, True, False),
        ("openai", "http://localhost", {}, False, True),
        ("openai", None, {"OPENAI_BASE_URL": "http://localhost"}, False, True),
        ("openai", "http://localhost", {"OPENAI_API_KEY": "k"}, False, False),
        ("text-completion-openai", "http://localhost", {}, False, True),
        ("anthropic", "http://localhost", {}, True, False),
        ("anthropic", None, {"ANTHROPIC_API_KEY": "k"}, False, False),
        ("gemini", None, {"GOOGLE_API_KEY": "k"}, False, False),
        ("ollama_chat", None, {}, False, False),
        ("unheard-of", None, {}, False, False),
    ],
)
def test_who_needs_a_key(provider: str, base: str | None, environ: dict[str, str], missing: bool, dummy: bool) -> None:
    assert bool(missing_key(provider, f"{provider}/m", base, environ)) is missing
    assert bool(dummy_key(provider, base, environ)) is dummy
