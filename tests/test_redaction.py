"""A key never leaves the environment (Law 10), however a stream cuts it up."""

from __future__ import annotations

import base64
import json
from math import ceil
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.subjects.child.keys import dummy_key, missing_key
from lifeline_tui.subjects.child.redaction import REDACTED, SHORTEST, Redaction, secrets

SECRETS = ("abababab", "ababababcab", "bcabcabcc", "cc\\nccabab", "abccbaabbccaabcabccba")
KEY = "sk-loopback-0123456789"
TEXTS = st.lists(st.sampled_from([*SECRETS, *"abcd\n", "abab", "bcabc", "abccbaabb", "ccaabcabccba"]), max_size=12).map("".join)


def quote_all(text: str) -> str:
    return quote(text, safe="")


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
    assert not any("".join(said).endswith(secret[:count]) for secret in SECRETS for count in range(SHORTEST, len(secret)))


def test_twelve_characters_of_a_key_are_too_many_wherever_they_stand_in_it() -> None:
    redaction = Redaction([KEY])
    assert redaction.clean(f"no key {KEY[:14]}… here") == "no key [redacted]… here"
    assert redaction.clean(f"no key …{KEY[5:17]} here") == f"no key …{KEY[5:8]}[redacted] here"
    assert redaction.clean(f"no key {KEY[:11]}… here") == f"no key {KEY[:11]}… here"


def test_a_password_in_an_address_is_secret_too() -> None:
    known = secrets({"HTTPS_PROXY": "http://me:pass%2Fword-1@proxy:8080", "OPENAI_BASE_URL": "https://example.org/a:b-not-one@c"})
    assert {"pass%2Fword-1", "pass/word-1"} <= known
    assert not any("not-one" in each for each in known)


def test_the_path_of_a_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").touch()
    known = secrets({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials.json"), "X_SECRET": "/not/a/file/0123456789"})
    assert "/not/a/file/0123456789" in known
    assert not any("credentials" in each for each in known)


def test_ordinary_text_is_not_held_back_for_the_letters_that_a_key_has() -> None:
    stream = Redaction([KEY]).stream()
    assert stream.feed("a loo") == "a loo"
    assert stream.feed("p") == ""
    assert stream.feed("!") == "p!"


def test_only_the_beginning_of_a_secret_is_held_back() -> None:
    stream = Redaction(["sk-12345678"]).stream()
    assert stream.feed("hello s") == "hello "
    assert stream.feed("ks") == "sk"
    assert stream.feed("k-1234") == ""
    assert stream.feed("5678!") == f"{REDACTED}!"
    assert stream.feed("the sk-") == "the "
    assert stream.flush() == "sk-"


@pytest.mark.parametrize("kept", [7, 8, 21])
def test_a_secret_that_the_end_cuts_short_is_one_still(kept: int) -> None:
    key = "sk-loopback-0123456789"
    stream = Redaction([key]).stream()
    said = [stream.feed("key: "), *map(stream.feed, key[:kept]), stream.flush()]
    assert "".join(said) == Redaction([key]).clean(f"key: {key[:kept]}") == "key: " + (REDACTED if kept >= 8 else key[:kept])
    assert stream.hit is (kept >= 8)


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
        ("AWS_BEARER_TOKEN_BEDROCK", "ABSKabcdefgh", True),
        ("SNOWFLAKE_JWT", "eyJhbGciOiJI", True),
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
    assert secrets({"X_API_KEY": key}) >= {key, json.dumps(key)[1:-1], "a%22key%2Fwith%5Cmarks"}


@given(st.binary(max_size=6), st.binary(max_size=6), st.sampled_from([KEY, "sk~~~???>>>~~~???>>>", "kéy-äöü-0123456789"]))
def test_a_key_in_base64_is_secret_wherever_it_stands_in_it(before: bytes, after: bytes, key: str) -> None:
    """At most a character at each edge stays, which holds a few bits of it beside what was before or after."""
    redaction, raw = Redaction(secrets({"X_API_KEY": key})), key.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for form in (str, quote_all):
            head, found, tail = unquote(redaction.clean(form(encode(before + raw + after).decode()))).partition(REDACTED)
            assert found
            assert len(head) <= ceil(len(before) * 8 / 6)
            assert len(tail.rstrip("=")) <= ceil(len(after) * 8 / 6) + 1


@pytest.mark.parametrize("user", ["", ":", "u:", "us:", "use:", "user:"])
def test_next_to_nothing_is_left_of_a_key_sent_as_basic_authorization(user: str) -> None:
    redaction = Redaction(secrets({"X_API_KEY": KEY}))
    said = redaction.clean(f"Basic {base64.b64encode(f'{user}{KEY}'.encode()).decode()}")
    before, _, after = said.partition(REDACTED)
    assert after.strip("=") == ""
    assert len(before.removeprefix("Basic ")) <= ceil(len(user) * 8 / 6)


def test_a_variable_that_is_not_utf_8_is_no_obstacle() -> None:
    assert "abcdefgh\udcff" in secrets({"X_API_KEY": "abcdefgh\udcff"})


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
