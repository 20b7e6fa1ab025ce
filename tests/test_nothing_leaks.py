"""Law 11: nothing leaks to the subject.  Every request of every shipped plan is read as the subject reads it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from lifeline_tui.core.puzzle import Puzzle
from lifeline_tui.loading.config import Config
from lifeline_tui.loading.packs import load_pack
from lifeline_tui.loading.plans import load_plan, plan_names
from lifeline_tui.runs.autoplay import play
from lifeline_tui.session.lab import Lab
from lifeline_tui.subjects.protocol import Event, Request
from lifeline_tui.subjects.puppets.puppet import SimulatedSubject

SKIPPING = re.compile(r"lifeline|\bskip|\bpass(es|ed)?\b|ACTION|budget|penalt", re.IGNORECASE)

CONTROL = "ACTION: ANSWER\n"
"""What a plan with `action_line` asks for beside the baseline's form: allowed there, and nowhere else without lifelines."""


class Recorded(SimulatedSubject):
    """A puppet that keeps what it is sent."""

    def __init__(self, name: str, puzzles: Sequence[Puzzle]) -> None:
        super().__init__(name, book={puzzle.text: puzzle for puzzle in puzzles}, paced=False)
        self.requests: list[Request] = []

    def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        return super().stream(request)


async def played(plan: str, model: str, tmp_path: Path, limit: int | None = None) -> list[Request]:
    """Every request of a whole run."""
    made: list[Recorded] = []

    def make(name: str, puzzles: Sequence[Puzzle], api_base: str) -> Recorded:
        made.append(Recorded(name, puzzles))
        return made[-1]

    lab = Lab(Config(), tmp_path / "t.db", paced=False)
    lab.models.make = make  # type: ignore[method-assign]
    session = await lab.new(plan, model, limit=limit, title="my secret title", hands=False)
    assert (await play(session)).status == "complete"
    await session.close()
    await lab.close()
    return [request for subject in made for request in subject.requests]


async def requests_of(plan: str, model: str, tmp_path: Path, limit: int | None = None) -> list[str]:
    """The text of every request of a whole run, without what the subject itself had said."""
    seen: list[str] = []
    for request in await played(plan, model, tmp_path, limit):
        if request.prompt is not None:
            blocks = re.split(r"^### (Operator|Subject)\n", request.prompt, flags=re.MULTILINE)
            seen.append("\n".join(text for who, text in zip(blocks[1::2], blocks[2::2], strict=True) if who == "Operator"))
        else:
            seen.append("\n".join(message["content"] for message in request.messages if message["role"] != "assistant"))
    return seen


@pytest.mark.parametrize("plan", plan_names())
@pytest.mark.parametrize("model", ["sim/anxious", "sim/base"])
async def test_no_request_names_the_experiment(plan: str, model: str, tmp_path: Path) -> None:
    pack = load_pack("starter")
    loaded = load_plan(plan)
    requests = await requests_of(plan, model, tmp_path)
    assert requests
    assert all(requests)
    names = {
        plan,
        pack.name,
        "my secret title",
        "anxious",
        "simulated",
        *(p.id for p in pack.puzzles),
        *(p.family for p in pack.puzzles),
    }
    for text in requests:
        for puzzle in pack.puzzles:
            text = text.replace(puzzle.text, "")
        for name in names:
            assert name.lower() not in text.lower()
        assert not re.search(r"\b(easy|medium|hard|stratum|fake|arm|liar)\b", text, re.IGNORECASE)
        if loaded.action_line:
            assert text.count(CONTROL) == 1, "the label, with the one option, and nothing else of it"
            text = text.replace(CONTROL, "")
        if loaded.lifelines is None:
            assert not SKIPPING.search(text)


async def test_the_control_of_the_action_line_differs_from_the_baseline_in_that_line_alone(tmp_path: Path) -> None:
    first = {}
    for plan in ("baseline-20", "baseline-20-action"):
        (tmp_path / plan).mkdir()
        first[plan] = (await requests_of(plan, "sim/rational", tmp_path / plan, limit=1))[0]
    assert first["baseline-20-action"].replace(CONTROL, "") == first["baseline-20"]
    assert CONTROL in first["baseline-20-action"]


@pytest.mark.parametrize("plan", plan_names())
async def test_no_plan_sends_a_system_prompt_by_default(plan: str, tmp_path: Path) -> None:
    requests = await played(plan, "sim/rational", tmp_path, limit=2)
    roles = {message["role"] for request in requests for message in request.messages}
    assert roles == {"user", "assistant"} or (roles == {"user"} and "batch" in plan)
