"""What is known of an open file and its mount without asking its file system."""

import os

import pytest

from aio.mounted import known_type, learn_type, look_at, look_for


@pytest.mark.parametrize("path", ["/", "/dev/null", "/dev/shm", "/proc/self/status"])
def test_a_look_says_what_stat_says(path):
    fd = os.open(path, os.O_PATH)
    look, status = look_at(fd), os.fstat(fd)
    assert (look.st_mode, look.st_dev, look.st_ino) == (
        status.st_mode,
        status.st_dev,
        status.st_ino,
    )
    assert look == look_for(path)
    kind = learn_type(fd, look)
    os.close(fd)
    assert known_type(look) == kind
