"""The operator's settings: every field typed, nothing unknown, and no place for a key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from effort import Effort
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.text import visible_line
from lifeline_tui.loading.config import Config, Model, config_path, default_db, load_config, parse
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.keyboard import spelled
from lifeline_tui.subjects.protocol import Capabilities, Deadlines

WHOLE = b"""\
model = "fast"
theme = "nord"
glyphs = "ascii"
db = "~/notes.db"

[keys]
workings = "w,f5"
"app.quit" = "ctrl+q"

[models.fast]
model = "openai/some-model"
api_base = "http://127.0.0.1:8080/v1"
[models.fast.capabilities]
chat = false
params = ["temperature", "max_tokens"]
reasoning = true
prefill = true
note = "mine"
context = 8192

[models.other]
model = "x/y"

[deadlines]
connect = 5
first_token = 2.5
gap = 10
total = 600
retries = 0
"""


def test_every_setting_arrives() -> None:
    config = parse(WHOLE, "config.toml")
    assert config == Config(
        model="fast",
        theme="nord",
        glyphs="ascii",
        db="~/notes.db",
        keys={"workings": "w,f5", "app.quit": "ctrl+q"},
        models={
            "fast": Model(
                "openai/some-model",
                "http://127.0.0.1:8080/v1",
                {
                    "chat": False,
                    "params": ("temperature", "max_tokens"),
                    "reasoning": True,
                    "prefill": True,
                    "note": "mine",
                    "context": 8192,
                },
            ),
            "other": Model("x/y"),
        },
        deadlines=Deadlines(5, 2.5, 10, 600, 0),
    )
    assert config.models["fast"].capabilities.keys() == {field.name for field in dataclasses.fields(Capabilities)}


def test_a_file_that_is_not_there_leaves_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    assert config_path() == tmp_path / "config.toml"
    assert load_config() == load_config(tmp_path / "none.toml") == parse(b"", "c") == Config()
    config_path().write_text('model = "sim/anxious"')
    assert load_config().model == "sim/anxious"
    assert default_db().name == "lifeline.db"


def test_a_file_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    assert load_config(tmp_path / "file" / "config.toml") == Config()
    for path in (tmp_path / "loop", tmp_path / "loop" / "config.toml", tmp_path / ("x" * 300) / "config.toml", tmp_path):
        with pytest.raises(BadFile, match=r"cannot be read|not a regular file"):
            load_config(path)


WRONG = [
    ('modle = "x"', "c.toml:1: modle: is not a field here; did you mean 'model'?"),
    ("\n[deadlines]\nconect = 5", "c.toml:3: deadlines.conect: is not a field here; did you mean 'connect'?"),
    ("[deadlines]\ngap = 0", "c.toml:2: deadlines.gap: must be a number from 0.01 to 86400, not '0'"),
    ("[deadlines]\ngap = inf", "c.toml:2: deadlines.gap: must be a number from 0.01 to 86400, not 'inf'"),
    ("[deadlines]\nretries = 1.5", "c.toml:2: deadlines.retries: must be a whole number"),
    ('glyphs = "emoji"', "c.toml:1: glyphs: must be unicode or ascii, not 'emoji'"),
    ("model = [1]", "c.toml:1: model: must be text, not a list"),
    ('keys = "w"', "c.toml:1: keys: must be fields with values, not 'w'"),
    ("[models.a]\n", "c.toml:1: models.a.model: is missing"),
    ("model = 3", "c.toml:1: model: names no model: write provider/model as litellm does, or sim/anxious"),
    (
        'model = "b"\n[models.a]\nmodel = "x/y"',
        "c.toml:1: model: names no model: write provider/model as litellm does, or sim/anxious or a",
    ),
    ('[models.a]\nmodel = "x"', "c.toml:2: models.a.model: names no model: "),
    (
        '[keys]\nnext = "banana"',
        "c.toml:2: keys.next: names no key of a keyboard: write one character, or a name such as space, f5",
    ),
    ('[keys]\nnext = "n,hold+f5"', "c.toml:2: keys.next: names no key of a keyboard: "),
    ('[keys]\nnext = "ctrl+"', "c.toml:2: keys.next: names no key of a keyboard: "),
    ('[keys]\nnext = "n,,x"', "c.toml:2: keys.next: has a comma with no key beside it"),
    ('[keys]\nnext = "x"\nreveal = "f5, x"', "c.toml:3: keys.reveal: 'x' is the key of next too: give one of them another"),
    ('[keys]\nnext = ";"\nreveal = "semicolon"', "c.toml:3: keys.reveal: 'semicolon' is the key of next too"),
    ('[keys]\ntree.up = "x"', "c.toml:1: keys.tree: a name with a dot stands in quotes: "),
    ('[keys]\n"tree.up" = "x"\n"tree.down" = "x"', "c.toml:3: keys.tree.down: 'x' is the key of tree.up too"),
    (
        '[models.a]\nmodel = "x"\n[models.a.capabilities]\nprefil = true',
        "c.toml:4: models.a.capabilities.prefil: is not a field here; did you mean 'prefill'?",
    ),
    ("a = 1\nb = \n", "c.toml:2: is not valid TOML: Invalid value"),
    ('[[models]]\nmodel = "x"', "c.toml:1: models: must be fields with values, not a list"),
    ("a" + ".a" * 30 + " = 1", "c.toml:1: is nested more than 20 deep"),
    ("a = " + "[" * 19_000, "c.toml: is not valid TOML: "),
    ("a = " + "9" * 19_000, "c.toml: is not valid TOML: "),
    ("#" * 20_001, "c.toml: is too large: more than 20,000 bytes"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_setting_is_answered_with_the_place_and_a_sentence(text: str, said: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(text)
    with Effort() as effort, pytest.raises(BadFile) as caught:
        load_config(Path("c.toml"))
    assert str(caught.value).startswith(said)
    assert effort.yards < 60


def test_keys_arrive_as_textual_spells_them_and_each_screen_has_its_own() -> None:
    text = '[keys]\nnext = " ; , shift+ctrl+up,A"\ncancel = "ctrl+g,+"\n"sessions.leave" = "ctrl+g"'
    assert parse(text.encode(), "c.toml").keys == {
        "next": "semicolon,ctrl+shift+up,A",
        "cancel": "ctrl+g,plus",
        "sessions.leave": "ctrl+g",
    }


def test_a_key_is_what_textual_calls_one() -> None:
    from textual.keys import Keys, _character_to_key

    internal = {"return", "<any>", "<scroll-up>", "<scroll-down>", "<ignore>", "ctrl-at"}
    assert {key.value for key in Keys if spelled(key.value) != key.value} == internal
    signs = [char for char in map(chr, range(0x21, 0x250)) if char.isprintable()]
    assert [char for char in signs if spelled(char) != _character_to_key(char)] == []
    assert [name for name in ("banana", "page up", "", " ", "F5", "n n", "f25", "\n") if spelled(name)] == []


@given(st.text(st.sampled_from("+,; aβctrlshift5\t"), max_size=12))
def test_a_spelling_is_its_own(key: str) -> None:
    assert spelled(spelled(key)) == spelled(key)


SECRET = "sk-very-secret-123"


@pytest.mark.parametrize(
    "text",
    [
        f'api_key = "{SECRET}"',
        f'[models.a]\nmodel = "x"\napi_key = "{SECRET}"',
        f'[models.a]\nmodel = "x"\nOPENAI_API_KEY = "{SECRET}"',
        f'[models.a.headers]\nAuthorization = "{SECRET}"',
        f'[models.a]\nmodel = "x"\npassword = ["{SECRET}"]',
        f'keys = 1\ntoken = "{SECRET}"',
        f'[models.a]\nmodel = "x"\napi_base = "https://user:{SECRET}@host/v1"',
        f'[models.a]\nmodel = "x"\napi_base = "https://{SECRET}@host/v1"',
        f'[models.a]\nmodel = "x"\napi_base = "https://host/v1?key={SECRET}"',
        f'[models.a]\nmodel = "x"\napi_base = "https://host/v1#{SECRET}"',
        f'[models.a]\nmodel = "x"\napi_base = "ftp://{SECRET}@host"',
        f'[models.a]\nmodel = "x"\napi_base = "https://[{SECRET}"',
    ],
)
def test_a_key_in_the_file_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse(text.encode(), "c.toml")
    assert SECRET not in str(caught.value)
    assert "environment variable" in str(caught.value) or "must be an http" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [f'model = "{SECRET}"', f'[models.a]\nmodel = "{SECRET}"', f'[keys]\nopenai = "{SECRET}"', f'[keys]\nnext = "n,{SECRET}"'],
)
def test_what_is_no_model_and_no_key_of_a_keyboard_is_never_repeated(text: str) -> None:
    with pytest.raises(BadFile, match="names no") as caught:
        parse(text.encode(), "c.toml")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["host:80", "file:///etc/passwd", "http://", "https:///v1", "http://h:99999", "http://a b", "javascript:x"]
)
def test_an_address_is_http_or_https(address: str) -> None:
    with pytest.raises(BadFile, match=r"models\.a\.api_base: must be an http or https address"):
        parse(f'[models.a]\nmodel = "x"\napi_base = "{address}"'.encode(), "c.toml")


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="[]{}=.\"'abkeymodls# \n\t\\u19-:T", max_size=60).map(str.encode)))
def test_any_bytes_give_a_config_or_a_bad_file(data: bytes) -> None:
    error = None
    try:
        parse(data, "c.toml")
    except BadFile as caught:
        error = caught
    assert visible_line(str(error), 10_000) == str(error)
