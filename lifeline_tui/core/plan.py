"""A plan: puzzles, rules, feedback and scripted operator actions, as `sessions/*.yaml` state them; one plan is one arm.

These are the typed, already checked values.  The loader makes them from a file; a root keeps them as data (`as_data`), so that a
session can go on after the file has changed.  Scores are exact decimals held as text-free numbers: 1, 0, -0.25.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .chance import shuffled
from .puzzle import STRATA, Puzzle

WORDS: Mapping[str, tuple[str, ...]] = {
    "presentation": ("sequential", "batch"),
    "form": ("block-last", "action-first", "free"),
    "feedback.kind": ("none", "verdict", "reveal", "verdict+reveal", "praise", "score", "coin", "yoked"),
    "feedback.shown": ("true", "fake", "mixed"),
    "feedback.turn": ("joined", "own"),
    "feedback.on_skip": ("same", "none"),
    "on_violation": ("tell", "silent-next"),
    "on_ambiguous": ("ungradable", "stop"),
}
RANGES: Mapping[str, tuple[int, int]] = {
    "batch_size": (1, 1000),
    "lifelines": (0, 1000),
    "scoring.right": (-1000, 1000),
    "scoring.wrong": (-1000, 1000),
    "scoring.skip": (-1000, 1000),
    "feedback.fake_rate": (0, 1),
    "feedback.delay": (0, 1000),
    "pause_after_unread": (0, 1000),
}
"""Field of a plan → the words, or the lowest and the highest number, that it may hold: in a file, and in what is imported."""

SAMPLED = (
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "stop", "seed", "frequency_penalty", "presence_penalty"),
    *("repetition_penalty", "reasoning_effort", "logprobs", "top_logprobs"),
)
"""All that a file which people share may set of a subject: how it samples, and never where a request goes or with which key."""

CONDITIONS = ("action", "answer", "difficulty", "confidence", "flags", "grade", "status", "position")
OPERATORS = ("is", "not", "lt", "gt", "has")
"""What of an attempt a step's `when` may ask about, and how."""

Actions = Mapping[str, Mapping[str, Collection[str]]]
"""What a plan may script: action → its fields → the values that such a field may have; none where any text will do."""


def is_lifeline_word(word: str) -> bool:
    """Whether a plan may call its lifelines so: one word of letters that is not what else a reply may begin with."""
    return word.isascii() and word.isalpha() and len(word) <= 30 and word.lower() != "answer"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which puzzles: `ids`, or `count` of a pack's `strata` (dealt evenly); `order` is given, shuffled, latin or reversed."""

    pack: str = "starter"
    count: int = 20
    strata: tuple[str, ...] = STRATA
    ids: tuple[str, ...] = ()
    order: str = "shuffled"


@dataclass(frozen=True, slots=True)
class Scoring:
    right: float = 1
    wrong: float = 0
    skip: float = 0
    say_no_penalty: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the subject is told after an attempt.  `kind`: none, verdict, reveal, verdict+reveal, praise, score, coin, yoked; a coin's
    verdicts have nothing to do with the answers, and yoked ones repeat what the session `to` was told at each place.
    `shown`: true, fake or mixed (then an exact `fake_rate` of the items, chosen by the seed).  `turn`: joined or own.
    `on_skip`: same or none.  `delay`: attempts to wait."""

    kind: str = "none"
    shown: str = "true"
    fake_rate: float = 0.5
    turn: str = "joined"
    on_skip: str = "same"
    delay: int = 0
    to: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """A condition on an attempt: `op` is one of is, not, lt, gt, has."""

    field: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """One scripted action: the intervention `do`, `in` a fork or on the trunk, `each` for claimed, all, wrong or given ids.

    A fork branches off from the trunk, or from where the earlier action `after` ended.  `name` is what others call it by, and the
    name of its forks; "" where `do` will do.
    """

    do: str
    place: str = "fork"
    each: tuple[str, ...] = ()
    when: When | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    after: str = ""
    name: str = ""

    @property
    def called(self) -> str:
        return self.name or self.do


def before(steps: Sequence[Step], place: int) -> int | None:
    """The place of the action that the one at `place` continues; None where it continues none, or none that can be told."""
    found = [at for at, step in enumerate(steps[:place]) if step.called == steps[place].after]
    return found[0] if steps[place].after and len(found) == 1 else None


def misplaced(steps: Sequence[Step]) -> tuple[int, str] | None:
    """The place of the first action whose `after` is wrong, and what is wrong with it; None where all are right."""
    earlier: dict[str, list[Step]] = {}
    for place, step in enumerate(steps):
        if step.after and (wrong := _misplaced(step, earlier)):
            late = step.after not in earlier and any(each.called == step.after for each in steps[place:])
            return place, f"names '{step.after}', which is not done earlier" if late else wrong
        earlier.setdefault(step.called, []).append(step)
    return None


def _misplaced(step: Step, earlier: Mapping[str, Sequence[Step]]) -> str:
    name, found = step.after, earlier.get(step.after, ())
    if not found:
        known = f"; there are {', '.join([*earlier][:20])}" if earlier else ", this is the first"
        return f"there is no earlier action '{name}'{known}"
    if len(found) > 1:
        return f"{len(found)} earlier actions are called '{name}': give one a name of its own with as"
    if step.place != "fork":
        return f"branches off where '{name}' ended, so in must be fork"
    if found[0].each and not step.each:
        return f"'{name}' is done for each of several puzzles, so this action needs for as well"
    return ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One arm.  `lifelines` is None where skipping is never mentioned; `action_line` then asks for an ACTION line with one option, as
    a control.  `form`: block-last, action-first or free.  A run without hands pauses after `pause_after_unread` replies in a row that
    could not be read; 0 is never."""

    name: str
    about: str = ""
    puzzles: Selection = Selection()
    presentation: str = "sequential"
    batch_size: int = 20
    lifelines: int | None = None
    lifeline_word: str = "lifeline"
    scoring: Scoring = Scoring()
    form: str = "block-last"
    ask: tuple[str, ...] = ("difficulty", "confidence")
    budget_line: bool = False
    action_line: bool = False
    persona: str = "none"
    feedback: Feedback = Feedback()
    on_violation: str = "tell"
    on_ambiguous: str = "ungradable"
    pause_after_unread: int = 3
    subject: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 1
    then: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()


class SelectionError(ValueError):
    """A pack cannot supply what a plan asks for."""


def choose(selection: Selection, puzzles: tuple[Puzzle, ...], seed: int) -> tuple[Puzzle, ...]:
    """The puzzles of a session in the order they are posed, fixed by `seed`.  Raises SelectionError."""
    by_id = {puzzle.id: puzzle for puzzle in puzzles}
    if selection.ids:
        missing = [name for name in selection.ids if name not in by_id]
        if missing:
            raise SelectionError(f"pack {selection.pack!r} has no puzzle {', '.join(missing)}")
        chosen = [by_id[name] for name in selection.ids]
    else:
        chosen = _deal(selection, puzzles, seed)
    if selection.order == "shuffled":
        chosen = shuffled(chosen, seed, "order")
    elif selection.order == "reversed":
        chosen = list(reversed(shuffled(chosen, seed, "order")))
    elif selection.order == "latin":
        chosen = _latin(chosen, seed)
    return tuple(chosen)


def _deal(selection: Selection, puzzles: tuple[Puzzle, ...], seed: int) -> list[Puzzle]:
    """`count` puzzles, taken evenly from the strata: the first strata get one more where it does not divide."""
    share, extra = divmod(selection.count, len(selection.strata))
    chosen: list[Puzzle] = []
    for place, stratum in enumerate(selection.strata):
        want = share + (place < extra)
        pool = [puzzle for puzzle in puzzles if puzzle.stratum == stratum]
        if len(pool) < want:
            raise SelectionError(
                f"pack {selection.pack!r} has {len(pool)} puzzles of stratum {stratum!r}, but the plan needs {want}"
            )
        chosen += shuffled(pool, seed, "deal", stratum)[:want]
    if selection.order == "given":
        rank = {puzzle.id: i for i, puzzle in enumerate(puzzles)}
        chosen.sort(key=lambda puzzle: rank[puzzle.id])
    return chosen


def _latin(chosen: list[Puzzle], seed: int) -> list[Puzzle]:
    """Strata in rotation, the rotation's start fixed by `seed`: over as many seeds each stratum stands at each place equally often."""
    strata = [name for name in STRATA if any(puzzle.stratum == name for puzzle in chosen)]
    strata += sorted({puzzle.stratum for puzzle in chosen} - set(strata))
    queues = {name: [p for p in shuffled(chosen, seed, "latin") if p.stratum == name] for name in strata}
    ordered: list[Puzzle] = []
    turn = seed % max(1, len(strata))
    while len(ordered) < len(chosen):
        queue = queues[strata[turn % len(strata)]]
        if queue:
            ordered.append(queue.pop(0))
        turn += 1
    return ordered
