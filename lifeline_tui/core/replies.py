"""From a raw reply to what it says: action, answer, ratings, and where in the text each was read.

The law (Law 6): what was not parsed with certainty is never scored.  So thinking is no reply, a label counts only at the start of a
line, text without labels is `unparsed`, and a reply that was cut off is `unparsed` too, flagged `truncated`, because the value that
would have come last may be lost with the rest.  The one exception is text in which the header of the next item follows: then the
item before it is whole.  Candidates are offered to the operator and never scored.

Offsets are kept throughout: thinking is blanked, not removed, so a span is a place in the raw text.  Every pattern is anchored to
a line and bounded or possessive, so the time is linear in the length of the reply, whatever a model may write.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

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


@dataclass(frozen=True, slots=True)
class _Said:
    """One label and its value: `at` is where the label's line starts, `start` and `end` bound the value."""

    label: str
    at: int
    start: int
    end: int


_NEWLINES = str.maketrans(dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
_THINKING = re.compile(
    r"(?:<(/?)(?:think|thinking|thoughts?|reasoning|scratchpad|reflection|inner_monologue|analysis)\b[^<>\n]{0,40}>"
    r"|\[(/?)think(?:ing)?\]|◁(/?)think▷)",
    re.IGNORECASE,
)
_BLANK = " \t\u00a0\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_EDGE = _BLANK + "*_`"
_DECOR = (
    rf"(?:[{_EDGE}>#|+•◦‣▪●○·→➤✅✔☑👉🔹\ufe0f–—-]|[0-9]{{1,3}}[.)]|</?[a-z][a-z0-9]{{0,15}}>"
    r"|\\(?:text|textbf|mathbf|boxed)\{|\[[ x]\])"
)
_LABEL = (
    rf"({_DECOR}{{0,60}}+)(ACTION|ANSWER|DIFFICULTY|CONFIDENCE|COUNT|WHICH)(?!\w)[{_EDGE}}}]{{0,40}}+"
    rf"(?:\([^()\n]{{0,60}}\)|\[[^\[\]\n]{{0,60}}\])?+[{_EDGE}}}]{{0,40}}+"
    rf"(:=|={{1,2}}>?|->|→|[:：﹕]|[-–—](?=[{_BLANK}])|\|)[{_EDGE}}}]{{0,40}}+"
)
_AT_LABEL = re.compile(_LABEL, re.IGNORECASE)
_LINE_LABEL = re.compile("^" + _LABEL, re.IGNORECASE | re.MULTILINE)
_PIPED_LABEL = re.compile(r"\|" + _LABEL.replace("|+•", "+•"), re.IGNORECASE)
_HEADER = re.compile(
    rf"^(?:{_DECOR}|[=<(\[]){{0,60}}+PUZZLE[ \t]{{0,9}}(?:no\.?|number|\#)?[ \t]{{0,9}}([0-9]{{1,4}})"
    rf"(?:[ \t]{{0,9}}(?:of|/)[ \t]{{0,9}}[0-9]{{1,4}})?[{_EDGE}]{{0,40}}+(?:$|(?![.-][0-9])[:：.)\]>=|(#–—-]++)",
    re.IGNORECASE | re.MULTILINE,
)
_BASE_HEADER = re.compile(r"^[ \t]{0,40}+PUZZLE[ \t]{1,9}[0-9]", re.MULTILINE)
_WRAPS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("«", "»"))
_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|mathit|bm) ?\{")
_OPEN_TAG, _CLOSE_TAG = (
    re.compile(r"<[a-z][a-z0-9]{0,15}>", re.IGNORECASE),
    re.compile(r"</?[a-z][a-z0-9]{0,15} ?/?>$", re.IGNORECASE),
)


def _without_thinking(text: str) -> tuple[str, bool]:
    """`text` with thinking blanked and every kind of line end a newline, of the same length; and whether a block was left open.

    A closing tag without an opening one ends thinking that a chat template had opened, so all before it is blanked.
    """
    text = text.replace("\r\n", " \n").translate(_NEWLINES)
    regions: list[tuple[int, int]] = []
    depth = start = 0
    for tag in _THINKING.finditer(text):
        if text[tag.start() - 1 : tag.start()] == "`" == text[tag.end() : tag.end() + 1]:
            continue  # spoken of, not used
        if not (tag[1] or tag[2] or tag[3]):
            start, depth = (start, depth + 1) if depth else (tag.start(), 1)
        elif depth:
            depth -= 1
            if not depth:
                regions.append((start, tag.end()))
        else:
            regions = [(0, tag.end())]
    pieces: list[str] = []
    done, fresh_line = 0, True
    for lo, hi in regions:
        before = text[done:lo]
        fresh_line = (fresh_line or "\n" in before) and not before[before.rfind("\n") + 1 :].strip(_BLANK)
        own_line = fresh_line or text.find("\n", lo, hi) >= 0
        pieces += [before, " " * (hi - lo - own_line), "\n" * own_line]
        done, fresh_line = hi, own_line
    return "".join([*pieces, text[done:]]), depth > 0


def _trim(text: str, lo: int, hi: int) -> tuple[int, int]:
    """The part of `text[lo:hi]` that is the value: without emphasis, quotes, LaTeX and HTML around it, or a final period."""
    for _ in range(16):
        value = text[lo:hi]
        lo += len(value) - len(value.lstrip(_EDGE + "\n"))
        value = value.strip(_EDGE + "\n")
        hi = lo + len(value)
        left = right = 0
        if value in ("\\[", "$$", "\\(", "$"):
            left = len(value)
        elif value.endswith(("\\\\", "\\,")):
            right = 2
        elif value.endswith((",", ";")) or (value.endswith(".") and not value.endswith("..")):
            right = 1
        elif tag := _CLOSE_TAG.search(value, max(0, len(value) - 20)):
            right = len(tag[0])
        elif tag := _OPEN_TAG.match(value):
            left = len(tag[0])
        elif value.endswith("}") and value.count("}") > value.count("{"):
            right = 1
        elif (command := _COMMAND.match(value)) and _closes(value, command.end()) == len(value) - 1:
            left, right = command.end(), 1
        else:
            for a, b in _WRAPS:
                inner = value[len(a) : len(value) - len(b)]
                if (
                    len(value) >= len(a) + len(b)
                    and value.startswith(a)
                    and value.endswith(b)
                    and a not in inner
                    and b not in inner
                ):
                    left, right = len(a), len(b)
                    break
        if not left and not right:
            break
        lo, hi = lo + left, hi - right
    return lo, max(lo, hi)


def _closes(value: str, start: int) -> int:
    """Where the brace that was opened just before `start` closes; -1 if nowhere."""
    depth = 1
    for brace in re.finditer(r"[{}]", value[start:]):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return start + brace.start()
    return -1


def _said(text: str) -> tuple[list[_Said], list[tuple[int, int]]]:
    """The labels of a cleaned text with their values, and its item headers as (place, number), both in order."""
    headers = [(m.start(), int(m[1])) for m in _HEADER.finditer(text)]
    found = list(_LINE_LABEL.finditer(text))
    found += [label for m in _HEADER.finditer(text) if (label := _AT_LABEL.match(text, m.end()))]
    found.sort(key=lambda label: label.start(2))
    starts = sorted({label.start() for label in found} | {place for place, _ in headers})
    said: list[_Said] = []
    for label in found:
        end = text.find("\n", label.end())
        end = len(text) if end < 0 else end
        row = [label, *_PIPED_LABEL.finditer(text, label.end(), end)]
        for here, after in pairwise([*row, None]):
            assert here is not None
            cell = _cell(text, here, after.start() if after else end, "|" in label[1])
            if cell is None:
                continue
            lo, hi = _trim(text, *cell)
            if lo == hi and after is None:
                lo, hi = _below(text, end, starts, here[2].upper())
            said.append(_Said(here[2].lower(), label.start(), lo, hi))
    return said, headers


def _cell(text: str, label: re.Match[str], end: int, table: bool) -> tuple[int, int] | None:
    """The bounds of a label's value on its line; None where a table's row is no label and value."""
    start = label.end()
    if not table:
        return None if label[3] == "|" else (start, end)
    bar = text.find("|", start, end)
    if bar < 0:
        return start, end
    if label[3] == "|" and text[bar:end].strip(_BLANK + "|"):
        return None
    if (
        label[3] == "|"
        and text[start:bar].strip(_EDGE).lower() in TOPICS
        and re.match(r"\n[ \t]{0,40}+\|?[ \t]{0,40}+:?-", text[end : end + 90])
    ):
        return None  # the heading of columns
    return start, bar


TOPICS = ("action", "answer", "difficulty", "confidence")


def _below(text: str, end: int, starts: Sequence[int], label: str) -> tuple[int, int]:
    """The value of a label whose own line is empty: the next short line that says something, within three; a list for WHICH."""
    first = last = None
    for _ in range(40 if label == "WHICH" else 3):
        lo, end = end + 1, text.find("\n", end + 1, end + 400)
        if end < 0:
            end = len(text) if len(text) - lo < 400 else -1
        place = bisect_right(starts, lo) - 1
        if lo > len(text) or end < 0 or (place >= 0 and starts[place] == lo) or end - lo > 80:
            break
        a, b = _trim(text, lo, end)
        if a < b and not any(char.isalnum() or char in "∅{" for char in text[a:b]):
            break
        if a < b:
            first, last = (a if first is None else first), b
            if label != "WHICH":
                break
        elif first is not None:
            break
    return (first, last) if first is not None and last is not None else (end if end >= 0 else 0,) * 2


def _same(value: str) -> str:
    """A value as it is compared to an earlier one: a repeat is no revision."""
    return "".join(value[:2000].casefold().split()).strip("$.")


def _judge(text: str, said: Iterable[_Said], word: str) -> Parsed:
    """What the labels of one item say together; the last value of each wins."""
    actions: list[tuple[Action, str, _Said]] = []
    answers: list[tuple[Answered, _Said]] = []
    ratings: dict[str, list[_Said]] = {"difficulty": [], "confidence": []}
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


def _sections(said: Sequence[_Said], headers: Sequence[tuple[int, int]]) -> list[tuple[int | None, list[_Said]]]:
    """Labels grouped under the header above them, in order; the first group, perhaps empty, has none."""
    sections: list[tuple[int | None, list[_Said]]] = [(None, []), *((number, []) for _, number in headers)]
    places = [place for place, _ in headers]
    for each in said:
        sections[bisect_right(places, each.at)][1].append(each)
    return sections


def parse(text: str, *, word: str = "lifeline", complete: bool = True) -> Parsed:
    """What a reply to one item says.  `word` is the lifeline word that the subject sees; `complete` is false for a reply cut off.

    Labels before the first item header belong to the item that was asked, and a header after them starts another item: what
    follows is left out, flag `ran-on`.  Labels under headers of different numbers are `unparsed`, flag `several-items`.
    """
    clean, unclosed = _without_thinking(text)
    lost = () if complete else ("truncated",)
    if unclosed:
        return Parsed(Action.UNPARSED, flags=tuple(sorted({*lost, "unclosed-thinking"})))
    said, headers = _said(clean)
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
    clean, unclosed = _without_thinking(text)
    lost = "missing" if complete else "truncated"
    if unclosed:
        return {k: Parsed(Action.UNPARSED, flags=tuple(sorted({"unclosed-thinking", lost} - {"missing"}))) for k in positions}
    said, headers = _said(clean)
    if not headers and len(positions) == 1:
        return {positions[0]: parse(text, word=word, complete=complete)}
    if not headers and complete and not said and refuses(clean.strip()):
        return {k: Parsed(Action.REFUSAL) for k in positions}
    blocks: dict[int, tuple[list[_Said], list[str]]] = {}
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
    clean, unclosed = _without_thinking(text)
    if unclosed:
        return SelfScore(flags=("unclosed-thinking",))
    flags: set[str] = set()
    counts: list[int | None] = []
    lists: list[tuple[int, ...] | None] = []
    for each in _said(clean)[0]:
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


def cut_base(text: str, stops: Sequence[str] = ()) -> str:
    """A base model's continuation up to the next item header that is not its first thing, or to a stop string.

    A caller that knows the reply was cut off may take it for complete if this shortened it: then the item is whole.
    """
    first = len(text) - len(text.lstrip())
    headers = (next((m.start() for m in pattern.finditer(text) if m.start() > first), -1) for pattern in (_BASE_HEADER, _HEADER))
    cuts = [place for place in (*headers, *(text.find(stop) for stop in stops if stop)) if place >= 0]
    return text[: min(cuts)] if cuts else text


_STATED = re.compile(r"(?:answer|result|total|value)\b[^\n.:=]{0,30}?(?:is|are|:|=)[ \t]{0,9}([^\n]{1,60})", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,40})\*\*")
_FIGURE = re.compile(r"(?<![\w.])-?[0-9]{1,18}(?:[.,/][0-9]{1,12})*(?!\w)")


def candidates(text: str, limit: int = 5) -> tuple[str, ...]:
    """Up to `limit` values that a reply may mean as its answer, likeliest first, for the operator to choose from; never scored."""
    clean, _ = _without_thinking(text)
    found = [clean[each.start : each.end] for each in reversed(_said(clean)[0]) if each.label == "answer"]
    tail = clean[-20_000:]
    boxes = [(m.end(), _closes(tail[: m.end() + 400], m.end())) for m in list(re.finditer(r"\\boxed ?\{", tail))[-5:]]
    found += [tail[lo:hi] for lo, hi in reversed(boxes) if hi >= 0]
    for pattern in (_STATED, _BOLD):
        found += [m[1] for m in reversed(list(pattern.finditer(tail)))]
    found += [m[0] for m in reversed(list(_FIGURE.finditer(tail)))]
    kept: dict[str, None] = {}
    for value in found:
        lo, hi = _trim(value, 0, len(value))
        if lo < hi <= lo + 200:
            kept[value[lo:hi]] = None
    return tuple(kept)[: max(0, limit)]
