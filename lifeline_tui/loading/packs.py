"""Packs of puzzles: read strictly, proved again on request, and made from families by a seed.

A key is believed only when the puzzle's own parameters give it again by two independent methods.  Where that cannot be done the
finding says so and is neither good nor bad: nobody has verified this key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ..core.chance import derive, shuffled
from ..core.puzzle import ANSWER_TYPES, STRATA, Answer, Fake, Puzzle
from ..core.reading.grading import Grade, grade
from ..families import BadParams, Family, Params, families, flaw
from .entry import Entry
from .files import listed
from .resources import find, resources
from .strict_yaml import load

MAX_PUZZLES = 1_000
MAX_FAKES = 10
MAX_KEYS = 20_000
"""Characters of all the keys of a pack: each is graded as the pack is read, at less than 0.05 ms a character."""

_DRAWS = 300
_MOST_FAKES = 3
_NUMBER = re.compile(r"-?[0-9]{1,40}(/0*[1-9][0-9]{0,39}|\.[0-9]{1,40})?")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]+")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of puzzles.  `params` holds, by puzzle id, what its family can make it from; a puzzle written by hand has none."""

    name: str
    about: str
    puzzles: tuple[Puzzle, ...]
    path: Path
    params: Mapping[str, Params]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says of one puzzle.  `ok` is None where the key could not be proved either way; `how` is a sentence."""

    puzzle_id: str
    ok: bool | None
    how: str


def pack_names() -> list[str]:
    """The names of the shipped packs and the user's own."""
    return list(resources("prompts/puzzles"))


def load_pack(name_or_path: str | Path) -> Pack:
    """The pack of a name or in a file.  Raises BadFile."""
    path = find("prompts/puzzles", name_or_path)
    entry = load(path)
    name, about = entry.slug("name"), entry.text("about", "")
    puzzles: dict[str, Puzzle] = {}
    params: dict[str, Params] = {}
    items, keys = entry.children("puzzles"), 0
    if len(items) > MAX_PUZZLES:
        raise entry.entry("puzzles").bad(f"holds {len(items):,} puzzles; a pack may hold {MAX_PUZZLES:,}")
    for item in items:
        puzzle = _puzzle(item, name)
        keys += len(puzzle.answer.value)
        if keys > MAX_KEYS:
            raise item.bad(
                f"is one too many: up to it the keys have {keys:,} characters together; those of a pack may have {MAX_KEYS:,}"
            )
        if puzzle.id in puzzles:
            raise item.entry("id").bad(f"another puzzle has the id {puzzle.id}; ids must differ")
        puzzles[puzzle.id] = puzzle
        if item.has("params"):
            given = item.child("params")
            params[puzzle.id] = {field: given.text(field, "") for field in given.names()}
    if not puzzles:
        raise entry.entry("puzzles").bad("must hold at least one puzzle")
    entry.done()
    return Pack(name, about, tuple(puzzles.values()), path, params)


def _puzzle(item: Entry, pack: str) -> Puzzle:
    fakes = item.children("fakes", ())
    if len(fakes) > MAX_FAKES:
        raise item.entry("fakes").bad(f"holds {len(fakes):,} fakes; a puzzle may have {MAX_FAKES}")
    return Puzzle(
        id=item.slug("id"),
        text=item.text("text").strip("\n"),
        answer=_answer(item.child("answer")),
        fakes=tuple(Fake(fake.text("value"), fake.text("error")) for fake in fakes),
        family=item.slug("family", ""),
        stratum=item.choice("stratum", STRATA, ""),
        verified=item.list_of_text("verified", ()),
        pack=pack,
    )


def _answer(entry: Entry) -> Answer:
    answer = Answer(entry.choice("type", ANSWER_TYPES), entry.text("value"), entry.text("tolerance", ""))
    if answer.tolerance and answer.type != "decimal":
        raise entry.entry("tolerance").bad(f"is for decimals, and this answer is of type {answer.type}")
    if grade(answer, answer.value) is not Grade.RIGHT:
        raise entry.entry("value").bad(f"cannot be graded as {answer.type}: the key itself would not be right")
    return answer


def check_pack(pack: Pack) -> list[Finding]:
    """Every puzzle of the pack proved again from its parameters, with the gates of its fakes."""
    return [check_puzzle(puzzle, pack.params.get(puzzle.id)) for puzzle in pack.puzzles]


def check_puzzle(puzzle: Puzzle, params: Params | None) -> Finding:
    """The fakes' gates; then the key by every solver of the family, the text, each fake whose error the family knows, and the cheap
    checks that the family lists."""
    problem = _fakes_problem(puzzle)
    if problem:
        return Finding(puzzle.id, False, problem)
    family = families().get(puzzle.family)
    if family is None or params is None:
        why = "it has no params" if family else f"there is no family {puzzle.family!r}" if puzzle.family else "it is of no family"
        return Finding(puzzle.id, None, f"Nobody has verified this key: {why}, so it cannot be solved again.")
    try:
        problem = _proof_problem(puzzle, params, family)
    except BadParams as error:
        problem = f"Its params make no puzzle of the family {family.name}: {error}."
    return Finding(puzzle.id, not problem, problem or f"{_methods(family).capitalize()} give {puzzle.answer.value}.")


def _methods(family: Family) -> str:
    return listed(family.solvers)


def _proof_problem(puzzle: Puzzle, params: Params, family: Family) -> str:
    """What contradicts the puzzle, as a sentence; empty if nothing does.  Raises BadParams."""
    unknown = [name for name in puzzle.verified if name not in family.solvers]
    if unknown:
        return f"It claims to be verified by {unknown[0]}, but {family.name} is solved by {_methods(family)}."
    solved = {name: solve(params) for name, solve in family.solvers.items()}
    if len(set(solved.values())) > 1:
        return f"The methods disagree: {listed(f'{name} gives {answer.value}' for name, answer in solved.items())}."
    proved = next(iter(solved.values()))
    if (proved.type, grade(puzzle.answer, proved.value)) != (puzzle.answer.type, Grade.RIGHT):
        return (
            f"The key is {puzzle.answer.value} ({puzzle.answer.type}), but {_methods(family)} give {proved.value} ({proved.type})."
        )
    if puzzle.text != family.text(params):
        return "The text is not the one that its params make, so the key may belong to another question."
    made: dict[str, set[str]] = {}
    for fake in family.fakes(params):
        made.setdefault(fake.error, set()).add(fake.value)
    for fake in puzzle.fakes:
        if fake.error in made and fake.value not in made[fake.error]:
            return f"The fake {fake.value} is not what its error gives ({fake.error}): {listed(sorted(made[fake.error]), 'or')}."
        seen = flaw(family, params, proved, fake.value)
        if seen:
            return f"The fake {fake.value} {seen}."
    return ""


def _fakes_problem(puzzle: Puzzle) -> str:
    """What is wrong with the fakes under the grader's own equivalence, as a sentence; empty if nothing is."""
    key = puzzle.answer
    for place, fake in enumerate(puzzle.fakes):
        as_key = replace(key, value=fake.value)
        if grade(as_key, fake.value) is not Grade.RIGHT:
            return f"The fake {fake.value} is not of the key's type, {key.type}."
        if grade(key, fake.value) is Grade.RIGHT:
            return f"The fake {fake.value} is equal to the key."
        if any(grade(as_key, other.value) is Grade.RIGHT for other in puzzle.fakes[:place]):
            return f"The fake {fake.value} is given twice."
        if not _same_range(key, fake.value):
            return f"The fake {fake.value} is out of the key's range: another sign, or over ten times as large or small."
    return ""


def _same_range(key: Answer, fake: str) -> bool:
    """Whether a number has the key's sign and order of magnitude, and stays below 1 where a fraction does.  Not for other types."""
    if not (_NUMBER.fullmatch(key.value) and _NUMBER.fullmatch(fake)):
        return True
    right, wrong = Fraction(key.value), Fraction(fake)
    if right == 0:
        return abs(wrong) <= 10
    return Fraction(1, 10) <= wrong / right <= 10 and not (key.type == "fraction" and abs(right) < 1 <= abs(wrong))


def make(kinds: Sequence[Family], per_stratum: int, seed: int, name: str = "starter") -> Pack:
    """A pack of `per_stratum` puzzles a stratum, dealt evenly to `kinds`, each of which passes `check_puzzle` with 2 or 3 fakes.

    No two have the same text, and no two of one family the same key.  The same seed makes the same pack.  Raises ValueError where
    a family has not that many.
    """
    made: list[tuple[Puzzle, Params]] = []
    taken: set[tuple[str, str]] = set()
    for level, stratum in enumerate(STRATA):
        # Where a stratum cannot be shared out evenly, the next one gives what is left to the next families.
        turn = [kinds[(level * (per_stratum % len(kinds)) + place) % len(kinds)] for place in range(per_stratum)]
        for place, family in enumerate(turn):
            for attempt in range(_DRAWS):
                found = _candidate(family, stratum, derive(seed, family.name, stratum, place, attempt), name)
                if found and not {(family.name, found[0].answer.value), ("", found[0].text)} & taken:
                    break
            else:
                raise ValueError(
                    f"{family.name} gave too few {stratum} puzzles in {_DRAWS} draws; ask for fewer, or take another seed"
                )
            taken |= {(family.name, found[0].answer.value), ("", found[0].text)}
            made.append(found)
    puzzles: list[Puzzle] = []
    params: dict[str, Params] = {}
    stems: Counter[str] = Counter()
    for puzzle, given in shuffled(made, seed, "order"):
        stems[puzzle.id] += 1
        puzzles.append(replace(puzzle, id=f"{puzzle.id}-{_letters(stems[puzzle.id])}"))
        params[puzzles[-1].id] = given
    about = f"{len(puzzles)} counting, logic and probability puzzles in three strata."
    return Pack(name, about, tuple(puzzles), Path(f"{name}.yaml"), params)


def _candidate(family: Family, stratum: str, seed: int, pack: str) -> tuple[Puzzle, Params] | None:
    """A puzzle that passes every check, with its parameters; its id still lacks the letter."""
    params = family.draw(stratum, seed)
    try:
        solved = [solve(params) for solve in family.solvers.values()]
        puzzle = Puzzle(
            id=f"{family.name}-{family.tag(params)}",
            text=family.text(params),
            answer=solved[0],
            family=family.name,
            stratum=stratum,
            verified=tuple(family.solvers),
            pack=pack,
        )
        for fake in family.fakes(params):
            more = replace(puzzle, fakes=(*puzzle.fakes, fake))
            if len(more.fakes) <= _MOST_FAKES and not _fakes_problem(more) and not flaw(family, params, solved[0], fake.value):
                puzzle = more
    except BadParams:
        return None
    return (puzzle, params) if len(puzzle.fakes) > 1 and check_puzzle(puzzle, params).ok else None


def _letters(number: int) -> str:
    """a … z, aa, ab, …"""
    before, last = divmod(number - 1, 26)
    return (_letters(before) if before else "") + chr(97 + last)


def dump(pack: Pack) -> str:
    """The pack as a file that `load_pack` reads back; the same pack gives the same bytes."""
    lines = [
        f"# Any key here can be proved again from its params: lifeline packs check {pack.name}",
        f"name: {_scalar(pack.name)}",
        f"about: {_scalar(pack.about)}",
        "puzzles:",
    ]
    for puzzle in pack.puzzles:
        lines.append(f"  - id: {_scalar(puzzle.id)}")
        lines += [
            f"    {name}: {_scalar(value)}" for name, value in (("family", puzzle.family), ("stratum", puzzle.stratum)) if value
        ]
        if puzzle.id in pack.params:
            lines.append(f"    params: {_flow(pack.params[puzzle.id])}")
        lines.append(f"    text: {_block(puzzle.text, '      ')}")
        tolerance = {"tolerance": puzzle.answer.tolerance} if puzzle.answer.tolerance else {}
        lines.append(f"    answer: {_flow({'type': puzzle.answer.type, 'value': puzzle.answer.value, **tolerance})}")
        if puzzle.fakes:
            lines.append("    fakes:")
            lines += [f"      - {_flow({'value': fake.value, 'error': fake.error})}" for fake in puzzle.fakes]
        if puzzle.verified:
            lines.append(f"    verified: [{', '.join(map(_scalar, puzzle.verified))}]")
    return "\n".join(lines) + "\n"


def _flow(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_scalar(name)}: {_scalar(value)}" for name, value in fields.items()) + "}"


def _block(text: str, indent: str) -> str:
    """A literal block; quoted where a block would lose or change something."""
    rows = text.split("\n")
    if any(not row.isprintable() or row != row.strip() for row in rows) or not rows[0] or not rows[-1]:
        return _scalar(text)
    return "\n".join(["|-", *(indent + row if row else "" for row in rows)])


def _scalar(text: str) -> str:
    """Plain where every YAML reader takes it for text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text) + '"'
