"""What one process holds: its config, its store, the words put before models, and the subjects.

The app and the command line both stand on this, so that a session by hand and one without hands are the same code.  Everything is
opened when it is first needed: the first paint waits for none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..core.codec import as_data
from ..core.nodes import Root, digest
from ..core.plan import Plan, choose
from ..core.puzzle import Puzzle
from ..core.schedule import outcomes
from ..core.wording import Templates
from ..interventions.table import scriptable
from ..loading.config import Config, on_this_machine
from ..loading.templates import load_templates
from ..store import BadReference, Hit, Reader, Store
from ..store import Session as Row
from ..subjects.protocol import Deadlines, Subject
from ..subjects.unconfirmed import Withheld
from .branches import home
from .calls import Writer
from .models import Models
from .opening import create, judge_unanswered, resume
from .session import Session
from .view import Reading

PROVIDER = "provider"
"""What to say in place of an API base for the provider's own service."""


class Lab:
    """One process's notebook, models and words.  `paced`: embedded subjects stream as a person would read."""

    def __init__(self, config: Config, db: Path, *, paced: bool, deadlines: Deadlines | None = None) -> None:
        self.config, self.db = config, db
        self.deadlines = deadlines or config.deadlines
        self.models = Models(config.models, paced=paced, log=db.with_name(db.name + ".provider.log"))
        self._writer: Writer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @cached_property
    def templates(self) -> Templates:
        return load_templates()

    @property
    def writer(self) -> Writer:
        """The store, opened for writing.  Raises StoreError."""
        if self._writer is None:
            self._writer = Writer(Store(self.db, judged=judge_unanswered))
        return self._writer

    def plan(self, name: str) -> tuple[Plan, tuple[Puzzle, ...]]:
        """A plan and all the puzzles of its pack.  Raises BadFile."""
        from ..loading.packs import load_pack
        from ..loading.plans import load_plan

        plan = load_plan(name, scriptable())
        return plan, load_pack(plan.puzzles.pack).puzzles

    async def new(
        self,
        plan_name: str,
        model: str,
        *,
        seed: int | None = None,
        item_seed: int | None = None,
        api_base: str = "",
        limit: int | None = None,
        title: str = "",
        **options: Any,
    ) -> Session:
        """A new session of a plan, at most `limit` puzzles long; its puzzles are those of `item_seed` (default: `seed`).  Raises
        BadFile, SelectionError, SubjectError, StoreError."""
        plan, pool = self.plan(plan_name)
        seed = plan.seed if seed is None else seed
        puzzles = choose(plan.puzzles, pool, seed if item_seed is None else item_seed)[:limit]
        yoked = await self._yoked(plan) if plan.feedback.kind == "yoked" else None
        plan = replace(plan, puzzles=replace(plan.puzzles, count=len(puzzles)))
        subject = self.models.make(model, puzzles, api_base)
        await subject.capabilities()
        return await create(
            self.writer,
            plan,
            puzzles,
            subject,
            self.templates,
            title=title or plan.name,
            seed=seed,
            item_seed=item_seed,
            yoked=yoked,
            digests={"pack": digest(as_data(pool))},
            view={"api_base": api_base},
            deadlines=self.deadlines,
            **options,
        )

    async def _yoked(self, plan: Plan) -> Mapping[str, bool]:
        """What the session that a plan is yoked to was told at each place of its trunk.  Raises StoreError."""
        store = self.writer.store
        row = await self.writer(store.session, plan.feedback.to)
        tree, branches = await self.writer(store.tree, row.id)
        record = Reading(tree, branches)
        found = outcomes(record.state(branches[home(record)])) if branches else {}
        if not found:
            raise BadReference(f"Session {row.id} has no outcome to be yoked to: none of its answers was told of or graded.")
        return found

    async def open(self, session: str, *, api_base: str = "", **options: Any) -> Session:
        """A stored session, by id, its beginning, or its title.  Raises StoreError when another process owns it.

        Notebooks and exports are shared: where the session was served at another machine, or nobody knows where, nothing is sent until
        the operator has said where to, by an `api_base` or the word `provider` for the provider's own service."""
        store = self.writer.store
        row = await self.writer(store.session, session)
        stored = await self.writer(store.view_state, row.id, "api_base")
        said = "" if api_base == PROVIDER else api_base or None

        def usual(root: Root) -> Subject:
            base = said if said is not None else stored if isinstance(stored, str) else None
            made = self.models.make(root.model, root.puzzles, base or "")
            if said is not None or made.simulated:
                return made
            again = f"nothing is sent until you say so: lifeline open {row.id} --api-base"
            if base and not on_this_machine(base):
                return Withheld(root.model, f"Session {row.id} was served at {base}. Notebooks are shared, so {again} {base}")
            if base is None and root.model not in self.config.models:
                return Withheld(root.model, f"Where session {row.id} was served is not known here, so {again} URL, or {PROVIDER}.")
            return made

        opened = await resume(self.writer, row.id, usual, self.templates, deadlines=self.deadlines, **options)
        if said is not None:
            await self.writer(store.set_view_state, row.id, "api_base", said)
        return opened

    def export(self, session: str, format: str, path: Path) -> None:
        """Exports a stored session to `path`.  Raises ExportError, StoreError.  Blocks: not for the screen's thread."""
        from ..exporters import write

        with Reader(self.db) as store, store.moment():
            write(format, store, [session], path)

    def rows(self, search: str | None = None, *, hidden: bool = False, limit: int = 200) -> list[Row]:
        """Stored sessions, the last changed first; none where there is no notebook yet.  Raises StoreError.  Blocks."""
        if not self.db.exists():
            return []
        with Reader(self.db) as store:
            return store.sessions(search, include_hidden=hidden, limit=limit)

    def find(self, text: str) -> list[Hit]:
        """Where `text` was said, the newest first.  Raises StoreError.  Blocks."""
        if not self.db.exists():
            return []
        with Reader(self.db) as store:
            return store.search(text)

    async def rename(self, id: str, title: str) -> None:
        """Gives a stored session another title.  Raises StoreError, also where another process owns it."""
        await self.writer(self.writer.store.rename, id, title)

    async def hide(self, id: str, hidden: bool) -> None:
        """Takes a stored session out of the lists, or back in.  Raises StoreError, also where another process owns it."""
        await self.writer(self.writer.store.hide, id, hidden)

    async def close(self) -> None:
        """Ends the provider child and closes the store."""
        await self.models.close()
        if self._writer is not None:
            await self._writer.close()
