"""What the value of one label says: an action, an answer or none, a number on a scale.

Split from the search for labels because each table here is a judgement that a person should be able to read and dispute.  The law is
the same: what could be read in two ways is not read at all.  Every pattern is matched against a bounded text.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

Number = int | float
LONGEST_PHRASE = 300
LONGEST_NUMBER = 160


class Action(StrEnum):
    ANSWER = "answer"
    LIFELINE = "lifeline"
    BOTH = "both"
    REFUSAL = "refusal"
    UNPARSED = "unparsed"


class Answered(StrEnum):
    """What the value of ANSWER is.  A lifeline may be stated there, or only wished for ("I'd use a lifeline")."""

    REAL = "real"
    NOTHING = "nothing"
    ABSTAINED = "abstained"
    PLACEHOLDER = "placeholder"
    LIFELINE = "lifeline"
    WISH = "wish"
    REFUSAL = "refusal"


_MARKS = str.maketrans({"’": "'", "‘": "'", "−": "-", "–": "-", "—": "-", "％": "%", "\u00a0": " "} | dict.fromkeys("*`_", ""))
_EDGES = " \t.,;!'\"“”"


def phrase(value: str) -> str:
    """`value` in one case, without emphasis, its spaces single: what the tables below are matched against."""
    return " ".join(value[: LONGEST_PHRASE + 1].translate(_MARKS).casefold().split()).rstrip(_EDGES).lstrip(_EDGES.replace(".", ""))


_CANNOT = r"(?:cannot|can't|can not|could not|couldn't)"
_ABSTAINS = re.compile(
    rf"(?:(?:it|this|that|the (?:answer|value|result)) )?{_CANNOT} be \w+"
    rf"|(?:i )?{_CANNOT} (?:determine|solve|find|compute|calculate|answer|say|tell|figure|know|decide|derive)\b"
    r"|(?:(?:it|this|that|the (?:answer|value|result)) )?(?:is )?"
    r"(?:undeterminable|indeterminable|indeterminate|undetermined|not determinable|unknown|unknowable|unsolved|undecidable"
    r"|impossible to \w+|not possible to \w+|unclear|uncertain)\b"
    r"|(?:there(?: is|'s) )?(?:not enough|insufficient) (?:information|data|info)\b"
    r"|(?:i )?(?:really |honestly |just )?(?:do not|don't) know\b|idk\b|dunno\b|(?:i have )?no idea\b"
    r"|(?:i'm |i am )?(?:not sure|unsure|unable to|not able to|not certain)\b"
    r"|(?:i )?(?:give up|abstain)\b|no (?:definite |definitive |certain )?answer\b"
    r"|not (?:attempted|answered|applicable)\b|\?+$"
)
_NOTHING = re.compile(
    r"(?:-+|(?:none|n/?a|nil|null|skip(?:ped|ping)?|pass(?:ed)?|blank|left blank|empty|unanswered|no answer|not applicable"
    r"|not answered|not attempted)(?: *[(\[,.;:-][^0-9]*)?)"
)
_PLACEHOLDER = re.compile(
    r"(?:(?:insert |write |put )?(?:your|the) (?:final )?(?:answer|value|best answer)(?: here)?(?: *\(.*)?"
    r"|(?:final )?answer(?: here)?|insert answer(?: here)?|action|difficulty|confidence|\.\.+|…+)"
)
_REFUSES = re.compile(
    r"(?:(?:i'm |i am |we're |we are )?(?:very |so |really )?(?:sorry|afraid)[,.;:]*(?: but)?(?: that)? |unfortunately,? )?"
    r"(?:(?:i )?(?:cannot|can't|can not|am unable to|'m unable to|am not able to|'m not able to|will not|won't) "
    r"(?:help (?:you |with)|assist\b|comply\b|participate\b|take part\b|engage (?:in|with)\b|fulfil\w* (?:this|that|your)\b"
    r"|provide (?:that|this|assistance|help)\b|support (?:this|that)\b|be (?:a )?part of\b|make (?:this|that|such) (?:a )?(?:choice|decision)\b)"
    r"|(?:i )?(?:refuse|decline|must decline|must refuse|respectfully decline|have to decline|will not|won't)(?: to)? "
    r"(?:answer(?:ing)?\b|respond\b|help\b|assist\b|participate\b|take part\b|engage\b|comply\b|continue\b|choose\b|play\b|cooperate\b"
    r"|do (?:this|that|so)\b|solve\b|make (?:this|that|such)\b)"
    r"|(?:i )?(?:refuse|decline|must decline|respectfully decline)$)"
)
_NOT = re.compile(
    r"\b(?:no|not|never|without|cannot|decline|refuse|avoid|instead of|rather than|sav(?:e|ing)|keep(?:ing)?"
    r"|unneeded|unused|unnecessary)\b|n't\b"
)
_SKIPS = re.compile(r"\b(?:skip|pass|forfeit|lifeline|abstain|decline|none)")
_ANSWERS = re.compile(
    r"(?:i(?:'ll| will| choose to| want to)? )?(?:give |provide |attempt |choose |submit |to )*(?:an? |the |my )?answer(?:ing|ed)?"
    r"(?: (?:it|this|the (?:puzzle|question)))?(?: *[(\[,.;:|-].*)?"
)
_NO_ANSWERING = re.compile(
    r"(?:without|instead of|rather than|not|no|n't) (?:an |giving an )?answer\w*|answer *[:=] *(?:none|n/?a|-|skip\w*|null)"
)


def abstains(value: str) -> bool:
    """Whether a value says that there is no answer to give: "cannot be determined", "I don't know", "n/a"."""
    said = phrase(value)
    return bool(_ABSTAINS.match(said) or _NOTHING.fullmatch(said))


def refuses(text: str) -> bool:
    """Whether a short text without labels is a refusal: one that its first 300 characters open a sentence with.

    Deliberately deaf: "I can't solve this" is no refusal, and neither is a text that goes on to state an answer.
    """
    if len(text) > 1200 or re.search(r"answer is|\\boxed", text):
        return False
    opening = text[:LONGEST_PHRASE]
    return any(_REFUSES.match(phrase(sentence)) for sentence in re.split(r"(?<=[.!?:\n])\s+", opening))


@lru_cache(maxsize=64)
def _lifeline(word: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """For a lifeline word: the word itself, a phrase that uses one (group 1: a wish, group 2: what follows), the form's options."""
    name = re.escape(" ".join(word.casefold().split())) + "s?"
    uses = (
        r"(?:(?:none|n/?a|skip(?:ped|ping)?|no answer|-) *[\[(,.;:-]* *)?(?:i(?='| ))?"
        r"((?:'d| would)(?: like to| prefer to| rather)?| want to| might| may| could)?(?:'ll| will| am|'m| choose to| have to)? *"
        r"(?:(?:use|using|used|take|taking|spend|spending|play|choose|invoke|call) )?(?:(?:an?|one|1|my|the|another) (?:of (?:my|the) (?:\d+ )?(?:remaining )?)?)?"
        rf"{name}(?: (?:used|please|here|now|spent|taken|(?:on|for) this(?: one| puzzle)?|#? ?\d+(?: of \d+)?))?"
        r"(?: *[)\](,.;:!|/-]+(.*))?"
    )
    options = rf"[<\[({{]*(?:answer|{name})(?: *(?:\||/|\bor\b) *(?:answer|{name}))+[>\])}}]*(?: *\(.*)?"
    return re.compile(rf"\b{name}\b"), re.compile(uses), re.compile(options)


def read_action(value: str, word: str) -> tuple[Action | None, str]:
    """What an ACTION value says, and a flag or "".  None: the form's own options, copied.  UNPARSED: no action that is known."""
    said = phrase(value).strip("<>[](){} ")
    if not said or len(said) > LONGEST_PHRASE:
        return (Action.UNPARSED, "unknown-action") if said else (None, "")
    name, uses, options = _lifeline(word)
    if options.fullmatch(said):
        return None, ""
    if name.search(said):
        used = uses.fullmatch(said)
        if used:
            after = (used[2] or "").strip()
            if re.match(
                r"(?:no|none|not (?:needed|used|necessary|required|taken)|un(?:used|needed|necessary)|declined|false|0)\b", after
            ):
                return Action.UNPARSED, "negated-lifeline"
            return (Action.BOTH if re.search(r"\banswer", _NO_ANSWERING.sub("", after)) else Action.LIFELINE), ""
        if _NOT.search(said):
            return (Action.ANSWER if _ANSWERS.fullmatch(said.split(" without ")[0]) else Action.UNPARSED), "negated-lifeline"
        return (Action.BOTH, "") if re.search(r"\banswer", said) else (Action.UNPARSED, "unknown-action")
    if _REFUSES.match(said) or re.fullmatch(r"refus(?:e|al|ed)", said):
        return Action.REFUSAL, ""
    return (Action.ANSWER, "") if _ANSWERS.fullmatch(said) else (Action.UNPARSED, "unknown-action")


def skips(value: str) -> bool:
    """Whether an unknown ACTION value may mean that the puzzle is skipped."""
    return bool(_SKIPS.search(phrase(value)))


def read_answer(value: str, word: str) -> Answered:
    """What kind of value an ANSWER label has."""
    said = phrase(value)
    if len(said) > LONGEST_PHRASE:
        return Answered.REAL
    bare = said.strip("<>[](){} ")
    _, uses, options = _lifeline(word)
    if options.fullmatch(said) or _PLACEHOLDER.fullmatch(bare) or value.strip() in ("...", "…"):
        return Answered.PLACEHOLDER
    used = uses.fullmatch(said)
    if used and not re.search(r"\d", used[2] or ""):
        return Answered.WISH if used[1] else Answered.LIFELINE
    if _NOTHING.fullmatch(bare if bare else said):
        return Answered.NOTHING
    if _REFUSES.match(said):
        return Answered.REFUSAL
    return Answered.ABSTAINED if _ABSTAINS.match(said or value.strip()) else Answered.REAL


_NUMBER = re.compile(
    r"(?<![\w.])([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?!\w))(?: ?(%|percent\b|per cent\b)| ?(?:/|out of\b|of\b) ?([0-9]+(?:\.[0-9]+)?))?"
)
_INEXACT = re.compile(r"[<>≤≥]|\d ?\+|\b(?:at (?:least|most)|over|under|(?:more|less) than|below|above|up to|between|not)\b")
_SCALES = {
    "difficulty": re.compile(r"[<\[(]?(?:on (?:a |the )?)?(?:scale )?(?:of |from )?[01] ?(?:-|to) ?10[>\])]?"),
    "confidence": re.compile(r"[<\[(]?(?:on (?:a |the )?)?(?:scale )?(?:of |from )?[01] ?%? ?(?:-|to) ?100 ?%?[>\])]?"),
}
TOP = {"difficulty": 10, "confidence": 100}
LEAST = {"difficulty": 1, "confidence": 0}


def is_scale(label: str, value: str) -> bool:
    """Whether a value is the form's own scale, copied ("1-10"), perhaps with its remark."""
    return bool(re.fullmatch(_SCALES[label].pattern + r"(?: ?\(.*)?", phrase(value)))


def read_number(label: str, value: str) -> tuple[Number | None, tuple[str, ...]]:
    """A rating on its scale (difficulty 1 to 10, confidence 0 to 100), and flags.

    "8/10", "80%" and "0.8" are told apart: each is brought to the scale, and `rescaled` says so where that changed the figure.
    A bare "1.0" for confidence may be either end of two scales, so it is no number; neither is "7-8", "high" or ">90".
    """
    said = phrase(value.replace("\\%", "%").replace("$", ""))
    if said in ("", "n/a", "na", "none", "-", "null", "not applicable"):
        return None, ()
    if len(said) > LONGEST_NUMBER or _INEXACT.search(said):
        return None, ("not-one-number",)
    bare = " ".join(re.sub(r"[()\[\]]", " ", _SCALES[label].sub(" ", said)).split())
    read = {_on_scale(label, *match.groups()) for match in _NUMBER.finditer(bare)}
    figures = {figure for figure, _ in read}
    if len(figures) != 1 or None in figures:
        return None, ("not-one-number",)
    figure = figures.pop()
    assert figure is not None
    if not LEAST[label] <= figure <= TOP[label]:
        return None, ("out-of-range",)
    exact = int(figure) if figure.denominator == 1 else float(figure)
    return exact, ("rescaled",) if all(rescaled for _, rescaled in read) else ()


def _on_scale(label: str, figure: str, percent: str | None, whole: str | None) -> tuple[Fraction | None, bool]:
    """One figure brought to the label's scale, and whether that changed it; None where the scale is unknown."""
    number, top = Fraction(figure.rstrip(".")), TOP[label]
    if percent or whole:
        out_of = Fraction(100) if percent else Fraction(whole or 1)
        return (number * top / out_of, out_of != top) if out_of else (None, False)
    if 0 < number < 1 and "." in figure:
        return number * top, True
    if label == "confidence" and number == 1 and "." in figure:
        return None, False
    return number, False
