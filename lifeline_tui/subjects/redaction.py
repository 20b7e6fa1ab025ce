"""A key never leaves the environment (Law 10): its value is replaced in whatever a provider sends, across chunk borders too.

This is the one exception to "store raw" (Law 4), so a reply that was touched says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

REDACTED = "[redacted]"
SHORTEST = 8
_KEYLIKE = re.compile(r"(?:API|ACCESS|SECRET)_?KEY|(?:^|_)(?:KEYS?|TOKENS?|SECRETS?|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)


def secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values of the key-like variables (`…_API_KEY`, `…_TOKEN`, `…_SECRET` …) that have at least 8 characters, plain, as they
    stand inside a JSON string and inside a URL."""
    values = {value.strip() for name, value in environ.items() if _KEYLIKE.search(name)}
    forms = {form for value in values for form in (value, json.dumps(value)[1:-1], quote(value, safe=""))}
    return frozenset(form for form in forms if len(form) >= SHORTEST)


class Redaction:
    """Replaces a set of secrets, in a whole text or in a stream."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = tuple(sorted(set(secrets), key=lambda secret: (-len(secret), secret)))
        self.pattern = re.compile("|".join(map(re.escape, self.secrets)) or r"(?!)")
        self.firsts = frozenset(secret[0] for secret in self.secrets)
        self.longest = max(map(len, self.secrets), default=0)

    def clean(self, text: str) -> str:
        return self.pattern.sub(REDACTED, text)

    def stream(self) -> RedactedStream:
        return RedactedStream(self)

    def begins(self, text: str, start: int) -> int:
        """Where the longest suffix of `text`, from `start` on, lies that could be the beginning of a secret."""
        for i in range(max(start, len(text) - self.longest + 1), len(text)):
            if text[i] in self.firsts and any(
                len(secret) > len(text) - i and secret.startswith(text[i:]) for secret in self.secrets
            ):
                return i
        return len(text)


class RedactedStream:
    """Text in pieces.  Only a suffix that could be the beginning of a secret is held back; `flush` gives it out at the end.
    The pieces joined are what `Redaction.clean` makes of the whole.  `hit` tells whether anything was replaced."""

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
        clean = self._redaction.clean(text)
        self.hit = self.hit or clean != text
        return clean
