"""What lies below a directory, in a form that can be compared: on a mount, and on the disk."""

import os
from pathlib import Path

from .harness import digest

Tree = dict[str, list[str | int]]


def tree(folder: Path) -> Tree:
    """Return {path below `folder`: [kind, size, MD5]}; a directory has no size and no MD5."""
    found: Tree = {}
    for parent, directories, files in os.walk(folder):
        for name in directories:
            found[str((Path(parent) / name).relative_to(folder))] = ["directory", 0, ""]
        for name in files:
            path = Path(parent) / name
            found[str(path.relative_to(folder))] = ["file", path.stat().st_size, digest(path)]
    return found


def differences(got: Tree, want: Tree) -> list[str]:
    """Return what is not the same in two trees, one line for each path."""
    return [
        f"{path}: {got.get(path, 'missing')}, want {want.get(path, 'nothing')}"
        for path in sorted(got.keys() | want.keys())
        if got.get(path) != want.get(path)
    ]
