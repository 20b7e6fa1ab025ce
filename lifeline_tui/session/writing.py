"""Writing to a session: turns, remarks, branches, and what was done taken back.  Each is one transaction, on the store's own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.claims import facts as claim_facts
from ..core.nodes import (
    Annotation,
    Body,
    Node,
    Part,
    Remark,
)
from ..core.state import FOLDED
from ..core.tree import Tree
from ..core.wording import Templates
from ..interventions.types import Refusal
from ..store import Draft
from . import history
from .calls import Change, Grew, Writer
from .decisions import Decisions, Queues, as_view


class Writing(Decisions):
    """A session in a store that this process may write to."""

    def __init__(
        self,
        writer: Writer,
        id: str,
        tree: Tree,
        branches: dict[str, str],
        branch: str,
        *,
        templates: Templates,
        queues: Queues,
        hands: bool,
        listen: Callable[[Change], None],
    ) -> None:
        super().__init__(tree, branches, branch, templates=templates, queues=queues, hands=hands)
        self.id, self.listen = id, listen
        self._write = writer

    async def _keep(self, branch: str, tip: str, queue: tuple[Part, ...]) -> None:
        """Makes `queue` what waits at the `tip` of `branch`."""
        kept = as_view({(branch, tip): queue}) | self.history.view()
        await self._write(self._write.store.annotate, self.id, (), kept)
        self._queues[branch, tip] = queue

    # What was done, and back

    async def _turn_back(self, back: bool) -> None:
        """Takes back what was done last, or does again what was taken back last: in one transaction."""
        done = history.last_done(self, self.queue()) if back else next(iter(self.history.undone[-1:]), None)
        if done is None or not history.stands(self, done):
            raise Refusal("What was done last is no longer in this notebook.")
        was = (self.history.done, self.history.undone)
        self.history.turned(done, history.turned_to(done, self.branches), back)
        queues = {(each.branch, each.tip): each.before if back else each.after for each in done.waited}
        remarks = [each.remark(back) for each in done.said]
        place = done.left if back else done.came
        try:
            if place is not None and done.left is not None and done.came is not None:
                moves, fork = done.left[0] == done.came[0], self.tree.forks.get(done.came[0])
                if back and not moves and fork is not None and fork.node in self.tree:
                    # No branch holds what was taken back: it must not stand in a table.
                    await self._write(self._write.store.set_branch, self.id, done.came[0], fork.node)
                    self.branches[done.came[0]] = fork.node
                tip = place[1] if moves or not back else ""
                await self._move(place[0], tip or self.branches[place[0]], queues)
            else:
                view = as_view(queues) | self.history.view()
                notes = await self._write(self._write.store.annotate, self.id, remarks, view)
                self._queues |= queues
                self._heard(notes)
                await self._measure_again({remark.node for remark in remarks if remark.field == "grade"})
        except BaseException:
            self.history.done, self.history.undone = was
            raise

    async def remark(self, remarks: Sequence[Remark]) -> None:
        """Writes what is said about stored nodes.  A verdict that waits on a grade which is overruled no longer waits."""
        changed = self.overruled(remarks)
        notes = await self._write(self._write.store.annotate, self.id, remarks, as_view(changed) | self.history.view())
        self._queues |= changed
        self._heard(notes)
        await self._measure_again({remark.node for remark in remarks if remark.field == "grade"})

    async def _measure_again(self, overruled: set[str]) -> None:
        """Measures the claims again that were made below replies which the operator overruled; the earlier measure stays."""
        remarks = []
        for reply in overruled:
            for id in self.tree.walk(reply):
                node, before = self.tree[id], self.tree.said(id).get(("", "claim_facts"))
                asked = self.state(node.parent).last_part if node.parent else None
                if not isinstance(before, dict) or asked is None:
                    continue
                now = claim_facts(self.state(node.parent), asked, str(before.get("branch", ""))) | {"status": before.get("status")}
                if now != before:
                    remarks.append(Remark("claim_facts", now, node=id))
        if remarks:
            self._heard(await self._write(self._write.store.annotate, self.id, remarks))

    def _heard(self, notes: Sequence[Annotation]) -> None:
        for note in notes:
            self.tree.annotate(note)
            if note.field in FOLDED:
                self.forget(note.node)

    async def _move(self, branch: str, tip: str, carried: Queues) -> None:
        await self._write(
            self._write.store.set_branch, self.id, branch, tip, {"branch": branch, **as_view(carried)} | self.history.view()
        )
        self.branches[branch] = tip
        self._queues |= carried
        self.branch = branch
        self.listen(Grew())

    async def go(self, branch: str) -> None:
        """Makes `branch` the one that is worked on."""
        await self._write(self._write.store.set_view_state, self.id, "branch", branch)
        self.branch = branch
        self.listen(Grew())

    async def visit(self, node: str, called: str = "found") -> None:
        """Goes to where `node` can be seen: a branch whose path holds it, or a new one, `called` so, down to its newest leaf."""
        if held := self.holders(node):
            return await self.go(held[0])
        leaf = self.newest_leaf(node)
        here = {above.id for above in self.tree.above(self.tip)}
        left = next((above.id for above in self.tree.above(leaf) if above.id in here), leaf)
        name = self.free_name(called)
        await self._append([], leaf, [self._forked(name, left)], name, {})
        self.branch = name
        self.listen(Grew())
        return None

    def _forked(self, name: str, node: str, probe: str = "") -> Remark:
        """What is recorded of a new branch: which one it left, at which node, and for which question."""
        # A turn that several branches share is the trunk's first.
        names = sorted(self.branches, key=lambda name: (name != self.trunk, name != self.branch))
        holder = next(
            (name for name in names if any(above.id == node for above in self.tree.above(self.branches[name]))), self.branch
        )
        return Remark("fork", {"branch": name, "from": holder, "probe": probe}, node=node)

    async def _append(
        self, bodies: Sequence[Body], parent: str | None, remarks: Sequence[Remark], branch: str | None, carried: Queues
    ) -> list[Node]:
        """Appends a chain, and moves the tip of `branch` to its end where one is given; what is `carried` waits there too."""
        drafts, view = [Draft(body) for body in bodies], as_view(carried) | self.history.view()
        if branch is not None and branch not in self.branches:
            view["branch"] = branch
        append = self._write.store.append
        nodes, notes = await self._write(append, self.id, drafts, parent=parent, remarks=remarks, branch=branch, view=view)
        for node in nodes:
            self.tree.add(node)
        self._heard(notes)
        if branch is not None:
            self.branches[branch] = nodes[-1].id if nodes else parent or ""
        self._queues |= carried
        return nodes
