"""A notebook may come from somebody else: it never decides where requests, and the key with them, go."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from session_cases import Voice, opened, rows

from lifeline_tui.loading.config import Config, Model, on_this_machine
from lifeline_tui.session.lab import Lab
from lifeline_tui.subjects.protocol import SubjectError
from lifeline_tui.subjects.unconfirmed import Withheld


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("https://example.org/v1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_what_is_of_this_machine(address: str, here: bool):
    assert on_this_machine(address) is here


@pytest.mark.parametrize(
    ("stored", "said", "why"),
    [
        ({"api_base": "https://example.org/v1"}, "", "lifeline open {id} --api-base https://example.org/v1"),
        ({}, "", "lifeline open {id} --api-base URL, or provider"),
        ({"api_base": 7}, "", "lifeline open {id} --api-base URL, or provider"),
        ({"api_base": ""}, "", ""),
        ({"api_base": "http://127.0.0.1:9/v1"}, "", ""),
        ({"api_base": "https://example.org/v1"}, "https://example.org/v1", ""),
        ({"api_base": "https://example.org/v1"}, "provider", ""),
        ({}, "provider", ""),
    ],
)
async def test_a_session_served_elsewhere_asks_before_anything_is_sent(tmp_path: Path, stored: Any, said: str, why: str):
    async with opened(tmp_path, Withheld("openai/x", "")) as session:
        id = session.id
        await session._write(session._write.store.set_view_state, id, "api_base", stored.get("api_base"))
    for base in (said, ""):  # what was said once is kept
        lab = Lab(Config(), tmp_path / "t.db", paced=False)
        session = await lab.open(id, api_base=base)
        held = isinstance(session.subject, Withheld)
        if held:
            with pytest.raises(SubjectError, match=re.escape(why.format(id=id) or said)):
                await session.do("next")
        nodes = len(session.tree.nodes)
        await session.close()
        await lab.close()
        assert held == bool(why) or said.startswith("https")
        assert nodes == 1  # nothing was written for a turn that was not sent


@pytest.mark.parametrize(
    ("stored", "held"), [(None, False), ("", False), ("http://127.0.0.1:9/v1", False), ("https://example.org/v1", True)]
)
async def test_a_notebook_cannot_send_an_alias_of_the_config_elsewhere(tmp_path: Path, stored: str | None, held: bool):
    async with opened(tmp_path, Withheld("mine", "")) as session:
        id = session.id
        await session._write(session._write.store.set_view_state, id, "api_base", stored)
    lab = Lab(Config(models={"mine": Model("openai/x", api_base="https://models.example.org/v1")}), tmp_path / "t.db", paced=False)
    session = await lab.open(id)
    assert isinstance(session.subject, Withheld) is held
    await session.close()
    await lab.close()


async def test_the_model_behind_an_alias_is_what_the_record_says_was_asked(tmp_path: Path):
    lab = Lab(
        Config(models={"local": Model("openai/qwen-small", api_base="http://127.0.0.1:9/v1")}), tmp_path / "t.db", paced=False
    )
    assert lab.models.make("local").model == "openai/qwen-small"
    await lab.close()
    voice = Voice()
    voice.name, voice.model = "local", "openai/qwen-small"
    async with opened(tmp_path, voice) as session:
        await session.do("next")
        assert session.root.model == "local"
        assert [row["model_requested"] for row in rows(session)] == ["openai/qwen-small"]
