"""Fakes: each survives the cheap checks that its family lists, each check can fail, and each error gives what it is said to give."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from command_line import lifeline

from lifeline_tui.core.puzzle import STRATA, Answer, Fake, Puzzle
from lifeline_tui.families import Params, families, flaw, knight_quotas
from lifeline_tui.loading.packs import check_puzzle, dump, load_pack, make

SHIPPED = load_pack("starter")
PUZZLES = {puzzle.id: puzzle for puzzle in SHIPPED.puzzles}
FAKES = [(puzzle, fake) for puzzle in SHIPPED.puzzles for fake in puzzle.fakes]
IDS = [f"{puzzle.id}-{place}" for puzzle in SHIPPED.puzzles for place in range(len(puzzle.fakes))]
each_fake = pytest.mark.parametrize(("puzzle", "fake"), FAKES, ids=IDS)


def seen_by(puzzle: Puzzle, value: str) -> list[str]:
    """What the checks of the puzzle's family say of a value, up to the first that says something."""
    for name, check in families()[puzzle.family].checks.items():
        if said := check(SHIPPED.params[puzzle.id], puzzle.answer, value):
            return [name, said]
    return []


@each_fake
def test_a_shipped_fake_survives_every_cheap_check(puzzle: Puzzle, fake: Fake) -> None:
    assert seen_by(puzzle, fake.value) == []


@each_fake
def test_no_shipped_number_is_off_by_half_or_more(puzzle: Puzzle, fake: Fake) -> None:
    if puzzle.answer.type != "set":
        key, value = Fraction(puzzle.answer.value), Fraction(fake.value)
        assert key != value
        assert 2 * abs(value - key) < min(key, value)


@each_fake
def test_a_shipped_fake_is_what_its_family_gives_for_its_error(puzzle: Puzzle, fake: Fake) -> None:
    assert fake in families()[puzzle.family].fakes(SHIPPED.params[puzzle.id])


def test_no_check_says_anything_of_a_key() -> None:
    assert [
        (puzzle.id, seen_by(puzzle, puzzle.answer.value)) for puzzle in SHIPPED.puzzles if seen_by(puzzle, puzzle.answer.value)
    ] == []
    for family in families().values():
        for stratum in STRATA:
            for seed in range(12 if stratum != "hard" else 4):
                params = family.draw(stratum, seed)
                try:
                    key = next(iter(family.solvers.values()))(params)
                except ValueError:
                    continue
                # A key of nothing, or of 0, is no puzzle: `make` never takes it.
                if key.value not in ("", "0", "1"):
                    said = [check(params, key, key.value) for check in family.checks.values()]
                    assert not any(said), (params, said)


GIVEN_AWAY = [
    ("bracelets-422-a", "033", "form"),
    ("bracelets-422-a", "66", "size"),
    ("bracelets-422-a", "26", "bounds"),  # 420 rows of which at most 16 are one arrangement
    ("bracelets-44-a", "11", "bounds"),  # 10 with turns alone
    ("knight-quotas-5of10-a", "Cleo, Bela, Dev, Ines, Jonas", "form"),
    ("knight-quotas-5of10-a", "Bela, Cleo, Dev, Ines", "people"),
    ("knight-quotas-5of10-a", "Bela, Cleo, Dev, Ines, Zoe", "people"),
    ("knight-quotas-5of10-a", "Bela, Cleo, Ines, Jonas, Kira", "knights' words"),  # Jonas: "Bela is a knave."
    ("knight-quotas-3of7-a", "Bela, Esme, Kira", "accusations"),  # Cleo: "Hugo is a knave."
    ("lattice-paths-4x6-a", "134.0", "form"),
    ("lattice-paths-4x6-a", "201", "size"),
    ("lattice-paths-4x6-a", "200", "bounds"),  # 210 routes, 15 of them through (0, 4)
    ("lattice-paths-3x3-b", "9", "parity"),
    ("residue-counts-31-a", "2, 6, 10, 22, 14, 26, 30", "form"),
    ("residue-counts-1433-a", "140", "size"),
    ("residue-counts-1433-a", "108", "share"),
    ("residue-counts-43678-a", "5400", "share"),
    ("residue-counts-43678-a", "4332", "bounds"),
    ("residue-counts-31-a", "2, 6, 10, 14, 18, 22, 26, 30", "members"),  # 18 is to be struck out
    ("residue-counts-31-a", "2, 6, 10, 14, 22, 25, 30", "members"),  # 25 is not to be kept
    ("residue-counts-31-a", "6, 10, 14, 22, 26, 30", "members"),  # 2 is lacking
    ("residue-counts-31-a", "2, 6, 10, 22, 26, 30", "gaps"),  # 14 and 18 side by side
    ("urn-draws-554-a", "620/2002", "form"),
    ("urn-draws-554-a", "1", "range"),
    ("urn-draws-554-a", "1/7", "size"),
    ("urn-draws-554-a", "157625/537824", "denominator"),  # every ball put back
    ("urn-draws-554-a", "24/77", "denominator"),  # 624 of 2002, and 5 balls to choose one of
    ("urn-draws-554-a", "635/2002", "bounds"),  # exactly one yellow alone: 630
    ("waiting-times-ba-a", "9/1", "form"),
    ("waiting-times-ba-a", "18", "size"),
    ("waiting-times-ba-a", "7", "range"),  # one over the chance is 9
    ("waiting-times-acac-a", "228", "range"),  # 182 with an overlap of every length
    ("waiting-times-bbcaa-a", "3/5", "range"),  # the chances of the two runs alone
    ("waiting-times-acac-a", "146", "ends"),  # no multiple of 6
]


@pytest.mark.parametrize(("puzzle_id", "value", "check"), GIVEN_AWAY, ids=[f"{each[0]}-{each[2]}-{each[1]}" for each in GIVEN_AWAY])
def test_a_fake_that_a_cheap_look_sees_through_is_named_with_the_check(puzzle_id: str, value: str, check: str) -> None:
    puzzle = PUZZLES[puzzle_id]
    named, said = seen_by(puzzle, value)
    assert named == check
    finding = check_puzzle(replace(puzzle, fakes=(Fake(value, "planted"),)), SHIPPED.params[puzzle_id])
    assert finding.ok is False
    # What the grader reads as the key, or as no number of its range, is caught before any check.
    if "is equal to the key" not in finding.how and "is out of the key's range" not in finding.how:
        assert finding.how == f"The fake {value} falls to the check of its {check}: it {said}."


def test_every_check_was_seen_to_fail() -> None:
    tried = {(PUZZLES[puzzle_id].family, check) for puzzle_id, _, check in GIVEN_AWAY}
    assert tried == {(family.name, check) for family in families().values() for check in family.checks}


def test_a_check_gives_nothing_away_that_it_sees_in_the_key_too() -> None:
    family = replace(families()["bracelets"], checks={"taste": lambda _, __, value: "is dull" if len(value) == 2 else ""})
    assert flaw(family, {}, Answer("int", "8"), "10") == "falls to the check of its taste: it is dull"
    assert flaw(family, {}, Answer("int", "11"), "10") == ""


@pytest.mark.parametrize("value", ["Zoe", "1, Zoe", "", ", ", "\u0663", "1/0", "9" * 60, "-1", "x" * 500, "2,6", "1\n2"])
def test_no_value_from_a_file_makes_a_check_stumble(value: str) -> None:
    for puzzle in SHIPPED.puzzles:
        assert flaw(families()[puzzle.family], SHIPPED.params[puzzle.id], puzzle.answer, value)


@pytest.mark.parametrize("seed", [2, 3])
def test_another_seeds_pack_has_two_fakes_or_more_that_survive(seed: int) -> None:
    pack = make(list(families().values()), 6, seed=seed, name="mine")
    for puzzle in pack.puzzles:
        params = pack.params[puzzle.id]
        assert len({fake.value for fake in puzzle.fakes} - {puzzle.answer.value}) == len(puzzle.fakes) >= 2
        assert not any(flaw(families()[puzzle.family], params, puzzle.answer, fake.value) for fake in puzzle.fakes)


# An error that amounts to another puzzle gives that puzzle's key.

Retold = Callable[[dict[str, str], re.Match[str]], dict[str, str]]


def without(field: str, part: Callable[[re.Match[str]], str]) -> Retold:
    return lambda params, found: {**params, field: ", ".join(p for p in params[field].split(", ") if p != part(found))}


def put_for(params: dict[str, str], found: re.Match[str]) -> dict[str, str]:
    parts = params["blocked"].split(", ")
    parts[parts.index(f"{found[3]} {found[4]}")] = f"{found[1]} {found[2]}"
    return {**params, "blocked": ", ".join(parts)}


def repainted(params: dict[str, str], found: re.Match[str]) -> dict[str, str]:
    bag = {name: int(size) for name, size in (part.split() for part in params["bag"].split(", "))}
    bag[found[1]] -= 1
    bag[found[2]] += 1
    return {**params, "bag": ", ".join(f"{name} {size}" for name, size in bag.items())}


RETOLD: list[tuple[str, Retold]] = [
    (r"missed the closed point \((\d+), (\d+)\)", without("blocked", lambda found: f"{found[1]} {found[2]}")),
    (r"closed \((\d+), (\d+)\) in place of \((\d+), (\d+)\)", put_for),
    (r"allowed runs of (\d+) steps", lambda params, found: {**params, "run": found[1]}),
    (r"forgot those that leave remainder (\d+) when divided by (\d+)", without("drop", lambda found: f"{found[2]} {found[1]}")),
    (r"took one of the (\w+) balls for a (\w+) one", repainted),
    (
        r"asked for one (\w+) ball fewer",
        lambda params, found: {**params, "at_least": f"{found[1]} {int(params['at_least'].split()[1]) - 1}"},
    ),
    (r"ignored that no two (\w+) beads may touch", lambda params, found: {**params, "apart": "none"}),
]


def test_an_error_that_makes_another_puzzle_gives_its_key_by_the_other_method() -> None:
    tried = set()
    given = [
        (p, fake) for p in SHIPPED.puzzles if p.stratum == "medium" for fake in families()[p.family].fakes(SHIPPED.params[p.id])
    ]
    for puzzle, fake in [*FAKES, *given]:
        for pattern, retold in RETOLD:
            if found := re.fullmatch(pattern, fake.error):
                tried.add(pattern)
                params = retold(dict(SHIPPED.params[puzzle.id]), found)
                assert list(families()[puzzle.family].solvers.values())[1](params).value == fake.value, (puzzle.id, fake.error)
    assert tried == {pattern for pattern, _ in RETOLD}


def routes(params: Params) -> list[str]:
    """Every route to the goal, as a word of E and N."""
    length = int(params["east"]) + int(params["north"])
    return [
        "".join("E" if step in chosen else "N" for step in range(length))
        for chosen in combinations(range(length), int(params["east"]))
    ]


def points(route: str) -> list[tuple[int, int]]:
    return [(route[:step].count("E"), route[:step].count("N")) for step in range(len(route) + 1)]


def test_slips_about_routes_are_what_a_walk_with_the_slip_counts() -> None:
    tried = 0
    for puzzle in SHIPPED.puzzles:
        params = SHIPPED.params[puzzle.id]
        if puzzle.family != "lattice-paths" or puzzle.stratum == "hard":
            continue
        run, closed = int(params["run"]), {tuple(map(int, part.split())) for part in params["blocked"].split(", ")}
        for fake in families()["lattice-paths"].fakes(params):
            into = re.fullmatch(r"let routes into \((\d+), (\d+)\) from the (west|south)", fake.error)
            longer = re.fullmatch(r"allowed \d+ steps in a row to the (east|north)", fake.error)
            if not into and not longer and fake.error != "left out the routes that turn only once":
                continue
            tried += 1
            count = 0
            for route in routes(params):
                limits = {"E": run, "N": run} if run else {"E": 99, "N": 99}
                if longer:
                    limits[longer[1][0].upper()] += 1
                entered = [
                    (step, after) for step, (_, after) in zip(route, pairwise(points(route)), strict=True) if after in closed
                ]
                if into:
                    allowed = ("E" if into[3] == "west" else "N", (int(into[1]), int(into[2])))
                    entered = [each for each in entered if each != allowed]
                once = not run and not into and not longer and len(re.findall("EN|NE", route)) == 1
                count += not entered and not once and all(way * (most + 1) not in route for way, most in limits.items())
            assert str(count) == fake.value, (puzzle.id, fake.error)
    assert tried > 20


def test_a_knights_fake_breaks_the_rule_for_those_that_its_error_names_and_for_nobody_else() -> None:
    for puzzle, fake in FAKES:
        if puzzle.family == "knight-quotas":
            _, said = knight_quotas._read(SHIPPED.params[puzzle.id])
            knights = set(fake.value.split(", "))
            broken = {says.speaker for says in said if knight_quotas._true(says, knights) != (says.speaker in knights)}
            named = set(re.findall("[A-Z][a-z]+", fake.error))
            assert broken == named, (puzzle.id, fake)
            assert ("true" in fake.error) == bool(broken - knights)
            assert ("false" in fake.error) == bool(broken & knights)


def test_a_list_lacks_what_its_error_says() -> None:
    for puzzle, fake in FAKES:
        if puzzle.family == "residue-counts" and puzzle.answer.type == "set":
            lost = [int(item) for item in puzzle.answer.value.split(", ") if item not in fake.value.split(", ")]
            if one := re.fullmatch(r"overlooked (\d+), which nothing strikes out", fake.error):
                assert lost == [int(one[1])]
            elif left := re.fullmatch(r"also struck out those that leave remainder (\d+) when divided by (\d+)", fake.error):
                assert all(number % int(left[2]) == int(left[1]) for number in lost)
            else:
                assert fake.error == "also struck out those that are divisible by 5"
                assert all(number % 5 == 0 for number in lost)


def test_packs_check_names_the_fake_and_the_check_it_falls_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    puzzle = PUZZLES["urn-draws-554-a"]
    bad = replace(puzzle, fakes=(*puzzle.fakes, Fake("157625/537824", "put every ball back")))
    pack = replace(SHIPPED, name="mine", puzzles=(bad,), params={bad.id: SHIPPED.params[bad.id]})
    Path("mine.yaml").write_text(dump(pack), encoding="utf-8")
    done = lifeline("packs", "check", "mine.yaml")
    assert done.code == 1
    assert "urn-draws-554-a: WRONG: The fake 157625/537824 falls to the check of its denominator" in done.out


def test_of_a_family_that_is_not_shipped_no_cheap_check_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    riddle = Puzzle("a", "What is two and two?", Answer("int", "4"), (Fake("9", "guessed"),), "riddles")
    Path("mine.yaml").write_text(dump(replace(SHIPPED, name="mine", puzzles=(riddle,), params={})), encoding="utf-8")
    done = lifeline("packs", "check", "mine.yaml")
    assert done.code == 0
    assert "falls to" not in done.out
    assert "Nobody has verified this key" in done.out
