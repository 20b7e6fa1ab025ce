"""From a raw reply to what it says: action, answer, ratings, and where in the text each was read.

The law (Law 6): what was not parsed with certainty is never scored.  So thinking is no reply, a label counts only at the start of a
line, text without labels is `unparsed`, and a reply that was cut off is `unparsed` too, flagged `truncated`, because the value that
would have come last may be lost with the rest.  The one exception is text in which the header of the next item follows: then the
item before it is whole.  Labels that may belong to another item than the one they stand under are nobody's: flag `several-items`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .labels import HEADER, MENTION, Header, Label, find_labels, without_thinking
from .values import Action, Answered, Number, is_scale, read_action, read_answer, read_number, refuses, skips

__all__ = ["PARSER_VERSION", "Action", "Parsed", "SelfScore", "cut_base", "parse", "parse_batch", "parse_self_score"]

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


@dataclass(frozen=True, slots=True)
class _Section:
    """The labels under one header, in order; those above the first header have none."""

    header: Header | None
    labels: list[Label]

    @property
    def number(self) -> int | None:
        return self.header.number if self.header else None

    @property
    def sure(self) -> bool:
        return self.header is None or self.header.sure

    @property
    def decides(self) -> bool:
        return any(each.label in ("action", "answer") for each in self.labels)


def _sections(said: Sequence[Label], headers: Sequence[Header]) -> list[_Section]:
    sections = [_Section(None, [])]
    waiting = iter(headers)
    after = next(waiting, None)
    for each in said:
        while after and after.at <= each.at:
            sections.append(_Section(after, []))
            after = next(waiting, None)
        sections[-1].labels.append(each)
    return sections + [_Section(header, []) for header in (*([after] if after else []), *waiting)]


def _labels(sections: Sequence[_Section]) -> list[Label]:
    """The labels of one item's sections.  Ratings alone under a header that may be a mention may be another's."""
    return [each for section in sections if section.sure or section.decides for each in section.labels]


_NAMED = re.compile(r"(?:(?:for |of )?puzzle|#|no\.?|number)? ?#?([0-9]{1,4})", re.IGNORECASE)


def _strays(text: str, sections: Sequence[_Section], number: int | None, word: str, missing: Container[int] = ()) -> bool:
    """Whether the sections of one item may hold what is said of another: a label that names another in brackets, other values where
    its number comes back, or a line that opens with another's number between two values, or above any if that one is `missing`."""
    labels = [each for section in sections for each in section.labels]
    named = {int(m[1]) for each in labels if (m := _NAMED.fullmatch(each.note.strip()))}
    if number is not None and named - {number}:
        return True
    meant = [_meant(text, section, word) for section in sections] if len(sections) > 1 else []
    if any(len({each[i] for each in meant} - {None}) > 1 for i in (0, 1)):
        return True
    revised = None
    for section in sections:
        first, last = (section.labels[0].at, section.labels[-1].at) if section.labels else (0, 0)
        for m in MENTION.finditer(text, section.header.at if section.header else 0, last):
            if int(m[1]) == number:
                continue
            if revised is None:
                revised = "revised" in _judge(text, labels, word).flags
            if int(m[1]) in missing or (revised and m.start() > first):
                return True
    return False


def _meant(text: str, section: _Section, word: str) -> tuple[Action | None, str | None]:
    """The action and the answer that the labels of one section come to, to be compared with another's."""
    spans = _judge(text, section.labels, word).spans
    action = read_action(text[slice(*spans["action"])], word)[0] if "action" in spans else None
    answer = text[slice(*spans["answer"])] if "answer" in spans else None
    sort = Answered.REAL if answer is None else read_answer(answer, word)
    return action, answer and (_same(answer) if sort is Answered.REAL else f"({sort})")


def parse(text: str, *, word: str = "lifeline", complete: bool = True, position: int | None = None) -> Parsed:
    """What a reply to one item says.  `word` is the lifeline word that the subject sees; `complete` is false for a reply cut off;
    `position` is the number under which the item was asked.

    Labels before the first item header belong to the item that was asked, and a sure header of another item starts that one: what
    follows is left out, flag `ran-on`.  Labels that may be another item's are `unparsed`, flag `several-items`.
    """
    clean, unclosed = without_thinking(text)
    lost = () if complete else ("truncated",)
    if unclosed:
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "unclosed-thinking"})))
    sections = _sections(*find_labels(clean))
    deciding = [i for i, section in enumerate(sections) if section.decides]
    asked = position if position is not None or not deciding else sections[deciding[0]].number
    theirs = [section.number not in (None, asked) for section in sections]
    own = [section for section, other in zip(sections, theirs, strict=True) if not other]
    others = [sections[i] for i in deciding if theirs[i]]
    alone = position is None and asked is not None  # under a number that nobody vouches for
    if others and (alone or theirs[deciding[0]] or not all(section.sure for section in others)):
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "several-items"})))
    parsed = _judge(clean, _labels(own), word)
    after = len(sections) - theirs[::-1].index(False)  # the first section below all that are this item's own
    if not complete and not (deciding and any(section.sure for section in sections[after:])):
        return Parsed(Action.UNPARSED, flags=("truncated",), spans=parsed.spans)
    if _strays(clean, own, asked, word):
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "several-items"})))
    if _refused(parsed, clean):
        return Parsed(Action.REFUSAL, flags=parsed.flags, spans=parsed.spans)
    ran_on = bool(deciding) and any(theirs[deciding[0] :])
    return replace(parsed, flags=tuple(sorted({*parsed.flags, "ran-on"}))) if ran_on else parsed


def _refused(parsed: Parsed, text: str) -> bool:
    return (
        parsed.action is Action.UNPARSED and "action" not in parsed.spans and "answer" not in parsed.spans and refuses(text.strip())
    )


def parse_batch(text: str, positions: Sequence[int], *, word: str = "lifeline", complete: bool = True) -> dict[int, Parsed]:
    """What a reply to many items says of each of `positions`: one block each, headed PUZZLE k.

    What is not there is flagged `missing`, or `truncated` if the reply was cut off; then its last block is not certain either.
    Blocks of one number are read together, if they say the same.
    """
    clean, unclosed = without_thinking(text)
    lost = "missing" if complete else "truncated"
    if unclosed:
        return {k: Parsed(Action.UNPARSED, flags=tuple(sorted({"unclosed-thinking", lost} - {"missing"}))) for k in positions}
    said, headers = find_labels(clean)
    if not headers and len(positions) == 1:
        return {positions[0]: parse(text, word=word, complete=complete, position=positions[0])}
    if not headers and complete and not said and refuses(clean.strip()):
        return {k: Parsed(Action.REFUSAL) for k in positions}
    sections = _sections(said, headers)
    blocks: dict[int, list[_Section]] = {}
    openings: dict[int, list[str]] = {}
    for i, header in enumerate(headers):
        end = headers[i + 1].at if i + 1 < len(headers) else len(clean)
        blocks.setdefault(header.number, []).append(sections[i + 1])
        openings.setdefault(header.number, []).append(clean[header.at : min(end, header.at + 1400)].partition("\n")[2])
    missing = set(positions) - blocks.keys()
    stray = {k for k, own in blocks.items() if _strays(clean, own, k, word, missing)}
    doubted = stray | _doubted(clean, sections, stray, word, complete)
    results: dict[int, Parsed] = {}
    for k in positions:
        if k not in blocks or (not complete and k == headers[-1].number):
            results[k] = Parsed(Action.UNPARSED, flags=(lost,))
            continue
        if k in doubted:
            results[k] = Parsed(Action.UNPARSED, flags=("several-items",))
            continue
        parsed = _judge(clean, _labels(blocks[k]), word)
        results[k] = Parsed(Action.REFUSAL) if any(_refused(parsed, words) for words in openings[k]) else parsed
    return results


def _doubted(text: str, sections: Sequence[_Section], stray: Container[int], word: str, complete: bool) -> set[int]:
    """The items that labels under a header that may be a mention may belong to.

    Such a header is believed where it comes after an item that has its values, and starts a later one, or repeats what that one's
    other block says.
    """
    if all(section.sure for section in sections):
        return set()
    said = [(section.number, _meant(text, section, word)) if section.decides else None for section in sections]
    times = Counter(said)
    doubted: set[int] = set()
    above = 0  # the last section that is sure or decides something: where running text may have begun
    for i, section in enumerate(sections):
        number, before = section.number, sections[above]
        cut = i == len(sections) - 1 and not complete
        if number is not None and not section.sure and (section.decides or cut) and number != before.number:
            between = {each.number for each in sections[above + 1 : i]} - {number}
            follows = not between and (before.number is None or (before.decides and before.number < number))
            repeats = section.decides and times[said[i]] > 1
            if number in stray or not (follows or repeats):
                doubted |= {each for each in (number, before.number, *between) if each is not None}
        if section.sure or section.decides:
            above = i
    return doubted


_RIGHT = r"(?:right|correct(?:ly)?)"
_SAID = (
    rf"(?:{_RIGHT}(?: answers?)?|answer(?:s|ed)? (?:(?:were|was|are|is) )?{_RIGHT}|puzzles?|questions?|were|was|are|is|in total"
    r"|of (?:them|these|those|my answers)(?! ?[0-9]))"
)
_OUT_OF = r"(?:/|of|out of) ?(?:(?:all|the|these|those) ){0,2}(?:([0-9]{1,6})|puzzles|questions)"
_HOW_MANY = re.compile(
    r"(?:(?:about|around|roughly|approximately|probably|all|exactly|~|i got|i would get|i would have got(?:ten)?) ?){0,3}"
    rf"(-?[0-9]{{1,6}}|none|zero)(?: {_SAID})*+(?: ?{_OUT_OF})?(?: {_SAID})*+"
)
_REMARK = re.compile(
    rf"n?|(?:number|{_SAID}|of|i got)(?: (?:{_SAID}|of|i got))*+|(?:all ?)?(?:{_SAID} ?)*+(?:{_OUT_OF})?(?: {_SAID})*+"
    r"|all (?:but|except) (?:#|puzzles? )?[0-9]{1,4}"
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
            counts.append(_count(said, each.note.casefold(), flags))
        elif each.label == "which" and said not in ("", "numbers"):
            lists.append(_which(said, flags))
    if len(set(counts)) > 1 or len({which and tuple(sorted(which)) for which in lists}) > 1:
        flags.add("revised")
    if not counts and not lists:
        flags.add("unparsed")
    return SelfScore(counts[-1] if counts else None, lists[-1] if lists else None, tuple(sorted(flags)))


def _count(said: str, note: str, flags: set[str]) -> int | None:
    """The number of right answers claimed.  Every word must be known to say nothing else: "7 wrong" is no claim of 7."""
    bare, _, remark = said.partition("(")
    bare = bare.strip(" .,;")
    if not bare:
        bare, remark = said.strip("() "), ""
    if bare.startswith(("n/a", "not attempted", "i did not attempt", "i didn't attempt", "none attempted")):
        flags.add("not-attempted")
        return None
    match = _HOW_MANY.fullmatch(bare[:200]) if len(bare) <= 200 else None
    count = int(match[1].replace("none", "0").replace("zero", "0")) if match else None
    if match is None or count is None or not (_REMARK.fullmatch(note.strip()[:200]) and _agrees(remark, count)):
        flags.add("not-one-number")
        return None
    if count < 0 or (match[2] and count > int(match[2])):
        flags.add("out-of-range")
        return None
    return count


def _agrees(remark: str, count: int) -> bool:
    """Whether a remark in brackets, without the first of them, leaves a count as it is: "of 20)", or a list of as many puzzles."""
    if not remark.endswith(")"):
        return not remark
    inner = remark.removesuffix(")").strip(" .")
    known = _REMARK.fullmatch(inner) if len(inner) <= 200 else None
    if known:
        return not known[1] or count <= int(known[1])
    listed = _which(inner, set())
    return listed is not None and len(listed) == count


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
