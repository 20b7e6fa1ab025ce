"""The imperative shell: decide, persist, call, persist, notify.

A session holds one branch's tip of a stored tree and carries out what interventions decide.  Nothing is shown or sent before it is
on disk: a call's row precedes its request, partial text is checkpointed while it streams, and whatever ends a stream (the subject,
the operator, an error, the process's exit) ends in a reply that keeps what arrived (Law 5).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..core.nodes import (
    Body,
    Call,
    Cause,
    Node,
    Purpose,
    Remark,
    User,
)
from ..core.reading.auto_annotate import agreement_remarks, judge, told_remarks
from ..core.transcript import BASE, CHAT, Rendered, render
from ..core.tree import Tree
from ..core.wording import Templates
from ..interventions.table import TABLE
from ..interventions.types import ARRIVING, Effect, Refusal, Values
from ..store import StoreError, Unkept
from ..subjects.protocol import Capabilities, Deadlines, Request, Subject
from . import history, rescue_copy
from .calls import Change, Grew, OpenCall, Partial, Writer, carried_through
from .decisions import Queues
from .request import compose
from .rescue_copy import Unsaved
from .writing import Writing


class Session(Writing):
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
        super().__init__(writer, id, tree, branches, branch, templates=templates, queues=queues, hands=hands, listen=listen)
        self.subject, self.deadlines = subject, deadlines
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
                call, request = compose(self, parent, bodies, effect.call, self.subject, await self.capabilities(), self.deadlines)
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
                known = await (self.capabilities() if subject is self.subject else subject.capabilities())
                call, request = compose(self, at, (), Purpose.SAMPLE, subject, known, self.deadlines, params, seed)
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

    # The calls

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
        """Copies the session with what is queued in it, and the replies that could not be stored, to the notebook at `path`, which is
        made if there is none.  Here nothing changes.  Raises StoreError."""
        row = await self._write(self._write.store.session, self.id)
        view = {**await self._write(self._write.store.view_states, self.id), "drafts": self._drafts_now()}
        names = ("title", "created_at", "updated_at", "plan", "model", "simulated")
        about = {"id": self.id} | {name: getattr(row, name) for name in names}
        copying = partial(rescue_copy.copy, path, about, self.tree, dict(self.branches), view, list(self.unsaved.values()))
        await carried_through(asyncio.to_thread(copying))

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
        count = len(self.unsaved)
        last = "last reply" if count == 1 else f"last {count} replies"
        try:
            place = rescue_copy.rescued_place()
            await self.save_elsewhere(place)
        except (StoreError, OSError) as why:
            text = rescue_copy.told(list(self.unsaved.values()))
            return Unkept(f"{error} Its {last} could be kept in no other file either: {why}", text)
        return StoreError(f"{error} The session is in {place}, with its {last}: `lifeline --db {place}` opens it.")
