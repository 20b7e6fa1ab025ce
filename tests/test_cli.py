"""The command line's contract: what goes to stdout, what to stderr, which code a command ends with, and one line for an error."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from command_line import COMMAND, environ, lifeline, real

from lifeline_tui.cli.main import cli
from lifeline_tui.core.nodes import Call as CallBody
from lifeline_tui.core.nodes import Origin, Part, PartKind, Reply, Root, Span, Status, User, digest, text_of
from lifeline_tui.core.text import visible
from lifeline_tui.core.transcript import CHAT, render
from lifeline_tui.interventions.types import Refusal
from lifeline_tui.runs import pool
from lifeline_tui.runs.autoplay import Ended
from lifeline_tui.session.session import Session
from lifeline_tui.store import Draft, Reader, Store
from lifeline_tui.store.verify import verify
from lifeline_tui.subjects.names import SIMULATED

RUN_KEYS = [
    "session",
    "branch",
    "plan",
    "model",
    "seed",
    "simulated",
    "lifelines_offered",
    "attempts",
    "answered",
    "lifelines_used",
    "abstained",
    "violations",
    "right",
    "wrong",
    "ungradable",
    "unparsed",
    "score_true",
    "score_shown",
    "status",
    "left_out",
    "unread",
    "asked_again",
    "discarded",
    "item_seed",
]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a notebook of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIFELINE_DB", str(tmp_path / "t.db"))
    return tmp_path


def ran(*options: object) -> dict[str, Any]:
    """A short session on a puppet, and its summary."""
    (summary,) = lifeline("run", "lifelines-10", "--limit", 3, "--json", *options).data
    return dict(summary)


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


# Help and wrong usage


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    done = lifeline(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"lifeline {' '.join(path)}" in done.out.partition("Example: ")[2]


@pytest.mark.parametrize("path", [(), ("packs",), ("plans",)], ids=str)
def test_groups_have_help_too(path: tuple[str, ...]) -> None:
    assert lifeline(*path, "-h").code == 0
    assert lifeline("--version").out.startswith("lifeline")


WRONG_USAGE = [
    (("--nope",), "--nope"),
    (("nope",), "nope"),
    (("packs",), "lifeline packs --help"),
    (("packs", "nope"), "nope"),
    (("show",), "SESSION"),
    (("run", "lifelines-10", "--seed", "x"), "--seed"),
    (("run", "lifelines-10", "--repeats", "0"), "--repeats"),
    (("export", "--format", "nope"), "--format"),
    (("replay", "x", "--mode", "nope"), "--mode"),
    (("probe",), "--model"),
    (("export", "--format", "markdown", "-o", "."), "is a directory"),
    ((), "terminal"),
    (("open", "--plan", "lifelines-10"), "terminal"),
]


@pytest.mark.parametrize(("words", "names"), WRONG_USAGE, ids=lambda value: str(value))
def test_wrong_usage_is_one_line_and_two(words: tuple[str, ...], names: str) -> None:
    done = lifeline(*words)
    assert done.code == 2
    assert names in done.sentence


WRONG_INPUT = [
    (("run", "nope"), "no plan has this name"),
    (("run", "bad.yaml"), "bad.yaml:2: bogus: "),
    (("run", "missing.yaml"), "missing.yaml: cannot be read"),
    (("plans", "check", "bad.yaml"), "bad.yaml:2: bogus: "),
    (("plans", "show", "nope"), "no plan has this name"),
    (("packs", "show", "nope"), "no pack has this name"),
    (("packs", "check", "words.txt"), "words.txt"),
    (("run", "lifelines-10", "--model", "nope"), "no model"),
    (("run", "lifelines-10", "--model", "sim/nope"), "sim/anxious"),
    (("run", "lifelines-10", "--model", "anthropic/claude-x"), "set ANTHROPIC_API_KEY"),
    (("probe", "--model", "anthropic/claude-x"), "set ANTHROPIC_API_KEY"),
    (("run", "lifelines-10", "--model", "scripted/missing"), "missing: cannot be read"),
    (("run", "lifelines-10", "--model", "openai/x", "--api-base", "http://me:sk-secret@localhost/v1"), "no user, password"),
    (("run", "lifelines-10", "--model", "openai/x", "--api-base", "nonsense"), "http"),
    (("run", "lifelines-10", "--db", "words.txt"), "not a lifeline database"),
    (("run", "lifelines-10", "--db", "words.txt/in/it.db"), "not a folder"),
    (("run", "lifelines-10", "--db", "."), "."),
    (("sessions", "--db", "words.txt"), "not a lifeline database"),
    (("verify", "--db", "words.txt"), "not a lifeline database"),
    (("verify",), "no database at"),
    (("show", "x"), "no database at"),
    (("replay", "x"), "no database at"),
    (("export", "--format", "markdown"), "no database at"),
    (("import", "words.txt"), "words.txt:1: "),
    (("import", "missing"), "cannot be read"),
    (("import", "."), "not a regular file"),
]


@pytest.mark.parametrize(("words", "says"), WRONG_INPUT, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_wrong_input_is_one_line_and_two(scratch: Path, words: tuple[str, ...], says: str) -> None:
    (scratch / "bad.yaml").write_text("name: bad\nbogus: 1\n")
    (scratch / "words.txt").write_text("dear diary\n" * 20)
    done = lifeline(*words)
    assert done.code == 2
    assert says in done.sentence
    assert "sk-secret" not in done.err
    assert (scratch / "words.txt").read_text() == "dear diary\n" * 20


IN_A_NOTEBOOK = [
    (("show", "nope"), "lifeline sessions"),
    (("show", "nope", "--json"), "lifeline sessions"),
    (("show", "lifelines", "--branch", "nope"), "it has main"),
    (("show", "lifelines", "--branch", "nope", "--json"), "it has main"),
    (("replay", "nope"), "lifeline sessions"),
    (("replay", "lifelines", "--branch", "nope"), "it has main"),
    (("export", "nope", "--format", "markdown"), "lifeline sessions"),
    (("export", "--format", "markdown", "-o", "missing/x"), "missing/x cannot be written"),
    (("export", "--format", "markdown", "-o", "link"), "symbolic link"),
]


def test_what_a_notebook_does_not_hold_is_one_line_and_two(scratch: Path) -> None:
    ran()
    (scratch / "link").symlink_to("elsewhere")
    for words, says in IN_A_NOTEBOOK:
        done = lifeline(*words)
        assert done.code == 2, words
        assert says in done.sentence
    assert not (scratch / "elsewhere").exists()


def test_a_wrong_config_is_a_line_for_every_command(empty_home: Path) -> None:
    folder = Path(lifeline("doctor").out.partition("config, plans and prompts: ")[2].splitlines()[0])
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('model = "sim/anxious"\nbogus = 1\n')
    for words in [
        ("run", "lifelines-10"),
        ("sessions",),
        ("show", "x"),
        ("models",),
        ("probe", "--model", "sim/base"),
        ("verify",),
    ]:
        done = lifeline(*words)
        assert done.code == 2, words
        assert "config.toml:2: bogus: " in done.sentence


ILL = """\
model = 3
theme = "purple"
[keys]
next = "banana"
reveal = "semicolon"
fake = "f9"
"sessions.leave" = "f9"
nope = "f1"
undoo = "f2"
praise = "f9"
"start.quit" = "x"
"""
FOUND = [
    "{config}:1: model: names no model: write provider/model",
    "{config}:4: keys.next: names no key of a keyboard: ",
    "{config}:10: keys.praise: 'f9' is the key of fake too: ",
    "{config}: theme: there is no theme 'purple'; there are lifeline-dark, ",
    "{config}: keys.reveal: 'semicolon' is the key of note too, which then has none: ",
    "{config}: keys.nope: a key does nothing of this name; did you mean 'note'?",
    "{config}: keys.undoo: a key does nothing of this name; did you mean 'undo'?",
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the operator's settings are read from."""
    monkeypatch.setenv("LIFELINE_HOME", str(tmp_path))
    return tmp_path / "config.toml"


def bad(*words: str) -> list[str]:
    done = lifeline("doctor", *words)
    found = [line.removeprefix("BAD ") for line in done.out.splitlines() if line.startswith("BAD ")]
    assert (done.code, done.err) == (bool(found), "")
    return found


def test_the_doctor_names_all_that_is_wrong_with_a_config(config: Path) -> None:
    config.write_text(ILL)
    found = bad()
    assert len(found) == len(FOUND)
    for line, wanted in zip(found, FOUND, strict=True):
        assert line.startswith(wanted.format(config=config))
    config.write_text("[[keys]]")
    assert bad() == [f"{config}:1: keys: must be fields with values, not a list"]
    config.write_text('model = "sim/nope"')
    assert bad()[0].startswith(f"{config}: model: There is no embedded subject 'sim/nope'")
    config.write_text('model = "fast"\ntheme = "nord"\n[keys]\nnext = "r"\nreveal = "n,f5"\n[models.fast]\nmodel = "openai/x"')
    assert bad() == []


def test_the_doctor_names_a_folder_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELINE_HOME", "/" + "x" * 300)
    assert [line.partition(": cannot be read: ")[2] for line in bad()[:2]] == ["File name too long"] * 2


def test_the_names_of_keys_are_those_of_every_screen_and_widget() -> None:
    from lifeline_tui.cli.doctor import bindings
    from lifeline_tui.interventions.table import TABLE
    from lifeline_tui.loading.keyboard import spelled

    usual = bindings()
    assert usual.keys() >= TABLE.keys() | {"quit", "peek", "sessions.leave", "form.send", "tree.fold", "transcript.next"}
    assert [key for keys in usual.values() for key in keys.split(",") if spelled(key) != key] == []


# Runs


def test_a_run_is_one_object_with_the_keys_of_the_contract(scratch: Path) -> None:
    done = lifeline("run", "lifelines-10", "--model", "sim/anxious", "--limit", 5, "--json")
    (summary,) = done.data
    assert (done.code, done.err) == (0, "")
    assert list(summary) == RUN_KEYS
    assert summary["status"] == "complete"
    assert summary["simulated"] is True
    assert (summary["plan"], summary["model"], summary["branch"], summary["seed"]) == ("lifelines-10", "sim/anxious", "main", 1)
    assert (summary["attempts"], summary["lifelines_offered"]) == (5, 10)
    assert summary["answered"] + summary["lifelines_used"] + summary["unparsed"] <= 5
    assert summary["right"] + summary["wrong"] + summary["ungradable"] == summary["answered"]
    assert (scratch / "t.db").stat().st_mode & 0o777 == 0o600


def test_without_json_a_run_has_words_only() -> None:
    done = lifeline("run", "baseline-20", "--limit", 2)
    assert (done.code, done.out) == (0, "")
    assert "sim/anxious (simulated), seed 1: complete" in done.err


def texts(db: Path, session: str) -> list[tuple[str, str]]:
    with Reader(db) as store:
        return [(node.kind, text_of(node.body)) for node in store.nodes(session)]


def test_repeats_count_seeds_up_and_do_not_disturb_one_another(scratch: Path) -> None:
    options = ("run", "liar-realtime", "--limit", 4, "--repeats", 3, "--seed", 5, "--json", "--concurrency")
    at_once, in_turn = lifeline(*options, 3).data, lifeline(*options, 1).data
    assert [each["seed"] for each in at_once] == [5, 6, 7]
    assert [{**each, "session": ""} for each in at_once] == [{**each, "session": ""} for each in in_turn]
    for one, other in zip(at_once, in_turn, strict=True):
        assert one["session"] != other["session"]
        assert texts(scratch / "t.db", one["session"]) == texts(scratch / "t.db", other["session"])
    assert texts(scratch / "t.db", at_once[0]["session"]) != texts(scratch / "t.db", at_once[1]["session"])


def test_a_run_whose_subject_fails_at_once_says_why_and_failed(scratch: Path) -> None:
    (scratch / "mute.yaml").write_text("- {status: error}\n")
    done = lifeline("run", "lifelines-10", "--model", "scripted/mute.yaml", "--json")
    assert done.code == 1
    assert done.data[0]["status"] == "failed"
    assert "stopped: error: " in done.err


def test_a_run_that_left_a_part_of_its_script_out_is_partial_and_says_which(scratch: Path) -> None:
    (scratch / "none.yaml").write_text('- "ACTION: ANSWER\\nANSWER: 4"\n- "COUNT: 0"\n- "WHICH: none"\n')
    done = lifeline("run", "liar-realtime", "--model", "scripted/none.yaml", "--limit", 1, "--json")
    assert (done.code, done.data[0]["status"]) == (1, "partial")
    assert done.err.splitlines()[-2:] == [
        f"The plan's {name} for the claimed puzzles was passed over: nothing was claimed"
        for name in ("workings", "workings-no-claim")
    ]


def test_a_run_pauses_where_reply_after_reply_cannot_be_read(scratch: Path) -> None:
    (scratch / "talk.yaml").write_text('- "Hm."\n' * 9)
    done = lifeline("run", "baseline-20", "--model", "scripted/talk.yaml", "--json")
    assert (done.code, done.data[0]["status"], done.data[0]["unparsed"]) == (1, "partial", 3)
    assert "Paused: 3 replies in a row could not be read." in done.err


def test_a_run_that_stops_half_way_is_partial_and_keeps_what_it_has(scratch: Path) -> None:
    (scratch / "short.yaml").write_text('- "ANSWER: 4"\n- "ANSWER: 5"\n')
    done = lifeline("run", "baseline-20", "--model", "scripted/short.yaml", "--json")
    assert done.code == 1
    assert done.data[0]["status"] == "partial"
    assert done.data[0]["answered"] == 2
    assert "has only 2 replies" in done.err


def test_a_step_that_cannot_be_done_stops_its_session_alone_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    play = pool.play

    async def refused(session: Session) -> Ended:
        if session.root.seed == 2:
            raise Refusal("There is no such step.")
        return await play(session)

    monkeypatch.setattr(pool, "play", refused)
    done = lifeline("run", "baseline-20", "--limit", 1, "--repeats", 3, "--json")
    assert done.code == 1
    assert [each["status"] for each in done.data] == ["complete", "partial", "complete"]
    stopped = done.data[1]["session"]
    assert f"session {stopped} stopped: There is no such step.\n" in done.err
    assert done.err.endswith(f"session {stopped} can be gone on with: lifeline run --resume {stopped}\n")


def test_a_folder_for_the_notebook_is_made() -> None:
    assert ran("--db", "new/below/n.db")["status"] == "complete"
    assert lifeline("sessions", "--db", "new/below/n.db", "--json").data
    assert lifeline("--db", "new/below/n.db", "sessions", "--json").data


DRIPPING = "- {text: dripping, delay_ms: 1, chunks: 2}\n" * 3
INTERRUPTED = """
import sys, os, signal
from lifeline_tui.subjects import scripted
from lifeline_tui.subjects.protocol import Delta
async def stream(self, request):
    import asyncio
    yield Delta("so far")
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)
scripted.ScriptedSubject.stream = stream
from lifeline_tui.cli.main import main
main()
"""


def test_control_c_saves_what_arrived(scratch: Path) -> None:
    (scratch / "slow.yaml").write_text(DRIPPING)
    words = [sys.executable, "-c", INTERRUPTED, "run", "lifelines-10", "--model", "scripted/slow.yaml", "--json"]
    done = subprocess.run(words, env=environ(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("lifeline: stopped; everything that arrived is saved\n")
    with Reader(scratch / "t.db") as store:
        last = store.nodes(store.sessions()[0].id)[-1].body
        assert isinstance(last, Reply)
        assert (last.status, last.spans[0].text) == (Status.CANCELLED, "so far")
        assert verify(store) == []


def test_what_is_done_is_told_before_a_run_is_stopped(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play = pool.play

    async def stopped(session: Session) -> Ended:
        if session.root.seed == 2:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        return await play(session)

    monkeypatch.setattr(pool, "play", stopped)
    done = lifeline("run", "baseline-20", "--limit", 1, "--repeats", 3, "--concurrency", 1, "--json")
    assert done.code == 130
    assert [each["seed"] for each in done.data] == [1]
    with Reader(scratch / "t.db") as store:
        assert [store.owner(row.id) for row in store.sessions()] == [None, None]
        assert verify(store) == []


# Reading


def test_sessions_and_show_have_the_shapes_of_the_formats() -> None:
    summary = ran()
    (line,) = lifeline("sessions", "--json").data
    assert set(line) == {
        "session",
        "title",
        "plan",
        "model",
        "simulated",
        "status",
        "created_at",
        "updated_at",
        "nodes",
        "branches",
        "attempts",
    }
    assert (line["session"], line["status"], line["attempts"], line["simulated"]) == (summary["session"], "idle", 3, True)
    (shown,) = lifeline("show", summary["session"][:20], "--json").data
    assert set(shown) == {"session", "branches", "nodes", "annotations"}
    assert shown["session"] == line
    assert len(shown["nodes"]) == line["nodes"]
    assert [branch["name"] for branch in shown["branches"]] == ["main"]
    assert shown["branches"][0]["tip"] == shown["nodes"][-1]["id"]
    assert not any("partial" in node for node in shown["nodes"])
    words = lifeline("sessions")
    assert (words.code, words.err) == (0, "")
    assert summary["session"] in words.out
    assert "SIMULATED" in words.out


def test_a_branch_can_be_shown_alone(scratch: Path) -> None:
    (scratch / "forks.yaml").write_text("name: forks\npuzzles: {count: 1}\nthen:\n  - {do: workings, for: all, in: fork}\n")
    (summary,) = lifeline("run", "forks.yaml", "--json").data
    (main,), (fork,), (both,) = (
        lifeline("show", summary["session"], "--json", *more).data for more in [("--branch", "main"), ("--branch", "workings"), ()]
    )
    assert len(main["nodes"]) < len(fork["nodes"]) == len(both["nodes"])
    assert [branch["name"] for branch in both["branches"]] == ["main", "workings"]
    record = lifeline("show", summary["session"], "--branch", "main").out
    assert "## Branch main" in record
    assert "## Branch workings" not in record


def test_no_notebook_yet_is_no_session_and_no_failure(scratch: Path) -> None:
    for words in (("sessions",), ("sessions", "--json"), ("sessions", "--search", "x")):
        done = lifeline(*words)
        assert (done.code, done.out) == (0, "")
        assert "no notebook yet" in done.err
    assert list(scratch.glob("t.db*")) == []


def test_search_finds_what_was_said_and_what_it_is_called() -> None:
    one, other = ran(), ran("--seed", 2, "--model", "sim/rational")

    def found(text: str) -> set[str]:
        return {line["session"] for line in lifeline("sessions", "--json", "--search", text).data}

    with Reader(os.environ["LIFELINE_DB"]) as store:
        said = {
            id: {
                word
                for node in store.nodes(id)
                if isinstance(node.body, Reply)
                for word in node.body.spans[0].text.split()
                if word.isalpha()
            }
            for id in (one["session"], other["session"])
        }
    own = max(said[one["session"]] - said[other["session"]], key=lambda word: (len(word), word))
    assert one["session"] in found(own)
    assert found("lifelines-10") == {one["session"], other["session"]}
    assert found("rational") == {other["session"]}
    assert found("there is no such word") == set()
    assert found('"*') == set()
    done = lifeline("sessions", "--search", "no such\x1bword")
    assert (done.code, done.out) == (0, "")
    assert done.err == "nothing found: no session is called 'no such\\x1bword', and in none was it said\n"
    assert lifeline("sessions", "--search", "rational").err == ""
    with Store(os.environ["LIFELINE_DB"]) as store:
        while store.index():
            pass
    assert one["session"] in found(own)


def test_a_recorded_replay_proves_every_node() -> None:
    summary = ran()
    done = lifeline("replay", summary["session"], "--mode", "recorded", "--json")
    assert done.code == 0
    assert all(step["faithful"] for step in done.data)
    (shown,) = lifeline("show", summary["session"], "--json").data
    assert [step["node"] for step in done.data] == [node["id"] for node in shown["nodes"]]
    assert lifeline("replay", summary["session"]).out.startswith("[root sim/anxious SIMULATED]")


def test_a_replay_that_differs_is_a_failure_that_names_the_node(scratch: Path) -> None:
    with Store(scratch / "t.db") as store:
        session = store.create_session("x", "x", "sim/anxious", True)
        user = User((Part(PartKind.FREE, (Span("hello", Origin.OPERATOR),)),))
        call = CallBody(model="sim/anxious", simulated=True, renderer=CHAT, digest=digest("another"))
        store.append(
            session,
            [Draft(Root()), Draft(user), Draft(call), Draft(Reply((Span("hi", Origin.MODEL),)))],
            parent=None,
            branch="main",
        )
    done = lifeline("replay", "x", "--json")
    assert done.code == 1
    assert [step["kind"] for step in done.data if not step["faithful"]] == ["call"]
    assert "1 nodes do not replay" in done.err
    done = lifeline("verify")
    assert done.code == 1
    assert "did not send what its path says" in done.out


def test_exports_go_to_stdout_or_whole_into_a_file_and_back(scratch: Path) -> None:
    ran()
    for format_ in ("session-jsonl", "attempts-csv", "markdown"):
        out = lifeline("export", "--format", format_)
        assert (out.code, out.err) == (0, "")
        done = lifeline("export", "--format", format_, "-o", format_)
        assert (done.code, done.out) == (0, "")
        assert (scratch / format_).read_text() == out.out
    done = lifeline("import", "session-jsonl", "--db", "other.db")
    assert (done.code, done.out) == (0, "")
    assert lifeline("export", "--format", "session-jsonl", "--db", "other.db").out == (scratch / "session-jsonl").read_text()
    assert "unchanged" in lifeline("import", "session-jsonl", "--db", "other.db").err
    assert lifeline("verify", "--db", "other.db").code == 0


def test_an_altered_import_leaves_nothing_behind(scratch: Path) -> None:
    ran()
    lines = lifeline("export", "--format", "session-jsonl").out.splitlines(keepends=True)
    for altered in (lines[:-1], [*lines[:3], lines[3].replace("a", "b"), *lines[4:]], [lines[0]]):
        (scratch / "x.jsonl").write_text("".join(altered))
        done = lifeline("import", "x.jsonl", "--db", "other.db")
        assert done.code == 2
        assert "x.jsonl:" in done.sentence
    assert not (scratch / "other.db").exists()


# Tools


def test_models_and_plans_and_packs_are_listed() -> None:
    models = lifeline("models", "--json").data
    assert {each["model"] for each in models if each["simulated"]} == set(SIMULATED)
    assert {each["name"] for each in lifeline("plans", "list", "--json").data} >= {"baseline-20", "lifelines-10", "liar-realtime"}
    assert [each["puzzles"] for each in lifeline("packs", "list", "--json").data] == [60]
    assert len(lifeline("packs", "show", "starter", "--json").data) == 60
    for words in (("models",), ("plans", "list"), ("plans", "check"), ("packs", "list"), ("packs", "show", "starter")):
        done = lifeline(*words)
        assert (done.code, done.err) == (0, "")
        assert done.out
    assert "feedback:" in lifeline("plans", "show", "liar-realtime").out


@pytest.mark.parametrize("model", ["sim/anxious", "sim/base"])
def test_a_probe_is_one_object(model: str) -> None:
    done = lifeline("probe", "--model", model)
    (facts,) = done.data
    assert (done.code, done.err) == (0, "")
    assert (facts["model"], facts["simulated"], facts["chat"]) == (model, True, model != "sim/base")
    assert facts["text"]


def test_a_key_that_nobody_can_prove_is_told_from_a_wrong_one(scratch: Path) -> None:
    pack = "name: mine\npuzzles:\n  - id: a\n    text: What is 2 + 2?\n    answer: {type: int, value: 4}\n    fakes:\n"
    (scratch / "mine.yaml").write_text(pack + "      - {value: 5, error: miscounted}\n")
    done = lifeline("packs", "check", "mine.yaml")
    assert (done.code, done.err) == (0, "")
    assert "a: not proved: Nobody has verified this key" in done.out
    assert "0 of 1 keys proved, 0 wrong" in done.out
    (scratch / "mine.yaml").write_text(pack + "      - {value: 4.0, error: right after all}\n")
    done = lifeline("packs", "check", "mine.yaml")
    assert done.code == 1
    assert "a: WRONG: " in done.out


def test_the_doctor_says_what_bites(scratch: Path) -> None:
    assert lifeline("doctor").code == 0
    assert "no notebook yet" in lifeline("doctor").out
    ran()
    assert "1 sessions in it" in lifeline("doctor").out
    (scratch / "t.db").chmod(0o644)
    (scratch / "words.txt").write_text("dear diary")
    for words, says in [((), "chmod 600"), (("--db", "words.txt"), "not a lifeline database")]:
        done = lifeline("doctor", *words)
        assert (done.code, done.err) == (1, "")
        assert says in done.out


READINGS = [
    ({"text": "ACTION: ANSWER\nANSWER: 38\nDIFFICULTY: 7\nCONFIDENCE: 85"}, ("answer", "38", 7, 85)),
    ({"text": "ACTION: LIFELINE"}, ("lifeline", None, None, None)),
    ({"text": ""}, ("unparsed", None, None, None)),
    ({"text": "\ud83d"}, ("unparsed", None, None, None)),
]


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_parse_reads_a_line_and_writes_a_line() -> None:
    done = lifeline("parse", stdin=lines(*[row for row, _ in READINGS]) + b"\n")
    assert (done.code, done.err) == (0, "")
    assert [tuple(each[name] for name in ("action", "answer", "difficulty", "confidence")) for each in done.data] == [
        reading for _, reading in READINGS
    ]
    assert all(set(each) == {"action", "answer", "difficulty", "confidence", "flags"} for each in done.data)


GRADES = [
    ({"type": "int", "key": "38", "answer": "38.0"}, "right"),
    ({"type": "int", "key": 38, "answer": 38}, "right"),
    ({"type": "int", "key": "38", "answer": "37"}, "wrong"),
    ({"type": "int", "key": "38", "answer": "37 or 38"}, "ungradable"),
    ({"type": "int", "key": "38", "answer": None}, "ungradable"),
    ({"type": "int", "key": "38"}, "ungradable"),
    ({"type": "decimal", "key": "0.5", "answer": "0.51", "tolerance": "0.01"}, "right"),
    ({"type": "decimal", "key": 0.5, "answer": 0.51, "tolerance": 0.001}, "wrong"),
    ({"type": "set", "key": [1, 2], "answer": "{2, 1}"}, "right"),
    ({"type": "tuple", "key": "(1, 2)", "answer": [2, 1]}, "wrong"),
]


def test_grade_reads_a_line_and_writes_a_line() -> None:
    done = lifeline("grade", stdin=lines(*[row for row, _ in GRADES]))
    assert (done.code, done.err) == (0, "")
    assert done.data == [{"grade": grade} for _, grade in GRADES]


BAD_LINES = [
    ("parse", b"nonsense"),
    ("parse", b"[1]"),
    ("parse", b'{"words": 1}'),
    ("parse", b'{"text": null}'),
    ("parse", b"\xff"),
    ("parse", b"[" * 100_000),
    ("grade", b'{"type": "int"}'),
    ("grade", b'{"type": "nope", "key": "1", "answer": "1"}'),
]


@pytest.mark.parametrize(("command", "line"), BAD_LINES, ids=lambda value: str(value)[:20])
def test_a_bad_line_is_named_and_what_came_before_is_answered(command: str, line: bytes) -> None:
    good = lines({"text": "ANSWER: 4", "type": "int", "key": "4", "answer": "4"})
    done = lifeline(command, stdin=good + line + b"\n" + good)
    assert done.code == 2
    assert len(done.data) == 1
    assert done.err.startswith("lifeline: line 2 of the input")
    assert done.err.count("\n") == 1


# Pipes and processes


def test_a_reader_that_has_read_enough_ends_a_command_quietly() -> None:
    session = ran("--limit", 20)["session"]
    for words in (
        ["show", session, "--json"],
        ["show", session],
        ["replay", session, "--json"],
        ["export", "--format", "session-jsonl"],
    ):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*COMMAND, *words], env=environ(), stdout=writer, stderr=subprocess.PIPE, timeout=30, check=False)
        os.close(writer)
        assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_one_line_and_one() -> None:
    ran()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "sessions"], env=environ(), stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == b"lifeline: the output cannot be written: No space left on device\n"


def test_a_bare_lifeline_without_a_terminal_says_so() -> None:
    done = real()
    assert done.code == 2
    assert "needs a terminal" in done.sentence


def test_a_locked_notebook_is_trouble_and_not_bad_input(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran()
    monkeypatch.setattr("lifeline_tui.store.lock.WAIT_S", 0.05)
    from lifeline_tui.store.lock import SideLock

    with SideLock(scratch / "t.db.lock").held():
        done = lifeline("run", "lifelines-10", "--json")
    assert done.code == 1
    assert f"Process {os.getpid()} has held" in done.sentence


SILENT = [
    ("--help",),
    ("sessions",),
    ("run", "lifelines-10", "--limit", "2"),
    ("models",),
    ("doctor",),
    ("probe", "--model", "sim/base"),
    ("run", "liar-realtime", "--model", "sim/base"),
    ("replay", "liar-realtime", "--mode", "recorded"),
    ("export", "--format", "attempts-csv"),
    ("sessions", "--search", "bracelets"),
    ("verify",),
    ("run", "lifelines-10", "--model", "anthropic/claude-x"),
]
WATCHED = """
import json, subprocess, sys
reached = set()
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        reached.add(args[1][0] if event == "socket.connect" else args[0])
sys.addaudithook(watch)
from lifeline_tui.cli.main import main
def no(*args, **kwargs):
    raise AssertionError("a process was started")
subprocess.Popen.__init__ = no
for words in json.loads(sys.argv[1]):
    sys.argv = ["lifeline", *words]
    try:
        main()
    except SystemExit:
        pass
heavy = {"litellm", "aiohttp", "httpx", "pydantic", "openai", "textual"} & set(sys.modules)
print("heavy:", sorted(heavy), "reached:", sorted(reached - {"127.0.0.1"}), file=sys.stderr)
"""


def test_nothing_but_a_litellm_subject_needs_litellm_or_the_screen_or_the_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(SILENT)], env=environ(), capture_output=True, text=True, check=True
    )
    assert done.stderr.endswith("heavy: [] reached: []\n")


# What a model wrote never reaches a terminal raw

HOSTILE = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2Jc\u202ed\ud83de\x00f\u200bg\x9b31mh\U000e0041"
RAW = ("\x1b", "\x07", "\u202e", "\x00", "\u200b", "\x9b", "\U000e0041", "\ud83d")


def hostile_session(db: Path) -> str:
    with Store(db) as store:
        session = store.create_session(HOSTILE, HOSTILE, HOSTILE, False)
        user = User((Part(PartKind.FREE, (Span(HOSTILE, Origin.OPERATOR),), via=HOSTILE),))
        shown = render([user], CHAT)
        call = CallBody(model=HOSTILE, renderer=CHAT, digest=shown.digest, params={HOSTILE: HOSTILE})
        reply = Reply((Span(HOSTILE, Origin.MODEL),), HOSTILE, Status.ERROR, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
        store.append(session, [Draft(Root(model=HOSTILE)), Draft(user), Draft(call), Draft(reply)], parent=None, branch=HOSTILE)
    return session


def test_hostile_text_is_shown_and_not_obeyed(scratch: Path) -> None:
    session = hostile_session(scratch / "t.db")
    for words in [
        ("show", session),
        ("show", session, "--json"),
        ("show", session, "--branch", visible(HOSTILE)),
        ("replay", session, "--all"),
        ("replay", session, "--all", "--json"),
        ("sessions",),
        ("sessions", "--json"),
        ("sessions", "--search", "b"),
        ("verify",),
        ("export", "--format", "markdown"),
        ("export", "--format", "attempts-csv"),
        ("export", "--format", "session-jsonl"),
        ("show", HOSTILE[1:]),
        ("run", HOSTILE.replace("\x00", "")),
        ("run", "lifelines-10", "--model", HOSTILE),
    ]:
        done = lifeline(*words)
        for char in RAW:
            assert char not in done.out, words
            assert char not in done.err, words
        if words[0] in ("show", "replay", "sessions") and HOSTILE[1:] not in words:
            assert done.code == (1 if words[0] == "replay" and "not" in done.err else 0), (words, done.err)
    assert "⟨U+202E⟩" in lifeline("show", session).out
    (data,) = lifeline("show", session, "--json").data
    assert data["nodes"][-1]["body"]["spans"][0]["text"] == HOSTILE


def test_hostile_files_are_named_and_not_obeyed(scratch: Path) -> None:
    for name, text, words in [
        ("p.yaml", 'name: p\n"bo\\u202egus\\u001b": 1\n', ("run", "p.yaml")),
        ("s.jsonl", '{"\\u001b]0;": "\\u202e"}\n{"format": "\\u001b"}\n', ("import", "s.jsonl")),
    ]:
        (scratch / name).write_text(text)
        done = lifeline(*words)
        assert done.code == 2
        assert not any(char in done.sentence for char in RAW)


FAULTY = f"""
from lifeline_tui.cli import main, tools
def wrong(*args):
    raise ValueError({HOSTILE!a})
tools.load_config = wrong
main.main()
"""


def test_even_a_fault_of_our_own_obeys_no_text() -> None:
    words = [sys.executable, "-c", FAULTY, "models"]
    done = subprocess.run(words, env=environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ValueError: a␛]52" in done.stderr
    assert not any(char in done.stderr for char in RAW)
