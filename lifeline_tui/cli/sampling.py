"""`lifeline sample`: several replies to one turn of a stored session."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from ..core.nodes import Call
from ..core.text import visible_line
from ..interventions.types import Refusal
from ..loading.config import database, load_config
from ..runs.sampling import Sample, sample, tally_of
from ..session.lab import Lab
from .output import answering, db_option, example, put, report
from .progress import Progress


@click.command("sample", **example("lifeline sample 01KAJ --at 01KAK -k 8 --temperature 0.7 --temperature 1"))
@click.argument("session")
@click.option(
    "--at",
    "node",
    required=True,
    metavar="NODE",
    help="The turn to sample the reply of, or such a reply; its id or the beginning of it.",
)
@click.option("-k", "count", type=click.IntRange(1), required=True, metavar="N", help="Replies for each model and temperature.")
@click.option("--model", "models", multiple=True, help="Another model than the session's; may be given several times.")
@click.option("--temperature", "temperatures", type=click.FloatRange(0, 2), multiple=True, help="May be given several times.")
@click.option("--seed", type=int, help="Of the samples' own seeds (default: the session's).")
@click.option("--api-base", default="", metavar="URL", help="Where the models are served.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a sample, then a tally.")
@db_option
def sample_command(
    session: str,
    node: str,
    count: int,
    models: tuple[str, ...],
    temperatures: tuple[float, ...],
    seed: int | None,
    api_base: str,
    as_json: bool,
    db: str | None,
) -> None:
    """Sample replies at a node: siblings of the reply that is there, each with a seed of its own."""
    with answering():
        config = load_config()

        async def run() -> list[Sample]:
            async with Lab(config, database(config, db), paced=False) as lab:
                opened = await lab.open(session, api_base=api_base, hands=False)
                progress = Progress(count * max(1, len(models)) * max(1, len(temperatures)))

                def ended(each: Sample) -> None:
                    with progress.aside():
                        put(each.data()) if as_json else click.echo(line(each))
                    progress.step()

                try:
                    subjects = [lab.models.make(name, opened.root.puzzles, api_base) for name in models]
                    with progress:
                        return await sample(
                            opened,
                            node_of(opened.tree.nodes, node),
                            count,
                            subjects=subjects,
                            temperatures=temperatures,
                            seed=seed,
                            at_once=config.calls_at_once,
                            ended=ended,
                        )
                finally:
                    await opened.close()

        found = asyncio.run(run())
    tally = tally_of(found)
    put({"tally": tally.data()}) if as_json else click.echo(tally.words())
    failed = [each for each in found if each.failed]
    if failed:
        report(f"{len(failed)} of {len(found)} calls failed: lifeline show {session} says why")
    sys.exit(1 if failed else 0)


def node_of(nodes: dict[str, Any], text: str) -> str:
    """The node whose id is or begins with `text`.  Raises Refusal."""
    found = [id for id in nodes if id.startswith(text.upper())]
    if len(found) != 1:
        what = "no node" if not found else f"{len(found)} nodes"
        raise Refusal(f"{what} of this session has an id that begins with {text!r}: lifeline show SESSION --json lists them.")
    return found[0]


def line(sample: Sample) -> str:
    """One sample in a line: its place, its model, and what was read of it."""
    told = [
        f"{each.outcome}" if each.answer is None else f"{each.grade}: {visible_line(each.answer, 40)}" for each in sample.attempts
    ]
    data = sample.data()
    body = sample.call.body
    simulated = " SIMULATED" if isinstance(body, Call) and body.simulated else ""
    return f"{data['index']:>4}  {visible_line(str(data['model']), 30)}{simulated}  {data['status']}  {'; '.join(told)}".rstrip()
