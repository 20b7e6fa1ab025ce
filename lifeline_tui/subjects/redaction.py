"""A key never leaves the environment (Law 10): its value is replaced in whatever a provider sends, across chunk borders too, also in
base64 and where the end of a text cuts it short.

This is the one exception to "store raw" (Law 4), so a reply that was touched says so.
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

REDACTED = "[redacted]"
SHORTEST = 8
"""Characters of a key, or of the beginning of one at the end of a text: fewer give nothing away."""
_KEYLIKE = re.compile(
    r"(?:API|ACCESS|SECRET)_?KEY|BEARER_?TOKEN|(?:^|_)(?:KEYS?|TOKENS?|JWTS?|SECRETS?|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE
)


def secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values of the key-like variables (`…_API_KEY`, `…_TOKEN`, `…_SECRET` …) that have at least 8 characters, plain, as they
    stand inside a JSON string and inside a URL, and in base64."""
    values = {value.strip() for name, value in environ.items() if _KEYLIKE.search(name)}
    forms = {form for value in values if len(value) >= SHORTEST for form in (value, json.dumps(value)[1:-1], *_in_base64(value))}
    return frozenset(forms | {quote(form, safe="", errors="surrogateescape") for form in forms})


def _in_base64(value: str) -> Iterator[str]:
    """The characters that `value` makes in base64 at each of the three places where it may begin in it, as `user:` before it moves
    it: those that it makes alone, and all to the end where nothing follows."""
    raw = value.encode("utf-8", "surrogateescape")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before, first in ((b"", 0), (b"0", 2), (b"00", 3)):
            whole = encode(before + raw).decode()
            yield from (whole[first : (len(before) + len(raw)) * 8 // 6], whole[first:].rstrip("="), whole[first:])


class Redaction:
    """Replaces a set of secrets, in a whole text or in a stream."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = sorted(set(secrets))
        longest_first = sorted(self.secrets, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.firsts = frozenset(secret[0] for secret in self.secrets)
        self.longest = max(map(len, self.secrets), default=0)

    def clean(self, text: str) -> str:
        stream = self.stream()
        return stream.feed(text) + stream.flush()

    def stream(self) -> RedactedStream:
        return RedactedStream(self)

    def begins(self, text: str, start: int) -> int:
        """Where the longest suffix of `text`, from `start` on, lies that could be the beginning of a secret."""
        for i in range(max(start, len(text) - self.longest + 1), len(text)):
            if text[i] in self.firsts and self.is_beginning(text[i:]):
                return i
        return len(text)

    def is_beginning(self, text: str) -> bool:
        """Whether a secret goes on after `text`: in order, such a secret comes next."""
        after = bisect_right(self.secrets, text)
        return after < len(self.secrets) and self.secrets[after].startswith(text)


class RedactedStream:
    """Text in pieces.  Only a suffix that could be the beginning of a secret is held back; `flush` gives it out at the end, or
    replaces it if it tells too much.  The pieces joined are what `Redaction.clean` makes of the whole.  `hit` tells whether anything
    was replaced."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction, self._held, self.hit = redaction, "", False

    def feed(self, text: str) -> str:
        text = self._held + text
        out, done, hold = [], 0, self._redaction.begins(text, 0)
        for match in self._redaction.pattern.finditer(text):
            if match.start() >= hold:
                break
            out += [text[done : match.start()], REDACTED]
            done, self.hit = match.end(), True
            hold = max(hold, self._redaction.begins(text, done)) if done > hold else hold
        self._held = text[hold:]
        return "".join([*out, text[done:hold]])

    def flush(self) -> str:
        text, self._held = self._held, ""
        if len(text) < SHORTEST:
            return text
        self.hit = True
        return REDACTED
