"""Closed formulas, read by a whitelist and compared at fixed points: never `eval`, never a symbolic library on a model's text.

The grammar: numbers, variables of one letter (and pi), + − × ÷ ^, roots, C(n, k), n!, brackets, and LaTeX's \\frac, \\sqrt and
\\binom.  Everything else is `Unreadable`, and so is whatever may be read in two ways (1/2n) or grows too large.  Values are exact
fractions of at most `BITS` bits while they can be, and decimals that carry a bound on their error once a root is irrational.
"""

from __future__ import annotations

import decimal
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .numbers import BITS, Unreadable, Value, add, choose, equal, inverse, power, root, small, times

MOST_TOKENS = 200
MOST_CHARACTERS = 1000
DEEPEST = 60
_SPELLINGS: Mapping[int, str] = str.maketrans(
    dict.fromkeys("−‒–—﹣－", "-")
    | dict.fromkeys("×⋅∙·✕", "*")
    | dict.fromkeys("⁄∕", "/")
    | dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0f\u2061\u2062", "")
    | {"÷": "/", "’": "'", "‘": "'", "、": ",", "，": ",", "⟨": "<", "⟩": ">", "〈": "<", "〉": ">", "…": "..."}
    | {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in "－，"}
)
_SPACING = re.compile(r"\\(?:left|right|[bB]ig+[lr]?|displaystyle|limits|mathstrut)(?![A-Za-z])|\\[!,;:> ()\[\]]")
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|boxed|fbox|operatorname|mbox|bm) ?\{([^{}]{0,200})\}"
)
_BOX = re.compile(r"\\(?:boxed|fbox) ?\{(.*)\}")
_VULGAR = re.compile("([0-9]?)([¼½¾⅐-⅞])")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_LATEX = {
    "\\cdot": "*",
    "\\times": "*",
    "\\div": "/",
    "\\{": "{",
    "\\}": "}",
    "\\%": "%",
    "\\$": "$",
    "{,}": ",",
    "\\pi": "π",
    "\\approx": "≈",
}
_LATEX_WORD = re.compile(r"\\(?:cdot|times|div|pi|approx)(?![A-Za-z])|\\[{}%$]|\{,\}")


def plain(text: str) -> str:
    """`text` in one spelling: ASCII minus, times, digits and brackets, vulgar fractions and powers written out, LaTeX's dress off."""
    text = "".join(_digit(char) for char in text.translate(_SPELLINGS)) if not text.isascii() else text.replace("\t", " ")
    text = _VULGAR.sub(lambda m: f"{m[1]}{' ' if m[1] else ''}{unicodedata.normalize('NFKC', m[2]).replace('⁄', '/')}", text)
    text = _RAISED.sub(lambda m: f"^({unicodedata.normalize('NFKC', m[0]).replace('−', '-')})", text)
    text = _LATEX_WORD.sub(lambda m: _LATEX[m[0]], _SPACING.sub(lambda m: " " if m[0][-1] in " ()[]" else "", text))
    for _ in range(4):
        text, changed = _TEXT.subn(r"\1", text)
        if not changed:
            break
    text = (text.replace("$", " ") if text.count("$") % 2 == 0 else text).strip()
    text = re.sub(r" {2,}(?![0-9])", " ", text)
    while (box := _BOX.fullmatch(text)) and _balanced(box[1]):
        text = box[1].strip()
    return text


def _balanced(text: str) -> bool:
    """Whether no brace closes before it opens, and all that open close."""
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


def _digit(char: str) -> str:
    """The ASCII digit that a decimal digit of another script stands for; every other character as it is."""
    if char.isascii():
        return char
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


_TOKEN = re.compile(
    r" *(?:([0-9]+(?:\.[0-9]+)?|\.[0-9]+)|(sqrt|cbrt|binom|choose|nCr|pi(?![A-Za-z])|[A-Za-zπ])(?:_\{?([A-Za-z0-9])\}?)?"
    r"|\\([a-zA-Z]+)|(\*\*|[-+*/^!(){}\[\],√∛]))"
)
_FUNCTIONS = {"sqrt": 1, "cbrt": 1, "binom": 2, "choose": 2, "nCr": 2, "C": 2}
_CLOSES = {"(": ")", "[": "]", "{": "}"}


def _tokens(text: str) -> list[str]:
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too long")
    text = re.sub(r"\\[dtc]?frac ?([0-9])([0-9])(?![0-9])", r"\\frac{\1}{\2}", text.rstrip())
    text = re.sub(r"\\[dtc]frac", r"\\frac", re.sub(r"\\[dt]binom", r"\\binom", text))
    text = re.sub(r"\\sqrt ?([0-9])(?![0-9])", r"\\sqrt{\1}", text)
    tokens: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match or len(tokens) >= MOST_TOKENS:
            raise Unreadable("not a formula")
        name = {"pi": "π"}.get(match[2], match[2]) if match[2] else None
        if name and len(name) == 1 and name not in "CPπ" and re.match(r"[A-Za-z]", text[match.end() :]) and _run(text, place) > 1:
            raise Unreadable("a word")
        tokens.append(match[1] or (name and name + (match[3] or "")) or (match[4] and "\\" + match[4]) or match[5])
        place = match.end()
    return tokens


def _run(text: str, place: int) -> int:
    """How many letters stand together at `place` that are no function's name: two make a word, not a product."""
    match = re.compile(r" *([A-Za-z]+)").match(text, place)
    return len(re.sub(r"(?:sqrt|cbrt|binom|choose|nCr|pi|C(?=$))", "", match[1])) if match else 0


@dataclass(frozen=True, slots=True)
class Tree:
    """A node of a formula: an operation and its parts, a number (`op` "number") or a variable (`op` "variable")."""

    op: str
    parts: tuple[Tree, ...] = ()
    number: Fraction = Fraction(0)
    name: str = ""


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = [*tokens, ""]
        self.place = 0
        self.depth = 0

    @property
    def next(self) -> str:
        return self.tokens[self.place]

    def take(self, *wanted: str) -> str:
        token = self.next
        if wanted and token not in wanted:
            raise Unreadable(f"{token!r} where {wanted[0]!r} should be")
        self.place += 1
        return token

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("too deep")

    def total(self) -> Tree:
        tree = self.product()
        while self.next in ("+", "-"):
            tree = Tree(self.take(), (tree, self.product()))
        return tree

    def product(self) -> Tree:
        tree, divided = self.signed(), False
        while True:
            if self.next in ("*", "/"):
                divided = self.next == "/"
                tree = Tree(self.take(), (tree, self.signed()))
            elif self.starts():
                if divided or self.next[0].isdigit() or self.next[0] == ".":
                    raise Unreadable("a product that can be read in two ways")
                tree = Tree("*", (tree, self.power()))
            else:
                return tree

    def starts(self) -> bool:
        token = self.next
        return bool(token) and (token[0].isalnum() or token[0] in "π\\.√∛" or token in _CLOSES)

    def signed(self) -> Tree:
        sign = False
        while self.next in ("+", "-"):
            sign ^= self.take() == "-"
        tree = self.power()
        return Tree("neg", (tree,)) if sign else tree

    def power(self) -> Tree:
        self.deeper()
        tree = self.postfix()
        if self.next in ("^", "**"):
            self.take()
            tree = Tree("^", (tree, self.signed()))
        self.depth -= 1
        return tree

    def postfix(self) -> Tree:
        self.deeper()
        tree = self.primary()
        self.depth -= 1
        if self.next == "!":
            self.take()
            if self.next == "!":
                raise Unreadable("a double factorial")
            tree = Tree("!", (tree,))
        return tree

    def group(self, opening: str = "") -> Tree:
        closing = _CLOSES[self.take(*([opening] if opening else list(_CLOSES)))]
        tree = self.total()
        self.take(closing)
        return tree

    def primary(self) -> Tree:
        token = self.next
        if token in _CLOSES:
            return self.group()
        self.take()
        if token[:1].isdigit() or token[:1] == ".":
            if len(token) > BITS // 4:
                raise Unreadable("too large")
            return Tree("number", number=Fraction(token))
        if token in ("√", "∛"):
            return Tree("root", (self.postfix(), Tree("number", number=Fraction(2 if token == "√" else 3))))
        if token.startswith("\\"):
            return self.command(token)
        if token in _FUNCTIONS and (self.next == "(" or token != "C"):
            return self.function(token)
        if not token or not (token[0].isalpha() or token[0] == "π"):
            raise Unreadable(f"{token!r} where a value should be")
        return Tree("variable", name=token)

    def command(self, token: str) -> Tree:
        if token in ("\\frac", "\\binom"):
            return Tree("/" if token == "\\frac" else "C", (self.group("{"), self.group("{")))
        if token != "\\sqrt":
            raise Unreadable(f"{token} is not known")
        degree = self.group("[") if self.next == "[" else Tree("number", number=Fraction(2))
        return Tree("root", (self.group(), degree))

    def function(self, token: str) -> Tree:
        self.take("(")
        parts = [self.total()]
        while self.next == ",":
            self.take()
            parts.append(self.total())
        self.take(")")
        if len(parts) != _FUNCTIONS[token]:
            if token == "C" and len(parts) == 1:
                return Tree("*", (Tree("variable", name="C"), parts[0]))
            raise Unreadable(f"{token} of {len(parts)}")
        if _FUNCTIONS[token] == 2:
            return Tree("C", tuple(parts))
        return Tree("root", (parts[0], Tree("number", number=Fraction(2 if token == "sqrt" else 3))))


def read(text: str) -> Tree:
    """The tree of a formula in `plain` spelling.  Raises Unreadable."""
    reader = _Reader(_tokens(text))
    tree = reader.total()
    if reader.next:
        raise Unreadable(f"{reader.next!r} after the formula")
    return tree


def variables(tree: Tree) -> frozenset[str]:
    return frozenset({tree.name} if tree.op == "variable" else ()).union(*(variables(part) for part in tree.parts))


def value_of(tree: Tree, at: Mapping[str, Fraction]) -> Value:
    """The value of a formula where its variables are `at`.  Raises Unreadable where it is undefined or too large."""
    try:
        return _value(tree, at)
    except (decimal.DecimalException, ZeroDivisionError, OverflowError) as why:
        raise Unreadable(str(why)) from None


def _value(tree: Tree, at: Mapping[str, Fraction]) -> Value:
    if tree.op == "number":
        return small(tree.number)
    if tree.op == "variable":
        return at[tree.name]
    parts = [_value(part, at) for part in tree.parts]
    match tree.op, parts:
        case "neg", [a]:
            return times(Fraction(-1), a)
        case "+", [a, b]:
            return add(a, b, 1)
        case "-", [a, b]:
            return add(a, b, -1)
        case "*", [a, b]:
            return times(a, b)
        case "/", [a, b]:
            return times(a, inverse(b))
        case "^", [a, Fraction() as b]:
            return power(root(a, b.denominator), b.numerator)
        case "root", [a, Fraction() as b] if b.denominator == 1:
            return root(a, b.numerator)
        case "!", [Fraction() as a] if a.denominator == 1 and 0 <= a <= 560:
            return small(Fraction(math.factorial(a.numerator)))
        case "C", [Fraction() as n, Fraction() as k] if n.denominator == k.denominator == 1:
            return choose(n.numerator, k.numerator)
    raise Unreadable(f"{tree.op} is not defined here")


_POINTS = (2, 3, 5, 7, 11, 4, 13, 6, 17, 10)
_LEAST_POINTS = 3


def agree(a: Tree, b: Tree) -> bool | None:
    """Whether two formulas have the same values: at one point if they have no variables, else at ten, whole and positive.

    None where they have other variables, or fewer than three points can be compared.  Equal decimals are those that 50 digits after the
    point cannot tell apart.
    """
    names = sorted(variables(a))
    if names != sorted(variables(b)):
        return None
    alike, least, compared = a == b, _LEAST_POINTS if names else 1, 0
    for turn in range(len(_POINTS) if names else 1):
        at = {name: Fraction(_POINTS[(turn + 3 * i) % len(_POINTS)] + i // len(_POINTS)) for i, name in enumerate(names)}
        try:
            x = value_of(a, at)
            same = alike or equal(x, value_of(b, at))
        except Unreadable:
            continue
        if same is False:
            return False
        compared += same is True
        if alike and compared >= least:  # a formula agrees with itself wherever it has a value
            break
    return True if compared >= least else None
