"""No text reaches a widget but through `shown`: a bare string is parsed as markup, and markup can run actions (Law 4)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lifeline_tui

TUI = Path(lifeline_tui.__file__).parent / "tui"
WIDGETS = {
    "Static",
    "Label",
    "Option",
    "Button",
    "Markdown",
    "Collapsible",
    "Checkbox",
    "RadioButton",
    "Tab",
    "TabPane",
    "Tree",
    "Link",
}
METHODS = {"update", "add_option", "add_options", "add_row", "add_column", "write", "set_label"}
TITLES = {"border_title", "border_subtitle", "tooltip", "label", "prompt"}
SAFE = {"shown", "shown_line"}
"""What makes content of text; `Content` itself does too when it is given the result of one of these."""


def bare(tree: ast.AST) -> list[int]:
    """Lines on which something that may be a string goes into a widget."""
    lines = []
    ours = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = (
                node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
            )
            given: list[ast.expr] = []
            if name in ours | {"Binding"}:
                continue
            if name in WIDGETS or (name in METHODS and isinstance(node.func, ast.Attribute)):
                given = node.args[:1]
            given += [word.value for word in node.keywords if word.arg in TITLES or (name in WIDGETS and word.arg == "content")]
            lines += [node.lineno for value in given if not _safe(value, name)]
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in TITLES and not _safe(node.value, target.attr):
                    lines.append(node.lineno)
    return lines


def _safe(value: ast.expr, where: str) -> bool:
    """Whether an expression is content by its looks: made by `shown`, put together of content, or drawn from no text at all."""
    if isinstance(value, ast.Constant):
        return value.value is None
    if isinstance(value, ast.IfExp):
        return _safe(value.body, where) and _safe(value.orelse, where)
    if isinstance(value, ast.Call):
        func = value.func
        if isinstance(func, ast.Name):
            return func.id in SAFE or func.id in WIDGETS or func.id.startswith("_")
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "Content":
            return all(_piece(arg) for arg in value.args)
        return isinstance(func, ast.Attribute) and func.attr == "join"
    if isinstance(value, ast.GeneratorExp | ast.ListComp):
        return _safe(value.elt, where)
    if isinstance(value, ast.Name):
        return where in {"add_options", "write"}
    return where in {"update", "write"} and not isinstance(value, ast.JoinedStr | ast.BinOp | ast.Attribute | ast.Subscript)


def _piece(value: ast.expr) -> bool:
    """A piece of assembled content: our own literal spaces and signs, or content."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    if isinstance(value, ast.BinOp):
        return isinstance(value.left, ast.Constant)
    if isinstance(value, ast.IfExp):
        return _piece(value.body) and _piece(value.orelse)
    return isinstance(value, ast.Name | ast.Subscript | ast.Starred) or _safe(value, "Content")


@pytest.mark.parametrize("path", sorted(TUI.rglob("*.py")), ids=lambda path: path.name)
def test_no_widget_is_given_a_bare_string(path: Path) -> None:
    assert bare(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        'Static("words")',
        "Static(text)",
        'Static(f"{name}")',
        "Label(reply.text)",
        "self.query_one(Static).update(text)",
        'banner.update(f"{name}")',
        "banner.update(block.text)",
        "banner.update(values)",
        'banner.update("a" + name)',
        'Option("words", id="x")',
        "Option(row.title)",
        "widget.border_title = name",
        "widget.tooltip = reason",
        "Static(str(error))",
        'Static(shown("x") if good else "x")',
        "menu.add_option(name)",
        "Static(content=name)",
    ],
)
def test_a_planted_bare_string_is_seen(code: str) -> None:
    assert bare(ast.parse(code)) == [1]


@pytest.mark.parametrize(
    "code",
    [
        'Static(shown("words"))',
        "banner.update(shown_line(text))",
        "widget.tooltip = None",
        'Option(Content.assemble("  ", shown_line(name)), id=name)',
        "widget.tooltip = shown(a or b)",
        'Static(id="preview")',
    ],
)
def test_what_was_shown_passes(code: str) -> None:
    assert bare(ast.parse(code)) == []
