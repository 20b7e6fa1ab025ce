"""Sampling on the run screen: a number and a key take samples, which are gone through where they stand, and one is opened as a branch."""

from __future__ import annotations

from abc import abstractmethod

from textual import events, work
from textual.screen import Screen

from ...core.nodes import Call
from ...core.text import visible_line
from ...interventions.table import TABLE
from ...interventions.types import MOST_SAMPLES, Effect, Refusal
from ...session.session import Session
from ...store import StoreError
from ...subjects.protocol import SubjectError
from ..growth import Growth
from ..host import Host
from ..notices import plainly, unsaved
from ..record import STRIP, Record, node_of
from ..widgets.transcript import Transcript


class Sampling(Screen[None]):
    """The part of the run screen that samples."""

    app: Host
    session: Session
    record: Record
    growth: Growth
    trouble: str
    count = 0
    """The number that was typed before a key."""
    _sampled = ""
    """The turn on whose samples the cursor is to be put when they are drawn."""

    @abstractmethod
    def redraw(self) -> None: ...
    @abstractmethod
    def keyed(self, sentence: str) -> str: ...
    @abstractmethod
    def _notice(self) -> None: ...
    @abstractmethod
    def _show(self, node: str) -> None: ...
    @abstractmethod
    def _waits(self) -> bool: ...

    @work(group="samples")
    async def take_samples(self, effect: Effect) -> None:
        """Samples replies beside this conversation, which may go on meanwhile."""
        from ...runs.sampling import sample

        self.count, self.trouble = 0, ""
        heats = () if effect.temperature is None else (effect.temperature,)
        at_once = self.app.config.calls_at_once
        taking = sample(self.session, effect.parent, effect.samples, temperatures=heats, at_once=at_once)
        self._sampled = effect.parent
        try:
            await taking
        except Refusal as reason:
            self.notify(self.keyed(reason.marked), title=TABLE["sample"].label, severity="warning")
        except SubjectError as error:
            self.trouble = plainly(str(error))
        except StoreError as error:
            self.trouble = unsaved(error, self.session)
        self.redraw()

    def _show_samples(self, turn: str) -> None:
        """Puts the cursor on what was sampled of a turn: the sample that is shown, or the tally."""
        self._sampled = turn
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        """A number before a key says how often."""
        if event.character and event.character.isdecimal() and event.character.isascii():
            self.count = min(MOST_SAMPLES, self.count * 10 + int(event.character))
            self._notice()
        elif event.key not in self.app.keymap.get("sample", TABLE["sample"].key).split(",") and self.count:
            self.count = 0
            self._notice()

    def _flip(self, turn: str, step: int) -> None:
        """Shows the next or the previous sample of a turn, or none of them."""
        came, _ = self.session.samples(turn)
        self.record.chosen[turn] = (self.record.chosen.get(turn, 0) + step) % (len(came) + 1)
        self._show_samples(turn)

    @work
    async def action_open_sample(self) -> None:
        """The sample that is shown as a branch of its own, which can be gone on with."""
        block = self.query_one(Transcript).current_block
        turn = node_of(block.id) if block is not None and block.id.endswith(STRIP) else ""
        came, _ = self.session.samples(turn) if turn else ([], 0)
        chosen = self.record.chosen.get(turn, 0)
        if not 0 < chosen <= len(came) or self._waits():
            if turn:
                self.notify(self.keyed("Choose a sample first: {key:previous-branch} and {key:next-branch} go through them."))
            return
        call = self.session.tree[came[chosen - 1].parent or ""].body
        if isinstance(call, Call) and call.model != self.session.subject.model:
            self.notify(
                f"That reply is {visible_line(call.model, 60)}'s, and no turn of this subject's: it can be read here.",
                severity="warning",
            )
            return
        await self.session.visit(came[chosen - 1].id, "sample")
        self.growth.forget()
        self.redraw()
        self._show(came[chosen - 1].id)
