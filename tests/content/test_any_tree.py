"""Whatever can be said in a tree is read back as it was said."""

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.content import (
    ARCHIVE,
    HIDDEN,
    OFFLINE,
    READONLY,
    SYSTEM,
    File,
    Folder,
    Symlink,
    make,
    read_tree,
)

letters = st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
names = st.text(letters, min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."} and name.lower() != ".smbd-streams"
)
words = st.text("abcdefghij", min_size=1, max_size=20)
data = st.one_of(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=60))
attributes = st.lists(st.sampled_from([READONLY, HIDDEN, SYSTEM, ARCHIVE, OFFLINE]), unique=True)
# Before 1901 ext4 with small inodes has no times, and after 2446 none at all.
times = st.floats(-2e9, 1.4e10)
details = st.fixed_dictionaries(
    {},
    optional={
        "mtime": times,
        "created": times,
        "mode": st.sampled_from([0o600, 0o640, 0o755, 0o444]),
        "eas": st.dictionaries(
            words.map(str.upper), st.binary(min_size=1, max_size=50), max_size=2
        ),
        "streams": st.dictionaries(words, st.binary(max_size=1000), max_size=2),
    },
)


def file_of(start, hole, said, bits):
    """READONLY is shown where the mode has no write bit: so it is said with such a mode."""
    if bits is not None:
        bits = sum(bits) | (READONLY if said.get("mode") == 0o444 else 0)
    size = len(start if isinstance(start, bytes) else start.encode()) + hole
    return File(start, size=size, attributes=bits, **said)


files = st.builds(file_of, data, st.sampled_from([0, 0, 1, 100]), details, st.none() | attributes)
links = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=100)
leaves = st.one_of(data, files, links.map(Symlink))
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=4),
    lambda below: st.dictionaries(
        names, st.one_of(leaves, below, st.builds(Folder, below, mtime=times)), max_size=4
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(trees)
def test_any_tree_is_read_as_it_was_said(tree):
    with tempfile.TemporaryDirectory() as folder:
        make(folder, tree)
        assert read_tree(folder) == tree
