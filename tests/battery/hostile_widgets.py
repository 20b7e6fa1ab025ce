"""Every kind of widget that Textual has for text, each handed a hostile one as a careless call site would: raw, and as markup too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.markup import MarkupError
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import (
    Button,
    Checkbox,
    Collapsible,
    DataTable,
    Header,
    Input,
    Label,
    ListItem,
    ListView,
    Log,
    Markdown,
    OptionList,
    Placeholder,
    Pretty,
    RadioButton,
    RichLog,
    Select,
    SelectionList,
    Static,
    Tabs,
    TextArea,
    Tree,
)
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from lifeline_tui.tui.guard import Guarded


def marked(text: str) -> Any:
    """Markup, where it is markup."""
    try:
        Content.from_markup(text)
    except MarkupError:
        return Content(text)
    return text


class Drawn(Widget):
    """Lines of its own."""

    def __init__(self, text: str, style: Style) -> None:
        super().__init__()
        self.text, self.style = text, style

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(self.text, self.style)] if y == 0 else [])


def titled(text: str) -> Widget:
    widget = Static("")
    widget.border_title, widget.border_subtitle = Content(text), Content(text)  # type: ignore[assignment]
    widget.styles.border = ("round", "red")
    return widget


def table(text: str) -> Widget:
    made: DataTable[Text] = DataTable()
    made.add_column(Text(text))
    made.add_row(Text(text), label=Text(text))
    return made


def tree(text: str) -> Widget:
    made: Tree[None] = Tree(Text(text))
    made.root.add_leaf(Text(text))
    made.root.expand()
    return made


class Written(Log):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.write_line(text)


class Rich(RichLog):
    def __init__(self, text: str) -> None:
        super().__init__(markup=False)
        self.line = text

    def on_mount(self) -> None:
        self.write(Text(self.line))


KINDS: Mapping[str, Callable[[str], Widget]] = {
    "static": lambda text: Static(Content(text)),
    "static with markup": lambda text: Static(marked(text)),
    "label": lambda text: Label(marked(text)),
    "button": lambda text: Button(marked(text)),
    "input": lambda text: Input(text),
    "placeholder of an input": lambda text: Input(placeholder=text),
    "text area": lambda text: TextArea(text),
    "option list": lambda text: OptionList(Option(Content(text)), markup=False),
    "option list with markup": lambda text: OptionList(Option(marked(text))),
    "selection list": lambda text: SelectionList(Selection(Content(text), 1)),
    "tree": tree,
    "data table": table,
    "log": Written,
    "rich log": Rich,
    "markdown": lambda text: Markdown(text, open_links=False),
    "collapsible": lambda text: Collapsible(title=marked(text)),
    "tabs": lambda text: Tabs(marked(text)),
    "select": lambda text: Select([(marked(text), 1)], value=1),
    "checkbox": lambda text: Checkbox(marked(text)),
    "radio button": lambda text: RadioButton(marked(text)),
    "list": lambda text: ListView(ListItem(Label(Content(text)))),
    "placeholder": lambda text: Placeholder(Content(text)),  # type: ignore[arg-type]
    "pretty": lambda text: Pretty([text]),
    "border title": titled,
    "line of its own": lambda text: Drawn(text, Style()),
    "line with a link": lambda text: Drawn(text, Style(link=f"http://x/{text}")),
    "line with an action": lambda text: Drawn(text, Style.from_meta({"@click": "app.planted"})),
}
"""By kind.  A widget that takes text as it is gets it so; one that parses markup gets markup."""
PLACES = {
    kind: f"{chr(ord('a') + number // 26)}{chr(ord('a') + number % 26)}"
    for number, kind in enumerate((*KINDS, "title", "notification", "tooltip"))
}


class Careless(Guarded[None]):
    """An app of such widgets, which counts what text must never make it do."""

    CSS = "VerticalScroll > * { height: auto; max-height: 4; } Static, Drawn, RichLog { height: 2; } Checkbox, RadioButton { height: 3; }"

    def __init__(self) -> None:
        super().__init__()
        self.actions = self.links = 0
        self.last = Widget()

    def compose(self) -> ComposeResult:
        yield Header()
        yield VerticalScroll()

    async def show(self, say: Callable[[str], str]) -> None:
        """One widget of each kind, and what goes round the widgets; `say` gives the text for a kind's place."""
        everything = self.query_one(VerticalScroll)
        await everything.remove_children()
        await everything.mount(*(make(say(PLACES[kind])) for kind, make in KINDS.items()))
        self.title, self.sub_title = say(PLACES["title"]), say(PLACES["title"])
        self.last = everything.children[-1]
        self.last.tooltip = Content(say(PLACES["tooltip"]))
        self.clear_notifications()
        self.notify(say(PLACES["notification"]), title=say(PLACES["notification"]), timeout=3600)

    def action_planted(self, *given: str) -> None:
        self.actions += 1

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        self.links += 1
