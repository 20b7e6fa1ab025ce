"""The laws that no single module can keep by itself: import directions, what the first paint may cost, one table for everything."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import lifeline_tui
from lifeline_tui.core.attempt_phases import LAW, Phase, mermaid
from lifeline_tui.interventions.table import TABLE, scriptable

PACKAGE = Path(lifeline_tui.__file__).parent
TOP = PACKAGE.parent

EDGES = {
    "core": set(),
    "interventions": {"core"},
    "loading": {"core", "families", "subjects"},
    "families": {"core"},
    "metrics": {"core"},
    "subjects": {"core", "loading"},
    "store": {"core"},
    "exporters": {"core", "store"},
    "importers": {"core", "store", "exporters", "loading"},
    "session": {"core", "interventions", "loading", "subjects", "store", "exporters", "importers"},
    "runs": {"core", "interventions", "loading", "subjects", "store", "importers", "session", "metrics"},
    "tui": {"core", "interventions", "loading", "subjects", "store", "exporters", "session", "runs", "metrics"},
}
"""Who may import whom; the command line and what it is made of may import all."""
PURE = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "typing",
    "unicodedata",
}
"""What the core may import from outside: nothing that reads a clock, a file, the network or chance."""
WIRING = {"cli", "__main__", "__init__"}


def imports(path: Path) -> set[str]:
    """The parts of this package that a file imports, anywhere in it, but for types alone."""
    here = ("lifeline_tui", *path.relative_to(PACKAGE).with_suffix("").parts)
    tree = ast.parse(path.read_text())
    typing_only = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    found = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            full = (*base, *(node.module or "").split(".")) if node.module else base
            names = [(*full, alias.name) for alias in node.names]
            found |= {name[1] for name in names if name[0] == "lifeline_tui" and len(name) > 1}
            found |= {name[0] for name in names if not node.level and name[0] != "lifeline_tui"}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_shipped" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part in WIRING:
        return
    ours = {each for each in imports(path) if (PACKAGE / each).exists() or (PACKAGE / f"{each}.py").exists()}
    assert ours - {part, "__version__"} <= EDGES[part], f"{part} may import {sorted(EDGES[part])}"


def modules() -> dict[str, Path]:
    names = {".".join(path.relative_to(TOP).with_suffix("").parts): path for path in FILES}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


def imported(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of this package that one imports, anywhere in it: late ones and those for types alone as well."""
    here = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {each if (each := f"{base}.{alias.name}") in known else base for alias in node.names}
    return (found & known.keys()) - {name}


def test_no_module_imports_another_that_imports_it() -> None:
    known = modules()
    graph = {name: imported(name, path, known) for name, path in known.items()}
    assert len(graph) > 150
    while leaves := [name for name, below in graph.items() if not below]:
        for name in leaves:
            del graph[name]
        graph = {name: below - set(leaves) for name, below in graph.items()}
    assert graph == {}, "each of these is in a circle, or imports one that is"


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_is_pure(path: Path) -> None:
    outside = {each for each in imports(path) if not (PACKAGE / each).exists()}
    assert outside <= PURE


def test_litellm_is_imported_by_the_provider_child_alone() -> None:
    assert [path.name for path in FILES if "litellm" in imports(path)] == ["worker.py"]


def _modules(script: str, tmp_path: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin"},
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.strip().splitlines()[-1]))


AT_FIRST_PAINT = """
import asyncio, json, sys
from pathlib import Path
from lifeline_tui.loading.config import Config
from lifeline_tui.tui.app import LifelineApp
from lifeline_tui.tui.screens.start import StartScreen
seen = []
StartScreen.load = lambda self: seen.append(sorted(sys.modules))
async def main():
    app = LifelineApp(Config(), Path("t.db"))
    async with app.run_test() as pilot:
        while not seen:
            await pilot.pause()
asyncio.run(main())
print(json.dumps(seen[0]))
"""

IN_A_SESSION = """
import asyncio, json, sys
from pathlib import Path
from lifeline_tui.loading.config import Config
from lifeline_tui.tui.app import LifelineApp, run
async def main():
    app = LifelineApp(Config(), Path("t.db"), plan="lifelines-10", paced=False)
    async with app.run_test() as pilot:
        while app.session is None or len(app.screen_stack) < 2:
            await pilot.pause()
        await pilot.press("n")
        while not app.session.state().attempts or app.session.busy:
            await pilot.pause()
    await app.leave()
asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""


def test_the_first_paint_waits_for_nothing_heavy(tmp_path: Path) -> None:
    loaded = _modules(AT_FIRST_PAINT, tmp_path)
    assert not loaded & {
        "litellm",
        "sqlite_utils",
        "yaml",
        "click",
        "lifeline_tui.session.lab",
        "lifeline_tui.cli.main",
        "openai",
        "pydantic",
    }


def test_the_app_on_an_embedded_subject_never_imports_litellm(tmp_path: Path) -> None:
    assert not _modules(IN_A_SESSION, tmp_path) & {"litellm", "openai", "pydantic", "aiohttp"}


def test_every_intervention_is_in_the_readme() -> None:
    readme = (TOP / "README.md").read_text()
    missing = [name for name in TABLE if f"`{name}`" not in readme]
    assert not missing


def test_a_plan_scripts_whatever_tells_or_asks_the_subject_something_and_nothing_else() -> None:
    """How a reply was read is for the operator to say, and the tree is for the run to grow."""
    from lifeline_tui.loading.files import BadFile
    from lifeline_tui.loading.plans import parse
    from lifeline_tui.loading.strict_yaml import parse as entry

    can = {"next", "forge", *(name for name, each in TABLE.items() if each.group in ("feedback", "probe"))}
    for name in TABLE:
        text = f"name: one\nthen: [{{do: {name}}}]\n"
        if name in can:
            assert parse(entry(text.encode(), "one.yaml"), scriptable()).then[0].do == name
        else:
            with pytest.raises(BadFile, match=r"^one\.yaml:2: then\[1\]\.do: must be "):
                parse(entry(text.encode(), "one.yaml"), scriptable())
    assert {"workings", "self-score", "reveal", "free"} < can < set(TABLE)
    assert not can & {"autoplay", "regenerate", "edit", "fork", "undo", "grade", "note", "label", "bookmark"}


def test_the_diagram_in_contributing_is_the_law_itself() -> None:
    assert mermaid() in (TOP / "CONTRIBUTING.md").read_text()


def test_every_phase_of_an_attempt_can_be_reached_and_every_move_leads_to_one() -> None:
    reached, todo = set(), [Phase.POSED]
    while todo:
        phase = todo.pop()
        if phase not in reached:
            reached.add(phase)
            todo += LAW[phase].values()
    assert reached == set(Phase) == set(LAW)


def test_every_column_of_the_attempts_table_is_explained() -> None:
    from lifeline_tui.exporters.attempts_csv import COLUMNS
    from lifeline_tui.store.views import ATTEMPT_COLUMNS

    assert tuple(COLUMNS) == ATTEMPT_COLUMNS
