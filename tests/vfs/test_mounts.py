"""A directory that two mounts show has one path, whichever of them it is reached by."""

import pytest

from smbd.vfs.mounts import Mount, shown_twice

DISK = Mount("1", "8:1", "/", "/")
A, B = "8:2", "8:3"


def mount(device: str, root: str, point: str) -> Mount:
    return Mount("2", device, root, point)


@pytest.mark.parametrize(
    ("mounts", "twice"),
    [
        ([DISK], {}),
        ([DISK, mount(A, "/", "/srv")], {}),
        ([DISK, mount("8:1", "/home/ann", "/srv")], {"/srv": "/home/ann"}),
        ([mount("8:1", "/home/ann", "/srv"), DISK], {"/srv": "/home/ann"}),
        # In a container: volumes of one disk, whose own root is not to be seen.
        ([mount(A, "/volumes/x", "/x"), mount(A, "/volumes/y", "/y")], {}),
        ([mount(A, "/volumes/x", "/x"), mount(A, "/volumes/xy", "/y")], {}),
        ([mount(A, "/volumes/x", "/x"), mount(A, "/volumes/x/in", "/y")], {"/y": "/x/in"}),
        ([mount(A, "/volumes/x", "/x"), mount(A, "/volumes/x", "/other")], {"/other": "/x"}),
        # Three that show the same have the path of one.
        (
            [mount(A, "/", "/srv"), mount(A, "/d", "/x"), mount(A, "/d/e", "/y")],
            {"/x": "/srv/d", "/y": "/srv/d/e"},
        ),
        # Something else is mounted over what they would share, below it, or in its place.
        ([DISK, mount("8:1", "/srv/d", "/x"), mount(A, "/", "/srv")], {}),
        ([DISK, mount("8:1", "/srv", "/x"), mount(A, "/", "/srv/d")], {}),
        ([DISK, mount("8:1", "/srv", "/x"), mount(A, "/", "/x/d")], {}),
        ([DISK, mount("8:1", "/srv", "/x"), mount(A, "/", "/x")], {}),
    ],
)
def test_what_two_mounts_show_has_one_path(mounts: list[Mount], twice: dict[str, str]) -> None:
    assert dict(shown_twice(mounts)) == twice
