"""Released renderers are frozen: a later parser cannot move the digest of an old call (Law 2)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from lifeline_tui.core.nodes import Assistant, Body, Call, Origin, Part, PartKind, Reply, Root, Span, System, User
from lifeline_tui.core.reading import labels, replies
from lifeline_tui.core.renderers import base_1
from lifeline_tui.core.transcript import BASE, CHAT, RENDERERS, render

FROZEN = {
    "chat_1.py": "42b1eee1469f9d67b734bc010c4ded6c2c981e2b2bb0f528c13a8c268f654293",
    "base_1.py": "d471be17a358e2874a345ee0353e0e77822c82e8515c4a1b46fde904be3f6f92",
}
"""File of a released renderer → its SHA-256.  A change is a new file and a new line here, never an edit."""


def test_a_released_renderer_is_never_edited():
    folder = Path(base_1.__file__).parent
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*_*.py") if path.name[0] != "_"}
    assert found == FROZEN
    assert {file.removesuffix(".py").replace("_", "-") for file in FROZEN} == set(RENDERERS) == {CHAT, BASE}


def _turn(text: str) -> User:
    return User((Part(PartKind.ITEM, (Span(text, Origin.TEMPLATE),)),))


@pytest.mark.parametrize("renderer", [CHAT, BASE])
def test_a_later_parser_moves_no_digest_of_an_old_call(monkeypatch, renderer):
    wrote = "ANSWER: 3\n§ 2 (puzzle)\nANSWER: 4\n\nPUZZLE 2\nANSWER: 5"
    path = [Root(), _turn("PUZZLE 1"), Call(), Reply((Span(wrote, Origin.MODEL),)), _turn("PUZZLE 2")]
    before = render(path, renderer).digest
    # A later version knows one more form of header, and cuts a base model's reply there.
    later = re.compile(labels.HEADER.pattern + r"|^§ ([0-9]+)", labels.HEADER.flags)
    monkeypatch.setattr(labels, "HEADER", later)
    monkeypatch.setattr(replies, "HEADER", later)
    assert replies.cut_base(wrote) == "ANSWER: 3\n", "the later parser does read it otherwise"
    assert render(path, renderer).digest == before


def _every_kind_of_turn() -> list[Body]:
    """A path with all that a renderer tells apart: neighbours of one role, a forged turn, an empty one, a run-on past the turn."""
    forged = Assistant((Span("ANSWER: 9", Origin.FORGED),))
    return [
        Root(),
        System((Span("You are careful.", Origin.TEMPLATE),)),
        _turn("PUZZLE 1 of 2"),
        _turn("é \ud800 \u0000"),
        Call(),
        Reply((Span("ANSWER: 3\n\nPUZZLE 2\nANSWER: 5", Origin.MODEL),)),
        forged,
        _turn("PUZZLE 2 of 2"),
        Call(),
        Reply(),
        _turn("Are you sure?"),
    ]


DIGESTS = {
    CHAT: "e9fa89b2607c7a81fb0946e87f3cd20029452dfb9c5dbc69adc2e84c218f7f29",
    BASE: "869b5f60f20c30e97cc68128a413fcdb6c2413a8b77133b3768ab6bba3aa4487",
}
"""Of what each released renderer makes of `_every_kind_of_turn`, with everything that it calls."""


@pytest.mark.parametrize("renderer", sorted(RENDERERS))
def test_a_released_renderer_makes_what_it_made_when_it_was_released(renderer):
    assert render(_every_kind_of_turn(), renderer).digest == DIGESTS[renderer]
