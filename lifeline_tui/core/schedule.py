"""What a plan says next: the feedback due after a reply, and the key it shows.  Fixed by plan and seed, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import floor

from .attempt_phases import Phase
from .chance import draw, pick
from .nodes import Origin, Part
from .plan import Plan
from .puzzle import Puzzle
from .state import SETTLED, Attempt, State
from .wording import Templates, agrees, praise, reveal, score, verdict


def plan_option_order(plan: Plan, seed: int) -> str:
    """The order of ACTION's options: each order once in any two seeds that follow each other; empty where nothing is offered."""
    return "" if plan.lifelines is None else ("answer-first", "skip-first")[seed % 2]


def plan_fakes(plan: Plan, puzzles: Sequence[Puzzle], seed: int) -> Mapping[str, str]:
    """Puzzle id → the fake that the plan shows for it; the others get their true key, and so does one that has no fakes.

    Under `mixed` an exact share of those that have any.  Whether the first of them gets one is balanced over seeds that follow each
    other (in pairs, so that it does not go with the order of the options), since a first fake is met with no other before it.
    """
    feedback = plan.feedback
    candidates = [puzzle for puzzle in puzzles if puzzle.fakes] if feedback.shown != "true" else []
    faked = list(candidates)
    if feedback.shown == "mixed" and candidates:
        rate, pair = feedback.fake_rate, seed // 2
        ranked = sorted(candidates[1:], key=lambda puzzle: draw(seed, "fake", puzzle.id))
        count = round(rate * len(candidates))
        first = floor((pair + 1) * rate) > floor(pair * rate)
        if not ranked or count in (0, len(candidates)):
            faked = candidates[:count]
        else:
            faked = [candidates[0], *ranked[: count - 1]] if first else ranked[:count]
    return {puzzle.id: pick(puzzle.fakes, seed, "which fake", puzzle.id).value for puzzle in faked}


def shown_key(state: State, puzzle: Puzzle) -> str:
    """The key that the plan shows for `puzzle`: the true one, or the fake that was planned when the session was made."""
    if state.root.planned_fakes is not None:
        return state.root.planned_fakes.get(puzzle.id, puzzle.answer.value)
    return _drawn_key(state, puzzle)


def _drawn_key(state: State, puzzle: Puzzle) -> str:
    """As the first version drew it, for sessions that have no planned fakes: they go on as they began."""
    feedback, seed = state.plan.feedback, state.root.seed
    faked = feedback.shown == "fake"
    if feedback.shown == "mixed":
        candidates = [p.id for p in state.root.puzzles if p.fakes]
        ranked = sorted(candidates, key=lambda name: draw(seed, "fake", name))
        faked = puzzle.id in ranked[: round(feedback.fake_rate * len(candidates))]
    if faked and puzzle.fakes:
        return pick(puzzle.fakes, seed, "which fake", puzzle.id).value
    return puzzle.answer.value


def due(state: State, templates: Templates) -> tuple[Part, ...]:
    """The feedback that the plan gives after the reply at the tip, in order; what is delayed past the last puzzle comes at the end."""
    feedback = state.plan.feedback
    if feedback.kind == "none":
        return ()
    settled = [a for a in state.attempts if a.phase in SETTLED and a.outcome is not Phase.VIOLATED]
    if state.next_puzzle is not None:
        settled = [a for a in settled if state.posed - a.position >= feedback.delay]
    if feedback.on_skip == "none":
        settled = [a for a in settled if a.outcome is not Phase.SKIPPED]
    if feedback.kind == "score":
        last = settled[-1] if settled else None
        told: tuple[Part, ...] = (
            (score(last, templates, state.score_shown, state.score_true),) if last is not None and not last.told else ()
        )
    else:
        told = tuple(part for attempt in settled if not attempt.told for part in _about(state, attempt, templates))
    return tuple(replace(part, planned=True) for part in told)


def _about(state: State, attempt: Attempt, templates: Templates) -> list[Part]:
    kind = state.plan.feedback.kind
    parts: list[Part] = []
    answered = attempt.outcome is Phase.GRADED
    if kind in ("yoked", "coin"):
        outcome = _outcome(state, attempt.position)
        return [verdict(attempt, templates, outcome)] if answered and outcome is not None else []
    shown = shown_key(state, attempt.puzzle)
    if "verdict" in kind and answered and (correct := agrees(attempt, shown)) is not None:
        parts.append(verdict(attempt, templates, correct))
    if "reveal" in kind:
        numbered = state.plan.presentation == "batch" or attempt is not state.latest
        parts.append(
            reveal(
                attempt,
                templates,
                shown,
                via="reveal" if shown == attempt.puzzle.answer.value else "fake",
                author=Origin.TEMPLATE,
                numbered=numbered,
            )
        )
    if kind == "praise" and answered and attempt.grade == "right":
        parts.append(praise(attempt, templates))
    return parts


def _outcome(state: State, position: int) -> bool | None:
    """What a verdict says that has nothing to do with the answer: what the session that this one is yoked to was told at this place
    (None: nothing), or a coin's fall."""
    if state.root.yoked is not None:
        return state.root.yoked.get(str(position))
    return draw(state.root.items, "yoked", position) < 0.5


def outcomes(state: State) -> Mapping[str, bool]:
    """What each place came to, as another session can be yoked to it: the verdict that was told, else whether the answer is
    right by the key that was shown, and by the verified one where none was."""
    found = {}
    for attempt in state.counted:
        told = next((each.shown for each in reversed(attempt.told) if each.kind == "verdict"), None)
        outcome = told == "correct" if told is not None else attempt.shown_right
        if outcome is not None:
            found[str(attempt.position)] = outcome
    return found
