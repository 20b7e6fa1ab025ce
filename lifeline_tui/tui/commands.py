"""What the command palette holds: all that has a key on this screen, each found by its name or another word for it.

A command is never found by what is said about it: `quit` must not undo a turn because a sentence somewhere has the word in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from textual.binding import Binding
from textual.screen import Screen

from ..interventions.table import TABLE
from .host import Host
from .keys import key_name, key_of, with_keys

ALIASES: dict[str, tuple[str, ...]] = {
    "next": ("send", "step", "go on"),
    "autoplay": ("play", "run", "pause"),
    "reveal": ("true key", "right answer"),
    "fake": ("wrong answer", "lie"),
    "workings": ("derivation", "show your working"),
    "self-score": ("claim", "how many"),
    "challenge": ("are you sure",),
    "free": ("free text", "type", "say"),
    "regenerate": ("regenerate", "retry", "resample"),
    "edit": ("change",),
    "fork": ("branch",),
    "grade": ("override", "grade", "overrule"),
    "budget": ("lifelines left",),
    "label": ("code", "tag"),
    "bookmark": ("mark",),
    "peek": ("peek", "show the key", "card"),
    "saw": ("request", "messages", "prompt", "sent"),
    "rail": ("tree",),
    "switch": ("focus",),
    "search": ("find", "search"),
    "export": ("save as", "csv", "markdown"),
    "copy": ("clipboard", "yank"),
    "help": ("keys", "?"),
    "quit": ("exit", "leave the program"),
    "suspend": ("background",),
    "sessions": ("find", "search", "open", "resume", "history"),
    "home": ("start", "back to the start", "leave the session", "plans"),
    "tour": ("demo",),
    "model": ("subject", "puppet"),
}
"""Other words for a command, by its name."""

PLACES = {
    "sessions": ("Sessions", "find", "Search, resume, rename or hide a session."),
    "home": ("Start screen", "home", "Continue, begin anew, pick a model.  The session stays open."),
    "tour": ("Tour", "tour", "Two puppets side by side."),
    "help": ("Help", "help", "Everything that can be done, with its keys."),
}
"""Screens that can be gone to from anywhere: name → label, the app's action, what it is."""

SHORTEST_FUZZY = 3
"""Letters from which on some letters of a name, in order, are enough."""


@dataclass(frozen=True, slots=True)
class Command:
    """One entry: what it is called, its key ("" where it has none), what it does, and how it is done.  `refused`: why not now."""

    name: str
    label: str
    key: str
    about: str
    act: Callable[[], object]
    refused: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that it is found by."""
        spaced = self.name.replace("-", " ")
        return tuple(dict.fromkeys(word.casefold() for word in (self.label, self.name, spaced, *ALIASES.get(self.name, ()))))


def commands(screen: Screen[object]) -> list[Command]:
    """What can be done on `screen`, in the order of its bindings; then the app's own screens, keys and themes."""
    from .screens.run import RunScreen

    app: Host = screen.app  # type: ignore[assignment]
    keymap = app.keymap
    made: dict[str, Command] = {}
    running = screen if isinstance(screen, RunScreen) else None
    for name, entry in TABLE.items() if running is not None else ():
        assert running is not None
        refused = with_keys(running.session.refusal(name, running.pointed) or "", keymap)
        made[name] = Command(
            name, running.session.label(name), key_of(name, keymap), entry.about, partial(running.action_do, name), refused
        )
    bound = [(binding, screen) for binding in type(screen).BINDINGS] + [(binding, app) for binding in type(app).BINDINGS]
    for binding, place in bound:
        if isinstance(binding, Binding) and binding.id and binding.id not in TABLE:
            name = binding.id.rpartition(".")[2]
            act = partial(app.run_action, binding.action, place)
            key = key_name(keymap.get(binding.id, binding.key))
            made.setdefault(name, Command(name, binding.description, key, binding.tooltip or "", act))
    for name, (label, action, about) in PLACES.items():
        if name not in made:
            made[name] = Command(name, label, "", about, getattr(app, f"action_{action}"))
    for theme in sorted(app.available_themes, key=lambda name: (not name.startswith("lifeline"), name)):
        made[f"theme {theme}"] = Command(
            f"theme {theme}", f"Theme {theme}", "", "Until the app ends.", partial(setattr, app, "theme", theme)
        )
    return list(made.values())


def found(query: str, among: Sequence[Command]) -> list[Command]:
    """The commands that `query` names, the best first; all of them for no query, none where nothing is called so."""
    asked = " ".join(query.casefold().split())
    ranked = [(rank, place) for place, command in enumerate(among) if (rank := _rank(asked, command)) is not None]
    return [among[place] for _, place in sorted(ranked)]


def _rank(asked: str, command: Command) -> int | None:
    """How well a command is named, 0 the best; None where it is not."""
    words = command.words
    if asked in words:
        return 0
    if any(word.startswith(asked) for word in words):
        return 1
    if any(f" {asked}" in f" {word}" for word in words):
        return 2
    parts = asked.split()
    if any(all(any(part.startswith(each) for part in word.split()) for each in parts) for word in words):
        return 3
    if len(asked) >= SHORTEST_FUZZY and any(_scattered(asked, word) for word in words):
        return 4
    return None


def _scattered(asked: str, word: str) -> bool:
    """Whether the letters stand in a word in their order, from its first letter on and not far apart."""
    if not word.startswith(asked[0]):
        return False
    at = -1
    for letter in asked:
        at = word.find(letter, at + 1)
        if at < 0:
            return False
    return at < 2 * len(asked)
