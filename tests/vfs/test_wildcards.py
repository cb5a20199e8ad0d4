"""Search patterns: [MS-FSCC] 2.1.4.4, and the cases in which Samba's ms_fnmatch is known."""

import itertools
import random
import re
import time

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import wildcards


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*", ["a", "a.b", ".hidden", "a.b.c"], []),
        ("*.*", ["a.b", ".x", "a.b.c"], ["a"]),
        ("readme.txt", ["README.TXT", "readme.txt"], ["readme.txt2", "readme-txt"]),
        ("*.TXT", ["a.txt", ".txt", "a.b.tXt"], ["a.txt2", "txt"]),
        ("a?c", ["abc", "a.c", "AÄC"], ["ac", "abbc"]),
        ("??", ["ab", "a."], ["a", "abc"]),
        # what `dir ??.???` becomes: ">>\">>>"
        ('>>">>>', ["a.b", "ab.txt", "ab", "a", ".x"], ["abc.txt", "a.text"]),
        (">", ["a"], ["ab", "a.b"]),
        ("a>", ["a", "ab"], ["abc", "a.b"]),
        ("a>.b", ["a.b", "ax.b"], ["axx.b", "ab"]),
        # `dir foo*.` becomes "foo<": nothing behind a last period but the period itself
        ("foo<", ["foo", "foobar", "foo."], ["foo.txt", "fo"]),
        ("<.txt", ["a.txt", "a.b.txt"], ["a.txt.bak", "txt"]),
        ("<", ["abc", "abc."], ["a.b"]),
        ("*.<", ["a.b", "a.bc", "a.b."], ["ab"]),
        # `dir a*.*` becomes "a*\"*": the period is not asked for at the end
        ('a"*', ["a", "a.b"], ["ab"]),
        ('a*"*', ["a", "a.b", "ab", "abc.d"], ["b"]),
        ('*."', ["a.", "a.b."], ["a"]),
        ("*a*b*", ["ab", "xaxbx", "aab"], ["ba", "a"]),
        ("Ä*", ["äpfel"], ["apfel"]),
        ("straße", ["STRAßE"], ["STRASSE"]),
        ("[a]^$.\\d", ["[A]^$.\\D"], ["a.1"]),
        ("*\n*", ["a\nb"], ["ab"]),
    ],
)
def test_a_pattern_matches_these_names_and_not_those(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    assert [name for name in matching if not wildcards.match(pattern, name)] == []
    assert [name for name in others if wildcards.match(pattern, name)] == []


def _as_the_specification_words_it(pattern: str, name: str) -> bool:
    """[MS-FSCC] 2.1.4.4 read literally: slow, recursive, and obviously what it says."""
    if not pattern:
        return not name
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return any(_as_the_specification_words_it(rest, name[at:]) for at in range(len(name) + 1))
    if first == "<":
        last = name.rfind(".")
        until = len(name) if last < 0 else last + 1
        return any(_as_the_specification_words_it(rest, name[at:]) for at in range(until + 1))
    if first == ">" and (not name or name[0] == "."):
        return _as_the_specification_words_it(rest, name)
    if first == '"' and not name:
        return _as_the_specification_words_it(rest, name)
    if not name or (first == '"' and name[0] != "."):
        return False
    return (first in '?>"' or first == name[0]) and _as_the_specification_words_it(rest, name[1:])


def test_every_short_pattern_agrees_with_the_specification_on_every_short_name() -> None:
    names = ["".join(parts) for size in range(5) for parts in itertools.product("A.", repeat=size)]
    patterns = [
        "".join(parts)
        for size in range(1, 5)
        for parts in itertools.product('A.*?<>"', repeat=size)
    ]
    differing = [
        (pattern, name)
        for pattern in patterns
        for name in names
        if name and wildcards.match(pattern, name) != _as_the_specification_words_it(pattern, name)
    ]
    assert differing == []


def test_random_patterns_agree_with_the_specification() -> None:
    """Longer ones, with several stars and what lies between them."""
    choose = random.Random(7)
    for _ in range(3000):
        pattern = "".join(choose.choices('AAB.**?<>"', k=choose.randrange(1, 9)))
        name = "".join(choose.choices("AB..", k=choose.randrange(1, 7)))
        expected = _as_the_specification_words_it(pattern, name)
        assert wildcards.match(pattern, name) == expected, (pattern, name)


def test_a_hostile_pattern_costs_no_more_than_its_length() -> None:
    hostile_ones = ("*a" * 127, "*a" * 126 + "*b", "<a" * 127, "*?" * 127 + "b", "*<" * 127)
    for hostile, name in itertools.product(hostile_ones, ("a" * 255, "a" * 200 + ".a", "a." * 127)):
        began = time.thread_time()
        wildcards.match(hostile, name)
        assert time.thread_time() - began < 0.1  # 100 us; a backtracking matcher needs years


def test_a_pattern_longer_than_any_name_is_refused() -> None:
    with pytest.raises(NtError) as refusal:
        wildcards.match("*" * 256, "a")
    assert refusal.value.status == NtStatus.OBJECT_NAME_INVALID


def test_only_a_lone_star_lets_a_listing_skip_the_matching() -> None:
    assert wildcards.matcher("*") is None
    assert wildcards.matcher("") is None
    assert wildcards.matcher("*.*") is not None
    assert wildcards.has_wildcards("a<")
    assert not wildcards.has_wildcards(re.sub(r'[*?"<>]', "", "plain.name"))
