"""Extended attributes ([MS-FSCC] 2.4.16) are kept where Samba keeps them: user.NAME."""

import os

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.server.clients import refusal


@pytest.fixture
def file(folder):
    """A file on a file system that has extended attributes."""
    file = folder / "file"
    file.touch()
    try:
        os.setxattr(file, "user.probe", b"")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")
    os.removexattr(file, "user.probe")
    return file


def on_disk(file):
    return {name: os.getxattr(file, name) for name in os.listxattr(file)}


def test_a_file_has_none_at_first(file, pypi):
    assert pypi.call("listxattr", "file") == []


def test_what_is_set_is_read_back_and_on_disk(file, pypi):
    pypi.call("setxattr", "file", "COLOUR", b"green")
    pypi.call("setxattr", "file", "SIZE", bytes(range(256)))
    assert sorted(pypi.call("listxattr", "file")) == [b"COLOUR", b"SIZE"]
    assert pypi.call("getxattr", "file", "COLOUR") == b"green"
    assert pypi.call("getxattr", "file", "SIZE") == bytes(range(256))
    assert {name.upper(): value for name, value in on_disk(file).items()} == {
        "USER.COLOUR": b"green",
        "USER.SIZE": bytes(range(256)),
    }


def test_an_empty_value_removes_it(file, pypi):
    pypi.call("setxattr", "file", "COLOUR", b"green")
    pypi.call("removexattr", "file", "COLOUR")
    assert pypi.call("listxattr", "file") == []
    assert on_disk(file) == {}


def test_what_another_program_set_is_seen(file, pypi):
    os.setxattr(file, "user.mark", b"by hand")
    assert pypi.call("getxattr", "file", "mark") == b"by hand"


def test_what_is_not_for_users_is_neither_shown_nor_set(file, pypi):
    os.setxattr(file, "user.DOSATTRIB", b"\0")
    assert pypi.call("listxattr", "file") == []
    assert refusal(pypi.call, "setxattr", "file", "DOSATTRIB", b"x") == NtStatus.ACCESS_DENIED


def test_samba_sets_and_shows_them(file, samba):
    samba.run("setea file colour green")
    assert "green" in samba.run("geteas file")


def test_the_right_to_write_them_is_needed(file, pypi):
    from smbprotocol.file_info import FileFullEaInformation

    from tests.server.clients.information import set_information

    attribute = FileFullEaInformation()
    attribute["ea_name"], attribute["ea_value"] = b"COLOUR", b"green"
    opened = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(set_information, opened, attribute) == NtStatus.ACCESS_DENIED
    opened.close()
