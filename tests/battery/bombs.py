"""Known bombs, by the door that they come in at: what a file that somebody shares may try.

Each is a name and what is written.  What a door may take in peace, though it looks odd, stands apart: it must be as quick and as small.
"""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lifeline_tui.core.codec import annotation_hash, node_hash
from lifeline_tui.core.nodes import canonical
from lifeline_tui.loading.files import MAX_BYTES as M

CANARY = "canary-7f3a"
"""Stands in every file outside; nothing may ever repeat it."""
EVIL = "http://192.0.2.66/v1"
"""An address that no request may go to: it is of the documentation's own network."""
STEERING = [
    "api_base",
    "base_url",
    "api_key",
    "headers",
    "extra_headers",
    "extra_body",
    "model_kwargs",
    "api_version",
    "organization",
    "custom_llm_provider",
    "model",
    "mock_response",
    "fallbacks",
    "proxy",
    "base_model",
    "azure_ad_token_provider",
    "aws_bedrock_runtime_endpoint",
    "vertex_credentials",
    "callbacks",
]
"""What would steer a request elsewhere, or name a key."""


Content = bytes | Callable[[], bytes]
"""What is large is made when it is needed."""


def many(count: int, each: Callable[[int], str], between: str = "") -> bytes:
    return between.join(map(each, range(count))).encode()


# YAML of any kind

YAML: dict[str, Content] = {
    "alias": b"name: *x\n",
    "alias for a list": b"name: x\nthen: *x\n",
    "anchor": b"name: &x y\n",
    "anchor that nobody needs": b"name: x\nabout: &x y\n",
    "billion laughs": b"a: &a [lol]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
    "merge key": b"name: x\n<<: {a: b}\n",
    "merge bomb": b"x: &a {k: v}\n" + b"y: {<<: [*a, *a, *a, *a]}\n" * 20,
    "cycle": b"&a [*a]\n",
    "cycle of keys": b"&a {*a : *a}\n",
    "python object": b"name: !!python/object/apply:os.system [touch made-by-yaml]\n",
    "python module": b"name: !!python/module:os\n",
    "plain tag": b"name: !!str x\n",
    "own tag": b"name: !x y\n",
    "binary tag": b"name: !!binary AAAA\n",
    "set tag": b"!!set {a, b}\n",
    "verbatim tag": b"name: !<tag:yaml.org,2002:python/name:os.system> x\n",
    "tag handle": b"%TAG ! tag:yaml.org,2002:python/\n---\nname: !name:os.system x\n",
    "same key twice": b"name: x\nname: y\n",
    "same key twice, written in two ways": b'name: x\n"na\\x6de": y\n',
    "same key twice below": b"name: x\npuzzles: {pack: a, pack: b}\n",
    "key that is a list": b"? [a, b]\n: c\n",
    "key that is nothing": b"? \n: c\n- x\n",
    "deep lists": b"name: " + b"[" * 2000 + b"]" * 2000 + b"\n",
    "deep mappings": b"".join(b" " * n + b"a:\n" for n in range(1000)),
    "deep flow mappings": lambda: b"{a: " * 200_000,
    "30,000 open brackets": b"[" * 30_000,
    "1 MB of open brackets": lambda: b"[" * M,
    "1 MB of dashes": lambda: b"- " * (M // 2),
    "1 MB of question marks": lambda: b"? " * (M // 2),
    "1 MB of colons": lambda: b": " * (M // 2),
    "1 MB of exclamation marks": lambda: b"!" * M,
    "1 MB of ampersands": lambda: b"&a " * (M // 3),
    "1 MB of percents": lambda: b"%" * M,
    "1 MB of pipes": lambda: b"|" * M,
    "1 MB of quotes": lambda: b'"' * M,
    "1 MB of tabs": lambda: b"\t" * M,
    "1 MB of carriage returns": lambda: b"\r" * M,
    "1 MB of document starts": lambda: b"---\n" * (M // 4),
    "an open quote": lambda: b'a: "' + b"\\n" * (M // 2 - 6),
    "an over-long key": lambda: b"a" * (M - 10) + b": b\n",
    "a byte too many": lambda: b"a" * (M + 1),
    "50 MB": lambda: b"#" * 50_000_000,
    "too many items": lambda: b"[" + b"a," * (M // 2 - 2) + b"]",
    "too many mappings": lambda: b"[" + b"{}," * (M // 3 - 2) + b"]",
    "too many keys": lambda: many(80_000, lambda n: f"k{n}: v\n"),
    "directives": lambda: b"%TAG ! x\n" * (M // 9),
    "an unknown version": b"%YAML 9.9\n---\nname: x\n",
    "a second document": b"name: x\n---\nname: y\n",
    "a document after its end": b"name: x\n...\nname: y\n",
    "NUL": b"name: x\0y\n",
    "a NUL alone": b"\0",
    "escape sequences": b"name: \x1b]52;c;aGk=\x07\x1b[2J\n",
    "C1": "name: \u009b2J\n".encode(),
    "UTF-16": "name: x\n".encode("utf-16"),
    "UTF-16 without its mark": "name: x\n".encode("utf-16-be"),
    "UTF-32": "name: x\n".encode("utf-32"),
    "UTF-7": b"+AG4AYQBtAGU-: x\n" * 2,
    "invalid UTF-8": b"name: \xff\xfe\n",
    "a surrogate in UTF-8": b"name: \xed\xa0\x80\n",
    "over-long UTF-8": b"name: \xc0\xae\xc0\xae\n",
    "a UTF-8 sequence cut off": b"name: \xf0\x9f\x98",
    "a noncharacter": b"name: \xef\xbf\xbf\n",
    "an escape past Unicode": b'name: "\\UFFFFFFFF"\n',
    "an escape for a surrogate": b'name: "\\ud800"\n',
    "a tab for indenting": b"puzzles:\n\tpack: x\n",
    "a block indented by a million": lambda: b"name: |\n" + b" " * 900_000 + b"x\n y\n",
    "an indent of ten": b"name: |10\n          x\n",
    "nothing": b"",
    "nothing but comments": lambda: b"#\n" * (M // 2),
    "nothing but a mark": b"\xef\xbb\xbf",
    "a zip": b"PK\x03\x04" + b"\0" * 60,
    "an ELF": b"\x7fELF" + b"\0" * 60,
    "a scalar alone": lambda: b"x" * (M - 1),
    "JSON of no field": b'{"__class__": {"__init__": {"__globals__": 1}}}\n',
}
"""Refused by the loader, or by every schema, whatever they are read as."""

ODD_PLANS: dict[str, Content] = {
    "a byte order mark": b"\xef\xbb\xbfname: x\n",
    "CRLF": b"name: x\r\nabout: y\r\n",
    "words that YAML would turn": b"name: no\nabout: 1:30\nthen: [{do: free, text: 012}]\n",
    "a date for an about": b"name: x\nabout: 2020-01-01\n",
    "1 MB of about": lambda: b"name: x\nabout: " + b"y" * (M - 20),
    "1 MB of comments": lambda: b"name: x\n" + b"# y\n" * (M // 4 - 3),
    "1 MB of spaces": lambda: b"name: x\n" + b" " * (M - 9),
    "1 MB of blank lines": lambda: b"name: x\n" + b"\n" * (M - 9),
    "1 MB of folded lines": lambda: b"name: x\nabout: >\n" + b"  a\n\n" * (M // 5 - 5),
    "1 MB of escapes": lambda: b'name: x\nabout: "' + b"\\U0010FFFF" * (M // 10 - 3) + b'"\n',
    "a thousand actions": b"name: x\nthen:\n" + b"  - {do: workings}\n" * 1000,
    "a scalar that looks like an alias": b"name: x\nabout: '*x'\n",
    "one marked document": b"%YAML 1.1\n---\nname: x\n...\n",
}
"""Odd, and taken."""

PLANS: dict[str, Content] = {
    **{f"{name} of the subject": f"name: x\nsubject: {{temperature: 1, {name}: {EVIL}}}\n".encode() for name in STEERING},
    **{f"{name} of the plan": f"name: x\n{name}: {EVIL}\n".encode() for name in STEERING},
    **{f"{name} of the puzzles": f"name: x\npuzzles: {{{name}: {EVIL}}}\n".encode() for name in STEERING[:5]},
    **{f"{name} of the feedback": f"name: x\nfeedback: {{{name}: {EVIL}}}\n".encode() for name in STEERING[:5]},
    **{f"{name} of an action": f"name: x\nthen: [{{do: workings, {name}: {EVIL}}}]\n".encode() for name in STEERING[:5]},
    "a subject with a key's name": b"name: x\nsubject: {OPENAI_API_KEY: y}\n",
    "a subject below the subject": b"name: x\nsubject: {stop: {api_base: y}}\n",
    "a subject in a stop list": b"name: x\nsubject: {stop: [[api_base, y]]}\n",
    "a parameter in another case": b"name: x\nsubject: {Temperature: 1}\n",
    "a name with a path": b"name: ../../x\n",
    "a name with a slash": b"name: a/b\n",
    "an absolute pack": b"name: x\npuzzles: {pack: /etc/passwd}\n",
    "a pack above": b"name: x\npuzzles: {pack: ../../outside/canary}\n",
    "a pack that ends in .yaml": b"name: x\npuzzles: {pack: canary.yaml}\n",
    "a pack at home": b"name: x\npuzzles: {pack: ~/canary}\n",
    "a persona above": b"name: x\npersona: ../rules/form\n",
    "a persona that is absolute": b"name: x\npersona: /etc/passwd\n",
    "an action nobody has": b"name: x\nthen: [{do: __import__}]\n",
    "a field that no action has": b"name: x\nthen: [{do: workings, path: /etc/passwd}]\n",
    "50,000 ids": lambda: b"name: x\npuzzles: {ids: [" + many(49_000, lambda n: f"p{n}", ",") + b"]}\n",
    "50,000 strata": lambda: b"name: x\npuzzles: {strata: [" + many(49_000, lambda n: f"p{n}", ",") + b"]}\n",
    "50,000 ids of an action": lambda: (
        b"name: x\nthen: [{do: nothing-such, for: [" + many(49_000, lambda n: f"p{n}", ",") + b"]}]\n"
    ),
    "20,000 fields that are none": lambda: b"name: x\n" + many(20_000, lambda n: f"nbme{n}: x\n"),
    "20,000 fields and no name": lambda: many(20_000, lambda n: f"nbme{n}: x\n"),
    "50,000 stops": lambda: b"name: x\nsubject: {stop: [" + many(49_000, lambda n: f"p{n}", ",") + b"]}\n",
    "50,000 things to ask": lambda: b"name: x\nask: [" + b"confidence," * 49_000 + b"]\n",
    "a count of 10^15": b"name: x\npuzzles: {count: 999999999999999}\n",
    "a number of a million digits": lambda: b"name: x\nlifelines: " + b"9" * (M - 30) + b"\n",
    "1e999": b"name: x\nscoring: {right: 1e999}\n",
    "nan": b"name: x\nscoring: {right: nan}\n",
    "infinity": b"name: x\nsubject: {temperature: .inf}\n",
    "another script's digits": "name: x\nlifelines: ٣\n".encode(),
    "octal": b"name: x\nlifelines: 0o17\n",
    "sexagesimal": b"name: x\nlifelines: 1:30\n",
    "no for a number": b"name: x\nlifelines: no\n",
    "null for a name": b"name:\n",
    "a list for a name": b"name: [x]\n",
    "a word of a million letters": lambda: b"name: x\nlifeline_word: " + b"a" * (M - 40) + b"\n",
    "a word with an escape": b'name: x\nlifeline_word: "a\\e]52;c;\\a"\n',
    "a choice of a million controls": lambda: b'name: x\nform: "' + b"\\e" * (M // 2 - 20) + b'"\n',
    "braces for a format": b"name: '{0.__class__}'\n",
}

_PACK = b"name: x\npuzzles:\n"


def puzzle(id: str = "p1", text: str = "How many?", type: str = "int", value: str = "4", rest: str = "") -> bytes:
    """A puzzle of a pack."""
    return f"  - {{id: {id}, text: {json.dumps(text)}, answer: {{type: {type}, value: {json.dumps(value)}}}{rest}}}\n".encode()


ROOTS = "∛" * 57 + "n"
"""The formula of few letters that takes the longest to reckon."""
SUM = "+".join(f"C(4000,{1990 + n})" for n in range(27)) + "+n"
BRACELET = ", family: bracelets, stratum: hard, params: {beads: 'a 5, b 5, c 4', apart: none}"

PACKS: dict[str, Content] = {
    **{f"{name} of a pack": f"{name}: {EVIL}\n".encode() + _PACK + puzzle() for name in STEERING[:7]},
    **{f"{name} of a puzzle": _PACK + puzzle(rest=f", {name}: {EVIL}") for name in STEERING[:7]},
    **{
        f"a key of {name}": _PACK + puzzle(type=kind, value=value)
        for name, kind, value in (
            ("9**9**9**9", "expression", "9**9**9**9"),
            ("9^9^9^9", "int", "9^9^9^9"),
            ("a factorial", "expression", "999999!"),
            ("a double factorial", "expression", "9!!"),
            ("a factorial of a factorial", "expression", "(560!)!"),
            ("C(10^9, 10^8)", "expression", "C(1000000000, 100000000)"),
            ("a thousand brackets", "expression", "(" * 450 + "n" + ")" * 450),
            ("a power tower", "expression", "n^(n^(n^(n^n)))"),
            ("10^400", "int", "1e401"),
            ("10^-99999", "decimal", "1e-9999"),
            ("a fraction over nought", "fraction", "1/0"),
            ("a fraction of a million digits", "fraction", "9" * 400_000 + "/" + "7" * 400_000),
            ("a set of a hundred thousand", "set", ",".join(map(str, range(100_000)))),
            ("a multiset of a million", "multiset", "1," * 400_000),
            ("a nest of sets", "set", "{" * 490 + "}" * 490),
            ("a nest of tuples", "tuple", "(1," * 300),
            ("a million equal signs", "int", "=" * 900_000),
            ("a thousand fractions in LaTeX", "expression", "\\frac" * 190),
            ("an import", "expression", "__import__('os').system('touch made-by-a-key')"),
            ("an attribute", "expression", "().__class__.__bases__"),
            ("controls", "int", "\x1b[2J"),
            ("nan", "decimal", "nan"),
            ("infinity", "decimal", "inf"),
        )
    },
    "a tolerance of nan": _PACK + puzzle(type="decimal", value="1", rest="").replace(b'"1"', b'"1", tolerance: nan'),
    "a tolerance of 10^400": _PACK + puzzle(type="decimal", value="1", rest="").replace(b'"1"', b'"1", tolerance: 1e401'),
    "4,000 costly keys": lambda: _PACK + b"".join(puzzle(f"p{n}", "x", "expression", ROOTS) for n in range(4_000)),
    "1,000 costly keys": lambda: _PACK + b"".join(puzzle(f"p{n}", "x", "expression", SUM) for n in range(1_000)),
    "10,000 puzzles": lambda: _PACK + b"".join(puzzle(f"p{n}", "x") for n in range(10_000)),
    "10,000 fakes": lambda: _PACK + puzzle(rest=f", fakes: [{','.join(f'{{value: {n}, error: x}}' for n in range(9_000))}]"),
    "10,000 fields of params": _PACK + puzzle(rest=f", params: {{{','.join(f'a{n}: x' for n in range(24_900))}, a: [x]}}"),
    "an id that is a path": _PACK + puzzle("../../x"),
    "one id twice": _PACK + puzzle() + puzzle(),
    "a family that is a path": _PACK + puzzle(rest=", family: ../os"),
    "puzzles that are fields": b"name: x\npuzzles: {id: x}\n",
    "no puzzles": b"name: x\npuzzles: []\n",
    "a puzzle that is text": b"name: x\npuzzles: [x]\n",
    "fakes that are text": _PACK + puzzle(rest=", fakes: x"),
    "an answer that is a list": b"name: x\npuzzles:\n  - {id: p, text: x, answer: [int, 4]}\n",
    "a type of another kind": _PACK + puzzle(type="regex", value="(a+)+$"),
}

COSTLY_PACKS: dict[str, Content] = {
    "a formula of 57 roots": _PACK + puzzle(type="expression", value=ROOTS),
    "a sum of 27 binomials": _PACK + puzzle(type="expression", value=SUM),
    "two hundred regular stars": _PACK + puzzle(type="choice", value="(a*)*" * 199),
    "a thousand puzzles": _PACK + b"".join(puzzle(f"p{n}", "x") for n in range(1_000)),
    "ten fakes of binomials": _PACK
    + puzzle(
        type="expression",
        value=SUM,
        rest=f", fakes: [{','.join(f'{{value: {chr(34)}{n}+{SUM}{chr(34)}, error: x}}' for n in range(2, 12))}]",
    ),
    "a text of braces": _PACK + puzzle(text="{{shown}} {0.__class__} {x:>1000000000} %s $x"),
    "a text of markup": _PACK + puzzle(text="[@click=app.quit]x[/] \x1b[2J \u202e"),
    "1 MB of text": lambda: _PACK + puzzle(text="x" * (M - 200)),
    "an unknown family": _PACK + puzzle(rest=", family: os.system"),
    "a name of ../ in params": _PACK + puzzle(rest=", family: urn-draws, params: {bag: ../../x}"),
    "the largest bracelet": _PACK + puzzle(rest=BRACELET),
    "ten costly fakes": _PACK
    + puzzle(
        type="expression",
        value=ROOTS,
        rest=f", fakes: [{','.join(f'{{value: {chr(34)}{n}+{ROOTS}{chr(34)}, error: x}}' for n in range(2, 12))}]",
    ),
    "a bag of millions": _PACK
    + puzzle(
        rest=", family: urn-draws, params: {bag: 'a 999999999, b 1', draws: 8, exactly: a 1, at_least: none, neighbours: free}"
    ),
    "numbers to 10^9": _PACK + puzzle(rest=", family: residue-counts, params: {ask: count, last: 999999999, keep: 2 0, drop: 3 0}"),
    "a grid of 10^9": _PACK + puzzle(rest=", family: lattice-paths, params: {east: 999999999, north: 9, blocked: none, run: 0}"),
    "a hundred knights": _PACK
    + puzzle(rest=f", family: knight-quotas, params: {{knights: 50, says: '{','.join(f'a{n} knave b' for n in range(100))}'}}"),
    "a run of a million": _PACK
    + puzzle(rest=f", family: waiting-times, params: {{chances: 'H 1/2, T 1/2', run: {'H' * 900_000}, rival: none}}"),
}
"""Taken as they are: what they cost is what is asked."""

# Templates: the user's own folder, where a downloaded set of them may lie

TEMPLATES: dict[str, tuple[str, bytes]] = {
    "an attribute": ("interventions/reveal", b"{{shown.__class__}}"),
    "a globals walk": ("rules/item", b"{{text.__init__.__globals__}}"),
    "a format": ("interventions/reveal", b"{{shown:>1000000000}}"),
    "a conversion": ("interventions/reveal", b"{{shown!r}}"),
    "an index": ("rules/item", b"{{text[0]}}"),
    "a filter": ("rules/item", b"{{text|upper}}"),
    "a call": ("rules/item", b"{{range(999999999)}}"),
    "a loop": ("rules/item", b"{% for i in range(999999999) %}{{text}}{% endfor %}{{"),
    "a name nobody gives": ("personas/mine", b"{{OPENAI_API_KEY}}"),
    "the environment": ("rules/item", b"{{environ}}"),
    "a file": ("rules/item", b"{{file:///etc/passwd}}"),
    "an include": ("rules/item", b"{{>../../outside/canary}}"),
    "400,000 openings": ("rules/item", b"{{" * 400_000),
    "nested braces": ("rules/item", b"{" * 900_000),
    "nothing but a brace": ("rules/item", b"{{"),
    "an empty name": ("rules/item", b"{{}}"),
    "a name over two lines": ("rules/item", b"{{te\nxt}}"),
    "100,000 unknown names": ("personas/mine", b"{{a}}" * 190_000),
    "not UTF-8": ("rules/form", b"\xff\xfe{{lines}}"),
    "UTF-16": ("rules/form", "{{lines}}".encode("utf-16")),
    "1 MB and a byte": ("rules/form", b"x" * (M + 1)),
    "1 GB": ("rules/form", b""),
    "a name in another script": ("rules/item", "{{tехt}}".encode()),
}
ODD_TEMPLATES: dict[str, tuple[str, bytes]] = {
    "200,000 times the lines": ("rules/form", b"{{lines}}" * 1_000),
    "formats of other languages": ("rules/form", b"{lines} {0.__class__} {x:>1000000000} %s %(x)s $x ${x} <%= x %> {{lines}} }}"),
    "escape sequences": ("rules/form", b"\x1b]52;c;aGk=\x07\x1b[2J{{lines}}"),
    "nothing": ("rules/form", b""),
}

# The operator's own settings, which may have been downloaded

CONFIGS: dict[str, Content] = {
    **{f"{name} at the top": f'{name} = "{EVIL}"\n'.encode() for name in STEERING if name not in ("model",)},
    **{
        f"{name} of a model": f'[models.a]\nmodel = "openai/x"\n{name} = "{EVIL}"\n'.encode()
        for name in STEERING
        if name not in ("model", "api_base")
    },
    "a key in an address": b'[models.a]\nmodel = "openai/x"\napi_base = "https://h/v1?api_key=canary-7f3a"\n',
    "a password in an address": b'[models.a]\nmodel = "openai/x"\napi_base = "https://u:canary-7f3a@h/v1"\n',
    "an address of a file": b'[models.a]\nmodel = "openai/x"\napi_base = "file:///etc/passwd"\n',
    "headers as a table": b'[models.a]\nmodel = "openai/x"\n[models.a.headers]\nX = "canary-7f3a"\n',
    "text for a table": b'deadlines = "x"\n',
    "a list for a text": b"model = [1]\n",
    "a table for a text": b"model = {a = 1}\n",
    "a date for a text": b"glyphs = 2020-01-01\n",
    "nan for a deadline": b"[deadlines]\ngap = nan\n",
    "infinity for a deadline": b"[deadlines]\ngap = inf\n",
    "a million digits": lambda: b"a = " + b"9" * 19_000 + b"\n",
    "deep lists": lambda: b"a = " + b"[" * 19_000,
    "deep inline tables": lambda: b"a = " + b"{a = " * 3_000,
    "a dotted key of 9,000 parts": lambda: b"a" + b".a" * 9_000 + b" = 1\n",
    "5,000 tables": many(1_300, lambda n: f"[t{n}.a.b]\n"),
    "a table twice": b"[keys]\n[keys]\n",
    "a key twice": b'model = "sim/anxious"\nmodel = "sim/base"\n',
    "an escape past Unicode": b'model = "\\UFFFFFFFF"\n',
    "control characters": b'model = "\x1b[2J"\n',
    "NUL": b"model = 1\0\n",
    "UTF-16": 'model = "x"\n'.encode("utf-16"),
    "invalid UTF-8": b'model = "\xff"\n',
    "20,001 bytes": b"#" * 20_001,
    "100 MB": b"",
    "an open text": lambda: b'model = """' + b"x" * 19_000,
    "a list of tables for a table": b'[[models]]\nmodel = "openai/x"\n',
    "an unknown field": b"modle = 1\n",
    "a key twice bound": b'[keys]\nnext = "x"\nreveal = "x"\n',
}

SCRIPTS: dict[str, Content] = {
    "fields for a list": b"text: x\n",
    "an unknown field": b"- {text: x, api_base: y}\n",
    "a status nobody has": b"- {text: x, status: __class__}\n",
    "a delay of 10^15": b"- {text: x, delay_ms: 999999999999999}\n",
    "a billion chunks": b"- {text: x, chunks: 1000000000}\n",
    "a negative delay": b"- {text: x, delay_ms: -1}\n",
    "nan for a delay": b"- {text: x, delay_ms: nan}\n",
    "a list in a list": b"- [x]\n",
    "nothing in a list": b"-\n",
    "a status without text": b"- {reasoning: x}\n",
    "an include": b"- {include: ../outside/canary.yaml}\n",
}

# Session-jsonl: `lines` are those of a real session, and are changed in place or given anew

Lines = list[str]


def careful(lines: Lines) -> Lines:
    """All hashes, counts and the digest redone, as one who alters a file with care would."""
    rows = [json.loads(line) for line in lines[:-1]]
    said = rows[0].get("session")
    session = said.get("id") if isinstance(said, dict) else ""
    sealed: dict[Any, str] = {}
    for row in rows[1:]:
        if "body" in row:
            node = SimpleNamespace(**row, session=session, raw=canonical(row["body"]))
            row["sha256"] = sealed[row["id"]] = node_hash(node, sealed.get(row["parent"], ""))  # type: ignore[arg-type]
        elif row.get("kind") == "annotation":
            note = SimpleNamespace(**row, session=session, raw=canonical(row["value"]))
            row["sha256"] = annotation_hash(note, sealed.get(row["node"], ""))  # type: ignore[arg-type]
    return closed([canonical(row) for row in rows])


def closed(lines: Lines) -> Lines:
    """`lines` with a last line that counts and digests them."""
    from hashlib import sha256

    kinds = [
        "annotation" if '"kind":"annotation"' in line else "branch" if '"kind":"branch"' in line else "node" for line in lines[1:]
    ]
    counts = {"nodes": kinds.count("node"), "annotations": kinds.count("annotation"), "branches": kinds.count("branch")}
    total = sha256("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")).hexdigest()
    return [*lines, canonical({"kind": "end", "counts": counts, "sha256": total})]


def at(lines: Lines, kind: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(lines) if json.loads(line).get("kind") == kind][nth]


def having(kind: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Lines], Lines]:
    """A session whose first row of a kind was changed with care; "" is the first line."""

    def made(lines: Lines) -> Lines:
        place = at(lines, kind) if kind else 0
        row = json.loads(lines[place])
        change(row)
        lines[place] = canonical(row)
        return careful(lines)

    return made


def renamed(kind: str, id: str) -> Callable[[Lines], Lines]:
    """A session in which a node bears another name wherever it is named."""

    def made(lines: Lines) -> Lines:
        old = canonical(json.loads(lines[at(lines, kind)])["id"])
        return careful([line.replace(old, canonical(id)) for line in lines])

    return made


def spelled(kind: str, old: str, new: str) -> Callable[[Lines], Lines]:
    """A session with one line that is spelled otherwise, under a right digest."""

    def made(lines: Lines) -> Lines:
        place = at(lines, kind) if kind else 0
        assert old in lines[place]
        lines[place] = lines[place].replace(old, new, 1)
        return closed(lines[:-1])

    return made


def _cycle(lines: Lines) -> Lines:
    rows = [json.loads(line) for line in lines]
    first, second = [row for row in rows if row.get("kind") == "user"][:2]
    first["parent"] = second["id"]
    return careful([canonical(row) for row in rows])


def _flood(lines: Lines) -> Lines:
    return closed([lines[0], *["{}"] * 2_000_000])


def _copies(lines: Lines) -> Lines:
    return closed([*lines[:-1], *[lines[at(lines, "reply")]] * 100_000])


def _roots(lines: Lines) -> Lines:
    """A hundred thousand nodes, each as it should be but for its hash."""
    row = json.loads(lines[at(lines, "root")])
    body = row["body"]
    row["body"] = "@"
    text = canonical(row).replace('"@"', canonical({"model": body["model"], "simulated": body["simulated"], "plan": body["plan"]}))
    return closed([lines[0], *(text.replace(row["id"], f"N{n}") for n in range(20_000))])


def _wide(text: str) -> Callable[[Lines], Lines]:
    return lambda lines: closed([lines[0], text, *lines[1:-1]])


STEERED: dict[str, Callable[[Lines], Lines]] = {
    f"{name} of {where}": having(kind, change)
    for name in STEERING
    for where, kind, change in (
        ("the subject", "root", lambda row, name=name: row["body"].setdefault("params", {}).update({name: EVIL})),
        ("the plan's subject", "root", lambda row, name=name: row["body"]["plan"].setdefault("subject", {}).update({name: EVIL})),
        ("a call", "call", lambda row, name=name: row["body"]["params"].update({name: EVIL})),
    )
}
SESSIONS: dict[str, Callable[[Lines], Lines]] = {
    **STEERED,
    **{f"{name} of a row": having("reply", lambda row, name=name: row.update({name: EVIL})) for name in STEERING[:3]},
    "a view state": lambda lines: closed([*lines[:-1], canonical({"kind": "view_state", "key": "api_base", "value": EVIL})]),
    "a checkpoint": lambda lines: closed([*lines[:-1], canonical({"kind": "checkpoint", "call": "x", "text": "y"})]),
    "JSON 100,000 deep": _wide("[" * 100_000),
    "objects 100,000 deep": _wide('{"a":' * 100_000),
    "a body 900 deep": having("root", lambda row: row["body"].update(x=json.loads("[" * 900 + "]" * 900))),
    "an integer of a million digits": _wide('{"kind":' + "9" * 1_000_000 + "}"),
    "an integer of 4,000 digits": having("reply", lambda row: row["body"].update(retries=int("9" * 4_000))),
    "a place of 2^70": having("reply", lambda row: row.update(seq=1 << 70)),
    "a place below nought": having("reply", lambda row: row.update(seq=-1)),
    "a place that is a fraction": having("reply", lambda row: row.update(seq=1.5)),
    "NaN": spelled("reply", '"sha256":', '"x":NaN,"sha256":'),
    "NaN in a body": spelled("reply", '"body":{', '"body":{"first_ms":NaN,'),
    "infinity in a body": spelled("reply", '"body":{', '"body":{"first_ms":1e999,'),
    "one key twice": spelled("reply", '"kind":"reply"', '"kind":"root","kind":"reply"'),
    "one key twice in a body": spelled("root", '"body":{', '"body":{"simulated":false,'),
    "one key twice, written in two ways": spelled("reply", '"kind":"reply"', '"kin\\u0064":"root","kind":"reply"'),
    "spaces between": spelled("reply", '"kind":"reply"', '"kind": "reply"'),
    "a key written otherwise": spelled("reply", '"kind":"reply"', '"kind":"repl\\u0079"'),
    "1 GB of spaces to come": spelled("reply", '"kind":"reply"', " " * 20_000_000 + '"kind":"reply"'),
    "a lone surrogate for an id": renamed("reply", "\ud800"),
    "a lone surrogate in a time": having("reply", lambda row: row.update(at="\ud800")),
    "a NUL in an id": renamed("reply", "a\0b"),
    "an id that is a path": renamed("reply", "../../outside/made"),
    "an id of nothing": renamed("reply", ""),
    "an id of a thousand": renamed("reply", "x" * 1000),
    "a session that is a path": having("", lambda row: row["session"].update(id="../../outside/x")),
    "a session without a name": having("", lambda row: row["session"].update(id="")),
    "a session's name of a thousand": having("", lambda row: row["session"].update(id="x" * 1000)),
    "a session that is a list": having("", lambda row: row.update(session=[1])),
    "another version": having("", lambda row: row.update(version=2)),
    "version true": having("", lambda row: row.update(version=True)),
    "version 1.0": having("", lambda row: row.update(version=1.0)),
    "another format": having("", lambda row: row.update(format="other")),
    "an unknown field of a row": having("user", lambda row: row.update(extra=1)),
    "an unknown kind": having("user", lambda row: row.update(kind="tool")),
    "a kind that is a list": having("user", lambda row: row.update(kind=["user"])),
    "a body that is a list": having("user", lambda row: row.update(body=[])),
    "parts that are text": having("user", lambda row: row["body"].update(parts="x")),
    "a parent that is missing": having("reply", lambda row: row.update(parent="nowhere")),
    "parents in a circle": _cycle,
    "its own parent": having("user", lambda row: row.update(parent=row["id"])),
    "a root with a parent": having("root", lambda row: row.update(parent="nowhere")),
    "a plan of no pack": having("root", lambda row: row["body"]["plan"].update(puzzles={"pack": ["x"]})),
    "a plan that never ends": having("root", lambda row: row["body"]["plan"].update(presentation="batch", batch_size=0)),
    "an action nobody has": having("root", lambda row: row["body"]["plan"].update(then=[{"do": "__import__"}])),
    "another simulated": having("", lambda row: row["session"].update(simulated=False)),
    "not said to be simulated": having("root", lambda row: row["body"].update(simulated=False)),
    "another model": having("", lambda row: row["session"].update(model="openai/x")),
    "an unknown renderer's digest": having("call", lambda row: row["body"].update(digest="x")),
    "another digest": having("call", lambda row: row["body"].update(digest="0" * 64)),
    "a reply of no call": having("reply", lambda row: row["body"].update(status=3)),
    "a branch to nowhere": having("branch", lambda row: row.update(tip="nowhere")),
    "a branch without a name": having("branch", lambda row: row.pop("name")),
    "a note about nothing": having("annotation", lambda row: row.update(node="nowhere")),
    "a grade of 3": having("annotation", lambda row: row.update(field="grade", value=3)),
    "wrong hashes": lambda lines: closed([line.replace('"sha256":"', '"sha256":"0', 1) for line in lines[:-1]]),
    "a wrong last hash": lambda lines: [*lines[:-1], lines[-1].replace('"sha256":"', '"sha256":"0')],
    "a last line twice": lambda lines: [*lines, lines[-1]],
    "no last line": lambda lines: lines[:-1],
    "no first line": lambda lines: closed(lines[1:-1]),
    "a line cut off": lambda lines: [*lines[:-2], lines[-2][:30]],
    "lines in another order": lambda lines: [lines[0], *lines[-2:0:-1], lines[-1]],
    "two million lines of nothing": _flood,
    "100,000 times one line": _copies,
    "20,000 nodes with wrong hashes": _roots,
    "a line of 7 MB": lambda lines: closed([lines[0], '{"id":"' + "x" * 7_000_000 + '","kind":"user"}']),
    "a line of 40 MB": lambda lines: closed([lines[0], '{"kind":"user","id":"' + "x" * 40_000_000 + '"}']),
    "a line of 400,000 lists": _wide('{"kind":[' + "[]," * 199_000 + "[]]}"),
    "a line of 20 MB of brackets": lambda lines: closed([lines[0], '{"kind":"user","x":[' + "[]," * 7_000_000 + "0]}"]),
    "a body of 20 MB of brackets": spelled("reply", '"body":{', '"body":{"x":[' + "[]," * 7_000_000 + "0],"),
    "a line that is no ASCII": lambda lines: closed([lines[0], '{"kind":"é"}', *lines[1:-1]]),
    "a line of controls": lambda lines: closed([lines[0], "\x1b]52;c;aGk=\x07", *lines[1:-1]]),
    "a list for a line": lambda lines: closed([lines[0], "[]", *lines[1:-1]]),
    "CRLF": lambda lines: [f"{line}\r" for line in lines],
    "a blank line": lambda lines: closed([lines[0], "", *lines[1:-1]]),
    "a byte order mark": lambda lines: ["\ufeff" + lines[0], *lines[1:]],
}

ODD_SESSIONS: dict[str, Callable[[Lines], Lines]] = {
    "a reply of 3 MB": having("reply", lambda row: row["body"].update(reasoning="x" * 3_000_000)),
    "400,000 values in a body": having("reply", lambda row: row["body"].update(logprobs=[1] * 400_000)),
    "unknown fields of bodies": having("root", lambda row: row["body"].update(api_base=EVIL, headers={"x": "y"})),
    "escape sequences": having("reply", lambda row: row["body"].update(reasoning="\x1b]52;c;aGk=\x07\ud800\0")),
    "a time of another kind": having("reply", lambda row: row.update(at="\x1b[2J")),
}
"""Odd, and taken: what no version knows is kept and ignored."""

FORMS: dict[str, Callable[[str], bytes]] = {
    "a gzip bomb": lambda text: gzip.compress(b"\0" * 200_000_000, 9),
    "the session in a gzip": lambda text: gzip.compress(text.encode()),
    "a zip bomb": lambda text: _zip(b"\0" * 100_000_000),
    "UTF-16": lambda text: text.encode("utf-16"),
    "nothing": lambda text: b"",
    "a line end": lambda text: b"\n",
    "40 MB of line ends": lambda text: b"\n" * 40_000_000,
    "40 MB of NUL": lambda text: b"\0" * 40_000_000,
    "a YAML plan": lambda text: b"name: x\n",
    "a header alone": lambda text: text.partition("\n")[0].encode() + b"\n",
    "a header and 100 MB of digits": lambda text: text.partition("\n")[0].encode() + b"\n" + b"9" * 100_000_000,
    "1 GB": lambda text: b"",
    "a database": lambda text: b"SQLite format 3\0" + b"\0" * 4080,
    "a pickle": lambda text: b"cos\nsystem\n(S'touch made-by-a-pickle'\ntR.\n",
}
"""Whole files that are no session-jsonl."""


def _zip(data: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("session.jsonl", data)
    return out.getvalue()


TOKENS: list[bytes] = [
    *(
        b"*x",
        b"&x ",
        b"!!x ",
        b"<<",
        b"[",
        b"]",
        b"{",
        b"}",
        b"- ",
        b"? ",
        b": ",
        b",",
        b"|",
        b">",
        b"'",
        b'"',
        b"#",
        b"%",
        b"\t",
        b"\n",
        b"\r",
    ),
    *(
        b"---\n",
        b"...\n",
        b"~",
        b"null",
        b"no",
        b"1e999",
        b"nan",
        b"-1",
        b"012",
        b"1:30",
        b"9" * 5000,
        b"0x10",
        b"1_000",
        b"\xff",
        b"\0",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\x1b]52;c;aGk=\x07",
        b"\\ud800",
        b"\\x00",
        b"{{x}}",
        b"{{",
        b"{0.__class__}",
    ),
    *(
        b"../../x",
        b"/etc/passwd",
        b"api_base",
        b"headers",
        b"a" * 10_000,
        b"[" * 100,
        b"{a: " * 30,
        b"\xf0\x9f\x92\xa3",
        b'"""',
        b"''",
        b"=",
        b".",
    ),
]
"""What a change may put into a file."""
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        10**30,
        "",
        "x",
        "\x1b[2J",
        "\ud800",
        "\0",
        "../../x",
        [],
        {},
        [[]],
        [{}],
        {"api_base": EVIL},
        ["x"] * 3,
    ),
    *(
        json.loads("[" * 60 + "]" * 60),
        "9" * 5000,
        "user",
        "main",
        "nowhere",
        {"text": "x", "origin": "model"},
        {"text": 3, "origin": []},
    ),
]
"""What may stand in the place of a value of a session."""


def sparse(path: Path, size: int) -> None:
    """A file of `size` zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


SIZES = {"1 GB": 10**9, "100 MB": 10**8}
"""Bombs that are nothing but so many zeros."""

# What may stand where a file should

PLACES: dict[str, Callable[[Path, Path], object]] = {
    "a folder": lambda path, outside: path.mkdir(),
    "a pipe": lambda path, outside: os.mkfifo(path),
    "a link to itself": lambda path, outside: path.symlink_to(path.name),
    "a link to nothing": lambda path, outside: path.symlink_to(outside / "nothing-here"),
    "a link to /dev/zero": lambda path, outside: path.symlink_to("/dev/zero"),
    "a link to /dev/full": lambda path, outside: path.symlink_to("/dev/full"),
    "a link to a pipe": lambda path, outside: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
    "a link to a terminal": lambda path, outside: path.symlink_to("/dev/tty"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to what is no such file": lambda path, outside: path.symlink_to(outside / "canary.txt"),
    "a link to memory": lambda path, outside: path.symlink_to("/proc/self/mem"),
    "a file nobody wrote": lambda path, outside: None,
    "a terabyte": lambda path, outside: sparse(path, 10**12),
}
