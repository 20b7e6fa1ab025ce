"""The run screen: the tree, the transcript, the puzzle card, and every intervention a key away.

Widgets render from the session's state and hold no domain state.  No text field has the focus here, so every letter is an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Size
from textual.timer import Timer
from textual.widgets import Static

from ...core.nodes import Call, Reply
from ...interventions.table import TABLE
from ...interventions.types import ARRIVING, Refusal
from ...session.branches import home, left
from ...session.calls import Change, Grew, PassedOver, Streamed, Waiting
from ...session.session import Session
from ...store import StoreError
from ...subjects.protocol import SubjectError
from ..growth import Growth
from ..host import Host
from ..keys import OTHERS, with_keys
from ..notices import left_out, notice, plainly, unsaved
from ..rail import rail_rows
from ..record import STRIP, Record, arriving, coming, node_of
from ..show import shown
from ..widgets.actions import Actions
from ..widgets.card import Card
from ..widgets.topbar import TopBar
from ..widgets.transcript import Transcript
from ..widgets.tree_rail import TreeRail
from .sampling import Sampling

if TYPE_CHECKING:
    from ...runs.autoplay import Ended

AT_ONCE = frozenset({"reveal", "verdict", "praise"})
"""Feedback that is only queued, in sight: its form is skipped, since nothing is sent yet and z takes it back."""


class RunScreen(Sampling):
    """One session.  Its keys come from the interventions table, and a few more that only look."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(entry.key, f"do('{name}')", entry.label, tooltip=entry.about, show=False, id=name)
            for name, entry in TABLE.items()
        ),
        *(Binding(other.key, other.action, other.about, show=False, id=name) for name, other in OTHERS.items()),
    ]
    DEFAULT_CSS = """
    RunScreen { layout: vertical; }
    RunScreen #middle { height: 1fr; }
    RunScreen TreeRail { width: 24; border-right: vkey $border; }
    RunScreen Transcript { width: 1fr; padding: 0 1; }
    RunScreen #side { width: 36; border-left: vkey $border; }
    RunScreen #side VerticalScroll { height: 1fr; }
    RunScreen #strip { display: none; height: auto; min-height: 3; max-height: 6; border-top: hkey $border; }
    RunScreen #notice { display: none; height: auto; max-height: 4; background: $panel; padding: 0 1; color: $tone-error; }
    RunScreen #notice.on { display: block; }
    RunScreen #notice.calm { color: $text-muted; }
    RunScreen.narrow #side { display: none; }
    RunScreen.narrow #strip { display: block; }
    RunScreen.narrow TreeRail { display: none; }
    RunScreen.railed TreeRail { display: block; }
    RunScreen.unrailed TreeRail { display: none; }
    RunScreen.wide TreeRail { width: 34; }
    RunScreen.wide #side { width: 48; }
    """

    app: Host

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.session.listen = self.changed
        way = "{key:previous-branch} and {key:next-branch} go through them; {key:open-sample} opens one as a branch."
        self.record, self.growth = Record(session, self.keyed(way)), Growth(session)
        self.opened: set[str] = set()
        self.playing = False
        self.outcome: Ended | None = None
        """How the last run of the plan ended."""
        self.own_keys = {key for name, entry in TABLE.items() for key in self.app.keymap.get(name, entry.key).split(",")}
        """Those of the interventions."""
        self.trouble = ""
        self.ended = ""
        """What is to be said of how the last run of the plan ended."""
        self._due: Timer | None = None
        self._tip = ""
        self._begun: set[str] = set()

    def compose(self) -> ComposeResult:
        yield TopBar(self.session, self.app.keymap)
        with Horizontal(id="middle"):
            yield TreeRail()
            yield Transcript()
            with VerticalScroll(id="side", can_focus=False):
                yield Card(self.session, id="card")
        with VerticalScroll(id="strip", can_focus=False):
            yield Card(self.session, id="small")
        yield Static(id="notice")
        yield Actions(self.session, self.app.keymap)

    def on_mount(self) -> None:
        self._fit(self.app.size)
        self.query_one("#small", Card).compact = True
        transcript = self.query_one(Transcript)
        transcript.focus()
        self.watch(transcript, "cursor", self._follow, init=False)
        self.redraw()
        self._warn_of_dropped()

    @work
    async def _warn_of_dropped(self) -> None:
        """Says before the first request which parameters this backend does not take."""
        try:
            left_out = await self.session.left_out()
        except SubjectError as error:
            self.say(plainly(str(error)))
            return
        if left_out:
            self.notify(left_out, timeout=8)

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size)
        self.redraw()

    def _fit(self, size: Size) -> None:
        self.set_class(size.width < 100, "narrow")
        self.set_class(size.width >= 160, "wide")

    # What changed

    def changed(self, change: Change) -> None:
        """The session tells; drawing is put off until the next refresh, so that a burst is drawn once."""
        if not self.is_attached:
            return
        if isinstance(change, Streamed):
            part = f"{change.call}#r" if change.reasoning and not change.text else change.call
            if part in self._begun and not (change.text and change.reasoning):
                self.query_one(Transcript).stream(part, change.text or change.reasoning)
            else:
                self._arrive()
        elif isinstance(change, Waiting):
            self.say(
                f"{plainly(change.retry.why)}: retry {change.retry.attempt} in {change.retry.wait:.0f} s; {{key:cancel}} stops it"
            )
        elif isinstance(change, PassedOver):
            self.notify(self.keyed(change.why), severity="warning", timeout=15)
        elif isinstance(change, Grew) and self._due is None:
            self._due = self.set_timer(0.01, self.redraw)

    def _arrive(self) -> None:
        """The first text of a reply or of its reasoning: its blocks appear."""
        transcript = self.query_one(Transcript)
        transcript.set_tail(len(self.record.path()), arriving(self.session))
        self._begun = {block.id for block in arriving(self.session) if block.text}

    def redraw(self) -> None:
        """Everything from the state of the path; what has not changed is left alone."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        transcript = self.query_one(Transcript)
        transcript.show_blocks([*self.record.path(), *coming(self.session)])
        self._begun = {block.id for block in arriving(self.session) if block.text}
        if not self.session.busy:
            self.app.hush(self.keyed(ARRIVING))
        drawn = [
            block.id
            for block in transcript.blocks
            if self._sampled and block.id in (f"{self._sampled}#samples", f"{self._sampled}#sample")
        ]
        if drawn:
            transcript.show_block(drawn[-1])
            self._sampled = ""
        moved, self._tip = self.session.tip != self._tip, self.session.tip
        self._draw_rail(to_current=moved or not self.query_one(TreeRail).has_focus)
        self._follow()
        self.query_one(TopBar).refresh()
        self.query_one(Actions).refresh()
        self._notice()

    def _draw_rail(self, to_current: bool = True) -> None:
        rail = self.query_one(TreeRail)
        if rail.display:
            grove = self.growth.grow()
            rail.set_rows(rail_rows(grove, self.growth.twig_at(self.session.tip), self.opened), to_current)

    def _notice(self) -> None:
        """The error card: what happened to the last reply, what is kept, and what can be done; else what to do first."""
        session = self.session
        if self.trouble:
            self.say(self.trouble)
        elif self.app.waiting:
            self.say(f"Keys that wait: {self.app.waiting_keys}. {{key:cancel}} drops them.", calm=True)
        elif self.playing:
            self.say("Autoplay runs the plan: {key:autoplay} pauses it, {key:cancel} stops the reply.", calm=True)
        elif self.count:
            self.say(f"{self.count} …: {{key:sample}} samples as many replies to the turn at the cursor.", calm=True)
        elif session.busy:
            self.say("")
        else:
            self.say(*notice(session, self.ended, self.outcome))

    def on_screen_suspend(self) -> None:
        """A run goes on only in sight."""
        if self.playing:
            self.session.pause()

    def keyed(self, sentence: str) -> str:
        """A sentence with the operator's own keys in it."""
        return with_keys(sentence, self.app.keymap)

    def say(self, text: str, calm: bool = False) -> None:
        """A line above the actions, until the next change."""
        line = self.query_one("#notice", Static)
        line.update(shown(self.keyed(text)))
        line.set_class(bool(text), "on")
        line.set_class(calm, "calm")

    # The cursor

    @property
    def pointed(self) -> str | None:
        """The node under the transcript's cursor."""
        block = self.query_one(Transcript).current_block
        node = node_of(block.id) if block is not None else ""
        return node if node in self.session.tree else None

    def _follow(self) -> None:
        """What depends on where the cursor is."""
        pointed = self.pointed
        for card in self.query(Card):
            card.look(pointed)
        for bar in self.query(Actions):
            if bar.cursor != pointed:
                bar.cursor = pointed
                bar.refresh()

    def _show(self, node: str) -> None:
        """Puts the cursor on a node's block, or on the first one below it."""
        transcript = self.query_one(Transcript)
        below = set(self.session.tree.walk(node))
        found = next((block for block in transcript.blocks if node_of(block.id) in below), None)
        if found is not None:
            transcript.show_block(found.id)

    @work
    async def on_tree_rail_node_chosen(self, message: TreeRail.NodeChosen) -> None:
        if self._waits():
            return
        await self.session.visit(message.node_id)
        self.redraw()
        self._show(message.node_id)
        self.query_one(Transcript).focus()

    def on_tree_rail_fold_asked(self, message: TreeRail.FoldAsked) -> None:
        (self.opened.discard if message.opened else self.opened.add)(message.node_id)
        self._draw_rail(to_current=False)

    def _waits(self) -> bool:
        """Whether a reply is arriving, which is said."""
        if self.session.busy:
            self.notify(self.keyed(ARRIVING), severity="warning")
        return self.session.busy

    # Doing

    def on_actions_chosen(self, message: Actions.Chosen) -> None:
        if message.name in TABLE:
            self.action_do(message.name)
        elif message.name == "leave":
            self.action_cancel() if self.session.calling else self.action_leave()
        else:
            self.app.action_help()

    def action_do(self, name: str) -> None:
        """One intervention: refused with its reason, asked about in the form, or done at once."""
        entry, cursor = TABLE[name], self.pointed
        if name != "sample":
            self.count = 0
        if self.playing:
            self.session.pause()
            self.notify("Autoplay pauses when this reply has come.")
            return
        reason = self.session.refusal(name, cursor)
        if reason is not None:
            self.notify(self.keyed(reason), title=entry.label, severity="warning")
            return
        fields = entry.fields(*self.session.seen(name, None, cursor))
        if name == "autoplay" and not self.session.subject.simulated and self.session.id not in self.app.agreed:
            self.agree()
        elif name == "sample" and self.count and self.session.subject.simulated:
            self.take_samples(self.session.decide(name, {"k": str(self.count)}, cursor))
        elif fields and name not in AT_ONCE:
            self.ask(name, cursor, {"k": str(self.count)} if name == "sample" and self.count else {})
        else:
            self.carry_out(name, {}, cursor)

    @work
    async def agree(self) -> None:
        """Asks once a session before the plan is run on a model that may cost money."""
        from .confirm import Confirm, calls_ahead

        if await self.app.push_screen_wait(Confirm(calls_ahead(self.session), "starts it")):
            self.app.agreed.add(self.session.id)
            self.carry_out("autoplay", {}, None)

    @work(group="form")
    async def ask(self, name: str, cursor: str | None, given: Mapping[str, str] = {}) -> None:
        """Collects the fields.  What was typed is kept until it has been done, whatever comes between."""
        from .form import Form

        place = f"{name}:{'' if name == 'free' else cursor or ''}"
        draft = self.session.drafts.setdefault(place, {})
        self.count = 0
        values = await self.app.push_screen_wait(Form(self.session, TABLE[name], cursor, draft, given))
        if values is None:
            return
        if name == "sample":
            self.take_samples(self.session.decide(name, values, cursor))
        else:
            self.carry_out(name, values, cursor, place)

    @work(group="session")
    async def carry_out(self, name: str, values: dict[str, str], cursor: str | None, draft: str | None = None) -> None:
        """Does it, and says what could not be done; what the operator typed stays in the notebook or in the form."""
        session = self.session
        self.playing, self.trouble, self.ended = name == "autoplay", "", ""
        turning = name in ("undo", "redo")
        if TABLE[name].group != "notes" and not turning:
            self.query_one(Transcript).action_jump(True)
        was, what = (session.branch, session.tip), session.label(name)
        if name == "next" and session.trunk != session.branch:
            self.notify(f"Back on {session.trunk}, where the plan goes on; {session.branch} stays as it is.")
        try:
            if name == "autoplay":
                from ...runs.autoplay import play

                session.decide(name)
                self.outcome = await play(session)
                self.ended = left_out(self.outcome)
            else:
                await session.do(name, values, cursor)
            if turning:
                said = f"{'Taken back' if name == 'undo' else 'Done again'}: {what.partition(': ')[2]}."
                self.notify(said + (self.keyed(" {key:redo} does it again.") if name == "undo" else ""))
            if draft is not None:
                self.session.drafts.pop(draft, None)
        except Refusal as reason:
            self.notify(self.keyed(reason.marked), title=TABLE[name].label, severity="warning")
        except SubjectError as error:
            self.trouble = plainly(str(error))
        except StoreError as error:
            self.trouble = unsaved(error, self.session)
            if self.session.partial is not None and draft is not None:
                self.session.drafts.pop(draft, None)
        finally:
            self.playing = False
        if TABLE[name].group == "notes" or turning:
            self.record.forget()
            self.growth.forget()
        if turning and was != (session.branch, session.tip):
            self.redraw()
            self.query_one(Transcript).action_jump(True)
        self.redraw()

    @work(group="session")
    async def action_save(self) -> None:
        """Tries again to store the reply that could not be stored."""
        self.trouble = ""
        try:
            await self.session.save()
        except StoreError as error:
            self.trouble = unsaved(error, self.session)
        else:
            self.notify("Everything is saved.")
        self.redraw()

    def action_cancel(self) -> None:
        """Escape: stops what is going on, and never leaves."""
        if self.playing or self.session.calling:
            self.session.cancel()
        else:
            self.notify(self.keyed("Nothing is arriving. {key:leave} leaves the session."), timeout=3)

    def action_leave(self) -> None:
        """Back to the start screen.  The session stays open, and is found there under the cursor."""
        if self.playing:
            self.session.pause()
        if not self._waits():
            self.app.action_home()

    # Looking

    def action_peek(self) -> None:
        for card in self.query(Card):
            card.peek()

    def action_saw(self) -> None:
        """The exact messages of the call at the cursor, or those that a call here would send."""
        from .pager import Pager, saw

        node = self.session.tree[self.pointed or self.session.tip]
        above = self.session.tree[node.parent] if isinstance(node.body, Reply) and node.parent else node
        call = above.body if isinstance(above.body, Call) else None
        rendered = self.session.rendered(above.id, call.renderer if call is not None else "")
        title = "What the subject saw" if call is not None else "What the subject would see here"
        self.app.push_screen(Pager(title, saw(rendered, [each.body for each in self.session.tree.path(above.id)], call)))

    @work
    async def action_fork_point(self, step: int) -> None:
        """Through the siblings at the nearest fork at or above the cursor."""
        if self._waits():
            return
        block = self.query_one(Transcript).current_block
        above = list(self.session.tree.above(self.pointed or self.session.tip))
        for node in above if block is None or not block.id.endswith(STRIP) else ():
            beside = [each for each in self.session.tree.siblings(node.id) if each == node.id or not self.session.aside(each)]
            if len(beside) > 1 and node.parent is not None:
                target = beside[(beside.index(node.id) + step) % len(beside)]
                await self.session.visit(self.session.newest_leaf(target))
                self.redraw()
                self._show(target)
                return
        sampled = next((node.id for node in above if self.session.samples(node.id)[0]), "")
        if sampled:
            self._flip(sampled, step)
        else:
            self.notify("No fork at or above the cursor.")

    @work
    async def action_back(self) -> None:
        """To the branch that this one left, at the place where it left."""
        if self._waits():
            return
        if self.session.branch == home(self.session):
            self.notify(f"This is {self.session.branch}, where everything began.")
            return
        name, place = left(self.session, self.session.branch)
        await self.session.go(name)
        self.redraw()
        if place is not None and place != self.session.tip:
            self._show(place)

    def action_switch(self) -> None:
        rail, transcript = self.query_one(TreeRail), self.query_one(Transcript)
        if transcript.has_focus:
            self.set_class(True, "railed").remove_class("unrailed")
            self._draw_rail()
            rail.focus()
        else:
            self.remove_class("railed")
            transcript.focus()

    def action_rail(self) -> None:
        self.toggle_class("railed" if self.has_class("narrow") else "unrailed")
        self._draw_rail()
        self.query_one(Transcript).focus()

    def action_copy(self) -> None:
        block = self.query_one(Transcript).current_block
        if block is not None:
            self.app.copy_to_clipboard(block.text)
            self.notify(f"Copied: {block.heading}, {len(block.text)} characters.")

    def action_export(self) -> None:
        self.app.export(self.session.id)
