"""What every test stands on: an empty home, no keys, and no way to the network beyond this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from table import chance, printed, table

__all__ = ["chance", "table"]

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("suite")

# Ignored where the tests run in the background; the programs under test would take that over, and mean it.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHOSEN = {"OPENAI_API_BASE", "OPENAI_BASE_URL", "NO_COLOR", "EDITOR", "VISUAL"}


def _refuse_beyond_loopback(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    with contextlib.suppress(ValueError):  # a name: it would be looked up elsewhere
        if ipaddress.ip_address(name).is_loopback:
            return
    raise AssertionError(f"a test tried to reach {name}")


def _guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_beyond_loopback(address[0])
        return connect(self, address)

    return guarded


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuses any connection and any name beyond loopback, in this process."""
    patch, look_up = pytest.MonkeyPatch(), socket.getaddrinfo

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_beyond_loopback(host)
        return look_up(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", guarded)
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test, without keys or settings."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN", "_SECRET")) or name.startswith(("XDG_", "LIFELINE_")) or name in CHOSEN:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is in tests/battery belongs to it."""
    for item in items:
        if item.path.parent.name == "battery":
            item.add_marker("battery")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The battery's table, where it was what was asked for."""
    if "battery" in str(config.option.markexpr).replace("not battery", ""):
        reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, []) if each.when == "call"]
        terminalreporter.write_line(f"\n{printed(reports)}\n")
