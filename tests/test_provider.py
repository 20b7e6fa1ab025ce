"""litellm in its child, against a real server on loopback: what goes out, what comes back, and when it is asked again (Laws 5, 10).

What servers do wrong is in `battery/model_faults.py`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from model_server import ModelServer, model_server

from lifeline_tui.core.nodes import Status, Usage
from lifeline_tui.subjects.child.client import LitellmSubject, Provider
from lifeline_tui.subjects.protocol import Deadlines, Delta, End, Event, Request, Retry, Subject, SubjectError
from lifeline_tui.subjects.puppets.puppet import SimulatedSubject

pytestmark = pytest.mark.asyncio(loop_scope="module")
__all__ = ["model_server"]
KEY = "sk-loopback-0123456789"
HELLO = ({"role": "user", "content": "How many?"},)
COMPLETE = Status.COMPLETE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Provider]:
    home = tmp_path_factory.mktemp("home")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    environ = {**kept, "HOME": str(home), "ANTHROPIC_API_KEY": KEY, "HOSTED_VLLM_API_KEY": KEY}
    provider = Provider(log=home / "provider.log", environ=environ)
    yield provider
    await provider.close()


def subject(provider: Provider, server: ModelServer, model: str, **overrides: Any) -> LitellmSubject:
    base = server.root if model.startswith(("anthropic/", "ollama_chat/")) else server.url
    return provider.subject(model, api_base=base, overrides=overrides)


async def events(subject: LitellmSubject, request: Request | None = None, **deadlines: Any) -> list[Event]:
    text = subject.model.startswith("text-completion-")
    said = {"prompt": "How many?"} if text else {"messages": HELLO}
    request = request or Request(**said, deadlines=Deadlines(**{"retries": 0, **deadlines}))
    async with asyncio.timeout(30), aclosing(subject.stream(request)) as stream:
        return [event async for event in stream]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def thought(events: list[Event]) -> str:
    return "".join(event.reasoning for event in events if isinstance(event, Delta))


def end(events: list[Event]) -> End:
    assert [isinstance(event, End) for event in events] == [False] * (len(events) - 1) + [True]
    last = events[-1]
    assert isinstance(last, End)
    return last


SHAPES = ["openai", "hosted_vllm", "text-completion-openai", "anthropic", "ollama_chat"]
WORDS = {"anthropic": ("end_turn", "max_tokens", "refusal")}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_reply_arrives_whole_with_what_the_provider_said_of_it(
    provider: Provider, model_server: ModelServer, shape: str
) -> None:
    got = await events(subject(provider, model_server, f"{shape}/happy"))
    last = end(got)
    assert said(got) == "ACTION: ANSWER\nANSWER: 4\n"
    assert (last.status, last.cause) == (COMPLETE, "")
    assert last.finish_raw == WORDS.get(shape, ("stop",))[0]
    assert last.usage == Usage(input=11, output=7, exact=True)
    assert last.model == "happy-2026-01-01"
    assert last.fingerprint == ("" if shape in {"anthropic", "ollama_chat"} else "fp_1")
    assert not last.redacted


@pytest.mark.parametrize("shape", ["openai", "hosted_vllm", "anthropic", "ollama_chat"])
async def test_reasoning_is_kept_apart_from_text(provider: Provider, model_server: ModelServer, shape: str) -> None:
    got = await events(subject(provider, model_server, f"{shape}/reasoning"))
    assert (thought(got), said(got)) == ("let me think", "ANSWER: 4")
    assert end(got).status is COMPLETE
    usage = end(got).usage
    assert usage is not None
    assert usage.reasoning == (3 if shape in {"openai", "hosted_vllm"} else None)


async def test_repetition_is_data(provider: Provider, model_server: ModelServer) -> None:
    got = await events(subject(provider, model_server, "openai/repeat"))
    assert said(got) == "again and again " * 400
    assert end(got).status is COMPLETE
    assert 4 <= len(got) < 100  # many tokens to a delta, and none waits for the whole


async def test_a_lone_surrogate_in_the_request_is_sent_or_refused_in_a_sentence(
    provider: Provider, model_server: ModelServer
) -> None:
    request = Request(messages=({"role": "user", "content": "a\ud83d"},))
    for shape in ("openai", "anthropic"):
        got = await events(subject(provider, model_server, f"{shape}/happy"), request)
        assert end(got).status is COMPLETE or "surrogates not allowed" in end(got).cause


async def test_a_chunk_of_five_megabytes_arrives(provider: Provider, model_server: ModelServer) -> None:
    got = await events(subject(provider, model_server, "openai/big"))
    assert said(got) == "0123456789abcdef" * (5 << 16)
    assert max(len(event.text) for event in got if isinstance(event, Delta)) <= 1 << 15


async def test_usage_that_nobody_reported_is_marked_as_a_guess(provider: Provider, model_server: ModelServer) -> None:
    for shape in ("openai", "text-completion-openai"):
        usage = end(await events(subject(provider, model_server, f"{shape}/no-usage"))).usage
        assert usage is None or (not usage.exact and usage.input != 0 and usage.output != 0)


@pytest.mark.parametrize("shape", ["openai", "hosted_vllm", "text-completion-openai"])
@pytest.mark.parametrize(("behaviour", "tokens"), [("odd-usage", (11, 7)), ("cached", (100, 7))])
async def test_usage_never_fails_a_reply_and_counts_what_was_cached_once(
    provider: Provider, model_server: ModelServer, shape: str, behaviour: str, tokens: tuple[int, int]
) -> None:
    got = await events(subject(provider, model_server, f"{shape}/{behaviour}"))
    assert (said(got), end(got).status) == ("four", COMPLETE)
    assert end(got).usage == Usage(*tokens, exact=True)


async def test_cost_is_known_only_for_a_model_of_the_price_list(provider: Provider, model_server: ModelServer) -> None:
    priced = end(await events(subject(provider, model_server, "openai/gpt-4o-mini"))).usage
    assert priced is not None
    assert priced.cost == pytest.approx(11 * 0.15e-6 + 7 * 0.6e-6)


async def hung_up(server: ModelServer) -> bool:
    return await asyncio.to_thread(server.gone.wait, 1.0)


@pytest.mark.parametrize(("behaviour", "waits"), [("busy-once", [0.2]), ("broken-once", [0.0])])
async def test_retries_come_before_the_first_event_and_in_sight(
    provider: Provider, model_server: ModelServer, behaviour: str, waits: list[float]
) -> None:
    got = await events(subject(provider, model_server, f"openai/{behaviour}"), retries=2)
    retries = [event for event in got if isinstance(event, Retry)]
    assert [(event.attempt, event.wait) for event in retries] == [(n, wait) for n, wait in enumerate(waits, 1)]
    assert got[: len(retries)] == retries
    assert retries[0].why.startswith("HTTP ")
    assert said(got).startswith("ACTION")
    assert end(got).status is COMPLETE


@pytest.mark.parametrize(
    ("behaviour", "hits"), [("always-broken", 3), ("unauthorized", 1), ("cut", 1), ("html", 1), ("error-midway", 1)]
)
async def test_only_what_may_pass_is_tried_again(provider: Provider, model_server: ModelServer, behaviour: str, hits: int) -> None:
    before = model_server.hits(behaviour)
    got = await events(subject(provider, model_server, f"openai/{behaviour}"), retries=2)
    assert model_server.hits(behaviour) - before == hits
    assert sum(isinstance(event, Retry) for event in got) == hits - 1


async def test_closing_at_once_is_quick() -> None:
    provider = Provider()
    warming = asyncio.create_task(provider.ready())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await provider.close()
    with pytest.raises(SubjectError, match="was closed"):
        await warming


async def test_a_call_that_waits_for_its_first_event_can_be_cancelled(provider: Provider, model_server: ModelServer) -> None:
    model_server.gone.clear()
    model_server.arrived.clear()
    waiting = asyncio.create_task(events(subject(provider, model_server, "anthropic/stall")))
    await asyncio.to_thread(model_server.arrived.wait, 5)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert await hung_up(model_server)


async def test_a_call_that_waits_for_a_retry_can_be_cancelled(provider: Provider, model_server: ModelServer) -> None:
    before = model_server.hits("always-busy")
    stream = subject(provider, model_server, "openai/always-busy").stream(Request(messages=HELLO, deadlines=Deadlines(total=4000)))
    assert isinstance(await anext(stream), Retry)
    await stream.aclose()
    assert end(await events(subject(provider, model_server, "openai/happy"))).status is COMPLETE
    assert model_server.hits("always-busy") == before + 1


async def test_a_key_is_redacted_across_chunks_and_the_reply_says_so(
    provider: Provider, model_server: ModelServer, tmp_path: Path
) -> None:
    got = await events(subject(provider, model_server, "hosted_vllm/echo-key"))
    assert said(got) == f"it is [redacted], isn't it? {KEY[:5]}"
    assert thought(got) == "the key [redacted]"
    assert end(got).redacted


@pytest.mark.parametrize(("behaviour", "status"), [("cuts-key", Status.TRUNCATED), ("cuts-key-and-breaks", Status.ERROR)])
async def test_a_key_that_a_reply_cuts_short_is_redacted(
    provider: Provider, model_server: ModelServer, behaviour: str, status: Status
) -> None:
    got = await events(subject(provider, model_server, f"hosted_vllm/{behaviour}"))
    assert said(got) == "key: [redacted]"
    assert thought(got) in ("", "the key [redacted]")
    assert (end(got).status, end(got).redacted) == (status, True)


async def test_a_key_in_base64_is_redacted_in_text_and_errors(provider: Provider, model_server: ModelServer) -> None:
    model_server.seen.clear()
    got = await events(subject(provider, model_server, "hosted_vllm/base64-key"))
    assert (said(got), end(got).redacted) == ("Basic On[redacted]!", True)
    got = await events(subject(provider, model_server, "hosted_vllm/base64-key"))
    assert (end(got).cause, end(got).redacted) == ("HTTP 400: no Basic On[redacted]", True)


@pytest.mark.parametrize(("behaviour", "status"), [("unauthorized", "401"), ("busy-once", "429")])
async def test_a_key_is_redacted_in_causes_and_retries(
    provider: Provider, model_server: ModelServer, behaviour: str, status: str
) -> None:
    model_server.seen.clear()
    got = await events(subject(provider, model_server, f"hosted_vllm/{behaviour}"), retries=1)
    words = " ".join([end(got).cause, *[event.why for event in got if isinstance(event, Retry)]])
    assert f"HTTP {status}" in words
    assert "[redacted]" in words
    assert KEY not in repr(got)
    assert end(got).redacted


async def test_eight_streams_run_at_once(provider: Provider, model_server: ModelServer) -> None:
    models = ["openai/happy", "anthropic/happy", "ollama_chat/happy", "hosted_vllm/repeat"] * 2
    all_of_them = await asyncio.gather(*[events(subject(provider, model_server, model)) for model in models])
    assert [end(got).status for got in all_of_them] == [COMPLETE] * 8
    assert {said(got) for got in all_of_them} == {"ACTION: ANSWER\nANSWER: 4\n", "again and again " * 400}


async def test_a_subject_tells_the_name_that_is_asked_for(provider: Provider) -> None:
    qwen, puppet = "openai/qwen-small", "sim/anxious"
    asked: list[Subject] = [provider.subject("local", model=qwen), provider.subject(qwen), SimulatedSubject(puppet)]
    assert [(each.name, each.model) for each in asked] == [("local", qwen), (qwen, qwen), (puppet, puppet)]


async def test_parameters_go_out_as_given_and_cannot_steer_litellm(provider: Provider, model_server: ModelServer) -> None:
    params = {"temperature": 0.5, "seed": 7, "max_tokens": 9, "min_p": 0.1, "api_base": "http://127.0.0.1:1", "mock_response": "no"}
    for shape in ("openai", "hosted_vllm", "text-completion-openai"):
        model_server.seen.clear()
        said = {"prompt": "x"} if shape.startswith("text") else {"messages": HELLO}
        got = await events(subject(provider, model_server, f"{shape}/happy"), Request(**said, params=params))
        assert end(got).status is COMPLETE
        body = model_server.seen[0].body
        assert {name: body.get(name) for name in ("temperature", "seed", "max_tokens", "min_p")} == {
            name: params[name] for name in ("temperature", "seed", "max_tokens", "min_p")
        }
        refused = await events(subject(provider, model_server, f"{shape}/happy"), Request(**said, params={"extra_headers": {}}))
        assert "extra_headers" in end(refused).cause
        assert len(model_server.seen) == 1


async def test_messages_reach_the_server_exactly(provider: Provider, model_server: ModelServer) -> None:
    turns = ("system", "s\n"), ("user", " u "), ("assistant", "a"), ("user", "é\u202e\x00")
    messages = [{"role": role, "content": content} for role, content in turns]
    model_server.seen.clear()
    await events(subject(provider, model_server, "openai/happy"), Request(messages=tuple(messages)))
    assert model_server.seen[0].body["messages"] == messages
    assert model_server.seen[0].headers["authorization"] == "Bearer no-key"


async def test_capabilities_say_what_a_backend_takes(provider: Provider, model_server: ModelServer) -> None:
    hosted = await provider.subject("anthropic/claude-sonnet-4-5").capabilities()
    assert (hosted.chat, hosted.reasoning, hosted.prefill) == (True, True, True)
    assert hosted.dropped({"temperature": 1, "top_k": 5, "seed": 1, "min_p": 0.1}) == ("min_p", "seed")
    own = await subject(provider, model_server, "openai/whatever").capabilities()
    assert own.dropped({"min_p": 0.1}) == ()
    assert not (await subject(provider, model_server, "text-completion-openai/x").capabilities()).chat
    told = await subject(provider, model_server, "openai/x", chat=False, prefill=True, params=["seed"]).capabilities()
    assert (told.chat, told.prefill, told.params) == (False, True, frozenset({"seed"}))


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("openai/gpt-4o-mini", "OPENAI_API_KEY"),
        ("gpt-4o-mini", "OPENAI_API_KEY"),
        ("nonsense/x", "nonsense/x"),
        ("x", "litellm knows"),
    ],
)
async def test_what_cannot_be_used_is_said_in_one_sentence_before_any_request(provider: Provider, model: str, word: str) -> None:
    with pytest.raises(SubjectError, match=word) as error:
        await provider.subject(model).capabilities()
    assert "sim/anxious" in str(error.value)
    assert "\n" not in str(error.value)
    assert word in end(await events(provider.subject(model))).cause


async def test_the_childs_words_go_to_the_log_without_keys(provider: Provider, model_server: ModelServer) -> None:
    await events(subject(provider, model_server, "openai/banana"))
    log = provider._log
    assert log is not None
    assert log.stat().st_mode & 0o777 == 0o600
    assert "banana" in log.read_text()
    assert KEY not in log.read_text()


async def test_a_death_ends_calls_as_errors_and_the_next_call_starts_anew(provider: Provider, model_server: ModelServer) -> None:
    stream = subject(provider, model_server, "openai/stall-midway").stream(Request(messages=HELLO))
    assert await anext(stream) == Delta("so far")
    child = await provider.ready()
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    last = await anext(stream)
    assert isinstance(last, End)
    assert last.status is Status.ERROR
    assert last.cause.startswith("the provider process died (exit -9)")
    await stream.aclose()

    early = asyncio.create_task(events(subject(provider, model_server, "openai/busy-once")))
    await asyncio.sleep(0)
    early.cancel()  # before the child is ready
    hits = model_server.hits("busy-once")
    got = await events(subject(provider, model_server, "openai/happy"), first_token=5.0)
    assert end(got).status is COMPLETE
    assert model_server.hits("busy-once") == hits


async def test_the_child_is_in_a_session_of_its_own_and_dies_with_its_parent() -> None:
    program = """
import asyncio, os
from lifeline_tui.subjects.child.client import Provider
async def main():
    provider = Provider()
    task = asyncio.create_task(provider.ready())
    while provider._child is None or provider._child.process is None:
        await asyncio.sleep(0.01)
    pid = provider._child.process.pid
    print(pid, os.getsid(pid) == pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid, alone = (await parent.stdout.readline()).split()
    assert alone == b"True"
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(60):
        while running(int(pid)):
            await asyncio.sleep(0.02)


def running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
    return subprocess.run(["/bin/ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


async def test_a_litellm_that_does_not_load_is_a_sentence_and_stray_prints_do_no_harm(tmp_path: Path) -> None:
    stray = "import os\nprint('a stray print', flush=True)\nos.write(1, b'and a deeper one')\n"
    (tmp_path / "litellm.py").write_text(f"{stray}raise ImportError('no such thing')")
    provider = Provider(environ={**os.environ, "PYTHONPATH": str(tmp_path)})
    with pytest.raises(SubjectError, match=r"died \(exit 1\): ImportError: no such thing"):
        await provider.ready()
    await provider.close()


async def test_nothing_of_the_working_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "litellm.py").write_text("raise SystemExit('imported from the working folder')")
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-the-working-folder")
    program = """
import asyncio, sys
from lifeline_tui.subjects.child.client import Provider, SubjectError
async def main():
    provider = Provider()
    try:
        await provider.describe("openai/x", None)
    except SubjectError as error:
        print(error)
    await provider.close()
asyncio.run(main())
assert not {"litellm", "aiohttp", "httpx", "pydantic"} & set(sys.modules)
"""
    root = str(Path(__file__).resolve().parents[1])
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")} | {"PYTHONPATH": root}
    command = [sys.executable, "-P", "-W", "error", "-c", program]
    done = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert "set OPENAI_API_KEY" in done.stdout
    assert done.stderr == ""
