"""A plan without hands: what it does, in what order, where it stops, and how it goes on without doing a thing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from session_cases import BOTH, LIFELINE, Voice, answers, asked, opened, queued, reopened, rows

from lifeline_tui.core.chance import draw
from lifeline_tui.core.nodes import Reply, Status, User, text_of
from lifeline_tui.core.plan import Feedback, Step, When
from lifeline_tui.loading.config import Config
from lifeline_tui.runs.autoplay import Ended, claimed_right, play
from lifeline_tui.session.calls import PassedOver
from lifeline_tui.session.lab import Lab
from lifeline_tui.session.session import Session

LIAR = (Step("self-score"), Step("workings", each=("claimed",)))


def turns(session: Session) -> list[tuple[str, str]]:
    """(intervention, puzzle) of the last part of every user turn, in the order they were made."""
    users = sorted((node for node in session.tree.nodes.values() if isinstance(node.body, User)), key=lambda node: node.seq)
    return [(node.body.parts[-1].via, node.body.parts[-1].puzzle) for node in users if isinstance(node.body, User)]


def broken(session: Session) -> int:
    return sum(isinstance(node.body, Reply) and node.body.status is Status.ERROR for node in session.tree.nodes.values())


async def test_the_liar_plan_asks_how_many_which_and_for_the_workings_of_each(tmp_path: Path):
    voice = Voice(answers(11), answers(12), answers(13), "COUNT: 2", "WHICH: 1, 3", "Because.")
    feedback = Feedback("reveal", shown="fake")
    async with opened(tmp_path, voice, hands=False, feedback=feedback, then=LIAR) as session:
        assert (await play(session)).status == "complete"
        assert turns(session)[3:] == [("self-score", ""), ("self-score", ""), ("workings", "p1"), ("workings", "p3")]
        assert sorted(session.branches) == ["main", "self-score", "workings", "workings-2"]
        assert session.branch == "main"
        assert claimed_right(session) == {1, 3}
        shown = session.queue()[0].shown
        assert asked(session, session.branches["workings-2"]).endswith(f"{shown}.\n\nShow your working for puzzle 3.")
        assert shown in ("23", "33")
        for name in ("self-score", "workings", "workings-2"):
            path = [node.id for node in session.tree.path(session.branches[name])]
            assert path[: len(path) - (6 if name == "self-score" else 3)] == [node.id for node in session.tree.path(session.tip)]


@pytest.mark.parametrize("place", ["fork", "trunk"])
@pytest.mark.parametrize("at", range(8))
async def test_a_broken_off_run_goes_on_where_it_stopped_and_does_nothing_twice(tmp_path: Path, at: int, place: str):
    """The reply number `at` is an outage; played again, the run is that of one which never broke, with one reply more."""
    script = (Step("self-score", place), Step("key-check", "trunk"), Step("workings", place, each=("claimed",)))
    replies: list[Any] = [answers(11), answers(12), answers(13), "COUNT: 2", "WHICH: 1, 3", "none", "Because.", "And so."]
    whole = tmp_path / "whole"
    whole.mkdir()
    async with opened(whole, Voice(*replies), hands=False, then=script) as session:
        assert (await play(session)).status == "complete"
        expected = turns(session)
        assert len(expected) == 8
    replies.insert(at, ("half", Status.ERROR))
    async with opened(tmp_path, voice := Voice(*replies), hands=False, then=script) as session:
        assert (await play(session)).status == ("partial" if at else "failed")
        again = await reopened(session, voice)
        assert (await play(again)).status == "complete"
        assert turns(again) == expected
        assert (broken(again), again.branch, len(voice.requests)) == (1, "main", 9)
        count = len(again.tree)
        assert (await play(again)).status == "complete"
        assert len(again.tree) == count
        await again.close()


@pytest.mark.parametrize("at", range(1, 7))
async def test_a_paused_run_does_what_one_without_a_pause_does(tmp_path: Path, at: int):
    voice = Voice(answers(11), answers(12), answers(13), "COUNT: 2", "WHICH: 1, 3", "Because.")
    async with opened(tmp_path, voice, hands=False, then=LIAR) as session:
        voice.heard = lambda: session.pause() if len(voice.requests) == at else None
        assert (await play(session)).status == "partial"
        again = await reopened(session, voice)
        assert (await play(again)).status == "complete"
        assert turns(again)[3:] == [("self-score", ""), ("self-score", ""), ("workings", "p1"), ("workings", "p3")]
        assert (again.branch, len(voice.requests)) == ("main", 7)
        await again.close()


@pytest.mark.parametrize("at", range(6))
async def test_a_paused_script_goes_on_where_it_stopped(tmp_path: Path, at: int):
    script = (Step("next"), Step("reveal"), Step("next"), Step("budget", fields={"left": "1"}), Step("next"), Step("challenge"))
    replies = [answers(11), answers(12), answers(13), "Yes."]
    async with opened(tmp_path, voice := Voice(*replies), hands=False, steps=script) as session:
        voice.heard = lambda: session.pause() if len(voice.requests) == at else None
        status = (await play(session)).status
        assert status == ("complete" if at in (0, 4, 5) else "partial")
        again = await reopened(session, voice)
        assert (await play(again)).status == "complete"
        assert turns(again) == [("next", "p1"), ("next", "p2"), ("next", "p3"), ("challenge", "")]
        assert asked(again, again.branches["main"]).startswith("You now have 1 lifeline.\n\nPUZZLE 3")
        assert queued(again) == []
        await again.close()


SKIPPED = "workings for puzzle 3: Puzzle 3 has neither an answer nor a shown key to derive: reveal or fake one first."
CHOSEN = [
    (("all",), None, ["p1", "p2", "p4"], (SKIPPED,)),
    (("wrong",), None, ["p2"], ()),
    (("p4", "p1"), None, ["p1", "p4"], ()),
    (("claimed",), None, [], ("workings for the claimed puzzles: it was not asked which it got right",)),
    (("p2", "p9"), None, ["p2"], ("workings for puzzle p9: it has no reply here",)),
    (("all",), When("grade", "is", "right"), ["p1", "p4"], ()),
    (("all",), When("grade", "not", "right"), ["p2"], (SKIPPED,)),
    (("all",), When("confidence", "gt", "55"), ["p4"], ()),
    (("all",), When("confidence", "lt", "55"), ["p1", "p2"], ()),
    (("all",), When("flags", "has", "revised"), ["p1"], ()),
    (("all",), When("action", "is", "lifeline"), [], (SKIPPED,)),
]


@pytest.mark.parametrize(("each", "when", "expected", "left_out"), CHOSEN)
async def test_for_and_when_choose_attempts_and_what_is_refused_is_left_out_and_said(
    tmp_path: Path, each: tuple[str, ...], when: When | None, expected: list[str], left_out: tuple[str, ...]
):
    """Puzzle 3 was skipped, so there are no workings to ask for."""
    voice = Voice(f"ANSWER: 9\n{answers(11, 50)}", answers(99, 50), LIFELINE, answers(14, 90), "Because.")
    async with opened(tmp_path, voice, count=4, hands=False, then=(Step("workings", each=each, when=when),)) as session:
        heard: list[str] = []
        session.listen = lambda change: heard.append(change.why) if isinstance(change, PassedOver) else None
        assert await play(session) == Ended("partial" if left_out else "complete", left_out)
        assert [puzzle for via, puzzle in turns(session) if via == "workings"] == expected
        assert heard == [f"The plan's {each.replace(': ', ' was passed over: ', 1)}" for each in left_out]
        assert await play(session) == Ended("partial" if left_out else "complete", left_out), (
            "the same again, and nothing done twice"
        )
        assert [puzzle for via, puzzle in turns(session) if via == "workings"] == expected


CLAIMS = [
    (["COUNT: 0", "WHICH: none"], "nothing was claimed"),
    (["COUNT: 0", "Hm."], "nothing was claimed"),
    (["I did well.", "WHICH: none"], "nothing was claimed"),
    (["I did well.", "Most of them."], "the claim could not be read"),
    (["COUNT: 2", "The first two."], "the claim could not be read"),
    (["COUNT: 1", "WHICH: 7"], "none of them has a reply here"),
]


@pytest.mark.parametrize(("claim", "why"), CLAIMS)
async def test_a_run_whose_workings_were_not_asked_is_not_complete_and_says_why(tmp_path: Path, claim: list[str], why: str):
    voice = Voice(answers(11), answers(12), answers(13), *claim)
    async with opened(tmp_path, voice, hands=False, then=LIAR) as session:
        assert await play(session) == Ended("partial", (f"workings for the claimed puzzles: {why}",))
        assert session.branch == "main"
        assert await play(session) == Ended("partial", (f"workings for the claimed puzzles: {why}",))
        assert len(voice.requests) == 5


# Below an earlier action

TWINS = (
    Step("self-score"),
    Step("workings", each=("claimed",), after="self-score"),
    Step("workings", each=("claimed",), name="workings-no-claim"),
    Step("challenge", each=("claimed",), after="workings"),
)


def probes(session: Session) -> set[tuple[int | None, str, str, bool, tuple[str, ...]]]:
    """Each scripted probe: its place in the script, its puzzle, the branch it ends on, whether a claim stands above it, and what was
    asked on its own fork."""
    found = set()
    trunk = {node.id for node in session.tree.above(session.branches["main"])}
    for name, tip in session.branches.items():
        fork = [node for node in session.tree.path(tip) if node.id not in trunk]
        asks = [node.body.parts[-1] for node in fork if isinstance(node.body, User)]
        claim = any(("", "claim") in session.tree.said(node.id) for node in fork)
        found |= {(asks[-1].step, asks[-1].puzzle, name, claim, tuple(part.via for part in asks))} if asks else set()
    return found


WHOLE = {
    (0, "", "self-score", True, ("self-score", "self-score")),
    (1, "p1", "workings", True, ("self-score", "self-score", "workings")),
    (1, "p3", "workings-2", True, ("self-score", "self-score", "workings")),
    (2, "p1", "workings-no-claim", False, ("workings",)),
    (2, "p3", "workings-no-claim-2", False, ("workings",)),
    (3, "p1", "challenge", True, ("self-score", "self-score", "workings", "challenge")),
    (3, "p3", "challenge-2", True, ("self-score", "self-score", "workings", "challenge")),
}
TOLD = [answers(11), answers(12), answers(13), "COUNT: 2", "WHICH: 1, 3", "a", "b", "c", "d", "e", "f"]


async def test_an_action_after_another_is_done_below_it_and_its_twin_is_not(tmp_path: Path):
    async with opened(tmp_path, Voice(*TOLD), hands=False, feedback="reveal", then=TWINS) as session:
        assert await play(session) == Ended("complete")
        assert probes(session) == WHOLE
        below = session.tree.path(session.branches["challenge-2"])
        assert [text_of(node.body) for node in below if isinstance(node.body, Reply)][-3:-1] == ["WHICH: 1, 3\n\nhm", "b\n\nhm"]
        assert asked(session, session.branches["workings"]) == "Show your working for puzzle 1.", (
            "what was queued went before the claim"
        )
        assert asked(session, session.branches["workings-no-claim"]).startswith("The correct answer is 13.\n\nShow your working")
        assert queued(session) == ["The correct answer is 13."]


@pytest.mark.parametrize("at", range(len(TOLD)))
@pytest.mark.parametrize("how", ["outage", "pause"])
async def test_broken_off_anywhere_the_same_probes_are_made(tmp_path: Path, at: int, how: str):
    replies: list[Any] = list(TOLD)
    if how == "outage":
        replies.insert(at, ("half", Status.ERROR))
    async with opened(tmp_path, voice := Voice(*replies), hands=False, feedback="reveal", then=TWINS) as session:
        if how == "pause":
            voice.heard = lambda: session.pause() if len(voice.requests) == at + 1 else None
        ends = {(0, "outage"): "failed", (len(TOLD) - 1, "pause"): "complete"}
        assert (await play(session)).status == ends.get((at, how), "partial")
        again = await reopened(session, voice)
        assert await play(again) == Ended("complete")
        assert probes(again) == WHOLE
        assert (again.branch, len(voice.requests)) == ("main", len(replies))
        await again.close()


async def test_stopped_on_any_fork_a_run_goes_back_to_the_trunk_and_does_nothing_twice(tmp_path: Path):
    """As where the program was killed after a probe's reply, before the run had left its fork."""
    async with opened(tmp_path, voice := Voice(*TOLD), hands=False, feedback="reveal", then=TWINS) as session:
        await play(session)
        for name in [*session.branches]:
            await session.go(name)
            again = await reopened(session, voice)
            assert await play(again) == Ended("complete")
            assert (again.branch, len(voice.requests), probes(again)) == ("main", len(TOLD), WHOLE), name
            session = again
        await session.close()


@pytest.mark.parametrize("model", ["sim/anxious", "sim/rational", "sim/contrarian"])
async def test_the_liar_plan_asks_each_puppet_below_its_claim_and_without_one(tmp_path: Path, model: str):
    lab = Lab(Config(), tmp_path / "t.db", paced=False)
    session = await lab.new("liar-realtime", model, limit=6, seed=4, hands=False)
    assert await play(session) == Ended("complete")
    found = [each for each in probes(session) if each[0]]
    claimed = {session.state().root.puzzles[number - 1].id for number in claimed_right(session)}
    assert claimed
    assert sorted((step, puzzle, claim) for step, puzzle, _, claim, _ in found if step) == sorted(
        (step, puzzle, step == 1) for step in (1, 2) for puzzle in claimed
    )
    await session.close()
    await lab.close()


async def test_what_cannot_continue_an_action_that_was_not_done_is_left_out(tmp_path: Path):
    then = (Step("form-again"), Step("challenge", after="form-again"))
    async with opened(tmp_path, Voice(answers(11)), count=1, hands=False, then=then) as session:
        assert await play(session) == Ended(
            "partial",
            ("form-again: Every reply on this branch could be read.", "challenge: form-again, which it continues, has no reply."),
        )


# Replies that cannot be read


async def test_a_run_pauses_after_three_unread_replies_in_a_row_and_counts_anew_when_it_goes_on(tmp_path: Path):
    replies = ["Hm.", "Hm.", answers(13), "Hm.", ("", Status.EMPTY), "Hm.", "Hm.", "Hm.", answers(19), "COUNT: 1"]
    async with opened(tmp_path, voice := Voice(*replies), count=9, hands=False, then=(Step("self-score"),)) as session:
        heard: list[str] = []
        session.listen = lambda change: heard.append(change.why) if isinstance(change, PassedOver) else None
        assert await play(session) == Ended("partial", ("the rest of the plan: 3 replies in a row could not be read",))
        assert len(voice.requests) == 6
        assert [each.partition(".")[0] for each in heard] == ["Paused: 3 replies in a row could not be read"]
        assert await play(session) == Ended("complete")
        assert len(voice.requests) == 10


@pytest.mark.parametrize(("limit", "asked_"), [(0, 6), (1, 1), (2, 2), (6, 6), (7, 7)])
async def test_a_plan_says_how_many_unread_replies_are_too_many(tmp_path: Path, limit: int, asked_: int):
    """With six puzzles, the sixth is the last: then the script is left."""
    then = (Step("challenge"),)
    async with opened(tmp_path, voice := Voice("Hm."), count=6, hands=False, pause_after_unread=limit, then=then) as session:
        ended = await play(session)
        assert ended.status == ("complete" if limit in (0, 7) else "partial")
        assert len(voice.requests) == asked_ + (limit == 0)


async def test_nothing_is_paused_where_nothing_is_left(tmp_path: Path):
    async with opened(tmp_path, Voice("Hm."), hands=False) as session:
        assert await play(session) == Ended("complete")


async def test_a_scripted_conversation_pauses_too(tmp_path: Path):
    script = (Step("next"), Step("next"), Step("next"), Step("praise"), Step("next"))
    async with opened(tmp_path, voice := Voice("Hm."), count=4, hands=True, steps=script) as session:
        assert (await play(session)).status == "partial"
        assert (len(voice.requests), queued(session)) == (3, [])
        assert (await play(session)).status == "complete"
        assert len(voice.requests) == 4


async def test_a_batch_is_one_reply_and_is_read_where_a_block_of_it_is(tmp_path: Path):
    replies = ["Hm.", "Hm.", "PUZZLE 5\nANSWER: 15\n\nPUZZLE 6\nHm.", "Hm.", "Hm.", "Hm.", "Hm."]
    arm: dict[str, Any] = {"presentation": "batch", "batch_size": 2}
    async with opened(tmp_path, voice := Voice(*replies), count=16, hands=False, **arm) as session:
        assert (await play(session)).status == "partial"
        assert len(voice.requests) == 6


async def test_autoplay_pauses_and_says_so(tmp_path: Path):
    async with opened(tmp_path, voice := Voice("Hm."), count=9) as session:
        heard: list[str] = []
        session.listen = lambda change: heard.append(change.why) if isinstance(change, PassedOver) else None
        await play(session)
        assert (len(voice.requests), len(heard)) == (3, 1)
        await play(session)
        assert (len(voice.requests), len(heard)) == (6, 2)


async def test_an_action_about_no_puzzle_is_done_where_the_reply_was_the_last_word(tmp_path: Path):
    voice = Voice(answers(11), answers(99), answers(13), "Yes.")
    then = (Step("challenge", each=("all",), when=When("grade", "is", "right")),)
    async with opened(tmp_path, voice, hands=False, then=then, feedback="verdict") as session:
        assert (await play(session)).status == "complete"
        assert [each for each in turns(session) if each[0] == "challenge"] == [("challenge", "p1"), ("challenge", "p3")]
        path = [node.id for node in session.tree.path(session.tip)]
        fork = session.tree.path(session.branches["challenge"])
        assert [node.id for node in fork][:4] == path[:4]
        assert asked(session, fork[-1].id) == "Your answer to puzzle 1 is correct.\n\nAre you sure?"
        count = len(session.tree)
        assert (await play(session)).status == "complete"
        assert len(session.tree) == count


async def test_a_scripted_fake_for_each_puzzle_takes_its_own_first_fake(tmp_path: Path):
    async with opened(tmp_path, Voice(), hands=False, then=(Step("fake", each=("all",)), Step("key-check"))) as session:
        assert (await play(session)).status == "complete"
        shown = [(part.puzzle, part.shown) for node in session.tree.path(session.branches["key-check"]) if isinstance(node.body, User)
                 for part in node.body.parts if part.feedback]  # fmt: skip
        assert shown == [("p1", "21"), ("p2", "22"), ("p3", "23")]


STOPS = [(False, "ungradable", "complete"), (False, "stop", "partial"), (True, "ungradable", "partial")]


@pytest.mark.parametrize(("hands", "rule", "status"), STOPS)
@pytest.mark.parametrize("at", [2, 3])
async def test_a_reply_that_answers_and_skips_waits_for_hands_or_follows_the_plan(
    tmp_path: Path, hands: bool, rule: str, status: str, at: int
):
    voice = Voice(*[answers(11)] * (at - 1), BOTH, answers(13), "COUNT: 1")
    async with opened(tmp_path, voice, hands=hands, on_ambiguous=rule, then=(Step("self-score"),)) as session:
        assert (await play(session)).status == status
        tally = session.state().tally()
        assert (tally.attempts, tally.lifelines_used) == (3 if status == "complete" else at, 0)
        assert [row["grade"] for row in rows(session)][at - 1] == "ungradable"
        assert ("self-score", "") not in turns(session) or status == "complete"


ENDS = [
    ([("", Status.ERROR)], {}, "failed"),
    ([("half", Status.ERROR)], {}, "failed"),
    ([("half", Status.ERROR)], {"presentation": "batch"}, "failed"),
    ([answers(11), ("half", Status.ERROR)], {}, "partial"),
    ([answers(11), ("", Status.FILTERED), answers(13)], {}, "complete"),
    ([answers(11), ("cut", Status.TRUNCATED), ""], {}, "complete"),
    ([("half", Status.ERROR)], {"steps": (Step("next"),)}, "failed"),
]


@pytest.mark.parametrize(("replies", "arm", "status"), ENDS)
async def test_an_outage_ends_a_run_and_bad_data_does_not(tmp_path: Path, replies: list[Any], arm: dict[str, Any], status: str):
    async with opened(tmp_path, Voice(*replies), hands=False, **arm) as session:
        assert (await play(session)).status == status


async def test_a_plan_gives_feedback_as_it_says(tmp_path: Path):
    """kind, on_skip and delay, each as the turns that a whole run sends."""
    key, verdict = "The correct answer is {}.", "Your answer to puzzle {} is {}."
    late = "The correct answer to puzzle {} is {}."
    cases: list[tuple[Feedback, list[str], list[str]]] = [
        (Feedback("none"), ["", "", ""], []),
        (Feedback("reveal"), ["", key.format(11), key.format(12)], [key.format(13)]),
        (Feedback("reveal", on_skip="none"), ["", key.format(11), ""], [key.format(13)]),
        (Feedback("verdict"), ["", verdict.format(1, "correct"), ""], [verdict.format(3, "incorrect")]),
        (Feedback("verdict", shown="fake"), ["", verdict.format(1, "incorrect"), ""], [verdict.format(3, "incorrect")]),
        (
            Feedback("verdict+reveal"),
            ["", f"{verdict.format(1, 'correct')}\n\n{key.format(11)}", key.format(12)],
            [verdict.format(3, "incorrect"), key.format(13)],
        ),
        (Feedback("praise"), ["", "Good work on puzzle 1.", ""], []),
        (Feedback("score"), ["", "Your score is 1.", "Your score is 1."], ["Your score is 1."]),
        (Feedback("reveal", delay=1), ["", "", late.format(1, 11)], [late.format(2, 12), key.format(13)]),
        (Feedback("reveal", delay=9), ["", "", ""], [late.format(1, 11), late.format(2, 12), key.format(13)]),
    ]
    for number, (feedback, before, after) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with opened(folder, Voice(answers(11), LIFELINE, answers(99)), feedback=feedback, hands=False) as session:
            await play(session)
            sent = [node for node in session.tree.path(session.tip) if isinstance(node.body, User)]
            told = [asked(session, node.id).split("PUZZLE")[0].strip() for node in sent]
            assert [told[0] and "", *told[1:]] == before, feedback
            assert queued(session) == after, feedback
            await session.do("key-check", {"in": "trunk"})
            assert queued(session) == []


async def test_the_score_follows_the_keys_that_were_shown(tmp_path: Path):
    own = Feedback("reveal", shown="fake", turn="own")
    async with opened(tmp_path, Voice(answers(21), "Fine."), fakes=1, count=1, hands=False, feedback=own) as session:
        assert (await play(session)).status == "complete"
        assert (session.state().score_true, session.state().score_shown) == (0, 1)


@pytest.mark.parametrize("seed", range(4))
async def test_yoked_feedback_follows_the_seed_and_not_the_answer(tmp_path: Path, seed: int):
    said = []
    for name, answer in (("right", 11), ("wrong", 99)):
        folder = tmp_path / name
        folder.mkdir()
        async with opened(folder, Voice(answers(answer)), feedback="yoked", count=1, seed=seed, hands=False) as session:
            await play(session)
            said.append(queued(session))
    assert said[0] == said[1]
    assert ("incorrect" in said[0][0]) == (draw(seed, "yoked", 1) >= 0.5)
