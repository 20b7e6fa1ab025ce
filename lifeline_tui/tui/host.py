"""What a screen may ask of the app: its state and its ways to other screens.  Screens import this, and never the app."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import Worker

from ..loading.config import Config
from .guard import Guarded
from .patience import Patient
from .recent import Recent
from .theme import Themed

if TYPE_CHECKING:
    from ..session.lab import Lab
    from ..session.session import Session
    from .glyphs import Glyphs


class Host(Patient[None], Themed[None], Guarded[None]):
    """The app as its screens know it."""

    config: Config
    db: Path
    keymap: dict[str, str]
    model: str
    api_base: str
    plan: str | None
    """The plan that the command line named, which is opened at once."""
    recent: Recent
    session: Session | None
    last_session: str
    """The session that was on the screen last: the start screen stands on it."""
    agreed: set[str]
    """Sessions whose plan the operator has agreed to run on a model that may cost money."""

    def hush(self, message: str = "") -> None:
        """What was said is over: all of it but errors, or `message` alone."""
        for each in list(self._notifications):
            if each.message == message or (not message and each.severity != "error"):
                self._unnotify(each)

    @property
    @abstractmethod
    def glyphs(self) -> Glyphs:
        """The signs that the config chose."""

    @property
    @abstractmethod
    def lab(self) -> Lab:
        """Made when it is first asked for: nothing of it is needed for the first paint."""

    @abstractmethod
    def begin(self, plan: str) -> Worker[None]:
        """A new session of a plan, on the chosen model."""

    @abstractmethod
    def resume(self, id: str, at: str = "", word: str = "") -> Worker[None]:
        """A stored session, where it was left; or with the cursor on the turn `at`, where `word` stands in it, on a branch that has it."""

    @abstractmethod
    def choose_model(self, model: str, api_base: str) -> None:
        """The model that new sessions are on, now and the next time."""

    @abstractmethod
    def export(self, session: str) -> Worker[None]:
        """Asks for format and place, then exports."""

    @abstractmethod
    def action_home(self) -> None:
        """Back to the start screen."""

    @abstractmethod
    def action_find(self) -> None:
        """The list of sessions, and the search in them."""

    @abstractmethod
    def action_tour(self) -> None:
        """The recorded tour."""

    @abstractmethod
    def action_help(self) -> None:
        """Help on what can be done here."""
