"""The shell around a subject: what is on disk before it is sent, and how every stream ends in a reply that keeps what arrived."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from session_cases import (
    BOTH,
    WORDS,
    Voice,
    answers,
    asked,
    call_of,
    opened,
    plan,
    puzzles,
    queued,
    reopened,
    rows,
    said,
    steps,
    writer,
)

from lifeline_tui.core.chance import derive
from lifeline_tui.core.nodes import Purpose, Reply, Status, plain
from lifeline_tui.core.plan import Feedback, Step
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.interventions.types import Refusal
from lifeline_tui.runs.autoplay import play
from lifeline_tui.session.calls import Grew
from lifeline_tui.session.opening import create
from lifeline_tui.session.session import Session
from lifeline_tui.store import Reader, Store, StoreError
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.puppets.puppet import SimulatedSubject

LIAR = (Step("self-score"), Step("workings", each=("claimed",)))


async def held(session: Session, voice: Voice, name: str = "next") -> asyncio.Task[None]:
    """`name`, begun, and held in mid-stream."""
    voice.hold = True
    voice.held.clear()
    doing = asyncio.create_task(session.do(name))
    await voice.held.wait()
    return doing


def last(session: Session) -> Reply:
    body = session.tree[session.tip].body
    assert isinstance(body, Reply)
    return body


async def test_the_call_is_on_disk_before_the_subject_is_asked(tmp_path: Path):
    async with opened(tmp_path, voice := Voice()) as session:
        seen: list[list[tuple[str, str]]] = []
        sql = "SELECT n.kind, k.text FROM nodes n JOIN checkpoints k ON k.call = n.id"
        voice.heard = lambda: seen.append(session._write.store.connection.execute(sql).fetchall())
        await session.do("next")
        assert seen == [[("call", '""')]]
        assert session._write.store.connection.execute(sql).fetchall() == []


async def test_cancel_keeps_what_arrived_and_it_can_be_forked_from(tmp_path: Path):
    async with opened(tmp_path, voice := Voice(answers(11))) as session:
        doing = await held(session, voice)
        assert session.cancel()
        await doing
        assert (last(session).status, said(session), last(session).reasoning) == (
            Status.CANCELLED,
            answers(11)[: len(answers(11)) // 2],
            "hm",
        )
        assert session.state().tally().wrong == 0
        assert not session.cancel()
        voice.hold = False
        await session.do("regenerate")
        assert (call_of(session).purpose, call_of(session).sample_index) == (Purpose.RETRY, 1)
        assert session.state().score_true == 1


async def test_cancel_before_the_stream_begins_sends_nothing(tmp_path: Path):
    async with opened(tmp_path, voice := Voice()) as session:
        session.listen = lambda change: session.cancel() if isinstance(change, Grew) and session.state().owed else None
        await session.do("next")
        assert (last(session).status, voice.requests) == (Status.CANCELLED, [])


async def test_two_things_at_once_the_second_is_refused(tmp_path: Path):
    async with opened(tmp_path, voice := Voice()) as session:
        await session.do("next")
        effects = [session.decide(name) for name in ("next", "undo", "challenge")]
        doing = await held(session, voice)
        count = len(session.tree)
        for name in ("next", "reveal", "undo", "forge", "edit", "fork", "regenerate", "autoplay", "grade"):
            assert session.refusal(name) == "A reply is still arriving: {key:cancel} stops it."
        for effect in effects:
            with pytest.raises(Refusal, match="still arriving"):
                await session.carry_out(effect)
        await session.do("note", {"text": "meanwhile"})
        assert len(session.tree) == count
        voice.go.set()
        await doing
        assert session.state().tally().attempts == 2


async def test_close_in_mid_stream_keeps_the_partial_as_cancelled(tmp_path: Path):
    async with opened(tmp_path, voice := Voice(answers(11))) as session:
        doing = await held(session, voice)
        again = await reopened(session, Voice())
        await doing
        assert (last(again).status, said(again)) == (Status.CANCELLED, answers(11)[: len(answers(11)) // 2])
        await again.close()


async def test_close_ends_autoplay_wherever_it_is(tmp_path: Path):
    for requests in (1, 3, 4, 5, 6):
        folder = tmp_path / str(requests)
        folder.mkdir()
        async with opened(folder, voice := Voice(f"{answers(11)}\nWHICH: 1, 2, 3"), then=LIAR, hands=False) as session:
            closing: list[asyncio.Task[None]] = []

            def close(
                after: int = requests, voice: Voice = voice, session: Session = session, into: list[asyncio.Task[None]] = closing
            ):
                if len(voice.requests) == after:
                    into.append(asyncio.create_task(session.close()))

            voice.heard = close
            assert (await play(session)).status in ("partial", "failed")
            await asyncio.gather(*closing)
            assert len(voice.requests) == requests


async def test_a_subject_that_raises_is_an_error_reply_and_then_raises(tmp_path: Path):
    async with opened(tmp_path, Voice(RuntimeError("no such server"))) as session:
        with pytest.raises(RuntimeError):
            await session.do("next")
        assert (last(session).status, last(session).cause) == (Status.ERROR, "the subject failed: RuntimeError: no such server")
        assert not session.busy


async def test_a_reply_without_text_is_empty(tmp_path: Path):
    async with opened(tmp_path, Voice("")) as session:
        await session.do("next")
        assert (last(session).status, last(session).spans) == (Status.EMPTY, ())


async def test_siblings_get_distinct_seeds_and_the_same_seed_says_the_same(tmp_path: Path):
    items = puzzles(3)
    texts = []
    for run in ("a", "b"):
        folder = tmp_path / run
        folder.mkdir()
        puppet = SimulatedSubject("sim/anxious", book={each.text: each for each in items}, paced=False)
        async with opened(folder, puppet, seed=5) as session:
            await steps(session, "next", "regenerate", "regenerate")
            calls = [call_of(session, tip) for tip in session.tree.leaves()]
            assert [call.params["seed"] for call in calls] == [derive(5, "call", 0, 0, "sample", i) for i in range(3)]
            assert [(call.sample_index, bool(call.group)) for call in calls] == [(0, False), (1, True), (2, True)]
            assert len({call.digest for call in calls}) == 1
            texts.append([said(session, tip) for tip in session.tree.leaves()])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


async def test_what_a_backend_does_not_take_is_left_out_and_said(tmp_path: Path):
    voice = Voice(params=frozenset({"seed"}))
    async with opened(tmp_path, voice, subject={"temperature": 0.5, "top_p": 1.0}) as session:
        await session.do("next")
        assert (call_of(session).dropped, dict(voice.requests[0].params)) == (
            ("temperature", "top_p"),
            {"seed": derive(1, "call", 0, 0, "sample", 0)},
        )


async def test_a_base_model_gets_a_transcript_and_its_run_on_is_cut(tmp_path: Path):
    ran_on = f"{answers(11)}\n\n### Operator\nPUZZLE 2 of 3\n\nANSWER: 99"
    async with opened(tmp_path, voice := Voice(ran_on, answers(12), chat=False), feedback="reveal") as session:
        await steps(session, "next", "next")
        assert session.state().score_true == 2
        request = voice.requests[1]
        assert (request.messages, request.params["stop"]) == ((), ["\n### "])
        prompt = request.prompt or ""
        assert prompt.startswith("### Operator\n")
        assert prompt.endswith("PUZZLE 2 of 3\n\nHow many of the 2?\n\n### Subject\n")
        assert f"### Subject\n{answers(11)}\n\n### Operator\nThe correct answer is 11.\n\nPUZZLE 2" in prompt
        assert "99" not in prompt
        assert "99" in said(session, session.tree.path(session.tip)[-4].id)


async def test_branch_tip_queue_and_scores_survive_reopening(tmp_path: Path):
    async with opened(tmp_path, voice := Voice(answers(11), BOTH), feedback="reveal") as session:
        await steps(session, "next", ("fake", {"typed": "12"}), "praise", "challenge")
        await session.go("main")
        before = (session.branch, session.tip, queued(session), session.state(), session.branches)
        assert queued(session) == ["The correct answer is 12.", "Good work on puzzle 1."]
        again = await reopened(session, voice)
        assert before == (again.branch, again.tip, queued(again), again.state(), again.branches)
        await again.do("next")
        assert asked(again).startswith("The correct answer is 12.\n\nGood work on puzzle 1.\n\nPUZZLE 2")
        await again.close()


async def test_visiting_a_node_goes_to_a_branch_that_holds_it(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12), "again")) as session:
        await steps(session, "next", "next")
        first = session.tip
        await session.do("regenerate")
        await session.visit(session.tree.path(first)[2].id)
        assert session.branch == "main"
        await session.visit(first)
        assert (session.branch, session.tip) == ("found", first)
        assert session.tree[session.branches["main"]].id != first


async def test_autoplay_pauses_between_steps_and_goes_on(tmp_path: Path):
    async with opened(tmp_path, voice := Voice(), count=4) as session:
        voice.heard = lambda: session.pause() if len(voice.requests) == 2 else None
        await play(session)
        assert session.state().tally().attempts == 2
        await play(session)
        assert session.state().tally().attempts == 4
        assert session.refusal("autoplay") == "Every puzzle of the plan has been posed on this branch."


async def test_autoplay_asks_again_for_what_was_cut_off(tmp_path: Path):
    async with opened(tmp_path, voice := Voice(answers(11), (answers(12), Status.ERROR), answers(12))) as session:
        await play(session)
        assert last(session).status is Status.ERROR
        await play(session)
        state = session.state()
        assert (state.tally().attempts, state.tally().right, len(voice.requests)) == (3, 2, 4)


async def test_a_persona_is_the_system_prompt_and_none_is_sent_by_default(tmp_path: Path):
    for persona, roles in (("none", ["user"]), ("neutral", ["system", "user"])):
        folder = tmp_path / persona
        folder.mkdir()
        async with opened(folder, voice := Voice(), persona=persona) as session:
            await session.do("next")
            assert [message["role"] for message in voice.requests[0].messages] == roles


async def test_batch_and_sequential_fill_the_same_columns(tmp_path: Path):
    found = []
    for presentation, voice in (
        ("sequential", Voice(answers(11), answers(22), answers(13))),
        ("batch", Voice("\n\n".join(f"PUZZLE {i}\n{answers(a)}" for i, a in ((1, 11), (2, 22), (3, 13))))),
    ):
        folder = tmp_path / presentation
        folder.mkdir()
        async with opened(folder, voice, presentation=presentation, feedback=Feedback("reveal"), hands=False) as session:
            await play(session)
            await session.do("challenge", {"in": "trunk"})
            found.append(rows(session))
    same = ("puzzle_id", "position", "n", "attempt_no", "lifelines_offered", "lifelines_left", "action", "answer", "key", "grade",
            "difficulty", "confidence", "score", "status", "pack", "stratum", "shown_answer", "truthful", "origin", "via")  # fmt: skip
    assert [list(row) for row in found[0]] == [list(row) for row in found[1]]
    assert [[row[name] for name in same] for row in found[0]] == [[row[name] for name in same] for row in found[1]]
    assert [row["grade"] for row in found[0]] == ["right", "wrong", "right"]


async def test_a_reply_that_cannot_be_stored_can_be_saved_elsewhere_and_is_when_the_session_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replies(notebook: Path) -> list[str]:
        with Reader(notebook) as store:
            assert verify(store, digest_of=call_digest) == []
            return [
                plain(node.body.spans) for row in store.sessions() for node in store.nodes(row.id) if isinstance(node.body, Reply)
            ]

    append = Store.append

    def full(self: Store, session: str, drafts: Any, **more: Any) -> Any:
        if self.file.name == "t.db" and isinstance(drafts[0].body, Reply):
            raise StoreError("The disk is full.")
        return append(self, session, drafts, **more)

    write = writer(tmp_path / "t.db")
    session = await create(write, plan(), puzzles(3), Voice(answers(11), answers(12)), WORDS, title="mine", seed=1)
    await session.do("next")
    monkeypatch.setattr(Store, "append", full)
    with pytest.raises(StoreError, match="The disk is full"):
        await session.do("next")
    await session.save_elsewhere(tmp_path / "elsewhere.db")
    assert replies(tmp_path / "elsewhere.db") == [answers(11), answers(12)]
    with pytest.raises(StoreError, match="with its last reply: `lifeline --db ") as left:
        await session.close()
    assert replies(Path(str(left.value).split("`lifeline --db ")[1].split("`")[0])) == [answers(11), answers(12)]
    assert replies(tmp_path / "t.db") == [answers(11)]
    assert write.store.owner(session.id) is None
    await write.close()
