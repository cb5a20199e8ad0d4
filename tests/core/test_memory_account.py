"""What one connection may hold: an account of bytes with a bound."""

import pytest

from smbd.memory import TASK, Holding, MemoryAccount
from smbd.ntstatus import NtError, NtStatus


def test_what_is_held_leaves_a_quarter_for_what_is_in_flight():
    account = MemoryAccount(1000)
    account.hold(750)
    assert account.flight == 250
    with pytest.raises(NtError) as caught:
        account.hold(1)
    assert caught.value.status == NtStatus.INSUFFICIENT_RESOURCES
    assert account.held == 750
    account.hold(-750)
    assert account.flight == 1000


def test_before_a_login_little_may_be_held_and_less_be_in_flight():
    account = MemoryAccount.unauthenticated()
    assert account.flight <= 3 * TASK
    account.hold(8192)
    with pytest.raises(NtError):
        account.hold(1)
    account.open(100000)
    account.hold(1)
    assert account.flight == 100000 - 8193


def test_a_refused_growth_leaves_a_holding_as_it_was():
    account = MemoryAccount(1000)
    holding = Holding(account, 700)
    with pytest.raises(NtError):
        holding.grow(100)
    holding.resize(600)
    assert account.held == holding.size == 600


def test_a_holding_ends_once():
    account = MemoryAccount(1000)
    holding = Holding(account, 700)
    holding.end()
    holding.end()
    holding.grow(100)
    assert account.held == 0


def test_a_holding_that_moves_takes_all_that_it_holds_from_one_account_to_another():
    first, second = MemoryAccount(1000), MemoryAccount(1000)
    holding = Holding(first, 300)
    holding.move(None)
    holding.grow(100)
    assert first.held == 0
    holding.move(second)
    assert second.held == 400
    holding.end()
    assert second.held == 0


def test_a_holding_that_the_other_account_has_no_room_for_stays():
    first, second = MemoryAccount(1000), MemoryAccount(100)
    holding = Holding(first, 300)
    with pytest.raises(NtError):
        holding.move(second)
    assert (first.held, second.held) == (300, 0)
