"""From a place in the tree to one request: the call's row, which is written first, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.chance import derive
from ..core.nodes import (
    Body,
    Call,
    Purpose,
)
from ..core.transcript import BASE, BASE_STOP, CHAT, render
from ..subjects.protocol import Capabilities, Deadlines, Request, Subject
from .view import Reading


def compose(
    view: Reading,
    parent: str,
    bodies: Sequence[Body],
    purpose: Purpose,
    subject: Subject,
    capabilities: Capabilities,
    deadlines: Deadlines,
    changed: Mapping[str, Any] = {},
    seed: int | None = None,
) -> tuple[Call, Request]:
    """The row of a call below `parent` and `bodies`, and its request.

    Every call has a seed of its own, from the session's (or the given) seed, its place and its sample index: one seed for several would
    tie their replies together.  `changed` stands in the place of the session's own parameters.
    """
    path = [node.body for node in view.tree.path(parent)] + list(bodies)
    shown = render(path, CHAT if capabilities.chat else BASE)
    earlier = [] if bodies else [kid for kid in view.tree.kids(parent) if isinstance(view.tree[kid].body, Call)]
    place = view.tree.place(parent) + ((len(view.tree.kids(parent)),) if bodies else ())
    first = view.root.seed if seed is None else seed
    params = {**view.root.params, **changed, "seed": derive(first, "call", *place, "sample", len(earlier))}
    if not capabilities.chat:
        params.setdefault("stop", list(BASE_STOP))
    dropped = capabilities.dropped(params)
    sent = {name: value for name, value in params.items() if name not in dropped}
    call = Call(
        model=subject.model,
        simulated=subject.simulated,
        params=sent,
        dropped=dropped,
        renderer=shown.renderer,
        digest=shown.digest,
        purpose=purpose,
        group=parent if earlier else "",
        sample_index=len(earlier),
    )
    return call, Request(shown.messages, shown.prompt, sent, deadlines)
