"""Pick a model: the embedded puppets first, then what the environment's keys and the local ports offer, or type any name."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ...loading.config import bad_address
from ...session.models import Offer, local_offers, offers
from ..host import Host
from ..overlay import Overlay
from ..show import shown, shown_line
from ..widgets.line import Line
from ..widgets.menu import Menu


class ModelScreen(Overlay[tuple[str, str] | None], ModalScreen[tuple[str, str] | None]):
    """Answers with (model, API base), or None when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Leave", id="models.leave"),
        Binding("slash", "name", "Type a name", show=False, id="models.search"),
    ]
    DEFAULT_CSS = """
    ModelScreen { align: center middle; }
    ModelScreen > Vertical { width: 90%; max-width: 96; height: auto; max-height: 95%; background: $panel; padding: 1 2; }
    ModelScreen OptionList {
        height: auto; max-height: 14; border: none; background: $surface; text-wrap: nowrap; text-overflow: ellipsis;
    }
    ModelScreen OptionList:focus { border: none; }
    ModelScreen Input { height: 1; border: none; background: $surface; padding: 0 1; }
    ModelScreen Input:focus { border: none; background: $cursor-line; }
    ModelScreen .label { color: $text-muted; margin-top: 1; height: auto; }
    ModelScreen .title { text-style: bold; margin-bottom: 1; }
    """

    app: Host

    def __init__(self, current: str) -> None:
        super().__init__()
        self.current = current
        self.found: list[Offer] = []

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(shown("Which model is the subject?"), classes="title")
            yield Menu()
            yield Static(shown("or type a litellm name (provider/model) or an alias of your config"), classes="label")
            yield Line(id="name", placeholder="openai/my-model")
            yield Static(shown("API base, for a server of your own (keys come from the environment alone)"), classes="label")
            yield Line(id="base", placeholder="http://127.0.0.1:8000/v1")
            yield Static(shown("enter choose · tab next field · / type a name · escape leave"), classes="label")

    def on_mount(self) -> None:
        self.fill(offers(self.app.config.models))
        self.query_one(OptionList).focus()
        self.look_around()

    @work
    async def look_around(self) -> None:
        """Adds servers that listen on this machine."""
        local = await asyncio.to_thread(local_offers)
        if local:
            self.fill(self.found + local)

    def fill(self, found: list[Offer]) -> None:
        self.found = found
        menu = self.query_one(OptionList)
        menu.clear_options()
        for number, offer in enumerate(found):
            about = shown_line(f"{offer.about} {offer.api_base}".rstrip(), "$text-muted")
            menu.add_option(Option(Content.assemble(shown_line(f"{offer.model:36} "), about), id=str(number)))
        menu.highlighted = next((number for number, offer in enumerate(found) if offer.model == self.current), 0)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        offer = self.found[int(message.option.id or 0)]
        if offer.model.endswith("/"):
            self.query_one("#name", Input).value = offer.model
            self.query_one("#base", Input).value = offer.api_base
            self.query_one("#name", Input).focus()
            return
        self.dismiss((offer.model, offer.api_base))

    def action_name(self) -> None:
        self.query_one("#name", Input).focus()

    def on_input_submitted(self) -> None:
        name = self.query_one("#name", Input).value.strip()
        base = self.query_one("#base", Input).value.strip()
        if not name:
            self.query_one("#name", Input).focus()
            return
        if base and (problem := bad_address(base)):
            self.notify(f"The API base {problem}.", severity="error")
            return
        self.dismiss((name, base))
