"""Byte-range locks between clients ([MS-SMB2] 3.3.5.14, [MS-FSA] 2.1.5.8)."""

import pytest
from smbprotocol.exceptions import SMBResponseException
from smbprotocol.open import SMB2LockElement

from smbd.ntstatus import NtStatus
from smbd.wire.lock import LockFlags
from tests.server.clients import refusal

EXCLUSIVE, SHARED, UNLOCK = LockFlags.EXCLUSIVE, LockFlags.SHARED, LockFlags.UNLOCK
AT_ONCE = LockFlags.FAIL_IMMEDIATELY
TOP = 0xFFFFFFFFFFFFFFFF


def element(offset, length, flags):
    one = SMB2LockElement()
    one["offset"], one["flags"] = offset, flags
    one["length"] = length if length < 1 << 63 else length - (1 << 64)  # it believes in a sign
    return one


def lock(opened, offset, length, flags=EXCLUSIVE | AT_ONCE):
    """The NTSTATUS of one LOCK."""
    return refusal(opened.lock, [element(offset, length, flags)])


@pytest.fixture
def mine(folder, pypi):
    (folder / "file").write_bytes(bytes(range(100)))
    return pypi.open("file")


@pytest.fixture
def yours(mine, other):
    return other.open("file")


def test_an_exclusive_lock_keeps_everybody_else_out(mine, yours):
    assert lock(mine, 10, 10) == 0
    assert refusal(yours.read, 15, 1) == NtStatus.FILE_LOCK_CONFLICT
    assert refusal(yours.write, b"x", 19) == NtStatus.FILE_LOCK_CONFLICT
    assert refusal(yours.read, 0, 11) == NtStatus.FILE_LOCK_CONFLICT
    assert yours.read(0, 10) == bytes(range(10))
    assert yours.write(b"x", 20) == 1
    assert mine.read(10, 10) == bytes(range(10, 20))
    assert mine.write(b"mine", 10) == 4


def test_a_shared_lock_lets_all_read_and_none_write(mine, yours):
    assert lock(mine, 10, 10, SHARED | AT_ONCE) == 0
    assert lock(yours, 15, 10, SHARED | AT_ONCE) == 0
    assert yours.read(10, 5) == bytes(range(10, 15))
    assert refusal(yours.write, b"x", 10) == NtStatus.FILE_LOCK_CONFLICT
    assert refusal(mine.write, b"x", 12) == NtStatus.FILE_LOCK_CONFLICT


@pytest.mark.parametrize(
    ("held", "wanted", "status"),
    [
        (EXCLUSIVE, EXCLUSIVE, NtStatus.LOCK_NOT_GRANTED),
        (EXCLUSIVE, SHARED, NtStatus.LOCK_NOT_GRANTED),
        (SHARED, EXCLUSIVE, NtStatus.LOCK_NOT_GRANTED),
        (SHARED, SHARED, 0),
    ],
)
def test_which_locks_go_together(mine, yours, held, wanted, status):
    assert lock(mine, 10, 10, held | AT_ONCE) == 0
    assert lock(yours, 19, 10, wanted | AT_ONCE) == status
    assert lock(yours, 20, 10, wanted | AT_ONCE) == 0


def test_an_unlocked_range_is_free(mine, yours):
    assert lock(mine, 10, 10) == 0
    assert lock(mine, 10, 10, UNLOCK) == 0
    assert lock(yours, 10, 10) == 0


def test_only_the_range_that_was_locked_is_unlocked(mine, yours):
    assert lock(mine, 10, 10) == 0
    assert lock(mine, 10, 5, UNLOCK) == NtStatus.RANGE_NOT_LOCKED
    assert lock(yours, 10, 10, UNLOCK) == NtStatus.RANGE_NOT_LOCKED
    assert lock(mine, 10, 10, UNLOCK) == 0
    assert lock(mine, 10, 10, UNLOCK) == NtStatus.RANGE_NOT_LOCKED


def test_closing_gives_them_up(mine, yours):
    assert lock(mine, 10, 10) == 0
    mine.close()
    assert lock(yours, 10, 10) == 0


def test_hanging_up_gives_them_up(pypi, mine, yours):
    assert lock(mine, 10, 10) == 0
    pypi.connection.disconnect(close=False)
    assert lock(yours, 10, 10, EXCLUSIVE) == 0  # waits until the server has noticed


def test_several_at_once_are_all_or_nothing(mine, yours):
    assert lock(yours, 30, 10) == 0
    wanted = [element(offset, 10, EXCLUSIVE | AT_ONCE) for offset in (10, 20, 30)]
    assert refusal(mine.lock, wanted) == NtStatus.LOCK_NOT_GRANTED
    assert lock(yours, 10, 20) == 0
    assert lock(yours, 10, 20, UNLOCK) == 0
    assert refusal(mine.lock, wanted[:2]) == 0
    assert lock(yours, 10, 1) == lock(yours, 29, 1) == NtStatus.LOCK_NOT_GRANTED


def asked(opened, offset, length, flags=EXCLUSIVE):
    """A LOCK that is sent and not waited for."""
    request, _ = opened.lock([element(offset, length, flags)], send=False)
    tree = opened.tree_connect
    sent = opened.connection.send(request, tree.session.session_id, tree.tree_connect_id)
    # The interim response, which tells that it waits: whenever it comes, on a busy machine too.
    sent.response_event.wait()
    return sent, sent.response["status"].get_value()


def test_a_waiting_lock_is_granted_when_the_range_comes_free(mine, yours):
    assert lock(mine, 10, 10) == 0
    waiting, status = asked(yours, 15, 10)
    assert status == NtStatus.PENDING
    assert lock(mine, 10, 10, UNLOCK) == 0
    granted = yours.connection.receive(waiting)
    assert granted["status"].get_value() == 0
    assert lock(mine, 15, 1) == NtStatus.LOCK_NOT_GRANTED


def test_meanwhile_the_connection_goes_on(mine, yours):
    assert lock(mine, 10, 10) == 0
    waiting, _ = asked(yours, 10, 10)
    assert yours.read(0, 10) == bytes(range(10))
    mine.close()
    assert yours.connection.receive(waiting)["status"].get_value() == 0


def test_a_wait_can_be_cancelled(mine, yours):
    assert lock(mine, 10, 10) == 0
    waiting, _ = asked(yours, 10, 10)
    waiting.cancel()
    with pytest.raises(SMBResponseException) as end:
        yours.connection.receive(waiting)
    assert end.value.status == NtStatus.CANCELLED
    assert lock(mine, 10, 10, UNLOCK) == 0
    assert lock(mine, 10, 10) == 0


def test_closing_the_file_ends_the_wait(mine, yours):
    assert lock(mine, 10, 10) == 0
    waiting, _ = asked(yours, 10, 10)
    yours.close()
    with pytest.raises(SMBResponseException) as end:
        yours.connection.receive(waiting)
    assert end.value.status == NtStatus.RANGE_NOT_LOCKED


@pytest.mark.parametrize(
    ("offset", "length", "flags", "status"),
    [
        (0, 1, 0, NtStatus.INVALID_PARAMETER),
        (0, 1, EXCLUSIVE | SHARED, NtStatus.INVALID_PARAMETER),
        (0, 1, UNLOCK | AT_ONCE, NtStatus.INVALID_PARAMETER),
        (TOP, 1, EXCLUSIVE | AT_ONCE, 0),
        (TOP, 2, EXCLUSIVE | AT_ONCE, NtStatus.INVALID_LOCK_RANGE),
        (0, TOP, EXCLUSIVE | AT_ONCE, 0),
        (1000, 1000, EXCLUSIVE | AT_ONCE, 0),
        (0, 0, EXCLUSIVE | AT_ONCE, 0),
    ],
)
def test_what_can_be_locked(mine, offset, length, flags, status):
    assert lock(mine, offset, length, flags) == status


def test_a_folder_cannot_be_locked(folder, pypi):
    (folder / "directory").mkdir()
    opened = pypi.open("directory")
    assert lock(opened, 0, 1) == NtStatus.INVALID_PARAMETER
