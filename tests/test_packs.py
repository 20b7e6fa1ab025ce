"""Packs: read strictly, proved again from their parameters, and made the same from the same seed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.puzzle import STRATA, Answer, Fake, Puzzle
from lifeline_tui.families import families
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.packs import Pack, check_pack, check_puzzle, dump, load_pack, make, pack_names

SHIPPED = load_pack("starter")
BY_FAMILY = {puzzle.family: puzzle for puzzle in reversed(SHIPPED.puzzles)}


def test_the_shipped_pack_is_what_its_seed_makes() -> None:
    assert dump(make(list(families().values()), 20, seed=1)) == SHIPPED.path.read_text(encoding="utf-8")


def test_every_key_of_the_shipped_pack_is_proved_again() -> None:
    findings = check_pack(SHIPPED)
    assert [finding.puzzle_id for finding in findings] == [puzzle.id for puzzle in SHIPPED.puzzles]
    assert [finding for finding in findings if not finding.ok] == []


def test_the_shipped_pack_is_sixty_puzzles_spread_evenly_and_mixed() -> None:
    puzzles = SHIPPED.puzzles
    assert Counter(puzzle.stratum for puzzle in puzzles) == dict.fromkeys(STRATA, 20)
    assert set(Counter(puzzle.family for puzzle in puzzles).values()) == {60 // len(families())}
    assert (
        max(Counter((p.family, p.stratum) for p in puzzles).values())
        - min(Counter((p.family, p.stratum) for p in puzzles).values())
        <= 1
    )
    assert len({puzzle.text for puzzle in puzzles}) == 60
    assert len({puzzle.answer.type for puzzle in puzzles}) >= 3
    assert all({puzzle.stratum for puzzle in puzzles[start : start + 20]} == set(STRATA) for start in (0, 20, 40))
    assert all(2 <= len(puzzle.fakes) <= 3 and len(puzzle.verified) == 2 and puzzle.pack == "starter" for puzzle in puzzles)


def planted(family: str, **changes: Any) -> tuple[bool | None, str]:
    """What the checker says of the first shipped puzzle of `family` with `changes` made to it."""
    puzzle = replace(BY_FAMILY[family], **changes)
    finding = check_puzzle(puzzle, SHIPPED.params[puzzle.id])
    return finding.ok, finding.how


def test_a_wrong_key_is_caught() -> None:
    for family, puzzle in BY_FAMILY.items():
        fake = puzzle.fakes[0].value
        ok, how = planted(family, answer=replace(puzzle.answer, value=fake), fakes=())
        assert ok is False
        assert how.startswith(f"The key is {fake}")
        assert f"give {puzzle.answer.value}" in how


def test_a_key_of_another_type_is_caught() -> None:
    key = BY_FAMILY["bracelets"].answer.value
    assert planted("bracelets", answer=Answer("decimal", key, "0.5"))[0] is False


def test_a_changed_text_is_caught() -> None:
    for family, puzzle in BY_FAMILY.items():
        assert planted(family, text=puzzle.text.replace(".", " .", 1)) == (
            False,
            "The text is not the one that its params make, so the key may belong to another question.",
        )


BRACELET, URN, KNIGHTS = (BY_FAMILY[name] for name in ("bracelets", "urn-draws", "knight-quotas"))
TWICE = f"{2 * int(URN.answer.value.split('/')[0])}/{2 * int(URN.answer.value.split('/')[1])}"
BAD_FAKES = [
    (BRACELET, f"0{BRACELET.answer.value}", "equal to the key"),
    (URN, TWICE, "equal to the key"),
    (KNIGHTS, ", ".join(reversed(KNIGHTS.answer.value.split(", "))), "equal to the key"),
    (BRACELET, BRACELET.fakes[0].value, "given twice"),
    (BRACELET, "many", "not of the key's type"),
    (BRACELET, f"{BRACELET.answer.value}000", "out of the key's range"),
    (BRACELET, f"-{BRACELET.answer.value}", "out of the key's range"),
    (URN, "3/2", "out of the key's range"),
]


@pytest.mark.parametrize(("puzzle", "value", "why"), BAD_FAKES, ids=[f"{p.family}-{value}" for p, value, _ in BAD_FAKES])
def test_a_fake_that_gives_itself_away_is_caught(puzzle: Puzzle, value: str, why: str) -> None:
    ok, how = planted(puzzle.family, fakes=(*puzzle.fakes, Fake(value, "planted")))
    assert ok is False
    assert why in how


def test_a_fake_that_its_error_does_not_give_is_caught() -> None:
    fake = BRACELET.fakes[0]
    ok, how = planted("bracelets", fakes=(replace(fake, value=str(int(fake.value) + 1)),))
    assert ok is False
    assert fake.error in how


def test_methods_that_disagree_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    family = families()["bracelets"]
    wrong = replace(family, solvers={**family.solvers, "enumeration": lambda _: Answer("int", "7")})
    monkeypatch.setattr("lifeline_tui.loading.packs.families", lambda: {"bracelets": wrong})
    key = BRACELET.answer.value
    assert planted("bracelets") == (False, f"The methods disagree: burnside gives {key} and enumeration gives 7.")


def test_a_claim_of_an_unknown_method_is_caught() -> None:
    assert planted("bracelets", verified=("a friend",)) == (
        False,
        "It claims to be verified by a friend, but bracelets is solved by burnside and enumeration.",
    )


def test_params_of_no_puzzle_are_a_finding_not_a_crash() -> None:
    finding = check_puzzle(BRACELET, {"beads": "red 40", "apart": "none"})
    assert finding.ok is False
    assert "params make no puzzle" in finding.how


@pytest.mark.parametrize(
    ("family", "params", "why"),
    [
        ("", None, "it is of no family"),
        ("riddles", {"a": "b"}, "there is no family 'riddles'"),
        ("bracelets", None, "it has no params"),
    ],
)
def test_a_key_that_cannot_be_proved_is_neither_right_nor_wrong(family: str, params: dict[str, str] | None, why: str) -> None:
    puzzle = Puzzle("a", "What is two and two?", Answer("int", "4"), (Fake("5", "miscounted"),), family)
    finding = check_puzzle(puzzle, params)
    assert finding.ok is None
    assert finding.how == f"Nobody has verified this key: {why}, so it cannot be solved again."


def test_a_bad_fake_is_caught_where_the_key_cannot_be_proved() -> None:
    puzzle = Puzzle("a", "What is two and two?", Answer("int", "4"), (Fake("4", "none"),))
    assert check_puzzle(puzzle, None).ok is False


GOOD = """\
name: mine
about: Two of my own.
puzzles:
  - id: one
    text: What is two and two?
    answer: {type: int, value: 4}
  - id: two
    family: bracelets
    stratum: easy
    params: {beads: red 3, apart: none}
    text: |
      What is a third?
      Say it in tenths.
    answer: {type: decimal, value: 0.333, tolerance: 0.01}
    fakes:
      - {value: 0.3, error: rounded}
    verified: [burnside]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_pack_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    pack = load_pack(path)
    one = Puzzle("one", "What is two and two?", Answer("int", "4"), pack="mine")
    two = Puzzle(
        "two",
        "What is a third?\nSay it in tenths.",
        Answer("decimal", "0.333", "0.01"),
        (Fake("0.3", "rounded"),),
        "bracelets",
        "easy",
        ("burnside",),
        "mine",
    )
    assert pack == Pack("mine", "Two of my own.", (one, two), path, {"two": {"beads": "red 3", "apart": "none"}})


BAD_FILES = [
    ("    stratum: easy", "    stratum: extreme", 9, "puzzles[2].stratum"),
    ("    stratum: easy", "    level: easy", 9, "puzzles[2].level"),
    ("{value: 0.3, error: rounded}", "{value: 0.3, error: rounded, by: me}", 16, "puzzles[2].fakes[1].by"),
    ("{value: 0.3, error: rounded}", "{value: 0.3}", 16, "puzzles[2].fakes[1].error"),
    ("id: two", "id: one", 7, "puzzles[2].id"),
    ("id: two", "id: ../two", 7, "puzzles[2].id"),
    ("type: int", "type: integer", 6, "puzzles[1].answer.type"),
    ("value: 4", "value: four or so", 6, "puzzles[1].answer.value"),
    ("value: 4", 'value: ""', 6, "puzzles[1].answer.value"),
    ("value: 4}", "value: 4, tolerance: 1}", 6, "puzzles[1].answer.tolerance"),
    ("name: mine", "title: mine", 1, "name"),
    ("text: What is two and two?", 'text: ""', 5, "puzzles[1].text"),
    ("verified: [burnside]", "verified: burnside", 17, "puzzles[2].verified"),
    ("apart: none}", "apart: [none]}", 10, "puzzles[2].params.apart"),
]


@pytest.mark.parametrize(("good", "bad", "line", "field"), BAD_FILES, ids=[bad for _, bad, _, _ in BAD_FILES])
def test_what_is_wrong_in_a_pack_is_named_with_its_place(tmp_path: Path, good: str, bad: str, line: int, field: str) -> None:
    assert good in GOOD
    with pytest.raises(BadFile) as caught:
        load_pack(written(tmp_path, GOOD.replace(good, bad, 1)))
    assert (caught.value.line, caught.value.field) == (line, field)


def test_a_pack_is_bounded_by_what_its_keys_hold_and_never_by_a_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pack(keys: list[str]) -> Path:
        made = [f"  - {{id: p{n}, text: x, answer: {{type: sequence, value: '{key}'}}}}\n" for n, key in enumerate(keys)]
        return written(tmp_path, "name: mine\npuzzles:\n" + "".join(made))

    monkeypatch.setattr(time, "thread_time", lambda: pytest.fail("a busy machine must not refuse a pack"))
    assert len(load_pack(pack(["1, 2, 3, 4, 5, 6, 7"] * 1_000)).puzzles) == 1_000
    with pytest.raises(BadFile) as caught:
        load_pack(pack([", ".join("1" * 300)] * 100))
    assert str(caught.value).endswith(
        "puzzles[23]: is one too many: up to it the keys have 20,654 characters together; those of a pack may have 20,000"
    )


def test_an_empty_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="at least one puzzle"):
        load_pack(written(tmp_path, "name: mine\npuzzles: []\n"))


def test_a_pack_of_the_users_own_takes_the_shipped_ones_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "prompts" / "puzzles"
    folder.mkdir(parents=True)
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    for name in ("starter", "mine"):
        (folder / f"{name}.yaml").write_text(GOOD, encoding="utf-8")
    assert pack_names() == ["mine", "starter"]
    assert load_pack("starter").path == folder / "starter.yaml"


texts = st.text(min_size=1, max_size=60).map(lambda text: text.strip("\n")).filter(str.strip)
words = st.text(max_size=12)


@given(
    text=texts, value=texts, error=texts, about=words, params=st.dictionaries(texts.filter(lambda t: t != "<<"), words, max_size=3)
)
def test_a_dumped_pack_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, text: str, value: str, error: str, about: str, params: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    puzzle = Puzzle("no", text, Answer("int", "12"), (Fake(value, error),), verified=("y", "null"), pack="on")
    pack = Pack("on", about, (puzzle,), path, {"no": params})
    path.write_text(dump(pack), encoding="utf-8")
    assert load_pack(path) == pack


def test_make_follows_its_seed_and_says_when_a_family_runs_dry() -> None:
    kinds = [families()["knight-quotas"], families()["urn-draws"]]
    assert dump(make(kinds, 3, seed=7)) == dump(make(kinds, 3, seed=7)) != dump(make(kinds, 3, seed=8))
    assert {puzzle.pack for puzzle in make(kinds, 1, seed=7, name="mine").puzzles} == {"mine"}
    with pytest.raises(ValueError, match="bracelets gave too few easy puzzles"):
        make([families()["bracelets"]], 12, seed=1)


def test_reading_packs_imports_no_family_and_no_yaml_before_they_are_needed() -> None:
    code = "import sys, lifeline_tui.loading.packs; print(sorted(m for m in sys.modules if m == 'yaml' or 'families.b' in m))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
