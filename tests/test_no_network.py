"""The network guard of this suite itself: without it, a test could reach a real model, or spend somebody's money."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

FOREIGN = ["192.0.2.1", "example.invalid", "localhost.example.invalid", "127.example.invalid", "2001:db8::1"]
CHOSEN = ("OPENAI_API_BASE", "OPENAI_BASE_URL", "NO_COLOR", "EDITOR", "VISUAL", "X_API_KEY", "LIFELINE_DB")


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """What a developer may have set, before the home of any test is emptied."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CHOSEN:
            patch.setenv(name, "http://192.0.2.1")
        yield


def test_nothing_that_was_chosen_outside_is_in_the_environment() -> None:
    assert not set(CHOSEN) & set(os.environ)


@pytest.mark.parametrize("host", FOREIGN)
def test_no_name_beyond_this_machine_is_looked_up(host: str) -> None:
    with pytest.raises(AssertionError, match="a test tried to reach"):
        socket.getaddrinfo(host, 80)


@pytest.mark.parametrize("connect", ["connect", "connect_ex"])
@pytest.mark.parametrize("host", FOREIGN)
def test_no_address_beyond_this_machine_is_connected_to(connect: str, host: str) -> None:
    family = socket.AF_INET6 if "::" in host else socket.AF_INET
    with socket.socket(family) as out:
        out.settimeout(0.1)
        with pytest.raises(AssertionError, match="a test tried to reach"):
            getattr(out, connect)((host, 80))


def test_loopback_may_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as one:
        port = server.getsockname()[1]
        assert one.connect_ex(("127.0.0.1", port)) == 0
        socket.create_connection(("localhost", port)).close()
        assert socket.getaddrinfo(None, port)
