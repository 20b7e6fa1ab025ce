"""The words that may stand after a number and leave it as it is: "38 bracelets", "38 cm", "38 (thirty-eight)".

A list of what is allowed, because what changes or doubts a number has no end: "38 thousand", "38 M", "38 sixths", "38 hex", "38 upper
bound" and "38 rejected" are not 38.  A word that is not here makes an answer ungradable, never right or wrong (Law 6).
"""

from __future__ import annotations

import re
from fractions import Fraction

_MEASURE_WORDS = (
    "° centimeter centimeters centimetre centimetres cents cm days degrees dollars eur euros feet ft g gbp grams h hours hr hrs"
    " inches kg kilograms kilometer kilometers kilometre kilometres km l liters litres m meter meters metre metres mg miles"
    " minutes ml mm months radians s seconds unit units usd weeks years"
)
_COUNTED_WORDS = (
    "arrangements arrays assignments bags balls beads books boxes bracelets cards cells children circles coins colorings colors"
    " colourings colours combinations configurations cubes customers cycles derangements dice distributions divisors dominoes"
    " draws edges elements faces factors flips functions games graphs grids handshakes integers items jobs knaves knights"
    " labelings labellings liars lines lists mappings marbles matches matrices members men moves necklaces nodes numbers"
    " objects orderings orders outcomes palindromes partitions passwords paths patterns people permutations persons pieces"
    " players points polygons positions possibilities primes puzzles rectangles residues rings rolls rooks rounds routes rows"
    " schedules seatings selections sequences shapes solutions spins splits squares steps stones strings students subsets"
    " surjections teams throws tiles tilings tosses towers trees trials triangles tuples turns vertices walks ways women words"
)
_KIND_WORDS = (
    "admissible allowed black blue circular closed cubic different distinct distinguishable essentially favorable favourable"
    " feasible green inequivalent integer labeled labelled lattice legal non-equivalent positive possible prime red separate"
    " simple spanning sq square such total unique valid white whole yellow"
)
_ENDINGS = ("in total", "total", "in all", "altogether", "overall")
_MEASURES, _COUNTED, _KINDS = (frozenset(words.split()) for words in (_MEASURE_WORDS, _COUNTED_WORDS, _KIND_WORDS))
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    " twenty thirty forty fifty sixty seventy eighty ninety"
)
_SPELLED = _NUMBER_WORDS.split()
_POWER = re.compile(r"\^?\(?[23]\)?$")


def names_unit(words: str, value: Fraction, *, apart: bool) -> bool:
    """Whether words say only what a value counts or measures.  A short unit keeps its case; one letter stands apart."""
    if len(words) == 1 and words != "°" and not apart:
        return False
    ending = next((ending for ending in _ENDINGS if f" {words.casefold()}".endswith(" " + ending)), "")
    *kinds, last = words[: len(words) - len(ending)].strip().split(" ")
    if not last:
        return bool(ending)
    if not _KINDS.issuperset(kind.casefold() for kind in kinds):
        return False
    counted = last.casefold()
    if counted in _COUNTED or (value == 1 and counted + "s" in _COUNTED):
        return True
    measures = [_POWER.sub("", name) for name in last.split("/", 1)]
    return all((name if len(name) < 4 else name.casefold()) in _MEASURES for name in measures)


def spelled(value: Fraction) -> str:
    """A whole number below 100 in words, as it may stand in brackets after its figures; "" for any other."""
    if value.denominator != 1 or not 0 <= value < 100:
        return ""
    tens, ones = divmod(value.numerator, 10)
    return _SPELLED[value.numerator] if tens < 2 else _SPELLED[18 + tens] + (f"-{_SPELLED[ones]}" if ones else "")
