"""The commands that need no session: packs, plans, models, a probe, reading and grading of lines, verify, the doctor."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..core.text import visible, visible_line
from ..loading.config import database, load_config
from ..session.lab import Lab
from ..store import Reader, StoreError
from ..subjects.names import simulated
from .output import answering, db_option, example, fail, notebook, put, report, say, say_line

tools = click.Group()
"""The command line takes its commands for its own."""


@tools.group(no_args_is_help=False)
def packs() -> None:
    """Puzzle packs: list, show, check."""


@packs.command("list", **example("lifeline packs list"))
@click.option("--json", "as_json", is_flag=True)
def packs_list(as_json: bool) -> None:
    """List packs: the shipped ones and your own."""
    from ..loading.packs import load_pack, pack_names

    with answering():
        for name in pack_names():
            pack = load_pack(name)
            if as_json:
                put({"name": pack.name, "about": pack.about, "puzzles": len(pack.puzzles)})
            else:
                click.echo(f"{pack.name:20} {len(pack.puzzles):4} puzzles  {visible_line(pack.about)}")


@packs.command("show", **example("lifeline packs show starter"))
@click.argument("pack")
@click.option("--json", "as_json", is_flag=True)
def packs_show(pack: str, as_json: bool) -> None:
    """Show a pack's puzzles with their keys and fakes."""
    from ..core.codec import as_data
    from ..loading.packs import load_pack

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


@packs.command("check", **example("lifeline packs check"))
@click.argument("pack", nargs=-1)
def packs_check(pack: tuple[str, ...]) -> None:
    """Prove every key again with two independent solvers, and every fake wrong and not to be seen through at a glance.

    A key that nobody can prove is no failure.  What a glance is, each family says: its cheap checks."""
    from ..loading.packs import check_pack, load_pack, pack_names

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


@tools.group(no_args_is_help=False)
def plans() -> None:
    """Plans: list, show, check."""


@plans.command("list", **example("lifeline plans list"))
@click.option("--json", "as_json", is_flag=True)
def plans_list(as_json: bool) -> None:
    """List plans: the shipped ones and your own."""
    from ..interventions.table import scriptable
    from ..loading.plans import load_plan, plan_names

    with answering():
        for name in plan_names():
            plan = load_plan(name, scriptable())
            if as_json:
                put({"name": plan.name, "about": plan.about})
            else:
                click.echo(f"{plan.name:22} {visible_line(plan.about)}")


@plans.command("show", **example("lifeline plans show liar-realtime"))
@click.argument("plan")
def plans_show(plan: str) -> None:
    """Show a plan's file."""
    from ..loading.files import decoded, read_bytes
    from ..loading.resources import find

    with answering():
        path = find("sessions", plan)
        click.echo(visible(decoded(read_bytes(path), path)), nl=False)


@plans.command("check", **example("lifeline plans check my-plan.yaml"))
@click.argument("plan", nargs=-1)
def plans_check(plan: tuple[str, ...]) -> None:
    """Check plans: every field, the pack they draw on, and the actions they script."""
    from ..core.plan import choose
    from ..interventions.table import scriptable
    from ..loading.packs import load_pack
    from ..loading.plans import load_plan, plan_names

    with answering():
        for name in plan or plan_names():
            loaded = load_plan(name, scriptable())
            puzzles = choose(loaded.puzzles, load_pack(loaded.puzzles.pack).puzzles, loaded.seed)
            click.echo(f"{loaded.name}: {len(puzzles)} puzzles, {len(loaded.then or loaded.steps)} scripted actions")


@tools.command(**example("lifeline models"))
@click.option("--json", "as_json", is_flag=True)
def models(as_json: bool) -> None:
    """List subjects that can be chosen here."""
    from ..session.models import local_offers, offers

    with answering():
        for offer in offers(load_config().models) + local_offers():
            if as_json:
                put(
                    {
                        "model": offer.model,
                        "about": offer.about,
                        "api_base": offer.api_base,
                        "simulated": simulated(offer.model),
                    }
                )
            else:
                click.echo(f"{visible_line(offer.model):40} {visible_line(offer.about)} {visible_line(offer.api_base)}".rstrip())


@tools.command(**example("lifeline probe --model anthropic/claude-sonnet-4-5"))
@click.option("--model", required=True)
@click.option("--api-base", default="", metavar="URL")
def probe(model: str, api_base: str) -> None:
    """Ask what a model's backend takes, with one cheap call: a JSON object.  Sixteen tokens are asked for, so `truncated` is fine."""
    from ..runs.probe import probe_model

    with answering():
        config = load_config()

        async def asked() -> dict[str, Any]:
            async with Lab(config, database(config), paced=False) as lab:
                return await probe_model(lab, model, api_base, report)

        result = asyncio.run(asked())
    put(result)
    sys.exit(0 if result["status"] in ("complete", "truncated") else 1)


@tools.command(**example("""echo '{"text": "ANSWER: 38"}' | lifeline parse"""))
def parse() -> None:
    """Read replies: JSON lines {"text": …} in, one reading a line out."""
    from ..core.reading.replies import parse as read

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


@tools.command(**example("""echo '{"type": "int", "key": "38", "answer": "38.0"}' | lifeline grade"""))
def grade() -> None:
    """Grade answers: JSON lines {"type", "key", "answer", "tolerance"?} in, one grade a line out."""
    from ..core.puzzle import ANSWER_TYPES, Answer
    from ..core.reading.grading import grade as judge

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


@tools.command(**example("lifeline verify --salvage rescued.db"))
@click.option("--salvage", type=click.Path(path_type=Path), metavar="FILE", help="Take what can be proved into a new notebook.")
@db_option
def verify(salvage: Path | None, db: str | None) -> None:
    """Recompute every hash, digest and count, and check that history is guarded.  The notebook is only read."""
    from ..core.transcript import call_digest
    from ..session.opening import judge_unanswered
    from ..store.errors import ADVICE
    from ..store.recovery.salvage import salvage as rescue
    from ..store.verify import verify as check

    whole = True
    with answering():
        path = notebook(db)
        try:
            with Reader(path) as store:
                findings = [str(finding) for finding in check(store, digest_of=call_digest)]
        except StoreError as error:
            if salvage is None or not path.exists():
                raise
            findings = [str(error)]
        if salvage is not None:  # they are told to do what they are doing
            findings = [finding.removesuffix(ADVICE) for finding in findings]
        for finding in findings:
            click.echo(visible_line(finding, 1000))
        if salvage is not None:
            saved = rescue(path, salvage, judge_unanswered)
            whole = saved.whole
            say(f"{saved} They are in {salvage}; {path} was left as it is.")
            for sentence in saved.lost:
                say_line(sentence)
        elif findings:
            say("what can still be proved, `lifeline verify --salvage FILE` takes into a new notebook")
    if findings or not whole:
        sys.exit(1)
    say("clean: every hash, digest and count is as it was written (this proves alteration, not removal)")


@tools.command(**example("lifeline doctor"))
@db_option
def doctor(db: str | None) -> None:
    """Say what this installation has, and what may bite."""
    from .doctor import findings

    bad = False
    with answering():
        for ok, line in findings(db):
            bad |= not ok
            click.echo(f"{'ok ' if ok else 'BAD'} {visible_line(line, 500)}")
    sys.exit(1 if bad else 0)
