"""A key never leaves the environment (Law 10): it is replaced in whatever a provider sends, across chunk borders too, also where it is
escaped or encoded, where the end of a text cuts it short, and where only a piece of it is told.

This is the one exception to "store raw" (Law 4), so a reply that was touched says so.  It is for servers that repeat a key, whole or
cut, as software does.  One that means to hide it in its words could always: it has the key.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

REDACTED = "[redacted]"
SHORTEST = 8
"""Characters of a key, or of the beginning of one at the end of a text: fewer give nothing away."""
PIECE = 12
"""Characters in a row of a key, wherever they stand in it: so many are never told."""
LEAD = 3
"""Characters of a piece that may be told if it is not a key's beginning: text would else be held back for each letter that a key has."""
_KEYLIKE = re.compile(
    r"(?:API|ACCESS|SECRET)_?KEY|BEARER_?TOKEN|(?:^|_)(?:KEYS?|TOKENS?|JWTS?|SECRETS?|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE
)
_ADDRESS = re.compile(r"PROXY$|API_BASE$|BASE_URL$", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"^\w+://[^/@\s:]*:([^/@\s]+)@|^https?://([^/@\s:]+)@")


def secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values of the key-like variables (`…_API_KEY`, `…_TOKEN`, `…_SECRET` …), and the passwords in the addresses of proxies and
    servers, that have at least 8 characters; in capitals and in small letters, as they stand inside JSON, Python, HTML and a URL, in
    hexadecimal and in base64.  The path of a file is none: what is secret is in the file."""
    values = {value.strip() for name, value in environ.items() if _KEYLIKE.search(name)}
    values = {value for value in values if not (os.path.isabs(value) and os.path.exists(value))}
    for name, value in environ.items():
        if _ADDRESS.search(name) and (found := _IN_ADDRESS.match(value)):
            password = found[1] or found[2]
            values |= {password, unquote(password)}
    forms = {form for value in values if len(value) >= SHORTEST for form in (*_escaped(value), *_encoded(value))}
    return frozenset(forms | {quoted for form in forms for quoted in _quoted(form)})


def without_secrets(text: str) -> str:
    """Words for the operator, of which nobody can say what went into them, without this process's keys."""
    return Redaction(secrets(os.environ)).clean(text)


def holds_secret(text: str) -> bool:
    """Whether one of this process's keys is in a text."""
    return any(secret in text for secret in secrets(os.environ))


def _escaped(value: str) -> Iterator[str]:
    in_json, in_html = json.dumps(value)[1:-1], html.escape(value)
    yield from (
        value,
        value.lower(),
        value.upper(),
        in_json,
        in_json.replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
    )
    yield from (repr(value)[1:-1], in_html, in_html.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))


def _quoted(form: str) -> Iterator[str]:
    for safe in ("", "/"):
        quoted = quote(form, safe=safe, errors="surrogateescape")
        yield from (quoted, re.sub("%..", lambda escape: escape[0].lower(), quoted))


def _encoded(value: str) -> Iterator[str]:
    """`value` in hexadecimal, and the characters that it makes in base64 at each of the three places where it may begin in it, as
    `user:` before it moves it: those that it makes alone, and all to the end where nothing follows."""
    raw = value.encode("utf-8", "surrogateescape")
    yield from (raw.hex(), raw.hex().upper())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before, first in ((b"", 0), (b"0", 2), (b"00", 3)):
            whole = encode(before + raw).decode()
            yield from (whole[first : (len(before) + len(raw)) * 8 // 6], whole[first:].rstrip("="), whole[first:])


class Redaction:
    """Replaces a set of secrets, and every piece of one, in a whole text or in a stream."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = sorted(set(secrets))
        self.leads: dict[str, int] = {}
        """Each piece, and how many of its characters may be told."""
        for secret in self.secrets:
            for start in range(max(1, len(secret) - PIECE + 1)):
                piece = secret[start : start + PIECE]
                self.leads[piece] = min(self.leads.get(piece, LEAD), LEAD if start else 0)
        self.pieces = sorted(self.leads)
        self.lengths = sorted({len(piece) for piece in self.pieces})

    def clean(self, text: str) -> str:
        stream = self.stream()
        return stream.feed(text) + stream.flush()

    def stream(self) -> RedactedStream:
        return RedactedStream(self)

    def runs(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` there is what must not be told, in order."""
        return sorted(
            (start + self.leads[piece], start + length)
            for length in self.lengths
            for start in range(len(text) - length + 1)
            if (piece := text[start : start + length]) in self.leads
        )

    def hold(self, text: str) -> int:
        """From where on `text` must be held back, because what comes next could make a secret of it."""
        ends = [(start, text[start:]) for start in range(max(0, len(text) - PIECE + 1), len(text))]
        held = [start for start, end in ends if _goes_on(self.secrets, end)]
        held += [start + LEAD for start, end in ends if len(end) > LEAD and _goes_on(self.pieces, end)]
        return min(held, default=len(text))

    def cut_short(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` a secret lies that its end cuts short, if there is one."""
        places = range(max(0, len(text) - PIECE + 1), len(text) - SHORTEST + 1)
        return [(start, len(text)) for start in places if _goes_on(self.secrets, text[start:])][:1]


def _goes_on(texts: list[str], beginning: str) -> bool:
    """Whether one of `texts`, which are in order, goes on after `beginning`: such a one comes next."""
    after = bisect_right(texts, beginning)
    return after < len(texts) and texts[after].startswith(beginning)


class RedactedStream:
    """Text in pieces.  Only what could yet turn out to be of a secret is held back; `flush` gives it out at the end, or replaces it
    if it tells too much.  The pieces joined are what `Redaction.clean` makes of the whole.  `hit` tells whether anything was
    replaced."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction, self.hit = redaction, False
        self._last, self._done, self._inside = "", 0, False
        """The last characters that came, how many of them are dealt with, and whether the last of those was replaced."""

    def feed(self, text: str) -> str:
        text = self._last + text
        said = self._say(text, self._redaction.runs(text), max(self._done, self._redaction.hold(text)))
        gone = max(0, len(text) - PIECE - LEAD + 1)
        self._last, self._done = text[gone:], self._done - gone
        return said

    def flush(self) -> str:
        text = self._last
        said = self._say(text, sorted(self._redaction.runs(text) + self._redaction.cut_short(text)), len(text))
        self._last, self._done, self._inside = "", 0, False
        return said

    def _say(self, text: str, runs: list[tuple[int, int]], upto: int) -> str:
        """`text` from what was dealt with on, to `upto` or to the end of a run that goes further."""
        out = []
        for start, end in [*((start, end) for start, end in runs if start < upto), (upto, upto)]:
            if start > self._done:
                out.append(text[self._done : start])
                self._done, self._inside = start, False
            if end > self._done:
                out += [] if self._inside else [REDACTED]
                self._done, self._inside, self.hit = end, True, True
        return "".join(out)
