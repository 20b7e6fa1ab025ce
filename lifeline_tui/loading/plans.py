"""Plans from `sessions/*.yaml`: each field typed, ranged and checked, so that nothing behind this file meets a wrong plan.

A plan is a file that people share: it may set how a subject samples, and never where a request goes or with which key.  Packs and
personas are named, never given as a path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.plan import (
    CONDITIONS,
    OPERATORS,
    RANGES,
    WORDS,
    Actions,
    Feedback,
    Plan,
    Scoring,
    Selection,
    Step,
    When,
    is_lifeline_word,
    misplaced,
)
from ..core.puzzle import STRATA
from .entry import Entry
from .files import listed
from .resources import find, resources
from .strict_yaml import load

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
SAMPLING: dict[str, Callable[[Entry, str], Any]] = {
    "temperature": lambda entry, name: entry.number(name, 0, 2),
    "top_p": lambda entry, name: entry.number(name, 0, 1),
    "top_k": lambda entry, name: entry.integer(name, 0, 1_000_000),
    "min_p": lambda entry, name: entry.number(name, 0, 1),
    "max_tokens": lambda entry, name: entry.integer(name, 1, 1_000_000),
    "stop": lambda entry, name: _stops(entry.entry(name)),
    "seed": lambda entry, name: _no_seed(entry, name),
    "frequency_penalty": lambda entry, name: entry.number(name, -2, 2),
    "presence_penalty": lambda entry, name: entry.number(name, -2, 2),
    "repetition_penalty": lambda entry, name: entry.number(name, 0, 10),
    "reasoning_effort": lambda entry, name: entry.choice(name, EFFORTS),
    "logprobs": lambda entry, name: _not_kept(entry, name, entry.flag(name)),
    "top_logprobs": lambda entry, name: _not_kept(entry, name, entry.integer(name, 0, 20)),
}
"""All that a plan's `subject` may set, and how each is read."""


def plan_names() -> tuple[str, ...]:
    """The names of the shipped plans and the user's own."""
    return tuple(resources("sessions"))


def load_plan(name_or_path: str | Path, actions: Actions | None = None) -> Plan:
    """The plan of a name or in a file; its steps may `do` only `actions`, where those are given.  Raises BadFile."""
    return parse(load(find("sessions", name_or_path)), actions)


def parse(entry: Entry, actions: Actions | None = None) -> Plan:
    """The plan in an entry.  Raises BadFile."""
    batch = entry.choice("presentation", WORDS["presentation"], "sequential") == "batch"
    if entry.has("size") and not batch:
        raise entry.entry("size").bad("is the size of a batch, but presentation is sequential")
    lifelines = None if entry.text("lifelines", "none") == "none" else _lifelines(entry)
    budget_line = entry.flag("budget_line", default=False)
    if budget_line and lifelines is None:
        raise entry.entry("budget_line").bad("needs lifelines, but lifelines is none, where nothing sent may mention them")
    action_line = entry.flag("action_line", default=False)
    if action_line and lifelines is not None:
        raise entry.entry("action_line").bad("is for lifelines: none; with lifelines the form has an ACTION line anyway")
    if action_line and not batch and entry.text("form", "") == "free":
        raise entry.entry("action_line").bad("needs a form that asks for lines, but form is free")
    if entry.has("then") and entry.has("steps"):
        raise entry.entry("steps").bad("scripts the whole conversation, so it cannot stand beside then")
    plan = Plan(
        name=entry.slug("name"),
        about=entry.text("about", ""),
        puzzles=_selection(entry.child("puzzles")),
        presentation="batch" if batch else "sequential",
        batch_size=entry.integer("size", *RANGES["batch_size"], default=20),
        lifelines=lifelines,
        lifeline_word=_word(entry),
        scoring=_scoring(entry.child("scoring")),
        form=entry.choice("form", WORDS["form"], "block-last"),
        ask=_ask(entry),
        budget_line=budget_line,
        action_line=action_line,
        persona=_persona(entry),
        feedback=_feedback(entry.child("feedback")),
        on_violation=entry.choice("on_violation", WORDS["on_violation"], "tell"),
        on_ambiguous=entry.choice("on_ambiguous", WORDS["on_ambiguous"], "ungradable"),
        pause_after_unread=entry.integer("pause_after_unread", *RANGES["pause_after_unread"], default=3),
        subject=_subject(entry.child("subject")),
        seed=entry.integer("seed", 0, default=1),
        then=_steps(entry, "then", actions),
        steps=_steps(entry, "steps", actions),
    )
    entry.done()
    return plan


def _lifelines(entry: Entry) -> int:
    found = entry.entry("lifelines")
    if not str(found.value).strip("+-").isdecimal():
        raise found.bad(f"must be none or a whole number, not '{found.value}'")
    return found.integer(None, *RANGES["lifelines"])


def _selection(entry: Entry) -> Selection:
    pack, order = entry.slug("pack", "starter"), entry.choice("order", ("given", "shuffled", "latin", "reversed"), "shuffled")
    if entry.has("ids"):
        for other in ("count", "strata"):
            if entry.has(other):
                raise entry.entry(other).bad("cannot stand beside ids, which already say which puzzles")
        ids = _distinct(entry, "ids")
        return Selection(pack=pack, count=len(ids), ids=ids, order=order)
    strata = _distinct(entry, "strata") if entry.has("strata") else entry.list_of_text("strata", STRATA)
    return Selection(pack=pack, count=entry.integer("count", 1, 1000, default=20), strata=strata, order=order)


def _distinct(entry: Entry, name: str) -> tuple[str, ...]:
    """A list of names, at least one, none twice."""
    names: dict[str, None] = {}
    for item in entry.children(name):
        if item.slug() in names:
            raise item.bad(f"'{item.value}' is listed twice")
        names[item.slug()] = None
    if not names:
        raise entry.entry(name).bad("must not be empty")
    return tuple(names)


def _word(entry: Entry) -> str:
    word = entry.text("lifeline_word", "lifeline")
    if not is_lifeline_word(word):
        raise entry.entry("lifeline_word").bad("must be one word of letters, other than 'answer'")
    return word


def _scoring(entry: Entry) -> Scoring:
    right, wrong, skip = (
        entry.number(name, *RANGES[f"scoring.{name}"], getattr(Scoring(), name)) for name in ("right", "wrong", "skip")
    )
    silent = not entry.flag("say_no_penalty", default=False)
    if not silent and wrong < 0:
        raise entry.entry("say_no_penalty").bad(f"cannot be true where a wrong answer scores {wrong}")
    return Scoring(right, wrong, skip, not silent)


def _ask(entry: Entry) -> tuple[str, ...]:
    if not entry.has("ask"):
        return entry.list_of_text("ask", ("difficulty", "confidence"))
    asked = [item.choice(None, ("difficulty", "confidence")) for item in entry.children("ask")]
    if len(set(asked)) < len(asked):
        raise entry.entry("ask").bad("asks for the same thing twice")
    return tuple(asked)


def _persona(entry: Entry) -> str:
    persona = entry.slug("persona", "none")
    known = ("none", *resources("prompts/personas"))
    if persona not in known:
        raise entry.entry("persona").bad(f"there is no persona '{persona}'; there are {listed(known)}")
    return persona


def _feedback(entry: Entry) -> Feedback:
    kind = entry.choice("kind", WORDS["feedback.kind"], "none")
    shown = entry.choice("shown", WORDS["feedback.shown"], "true")
    if shown != "true" and kind in ("none", "praise"):
        raise entry.entry("shown").bad(f"is {shown}, but feedback of kind {kind} shows no answer")
    to = entry.text("to", "")
    if kind == "yoked" and not to:
        raise entry.entry("kind").bad(
            "is yoked, which needs to: the session whose outcomes it repeats; a verdict by chance is coin"
        )
    if to and kind != "yoked":
        raise entry.entry("to").bad(f"is for kind: yoked, but kind is {kind}")
    if entry.has("fake_rate") and shown != "mixed":
        raise entry.entry("fake_rate").bad(f"is for shown: mixed, but shown is {shown}")
    return Feedback(
        kind=kind,
        shown=shown,
        fake_rate=entry.number("fake_rate", *RANGES["feedback.fake_rate"], default=0.5),
        turn=entry.choice("turn", WORDS["feedback.turn"], "joined"),
        on_skip=entry.choice("on_skip", WORDS["feedback.on_skip"], "same"),
        delay=entry.integer("delay", *RANGES["feedback.delay"], default=0),
        to=to,
    )


def _subject(entry: Entry) -> dict[str, Any]:
    for name in entry.names():
        if name not in SAMPLING:
            raise entry.entry(name).bad(
                f"may not be set by a shared file, which sets only {listed(SAMPLING)}; addresses, headers and keys never"
            )
    return {name: SAMPLING[name](entry, name) for name in entry.names()}


def _no_seed(entry: Entry, name: str) -> int:
    raise entry.entry(name).bad(
        "cannot be set: every call has a seed of its own, derived from the session's; set seed: of the plan, or --seed"
    )


def _not_kept(entry: Entry, name: str, value: int) -> int:
    """Refuses what would be asked and paid for, and then dropped."""
    if value:
        raise entry.entry(name).bad("cannot be asked for yet: they would be sent and charged, but not kept; leave it out")
    return value


def _stops(entry: Entry) -> list[str]:
    stops = [entry.text()] if isinstance(entry.value, str) else list(entry.list_of_text())
    if not 1 <= len(stops) <= 16:
        raise entry.bad("must be 1 to 16 texts")
    return stops


PLACED = ("do", "in", "for", "when", "after", "as")
"""What an action's entry may hold beside the action's own fields."""


def _steps(entry: Entry, name: str, actions: Actions | None) -> tuple[Step, ...]:
    entries = tuple(entry.children(name, default=()))
    steps = tuple(_step(item, actions) for item in entries)
    if wrong := misplaced(steps):
        raise entries[wrong[0]].entry("after").bad(wrong[1])
    return steps


def _step(entry: Entry, actions: Actions | None) -> Step:
    do = entry.slug("do") if actions is None else entry.choice("do", tuple(actions))
    place = entry.choice("in", ("fork", "trunk"), "fork")
    each: tuple[str, ...] = ()
    if entry.has("for"):
        listed_ids = isinstance(entry.entry("for").value, list)
        each = _distinct(entry, "for") if listed_ids else (entry.choice("for", ("claimed", "all", "wrong")),)
    when = _when(entry.child("when")) if entry.has("when") else None
    if when and not each:
        raise entry.entry("when").bad("is a condition on an attempt, so it needs for, which says which attempts")
    after, name = (entry.slug(each, "") if entry.has(each) else "" for each in ("after", "as"))
    if after and actions is not None and "in" not in actions[do]:
        raise entry.entry("after").bad(f"is for an action that can branch off, and {do} cannot")
    rest = {}
    for field in entry.names():
        if field in PLACED:
            continue
        if actions is not None and field not in actions[do]:
            known = ", ".join(sorted({*actions[do], *PLACED}))
            raise entry.entry(field).bad(f"is not a field of {do}; its fields are {known}")
        options = actions[do][field] if actions is not None else ()
        rest[field] = entry.choice(field, options) if options else entry.text(field, "")
    return Step(do, place, each, when, rest, after, name)


def _when(entry: Entry) -> When:
    op = entry.choice("op", OPERATORS)
    if op in ("lt", "gt"):
        entry.number("value")
    return When(entry.choice("field", CONDITIONS), op, entry.text("value"))
