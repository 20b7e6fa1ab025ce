"""Knights, who only say what is true, and knaves, who only say what is false, with the number of knights given.

One method tries every group of that many knights; the other decides person by person and turns back as soon as a statement is
broken, judging it while some are still undecided.

Only one group fits, so any other breaks what somebody says: to try every statement on it is to solve the puzzle.  What can be done is
that it does not show at once: the words of those who are listed hold, and no "X is a knave" is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from lifeline_tui.core.chance import draw, pick, shuffled
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, form, listed, parts, whole

_NAMES = ("Ada", "Bela", "Cleo", "Dev", "Esme", "Finn", "Gita", "Hugo", "Ines", "Jonas", "Kira", "Luis")
_PEOPLE = {"easy": (3, 4), "medium": (6, 7), "hard": (10, 11)}
_KINDS = {"knave": 1, "same": 2, "differ": 2, "either": 2, "one-of": 3}
"""Kind of statement -> how many people it names."""


@dataclass(frozen=True, slots=True)
class _Says:
    speaker: str
    kind: str
    about: tuple[str, ...]


def _draw(stratum: str, seed: int) -> dict[str, str]:
    """A hidden group is drawn and everybody says something that fits it; whether it is the only one is for the solvers to say."""
    people = shuffled(_NAMES, seed, "people")[: pick(_PEOPLE[stratum], seed, "size")]
    people.sort()
    knights = set(shuffled(people, seed, "knights")[: pick(range(len(people) // 3, len(people) // 2 + 1), seed, "quota")])
    kinds = ["knave", "same", "either"] if stratum == "easy" else list(_KINDS)
    said = []
    for speaker in people:
        others = [name for name in people if name != speaker]
        options = [
            _Says(speaker, kind, tuple(sorted(shuffled(others, seed, "about", speaker, kind, chance)[: _KINDS[kind]])))
            for kind in kinds
            for chance in range(4)
        ]
        fitting = [says for says in options if _true(says, knights) == (speaker in knights)]
        # A speaker for whom nothing fits says it anyway, and the candidate fails at the solvers.
        said.append(min(fitting or options, key=lambda says: draw(seed, "says", speaker, says.kind, *says.about)))
    return {"knights": str(len(knights)), "says": ", ".join(" ".join((s.speaker, s.kind, *s.about)) for s in said)}


def _read(params: Params) -> tuple[int, list[_Says]]:
    """How many knights there are, and what each person says; the speakers are all the people there are."""
    said = []
    for part in parts(params, "says", 12):
        words = part.split()
        speaker, kind, about = "".join(words[:1]), "".join(words[1:2]), words[2:]
        if len(about) != _KINDS.get(kind) or len(set(about)) < len(about) or speaker in about or not speaker.isalpha():
            raise BadParams(f"says has {part[:60]!r}, not a speaker, {', '.join(_KINDS)} and as many other people as it names")
        said.append(_Says(speaker, kind, tuple(about)))
    people = [says.speaker for says in said]
    if len(people) < 2 or len(set(people)) < len(people) or not {name for says in said for name in says.about} <= set(people):
        raise BadParams("says must give each person one statement, about people who speak")
    return whole(params, "knights", 1, len(people)), said


def _text(params: Params) -> str:
    quota, said = _read(params)
    lines = "\n".join(f'{says.speaker}: "{_words(says)}"' for says in said)
    return (
        f"Each of {len(said)} people is either a knight or a knave. Everything a knight says is true; everything a knave says is "
        f"false. Exactly {quota} of the {len(said)} {'is a knight' if quota == 1 else 'are knights'}. They say:\n\n{lines}\n\n"
        "Who are the knights? List the names of the knights, separated by commas."
    )


def _words(says: _Says) -> str:
    first, second, third = (*says.about, "", "")[:3]
    return {
        "knave": f"{first} is a knave.",
        "same": f"{first} and {second} are both knights or both knaves.",
        "differ": f"One of {first} and {second} is a knight and the other is a knave.",
        "either": f"At least one of {first} and {second} is a knight.",
        "one-of": f"Exactly one of {first}, {second} and {third} is a knight.",
    }[says.kind]


def _true(says: _Says, knights: set[str]) -> bool:
    among = len(knights.intersection(says.about))
    return {"knave": among == 0, "same": among != 1, "differ": among == 1, "either": among > 0, "one-of": among == 1}[says.kind]


def _groups(params: Params) -> list[tuple[set[str], list[str]]]:
    """Every group of the right size, with the speakers whose statements do not fit it."""
    quota, said = _read(params)
    found = []
    for group in combinations([says.speaker for says in said], quota):
        knights = set(group)
        found.append((knights, [says.speaker for says in said if _true(says, knights) != (says.speaker in knights)]))
    return found


def _by_groups(params: Params) -> Answer:
    return _only([knights for knights, broken in _groups(params) if not broken])


def _by_backtracking(params: Params) -> Answer:
    quota, said = _read(params)
    return _only([{name for name, is_knight in known.items() if is_knight} for known in _decide({}, quota, said)])


def _decide(known: dict[str, bool], quota: int, said: list[_Says]) -> Iterator[dict[str, bool]]:
    undecided = [says.speaker for says in said if says.speaker not in known]
    if not sum(known.values()) <= quota <= sum(known.values()) + len(undecided):
        return
    if any(says.speaker in known and _verdict(says, known) == (not known[says.speaker]) for says in said):
        return
    if not undecided:
        yield known
        return
    for is_knight in (True, False):
        yield from _decide({**known, undecided[0]: is_knight}, quota, said)


def _verdict(says: _Says, known: dict[str, bool]) -> bool | None:
    """Whether a statement is true, or None while that is still open."""
    values = [known.get(name) for name in says.about]
    yes, open_ = values.count(True), values.count(None)
    match says.kind:
        case "knave":
            return None if open_ else not yes
        case "either":
            return True if yes else None if open_ else False
        case "one-of":
            return False if yes > 1 else None if open_ else yes == 1
        case _:
            return None if open_ else (values[0] == values[1]) == (says.kind == "same")


def _only(found: list[set[str]]) -> Answer:
    if len(found) != 1:
        raise BadParams(f"{len(found)} groups of knights fit, not one")
    return Answer("set", _named(found[0]))


def _named(knights: set[str]) -> str:
    return ", ".join(sorted(knights))


def _fakes(params: Params) -> list[Fake]:
    """Groups that come of letting somebody off the rule of knights and knaves: the fewer, and the less plainly, the better."""
    wrong = [(knights, broken) for knights, broken in _groups(params) if broken]
    # Where hardly anything comes close to fitting, the key is found too easily for a fake to be believed.
    if sum(len(broken) == 1 for _, broken in wrong) < 2:
        return []
    wrong.sort(key=lambda pair: (_lying(params, pair[0]), _misnamed(params, pair[0]), len(pair[1])))
    few = [pair for place, pair in enumerate(wrong) if place < 2 or len(pair[1]) < 3]
    return [Fake(_named(knights), _let_off(knights, broken)) for knights, broken in few]


def _let_off(knights: set[str], broken: list[str]) -> str:
    knaves, others = [name for name in broken if name not in knights], [name for name in broken if name in knights]
    said = [f"{listed(knaves)} say something true as {'a knave' if len(knaves) == 1 else 'knaves'}"] if knaves else []
    said += [f"{listed(others)} say something false as {'a knight' if len(others) == 1 else 'knights'}"] if others else []
    return f"let {listed(said)}"


def _lying(params: Params, knights: set[str]) -> bool:
    """Whether what somebody in the group says is not true of it."""
    return any(says.speaker in knights and not _true(says, knights) for says in _read(params)[1])


def _misnamed(params: Params, knights: set[str]) -> bool:
    """Whether somebody calls a person a knave and is the same as that person: of two such people exactly one is a knight."""
    said = [says for says in _read(params)[1] if says.kind == "knave"]
    return any((says.speaker in knights) == (says.about[0] in knights) for says in said)


def _people(params: Params, key: Answer, value: str) -> str:
    quota, said = _read(params)
    names = value.split(", ")
    if not set(names) <= {says.speaker for says in said}:
        return "names somebody who is not there"
    return "" if len(names) == quota else f"does not name {quota}"


def _knights_words(params: Params, key: Answer, value: str) -> str:
    knights = set(value.split(", "))
    return "makes somebody a knight whose own words are false" if _lying(params, knights) and _left(params, _lying) > 1 else ""


def _accusations(params: Params, key: Answer, value: str) -> str:
    knights = set(value.split(", "))
    seen = _misnamed(params, knights) and _left(params, _lying, _misnamed) > 1
    return "makes two people alike of whom one calls the other a knave" if seen else ""


def _left(params: Params, *seen: Callable[[Params, set[str]], bool]) -> int:
    """How many wrong groups show none of what is `seen`."""
    return sum(bool(broken) and not any(look(params, knights) for look in seen) for knights, broken in _groups(params))


FAMILY = Family(
    name="knight-quotas",
    draw=_draw,
    text=_text,
    solvers={"all-groups": _by_groups, "backtracking": _by_backtracking},
    fakes=_fakes,
    checks={"form": form, "people": _people, "knights' words": _knights_words, "accusations": _accusations},
    tag=lambda params: f"{_read(params)[0]}of{len(_read(params)[1])}",
)
