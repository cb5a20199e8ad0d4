"""Share modes between clients ([MS-FSA] 2.1.5.1.2.2): who may have a file open beside whom."""

import pytest

from smbd.config import ShareConfig
from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, ShareAccess
from tests.server.clients import ImpacketClient, PypiClient, refusal
from tests.server.clients.refusals import SambaError

R, W, D = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA, Access.DELETE
READ, WRITE, DELETE = ShareAccess.READ, ShareAccess.WRITE, ShareAccess.DELETE
ALL = READ | WRITE | DELETE


@pytest.mark.parametrize(
    ("held", "sharing", "wanted", "also_sharing", "agree"),
    [
        (R, READ, R, READ, True),
        (R, 0, R, READ, False),
        (R, READ, R, 0, False),
        (R, READ, W, ALL, False),
        (R, READ | WRITE, W, READ, True),
        (R, READ | WRITE, W, 0, False),
        (W, READ, R, READ, False),
        (W, READ, R, READ | WRITE, True),
        (W, WRITE, W, WRITE, True),
        (W, READ, W, WRITE, False),
        (R | W, ALL, R | W, ALL, True),
        (R, READ, D, ALL, False),
        (R, READ | DELETE, D, READ, True),
        (D, READ, R, READ, False),
        (D, READ, R, DELETE, True),
        (Access.FILE_EXECUTE, 0, R, ALL, False),
        (Access.FILE_APPEND_DATA, READ, W, ALL, False),
        (Access.FILE_READ_ATTRIBUTES, 0, R | W, 0, True),
        (R | W, 0, Access.FILE_READ_ATTRIBUTES, 0, True),
    ],
)
def test_two_opens_agree_or_not(pypi, other, held, sharing, wanted, also_sharing, agree):
    first = pypi.open("file", access=held, sharing=sharing)
    got = refusal(other.open, "file", access=wanted, sharing=also_sharing)
    assert got == (0 if agree else NtStatus.SHARING_VIOLATION)
    first.close()
    if not agree:
        other.open("file", access=wanted, sharing=also_sharing)


def test_one_client_disagrees_with_itself_too(pypi):
    pypi.open("file", sharing=0)
    assert refusal(pypi.open, "file") == NtStatus.SHARING_VIOLATION


def test_a_refused_overwrite_leaves_the_data(folder, pypi, other):
    (folder / "file").write_bytes(b"being read")
    reader = pypi.open("file", access=R, sharing=READ)
    overwrite = refusal(other.open, "file", disposition=CreateDisposition.OVERWRITE_IF)
    assert overwrite == NtStatus.SHARING_VIOLATION
    assert reader.read(0, 100) == b"being read"
    reader.close()


def test_by_another_name_it_is_the_same_file(folder, pypi, other):
    (folder / "file").touch()
    (folder / "twin").hardlink_to(folder / "file")
    (folder / "link").symlink_to("file")
    opened = pypi.open("file", sharing=0)
    for name in ("twin", "link", "FILE"):
        assert refusal(other.open, name) == NtStatus.SHARING_VIOLATION, name
    opened.close()


def test_in_another_share_it_is_the_same_file(folder):
    again = ShareConfig(name="again", path=folder)
    with serve_in_thread(folder, shares=[again]) as server, PypiClient(server) as pypi:
        with PypiClient(server, share="again") as other:
            pypi.open("file", sharing=0)
            assert refusal(other.open, "file") == NtStatus.SHARING_VIOLATION


def test_other_clients_honour_it_as_well(folder, server, pypi, samba):
    (folder / "file").write_bytes(b"mine")
    opened = pypi.open("file", sharing=0)
    with ImpacketClient(server) as impacket:
        assert refusal(impacket.get, "file") == NtStatus.SHARING_VIOLATION
        with pytest.raises(SambaError, match="SHARING_VIOLATION"):
            samba.get("file")
        opened.close()
        assert impacket.get("file") == samba.get("file") == b"mine"


def test_a_folder_that_is_being_listed_can_be_deleted_where_it_is_shared(folder, pypi, other):
    (folder / "directory").mkdir()
    lister = pypi.open("directory", access=R, sharing=ALL)
    other.call("rmdir", "directory")
    assert refusal(other.open, "directory") == NtStatus.DELETE_PENDING
    lister.close()
    assert not (folder / "directory").exists()
