"""What is installed is what is here: plans, packs and prompts ship in the wheel, and are found there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import lifeline_tui

TOP = Path(lifeline_tui.__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built wheel's contents."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=TOP, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["plans", "list"], "liar-realtime"),
        (["packs", "list"], "60 puzzles"),
        (["run", "lifelines-10", "--limit", "2", "--json"], '"status": "complete"'),
    ],
)
def test_the_wheel_stands_alone(installed: Path, tmp_path: Path, words: list[str], shown: str) -> None:
    env = {"HOME": str(tmp_path), "PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    script = "import sys; sys.path[:] = [p for p in sys.path if p != sys.argv[1]]; del sys.argv[1]; from lifeline_tui.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, str(TOP), *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert shown in done.stdout, done.stderr


def test_the_wheel_says_that_it_is_typed(installed: Path) -> None:
    assert (installed / "lifeline_tui/py.typed").read_text() == ""


def test_the_source_archive_holds_all_that_a_builder_and_a_contributor_need(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=TOP, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2].partition("/")[0] for name in archive.getnames()}
    wanted = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml", "requirements.lock", "screen.svg"}
    assert held >= wanted | {"lifeline_tui", "prompts", "sessions", "tests"}


def test_every_shipped_file_is_in_the_wheel(installed: Path) -> None:
    for folder in ("prompts", "sessions"):
        here = {path.relative_to(TOP) for path in (TOP / folder).rglob("*") if path.is_file()}
        there = {
            path.relative_to(installed / "lifeline_tui/_shipped")
            for path in installed.rglob(f"_shipped/{folder}/**/*")
            if path.is_file()
        }
        assert here == there
