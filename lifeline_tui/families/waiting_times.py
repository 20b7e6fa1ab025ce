"""Waiting for a run of outcomes of a coin or spinner: the expected number of trials, or which of two runs comes first.

One method solves the linear equations of the states "so much of a run is there already"; the other adds up how runs overlap
themselves and each other (Conway's leading numbers, weighted by the chances: S.-Y. R. Li, Ann. Probab. 8, 1980).
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

from lifeline_tui.core.chance import pick
from lifeline_tui.core.puzzle import Answer, Fake
from lifeline_tui.families.shape import BadParams, Family, Params, bounded, form, listed, parts, size, sized

Chances = dict[str, Fraction]
_DEVICES = {
    "easy": ("H 1/2, T 1/2", "A 1/3, B 1/3, C 1/3", "A 1/4, B 1/4, C 1/4, D 1/4"),
    "medium": ("H 1/3, T 2/3", "H 3/5, T 2/5", "A 1/2, B 1/3, C 1/6", "H 3/4, T 1/4", "A 2/5, B 2/5, C 1/5"),
    "hard": ("H 2/5, T 3/5", "A 1/2, B 1/3, C 1/6", "H 3/7, T 4/7", "A 3/8, B 3/8, C 1/4", "A 2/5, B 2/5, C 1/5"),
}
_MANY = 100
_LENGTHS = {"easy": (2, 3), "medium": (4, 5), "hard": (5, 6)}


def _draw(stratum: str, seed: int) -> dict[str, str]:
    chances = pick(_DEVICES[stratum], seed, "device")
    symbols = [part.split()[0] for part in chances.split(", ")]
    length = pick(_LENGTHS[stratum], seed, "length") if chances.startswith("H") else _LENGTHS[stratum][0]
    run, rival = ("".join(pick(symbols, seed, name, place) for place in range(length)) for name in ("run", "rival"))
    if stratum != "hard":
        return {"chances": chances, "run": run, "rival": "none"}
    # A rival that starts or ends inside the run makes the overlaps matter.
    rival = pick((rival[:2] + run[: length - 2], run[2:] + rival[:2]), seed, "overlap")
    return {"chances": chances, "run": run, "rival": rival if rival != run else rival[::-1]}


def _read(params: Params) -> tuple[Chances, str, str]:
    """The chance of each symbol, the run, and the rival run (or nothing)."""
    chances: Chances = {}
    for part in parts(params, "chances", 6):
        symbol, _, chance = part.partition(" ")
        above, _, below = chance.partition("/")
        if len(symbol) != 1 or not symbol.isupper() or symbol in chances:
            raise BadParams(f"chances has {part[:40]!r}, not a new capital letter and a fraction")
        chances[symbol] = Fraction(bounded(above, "chances", 1, 99), bounded(below, "chances", 1, 99))
    if len(chances) < 2 or sum(chances.values()) != 1:
        raise BadParams("chances must be two or more that add up to 1")
    run, rival = ("".join(parts(params, field, 1)) for field in ("run", "rival"))
    if not run or any(len(value) > 8 or set(value) - set(chances) for value in (run, rival)):
        raise BadParams("run and rival must be at most 8 of the symbols each")
    if rival and (rival in run or run in rival):
        raise BadParams("neither run may hold the other")
    return chances, run, rival


def _text(params: Params) -> str:
    chances, run, rival = _read(params)
    shown, other = " ".join(run), " ".join(rival)
    if chances.keys() == {"H", "T"}:
        odds = f"a coin that shows heads (H) with probability {chances['H']} and tails (T) with probability {chances['T']}"
        kind = "a fair coin, which shows heads (H) or tails (T)" if _fair(chances) else odds
        trials, verb = "tosses", "tossed"
    elif len(set(chances.values())) == 1:
        kind, trials, verb = f"a spinner with the {len(chances)} equally likely outcomes {listed(chances)}", "spins", "spun"
    else:
        odds = listed(f"{symbol} with probability {chance}" for symbol, chance in chances.items())
        kind, trials, verb = f"a spinner that stops on {odds}", "spins", "spun"
    opening = f"You have {kind}. All {trials} are independent of each other. "
    if rival:
        return (
            f"{opening}It is {verb} until either {shown} or {other} has come up in consecutive {trials}, in this order. What is the "
            f"probability that {shown} comes up before {other}? Give the answer as a fraction in lowest terms."
        )
    form = "a whole number" if _fair(chances) else "the answer as a fraction in lowest terms, or a whole number if it is one"
    return (
        f"{opening}It is {verb} until {shown} has come up in consecutive {trials}, in this order. What is the expected number of "
        f"{trials}, counting those that make up {shown}? Give {form}."
    )


def _fair(chances: Chances) -> bool:
    return all(chance.numerator == 1 for chance in chances.values()) and len(set(chances.values())) == 1


def _answer(chances: Chances, rival: str, value: Fraction) -> Answer:
    return Answer("int" if _fair(chances) and not rival else "fraction", str(value))


def _overlap(chances: Chances, first: str, then: str) -> Fraction:
    """The sum, over every end of `first` that is a start of `then`, of one over the chance of that piece."""
    pieces = (then[:size] for size in range(1, min(len(first), len(then)) + 1) if first.endswith(then[:size]))
    return sum((1 / _chance(chances, piece) for piece in pieces), Fraction(0))


def _chance(chances: Chances, run: str) -> Fraction:
    return prod((chances[symbol] for symbol in run), start=Fraction(1))


def _by_overlaps(params: Params) -> Answer:
    chances, run, rival = _read(params)
    own = _overlap(chances, run, run)
    if not rival:
        return _answer(chances, rival, own)
    for_run = _overlap(chances, rival, rival) - _overlap(chances, rival, run)
    against = own - _overlap(chances, run, rival)
    return _answer(chances, rival, for_run / (for_run + against))


def _by_equations(params: Params) -> Answer:
    """value(state) = gain + sum of chance × value(next state), with value 0 at the end, or 1 where the run has won."""
    chances, run, rival = _read(params)
    ends = [run, *([rival] if rival else [])]
    states = sorted({end[:size] for end in ends for size in range(len(end))})
    rows = []
    for state in states:
        row = [Fraction(int(state == other)) for other in states] + [Fraction(0 if rival else 1)]
        for symbol, chance in chances.items():
            after = state + symbol
            while after not in ends and after not in states:
                after = after[1:]
            if after in states:
                row[states.index(after)] -= chance
            elif rival and after == run:
                row[-1] += chance
        rows.append(row)
    return _answer(chances, rival, _solved(rows)[states.index("")])


def _solved(rows: list[list[Fraction]]) -> list[Fraction]:
    """The unknowns of a regular linear system, by Gauss and Jordan, exactly."""
    for at in range(len(rows)):
        found = next(place for place in range(at, len(rows)) if rows[place][at])
        rows[at], rows[found] = rows[found], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for other in range(len(rows)):
            if other != at and rows[other][at]:
                factor = rows[other][at]
                rows[other] = [value - factor * pivot for value, pivot in zip(rows[other], rows[at], strict=True)]
    return [row[-1] for row in rows]


def _fakes(params: Params) -> list[Fake]:
    chances, run, rival = _read(params)
    return _wrong_races(chances, run, rival) if rival else _wrong_waits(chances, run)


def _wrong_races(chances: Chances, run: str, rival: str) -> list[Fake]:
    """The odds with one of the four sums of overlaps left out or mistaken for another."""
    own, theirs = _overlap(chances, run, run), _overlap(chances, rival, rival)
    before, after = _overlap(chances, rival, run), _overlap(chances, run, rival)
    whole, other = 1 / _chance(chances, run), 1 / _chance(chances, rival)
    odds = [
        (f"left out how the end of {rival} can start {run}", theirs, own - after),
        (f"left out how the end of {run} can start {rival}", theirs - before, own),
        (f"left out how {run} overlaps itself", theirs - before, whole - after),
        (f"left out how {rival} overlaps itself", other - before, own - after),
        ("took each overlap between the two runs the wrong way round", theirs - after, own - before),
        ("left out how each run overlaps itself", other - before, whole - after),
        ("compared the two waiting times and left out how the runs overlap each other", theirs, own),
        ("compared the chances of the two runs only", other, whole),
        ("gave the probability of the other run", own - after, theirs - before),
    ]
    return [Fake(str(ours / (ours + against)), error) for error, ours, against in odds if ours > 0 and against > 0]


def _wrong_waits(chances: Chances, run: str) -> list[Fake]:
    """One overlap of the run with itself lost, counted twice, or seen where there is none; or the trials counted from elsewhere."""
    own, fakes, less_likely = _overlap(chances, run, run), [], []
    for count in range(len(run) - 1, 0, -1):
        start, end = run[:count], run[-count:]
        if start == end:
            fakes.append(Fake(str(own - 1 / _chance(chances, start)), f"lost the run's overlap of {count} with itself"))
            less_likely.append(
                Fake(str(own + 1 / _chance(chances, start)), f"counted the run's overlap of {count} with itself twice")
            )
        else:
            seen = f"took {start} and {end} for an overlap of {count}, with the chance of"
            fakes.append(Fake(str(own + 1 / _chance(chances, start)), f"{seen} {start}"))
            less_likely.append(Fake(str(own + 1 / _chance(chances, end)), f"{seen} {end}"))
    ends = [1 / _chance(chances, run[at:]) for at in range(len(run))]
    return [
        *fakes,
        *less_likely,
        Fake(str(sum(ends, Fraction(0))), "started again from nothing after every miss"),
        Fake(
            str(1 / _chance(chances, run) + 1 / chances[run[0]]), "took for granted that only the last symbol starts the run again"
        ),
        Fake(str(own - len(run)), "left out the trials that make up the run"),
        Fake(str(own + len(run)), "counted the trials that make up the run twice"),
        Fake(str(own + len(run) - 1), "took the trial that ends the run for the one that begins it"),
    ]


def _range(params: Params, key: Answer, value: str) -> str:
    """A chance lies between 0 and 1, and is not what the chances of the two runs alone give.  A wait is one over the chance of the
    run at least; and at most that with an overlap of every length, which is all the puzzle if the run is one symbol repeated."""
    chances, run, rival = _read(params)
    given, least = Fraction(value), 1 / _chance(chances, run)
    if rival:
        plain = 1 / (1 + _chance(chances, rival) / _chance(chances, run))
        if not 0 < given < 1:
            return "is not between 0 and 1"
        return (
            f"is one half, or {plain}, as the chances of the two runs alone would have it"
            if given in (plain, Fraction(1, 2))
            else ""
        )
    if given < least:
        return f"is less than {least}, one over the chance of the run"
    most = least + sum(1 / max(_chance(chances, run[:n]), _chance(chances, run[-n:])) for n in range(1, len(run)))
    return f"is more than {most}, the most that overlaps can add up to" if len(set(run)) > 1 and given > most else ""


def _ends(params: Params, key: Answer, value: str) -> str:
    """A wait is a sum over overlaps, each of which begins as the run begins and ends as it ends: that much can be divided out."""
    chances, run, rival = _read(params)
    if rival:
        return ""
    given, fits = Fraction(value), True
    for chance, rest in ((chances[run[0]], run[1:]), (chances[run[-1]], run[:-1])):
        fits = fits and (given * chance * prod(chances[symbol].numerator for symbol in rest)).denominator == 1
    # Where all outcomes are equally likely, only so many multiples of their number are of the key's size.
    multiples = [n for n in sized(key)[:_MANY] if n % len(chances) == 0 and n >= 1 / _chance(chances, run)]
    if fits or (key.type == "int" and len(multiples) < 3 and len(sized(key)) < _MANY):
        return ""
    return f"cannot be a sum of waits that all begin with {run[0]} and end with {run[-1]}"


FAMILY = Family(
    name="waiting-times",
    draw=_draw,
    text=_text,
    solvers={"overlaps": _by_overlaps, "linear-equations": _by_equations},
    fakes=_fakes,
    checks={"form": form, "size": size, "range": _range, "ends": _ends},
    tag=lambda params: _read(params)[1].lower(),
)
