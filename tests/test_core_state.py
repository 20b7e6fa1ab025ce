"""The law of an attempt, and what follows from a path: state, what is due next, what is sent, and what is read into a reply."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_cases import BOTH, LIFELINE, WORDS, answers, plan, puzzles

from lifeline_tui.core.attempt_phases import LAW, Event, Phase, after, may
from lifeline_tui.core.chance import draw, shuffled
from lifeline_tui.core.codec import as_data, decode, encode
from lifeline_tui.core.nodes import (
    FAILED,
    KIND_OF,
    Assistant,
    Body,
    Call,
    How,
    Kind,
    Node,
    Origin,
    Part,
    PartKind,
    Reply,
    Root,
    Span,
    Status,
    System,
    User,
    canonical,
    plain,
)
from lifeline_tui.core.plan import Feedback, Plan
from lifeline_tui.core.reading.auto_annotate import judge, told_remarks
from lifeline_tui.core.schedule import due, plan_fakes, plan_option_order, shown_key
from lifeline_tui.core.state import State, Tally, apply, fold
from lifeline_tui.core.transcript import BASE, CHAT, call_digest, render
from lifeline_tui.core.wording import item, labels, option_order, reveal, rules, verdict


def text(words: str, origin: Origin = Origin.MODEL) -> tuple[Span, ...]:
    return (Span(words, origin),)


class Path:
    """A path that grows as a session would grow it, without a store."""

    def __init__(self, arm: Plan | None = None, count: int = 3, seed: int = 1) -> None:
        self.arm = arm or plan()
        self.nodes: list[Node] = []
        self.said: dict[str, dict[tuple[str, str], Any]] = {}
        self.add(Root(plan=as_data(self.arm), puzzles=puzzles(count), seed=seed))

    @property
    def state(self) -> State:
        return fold(self.nodes, lambda node: self.said.get(node, {}))

    def add(self, body: Body) -> Node:
        number = len(self.nodes)
        node = Node(f"n{number}", "s", self.nodes[-1].id if self.nodes else None, number + 1, "", body, encode(body), "")
        self.nodes.append(node)
        return node

    def pose(self, *told: Part) -> Path:
        """The plan's next turn and its call."""
        if self.arm.presentation == "batch":
            chosen = list(enumerate(self.state.root.puzzles, 1))
        else:
            chosen = [(self.state.posed + 1, self.state.next_puzzle)]
        self.add(User((*told, *(item(self.state, WORDS, puzzle, place, told=told) for place, puzzle in chosen if puzzle))))
        self.add(Call(renderer=CHAT))
        return self

    def hear(self, words: str, status: Status = Status.COMPLETE) -> Path:
        """A reply, and what the machine says about it."""
        body, before = Reply(text(words), status=status), self.state
        call = self.nodes[-1].body
        node = self.add(body)
        self.said[node.id] = {
            (r.puzzle or "", r.field): r.value for r in judge(before, body, call if isinstance(call, Call) else None, "")
        }
        return self


# The law


def test_every_phase_has_its_row_and_every_row_leads_to_a_phase():
    assert set(LAW) == set(Phase)
    assert {phase for row in LAW.values() for phase in row.values()} <= set(Phase)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_what_the_law_does_not_provide_for_changes_nothing(phase: Phase, event: Event):
    assert after(phase, event) == (LAW[phase][event] if may(phase, event) else phase)


def test_only_an_answer_can_be_graded_and_what_both_answers_and_skips_cannot_be_told_of():
    assert {phase for phase in Phase if may(phase, Event.GRADE)} == {Phase.ANSWERED}
    assert not any(may(Phase.AMBIGUOUS, event) for event in Event)


# The fold

OTHER = st.dictionaries(st.sampled_from(["later", "how", "why", "cause"]), st.text(max_size=3), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), OTHER), max_size=8))
def test_a_body_with_words_of_another_version_still_opens(bodies: list[tuple[Kind, dict[str, str]]]):
    state = State()
    for number, (kind, data) in enumerate(bodies):
        raw = canonical(data)
        state = apply(state, Node(str(number), "s", None, number, "", decode(kind, raw), raw, ""), {})
    assert state.depth == len(bodies) - 1


SAID = st.dictionaries(
    st.tuples(st.sampled_from(["p1", "p2", ""]), st.sampled_from(["action", "answer", "grade", "flags", "confidence", "claim"])),
    st.none() | st.sampled_from(["answer", "lifeline", "both", "right", "wrong", "n/a", "??"]) | st.integers() | st.lists(st.text(max_size=2), max_size=2),
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 6), SAID), max_size=12), st.sampled_from([None, 0, 2]))
def test_folding_is_total_whatever_was_said(moves: list[tuple[int, Any]], offered: int | None):
    path = Path(plan(lifelines=offered, feedback=Feedback("verdict+reveal")))
    for move, said in moves:
        if move == 0:
            path.add(User(item_parts(path.state)))
        elif move == 1:
            path.add(User(due(path.state, WORDS)))
        else:
            bodies = [Call(), Reply(text("ANSWER: 11")), Assistant(text("x")), System(text("y")), User()]
            path.said[path.add(bodies[move - 2]).id] = said
        state = path.state
        assert 0 <= state.used <= len(state.attempts)
        assert state.left is None or state.left >= 0
        assert len(state.standing) <= 3
        assert (state.score_true, state.score_shown, state.tally()) is not None


def item_parts(state: State) -> tuple[Part, ...]:
    return (item(state, WORDS, state.next_puzzle, state.posed + 1),) if state.next_puzzle else ()


def test_two_scores_are_kept_apart():
    path = Path().pose().hear(answers(11)).pose().hear(answers(99))
    first, second = path.state.attempts
    told = [reveal(first, WORDS, "21", via="fake", author=Origin.TEMPLATE, numbered=False), verdict(second, WORDS, "99")]
    path.pose(*told)
    assert (path.state.score_true, path.state.score_shown) == (1, 1)
    assert path.state.attempts[-1].score_shown == 1
    assert [a.shown_right for a in path.state.attempts[:2]] == [False, True]


def test_a_batch_spends_lifelines_in_the_order_of_its_puzzles():
    blocks = "\n\n".join(f"PUZZLE {i}\n{LIFELINE}" for i in (1, 2, 3))
    path = Path(plan(presentation="batch", lifelines=2)).pose().hear(blocks)
    assert [str(a.outcome) for a in path.state.attempts] == ["skipped", "skipped", "violated"]
    assert [path.said["n3"][f"p{i}", "attempt"]["left"] for i in (1, 2, 3)] == [2, 1, 0]


# What is due


@pytest.mark.parametrize("count", [1, 2, 5, 20])
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 1.0])
def test_mixed_keys_are_an_exact_share_fixed_by_the_seed(count: int, rate: float):
    arm = plan(feedback=Feedback("reveal", shown="mixed", fake_rate=rate))
    faked = []
    for seed in (1, 1, 2):
        state = Path(arm, count, seed).state
        keys = {puzzle.id: shown_key(state, puzzle) for puzzle in state.root.puzzles}
        faked.append({puzzle.id for puzzle in state.root.puzzles if keys[puzzle.id] != puzzle.answer.value})
        assert all(keys[p.id] in {p.answer.value, *(fake.value for fake in p.fakes)} for p in state.root.puzzles)
    assert faked[0] == faked[1]
    assert len(faked[0]) == round(rate * count)
    assert count < 20 or rate in (0.0, 1.0) or faked[0] != faked[2]


def test_a_puzzle_without_fakes_shows_its_true_key():
    path = Path(plan(feedback=Feedback("reveal", shown="fake")))
    bare = replace(path.state.root.puzzles[0], fakes=())
    assert shown_key(path.state, bare) == "11"


DUE = [
    (answers(11), ["correct", "11"]), (answers(99), ["incorrect", "11"]), (LIFELINE, ["11"]), ("Let me think.", ["11"]),
    ("I cannot help with that.", ["11"]), (BOTH, []),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "shown"), DUE)
def test_what_was_not_answered_gets_no_verdict_and_what_is_ambiguous_gets_nothing(reply: str, shown: list[str]):
    path = Path(plan(feedback=Feedback("verdict+reveal"))).pose().hear(reply)
    assert [part.shown for part in due(path.state, WORDS)] == shown


def test_a_violation_is_not_revealed_before_the_puzzle_is_posed_again():
    path = Path(plan(feedback=Feedback("reveal"), lifelines=0)).pose().hear(LIFELINE)
    assert due(path.state, WORDS) == ()


# Words


@pytest.mark.parametrize("order", ["answer-first", "skip-first"])
def test_the_form_asks_for_what_the_plan_asks_and_mentions_skipping_only_where_it_is_offered(order: str):
    assert labels(plan(ask=("difficulty",)), order).splitlines()[1:] == ["ANSWER: your answer", "DIFFICULTY: 1-10"]
    assert labels(plan(ask=(), lifelines=None), order) == "ANSWER: your answer"
    first = {"answer-first": "ACTION: ANSWER | PASS", "skip-first": "ACTION: PASS | ANSWER"}[order]
    assert labels(plan(lifeline_word="pass"), order).splitlines()[0] == first
    root = Root(puzzles=puzzles(3), option_order=order)
    said = plain(rules(plan(lifelines=None), WORDS, root).spans).casefold()
    assert not any(word in said for word in ("lifeline", "skip", "action"))
    assert "You have 1 lifeline." in plain(rules(plan(lifelines=1), WORDS, root).spans)


@pytest.mark.parametrize("first", range(5))
def test_the_order_of_the_options_is_balanced_over_any_seeds_that_follow_each_other(first: int):
    orders = [plan_option_order(plan(), seed) for seed in range(first, first + 6)]
    assert orders.count("answer-first") == orders.count("skip-first") == 3
    assert plan_option_order(plan(lifelines=None), first) == ""


def test_a_session_without_a_stored_order_goes_on_as_the_first_version_drew_it():
    drawn = {seed: option_order(Root(seed=seed)) for seed in range(40)}
    assert set(drawn.values()) == {"answer-first", "skip-first"}
    assert all((order == "skip-first") == (draw(seed, "options") < 0.5) for seed, order in drawn.items())


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("first", [0, 1, 6])
def test_an_exact_share_gets_a_fake_and_the_first_puzzle_in_its_share_of_the_seeds(rate: float, first: int):
    arm, items = plan(feedback=Feedback("reveal", shown="mixed", fake_rate=rate)), puzzles(8)
    planned = [plan_fakes(arm, items, seed) for seed in range(first, first + 16)]
    assert {len(fakes) for fakes in planned} == {round(rate * 8)}
    assert sum("p1" in fakes for fakes in planned) == rate * 16
    assert all(fakes[each.id] in {fake.value for fake in each.fakes} for fakes in planned for each in items if each.id in fakes)
    with_orders = {(plan_option_order(arm, seed), "p1" in plan_fakes(arm, items, seed)) for seed in range(first, first + 16)}
    assert len(with_orders) == (2 if rate in (0, 1) else 4), "the first fake does not go with the order of the options"


# What is sent


def test_turns_of_one_side_are_merged_and_empty_ones_left_out():
    bodies = [Root(), System(text("S")), User((Part(PartKind.FREE, text("a")), Part(PartKind.FREE, text("b")))), Call(), Reply(),
              User((Part(PartKind.FREE, text("c")),)), Call(), Reply(text("r")), Assistant(text("f"))]  # fmt: skip
    assert [(m["role"], m["content"]) for m in render(bodies, CHAT).messages] == [
        ("system", "S"), ("user", "a\n\nb\n\nc"), ("assistant", "r\n\nf"),
    ]  # fmt: skip
    prompt = "S\n\n### Operator\na\n\nb\n\nc\n\n### Subject\nr\n\nf"
    assert render(bodies, BASE).prompt == prompt
    assert (
        render([*bodies, User((Part(PartKind.FREE, text("d")),))], BASE).prompt == f"{prompt}\n\n### Operator\nd\n\n### Subject\n"
    )


def test_a_later_root_begins_anew_and_shares_nothing():
    bodies = [Root(), User((Part(PartKind.FREE, text("a")),)), Root(), User((Part(PartKind.FREE, text("b")),))]
    assert [m["content"] for m in render(bodies, CHAT).messages] == ["b"]


def test_a_digest_changes_with_any_character_and_not_with_annotations_or_calls():
    path = Path().pose()
    said = render((node.body for node in path.nodes[:-1]), CHAT).digest
    assert call_digest(path.nodes) == said
    path.nodes[-1] = replace(path.nodes[-1], body=Call(renderer="chat-9"))
    assert call_digest(path.nodes) is None
    other = Path().pose()
    parts = [replace(part, spans=(*part.spans, Span(" ", Origin.TEMPLATE))) for part in other.nodes[1].body.parts]
    assert render([User(tuple(parts))], CHAT).digest != said


# What is read into a reply


CUT_OFF = [status for status in Status if status is not Status.COMPLETE and status not in FAILED]


@pytest.mark.parametrize("status", sorted(FAILED))
def test_a_call_that_failed_is_no_attempt_and_nothing_is_said_to_be_truncated(status: Status):
    for words in (answers(11), LIFELINE, ""):
        path = Path().pose().hear(words, status)
        (attempt,) = path.state.attempts
        assert (attempt.outcome, attempt.failed, attempt.flags, attempt.unread) == (Phase.FAILED, True, (), False)
        assert path.state.tally() == Tally()
        assert not path.state.readable
        assert [field for _, field in path.said["n3"]] == ["failed"]


def test_of_a_batch_whose_call_failed_what_was_read_before_counts():
    blocks = "PUZZLE 1\nANSWER: 11\n\nPUZZLE 2\nANSWER: 1"
    path = Path(plan(presentation="batch")).pose().hear(blocks, Status.ERROR)
    assert [(a.grade, a.failed) for a in path.state.attempts] == [("right", False), (None, True), (None, True)]
    assert (path.state.tally().attempts, path.state.score_true) == (1, 1)


@pytest.mark.parametrize("status", CUT_OFF)
def test_an_incomplete_reply_is_ungradable_whatever_it_says(status: Status):
    for words in (answers(11), answers(99), LIFELINE, ""):
        attempt = Path().pose().hear(words, status).state.attempts[0]
        assert (attempt.grade, attempt.action, attempt.outcome) == ("ungradable", "unparsed", Phase.UNPARSED)


def test_in_a_batch_that_was_cut_off_only_whole_blocks_count():
    blocks = "PUZZLE 1\nANSWER: 11\n\nPUZZLE 2\nANSWER: 1"
    path = Path(plan(presentation="batch")).pose().hear(blocks, Status.TRUNCATED)
    assert [a.grade for a in path.state.attempts] == ["right", "ungradable", "ungradable"]
    assert [path.said["n3"][f"p{i}", "attempt"]["status"] for i in (1, 2, 3)] == ["truncated"] * 3


def test_an_attempts_facts_name_what_came_before_it():
    path = Path().pose().hear(answers(99))
    told = reveal(path.state.attempts[0], WORDS, "21", via="fake", author=Origin.TEMPLATE, numbered=False)
    facts = path.pose(told).hear(answers(12)).said["n6"]["p2", "attempt"]
    wanted = {"prev_feedback_kind": "reveal", "prev_truthful": False, "prev_grade": "wrong", "position": 2, "attempt_no": 1, "n": 3,
              "lifelines_offered": 3, "lifelines_left": 3, "item": "n4", "call": "n5", "score_shown": 0, "origin": "model"}  # fmt: skip
    assert {name: facts[name] for name in wanted} == wanted


def test_what_was_told_is_noted_once_an_attempt_with_its_key_and_truth():
    path = Path(plan(feedback=Feedback("verdict+reveal", shown="fake"))).pose().hear(answers(11))
    (remark,) = told_remarks(User(due(path.state, WORDS)), "main")
    assert (remark.node, remark.puzzle, remark.value["kind"], remark.value["truthful"]) == ("n3", "p1", "verdict+reveal", False)
    assert remark.value["shown"] in ("21", "31")


def test_a_self_score_is_a_claim_of_a_complete_reply_only():
    path = Path().pose().hear(answers(11))
    path.add(User((Part(PartKind.PROBE, text("How many?"), via="self-score"),)))
    path.add(Call(renderer=CHAT))
    claims = [
        judge(path.state, Reply(text("COUNT: 2\nWHICH: 1"), status=status), None, "")
        for status in (Status.COMPLETE, Status.TRUNCATED, Status.ERROR)
    ]
    read = [[(r.field, r.value) for r in each if r.field == "claim"] for each in claims]
    assert read == [[("claim", {"count": 2, "which": [1]})], [], []]
    assert [[r.value["status"] for r in each if r.field == "claim_facts"] for each in claims] == [["complete"], ["truncated"], []]


def test_a_forged_turn_is_read_as_the_subject_will_read_it_but_is_not_its_own():
    path = Path().pose()
    before = path.state
    forged = Assistant(text(answers(11), Origin.FORGED), How.FORGED)
    remarks = judge(before, forged, None, "b")
    node = path.add(forged)
    path.said[node.id] = {(r.puzzle or "", r.field): r.value for r in remarks}
    assert path.said[node.id]["p1", "attempt"]["origin"] == "forged"
    assert (path.state.score_true, path.state.score_shown, path.state.forged) == (0, 1, 1)


@given(st.integers(), st.integers(1, 30))
def test_shuffling_loses_nothing_and_follows_its_seed(seed: int, count: int):
    assert sorted(shuffled(range(count), seed)) == list(range(count))
    assert shuffled(range(count), seed) == shuffled(range(count), seed)


def test_every_body_is_of_one_kind():
    assert set(KIND_OF.values()) == set(Kind)
