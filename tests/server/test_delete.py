"""Deletion: by name, by DELETE_ON_CLOSE, by disposition ([MS-FSA] 2.1.5.5, 2.1.5.15.3)."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, CreateOptions
from smbd.wire.fscc import FileAttribute
from tests.server.clients import PypiClient, refusal
from tests.server.clients.information import mark_for_deletion, standard

OPEN = CreateDisposition.OPEN
ON_CLOSE = CreateOptions.DELETE_ON_CLOSE
DELETE = Access.DELETE | Access.FILE_READ_ATTRIBUTES


def test_a_file_is_deleted(folder, client):
    (folder / "file").write_bytes(b"")
    client.remove("file")
    assert list(folder.iterdir()) == []


def test_what_is_not_there_is_not_deleted(pypi):
    missing = refusal(pypi.open, "file", access=DELETE, disposition=OPEN, options=ON_CLOSE)
    assert missing == NtStatus.OBJECT_NAME_NOT_FOUND


def test_an_empty_folder_is_deleted(folder, pypi, samba):
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    pypi.call("rmdir", "one")
    samba.run("rmdir two")
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_empty_stays(folder, pypi):
    (folder / "directory").mkdir()
    (folder / "directory" / "file").touch()
    opened = pypi.open("directory", access=DELETE)
    assert refusal(mark_for_deletion, opened) == NtStatus.DIRECTORY_NOT_EMPTY
    opened.close()
    assert (folder / "directory" / "file").exists()


def test_a_tree_is_deleted_leaf_by_leaf(folder, samba):
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"x")
    samba.run("deltree a")
    assert list(folder.iterdir()) == []


def test_on_close_it_goes_with_the_handle_and_not_before(folder, pypi):
    opened = pypi.open("file", options=ON_CLOSE)
    opened.write(b"for a while")
    assert (folder / "file").exists()
    opened.close()
    assert not (folder / "file").exists()


def test_the_right_to_delete_is_needed(folder, pypi):
    (folder / "file").touch()
    access = Access.FILE_READ_DATA
    asked = refusal(pypi.open, "file", access=access, disposition=OPEN, options=ON_CLOSE)
    assert asked == NtStatus.ACCESS_DENIED
    opened = pypi.open("file", access=access)
    assert refusal(mark_for_deletion, opened) == NtStatus.ACCESS_DENIED
    opened.close()
    assert (folder / "file").exists()


def test_a_file_marked_for_deletion_takes_no_new_opens(folder, pypi, other):
    opened = pypi.open("file")
    mark_for_deletion(opened)
    assert standard(opened)["delete_pending"].get_value() is True
    assert refusal(other.open, "file") == NtStatus.DELETE_PENDING
    assert opened.write(b"still writing") == len(b"still writing")
    opened.close()
    assert list(folder.iterdir()) == []
    other.open("file", disposition=CreateDisposition.CREATE).close()


def test_the_mark_can_be_taken_off(folder, pypi):
    opened = pypi.open("file")
    mark_for_deletion(opened)
    mark_for_deletion(opened, marked=False)
    opened.close()
    assert (folder / "file").exists()


def test_it_goes_with_the_last_handle(folder, pypi, other):
    first, second = pypi.open("file"), other.open("file")
    mark_for_deletion(first)
    first.close()
    assert (folder / "file").exists()
    assert refusal(pypi.open, "file") == NtStatus.DELETE_PENDING
    second.close()
    assert not (folder / "file").exists()


def test_readonly_protects_from_deletion(folder, pypi):
    pypi.open("file", attributes=FileAttribute.READONLY).close()
    asked = refusal(pypi.open, "file", access=DELETE, disposition=OPEN, options=ON_CLOSE)
    assert asked == NtStatus.CANNOT_DELETE
    opened = pypi.open("file", access=DELETE, disposition=OPEN)
    assert refusal(mark_for_deletion, opened) == NtStatus.CANNOT_DELETE
    opened.close()
    assert (folder / "file").exists()


def test_the_root_of_a_share_stays(folder, pypi):
    assert refusal(pypi.open, "", access=DELETE, options=ON_CLOSE) == NtStatus.CANNOT_DELETE
    for access in (DELETE, Access.MAXIMUM_ALLOWED):
        root = pypi.open("", access=access)
        assert refusal(mark_for_deletion, root) == NtStatus.CANNOT_DELETE
        root.close()
    assert folder.is_dir()


@pytest.mark.parametrize("politely", [True, False])
def test_a_lost_connection_closes_its_open_files(folder, server, pypi, politely):
    leaver = PypiClient(server)
    leaver.open("file", options=ON_CLOSE, sharing=0)
    leaver.connection.disconnect(close=politely)
    # Until the server has noticed, nobody shares the file; when it has, the file is gone.
    tries = (refusal(pypi.open, "file", disposition=OPEN) for _ in range(10_000))
    assert NtStatus.OBJECT_NAME_NOT_FOUND in tries
    assert not (folder / "file").exists()


def test_a_file_deleted_behind_our_back_is_still_read_through_its_open(folder, pypi):
    (folder / "file").write_bytes(b"contents")
    opened = pypi.open("file")
    (folder / "file").unlink()
    assert opened.read(0, 100) == b"contents"
    opened.close()


def test_on_close_does_not_take_what_has_the_name_meanwhile(folder, pypi):
    opened = pypi.open("file", options=ON_CLOSE)
    (folder / "file").unlink()
    (folder / "file").write_bytes(b"somebody else's")
    opened.close()
    assert (folder / "file").read_bytes() == b"somebody else's"
