"""What clients are told of a folder they watch ([MS-SMB2] 3.3.5.19)."""

import pytest
from smbprotocol.change_notify import FileSystemWatcher
from smbprotocol.exceptions import SMBResponseException

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.change_notify import ChangeNotifyFlags, CompletionFilter, FileAction
from smbd.wire.create import CreateDisposition
from smbd.wire.fscc import FileAttribute
from tests.server.clients.controls import copy
from tests.server.clients.information import (
    link,
    mark_for_deletion,
    rename,
    set_basic,
    set_end_of_file,
)

ADDED, REMOVED, MODIFIED = FileAction.ADDED, FileAction.REMOVED, FileAction.MODIFIED
OLD, NEW = FileAction.RENAMED_OLD_NAME, FileAction.RENAMED_NEW_NAME
NAMES = CompletionFilter.FILE_NAME | CompletionFilter.DIR_NAME
EVERYTHING = 0xFFF
TREE = ChangeNotifyFlags.WATCH_TREE
LIST = Access.FILE_LIST_DIRECTORY
A_FOLDER = 1
DELETE_ON_CLOSE = 0x1000


def watched(client, name="", *, access=LIST | Access.FILE_READ_ATTRIBUTES):
    """A handle on a folder."""
    return client.open(name, access=access, options=A_FOLDER)


def watch(opened, wanted=EVERYTHING, *, tree=False, room=4096):
    """A CHANGE_NOTIFY that the server has."""
    watcher = FileSystemWatcher(opened)
    watcher.start(wanted, TREE if tree else 0, room)
    # Requests of one connection are taken in their order: this answer comes after.
    opened.connection.echo(opened.tree_connect.session.session_id)
    return watcher


def told(watcher):
    """(action, name) of each change, once the answer is there."""
    assert watcher.response_event.wait(10)
    changes = watcher.wait()
    return [(one["action"].get_value(), one["file_name"].get_value()) for one in changes]


def refused(watcher):
    """The NTSTATUS that a CHANGE_NOTIFY is answered with."""
    assert watcher.response_event.wait(10)
    with pytest.raises(SMBResponseException) as error:
        watcher.wait()
    return error.value.status


def waits(watcher):
    """Whether there is still no answer; what may come has come, since the server is asked after."""
    opened = watcher.open
    opened.connection.echo(opened.tree_connect.session.session_id)
    # Set as it arrives, before the echo's; the watcher itself hears of it in a thread of its own.
    answer = watcher._request.response
    return answer is None or answer["status"].get_value() == NtStatus.PENDING


def changes(opened, wanted=EVERYTHING, **how):
    """What has been kept since the last request on this handle; [] if that is nothing."""
    watcher = watch(opened, wanted, **how)
    if waits(watcher):
        watcher.cancel()
        assert watcher.response_event.wait(10)
        return []
    return told(watcher)


# --- what there is to tell ---


def test_each_clients_new_file_is_told(folder, pypi, client):
    watcher = watch(watched(pypi), NAMES)
    client.put("a", b"data")
    assert told(watcher) == [(ADDED, "a")]


def test_a_watcher_is_told_once_for_each_time_it_asks(pypi, other):
    opened = watched(pypi)
    first, second = watch(opened, NAMES), watch(opened, NAMES)
    other.open("a")
    assert told(first) == [(ADDED, "a")]
    assert waits(second)
    other.open("b")
    assert told(second) == [(ADDED, "b")]


def test_what_happens_between_two_requests_is_kept(pypi, other):
    opened = watched(pypi)
    assert changes(opened, NAMES) == []
    other.open("a").close()
    other.open("inner", options=A_FOLDER).close()
    file = other.open("a")
    rename(file, "b")
    file.close()
    other.remove("b")
    expected = [(ADDED, "a"), (ADDED, "inner"), (OLD, "a"), (NEW, "b"), (REMOVED, "b")]
    assert changes(opened, NAMES) == expected
    assert changes(opened, NAMES) == []


def test_what_was_there_before_nobody_asked_for(pypi, other):
    opened = watched(pypi)
    other.open("a").close()
    assert changes(opened) == []


def test_only_with_watch_tree_deeper_folders_are_told(folder, pypi, other):
    (folder / "inner").mkdir()
    flat, deep = watched(pypi), watched(pypi)
    assert changes(flat, NAMES) == changes(deep, NAMES, tree=True) == []
    other.open(r"inner\a").close()
    assert changes(flat) == []
    assert changes(deep) == [(ADDED, r"inner\a")]


def test_a_file_that_is_written_is_told_when_it_closes(folder, pypi, other):
    """A large copy is not told a thousand times."""
    (folder / "a").write_bytes(b"data")
    watcher = watch(watched(pypi))
    opened = other.open("a")
    opened.write(b"more", 0)
    opened.write(b"more", 4)
    other.connection.echo(other.session.session_id)
    assert waits(watcher)
    opened.close()
    assert told(watcher) == [(MODIFIED, "a")]


def test_a_file_that_stays_open_is_told_when_it_is_flushed(folder, pypi, other):
    (folder / "log").write_bytes(b"")
    opened = watched(pypi)
    assert changes(opened) == []
    log = other.open("log")
    log.write(b"first line", 0)
    log.flush()
    assert changes(opened) == [(MODIFIED, "log")]
    log.flush()
    log.close()
    assert changes(opened) == []


def test_a_file_that_was_only_read_is_not_told(folder, pypi, other):
    (folder / "a").write_bytes(b"data")
    opened = watched(pypi)
    assert changes(opened) == []
    assert other.get("a") == b"data"
    assert changes(opened) == []


@pytest.mark.parametrize(
    ("change", "bit"),
    [
        (lambda file: set_end_of_file(file, 5), CompletionFilter.SIZE),
        (
            lambda file: set_basic(file, file_attributes=FileAttribute.HIDDEN),
            CompletionFilter.ATTRIBUTES,
        ),
        (lambda file: set_basic(file, creation_time=1 << 56), CompletionFilter.CREATION),
        (lambda file: set_basic(file, last_write_time=1 << 56), CompletionFilter.LAST_WRITE),
        (lambda file: set_basic(file, last_access_time=1 << 56), CompletionFilter.LAST_ACCESS),
    ],
    ids=["size", "attributes", "creation", "last write", "last access"],
)
def test_a_filter_for_one_kind_of_change_hears_of_that_alone(folder, pypi, other, change, bit):
    (folder / "a").write_bytes(b"data")
    asked, others = watched(pypi), watched(pypi)
    assert changes(asked, bit) == changes(others, EVERYTHING & ~bit) == []
    change(other.open("a"))
    assert changes(asked) == [(MODIFIED, "a")]
    assert changes(others) == []


def test_an_overwritten_file_is_changed_not_new(folder, pypi, other):
    (folder / "a").write_bytes(b"data")
    opened = watched(pypi)
    assert changes(opened) == []
    other.open("a", disposition=CreateDisposition.OVERWRITE_IF).close()
    assert changes(opened) == [(MODIFIED, "a")]


def test_a_server_side_copy_is_told_like_any_write(folder, pypi, other):
    (folder / "a").write_bytes(b"data")
    opened = watched(pypi)
    assert changes(opened) == []
    target = other.open("b")
    assert copy(other.open("a"), target, (0, 0, 4))[0] == 0
    target.close()
    assert changes(opened) == [(ADDED, "b"), (MODIFIED, "b")]


def test_a_hard_link_is_a_file_more(folder, pypi, other):
    (folder / "a").write_bytes(b"data")
    opened = watched(pypi)
    assert changes(opened, NAMES) == []
    link(other.open("a"), "b")
    assert changes(opened) == [(ADDED, "b")]


def test_a_file_that_goes_with_its_handle_is_told_when_it_goes(pypi, other):
    opened = watched(pypi)
    assert changes(opened, NAMES) == []
    file = other.open("a", options=DELETE_ON_CLOSE)
    assert changes(opened) == [(ADDED, "a")]
    file.close()
    assert changes(opened) == [(REMOVED, "a")]


def test_a_deletion_that_failed_is_not_told(folder, pypi, other):
    opened = watched(pypi)
    inner = other.open("inner", options=A_FOLDER)
    mark_for_deletion(inner)
    assert changes(opened, NAMES) == []
    (folder / "inner" / "late").write_bytes(b"")
    inner.close()
    assert changes(opened) == []


# --- how it ends ---


def test_closing_the_handle_ends_it(pypi):
    opened = watched(pypi)
    first, second = watch(opened), watch(opened)
    opened.close()
    assert refused(first) == refused(second) == NtStatus.NOTIFY_CLEANUP


def test_a_cancel_ends_the_one_it_means(pypi, other):
    opened = watched(pypi)
    first, second = watch(opened), watch(opened)
    first.cancel()
    assert first.response_event.wait(10)
    other.open("a")
    assert told(second) == [(ADDED, "a")]


@pytest.mark.parametrize("how", ["on close", "by its mark"])
def test_a_folder_that_is_to_be_deleted_is_watched_no_more(pypi, other, how):
    opened = watched(pypi, "inner")
    watcher = watch(opened)
    if how == "on close":
        other.open("inner", options=A_FOLDER | DELETE_ON_CLOSE).close()
    else:
        mark_for_deletion(other.open("inner", options=A_FOLDER))
    assert refused(watcher) == NtStatus.DELETE_PENDING
    assert refused(watch(opened)) == NtStatus.DELETE_PENDING


def test_a_folder_whose_deletion_was_called_off_is_watched_again(pypi, other):
    opened = watched(pypi, "inner")
    deleter = other.open("inner", options=A_FOLDER)
    mark_for_deletion(deleter)
    mark_for_deletion(deleter, marked=False)
    watcher = watch(opened)
    other.open(r"inner\a")
    assert told(watcher) == [(ADDED, "a")]


def test_too_much_for_the_buffer_means_look_for_yourself(pypi, other):
    opened = watched(pypi)
    assert changes(opened, NAMES, room=100) == []
    for number in range(10):
        other.open(f"file {number}").close()
    # What smbprotocol makes of NOTIFY_ENUM_DIR is an empty list.
    assert told(watch(opened, room=100)) == []
    other.open("a").close()
    assert changes(opened, room=100) == [(ADDED, "a")]


# --- what is refused ---


def test_a_file_cannot_be_watched(pypi):
    assert refused(watch(pypi.open("a"))) == NtStatus.INVALID_PARAMETER


def test_a_directory_that_may_not_be_listed_may_not_be_watched(pypi):
    opened = watched(pypi, access=Access.FILE_READ_ATTRIBUTES)
    assert refused(watch(opened)) == NtStatus.ACCESS_DENIED


def test_the_answer_may_be_as_large_as_any_and_no_larger(pypi):
    largest = pypi.connection.max_transact_size
    assert refused(watch(watched(pypi), room=largest + 1)) == NtStatus.INVALID_PARAMETER


def test_many_watchers_are_no_burden_to_others(pypi, other):
    watchers = [watch(opened) for opened in [watched(pypi) for _ in range(50)] for _ in range(4)]
    other.put("a", b"data")
    assert all(told(one) for one in watchers[::4])
    assert other.get("a") == b"data"


def test_a_stream_is_told_of_as_a_change_of_its_file(folder, pypi, other):
    (folder / "file").touch()
    opened = watched(other)
    names = watch(opened, CompletionFilter.STREAM_NAME)
    stream = pypi.open("file:stream")
    assert told(names) == [(MODIFIED, "file")]
    stream.write(b"content", 0)
    stream.close()
    opened.close()
    opened = watched(other)
    contents = watch(opened, CompletionFilter.STREAM_WRITE)
    stream = pypi.open("file:stream", options=DELETE_ON_CLOSE)
    stream.write(b"content", 0)
    stream.flush()
    assert told(contents) == [(MODIFIED, "file")]
    opened.close()
    opened = watched(other)
    data = watch(opened, CompletionFilter.LAST_WRITE | CompletionFilter.STREAM_NAME)
    stream.close()
    assert told(data) == [(MODIFIED, "file")]
    opened.close()
    opened = watched(other)
    made = watch(opened, NAMES)
    pypi.open("new:stream").close()
    assert told(made) == [(ADDED, "new")]
    opened.close()
