"""A notebook may come from somebody else: it never decides where requests, and the key with them, go."""

from __future__ import annotations

from pathlib import Path

import pytest
from session_cases import Voice, opened, rows

from lifeline_tui.config import Config, Model, on_this_machine
from lifeline_tui.lab import Lab
from lifeline_tui.subjects.protocol import SubjectError


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


async def test_a_session_served_elsewhere_asks_before_anything_is_sent_there_again(tmp_path: Path):
    lab = Lab(Config(), tmp_path / "t.db", paced=False)
    try:
        session = await lab.new("lifelines-10", "sim/rational")
        await session.close()
        await lab.writer(lab.writer.store.set_view_state, session.id, "api_base", "https://example.org/v1")
        with pytest.raises(SubjectError, match=rf"lifeline open {session.id} --api-base https://example.org/v1"):
            await lab.open(session.id)
        again = await lab.open(session.id, api_base="https://example.org/v1")
        assert again.id == session.id
    finally:
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
