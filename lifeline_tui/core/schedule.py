"""What a plan says next: the feedback due after a reply, and the key it shows.  Fixed by plan and seed, so that it can be repeated."""

from __future__ import annotations

from .chance import draw, pick
from .nodes import Origin, Part
from .puzzle import Puzzle
from .state import SETTLED, Attempt, State
from .turn import Phase
from .wording import Templates, agrees, praise, reveal, score, verdict


def shown_key(state: State, puzzle: Puzzle) -> str:
    """The key that the plan shows for `puzzle`: the true one, or a fake; under `mixed`, an exact share of the puzzles get a fake.

    A puzzle without fakes is always shown its true key.
    """
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
        return (score(last, templates, state.score_shown),) if last is not None and not last.told else ()
    return tuple(part for attempt in settled if not attempt.told for part in _about(state, attempt, templates))


def _about(state: State, attempt: Attempt, templates: Templates) -> list[Part]:
    kind = state.plan.feedback.kind
    parts: list[Part] = []
    answered = attempt.outcome is Phase.GRADED
    if kind == "yoked":
        return [verdict(attempt, templates, draw(state.root.seed, "yoked", attempt.position) < 0.5)] if answered else []
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
