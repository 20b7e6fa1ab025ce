"""The command line: the same session code without hands, and everything that scripts rely on.

Data goes to stdout, words to stderr.  Exit 0: done; 1: the work failed or is partial; 2: bad usage or bad input, one line; 130, 143, 129: it was
stopped with control-c, TERM or HUP, and everything that had arrived is saved.

Here are the commands on sessions; those that need none are in tools.py, and sampling has a file of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, TypeVar, cast

import click

from .. import __version__
from ..core.text import visible, visible_line
from ..exporters import FORMATS
from ..loading.config import database, load_config
from ..session.lab import Lab
from ..store import Store
from ..subjects.protocol import Deadlines
from .launch import open_app
from .output import Seen, answering, db_option, example, fail, heed_signals, notebook, put, reading, report, say, say_line
from .progress import Progress
from .sampling import sample_command
from .tools import tools

T = TypeVar("T")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lifeline")
@db_option
@click.pass_context
def cli(context: click.Context, db: str | None) -> None:
    """A terminal laboratory for exploratory probing of language models.  Without a command it opens the app."""
    if context.invoked_subcommand is None:
        sys.exit(open_app(db=db))


cli.add_command(sample_command)
for tool in tools.commands.values():
    cli.add_command(tool)


@cli.command("open", **example("lifeline open --plan liar-realtime --model sim/anxious"))
@click.argument("session", required=False)
@click.option("--plan", help="Start a new session of this plan (a shipped name or a path).")
@click.option("--model", help="The subject (default: the config's, else sim/anxious).")
@click.option(
    "--api-base", default="", metavar="URL", help="Where the server answers; of a session, also: provider (its own service)."
)
@db_option
def open_(session: str | None, plan: str | None, model: str | None, api_base: str, db: str | None) -> None:
    """Open the app, on a session or a new one."""
    sys.exit(open_app(session, plan=plan, model=model, api_base=api_base, db=db))


@cli.command(**example("lifeline run lifelines-10 --model sim/anxious --seed 1 --json"))
@click.argument("plan", required=False)
@click.option("--resume", metavar="SESSION", help="Go on with the run of this session where it stopped.")
@click.option("--model", help="The subject (default: the config's, else sim/anxious).")
@click.option("--api-base", default="", metavar="URL", help="Where an OpenAI-shaped or local server answers.")
@click.option("--repeats", type=click.IntRange(1, 10_000), default=1, help="Sessions to run, with seeds seed, seed + 1, …")
@click.option("--seed", type=click.IntRange(0), help="First seed (default: the plan's).")
@click.option(
    "--item-seed",
    type=click.IntRange(0),
    help="Hold the items fixed: puzzles, order, fakes and order of options (default: each seed).",
)
@click.option("--concurrency", type=click.IntRange(1, 256), default=4, show_default=True, help="Sessions at a time.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N puzzles.")
@click.option("--first-token-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds to the first text.")
@click.option("--gap-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds between texts.")
@click.option("--total-timeout", type=click.FloatRange(0.01), metavar="S", help="Seconds for a whole reply.")
@click.option("--retries", type=click.IntRange(0, 20), metavar="N", help="Retries before the first text.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a run on stdout.")
@db_option
def run(
    plan: str | None, resume: str | None, model: str | None, api_base: str, db: str | None, as_json: bool, **options: Any
) -> None:
    """Run a plan without hands: one session per repeat.  Or go on with a run that stopped: --resume SESSION."""
    from ..runs.pool import resume_run, run_plan

    if (plan is None) == (resume is None):
        raise click.UsageError("Name a plan to run, or a session to go on with: --resume SESSION.")

    with answering():
        config = load_config()
        deadlines = _deadlines(config.deadlines, options)
        lab = Lab(config, database(config, db), paced=False, deadlines=deadlines)
        tell = put if as_json else say_result
        if resume is not None:
            _only_resume(model, options)
            result = asyncio.run(_within(lab, resume_run(lab, resume, api_base=api_base, say=report)))
            tell(result)
            sys.exit(0 if result["status"] == "complete" else 1)
        assert plan is not None
        model = model or config.model or "sim/anxious"
        progress = Progress(options["repeats"])

        def told(result: dict[str, Any]) -> None:
            with progress.aside():
                tell(result)

        run = run_plan(lab, plan, model, api_base=api_base, tell=told, ended=progress.step, say=report, **options)
        with progress:
            results = asyncio.run(_within(lab, run))
    sys.exit(0 if all(result["status"] == "complete" for result in results) else 1)


async def _within(lab: Lab, work: Coroutine[Any, Any, T]) -> T:
    async with lab:
        return await work


def _only_resume(model: str | None, options: dict[str, Any]) -> None:
    """Raises UsageError for an option that says what a session already is."""
    given = {"--model": model, **{f"--{name.replace('_', '-')}": options[name] for name in ("seed", "item_seed", "limit")}}
    given["--repeats"] = options["repeats"] if options["repeats"] != 1 else None
    if said := [name for name, value in given.items() if value is not None]:
        raise click.UsageError(f"A session that is gone on with keeps its own {', '.join(said)}: leave that out.")


def say_result(result: dict[str, Any]) -> None:
    say(
        f"{result['plan']} on {result['model']}{' (simulated)' if result['simulated'] else ''}, seed {result['seed']}: "
        f"{result['status']}, {result['right']} right, {result['wrong']} wrong, "
        f"{'' if not result['unread'] else str(result['unread']) + ' unread, '}{result['lifelines_used']} lifelines of "
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


@cli.command(**example("lifeline replay 01KAJ --mode recorded --json"))
@click.argument("session")
@click.option("--branch", help="The branch to replay (default: main).")
@click.option("--mode", type=click.Choice(["recorded"]), default="recorded", show_default=True)
@click.option("--all", "every", is_flag=True, help="Every branch.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a node.")
@db_option
def replay(session: str, branch: str | None, mode: str, every: bool, as_json: bool, db: str | None) -> None:
    """Play a stored conversation again from its record, proving each request and each reading on the way."""
    from ..runs.replay_recorded import replay_recorded

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


@cli.command(**example("lifeline sessions --search bracelets"))
@click.option("--search", metavar="TEXT", help="Only sessions that are called so, or in which this was said.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a session.")
@click.option("--all", "every", is_flag=True, help="Hidden ones too.")
@db_option
def sessions(search: str | None, as_json: bool, every: bool, db: str | None) -> None:
    """List sessions, newest first."""
    from .shapes import session_line

    with answering():
        if not (file := notebook(db)).exists():
            say(f"no notebook yet at {file}; it is made with the first session")
            return
    with answering(), reading(db) as store:
        rows = store.sessions(include_hidden=every, limit=None)
        if search is not None:
            found = store.sessions_saying(search) | {row.id for row in store.sessions(search, include_hidden=every, limit=None)}
            rows = [row for row in rows if row.id in found]
            if not rows:
                say(f"nothing found: no session is called {search!r}, and in none was it said")
        for row in rows:
            line = session_line(store, row)
            if as_json:
                put(line)
            else:
                flag = " SIMULATED" if row.simulated else ""
                click.echo(
                    f"{visible_line(row.id)}  {visible_line(row.updated_at[:16])}  {visible_line(row.title, 40):40}  {visible_line(row.model, 30)}{flag}  "
                    f"{row.attempts} attempts, {row.branches} branches, {line['status']}"
                )


@cli.command(**example("lifeline show 01KAJ --json"))
@click.argument("session")
@click.option("--branch", help="Only this branch's path.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@db_option
def show(session: str, branch: str | None, as_json: bool, db: str | None) -> None:
    """Show a session: every node, annotation and branch, or a readable record."""
    from ..exporters.markdown import record
    from .shapes import session_data

    with answering(), reading(db) as store:
        row = store.session(session)
        if as_json:
            put(session_data(store, row.id, branch))
            return
        for line in record(store, row.id, blind=False, branch=branch):
            click.echo(line)


@cli.command(**example("lifeline export 01KAJ --format attempts-csv -o attempts.csv"))
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
    help="Print what each column of attempts-csv and claims-csv holds, and nothing else.",
)
@db_option
def export(session: tuple[str, ...], format_: str, output: Path | None, blind: bool, db: str | None) -> None:
    """Export sessions (default: all, hidden ones too) with their provenance."""
    from ..exporters import exporter, write

    with answering(), reading(db) as store:
        chosen = [store.session(name).id for name in session] or [
            row.id for row in reversed(store.sessions(include_hidden=True, limit=None))
        ]
        if output is None:
            exporter(format_)(store, chosen, cast(TextIO, Seen()) if sys.stdout.isatty() else sys.stdout, blind)
        else:
            write(format_, store, chosen, output, blind=blind)
            say(f"{len(chosen)} sessions → {output}")


@cli.command(**example("lifeline metrics 01KAJ 01KAK --json"))
@click.argument("session", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an arm and subject.")
@db_option
def metrics(session: tuple[str, ...], as_json: bool, db: str | None) -> None:
    """Pooled counts of sessions (default: all), an arm and subject a line.  Sessions of one arm that differ are not pooled."""
    from ..metrics.pooling import counts, difference, groups

    with answering(), reading(db) as store:
        chosen = [store.session(name).id for name in session] or [row.id for row in reversed(store.sessions(limit=None))]
        rows = store.attempts(chosen)
    refused = 0
    for (arm, model), found in groups(rows).items():
        if why := difference(found):
            refused += 1
            say_line(f"{arm} on {model} is not pooled: {why}. Name the sessions that belong together.")
            continue
        line = {"arm": arm, "model": model, "simulated": bool(found[0]["simulated"])} | counts(found)
        if as_json:
            put(line)
        else:
            said = ", ".join(
                f"{name} {value[0]}/{value[1]}" if isinstance(value, list) else f"{name} {value}"
                for name, value in counts(found).items()
            )
            click.echo(f"{visible_line(arm)} on {visible_line(model)}{' SIMULATED' if line['simulated'] else ''}: {said}")
    if refused:
        sys.exit(1)


def _print_columns(context: click.Context) -> None:
    from ..exporters import attempts_csv, claims_csv

    for table in (attempts_csv, claims_csv):
        for name, meaning in table.COLUMNS.items():
            click.echo(f"{name:24} {meaning}")
        click.echo()
    context.exit()


@cli.command("import", **example("lifeline import session.jsonl"))
@click.argument("file", type=click.Path(path_type=Path))
@db_option
def import_(file: Path, db: str | None) -> None:
    """Import a session-jsonl file, whole or not at all."""
    from ..importers.session_jsonl import parse, take
    from ..interventions.table import scriptable

    with answering():
        found = parse(file, scriptable())  # first: for a file that cannot be used, no notebook is made
        with Store(notebook(db)) as store:
            session, new = take(store, found)
    say(f"{new} new rows in session {session}" if new else f"session {session} was here already, unchanged")


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of our own: its traceback may hold what a model wrote."""
    say("".join(traceback.format_exception(kind, error, trace)))


def main() -> None:
    """The command line.  Whatever goes wrong with the words on it or with the pipes behind it is one line too."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _fault
    heed_signals()
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
