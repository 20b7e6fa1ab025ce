"""The one form: an intervention's fields, and under them the exact text that will be sent and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from ...core.nodes import FACTS, plain
from ...interventions.feedback import effect_of_key
from ...interventions.types import Effect, Field, Intervention, Refusal, attempt_in
from ...session.session import Session
from ..editor import edit_outside
from ..keys import with_keys
from ..overlay import Overlay
from ..show import shown
from ..widgets.choice import Choice
from ..widgets.line import Line

IN_PLACE = 100_000
"""Characters of a text that is edited in place: at each key all of it is laid out again, which takes seconds for a megabyte."""


LEAST = 3
"""Lines that the preview and the fields have at least."""


DOES = {"feedback": "queue it", "notes": "keep it"}
"""What a form does with what is filled in, by the group of its intervention; the others send it."""


class Elsewhere(Static, can_focus=True):
    """A text that is too long to be edited in place: $EDITOR takes it.  `value` is the text."""

    def __init__(self, text: str, *, id: str) -> None:
        super().__init__(id=id)
        self.value = text

    def render(self) -> Content:
        return shown(f"{len(self.value):,} characters, too many to be edited here: ctrl+o opens them in $EDITOR")


class Form(Overlay[dict[str, str] | None], ModalScreen[dict[str, str] | None]):
    """Asks for an intervention's fields; answers with their values, or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave", id="form.leave"),
        Binding("ctrl+s", "send", "Send", id="form.send", priority=True),
        Binding("ctrl+o", "outside", "$EDITOR", id="form.editor", priority=True),
        Binding("pageup", "read(-1)", "Preview up", id="form.up"),
        Binding("pagedown", "read(1)", "Preview down", id="form.down"),
    ]
    DEFAULT_CSS = """
    Form { align: center middle; }
    Form > Vertical {
        width: 90%; max-width: 100; height: auto; max-height: 95%;
        background: $panel; padding: 1 2;
    }
    Form .title { text-style: bold; height: auto; margin-bottom: 1; }
    Form .body { height: auto; scrollbar-size-vertical: 1; }
    Form .field { height: auto; margin-bottom: 1; }
    Form .field > .label { width: 22; height: auto; color: $text-muted; }
    Form Elsewhere { width: 1fr; height: auto; background: $surface; padding: 0 1; }
    Form Input { height: 1; border: none; background: $surface; padding: 0 1; width: 1fr; }
    Form Input:focus { border: none; background: $cursor-line; }
    Form TextArea { height: 8; border: none; padding: 0 1; width: 1fr; }
    Form TextArea:focus { border: none; }
    Form .preview { height: auto; max-height: 12; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; }
    Form .keys { height: auto; margin-top: 1; color: $text-muted; }
    """

    def __init__(
        self, session: Session, intervention: Intervention, cursor: str | None, draft: dict[str, str], given: Mapping[str, str] = {}
    ) -> None:
        """`draft` holds the long text that was typed when the form was last left, and is kept up to date; `given` what fields say at
        first in the place of their own defaults."""
        super().__init__()
        self.session, self.intervention, self.cursor, self.draft = session, intervention, cursor, draft
        self._typing = False
        self.fields = intervention.fields(*session.seen(intervention.name, None, cursor))
        self.fields = tuple(replace(field, default=given.get(field.name, field.default)) for field in self.fields)
        self.puzzle = next((field.default for field in self.fields if field.name == "puzzle"), "")
        self.place = next((field.default for field in self.fields if field.name == "in"), "")

    def compose(self) -> ComposeResult:
        with Vertical(id="panel"):
            with VerticalScroll(classes="body", can_focus=False):
                found = "\nYour draft is still here." if self.draft else ""
                yield Static(shown(self.intervention.about + found), classes="title")
                for field in self.fields:
                    with Horizontal(classes="field", id=f"row-{field.name}"):
                        yield Static(shown(field.label), classes="label")
                        if field.kind == "choice":
                            yield Choice(field.options, field.default, id=f"field-{field.name}")
                        elif field.kind == "text":
                            text, id = self.draft.get(field.name, field.default), f"field-{field.name}"
                            yield TextArea(text, id=id, tab_behavior="focus") if len(text) <= IN_PLACE else Elsewhere(text, id=id)
                        else:
                            yield Line(field.default, id=f"field-{field.name}")
                with VerticalScroll(classes="preview", can_focus=False):
                    yield Static(id="preview")
            long = any(field.kind == "text" for field in self.fields)
            does = DOES.get(self.intervention.group, "send")
            keys = f"ctrl+s {does} · ctrl+o $EDITOR" if long else f"enter {does} · ←→ choose · tab next field"
            keys += " · escape leave"
            yield Static(shown(keys), classes="keys")

    def on_mount(self) -> None:
        first = next((field for field in self.fields if field.kind != "choice"), None) if len(self.fields) == 1 else None
        field = first or self.fields[0]
        self.query_one(f"#field-{field.name}").focus()
        self._offer()
        self._preview()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """What is long gives way and scrolls, first the preview and then the fields: the line that says how to send stands always."""
        panel, body, preview = self.query_one("#panel"), self.query_one(".body"), self.query_one(".preview")
        edges = panel.styles.gutter.height + self.query_one(".keys").outer_size.height + 1
        room = max(LEAST, self.size.height * 95 // 100 - edges)
        others = sum(child.outer_size.height + child.styles.margin.bottom for child in body.children if child is not preview)
        body.styles.max_height = room
        preview.styles.max_height = max(LEAST, room - others)

    def action_read(self, pages: int) -> None:
        """Through the preview, and where all of it is in sight through the form."""
        preview, body = self.query_one(".preview", VerticalScroll), self.query_one(".body", VerticalScroll)
        view = preview if preview.max_scroll_y else body
        body.scroll_to_widget(preview, animate=False)
        view.scroll_relative(y=pages * max(1, view.size.height - 1), animate=False)

    def values(self) -> dict[str, str]:
        """What is filled in now."""
        found = {}
        for field in self.fields:
            widget = self.query_one(f"#field-{field.name}")
            found[field.name] = widget.text if isinstance(widget, TextArea) else str(getattr(widget, "value", ""))
        return found

    def _preview(self) -> None:
        values = self.values()
        typed = {field.name: values[field.name] for field in self.fields if field.kind == "text"}
        self.draft.clear()
        self.draft.update(
            (field.name, typed[field.name]) for field in self.fields if typed.get(field.name, field.default) != field.default
        )
        preview = self.query_one("#preview", Static)
        try:
            effect = self.session.decide(self.intervention.name, values, self.cursor)
        except Refusal as reason:
            preview.update(shown(with_keys(reason.marked, getattr(self.app, "keymap", {})), "$tone-error"))
            return
        preview.update(shown(described(self.session, effect, values, self.cursor)))
        self.call_after_refresh(self._fit)

    def _field(self, widget: Widget) -> Field | None:
        """The field that a widget is of."""
        return next((field for field in self.fields if widget.id == f"field-{field.name}"), None)

    def _offer(self) -> None:
        """A choice that only helps to fill another field is there while it offers something."""
        for field in self.fields:
            if field.fills:
                self.query_one(f"#row-{field.name}").display = any(value for value, _ in field.options)

    def on_choice_changed(self, message: Choice.Changed) -> None:
        values = self.values()
        if (values.get("puzzle", ""), values.get("in", "")) != (self.puzzle, self.place):
            self._refit(values)
        field = self._field(message.choice)
        if field is not None and field.fills:
            self.query_one(f"#field-{field.fills}", Input).value = message.choice.value
        self._preview()

    def _refit(self, values: dict[str, str]) -> None:
        """Another puzzle, or another place, was chosen: what is offered, and what nobody has typed over, is that puzzle's."""
        self.puzzle, self.place = values.get("puzzle", ""), values.get("in", "")
        state, context = self.session.seen(self.intervention.name, values, self.cursor)
        fields = self.intervention.fields(state, replace(context, puzzle=self.puzzle))
        for before, field in zip(self.fields, fields, strict=True):
            widget = self.query_one(f"#field-{field.name}")
            if field.name == "puzzle":
                continue
            if isinstance(widget, Choice):
                widget.offer(field.options, self.place if field.name == "in" else field.default)
            elif isinstance(widget, Input) and values[field.name] == before.default:
                with widget.prevent(Input.Changed):
                    widget.value = field.default
        self.fields = fields
        self._offer()

    def on_input_changed(self, message: Input.Changed) -> None:
        """What is typed chooses what it belongs to: an answer that is typed is not left out because another choice stood."""
        field = self._field(message.input)
        if field is not None and field.chooses is not None and message.value.strip() not in ("", field.default):
            name, value = field.chooses
            self.query_one(f"#field-{name}", Choice).choose(value)
        self._preview()

    def on_text_area_changed(self) -> None:
        self._preview()

    def on_input_submitted(self) -> None:
        self.action_send()

    def on_key(self, event: events.Key) -> None:
        """On a choice, enter sends; what is typed there goes to the field whose typing chooses, so that no letter is lost."""
        if not isinstance(self.focused, Choice):
            return
        typed = next((field for field in self.fields if field.chooses), None)
        if event.key == "enter":
            event.stop()
            self.action_send()
        elif typed is not None and event.character and event.is_printable:
            event.stop()
            line = self.query_one(f"#field-{typed.name}", Line)
            self._type(line, event.character)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted onto a choice goes where typing would go."""
        typed = next((field for field in self.fields if field.chooses), None)
        if isinstance(self.focused, Choice) and typed is not None and event.text:
            event.stop()
            self._type(self.query_one(f"#field-{typed.name}", Line), " ".join(event.text.split()))

    def _type(self, line: Line, text: str) -> None:
        """Begins the line anew with `text`, or goes on with what came before the focus did: keys may come faster than it moves."""
        line.select_on_focus = False  # else the next letter would take this one's place
        line.value = line.value + text if self._typing else text
        line.cursor_position = len(line.value)
        self._typing = True
        line.focus()

    def on_descendant_focus(self) -> None:
        self._typing = False

    def action_send(self) -> None:
        try:
            self.session.decide(self.intervention.name, self.values(), self.cursor)
        except Refusal:
            self._preview()
            self.app.bell()
            return
        self.dismiss(self.values())

    def action_outside(self) -> None:
        """Edits the long text in $EDITOR."""
        for area in self.query(TextArea):
            area.text = edit_outside(self.app, area.text)
        for long in self.query(Elsewhere):
            long.value = edit_outside(self.app, long.value)
            long.refresh()
            self._preview()


def described(session: Session, effect: Effect, values: dict[str, str], cursor: str | None) -> str:
    """The exact text that an effect puts before the subject, and what becomes of it, in words."""
    lines: list[str] = []
    if effect.turn:
        lines.append(f"Sends now{', in a fork' if effect.fork else ''}:")
        lines.append("\n\n".join(plain(part.spans) for part in effect.turn))
    if effect.samples:
        heat = "" if effect.temperature is None else f" at temperature {effect.temperature:g}"
        lines.append(
            f"Asks {session.subject.name} {effect.samples} times for a reply to this turn{heat}, each with a seed of its own."
        )
        lines.append("Each is kept beside the others; no branch moves.")
    if effect.forged is not None:
        lines += ["Stands in the subject's place, marked as not its own:", plain(effect.forged.spans)]
    if effect.queue is not None:
        lines += ["Goes out with the next turn:", "\n\n".join(plain(part.spans) for part in effect.queue) or "nothing"]
        for part in effect.queue[-1:]:
            attempt = attempt_in(session.state(), values, session.context(cursor))
            if part.shown is not None and part.feedback == "reveal" and attempt is not None:
                lines.append(f"Effect: {effect_of_key(attempt, part.shown)}.")
        gone = [part for part in session.queue() if part not in effect.queue]
        if gone and effect.queue:
            lines += ["In the place of what is queued now:", "\n\n".join(plain(part.spans) for part in gone)]
    for remark in effect.remarks:
        if remark.field in FACTS:
            continue  # what goes with a reading is no words of the operator's, and may name the key that the card hides
        attempt = session.state().find(remark.node or "", remark.puzzle or "")
        about = f"puzzle {attempt.position}, " if attempt is not None else ""
        before = session.tree.said(remark.node or "").get((remark.puzzle or "", remark.field))
        change = "" if before == remark.value else f"{'(none)' if before is None else before} → "
        lines.append(f"{about}{remark.field}: {change}{'(none)' if remark.value is None else remark.value}")
    return "\n".join(lines)
