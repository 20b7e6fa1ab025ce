"""A plan against real servers: the command line or a session, litellm in its child, and HTTP on loopback in four dialects.

What the nodes say was asked is what the server saw (Law 2); what came back is stored with what the provider said of it; a key is
nowhere but in the request (Law 10).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from command_line import lifeline, real
from model_server import BEHAVIOURS, ModelServer, Seen, behaviour, happy, model_server
from model_server import Reply as Answer

from lifeline_tui.cli.output import report
from lifeline_tui.cli.shapes import session_line
from lifeline_tui.core.chance import derive
from lifeline_tui.core.nodes import Call, Node, Reply, Status, Usage, digest
from lifeline_tui.core.transcript import call_digest
from lifeline_tui.loading.config import Config
from lifeline_tui.runs.pool import run_plan
from lifeline_tui.runs.probe import probe_model
from lifeline_tui.runs.replay_recorded import replay_recorded
from lifeline_tui.runs.sampling import sample
from lifeline_tui.session.calls import Streamed
from lifeline_tui.session.lab import Lab
from lifeline_tui.store import OwnedElsewhere, Reader, Store
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.child.client import Provider
from lifeline_tui.subjects.protocol import Deadlines

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["model_server"]

KEY = "sk-canary-4711-0815-sesame"
SHAPES = {
    "openai": ("url", "stop", ()),
    "text-completion-openai": ("url", "stop", ()),
    "anthropic": ("root", "end_turn", ("seed",)),
    "ollama_chat": ("root", "stop", ()),
}
"""Prefix → what of the server is its API base, its word for the end of a turn, and the parameters of a plan that it does not take."""
PLANS = {"openai": "lifelines-10", "anthropic": "liar-realtime"}
ANSWERS = [
    "ACTION: ANSWER\nANSWER: 4\nDIFFICULTY: 3\nCONFIDENCE: 60\n",
    "ACTION: LIFELINE\nDIFFICULTY: 9\n",
    "I would rather talk.",
]
HOSTILE = "\x1b]52;c;ZXZpbA==\x07 \u202e \x9b31m \x00"


def in_turn(body: dict[str, Any]) -> str:
    """Answers, skips, and then says what no parser can read: by how often it was asked on this path."""
    if "prompt" in body:
        return ANSWERS[(str(body["prompt"]).count("### Subject") - 1) % 3]
    return ANSWERS[sum(message["role"] == "assistant" for message in body["messages"]) % 3]


class Shared(Lab):
    """A lab that outlives the runs made with it."""

    async def close(self) -> None:
        """Not yet."""

    async def end(self) -> None:
        await super().close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """One notebook and one provider child for all tests of this module."""
    folder = tmp_path_factory.mktemp("lab")
    lab = Shared(Config(), folder / "t.db", paced=False, deadlines=Deadlines(retries=0, gap=20.0))
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY"), KEY)
    lab.models._provider = Provider(folder / "provider.log", {"PATH": os.environ["PATH"], "HOME": str(folder), **keys})
    yield lab
    await lab.end()


@pytest.fixture
def server(model_server: ModelServer) -> Iterator[ModelServer]:
    model_server.reply = in_turn
    model_server.seen.clear()
    model_server.gone.clear()
    model_server.arrived.clear()
    yield model_server
    model_server.reply = type(model_server).reply


def base(server: ModelServer, shape: str) -> str:
    return str(getattr(server, SHAPES[shape][0]))


async def run(lab: Lab, plan: str, model: str, api_base: str, limit: int = 3) -> dict[str, Any]:
    """`lifeline run`, of one session."""
    async with lab:
        (summary,) = await run_plan(lab, plan, model, api_base=api_base, repeats=1, seed=None, concurrency=1, limit=limit)
    return summary


def asked(seen: Seen) -> dict[str, Any]:
    """The content of a request as the digest of a call has it: each dialect has its own place for a system prompt."""
    if "prompt" in seen.body:
        prompt = seen.body["prompt"]
        return {"prompt": prompt if isinstance(prompt, str) else prompt[0]}
    messages = [{"role": m["role"], "content": plain(m["content"])} for m in seen.body["messages"]]
    system = plain(seen.body.get("system", ""))
    return {"messages": ([{"role": "system", "content": system}] if system else []) + messages}


def plain(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def calls_and_replies(nodes: list[Node]) -> list[tuple[Call, Reply]]:
    by_id = {node.id: node.body for node in nodes}
    pairs = [(by_id[node.parent], node.body) for node in nodes if isinstance(node.body, Reply) and node.parent]
    return [(call, reply) for call, reply in pairs if isinstance(call, Call)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("plan", ["lifelines-10", "liar-realtime"])
async def test_the_same_plan_runs_on_every_shape_of_server(lab: Lab, server: ModelServer, shape: str, plan: str) -> None:
    _, finish, dropped = SHAPES[shape]
    summary = await run(lab, plan, f"{shape}/well", base(server, shape))
    # What this server says when it is asked how many it got right cannot be read, so no workings are asked for.
    status = "partial" if plan == "liar-realtime" else "complete"
    assert (summary["status"], summary["simulated"], summary["attempts"]) == (status, False, 3)
    assert (summary["answered"], summary["lifelines_used"], summary["unparsed"]) == (1, 1, 1)
    assert summary["right"] + summary["wrong"] == 1
    with Reader(lab.db) as store:
        nodes = store.nodes(summary["session"])
        pairs = calls_and_replies(nodes)
        assert len(pairs) == len(server.seen) >= 3  # and nothing that nobody asked for, such as Ollama's /api/show
        assert {digest(asked(seen)) for seen in server.seen} == {call.digest for call, _ in pairs}
        for call, reply in pairs:
            assert not call.simulated
            assert call.dropped == dropped
            assert not set(call.params) & set(dropped)
            assert {"temperature", "max_tokens"} <= set(call.params)
            assert reply.usage == Usage(input=11, output=7, exact=True)
            assert (reply.status, reply.finish_raw, reply.model_returned) == (Status.COMPLETE, finish, "well-2026-01-01")
        cursor = store.connection.execute(
            "SELECT * FROM v_attempts WHERE session = ? ORDER BY position, node_id", (summary["session"],)
        )
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        assert [row["action"] for row in rows][:3] == ["answer", "lifeline", "unparsed"]
        assert rows[0]["grade"] in ("right", "wrong")
        assert rows[0]["confidence"] == 60
        for row in rows:
            assert (row["tokens_in"], row["tokens_out"], row["simulated"], row["tokens_estimated"]) == (11, 7, 0, 0)
            assert (row["finish_reason_raw"], row["model_returned"]) == (finish, "well-2026-01-01")
            assert row["model_requested"] == f"{shape}/well"
        assert [step.faithful for step in replay_recorded(store, summary["session"], None, every=True)].count(False) == 0
        assert verify(store, summary["session"], digest_of=call_digest) == []


async def test_parameters_reach_the_server_as_the_call_says(lab: Lab, server: ModelServer) -> None:
    summary = await run(lab, "lifelines-10", "openai/well", server.url, limit=1)
    with Reader(lab.db) as store:
        ((call, _),) = calls_and_replies(store.nodes(summary["session"]))
    assert {name: server.seen[0].body[name] for name in call.params} == dict(call.params)
    assert server.seen[0].body["seed"] == derive(1, "call", 0, 0, "sample", 0)


@pytest.mark.parametrize("name", ["cut", "abort", "banana", "length", "filtered", "refused", "html"])
async def test_no_ending_but_a_whole_reply_is_scored(lab: Lab, server: ModelServer, name: str) -> None:
    summary = await run(lab, "baseline-20", f"openai/{name}", server.url, limit=2)
    assert (summary["right"], summary["wrong"], summary["answered"]) == (0, 0, 0)
    assert summary["status"] == ("failed" if name in ("cut", "abort", "banana") else "complete")
    with Reader(lab.db) as store:
        grades = {note.value for note in store.annotations(summary["session"]) if note.field == "grade"}
    assert not grades & {"right", "wrong"}


# A reply that is stopped half way


async def streaming(lab: Lab, server: ModelServer, model: str = "openai/drip") -> tuple[Any, asyncio.Task[None]]:
    """A session in the middle of a reply."""
    begun = asyncio.Event()
    session = await lab.new(
        "baseline-20", model, api_base=server.url, listen=lambda c: begun.set() if isinstance(c, Streamed) else None
    )
    asking = asyncio.create_task(session.do("next"))
    await asyncio.wait_for(begun.wait(), 20)
    return session, asking


async def test_a_cancel_keeps_the_partial_and_closes_the_socket(lab: Lab, server: ModelServer) -> None:
    session, asking = await streaming(lab, server)
    with Reader(lab.db) as store:
        (row,) = [row for row in store.sessions() if row.id == session.id]
        assert session_line(store, row)["status"] == "streaming"
    session.cancel()
    await asking
    assert await asyncio.to_thread(server.gone.wait, 2)
    reply = session.tree[session.tip].body
    assert isinstance(reply, Reply)
    assert reply.status is Status.CANCELLED
    assert reply.spans[0].text.startswith("drip")
    assert session.refusal("regenerate") is None
    await session.close()


async def test_sixty_four_samples_are_in_flight_at_once_each_with_its_own_seed(lab: Lab, server: ModelServer) -> None:
    """The server answers none of them before it has been asked all."""
    here, all_here = 0, asyncio.Event()

    async def together(r: Answer) -> None:
        nonlocal here, all_here
        if sampling:
            if not here:
                all_here = asyncio.Event()  # of the server's own loop
            here += 1
            if here == 64:
                all_here.set()
            await all_here.wait()
        await happy(r)

    BEHAVIOURS["together"] = together
    sampling = False
    session = await lab.new("baseline-20", "openai/together", api_base=server.url)
    try:
        await session.do("next")
        sampling = True
        found = await sample(session, session.tip, 64, at_once=64)
    finally:
        await session.close()
    assert here == 64
    assert [str(each.data()["status"]) for each in found] == ["complete"] * 64
    assert len({each.data()["seed"] for each in found}) == 64
    assert sorted(each.data()["index"] for each in found) == list(range(1, 65))
    with Reader(lab.db) as store:
        assert verify(store, session.id, digest_of=call_digest) == []


async def test_a_second_writer_is_refused_with_the_pid_and_a_reader_sees_it_stream(lab: Lab, server: ModelServer) -> None:
    session, asking = await streaming(lab, server)
    async with asyncio.timeout(60):
        while not lines(lab, "show", session.id)[0]["nodes"][-1].get("partial", {}).get("text"):
            await asyncio.sleep(0.02)
    (shown,) = lines(lab, "show", session.id)
    assert shown["session"]["status"] == "streaming"
    assert shown["nodes"][-1]["kind"] == "call"
    assert shown["nodes"][-1]["partial"]["text"].startswith("drip")
    record = await asyncio.to_thread(lifeline, "show", session.id, "--db", lab.db)
    assert (record.code, record.err) == (0, "")
    with Store(lab.db) as second, pytest.raises(OwnedElsewhere, match=f"process {os.getpid()} "):
        second.own(session.id)
    await session.close()
    await asking


def lines(lab: Lab, *words: str) -> list[Any]:
    return lifeline(*words, "--json", "--db", lab.db).data


async def test_a_killed_child_ends_the_call_as_an_error_and_the_next_one_works(lab: Lab, server: ModelServer) -> None:
    session, asking = await streaming(lab, server)
    provider = lab.models._provider
    assert provider is not None
    child = await provider.ready()
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    await asking
    reply = session.tree[session.tip].body
    assert isinstance(reply, Reply)
    assert reply.status is Status.ERROR
    assert "provider process died" in reply.cause
    assert reply.spans[0].text.startswith("drip")
    session.subject.model = "openai/well"
    await session.do("regenerate")
    again = session.tree[session.tip].body
    assert isinstance(again, Reply)
    assert (again.status, again.spans[0].text) == (Status.COMPLETE, ANSWERS[0])
    await session.close()


# What a server wrote never reaches a terminal raw, and a key never leaves the environment


@behaviour
async def tells_all(r: Answer) -> None:
    """Repeats its key and writes to the terminal: in a reply, and when asked again, in an error."""
    if r.server.hits("tells-all") == 1:
        r.say.model = f"{r.key}{HOSTILE}"
        await r.texts(*f"ACTION: ANSWER\nANSWER: 4\n{r.key} and {r.key} {HOSTILE}")
        await r.close()
    else:
        r.fail(400, {"error": {"message": f"no {HOSTILE} {r.key}", "code": HOSTILE}})


@behaviour
async def hostile_once(r: Answer) -> None:
    """Turns the first request away, and writes to the terminal in doing so."""
    if r.server.hits("hostile-once") == 1:
        r.fail(429, {"error": {"message": f"slow down {HOSTILE} {r.key}"}}, **{"Retry-After": "0"})
    else:
        await r.texts(f"ready {HOSTILE} {r.key}")
        await r.close()


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_what_a_server_says_is_never_obeyed_and_never_holds_a_key(
    lab: Lab, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIFELINE_DB", str(tmp_path / "notes" / "t.db"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    words = ("run", "baseline-20", "--model", "openai/tells-all", "--api-base", server.url, "--limit", 2, "--json")
    ran = await asyncio.to_thread(real, *words)
    assert ran.code == 1
    assert (ran.data[0]["status"], ran.data[0]["answered"]) == ("partial", 1)
    assert "stopped: error: HTTP 400" in ran.err
    session = ran.data[0]["session"]
    for name in ("session-jsonl", "attempts-csv", "markdown"):
        assert lifeline("export", session, "--format", name, "-o", tmp_path / name).code == 0
    reads = (("show", session), ("show", session, "--json"), ("replay", session), ("sessions",), ("verify",))
    read = [lifeline(*words) for words in reads]
    assert [done.code for done in read] == [0] * len(read)
    assert "[redacted] and [redacted]" in read[0].out
    facts = await probe_model(lab, "openai/hostile-once", server.url, report)
    assert facts["status"] == "complete"
    retried = capsys.readouterr().err
    assert retried.startswith("retry 1 in 0.0 s: HTTP 429")
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    said = "".join([*[done.out + done.err for done in [ran, *read]], retried])
    assert not set(said) & set("\x1b\x07\u202e\x9b\x00")
    kept = everything_in(tmp_path) + everything_in(lab.db.parent)
    for piece in (KEY, KEY[:20], KEY[6:]):
        assert piece not in said + json.dumps(facts)
        assert piece.encode() not in kept
    with Reader(os.environ["LIFELINE_DB"]) as store:
        replies = [node.body for row in store.sessions() for node in store.nodes(row.id) if isinstance(node.body, Reply)]
    assert [reply.redacted for reply in replies] == [True, True]
