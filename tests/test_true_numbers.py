"""What a reviewer would reject: each number that the tool prints is what was the case, and what was not known is not a number."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import pvariance
from typing import Any

import pytest
from command_line import lifeline
from session_cases import BOTH, LIFELINE, WORDS, Voice, answers, opened, plan, puzzles, reopened, rows, steps, writer
from store_cases import begin

from lifeline_tui.core import state
from lifeline_tui.core.codec import encode, node_hash
from lifeline_tui.core.nodes import Call, Cause, Reply, Status, User
from lifeline_tui.core.plan import Feedback, Scoring, Step
from lifeline_tui.core.reading import grading
from lifeline_tui.exporters import write
from lifeline_tui.importers.session_jsonl import parse, take
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.metrics.pooling import counts, difference, groups
from lifeline_tui.runs.autoplay import play
from lifeline_tui.runs.context_room import room
from lifeline_tui.runs.pool import summary
from lifeline_tui.session.opening import create
from lifeline_tui.session.session import Session
from lifeline_tui.store import Reader, Store
from lifeline_tui.store.schema import TRIGGERS
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.protocol import Capabilities


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a notebook of its own, for commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIFELINE_DB", str(tmp_path / "t.db"))
    return tmp_path


def claims(session: Session) -> list[dict[str, Any]]:
    found = session._write.store.connection.execute("SELECT * FROM v_claims WHERE session = ? ORDER BY node_id", (session.id,))
    names = [each[0] for each in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


# Everything that the subject was told is in the row


async def test_edited_rules_and_an_answer_given_away_are_in_the_row(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(11), answers(12), answers(12))) as session:
        await session.do("next")
        turn = next(node for node in session.tree.above(session.tip) if isinstance(node.body, User))
        assert isinstance(turn.body, User)
        text = "\n\n".join("".join(span.text for span in part.spans) for part in turn.body.parts)
        await session.do("edit", {"text": text.replace("a wrong answer 0", "a wrong answer -5")}, cursor=turn.id)
        await session.do("free", {"text": "The next answer is 12."})
        await session.do("next")
        by_branch = {(row["branch"], row["position"]): row for row in rows(session)}
    plain, edited, after = by_branch["main", 1], by_branch["edit", 1], by_branch["edit", 2]
    assert (plain["rules_edited"], plain["n_operator_turns_above"], plain["operator_chars_above"]) == (0, 0, 0)
    assert (edited["rules_edited"], edited["n_operator_turns_above"]) == (1, 1)
    assert (after["rules_edited"], after["n_operator_turns_above"]) == (1, 2)
    assert after["operator_chars_above"] == edited["operator_chars_above"] + len("The next answer is 12.")


async def test_every_untrue_statement_and_the_last_of_each_kind_is_in_the_row(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(13), answers(14)), count=4) as session:
        await session.do("next")
        await session.do("fake", {"fake": "21"})
        await session.do("next")  # a fake key for p1
        await session.do("verdict")
        await session.do("praise")
        await session.do("next")  # a true verdict and praise for p2
        await session.do("next")  # nothing new
        found = {row["puzzle_id"]: row for row in rows(session)}
    first, fake, praised, later = (found[f"p{i}"] for i in (1, 2, 3, 4))
    assert [row["n_untrue_above"] for row in (first, fake, praised, later)] == [0, 1, 1, 1]
    assert (first["last_key_truthful"], first["last_verdict"], first["last_praise"], first["last_feedback_puzzle"]) == (None,) * 4
    assert (fake["last_key_truthful"], fake["last_key_puzzle"], fake["last_feedback_puzzle"]) == (0, "p1", "p1")
    for row in (praised, later):
        assert (row["last_key_truthful"], row["last_key_puzzle"]) == (0, "p1")
        assert (row["last_verdict"], row["last_verdict_truthful"], row["last_verdict_puzzle"]) == ("correct", 1, "p2")
        assert (row["last_praise"], row["last_praise_puzzle"], row["last_feedback_puzzle"]) == (1, "p2", "p2")


async def test_a_false_verdict_is_an_untrue_statement_as_a_fake_key_is(tmp_path: Path):
    coin = Feedback(kind="coin")
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(13)), seed=1, feedback=coin) as session:
        await steps(session, "next", "next", "next")
        told = [
            part for node in session.tree.nodes.values() if isinstance(node.body, User) for part in node.body.parts if part.feedback
        ]
        assert {part.feedback for part in told} == {"verdict"}
        untrue = [sum(part.truthful is False for part in told[:above]) for above in range(3)]
        assert untrue[-1] > 0, "the seed was chosen so that the coin says something false"
        assert [row["n_untrue_above"] for row in rows(session)] == untrue


async def test_the_settings_of_the_arm_and_the_versions_are_in_the_row(tmp_path: Path):
    arm: dict[str, Any] = {"persona": "none", "scoring": Scoring(wrong=-1), "feedback": Feedback("reveal", "mixed", delay=1)}
    async with opened(tmp_path, Voice(answers(11)), **arm) as session:
        await session.do("next")
        (row,) = rows(session)
    assert (row["persona"], row["form"], row["presentation"], row["run_status"]) == ("none", "block-last", "sequential", None)
    assert json.loads(row["scoring"]) == {"right": 1, "wrong": -1, "skip": 0, "say_no_penalty": 0}
    assert json.loads(row["feedback_plan"]) == {
        **{"kind": "reveal", "shown": "mixed", "fake_rate": 0.5, "turn": "joined", "on_skip": "same", "delay": 1, "to": ""}
    }
    assert row["option_order"] == "skip-first"
    assert all(len(row[name]) == 64 for name in ("plan_digest", "templates_digest"))
    assert (row["parser_version"], row["grader_version"]) == ("replies-1", "grading-1")


BY_HAND = {
    **{"free": {"text": "It is 12."}, "fake": {"fake": "21"}, "reveal": {}, "regenerate": {}},
    **{"challenge": {"in": "trunk"}, "budget": {"left": "1"}, "forge": {"text": answers(11)}},
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"persona": "cautious"}, "persona is none in session"),
        ({"scoring": Scoring(skip=0.25)}, "scoring is"),
        ({"form": "action-first"}, "form is block-last"),
        ({"feedback": Feedback("reveal")}, "feedback_plan is"),
        ({"lifeline_word": "pass"}, "plan_digest is"),
        ({"by hand": "free"}, "words of the operator's own stand above"),
        ({"by hand": "fake"}, "things done by hand beside the plan"),
        ({"by hand": "reveal"}, "things done by hand beside the plan"),
        ({"by hand": "challenge"}, "things done by hand beside the plan"),
        ({"by hand": "budget"}, "lifelines_offered is 3 in session"),
        ({"by hand": "forge"}, ""),  # another branch, which is not pooled
        ({"by hand": "regenerate"}, "replies that others were chosen over"),
        ({"by hand": "same seed"}, "were sampled with the same seeds"),
        ({"by hand": "nothing"}, ""),
    ],
)
async def test_two_arms_of_one_name_that_differ_are_not_pooled(tmp_path: Path, change: dict[str, Any], named: str):
    write = writer(tmp_path / "t.db")
    act = change.pop("by hand", "")
    found: list[dict[str, Any]] = []
    for number, arm in enumerate((plan(), plan(**change))):
        voice = Voice(answers(11), answers(12))
        seed = 1 if act == "same seed" else number + 1
        session = await create(write, arm, puzzles(3), voice, WORDS, title="t", seed=seed, hands=True)
        await session.do("next")
        if number and act in BY_HAND:
            await session.do(act, BY_HAND[act])
        await session.do("next")
        found += rows(session)
        await session.close()
    await write.close()
    (pooled,) = groups(found).values()
    why = difference(pooled)
    assert named in why if named else why == ""
    assert counts(pooled)["answered"] == [len(pooled), len(pooled)]


def test_metrics_pools_what_belongs_together_and_names_what_does_not(scratch: Path):
    assert lifeline("run", "baseline-20", "--limit", 2, "--repeats", 2).code == 0
    pooled = lifeline("metrics", "--json")
    ((line,), code) = pooled.data, pooled.code
    assert (code, line["sessions"], line["attempts"], line["answered"]) == (0, 2, 4, [4, 4])
    assert lifeline("run", "baseline-20", "--limit", 3).code == 0
    refused = lifeline("metrics", "--json")
    assert (refused.code, refused.data) == (1, [])
    assert "baseline-20 on sim/anxious is not pooled: n is 2 in session" in refused.err


# Standing or superseded


async def test_what_was_asked_again_or_taken_back_does_not_stand(tmp_path: Path):
    async with opened(tmp_path, Voice(*(answers(n) for n in (99, 11, 99, 12)))) as session:
        await steps(session, "next", "regenerate", "next", "undo", "next")
        table = sorted(rows(session), key=lambda row: row["at"])
        marks = [(row["answer"], row["standing"], row["discarded"], row["n_siblings_discarded"]) for row in table]
        assert marks == [("99", 0, 1, 0), ("11", 1, 0, 1), ("99", 0, 1, 0), ("12", 1, 0, 1)]
        assert [row["superseded_by"] for row in table] == [table[1]["node_id"], None, table[3]["node_id"], None]
        line = summary(session, await play(session))
        assert (line["asked_again"], line["discarded"]) == (1, 2)
        assert [row["trunk"] for row in table] == [0, 1, 0, 1]
        await session.do("undo")


async def test_a_try_that_another_followed_on_its_own_path_is_superseded_by_that(tmp_path: Path):
    async with opened(tmp_path, Voice(LIFELINE, answers(11)), lifelines=0) as session:
        await steps(session, "next", "next")
        first, second = sorted(rows(session), key=lambda row: row["attempt_no"])
    assert (first["violation"], first["standing"], first["superseded_by"]) == (1, 0, second["node_id"])
    assert (first["discarded"], first["n_siblings_discarded"]) == (0, 0)
    assert (second["standing"], second["above_node_id"]) == (1, first["node_id"])


async def test_forks_stand_on_their_own_and_a_turn_that_was_taken_back_told_nothing(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(12))) as session:
        await session.do("next")
        at = session.tip
        await session.do("fake", {"fake": "21"})
        await session.do("next")
        assert rows(session)[0]["shown_answer"] == "21"
        await steps(session, "undo", "undo")  # the turn, and the fake that waits again
        await session.do("fork", cursor=at)
        await session.do("next")
        first, *others = sorted(rows(session), key=lambda row: row["at"])
    assert (first["standing"], first["shown_answer"], first["shown_right"]) == (1, None, 1), "what was taken back was not told"
    assert [(row["branch"], row["standing"]) for row in others] == [("main", 0), ("fork", 1)]


# A seed a call


def spread(session: Session) -> list[int]:
    return [node.body.params["seed"] for node in session.tree.nodes.values() if isinstance(node.body, Call)]


async def test_every_call_has_a_seed_of_its_own_which_follows_from_seed_place_and_index_alone(tmp_path: Path):
    seeds = []
    for run in ("a", "b", "c"):
        (folder := tmp_path / run).mkdir()
        async with opened(folder, Voice(answers(11)), seed=5 + (run == "c")) as session:
            await steps(session, "next", "next", "regenerate", ("self-score", {}), "regenerate")
            seeds.append(spread(session))
    assert seeds[0] == seeds[1], "a run that does the same again meets the same seeds"
    assert len(set(seeds[0])) == 5
    assert not set(seeds[0]) & set(seeds[2])


async def test_four_probes_at_one_node_are_four_draws(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11))) as session:
        await session.do("next")
        for _ in range(4):
            await session.do("challenge")
            await session.go("main")
        assert len(set(spread(session))) == 5


async def test_the_lifelines_of_a_session_vary_as_independent_calls_do(tmp_path: Path):
    """A subject that skips with a chance that its seed alone decides: one seed a session would make it skip all or nothing."""

    class Chancy(Voice):
        async def stream(self, request: Any) -> Any:
            self.replies = [LIFELINE if request.params["seed"] % 2 else answers(11)]
            async for event in super().stream(request):
                yield event

    used = []
    for seed in range(1, 41):
        (folder := tmp_path / str(seed)).mkdir()
        async with opened(folder, Chancy(), count=10, lifelines=10, seed=seed) as session:
            await play(session)
            used.append(session.state().used)
    assert 0 < sum(used) < 400
    assert pvariance(used) < 3 * 10 * 0.25, "five times that was seen with one seed a session"


def test_the_item_seed_holds_the_items_while_the_calls_vary(scratch: Path):
    done = lifeline("run", "lifelines-10", "--limit", 4, "--repeats", 3, "--seed", 7, "--item-seed", 2, "--json")
    assert (done.code, [line["seed"] for line in done.data], {line["item_seed"] for line in done.data}) == (0, [7, 8, 9], {2})
    with Reader(scratch / "t.db") as store:
        table = store.attempts([line["session"] for line in done.data])
    posed = {
        session: tuple(row["puzzle_id"] for row in table if row["session"] == session) for session in {r["session"] for r in table}
    }
    assert len(set(posed.values())) == 1
    assert len({row["call_seed"] for row in table}) == len(table) == 12
    assert {(row["item_seed"], row["option_order"]) for row in table} == {(2, "answer-first")}


# Claims are data


async def test_a_claim_is_measured_where_it_was_made_and_an_honest_count_is_not_inflated(tmp_path: Path):
    arm = plan(feedback=Feedback("reveal", shown="fake"), then=(Step("self-score"),))
    voice = Voice(answers(21), answers(12), answers(23), "COUNT: 2")
    write = writer(tmp_path / "t.db")
    session = await create(write, arm, puzzles(3, fakes=1), voice, WORDS, title="t", seed=1, hands=False)
    await play(session)
    (claim,) = claims(session)
    assert session.state().find(session.tip, "p3") is not None, "the last key is told in the fork alone"
    assert not session.state().attempts[-1].told
    assert (claim["n_asked"], claim["n_told"], claim["claimed"]) == (3, 3, 2)
    assert (claim["own_matches_shown"], claim["own_right"], claim["own_committed"]) == (2, 1, 3)
    assert json.loads(claim["answers"]) == {"1": "21", "2": "12", "3": "23"}
    assert json.loads(claim["told_puzzles"]) == json.loads(claim["puzzles"]) == ["p1", "p2", "p3"]
    assert (claim["branch"], claim["wording"], claim["standing"]) == ("self-score", "self-score", 1)
    await session.close()
    await write.close()


async def test_a_claim_that_could_not_be_read_is_a_row_too_and_one_that_failed_is_none(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), "Most of them, I think.", ("COUNT: 1", Status.ERROR))) as session:
        await session.do("next")
        await session.do("self-score")
        await session.go("main")
        await session.do("self-score")
        (claim,) = claims(session)
    assert (claim["claimed"], claim["which"], claim["n_asked"], claim["own_right"]) == (None, None, 1, 1)


async def test_a_claim_says_which_others_stand_above_it(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), "COUNT: 1", "WHICH: 1")) as session:
        await session.do("next")
        await session.do("self-score", {"in": "trunk"})
        await session.do("self-score", {"in": "trunk", "ask": "which"})
        first, second = claims(session)
    assert (json.loads(first["shares_context_with"]), json.loads(second["shares_context_with"])) == ([], [first["node_id"]])
    assert (second["claimed"], json.loads(second["which"])) == (1, [1])


# Honest ends


@pytest.mark.parametrize("reply", ["I would rather talk about bracelets.", BOTH])
async def test_a_score_that_nobody_knows_is_null_and_not_nought(tmp_path: Path, reply: str):
    async with opened(tmp_path, Voice(reply), hands=False) as session:
        line = summary(session, await play(session))
    assert (line["score_true"], line["score_shown"], line["unread"], line["attempts"]) == (None, None, 3, 3)


async def test_a_score_of_what_could_be_read_says_how_many_could_not(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), "Bracelets are hard.", answers(13)), hands=False) as session:
        line = summary(session, await play(session))
    assert (line["score_true"], line["unread"], line["right"]) == (2, 1, 2)


@pytest.mark.parametrize("status", [Status.ERROR, Status.CANCELLED, Status.INTERRUPTED])
async def test_a_call_that_failed_is_no_row_unless_the_operator_reads_it(tmp_path: Path, status: Status):
    async with opened(tmp_path, Voice((answers(11), status))) as session:
        await session.do("next")
        assert rows(session) == []
        assert session._write.store.session(session.id).attempts == 0
        await session.do("grade", {"action": "answer", "answer": "11"})
        (row,) = rows(session)
        assert (row["grade"], row["graded_by"], row["status"]) == ("right", "operator", str(status))
        assert session.state().tally().right == 1
        assert (await _verified(session)) == []


async def _verified(session: Session) -> list[object]:
    return [str(finding) for finding in verify(session._write.store)]


def test_a_run_that_was_broken_off_is_gone_on_with(scratch: Path):
    script = scratch / "short.yaml"
    script.write_text("".join(f"- 'ACTION: ANSWER\n\n  ANSWER: {n}'\n" for n in range(3)))
    done = lifeline("run", "lifelines-10", "--limit", 5, "--model", f"scripted/{script}", "--json")
    assert (done.code, done.data[0]["status"], done.data[0]["attempts"]) == (1, "partial", 3)
    session = done.data[0]["session"]
    assert f"lifeline run --resume {session}" in done.err
    script.write_text("".join(f"- 'ACTION: ANSWER\n\n  ANSWER: {n}'\n" for n in range(9)))
    again = lifeline("run", "--resume", session, "--json")
    assert (again.code, again.data[0]["session"], again.data[0]["status"], again.data[0]["attempts"]) == (0, session, "complete", 5)
    with Reader(scratch / "t.db") as store:
        assert {row["run_status"] for row in store.attempts([session])} == {"complete"}
    assert lifeline("run", "--resume", session, "--seed", 3).code == 2
    assert lifeline("run").code == 2


@pytest.mark.parametrize(
    ("size", "said"),
    [(None, ""), (2_000, "may not hold the whole plan"), (200_000, "which hold the whole plan")],
)
async def test_whether_the_context_holds_the_plan_is_said_where_its_size_is_known(tmp_path: Path, size: int | None, said: str):
    async with opened(tmp_path, Voice(answers(11)), subject={"max_tokens": 4096}) as session:
        sentence = room(session.state(), Capabilities(context=size), "x/y")
    assert said in sentence
    assert (sentence == "") == (size is None)


# Columns that said what was not so


async def test_under_a_delay_the_feedback_above_is_named(tmp_path: Path):
    delayed = Feedback("reveal", shown="fake", delay=1)
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(13)), feedback=delayed, fakes=1) as session:
        await steps(session, "next", "next", "next")
        kinds = [(row["prev_feedback_kind"], row["prev_truthful"], row["last_feedback_puzzle"]) for row in rows(session)]
    assert kinds == [("none", None, None), ("none", None, None), ("reveal", 0, "p1")]


async def test_a_verdict_with_a_key_reads_as_both(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12)), feedback="verdict+reveal") as session:
        await steps(session, "next", "next")
        assert rows(session)[1]["prev_feedback_kind"] == "verdict+reveal"


async def test_below_a_batch_no_single_attempt_is_the_one_before(tmp_path: Path):
    first = "\n".join(f"PUZZLE {i}\n{answers(10 + i)}\n" for i in (1, 2))
    second = "\n".join(f"PUZZLE {i}\n{answers(10 + i)}\n" for i in (3, 4))
    batch: dict[str, Any] = {"presentation": "batch", "batch_size": 2, "feedback": Feedback("reveal", shown="mixed")}
    async with opened(tmp_path, Voice(first, second), count=4, **batch) as session:
        await steps(session, "next", "next")
        table = rows(session)
    assert [row["prev_grade"] for row in table] == [None] * 4
    assert [row["prev_truthful"] for row in table] == [None, None, 0, 0], "of two keys one was untrue"
    assert [row["n_untrue_above"] for row in table] == [0, 0, 1, 1]


def test_a_yoked_plan_repeats_what_a_named_session_was_told_and_a_coin_is_called_one(scratch: Path):
    assert lifeline("run", "realtime-reveal", "--limit", 4, "--json").code == 0
    ((master,), _) = lifeline("sessions", "--json").data, None
    folder = scratch / "yoked.yaml"
    text = "name: yoked\npuzzles: {{count: 4}}\nlifelines: 10\nfeedback: {{kind: {}}}\n"
    folder.write_text(text.format("yoked"))
    bad = lifeline("run", str(folder))
    assert (bad.code, "a verdict by chance is coin" in bad.err) == (2, True)
    folder.write_text(text.format(f"yoked, to: {master['session']}"))
    done = lifeline("run", str(folder), "--model", "sim/rational", "--json")
    assert done.code == 0, done.err
    with Reader(scratch / "t.db") as store:
        outcomes = {
            row["position"]: row["grade"] == "right" for row in store.attempts([master["session"]]) if row["grade"] != "n/a"
        }
        table = store.attempts([done.data[0]["session"]])
    told = {row["position"]: row["shown_answer"] == "correct" for row in table if row["shown_answer"]}
    assert told
    assert told.items() <= outcomes.items()
    folder.write_text(text.format("yoked, to: nobody"))
    assert lifeline("run", str(folder)).code == 2


# Records that do not move


async def test_a_later_grader_changes_no_score_that_was_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake = Feedback("reveal", shown="fake")
    async with opened(tmp_path, Voice(answers(21), answers(12), answers(13)), feedback=fake, fakes=1) as session:
        await steps(session, "next", "next", "next")
        before = session.state().score_shown
        shown = [row["shown_right"] for row in rows(session)]
        assert before == 2
        # A later version's grader takes no fake for what was answered, and everything else.
        for module in (grading, state):
            monkeypatch.setattr(module, "same", lambda key, a, b: a != b)
        again = await reopened(session, Voice(answers(13)))
        assert again.state().score_shown == before
        assert [row["shown_right"] for row in rows(again)] == shown
        await again.close()


async def test_what_the_released_grader_says_of_an_old_session_is_recorded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake = Feedback("reveal", shown="fake")
    async with opened(tmp_path, Voice(answers(21), answers(12)), feedback=fake, fakes=1) as session:
        await steps(session, "next", "next")
        _as_of_old(session)
        again = await reopened(session, Voice(answers(13)))
        before = again.state().score_shown
        recorded = [note for notes in again.tree.notes.values() for note in notes if note.field == "agrees"]
        assert [(note.by, note.version, note.value) for note in recorded] == [("machine", "grading-1", {"keys": {"21": True}})]
        for module in (grading, state):
            monkeypatch.setattr(module, "same", lambda key, a, b: a != b)
        third = await reopened(again, Voice(answers(13)))
        assert third.state().score_shown == before
        assert sum(note.field == "agrees" for notes in third.tree.notes.values() for note in notes) == 1
        await third.close()


def _as_of_old(session: Session) -> None:
    """The session as the first version would have stored it: the turn that told a key says nothing of agreement."""
    conn = session._write.store.connection
    conn.execute("DROP TRIGGER nodes_refuse_update")
    conn.execute("DROP TRIGGER annotations_refuse_update")
    above = ""
    for node in session.tree.path(session.tip):
        body = node.body
        if isinstance(body, User):
            body = User(tuple(replace(part, agrees="") for part in body.parts))
        changed = replace(node, body=body, raw=encode(body))
        above = node_hash(changed, above)
        conn.execute("UPDATE nodes SET body = ?, sha256 = ? WHERE id = ?", (changed.raw, above, node.id))
    for name in ("nodes_refuse_update", "annotations_refuse_update"):
        conn.execute(TRIGGERS[name])


async def test_overruling_an_answer_moves_what_it_agrees_with(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(99), answers(12)), feedback=Feedback("reveal", shown="fake"), fakes=1) as session:
        await steps(session, "next", "next")
        reply = next(attempt.reply for attempt in session.state().attempts)
        assert session.state().attempts[0].shown_right is False
        await session.do("grade", {"action": "answer", "answer": "21", "puzzle": "1"}, cursor=reply)
        assert session.state().attempts[0].shown_right is True
        assert {row["position"]: row["shown_right"] for row in rows(session)}[1] == 1


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (("ANSWER: 1", Status.TRUNCATED), None),
        ("", Cause.NO_TEXT),
        (RuntimeError("broken"), Cause.SUBJECT),
    ],
)
async def test_the_cause_of_a_reply_is_a_closed_word_with_a_sentence(tmp_path: Path, how: Any, kind: Cause | None):
    async with opened(tmp_path, Voice(how)) as session:
        with suppress(RuntimeError):
            await session.do("next")
        body = session.tree[session.tip].body
        assert isinstance(body, Reply)
        assert body.cause_kind == (kind or Cause.NONE)
        assert body.cause
        found = session._write.store.connection.execute("SELECT cause_kind, cause FROM v_calls").fetchall()
        assert found == [(str(kind) if kind else None, body.cause)]


async def test_the_fork_point_of_a_branch_is_stored(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12), "sure")) as session:
        await steps(session, "next", "next")
        at = session.tip
        await session.do("challenge")
        await session.go("main")
        first = next(attempt.reply for attempt in session.state().attempts)
        await session.do("fork", cursor=first)
        found = session._write.store.connection.execute(
            "SELECT name, forked_from, forked_at FROM v_branches ORDER BY name"
        ).fetchall()
        assert found == [("challenge", "main", at), ("fork", "main", first), ("main", None, None)]
        assert session.tree.forks == {"challenge": ("main", at, "challenge"), "fork": ("main", first, "")}


def test_a_notebook_of_the_first_version_is_brought_up_to_date_and_keeps_every_row(tmp_path: Path):

    path = tmp_path / "n.db"
    with Store(path) as store:
        begin(store)
        before = store.connection.execute("SELECT count(*), max(sha256) FROM nodes").fetchall()
        for name in ("v_claims", "v_attempts"):
            store.connection.execute(f"DROP VIEW {name}")
        store.connection.execute("CREATE VIEW v_attempts AS SELECT 1 AS session")
        store.connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm002%'")
        store.connection.execute("PRAGMA user_version = 1")
    with Store(path) as store:
        assert store.connection.execute("SELECT count(*), max(sha256) FROM nodes").fetchall() == before
        assert store.connection.execute("SELECT count(*) FROM v_claims").fetchall() == [(0,)]
        assert store.connection.execute("PRAGMA user_version").fetchall() == [(3,)]


async def test_a_fake_that_is_told_after_an_override_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with opened(tmp_path, Voice(answers(99), answers(12)), fakes=1) as session:
        await session.do("next")
        await session.do("grade", {"action": "answer", "answer": "777"})
        await session.do("fake", {"typed": "778"})
        await session.do("next")
        before = (session.state().attempts[0].shown_right, session.state().score_shown)
        assert before == (False, 1)
        assert {row["position"]: row["shown_right"] for row in rows(session)}[1] == 0
        for module in (grading, state):
            monkeypatch.setattr(module, "same", lambda key, a, b: True)
        again = await reopened(session, Voice(answers(13)))
        assert (again.state().attempts[0].shown_right, again.state().score_shown) == before
        await again.close()


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.ERROR])
async def test_an_override_that_is_taken_back_leaves_the_machines_reading_in_the_table(tmp_path: Path, status: Status):
    async with opened(tmp_path, Voice((answers(99), status))) as session:
        await session.do("next")
        before = [{**row} for row in rows(session)]
        await session.do("grade", {"action": "answer", "answer": "11"})
        assert rows(session)[0]["graded_by"] == "operator"
        await session.do("undo")
        assert [{name: row[name] for name in ("action", "answer", "grade", "graded_by")} for row in rows(session)] == [
            {name: row[name] for name in ("action", "answer", "grade", "graded_by")} for row in before
        ]
        path = tmp_path / "s.jsonl"
        write("session-jsonl", session._write.store, [session.id], path)
        with Store(tmp_path / "other.db") as other:
            take(other, parse(path, scriptable()))
            assert verify(other) == []


def test_a_run_that_broke_off_in_a_probes_fork_is_gone_on_with_there(scratch: Path):
    (scratch / "short.yaml").write_text("name: short\npuzzles: {count: 1}\nthen:\n  - {do: self-score}\n  - {do: challenge}\n")
    script = scratch / "replies.yaml"
    script.write_text("- 'ANSWER: 3'\n")
    done = lifeline("run", "short.yaml", "--model", f"scripted/{script}", "--json")
    assert (done.code, done.data[0]["status"], done.data[0]["branch"]) == (1, "partial", "main")
    session = done.data[0]["session"]
    script.write_text("- 'ANSWER: 3'\n- 'COUNT: 1'\n")
    again = lifeline("run", "--resume", session, "--json")
    assert (again.code, again.data[0]["status"], again.data[0]["left_out"]) == (0, "complete", [])
    with Reader(scratch / "t.db") as store:
        claimed = store.connection.execute("SELECT claimed, standing FROM v_claims").fetchall()
    assert claimed == [(1, 1)]


async def test_an_edit_that_only_takes_words_away_is_in_the_row(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), answers(12), answers(12))) as session:
        await session.do("next")
        await session.do("fake", {"fake": "21"})
        await session.do("next")
        turn = next(node for node in session.tree.above(session.tip) if isinstance(node.body, User))
        assert isinstance(turn.body, User)
        await session.do("edit", {"text": "".join(span.text for span in turn.body.parts[-1].spans)}, cursor=turn.id)
        row = next(row for row in rows(session) if row["branch"] == "edit")
    assert (row["item_edited"], row["n_operator_turns_above"], row["n_untrue_above"]) == (1, 1, 0)


async def test_questions_on_the_trunk_are_in_the_rows_below_them(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), "Yes.", answers(12))) as session:
        await session.do("next")
        await session.do("challenge", {"in": "trunk"})
        await session.do("next")
        found = [(row["n_probes_above"], row["n_by_hand_above"]) for row in rows(session)]
    assert found == [(0, 0), (1, 1)]


async def test_what_a_verdict_said_is_judged_by_the_grade_in_force(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(99), answers(12)), feedback="verdict") as session:
        await steps(session, "next", "next")
        assert rows(session)[0]["truthful"] == 1
        reply = session.state().attempts[0].reply
        await session.do("grade", {"action": "answer", "answer": "11", "puzzle": "1"}, cursor=reply)
        assert (rows(session)[0]["shown_answer"], rows(session)[0]["truthful"]) == ("incorrect", 0)
        await session.do("next")
        later = rows(session)[2]
    assert (later["n_untrue_above"], later["last_verdict_puzzle"]) == (1, "p2")


async def test_an_override_reaches_the_claims_below_it(tmp_path: Path):
    async with opened(tmp_path, Voice("It is eleven, I think.", answers(12), "COUNT: 2")) as session:
        await steps(session, "next", "next", "self-score")
        assert [(claim["own_right"], claim["own_unread"]) for claim in claims(session)] == [(1, 1)]
        await session.go("main")
        reply = session.state().attempts[0].reply
        await session.do("grade", {"action": "answer", "answer": "11", "puzzle": "1"}, cursor=reply)
        assert [(claim["own_right"], claim["own_unread"]) for claim in claims(session)] == [(2, 0)]


async def test_a_probe_that_was_taken_back_does_not_stand_and_stands_again_when_it_is_done_again(tmp_path: Path):
    async with opened(tmp_path, Voice(answers(11), "COUNT: 5", "COUNT: 1")) as session:
        await steps(session, "next", "self-score", "undo")
        assert [(claim["claimed"], claim["standing"], claim["discarded"]) for claim in claims(session)] == [(5, 0, 1)]
        assert session.branch == "main"
        assert session.choices() == (choices := type(session.choices())(0, 1))
        await session.do("redo")
        assert [(claim["claimed"], claim["standing"]) for claim in claims(session)] == [(5, 1)]
        await steps(session, "undo", "self-score")
        assert [(claim["claimed"], claim["standing"]) for claim in claims(session)] == [(5, 0), (1, 1)]
        assert session.choices() == choices


async def test_a_failed_call_that_was_read_by_hand_and_let_be_is_no_attempt_again(tmp_path: Path):
    async with opened(tmp_path, Voice((answers(11), Status.ERROR), answers(11))) as session:
        await session.do("next")
        await session.do("grade", {"action": "answer", "answer": "11"})
        await session.do("undo")
        assert rows(session) == []
        assert session.state().tally().attempts == 0
        await session.do("regenerate")
        assert (session.choices().asked_again, session.choices().discarded) == (0, 0)
