"""A list of lines whose chosen one is seen without colour too: Textual's own forgets that a style is reversed."""

from __future__ import annotations

from textual.style import Style
from textual.widgets import OptionList

HERE = "option-list--option-highlighted"


class Menu(OptionList):
    """The one list of the app.  Its options are content, never markup."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        reversed_ = HERE in component_classes and self.get_component_styles(HERE).text_style.reverse
        return style + Style(reverse=True) if reversed_ else style
