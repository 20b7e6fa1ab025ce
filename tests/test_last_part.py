"""A model's name keeps no folder of the machine that serves it, and loses nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifeline_tui.core.text import last_part


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("/home/someone/models/qwen2.5-0.5b-q4.gguf", "qwen2.5-0.5b-q4.gguf"),
        ("/srv/models/llama-3/", "llama-3"),
        ("C:\\Users\\someone\\models\\a.gguf", "a.gguf"),
        ("d:/models/a.gguf", "a.gguf"),
        ("\\\\server\\share\\a.gguf", "a.gguf"),
        ("~/models/a", "a"),
        ("file:///home/someone/a", "a"),
        ("models/secret-project/a.GGUF", "a.GGUF"),
        ("../models/model.safetensors", "model.safetensors"),
    ],
)
def test_the_folders_of_a_machine_are_left_out(name: str, kept: str) -> None:
    assert last_part(name) == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "gpt-4.1",
        "meta-llama/Llama-3.3-70B-Instruct",
        "accounts/fireworks/models/x",
        "@cf/meta/llama-3",
        "org/model:free",
        "a\\b",
    ],
)
def test_a_name_stays(name: str) -> None:
    assert last_part(name) == name


@given(st.text())
def test_it_is_never_more_than_it_was_and_once_is_enough(name: str) -> None:
    kept = last_part(name)
    assert kept in name
    assert last_part(kept) == kept
