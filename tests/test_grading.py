"""An answer is right or wrong only where it can be read in one way; everything else is ungradable (Law 6)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from effort import Effort
from hypothesis import assume, given
from hypothesis import strategies as st

from lifeline_tui.core.puzzle import ANSWER_TYPES, Answer
from lifeline_tui.core.reading.expressions import agree, read
from lifeline_tui.core.reading.grading import Grade, grade, same
from lifeline_tui.core.reading.numbers import Unreadable

# type, key; what is right; what is wrong; what is ungradable
TABLE = [
    (
        "int",
        "38",
        "38 ¦ 38. ¦ +38 ¦ 038 ¦ 38.0 ¦ 38.000 ¦ 76/2 ¦ 38 / 1 ¦ 3.8e1 ¦ 3.8×10^1 ¦ (38) ¦ [38] ¦ **38** ¦ "
        r"$38$ ¦ \(38\) ¦ \boxed{38} ¦ $\boxed{38}$ ¦ \text{38} ¦ 38 \text{ ways} ¦ 38 bracelets ¦ "
        "38 different bracelets ¦ 38 (thirty-eight) ¦ 38 cm ¦ 38cm ¦ 38° ¦ 38 cm² ¦ n = 38 ¦ N=38 ¦ = 38 ¦ "
        "a_5 = 38 ¦ 19*2 = 38 ¦ 38 = 38 ¦ ３８ ¦ ٣٨ ¦ $38 ¦ The answer is 38. ¦ **38** (bracelets) ¦ "
        "$38$ bracelets ¦ 38 m ¦ 38 km/h ¦ 38 square units ¦ 38 spanning trees ¦ 38 valid tilings ¦ 38 in total ¦ "
        "38 ways in total ¦ 38 Ways ¦ N_total = 38 ¦ Total = 38 ¦ 38 cm^2 ¦ 38 KILOGRAMS ¦ x1 = 38",
        "39 ¦ -38 ¦ −38 ¦ 38.5 ¦ 77/2 ¦ 3.8 ¦ 380 ¦ 38e1 ¦ 39 bracelets ¦ 1,038",
        "38 or 39 ¦ 38, 39 ¦ 38 39 ¦ 3 8 ¦ 38\n40 ¦ 37-38 ¦ between 37 and 39 ¦ 38% ¦ 38! ¦ 38? ¦ ~38 ¦ ≈38 ¦ "
        "about 38 ¦ 38x ¦ 38k ¦ 38 dozen ¦ 38 million ¦ 38 minus one ¦ 38 and a half ¦ 38 isn't right ¦ "
        "38 is wrong ¦ 1,2 ¦ 2*19 ¦ 38^1 ¦ C(8,3) = 38 ¦ 20+20 = 38 ¦ 38 = n ¦ 38 (39) ¦ thirty-eight ¦ "
        "38 M ¦ 38 G ¦ 38 MM ¦ 38 M2 ¦ 38(m) ¦ 38m ¦ 38 (ways ¦ 38 K ¦ 38 S ¦ 38 hex ¦ 38 octal ¦ 38 binary ¦ 38 sixths ¦ 38 eighths ¦ 38 fifths ¦ 38 lakh ¦ 38 crore ¦ "
        "38 grand ¦ 38 gross ¦ 38 ppm ¦ 38 upper bound ¦ 38 estimate ¦ 38 rejected ¦ 38 fails ¦ 38 pairs ¦ 38 square ¦ 38 max ¦ "
        "38 distinct ¦ 38 wrong ways ¦ 38 (thirty-nine) ¦ 38 (twenty-eight) ¦ 38 zebras ¦ 38 (upper bound) ¦ 38 cm or ¦ 38 L ¦ guess = 38 ¦ not = 38 ¦ "
        "2 possible answers ¦ "
        "none ¦ - ¦ ? ¦ cannot be determined ¦ I don't know, 38 ¦ nan ¦ inf ¦ -inf ¦ NaN ¦ 1e999999 ¦ 0x26 ¦ "
        "38/0 ¦ 9**9**9 ¦ ~~40~~ 38 ¦ 3:8 ¦ 38 mod 40",
    ),
    (
        "int",
        "1234",
        "1,234 ¦ 1 234 ¦ 1\u202f234 ¦ 1_234 ¦ 1'234 ¦ 1{,}234 ¦ 1\\,234 ¦ 1234 ¦ 1,234 ways ¦ 1,234.0",
        "1,235",
        "1.234 ¦ 12,34 ¦ 1,2,3,4",
    ),
    (
        "int",
        "1234567",
        "1,234,567 ¦ 1 234 567 ¦ 1_234_567",
        "",
        "1,234 567 ¦ 12,34,567 ¦ 1.234.567",
    ),
    (
        "int",
        "-3",
        "-3 ¦ −3 ¦ –3 ¦ －3 ¦ - 3 ¦ $-3$",
        "3 ¦ +3",
        "--3 ¦ (-3) or 3",
    ),
    (
        "int",
        "10",
        "10",
        "",
        "10% ¦ 1000% ¦ 10 percent",
    ),
    (
        "int",
        "2",
        "2",
        "3",
        r"2*sqrt(2) ¦ 2√2 ¦ 2 or 3 ¦ 2\sqrt{2} ¦ 2 sqrt(2)",
    ),
    (
        "int",
        "3",
        "3",
        "",
        "2 or 3 ¦ 3 or 4",
    ),
    (
        "int",
        "56",
        r"C(8,3) = 56 ¦ \binom{8}{3} = 56 ¦ 7*8=56",
        "",
        "C(8,3) ¦ C(8,2) = 56",
    ),
    (
        "int",
        "0",
        "0 ¦ -0 ¦ 0.0 ¦ 0/5",
        "1",
        "none ¦ zero",
    ),
    (
        "fraction",
        "3/8",
        r"3/8 ¦ 6/16 ¦ 3 / 8 ¦ 0.375 ¦ 37.5% ¦ 37.5 percent ¦ ⅜ ¦ 3⁄8 ¦ \frac{3}{8} ¦ \dfrac{3}{8} ¦ "
        r"\frac38 ¦ $\frac{6}{16}$ ¦ \boxed{\frac{3}{8}} ¦ (3)/(8) ¦ P = 3/8 ¦ P(X=2) = 3/8 ¦ 3/8 (0.375) ¦ "
        "3/8 ≈ 0.38 ¦ 3/8 (0.37) ¦ 0.375 (0.38) ¦ 3/8 (0.4) ¦ 3/8 = 0.375 ¦ -3/-8 ¦ (3/8) ¦ 1.5/4",
        "8/3 ¦ -3/8 ¦ −3/8 ¦ 0.38 ¦ 3/9 ¦ 38% ¦ 3",
        "3 eighths ¦ 3/8 (0.5) ¦ 3/8 (0.376) ¦ 0.375 (0.374) ¦ 3/0 ¦ 3:8 ¦ 3 out of 8 ¦ 3/8 or 5/8 ¦ 3/8 ≈ 0.5 ¦ 3/8 = 0.4 ¦ ≈0.375 ¦ 3/8/1 ¦ 3//8 ¦ 3 8",
    ),
    (
        "fraction",
        "1/3",
        "1/3 ¦ 2/6 ¦ 1/3 ≈ 0.333 ¦ 1/3 (about 0.33)",
        "0.333 ¦ 33%",
        "0.333... ¦ 0.(3)",
    ),
    (
        "fraction",
        "3/2",
        r"3/2 ¦ 1 1/2 ¦ 1½ ¦ 1\frac{1}{2} ¦ 150% ¦ 1.5",
        "11/2 ¦ -1 1/2",
        "1 3/2",
    ),
    (
        "fraction",
        "1/2",
        r"50% ¦ 50 % ¦ 50\% ¦ .5 ¦ ½",
        "50 ¦ 5%",
        "a half",
    ),
    (
        "fraction",
        "2",
        "2 ¦ 4/2",
        "1/2",
        "200% ¦ 2%",
    ),
    (
        "fraction",
        "1234/5",
        "1,234/5 ¦ 246 4/5",
        "",
        "",
    ),
    (
        "decimal",
        "0.375",
        "0.375 ¦ 0.3750 ¦ .375 ¦ 3/8 ¦ 37.5% ¦ 3.75e-1 ¦ 0.375 m",
        "0.376 ¦ 0.37",
        "0,375 ¦ ≈0.375 ¦ 1e99999",
    ),
    (
        "decimal",
        "37.5",
        "37.5",
        "0.375",
        "37.5% ¦ 37,5 ¦ 37.5 (37.6) ¦ 37.5 ≈ 37.4 ¦ 37.5 (38)",
    ),
    ("decimal", "2.5", "2.5 ¦ 2.5 (5/2) ¦ 2.5 (2.50)", "2.55 (2.5) ¦ 2.45 (2.5)", "2.5 (2.6) ¦ 2.5 (3) ¦ 2.5 (2.4)"),
    ("fraction", "2/3", "2/3 (0.66) ¦ 2/3 (0.67) ¦ -2/-3 ≈ 0.667", "-2/3 (-0.66)", "2/3 (0.65) ¦ 2/3 (0.68) ¦ 2/3 (0.6661)"),
    ("decimal", "0.5", "1/2 (0.5)", "", "0.5 (0.4) ¦ 0.5 (0.6) ¦ 1/2 (0.4)"),
    ("int", "38 m", "38 m ¦ 38", "39 m", "38 cm ¦ 38 s"),
    ("int", "1", "1 way ¦ 1 bracelet", "2 ways", "1 bound"),
    (
        "tuple",
        "1, 2, 3",
        r"(1,2,3) ¦ 1,2,3 ¦ [1; 2; 3] ¦ 1 2 3 ¦ 1, 2 and 3 ¦ \left(1, 2, 3\right) ¦ $(1,2,3)$ ¦ x = (1,2,3) ¦ "
        "⟨1, 2, 3⟩ ¦ (1.0, 4/2, 3)",
        "(3,2,1) ¦ 1,2 ¦ 1,2,3,4 ¦ 1,2,2",
        "(1,2,3 ¦ 1,2,3) ¦ 1 or 2, 2, 3 ¦ 1,,3 ¦ a, b, c ¦ ?",
    ),
    (
        "tuple",
        "a=1, b=2",
        "a = 1, b = 2 ¦ (a=1,b=2)",
        "a=2, b=1",
        "",
    ),
    (
        "tuple",
        "1234, 5",
        "1234, 5 ¦ (1234, 5)",
        "1234, 6",
        "1,234, 5",
    ),
    (
        "set",
        "A, C",
        r"A, C ¦ {C, A} ¦ A and C ¦ \{A, C\} ¦ a, c ¦ A, C, A ¦ A, C. ¦ A & C ¦ A C ¦ {A; C}",
        "A ¦ A, B ¦ A, B, C ¦ {} ¦ ∅",
        "A or C ¦ both A and C ¦ all ¦ none ¦ all but B ¦ everyone ¦ unknown ¦ 1, 3",
    ),
    (
        "set",
        "2, 3, 5",
        "{5, 3, 2} ¦ 2,3,5,5 ¦ 2 3 5",
        "2, 3 ¦ {2, 3, 5, 7}",
        "2, 3, five ¦ 2, 3 or 5 ¦ primes",
    ),
    (
        "set",
        "none",
        r"none ¦ {} ¦ ∅ ¦ \emptyset ¦ the empty set ¦ nobody",
        "A",
        "unknown",
    ),
    (
        "set",
        "(1, 2), (3, 4)",
        "{(3,4), (1,2)} ¦ (1,2),(3,4)",
        "(2,1),(3,4) ¦ (1,2),(3,4),(5,6)",
        "{1,2},{3,4} ¦ (1,2)",
    ),
    ("set", "3 red, 2 blue", "2 blue, 3 red", "3 blue, 2 red", "3, 2"),
    (
        "multiset",
        "1, 1, 2",
        "1,2,1 ¦ {1,1,2} ¦ 2 1 1",
        "1,2 ¦ 1,2,2 ¦ 1,1,1,2",
        "1,1 or 2",
    ),
    (
        "sequence",
        "A, C, B",
        "A, C, B ¦ A → C → B ¦ A -> C -> B ¦ A, C and B ¦ [A,C,B]",
        "A, B, C ¦ A, C",
        "A-C-B ¦ ACB or so",
    ),
    (
        "sequence",
        "Ann Lee, Bo",
        "Ann  Lee, Bo ¦ (ann lee; bo)",
        "Bo, Ann Lee",
        "Ann Lee sits first, Bo",
    ),
    (
        "choice",
        "B",
        "B ¦ b ¦ (B) ¦ B. ¦ B) ¦ [B] ¦ B) knights ¦ B: knights or knaves ¦ B - text ¦ (b) blue ¦ Option B ¦ "
        r"**B** ¦ \text{B} ¦ \boxed{B} ¦ B = 38",
        "A ¦ (c) ¦ D) text",
        "A or B ¦ A, B ¦ B) or C) ¦ B or C ¦ not B ¦ 2 ¦ B.5 ¦ Band ¦ B is wrong ¦ knights",
    ),
    (
        "choice",
        "B) 38",
        "B ¦ b) ¦ B) 38",
        "C",
        "38 or B",
    ),
    (
        "choice",
        "2",
        "2 ¦ (2) ¦ 2) ¦ 2. text",
        "3",
        "2.5 ¦ B ¦ 12 or 2",
    ),
    (
        "choice",
        "knight",
        "knight ¦ Knight. ¦ KNIGHT",
        "knave",
        "the knight ¦ knight or knave ¦ unknown",
    ),
    (
        "choice",
        "Cannot be determined",
        "cannot be determined",
        "",
        "I don't know",
    ),
    (
        "expression",
        "n*(n+1)/2",
        r"n(n+1)/2 ¦ (n^2+n)/2 ¦ \frac{n(n+1)}{2} ¦ C(n+1,2) ¦ \binom{n+1}{2} ¦ n × (n + 1) ÷ 2 ¦ "
        "S = n(n+1)/2 ¦ f(n) = n(n+1)/2 ¦ 0.5*n*(n+1) ¦ (n+1)!/(2*(n-1)!)",
        "n(n-1)/2 ¦ n^2/2 ¦ C(n,2) ¦ n(n+1)",
        "1/2n(n+1) ¦ m(m+1)/2 ¦ n**9**9**9 ¦ sum(1..n) ¦ n(n+1)/2 or n^2 ¦ 10 ¦ n(n+1 ¦ __import__('os') ¦ n.real ¦ lambda: 1",
    ),
    (
        "expression",
        "2*sqrt(2)",
        r"2√2 ¦ \sqrt{8} ¦ 8^(1/2) ¦ 2\sqrt2 ¦ 2*2^0.5 ¦ 4/sqrt(2) ¦ 2**1.5 ¦ sqrt(2)+sqrt(2) ¦ \sqrt[2]{8}",
        "2 ¦ 2.8284271247461903 ¦ sqrt(7) ¦ 2*sqrt(2)+1/10^40",
        "2*sqrt(-2) ¦ sqrt 2 sqrt ¦ √ ¦ (sqrt(2)-sqrt(2))*10^900",
    ),
    (
        "expression",
        "120",
        "5! ¦ C(10,3) ¦ 2*60 ¦ 120.0 ¦ 5*4!",
        "6! ¦ 121 ¦ 1,200 ¦ -120",
        "1,20 ¦ 5!! ¦ 10000000! ¦ 9**9**9 ¦ 5!/0 ¦ (1/2)! ¦ 2 60",
    ),
    (
        "expression",
        "2^n",
        "2**n ¦ 2^{n} ¦ 4^(n/2) ¦ 2*2^(n-1)",
        "2n ¦ n^2 ¦ 3^n",
        "exp(n) ¦ 2^n^n^n^n",
    ),
    (
        "expression",
        "C(2n,n)",
        r"(2n)!/(n!)^2 ¦ \binom{2n}{n} ¦ \frac{(2n)!}{n! * n!} ¦ binom(2n, n)",
        "C(2n, n-1) ¦ 2^n",
        "(2n)!/n!n!",
    ),
    (
        "expression",
        "C(n,k)",
        "C(n, n-k)",
        "C(n, k+1)",
        "C(k) ¦ C(n,k,1)",
    ),
    (
        "expression",
        "0",
        "sqrt(8)-2*sqrt(2) ¦ 1-1",
        "sqrt(2)-sqrt(3)",
        "",
    ),
    (
        "expression",
        "pi/4",
        r"π/4 ¦ \pi/4 ¦ \frac{\pi}{4}",
        "pi/2",
        "0.785",
    ),
]
CASES = [
    (kind, key, text, wanted)
    for kind, key, *verdicts in TABLE
    for wanted, texts in zip((Grade.RIGHT, Grade.WRONG, Grade.UNGRADABLE), verdicts, strict=True)
    for text in texts.split(" ¦ ")
    if text
]


@pytest.mark.parametrize(("kind", "key", "text", "wanted"), CASES, ids=[f"{k}-{v}-{t}-{w}"[:60] for k, v, t, w in CASES])
def test_the_grade(kind: str, key: str, text: str, wanted: Grade) -> None:
    assert grade(Answer(kind, key), text) is wanted


def test_a_tolerance_is_absolute_inclusive_and_exact() -> None:
    key = Answer("decimal", "0.37", "0.005")
    assert [str(grade(key, text)) for text in ("0.375", "0.365", "0.3750000000000000000001", "0.3649", "≈0.37", "37.2%")] == [
        "right",
        "right",
        "wrong",
        "wrong",
        "right",
        "right",
    ]
    assert grade(Answer("decimal", "0.3", "0"), "0.30000000000000004") is Grade.WRONG
    assert grade(Answer("decimal", "0.3", "wide"), "0.3") is Grade.UNGRADABLE


def test_nothing_given_is_ungradable_and_no_key_is_not_applicable() -> None:
    assert [grade(Answer(kind, "1"), text) for kind in ANSWER_TYPES for text in (None, "", "  ")] == [Grade.UNGRADABLE] * 27
    assert grade(Answer("", ""), "pull the lever") is Grade.NOT_APPLICABLE
    assert grade(Answer("essay", "38"), "38") is Grade.UNGRADABLE
    assert grade(Answer("int", "many"), "38") is Grade.UNGRADABLE


def test_same_compares_an_answer_to_a_shown_key() -> None:
    key = Answer("int", "38")
    assert same(key, "35", "35 bracelets") is True
    assert same(key, "35", "38") is False
    assert same(key, "35", "35 or 38") is None
    assert same(Answer("decimal", "1", "0.5"), "2", "2.5") is True


HOSTILE = [
    *("9**9**9", "10000000!", "(" * 900, "-" * 900, "√" * 900, "2^" * 300 + "2", "1+" * 400 + "1", "sqrt(" * 150 + "2" + ")" * 150),
    *(
        "C(10^9,5*10^8)",
        "2^(2^(2^(2^2)))",
        "((9^99)^9)^9",
        "sqrt(2)^4000",
        "{" * 900,
        "," * 900,
        "<" * 900,
        "1 " * 450,
        "((((1))))" * 90,
    ),
    *(
        "\\frac" * 180,
        "\\text{" * 160,
        "1," * 450,
        "a and " * 160,
        "n^" * 400,
        "(1,(1,(1,(1,(1,(1,1))))))",
        "=" * 900,
        "1=" * 450,
        "9" * 900,
        "0." + "1" * 900,
    ),
    *("1e400", "1e-999", "9" * 10_000_000, "A) " * 300, "!" * 900, "sqrt(2)" * 120, "C(" * 200, "⅜" * 900, "x'" * 400),
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:20] for text in HOSTILE])
def test_no_answer_is_much_work_to_grade(text: str) -> None:
    with Effort() as effort:
        for kind in ANSWER_TYPES:
            for key in ("38", "n^2", "1, 2"):
                assert grade(Answer(kind, key), text) is not Grade.RIGHT
    assert effort.yards < 20


ANY = st.one_of(
    st.text(max_size=40), st.text(st.sampled_from("0123456789+-*/^!(){}[]<>,.;:% =nkAB√\\$fracsqt_'∅½²−\n"), max_size=25)
)


@given(st.sampled_from(ANSWER_TYPES), ANY, ANY, ANY)
def test_grade_is_total_and_same_is_symmetric(kind: str, key: str, text: str, tolerance: str) -> None:
    answer = Answer(kind, key, tolerance)
    assert grade(answer, text) in (Grade.RIGHT, Grade.WRONG, Grade.UNGRADABLE)
    assert same(answer, key, text) is same(answer, text, key)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_an_integer_is_right_in_every_spelling_and_no_other_is(key: int, other: int) -> None:
    answer = Answer("int", str(key))
    for n in (key, other):
        spellings = [
            f"{n}",
            f"{n:,}",
            f"{n:_}",
            f"{n:,}".replace(",", " "),
            f"{n}".replace("-", "−"),
            f"{n}.0",
            f"{2 * n}/2",
            f"${n}$",
        ]
        spellings += [
            f"\\boxed{{{n}}}",
            f"**{n}**.",
            f"{n:,}".replace(",", "{,}"),
            f"n = {n}",
            f"{n} bracelets",
            f"({n})",
            f"\\frac{{{3 * n}}}{{3}}",
        ]
        for text in spellings:
            assert grade(answer, text) is (Grade.RIGHT if n == key else Grade.WRONG), text


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6), st.integers(1, 9))
def test_a_fraction_is_right_in_every_spelling_and_no_other_is(key: Fraction, other: Fraction, by: int) -> None:
    answer = Answer("fraction", str(key))
    for f in (key, other):
        n, d = f.numerator, f.denominator
        for text in (
            f"{n}/{d}",
            f"{by * n}/{by * d}",
            f"\\frac{{{n}}}{{{d}}}",
            f"$\\dfrac{{{by * n}}}{{{by * d}}}$",
            f"{n} / {d}".replace("-", "−"),
        ):
            assert grade(answer, text) is (Grade.RIGHT if f == key else Grade.WRONG), text


WORDS = st.lists(st.sampled_from(["A", "B", "C", "D", "1", "2", "3", "1/2", "-4"]), min_size=1, max_size=5)


@given(st.sampled_from(["tuple", "sequence", "set", "multiset"]), WORDS, WORDS)
def test_a_list_is_right_by_its_own_law(kind: str, key: list[str], other: list[str]) -> None:
    law = {"set": frozenset, "multiset": sorted}.get(kind, list)
    answer = Answer(kind, ", ".join(key))
    for text in (", ".join(key), f"({','.join(key)})", f"{{{'; '.join(key)}}}", f"$[{', '.join(key)}]$"):
        assert grade(answer, text) is Grade.RIGHT
    assume(law(other) != law(key))
    assert grade(answer, ", ".join(other)) in (Grade.WRONG, Grade.UNGRADABLE)


FORMULAS = st.recursive(
    st.sampled_from(["n", "k", "2", "3", "1/2", "0.5", "10"]).map(lambda leaf: f"({leaf})"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        st.tuples(inner, st.sampled_from(["^2", "!", "^(1/2)"])).map(lambda t: f"({t[0]}{t[1]})"),
        inner.map(lambda x: f"sqrt({x})"),
    ),
    max_leaves=8,
)


@given(FORMULAS)
def test_a_formula_agrees_with_itself_and_never_with_itself_plus_one(text: str) -> None:
    tree, more = read(text), read(f"{text}+1")
    assert agree(tree, tree) is not False
    assert agree(tree, more) is not True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "2 3",
        "n2",
        "ab",
        "1/2n",
        "n!!",
        "a(",
        "sqrt",
        "C(1,2,3)",
        "import os",
        "x.y",
        "1e5",
        "|n|",
        "n mod 2",
        "'a'",
        "\\input{a}",
    ],
)
def test_only_the_grammar_is_read(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize("text", ["sqrt(100!)", "n!", "2*sqrt(2)", "C(n,k)", "1/3", "n^(1/2)"])
def test_a_formula_is_right_for_itself(text: str) -> None:
    assert grade(Answer("expression", text), text) is Grade.RIGHT
    assert grade(Answer("expression", text), f"{text}+1/10^30") is not Grade.RIGHT
