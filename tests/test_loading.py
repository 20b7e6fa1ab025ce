"""A file that somebody shares can say what is wrong with it, and can do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # noqa: F401 - so that no test counts what its import runs
from effort import lines
from hypothesis import example, given
from hypothesis import strategies as st

from lifeline_tui.core.text import visible_line
from lifeline_tui.loading import resources as resources_
from lifeline_tui.loading.entry import Entry
from lifeline_tui.loading.files import MAX_BYTES, BadFile
from lifeline_tui.loading.resources import KINDS, find, resources, user_folder
from lifeline_tui.loading.strict_yaml import load, parse

M = MAX_BYTES

REFUSED = [
    ("merge key", b"a: 1\n<<: {b: 2}\n", "f.yaml:2: the merge key '<<' is not allowed"),
    ("merge bomb", b"x: &a {k: v}\n" + b"y: {<<: [*a, *a, *a, *a]}\n" * 20, "f.yaml:1: the anchor '&a' is not allowed"),
    ("billion laughs", b'a: &a ["lol","lol"]\nb: &b [*a,*a]\nc: [*b,*b]\n', "f.yaml:1: the anchor '&a' is not allowed"),
    ("alias", b"a: *b\n", "f.yaml:1: the alias '*b' is not allowed"),
    (
        "tag",
        b"a: 1\nb: !!python/object/apply:os.system [ls]\n",
        "f.yaml:2: the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    ("plain tag", b"a: !!str 5\n", "f.yaml:1: the tag"),
    ("own tag", b"a: !x 5\n", "f.yaml:1: the tag '!x'"),
    ("duplicate key", b"a: 1\nb: 2\na: 3\n", "f.yaml:3: 'a' is given twice (first on line 1)"),
    ("duplicate key below", b"x:\n  a: 1\n  a: 3\n", "f.yaml:3: x: 'a' is given twice (first on line 2)"),
    ("two documents", b"a: 1\n---\nb: 2\n", "f.yaml:2: a second document starts here"),
    ("complex key", b"? [a, b]\n: c\n", "f.yaml:1: a field's name must be plain text"),
    ("tab", b"a:\n\tb: 1\n", "f.yaml:2: is not valid YAML: a tab cannot indent; use spaces"),
    ("control character", b"a: 1\nb: \x1b[2J\n", "f.yaml:2: holds the control character U+001B"),
    ("NUL", b"a: 1\nb: \x00\n", "f.yaml:2: holds the control character U+0000"),
    ("bad UTF-8", b"a: 1\nb: \xff\n", "f.yaml:2: is not UTF-8 text (byte 9)"),
    ("UTF-16", "a: 1\n".encode("utf-16"), "f.yaml:1: is not UTF-8 text"),
    ("syntax", b"a: 1\nb: [1, 2\n", "f.yaml:3: is not valid YAML: while parsing a flow sequence"),
    ("empty", b"", "f.yaml: is empty"),
    ("nothing but a comment", b"# a\n", "f.yaml: is empty"),
    ("too large", b"a" * (M + 1), "f.yaml: is too large: more than 1,000,000 bytes"),
    ("depth", b"".join(b" " * n + b"a:\n" for n in range(1000)), "is nested more than 20 deep"),
    ("open lists", b"[" * M, "is nested more than 20 deep"),
    ("open mappings", b"{" * M, "a field's name must be plain text"),
    ("dashes", b"- " * (M // 2), "is nested more than 20 deep"),
    ("question marks", b"? " * (M // 2), "a field's name must be plain text"),
    ("many items", b"[" + b"a," * (M // 2 - 2) + b"]", "holds more than 50,000 values"),
    ("many mappings", b"[" + b"{}," * (M // 3 - 2) + b"]", "holds more than 50,000 values"),
    ("many keys", b"".join(b"k%d: v\n" % n for n in range(80_000)), "holds more than 50,000 values"),
    ("open quote", b'a: "' + b"\\n" * (M // 2 - 6), "is not valid YAML"),
    ("anchors", b"&a " * (M // 3), "the anchor '&a' is not allowed"),
    ("directives", b"%TAG ! x\n" * (M // 9), "is not valid YAML"),
]
ACCEPTED = [
    ("byte order mark", b"\xef\xbb\xbfa: 1\n", {"a": "1"}),
    ("CRLF", b"a: 1\r\nb: |\r\n  x\r\n  y\r\n", {"a": "1", "b": "x\ny\n"}),
    ("words that YAML would turn", b"a: no\nb: 012\nc: 1:30\nd: 2020-01-01\ne: ~\nf: null\ng: 1e3\n", None),
    ("a huge scalar", b"a: " + b"x" * (M - 4), {"a": "x" * (M - 4)}),
    ("quotes keep emptiness", b"a: ''\nb:\n", {"a": "", "b": None}),
    ("markers as text", b"a: <<\nb: '*x'\nc: '&y'\nd: \"!!z\"\n", {"a": "<<", "b": "*x", "c": "&y", "d": "!!z"}),
    ("one marked document", b"---\na: 1\n...\n", {"a": "1"}),
]


def allowed(source: bytes) -> int:
    """Lines of Python that a file may cost: so many for each byte, up to as many values as a file may hold; a bomb is no dearer."""
    return 2_000 + 60 * min(len(source), 50_000)


def data(entry: Entry) -> object:
    """An entry as plain data."""
    if isinstance(entry.value, dict):
        return {name: data(item) for name, item in entry.value.items()}
    return [data(item) for item in entry.value] if isinstance(entry.value, list) else entry.value


@pytest.mark.parametrize(("source", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bomb_is_refused_at_once_with_its_place(source: bytes, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        lines(lambda: parse(source, "f.yaml"), allowed(source))
    deep = "exceeded maximum nesting depth"  # what a later libyaml says by itself, before anything is told of what it holds
    assert said in str(caught.value) or deep in str(caught.value)
    assert str(caught.value).startswith("f.yaml:")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(("source", "wanted"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_plain_yaml_is_read_as_text(source: bytes, wanted: object) -> None:
    words = {"a": "no", "b": "012", "c": "1:30", "d": "2020-01-01", "e": "~", "f": "null", "g": "1e3"}
    assert data(parse(source, "f.yaml")) == (words if wanted is None else wanted)
    lines(lambda: parse(source, "f.yaml"), allowed(source))


def complaint(read: Callable[[], object]) -> str:
    """What a BadFile says of `read`, if it raises one: always one line that is safe to show."""
    error = ""
    try:
        read()
    except BadFile as caught:
        error = str(caught)
    assert visible_line(error, 10_000) == error
    return error


def _use(entry: Entry) -> None:
    """Reads an entry in every way there is."""
    for read in (entry.text, entry.slug, entry.integer, entry.number, entry.flag, entry.list_of_text, entry.names, entry.done):
        complaint(read)
    if isinstance(entry.value, dict):
        for item in entry.value.values():
            _use(item)


@given(st.one_of(st.binary(max_size=80), st.text(alphabet="ab:-[]{},&*!<?|>'\"#%@ \n\t\\U0xF\x00\x85\ufeff\ud800", max_size=60)))
@example('a: "\\UFFFFFFFF"')
@example("%YAML 9.9\n---\na")
def test_any_bytes_give_an_entry_or_a_bad_file(source: bytes | str) -> None:
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    if not complaint(lambda: parse(data, "f.yaml")):
        _use(parse(data, "f.yaml"))


@given(
    st.recursive(
        st.text(max_size=8), lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
    )
)
def test_json_text_is_read_back_as_it_was(value: object) -> None:
    import json

    source = json.dumps({"a": value})
    if not any(mark in source for mark in ("\\ud", '"<<"', "\x7f")):  # YAML has no surrogate escapes and no bare DEL
        assert data(parse(source.encode(), "f.yaml")) == {"a": value}


SAMPLE = b"""\
name: x-1
text: hello
count: 12
rate: -0.25
on: yes
words: [a, b]
blank:
items:
  - {kind: one}
  - kind: two
"""
WRONG = [
    (lambda e: e.text("nothing"), "f.yaml:1: nothing: is missing"),
    (lambda e: e.text("txt"), "f.yaml:1: txt: is missing ('text' is not a field here)"),
    (lambda e: e.text("words"), "f.yaml:6: words: must be text, not a list"),
    (lambda e: e.text("blank"), "f.yaml:7: blank: must be text, not nothing"),
    (lambda e: e.text("blank", "default"), "f.yaml:7: blank: must be text, not nothing"),
    (lambda e: e.slug("rate"), "f.yaml:4: rate: must be a name of letters, digits, '.', '-' and '_', not '-0.25'"),
    (lambda e: e.integer("rate"), "f.yaml:4: rate: must be a whole number, not '-0.25'"),
    (lambda e: e.integer("count", 0, 10), "f.yaml:3: count: must be a whole number from 0 to 10, not '12'"),
    (lambda e: e.integer("count", low=20), "f.yaml:3: count: must be a whole number of at least 20, not '12'"),
    (lambda e: e.number("text", 0, 1), "f.yaml:2: text: must be a number from 0 to 1, not 'hello'"),
    (lambda e: e.flag("text"), "f.yaml:2: text: must be true or false, not 'hello'"),
    (lambda e: e.choice("text", ("a", "b", "c")), "f.yaml:2: text: must be a, b or c, not 'hello'"),
    (lambda e: e.children("text"), "f.yaml:2: text: must be a list, not 'hello'"),
    (lambda e: e.child("words"), "f.yaml:6: words: must be fields with values, not a list"),
    (lambda e: e.children("items")[1].choice("kind", ("one",)), "f.yaml:10: items[2].kind: must be one, not 'two'"),
]


@pytest.mark.parametrize(("read", "said"), WRONG)
def test_what_is_wrong_is_named_with_file_line_and_field(read, said) -> None:
    with pytest.raises(BadFile) as caught:
        read(parse(SAMPLE, "f.yaml"))
    assert str(caught.value) == said
    assert (caught.value.path, caught.value.line) == ("f.yaml", int(said.split(":")[1]))


def test_values_are_typed_where_they_are_read() -> None:
    entry = parse(SAMPLE, "f.yaml")
    assert (entry.slug("name"), entry.integer("count"), entry.number("rate"), entry.flag("on")) == ("x-1", 12, -0.25, True)
    assert entry.list_of_text("words") == ("a", "b")
    assert [item.text("kind") for item in entry.children("items")] == ["one", "two"]
    assert entry.child("absent").integer("n", default=3) == 3
    assert type(entry.number("count")) is int


@pytest.mark.parametrize("word", ["nan", "inf", "1_000", "0x10", "1e999", "٣", "", "1" * 400, "--1", "1e", "."])
def test_only_plain_finite_numbers_are_numbers(word: str) -> None:
    for read in (Entry.integer, Entry.number):
        with pytest.raises(BadFile):
            read(Entry("f", 1, word))


def test_a_field_that_nobody_read_is_refused_wherever_it_is() -> None:
    entry = parse(b"feedback:\n  kind: reveal\n  fake_rat: 1\n", "f.yaml")
    entry.child("feedback").text("kind")
    entry.child("feedback").number("fake_rate", default=0.5)
    with pytest.raises(BadFile, match=r"^f.yaml:3: feedback.fake_rat: is not a field here; did you mean 'fake_rate'\?$"):
        entry.done()


def test_an_error_is_one_line_that_no_terminal_obeys() -> None:
    with pytest.raises(BadFile) as caught:
        parse(b'a: "\\e]52;c;\\a\\n\\u202e"\n', "bad\x1b\n.yaml").integer("a")
    assert str(caught.value).isprintable()
    assert "␛" in str(caught.value)


def test_what_is_not_a_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for path in (
        tmp_path / "pipe.yaml",
        tmp_path,
        "/dev/zero",
        tmp_path / "none.yaml",
        tmp_path / "loop.yaml",
        "nul\0.yaml",
        "x" * 5000,
    ):
        with pytest.raises(BadFile):
            load(path)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with open(tmp_path / "big.yaml", "wb") as file:
        file.truncate(10**12)
    with pytest.raises(BadFile, match="too large"):
        load(tmp_path / "big.yaml")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / "sessions").mkdir(parents=True)
    monkeypatch.setenv("LIFELINE_HOME", str(home))
    return home


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "prompts/puzzles"])
def test_every_kind_has_shipped_files(kind: str, home: Path) -> None:
    assert resources(kind)


def test_a_users_file_stands_over_the_shipped_one_of_its_name(home: Path) -> None:
    (home / "sessions" / "baseline-20.yaml").write_text("name: mine")
    (home / "sessions" / "mine.yaml").write_text("name: mine")
    found = resources("sessions")
    assert found["baseline-20"] == home / "sessions" / "baseline-20.yaml"
    assert found["mine"] == find("sessions", "mine")
    assert found["lifelines-10"].parent != home / "sessions"


def test_what_leads_out_of_the_users_folder_is_passed_over(home: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("name: x")
    (home / "sessions" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (home / "sessions" / ".hidden.yaml").write_text("name: x")
    (home / "sessions" / "folder.yaml").mkdir()
    (home / "sessions" / "notes.txt").write_text("x")
    assert not {"link", "outside", ".hidden", "folder", "notes"} & resources("sessions").keys()


def test_a_users_folder_that_cannot_be_read_never_gives_way_to_the_shipped_files(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFELINE_HOME", str(home / ("x" * 300)))
    assert "sessions: cannot be read: File name too long" in complaint(lambda: resources("sessions"))
    (home / "loop").symlink_to("loop")
    monkeypatch.setenv("LIFELINE_HOME", str(home / "loop"))
    assert "cannot be read: " in complaint(lambda: resources("sessions"))


def test_where_the_user_has_no_folder_there_are_the_shipped_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    for own in (home / "none", home / "file"):
        monkeypatch.setenv("LIFELINE_HOME", str(own))
        assert "baseline-20" in resources("sessions")


def test_one_link_in_a_circle_hides_no_other_file(home: Path) -> None:
    for name in "abc":
        (home / "sessions" / f"loop-{name}.yaml").symlink_to(f"loop-{name}.yaml")
        (home / "sessions" / f"mine-{name}.yaml").write_text("name: mine")
    found = resources("sessions")
    assert {"mine-a", "mine-b", "mine-c"} <= found.keys()
    assert "loop-a" not in found


def test_a_package_carries_its_files_and_ignores_its_neighbours(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, beside = tmp_path / "site/lifeline_tui/_shipped/sessions", tmp_path / "site/sessions"
    for folder in (inside, beside):
        folder.mkdir(parents=True)
    (inside / "shipped.yaml").write_text("name: x")
    (beside / "foreign.yaml").write_text("name: x")
    monkeypatch.setattr(resources_, "__file__", str(tmp_path / "site/lifeline_tui/loading/resources.py"))
    assert resources("sessions") == {"shipped": inside / "shipped.yaml"}


def test_a_path_is_taken_as_it_is_typed(home: Path) -> None:
    for typed in ("../x.yaml", "x.yaml", "./x"):
        assert find("sessions", typed) == Path(typed)


@pytest.mark.parametrize("name", ["lifelines-1", "..", "", "baseline-20\n"])
def test_a_name_that_is_not_there_is_answered_with_what_is(name: str, home: Path) -> None:
    with pytest.raises(BadFile, match=r"no plan has this name; .*there are baseline-20, baseline-20-action, "):
        find("sessions", name)


def test_the_users_folder_is_the_platforms_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELINE_HOME", "/some/where")
    assert user_folder() == Path("/some/where")
    monkeypatch.delenv("LIFELINE_HOME")
    assert user_folder().name == "lifeline-tui"


def test_nothing_heavy_is_imported_before_a_file_is_read() -> None:
    code = (
        "import sys, lifeline_tui.loading.plans, lifeline_tui.loading.templates, lifeline_tui.loading.config;"
        "print([m for m in ('yaml', 'platformdirs', 'tomllib', 'difflib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
