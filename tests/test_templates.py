"""What is put before a model: one flat pass, allow-listed names, and an origin for every span."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from effort import Effort
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.nodes import Origin, Span, plain
from lifeline_tui.core.template import Template, TemplateError, render
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.templates import load_templates, placeholders

PLACEHOLDERS = {
    "interventions/budget-change": {"lifelines"},
    "interventions/form-again": {"i", "lines"},
    "interventions/praise": {"i"},
    "interventions/reveal": {"shown"},
    "interventions/reveal-item": {"i", "shown"},
    "interventions/score": {"score"},
    "interventions/self-score": {"did"},
    "interventions/self-score-which": {"did"},
    "interventions/verdict": {"i", "verdict"},
    "interventions/violation": {"words"},
    "interventions/why-skip": {"i"},
    "interventions/workings": {"i"},
    "interventions/workings-derivation": {"answer", "i"},
    "interventions/workings-may-fail": {"i"},
    "rules/batch": {"n"},
    "rules/budget-line": {"Words", "left"},
    "rules/form": {"lines"},
    "rules/form-batch": {"lines"},
    "rules/form-first": {"lines"},
    "rules/item": {"i", "n", "text"},
    "rules/item-batch": {"i", "text"},
    "rules/lifelines": {"lifelines", "skip"},
    "rules/score": {"right", "wrong"},
    "rules/sequential": {"n"},
}
"""The shipped templates that fill something in: what the code that fills them relies on."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    for folder in ("rules", "interventions", "personas"):
        (tmp_path / "prompts" / folder).mkdir(parents=True)
    return tmp_path / "prompts"


def test_every_shipped_template_fills_in_what_is_expected() -> None:
    templates = load_templates()
    for name, template in templates.items():
        assert placeholders(template) == PLACEHOLDERS.get(name, set()), name
        assert template.text == template.text.rstrip("\n")
        assert template.version == hashlib.sha256(Path(template.path).read_bytes()).hexdigest()[:12]
    assert templates.keys() >= PLACEHOLDERS.keys() | {"personas/contrarian", "interventions/challenge"}


T = Origin.TEMPLATE
RENDERED = [
    ("The correct answer is {{x}}.", {"x": "38"}, (Span("The correct answer is 38.", T),)),
    ("{{x}}{{x}}", {"x": "a"}, (Span("aa", T),)),
    ("{{x}}", {"x": ""}, ()),
    ("{{x}}", {"x": "{{y}}", "y": "no"}, (Span("{{y}}", T),)),
    ("{{x}}{{y}}", {"x": "{", "y": "{z}}"}, (Span("{{z}}", T),)),
    ("a {{x}} b", {"x": Span("m", Origin.MODEL)}, (Span("a ", T), Span("m", Origin.MODEL), Span(" b", T))),
    ("a {{x}}", {"x": [Span("m", Origin.MODEL), Span("n", Origin.MODEL), Span("", T)]}, (Span("a ", T), Span("mn", Origin.MODEL))),
    ("a {{x}} b", {"x": (Span("m", T),)}, (Span("a m b", T),)),
    ("{x} %s {0.__class__} }} $x", {"x": "no"}, (Span("{x} %s {0.__class__} }} $x", T),)),
    ("", {}, ()),
]


@pytest.mark.parametrize(("text", "values", "spans"), RENDERED)
def test_a_template_is_filled_in_one_flat_pass(text, values, spans) -> None:
    assert render(Template("t", text), values) == spans


WRONG = [
    "{{y}}",
    "{{x.__class__}}",
    "{{x!r}}",
    "{{x:>1000000000}}",
    "{{ x }}",
    "{{}}",
    "{{",
    "{{x",
    "{{x}",
    "{{{x}}}",
    "{{x|f}}",
    "{{x\n}}",
    "{{0}}",
]


@pytest.mark.parametrize("text", WRONG)
def test_anything_but_a_known_name_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(TemplateError, match=r"^/p/t\.txt:3: ") as caught:
        render(Template("t", f"one\ntwo\nthree {text}", path="/p/t.txt"), {"x": "value"})
    assert caught.value.line == 3


@given(st.text(alphabet="{}ab ", max_size=30), st.text(max_size=5))
def test_values_are_never_read_as_a_template(text: str, value: str) -> None:
    try:
        spans = render(Template("t", text), {"a": Span(value, Origin.MODEL), "b": value})
    except TemplateError:
        assert "{{" in text
    else:
        pieces = text.replace("{{a}}", "\0").replace("{{b}}", "\0")
        assert plain(spans) == pieces.replace("\0", value)
        assert all(left.origin != right.origin for left, right in pairwise(spans))


def test_a_hostile_template_is_not_slow() -> None:
    with Effort() as effort:
        for text in ("{{" * 400_000, "{{a}}" * 50_000, "{{" + "a" * 900_000, "{" * 900_000):
            with suppress(TemplateError):
                render(Template("t", text), {"a": "b"})
    assert effort.yards < 60


def test_a_users_file_stands_over_the_shipped_one(home: Path) -> None:
    shipped = load_templates()["interventions/reveal"]
    (home / "interventions" / "reveal.txt").write_bytes(b"The recorded answer is\r\n{{shown}}.\r\n")
    own = load_templates()["interventions/reveal"]
    assert own.text == "The recorded answer is\n{{shown}}."
    assert own.version != shipped.version
    assert own.path == str(home / "interventions" / "reveal.txt")


def test_only_the_last_newline_is_not_part_of_the_text(home: Path) -> None:
    (home / "personas" / "mine.txt").write_text(" a \n\n")
    assert load_templates()["personas/mine"].text == " a \n"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("interventions/reveal.txt", "One\n{{shwn}}", ":2: {{shwn}} is not known here; this template may use {{shown}}"),
        ("interventions/challenge.txt", "{{i}}?", ":1: {{i}} is not known here; this template may use no placeholder"),
        ("personas/mine.txt", "You are {{name}}", ":1: {{name}} is not known here; this template may use no placeholder"),
        ("rules/item.txt", "{{text}\n", ":1: '{{text}' is not a placeholder; write {{name}}"),
        ("rules/item.txt", "\n\xff", ":2: is not UTF-8 text (byte 2)"),
    ],
)
def test_a_users_wrong_file_is_an_error_when_templates_are_loaded(home: Path, file: str, text: str, said: str) -> None:
    (home / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadFile) as caught:
        load_templates()
    assert str(caught.value).endswith(said)
    assert caught.value.path == str(home / file)


def test_a_template_is_read_once(home: Path) -> None:
    (home / "personas" / "mine.txt").write_text("before")
    templates = load_templates()
    assert templates["personas/mine"].text == "before"
    (home / "personas" / "mine.txt").write_text("after")
    assert templates["personas/mine"].text == "before"
    with pytest.raises(KeyError):
        templates["personas/none"]
