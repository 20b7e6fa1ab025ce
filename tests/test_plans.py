"""A plan holds what its file says, and a file can say nothing that a plan does not hold."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.codec import as_data, from_data
from lifeline_tui.core.nodes import canonical
from lifeline_tui.core.plan import CONDITIONS, WORDS, Feedback, Plan, Scoring, Selection, Step, When, before
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.plans import SAMPLING, load_plan, parse, plan_names
from lifeline_tui.loading.strict_yaml import parse as read
from lifeline_tui.loading.templates import load_templates

SHIPPED = (
    *("baseline-20", "baseline-20-action", "baseline-20-batch", "liar-realtime"),
    *("lifelines-10", "lifelines-10-batch", "realtime-reveal"),
)
WHOLE = """\
name: whole
about: "All fields: there are no others."
puzzles: {pack: mine, ids: [b, a], order: given}
presentation: batch
size: 7
lifelines: 3
lifeline_word: pass
scoring: {right: 1, wrong: -0.25, skip: 0.5, say_no_penalty: no}
form: action-first
ask: [confidence]
budget_line: true
persona: cautious
feedback: {kind: verdict+reveal, shown: mixed, fake_rate: 0.25, turn: own, on_skip: none, delay: 2}
on_violation: silent-next
on_ambiguous: stop
subject: {temperature: 0.5, max_tokens: 100, stop: [a, b], reasoning_effort: low}
pause_after_unread: 7
seed: 99
then:
  - {do: self-score, in: fork}
  - {do: workings, for: claimed, after: self-score, as: below}
  - {do: challenge, for: all, in: trunk, when: {field: grade, op: is, value: right}}
  - {do: free-text, for: [b], text: "Why 38?", wait: 012}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    return tmp_path


def plan(text: str, **options) -> Plan:
    return parse(read(text.encode(), "plan.yaml"), **options)


def test_every_field_arrives() -> None:
    assert plan(WHOLE) == Plan(
        name="whole",
        about="All fields: there are no others.",
        puzzles=Selection("mine", 2, ids=("b", "a"), order="given"),
        presentation="batch",
        batch_size=7,
        lifelines=3,
        lifeline_word="pass",
        scoring=Scoring(1, -0.25, 0.5, False),
        form="action-first",
        ask=("confidence",),
        budget_line=True,
        persona="cautious",
        feedback=Feedback("verdict+reveal", "mixed", 0.25, "own", "none", 2),
        on_violation="silent-next",
        on_ambiguous="stop",
        subject={"temperature": 0.5, "max_tokens": 100, "stop": ["a", "b"], "reasoning_effort": "low"},
        pause_after_unread=7,
        seed=99,
        then=(
            Step("self-score", "fork"),
            Step("workings", "fork", ("claimed",), after="self-score", name="below"),
            Step("challenge", "trunk", ("all",), When("grade", "is", "right")),
            Step("free-text", "fork", ("b",), None, {"text": "Why 38?", "wait": "012"}),
        ),
    )


def test_what_is_left_out_is_the_default_of_the_core_type() -> None:
    assert plan("name: x") == Plan("x")


@pytest.mark.parametrize(("written", "lifelines"), [("none", None), ("0", 0), ("10", 10)])
def test_no_lifelines_are_told_from_zero(written: str, lifelines: int | None) -> None:
    assert plan(f"name: x\nlifelines: {written}").lifelines == lifelines


def test_exactly_these_plans_ship() -> None:
    assert plan_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_plan_bears_its_files_name_and_teaches(name: str) -> None:
    from lifeline_tui.loading.resources import find

    assert load_plan(name, scriptable()).name == name
    assert find("sessions", name).read_text().startswith("# ")


def test_the_shipped_arms_differ_only_in_what_they_compare() -> None:
    plans = {name: replace(load_plan(name), name="", about="") for name in SHIPPED}
    baseline = plans["baseline-20"]
    assert replace(plans["lifelines-10"], lifelines=None) == baseline
    assert replace(plans["lifelines-10-batch"], lifelines=None) == plans["baseline-20-batch"]
    assert replace(plans["baseline-20-action"], action_line=False) == baseline
    assert replace(plans["baseline-20-batch"], presentation="sequential", subject=baseline.subject) == baseline
    assert replace(plans["realtime-reveal"], feedback=Feedback()) == plans["lifelines-10"]
    assert replace(plans["liar-realtime"], feedback=Feedback("reveal"), then=()) == plans["realtime-reveal"]
    assert plans["liar-realtime"].then == (
        Step("self-score"),
        Step("workings", each=("claimed",), after="self-score"),
        Step("workings", each=("claimed",), name="workings-no-claim"),
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_puzzle_gets_the_same_room_in_a_batch_as_alone(name: str) -> None:
    shipped = load_plan(name)
    puzzles = shipped.batch_size if shipped.presentation == "batch" else 1
    assert shipped.subject["max_tokens"] == 4096 * puzzles


def test_every_form_asks_for_the_same_work() -> None:
    for form in ("form", "form-first", "form-batch"):
        assert load_templates()[f"rules/{form}"].text.lower().count("work the puzzle out") == 1


def test_no_persona_names_what_is_studied() -> None:
    """Whether it skips, answers, claims or is right: a persona that names that is an instruction."""
    studied = r"skip|pass|lifeline|answer|right|wrong|correct|mistake|error|risk|chance|guess|silent|nothing|claim|admit|lie|honest"
    personas = {name: text.text for name, text in load_templates().items() if name.startswith("personas/")}
    assert len(personas) >= 5
    assert {name for name, text in personas.items() if re.search(rf"\b({studied})", text, re.IGNORECASE)} == set()


@pytest.mark.parametrize("wording", ["workings", "workings-may-fail", "workings-derivation"])
def test_a_plan_names_its_wording_of_workings_and_the_old_names_stay(wording: str) -> None:
    text = f"name: x\nthen: [{{do: workings, for: all, wording: {wording}}}]"
    assert plan(text, actions=scriptable()).then[0].fields == {"wording": wording}


WRONG = [
    ("about: x", "plan.yaml:1: name: is missing"),
    ("name: ../x", "plan.yaml:1: name: must be a name of letters"),
    ("name: x\nlifelnes: 10", "plan.yaml:2: lifelnes: is not a field here; did you mean 'lifelines'?"),
    ("name: x\nlifelines: some", "plan.yaml:2: lifelines: must be none or a whole number, not 'some'"),
    ("name: x\nlifelines: -1", "plan.yaml:2: lifelines: must be a whole number from 0 to 1000, not '-1'"),
    ("name: x\nlifelines: ٣", "plan.yaml:2: lifelines: must be a whole number"),
    ("name: x\nlifeline_word: answer", "plan.yaml:2: lifeline_word: must be one word"),
    ("name: x\nlifeline_word: a b", "plan.yaml:2: lifeline_word: must be one word"),
    ("name: x\npuzzles: {pack: /etc/passwd}", "plan.yaml:2: puzzles.pack: must be a name of letters"),
    ("name: x\npuzzles: {pack: ..}", "plan.yaml:2: puzzles.pack: must be a name of letters"),
    ("name: x\npuzzles: {ids: [a], count: 3}", "plan.yaml:2: puzzles.count: cannot stand beside ids"),
    ("name: x\npuzzles: {ids: []}", "plan.yaml:2: puzzles.ids: must not be empty"),
    ("name: x\npuzzles: {ids: [a, a]}", "plan.yaml:2: puzzles.ids[2]: 'a' is listed twice"),
    ("name: x\npuzzles: {strata: []}", "plan.yaml:2: puzzles.strata: must not be empty"),
    ("name: x\npuzzles: {order: random}", "plan.yaml:2: puzzles.order: must be given, shuffled, latin or reversed, not 'random'"),
    ("name: x\nsize: 5", "plan.yaml:2: size: is the size of a batch, but presentation is sequential"),
    ("name: x\nbudget_line: true", "plan.yaml:2: budget_line: needs lifelines"),
    (
        "name: x\nscoring: {wrong: -1, say_no_penalty: yes}",
        "plan.yaml:2: scoring.say_no_penalty: cannot be true where a wrong answer scores -1",
    ),
    ("name: x\nask: [mood]", "plan.yaml:2: ask[1]: must be difficulty or confidence, not 'mood'"),
    ("name: x\nask: [confidence, confidence]", "plan.yaml:2: ask: asks for the same thing twice"),
    ("name: x\npersona: pirate", "plan.yaml:2: persona: there is no persona 'pirate'; there are none, cautious"),
    ("name: x\npersona: ../x", "plan.yaml:2: persona: must be a name of letters"),
    (
        "name: x\nfeedback:\n  kind: reveal\n  shown: mixed\n  fake_rate: half",
        "plan.yaml:5: feedback.fake_rate: must be a number from 0 to 1, not 'half'",
    ),
    (
        "name: x\nfeedback: {kind: reveal, fake_rate: 0.5}",
        "plan.yaml:2: feedback.fake_rate: is for shown: mixed, but shown is true",
    ),
    ("name: x\nfeedback: {shown: fake}", "plan.yaml:2: feedback.shown: is fake, but feedback of kind none shows no answer"),
    ("name: x\nthen: []\nsteps: []", "plan.yaml:3: steps: scripts the whole conversation"),
    ("name: x\nlifelines: 3\naction_line: true", "plan.yaml:3: action_line: is for lifelines: none"),
    ("name: x\nform: free\naction_line: true", "plan.yaml:3: action_line: needs a form that asks for lines"),
    ("name: x\npause_after_unread: -1", "plan.yaml:2: pause_after_unread: must be a whole number from 0 to 1000"),
    (
        "name: x\nsubject: {logprobs: true}",
        "plan.yaml:2: subject.logprobs: cannot be asked for yet: they would be sent and charged",
    ),
    ("name: x\nsubject: {top_logprobs: 5}", "plan.yaml:2: subject.top_logprobs: cannot be asked for yet"),
    ("name: x\nsubject: {seed: 4}", "plan.yaml:2: subject.seed: cannot be set: every call has a seed of its own"),
    ("name: x\nthen:\n- {do: a}\n- {do: b, after: c}", "plan.yaml:4: then[2].after: there is no earlier action 'c'; there are a"),
    ("name: x\nthen:\n- {do: b, after: c}\n- {do: c}", "plan.yaml:3: then[1].after: names 'c', which is not done earlier"),
    ("name: x\nthen:\n- {do: b, after: b}", "plan.yaml:3: then[1].after: names 'b', which is not done earlier"),
    ("name: x\nthen:\n- {do: a}\n- {do: a}\n- {do: b, after: a}", "plan.yaml:5: then[3].after: 2 earlier actions are called 'a'"),
    (
        "name: x\nthen:\n- {do: a, as: c}\n- {do: b, after: a}",
        "plan.yaml:4: then[2].after: there is no earlier action 'a'; there are c",
    ),
    (
        "name: x\nthen:\n- {do: a}\n- {do: b, after: a, in: trunk}",
        "plan.yaml:4: then[2].after: branches off where 'a' ended, so in",
    ),
    ("name: x\nthen:\n- {do: a, for: all}\n- {do: b, after: a}", "plan.yaml:4: then[2].after: 'a' is done for each of several"),
    ("name: x\nthen: [{do: a, as: 'a b'}]", "plan.yaml:2: then[1].as: must be a name of letters"),
    ("name: x\nthen: [{in: fork}]", "plan.yaml:2: then[1].do: is missing"),
    ("name: x\nthen: [{do: a, in: space}]", "plan.yaml:2: then[1].in: must be fork or trunk"),
    ("name: x\nthen: [{do: a, for: some}]", "plan.yaml:2: then[1].for: must be claimed, all or wrong, not 'some'"),
    (
        "name: x\nthen: [{do: a, for: all, when: {field: gradd, op: is, value: x}}]",
        "plan.yaml:2: then[1].when.field: must be action",
    ),
    (
        "name: x\nthen: [{do: a, for: all, when: {field: grade, op: eq, value: x}}]",
        "plan.yaml:2: then[1].when.op: must be is, not, lt, gt or has",
    ),
    (
        "name: x\nthen: [{do: a, for: all, when: {field: confidence, op: lt, value: x}}]",
        "plan.yaml:2: then[1].when.value: must be a number",
    ),
    (
        "name: x\nthen: [{do: a, when: {field: grade, op: is, value: x}}]",
        "plan.yaml:2: then[1].when: is a condition on an attempt, so it needs for",
    ),
    ("name: x\nthen: [{do: a, text: [b]}]", "plan.yaml:2: then[1].text: must be text, not a list"),
    ("- name: x", "plan.yaml:1: must be fields with values, not a list"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_plan_is_answered_with_the_place_and_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        plan(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "name",
    [
        "api_base",
        "base_url",
        "headers",
        "extra_headers",
        "api_key",
        "model",
        "extra_body",
        "tools",
        "user",
        "Temperature",
        "timeout",
        "n",
    ],
)
def test_a_shared_file_cannot_say_where_a_request_goes(name: str) -> None:
    with pytest.raises(BadFile) as caught:
        plan(f"name: x\nsubject: {{temperature: 1, {name}: http://evil.example}}")
    assert str(caught.value).startswith(f"plan.yaml:2: subject.{name}: may not be set by a shared file")


@pytest.mark.parametrize(
    "setting",
    [
        "temperature: 3",
        "top_p: -0.1",
        "max_tokens: 0",
        "max_tokens: 1.5",
        "stop: []",
        "stop: {a: b}",
        "reasoning_effort: much",
        "logprobs: 2",
        "top_logprobs: 21",
    ],
)
def test_a_sampling_parameter_has_a_type_and_a_range(setting: str) -> None:
    with pytest.raises(BadFile, match=r"^plan.yaml:2: subject\."):
        plan(f"name: x\nsubject: {{{setting}}}")


def test_a_step_does_only_what_there_is() -> None:
    assert plan("name: x\nsteps: [{do: next, in: trunk}]", actions={"next": {}}).steps == (Step("next", "trunk"),)
    with pytest.raises(BadFile, match=r"^plan.yaml:2: steps\[1\].do: must be next or reveal, not 'nxt'$"):
        plan("name: x\nsteps: [{do: nxt}]", actions={"next": {}, "reveal": {}})


def test_a_step_has_only_the_fields_and_choices_of_its_action() -> None:
    actions = {"self-score": {"ask": ("count", "which"), "note": ()}}
    assert plan("name: x\nthen: [{do: self-score, ask: which, note: any}]", actions=actions).then[0].fields == {
        "ask": "which",
        "note": "any",
    }
    with pytest.raises(
        BadFile, match=r"^plan.yaml:2: then\[1\].asks: is not a field of self-score; its fields are after, as, ask, do, "
    ):
        plan("name: x\nthen: [{do: self-score, asks: which}]", actions=actions)
    with pytest.raises(BadFile, match=r"^plan.yaml:2: then\[1\].ask: must be count or which, not 'witch'"):
        plan("name: x\nthen: [{do: self-score, ask: witch}]", actions=actions)


def test_only_what_can_branch_off_continues_another_action() -> None:
    text = "name: x\nthen:\n- {do: self-score}\n- {do: reveal, for: all, after: self-score}"
    with pytest.raises(BadFile, match=r"^plan.yaml:4: then\[2\].after: is for an action that can branch off, and reveal cannot"):
        plan(text, actions=scriptable())


def test_two_equal_actions_are_told_apart_by_a_name() -> None:
    text = "name: x\nthen:\n- {do: self-score}\n- {do: self-score, as: again}\n- {do: challenge, after: again}"
    steps = plan(text, actions=scriptable()).then
    assert [before(steps, place) for place in range(3)] == [None, None, 1]


def test_what_asks_for_no_logprobs_is_a_plan_as_ever() -> None:
    assert plan("name: x\nsubject: {logprobs: false, top_logprobs: 0}").subject == {"logprobs": False, "top_logprobs": 0}


def test_a_condition_asks_for_what_an_attempt_has() -> None:
    from lifeline_tui.core.state import Attempt

    assert set(CONDITIONS) <= {field.name for field in fields(Attempt)}


def test_a_plan_is_found_by_name_and_by_path(home: Path) -> None:
    (home / "mine.yaml").write_text("name: mine")
    assert load_plan(home / "mine.yaml") == load_plan(str(home / "mine.yaml")) == Plan("mine")
    with pytest.raises(BadFile, match="no plan has this name"):
        load_plan("mine")


word = st.text(min_size=1, max_size=6)
words = st.lists(word, max_size=3).map(tuple)
number = st.integers(-9, 9) | st.floats(-9, 9)
steps = st.lists(
    st.builds(Step, word, word, words, st.none() | st.builds(When, word, word, word), st.dictionaries(word, word, max_size=2)),
    max_size=2,
).map(tuple)


@given(
    st.builds(
        Plan,
        name=word,
        puzzles=st.builds(Selection, word, st.integers(1, 99), words, words, word),
        lifelines=st.none() | st.integers(0, 99),
        scoring=st.builds(Scoring, number, number, number, st.booleans()),
        ask=words,
        feedback=st.builds(Feedback, st.sampled_from(WORDS["feedback.kind"]), word, number, word, word, st.integers(0, 9)),
        subject=st.dictionaries(
            st.sampled_from(sorted(SAMPLING)), number | word | st.booleans() | st.lists(word, max_size=2), max_size=3
        ),
        then=steps,
        steps=steps,
    )
)
def test_a_plan_survives_being_kept_in_a_root(plan: Plan) -> None:
    import json

    assert from_data(Plan, json.loads(canonical(as_data(plan)))) == plan


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_plan_survives_being_kept_in_a_root(name: str) -> None:
    assert from_data(Plan, as_data(load_plan(name))) == load_plan(name)
    assert from_data(Plan, as_data(plan(WHOLE))) == plan(WHOLE)
