"""Puzzle families: two methods agree, the text gives nothing away, and no parameters from a file can do harm."""

from __future__ import annotations

import re
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifeline_tui.core.puzzle import STRATA
from lifeline_tui.families import BadParams, Family, Params, families

FAMILIES = list(families().values())
CASES = [(family, stratum) for family in FAMILIES for stratum in STRATA]
IDS = [f"{family.name}-{stratum}" for family, stratum in CASES]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
each_case = pytest.mark.parametrize(("family", "stratum"), CASES, ids=IDS)


def answers(family: Family, params: Params) -> list[str]:
    """What each method says: `type value`, or why it refuses."""
    said = []
    for solve in family.solvers.values():
        try:
            answer = solve(params)
            said.append(f"{answer.type} {answer.value}")
        except BadParams as error:
            said.append(f"refused: {error}")
    return said


def test_every_family_has_two_methods_and_its_own_name() -> None:
    assert len(FAMILIES) >= 6
    assert all(len(family.solvers) >= 2 for family in FAMILIES)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", family.name) for family in FAMILIES)


@each_case
def test_two_methods_agree_on_what_is_drawn(family: Family, stratum: str) -> None:
    for seed in range(12 if stratum != "hard" else 6):
        params = family.draw(stratum, seed)
        assert len(set(answers(family, params))) == 1, params


def _small_bracelets() -> list[dict[str, str]]:
    sizes = [s for kinds in (1, 2, 3) for s in product(range(1, 6), repeat=kinds) if 3 <= sum(s) <= 7 and list(s) == sorted(s)]
    return [
        {"beads": ", ".join(f"{c} {n}" for c, n in zip("abc", size, strict=False)), "apart": apart}
        for size in sizes
        for apart in ("none", *"abc"[: len(size)])
    ]


def _small_waits() -> list[dict[str, str]]:
    runs = ["".join(run) for length in (1, 2, 3) for run in product("HT", repeat=length)]
    pairs = [(one, other) for one, other in permutations(runs, 2) if one not in other and other not in one]
    return [{"chances": "H 1/3, T 2/3", "run": one, "rival": other} for one, other in [*pairs, *((run, "none") for run in runs)]]


def _small_counts() -> list[dict[str, str]]:
    conditions = [f"{m} {r}" for m in (2, 4, 6) for r in range(m)]
    return [
        {"ask": "count", "last": last, "keep": f"{a}, {b}", "drop": c}
        for a, b, c in permutations(conditions, 3)
        for last in ("2", "12", "13")
    ][::7]


@pytest.mark.parametrize(
    ("name", "cases"),
    [("bracelets", _small_bracelets()), ("waiting-times", _small_waits()), ("residue-counts", _small_counts())],
    ids=["bracelets", "waiting-times", "residue-counts"],
)
def test_two_methods_agree_on_all_small_cases(name: str, cases: list[dict[str, str]]) -> None:
    assert len(cases) > 50
    for params in cases:
        said = answers(families()[name], params)
        assert len(set(said)) == 1, params
        assert not said[0].startswith("refused")


FREE = {"at_least": "none", "neighbours": "free"}
KNOWN = [
    ("bracelets", {"beads": "red 3, green 3, blue 2", "apart": "none"}, "int 38"),
    ("bracelets", {"beads": "red 3, blue 3", "apart": "none"}, "int 3"),
    ("bracelets", {"beads": "red 3, blue 3", "apart": "red"}, "int 1"),
    ("lattice-paths", {"east": "2", "north": "2", "blocked": "1 1", "run": "0"}, "int 2"),
    ("lattice-paths", {"east": "2", "north": "2", "blocked": "2 0", "run": "1"}, "int 2"),
    ("waiting-times", {"chances": "H 1/2, T 1/2", "run": "HTH", "rival": "none"}, "int 10"),
    ("waiting-times", {"chances": "H 1/3, T 2/3", "run": "HH", "rival": "none"}, "fraction 12"),
    ("waiting-times", {"chances": "H 1/2, T 1/2", "run": "HHH", "rival": "THH"}, "fraction 1/8"),
    ("residue-counts", {"ask": "count", "last": "30", "keep": "2 0, 3 0", "drop": "5 0"}, "int 16"),
    ("residue-counts", {"ask": "list", "last": "12", "keep": "3 1", "drop": "2 0"}, "set 1, 7"),
    ("urn-draws", {"bag": "red 2, blue 3", "draws": "2", "exactly": "red 1", **FREE}, "fraction 3/5"),
    ("urn-draws", {"bag": "red 2, blue 2", "draws": "4", "exactly": "red 2", **FREE, "neighbours": "differ"}, "fraction 1/3"),
    ("knight-quotas", {"knights": "1", "says": "Ada knave Bo, Bo same Ada Cy, Cy knave Ada"}, "set Ada"),
    ("knight-quotas", {"knights": "1", "says": "Ada knave Bo, Bo knave Ada"}, "refused: 2 groups of knights fit, not one"),
]


@pytest.mark.parametrize(("name", "params", "answer"), KNOWN, ids=[f"{name}-{place}" for place, (name, _, _) in enumerate(KNOWN)])
def test_answers_known_from_elsewhere(name: str, params: Params, answer: str) -> None:
    assert set(answers(families()[name], params)) == {answer}


@each_case
def test_a_text_states_its_form_and_gives_nothing_away(family: Family, stratum: str) -> None:
    for seed in range(10):
        text = family.text(family.draw(stratum, seed))
        assert re.search(r"(Give .*(whole number|fraction)|List .*commas).*\.$", text)
        assert not re.search(r"lifeline|skip|\bpass|puzzle|penalt|point[s]? for", text, re.IGNORECASE)
        assert not any(word in text for word in (*STRATA, *families(), "starter"))
        assert text.isascii()
        assert "  " not in text


@each_family
def test_a_seed_draws_the_same_puzzle_again_and_another_seed_another(family: Family) -> None:
    drawn = [family.draw("hard", seed) for seed in range(20)]
    assert drawn == [family.draw("hard", seed) for seed in range(20)]
    assert len({family.text(params) for params in drawn}) > 10


@each_family
def test_a_missing_parameter_is_named(family: Family) -> None:
    params = family.draw("medium", 1)
    for field in params:
        with pytest.raises(BadParams, match=field):
            family.text({name: value for name, value in params.items() if name != field})


TOKENS = [
    "0",
    "1",
    "7",
    "99",
    "999999999",
    "-1",
    "1/0",
    "H",
    "HH",
    "none",
    "red",
    "red 3",
    "red 999",
    "Ada knave Bo",
    ",",
    " ",
    "٣",
    "1e9",
]


@settings(max_examples=150, deadline=2000)
@given(st.data())
def test_parameters_from_a_file_are_refused_or_solved_soon(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(FAMILIES))
    params = dict(family.draw(data.draw(st.sampled_from(STRATA)), data.draw(st.integers(0, 50))))
    field = data.draw(st.sampled_from(sorted(params)))
    params[field] = data.draw(st.one_of(st.text(max_size=20), st.lists(st.sampled_from(TOKENS), max_size=8).map(", ".join)))
    said = answers(family, params)
    assert len(set(said)) == 1
    if not said[0].startswith("refused"):
        assert family.text(params)
        assert all(fake.value for fake in family.fakes(params))


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("bracelets", "beads", "a 3, b 3, c 3, d 3, e 2"),
        ("lattice-paths", "east", "10"),
        ("waiting-times", "run", "ABABABABA"),
        ("waiting-times", "chances", "A 1/2, B 1/3"),
        ("residue-counts", "last", "100000000"),
        ("urn-draws", "draws", "8"),
        ("knight-quotas", "says", ", ".join(f"{c} knave {'B' if c == 'A' else 'A'}" for c in "ABCDEFGHIJKLM")),
    ],
)
def test_a_puzzle_too_large_to_enumerate_is_refused(name: str, field: str, value: str) -> None:
    family = families()[name]
    assert all(said.startswith("refused") for said in answers(family, {**family.draw("hard", 1), field: value}))
