"""Released renderers are frozen: a later parser cannot move the digest of an old call (Law 2)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from lifeline_tui.core import labels, replies
from lifeline_tui.core.nodes import Call, Origin, Part, PartKind, Reply, Root, Span, User
from lifeline_tui.core.renderers import base_1
from lifeline_tui.core.transcript import BASE, CHAT, RENDERERS, render

FROZEN = {
    "chat_1.py": "56c6be4b9adc5e89f2a06a4446a2075d0e301af3826be488d84c60ea161848b8",
    "base_1.py": "fc99a88daa73977628c74e371ecdd2c652f97624230b46138d33d2543fb7ab6c",
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
