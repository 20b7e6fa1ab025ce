"""Whether a model's context can hold a plan."""

from __future__ import annotations

from ..core.state import State
from ..subjects.protocol import Capabilities

CHARACTERS_A_TOKEN = 3.5
"""Of English with numbers in it, a cautious estimate: real tokenizers give 3 to 4.5."""


def room(state: State, capabilities: Capabilities, name: str) -> str:
    """A sentence on whether the model's context can hold the plan, "" where its size is not known or all is posed.

    The last turn of a conversation is the longest: it holds every puzzle and every reply above it, each at most `max_tokens` long.
    """
    size = capabilities.context
    if size is None or state.next_puzzle is None:
        return ""
    puzzles = state.root.puzzles
    prompts = round(sum(len(puzzle.text) + 120 for puzzle in puzzles) / CHARACTERS_A_TOKEN)
    turns = -(-len(puzzles) // state.plan.batch_size) if state.plan.presentation == "batch" else len(puzzles)
    most = state.plan.subject.get("max_tokens")
    if not isinstance(most, int):
        return f"{name} holds {size:,} tokens; the prompts need about {prompts:,}, and how long the replies get is not bounded."
    needed = prompts + turns * most
    holds = (
        "which hold the whole plan"
        if needed <= size
        else "which may not hold the whole plan: see --limit, and max_tokens of the plan"
    )
    return f"{name} holds {size:,} tokens, {holds} (prompts about {prompts:,}, {turns} replies of at most {most:,} each)."
