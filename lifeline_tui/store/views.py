"""The five views that Datasette, DuckDB and the exporters read: plain joins, one session of them fast in a large file.

`clean` stands for `body` where the raw JSON holds lone surrogates or NULs, so that no row is unreadable to another program.
An attempt's facts were fixed by the machine when its reply was written; whatever else is said of it is the effective annotation:
the operator's beats the machine's, then the highest seq wins (Law 6).  A field left out of a body has its default.
Views hold no data: a change to one is a migration that drops it and makes it anew.

Whether an attempt stands is worked out from the tips of the branches, never stored: a moved tip cannot leave a stale mark behind.
"""

from __future__ import annotations


def _best(name: str, wanted: str, node: str = "a.node", by: str = "'machine', 'operator'") -> str:
    """The effective annotation `name` of an attempt: its column expression `wanted`."""
    return (
        f"(SELECT {wanted} FROM annotations e WHERE e.node = {node} AND e.puzzle IS a.puzzle AND e.field = '{name}'"
        f" AND e.by IN ({by}) ORDER BY e.by = 'operator' DESC, e.seq DESC, e.id DESC LIMIT 1)"
    )


_VALUE = "json_extract(coalesce(e.clean, e.value), '$')"


def _fact(name: str) -> str:
    return f"json_extract(coalesce(a.clean, a.value), '$.{name}')"


def _of(node: str, path: str, default: str = "") -> str:
    value = f"json_extract(coalesce({node}.clean, {node}.body), '$.{path}')"
    return f"coalesce({value}, {default})" if default else value


def _live(node: str, of: str = "") -> str:
    """Whether a branch (`of` those that a condition names) holds `node`: from the tips up, no farther than where it stands."""
    return (
        "EXISTS (WITH RECURSIVE up(id, parent, depth) AS ("
        "SELECT t.id, t.parent, t.depth FROM branches b JOIN nodes t ON t.id = b.tip"
        f" WHERE b.session = {node}.session AND t.depth >= {node}.depth{of}"
        f" UNION SELECT m.id, m.parent, m.depth FROM up JOIN nodes m ON m.id = up.parent WHERE up.depth > {node}.depth"
        f") SELECT 1 FROM up WHERE up.id = {node}.id)"
    )


def _below(top: str, node: str) -> str:
    """Whether `node` stands under `top`."""
    return (
        "EXISTS (WITH RECURSIVE up(id, parent, depth) AS ("
        f"SELECT m.id, m.parent, m.depth FROM nodes m WHERE m.id = {node}.parent"
        f" UNION ALL SELECT m.id, m.parent, m.depth FROM up JOIN nodes m ON m.id = up.parent WHERE up.depth > {top}.depth"
        f") SELECT 1 FROM up WHERE up.id = {top}.id)"
    )


def _attempt_above(node: str) -> str:
    """The nearest reply above `node` that made an attempt."""
    return (
        "(WITH RECURSIVE up(id, parent) AS ("
        f"SELECT m.id, m.parent FROM nodes m WHERE m.id = {node}.parent"
        " UNION ALL SELECT m.id, m.parent FROM up JOIN nodes m ON m.id = up.parent"
        ") SELECT up.id FROM up WHERE EXISTS (SELECT 1 FROM annotations h WHERE h.node = up.id AND h.field = 'attempt') LIMIT 1)"
    )


_NEAR = "json_extract(coalesce(e.clean, e.value), '$.branch') = json_extract(coalesce(a.clean, a.value), '$.branch')"


def _told(extra: str = "") -> str:
    """The id of the newest feedback on an attempt, that of its own branch first: forks may tell the same attempt otherwise.  Of one that a branch holds, only what a branch holds was told: a turn that was taken
    back told nothing.  The first version did not record the turn."""
    turn = "json_extract(coalesce(e.clean, e.value), '$.turn')"
    held = f"EXISTS (SELECT 1 FROM nodes l WHERE l.id = {turn} AND {_live('l')})"
    return (
        f"(SELECT told FROM (SELECT e.id AS told, e.seq, {_NEAR} AS near FROM annotations e"
        " WHERE e.node = a.node AND e.puzzle IS a.puzzle AND e.field = 'feedback' AND e.by = 'machine'"
        f"{extra} AND ({turn} IS NULL OR {held} OR v.id IS NULL)) ORDER BY near DESC, seq DESC, told DESC LIMIT 1)"
    )


def _said(told: str, name: str) -> str:
    return f"json_extract(coalesce({told}.clean, {told}.value), '$.{name}')"


_SAMPLED = f"{_of('c', 'purpose', chr(39) + 'step' + chr(39))} = 'sample'"
"""Whether the reply is one of several that were sampled at one place: of those, none took another's."""
_OTHERS = (
    "FROM (SELECT DISTINCT h.node FROM annotations h WHERE h.session = a.session AND h.field = 'attempt' AND h.puzzle IS a.puzzle)"
    " g JOIN nodes k ON k.id = g.node WHERE k.id <> r.id"
)
# `v` is the reply itself where a branch holds it, `x` the reply that made the attempt before, `u` the one that took its place: joined, so
# that each is looked for once a row.  A later try below it on a path that a branch still holds; of a discarded one, the try that took its place.
_SUPERSEDED = (
    "CASE WHEN v.id IS NOT NULL"
    f" THEN (SELECT k.id {_OTHERS} AND k.depth > r.depth AND {_below('r', 'k')} AND {_live('k')} ORDER BY k.depth, k.seq DESC LIMIT 1)"
    f" WHEN NOT {_SAMPLED} THEN (SELECT k.id {_OTHERS} AND {_attempt_above('k')} IS x.id AND {_live('k')} ORDER BY k.seq DESC LIMIT 1)"
    " END"
)
_TRUNK = _live("r", " AND b.name = 'main'")
_RUN = (
    "(SELECT json_extract(coalesce(e.clean, e.value), '$.status') FROM annotations e WHERE e.node = r.root AND e.field = 'run'"
    " AND e.by = 'machine' ORDER BY e.seq DESC, e.id DESC LIMIT 1)"
)


def _settings(of: str, fields: dict[str, str]) -> str:
    """A part of the root's plan as one JSON object, what is left out of it at its default."""
    pairs = ", ".join(f"'{name}', {_of('o', f'plan.{of}.{name}', default)}" for name, default in fields.items())
    return f"json_object({pairs})"


_SCORING = {"right": "1", "wrong": "0", "skip": "0", "say_no_penalty": "0"}
_FEEDBACK = {
    **{"kind": "'none'", "shown": "'true'", "fake_rate": "0.5", "turn": "'joined'", "on_skip": "'same'", "delay": "0", "to": "''"},
}
_TOLD_ABOVE = (
    *("n_operator_turns_above", "operator_chars_above", "n_by_hand_above", "n_probes_above", "rules_edited", "n_untrue_above"),
    *("last_verdict", "last_verdict_truthful", "last_verdict_puzzle", "last_key_truthful", "last_key_puzzle", "last_praise"),
    *("last_praise_puzzle", "last_score", "last_score_puzzle", "last_feedback_puzzle"),
)
_FACTS = ("position", "attempt_no", "n", "lifelines_offered", "lifelines_left", "score_shown")
_STATED = ("action", "answer", "difficulty", "confidence", "flags")
_ITEM = "json_extract(p.value, '$.record.{}')"

# What a shown fake was found to agree with: said when an answer was overruled, else recorded when it was told.
_OVERRULED = "json_extract(coalesce(e.clean, e.value), '$.overruled')"
_AGREES = (
    "coalesce((SELECT g.value FROM annotations e, json_each(coalesce(e.clean, e.value), '$.keys') g WHERE e.id ="
    f" {_best('agrees', 'e.id')} AND g.key = {_said('fk', 'shown')}),"
    f" CASE WHEN {_best('agrees', _OVERRULED)} THEN NULL"
    f" WHEN {_said('fk', 'agrees')} = 'yes' THEN 1 WHEN {_said('fk', 'agrees')} = 'no' THEN 0 END)"
)
_SHOWN_RIGHT = (
    f"CASE WHEN {_best('action', _VALUE)} <> 'answer' THEN NULL WHEN {_said('fk', 'key_truthful')} = 0 THEN {_AGREES}"
    f" WHEN fk.id IS NULL AND fv.id IS NOT NULL THEN {_said('fv', 'verdict')} = 'correct'"
    f" ELSE CASE {_best('grade', _VALUE)} WHEN 'right' THEN 1 WHEN 'wrong' THEN 0 END END"
)
_ATTEMPTS: dict[str, str] = {
    "session": "a.session",
    "node_id": "a.node",
    "puzzle_id": "a.puzzle",
    "parent_id": "r.parent",
    "branch": _fact("branch"),
    "via": f"coalesce({_fact('purpose')}, {_of('c', 'purpose', chr(39) + 'step' + chr(39))})",
    "fork_group": f"coalesce({_fact('fork_group')}, {_of('c', 'group')})",
    "sample_index": f"coalesce({_fact('sample_index')}, {_of('c', 'sample_index', '0')})",
    "presentation": _fact("presentation"),
    "form": _fact("form"),
    "feedback_kind": _fact("feedback_kind"),
    "prev_feedback_kind": _fact("prev_feedback_kind"),
    "prev_truthful": _fact("prev_truthful"),
    "prev_grade": _fact("prev_grade"),
    "prediction": f"coalesce({_best('prediction', _VALUE)}, {_best('prediction', _VALUE, 'i.id')})",
    "pack": _ITEM.format("pack"),
    "family": _ITEM.format("family"),
    "stratum": _ITEM.format("stratum"),
    **{name: _fact(name) for name in _FACTS},
    **{name: _best(name, _VALUE) for name in _STATED},
    "violation": f"CASE {_best('action', _VALUE)} WHEN 'lifeline' THEN {_fact('left')} <= 0 END",
    "key": _ITEM.format("answer.value"),
    "shown_answer": _said("f", "shown"),
    # A verdict is true by the grade in force: one that was overruled makes another verdict true.
    "truthful": f"CASE WHEN {_said('f', 'verdict')} IS NOT NULL AND {_best('grade', _VALUE)} IN ('right', 'wrong')"
    f" THEN ({_said('f', 'verdict')} = 'correct') = ({_best('grade', _VALUE)} = 'right') AND coalesce({_said('f', 'key_truthful')}, 1)"
    f" ELSE {_said('f', 'truthful')} END",
    "shown_in": _said("f", "branch"),
    "grade": _best("grade", _VALUE),
    # An override that was taken back says once more what the machine had said.
    "graded_by": _best("grade", "CASE WHEN e.version = 'undone' THEN 'machine' ELSE e.by END"),
    **{f"machine_{name}": _best(name, _VALUE, by="'machine'") for name in ("action", "answer", "grade")},
    "score": f"CASE {_best('grade', _VALUE)} WHEN 'right' THEN {_of('o', 'plan.scoring.right', '1')}"
    f" WHEN 'wrong' THEN {_of('o', 'plan.scoring.wrong', '0')}"
    f" WHEN 'n/a' THEN CASE WHEN {_best('action', _VALUE)} = 'lifeline' AND {_fact('left')} > 0"
    f" THEN {_of('o', 'plan.scoring.skip', '0')} END END",
    "item_edited": f"json_extract(p.value, '$.via') = 'edit' OR coalesce({_of('i', 'replaces')}, '') <> ''",
    "n_forged_ancestors": "r.forged_above",
    "n_fake_ancestors": "r.fakes_above",
    "first_fake_depth": "r.first_fake_depth",
    "origin": "CASE r.kind WHEN 'assistant' THEN " + _of("r", "how", "'forged'") + " ELSE 'model' END",
    "status": f"coalesce({_fact('status')}, {_of('r', 'status', chr(39) + 'complete' + chr(39))})",
    "finish_reason_raw": _of("r", "finish_raw"),
    "model_requested": f"coalesce({_of('c', 'model')}, {_of('o', 'model')})",
    "model_returned": _of("r", "model_returned"),
    "simulated": f"CASE WHEN c.id IS NULL THEN s.simulated ELSE {_of('c', 'simulated', '0')} END",
    "params": _of("c", "params"),
    "tokens_in": _of("r", "usage.input"),
    "tokens_out": _of("r", "usage.output"),
    "tokens_reasoning": _of("r", "usage.reasoning"),
    "tokens_estimated": f"CASE WHEN {_of('r', 'usage')} IS NOT NULL THEN {_of('r', 'usage.exact', '1')} = 0 END",
    "cost": _of("r", "usage.cost"),
    "latency_ms": _of("r", "total_ms"),
    "at": "r.at",
    "plan": "s.plan",
    "arm": _of("o", "plan.name", "s.plan"),
    "seed": _of("o", "seed", "0"),
    "shown_right": _SHOWN_RIGHT,
    "standing": "v.id IS NOT NULL AND u.id IS NULL",
    "superseded_by": "u.id",
    "n_siblings_discarded": f"(SELECT count(*) {_OTHERS} AND {_attempt_above('k')} IS x.id AND NOT {_live('k')}"
    f" AND NOT EXISTS (SELECT 1 FROM nodes kc WHERE kc.id = k.parent AND {_of('kc', 'purpose', chr(39) + 'step' + chr(39))} = 'sample'))",
    "discarded": f"v.id IS NULL AND NOT {_SAMPLED}",
    "trunk": _TRUNK,
    "above_node_id": "x.id",
    "turn_id": _fact("item"),
    "depth": "r.depth",
    **{name: _fact(name) for name in _TOLD_ABOVE},
    "persona": _of("o", "plan.persona", "'none'"),
    "scoring": _settings("scoring", _SCORING),
    "option_order": _of("o", "option_order"),
    "feedback_plan": _settings("feedback", _FEEDBACK),
    "plan_digest": _of("o", "digests.plan"),
    "pack_digest": _of("o", "digests.pack"),
    "templates_digest": _of("o", "digests.templates"),
    "parser_version": _best("action", "e.version", by="'machine'"),
    "grader_version": _best("grade", "e.version", by="'machine'"),
    "run_status": _RUN,
    "item_seed": f"coalesce({_of('o', 'item_seed')}, {_of('o', 'seed', '0')})",
    "call_seed": _of("c", "params.seed"),
}
ATTEMPT_COLUMNS = tuple(_ATTEMPTS)

_BEST_ATTEMPT = _best("attempt", "e.id")

_ATTEMPTS_FROM = f"""
FROM annotations a
JOIN nodes r ON r.id = a.node AND r.copied_from IS NULL
JOIN sessions s ON s.id = a.session
LEFT JOIN nodes v ON v.id = r.id AND {_live("r")}
LEFT JOIN nodes c ON c.id = r.parent AND c.kind = 'call'
LEFT JOIN nodes x ON x.id = {_attempt_above("r")}
LEFT JOIN nodes u ON u.id = {_SUPERSEDED}
LEFT JOIN nodes o ON o.id = r.root
LEFT JOIN nodes i ON i.id = {_fact("item")}
LEFT JOIN annotations f ON f.id = {_told()}
LEFT JOIN annotations fk ON fk.id = {_told(f" AND {_NEAR} AND json_extract(coalesce(e.clean, e.value), '$.key_truthful') IS NOT NULL")}
LEFT JOIN annotations fv ON fv.id = {_told(f" AND {_NEAR} AND json_extract(coalesce(e.clean, e.value), '$.verdict') IS NOT NULL")}
LEFT JOIN json_each(coalesce(i.clean, i.body), '$.parts') p
    ON json_extract(p.value, '$.record') IS NOT NULL
    AND coalesce(json_extract(p.value, '$.puzzle'), json_extract(p.value, '$.record.id')) = a.puzzle
WHERE a.field = 'attempt' AND a.by IN ('machine', 'operator') AND a.id = {_BEST_ATTEMPT}
    AND NOT ({_of("r", "status", "'complete'")} IN ('error', 'cancelled', 'interrupted')
        AND coalesce({_best("action", _VALUE)}, 'unparsed') = 'unparsed')"""

_CLAIM = (
    "(SELECT {} FROM annotations e WHERE e.node = r.id AND e.puzzle IS NULL AND e.field = '{}' AND e.by IN ('machine', 'operator')"
    " ORDER BY e.by = 'operator' DESC, e.seq DESC, e.id DESC LIMIT 1)"
)


def _claimed(path: str) -> str:
    return _CLAIM.format(f"json_extract(coalesce(e.clean, e.value), '$.{path}')", "claim")


def _claim_fact(name: str) -> str:
    return _CLAIM.format(f"json_extract(coalesce(e.clean, e.value), '$.{name}')", "claim_facts")


_CLAIMS: dict[str, str] = {
    "session": "r.session",
    "node_id": "r.id",
    **{name: _claim_fact(name) for name in ("branch", "via", "wording", "question", "n_asked", "puzzles", "positions")},
    "claimed": f"coalesce({_claimed('count')}, json_array_length({_claimed('which')}))",
    "which": _claimed("which"),
    **{name: _claim_fact(name) for name in ("n_told", "told_puzzles", "matches_shown", "right_true", "own_committed", "answers")},
    **{name: _claim_fact(name) for name in ("own_matches_shown", "own_right", "own_skipped", "own_unread", "shares_context_with")},
    "standing": _live("r"),
    "discarded": f"NOT {_live('r')} AND NOT {_SAMPLED}",
    "turn_id": "c.parent",
    "plan": "s.plan",
    "arm": _of("o", "plan.name", "s.plan"),
    "seed": _of("o", "seed", "0"),
    "call_seed": _of("c", "params.seed"),
    "model_requested": f"coalesce({_of('c', 'model')}, {_of('o', 'model')})",
    "simulated": f"CASE WHEN c.id IS NULL THEN s.simulated ELSE {_of('c', 'simulated', '0')} END",
    "origin": "CASE r.kind WHEN 'assistant' THEN " + _of("r", "how", "'forged'") + " ELSE 'model' END",
    "n_forged_ancestors": "r.forged_above",
    "n_fake_ancestors": "r.fakes_above",
    "parser_version": _CLAIM.format("e.version", "claim"),
    "status": _of("r", "status", "'complete'"),
    "at": "r.at",
}
CLAIM_COLUMNS = tuple(_CLAIMS)
_CLAIMS_FROM = """
FROM (SELECT DISTINCT session, node FROM annotations WHERE field IN ('claim', 'claim_facts')) q
JOIN nodes r ON r.id = q.node AND r.session = q.session AND r.copied_from IS NULL
JOIN sessions s ON s.id = r.session
LEFT JOIN nodes o ON o.id = r.root
LEFT JOIN nodes c ON c.id = r.parent AND c.kind = 'call'"""

_MESSAGES = """
SELECT n.session, n.id AS node_id, n.parent AS parent_id, n.root AS root_id, n.depth, n.seq, n.kind,
    CASE WHEN n.kind IN ('reply', 'assistant') THEN 'assistant' ELSE n.kind END AS role,
    CASE n.kind WHEN 'assistant' THEN coalesce(json_extract(coalesce(n.clean, n.body), '$.how'), 'forged') END AS how,
    (SELECT group_concat(origin, ' ') FROM (SELECT DISTINCT t.value AS origin FROM json_tree(coalesce(n.clean, n.body)) t
        WHERE t.key = 'origin' ORDER BY 1)) AS origins,
    n.text, json_extract(coalesce(n.clean, n.body), '$.reasoning') AS reasoning,
    CASE n.kind WHEN 'reply' THEN coalesce(json_extract(coalesce(n.clean, n.body), '$.status'), 'complete') END AS status,
    n.forged_above AS n_forged_ancestors, n.fakes_above AS n_fake_ancestors, n.copied_from, s.simulated, n.at
FROM nodes n JOIN sessions s ON s.id = n.session
WHERE n.kind IN ('system', 'user', 'reply', 'assistant')"""

_CALLS: dict[str, str] = {
    "session": "c.session",
    "call_id": "c.id",
    "parent_id": "c.parent",
    "reply_id": "r.id",
    "seq": "c.seq",
    "model_requested": _of("c", "model"),
    "model_returned": _of("r", "model_returned"),
    "simulated": _of("c", "simulated", "0"),
    "via": _of("c", "purpose", "'step'"),
    "fork_group": _of("c", "group"),
    "sample_index": _of("c", "sample_index", "0"),
    "renderer": _of("c", "renderer"),
    "digest": _of("c", "digest"),
    "params": _of("c", "params"),
    "dropped": _of("c", "dropped"),
    "status": f"CASE WHEN r.id IS NOT NULL THEN {_of('r', 'status', chr(39) + 'complete' + chr(39))} END",
    "cause": _of("r", "cause"),
    "cause_kind": _of("r", "cause_kind"),
    "call_seed": _of("c", "params.seed"),
    "finish_reason_raw": _of("r", "finish_raw"),
    "tokens_in": _of("r", "usage.input"),
    "tokens_out": _of("r", "usage.output"),
    "tokens_reasoning": _of("r", "usage.reasoning"),
    "cost": _of("r", "usage.cost"),
    "first_ms": _of("r", "first_ms"),
    "latency_ms": _of("r", "total_ms"),
    "retries": f"CASE WHEN r.id IS NOT NULL THEN {_of('r', 'retries', '0')} END",
    "redacted": f"CASE WHEN r.id IS NOT NULL THEN {_of('r', 'redacted', '0')} END",
    "copied_from": "c.copied_from",
    "asked_at": "c.at",
    "replied_at": "r.at",
}

_FORK = (
    "(SELECT {} FROM annotations e WHERE e.session = b.session AND e.field = 'fork'"
    " AND json_extract(coalesce(e.clean, e.value), '$.branch') = b.name ORDER BY e.seq DESC, e.id DESC LIMIT 1)"
)
_BRANCHES = f"""
SELECT b.session, s.title, b.name, b.tip, t.kind AS tip_kind, t.root AS root_id, t.depth, t.forged_above AS n_forged_ancestors,
    t.fakes_above AS n_fake_ancestors, t.first_fake_depth, s.plan, s.model, s.simulated, t.at,
    {_FORK.format("json_extract(coalesce(e.clean, e.value), '$.from')")} AS forked_from, {_FORK.format("e.node")} AS forked_at,
    CASE WHEN EXISTS (SELECT 1 FROM annotations h WHERE h.node = t.id AND h.field = 'attempt') THEN t.id
        ELSE {_attempt_above("t")} END AS last_attempt
FROM branches b JOIN sessions s ON s.id = b.session JOIN nodes t ON t.id = b.tip"""


def _view(name: str, columns: dict[str, str], rest: str) -> str:
    listed = ",\n    ".join(f"{expression} AS {column}" for column, expression in columns.items())
    return f"CREATE VIEW {name} AS SELECT\n    {listed}{rest}"


VIEWS: dict[str, str] = {
    "v_attempts": _view("v_attempts", _ATTEMPTS, _ATTEMPTS_FROM),
    "v_messages": f"CREATE VIEW v_messages AS {_MESSAGES}",
    "v_claims": _view("v_claims", _CLAIMS, _CLAIMS_FROM),
    "v_calls": _view(
        "v_calls", _CALLS, "\nFROM nodes c LEFT JOIN nodes r ON r.parent = c.id AND r.kind = 'reply' WHERE c.kind = 'call'"
    ),
    "v_branches": f"CREATE VIEW v_branches AS {_BRANCHES}",
}
"""By name: the statement that makes it."""
