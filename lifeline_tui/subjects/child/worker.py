"""The provider child: the only process, and the only module, that imports litellm.

It speaks JSON lines with `provider.py` on its pipes and lives until its stdin closes, so that it can never outlive the program.
Deadlines and retries are its own, not litellm's: a call is tried again only before the first event, in sight, and a stream that
breaks later ends as an error with what had arrived.  Keys come in by environment only and never go out (Law 10).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from ...core.nodes import Cause, Status
from .keys import DUMMY_KEY, OPENAI_SHAPED, OTHERWISE, dummy_key, missing_key, own_server
from .redaction import Redaction, secrets
from .wire import Lines, Observed, cause_of, kind_of, kind_of_end, may_retry, one_line, pause, words_of

BATCH = 0.03
LINE = 1 << 15
"""Characters of text in one message; a lone surrogate or a NUL takes six bytes of it."""
EXTRAS: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({"top_k"}),
    "gemini": frozenset({"top_k"}),
    "ollama_chat": frozenset({"top_k", "min_p", "repeat_penalty", "num_ctx", "num_predict", "mirostat", "tfs_z"}),
    "openrouter": frozenset({"top_k", "min_p", "top_a", "repetition_penalty"}),
}
"""What a provider takes beyond the parameters that litellm lists, which are OpenAI's."""
OWN = frozenset({"openai", "text-completion-openai", "hosted_vllm", "lm_studio", "llamafile", "openai_like"})
"""With an API base, these reach servers that take more than OpenAI does: everything is sent."""
PLUMBING = {
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "parallel_tool_calls",
    "web_search_options",
    "modalities",
    "audio",
}
PLUMBING |= {"prediction", "store", "user", "service_tier", "safety_identifier", "context_management", "cache_control"}
PLUMBING |= {"prompt_cache_key", "prompt_cache_retention"}
RESERVED = {"model", "messages", "prompt", "stream", "stream_options", "extra_headers", "extra_body", "max_retries"}
"""What no call may set: listed by litellm, but none of a probe's business (of tools, litellm would ask servers itself); and what only this module
sets."""
POLICY = re.compile(r"content[ _]?(?:policy|filter|management)|usage polic|safety (?:system|polic)", re.IGNORECASE)

Send = Callable[[dict[str, Any]], None]
OBSERVED: ContextVar[Observed | None] = ContextVar("OBSERVED", default=None)


def for_litellm(line: bytes) -> str:
    """A line of a body.  litellm takes any that holds “[DONE]” for the end of the stream, also where a model wrote it."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return text.replace("[DONE]", r"[DONE\u005d") if "{" in text else text


def watch_httpx() -> None:
    """Lets the current call's `Observed` see every request and answer.  All of litellm's providers but boto3's go through
    `httpx.AsyncClient.send` and read through `Response.aiter_bytes`, which are public and decode compression, or by lines; those
    httpx also ends at U+2028, U+0085 and others, which a text in JSON may hold.  No answer sends us on to another address: the key
    and the whole conversation would go there with us."""
    import httpx

    send = httpx.AsyncClient.send

    @functools.wraps(send)
    async def watched(client: httpx.AsyncClient, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        kwargs["follow_redirects"] = False
        request.headers.pop("cookie", None)  # what one call was given, another would carry on: fresh means fresh (Law 7)
        seen = OBSERVED.get()
        if seen is None:
            return await send(client, request, **kwargs)
        if seen.failed is not None:  # litellm would send it again by itself, unseen
            raise seen.failed
        seen.sent = True
        timeout = {**request.extensions.get("timeout", {}), "connect": seen.connect}  # litellm forgets it for half of its providers
        request.extensions = {**request.extensions, "timeout": timeout}
        try:
            response = await send(client, request, **kwargs)
        except Exception as error:
            seen.failed, seen.late = error, isinstance(error, httpx.TimeoutException)
            raise
        seen.answered(response.status_code, response.headers)
        seen.let_go = response.aclose
        if response.is_stream_consumed:
            seen.feed(response.content)
            return response
        read = response.aiter_bytes

        async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
            async with contextlib.aclosing(read(chunk_size)) as pieces:  # type: ignore[type-var]
                try:
                    async for piece in pieces:
                        seen.feed(piece)
                        yield piece
                        if seen.done:  # whatever the connection does now
                            break
                except Exception:
                    seen.broken = True
                    raise
            seen.close()

        async def aiter_lines() -> AsyncIterator[str]:
            lines = Lines()
            async with contextlib.aclosing(aiter_bytes()) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    for line in lines.feed(piece):
                        yield for_litellm(line)
            yield for_litellm(lines.close())

        response.aiter_bytes, response.aiter_lines = aiter_bytes, aiter_lines  # type: ignore[method-assign]
        return response

    httpx.AsyncClient.send = watched  # type: ignore[assignment]


async def load_litellm() -> Any:
    """litellm, told to stay at home: no price map, no `.env`, no tokenizer from the network, no retries, nothing rewritten."""
    home = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "REPEATED_STREAMING_CHUNK_LIMIT": "1000000000"}
    # A key comes from the environment and nowhere else: no .netrc, no cloud's credentials, no token of another tool is found.
    os.environ.update(home, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HOME=os.devnull)
    import litellm
    from litellm.llms.openai.common_utils import BaseOpenAILLM

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.disable_hf_tokenizer_download = True
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.num_retries = 0
    # Else each text completion makes a client with a pool of its own, and the connections that are idle in it stay open.
    litellm.aclient_session = BaseOpenAILLM.get_async_http_client()
    # After a stream it would ask an Ollama server what the model is, on the event loop, and every other stream would wait.
    litellm.utils.ProviderConfigManager.get_provider_model_info = staticmethod(lambda *_, **__: None)  # type: ignore[method-assign]
    no_templates_from_elsewhere()
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.WARNING)
    watch_httpx()
    with contextlib.suppress(Exception):  # half of the first call's cost is imports: pay it now, without the network
        said = {"messages": [{"role": "user", "content": "hello"}], "mock_response": "hello", "api_key": DUMMY_KEY}
        async for _ in await litellm.acompletion(model="openai/warm-up", stream=True, **said):
            pass
    return litellm


def no_templates_from_elsewhere() -> None:
    """Keeps litellm from telling huggingface.co which model is asked, for the chat template of one that it does not know."""
    from litellm.litellm_core_utils.prompt_templates import huggingface_template_handler as templates

    async def none_awaited(hf_model_name: str) -> dict[str, str]:
        return {"status": "failure"}

    for name in ("get_tokenizer_config", "get_chat_template_file"):
        setattr(templates, name, lambda hf_model_name: {"status": "failure"})
        setattr(templates, f"a{name}", none_awaited)


class Batch:
    """What one call says, redacted and gathered for a few hundredths of a second; the first piece goes at once."""

    def __init__(self, call: int, send: Send, redaction: Redaction) -> None:
        self.call, self.send, self.redaction = call, send, redaction
        self.streams = {"text": redaction.stream(), "reasoning": redaction.stream()}
        self.pieces: dict[str, list[str]] = {"text": [], "reasoning": []}
        self.timer: asyncio.TimerHandle | None = None
        self.any = {"text": False, "reasoning": False}
        self.cleaned = False

    def add(self, text: str, reasoning: str) -> None:
        first = not any(self.any.values())
        for part, piece in (("text", text), ("reasoning", reasoning)):
            if piece:
                self.pieces[part].append(piece)
                self.any[part] = True
        if first:
            self.flush()
        elif self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(BATCH, self.flush)

    def flush(self, last: bool = False) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for part in ("reasoning", "text"):
            text = self.streams[part].feed("".join(self.pieces[part]))
            self.pieces[part].clear()
            text += self.streams[part].flush() if last else ""
            for start in range(0, len(text), LINE):
                self.send({"type": "delta", "id": self.call, part: text[start : start + LINE]})

    def clean(self, text: str) -> str:
        clean = self.redaction.clean(text)
        self.cleaned = self.cleaned or clean != text
        return clean

    @property
    def redacted(self) -> bool:
        return self.cleaned or any(stream.hit for stream in self.streams.values())


class Clock:
    """The deadlines of one attempt.  The first-token deadline holds until text or reasoning came, the gap deadline from then on;
    the total one holds over all attempts."""

    def __init__(self, deadlines: Mapping[str, float], ends: float) -> None:
        self.deadlines, self.ends, self.why, self.talking = deadlines, ends, "", False
        self.limit = asyncio.timeout(None)

    def beat(self, talking: bool = False) -> None:
        self.talking = self.talking or talking
        if self.talking or not self.why:
            wait, why = (
                (self.deadlines["gap"], "no event for {:g} s")
                if self.talking
                else (self.deadlines["first_token"], "no first token within {:g} s")
            )
            at = asyncio.get_running_loop().time() + wait
            if at >= self.ends:
                at, wait, why = self.ends, self.deadlines["total"], "the call took longer than {:g} s in all"
            self.why = why.format(wait)
            self.limit.reschedule(at)


class Calls:
    """The calls under way, by id."""

    def __init__(self, litellm: Any, send: Send) -> None:
        self.litellm, self.send = litellm, send
        self.redaction = Redaction(secrets(os.environ))
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "describe":
                self.send({"type": "described", "id": message["id"], **self.describe(message["model"], message.get("api_base"))})
            case "start":
                self.tasks[message["id"]] = asyncio.create_task(self.run(message))
            case "cancel" if message["id"] in self.tasks:
                self.tasks[message["id"]].cancel()
            case "shutdown":
                os._exit(0)

    def place(self, model: str, api_base: str | None) -> tuple[str, str]:
        """(the model's name at its provider, the provider), or ValueError with a sentence."""
        if api_base and not re.match(r"https?://[^/]", api_base):
            raise ValueError(f"the API base “{api_base}” is no address: it should look like http://localhost:8000/v1")
        if (first := model.partition("/")[0]) in self.litellm.constants.PROVIDERS_THAT_AUTHENTICATE_ON_PROVIDER_INFO:
            raise ValueError(f"{first} takes no key from the environment but signs in by itself, which is not supported here")
        try:
            name, provider, _, _ = self.litellm.get_llm_provider(model, api_base=api_base)
        except Exception:
            sentence = f"“{model}” is no model that litellm knows: write PROVIDER/MODEL, such as anthropic/… or ollama_chat/…"
            raise ValueError(f"{sentence}, openai/… with an API base for a server of your own, {OTHERWISE}.") from None
        if missing := missing_key(provider, model, api_base, os.environ):
            raise ValueError(missing)
        return str(name), str(provider)

    def listed(self, name: str, provider: str) -> set[str]:
        listed = self.litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
        return set(listed or ()) | EXTRAS.get(provider, frozenset())

    def priced(self, model: str, name: str, provider: str) -> Mapping[str, Any]:
        """litellm's local entry for a model.  Not `get_model_info`, which asks an Ollama server."""
        found = [self.litellm.model_cost.get(key) for key in (model, f"{provider}/{name}", name)]
        return next((entry for entry in found if entry and str(entry.get("litellm_provider", "")).startswith(provider)), {})

    def describe(self, model: str, api_base: str | None) -> dict[str, Any]:
        try:
            name, provider = self.place(model, api_base)
            params = None if self.takes_all(provider, api_base) else sorted(self.listed(name, provider) - PLUMBING - RESERVED)
        except Exception as error:
            return {"error": one_line(self.redaction.clean(str(error)))}
        entry = self.priced(model, name, provider)
        facts = {"reasoning": bool(entry.get("supports_reasoning")), "prefill": bool(entry.get("supports_assistant_prefill"))}
        chat = not provider.startswith("text-completion-") and entry.get("mode") != "completion"
        note = "" if params is not None else "a server of your own: every parameter is sent"
        size = entry.get("max_input_tokens")
        known = size if isinstance(size, int) and size > 0 and not self.takes_all(provider, api_base) else None
        return {"chat": chat, "params": params, **facts, "note": note, "context": known}

    def takes_all(self, provider: str, api_base: str | None) -> bool:
        return provider in OWN and (own_server(api_base, os.environ) or provider not in OPENAI_SHAPED)

    def arguments(self, message: Mapping[str, Any]) -> tuple[Callable[..., Awaitable[Any]], dict[str, Any]]:
        """litellm's function and the arguments of a call.  A parameter that litellm does not list goes into the body as it is, so
        that none can steer litellm itself (another host, a header, a mock)."""
        model, api_base, params = message["model"], message.get("api_base"), message["params"]
        name, provider = self.place(model, api_base)
        if refused := sorted((RESERVED | PLUMBING) & set(params)):
            raise ValueError(f"“{refused[0]}” is not a parameter that can be set")
        listed = self.listed(name, provider)
        given = {
            "model": model,
            "stream": True,
            "timeout": message["deadlines"]["total"] + 60,
            "max_retries": 0,
            **{key: value for key, value in params.items() if key in listed},
        }
        extra = {key: value for key, value in params.items() if key not in listed}
        if extra:
            given["extra_body"] = extra
        if api_base:
            given["api_base"] = api_base
        if key := dummy_key(provider, api_base, os.environ):
            given["api_key"] = key
        if "stream_options" in listed:
            given["stream_options"] = {"include_usage": True}
        if message["kind"] == "text":
            return self.litellm.atext_completion, {**given, "prompt": message["prompt"]}
        return self.litellm.acompletion, {**given, "messages": message["messages"], "num_retries": 0}

    async def run(self, message: Mapping[str, Any]) -> None:
        call = message["id"]
        batch = Batch(call, self.send, self.redaction)
        try:
            end = await self.attempts(message, batch)
        except asyncio.CancelledError:
            end = {"status": Status.CANCELLED, "cause": "cancelled", "cause_kind": Cause.OPERATOR}
        except Exception as error:
            end = {"status": Status.ERROR, "cause": f"nothing was sent: {words_of(error)}", "cause_kind": Cause.NOT_SENT}
        finally:
            del self.tasks[call]
        batch.flush(last=True)
        blank = {"finish_raw": "", "usage": None, "model": "", "fingerprint": ""}
        end["cause"] = one_line(batch.clean(str(end["cause"])))
        self.send({"type": "end", "id": call, **blank, **end, "redacted": batch.redacted})

    async def attempts(self, message: Mapping[str, Any], batch: Batch) -> dict[str, Any]:
        function, given = self.arguments(message)
        loop, deadlines = asyncio.get_running_loop(), message["deadlines"]
        ends = loop.time() + deadlines["total"]
        for attempt in range(1, int(deadlines["retries"]) + 2):
            seen = Observed(deadlines["connect"])
            end, again = await self.attempt(function, given, batch, seen, Clock(deadlines, ends))
            if not again or attempt > deadlines["retries"]:
                break
            wait = pause(seen, attempt)
            if loop.time() + wait >= ends:
                end["cause"] += f"; to wait {wait:g} s for the next attempt would take longer than {deadlines['total']:g} s in all"
                break
            why = one_line(batch.clean(str(end["cause"])))
            self.send({"type": "retry", "id": message["id"], "attempt": attempt, "wait": wait, "why": why})
            await asyncio.sleep(wait)
        return end

    async def attempt(
        self, function: Callable[..., Awaitable[Any]], given: dict[str, Any], batch: Batch, seen: Observed, clock: Clock
    ) -> tuple[dict[str, Any], bool]:
        """How one attempt ended, and whether another may be made."""
        OBSERVED.set(seen)
        seen.on_event = clock.beat
        guess: dict[str, Any] = {"finish": "", "usage": None, "model": ""}
        error: Exception | None = None
        try:
            async with clock.limit:
                clock.beat()
                await self.read(await function(**given), batch, clock, guess)
        except Exception as caught:
            error = caught
        finally:  # litellm forgets it where a text completion is left between two chunks
            if seen.let_go is not None:
                with contextlib.suppress(Exception):
                    await seen.let_go()
        if clock.limit.expired():
            end: dict[str, Any] = {
                "status": Status.ERROR,
                "cause": clock.why,
                "finish_raw": seen.finish,
                "cause_kind": Cause.DEADLINE,
            }
        elif error is not None and not (seen.finish and seen.broken):  # a break after the end is none
            cause = cause_of(error, seen)
            refused = isinstance(error, self.litellm.ContentPolicyViolationError) or (seen.status == 400 and POLICY.search(cause))
            status = Status.REFUSED if refused and not batch.any["text"] else Status.ERROR
            kind = Cause.FILTER if status is Status.REFUSED else kind_of(seen)
            end = {"status": status, "cause": cause, "finish_raw": seen.finish, "cause_kind": kind}
        else:
            status, cause, finish = seen.verdict(batch.any["text"], batch.any["reasoning"], guess["finish"])
            end = {
                "status": status,
                "cause": cause,
                "cause_kind": kind_of_end(status, cause, seen),
                "finish_raw": finish,
                "usage": self.usage(given["model"], seen, guess["usage"]),
            }
        again = error is not None and not clock.limit.expired() and end["status"] is Status.ERROR and may_retry(seen)
        model = batch.clean(seen.model or guess["model"])
        end["finish_raw"] = batch.clean(end.get("finish_raw", ""))
        return {**end, "model": model, "fingerprint": batch.clean(seen.fingerprint)}, again

    async def read(self, stream: Any, batch: Batch, clock: Clock, guess: dict[str, Any]) -> None:
        try:
            async for chunk in stream:
                await asyncio.sleep(0)  # buffered chunks come without a pause: let timers, cancels and other calls have their turn
                guess["usage"] = getattr(chunk, "usage", None) or guess["usage"]
                guess["model"] = getattr(chunk, "model", None) or guess["model"]
                if not chunk.choices:
                    continue
                choice = chunk.choices[0]
                delta = getattr(choice, "delta", None)
                text = getattr(choice, "text", None) if delta is None else delta.content
                reasoning = getattr(choice if delta is None else delta, "reasoning_content", None)
                guess["finish"] = choice.finish_reason or guess["finish"]
                clock.beat(talking=bool(text or reasoning))
                if text or reasoning:
                    batch.add(text or "", reasoning or "")
        finally:  # the socket closes at once, and the server stops
            await (stream if hasattr(stream, "aclose") else stream.completion_stream).aclose()

    def usage(self, model: str, seen: Observed, guess: Any) -> dict[str, Any] | None:
        """Tokens as reported, else litellm's estimate marked as one; the cost if the local map has the model."""
        tokens, exact = seen.tokens(), True
        if tokens is None:
            counts = {"input": getattr(guess, "prompt_tokens", None), "output": getattr(guess, "completion_tokens", None)}
            tokens, exact = {**{part: count or None for part, count in counts.items()}, "reasoning": None}, False
            if not any(tokens.values()):
                return None
        return {**tokens, "cost": self.cost(model, tokens, guess), "exact": exact}

    def cost(self, model: str, tokens: Mapping[str, int | None], guess: Any) -> float | None:
        try:
            name, provider, _, _ = self.litellm.get_llm_provider(model)
            if not self.priced(model, name, provider):
                return None
            counts = {"prompt_tokens": tokens["input"] or 0, "completion_tokens": tokens["output"] or 0}
            usage = guess or self.litellm.Usage(**counts, total_tokens=sum(counts.values()))
            reply = self.litellm.ModelResponse(model=name, usage=usage)
            return float(self.litellm.completion_cost(completion_response=reply, model=name, custom_llm_provider=provider)) or None
        except Exception:
            return None


async def serve(out: int) -> None:
    """Reads messages until stdin closes, then the process ends, whatever it is doing."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[bytes] = asyncio.Queue()

    def listen() -> None:
        with contextlib.suppress(Exception):
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(inbox.put_nowait, line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(out, "wb", 0))

    def send(message: dict[str, Any]) -> None:
        pipe.write(json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n")

    litellm = await load_litellm()
    calls = Calls(litellm, send)
    send({"type": "ready", "litellm": version()})
    while True:
        calls.handle(json.loads(await inbox.get()))


def version() -> str:
    from importlib.metadata import version as of

    return of("litellm")


def main() -> None:
    """Keeps stdout for the protocol: whatever prints goes to stderr, which the parent captures."""
    out = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        asyncio.run(serve(out))
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # the ordinary way out aborts while a thread reads stdin


if __name__ == "__main__":
    main()
