"""What an unread reply may have meant is offered, the likeliest first, and nothing is made of it by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.puzzle import ANSWER_TYPES, Answer
from lifeline_tui.core.reading.candidates import MOST, candidates


@pytest.mark.parametrize(
    ("key", "reply", "first"),
    [
        (Answer("int", "38"), "There are 5 beads and 3 colours, so I think there are 42 bracelets.", "42"),
        (Answer("int", "38"), "We get 3 * 14 = 42.\n\nThe answer is **38**. I checked 7 cases.", "38"),
        (Answer("int", "38"), "First 12, then \\boxed{40}. That took 3 steps.", "40"),
        (Answer("int", "1234"), "The total is 1,234.", "1,234"),
        (Answer("int", "-3"), "It is −3", "−3"),
        (Answer("fraction", "3/8"), "So the probability is 3/8, which is less than 1/2.", "3/8"),
        (Answer("decimal", "2.5", "0.1"), "Roughly: answer = 2.47", "2.47"),
        (Answer("choice", "B"), "Option A fails, so the answer is (B).", "B"),
        (Answer("set", "{1, 2}"), "The numbers are {2, 1}.", "{2, 1}"),
        (Answer("sequence", "1, 3, 2"), "The order is 1, 3, 2", "1, 3, 2"),
        (Answer("expression", "n^2"), "Therefore the result is n^2.", "n^2"),
    ],
)
def test_the_likeliest_comes_first(key: Answer, reply: str, first: str) -> None:
    assert candidates(reply, key)[0] == first


def test_nothing_is_offered_that_the_grader_could_not_read() -> None:
    assert candidates("I would rather not say.", Answer("int", "38")) == ()
    assert candidates("It is 12% or 2^5 or v1.2.3", Answer("int", "38")) == ()


@given(st.text(max_size=300), st.sampled_from(ANSWER_TYPES))
def test_any_reply_gives_a_few_pieces_of_itself(reply: str, type_: str) -> None:
    found = candidates(reply, Answer(type_, "1"))
    assert len(found) <= MOST
    assert len(set(found)) == len(found)
    assert all(piece in reply for piece in found)
