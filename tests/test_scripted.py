"""The scripted subject: the k-th call on a path gets the k-th reply, and a file that cannot be used says why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lifeline_tui.core.nodes import Cause, Status
from lifeline_tui.subjects.protocol import Delta, End, Event, Request, SubjectError
from lifeline_tui.subjects.scripted import ScriptedSubject

SCRIPT = """
- "ANSWER: 38"
- {text: "ANSWER: 012\\nCONFIDENCE: 40", reasoning: Hm., chunks: 3, delay_ms: 5000}
- {text: "ANSW", status: truncated}
- {status: error}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "tour.yaml"
    path.write_text(SCRIPT)
    return path


async def events(subject: ScriptedSubject, replies: int) -> list[Event]:
    messages = [{"role": "user", "content": "go"}]
    for _ in range(replies):
        messages += [{"role": "assistant", "content": "any"}, {"role": "user", "content": "go"}]
    return [event async for event in subject.stream(Request(messages=tuple(messages)))]


def end(found: list[Event]) -> End:
    assert isinstance(found[-1], End)
    return found[-1]


async def test_replies_follow_the_place_on_the_path_so_that_forks_repeat(script: Path) -> None:
    subject = ScriptedSubject("scripted/tour.yaml", script)
    assert subject.simulated
    for _ in range(2):
        first, second = await events(subject, 0), await events(subject, 1)
        assert first[0] == Delta(text="ANSWER: 38")
        assert (end(first).status, end(first).model) == (Status.COMPLETE, "scripted/tour.yaml")
        assert second[0] == Delta(reasoning="Hm.")
        pieces = [event.text for event in second[1:] if isinstance(event, Delta)]
        assert (len(pieces), "".join(pieces)) == (3, "ANSWER: 012\nCONFIDENCE: 40")


async def test_a_reply_may_end_badly(script: Path) -> None:
    subject = ScriptedSubject("scripted/tour.yaml", script)
    assert end(await events(subject, 2)).status is Status.TRUNCATED
    failed = await events(subject, 3)
    assert (len(failed), end(failed).status, end(failed).cause) == (1, Status.ERROR, "reply 4 of tour.yaml says so")


async def test_past_the_end_is_an_error_that_says_so(script: Path) -> None:
    assert await events(ScriptedSubject("scripted/tour.yaml", script), 4) == [
        End(Status.ERROR, "tour.yaml has only 4 replies", model="scripted/tour.yaml", cause_kind=Cause.SCRIPT)
    ]


async def test_delays_are_kept_only_when_paced(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await events(ScriptedSubject("scripted/tour.yaml", script), 1)
    assert not slept
    await events(ScriptedSubject("scripted/tour.yaml", script, paced=True), 1)
    assert slept == [5.0]


async def test_a_base_prompt_is_counted_by_its_subject_blocks(script: Path) -> None:
    prompt = "### Operator\ngo\n\n### Subject\nany\n\n### Operator\ngo\n\n### Subject\n"
    subject = ScriptedSubject("scripted/tour.yaml", script)
    found = [event async for event in subject.stream(Request(prompt=prompt))]
    assert found[0] == Delta(reasoning="Hm.")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("text: one\n", r"tour\.yaml:1: must be a list"),
        ("- {text: a, chunks: 0}\n", r"tour\.yaml:1: \[1\]\.chunks: must be a whole number"),
        ("- ok\n- {text: a, statu: error}\n", r"tour\.yaml:2: .*statu.*did you mean 'status'"),
        ("- {text: a, status: sad}\n", r"status: must be complete, "),
        ("- {reasoning: a}\n", r"text: is missing"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "tour.yaml"
    path.write_text(content)
    with pytest.raises(SubjectError, match=problem):
        ScriptedSubject("scripted/tour.yaml", path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="cannot be read"):
        ScriptedSubject("scripted/none.yaml", tmp_path / "none.yaml")
