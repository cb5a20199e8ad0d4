"""The life of an Open: it is entered, parked, given to another session, and leaves, everywhere."""

import pytest

from smbd.auth import Identity
from smbd.memory import LOCK, OPEN
from smbd.ntstatus import NtError, NtStatus
from smbd.state import (
    ADDED,
    REMOVED,
    ByteRange,
    ChangeNotifyEntry,
    Durability,
    OpenTable,
    Tables,
    WantedCaching,
    linked,
    modified,
    renamed,
)
from smbd.wire.change_notify import CompletionFilter, FileAction
from tests.state.holders import READ, WRITE, PaperFile, PaperHolder, an_open
from tests.state.test_notify import events

ANN = "user ann"
NETWORK = "192.0.2.0/24"


def tables_for(limit=100):
    return Tables(OpenTable(limit))


def a_holder(number=1, **details):
    return PaperHolder(f"connection {number}", ANN, NETWORK, session_id=number, **details)


def enter(tables, one, holder, **details):
    assert tables.enter(one, holder, WantedCaching(), 0.0, **details) is None


def status_of(step, *args, **details):
    try:
        step(*args, **details)
    except NtError as error:
        return error.status
    return 0


def test_an_open_that_is_entered_is_known_to_session_server_file_and_engine():
    tables, holder, one = tables_for(), a_holder(), an_open()
    enter(tables, one, holder)
    assert one.session_id == 1
    assert holder.opened == {one.volatile_id: one}
    assert tables.opens.find(one.persistent_id) is one
    assert list(tables.files.of(one.file).links[0].opens) == [one]
    assert one.share.engine.attached == [one.file.fd]
    assert one.share.opens == 1
    assert holder.account.held >= OPEN


def test_an_open_that_leaves_is_known_to_nobody_and_a_second_time_is_nothing():
    tables, holder, one = tables_for(), a_holder(), an_open()
    enter(tables, one, holder)
    for _ in range(2):
        assert tables.leave(one) is None
        assert one.closed
        assert not holder.opened
        assert not list(tables.opens)
        assert tables.files.of(one.file) is None
        assert one.share.opens == holder.account.held == 0
        assert not tables.opens._counts


def nothing_has_changed(tables, holder, refused):
    return not (
        refused in holder.opened.values()
        or tables.opens.find(refused.persistent_id)
        or refused.share.engine.attached
        or refused.share.opens
        or holder.account.held
    )


@pytest.mark.parametrize(
    ("status", "limit", "memory"),
    [
        (NtStatus.INSUFFICIENT_RESOURCES, 1, 64 << 20),
        (NtStatus.INSUFFICIENT_RESOURCES, 100, 100),
        (NtStatus.SHARING_VIOLATION, 100, 64 << 20),
    ],
)
def test_an_open_that_is_refused_leaves_every_table_as_it_was(status, limit, memory):
    tables, file = tables_for(limit), PaperFile()
    sharing = 0 if status == NtStatus.SHARING_VIOLATION else 7
    enter(tables, an_open(file, sharing=sharing), PaperHolder())
    holder, refused = a_holder(memory=memory), an_open(file, number=2)
    assert status_of(enter, tables, refused, holder) == status
    assert nothing_has_changed(tables, holder, refused)


def test_nothing_is_entered_that_was_made_in_a_folder_which_waits_for_its_deletion():
    tables = tables_for()
    enter(tables, folder := an_open(PaperFile(inode=9)), a_holder())
    folder.link.set_delete_pending()
    holder, made = a_holder(2), an_open(PaperFile(inode=2, created_in=(1, 9)), number=2)
    assert status_of(enter, tables, made, holder) == NtStatus.DELETE_PENDING
    assert nothing_has_changed(tables, holder, made)


def test_to_truncate_is_to_write_whatever_rights_the_open_then_has():
    tables, file = tables_for(), PaperFile()
    enter(tables, an_open(file, sharing=1), a_holder())
    reader = an_open(file, number=2, access=READ)
    truncating = status_of(enter, tables, reader, a_holder(2), truncates=True)
    assert truncating == NtStatus.SHARING_VIOLATION
    enter(tables, reader, a_holder(2))
    assert not tables.files.of(file).writers


def parked(tables, holder, **details):
    one = an_open(**details)
    enter(tables, one, holder)
    park(tables, one)
    return one


def park(tables, one):
    one.durable = Durability(Identity("ann", "", b""), 60.0, persistent=True)
    assert tables.park(one, 0.0)


def test_a_parked_open_leaves_its_session_but_stays_in_the_global_tables():
    tables, holder = tables_for(), a_holder()
    one = parked(tables, holder, sharing=0)
    assert one.holder is None
    assert one.session_id == 0
    assert not one.closed
    assert not holder.opened
    assert tables.opens.find(one.persistent_id) is one
    assert one.share.opens == 1
    other = status_of(enter, tables, an_open(number=2), a_holder(2))
    assert other == NtStatus.SHARING_VIOLATION


def test_a_parked_open_counts_for_its_user_and_network_and_for_no_connection():
    tables, holder = tables_for(), a_holder()
    parked(tables, holder)
    assert holder.account.held == 0
    assert dict(tables.opens._counts) == {ANN: 1, NETWORK: 1}


def test_a_parked_open_that_leaves_is_known_to_nobody():
    tables = tables_for()
    one = parked(tables, a_holder(), delete_on_close=True)
    assert tables.leave(one) is one.link, "its file is to be deleted"
    tables.files.forget(one.link)
    assert not list(tables.opens)
    assert not tables.opens._counts
    assert tables.files.of(one.file) is None


def test_a_parked_open_keeps_its_locks_and_takes_what_they_cost_to_its_next_connection():
    tables, first, second = tables_for(), a_holder(1), a_holder(2)
    one = an_open(access=READ | WRITE)
    enter(tables, one, first)
    one.memory.grow(LOCK)
    assert one.locks.try_all([ByteRange(one, 0, 10, exclusive=True)])
    size = first.account.held
    park(tables, one)
    assert first.account.held == 0
    assert len(list(one.locks.of(one))) == 1
    tables.rehome(one, second)
    assert second.account.held == size
    one.memory.grow(-LOCK)
    assert second.account.held == size - LOCK
    tables.leave(one)
    assert first.account.held == second.account.held == 0


def test_a_reconnect_gives_a_parked_open_to_its_session_under_a_new_volatile_id():
    tables, first, second = tables_for(), a_holder(1), a_holder(2)
    tables.opens.new_volatile_id()
    one = parked(tables, first)
    persistent_id, volatile_id = one.persistent_id, one.volatile_id
    tables.rehome(one, second)
    assert one.session_id == 2
    assert second.opened == {one.volatile_id: one}
    assert one.volatile_id != volatile_id
    assert tables.opens.find(persistent_id) is one
    assert dict(tables.opens._counts) == {"connection 2": 1, ANN: 1, NETWORK: 1}
    assert tables.leave(one) is None
    assert not second.opened


@pytest.mark.parametrize("lacks", ["memory", "its share of the table"])
def test_a_reconnect_that_is_refused_leaves_the_open_parked(lacks):
    tables = tables_for(limit=4)
    one = parked(tables, a_holder())
    others = a_holder(2)
    if lacks == "memory":
        second = a_holder(2, memory=100)
    else:
        second = others
        for number in (2, 3):
            tables.opens.add(
                an_open(PaperFile(inode=number), number=number, claimants=second.claimants)
            )
    assert status_of(tables.rehome, one, second) == NtStatus.INSUFFICIENT_RESOURCES
    assert one.holder is None
    assert not second.opened
    assert second.account.held == 0
    assert one.claimants == (ANN, NETWORK)
    tables.leave(one)
    assert tables.opens._counts[ANN] == (0 if lacks == "memory" else 2)


def test_a_user_gets_parked_opens_back_although_the_table_is_full():
    tables = tables_for(limit=2)
    one = parked(tables, a_holder())
    tables.opens.add(an_open(PaperFile(inode=2), number=2, claimants=("connection 9", "user bob")))
    assert status_of(tables.opens.check, ()) == NtStatus.INSUFFICIENT_RESOURCES
    tables.rehome(one, a_holder(2))
    assert one.session_id == 2


def told_of(event, path="a"):
    """What somebody who watches the share for everything is told."""
    tables = tables_for()
    watcher = ChangeNotifyEntry(PaperFile(inode=9, path=""), 0xFFF, watch_tree=True, capacity=4096)
    tables.notify.watch(watcher)
    tables.changed(an_open(PaperFile(path=path)), event, 0.0)
    return events(watcher.take(4096))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ADDED, [(FileAction.ADDED, "a")]),
        (REMOVED, [(FileAction.REMOVED, "a")]),
        (linked("/share/b"), [(FileAction.ADDED, "b")]),
        (
            renamed("/share/old"),
            [
                (FileAction.RENAMED_OLD_NAME, "old"),
                (FileAction.RENAMED_NEW_NAME, "a"),
            ],
        ),
        (modified(CompletionFilter.EA), [(FileAction.MODIFIED, "a")]),
        (modified(0), []),
    ],
)
def test_watchers_are_told_of_each_kind_of_event(event, told):
    assert told_of(event) == told


def test_what_an_open_has_written_is_told_at_its_end_and_its_watchers_that_it_is_closed():
    tables, holder = tables_for(), a_holder()
    folder, file = (
        an_open(PaperFile(inode=inode, path=path), number=inode)
        for inode, path in ((9, ""), (1, "a"))
    )
    folder.notify = ChangeNotifyEntry(folder.file, 0xFFF, watch_tree=False, capacity=4096)
    for one in (folder, file):
        enter(tables, one, holder)
    tables.notify.watch(folder.notify)
    first, second = folder.notify.wait(), folder.notify.wait()
    file.unreported = CompletionFilter.SIZE
    for one in (file, folder):
        tables.leave(one)
        tables.report_end(one, 0.0)
    assert events(folder.notify.take(4096)) == [(FileAction.MODIFIED, "a")]
    assert first.over
    assert (first.status, second.status) == (0, NtStatus.NOTIFY_CLEANUP)
