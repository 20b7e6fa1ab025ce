"""What a puppet makes of a transcript: the puzzles, its own answers, what it was told, and what it is asked now.

A puppet is handed exactly what a model would be, so it must find everything in the words themselves.  The words may have been
overridden by the operator's own templates; reading is lenient, and what cannot be read is simply not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_I, _M = re.IGNORECASE, re.MULTILINE
_HEAD = re.compile(r"^[ \t#*]*(?:puzzle|problem|question|item)[ \t]+(\d{1,6})(?:[ \t]*(?:of|/)[ \t]*(\d{1,6}))?[ \t*:.]*$", _I | _M)
_LABEL = re.compile(r"^[ \t>*_`-]*(ACTION|ANSWER|DIFFICULTY|CONFIDENCE|COUNT|WHICH)[ \t*_`]*[:=](.*)$", _I | _M)
_TOTAL = re.compile(r"\b(?:given|here are) (\d{1,6}) puzzles", _I)
_KEY = re.compile(
    r"\b(?:correct|recorded|right|true) answer(?: (?:to|for) puzzle (\d{1,6}))? (?:is|was):? *(\S.{0,200}?)(?=\.(?:\s|$)|\s*$)",
    _I | _M,
)
_VERDICT = re.compile(r"\banswer to puzzle (\d{1,6}) (?:is|was) (in)?correct", _I)
_OFFER = re.compile(r"\byou (?:now )?(?:have|get) (\d{1,6}|no|zero|an?|one) (\w[\w-]*)", _I)
_LEFT = re.compile(r"\b(\w[\w-]{0,40}) left: *(\d{1,6})|\bno (\w[\w-]*) (?:is|are) left", _I)
_WRONG = re.compile(r"\bwrong answer (?:scores )?([^.,;?\n]{1,40}\d[^,;?\n]{0,12}?|\d+)(?=\.?\s|[.,;?]|$)", _I)
_FREE_ANSWER = re.compile(r"\bthe answer is (\S.{0,80}?)(?=\.(?:\s|$)|$)", _I | _M)
_FREE_USE = re.compile(r"\bI(?:'ll| will)? use an? ", _I)
_NUMBERS = {"no": 0, "zero": 0, "a": 1, "an": 1, "one": 1}


@dataclass(frozen=True, slots=True)
class Item:
    """A puzzle as posed.  `total` is how many there are in all, 0 where nobody said."""

    number: int
    text: str
    total: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply of its own committed to about one puzzle."""

    skipped: bool
    answer: str = ""
    confidence: int | None = None


@dataclass(slots=True)
class Reading:
    """A transcript read to its end.

    `items`, `said`, `shown` (keys) and `verdicts` are by puzzle number; `current` are the items of the last user turn and `news` the
    numbers that it gave feedback on.  `word` is the lifeline's word, empty where none were offered; `offered` counts all that were
    granted so far and `left` what is unspent.  `labels` are the line labels of the asked form, `asked` the last user turn outside items.
    `began` is its own first turn.
    """

    items: dict[int, Item] = field(default_factory=dict)
    said: dict[int, Said] = field(default_factory=dict)
    shown: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, bool] = field(default_factory=dict)
    current: tuple[Item, ...] = ()
    posed: tuple[Item, ...] = ()
    news: tuple[int, ...] = ()
    word: str = ""
    offered: int = 0
    left: int = 0
    labels: frozenset[str] = frozenset()
    labels_first: bool = False
    blocks: bool = False
    total: int = 0
    asked: str = ""
    last_turn: str = ""
    wrong_scores: str = ""
    claimed: int | None = None
    prefill: str = ""
    began: str = ""

    @property
    def used(self) -> int:
        return sum(said.skipped for said in self.said.values())

    @property
    def last_answered(self) -> int | None:
        """The puzzle that was answered most recently: puzzles come in the order of `said`."""
        return next((number for number in reversed(self.said) if not self.said[number].skipped), None)


def same(one: str, other: str) -> bool:
    """Whether two answers read the same, spaces, case and the minus sign's kind aside."""
    return _plain(one) == _plain(other)


def _plain(value: str) -> str:
    return "".join(value.split()).casefold().replace("−", "-").rstrip(".")


def split_prompt(prompt: str) -> list[dict[str, str]]:
    """A base model's document as messages: blocks headed ``### Operator`` and ``### Subject``; without any, one user turn."""
    parts = re.split(r"^#{1,4} *(Operator|User|Subject|Assistant|System) *:? *$", prompt, flags=_I | _M)
    if len(parts) == 1:
        return [{"role": "user", "content": prompt}]
    messages = [{"role": "system", "content": parts[0]}] if parts[0].strip() else []
    for who, text in zip(parts[1::2], parts[2::2], strict=True):
        role = "assistant" if who.casefold() in ("subject", "assistant") else "system" if who.casefold() == "system" else "user"
        messages.append({"role": role, "content": text.removeprefix("\n")})
    return messages


def read(messages: Sequence[Mapping[str, str]]) -> Reading:
    """`messages` read in order.  A last assistant turn is one to be continued: its text is `prefill`."""
    reading = Reading()
    for place, message in enumerate(messages):
        text = message.get("content") or ""
        if message.get("role") != "assistant":
            _read_told(reading, text, message.get("role") == "user")
        elif place == len(messages) - 1:
            reading.prefill = text
        else:
            _read_own(reading, text)
    return reading


def _pieces(text: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The text before the first puzzle header, and (number, total, body) of each puzzle."""
    heads = list(_HEAD.finditer(text))
    if not heads:
        return text, []
    ends = [head.start() for head in heads[1:]] + [len(text)]
    bodies = [(int(head[1]), int(head[2] or 0), text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)]
    return text[: heads[0].start()], bodies


def _read_told(reading: Reading, text: str, is_turn: bool) -> None:
    before, bodies = _pieces(text)
    _read_rules(reading, before, text)
    lone = reading.posed[0].number if len(reading.posed) == 1 else None
    news = _read_feedback(reading, before, lone)
    items = []
    for number, total, body in bodies:
        if number in reading.items and reading.items[number].text != body:
            for known in (reading.said, reading.shown, reading.verdicts):
                known.pop(number, None)
        item = Item(number, body, total or reading.total)
        reading.items[number] = item
        items.append(item)
        _read_feedback(reading, body, number)
    if is_turn:
        reading.news, reading.asked, reading.last_turn = tuple(news), before.strip(), text
        reading.current = tuple(items)
        if items:
            reading.posed = reading.current


def _read_rules(reading: Reading, before: str, text: str) -> None:
    labels = _labels(before)
    if "ANSWER" in labels:
        reading.labels = frozenset(labels)
        reading.labels_first = "begin your reply" in before.casefold() or "start your reply" in before.casefold()
        reading.blocks = "for each puzzle" in before.casefold()
    for option in re.split(r"\||/|\bor\b|,", labels.get("ACTION", "")):
        if option.strip() and option.strip().upper() != "ANSWER":
            reading.word = option.strip().lower()
    if total := _TOTAL.search(before):
        reading.total = int(total[1])
    if wrong := _WRONG.search(before):
        reading.wrong_scores = wrong[1]
    for offer in _OFFER.finditer(before):
        if reading.word and not _is_word(offer[2], reading.word):
            continue
        if not reading.word:
            if "skip" not in before.casefold():
                continue
            reading.word = offer[2].lower().removesuffix("es" if offer[2].lower().endswith("sses") else "s")
        reading.left = _NUMBERS[offer[1].lower()] if offer[1].lower() in _NUMBERS else int(offer[1])
        reading.offered = reading.used + reading.left
    if reading.word:
        for left in _LEFT.finditer(text):
            if _is_word(left[1] or left[3], reading.word):
                reading.left = int(left[2] or 0)


def _is_word(noun: str, word: str) -> bool:
    """Whether `noun`, perhaps a plural or the first of two words, is the lifeline's word."""
    return noun.lower().startswith(word[: max(3, len(word) - 1)]) or word.startswith(f"{noun.lower()} ")


def _read_feedback(reading: Reading, text: str, lone: int | None) -> list[int]:
    news = []
    for key in _KEY.finditer(text):
        number = int(key[1]) if key[1] else lone
        if number is not None:
            reading.shown[number] = key[2]
            news.append(number)
    for verdict in _VERDICT.finditer(text):
        reading.verdicts[int(verdict[1])] = not verdict[2]
        news.append(int(verdict[1]))
    return list(dict.fromkeys(news))


def _read_own(reading: Reading, text: str) -> None:
    reading.began = reading.began or text
    before, bodies = _pieces(text)
    lone = reading.posed[0].number if len(reading.posed) == 1 else reading.last_answered
    pieces = [(lone, before)] if lone is not None else []
    for number, piece in [*pieces, *((number, body) for number, _, body in bodies)]:
        found = _labels(piece)
        if not found and reading.current:
            free = _FREE_ANSWER.findall(piece)
            found = {"ANSWER": free[-1]} if free else {"ACTION": reading.word} if reading.word and _FREE_USE.search(piece) else {}
        skipped = bool(reading.word) and _is_word(found.get("ACTION", ""), reading.word)
        if skipped and not (number in reading.said and reading.said[number].skipped):
            reading.left = max(0, reading.left - 1)
        if skipped or found.get("ANSWER"):
            reading.said.pop(number, None)
            sure = found.get("CONFIDENCE", "")
            confidence = int(sure) if re.fullmatch(r"[0-9]{1,3}", sure) else None
            reading.said[number] = Said(skipped, "" if skipped else found["ANSWER"], confidence)
    count = _labels(before).get("COUNT", "")
    if re.fullmatch(r"[0-9]{1,6}", count):
        reading.claimed = int(count)


def _labels(text: str) -> dict[str, str]:
    """The labelled lines of `text`, Markdown around the value left out; the last of a name counts."""
    return {match[1].upper(): match[2].strip(" \t*_`") for match in _LABEL.finditer(text)}
