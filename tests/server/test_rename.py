"""New names: rename, replace, hard links ([MS-FSA] 2.1.5.15.11, 2.1.5.15.6)."""

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition
from smbd.wire.fscc import FileAttribute
from tests.server.clients import refusal
from tests.server.clients.information import link, rename

ACCESS = Access.DELETE | Access.FILE_READ_DATA | Access.FILE_READ_ATTRIBUTES


@pytest.fixture
def file(folder, pypi):
    """A file that is open and may be renamed."""
    (folder / "old").write_bytes(b"contents")
    return pypi.open("old", access=ACCESS)


def renamed_with(client, old, new):
    """Each client's own way."""
    match type(client).__name__:
        case "SambaClient":
            client.run(f'rename "{old}" "{new}"')
        case "ImpacketClient":
            client.connection.rename(client.share, old, new)
        case "PypiClient":
            client.call("rename", old, client.path(new))


def test_a_file_gets_another_name(folder, client):
    (folder / "old").write_bytes(b"contents")
    renamed_with(client, "old", "new")
    assert client.names() == {"new"}
    assert client.get("new") == b"contents"


def test_a_file_moves_to_another_folder(folder, client):
    (folder / "inner").mkdir()
    (folder / "old").write_bytes(b"contents")
    renamed_with(client, "old", "inner\\new")
    assert client.names() == {"inner"}
    assert client.get("inner/new") == b"contents"


def test_a_folder_moves_with_all_that_is_in_it(folder, client):
    (folder / "old" / "inner").mkdir(parents=True)
    (folder / "old" / "inner" / "file").write_bytes(b"contents")
    renamed_with(client, "old", "new")
    assert client.names() == {"new"}
    assert client.get("new/inner/file") == b"contents"


def test_letter_case_alone_can_change(folder, client):
    (folder / "readme").write_bytes(b"contents")
    renamed_with(client, "readme", "README")
    assert client.names() == {"README"}


def test_what_is_there_stays_unless_it_is_to_be_replaced(folder, pypi, file):
    (folder / "new").write_bytes(b"in the way")
    assert refusal(rename, file, "new") == NtStatus.OBJECT_NAME_COLLISION
    assert (folder / "new").read_bytes() == b"in the way"
    rename(file, "new", replace=True)
    assert file.read(0, 100) == b"contents"
    file.close()
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == {"new": b"contents"}


def test_what_somebody_has_open_is_not_replaced(folder, pypi, other, file):
    (folder / "new").write_bytes(b"being read")
    reader = other.open("new")
    assert refusal(rename, file, "new", replace=True) == NtStatus.ACCESS_DENIED
    reader.close()
    rename(file, "new", replace=True)
    file.close()


def test_what_is_readonly_is_not_replaced(pypi, file):
    pypi.open("new", attributes=FileAttribute.READONLY).close()
    assert refusal(rename, file, "new", replace=True) == NtStatus.ACCESS_DENIED
    file.close()


def test_a_folder_is_never_replaced(folder, file):
    (folder / "new").mkdir()
    assert refusal(rename, file, "new") == NtStatus.OBJECT_NAME_COLLISION
    assert refusal(rename, file, "new", replace=True) in {
        NtStatus.ACCESS_DENIED,
        NtStatus.OBJECT_NAME_COLLISION,
        NtStatus.FILE_IS_A_DIRECTORY,
    }
    file.close()
    assert (folder / "new").is_dir()


def test_a_folder_in_which_something_is_open_stays(folder, pypi, other):
    (folder / "directory").mkdir()
    inside = other.open(r"directory\file")
    directory = pypi.open("directory", access=ACCESS)
    assert refusal(rename, directory, "new") == NtStatus.ACCESS_DENIED
    inside.close()
    rename(directory, "new")
    directory.close()
    assert (folder / "new" / "file").exists()


def test_a_folder_does_not_move_into_itself(folder, pypi):
    (folder / "directory").mkdir()
    directory = pypi.open("directory", access=ACCESS)
    assert refusal(rename, directory, r"directory\inner") != 0
    directory.close()
    assert [one.name for one in folder.iterdir()] == ["directory"]


def test_the_right_to_delete_is_needed(pypi):
    opened = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(rename, opened, "new") == NtStatus.ACCESS_DENIED
    opened.close()


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (r"missing\new", NtStatus.OBJECT_PATH_NOT_FOUND),
        ("what?", NtStatus.OBJECT_NAME_INVALID),
        (r"..\new", NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("x" * 256, NtStatus.OBJECT_NAME_INVALID),
    ],
    ids=["no-folder", "no-name", "up", "long"],
)
def test_names_that_cannot_be(folder, file, name, status):
    assert refusal(rename, file, name) == status
    file.close()
    assert (folder / "old").exists()


def test_all_who_have_it_open_go_on(folder, pypi, other, file):
    reader = other.open("old", access=Access.FILE_READ_DATA)
    rename(file, "new")
    assert reader.read(0, 100) == b"contents"
    again = other.open("new", access=Access.FILE_READ_DATA, disposition=CreateDisposition.OPEN)
    assert again.read(0, 100) == b"contents"
    for opened in (file, reader, again):
        opened.close()


def test_a_hard_link_is_one_more_name(folder, pypi):
    (folder / "file").write_bytes(b"contents")
    opened = pypi.open("file")
    link(opened, "twin")
    opened.close()
    assert (folder / "twin").samefile(folder / "file")
    assert pypi.call("stat", "twin").st_nlink == 2
    assert pypi.call("stat", "twin").st_ino == pypi.call("stat", "file").st_ino
    pypi.remove("file")
    assert pypi.get("twin") == b"contents"


def test_a_link_does_not_replace_unless_told(folder, pypi):
    (folder / "file").write_bytes(b"contents")
    (folder / "there").write_bytes(b"in the way")
    opened = pypi.open("file")
    assert refusal(link, opened, "there") == NtStatus.OBJECT_NAME_COLLISION
    link(opened, "there", replace=True)
    opened.close()
    assert (folder / "there").samefile(folder / "file")
