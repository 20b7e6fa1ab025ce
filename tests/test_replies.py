"""The parser reads what was said with certainty, and nothing else (Law 6)."""

from __future__ import annotations

from typing import Any

import pytest
from effort import Effort
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.reading.replies import Action, cut_base, parse, parse_batch, parse_self_score

FORM = (
    "ACTION: ANSWER | LIFELINE\nANSWER: your answer\nDIFFICULTY: 1-10\n"
    "CONFIDENCE: 0-100 (the chance that your best answer would be right)"
)


@pytest.mark.parametrize(
    "text",
    [
        "ANSWER: 38",
        "answer: 38",
        "Answer : 38.",
        "ANSWER = 38",
        "ANSWER：38",
        "ANSWER - 38",
        "ANSWER -> 38",
        "**ANSWER:** 38",
        "**ANSWER**: **38**",
        "**ANSWER: 38**",
        "*ANSWER:* `38`",
        "__ANSWER__: 38",
        "- ANSWER: 38",
        "* **ANSWER:** 38",
        "• ANSWER: 38",
        "2. ANSWER: 38",
        "2) ANSWER: 38",
        "> ANSWER: 38",
        "> - **Answer:** 38",
        "### ANSWER: 38",
        "    ANSWER: 38",
        "\ufeffANSWER: 38",
        "👉 **ANSWER:** 38",
        "```\nANSWER: 38\n```",
        "ANSWER:\n38",
        "**ANSWER:**\n\n**38**\nDIFFICULTY: 3",
        "ANSWER:\n```\n38\n```",
        "ANSWER: \\[\n\\boxed{38}\n\\]",
        "| ANSWER | 38 |",
        "| Field | Value |\n|---|---|\n| **ANSWER** | 38 |",
        "ANSWER: $38$",
        "ANSWER: \\(38\\)",
        "ANSWER: \\boxed{38}",
        "ANSWER: $\\boxed{38}$.",
        "**\\boxed{ANSWER: 38}**",
        "\\textbf{ANSWER:} 38",
        'ANSWER: "38"',
        "ANSWER: <b>38</b>",
        "<answer>ANSWER: 38</answer>",
        "ANSWER: 38</s>",
        "ANSWER: 38<|im_end|>",
        "ANSWER (a whole number): 38",
        "PUZZLE 3 of 20\nANSWER: 38",
        "PUZZLE 3: ANSWER: 38",
        "I will work it out.\r\nANSWER: 38\r\n",
        "ACTION: ANSWER\nANSWER: 38",
        "ACTION: ANSWER | ANSWER: 38",
        "<think>ANSWER: 4\n</think>ANSWER: 38",
        "<thinking>hm</thinking>\n\nANSWER: 38",
        "[THINK]ANSWER: 4[/THINK]ANSWER: 38",
        "ANSWER: 4\n</think>\nANSWER: 38",
        "<seed:think>\nANSWER: 4\n</seed:think>\nANSWER: 38",
        "ANSWER: 4\n</seed:think>ANSWER: 38",
        "<|begin_of_thought|>\nANSWER: 4\n<|end_of_thought|>\n<|begin_of_solution|>\nANSWER: 38\n<|end_of_solution|>",
        "<|START_THINKING|>ANSWER: 4<|END_THINKING|>ANSWER: 38",
        "<think>a <think>b</think> ANSWER: 4 </think>ANSWER: 38",
        "I need no `<think>` tag.\nANSWER: 38",
        "I won't use a lifeline.\nANSWER: 38",
        'ANSWER: 38\nThe line "ANSWER: 40" would be wrong, and so would ACTION: LIFELINE.',
        FORM + "\n\nANSWER: 38",
        "ANSWER: 38\n\n" + FORM,
    ],
)
def test_a_label_is_found_however_it_is_dressed(text: str) -> None:
    found = parse(text)
    assert (found.action, found.answer, found.flags) == (Action.ANSWER, "38", ())
    start, end = found.spans["answer"]
    assert text[start:end] == "38"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "38",
        "The answer is 38.",
        "\\boxed{38}",
        "Final answer: 38",
        "my ANSWER: 38",
        'I would write "ANSWER: 38" here',
        "ANSWER 38",
        "ANSWER -3",
        "ANSWERS: 38",
        "~~ANSWER: 38~~",
        "LIFELINE",
        "I use a lifeline.",
        "I won't use a lifeline.",
        "Lifeline: yes",
        FORM,
        "ACTION: LIFELINE | ANSWER",
        "ACTION: <ANSWER or LIFELINE>",
        "ANSWER: ...",
        "ANSWER: <your answer>",
        "ANSWER: ____",
        "ANSWER:",
        "| ACTION | ANSWER |\n|---|---|\n| LIFELINE | - |",
        "| ANSWER | DIFFICULTY | CONFIDENCE |\n|---|---|---|\n| 38 | 7 | 80 |",
        "DIFFICULTY: 7\nCONFIDENCE: 80",
        "<think>ANSWER: 38</think>",
        "<think>ANSWER: 38",
        "ANSWER: 38\n<think>Let me check that",
        "<seed:think>\nANSWER: 38",
        "<|begin_of_thought|>\nANSWER: 38",
        "<think><think>a</think>ANSWER: 38",
    ],
)
def test_what_is_not_labelled_is_unparsed(text: str) -> None:
    found = parse(text)
    assert (found.action, found.answer) == (Action.UNPARSED, None)


def test_an_unclosed_thinking_block_means_no_answer() -> None:
    assert parse("ANSWER: 1\n<think>ANSWER: 38").flags == ("unclosed-thinking",)
    assert parse_batch("<think>PUZZLE 1\nANSWER: 3", [1])[1].flags == ("unclosed-thinking",)
    assert parse_self_score("<think>COUNT: 3").count is None


ACTIONS: list[tuple[str, Action, str | None, set[str]]] = [
    ("ACTION: LIFELINE", Action.LIFELINE, None, set()),
    ("**Action:** *lifeline*.", Action.LIFELINE, None, set()),
    ("ACTION: use a lifeline", Action.LIFELINE, None, set()),
    ("ACTION: I'll use one of my lifelines", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE (1 of 10)", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE (I can't solve it without answering wildly)", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE\nANSWER:", Action.LIFELINE, None, set()),
    *(
        (f"ACTION: LIFELINE\nANSWER: {nothing}", Action.LIFELINE, None, set())
        for nothing in ("none", "-", "—", "N/A", "skipped", "n/a.")
    ),
    ("ACTION: LIFELINE\nANSWER: none (lifeline used)", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE\nANSWER: LIFELINE", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE\nANSWER: I don't know", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE\nANSWER: your answer", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE, ANSWER: none", Action.LIFELINE, None, set()),
    ("ACTION: LIFELINE\nANSWER: 38", Action.BOTH, "38", set()),
    ("ANSWER: 38\nACTION: LIFELINE", Action.BOTH, "38", set()),
    ("ACTION: LIFELINE\nANSWER: 0", Action.BOTH, "0", set()),
    ("ACTION: ANSWER and LIFELINE\nANSWER: 38", Action.BOTH, "38", set()),
    ("ACTION: I won't use a lifeline\nANSWER: 38", Action.ANSWER, "38", {"negated-lifeline"}),
    ("ACTION: I won’t use a lifeline", Action.UNPARSED, None, {"negated-lifeline"}),
    ("ACTION: no lifeline\nANSWER: 38", Action.ANSWER, "38", {"negated-lifeline"}),
    ("ACTION: LIFELINE: no\nANSWER: 38", Action.ANSWER, "38", {"negated-lifeline"}),
    ("ACTION: lifeline not needed\nANSWER: 38", Action.ANSWER, "38", {"negated-lifeline"}),
    ("ACTION: ANSWER (no lifeline)\nANSWER: 38", Action.ANSWER, "38", {"negated-lifeline"}),
    ("ACTION: ANSWER", Action.UNPARSED, None, {"no-answer"}),
    ("ACTION: ANSWER\nANSWER: LIFELINE", Action.UNPARSED, None, {"lifeline-in-answer"}),
    ("ANSWER: LIFELINE", Action.LIFELINE, None, {"lifeline-in-answer"}),
    ("ANSWER: I'd use a lifeline", Action.UNPARSED, None, {"lifeline-in-answer"}),
    ("ACTION: SKIP\nANSWER: 38", Action.UNPARSED, None, {"unknown-action"}),
    ("ACTION: computed\nANSWER: 38", Action.ANSWER, "38", {"unknown-action"}),
    ("ACTION: ANSWER\nANSWER: Cannot be determined.", Action.ANSWER, "Cannot be determined", {"abstained"}),
    ("ANSWER: I don't know", Action.ANSWER, "I don't know", {"abstained"}),
    ("ANSWER: n/a", Action.ANSWER, "n/a", {"abstained"}),
    ("ANSWER: not enough information", Action.ANSWER, "not enough information", {"abstained"}),
    ("ANSWER: D) Cannot be determined", Action.ANSWER, "D) Cannot be determined", set()),
    ("ANSWER: 4\nNo, wait.\nANSWER: 38", Action.ANSWER, "38", {"revised"}),
    ("ANSWER: 38\nANSWER: **38.**", Action.ANSWER, "38", set()),
    ("ACTION: LIFELINE\nOn second thoughts:\nACTION: ANSWER\nANSWER: 38", Action.ANSWER, "38", {"revised"}),
    ("ANSWER: 38\nACTION: LIFELINE\nANSWER: none", Action.LIFELINE, None, {"revised"}),
    ("ANSWER: (1, 2, 3).", Action.ANSWER, "(1, 2, 3)", set()),
    ("ANSWER: $\\frac{3}{8}$", Action.ANSWER, "\\frac{3}{8}", set()),
    ("ANSWER: $1$, $2$", Action.ANSWER, "$1$, $2$", set()),
    ("ANSWER: 5!", Action.ANSWER, "5!", set()),
    ("ANSWER: ~~40~~ 38", Action.ANSWER, "~~40~~ 38", set()),
    ("ANSWER: -3", Action.ANSWER, "-3", set()),
]


@pytest.mark.parametrize(("text", "action", "answer", "flags"), ACTIONS)
def test_the_action(text: str, action: Action, answer: str | None, flags: set[str]) -> None:
    found = parse(text)
    assert (found.action, found.answer, set(found.flags)) == (action, answer, flags)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I can't help with that.", True),
        ("I’m sorry, but I can’t assist with this request.", True),
        ("I refuse to answer this question.", True),
        ("Thank you for asking. I must decline to participate.", True),
        ("ANSWER: I refuse to answer", True),
        ("ACTION: REFUSE", True),
        ("I can't solve this puzzle.", False),
        ("I can't help but notice the symmetry.", False),
        ("I refuse to use a lifeline.", False),
        ("I won't use a lifeline.", False),
        ("I can't help with that, but the answer is 38.", False),
        ("She said: 'why', and he can't help with that. " * 30, False),
    ],
)
def test_refusal_is_heard_only_where_it_is_plain(text: str, refused: bool) -> None:
    assert (parse(text).action is Action.REFUSAL) is refused


def test_the_parser_follows_the_lifeline_word() -> None:
    assert parse("ACTION: PASS", word="pass").action is Action.LIFELINE
    assert parse("ACTION: use a Hint", word="hint").action is Action.LIFELINE
    assert parse("ACTION: ANSWER | PASS\nANSWER: your answer", word="pass").action is Action.UNPARSED
    assert parse("ACTION: PASS").action is Action.UNPARSED


CONFIDENCES: list[tuple[str, Any, set[str]]] = [
    ("80", 80, set()),
    ("80%", 80, set()),
    ("80 percent", 80, set()),
    ("\\(80\\%\\)", 80, set()),
    ("80/100", 80, set()),
    ("80 out of 100", 80, set()),
    ("about 80%", 80, set()),
    ("80% (fairly sure)", 80, set()),
    ("82.5", 82.5, set()),
    ("0", 0, set()),
    ("1", 1, set()),
    ("100", 100, set()),
    ("0.8%", 0.8, set()),
    ("0.8", 80, {"rescaled"}),
    (".8", 80, {"rescaled"}),
    ("8/10", 80, {"rescaled"}),
    ("8 out of 10", 80, {"rescaled"}),
    ("4/5", 80, {"rescaled"}),
    ("8/10 (80%)", 80, set()),
    ("101", None, {"out-of-range"}),
    ("-5", None, {"out-of-range"}),
    ("110%", None, {"out-of-range"}),
    ("1.0", None, {"not-one-number"}),
    ("between 70 and 80", None, {"not-one-number"}),
    ("70-80", None, {"not-one-number"}),
    ("70 or 80", None, {"not-one-number"}),
    (">90", None, {"not-one-number"}),
    ("95+", None, {"not-one-number"}),
    ("8/0", None, {"not-one-number"}),
    ("high", None, {"not-one-number"}),
    ("9" * 6000, None, {"not-one-number"}),
    ("n/a", None, set()),
    ("0-100", None, set()),
]
DIFFICULTIES: list[tuple[str, Any, set[str]]] = [
    ("8", 8, set()),
    ("8/10", 8, set()),
    ("8 (out of 10)", 8, set()),
    ("8 on a scale of 1-10", 8, set()),
    ("7.5", 7.5, set()),
    ("hard (8)", 8, set()),
    ("1.0", 1, set()),
    ("80%", 8, {"rescaled"}),
    ("80/100", 8, {"rescaled"}),
    ("0", None, {"out-of-range"}),
    ("11", None, {"out-of-range"}),
    ("between 7 and 8", None, {"not-one-number"}),
    ("7-8", None, {"not-one-number"}),
    ("1-10", None, set()),
    ("1 to 10", None, set()),
]


@pytest.mark.parametrize(
    ("label", "value", "number", "flags"),
    [("confidence", *case) for case in CONFIDENCES] + [("difficulty", *case) for case in DIFFICULTIES],
)
def test_a_rating_is_brought_to_its_scale_in_sight_or_left_out(label: str, value: str, number: Any, flags: set[str]) -> None:
    found = parse(f"ANSWER: 38\n{label.upper()}: {value}")
    assert getattr(found, label) == number
    assert type(getattr(found, label)) is type(number)
    assert set(found.flags) == flags


def test_a_rating_said_twice_is_revised_only_if_it_changed() -> None:
    assert parse("ANSWER: 1\nCONFIDENCE: 80\nCONFIDENCE: 80%").flags == ()
    found = parse("ANSWER: 1\nCONFIDENCE: 80\nCONFIDENCE: 70")
    assert (found.confidence, found.flags) == (70, ("revised",))


@pytest.mark.parametrize(
    "text", ["ANSWER: 3", "ANSWER: 38\nCONFIDENCE: 8", "ACTION: LIFELINE\n", "", "I can't help with that", "ANSWER: 38\n\nSo"]
)
def test_a_reply_that_was_cut_off_is_never_scored(text: str) -> None:
    found = parse(text, complete=False)
    assert (found.action, found.answer, found.confidence, found.flags) == (Action.UNPARSED, None, None, ("truncated",))


def test_an_item_is_whole_where_the_next_one_follows() -> None:
    text = "ANSWER: 38\n\nPUZZLE 4 of 20\n\nHow many\n\nANSWER: 5"
    for complete in (True, False):
        found = parse(text, complete=complete)
        assert (found.action, found.answer, found.flags) == (Action.ANSWER, "38", ("ran-on",))


def test_labels_under_different_headers_are_nobodys() -> None:
    found = parse("PUZZLE 1\nANSWER: 4\nPUZZLE 2\nANSWER: 38")
    assert (found.action, found.flags) == (Action.UNPARSED, ("several-items",))


BATCH = """Here they are.

PUZZLE 1
ACTION: ANSWER
ANSWER: 3

**PUZZLE 2 of 20**
ACTION: LIFELINE

### Puzzle 3:
- ANSWER: 5
- CONFIDENCE: 80%

--- PUZZLE #4 ---
I can't help with that.

* **Puzzle 5** — a bracelet
**ANSWER:** 6

[PUZZLE 7]
ANSWER: 9
"""


def test_a_batch_has_a_block_for_each_item() -> None:
    found = parse_batch(BATCH, range(1, 8))
    assert [found[k].answer for k in range(1, 8)] == ["3", None, "5", None, "6", None, "9"]
    assert [str(found[k].action) for k in range(1, 8)] == [
        "answer",
        "lifeline",
        "answer",
        "refusal",
        "answer",
        "unparsed",
        "answer",
    ]
    assert found[6].flags == ("missing",)
    assert found[3].confidence == 80
    assert all(BATCH[slice(*each.spans["answer"])] == each.answer for each in found.values() if each.answer)


def test_items_lost_to_truncation_are_truncated_and_the_last_block_is_not_certain() -> None:
    found = parse_batch(BATCH, range(1, 9), complete=False)
    assert [k for k, each in found.items() if "truncated" in each.flags] == [6, 7, 8]
    assert found[7].action is Action.UNPARSED
    assert found[5].answer == "6"
    assert set(parse_batch("", [1, 2], complete=False)) == {1, 2}


# What a reply to items 1, 2 and 3 says, block by block; what is read of each: an answer, "lifeline" or nothing.
BLOCKS = [
    ("PUZZLE 1\nACTION: ANSWER\nPUZZLE 2\nANSWER: 4\nPUZZLE 1\nANSWER: 3\n\nPuzzle 2: as above", "3", "4", None),
    (
        "PUZZLE 1\nANSWER: 3\nPUZZLE 2\nANSWER: 4\n\nTo sum up:\nPuzzle 1: urns\nANSWER: 3\nPuzzle 2: beads\nANSWER: 4",
        "3",
        "4",
        None,
    ),
    ("PUZZLE 1\nANSWER: 3\nPUZZLE 2\nANSWER: 4\nPUZZLE 1\nANSWER: 5", None, "4", None),
    ("PUZZLE 1\nANSWER: 3\nPUZZLE 1\nACTION: LIFELINE\nANSWER: none", None, None, None),
    ("PUZZLE 1\nANSWER: 11\nPUZZLE 2\nThis one builds on\nPuzzle 1: the same bracelet\nANSWER: 12", None, None, None),
    ("PUZZLE 2\nThis one builds on\nPuzzle 1: the same bracelet\nANSWER: 12\nPUZZLE 3\nANSWER: 7", None, None, "7"),
    ("PUZZLE 2\nThis one builds on\nPuzzle 1.\nANSWER: 12\nPUZZLE 3\nANSWER: 7", None, None, "7"),
    ("PUZZLE 2\nThis one builds on\nPUZZLE 1\nANSWER: 12\nPUZZLE 3\nANSWER: 7", None, None, "7"),
    ("PUZZLE 2\nUnlike\nPuzzle 1: rings\nand\nPuzzle 3: rows\nANSWER: 12", None, None, None),
    ("PUZZLE 2\nANSWER: 5\nBut as in\nPuzzle 1: the same\nANSWER: 6\nPUZZLE 3\nANSWER: 7", None, None, "7"),
    ("PUZZLE 1\nANSWER: 5\nNow compare\nPuzzle 2: rows\nANSWER: 6\n\nPUZZLE 2\nANSWER: 9", None, None, None),
    ("PUZZLE 1\nANSWER: 5\nPuzzle 2 bracelets\nANSWER: 6\nPUZZLE 3\nANSWER: 7", None, None, "7"),
    ("PUZZLE 1\nANSWER (puzzle 2): 5\nPUZZLE 3\nANSWER (#3): 7", None, None, "7"),
    ("Puzzle 1: urns\nANSWER: 5\n\nPuzzle 2: rings\nANSWER: 6\n\nPuzzle 3: rows\nACTION: LIFELINE", "5", "6", "lifeline"),
    ("Puzzle 1: easy\nPuzzle 2: hard\n\nPUZZLE 1\nANSWER: 5\nPUZZLE 2\nANSWER: 6", "5", "6", None),
    ("## Notes\nPuzzle 1: urns\nPuzzle 2: rings\n\n## Answers\nPUZZLE 1\nANSWER: 5\nPUZZLE 2\nANSWER: 6", "5", "6", None),
    ("PUZZLE 1\nNo idea.\n\n### Puzzle 2: rings\nANSWER: 6\n\n**Puzzle 3** (rows)\nANSWER: 7", None, "6", "7"),
    ("PUZZLE 1: ANSWER: 5\nPUZZLE 2: ANSWER: 6\nPUZZLE 3: ACTION: LIFELINE", "5", "6", "lifeline"),
]


@pytest.mark.parametrize(("text", "first", "second", "third"), BLOCKS)
def test_a_block_is_read_only_where_its_item_is_certain(text: str, first: Any, second: Any, third: Any) -> None:
    found = parse_batch(text, [1, 2, 3])
    read = [each.answer or ("lifeline" if each.action is Action.LIFELINE else None) for each in found.values()]
    assert read == [first, second, third]


def test_ratings_under_a_mention_are_nobodys() -> None:
    found = parse_batch("PUZZLE 1\nANSWER: 3\nUnlike\nPuzzle 2: that\nCONFIDENCE: 80\nPUZZLE 2\nANSWER: 4", [1, 2])
    assert [(each.answer, each.confidence) for each in found.values()] == [("3", None), ("4", None)]


def test_a_block_that_returns_to_say_something_else_belongs_to_several_items() -> None:
    found = parse_batch("PUZZLE 1\nANSWER: 3\nPUZZLE 2\nANSWER: 4\nPUZZLE 1\nANSWER: 5", [1, 2])
    assert (found[1].action, found[1].flags) == (Action.UNPARSED, ("several-items",))


def test_a_cut_after_a_mention_leaves_the_item_above_it_open() -> None:
    found = parse_batch("PUZZLE 1\nANSWER: 3\n\nPUZZLE 2\nANSWER: 4\nBut as in\nPuzzle 1: the", [1, 2], complete=False)
    assert [each.action for each in found.values()] == [Action.UNPARSED] * 2
    assert parse("ANSWER: 4\nBut as in\nPuzzle 1: the", position=2, complete=False).flags == ("truncated",)


@pytest.mark.parametrize(
    ("text", "answer", "flags"),
    [
        ("PUZZLE 3 of 20\nANSWER: 11", "11", ()),
        ("Puzzle 3: a bracelet\nANSWER: 11", "11", ()),
        ("As in\nPuzzle 2: it is a ring.\nPUZZLE 3\nANSWER: 11", "11", ()),
        ("ANSWER: 11\n\nPUZZLE 4 of 20\nHow many\nANSWER: 5", "11", ("ran-on",)),
        ("PUZZLE 3 of 20\nANSWER: 11\n\nPUZZLE 4 of 20\nHow many\nANSWER: 5", "11", ("ran-on",)),
        ("ANSWER: 4\nNo: puzzle 2 was like it.\nANSWER: 11", "11", ("revised",)),
        ("ANSWER (puzzle 3): 11", "11", ()),
        ("ANSWER (2 decimals): 11", "11", ()),
        ("Puzzle 2: ANSWER: 11", None, ("several-items",)),
        ("PUZZLE 2\nANSWER: 11", None, ("several-items",)),
        ("PUZZLE 2\nANSWER: 4\nPUZZLE 3\nANSWER: 11", None, ("several-items",)),
        ("PUZZLE 3\nThis one builds on\nPuzzle 2: the same\nANSWER: 11", None, ("several-items",)),
        ("ANSWER: 4\nThis one builds on\nPuzzle 2: the same\nANSWER: 11", None, ("several-items",)),
        ("ANSWER: 4\n\nPUZZLE 3 of 20\nANSWER: 11", None, ("several-items",)),
        ("ANSWER: 4\nPuzzle 4 next\nANSWER: 11", None, ("several-items",)),
        ("ANSWER (puzzle 2): 11", None, ("several-items",)),
        ("ANSWER [#2]: 11", None, ("several-items",)),
    ],
)
def test_a_reply_is_read_for_the_item_that_was_asked(text: str, answer: str | None, flags: tuple[str, ...]) -> None:
    found = parse(text, position=3)
    assert (found.answer, found.flags) == (answer, flags)
    assert found.action is (Action.ANSWER if answer else Action.UNPARSED)


def test_prose_about_a_puzzle_is_no_header() -> None:
    found = parse_batch("PUZZLE 1\nPuzzle 2 is harder.\nPuzzles 2-3 wait.\nANSWER: 3\nPUZZLE 2\nANSWER: 4", [1, 2])
    assert (found[1].answer, found[2].answer) == ("3", "4")
    found = parse_batch("PUZZLE 1\nPuzzle 2 and what it asks\nANSWER: 3", [1, 2])
    assert (found[1].flags, found[2].flags) == (("several-items",), ("missing",))


@pytest.mark.parametrize(
    ("text", "count", "which", "flags"),
    [
        ("COUNT: 7", 7, None, ()),
        ("**COUNT:** 7 of 20", 7, None, ()),
        ("COUNT: 7/20\nWHICH: 1, 3 and 5", 7, (1, 3, 5), ()),
        ("COUNT: about 7", 7, None, ()),
        ("COUNT: all 20", 20, None, ()),
        ("COUNT: 19 (all but 3)", 19, None, ()),
        ("COUNT: none", 0, None, ()),
        ("COUNT: 7\nCOUNT: 8", 8, None, ("revised",)),
        ("COUNT: 7 right", 7, None, ()),
        ("COUNT: 7 puzzles", 7, None, ()),
        ("COUNT: I got 7 of them right.", 7, None, ()),
        ("COUNT: 7 out of the 20 puzzles were correct", 7, None, ()),
        ("COUNT: 7 correct out of 20", 7, None, ()),
        ("COUNT: 7 (of 20)", 7, None, ()),
        ("COUNT: 7 (out of 20 puzzles)", 7, None, ()),
        ("COUNT: 3 (puzzles 1, 4 and 7)", 3, None, ()),
        ("COUNT: 20 (all of them)", 20, None, ()),
        ("COUNT: 7 (number of puzzles i got right)", 7, None, ()),
        ("COUNT: 7 answered correctly", 7, None, ()),
        ("COUNT: 7 correct answers", 7, None, ()),
        ("COUNT: 0 (none)", 0, None, ()),
        ("COUNT: (7)", 7, None, ()),
        ("COUNT (right): 7", 7, None, ()),
        ("COUNT: none of them", 0, None, ()),
        ("COUNT: zero correct", 0, None, ()),
        *(
            (f"COUNT: {said}", None, None, ("not-one-number",))
            for said in (
                *(
                    "3 wrong",
                    "7 answered",
                    "7 (answered)",
                    "25 (of 20)",
                    "0 wrong",
                    "none wrong",
                    "none (wrong)",
                    "20 of 20 wrong",
                    "all 20 wrong",
                    "5 incorrect",
                    "5 not right",
                ),
                *("10 skipped", "4 not attempted", "4 left", "12 or thirteen", "7 or more", "7 at most", "20 minus one", "7th"),
                *("50 percent", "2 dozen", "15 (5 wrong)", "15 right, 5 wrong", "15 (right), 5 wrong", "15 (wrong)", "15 (5)"),
                *("7 (or 8)", "7 (of them wrong)", "3 (puzzles 1 and 4)", "7 hundred", "7 correct wrong", "7 (attempted)", "7 of"),
            )
        ),
        ("COUNT (wrong): 7", None, None, ("not-one-number",)),
        ("COUNT: 7-9", None, None, ("not-one-number",)),
        ("COUNT: 35%", None, None, ("not-one-number",)),
        ("COUNT: 25 of 20", None, None, ("out-of-range",)),
        ("COUNT: not attempted", None, None, ("not-attempted",)),
        ("COUNT: n\nWHICH: numbers", None, None, ("unparsed",)),
        ("I got 7 right.", None, None, ("unparsed",)),
        ("WHICH: none", None, (), ()),
        ("WHICH: None of them.", None, (), ()),
        ("WHICH: 1-5, 7", None, (1, 2, 3, 4, 5, 7), ()),
        ("WHICH: PUZZLE 2, PUZZLE 3", None, (2, 3), ()),
        ("WHICH: [#4, #2]", None, (2, 4), ()),
        ("WHICH:\n- 1\n- 3\n\n5 was hard", None, (1, 3), ()),
        ("WHICH: all", None, None, ("all",)),
        ("WHICH: all except 3", None, None, ("not-a-list",)),
        ("WHICH: 1, 2, ..., 20", None, None, ("not-a-list",)),
        ("WHICH: 1-99999", None, None, ("not-a-list",)),
    ],
)
def test_a_self_score_is_a_count_and_a_list(text: str, count: int | None, which: Any, flags: tuple[str, ...]) -> None:
    found = parse_self_score(text)
    assert (found.count, found.which, found.flags) == (count, which, flags)


@pytest.mark.parametrize(
    ("text", "stops", "cut"),
    [
        ("ANSWER: 3\n\nPUZZLE 4 of 20\nfoo", (), "ANSWER: 3\n\n"),
        ("PUZZLE 3 of 20\nANSWER: 3\nPUZZLE 4", (), "PUZZLE 3 of 20\nANSWER: 3\n"),
        ("\n\n  PUZZLE 3\nANSWER: 3", (), "\n\n  PUZZLE 3\nANSWER: 3"),
        ("ANSWER: 3###PUZZLE", ("", "###"), "ANSWER: 3"),
        ("ANSWER: 3\n###\nPUZZLE 4 of 20", ("###",), "ANSWER: 3\n"),
        ("no end", ("###",), "no end"),
    ],
)
def test_a_base_model_is_cut_at_the_next_item(text: str, stops: tuple[str, ...], cut: str) -> None:
    assert cut_base(text, stops) == cut


PIECES = (
    "ANSWER:;ACTION:;LIFELINE;ANSWER;CONFIDENCE =;DIFFICULTY:;PUZZLE 1;PUZZLE 2\n;COUNT: ;WHICH:;\n;\n; ;|;**;`;$;\\boxed{;};38;0.8;80%;8/10"
    ";<think>;</think>;none;won't use a;I can't help with that;- ;> "
)
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES.split(";")), max_size=40).map("".join),
    st.text(max_size=80),
    st.text(st.characters(), max_size=30).map("ANSWER: ".__add__),
)


@given(TEXTS, st.booleans())
def test_any_text_is_parsed_to_something_coherent(text: str, complete: bool) -> None:
    found = parse(text, complete=complete)
    assert (found.answer is not None) == (found.action in (Action.ANSWER, Action.BOTH)) or found.action is Action.BOTH
    assert found.confidence is None or 0 <= found.confidence <= 100
    assert found.difficulty is None or 1 <= found.difficulty <= 10
    assert list(found.flags) == sorted(set(found.flags))
    assert all(0 <= start < end <= len(text) for start, end in found.spans.values())
    if found.answer is not None and "think" not in text and "\r" not in text:
        assert text[slice(*found.spans["answer"])].splitlines() == found.answer.splitlines()
    assert set(parse_batch(text, [1, 2, 9], complete=complete)) == {1, 2, 9}
    parse_self_score(text)
    assert text.startswith(cut_base(text))


UNITS = [
    "*",
    " ",
    "ANSWER",
    "ANSWER: ",
    "<think>",
    "<think></think>",
    "\n",
    "|",
    "| ",
    "$",
    "(",
    "{",
    "\\boxed{",
    "\nANSWER:",
    "\nANSWER:\n\n",
    "\nPUZZLE 1\n",
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_linear_in_a_hostile_reply(unit: str) -> None:
    text = "ANSWER: " + unit * (1_000_000 // len(unit))
    if unit.startswith("\n"):
        text = text[:200_000]
    with Effort() as effort:
        parse(text)
        for read in (parse_self_score, cut_base, lambda text: parse_batch(text, range(1, 21))):
            read(text[:100_000])
    assert effort.yards < 240
