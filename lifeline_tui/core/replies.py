"""From a raw reply to what it says: action, answer, ratings, and where in the text each was read.

The law (Law 6): what was not parsed with certainty is never scored.  So thinking is no reply, a label counts only at the start of a
line, text without labels is `unparsed`, and a reply that was cut off is `unparsed` too, flagged `truncated`, because the value that
would have come last may be lost with the rest.  The one exception is text in which the header of the next item follows: then the
item before it is whole.  Candidates are offered to the operator and never scored.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .labels import HEADER, Label, closes, find_labels, trim, without_thinking
from .reply_values import Action, Answered, Number, is_scale, read_action, read_answer, read_number, refuses, skips

__all__ = ["PARSER_VERSION", "Action", "Parsed", "SelfScore", "candidates", "cut_base", "parse", "parse_batch", "parse_self_score"]

PARSER_VERSION = "replies-1"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an attempt says.  `difficulty` is 1 to 10 and `confidence` 0 to 100; `flags` are sorted; `spans` maps a label in lower
    case to the place of the value that counted, as offsets in the raw text.

    Flags: abstained, lifeline-in-answer, missing, negated-lifeline, no-answer, not-one-number, out-of-range, ran-on, rescaled,
    revised, several-items, truncated, unclosed-thinking, unknown-action.
    """

    action: Action
    answer: str | None = None
    difficulty: Number | None = None
    confidence: Number | None = None
    flags: tuple[str, ...] = ()
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SelfScore:
    """How many, and which, puzzles a subject says it got right.  `which` is () for "none" and None where it names no list."""

    count: int | None = None
    which: tuple[int, ...] | None = None
    flags: tuple[str, ...] = ()


def _same(value: str) -> str:
    """A value as it is compared to an earlier one: a repeat is no revision."""
    return "".join(value[:2000].casefold().split()).strip("$.")


def _judge(text: str, said: Iterable[Label], word: str) -> Parsed:
    """What the labels of one item say together; the last value of each wins."""
    actions: list[tuple[Action, str, Label]] = []
    answers: list[tuple[Answered, Label]] = []
    ratings: dict[str, list[Label]] = {"difficulty": [], "confidence": []}
    for each in said:
        value = text[each.start : each.end]
        if not value:
            continue
        if each.label == "action":
            action, flag = read_action(value, word)
            if action is not None:
                actions.append((action, flag, each))
        elif each.label == "answer":
            sort = read_answer(value, word)
            if sort is not Answered.PLACEHOLDER:
                answers.append((sort, each))
        elif each.label in ratings and not is_scale(each.label, value):
            ratings[each.label].append(each)
    flags: set[str] = set()
    spans: dict[str, tuple[int, int]] = {}
    numbers: dict[str, Number | None] = {"difficulty": None, "confidence": None}
    for label, values in ratings.items():
        if values:
            read = [read_number(label, text[each.start : each.end]) for each in values]
            numbers[label] = read[-1][0]
            flags |= {*read[-1][1]} | ({"revised"} if len({number for number, _ in read}) > 1 else set())
            spans[label] = (values[-1].start, values[-1].end)
    done, flag = (actions[-1][0], actions[-1][1]) if actions else (None, "")
    kind: Answered | None = None
    answer: str | None = None
    if actions:
        spans["action"] = (actions[-1][2].start, actions[-1][2].end)
        flags |= {flag} if flag else set()
    if answers:
        kind, last = answers[-1]
        spans["answer"], answer = (last.start, last.end), text[last.start : last.end]
    meant = {_same(text[each.start : each.end]) if sort is Answered.REAL else sort for sort, each in answers}
    if len(meant) > 1 or len({action for action, _, _ in actions}) > 1:
        flags.add("revised")
    unknown = bool(actions) and skips(text[slice(*spans["action"])]) and flag == "unknown-action"
    action, more = _combine(done, kind, unknown)
    keeps = action in (Action.ANSWER, Action.BOTH)
    return Parsed(
        action, answer if keeps else None, numbers["difficulty"], numbers["confidence"], tuple(sorted(flags | more)), spans
    )


def _combine(action: Action | None, kind: Answered | None, may_skip: bool) -> tuple[Action, set[str]]:
    """The action of an attempt, from what ACTION and ANSWER say, and flags."""
    if action is Action.BOTH:
        return Action.BOTH, set()
    if action is Action.LIFELINE:
        return (Action.BOTH if kind is Answered.REAL else Action.LIFELINE), set()
    if action is Action.REFUSAL:
        return (Action.UNPARSED if kind is Answered.REAL else Action.REFUSAL), set()
    if kind in (Answered.LIFELINE, Answered.WISH):
        stated = action is None and kind is Answered.LIFELINE
        return (Action.LIFELINE if stated else Action.UNPARSED), {"lifeline-in-answer"}
    if kind is Answered.REFUSAL:
        return Action.REFUSAL, set()
    if kind is None:
        return Action.UNPARSED, {"no-answer"} if action is Action.ANSWER else set()
    if may_skip:
        return Action.UNPARSED, set()
    return Action.ANSWER, set() if kind is Answered.REAL else {"abstained"}


def _flagged(parsed: Parsed, *flags: str) -> Parsed:
    return Parsed(
        parsed.action, parsed.answer, parsed.difficulty, parsed.confidence, tuple(sorted({*parsed.flags, *flags})), parsed.spans
    )


def _sections(said: Sequence[Label], headers: Sequence[tuple[int, int]]) -> list[tuple[int | None, list[Label]]]:
    """Labels grouped under the header above them, in order; the first group, perhaps empty, has none."""
    sections: list[tuple[int | None, list[Label]]] = [(None, []), *((number, []) for _, number in headers)]
    places = [place for place, _ in headers]
    for each in said:
        sections[bisect_right(places, each.at)][1].append(each)
    return sections


def parse(text: str, *, word: str = "lifeline", complete: bool = True) -> Parsed:
    """What a reply to one item says.  `word` is the lifeline word that the subject sees; `complete` is false for a reply cut off.

    Labels before the first item header belong to the item that was asked, and a header after them starts another item: what
    follows is left out, flag `ran-on`.  Labels under headers of different numbers are `unparsed`, flag `several-items`.
    """
    clean, unclosed = without_thinking(text)
    lost = () if complete else ("truncated",)
    if unclosed:
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "unclosed-thinking"})))
    said, headers = find_labels(clean)
    sections = _sections(said, headers)
    labelled = [i for i, (_, own) in enumerate(sections) if any(each.label in ("action", "answer") for each in own)]
    if labelled and sections[labelled[0]][0] is None and len(sections) > 1:
        return _flagged(_judge(clean, sections[0][1], word), "ran-on")
    if len({sections[i][0] for i in labelled}) > 1:
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "several-items"})))
    parsed = _judge(clean, said, word)
    if not complete and not (labelled and labelled[-1] < len(sections) - 1):
        return Parsed(Action.UNPARSED, flags=("truncated",), spans=parsed.spans)
    return Parsed(Action.REFUSAL, flags=parsed.flags, spans=parsed.spans) if _refused(parsed, clean) else parsed


def _refused(parsed: Parsed, text: str) -> bool:
    return (
        parsed.action is Action.UNPARSED and "action" not in parsed.spans and "answer" not in parsed.spans and refuses(text.strip())
    )


def parse_batch(text: str, positions: Sequence[int], *, word: str = "lifeline", complete: bool = True) -> dict[int, Parsed]:
    """What a reply to many items says of each of `positions`: one block each, headed PUZZLE k.

    Blocks of one number are read together, so the last value wins.  What is not there is flagged `missing`, or `truncated` if the
    reply was cut off; then its last block is not certain either.
    """
    clean, unclosed = without_thinking(text)
    lost = "missing" if complete else "truncated"
    if unclosed:
        return {k: Parsed(Action.UNPARSED, flags=tuple(sorted({"unclosed-thinking", lost} - {"missing"}))) for k in positions}
    said, headers = find_labels(clean)
    if not headers and len(positions) == 1:
        return {positions[0]: parse(text, word=word, complete=complete)}
    if not headers and complete and not said and refuses(clean.strip()):
        return {k: Parsed(Action.REFUSAL) for k in positions}
    blocks: dict[int, tuple[list[Label], list[str]]] = {}
    sections = _sections(said, headers)[1:]
    for i, (place, number) in enumerate(headers):
        end = headers[i + 1][0] if i + 1 < len(headers) else len(clean)
        labels, words = blocks.setdefault(number, ([], []))
        labels += sections[i][1]
        words.append(clean[place : min(end, place + 1400)].partition("\n")[2])
    results: dict[int, Parsed] = {}
    for k in positions:
        if k not in blocks or (not complete and k == headers[-1][1]):
            results[k] = Parsed(Action.UNPARSED, flags=(lost,))
            continue
        parsed = _judge(clean, blocks[k][0], word)
        results[k] = Parsed(Action.REFUSAL) if any(_refused(parsed, words) for words in blocks[k][1]) else parsed
    return results


_HOW_MANY = re.compile(
    r"(?:(?:about|around|roughly|approximately|probably|all|exactly|~) ?)*(-?[0-9]{1,6})(?: ?(?:/|of|out of) ?(?:the )?([0-9]{1,6}))?[a-z ]*"
)
_LISTED = re.compile(r"(?:[0-9]{1,5}(?: ?- ?[0-9]{1,5})?(?:[ ,;&\n]|and\b)*)+")


def parse_self_score(text: str) -> SelfScore:
    """What `COUNT:` and `WHICH:` say.  "7 of 20" is 7, "none" is 0 or (); a range in WHICH is spelled out."""
    clean, unclosed = without_thinking(text)
    if unclosed:
        return SelfScore(flags=("unclosed-thinking",))
    flags: set[str] = set()
    counts: list[int | None] = []
    lists: list[tuple[int, ...] | None] = []
    for each in find_labels(clean)[0]:
        said = " ".join(
            clean[each.start : min(each.end, each.start + 5000)].translate({0x2013: "-", 0x2212: "-"}).casefold().split()
        )
        said = said.replace("*", "").replace("`", "").strip(" .")
        if each.label == "count" and said not in ("", "n", "number"):
            counts.append(_count(said, flags))
        elif each.label == "which" and said not in ("", "numbers"):
            lists.append(_which(said, flags))
    if len(set(counts)) > 1 or len({which and tuple(sorted(which)) for which in lists}) > 1:
        flags.add("revised")
    if not counts and not lists:
        flags.add("unparsed")
    return SelfScore(counts[-1] if counts else None, lists[-1] if lists else None, tuple(sorted(flags)))


def _count(said: str, flags: set[str]) -> int | None:
    bare = said.partition("(")[0].strip(" .,;") or said.strip("()")
    if bare in ("none", "zero"):
        return 0
    if bare.startswith(("n/a", "not attempted", "i did not attempt", "i didn't attempt", "none attempted")):
        flags.add("not-attempted")
        return None
    match = _HOW_MANY.fullmatch(bare[:200])
    if not match:
        flags.add("not-one-number")
        return None
    count = int(match[1])
    if count < 0 or (match[2] and count > int(match[2])):
        flags.add("out-of-range")
        return None
    return count


def _which(said: str, flags: set[str]) -> tuple[int, ...] | None:
    if re.fullmatch(r"(?:none|none of (?:them|these|the puzzles)|no puzzles?|-|∅|\{\})", said):
        return ()
    said = re.sub(r"\b(?:puzzles?|numbers?|nos?\.)|#|(?:^|(?<=\s))[-*•] ", " ", said).strip("[](){} ")
    found: set[int] = set()
    if not _LISTED.fullmatch(said):
        flags.add("all" if re.fullmatch(r"all(?: of (?:them|these|the puzzles))?", said) else "not-a-list")
        return None
    for first, last in re.findall(r"([0-9]+)(?: ?- ?([0-9]+))?", said):
        lo, hi = int(first), int(last or first)
        if not 0 <= hi - lo <= 1000:
            flags.add("not-a-list")
            return None
        found.update(range(lo, hi + 1))
    return tuple(sorted(found))


_BASE_HEADER = re.compile(r"^[ \t]{0,40}+PUZZLE[ \t]{1,9}[0-9]", re.MULTILINE)


def cut_base(text: str, stops: Sequence[str] = ()) -> str:
    """A base model's continuation up to the next item header that is not its first thing, or to a stop string.

    A caller that knows the reply was cut off may take it for complete if this shortened it: then the item is whole.
    """
    first = len(text) - len(text.lstrip())
    headers = (next((m.start() for m in pattern.finditer(text) if m.start() > first), -1) for pattern in (_BASE_HEADER, HEADER))
    cuts = [place for place in (*headers, *(text.find(stop) for stop in stops if stop)) if place >= 0]
    return text[: min(cuts)] if cuts else text


_STATED = re.compile(r"(?:answer|result|total|value)\b[^\n.:=]{0,30}?(?:is|are|:|=)[ \t]{0,9}([^\n]{1,60})", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,40})\*\*")
_FIGURE = re.compile(r"(?<![\w.])-?[0-9]{1,18}(?:[.,/][0-9]{1,12})*(?!\w)")


def candidates(text: str, limit: int = 5) -> tuple[str, ...]:
    """Up to `limit` values that a reply may mean as its answer, likeliest first, for the operator to choose from; never scored."""
    clean, _ = without_thinking(text)
    found = [clean[each.start : each.end] for each in reversed(find_labels(clean)[0]) if each.label == "answer"]
    tail = clean[-20_000:]
    boxes = [(m.end(), closes(tail[: m.end() + 400], m.end())) for m in list(re.finditer(r"\\boxed ?\{", tail))[-5:]]
    found += [tail[lo:hi] for lo, hi in reversed(boxes) if hi >= 0]
    for pattern in (_STATED, _BOLD):
        found += [m[1] for m in reversed(list(pattern.finditer(tail)))]
    found += [m[0] for m in reversed(list(_FIGURE.finditer(tail)))]
    kept: dict[str, None] = {}
    for value in found:
        lo, hi = trim(value, 0, len(value))
        if lo < hi <= lo + 200:
            kept[value[lo:hi]] = None
    return tuple(kept)[: max(0, limit)]
