"""The imperative shell: decide, persist, call, persist, notify.

A session holds one branch's tip of a stored tree and carries out what interventions decide.  Nothing is shown or sent before it is
on disk: a call's row precedes its request, partial text is checkpointed while it streams, and whatever ends a stream (the subject,
the operator, an error, the process's exit) ends in a reply that keeps what arrived (Law 5).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.chance import derive
from ..core.claims import facts as claim_facts
from ..core.nodes import (
    Annotation,
    Assistant,
    Body,
    Call,
    Cause,
    Kind,
    Node,
    Part,
    Purpose,
    Remark,
    Reply,
    Root,
    System,
    User,
    as_data,
    digest,
    from_data,
    plain,
)
from ..core.plan import Plan
from ..core.puzzle import Puzzle
from ..core.reading.auto_annotate import agreement_remarks, judge, told_remarks
from ..core.reading.grading import GRADER_VERSION, same
from ..core.schedule import due, plan_fakes, plan_option_order
from ..core.state import FOLDED, State, fold
from ..core.transcript import BASE, BASE_STOP, CHAT, Rendered, render
from ..core.tree import Tree
from ..core.wording import Templates, system
from ..importers.fitting import check_body
from ..interventions.table import TABLE, scriptable, where
from ..interventions.types import ARRIVING, ASIDE, Context, Effect, Intervention, Refusal, Values
from ..store import BadReference, Draft, Reader, Store, StoreError, Unkept
from ..subjects.protocol import Capabilities, Deadlines, Request, Subject
from . import history
from .branches import trunk_of
from .calls import Change, Grew, OpenCall, Partial, Writer, carried_through
from .history import History
from .view import MAIN, Reading

Queues = dict[tuple[str, str], tuple[Part, ...]]
"""Feedback that waits, by (branch, tip)."""


def _kept(queues: Queues) -> dict[str, Any]:
    """`queues` as view state."""
    return {f"queue:{tip}:{branch}": [as_data(part) for part in queue] for (branch, tip), queue in queues.items()}


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A reply that could not be stored when it came."""

    call: str
    reply: Reply
    remarks: Sequence[Remark]
    branch: str


class Session(Reading):
    """A stored session that this process runs."""

    def __init__(
        self,
        writer: Writer,
        id: str,
        subject: Subject,
        templates: Templates,
        tree: Tree,
        branches: dict[str, str],
        branch: str,
        queues: Queues,
        *,
        hands: bool = True,
        deadlines: Deadlines = Deadlines(),
        listen: Callable[[Change], None] = lambda change: None,
    ) -> None:
        super().__init__(tree, branches, branch)
        self.id, self.subject, self.templates = id, subject, templates
        self.hands, self.deadlines, self.listen = hands, deadlines, listen
        self._write = writer
        self._queues = queues
        self._calls: dict[str, OpenCall] = {}
        """The calls in flight, by their ids."""
        self._in_hand = ""
        """The call of the turn in hand."""
        self.unsaved: dict[str, Unsaved] = {}
        """Replies that could not be stored when they came, by their calls."""
        self._placing, self._saving = asyncio.Lock(), asyncio.Lock()
        self.cancels = 0
        """How often the operator has stopped what was going on."""
        self.drafts: dict[str, dict[str, str]] = {}
        """What was typed in a form and not sent, by field: of an intervention at a node, `NAME:NODE`.  Kept when the session is closed."""
        self._drafts_kept: dict[str, dict[str, str]] = {}
        self._cancelled: tuple[str, Cause] | None = None
        self.history = History()
        self._trunk: tuple[Any, str] = (None, "")
        self._left: tuple[Any, str] = (None, "")
        self._capabilities: Capabilities | None = None
        self.paused = False
        self._playing: asyncio.Event | None = None
        self._working = False
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # Where we are

    @property
    def busy(self) -> bool:
        """While a turn is being written, or a reply is arriving."""
        return self._working

    @property
    def partial(self) -> Partial | None:
        """What has arrived of the reply to the turn in hand."""
        return self._calls[self._in_hand].partial if self._in_hand in self._calls else None

    @property
    def calling(self) -> bool:
        """While any reply is arriving, samples included."""
        return bool(self._open)

    @property
    def partials(self) -> list[Partial]:
        """What has arrived of every call in flight."""
        return [call.partial for call in self._calls.values()]

    @property
    def starting(self) -> bool:
        """While what a turn is to be sent to is not ready yet."""
        return self._working and self._capabilities is None

    @property
    def trunk(self) -> str:
        """The branch that the plan goes on with: the one in hand, or the one that this probe's fork left."""
        seen = (self.branch, self.tip, len(self.branches), len(self.tree))
        if self._trunk[0] != seen:
            self._trunk = seen, trunk_of(self, self.branch)
        return self._trunk[1]

    def start(self, cursor: str | None = None) -> tuple[str, str]:
        """The branch and the turn that a probe leaves: the trunk and its tip, or the turn of the trunk that the cursor is on."""
        trunk = self.trunk
        tip = self.branches[trunk]
        if cursor is None or cursor not in self.tree or isinstance(self.tree[cursor].body, Root | System):
            return trunk, tip
        answered = tip
        for node in self.tree.above(tip):
            if isinstance(node.body, Reply | Assistant):
                answered = node.id
            if node.id == cursor:
                return trunk, answered
        return trunk, tip

    def queue(self, node: str | None = None, branch: str = "") -> tuple[Part, ...]:
        """The feedback waiting at `node`: what the operator made of it on `branch` (default: the one in hand), or else what the plan
        gives there."""
        node, branch = node or self.tip, branch or self.branch
        if (branch, node) in self._queues:
            return self._queues[branch, node]
        planned = self.due(node)
        if not planned or not self._queues:
            return planned
        # What the plan gave further up, and the operator took back there, does not come again.
        changed = {place for _, place in self._queues}
        above = [each.id for each in self.tree.above(node) if each.id in changed]
        settled = {(part.reply, part.puzzle) for place in above for part in self.due(place)}
        return tuple(part for part in planned if (part.reply, part.puzzle) not in settled)

    def due(self, node: str) -> tuple[Part, ...]:
        """The feedback that the plan gives at `node`."""
        return due(self.state(node), self.templates) if isinstance(self.tree[node].body, Reply | Assistant) else ()

    def context(self, cursor: str | None = None) -> Context:
        """What an intervention may look at, with the operator pointing at `cursor` (default: the tip)."""
        node = self.tree[cursor if cursor is not None and cursor in self.tree else self.tip]
        queue = self.queue()
        return Context(
            templates=self.templates,
            queue=queue,
            cursor=node,
            stand=self._stand(node),
            busy=self.busy,
            hands=self.hands,
            marked=self.tree.said(node.id).get(("", "bookmark")) is True,
            aside=self._aside(cursor),
            undoes=done.label if (done := history.last_done(self, queue)) else "",
            redoes=self.history.undone[-1].label if self.history.undone else "",
            text=self._text,
        )

    def _aside(self, cursor: str | None) -> str:
        """In words, where a probe leaves the trunk."""
        asked = (self.trunk, self.branches[self.trunk], cursor)
        if self._left[0] != asked:
            trunk, start = self.start(cursor)
            self._left = asked, f"from {trunk}, {where(self.state(start))}"
        return self._left[1]

    def seen(self, name: str, values: Values | None = None, cursor: str | None = None, at: str = "") -> tuple[State, Context]:
        """What an intervention is decided from: the path that it will hang from, which is `at` where that is given, and otherwise not
        always the one in hand."""
        context, entry = self.context(at or cursor), TABLE[name]
        if at:
            return self.state(at), replace(context, queue=self.queue(at))
        if entry.place and (values or {}).get("in", entry.place) == ASIDE:
            branch, start = self.start(cursor)
        elif entry.group == "step":
            branch, start = self.trunk, self.branches[self.trunk]
        else:
            return self.state(), context
        return self.state(start), replace(context, queue=self.queue(start, branch), branch=branch, start=start)

    def label(self, name: str) -> str:
        """An intervention in a word or two; of undo and redo, with what it would take back or do again."""
        context = self.context()
        what = {"undo": context.undoes, "redo": context.redoes}.get(name, "")
        return f"{TABLE[name].label}: {what}" if what else TABLE[name].label

    def _text(self, id: str) -> str:
        """What stands in a turn of the subject's, its reasoning left out."""
        body = self.tree[id].body if id in self.tree else None
        return plain(body.spans) if isinstance(body, Reply | Assistant) else ""

    def _stand(self, node: Node) -> str:
        """The node that another turn of the subject's would hang from, beside `node`."""
        if isinstance(node.body, Reply) and node.parent:
            node = self.tree[node.parent]
        if isinstance(node.body, Call | Assistant):
            return node.parent or ""
        return node.id if isinstance(node.body, User) else ""

    def refusal(self, name: str, cursor: str | None = None) -> str | None:
        """Why `name` cannot be done now; None when it can."""
        return TABLE[name].refuse(*self.seen(name, None, cursor))

    # Doing

    def decide(self, name: str, values: Values | None = None, cursor: str | None = None, at: str = "") -> Effect:
        """What `name` would do, below `at` where that is given: the exact text for a preview.  Raises Refusal."""
        effect = self._intervention(name).decide(*self.seen(name, values, cursor, at), values)
        return replace(effect, parent=at) if at else effect

    @staticmethod
    def _intervention(name: str) -> Intervention:
        if name not in TABLE:
            raise Refusal(f"There is no intervention {name!r}; there are: {', '.join(TABLE)}.")
        return TABLE[name]

    async def do(self, name: str, values: Values | None = None, cursor: str | None = None) -> None:
        """Carries out an intervention; returns when the subject, if it was asked, has answered.  Raises Refusal."""
        self._intervention(name)
        effect = self.decide(name, values, cursor)
        if effect.autoplay or effect.samples:
            raise ValueError("The plan is run by runs.autoplay.play, and samples are taken by runs.sampling.sample.")
        if TABLE[name].group == "step" and self.trunk != self.branch:
            await self.go(self.trunk)
        await self.carry_out(effect)

    async def carry_out(self, effect: Effect) -> None:
        """What was decided, whole and in one transaction, and then the call it owes.  Raises Refusal while another turn is open."""
        if effect.moves and self._working:
            raise Refusal(ARRIVING)
        if effect.moves:
            self._working, self._cancelled = True, None
            self._begin()
        done = history.about_to(self, effect) if self.hands and not effect.history else None
        if done is not None:
            self.history.push(done)
        before = (self.branch, self.tip)
        try:
            if effect.moves or not self._working or effect.history:
                await self.save()
            if effect.remarks:
                await self.remark(effect.remarks)
            if effect.queue is not None:
                await self._keep(self.branch, self.tip, effect.queue)
            if effect.history:
                await self._turn_back(effect.history < 0)
            elif effect.moves:
                await self._extend(effect)
        except BaseException:
            if done is not None and (not effect.moves or (self.branch, self.tip) == before):
                self.history.drop(done)
            raise
        finally:
            if effect.moves:
                self._working = False
                self._end()
        self.listen(Grew())

    def _begin(self) -> None:
        self._open += 1
        self._idle.clear()

    def _end(self) -> None:
        self._open -= 1
        if not self._open:
            self._idle.set()

    async def _keep(self, branch: str, tip: str, queue: tuple[Part, ...]) -> None:
        """Makes `queue` what waits at the `tip` of `branch`."""
        kept = _kept({(branch, tip): queue}) | self.history.view()
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
                view = _kept(queues) | self.history.view()
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
        notes = await self._write(self._write.store.annotate, self.id, remarks, _kept(changed) | self.history.view())
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

    def overruled(self, remarks: Sequence[Remark]) -> Queues:
        """The queues that `remarks` change, as they will be."""
        ruled = {(remark.node, remark.puzzle) for remark in remarks if remark.field == "grade"}
        changed: Queues = {}
        for place, queue in self._queues.items():
            kept = tuple(part for part in queue if part.feedback != "verdict" or (part.reply, part.puzzle) not in ruled)
            if kept != queue:
                changed[place] = kept
        return changed

    def _heard(self, notes: Sequence[Annotation]) -> None:
        for note in notes:
            self.tree.annotate(note)
            if note.field in FOLDED:
                self.forget(note.node)

    async def _move(self, branch: str, tip: str, carried: Queues) -> None:
        await self._write(
            self._write.store.set_branch, self.id, branch, tip, {"branch": branch, **_kept(carried)} | self.history.view()
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
        for name in sorted(self.branches, key=lambda name: name != self.branch):
            if any(above.id == node for above in self.tree.above(self.branches[name])):
                return await self.go(name)
        leaf = self.tree.newest_leaf(node)
        here = {above.id for above in self.tree.above(self.tip)}
        left = next((above.id for above in self.tree.above(leaf) if above.id in here), leaf)
        name = self.free_name(called)
        await self._append([], leaf, [self._forked(name, left)], name, {})
        self.branch = name
        self.listen(Grew())
        return None

    def _forked(self, name: str, node: str, probe: str = "") -> Remark:
        """What is recorded of a new branch: which one it left, at which node, and for which question."""
        names = sorted(self.branches, key=lambda name: name != self.branch)
        holder = next(
            (name for name in names if any(above.id == node for above in self.tree.above(self.branches[name]))), self.branch
        )
        return Remark("fork", {"branch": name, "from": holder, "probe": probe}, node=node)

    def free_name(self, name: str) -> str:
        """`name`, or `name-2`, …: the first that no branch bears."""
        number, free = 1, name
        while free in self.branches:
            number += 1
            free = f"{name}-{number}"
        return free

    async def _extend(self, effect: Effect) -> None:
        """Appends a turn, and the call that it owes, in one transaction; then makes the call."""
        parent = effect.parent or self.tip
        branch = self.free_name(effect.fork) if effect.fork else self.branch
        carried: Queues = {}
        if branch != self.branch and (queue := self._queues.get((effect.branch or self.branch, parent))) is not None:
            carried[branch, parent] = queue
        bodies: list[Body] = []
        remarks: list[Remark] = [self._forked(branch, parent, effect.probe)] if branch != self.branch else []
        if effect.turn:
            user = User(effect.turn, effect.replaces)
            bodies.append(user)
            remarks += told_remarks(user, branch) + agreement_remarks(self.state(parent), user)
        if effect.forged is not None:
            bodies.append(effect.forged)
            remarks += judge(self.state(parent), effect.forged, None, branch)
        request = None
        async with self._placing:
            if effect.call is not None:
                call, request = await self._compose(parent, bodies, effect.call, self.subject)
                bodies.append(call)
            if not bodies and not remarks:
                return await self._move(branch, parent, carried)
            nodes = await self._append(bodies, parent, remarks, branch, carried)
            if branch != self.branch:
                self.branch = branch
        self.listen(Grew())
        if request is not None:
            self._in_hand = nodes[-1].id
            await self._ask(nodes[-1], request, branch, self.subject)
        return None

    async def sample(
        self, at: str, subject: Subject | None = None, params: Mapping[str, Any] = {}, seed: int | None = None
    ) -> Node:
        """One more reply to the turn `at`, beside those that it has, by `subject` (default: the session's) with `params` in the place
        of the session's own and a seed of its own, derived from `seed` (default: the session's).  No branch moves.  Returns the reply,
        however it ended.  Raises StoreError, SubjectError."""
        self._begin()
        try:
            subject = subject or self.subject
            holder = next((name for name, tip in self.branches.items() if any(n.id == at for n in self.tree.above(tip))), "")
            async with self._placing:
                call, request = await self._compose(at, (), Purpose.SAMPLE, subject, params, seed)
                (node,) = await self._append([call], at, (), None, {})
            self.listen(Grew())
            try:
                await self._ask(node, request, holder, subject)
            except StoreError:
                raise
            except Exception:
                if not self.tree.kids(node.id):
                    raise  # else the reply says it
            return self.tree[self.tree.kids(node.id)[0]]
        finally:
            self._end()

    async def _append(
        self, bodies: Sequence[Body], parent: str | None, remarks: Sequence[Remark], branch: str | None, carried: Queues
    ) -> list[Node]:
        """Appends a chain, and moves the tip of `branch` to its end where one is given; what is `carried` waits there too."""
        drafts, view = [Draft(body) for body in bodies], _kept(carried) | self.history.view()
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

    async def capabilities(self) -> Capabilities:
        """What the subject's backend takes, asked once.  Raises SubjectError."""
        if self._capabilities is None:
            self._capabilities = await self.subject.capabilities()
        return self._capabilities

    async def left_out(self) -> str:
        """A sentence that names the parameters which this backend does not take; "" where it takes all.  Raises SubjectError."""
        dropped = (await self.capabilities()).dropped({**self.root.params, "seed": self.root.seed})
        return f"{self.subject.name} does not take {', '.join(dropped)}: left out of every request." if dropped else ""

    def rendered(self, node: str, renderer: str = "") -> Rendered:
        """What a call made at `node` would send; by a `renderer` other than this backend's, what it did send."""
        chat = self._capabilities is None or self._capabilities.chat
        return render((n.body for n in self.tree.path(node)), renderer or (CHAT if chat else BASE))

    async def _compose(
        self,
        parent: str,
        bodies: Sequence[Body],
        purpose: Purpose,
        subject: Subject,
        changed: Mapping[str, Any] = {},
        seed: int | None = None,
    ) -> tuple[Call, Request]:
        """The call's row and its request.  Every call has a seed of its own, from the session's seed, its place and its sample index:
        one seed for several would tie their replies together."""
        capabilities = await (self.capabilities() if subject is self.subject else subject.capabilities())
        path = [node.body for node in self.tree.path(parent)] + list(bodies)
        shown = render(path, CHAT if capabilities.chat else BASE)
        earlier = [] if bodies else [kid for kid in self.tree.kids(parent) if isinstance(self.tree[kid].body, Call)]
        place = self.tree.place(parent) + ((len(self.tree.kids(parent)),) if bodies else ())
        first = self.root.seed if seed is None else seed
        params = {**self.root.params, **changed, "seed": derive(first, "call", *place, "sample", len(earlier))}
        if not capabilities.chat:
            params.setdefault("stop", list(BASE_STOP))
        dropped = capabilities.dropped(params)
        sent = {name: value for name, value in params.items() if name not in dropped}
        call = Call(
            model=subject.model,
            simulated=subject.simulated,
            params=sent,
            dropped=dropped,
            renderer=shown.renderer,
            digest=shown.digest,
            purpose=purpose,
            group=parent if earlier else "",
            sample_index=len(earlier),
        )
        return call, Request(shown.messages, shown.prompt, sent, self.deadlines)

    # The call

    async def _ask(self, call: Node, request: Request, branch: str, subject: Subject) -> None:
        """Streams the reply to `call`, and stores it however it ends.

        A reply that cannot be stored is kept: it stays in sight, and the next thing done tries to store it first.
        """
        opened = self._calls[call.id] = OpenCall(subject, self._write, call.id, self._tell)
        if self._cancelled is not None and call.id == self._in_hand:
            opened.cancel(*self._cancelled)
        await carried_through(self._answer(call, opened, request, branch), opened.cancel)

    async def _answer(self, call: Node, opened: OpenCall, request: Request, branch: str) -> None:
        reply, failure = await opened.reply(request)
        body = call.body if isinstance(call.body, Call) else None
        self.unsaved[call.id] = Unsaved(call.id, reply, judge(self.state(call.id), reply, body, branch), branch)
        await self.save()
        if failure is not None:
            raise failure

    async def save(self) -> None:
        """Stores the replies that could not be stored when they came, if there are any.  Raises StoreError."""
        async with self._saving:
            for call, kept in list(self.unsaved.items()):
                # A sample moves no branch: it hangs beside the turn that one holds.
                branch = kept.branch if self.branches.get(kept.branch) == call else None
                await self._append([kept.reply], call, kept.remarks, branch, {})
                del self.unsaved[call]
                self._calls.pop(call, None)
                self.listen(Grew())

    async def save_elsewhere(self, path: Path) -> None:
        """Copies the session with what is queued in it, and the reply that could not be stored, to the notebook at `path`, which is
        made if there is none.  Here nothing changes.  Raises StoreError."""
        row = await self._write(self._write.store.session, self.id)
        view = {**await self._write(self._write.store.view_states, self.id), "drafts": self._drafts_now()}
        about = {"title": row.title, "created_at": row.created_at, "updated_at": row.updated_at}
        facts = {"plan": row.plan, "model": row.model, "simulated": row.simulated}
        branches = [{"name": name, "tip": tip} for name, tip in self.branches.items()]
        nodes, notes = list(self.tree.nodes.values()), [note for each in self.tree.notes.values() for note in each]
        unsaved = list(self.unsaved.values())

        def copy() -> None:
            with Store(path) as other:
                other.own(self.id)  # before its open call comes in, which an owner-to-be would close
                other.import_session({"id": self.id, **about, **facts}, nodes, notes, branches)
                for key, value in view.items():
                    other.set_view_state(self.id, key, value)
                unanswered = {point.call for point in other.open_calls(self.id)}
                for each in unsaved:
                    if each.call in unanswered:
                        branch = each.branch if self.branches.get(each.branch) == each.call else None
                        other.append(self.id, [Draft(each.reply)], parent=each.call, remarks=each.remarks, branch=branch)

        await carried_through(asyncio.to_thread(copy))

    def _tell(self, change: Change) -> None:
        self.listen(change)

    def cancel(self, cause: str = "by the operator", kind: Cause = Cause.OPERATOR) -> bool:
        """Ends every reply that is arriving, for a `cause` that each will name, and keeps what came; False when there is none."""
        self.pause()
        self.cancels += 1
        if not self._open:
            return False
        if self._working:
            self._cancelled = self._cancelled or (cause, kind)
        for call in self._calls.values():
            call.cancel(cause, kind)
        return True

    async def record_agreements(self) -> None:
        """Records, once, what this version's grader says of answers and fakes that were told before that was kept with the turn: a
        later grader then changes no score that was shown."""
        found: dict[tuple[str, str], dict[str, bool | None]] = {}
        for node in self.tree.nodes.values():
            for part in node.body.parts if isinstance(node.body, User) else ():
                if part.feedback != "reveal" or part.truthful is not False or part.agrees or part.shown is None:
                    continue
                attempt = self.state(node.id).find(part.reply, part.puzzle)
                if attempt is None or attempt.answer is None or part.shown in (attempt.agreements.get("keys") or {}):
                    continue
                agreed = same(attempt.puzzle.answer, attempt.answer, part.shown)
                found.setdefault((part.reply, part.puzzle), dict(attempt.agreements.get("keys") or {}))[part.shown] = agreed
        if found:
            await self.remark(
                [
                    Remark("agrees", {"keys": keys}, puzzle, version=GRADER_VERSION, node=reply)
                    for (reply, puzzle), keys in found.items()
                ]
            )

    # The plan, without hands

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the plan runs by itself, so that it can be paused, and is waited for on closing.  Raises Refusal where it does."""
        if self._playing is not None:
            raise Refusal("The plan is running already.")
        self.paused = False
        self._playing = asyncio.Event()
        try:
            yield
        finally:
            self._playing.set()
            self._playing = None

    def pause(self) -> None:
        """A run of the plan stops before its next step."""
        self.paused = True

    async def close(self) -> None:
        """Cancels what is arriving, keeps it, and gives the session up.  Raises StoreError, which says where the last reply is, when
        that could not be stored in this notebook."""
        self.cancel("the session was left while it arrived", Cause.LEFT)
        if self._playing is not None:
            await self._playing.wait()
        await self._idle.wait()
        try:
            await self.save()
        except StoreError as error:
            raise await self._rescued(error) from error
        else:
            if (drafts := self._drafts_now()) != self._drafts_kept:
                await self._write(self._write.store.set_view_state, self.id, "drafts", drafts)
        finally:
            await self._write(self._write.store.release, self.id)
            await self.subject.close()

    def recall(self, drafts: object) -> None:
        """Takes up the drafts that were kept, as far as they are any: a notebook may be another's."""
        for place, fields in drafts.items() if isinstance(drafts, dict) else ():
            if isinstance(fields, dict) and all(isinstance(text, str) for text in fields.values()):
                self.drafts[place] = dict(fields)
        self._drafts_kept = self._drafts_now()

    def _drafts_now(self) -> dict[str, dict[str, str]]:
        return {place: dict(fields) for place, fields in self.drafts.items() if fields}

    async def _rescued(self, error: StoreError) -> StoreError:
        """Puts the session into a file of its own; what to raise then, which says where, or holds the reply where that failed too."""
        try:
            place = Path(tempfile.mkdtemp(prefix="lifeline-")) / "rescued.db"
            await self.save_elsewhere(place)
        except (StoreError, OSError) as why:
            replies = [each.reply for each in self.unsaved.values()]
            text = "\n\n".join(part for reply in replies for part in (reply.reasoning, plain(reply.spans)) if part)
            return Unkept(f"{error} {self._last('Its')} could be kept in no other file either: {why}", text)
        return StoreError(f"{error} The session is in {place}, with {self._last('its')}: `lifeline --db {place}` opens it.")

    def _last(self, its: str) -> str:
        return f"{its} last reply" if len(self.unsaved) == 1 else f"{its} last {len(self.unsaved)} replies"


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
        await session.record_agreements()
    return session


def judge_unanswered(store: Reader, path: list[Node], reply: Reply) -> list[Remark]:
    """What the machine says about the reply that closes an open call: it is judged as any other incomplete one."""
    tree = Tree(path, store.annotations(path[0].session, [node.id for node in path]))
    state = fold(path, tree.said)
    call = path[-1].body
    branch = next((each.name for each in store.branches(path[0].session) if each.tip == path[-1].id), "")
    return judge(state, reply, call if isinstance(call, Call) else None, branch)
