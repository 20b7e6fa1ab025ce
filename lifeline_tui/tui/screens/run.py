"""The run screen: the tree, the transcript, the puzzle card, and every intervention a key away.

Widgets render from the session's state and hold no domain state.  No text field has the focus here, so every letter is an action.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from ...actions import Refusal
from ...core.nodes import Call, Reply, Status
from ...calling import Change, Grew, Streamed, Waiting
from ...interventions import TABLE
from ...session import Session
from ...store import StoreError
from ...subjects.protocol import SubjectError
from ..growth import twigs
from ..rail import Grove, rail_rows
from ..record import arriving, blocks, node_of
from ..show import shown
from ..widgets.actions import Actions
from ..widgets.card import Card
from ..widgets.topbar import TopBar
from ..widgets.transcript import Transcript
from ..widgets.tree_rail import TreeRail
from .form import Form
from .pager import Pager, saw

AT_ONCE = frozenset({"reveal", "verdict", "praise"})
"""Feedback that is only queued, in sight: its form is skipped, since nothing is sent yet and z takes it back."""


class RunScreen(Screen[None]):
    """One session.  Its keys come from the interventions table, and a few more that only look."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(entry.key, f"do('{name}')", entry.label, tooltip=entry.about, show=False, id=name)
            for name, entry in TABLE.items()
        ),
        Binding("escape", "cancel", "Cancel the reply, or leave", show=False, id="cancel"),
        Binding("full_stop", "peek", "Peek at the key", show=False, id="peek"),
        Binding("o", "saw", "What the subject saw", show=False, id="saw"),
        Binding("left_square_bracket", "fork_point(-1)", "Previous sibling branch", show=False, id="previous-branch"),
        Binding("right_square_bracket", "fork_point(1)", "Next sibling branch", show=False, id="next-branch"),
        Binding("backspace", "back", "Back to where this branch left", show=False, id="back"),
        Binding("tab", "switch", "Between tree and transcript", show=False, id="switch"),
        Binding("ctrl+t", "rail", "Show or hide the tree", show=False, id="rail"),
        Binding("slash", "app.find", "Search", show=False, id="search"),
        Binding("ctrl+e", "export", "Export", show=False, id="export"),
        Binding("ctrl+y", "copy", "Copy the block at the cursor", show=False, id="copy"),
        Binding("question_mark", "app.help", "Help", show=False, id="help"),
    ]
    DEFAULT_CSS = """
    RunScreen { layout: vertical; }
    RunScreen #middle { height: 1fr; }
    RunScreen TreeRail { width: 24; border-right: vkey $border; }
    RunScreen Transcript { width: 1fr; padding: 0 1; }
    RunScreen #side { width: 36; border-left: vkey $border; }
    RunScreen #side VerticalScroll { height: 1fr; }
    RunScreen #strip { display: none; height: auto; max-height: 4; border-top: hkey $border; }
    RunScreen #notice { display: none; height: auto; max-height: 4; background: $panel; padding: 0 1; color: $tone-error; }
    RunScreen #notice.on { display: block; }
    RunScreen.narrow #side { display: none; }
    RunScreen.narrow #strip { display: block; }
    RunScreen.narrow TreeRail { display: none; }
    RunScreen.railed TreeRail { display: block; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.session.listen = self.changed
        self.cursor: str | None = None
        self.opened: set[str] = set()
        self.playing = False
        self._due: Timer | None = None
        self._shown: tuple[str, int] = ("", 0)

    def compose(self) -> ComposeResult:
        yield TopBar(self.session)
        with Horizontal(id="middle"):
            yield TreeRail()
            yield Transcript()
            with VerticalScroll(id="side", can_focus=False):
                yield Card(self.session, id="card")
        with VerticalScroll(id="strip", can_focus=False):
            yield Card(self.session, id="small")
        yield Static(id="notice")
        yield Actions(self.session, self.app.keymap if hasattr(self.app, "keymap") else {})

    def on_mount(self) -> None:
        self.query_one("#small", Card).compact = True
        self.query_one(Transcript).focus()
        self.redraw()
        self._warn_of_dropped()

    @work
    async def _warn_of_dropped(self) -> None:
        """Says before the first request which parameters this backend does not take."""
        try:
            dropped = (await self.session.capabilities()).dropped({**self.session.root.params, "seed": self.session.root.seed})
        except SubjectError as error:
            self.say(str(error))
            return
        if dropped:
            self.notify(f"{self.session.subject.name} does not take {', '.join(dropped)}: left out of every request.", timeout=8)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < 100, "narrow")
        self.redraw()

    # What changed

    def changed(self, change: Change) -> None:
        """The session tells; drawing is put off until the next refresh, so that a burst is drawn once."""
        if not self.is_attached:
            return
        if isinstance(change, Streamed):
            transcript = self.query_one(Transcript)
            part = f"{change.call}#r" if change.reasoning and not change.text else change.call
            if any(block.id == part for block in transcript.blocks[-2:]) and not (change.text and change.reasoning):
                transcript.stream(part, change.text or change.reasoning)
            else:
                self._arrive(transcript)
        elif isinstance(change, Waiting):
            self.say(f"{change.retry.why}: retry {change.retry.attempt} in {change.retry.wait:.0f} s; escape cancels")
        elif isinstance(change, Grew) and self._due is None:
            self._due = self.set_timer(0.01, self.redraw)

    def _arrive(self, transcript: Transcript) -> None:
        """The first text of a reply: its blocks appear."""
        present = {block.id for block in transcript.blocks}
        for block in arriving(self.session):
            if block.id in present:
                transcript.replace_block(block.id, block)
            else:
                transcript.append_block(block)

    def redraw(self) -> None:
        """Everything from the state of the path."""
        if self._due is not None:
            self._due.stop()
            self._due = None
        transcript = self.query_one(Transcript)
        now = (self.session.tip, len(self.session.tree))
        keep = self.cursor if now == self._shown else None
        transcript.set_blocks(blocks(self.session))
        if keep:
            transcript.show_block(keep)
        self._shown = now
        rail = self.query_one(TreeRail)
        if rail.display:
            rail.set_rows(rail_rows(Grove(twigs(self.session)), self._twig(self.session.tip), self.opened))
        self._refresh_state()

    def _twig(self, node: str) -> str:
        """The nearest turn at or above `node` that the rail shows."""
        rail = {twig.id for twig in twigs(self.session)}
        return next((above.id for above in self.session.tree.above(node) if above.id in rail), node)

    def _refresh_state(self) -> None:
        for widget in (*self.query(TopBar), *self.query(Card), *self.query(Actions)):
            widget.refresh(layout=isinstance(widget, Card | Actions))
        self._notice()

    def _notice(self) -> None:
        """The error card: what happened to the last reply, what is kept, and what can be done."""
        body = self.session.tree[self.session.tip].body
        text = ""
        if not self.session.busy and isinstance(body, Reply) and body.status is not Status.COMPLETE:
            kept = "What arrived is kept." if body.spans or body.reasoning else "Nothing arrived."
            text = f"The reply ended as {body.status}: {body.cause or 'no cause was given'}. {kept} ctrl+r asks again; n goes on."
        elif not self.session.busy and self.session.state().owed:
            text = "The subject owes a reply: ctrl+r asks for it."
        self.say(text)

    def say(self, text: str) -> None:
        """A line above the actions, until the next change."""
        notice = self.query_one("#notice", Static)
        notice.update(shown(text))
        notice.set_class(bool(text), "on")

    # The cursor

    @property
    def pointed(self) -> str | None:
        """The node under the transcript's cursor."""
        block = self.query_one(Transcript).current_block
        node = node_of(block.id) if block is not None else ""
        return node if node in self.session.tree else None

    def on_transcript_block_selected(self, message: Transcript.BlockSelected) -> None:
        self._follow()

    def on_key(self, event: events.Key) -> None:
        if self.playing and event.key != "escape":
            self.session.pause()
        self.call_after_refresh(self._follow)

    def _follow(self) -> None:
        block = self.query_one(Transcript).current_block
        self.cursor = block.id if block is not None else None
        for bar in self.query(Actions):
            if bar.cursor != self.pointed:
                bar.cursor = self.pointed
                bar.refresh()

    @work
    async def on_tree_rail_node_chosen(self, message: TreeRail.NodeChosen) -> None:
        if self.session.busy:
            self.notify("A reply is still arriving: escape cancels it.", severity="warning")
            return
        await self.session.visit(message.node_id)
        self.redraw()
        transcript = self.query_one(Transcript)
        transcript.show_block(message.node_id)
        transcript.focus()

    def on_tree_rail_fold_asked(self, message: TreeRail.FoldAsked) -> None:
        (self.opened.discard if message.opened else self.opened.add)(message.node_id)
        rail = self.query_one(TreeRail)
        rail.set_rows(rail_rows(Grove(twigs(self.session)), self._twig(self.session.tip), self.opened), to_current=False)

    # Doing

    def action_do(self, name: str) -> None:
        """One intervention: refused with its reason, asked about in the form, or done at once."""
        entry, cursor = TABLE[name], self.pointed
        if name == "autoplay" and self.playing:
            self.session.pause()
            return
        reason = self.session.refusal(name, cursor)
        if reason is not None:
            self.notify(reason, title=entry.label, severity="warning")
            return
        fields = entry.fields(self.session.state(), self.session.context(cursor))
        if fields and name not in AT_ONCE:
            self.ask(name, cursor)
        else:
            self.carry_out(name, {}, cursor)

    @work
    async def ask(self, name: str, cursor: str | None) -> None:
        values = await self.app.push_screen_wait(Form(self.session, TABLE[name], cursor))
        if values is not None:
            self.carry_out(name, values, cursor)

    @work(group="session")
    async def carry_out(self, name: str, values: dict[str, str], cursor: str | None) -> None:
        """Does it, and says what could not be done; what the operator typed stays in the notebook or in the message."""
        self.playing = name == "autoplay"
        try:
            await self.session.do(name, values, cursor)
        except Refusal as reason:
            self.notify(str(reason), title=TABLE[name].label, severity="warning")
        except (SubjectError, StoreError) as error:
            self.redraw()
            self.say(str(error))
            return
        finally:
            self.playing = False
        self.redraw()

    def action_cancel(self) -> None:
        """Escape: cancels the reply; with none arriving, goes back to the start."""
        if self.playing or self.session.busy:
            self.session.cancel()
        else:
            self.app.action_home()  # type: ignore[attr-defined]

    # Looking

    def action_peek(self) -> None:
        for card in self.query(Card):
            card.peek = not card.peek

    def action_saw(self) -> None:
        """The exact messages of the call at the cursor, or those that a call here would send."""
        node = self.session.tree[self.pointed or self.session.tip]
        call = self.session.tree[node.parent] if isinstance(node.body, Reply) and node.parent else None
        if call is not None and isinstance(call.body, Call):
            shown_ = self.session.rendered(call.id, call.body.renderer != "base-1")
            self.app.push_screen(Pager("What the subject saw", saw(shown_, call.body)))
        else:
            self.app.push_screen(Pager("What the subject would see here", saw(self.session.rendered(node.id), None)))

    @work
    async def action_fork_point(self, step: int) -> None:
        """Through the siblings at the nearest fork at or above the cursor."""
        if self.session.busy:
            return
        for node in self.session.tree.above(self.pointed or self.session.tip):
            beside = self.session.tree.siblings(node.id)
            if len(beside) > 1 and node.parent is not None:
                target = beside[(beside.index(node.id) + step) % len(beside)]
                await self.session.visit(self.session.tree.newest_leaf(target))
                self.redraw()
                return
        self.notify("No fork at or above the cursor.", severity="information")

    @work
    async def action_back(self) -> None:
        """To the branch that this one left, at the place where it left."""
        if self.session.busy:
            return
        mine = {node.id for node in self.session.tree.above(self.session.tip)}
        main = "main" if "main" in self.session.branches else next(iter(self.session.branches))
        if self.session.branch == main:
            self.notify(f"This is {main}, where everything began.")
            return
        left = next((node.id for node in self.session.tree.above(self.session.branches[main]) if node.id in mine), None)
        await self.session.go(main)
        self.redraw()
        if left is not None:
            self.query_one(Transcript).show_block(left)

    def action_switch(self) -> None:
        rail, transcript = self.query_one(TreeRail), self.query_one(Transcript)
        if transcript.has_focus:
            self.add_class("railed")
            self.redraw()
            rail.focus()
        else:
            self.remove_class("railed")
            transcript.focus()

    def action_rail(self) -> None:
        self.toggle_class("railed")
        self.redraw()

    def action_copy(self) -> None:
        block = self.query_one(Transcript).current_block
        if block is not None:
            self.app.copy_to_clipboard(block.text)
            self.notify(f"Copied: {block.heading}, {len(block.text)} characters.")

    def action_export(self) -> None:
        self.app.export(self.session.id)  # type: ignore[attr-defined]
