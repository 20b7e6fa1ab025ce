"""Who is talked to: nobody by the app, the embedded subjects and whatever reads a notebook; by a real subject the chosen host alone.

Each process and each child of one is watched by an audit hook, and in the long part by the kernel.  Neither lets anything out of this
machine: what would is counted, and stopped before a name is looked up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pytest
from aiohttp import web
from canaries import CANARIES
from children import SHAPES, Bench, bench, with_plant, without
from connections import STRACE, Watch, at, elsewhere, internet, traced, traced_from_within
from model_server import BEHAVIOURS, ModelServer, Reply
from table import Table, command, sized
from terminals import Terminal

from lifeline_tui.session.models import LOCAL
from lifeline_tui.subjects.child import worker
from lifeline_tui.subjects.protocol import End

__all__ = ["bench"]


# Nobody


NOBODY = "NETWORK: app, puppets, replay, export"
NOWHERE = "name: nowhere\npuzzles: {pack: starter, count: 1}\nlifelines: none\n"
COMMANDS: list[tuple[int, str]] = [
    (0, "run lifelines-10 --model sim/anxious --limit 3 --json"),
    (0, "run baseline-20 --model sim/base --limit 2 --json"),
    (2, "run {home}/elsewhere.yaml --model openai/x"),
    (0, "replay lifelines-10 --all"),
    (0, "show lifelines-10 --json"),
    (0, "export lifelines-10 --format session-jsonl -o {home}/it.jsonl"),
    (0, "export lifelines-10 --format markdown -o {home}/it.md"),
    (0, "import {home}/it.jsonl --db {home}/other.db"),
    (0, "verify"),
]
MORE: list[tuple[int, str]] = [
    (0, "run liar-realtime --model sim/rational --limit 3 --json"),
    (0, "run baseline-20 --model sim/contrarian --limit 2 --json"),
    (0, "run baseline-20 --model scripted/{home}/replies.yaml --limit 1 --json"),
    (0, "sessions --search ANSWER"),
    (0, "export --format attempts-csv -o {home}/it.csv"),
    (0, "doctor"),
    (0, "packs list"),
    (0, "packs check"),
    (0, "plans check"),
    (0, "probe --model sim/anxious"),
]
"""Exit code and words of what needs no server."""
ALL_OF_THEM = """
import json, sys
from lifeline_tui.cli.main import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["lifeline", *words]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    print("\\nCODE", code)
"""
TELEMETRY = """
from lifeline_tui.session.lab import Lab
opened = Lab.close
async def close(self):
    import socket
    try:
        socket.create_connection(("telemetry.example.org", 443), 1)
    except OSError:
        pass
    await opened(self)
Lab.close = close
"""
BELOW_PYTHON = """
import ctypes
ctypes.CDLL(None).socket(2, 1, 0)
"""
A_PING = """
from lifeline_tui.tui.app import LifelineApp
mounted = LifelineApp.on_mount
def on_mount(self):
    import socket
    with socket.socket() as out:
        out.connect_ex(("127.0.0.1", 9))
    mounted(self)
LifelineApp.on_mount = on_mount
"""


def files(home: Path) -> None:
    (home / "replies.yaml").write_text("- |\n  ACTION: ANSWER\n  ANSWER: 4\n")
    (home / "elsewhere.yaml").write_text(NOWHERE + "subject: {api_base: 'http://127.0.0.1:9/v1'}\n")


def heard(watch: Watch, counts: Counter[str]) -> None:
    counts["processes watched"] += watch.processes
    counts["internet sockets"] += len(watch.tried("socket"))
    counts["connections"] += len(watch.tried("connection"))
    counts["names looked up"] += len(watch.tried("name"))


def kernel(out: Path, counts: Counter[str]) -> None:
    made, sent = internet(out)
    counts["processes traced"] += 1
    counts["internet sockets in the kernel"] += made + len(sent)


def commands(home: Path, plant: str = "", which: Sequence[tuple[int, str]] = COMMANDS, one_process: bool = True) -> Counter[str]:
    """Runs commands that need no server, one after the other, or each in a process of its own and watched by the kernel too."""
    files(home)
    watch = Watch(home / "watch", plant)
    environ = {**os.environ, **CANARIES, **watch.environ, "LIFELINE_DB": str(home / "it.db")}
    words = [[each.format(home=home) for each in line.split()] for _, line in which]
    codes = [code for code, _ in which]
    counts: Counter[str] = Counter({"commands": len(words)})
    runs = [[sys.executable, "-c", ALL_OF_THEM, json.dumps(words)]] if one_process else [[*command(), *each] for each in words]
    ended = []
    for number, run in enumerate(runs):
        out = home / f"{number}.strace"
        before = traced(out) if STRACE and not one_process else []
        done = subprocess.run([*before, *run], env=environ, cwd=home, capture_output=True, text=True, timeout=120, check=False)
        ended += (
            [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("CODE")]
            if one_process
            else [done.returncode]
        )
        if before:
            kernel(out, counts)
    assert ended == codes
    heard(watch, counts)
    return counts


START: tuple[tuple[bytes, bytes], ...] = ((b"", b"tour"), (b"t", b"puppet"), (b" ", b"puzzle"))
SESSION: tuple[tuple[bytes, bytes], ...] = ((b"", b"NEXT"), (b"n", b"ACTION"), (b"/", b"earch"), (b"?", b"Help"))
"""Keys, and what is on the screen after them."""


def app(home: Path, keys: Sequence[tuple[bytes, bytes]], *words: object, plant: str = "", long: bool = False) -> Counter[str]:
    """Starts the app with `words` and presses `keys`."""
    watch, out = Watch(home, plant), home / "app.strace"
    traced_too = long and bool(STRACE)
    environ = {**CANARIES, **watch.environ, "LIFELINE_DB": str(home / "app.db"), "UNTRACED": "1" if traced_too else ""}
    counts: Counter[str] = Counter({"starts of the app": 1})
    with Terminal(*words, plant=traced_from_within(out) if traced_too else "", **environ) as terminal:
        for key, sign in keys:
            seen = len(terminal.out)
            terminal.send(key)
            terminal.read(lambda sign=sign, seen=seen: sign in terminal.out[seen:], f"{sign!r} after {key!r}")
        terminal.send(b"\x11")
        assert terminal.ended(60) == 0
    if traced_too:
        kernel(out, counts)
    heard(watch, counts)
    return counts


def quiet(home: Path, long: bool, plant: str = "") -> Counter[str]:
    counts = commands(home, plant, COMMANDS + MORE if long else COMMANDS, one_process=not long)
    counts.update(app(home / "start", START if long else START[:1], plant=plant, long=long))
    if long:
        counts.update(
            app(home / "session", SESSION, "open", "--plan", "lifelines-10", "--model", "sim/anxious", plant=plant, long=True)
        )
    for word in FAULTS:
        counts.setdefault(word, 0)
    return counts


FAULTS = ("internet sockets", "connections", "names looked up", "internet sockets in the kernel")


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["fast", "long"])
def test_without_a_server_nothing_is_connected_to(long: bool, tmp_path: Path, table: Table) -> None:
    counts = quiet(tmp_path, long)
    table.row(NOBODY, counts)
    assert not any(counts[word] for word in FAULTS), counts
    assert counts["processes watched"] >= 2


@pytest.mark.parametrize(
    ("bug", "plant"),
    [("telemetry at the end of a run", TELEMETRY), pytest.param("a ping while the app starts", A_PING, marks=pytest.mark.slow)],
)
def test_a_call_home_is_seen(bug: str, plant: str, tmp_path: Path, table: Table) -> None:
    counts = commands(tmp_path, plant, COMMANDS[:1]) if plant is TELEMETRY else app(tmp_path / "start", START[:1], plant=plant)
    found = sum(counts[word] for word in FAULTS)
    assert found
    table.caught(NOBODY, bug, found)


@pytest.mark.slow
@pytest.mark.skipif(not STRACE, reason="there is no strace")
def test_a_call_home_of_a_c_library_is_seen(tmp_path: Path, table: Table) -> None:
    counts = commands(tmp_path, BELOW_PYTHON, COMMANDS[:1], one_process=False)
    assert counts["internet sockets in the kernel"] > counts["internet sockets"] == 0
    table.caught(NOBODY, "a socket made below Python", counts["internet sockets in the kernel"])


# The chosen host alone


OTHER = ModelServer()
"""A server that nobody chose."""
AWAY = ("301", "302", "303", "307", "308")
HOSTS = {
    "anthropic/claude-sonnet-4-5": "api.anthropic.com",
    "openai/gpt-4.1": "api.openai.com",
    "gemini/gemini-2.5-flash": "generativelanguage.googleapis.com",
    "mistral/mistral-large-latest": "api.mistral.ai",
    "groq/llama-3.3-70b-versatile": "api.groq.com",
    "openrouter/openai/gpt-4.1": "openrouter.ai",
    "deepseek/deepseek-chat": "api.deepseek.com",
    "xai/grok-4": "api.x.ai",
    "together_ai/meta-llama/Llama-3-8b-chat-hf": "api.together.ai",
    "cohere_chat/command-r": "api.cohere.com",
    "fireworks_ai/llama-v3p1-8b-instruct": "api.fireworks.ai",
    "replicate/somebody/something": "api.replicate.com",
    "ollama_chat/qwen3": "127.0.0.1",
}
"""A model without an API base → the host of its provider, which is the one that was chosen with it."""
AT_AWS = {
    "bedrock/us-east-1/anthropic.claude-3-haiku-20240307-v1:0": "bedrock-runtime.us-east-1.amazonaws.com",
    "bedrock/meta.llama3-8b-instruct-v1:0": "bedrock-runtime.us-west-2.amazonaws.com",
    "sagemaker/some-endpoint": "runtime.sagemaker.us-west-2.amazonaws.com",
}


async def sends_away(r: Reply) -> None:
    """Sends the client on, with a status or in words."""
    how = str(r.seen.body["model"]).removeprefix("away-")
    place = f"{OTHER.root}{r.request.path}"
    if how in AWAY:
        r.response = web.Response(status=int(how), headers={"Location": place})
    elif how == "words":
        await r.texts(f"See {place} and [this]({OTHER.url}), ![that]({OTHER.url}/x.png), {OTHER.root}/v1/models\n")
        await r.close()
    elif how == "html":
        await r.send(f'<meta http-equiv="refresh" content="0; url={place}"><img src="{place}">'.encode(), content_type="text/html")
    else:
        headers = {"Location": place, "Content-Location": place, "Link": f"<{place}>; rel=preconnect", "Refresh": f"0; url={place}"}
        r.fail(
            503 if how == "busy" else 401, {"error": {"message": f"go to {place}", "url": place}}, **headers, **{"Retry-After": "0"}
        )


WAYS = ("happy", "unauthorized", "reset", *[f"away-{how}" for how in (*AWAY, "words", "html", "headers", "busy")])
BEHAVIOURS.update({way: sends_away for way in WAYS if way.startswith("away-")})


def count(bench: Bench, chosen: tuple[str, int], counts: Counter[str]) -> None:
    """Adds what was talked to since the last count, or since the child began."""
    assert bench.watch.processes
    tried = bench.watch.tried("connection", "name")
    away = elsewhere(tried, chosen)
    counts["connections to the chosen host"] += sum((each.host, each.port) == chosen for each in tried)
    counts["connections elsewhere"] += sum(each.what == "connection" for each in away)
    counts["other names looked up"] += sum(each.what == "name" for each in away)
    counts["requests at another server"] += len(OTHER.seen)
    bench.strays += away
    bench.watch.forget()
    OTHER.seen.clear()


ELSEWHERE = ("connections elsewhere", "other names looked up", "requests at another server")
REAL = "NETWORK: a real subject"


def talks(bench: Bench, shapes: Sequence[str] = SHAPES, ways: Sequence[str] = WAYS) -> Counter[str]:
    """Asks a server of every shape everything, and says whom else that reached."""
    counts = Counter[str]()
    for shape in shapes:
        for way in ways:
            bench.ask(shape, way, retries=1)
            counts["calls"] += 1
    count(bench, at(bench.server.root), counts)
    return counts


def hosted(bench: Bench, models: Mapping[str, str] = HOSTS) -> Counter[str]:
    """Asks every provider at its own host.  The watch stops it before the name is looked up."""
    counts = Counter[str]()
    for model, host in models.items():
        bench.watch.forget()
        assert isinstance(bench.child.ask(model, None, total=10.0)[-1], End)
        tried = bench.watch.tried("connection", "name")
        away = [each for each in tried if each.host.replace("localhost", "127.0.0.1") != host]
        counts["providers"] += 1
        counts["other names looked up"] += len(away)
        counts["providers that were not asked"] += len(tried) == len(away)
        bench.strays += away
    bench.watch.forget()
    return counts


@pytest.fixture(scope="module", autouse=True)
def other(bench: Bench) -> Iterator[ModelServer]:
    """The other server; and the child starts at once, while other tests run."""
    with OTHER:
        yield OTHER


@sized(fast=1, long=4)
def test_a_real_subject_talks_to_the_chosen_host_alone(rounds: int, bench: Bench, table: Table) -> None:
    counts = Counter[str]()
    for _ in range(rounds):
        counts.update(talks(bench, SHAPES if rounds > 1 else SHAPES[1:4]))
    counts.update(hosted(bench, HOSTS | AT_AWS if rounds > 1 else dict(islice(HOSTS.items(), 5))))
    table.row(REAL, counts)
    assert counts["connections to the chosen host"] > 0
    assert not any(counts[word] for word in (*ELSEWHERE, "providers that were not asked")), (counts, bench.strays)


@pytest.mark.slow
def test_a_proxy_that_the_operator_set_is_gone_through_and_nothing_goes_past_it(tmp_path: Path, table: Table) -> None:
    with ModelServer() as proxy, Bench(tmp_path / "it", HTTP_PROXY=proxy.root) as bench:
        counts = Counter[str]()
        for shape in SHAPES:
            bench.ask(shape, "happy")
            counts["calls"] += 1
        assert len(proxy.seen) == len(SHAPES)
        assert bench.server.seen == []
        count(bench, at(proxy.root), counts)
    counts["connections to the proxy"] = counts.pop("connections to the chosen host")
    with Bench(tmp_path / "again", HTTP_PROXY=proxy.root, NO_PROXY="127.0.0.1") as bench:
        counts.update(talks(bench, ways=("happy",)))
    table.row(REAL, counts)
    assert not any(counts[word] for word in ELSEWHERE), counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "words"), [("happy", "probe"), ("away-words", "run lifelines-10 --limit 2"), ("away-307", "probe")]
)
def test_a_real_command_talks_to_the_chosen_host_alone(way: str, words: str, tmp_path: Path, bench: Bench, table: Table) -> None:
    """The whole of it, the child included, as the kernel sees it too."""
    watch, out = Watch(tmp_path / "watch"), tmp_path / "strace"
    environ = {**os.environ, **CANARIES, **watch.environ, "LIFELINE_DB": str(tmp_path / "it.db")}
    counts: Counter[str] = Counter()
    chosen = at(bench.server.root)
    run = [*command(), *words.split(), "--model", f"openai/{way}", "--api-base", bench.server.url]
    done = subprocess.run(
        [*(traced(out) if STRACE else []), *run], env=environ, cwd=tmp_path, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == (way == "away-307"), done.stderr
    counts["commands"] += 1
    if STRACE:
        _, sent = internet(out)
        assert chosen in sent
        counts["connections elsewhere in the kernel"] += sum(address != chosen for address in sent)
    away = elsewhere(watch.tried("connection", "name"), chosen)
    counts["connections elsewhere"] += len(away)
    counts["requests at another server"] += len(OTHER.seen)
    table.row(REAL, counts)
    assert not any(counts[word] for word in (*ELSEWHERE, "connections elsewhere in the kernel")), counts


def test_the_list_of_models_looks_at_this_machine_alone(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "watch")
    environ = {**os.environ, **watch.environ}
    done = subprocess.run([*command(), "models", "--json"], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert '"sim/anxious"' in done.stdout
    assert {(each.host, each.port) for each in watch.tried("connection", "name")} == {("127.0.0.1", port) for port in LOCAL}


AT_HOME = "litellm.utils.ProviderConfigManager.get_provider_model_info = staticmethod(lambda *_, **__: None)"
PLANTED = [
    ("an answer may send the call on", with_plant(without(worker.watch_httpx, 'kwargs["follow_redirects"] = False'))),
    ("litellm fetches its price map", with_plant(without(worker.load_litellm, "LITELLM_LOCAL_MODEL_COST_MAP", "NOTHING"))),
    ("litellm asks elsewhere for a chat template", with_plant("m.no_templates_from_elsewhere = lambda: None")),
    ("litellm asks Ollama's server for more", with_plant(without(worker.load_litellm, AT_HOME))),
]


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "main"), PLANTED, ids=[bug for bug, _ in PLANTED])
def test_a_second_host_is_seen(bug: str, main: str, tmp_path: Path, table: Table) -> None:
    with Bench(tmp_path / "it", main) as bench:
        counts = talks(bench, ("anthropic", "ollama_chat"))
        counts.update(hosted(bench, {"replicate/somebody/something": "api.replicate.com"}))
    found = sum(counts[word] for word in ELSEWHERE)
    assert found
    table.caught(REAL, bug, found)
