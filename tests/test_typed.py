"""Pastes come whole and in order, and the keyboard comes back by itself.

Some pastes were seen to leave the text in another order, or the keyboard dead until the next paste.  The guard is tested with marks of
its own, so that no text here does that to anything.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from lifeline_tui.tui.typed import BEGIN, BURST, END, ESCAPE, HELD, KEYS, PASTE, PATIENCE, Pastes, steady

PLAIN = st.text(alphabet="ab1 \n\té日[~", max_size=12)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Typed:
    """What the app is sent, as words: `a` for a key, `«abc»` for a paste."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.parser = steady(XTermParser, self.clock)()

    def reads(self, *data: str) -> list[str]:
        return [word for each in data for word in _words(self.parser.feed(each))]

    def after(self, seconds: float) -> list[str]:
        self.clock.now += seconds
        return _words(self.parser.tick())


def _words(messages: Any) -> list[str]:
    return [f"«{each.text}»" if isinstance(each, events.Paste) else each.key for each in messages]


def test_a_paste_is_one_thing_between_the_keys_around_it() -> None:
    assert Typed().reads(f"a{BEGIN}some\nwords{END}b") == ["a", "«some\nwords»", "b"]


class Cut:
    """What the guard makes of a stream in which a paste stands between two harmless marks: `a` for keys, `«abc»` for a paste."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pastes = Pastes("[begin]", "[end]")

    def reads(self, *data: str) -> list[str]:
        return [word for each in data for word in self._words(self.pastes.feed(each, self.now))]

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return self._words(self.pastes.tick(self.now))

    @staticmethod
    def _words(pieces: Any) -> list[str]:
        return [f"«{text}»" if kind == PASTE else text for kind, text in pieces if text and kind in (KEYS, PASTE)]


def test_the_keyboard_comes_back_after_a_moment_of_silence() -> None:
    cut = Cut()
    assert cut.reads("[begin]some words") == []
    assert cut.after(PATIENCE / 2) == []
    assert cut.after(PATIENCE / 2) == ["«some words»"]
    assert cut.reads("n", "z") == ["n", "z"]


@pytest.mark.parametrize("at", range(1, len("[end]")))
@pytest.mark.parametrize("pause", [0.0, PATIENCE / 2, 3 * PATIENCE])
def test_marks_are_known_however_they_come(at: int, pause: float) -> None:
    cut = Cut()
    said = cut.reads("a[beg", "in]words" + "[end]"[:at]) + cut.after(pause) + cut.reads("[end]"[at:]) + cut.reads("n")
    assert said == ["a", "«words»", "n"]


def test_the_rest_of_a_paste_that_was_given_up_is_never_played_as_keys() -> None:
    cut = Cut()
    cut.reads("[begin]the first half")
    assert cut.after(PATIENCE) == ["«the first half»"]
    assert cut.reads("n" * BURST) == [f"«{'n' * BURST}»"]
    assert cut.reads("nn[end]n") == ["«nn»", "n"]
    assert cut.reads("n" * BURST) == ["n" * BURST], "after the end has come, keys are keys"


def test_escape_and_arrows_are_keys_and_come_no_later_than_before() -> None:
    typed = Typed()
    assert typed.reads(ESCAPE) == []
    assert typed.after(HELD) == ["escape"]
    assert typed.reads(f"{ESCAPE}[A", ESCAPE, "[B", f"{ESCAPE}[", "C") == ["up", "down", "right"]
    assert typed.after(1) == []


@given(st.lists(st.tuples(st.booleans(), PLAIN)), st.lists(st.integers(0, 200)))
def test_however_it_is_cut_nothing_is_lost_or_out_of_order(parts: list[tuple[bool, str]], cuts: list[int]) -> None:
    sent = "".join(f"{BEGIN}{text}{END}" if pasted else text for pasted, text in parts)
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    pastes = Pastes()
    got = [piece for a, b in pairwise(edges) for piece in pastes.feed(sent[a:b], 0.0)]
    got += pastes.tick(HELD)
    assert [text for kind, text in got if kind == PASTE] == [text for pasted, text in parts if pasted]
    assert "".join(text for kind, text in got if kind in (KEYS, PASTE)) == "".join(text for _, text in parts)
