"""Keys that must be found nowhere, what a server may make of one, and the search for them in whatever was written.

The search is our own, and stricter than a look for the key: any twelve characters in a row of it are a hit, plain or in one of the
forms in which software writes text.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

CANARIES: Mapping[str, str] = {
    "OPENAI_API_KEY": "sk-proj4CanaryZebra0815Sesame23QuitePlain99",
    "ANTHROPIC_API_KEY": "sk-ant-api03-cAn4_ry-Qx7z_Lm2-Wv9k_Rt5-BBe_f-AA",
    "GEMINI_API_KEY": "AIzaSyC4n4ry0pQ7rS9tU1vW3xY5zA7bC9dE1fG",
    "HOSTED_VLLM_API_KEY": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnktMTMifQ.c2lnbmVkLWJ5LWEtY2FuYXJ5",
    "OLLAMA_API_KEY": "q\"u%4o+t/e=d\\k3y'&<x>$`|;*?[a](b){c}^.~:@#!",
    "FOO_API_KEY": "clé/ñandú+Ωmega=日本-\U0001f511-0123456789",
    "BAR_TOKEN": "kX9_q2Lz",
    "AWS_ACCESS_KEY_ID": "AKIAC4N4RYQX7ZLM2WV9",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUt/nFEMI+K7MDENG/bPxRfiCYCANARYKEY=",
    "PAGER_PROXY": "http://canary:pr0xy-Pa55-canary-77@127.0.0.1:9/",
}
"""Variable → its value, of every shape that keys have; the last is an address with a password in it."""
KEYS: Mapping[str, str] = {**CANARIES, "PAGER_PROXY": "pr0xy-Pa55-canary-77"}
"""Variable → what of its value must never be seen."""
TYPED = "typ3d-0nly-canary-Hidden-Zz19"
"""A password that is in no variable: nobody could know it for one but by where it stands."""
PIECE = 12


def b64(text: str, before: str = "") -> str:
    return base64.b64encode((before + text).encode()).decode()


FORMS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "small letters": str.lower,
    "capitals": str.upper,
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON with its characters": lambda key: json.dumps(key, ensure_ascii=False)[1:-1],
    "JSON of PHP": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "Python": lambda key: repr(key)[1:-1],
    "HTML": html.escape,
    "URL": lambda key: quote(key, safe=""),
    "URL but for slashes": quote,
    "URL of .NET": lambda key: re.sub("%..", lambda found: found[0].lower(), quote(key, safe="")),
    "hexadecimal": lambda key: key.encode().hex(),
    "base64": b64,
    "base64 after u:": lambda key: b64(key, "u:")[3:],
    "base64 after a:b:": lambda key: b64(key, "a:b:")[6:],
    "base64 for URLs": lambda key: b64(key).replace("+", "-").replace("/", "_"),
}
CUT: Mapping[str, Callable[[str], str]] = {
    "all but its end": lambda key: f"{key[:-1]}…",
    "all but its beginning": lambda key: f"…{key[1:]}",
    "masked": lambda key: f"{key[: len(key) // 2]}****{key[-4:]}",
    "its halves, the second first": lambda key: key[len(key) // 2 :] + key[: len(key) // 2],
    "twice": lambda key: key * 2,
    "after the half of itself": lambda key: key[: len(key) // 2] + key,
    "its middle": lambda key: f"({key[3:-3]})",
    "in two lines": lambda key: f"{key[: len(key) // 2]}\n{key[len(key) // 2 :]}",
}
TOLD: Mapping[str, Callable[[str], str]] = {**FORMS, **CUT}
"""What a server may make of a key when it repeats it."""
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|[\x00-\x1f\x7f]")


def _needles() -> tuple[dict[str, str], dict[str, str]]:
    pieces, short = {}, {}
    for variable, key in {**KEYS, "TYPED": TYPED}.items():
        for form in (*FORMS.values(), lambda key: key[::-1]):
            told = form(key).rstrip("=")
            if len(told) < PIECE:
                short[told] = variable
            for start in range(len(told) - PIECE + 1):
                pieces[told[start : start + PIECE]] = variable
    return pieces, short


_PIECES, _SHORT = _needles()


def hits(written: bytes | str) -> Counter[str]:
    """How often something of each key is in what was written; of what a terminal was sent also between its controls."""
    raw = written if isinstance(written, str) else written.decode("utf-8", "surrogateescape")
    found: Counter[str] = Counter()
    for text in (raw, _CONTROLS.sub("", raw)) if "\x1b" in raw else (raw,):
        found.update(_PIECES[piece] for at in range(len(text) - PIECE + 1) if (piece := text[at : at + PIECE]) in _PIECES)
        for needle, variable in _SHORT.items():
            found[variable] += text.count(needle)
    return +found


def search(counts: Counter[str], *folders: Path) -> None:
    """Looks through all that lies in some folders, and adds what it finds to what was counted."""
    for path in [path for folder in folders for path in folder.rglob("*") if path.is_file()]:
        counts["files searched"] += 1
        if found := hits(path.read_bytes()):
            counts["hits"] += found.total()
            counts[f"hits in {path.name}"] += found.total()


def all_told(how: Callable[[str], str], keys: Iterable[str] = KEYS.values(), between: str = " | ") -> str:
    return between.join(how(key) for key in keys)
