"""What a model's backend takes and does, found out by one cheap call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..session.lab import Lab
from ..subjects.protocol import Deadlines, Delta, End, Request, Retry


async def probe_model(lab: Lab, model: str, api_base: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Capabilities and one short call: what came back, with its status and how long it took."""
    subject = lab.models.make(model, (), api_base)
    try:
        capabilities = await subject.capabilities()
        params = {"max_tokens": 16, "temperature": 1.0, "seed": 1}
        sent = {name: value for name, value in params.items() if name not in capabilities.dropped(params)}
        words = "Reply with the word ready."
        messages = ({"role": "user", "content": words},) if capabilities.chat else ()
        request = Request(messages, None if capabilities.chat else words, sent, Deadlines(first_token=60, total=120))
        text, end = "", None
        async for event in subject.stream(request):
            match event:
                case Delta():
                    text += event.text
                case Retry():
                    say(f"retry {event.attempt} in {event.wait:.1f} s: {event.why}")
                case End():
                    end = event
    finally:
        await subject.close()
    assert end is not None
    return {
        "model": model,
        "simulated": subject.simulated,
        "chat": capabilities.chat,
        "params": sorted(capabilities.params) if capabilities.params is not None else None,
        "reasoning": capabilities.reasoning,
        "prefill": capabilities.prefill,
        "text": text,
        "status": str(end.status),
        "cause": end.cause,
        "cause_kind": str(end.cause_kind),
        "finish_reason_raw": end.finish_raw,
        "model_returned": end.model,
    }
