"""Where in a reply the labels stand, and the bounds of their values.

A label counts only at the start of a line, through whatever Markdown, LaTeX or table it is dressed in; thinking is no reply.
Offsets are kept throughout: thinking is blanked, not removed, so a span is a place in the raw text.  Every pattern is anchored to
a line, and bounded or possessive, so the time is linear in the length of the reply, whatever a model may write.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Label:
    """One label and its value: `at` is where the label's line starts, `start` and `end` bound the value, `note` is what stands in
    brackets before the colon."""

    label: str
    at: int
    start: int
    end: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an item.  One that is not `sure` may be a mention in running text: "as in / Puzzle 1: the same bracelet"."""

    at: int
    number: int
    sure: bool


_NEWLINES = str.maketrans(dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
_THINKING = re.compile(
    r"(?:<(/?)(?:[a-z]{1,12}:)?(?:think|thinking|thoughts?|reasoning|scratchpad|reflection|inner_monologue|analysis)\b[^<>\n]{0,40}>"
    r"|\[(/?)think(?:ing)?\]|◁(/?)think▷|<\|(?:begin|start|(end))_(?:of_)?(?:thought|think|thinking|reasoning)\|>)",
    re.IGNORECASE,
)
_BLANK = " \t\u00a0\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_EDGE = _BLANK + "*_`"
_DECOR = (
    rf"(?:[{_EDGE}>#|+•◦‣▪●○·→➤✅✔☑👉🔹\ufe0f–—-]|[0-9]{{1,3}}[.)]|</?[a-z][a-z0-9]{{0,15}}>"
    r"|\\(?:text|textbf|mathbf|boxed)\{|\[[ x]\])"
)
_LABEL = (
    rf"({_DECOR}{{0,60}}+)(ACTION|ANSWER|DIFFICULTY|CONFIDENCE|COUNT|WHICH)(?![^\W_])[{_EDGE}}}]{{0,40}}+"
    rf"(?P<note>\([^()\n]{{0,60}}\)|\[[^\[\]\n]{{0,60}}\])?+[{_EDGE}}}]{{0,40}}+"
    rf"(?P<mark>:=|={{1,2}}>?|->|→|[:：﹕]|[-–—](?=[{_BLANK}])|\|)[*_`}}]{{0,8}}+[{_BLANK}]{{0,40}}+"
)
_AT_LABEL = re.compile(_LABEL, re.IGNORECASE)
_LINE_LABEL = re.compile("^" + _LABEL, re.IGNORECASE | re.MULTILINE)
_PIPED_LABEL = re.compile(r"\|" + _LABEL.replace("|+•", "+•"), re.IGNORECASE)
HEADER = re.compile(
    rf"^(?:{_DECOR}|[=<(\[]){{0,60}}+PUZZLE[ \t]{{0,9}}(?:no\.?|number|\#)?[ \t]{{0,9}}([0-9]{{1,4}})"
    rf"(?:[ \t]{{0,9}}(?:of|/)[ \t]{{0,9}}[0-9]{{1,4}})?[{_EDGE}]{{0,40}}+(?:$|(?![.-][0-9])[:：.)\]>=|(#–—-]++)",
    re.IGNORECASE | re.MULTILINE,
)
MENTION = re.compile(
    rf"^(?:{_DECOR}|[=<(\[]){{0,60}}+PUZZLES?[ \t]{{0,9}}(?:no\.?|number|\#)?[ \t]{{0,9}}([0-9]{{1,4}})(?![0-9])", re.I | re.M
)
_WRAPS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("«", "»"))
_COMMAND = re.compile(r"\\(?:boxed|fbox|text|textbf|textit|mathbf|mathrm|mathit|bm) ?\{")
_OPEN_TAG, _CLOSE_TAG = (
    re.compile(r"<[a-z][a-z0-9]{0,15}>", re.IGNORECASE),
    re.compile(r"(?:</?[a-z][a-z0-9]{0,15} ?/?>|<\|[a-z_]{1,20}\|>)$", re.IGNORECASE),
)


def without_thinking(text: str) -> tuple[str, bool]:
    """`text` with thinking blanked and every kind of line end a newline, of the same length; and whether a block was left open.

    A closing tag without an opening one ends thinking that a chat template had opened, so all before it is blanked.
    """
    text = text.replace("\r\n", " \n").translate(_NEWLINES)
    regions: list[tuple[int, int]] = []
    depth = start = 0
    for tag in _THINKING.finditer(text):
        if text[tag.start() - 1 : tag.start()] == "`" == text[tag.end() : tag.end() + 1]:
            continue  # spoken of, not used
        if not any(tag.groups()):
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


def trim(text: str, lo: int, hi: int) -> tuple[int, int]:
    """The part of `text[lo:hi]` that is the value: without emphasis, quotes, LaTeX and HTML around it, or a final period."""
    for _ in range(16):
        value = text[lo:hi]
        lo += len(value) - len(value.lstrip(_BLANK + "\n"))
        value = value.strip(_BLANK + "\n")
        hi = lo + len(value)
        marks = len(value) - len(value.lstrip("*_`")), len(value) - len(value.rstrip("*_`"))
        if (
            marks[0] < len(value)
            and any(marks)
            and (all(marks) or (value[: marks[0]] or value[len(value) - marks[1] :]) not in value[marks[0] : len(value) - marks[1]])
        ):
            lo, hi = lo + marks[0], hi - marks[1]
            continue
        left = right = 0
        if value in ("\\[", "$$", "\\(", "$") or marks[0] == len(value):
            left = len(value)
        elif value.endswith(("\\\\", "\\,")):
            right = 2
        elif value.endswith((",", ";")) or (value.endswith(".") and not value.endswith("..")):
            right = 1
        elif tag := _CLOSE_TAG.search(value, max(0, len(value) - 24)):
            right = len(tag[0])
        elif tag := _OPEN_TAG.match(value):
            left = len(tag[0])
        elif value.endswith("}") and value.count("}") > value.count("{"):
            right = 1
        elif (command := _COMMAND.match(value)) and closes(value, command.end()) == len(value) - 1:
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


def closes(value: str, start: int) -> int:
    """Where the brace that was opened just before `start` closes; -1 if nowhere."""
    depth = 1
    for brace in re.finditer(r"[{}]", value[start:]):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return start + brace.start()
    return -1


_HEADING = re.compile(rf"[{_BLANK}]{{0,40}}+#")
_RUNNING = re.compile(rf"(?:[^\W_]|,)[{_EDGE}]{{0,40}}+$")


def find_labels(text: str) -> tuple[list[Label], list[Header]]:
    """The labels of a cleaned text with their values, and its item headers, both in order."""
    matches = list(HEADER.finditer(text))
    found = list(_LINE_LABEL.finditer(text))
    own = {m.start(): label for m in matches if (label := _AT_LABEL.match(text, m.end()))}
    found += own.values()
    known = {label.start() for label in found} | {m.start() for m in matches}
    headers = [Header(m.start(), int(m[1]), m.start() in own or _stands_alone(text, m, known)) for m in matches]
    found.sort(key=lambda label: label.start(2))
    starts = sorted(known)
    said: list[Label] = []
    for label in found:
        end = text.find("\n", label.end())
        end = len(text) if end < 0 else end
        row = [label, *_PIPED_LABEL.finditer(text, label.end(), end)]
        for here, after in pairwise([*row, None]):
            assert here is not None
            cell = _cell(text, here, after.start() if after else end, "|" in label[1])
            if cell is None:
                continue
            lo, hi = trim(text, *cell)
            if lo == hi and after is None:
                lo, hi = _below(text, end, starts, here[2].upper())
            said.append(Label(here[2].lower(), label.start(), lo, hi, (here["note"] or "")[1:-1]))
    return said, headers


def _stands_alone(text: str, header: re.Match[str], known: Container[int]) -> bool:
    """Whether a header is a heading, or has its line for itself (or in bold) and continues no running text from the line above."""
    if _HEADING.match(text, header.start()):
        return True
    end = text.find("\n", header.end())
    rest = text[header.end() : len(text) if end < 0 else end]
    if "**" not in header[0] and any(char.isalnum() for char in rest):
        return False
    above = text.rfind("\n", 0, max(0, header.start() - 1)) + 1
    line = text[max(above, header.start() - 200) : header.start()].rstrip("\n")
    return above in known or bool(_HEADING.match(line)) or not _RUNNING.search(line)


def _cell(text: str, label: re.Match[str], end: int, table: bool) -> tuple[int, int] | None:
    """The bounds of a label's value on its line; None where a table's row is no label and value."""
    start = label.end()
    if not table:
        return None if label["mark"] == "|" else (start, end)
    bar = text.find("|", start, end)
    if bar < 0:
        return start, end
    if label["mark"] == "|" and text[bar:end].strip(_BLANK + "|"):
        return None
    if (
        label["mark"] == "|"
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
        a, b = trim(text, lo, end)
        if a < b and not any(char.isalnum() or char in "∅{" for char in text[a:b]):
            break
        if a < b:
            first, last = (a if first is None else first), b
            if label != "WHICH":
                break
        elif first is not None:
            break
    return (first, last) if first is not None and last is not None else (end if end >= 0 else 0,) * 2
