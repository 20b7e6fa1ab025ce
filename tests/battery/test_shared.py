"""A file that people share says nowhere where a request goes, with which header or which key."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from canaries import hits
from children import SHAPES, Bench, bench, lab, with_plant, without
from model_server import ModelServer
from table import Table

from lifeline_tui.core.plan import Plan
from lifeline_tui.importers import session_jsonl
from lifeline_tui.interventions.table import scriptable
from lifeline_tui.loading import plans
from lifeline_tui.loading.files import BadFile
from lifeline_tui.loading.packs import load_pack
from lifeline_tui.loading.plans import load_plan
from lifeline_tui.session.opening import create
from lifeline_tui.subjects.child import worker
from lifeline_tui.subjects.protocol import SubjectError
from lifeline_tui.subjects.scripted import ScriptedSubject

__all__ = ["bench"]

SHARED = "KEYS: files that people share"
NAMES = (
    *(
        "api_base",
        "base_url",
        "api-base",
        "url",
        "endpoint",
        "host",
        "proxy",
        "http_proxy",
        "aws_bedrock_runtime_endpoint",
        "vertex_location",
    ),
    *("headers", "extra_headers", "default_headers", "provider_specific_header", "authorization", "extra_query", "extra_body"),
    *(
        "api_key",
        "key",
        "key_name",
        "token",
        "env",
        "environment",
        "organization",
        "credentials",
        "litellm_credential_name",
        "azure_ad_token",
    ),
    *(
        "model",
        "model_list",
        "fallbacks",
        "custom_llm_provider",
        "api_version",
        "client",
        "callbacks",
        "success_callback",
        "mock_response",
    ),
    *(
        "tools",
        "functions",
        "web_search_options",
        "prediction",
        "metadata",
        "deployment_id",
        "hf_model_name",
        "num_retries",
        "ssl_verify",
    ),
)
"""What would say where a request goes, with which header and which key, or what else is done with it; of litellm's and of anybody's."""
PLAN = """name: shared
about: words
puzzles: {pack: starter, count: 1}
lifelines: 3
scoring: {right: 1}
feedback: {kind: reveal}
subject: {temperature: 1}
then:
  - {do: challenge, in: fork, for: all, when: {field: grade, op: is, value: wrong}}
"""
PACK = """name: shared
about: words
puzzles:
  - id: a
    text: How many?
    answer: {type: int, value: "4"}
    fakes: [{value: "5", error: one too many}]
"""
SCRIPT = "- {text: hello, chunks: 2}\n"
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "plan": (PLAN, lambda path: load_plan(path, scriptable())),
    "pack": (PACK, load_pack),
    "script": (SCRIPT, lambda path: ScriptedSubject("scripted/it", path)),
}


def with_a_field_more(text: str, field: str) -> Iterator[str]:
    """`text` with another field at each place where one can be added: before each field that it has."""
    for match in re.finditer(r"(?m)(^ *(?:- )?|[{] ?)(?=[a-z_]+:)", text):
        at = match.end()
        column = at - text.rfind("\n", 0, at) - 1
        yield text[:at] + field + (", " if "{" in match[0] else "\n" + " " * column) + text[at:]


VALUES = ('"http://127.0.0.1:9/v1"', "{x-evil: y}", "[a]")


def shared_files(folder: Path, names: Sequence[str], values: Sequence[str] = VALUES[:1]) -> Counter[str]:
    """Adds each of those fields at each place of a plan, a pack and a file of replies."""
    counts: Counter[str] = Counter({"taken": 0})
    for kind, (text, read) in READERS.items():
        path = folder / f"{kind}.yaml"
        path.write_text(text)
        read(path)
        for field in (f"{name}: {value}" for name in names for value in values):
            for more in with_a_field_more(text, field):
                path.write_text(more)
                counts["fields added"] += 1
                with suppress(BadFile, SubjectError):
                    read(path)
                    counts["taken"] += 1
    return counts


def hostile(url: str) -> dict[str, Any]:
    """Parameters of a notebook that somebody made by hand."""
    said: dict[str, Any] = dict.fromkeys(NAMES, url)
    header = {"x-evil": "1", "authorization": "Bearer evil"}
    said |= {name: header for name in NAMES if "header" in name}
    said |= dict.fromkeys(("api_key", "key", "token", "azure_ad_token"), "os.environ/ANTHROPIC_API_KEY")
    said |= {
        "model_list": [{"model_name": "x", "litellm_params": {"model": "openai/x", "api_base": url}}],
        "fallbacks": ["anthropic/x"],
    }
    said |= {"tools": [{"type": "mcp", "server_url": url, "server_label": "x"}], "callbacks": ["langfuse"], "num_retries": 3}
    return said


def shared_parameters(bench: Bench, other: ModelServer, names: Sequence[str], shapes: Sequence[str]) -> Counter[str]:
    """Asks with each parameter that a notebook could bring; what the chosen server then sees but the body, and what another does."""
    counts: Counter[str] = Counter({"requests elsewhere": 0, "headers and paths set": 0, "other keys sent": 0})
    bench.server.reply = other.reply = lambda body: "ANSWER: 4"
    for shape in shapes:
        usual: tuple[str, dict[str, str]] | None = None
        brought = hostile(other.url)
        for name, value in [("seed", 1), *[(name, brought[name]) for name in names]]:
            bench.server.seen.clear()
            bench.ask(shape, "happy", {name: value})
            counts["parameters"] += 1
            for seen in bench.server.seen:
                now = (seen.path, {name: said for name, said in seen.headers.items() if name != "content-length"})
                usual = usual or now
                counts["headers and paths set"] += now != usual
                sent = set(hits(json.dumps(seen.headers)))
                counts["other keys sent"] += len(
                    sent - {{"ollama_chat": "OLLAMA"}.get(shape, shape.upper()).replace("TEXT-COMPLETION-", "") + "_API_KEY"}
                )
    counts["requests elsewhere"] += len(other.seen)
    return counts


MODELS = (
    "oobabooga/URL/x",
    "huggingface/URL/x",
    "a2a/URL/x",
    "custom/URL",
    "triton/URL",
    "openai/URL/v1",
    "URL/v1/x",
    "replicate/URL",
    "sagemaker/URL",
)


def shared_notebooks(bench: Bench, other: ModelServer, home: Path) -> Counter[str]:
    """Opens and goes on with notebooks that say where they were served: by the model's name, or by the state of a view."""
    counts: Counter[str] = Counter({"taken": 0})
    db = home / "shared.db"

    async def opened(model: str, view: Mapping[str, Any]) -> None:
        here = lab(bench, db)
        plan = Plan(name="shared")
        subject = bench.child.provider.subject(model)
        puzzles = load_pack("starter").puzzles[:1]
        made = await create(here.writer, plan, puzzles, subject, here.templates, title="shared", seed=1, view=view)
        await made.close()
        counts["notebooks"] += 1
        try:
            session = await here.open(made.id)
            try:
                await session.do("next")
                counts["taken"] += 1
            finally:
                await session.close()
        except SubjectError:
            pass
        await here.close()

    for model in MODELS:
        bench.child.run(opened(model.replace("URL", other.root), {}))
    for place in (
        other.url.replace("127.0.0.1", "model.example.org"),
        "http://127.0.0.1.example.org/v1",
        "http://[2001:db8::1]/v1",
    ):
        bench.child.run(opened("openai/happy", {"api_base": place}))
    bench.child.run(opened("openai/happy", {}))  # brought here by an import, so that nobody knows
    counts["requests elsewhere"] += len(other.seen)
    return counts


FAULTS = ("taken", "requests elsewhere", "headers and paths set", "other keys sent")


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["fast", "long"])
def test_a_file_that_people_share_sets_no_address_no_header_and_no_key(
    long: bool, bench: Bench, tmp_path: Path, chance: random.Random, table: Table
) -> None:
    with ModelServer() as other:
        names = NAMES if long else chance.sample(NAMES, 8)
        counts = shared_files(tmp_path, names, VALUES if long else VALUES[:1])
        counts.update(shared_notebooks(bench, other, tmp_path))
        counts.update(shared_parameters(bench, other, names, SHAPES if long else SHAPES[:1]))
    table.row(SHARED, counts)
    assert not any(counts[word] for word in FAULTS), counts


def test_a_plan_that_sets_an_address_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setitem(plans.SAMPLING, "api_base", lambda entry, name: entry.text(name))
    found = shared_files(tmp_path, ("api_base",))["taken"]
    assert found
    table.caught(SHARED, "a plan's subject may set api_base", found)


@pytest.mark.slow
def test_a_notebook_that_sets_an_address_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setattr("lifeline_tui.session.lab.on_this_machine", lambda address: True)
    with ModelServer() as other, Bench(tmp_path / "it") as lax:
        found = shared_notebooks(lax, other, tmp_path)["taken"]
    assert found
    table.caught(SHARED, "a session goes on where it says that it was served", found)


@pytest.mark.slow
def test_a_parameter_that_steers_a_call_is_found(tmp_path: Path, table: Table) -> None:
    code = without(worker.Calls.arguments, 'given["extra_body"] = extra', "given.update(extra)")
    with ModelServer() as other, Bench(tmp_path / "it", with_plant(code)) as lax:
        counts = shared_parameters(lax, other, NAMES, SHAPES[:1])
    found = sum(counts[word] for word in FAULTS)
    assert found
    table.caught(SHARED, "every parameter is an argument of litellm's", found)


def test_a_session_from_elsewhere_goes_on_where_the_operator_says(bench: Bench, tmp_path: Path) -> None:
    bench.server.reply = lambda body: "ACTION: ANSWER\nANSWER: 4"

    async def goes_on() -> list[str]:
        first, second = lab(bench, tmp_path / "first.db"), lab(bench, tmp_path / "second.db")
        made = await first.new("baseline-20", "openai/happy", api_base=bench.server.url)
        await made.close()
        first.export(made.id, "session-jsonl", tmp_path / "x.jsonl")
        session_jsonl.read(second.writer.store, tmp_path / "x.jsonl")
        ends = []
        for said in ("", bench.server.url, ""):
            session = await second.open(made.id, api_base=said)
            try:
                await session.do("next")
                ends.append(str(session.tree[session.tip].body.status))
            except SubjectError as why:
                ends.append(str(why))
            await session.close()
        await first.close()
        await second.close()
        return ends

    unknown, *known = bench.child.run(goes_on())
    assert "is not known here" in unknown
    assert known == ["complete", "complete"]
