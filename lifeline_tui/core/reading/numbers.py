"""Numbers for closed formulas: exact fractions of bounded size, or decimals that carry a bound on their error.

A decimal has 120 digits, so that 50 before the point and 50 after it are sure.

Everything ends quickly: what would outgrow `BITS` raises before it is computed.
"""

from __future__ import annotations

import decimal
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

BITS = 4096
_DIGITS = 120
_CONTEXT = decimal.Context(
    prec=_DIGITS,
    Emax=99_999,
    Emin=-99_999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow, decimal.Underflow],
)
_ULP = Decimal(10) ** -(_DIGITS - 8)  # relative error granted to one operation: far more than it has
_SAME = Decimal(10) ** -50  # a larger error than this, absolute or relative, decides nothing


class Unreadable(ValueError):
    """Not a formula of the grammar, undefined at a point, or too large."""


@dataclass(frozen=True, slots=True)
class Near:
    """An irrational value: a decimal, and a bound on its absolute error."""

    value: Decimal
    error: Decimal


Value = Fraction | Near


def small(value: Fraction) -> Fraction:
    """`value`, unless it is too large."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        raise Unreadable("too large")
    return value


def near(value: Value) -> Near:
    """`value` as a decimal with its bound."""
    if isinstance(value, Near):
        return value
    rounded = _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Near(rounded, _CONTEXT.multiply(rounded.copy_abs(), _ULP))


def _bounded(value: Decimal, error: Decimal) -> Near:
    return Near(value, _CONTEXT.add(error, _CONTEXT.multiply(value.copy_abs(), _ULP)))


def add(a: Value, b: Value, sign: int) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return small(a + sign * b)
    x, y = near(a), near(b)
    total = _CONTEXT.add(x.value, y.value if sign > 0 else y.value.copy_negate())
    return _bounded(total, _CONTEXT.add(x.error, y.error))


def times(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return small(a * b)
    x, y, c = near(a), near(b), _CONTEXT
    error = c.add(c.multiply(c.add(x.value.copy_abs(), x.error), y.error), c.multiply(y.value.copy_abs(), x.error))
    return _bounded(c.multiply(x.value, y.value), error)


def inverse(a: Value) -> Value:
    if isinstance(a, Fraction):
        return 1 / a
    least = _CONTEXT.subtract(a.value.copy_abs(), a.error)
    if least <= 0:
        raise Unreadable("division by what may be zero")
    return _bounded(_CONTEXT.divide(Decimal(1), a.value), _CONTEXT.divide(a.error, _CONTEXT.multiply(least, least)))


def power(a: Value, exponent: int) -> Value:
    if exponent < 0:
        return inverse(power(a, -exponent))
    if isinstance(a, Fraction):
        if max(a.numerator.bit_length() if abs(a.numerator) != 1 else 0, a.denominator.bit_length() - 1) * exponent > 2 * BITS:
            raise Unreadable("too large")
        return small(a**exponent)
    if exponent > BITS:
        raise Unreadable("too large")
    result: Value = Fraction(1)
    for bit in f"{exponent:b}":
        result = times(result, result)
        result = times(result, a) if bit == "1" else result
    return result


def root(a: Value, degree: int) -> Value:
    """The real root of a number that is not negative; exact where there is a rational one."""
    if degree == 1:
        return a
    if not 1 < degree <= 64 or (a < 0 if isinstance(a, Fraction) else a.value <= a.error):
        raise Unreadable("no such root")
    if isinstance(a, Fraction):
        above, below = _whole_root(a.numerator, degree), _whole_root(a.denominator, degree)
        if above**degree == a.numerator and below**degree == a.denominator:
            return Fraction(above, below)
    x = near(a)
    root = _CONTEXT.sqrt(x.value) if degree == 2 else _CONTEXT.power(x.value, _CONTEXT.divide(Decimal(1), Decimal(degree)))
    least = _CONTEXT.subtract(x.value, x.error)
    return _bounded(root, _CONTEXT.divide(_CONTEXT.multiply(root, x.error), least))


def _whole_root(n: int, degree: int) -> int:
    """The integer part of the degree-th root of n ≥ 0, by Newton's iteration from above."""
    if n < 2 or degree == 2:
        return math.isqrt(n)
    x = 1 << -(-n.bit_length() // degree)
    while True:
        y = ((degree - 1) * x + n // x ** (degree - 1)) // degree
        if y >= x:
            return x
        x = y


@lru_cache(maxsize=512)
def choose(n: int, k: int) -> Fraction:
    """Kept for a while: the same few are asked for again and again, and the largest take half a millisecond."""
    if n < 0 or k < 0:
        raise Unreadable("C of negative numbers")
    few = min(k, n - k)
    if k <= n and n > BITS and few * n.bit_length() > BITS:
        raise Unreadable("too large")
    return small(Fraction(math.comb(n, k))) if k <= n else Fraction(0)


def equal(x: Value, y: Value) -> bool | None:
    """Whether two values are one; None where their bounds are too wide to tell."""
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x == y
    a, b = near(x), near(y)
    bound = _CONTEXT.add(a.error, b.error)
    if _CONTEXT.subtract(a.value, b.value).copy_abs() > bound:
        return False
    scale = Decimal(1) if x == 0 or y == 0 else min(Decimal(1), max(a.value.copy_abs(), b.value.copy_abs()))
    return True if bound <= _CONTEXT.multiply(_SAME, scale) else None
