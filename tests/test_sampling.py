"""Sampling: several replies to one turn, each a call of its own, bounded, stored when it ends, and counted with what it is worth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from command_line import lifeline
from hypothesis import given
from hypothesis import strategies as st
from session_cases import LIFELINE, Voice, answers, opened, rows

from lifeline_tui.core.nodes import Call, Purpose, Reply, Status, User
from lifeline_tui.core.plan import Step
from lifeline_tui.interventions.types import Refusal
from lifeline_tui.metrics.intervals import wilson
from lifeline_tui.metrics.samples import tally
from lifeline_tui.runs.autoplay import claimed_right, play
from lifeline_tui.runs.sampling import Sample, sample, sample_of, tally_of, turn_at
from lifeline_tui.session.session import Session
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.protocol import Delta, End, Event, Request

# Intervals


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.277533),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1.0),
        (1, 1, 0.206549, 1.0),
        (81, 263, 0.255289, 0.366209),
    ],
)
def test_wilsons_interval_is_that_of_the_literature(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_rate_and_mirrors_that_of_the_others(rate: tuple[int, int]) -> None:
    successes, n = rate
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("rate", [(0, 0), (1, 0), (3, 2), (-1, 4)])
def test_what_is_no_rate_has_no_interval(rate: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        wilson(*rate)


# Sampling


class Gated(Voice):
    """A subject each of whose calls waits until it is let go, by its number; `flight` is how many are on their way."""

    def __init__(self, *replies: str) -> None:
        super().__init__(*replies)
        self.gates: dict[int, asyncio.Event] = {}
        self.flight = self.most = 0
        self.begun = asyncio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        number = len(self.requests) - 1
        gate = self.gates.setdefault(number, asyncio.Event())
        self.flight += 1
        self.most = max(self.most, self.flight)
        self.begun.set()
        try:
            yield Delta(text=f"half of {number} ")
            await gate.wait()
            yield Delta(text="\n" + self.replies[min(number, len(self.replies) - 1)])
            yield End(Status.COMPLETE, "", "stop")
        finally:
            self.flight -= 1

    def let(self, number: int) -> None:
        self.gates.setdefault(number, asyncio.Event()).set()

    async def until(self, asked: int) -> None:
        while len(self.requests) < asked:
            self.begun.clear()
            await self.begun.wait()


def samples_at(session: Session, turn: str) -> list[Sample]:
    """All that was sampled of a turn."""
    return [sample_of(session, turn, reply) for reply in session.samples(turn)[0]]


async def posed(session: Session, voice: Gated) -> str:
    """The first turn, answered."""
    voice.let(0)
    await session.do("next")
    return turn_at(session, session.tip)


async def test_siblings_run_at_once_but_no_more_than_may_and_each_is_stored_when_it_ends(tmp_path: Path) -> None:
    voice = Gated(answers(11), LIFELINE, answers(11), answers(12), "Hm.", answers(11))
    async with opened(tmp_path, voice) as session:
        turn = await posed(session, voice)
        tip, ended = session.tip, []
        sampling = asyncio.create_task(sample(session, session.tip, 5, at_once=3, ended=ended.append))
        await voice.until(4)
        assert voice.flight == 3, "three places"
        assert {partial.text[0] for partial in session.partials} == {"half of 1 ", "half of 2 ", "half of 3 "}
        voice.let(2)  # the second of them ends first
        await voice.until(5)
        (first,) = ended
        stored = session._write.store.path(session.id, first.reply.id)
        assert stored[-1].id == first.reply.id, "it was stored while the others were still arriving"
        assert session.tip == tip
        for number in (5, 4, 3, 1):
            voice.let(number)
        found = await sampling
        assert voice.most == 3
        tally_ = tally_of(found)
        assert tally_.counts == {"skip": 1, "right": 2, "wrong": 1, "ungradable": 0, "unparsed": 1}
        assert (tally_.n, tally_.distinct_answers, tally_.failed) == (5, 2, 0)
        assert [each.call.body.sample_index for each in samples_at(session, turn)] == [1, 2, 3, 4, 5]  # type: ignore[union-attr]
        assert len({each.data()["seed"] for each in samples_at(session, turn)}) == 5, "a seed a call"
        assert (session.branches, session.branch, session.tip) == ({"main": tip}, "main", tip), "no branch moved"
        assert verify(session._write.store) == []


async def test_a_turn_goes_on_while_samples_are_arriving(tmp_path: Path) -> None:
    voice = Gated(answers(11), answers(12), answers(11), answers(12))
    async with opened(tmp_path, voice) as session:
        await posed(session, voice)
        sampling = asyncio.create_task(sample(session, session.tip, 2))
        await voice.until(3)
        assert not session.busy
        voice.let(3)
        await session.do("next")
        assert [attempt.answer for attempt in session.state().attempts] == ["11", "12"]
        assert len(session.partials) == 2
        voice.let(1), voice.let(2)
        assert len(await sampling) == 2
        assert verify(session._write.store) == []


async def test_a_cancel_keeps_what_came_and_what_had_not_begun_does_not_begin(tmp_path: Path) -> None:
    voice = Gated(answers(11))
    async with opened(tmp_path, voice) as session:
        turn = await posed(session, voice)
        sampling = asyncio.create_task(sample(session, session.tip, 9, at_once=4))
        await voice.until(5)
        voice.let(1)
        await voice.until(6)
        assert session.cancel()
        found = await sampling
        assert len(voice.requests) == 6
        assert sorted(str(each.data()["status"]) for each in found) == ["cancelled"] * 4 + ["complete"]
        texts = [each.reply.body.spans[0].text for each in found if each.failed]  # type: ignore[union-attr]
        assert all(text.startswith("half of ") for text in texts)
        assert len(samples_at(session, turn)) == 5
        assert tally_of(found).data()["failed"] == 4
        assert not session.cancel(), "nothing is arriving any more"


async def test_leaving_ends_sixteen_calls_and_keeps_each(tmp_path: Path) -> None:
    voice = Gated(answers(11))
    async with opened(tmp_path, voice) as session:
        turn = await posed(session, voice)
        sampling = asyncio.create_task(sample(session, session.tip, 16, at_once=16))
        await voice.until(17)
        while not all(partial.text for partial in session.partials):
            await asyncio.sleep(0)
        await session.close()
        await sampling
        bodies = [each.reply.body for each in samples_at(session, turn)]
        assert len(bodies) == 16
        assert all(isinstance(body, Reply) and body.status is Status.CANCELLED and body.cause for body in bodies)
        assert all(isinstance(body, Reply) and body.spans[0].text.startswith("half of ") for body in bodies)
        assert verify(session._write.store) == []


async def test_a_task_that_is_ended_ends_its_calls_in_replies(tmp_path: Path) -> None:
    voice = Gated(answers(11))
    async with opened(tmp_path, voice) as session:
        turn = await posed(session, voice)
        sampling = asyncio.create_task(sample(session, session.tip, 3))
        await voice.until(4)
        sampling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sampling
        assert [str(each.data()["status"]) for each in samples_at(session, turn)] == ["cancelled"] * 3


async def test_samples_are_no_choice_among_replies_and_stand_for_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(11), answers(12), LIFELINE, answers(11), answers(12))) as session:
        await session.do("next")
        await sample(session, session.tip, 3, at_once=1)
        await session.do("next")
        by_via = {via: [row for row in rows(session) if row["via"] == via] for via in ("step", "sample")}
        assert [(row["position"], row["standing"], row["n_siblings_discarded"]) for row in by_via["step"]] == [(1, 1, 0), (2, 1, 0)]
        assert len(by_via["sample"]) == 3
        for row in by_via["sample"]:
            assert (row["standing"], row["discarded"], row["superseded_by"], row["trunk"], row["branch"]) == (0, 0, None, 0, "main")
        assert (session.choices().asked_again, session.choices().discarded) == (0, 0)
        assert (session.state().score_true, len(session.state().counted)) == (2, 2)


async def test_what_a_sample_claims_decides_nothing_in_the_plan_that_goes_on(tmp_path: Path) -> None:
    then = (Step("self-score"), Step("workings", each=("claimed",)))
    voice = Voice(answers(11), answers(12), "COUNT: 1", ("half", Status.ERROR), "COUNT: 2", "WHICH: 1, 2", "WHICH: 2", "Because.")
    async with opened(tmp_path, voice, count=2, hands=False, then=then) as session:
        await play(session)
        asked = next(id for id in session.tree.nodes if turn_of(session, id) == "self-score-which")
        await sample(session, asked, 2, at_once=1)
        assert claimed_right(session) == frozenset()
        await play(session)
        assert claimed_right(session) == {2}
        assert [node.body.parts[-1].puzzle for node in session.tree.nodes.values() if turn_of(session, node.id) == "workings"] == [
            "p2"
        ]  # type: ignore[union-attr]


def turn_of(session: Session, id: str) -> str:
    """The template of a turn's last part."""
    body = session.tree[id].body
    return body.parts[-1].template.rpartition("/")[2] if isinstance(body, User) else ""


async def test_models_and_temperatures_take_turns(tmp_path: Path) -> None:
    class Other(Voice):
        name = model = "scripted/other"

    one, other = Voice(answers(11)), Other(answers(12))
    async with opened(tmp_path, one) as session:
        await session.do("next")
        found = await sample(session, session.tip, 2, subjects=(one, other), temperatures=(0.5, 1.5), at_once=1)
        assert [(each.data()["model"], each.data()["temperature"]) for each in found] == [
            *(("scripted/voice", 0.5), ("scripted/voice", 1.5), ("scripted/other", 0.5), ("scripted/other", 1.5))
        ] * 2


async def test_at_temperature_nought_there_is_no_interval(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(11))) as session:
        await session.do("next")
        cold = tally_of(await sample(session, session.tip, 2, temperatures=(0.0,)))
        warm = tally_of(await sample(session, session.tip, 2))
    assert (cold.deterministic, cold.data()["intervals"]) == (True, {})
    assert cold.words().endswith("sampled at temperature 0, not independently: no interval")
    assert warm.data()["intervals"]["right"] == [0.342380, 1.0]
    assert warm.words() == "2 samples: 2 right [34%, 100%] · 1 distinct answer · confidence 80 ± 0"


async def test_what_cannot_be_sampled_is_refused_in_a_sentence(tmp_path: Path) -> None:
    class Real(Voice):
        simulated = False
        name = model = "openai/real"

    async with opened(tmp_path, Voice(answers(11))) as session:
        for node, k, subject, why in (
            (session.tip, 1, session.subject, "There is nothing to reply to here"),
            ("", 0, session.subject, "From 1 to 1,000 samples"),
            ("", 1, Real(), "openai/real is a real model and this session's subject is a puppet"),
        ):
            if not node and not session.state().attempts:
                await session.do("next")
            with pytest.raises(Refusal, match=why):
                await sample(session, node or session.tip, k, subjects=(subject,))
        assert not [n for n in session.tree.nodes.values() if isinstance(n.body, Call) and n.body.purpose is Purpose.SAMPLE]


async def test_a_subject_that_breaks_ends_its_sample_and_the_others_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path, Voice(answers(11), RuntimeError("the backend broke"), answers(11))) as session:
        await session.do("next")
        found: list[Sample] = await sample(session, session.tip, 3, at_once=1)
        assert [str(each.data()["status"]) for each in found] == ["error", "complete", "complete"]
        assert tally_of(found).data() | {"intervals": {}} == {
            **{"n": 2, "skip": 0, "right": 2, "wrong": 0, "ungradable": 0, "unparsed": 0, "failed": 1, "intervals": {}},
            **{"distinct_answers": 1, "confidence": {"mean": 80.0, "sd": 0.0}, "deterministic": False},
        }


def test_nothing_sampled_is_no_rate() -> None:
    assert tally([]).words() == "0 samples: "
    assert tally([]).intervals == {}


# The command


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIFELINE_DB", str(tmp_path / "t.db"))
    return tmp_path


def test_the_command_prints_a_line_a_sample_and_then_a_tally(scratch: Path) -> None:
    session = lifeline("run", "baseline-20", "--limit", 2, "--json").data[0]["session"]
    nodes = lifeline("show", session, "--json").data[0]["nodes"]
    turn = next(node["id"] for node in nodes if node["kind"] == "user")
    done = lifeline("sample", session, "--at", turn, "-k", 5, "--json")
    assert done.code == 0
    *samples, last = done.data
    assert [set(each) for each in samples] == [
        {
            *("session", "node", "call", "reply", "index", "seed", "model", "temperature", "status", "action", "answer", "grade"),
            *("confidence", "difficulty"),
        }
    ] * 5
    assert sorted(each["index"] for each in samples) == [1, 2, 3, 4, 5]
    assert {each["node"] for each in samples} == {turn}
    tally = last["tally"]
    assert tally["n"] == 5 == sum(tally[name] for name in ("skip", "right", "wrong", "ungradable", "unparsed"))
    assert set(tally["intervals"]) == {"skip", "right", "wrong", "ungradable", "unparsed"}
    again = lifeline("sample", session, "--at", turn.lower(), "-k", 2)
    assert again.out.splitlines()[-1].startswith("2 samples: ")
    assert lifeline("verify").code == 0
    assert lifeline("replay", session, "--all").code == 0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--at", "01", "-k", "2"), "of this session has an id that begins with '01'"),
        (("--at", "zz", "-k", "2"), "no node of this session has an id that begins with 'zz'"),
        (("--at", "ROOT", "-k", "2"), "There is nothing to reply to here"),
        (("--at", "TURN", "-k", "2", "--model", "sim/nobody"), "There is no embedded subject 'sim/nobody'"),
        (("--at", "TURN", "-k", "0"), "Invalid value for '-k'"),
        (("--at", "TURN", "-k", "5000"), "From 1 to 1,000 samples can be taken at one time, not 5,000."),
    ],
)
def test_what_the_command_cannot_do_is_a_sentence(scratch: Path, more: tuple[str, ...], why: str) -> None:
    session = lifeline("run", "baseline-20", "--limit", 1, "--json").data[0]["session"]
    nodes = lifeline("show", session, "--json").data[0]["nodes"]
    named = {"ROOT": nodes[0]["id"], "TURN": next(node["id"] for node in nodes if node["kind"] == "user")}
    done = lifeline("sample", session, *(named.get(word, word) for word in more))
    assert done.code == 2
    assert why in done.err


def test_a_call_that_fails_is_said_and_the_exit_code_is_one(scratch: Path) -> None:
    (scratch / "two.yaml").write_text('- "ANSWER: 4"\n- {status: error, text: "half"}\n')
    session = lifeline("run", "baseline-20", "--limit", 2, "--model", "scripted/two.yaml", "--json").data[0]["session"]
    turns = [node["id"] for node in lifeline("show", session, "--json").data[0]["nodes"] if node["kind"] == "user"]
    done = lifeline("sample", session, "--at", turns[-1], "-k", 3, "--json")
    assert done.code == 1
    assert (done.data[-1]["tally"]["failed"], done.data[-1]["tally"]["n"]) == (3, 0)
    assert "3 of 3 calls failed" in done.err
