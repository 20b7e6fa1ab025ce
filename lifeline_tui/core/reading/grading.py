"""Whether an answer agrees with a key of its type: right, wrong, or ungradable, which is neither.

The law (Law 6): an answer is right or wrong only if it can be read in one way as a value of the key's type.  "2 or 3", "10%" for a
whole number, a bare "2*sqrt(2)" for 2 and "1,2" are ungradable: the operator may rule.  All arithmetic is exact; a tolerance is
absolute and inclusive.  An answer may be dressed: LaTeX, a Unicode minus, 1,234 or 1 234 or 1_234, "n = 38", "38 bracelets".

Decided: 76/2 is the number 38, so it is right for 38 (one division of two numerals is a numeral, not work left undone); 5! and 2^5
are not.  A decimal that rounds a fraction is not that fraction.  The words after a number are those of `units`, or it is not read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from ..puzzle import ANSWER_TYPES, Answer
from .expressions import MOST_CHARACTERS, Tree, agree, plain, read
from .numbers import Unreadable
from .units import names_unit, spelled
from .values import abstains

GRADER_VERSION = "grading-1"
_MOST_PARTS = 400
_DEEPEST_LIST = 4


class Grade(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    UNGRADABLE = "ungradable"
    NOT_APPLICABLE = "n/a"


def grade(key: Answer, given: str | None) -> Grade:
    """The grade of what was given.  `n/a` where the key has no type: there is nothing to be right about.  Never raises."""
    if not key.type:
        return Grade.NOT_APPLICABLE
    agreed = None if given is None else _agree(key, key.value, given)
    return Grade.UNGRADABLE if agreed is None else Grade.RIGHT if agreed else Grade.WRONG


def same(key: Answer, a: str, b: str) -> bool | None:
    """Whether two values of the key's type agree, within its tolerance; None where either cannot be read, or they agree in one
    order only."""
    one, other = _agree(key, a, b), _agree(key, b, a)
    return one if one == other else None


def _agree(key: Answer, true: str, given: str) -> bool | None:
    """Whether `given` agrees with `true`, which is taken to be a value of the key's type; None where that cannot be told."""
    if key.type not in ANSWER_TYPES or max(len(true), len(given)) > MOST_CHARACTERS:
        return None
    a, b = _bare(true), _bare(given)
    if not b and key.type not in ("set", "multiset", "sequence", "tuple"):
        return None
    if key.type == "choice":
        return _choices_agree(a, b)
    if key.type in ("set", "multiset", "sequence", "tuple"):
        return _lists_agree(key.type, a, b)
    if abstains(b):
        return None
    return _formulas_agree(a, b) if key.type == "expression" else _numbers_agree(key, a, b)


_STATED = re.compile(r"^(?:\*\*|the )?(?:final |correct )?(?:answer|result|total) ?(?:is|=|:) ", re.IGNORECASE)


def _bare(text: str) -> str:
    """`plain` text without the emphasis, quotes and final stop around it.  A line end inside is no space: it may part two values."""
    text = _STATED.sub("", plain(text.strip().replace("\r\n", "\n").replace("\n", "⏎")))
    text = re.sub(r"(?<=\S)(?:\*\*|__|`)(?= )", "", text)
    while True:
        less = text.strip(' *_`"“”⏎').rstrip(",;")
        less = less[:-1] if less.endswith(".") and not less.endswith("..") else less
        less = less[1:-1] if len(less) > 1 and less[0] == less[-1] == "'" else less
        if less == text:
            return text
        text = less


# Numbers

_UNSIGNED = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[1-9][0-9]{0,2}(?:(?P<mark>[,_' ])[0-9]{3})(?:(?P=mark)[0-9]{3})*(?:\.[0-9]+)?)"
_NUMERAL = re.compile(r"([+-]? ?)(" + _UNSIGNED + r")(?:(?:[eE]| ?[*x] ?10 ?\^ ?)[({]?(?P<exponent>[+-]?[0-9]{1,4})[)}]?)?")
_FRACTION = re.compile(r"([+-]? ?)(?:([0-9]+) )?\(?([+-]?[0-9][0-9,.]*)\)? ?/ ?\(?([+-]?[0-9][0-9,.]*)\)?")
_LATEX_FRACTION = re.compile(r"([+-]? ?)([0-9]+)? ?\\[dtc]?frac ?(?:\{([^{}]*)\}|([0-9])) ?(?:\{([^{}]*)\}|([0-9]))")
_DOTTED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_EXPONENT_CAP = 400


@dataclass(frozen=True, slots=True)
class _Number:
    value: Fraction
    percent: bool = False
    unit: str = ""
    dotted: Fraction | None = None
    """The value if the points part thousands, as in 1.234."""


def _numbers_agree(key: Answer, true: str, given: str) -> bool | None:
    if key.type == "decimal" and key.tolerance.strip(" 0."):
        given = re.sub(r"^(?:≈|~|about |approximately |approx\.? ) ?", "", given)
    a, b = _number(true), _number(given) or _equated(given)
    if a is None or b is None or (a.percent and key.type == "int") or (a.unit and b.unit and a.unit != b.unit):
        return None
    if key.type == "int" and a.value.denominator != 1:
        return None
    allowed = Fraction(0)
    if key.type == "decimal" and key.tolerance.strip():
        tolerance = _number(_bare(key.tolerance[:100]))
        if tolerance is None or tolerance.value < 0:
            return None
        allowed = tolerance.value
    if b.percent:
        if key.type == "int" or (a.value.denominator == 1 and not a.percent):
            return None
        if not a.percent and abs(b.value * 100 - a.value) <= allowed:
            return None  # 37.5% for 37.5: which of the two was asked?
    agreed = abs(a.value - b.value) <= allowed
    return None if not agreed and b.dotted == a.value else agreed


_NAME = re.compile(
    r"(?:(?!C ?\()(?:[A-Za-z](?:[0-9]{1,4}|_[A-Za-z0-9]{1,12})?|Pr|(?i:ans|answer|total|count|sum|number|ways|result|probability))(?: ?\([A-Za-z0-9=,+ -]{0,20}\))? ?)?= ?(?!=)"
)


def _number(text: str) -> _Number | None:
    """A numeral, a fraction of numerals, a percentage; with a name before ("n = 38") or a unit after."""
    text = _unbracketed(text[name.end() if (name := _NAME.match(text)) else 0 :].strip())
    for currency in "$€£":
        text = text.removeprefix(currency)
    percent = re.fullmatch(r"(.*?) ?(?:%|percent|per cent)", text)
    if percent:
        found = _exact(percent[1])
        return None if found is None else _Number(found / 100, percent=True)
    value, whole = _exact(text), text
    if value is None:
        text, value = _without_unit(text)
    if value is None:
        return None
    dotted = Fraction(text.replace(".", "")) if _DOTTED.fullmatch(text) else None
    return _Number(value, unit=_words(whole[len(text) :].strip(" ()")), dotted=dotted)


def _unbracketed(text: str) -> str:
    """A lone value without the brackets around it."""
    while len(text) > 2 and text[0] + text[-1] in ("()", "[]", "{}", "<>") and not re.search(r"[()\[\]{}<>]", text[1:-1]):
        text = text[1:-1].strip()
    return text


def _without_unit(text: str) -> tuple[str, Fraction | None]:
    """A number and the words of its unit apart: "38 bracelets", "5 cm", "90°", "38 (thirty-eight)"."""
    cut = re.search(r" ?(?:°|\(?[^\W\d_])", text)
    if not cut or not cut.start() or len(text) - cut.start() > 60:
        return text, None
    number, unit = text[: cut.start()], text[cut.start() :]
    words = unit.strip()
    if words.startswith("(") and words.endswith(")"):
        words = words[1:-1]
    value = _exact(number)
    known = value is not None and (names_unit(words, value, apart=unit[0] == " ") or words.casefold() == spelled(value))
    return (number, value) if known else (text, None)


def _exact(text: str) -> Fraction | None:
    """The value of a numeral or of one fraction, exactly; None for anything else, for a zero denominator and for huge exponents."""
    text = text.strip()
    match = _NUMERAL.fullmatch(text)
    if match:
        exponent = int(match["exponent"] or 0)
        if abs(exponent) > _EXPONENT_CAP or (match["exponent"] and match["mark"]):
            return None
        value = Fraction(re.sub("[,_' ]", "", match[2]).rstrip(".")) * Fraction(10) ** exponent
        return -value if match[1].startswith("-") else value
    parts = _FRACTION.fullmatch(text)
    if parts:
        sign, whole, top, bottom = parts.groups()
    else:
        latex = _LATEX_FRACTION.fullmatch(text)
        if not latex:
            return None
        sign, whole, top, bottom = latex[1], latex[2], latex[3] or latex[4] or "", latex[5] or latex[6] or ""
    above, below = _NUMERAL.fullmatch(top.strip()), _NUMERAL.fullmatch(bottom.strip())
    n, d = (_exact(top) if above else None), (_exact(bottom) if below else None)
    if n is None or d is None or d == 0:
        return None
    value = n / d
    if whole:
        if not 0 < value < 1:
            return None  # a mixed number has a proper fraction
        value += int(whole)
    return -value if sign.startswith("-") else value


_ROUNDED = re.compile(r"([^()≈]+?) ?(?:≈|\( ?(?:≈|~|=|about |approximately |approx\.? )?) ?([^()a-zA-Z≈]+?) ?(\)?)")


def _equated(text: str) -> _Number | None:
    """The number that an equation ends in, if what stands before it comes to the same: "C(8,3) = 56"; or the number that a second
    one in brackets or after ≈ repeats, perhaps rounded: "3/8 (0.375)", "1/3 ≈ 0.333"."""
    twice = _ROUNDED.fullmatch(text)
    if twice and bool(twice[3]) == ("(" in text):
        first, second = _number(twice[1]), _number(twice[2])
        if first is None or second is None or first.percent:
            return None
        return first if first.value == second.value or _rounds(first.value, second, twice[2]) else None
    sides = [side.strip() for side in text.split("=")]
    last = _number(sides[-1]) or _number(sides[0])
    if len(sides) < 2 or last is None or last.percent:
        return None
    for side in sides:
        number = _number(side)
        agreed = _formulas_agree(str(last.value), side) if number is None else number.value == last.value
        if not agreed:
            return None
    return last


def _rounds(exact: Fraction, rounded: _Number, text: str) -> bool:
    """Whether a decimal is a value rounded, or cut off: then it has fewer digits, because two of one length differ by a whole unit."""
    digits = len(text.partition(".")[2].strip(" %")) + (2 if rounded.percent else 0)
    shifted, unit = exact * 10**digits, rounded.value * 10**digits
    return "." in text and (abs(shifted - unit) <= Fraction(1, 2) or unit == math.trunc(shifted))


# Formulas


def _formulas_agree(true: str, given: str) -> bool | None:
    """Whether two formulas agree at fixed points.  What a name equals is the formula: "f(n) = 2n"."""
    trees = [_formula(true), _formula(given)]
    return None if trees[0] is None or trees[1] is None else agree(trees[0], trees[1])


def _formula(text: str) -> Tree | None:
    name, equals, rest = text.partition("=")
    if equals and re.fullmatch(r"[A-Za-z](?:_\w)?(?: ?\([a-zA-Z, ]{1,20}\))?", name.strip()):
        text = rest.strip()
    number = _NUMERAL.fullmatch(text)
    exact = _exact(text) if number else None
    try:
        return read(text) if exact is None else Tree("number", number=exact)
    except Unreadable:
        return None


# Choices

_CHOICE = re.compile(
    r"(?:(?:option|choice|answer) ?)?[(\[]?([A-Za-z]|[0-9]{1,2})(?:|[.):\]]|[).:\]]+ +(\S.*)| +- +(\S.*)| ?= ?(\S.*))",
    re.IGNORECASE,
)
_OTHER_CHOICE = re.compile(r"\([A-Za-z0-9]\)|(?<![A-Za-z'])[A-Za-z0-9]\)|(?<![\w'])[B-HJ-Z](?![\w'])|\b(?:wrong|incorrect)\b")


def _choices_agree(true: str, given: str) -> bool | None:
    """Whether two choices are one: by letter or number if the key has one ("B", "(b)", "B) text"), else by their words."""
    if not true:
        return None
    if _words(true) == _words(given):
        return True
    key, found = _CHOICE.fullmatch(true), _CHOICE.fullmatch(given)
    if key is None:
        plausible = not key and re.fullmatch(r"[^\W\d_]+(?: [^\W\d_]+)?", given) and len(given) > 1 and not abstains(given)
        return False if plausible and len(given.split()) <= len(true.split()) else None
    if found is None or key[1].isdigit() != found[1].isdigit():
        return None
    text = found[2] or found[3] or found[4] or ""
    if _OTHER_CHOICE.search(text):
        return None
    return key[1].casefold() == found[1].casefold()


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


# Lists

_OPENS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_EMPTY = re.compile(r"(?:\{ ?\}|\( ?\)|\[ ?\]|∅|\\emptyset|\\varnothing|(?:the )?empty (?:set|list|sequence|tuple))", re.IGNORECASE)
_NO_MEMBER = re.compile(r"(?:none|nobody|no one|nothing|empty)", re.IGNORECASE)


def _lists_agree(kind: str, true: str, given: str) -> bool | None:
    """Whether two lists agree: in order for a tuple or sequence, by membership for a set, with counts for a multiset."""
    key = _list(true)
    if key is None or not given or ((key or not _NO_MEMBER.fullmatch(given)) and (abstains(given) or _NO_MEMBER.fullmatch(given))):
        return None
    found = _list(given)
    if found is None or not _alike(key, found):
        return None
    agreed = _arranged(kind, key) == _arranged(kind, found)
    if not agreed and re.search(r"[0-9],[0-9]{3}(?![0-9])", given):
        grouped = _list(re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", given))
        if grouped is not None and _arranged(kind, grouped) == _arranged(kind, key):
            return None  # 1,234: one number or two?
    return agreed


def _arranged(kind: str, members: tuple[Hashable, ...]) -> Hashable:
    if kind == "set":
        return frozenset(members)
    return frozenset(Counter(members).items()) if kind == "multiset" else members


def _list(text: str, depth: int = 0) -> tuple[Hashable, ...] | None:
    """The members of a list: fractions, words in one case, or lists within it; None where it cannot be read."""
    text = re.sub(r"^[A-Za-z][A-Za-z0-9_]{0,15} ?= ?(?=[(\[{<])", "", text).strip()
    if not text or _EMPTY.fullmatch(text) or _NO_MEMBER.fullmatch(text):
        return ()
    if depth > _DEEPEST_LIST:
        return None
    inner = text[1:-1].strip() if _enclosed(text) else text
    parts = _split(inner)
    if parts is None or len(parts) > _MOST_PARTS:
        return None
    members: list[Hashable] = []
    for part in parts:
        member = _member(part, depth)
        if member is None:
            return None
        members.append(member)
    return tuple(members)


def _enclosed(text: str) -> bool:
    """Whether one pair of brackets holds the whole text."""
    if text[0] not in _OPENS or text[-1] != _OPENS[text[0]]:
        return False
    depth = 0
    for place, char in enumerate(text):
        depth += (char in "([{<") - (char in ")]}>")
        if depth <= 0:
            return place == len(text) - 1
    return False


def _split(text: str) -> list[str] | None:
    """The parts between top-level separators: semicolons, else commas and "and", else arrows, else spaces between plain tokens."""
    if re.search(r"\bor\b", text, re.IGNORECASE):
        return None
    text = text.replace("\\to", "→").replace("\\rightarrow", "→").replace("->", "→").replace("⏎", ",")
    if ";" not in text:
        text = re.sub(r" *,? +(?:and|&) +", ", ", text)
    separator = next((mark for mark in (";", ",", "→") if mark in _outside(text)), "")
    if not separator:
        tokens = text.split()
        plainly = len(tokens) > 1 and all(re.fullmatch(r"-?[0-9]+(?:[./][0-9]+)?|[A-Za-z]", token) for token in tokens)
        return tokens if plainly and not _mixed(tokens) else [text]
    parts: list[str] = [""]
    depth = 0
    for char in text:
        depth += (char in "([{<") - (char in ")]}>")
        if char == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    parts = [part.strip() for part in parts]
    if not parts[-1]:
        parts.pop()
    return None if not all(parts) else parts


def _mixed(tokens: list[str]) -> bool:
    """Whether tokens may be one number: 1 234, 1 1/2."""
    return _exact(" ".join(tokens)) is not None


def _outside(text: str) -> str:
    """The characters outside all brackets."""
    kept, depth = [], 0
    for char in text:
        depth += (char in "([{<") - (char in ")]}>")
        if depth == 0:
            kept.append(char)
    return "".join(kept)


def _member(text: str, depth: int) -> Hashable | None:
    number = _number(text)
    if number is not None:
        return None if number.percent else number.value
    if text[0] in _OPENS and _enclosed(text):
        members = _list(text, depth + 1)
        return frozenset(members) if text[0] == "{" and members is not None else members
    word = re.sub(r" *([=:+]) *", r"\1", " ".join(text.strip(" '\"").casefold().split()))
    plain_words = re.fullmatch(r"[\w'.=:+-]+(?: [\w'.=:+-]+){0,3}", word) and re.search(r"\w", word)
    return word if plain_words and not _NOT_MEMBERS.intersection(word.split()) else None


_SWEEPING_WORDS = (
    "all any anyone both but each either every everyone except just maybe neither not nobody none only other others perhaps probably rest"
    " someone unknown"
)
_NOT_MEMBERS = frozenset(_SWEEPING_WORDS.split())


def _alike(key: tuple[Hashable, ...], found: tuple[Hashable, ...]) -> bool:
    """Whether all members found are of a kind that the key has: numbers for numbers, as many words at most for words."""
    kinds = {type(member) for member in key}
    longest = max((len(member.split()) for member in key if isinstance(member, str)), default=0)
    marks = {char for member in key if isinstance(member, str) for char in member if not char.isalnum()}
    return not key or all(
        type(member) in kinds
        and (
            not isinstance(member, str)
            or (len(member.split()) <= longest and marks.issuperset(c for c in member if not c.isalnum()))
        )
        for member in found
    )
