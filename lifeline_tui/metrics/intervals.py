"""Intervals for rates."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a rate of `successes` in `n` independent trials, both bounds from 0 to 1 (Wilson 1927, equation in
    Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion").  Raises ValueError where `n` is no positive number or
    `successes` is not from 0 to `n`."""
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no rate")
    rate, squared = successes / n, z * z
    middle = (rate + squared / (2 * n)) / (1 + squared / n)
    half = z * sqrt(rate * (1 - rate) / n + squared / (4 * n * n)) / (1 + squared / n)
    # Exact at the ends, where rounding would leave a bound beside 0 or 1.
    return (0.0 if successes == 0 else max(0.0, middle - half)), (1.0 if successes == n else min(1.0, middle + half))
