"""From a plan, a puzzle and the templates to the parts of a user turn: the only place where words for the subject are put together.

Nothing here may leak what the experiment is (Law 11): no plan, pack, family or stratum name is ever substituted, and with
`lifelines: none` no part mentions lifelines, skipping or an ACTION line (but for `action_line`, where its one option is ANSWER).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .chance import draw
from .nodes import Origin, Part, PartKind, Root, Span, System
from .plan import Plan
from .puzzle import Puzzle
from .reading.grading import same
from .state import Attempt, State, tell
from .template import Template, render

Templates = Mapping[str, Template]
Values = Mapping[str, "str | Span"]


def part(templates: Templates, name: str, values: Values, kind: PartKind, via: str) -> Part:
    """A part rendered from template `name`."""
    template = templates[name]
    return Part(kind=kind, spans=render(template, values), via=via, template=template.name, version=template.version)


def points(value: float) -> str:
    """A score as it is said: 1, -0.25."""
    return str(int(value)) if value == int(value) else str(value)


def lifelines(count: int, word: str) -> str:
    """ "10 lifelines", "1 lifeline", "3 passes"."""
    return f"{count} {word if count == 1 else plural(word)}"


def plural(word: str) -> str:
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def option_order(root: Root) -> str:
    """The order in which ACTION's options are named; where it was not stored, as the first version drew it."""
    return root.option_order or ("skip-first" if draw(root.seed, "options") < 0.5 else "answer-first")


def labels(plan: Plan, order: str) -> str:
    """The lines that the form asks for, ACTION's options in `order`."""
    lines = []
    if plan.lifelines is not None:
        options = ["ANSWER", plan.lifeline_word.upper()]
        if order == "skip-first":
            options.reverse()
        lines.append(f"ACTION: {' | '.join(options)}")
    elif plan.action_line:
        lines.append("ACTION: ANSWER")
    lines.append("ANSWER: your answer")
    if "difficulty" in plan.ask:
        lines.append("DIFFICULTY: 1-10")
    if "confidence" in plan.ask:
        lines.append("CONFIDENCE: 0-100 (the chance that your best answer would be right)")
    return "\n".join(lines)


def rules(plan: Plan, templates: Templates, root: Root) -> Part:
    """The opening part: what is played for, the budget if there is one, and the form of a reply."""
    score = plan.scoring
    one = "1 point" if score.right == 1 else f"{points(score.right)} points"
    names: list[tuple[str, dict[str, str]]] = [("rules/score", {"right": one, "wrong": points(score.wrong)})]
    if score.say_no_penalty:
        names.append(("rules/no-penalty", {}))
    if plan.lifelines is not None:
        budget = lifelines(plan.lifelines, plan.lifeline_word)
        names.append(("rules/lifelines", {"lifelines": budget, "skip": points(score.skip)}))
    batch = plan.presentation == "batch"
    names.append(("rules/batch" if batch else "rules/sequential", {"n": str(len(root.puzzles))}))
    if plan.form != "free" or batch:
        first = "rules/form-first" if plan.form == "action-first" else "rules/form"
        names.append(("rules/form-batch" if batch else first, {"lines": labels(plan, option_order(root))}))
    parts = [part(templates, name, values, PartKind.RULES, "next") for name, values in names]
    spans: list[Span] = []
    for each in parts:
        if spans:
            spans.append(Span("\n\n" if each.template.startswith("rules/form") else " ", Origin.TEMPLATE))
        spans += each.spans
    return Part(
        kind=PartKind.RULES,
        spans=tuple(spans),
        via="next",
        template="+".join(each.template for each in parts),
        version="+".join(each.version for each in parts),
    )


def item(state: State, templates: Templates, puzzle: Puzzle, position: int, *, told: tuple[Part, ...] = ()) -> Part:
    """A puzzle as it is posed, with the budget and score that the subject has been shown.

    `told` goes out in the same turn, before it: score and budget count it.
    """
    for each in told:
        state = tell(state, each)
    batch = state.plan.presentation == "batch"
    name = "rules/item-batch" if batch else "rules/item"
    values = {"i": str(position), "text": puzzle.text} | ({} if batch else {"n": str(len(state.root.puzzles))})
    made = part(templates, name, values, PartKind.ITEM, "next")
    spans = made.spans
    if state.plan.budget_line and state.left is not None:
        word = state.plan.lifeline_word
        line = render(
            templates["rules/budget-line"], {"Words": plural(word)[:1].upper() + plural(word)[1:], "left": str(state.left)}
        )
        spans = (*spans, Span("\n\n", Origin.TEMPLATE), *line)
    return Part(
        kind=PartKind.ITEM,
        spans=spans,
        via="next",
        template=made.template,
        version=made.version,
        puzzle=puzzle.id,
        record=puzzle,
        position=position,
        budget_shown=state.left,
        score_shown=state.score_shown,
    )


def system(plan: Plan, templates: Templates) -> System | None:
    """The persona's system prompt; None by default, and then nothing is sent."""
    if plan.persona == "none":
        return None
    template = templates[f"personas/{plan.persona}"]
    return System(spans=render(template, {}), template=template.name, version=template.version)


def reveal(attempt: Attempt, templates: Templates, shown: str, *, via: str, author: Origin, numbered: bool) -> Part:
    """The shown key, true or fake, in the same sentence either way.  `numbered` where several puzzles could be meant."""
    values: dict[str, str | Span] = {"shown": Span(shown, author)}
    if numbered:
        values["i"] = str(attempt.position)
    made = part(templates, "interventions/reveal-item" if numbered else "interventions/reveal", values, PartKind.FEEDBACK, via)
    truthful = bool(same(attempt.puzzle.answer, attempt.puzzle.answer.value, shown))
    said = agrees(attempt, shown) if attempt.answer is not None else None
    recorded = {True: "yes", False: "no", None: "unknown"}[said]
    return replace(_about(made, attempt, "reveal", shown, truthful), agrees=recorded)


def agrees(attempt: Attempt, shown: str | None) -> bool | None:
    """Whether the answer agrees with the `shown` key; with the true key, or where none is shown, its grade says so (Law 6).  None
    where that cannot be told."""
    key = attempt.puzzle.answer
    if shown is None or same(key, key.value, shown):
        return {"right": True, "wrong": False}.get(attempt.grade or "")
    return same(key, attempt.answer or "", shown)


def verdict(attempt: Attempt, templates: Templates, correct: bool) -> Part:
    """Tells that the answer is correct or incorrect.  Its truth is by the grade, and unknown where that is neither right nor wrong."""
    said = "correct" if correct else "incorrect"
    made = part(templates, "interventions/verdict", {"i": str(attempt.position), "verdict": said}, PartKind.FEEDBACK, "verdict")
    truth = agrees(attempt, None)
    return _about(made, attempt, "verdict", said, None if truth is None else correct is truth)


def praise(attempt: Attempt, templates: Templates) -> Part:
    made = part(templates, "interventions/praise", {"i": str(attempt.position)}, PartKind.FEEDBACK, "praise")
    return _about(made, attempt, "praise", None, None)


def score(attempt: Attempt, templates: Templates, total: float, true: float) -> Part:
    """Tells the score `total`, which is untrue where the verified keys give another."""
    made = part(templates, "interventions/score", {"score": points(total)}, PartKind.FEEDBACK, "score")
    return _about(made, attempt, "score", points(total), total == true)


def violation(attempt: Attempt, templates: Templates, word: str) -> Part:
    """Tells that the budget is spent and poses the same puzzle again: its answer is a new attempt at it."""
    made = part(templates, "interventions/violation", {"words": plural(word)}, PartKind.FEEDBACK, "next")
    about = _about(made, attempt, "violation", None, None)
    return replace(about, record=attempt.puzzle, position=attempt.position, budget_shown=0)


def _about(made: Part, attempt: Attempt, kind: str, shown: str | None, truthful: bool | None) -> Part:
    return replace(made, puzzle=attempt.puzzle.id, reply=attempt.reply, feedback=kind, shown=shown, truthful=truthful)
