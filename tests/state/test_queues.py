"""What comes for the same thing has its turn one after the other, whatever gives up."""

from smbd.state import Queues


def woken_in(queues, *things):
    """A place for each, and the numbers of those that were woken, in their order."""
    woken, places = [], []
    for number, thing in enumerate(things):
        place = queues.join(thing)
        place.wake = lambda number=number: woken.append(number)
        places.append(place)
    return places, woken


def test_the_first_has_its_turn_at_once_and_each_other_when_those_before_are_done():
    (first, second, third), woken = woken_in(Queues(), "a", "a", "a")
    assert (first.over, second.over, third.over) == (True, False, False)
    first.give_up()
    assert (second.over, third.over, woken) == (True, False, [1])
    second.give_up()
    assert woken == [1, 2]


def test_each_thing_has_a_queue_of_its_own_as_long_as_somebody_is_there():
    queues = Queues()
    (one, other), _ = woken_in(queues, "a", "b")
    assert one.over
    assert other.over
    assert "a" in queues
    one.give_up()
    assert "a" not in queues
    assert queues
    other.give_up()
    assert not queues


def test_one_that_gives_up_in_the_middle_is_not_waited_for():
    queues = Queues()
    (first, second, third), woken = woken_in(queues, "a", "a", "a")
    second.give_up()
    assert not third.over
    first.give_up()
    assert woken == [2]
    third.give_up()
    assert not queues


def test_a_second_give_up_takes_nothing_from_the_others():
    queues = Queues()
    (first, second), woken = woken_in(queues, "a", "a")
    first.give_up()
    first.give_up()
    assert woken == [1]
    second.give_up()
    second.give_up()
    assert not queues


def test_what_a_queue_waits_for_is_work_of_the_server_not_others():
    assert not Queues().join("a").for_others
