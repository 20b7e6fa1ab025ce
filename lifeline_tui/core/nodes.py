"""The closed vocabulary: six kinds of node, their bodies, spans with an origin, and annotations.

A node is an immutable event in the tree.  Its body is stored as ASCII JSON and hashed as is, so that what was said survives
exactly, lone surrogates and NULs included (Laws 1, 3 and 4).  Empty fields are left out of the JSON.  Decoding is total: a stored
path always opens (Law 12), so fields that this version does not know are ignored and missing ones take their default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .puzzle import Puzzle


class Kind(StrEnum):
    ROOT = "root"
    SYSTEM = "system"
    USER = "user"
    CALL = "call"
    REPLY = "reply"
    ASSISTANT = "assistant"


class Origin(StrEnum):
    """Who wrote a span."""

    MODEL = "model"
    OPERATOR = "operator"
    TEMPLATE = "template"
    FORGED = "forged"
    EDITED = "edited"
    IMPORTED = "imported"
    OTHER_MODEL = "other_model"


class Status(StrEnum):
    """How a reply ended.  A deadline is `error`, with the deadline as its cause."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    FILTERED = "filtered"
    REFUSED = "refused-by-provider"
    CANCELLED = "cancelled"
    ERROR = "error"
    EMPTY = "empty"
    INTERRUPTED = "interrupted"


FAILED = frozenset({Status.ERROR, Status.CANCELLED, Status.INTERRUPTED})
"""A call that ended so failed: what was not read of its reply was not attempted, and is no unread answer either."""


UNDONE = "undone"
"""The version of an operator's remark that says what the machine had said: the machine's reading counts again."""

FACTS = frozenset({"attempt", "failed", "claim_facts", "agrees", "fork", "run"})
"""Fields of annotations that record what was the case, and not how a text is read."""


class Cause(StrEnum):
    """Why a reply did not end as an answer does: a closed list, so that nobody has to match sentences.  `Reply.cause` has the detail."""

    NONE = ""
    OPERATOR = "operator"
    LEFT = "session-left"
    STOPPED = "program-stopped"
    KILLED = "program-killed"
    LENGTH = "length"
    NO_TEXT = "no-text"
    FILTER = "content-filter"
    CONNECT = "no-connection"
    NETWORK = "network"
    DEADLINE = "deadline"
    HTTP = "http-error"
    PROVIDER = "provider-error"
    UNREADABLE = "unreadable"
    NO_FINISH = "no-finish-reason"
    NOT_SENT = "not-sent"
    CHILD = "provider-process"
    SCRIPT = "script"
    SUBJECT = "subject-failed"
    DAMAGED = "damaged-notebook"


class Purpose(StrEnum):
    """Why a call was made."""

    STEP = "step"
    REGENERATE = "regenerate"
    RETRY = "retry"
    SAMPLE = "sample"


class PartKind(StrEnum):
    RULES = "rules"
    DEMO = "demo"
    FEEDBACK = "feedback"
    ITEM = "item"
    PROBE = "probe"
    FREE = "free"


class How(StrEnum):
    """How an assistant turn that this subject did not write here came to be."""

    FORGED = "forged"
    EDITED = "edited"
    OTHER_MODEL = "other_model"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Span:
    text: str
    origin: Origin


Spans = tuple[Span, ...]


def plain(spans: Sequence[Span]) -> str:
    """The text of `spans`, joined."""
    return "".join(span.text for span in spans)


@dataclass(frozen=True, slots=True)
class Part:
    """One block of a user turn.

    `via` is the intervention that made it.  An item holds its whole puzzle as `record`, its 1-based `position`, and the budget and
    score that the subject was shown or could infer when it was posed.  Feedback names the `reply` it is about, its kind in
    `feedback` (verdict, reveal, praise, score, violation), and for a key what was `shown`, whether that was `truthful`, and whether
    the answer `agrees` with it as that day's grader said: yes, no or unknown; empty where it was not recorded.
    `step` is the 0-based place in the plan's script of the action that made it; `planned` is feedback that the plan gives by itself.
    """

    kind: PartKind
    spans: Spans
    via: str = ""
    template: str = ""
    version: str = ""
    puzzle: str = ""
    record: Puzzle | None = None
    position: int | None = None
    reply: str = ""
    feedback: str = ""
    shown: str | None = None
    truthful: bool | None = None
    budget_shown: int | None = None
    score_shown: float | None = None
    step: int | None = None
    agrees: str = ""
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Root:
    """The start of a context: the plan as a mapping, its puzzles in the order they will be posed, and the subject with its
    parameters.  `why` says why it is a fresh context; empty for a session's first.

    `seed` is the session's seed, from which every call's is derived; `item_seed` fixed the puzzles, their order, the fakes and the
    order of the options (None: `seed` did).  What the item seed decided is stored, so that a later rule cannot move it:
    `option_order` (answer-first or skip-first) and `planned_fakes` (puzzle → the fake that the plan shows for it).  `yoked` has, by
    place, what another session was told there: correct (true) or incorrect.  `digests` are those of the plan, the pack and the templates.
    """

    plan: Mapping[str, Any] = field(default_factory=dict)
    puzzles: tuple[Puzzle, ...] = ()
    model: str = ""
    simulated: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    why: str = ""
    item_seed: int | None = None
    option_order: str = ""
    planned_fakes: Mapping[str, str] | None = None
    yoked: Mapping[str, bool] | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """The seed that fixed the puzzles, their order, the fakes and the order of the options."""
        return self.seed if self.item_seed is None else self.item_seed


@dataclass(frozen=True, slots=True)
class System:
    spans: Spans = ()
    template: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A turn of the operator's side.  `replaces` is the turn that it is an edit of, if any."""

    parts: tuple[Part, ...] = ()
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, written before it is sent.  `digest` is that of the exact messages or prompt; `dropped` lists the parameters
    that this backend does not take."""

    model: str = ""
    simulated: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    renderer: str = ""
    digest: str = ""
    purpose: Purpose = Purpose.STEP
    group: str = ""
    sample_index: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost in US dollars as the provider reported them (`exact`) or as guessed; a figure nobody gave is None, never 0."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cost: float | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.  `first_ms` and `total_ms` are milliseconds from the request to the first text and to the end.  `cause_kind`
    is a closed word, `cause` the sentence that goes with it."""

    spans: Spans = ()
    reasoning: str = ""
    status: Status = Status.COMPLETE
    cause: str = ""
    finish_raw: str = ""
    model_returned: str = ""
    fingerprint: str = ""
    usage: Usage | None = None
    first_ms: int | None = None
    total_ms: int | None = None
    retries: int = 0
    redacted: bool = False
    cause_kind: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class Assistant:
    """A turn that this subject did not write here.  `replaces` is the node it stands beside, if any."""

    spans: Spans = ()
    how: How = How.FORGED
    replaces: str = ""
    model: str = ""


Body = Root | System | User | Call | Reply | Assistant
BODIES: Mapping[Kind, type] = {
    Kind.ROOT: Root,
    Kind.SYSTEM: System,
    Kind.USER: User,
    Kind.CALL: Call,
    Kind.REPLY: Reply,
    Kind.ASSISTANT: Assistant,
}
KIND_OF: Mapping[type, Kind] = {body: kind for kind, body in BODIES.items()}


@dataclass(frozen=True, slots=True)
class Node:
    """A stored node.  `raw` is the body exactly as stored; `forged_above` and `fakes_above` count over its strict ancestors;
    `first_fake_depth` is the depth (root = 0) of the first ancestor that showed a fake key, or None."""

    id: str
    session: str
    parent: str | None
    seq: int
    at: str
    body: Body
    raw: str
    sha256: str
    forged_above: int = 0
    fakes_above: int = 0
    first_fake_depth: int | None = None
    copied_from: str | None = None

    @property
    def kind(self) -> Kind:
        return KIND_OF[type(self.body)]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something said about a node (and about one puzzle, where it holds many), never seen by the subject.  `value` is any JSON
    value, `raw` its stored ASCII JSON; `by` is machine, operator, rater:NAME or judge:MODEL; `version` is that of the parser."""

    id: str
    session: str
    seq: int
    node: str
    field: str
    value: Any
    raw: str
    by: str
    at: str
    sha256: str
    puzzle: str | None = None
    span: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """An annotation that is not stored yet: the store gives it an id, a place and a hash.  One that `names_turn` has a mapping as its
    value, which gets the id of the turn that is appended with it, as `turn`."""

    field: str
    value: Any
    puzzle: str | None = None
    by: str = "machine"
    version: str = ""
    node: str = ""
    names_turn: bool = False


_canonical = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical(value: Any) -> str:
    """`value` as JSON that has one spelling: ASCII, sorted keys, no spaces.  NaN and infinities raise ValueError."""
    return _canonical(value)


def digest(value: Any) -> str:
    """Lower-case hex SHA-256 of `canonical(value)`."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def text_of(body: Body) -> str:
    """The readable text of a body: what the operator reads and what search finds."""
    match body:
        case User(parts=parts):
            return "\n\n".join(plain(part.spans) for part in parts)
        case System(spans=spans) | Assistant(spans=spans):
            return plain(spans)
        case Reply(spans=spans, reasoning=reasoning):
            return plain(spans) + (f"\n\n{reasoning}" if reasoning else "")
    return ""


def fakes_shown(body: Body) -> int:
    """How many untruthful keys a turn showed; an untruthful verdict is none."""
    return sum(part.feedback == "reveal" and part.truthful is False for part in body.parts) if isinstance(body, User) else 0
