"""Long work in slices: all of it, one thread at a time, and none that nobody waits for."""

import threading

import pytest

from aio import give_way, in_slices, slices
from aio.slices import AbandonedError, abandoned_when


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_all_items_are_worked_on_once_and_in_order(count: int) -> None:
    done: list[int] = []
    in_slices(done.extend, range(count))
    assert done == list(range(count))


def test_work_that_nobody_waits_for_ends_and_what_undoes_it_does_not() -> None:
    done: list[int] = []
    with abandoned_when(lambda: len(done) >= 8), pytest.raises(AbandonedError):
        in_slices(done.extend, range(10_000_000))
    assert len(done) < 10_000_000
    with abandoned_when(lambda: True):
        with pytest.raises(AbandonedError):
            give_way()
        give_way()
    give_way()


def test_two_threads_do_not_compute_at_a_time() -> None:
    inside, most = 0, 0
    counting = threading.Lock()

    def work(_items: object) -> None:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        with counting:
            inside -= 1

    threads = [threading.Thread(target=in_slices, args=(work, range(2000))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most == 1
    assert not slices._computing.locked()
