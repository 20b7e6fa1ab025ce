"""The command line: the same session code without hands, and everything that scripts rely on.

Data goes to stdout, words to stderr.  Exit 0: done; 1: the work failed or is partial; 2: bad usage or bad input, one line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

from . import __version__
from .config import load_config
from .core.text import visible, visible_line
from .exporters import FORMATS, ExportError, ExportFailed
from .lab import Lab
from .loading import BadFile
from .opening import database, open_app
from .store import BadReference, Reader, Store, StoreError
from .subjects.protocol import Deadlines, SubjectError

BAD_INPUT = (BadFile, BadReference, ExportError, SubjectError)


def _file(db: str | None) -> Path:
    return database(load_config(), db)


def say(text: str) -> None:
    """Words for the operator."""
    click.echo(visible(text), err=True)


def put(data: Any) -> None:
    """One JSON line of data; ASCII, so that no terminal is ever sent what a model wrote."""
    click.echo(json.dumps(data, ensure_ascii=True))


def fail(code: int, error: object) -> NoReturn:
    say(f"lifeline: {visible_line(str(error), 1000)}")
    sys.exit(code)


@contextmanager
def answering() -> Iterator[None]:
    """Errors become one line and an exit code."""
    from .core.plan import SelectionError

    try:
        yield
    except ExportFailed as error:
        fail(1, error)
    except (*BAD_INPUT, SelectionError) as error:
        fail(2, error)
    except StoreError as error:
        fail(1, error)
    except KeyboardInterrupt:
        fail(130, "stopped; everything that arrived is saved")


def db_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--db`, which may also stand before the command."""
    return click.option(
        "--db",
        metavar="FILE",
        callback=lambda context, option, value: value or context.find_root().params.get("db"),
        help="The notebook's file (else LIFELINE_DB, the config, or the user data folder).",
    )(command)


@contextmanager
def reading(db: str | None) -> Iterator[Reader]:
    """The notebook, read only, as it is at this moment.  Raises StoreError where there is none."""
    with Reader(_file(db)) as store, store.moment():
        yield store


def sample(text: str) -> dict[str, str]:
    return {"epilog": f"\b\nExample: {text}"}


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lifeline")
@db_option
@click.pass_context
def cli(context: click.Context, db: str | None) -> None:
    """A terminal laboratory for exploratory probing of language models.  Without a command it opens the app."""
    if context.invoked_subcommand is None:
        sys.exit(open_app(db=db))


@cli.command("open", **sample("lifeline open --plan liar-realtime --model sim/anxious"))
@click.argument("session", required=False)
@click.option("--plan", help="Start a new session of this plan (a shipped name or a path).")
@click.option("--model", help="The subject (default: the config's, else sim/anxious).")
@click.option("--api-base", default="", metavar="URL", help="Where an OpenAI-shaped or local server answers.")
@db_option
def open_(session: str | None, plan: str | None, model: str | None, api_base: str, db: str | None) -> None:
    """Open the app, on a session or a new one."""
    sys.exit(open_app(session, plan=plan, model=model, api_base=api_base, db=db))


@cli.command(**sample("lifeline run lifelines-10 --model sim/anxious --seed 1 --json"))
@click.argument("plan")
@click.option("--model", help="The subject (default: the config's, else sim/anxious).")
@click.option("--api-base", default="", metavar="URL", help="Where an OpenAI-shaped or local server answers.")
@click.option("--repeats", type=click.IntRange(1, 10_000), default=1, help="Sessions to run, with seeds seed, seed + 1, …")
@click.option("--seed", type=click.IntRange(0), help="First seed (default: the plan's).")
@click.option("--concurrency", type=click.IntRange(1, 256), default=4, show_default=True, help="Sessions at a time.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N puzzles.")
@click.option("--first-token-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds to the first text.")
@click.option("--gap-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds between texts.")
@click.option("--total-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds for a whole reply.")
@click.option("--retries", type=click.IntRange(0, 20), metavar="N", help="Retries before the first text.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a run on stdout.")
@db_option
def run(plan: str, model: str | None, api_base: str, db: str | None, as_json: bool, **options: Any) -> None:
    """Run a plan without hands: one session per repeat."""
    from .headless import run_plan

    with answering():
        config = load_config()
        deadlines = _deadlines(config.deadlines, options)
        lab = Lab(config, database(config, db), paced=False, deadlines=deadlines)
        model = model or config.model or "sim/anxious"
        tell = put if as_json else say_result
        results = asyncio.run(run_plan(lab, plan, model, api_base=api_base, tell=tell, **options))
    sys.exit(0 if all(result["status"] == "complete" for result in results) else 1)


def say_result(result: dict[str, Any]) -> None:
    say(
        f"{result['plan']} on {result['model']}{' (simulated)' if result['simulated'] else ''}, seed {result['seed']}: "
        f"{result['status']}, {result['right']} right, {result['wrong']} wrong, {result['lifelines_used']} lifelines of "
        f"{result['lifelines_offered'] if result['lifelines_offered'] is not None else 'none offered'}, session {result['session']}"
    )


def _deadlines(base: Deadlines, options: dict[str, Any]) -> Deadlines:
    from dataclasses import replace

    given = {
        "first_token": options.pop("first_token_timeout"),
        "gap": options.pop("gap_timeout"),
        "total": options.pop("total_timeout"),
        "retries": options.pop("retries"),
    }
    return replace(base, **{name: value for name, value in given.items() if value is not None})


@cli.command(**sample("lifeline replay 01KAJ --mode recorded --json"))
@click.argument("session")
@click.option("--branch", help="The branch to replay (default: main).")
@click.option("--mode", type=click.Choice(["recorded"]), default="recorded", show_default=True)
@click.option("--all", "every", is_flag=True, help="Every branch.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a node.")
@db_option
def replay(session: str, branch: str | None, mode: str, every: bool, as_json: bool, db: str | None) -> None:
    """Play a stored conversation again from its record, proving each request and each reading on the way."""
    from .headless import replay_recorded

    with answering(), reading(db) as store:
        broken = 0
        for step in replay_recorded(store, session, branch, every):
            broken += not step.faithful
            if as_json:
                put(step.data())
            else:
                click.echo(visible(step.text()))
    if broken:
        fail(1, f"{broken} nodes do not replay as recorded")


@cli.command(**sample("lifeline sessions --search bracelets"))
@click.option("--search", metavar="TEXT", help="Only sessions that are called so, or in which this was said.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a session.")
@click.option("--all", "every", is_flag=True, help="Hidden ones too.")
@db_option
def sessions(search: str | None, as_json: bool, every: bool, db: str | None) -> None:
    """List sessions, newest first."""
    from .headless import session_line

    with answering():
        if not (file := _file(db)).exists():
            say(f"no notebook yet at {file}; it is made with the first session")
            return
    with answering(), reading(db) as store:
        rows = store.sessions(include_hidden=every, limit=None)
        if search is not None:
            found = store.sessions_saying(search) | {row.id for row in store.sessions(search, include_hidden=every, limit=None)}
            rows = [row for row in rows if row.id in found]
        for row in rows:
            line = session_line(store, row)
            if as_json:
                put(line)
            else:
                flag = " SIMULATED" if row.simulated else ""
                click.echo(
                    f"{row.id}  {visible_line(row.updated_at[:16])}  {visible_line(row.title, 40):40}  {visible_line(row.model, 30)}{flag}  "
                    f"{row.attempts} attempts, {row.branches} branches, {line['status']}"
                )


@cli.command(**sample("lifeline show 01KAJ --json"))
@click.argument("session")
@click.option("--branch", help="Only this branch's path.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@db_option
def show(session: str, branch: str | None, as_json: bool, db: str | None) -> None:
    """Show a session: every node, annotation and branch, or a readable record."""
    from .exporters.markdown import record
    from .headless import session_data

    with answering(), reading(db) as store:
        row = store.session(session)
        if as_json:
            put(session_data(store, row.id, branch))
            return
        for line in record(store, row.id, blind=False, branch=branch):
            click.echo(line)


@cli.command(**sample("lifeline export 01KAJ --format attempts-csv -o attempts.csv"))
@click.argument("session", nargs=-1)
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to (default: stdout).")
@click.option("--blind", is_flag=True, help="Leave out what a rater must not see.")
@click.option(
    "--columns",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, option, value: _print_columns(context) if value else None,
    help="Print what each column of attempts-csv holds, and nothing else.",
)
@db_option
def export(session: tuple[str, ...], format_: str, output: Path | None, blind: bool, db: str | None) -> None:
    """Export sessions (default: all, hidden ones too) with their provenance."""
    from .exporters import exporter, write

    with answering(), reading(db) as store:
        chosen = [store.session(name).id for name in session] or [
            row.id for row in reversed(store.sessions(include_hidden=True, limit=None))
        ]
        if output is None:
            exporter(format_)(store, chosen, sys.stdout, blind)
        else:
            write(format_, store, chosen, output, blind=blind)
            say(f"{len(chosen)} sessions → {output}")


def _print_columns(context: click.Context) -> None:
    from .exporters.attempts_csv import COLUMNS

    for name, meaning in COLUMNS.items():
        click.echo(f"{name:20} {meaning}")
    context.exit()


@cli.command("import", **sample("lifeline import session.jsonl"))
@click.argument("file", type=click.Path(path_type=Path))
@db_option
def import_(file: Path, db: str | None) -> None:
    """Import a session-jsonl file, whole or not at all."""
    from .importers.session_jsonl import read

    with answering(), Store(_file(db)) as store:
        session, new = read(store, file)
    say(f"{new} new rows in session {session}" if new else f"session {session} was here already, unchanged")


@cli.group(no_args_is_help=False)
def packs() -> None:
    """Puzzle packs: list, show, check."""


@packs.command("list", **sample("lifeline packs list"))
@click.option("--json", "as_json", is_flag=True)
def packs_list(as_json: bool) -> None:
    """List packs: the shipped ones and your own."""
    from .packs import load_pack, pack_names

    with answering():
        for name in pack_names():
            pack = load_pack(name)
            if as_json:
                put({"name": pack.name, "about": pack.about, "puzzles": len(pack.puzzles)})
            else:
                click.echo(f"{pack.name:20} {len(pack.puzzles):4} puzzles  {visible_line(pack.about)}")


@packs.command("show", **sample("lifeline packs show starter"))
@click.argument("pack")
@click.option("--json", "as_json", is_flag=True)
def packs_show(pack: str, as_json: bool) -> None:
    """Show a pack's puzzles with their keys and fakes."""
    from .core.nodes import as_data
    from .packs import load_pack

    with answering():
        for puzzle in load_pack(pack).puzzles:
            if as_json:
                put(as_data(puzzle))
                continue
            click.echo(f"{visible_line(puzzle.id)}  {puzzle.stratum}  key {visible_line(puzzle.answer.value)}")
            click.echo(visible(puzzle.text))
            for fake in puzzle.fakes:
                click.echo(f"  fake {visible_line(fake.value)}: {visible_line(fake.error)}")
            click.echo("")


@packs.command("check", **sample("lifeline packs check"))
@click.argument("pack", nargs=-1)
def packs_check(pack: tuple[str, ...]) -> None:
    """Prove every key again with two independent solvers, and every fake wrong.  A key that nobody can prove is no failure."""
    from .packs import check_pack, load_pack, pack_names

    wrong = 0
    with answering():
        for name in pack or pack_names():
            findings = check_pack(load_pack(name))
            for finding in findings:
                if not finding.ok:
                    mark = "not proved" if finding.ok is None else "WRONG"
                    where = f"{visible_line(name)}: {visible_line(finding.puzzle_id)}"
                    click.echo(f"{where}: {mark}: {visible_line(finding.how, 1000)}")
            bad = sum(finding.ok is False for finding in findings)
            proved = sum(finding.ok is True for finding in findings)
            wrong += bad
            click.echo(f"{visible_line(name)}: {proved} of {len(findings)} keys proved, {bad} wrong")
    sys.exit(1 if wrong else 0)


@cli.group(no_args_is_help=False)
def plans() -> None:
    """Plans: list, show, check."""


@plans.command("list", **sample("lifeline plans list"))
@click.option("--json", "as_json", is_flag=True)
def plans_list(as_json: bool) -> None:
    """List plans: the shipped ones and your own."""
    from .interventions import scriptable
    from .plans import load_plan, plan_names

    with answering():
        for name in plan_names():
            plan = load_plan(name, scriptable())
            if as_json:
                put({"name": plan.name, "about": plan.about})
            else:
                click.echo(f"{plan.name:22} {visible_line(plan.about)}")


@plans.command("show", **sample("lifeline plans show liar-realtime"))
@click.argument("plan")
def plans_show(plan: str) -> None:
    """Show a plan's file."""
    from .loading import decoded, find, read_bytes

    with answering():
        path = find("sessions", plan)
        click.echo(visible(decoded(read_bytes(path), path)), nl=False)


@plans.command("check", **sample("lifeline plans check my-plan.yaml"))
@click.argument("plan", nargs=-1)
def plans_check(plan: tuple[str, ...]) -> None:
    """Check plans: every field, the pack they draw on, and the actions they script."""
    from .core.plan import choose
    from .interventions import scriptable
    from .packs import load_pack
    from .plans import load_plan, plan_names

    with answering():
        for name in plan or plan_names():
            loaded = load_plan(name, scriptable())
            puzzles = choose(loaded.puzzles, load_pack(loaded.puzzles.pack).puzzles, loaded.seed)
            click.echo(f"{loaded.name}: {len(puzzles)} puzzles, {len(loaded.then or loaded.steps)} scripted actions")


@cli.command(**sample("lifeline models"))
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """List subjects that can be chosen here."""
    from .models import local_offers, offers

    with answering():
        for offer in offers(load_config().models) + local_offers():
            if as_json:
                put(
                    {
                        "model": offer.model,
                        "about": offer.about,
                        "api_base": offer.api_base,
                        "simulated": offer.model.startswith("sim/"),
                    }
                )
            else:
                click.echo(f"{visible_line(offer.model):40} {visible_line(offer.about)} {visible_line(offer.api_base)}".rstrip())


@cli.command(**sample("lifeline probe --model anthropic/claude-sonnet-4-5"))
@click.option("--model", required=True)
@click.option("--api-base", default="", metavar="URL")
def probe(model: str, api_base: str) -> None:
    """Ask what a model's backend takes, with one cheap call: a JSON object.  Sixteen tokens are asked for, so `truncated` is fine."""
    from .headless import probe_model

    with answering():
        config = load_config()
        result = asyncio.run(probe_model(Lab(config, database(config), paced=False), model, api_base))
    put(result)
    sys.exit(0 if result["status"] in ("complete", "truncated") else 1)


@cli.command(**sample("""echo '{"text": "ANSWER: 38"}' | lifeline parse"""))
def parse() -> None:
    """Read replies: JSON lines {"text": …} in, one reading a line out."""
    from .core.replies import parse as read

    for _, row in _lines("text"):
        word = row.get("word", "lifeline")
        found = read(row["text"], word=word if isinstance(word, str) else "lifeline")
        put(
            {
                "action": str(found.action),
                "answer": found.answer,
                "difficulty": found.difficulty,
                "confidence": found.confidence,
                "flags": list(found.flags),
            }
        )


@cli.command(**sample("""echo '{"type": "int", "key": "38", "answer": "38.0"}' | lifeline grade"""))
def grade() -> None:
    """Grade answers: JSON lines {"type", "key", "answer", "tolerance"?} in, one grade a line out."""
    from .core.grading import grade as judge
    from .core.puzzle import ANSWER_TYPES, Answer

    for number, row in _lines("type", "key"):
        if row["type"] not in ANSWER_TYPES:
            fail(2, f"line {number} of the input: type must be one of {', '.join(ANSWER_TYPES)}, not {row['type']!r}")
        answer = row.get("answer")
        key = Answer(row["type"], _text(row["key"]), _text(row.get("tolerance") or ""))
        put({"grade": str(judge(key, None if answer is None else _text(answer)))})


def _text(value: Any) -> str:
    """A JSON value as it would be written in a pack or by a subject."""
    if isinstance(value, list):
        return f"({', '.join(_text(item) for item in value)})"
    return value if isinstance(value, str) else json.dumps(value)


def _lines(first: str, *others: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects from stdin with their line numbers, each with text under the name `first` and something under the others.
    Numbers stay as they are spelled."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            fail(2, f"line {number} of the input is not JSON: {error}")
        if not isinstance(row, dict) or not isinstance(row.get(first), str) or any(row.get(name) is None for name in others):
            fail(2, f"line {number} of the input must be an object with {' and '.join((first, *others))}")
        yield number, row


@cli.command(**sample("lifeline verify"))
@db_option
def verify(db: str | None) -> None:
    """Recompute every hash, digest and count, and check that history is guarded."""
    from .core.transcript import call_digest
    from .store.verify import verify as check

    with answering(), Reader(_file(db)) as store:
        findings = check(store, digest_of=call_digest)
    for finding in findings:
        click.echo(visible_line(str(finding), 1000))
    if findings:
        sys.exit(1)
    say("clean: every hash, digest and count is as it was written (this proves alteration, not removal)")


@cli.command(**sample("lifeline doctor"))
@db_option
def doctor(db: str | None) -> None:
    """Say what this installation has, and what may bite."""
    from .headless import doctor_lines

    bad = False
    with answering():
        config = load_config()
        for ok, line in doctor_lines(config, database(config, db)):
            bad |= not ok
            click.echo(f"{'ok ' if ok else 'BAD'} {visible_line(line, 500)}")
    sys.exit(1 if bad else 0)


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of our own: its traceback may hold what a model wrote."""
    say("".join(traceback.format_exception(kind, error, trace)))


def main() -> None:
    """The command line.  Whatever goes wrong with the words on it or with the pipes behind it is one line too."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _fault
    try:
        try:
            cli(prog_name="lifeline", standalone_mode=False)
        finally:
            sys.stdout.flush()
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "lifeline"
        fail(2, f"{error.format_message()} `{path} --help` says more.")
    except click.Abort:
        fail(130, "stopped")
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read has read enough
            sys.exit(1)
        fail(1, f"{error.filename or 'the output'} cannot be written: {error.strerror}")
