"""A Wait is over once, and says so once."""

from smbd.ntstatus import NtStatus
from smbd.state import Wait


def test_the_end_wakes_what_waits():
    wait, woken = Wait(), []
    wait.wake = lambda: woken.append(wait.over)
    wait.end()
    assert woken == [True]
    assert wait.status == 0


def test_it_ends_once_and_the_first_end_counts():
    wait, woken = Wait(), []
    wait.wake = lambda: woken.append(wait.status)
    wait.end(NtStatus.RANGE_NOT_LOCKED)
    wait.end()
    wait.end(NtStatus.CANCELLED)
    assert woken == [NtStatus.RANGE_NOT_LOCKED]
    assert wait.status == NtStatus.RANGE_NOT_LOCKED


def test_what_comes_behind_the_end_sees_that_it_is_over():
    wait = Wait()
    wait.end(NtStatus.CANCELLED)
    assert wait.over
    assert wait.status == NtStatus.CANCELLED
