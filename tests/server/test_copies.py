"""Copies: whole trees there and back, and within the share."""

import os
import shutil

import pytest
import smbclient.shutil


@pytest.fixture
def tree(tmp_path):
    """Some files in some folders, with times of their own."""
    tree = tmp_path / "tree"
    (tree / "inner" / "empty").mkdir(parents=True)
    for place, data in (
        ("file", b"contents"),
        ("inner/file", os.urandom(100_000)),
        ("inner/größer", os.urandom(1 << 20)),
        ("inner/nothing", b""),
    ):
        (tree / place).write_bytes(data)
        os.utime(tree / place, ns=(1_000_000_000_000_000_000, 1_100_000_000_123_456_700))
    return tree


def contents(folder):
    """Every path below a folder, with its data and modification time."""
    return {
        str(path.relative_to(folder)): None
        if path.is_dir()
        else (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def test_samba_copies_a_tree_there_and_back(folder, samba, tree, tmp_path):
    shutil.copytree(tree, samba.folder / "tree")
    samba.run("recurse on", "prompt off", "mput tree")
    assert contents(folder / "tree").keys() == contents(tree).keys()
    shutil.rmtree(samba.folder / "tree")
    samba.run("recurse on", "prompt off", "mget tree")
    there = contents(samba.folder / "tree")
    assert {name: data and data[0] for name, data in there.items()} == {
        name: data and data[0] for name, data in contents(tree).items()
    }


def test_smbprotocol_copies_a_tree_with_its_times(folder, pypi, tree, tmp_path):
    for path in sorted(tree.rglob("*")):
        name = str(path.relative_to(tree)).replace("/", "\\")
        if path.is_dir():
            pypi.call("mkdir", name)
        else:
            smbclient.shutil.copy2(str(path), pypi.path(name), **pypi.known)
    assert contents(folder) == contents(tree)
    for name in ("file", "inner/file", "inner/größer", "inner/nothing"):
        back = tmp_path / "back" / name
        back.parent.mkdir(parents=True, exist_ok=True)
        smbclient.shutil.copy2(pypi.path(name.replace("/", "\\")), str(back), **pypi.known)
        assert back.read_bytes() == (tree / name).read_bytes()
        assert back.stat().st_mtime_ns == (tree / name).stat().st_mtime_ns


def test_a_copy_within_the_share_through_the_client(folder, pypi):
    (folder / "file").write_bytes(data := os.urandom(300_000))
    with pypi.call("open_file", "file", "rb") as source:
        with pypi.call("open_file", "copy", "wb") as target:
            shutil.copyfileobj(source, target)
    assert (folder / "copy").read_bytes() == data


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (5 << 20) + 1])
def test_a_copy_that_the_server_makes(folder, pypi, size):
    (folder / "file").write_bytes(data := os.urandom(size))
    pypi.call("copyfile", "file", pypi.path("copy"))
    assert (folder / "copy").read_bytes() == data


def test_samba_has_the_server_copy(folder, samba):
    (folder / "file").write_bytes(data := os.urandom(3 << 20))
    samba.run("scopy file copy")
    assert (folder / "copy").read_bytes() == data
