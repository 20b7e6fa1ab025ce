"""Real files of every kind, changed at random: each is taken or refused, within a second, and nothing of a refused one is kept."""

from __future__ import annotations

import copy
import io
import json
import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import bombs
import pytest
from blasts import REFUSALS, SECOND, Judge, Place, real_session
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from table import ROOT, Table, sized

from lifeline_tui.core.nodes import canonical
from lifeline_tui.core.template import TemplateError, render
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.exporters import exporter
from lifeline_tui.importers import session_jsonl
from lifeline_tui.importers.session_jsonl import read as read_session
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.loading import entry as loading
from lifeline_tui.loading.config import parse as parse_config
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.packs import check_pack, load_pack
from lifeline_tui.loading.plans import parse as parse_plan
from lifeline_tui.loading.strict_yaml import parse
from lifeline_tui.loading.templates import read_template
from lifeline_tui.runs.replay_recorded import replay_recorded
from lifeline_tui.store import Reader, Store, StoreError
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.scripted import read_script


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place", *real_session(tmp_path))


@st.composite
def changed(draw: st.DrawFn, source: bytes) -> bytes:
    """A file with up to four of its bytes, words or lines dropped, doubled, changed over, or with something of `bombs.TOKENS` among them."""
    pieces = draw(st.sampled_from((BYTES, WORDS, LINES))).findall(source)
    for _ in range(draw(st.integers(1, 4))):
        here, there = (draw(st.integers(0, max(0, len(pieces) - 1))) for _ in range(2))
        match draw(st.sampled_from(("drop", "double", "change over", "put in", "put in place", "cut"))):
            case "drop":
                del pieces[here : here + 1]
            case "double":
                pieces[here:here] = pieces[here : here + 1] * draw(st.sampled_from((1, 2, 300)))
            case "change over" if pieces:
                pieces[here], pieces[there] = pieces[there], pieces[here]
            case "put in":
                pieces.insert(here, draw(st.sampled_from(bombs.TOKENS)))
            case "put in place":
                pieces[here : here + 1] = [draw(st.sampled_from(bombs.TOKENS))]
            case "cut":
                del pieces[here:]
    return b"".join(pieces)


BYTES, WORDS, LINES = (re.compile(unit, re.DOTALL) for unit in (b".", rb"\w+|\s|[^\w\s]", rb"[^\n]*\n"))


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield (*above, key)
        yield from places(value, (*above, key))


@st.composite
def changed_session(draw: st.DrawFn, lines: list[str]) -> bytes:
    """A session with up to three values or lines changed, its hashes and digest redone, or its digest alone, or nothing."""
    rows = [json.loads(line) for line in lines[:-1]]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(rows) - 1))
        match draw(
            st.sampled_from(("value", "value", "value", "drop line", "double line", "change lines over", "another's value"))
        ):
            case "value":
                *above, last = draw(st.sampled_from(list(places(rows[at]))))
                _within(rows[at], above)[last] = copy.deepcopy(draw(st.sampled_from(bombs.VALUES)))
            case "drop line" if len(rows) > 1:
                del rows[at]
            case "double line":
                rows.insert(at, copy.deepcopy(rows[at]))
            case "change lines over":
                other = draw(st.integers(0, len(rows) - 1))
                rows[at], rows[other] = rows[other], rows[at]
            case "another's value":
                *above, last = draw(st.sampled_from(list(places(rows[at]))))
                other = draw(st.sampled_from(rows))
                _within(rows[at], above)[last] = copy.deepcopy(_within(other, draw(st.sampled_from(list(places(other))))))
    changed = [canonical(row) for row in rows]
    if draw(st.booleans()):
        with suppress(KeyError, TypeError, AttributeError, ValueError):
            return _file(bombs.careful([*changed, ""]))
    at = draw(st.integers(0, len(changed) - 1))
    old, new = draw(
        st.sampled_from(((":", ": "), ("{", '{"kind":"x",'), ('":', '" :'), ("a", "\\u0061"), ("", ""), ("", ""), ("0", "0.0")))
    )
    changed[at] = changed[at].replace(old, new, 1) if old else changed[at]
    return _file(bombs.closed(changed))


def _within(data: Any, way: Sequence[Any]) -> Any:
    for key in way:
        data = data[key]
    return data


def _file(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


Take = Callable[[bytes], object]


def takers(place: Place) -> dict[str, tuple[st.SearchStrategy[bytes], Take]]:
    """Kind of file → real ones with something changed, and how one is taken in; what may be wrong with it is one of `REFUSALS`."""
    path = place.folder / "in" / "any"
    shipped = [ROOT / name for name in ("sessions/liar-realtime.yaml", "prompts/puzzles/starter.yaml", "prompts/rules/item.txt")]
    plan, pack, template = (file.read_bytes() for file in shipped)
    pack = b"".join(pack.splitlines(keepends=True)[:60])

    def filed(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    def take_session(data: bytes) -> None:
        filed(data)
        try:
            with Store(place.notebook) as store:
                session, _ = read_session(store, path, scriptable())
            with Reader(place.notebook) as reader:
                assert verify(reader, digest_of=call_digest) == [], "taken in, and not sound"
                out = io.StringIO()
                exporter("session-jsonl")(reader, [session], out, False)
                assert out.getvalue().encode() == data, "taken in otherwise than written"
                list(replay_recorded(reader, session, None, True))
        except (BadFile, StoreError):
            assert place.rows() == place.before, "half imported"
            raise
        finally:
            shutil.copy(place.good, place.notebook)

    def take_notebook(data: bytes) -> None:
        filed(data)
        with Reader(path) as reader:
            if not verify(reader, digest_of=call_digest):
                for row in reader.sessions(include_hidden=True):
                    exporter("session-jsonl")(reader, [row.id], io.StringIO(), False)
                    list(replay_recorded(reader, row.id, None, True))

    def take_template(data: bytes) -> None:
        found = read_template("rules/item", filed(data))
        with suppress(TemplateError):
            render(found, {"i": "1", "n": "2", "text": "{{i}}"})

    return {
        "plan": (changed(plan), lambda data: parse_plan(parse(data, "f.yaml"), scriptable())),
        "pack": (changed(pack), lambda data: check_pack(load_pack(filed(data)))),
        "template": (changed(template), take_template),
        "config": (changed(CONFIGURED), lambda data: parse_config(data, "c.toml")),
        "script": (changed(SCRIPTED), lambda data: read_script(filed(data))),
        "session": (changed_session(place.lines), take_session),
        "session's text": (changed(_file(place.lines)), take_session),
        "notebook": (changed_pages(place.good.read_bytes()), take_notebook),
    }


@st.composite
def changed_pages(draw: st.DrawFn, source: bytes) -> bytes:
    """A notebook with up to eight runs of its bytes written over."""
    data = bytearray(source)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data) - 1))
        run = draw(st.binary(min_size=1, max_size=40) | st.sampled_from(bombs.TOKENS))
        data[at : at + len(run)] = run
    return bytes(data[: draw(st.integers(100, len(data)))] if draw(st.integers(0, 9)) == 0 else data)


CONFIGURED = b"""\
model = "fast"
theme = "nord"
db = "~/notes.db"
[keys]
workings = "w,f5"
"app.quit" = "ctrl+q"
[models.fast]
model = "openai/some-model"
api_base = "http://127.0.0.1:8080/v1"
[models.fast.capabilities]
chat = false
params = ["temperature", "max_tokens"]
[deadlines]
gap = 10
retries = 0
"""
SCRIPTED = b"""\
- "ANSWER: 38"
- {text: "ANSWER: 012\\nCONFIDENCE: 40", reasoning: Hm., chunks: 3, delay_ms: 5000}
- {text: "ANSW", status: truncated}
- {status: error}
"""


def fuzzed(place: Place, seconds: float, begin: int, kinds: Sequence[str] = (), shrink: bool = True) -> Judge:
    """Random files of every kind for so many seconds; ends at the first fault, which is told with its seed and its file."""
    judge = Judge()
    judge.counts = Counter({"files": 0, "taken": 0, "refused": 0, **dict.fromkeys(FUZZ_FAULTS, 0)})
    ends, last = time.monotonic() + seconds, b""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    options = settings(
        max_examples=20, deadline=None, database=None, phases=phases, derandomize=False, suppress_health_check=list(HealthCheck)
    )
    every = {kind: taker for kind, taker in takers(place).items() if not kinds or kind in kinds}
    for number in count(begin):
        kind, (files, take) = list(every.items())[number % len(every)]

        def one(take: Take, data: bytes) -> None:
            nonlocal last
            last, begun = data, time.process_time()
            judge.counts["files"] += 1
            try:
                take(data)
                judge.counts["taken"] += 1
            except REFUSALS:
                judge.counts["refused"] += 1
            assert time.process_time() - begun < SECOND, "over a second"

        try:
            seed(number)(options(given(st.just(take), files)(one)))()
        except Exception as error:
            word = next((word for word in FUZZ_FAULTS if word in str(error)), "tracebacks")
            judge.fault(word, f"{kind}, seed {number}: {error!r} of {last[:4000]!r}")
        if judge.faults or time.monotonic() > ends:
            return judge
    raise AssertionError("it never ends")


FUZZ_FAULTS = ("tracebacks", "over a second", "half imported", "taken in, and not sound", "taken in otherwise than written")


@sized(fast=1, long=3600, shards=2)
def test_whatever_is_in_a_file_it_is_taken_or_refused(
    place: Place, rounds: int, request: pytest.FixtureRequest, table: Table
) -> None:
    fast = request.node.callspec.id == "fast"
    judge = fuzzed(
        place, rounds, 0 if fast else int(os.environ.get("LIFELINE_SEED", "0")) or random.SystemRandom().randrange(1 << 40)
    )
    table.row("HOSTILE FILES: real files changed at random", judge.counts)
    assert not judge.faults, "\n".join(judge.faults)


def _any_spelling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(session_jsonl, "_object", lambda line, path, number: json.loads(line))


def _any_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loading.Entry, "_scalar", lambda entry, wanted: entry.value)


@pytest.mark.parametrize(
    ("bug", "plant", "kind"),
    [
        ("a line may be spelled in any way", _any_spelling, "session"),
        ("a text may be a list", _any_value, "plan"),
    ],
)
def test_a_planted_bug_is_found_by_files_at_random(
    place: Place, monkeypatch: pytest.MonkeyPatch, table: Table, bug: str, plant: Callable[[pytest.MonkeyPatch], None], kind: str
) -> None:
    plant(monkeypatch)
    judge = fuzzed(place, 20, 7, [kind], shrink=False)
    assert judge.found
    table.caught("HOSTILE FILES: real files changed at random", bug, f"after {judge.counts['files']} files")
