"""CREATE: what each disposition does to what is there and to what is not ([MS-SMB2] 2.2.13)."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateAction, CreateDisposition, CreateOptions
from smbd.wire.fscc import FileAttribute
from tests.server.clients import ImpacketClient, refusal

SUPERSEDE, OPEN, CREATE = (
    CreateDisposition.SUPERSEDE,
    CreateDisposition.OPEN,
    CreateDisposition.CREATE,
)
OPEN_IF, OVERWRITE, OVERWRITE_IF = (
    CreateDisposition.OPEN_IF,
    CreateDisposition.OVERWRITE,
    CreateDisposition.OVERWRITE_IF,
)
DIRECTORY, NO_DIRECTORY = CreateOptions.DIRECTORY_FILE, CreateOptions.NON_DIRECTORY_FILE


@pytest.mark.parametrize(
    ("disposition", "action", "left"),
    [
        (SUPERSEDE, CreateAction.SUPERSEDED, b""),
        (OPEN, CreateAction.OPENED, b"before"),
        (OPEN_IF, CreateAction.OPENED, b"before"),
        (OVERWRITE, CreateAction.OVERWRITTEN, b""),
        (OVERWRITE_IF, CreateAction.OVERWRITTEN, b""),
    ],
)
def test_on_a_file_that_is_there(folder, pypi, disposition, action, left):
    (folder / "file").write_bytes(b"before")
    opened = pypi.open("file", disposition=disposition)
    assert opened.create_action == action
    assert opened.end_of_file == len(left)
    opened.close()
    assert (folder / "file").read_bytes() == left


def test_create_refuses_what_is_there(folder, pypi):
    (folder / "file").write_bytes(b"before")
    assert refusal(pypi.open, "file", disposition=CREATE) == NtStatus.OBJECT_NAME_COLLISION
    assert refusal(pypi.open, "FILE", disposition=CREATE) == NtStatus.OBJECT_NAME_COLLISION
    assert (folder / "file").read_bytes() == b"before"


@pytest.mark.parametrize("disposition", [SUPERSEDE, CREATE, OPEN_IF, OVERWRITE_IF])
def test_on_a_name_that_nothing_has(folder, pypi, disposition):
    opened = pypi.open("file", disposition=disposition)
    assert opened.create_action == CreateAction.CREATED
    opened.close()
    assert (folder / "file").read_bytes() == b""


@pytest.mark.parametrize("disposition", [OPEN, OVERWRITE])
def test_open_and_overwrite_make_nothing(folder, pypi, disposition):
    missing = refusal(pypi.open, "file", disposition=disposition)
    assert missing == NtStatus.OBJECT_NAME_NOT_FOUND
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("disposition", [SUPERSEDE, OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF])
def test_nothing_makes_the_folders_above_it(folder, pypi, disposition):
    missing = refusal(pypi.open, r"no\such\file", disposition=disposition)
    assert missing == NtStatus.OBJECT_PATH_NOT_FOUND
    assert list(folder.iterdir()) == []


def test_a_number_that_is_no_disposition(server):
    with ImpacketClient(server) as client:  # smbprotocol would not send it
        connection = client.connection
        tree = connection.connectTree(client.share)
        opening = refusal(connection.createFile, tree, "file", creationDisposition=6)
        assert opening == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("there", "options", "disposition", "status"),
    [
        ("directory", DIRECTORY, OPEN, 0),
        ("directory", DIRECTORY, OPEN_IF, 0),
        ("directory", 0, OPEN, 0),
        ("directory", DIRECTORY, CREATE, NtStatus.OBJECT_NAME_COLLISION),
        ("directory", NO_DIRECTORY, OPEN, NtStatus.FILE_IS_A_DIRECTORY),
        ("directory", NO_DIRECTORY, CREATE, NtStatus.OBJECT_NAME_COLLISION),
        ("directory", 0, OVERWRITE, NtStatus.FILE_IS_A_DIRECTORY),
        ("directory", DIRECTORY, OVERWRITE, NtStatus.INVALID_PARAMETER),
        ("file", DIRECTORY, OPEN, NtStatus.NOT_A_DIRECTORY),
        ("file", DIRECTORY, OPEN_IF, NtStatus.NOT_A_DIRECTORY),
        ("file", DIRECTORY, CREATE, NtStatus.OBJECT_NAME_COLLISION),
        ("file", NO_DIRECTORY, OPEN, 0),
        ("file", DIRECTORY | NO_DIRECTORY, OPEN, NtStatus.INVALID_PARAMETER),
        ("", DIRECTORY, OPEN, 0),
        ("", 0, OPEN, 0),
        ("", NO_DIRECTORY, OPEN, NtStatus.FILE_IS_A_DIRECTORY),
        ("", DIRECTORY, CREATE, NtStatus.OBJECT_NAME_COLLISION),
    ],
)
def test_files_directories_and_the_root_are_told_apart(
    folder, pypi, there, options, disposition, status
):
    (folder / "directory").mkdir()
    (folder / "file").write_bytes(b"")
    access = Access.FILE_READ_ATTRIBUTES
    got = refusal(pypi.open, there, access=access, options=options, disposition=disposition)
    assert got == status


def test_a_directory_is_made(folder, pypi):
    opened = pypi.open(
        "new", access=Access.FILE_READ_ATTRIBUTES, options=DIRECTORY, disposition=CREATE
    )
    assert opened.file_attributes == FileAttribute.DIRECTORY
    opened.close()
    assert (folder / "new").is_dir()


def test_the_answer_tells_what_the_file_is(folder, pypi):
    (folder / "file").write_bytes(b"x" * 5000)
    opened = pypi.open("file", disposition=OPEN)
    assert opened.end_of_file == 5000
    assert opened.allocation_size >= 5000
    assert opened.last_write_time.timestamp() == pytest.approx(
        (folder / "file").stat().st_mtime, abs=1e-5
    )
    opened.close()


def test_hidden_must_be_said_again_to_overwrite(folder, pypi):
    pypi.open("file", attributes=FileAttribute.HIDDEN).close()
    assert refusal(pypi.open, "file", disposition=OVERWRITE) == NtStatus.ACCESS_DENIED
    pypi.open("file", disposition=OVERWRITE, attributes=FileAttribute.HIDDEN).close()


def test_readonly_hinders_writing_but_not_its_creator(folder, pypi):
    maker = pypi.open("file", disposition=CREATE, attributes=FileAttribute.READONLY)
    assert maker.write(b"written once") == len(b"written once")
    maker.close()
    assert refusal(pypi.open, "file") == NtStatus.ACCESS_DENIED
    assert refusal(pypi.open, "file", disposition=OVERWRITE) == NtStatus.ACCESS_DENIED
    reader = pypi.open("file", access=Access.FILE_READ_DATA, disposition=OPEN)
    assert reader.read(0, 100) == b"written once"
    reader.close()


def test_rights_that_were_not_asked_for_are_not_there(folder, pypi):
    (folder / "file").write_bytes(b"data")
    reader = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(reader.write, b"no") == NtStatus.ACCESS_DENIED
    reader.close()
    writer = pypi.open("file", access=Access.FILE_WRITE_DATA)
    assert refusal(writer.read, 0, 4) == NtStatus.ACCESS_DENIED
    writer.close()
    looker = pypi.open("file", access=Access.FILE_READ_ATTRIBUTES)
    assert refusal(looker.read, 0, 4) == NtStatus.ACCESS_DENIED
    looker.close()
    assert refusal(pypi.open, "file", access=0) == NtStatus.ACCESS_DENIED


def test_maximum_allowed_is_all_there_is(pypi):
    opened = pypi.open("file", access=Access.MAXIMUM_ALLOWED)
    assert opened.write(b"may write") == len(b"may write")
    assert opened.read(0, 100) == b"may write"
    opened.close()


def test_a_closed_file_is_closed(pypi):
    opened = pypi.open("file")
    opened.close()
    assert refusal(opened.read, 0, 1) == NtStatus.FILE_CLOSED
    assert refusal(opened.write, b"x") == NtStatus.FILE_CLOSED
