"""A field of one line.  What is pasted into it is kept whole: its lines are joined, and that is said."""

from __future__ import annotations

from textual import events
from textual.widgets import Input


class Line(Input):
    """Textual's own field keeps the first line of what is pasted and drops the others without a word."""

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default().stop()
        lines = [line for line in event.text.splitlines() if line.strip()]
        text = " ".join([lines[0], *(line.strip() for line in lines[1:])]) if lines else event.text.replace("\n", "")
        start, end = sorted(self.selection)
        self.replace(text, start, end)
        if len(lines) > 1:
            self.notify(f"{len(lines)} pasted lines were joined into one: this field holds one line.", severity="warning")
