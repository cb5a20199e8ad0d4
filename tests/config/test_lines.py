"""find_lines knows where every key of a valid TOML text stands."""

import tomllib
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.config.lines import KeyPath, find_lines


def lines_of(text: str) -> dict[KeyPath, int]:
    return dict(find_lines(dedent(text)))


def places(value: object, place: KeyPath = ()) -> set[KeyPath]:
    """Every place of a parsed document."""
    found = {place} - {()}
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return found
    for name, child in value.items():
        found |= places(child, (*place, name))
    return found


def test_tables_and_keys_have_their_lines() -> None:
    assert lines_of("""\
        # a comment
        title = "x"  # [not.a.table]

        [server]
        name = "a"
        [shares.music]
        path = "/m" # ]
    """) == {
        ("title",): 2,
        ("server",): 4,
        ("server", "name"): 5,
        ("shares",): 6,
        ("shares", "music"): 6,
        ("shares", "music", "path"): 7,
    }


def test_a_table_that_comes_after_its_child_has_its_own_line() -> None:
    lines = lines_of("[server.limits]\nopens = 1\n[server]\nname = 'a'\n")
    assert lines["server",] == 3
    assert lines["server", "limits"] == 1


def test_dotted_and_quoted_keys_are_taken_apart() -> None:
    lines = lines_of("""\
        server . "limits".opens = 1
        [shares."my \\"music\\".x" . 'a.b']
        "pa\\u0074h" = '''
        x = 1
        '''
        next = 2
    """)
    assert lines["server", "limits", "opens"] == 1
    assert lines["shares", 'my "music".x', "a.b", "path"] == 3
    assert lines["shares", 'my "music".x', "a.b", "next"] == 6


def test_elements_of_arrays_have_lines_of_their_own() -> None:
    lines = lines_of("""\
        listen = [
            "127.0.0.1:1",  # one ]
            "[::1]:2",

            ["nested", { a = [1,
                2] }],
        ]
        after = 2021-01-01T00:00:00Z
    """)
    assert lines["listen", 0] == 2
    assert lines["listen", 1] == 3
    assert lines["listen", 2, 0] == 5
    assert lines["listen", 2, 1, "a", 1] == 6
    assert lines["after",] == 8


def test_arrays_of_tables_are_counted() -> None:
    lines = lines_of("""\
        [[share]]
        name = "a"
        [share.engine]
        x = 1
        [[share]]
        [[share.user]]
        name = "b"
    """)
    assert lines["share", 0, "name"] == 2
    assert lines["share", 0, "engine", "x"] == 4
    assert lines["share", 1] == 5
    assert lines["share", 1, "user", 0, "name"] == 7


@pytest.mark.parametrize(
    "value",
    [
        '"""\n\\"""\n"""',
        '"""a"""""',
        '""""""',
        "''''''",
        "'''a'''''",
        "'''\\'''",
        '""',
        '"\\\\"',
        "'\\'",
        '"""\\\n   continued"""',
        '"# not a comment"',
        "[]",
        "{}",
        "[ # nothing\n ]",
        "{ a.b = 1, c = '}' }",
        "[{}, {a = []}]",
        "-inf",
        "1979-05-27 07:32:00",
    ],
)
def test_every_kind_of_value_is_passed_over(value: str) -> None:
    text = f"first = {value}\nlast = 1\n"
    lines = find_lines(text)
    assert lines["last",] == text.count("\n")
    assert set(lines) == places(tomllib.loads(text))


def test_windows_line_ends_count_once() -> None:
    assert find_lines("a = 1\r\n\r\n[b]\r\nc = [\r\n1,\r\n]\r\n")["b", "c", 0] == 5


@pytest.mark.parametrize("text", ["", "\n", "# only this", "a=1"])
def test_short_texts(text: str) -> None:
    assert set(find_lines(text)) == places(tomllib.loads(text))


_STRINGS = st.text(st.sampled_from("ab.[]{}#=,'\"\\\n \t"), max_size=8)


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def _inline(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)} = {_inline(child)}" for key, child in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"  {_inline(child)}, # ]\n" for child in value) + "]"
    if isinstance(value, str) and "'" not in value and "\\" not in value:
        return f"'''\n{value}'''"
    return _quoted(value) if isinstance(value, str) else str(value)


_VALUES = st.recursive(
    st.integers() | _STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_STRINGS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_STRINGS, st.dictionaries(_STRINGS, _VALUES, max_size=3), max_size=3))
def test_every_place_of_any_document_is_found_in_order(
    document: dict[str, dict[str, object]],
) -> None:
    text = "".join(
        f"[{_quoted(name)}]\n"
        + "".join(f"{_quoted(key)} = {_inline(value)}\n" for key, value in table.items())
        for name, table in document.items()
    )
    lines = find_lines(text)
    assert set(lines) == places(tomllib.loads(text))
    assert list(lines.values()) == sorted(lines.values())
