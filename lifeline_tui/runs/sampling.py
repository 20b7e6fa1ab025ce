"""Sampling: several replies to one turn, on one model or several, at one node.

Each is a call of its own, with a seed of its own, and is stored when it ends.  Some run at once, the others wait for a place; the models
and temperatures take turns, so that none waits for all of another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.nodes import FAILED, Assistant, Call, Node, Reply, User
from ..core.state import Attempt
from ..interventions.types import MOST_SAMPLES, Refusal
from ..metrics.samples import Tally, tally
from ..session.session import Session
from ..session.view import Reading
from ..subjects.protocol import Subject


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply, and what was read of it: an attempt for each puzzle that the turn poses, none for a question."""

    session: str
    turn: str
    call: Node
    reply: Node
    attempts: tuple[Attempt, ...]

    @property
    def failed(self) -> bool:
        """Whether the call failed before anything could be read."""
        body = self.reply.body
        return isinstance(body, Reply) and body.status in FAILED and all(each.failed for each in self.attempts)

    def data(self) -> dict[str, Any]:
        """What `sample --json` prints of it.  Where the turn poses several puzzles, `attempts` has what was read of each."""
        call, reply = self.call.body, self.reply.body
        assert isinstance(call, Call)
        assert isinstance(reply, Reply)
        told = [
            {"puzzle": each.puzzle.id}
            | {name: getattr(each, name) for name in ("action", "answer", "grade", "confidence", "difficulty")}
            for each in self.attempts
        ]
        alone = told[0] if len(told) == 1 else dict.fromkeys(("action", "answer", "grade", "confidence", "difficulty"))
        return {
            "session": self.session,
            "node": self.turn,
            "call": self.call.id,
            "reply": self.reply.id,
            "index": call.sample_index,
            "seed": call.params.get("seed"),
            "model": call.model,
            "temperature": call.params.get("temperature"),
            "status": str(reply.status),
            **{name: value for name, value in alone.items() if name != "puzzle"},
            **({"attempts": told} if len(told) > 1 else {}),
        }


def turn_at(session: Session, node: str) -> str:
    """The turn whose reply would be sampled at `node`: itself, or the one that it answers.  Raises Refusal."""
    at = session.tree[node]
    while isinstance(at.body, Reply | Call) and at.parent is not None:
        at = session.tree[at.parent]
    if isinstance(at.body, Assistant) and at.parent is not None:
        at = session.tree[at.parent]
    if not isinstance(at.body, User):
        raise Refusal("There is nothing to reply to here: samples are taken of the reply to a turn.")
    return at.id


def sample_of(session: Reading, turn: str, reply: Node) -> Sample:
    """A reply to a turn as a sample."""
    call = session.tree[reply.parent or ""]
    attempts = tuple(each for each in session.state(reply.id).attempts if each.reply == reply.id)
    return Sample(reply.session, turn, call, reply, attempts)


def tally_of(samples: Sequence[Sample]) -> Tally:
    """What samples come to.  Where each was sampled at temperature 0 they had to be alike."""
    cold = [isinstance(each.call.body, Call) and each.call.body.params.get("temperature") == 0 for each in samples]
    attempts = [attempt for each in samples for attempt in each.attempts]
    return tally(attempts, failed=sum(each.failed for each in samples), deterministic=bool(cold) and all(cold))


async def sample(
    session: Session,
    node: str,
    k: int,
    *,
    subjects: Sequence[Subject] = (),
    temperatures: Sequence[float] = (),
    seed: int | None = None,
    at_once: int = 8,
    ended: Callable[[Sample], None] = lambda sample: None,
) -> list[Sample]:
    """`k` replies to the turn at `node` by each of `subjects` (default: the session's) at each of `temperatures` (default: the
    session's), of which `at_once` run at one time; `ended` gets each when it is stored.  A cancel of the session's ends those that are
    arriving and keeps what came; those that had not begun do not begin.  Raises Refusal, SubjectError, StoreError."""
    if not 1 <= k <= MOST_SAMPLES:
        raise Refusal(f"From 1 to {MOST_SAMPLES:,} samples can be taken at one time, not {k:,}.")
    turn = turn_at(session, node)
    subjects = subjects or (session.subject,)
    for subject in subjects:
        if subject.simulated != session.subject.simulated:
            kinds = ("a puppet", "a real model")
            one, other = kinds if subject.simulated else kinds[::-1]
            raise Refusal(f"{subject.name} is {one} and this session's subject is {other}: sample it in a session of its own.")
        await subject.capabilities()
    cancels = session.cancels
    heats: Sequence[float | None] = temperatures or (None,)
    jobs = [(subject, heat) for _ in range(k) for subject in subjects for heat in heats]
    found: dict[int, Sample] = {}
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        for number, (subject, heat) in waiting:
            if session.cancels != cancels:
                return
            params = {} if heat is None else {"temperature": heat}
            reply = await session.sample(turn, subject, params, seed)
            found[number] = sample_of(session, turn, reply)
            ended(found[number])

    workers = [asyncio.create_task(work()) for _ in range(min(at_once, len(jobs)))]
    try:
        for done in asyncio.as_completed(workers):
            await done
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [found[number] for number in sorted(found)]
