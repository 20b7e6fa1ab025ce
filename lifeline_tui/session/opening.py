"""How sessions come to be: a new one, a stored one that is gone on with, and what the machine says of a reply that a dead process left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..core.codec import as_data, from_data
from ..core.nodes import Call, Kind, Node, Part, Remark, Reply, Root, User, digest
from ..core.plan import Plan
from ..core.puzzle import Puzzle
from ..core.reading.auto_annotate import judge
from ..core.reading.grading import GRADER_VERSION, same
from ..core.schedule import plan_fakes, plan_option_order
from ..core.state import fold
from ..core.tree import Tree
from ..core.wording import Templates, system
from ..importers.fitting import check_body
from ..interventions.table import scriptable
from ..store import BadReference, Draft, Reader, StoreError
from ..subjects.protocol import Subject
from .calls import Writer
from .session import Session
from .view import MAIN


async def create(
    writer: Writer,
    plan: Plan,
    puzzles: Sequence[Puzzle],
    subject: Subject,
    templates: Templates,
    *,
    title: str,
    seed: int,
    item_seed: int | None = None,
    yoked: Mapping[str, bool] | None = None,
    digests: Mapping[str, str] = {},
    view: Mapping[str, Any] = {},
    **options: Any,
) -> Session:
    """A new session, stored and owned by this process, at its first root, with `view` state kept beside it.

    Calls are sampled by seeds that derive from `seed`; the `item_seed` (default: `seed`) chose the puzzles, and chooses the fakes
    and the order of the options here.
    """
    items = seed if item_seed is None else item_seed
    root = Root(
        plan=as_data(plan),
        puzzles=tuple(puzzles),
        model=subject.name,
        simulated=subject.simulated,
        params=dict(plan.subject),
        seed=seed,
        item_seed=item_seed,
        option_order=plan_option_order(plan, items),
        planned_fakes=plan_fakes(plan, puzzles, items),
        yoked=yoked,
        digests={
            "plan": digest(as_data(replace(plan, about=""))),
            "templates": digest({name: template.version for name, template in templates.items()}),
            **digests,
        },
    )
    prompt = system(plan, templates)
    drafts = [Draft(body) for body in ((root, prompt) if prompt else (root,))]
    store = writer.store
    id = await writer(store.create_session, title, plan.name, subject.name, subject.simulated)
    nodes, notes = await writer(store.append, id, drafts, parent=None, branch=MAIN, view=view)
    return Session(writer, id, subject, templates, Tree(nodes, notes), {MAIN: nodes[-1].id}, MAIN, {}, **options)


async def resume(writer: Writer, id: str, make: Callable[[Root], Subject], templates: Templates, **options: Any) -> Session:
    """A stored session, owned by this process from now on; what a dead owner left unfinished becomes `interrupted` replies."""
    await writer(writer.store.own, id)
    try:
        return await _resumed(writer, id, make, templates, **options)
    except BaseException:
        await writer(writer.store.release, id)
        raise


async def _resumed(writer: Writer, id: str, make: Callable[[Root], Subject], templates: Templates, **options: Any) -> Session:
    tree, branches = await writer(writer.store.tree, id)
    root = next((node.body for node in tree.nodes.values() if isinstance(node.body, Root)), None)
    if root is None or not branches:
        raise BadReference(f"Session {id} is empty: the program ended before its first turn was written.")
    view = await writer(writer.store.view_states, id)
    queues = {}
    try:
        for body in (node.body for node in tree.nodes.values() if isinstance(node.body, Root)):
            check_body(Kind.ROOT, as_data(body), scriptable())
        for key, value in view.items():
            if key.startswith("queue:"):
                _, tip, name = key.split(":", 2)
                queues[name, tip] = tuple(from_data(Part, data) for data in value)
        current = view.get("branch")
        branch = current if current in branches else MAIN if MAIN in branches else next(iter(branches))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(f"Session {id} is not as it was made, and cannot be gone on with: {error}. It can be exported.") from error
    session = Session(writer, id, make(root), templates, tree, branches, branch, queues, **options)
    session.recall(view.get("drafts"))
    session.history.recall(view.get("history"))
    # A full disk must not keep a session from being read: it is recorded when the session is next opened.
    with suppress(StoreError):
        await record_agreements(session)
    return session


def judge_unanswered(store: Reader, path: list[Node], reply: Reply) -> list[Remark]:
    """What the machine says about the reply that closes an open call: it is judged as any other incomplete one."""
    tree = Tree(path, store.annotations(path[0].session, [node.id for node in path]))
    state = fold(path, tree.said)
    call = path[-1].body
    branch = next((each.name for each in store.branches(path[0].session) if each.tip == path[-1].id), "")
    return judge(state, reply, call if isinstance(call, Call) else None, branch)


async def record_agreements(session: Session) -> None:
    """Records, once, what this version's grader says of answers and fakes that were told before that was kept with the turn: a
    later grader then changes no score that was shown."""
    found: dict[tuple[str, str], dict[str, bool | None]] = {}
    for node in session.tree.nodes.values():
        for part in node.body.parts if isinstance(node.body, User) else ():
            if part.feedback != "reveal" or part.truthful is not False or part.agrees or part.shown is None:
                continue
            attempt = session.state(node.id).find(part.reply, part.puzzle)
            if attempt is None or attempt.answer is None or part.shown in (attempt.agreements.get("keys") or {}):
                continue
            agreed = same(attempt.puzzle.answer, attempt.answer, part.shown)
            found.setdefault((part.reply, part.puzzle), dict(attempt.agreements.get("keys") or {}))[part.shown] = agreed
    if found:
        await session.remark(
            [
                Remark("agrees", {"keys": keys}, puzzle, version=GRADER_VERSION, node=reply)
                for (reply, puzzle), keys in found.items()
            ]
        )
