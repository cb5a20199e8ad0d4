"""Oplocks and leases as pure stories: [MS-SMB2] 3.3.4.6, 3.3.4.7, 3.3.5.22; [MS-FSA] 2.1.4.12."""

from tracemalloc import get_traced_memory, start, stop

import pytest

from smbd.memory import CACHING
from smbd.ntstatus import NtError, NtStatus
from smbd.state import Wait
from smbd.state.caching import PATIENCE, RULES, Caching, Operation
from smbd.state.cachings import MOST_KEEPERS, Cachings
from smbd.wire.access import Access

from .caching_scene import (
    BATCH,
    EXCLUSIVE,
    LEVEL_II,
    LOOKING,
    Scene,
    letters,
    rights,
)


def is_waiting(result):
    return isinstance(result, Wait) and not result.over


def test_the_rules_on_one_screen():
    """[MS-FSA] 2.1.4.12: what each operation leaves the others, and what it waits for."""
    table = {
        operation.name: (letters(rule.leaves), letters(rule.waits))
        for operation, rule in RULES.items()
    }

    assert table == {
        "OPEN": ("RH", "W"),
        "OVERWRITE": ("", "W"),
        "COLLISION": ("RW", "H"),
        "REMOVE": ("RW", "H"),
        "CHANGE": ("", ""),
    }


# --- what is granted ---


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("", ""), ("R", "R"), ("H", ""), ("W", ""), ("RH", "RH"), ("RW", "RW"), ("HW", ""),
     ("RHW", "RWH")],
)  # fmt: skip
def test_a_lease_has_read_or_nothing(asked, granted):
    assert Scene().create("A", "k", asked).has == granted


@pytest.mark.parametrize(
    ("held", "asked", "then"),
    [
        ("", "R", "R"), ("R", "RH", "RH"), ("R", "RW", "RW"), ("RH", "RW", "RH"),
        ("RH", "RHW", "RWH"), ("RW", "RHW", "RWH"), ("RHW", "RH", "RWH"), ("RHW", "", "RWH"),
    ],
)  # fmt: skip
def test_the_same_key_gets_what_has_all_of_the_old_and_never_less(held, asked, then):
    scene = Scene()
    first = scene.create("A", "k", held)

    second = scene.create("A", "k", asked)

    assert second.caching is first.caching
    assert second.has == then
    assert scene.told() == []


@pytest.mark.parametrize(("asked", "then"), [("RW", "R"), ("RH", "RH"), ("RHW", "R")])
def test_what_others_hinder_in_part_is_not_raised_at_all(asked, then):
    scene = Scene()
    scene.create("A", "a", "R")
    scene.create("B", "b", "R")

    assert scene.create("A", "a", asked).has == then


@pytest.mark.parametrize(
    ("held", "asked", "left", "granted"),
    [
        ("R", "RHW", "R", "RH"), ("RH", "RW", "RH", "R"), ("RW", "RH", "R", "RH"),
        ("RHW", "RHW", "RH", "RH"), ("RW", "RW", "R", "R"), ("RHW", "R", "RH", "R"),
    ],
)  # fmt: skip
def test_a_second_lease_gets_what_goes_beside_the_first(held, asked, left, granted):
    scene = Scene()
    first = scene.create("A", "a", held)

    second = scene.create("B", "b", asked)
    if isinstance(second, Wait):
        scene.acknowledge(first, left)
        second = scene.create("B", "b", asked)

    assert second.has == granted
    assert letters(first.caching.held) == letters(rights(left))


@pytest.mark.parametrize(
    ("held", "asked", "granted"),
    [("R", BATCH, "R"), ("RH", BATCH, ""), ("RH", LEVEL_II, ""), ("R", EXCLUSIVE, "R")],
)
def test_an_oplock_goes_beside_read_and_not_beside_a_kept_handle(held, asked, granted):
    scene = Scene()
    scene.create("A", "a", held)

    assert scene.create("B", oplock=asked).has == granted
    assert scene.told() == []


def test_a_lease_beside_an_oplock_keeps_no_handle():
    scene = Scene()
    scene.create("A", oplock=LEVEL_II)

    assert scene.create("B", "b", "RH").has == "R"


def test_write_is_for_those_that_are_alone_but_for_a_look():
    scene = Scene()
    scene.create("B", access=LOOKING)

    assert scene.create("A", "a", "RHW").has == "RWH"


def test_a_lease_that_only_looks_gets_no_read_beside_anothers_write():
    scene = Scene()
    scene.create("A", "a", "RHW")

    assert scene.create("B", "b", "RHW", access=LOOKING).has == ""
    assert scene.told() == []


def test_an_open_without_caching_keeps_others_from_write():
    scene = Scene()
    plain = scene.create("B")

    assert scene.create("A", "a", "RHW").has == "RH"
    plain.close()
    assert scene.create("A", "a", "RHW").has == "RWH"


def test_byte_range_locks_leave_write_to_one_alone_and_nothing_to_others():
    scene = Scene(locked=True)
    alone = scene.create("A", "a", "RHW")

    assert alone.has == "RWH"
    alone.close()
    scene.create("B")
    assert scene.create("A", "a", "RH").has == ""
    assert scene.create("A", oplock=BATCH).has == ""


def test_a_directory_lease_is_read_and_handle():
    assert Scene().create("A", "d", "RHW", directory=True).has == "RH"


def test_write_is_not_given_before_the_last_other_has_acknowledged():
    scene = Scene()
    scene.create("A", "a", "RH", access=LOOKING)

    assert scene.create("B", "b", "RHW", operation=Operation.OVERWRITE).has == "RH"


# --- breaks ---


def test_a_create_waits_until_the_writer_has_acknowledged():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")

    wait = scene.create("B", "b", "R")
    woken = []
    wait.wake = lambda: woken.append(1)

    assert is_waiting(wait)
    assert scene.told() == ["A: a RWH>RH!"]
    assert scene.acknowledge(writer, "RH") == "RH"
    assert woken == [1]
    assert scene.create("B", "b", "R").has == "R"
    assert scene.told() == []


def test_a_writer_that_does_not_answer_has_nothing_after_35_seconds():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    wait = scene.create("B", "b", "RHW")

    scene.later(PATIENCE - 0.1)
    assert is_waiting(wait)
    scene.later(0.1)

    assert wait.over
    assert writer.has == ""
    assert scene.create("B", "b", "RHW").has == "RH"
    with pytest.raises(NtError) as error:
        scene.acknowledge(writer, "RH")
    assert error.value.status == NtStatus.UNSUCCESSFUL


def test_a_second_break_stands_behind_the_first_and_comes_in_steps():
    """As Windows does it: smbtorture's lease.breaking3."""
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    opening = scene.create("B")
    overwriting = scene.create("C", operation=Operation.OVERWRITE)
    assert scene.told() == ["A: a RWH>RH!"]

    assert scene.acknowledge(writer, "RH") == "RH"
    assert scene.told() == ["A: a RH>R!"]
    assert is_waiting(opening)
    assert is_waiting(overwriting)

    assert scene.acknowledge(writer, "R") == "R"
    assert scene.told() == ["A: a R>"]
    assert opening.over
    assert overwriting.over
    assert writer.has == ""


def test_a_break_comes_behind_the_answer_by_which_the_client_knows_its_lease():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    writer.caching.promise()
    opening = scene.create("B")
    assert is_waiting(opening)
    again = scene.create("A", "a", "RHW")
    again.caching.promise()
    assert scene.told() == []
    writer.caching.said(scene.now)
    assert scene.told() == [], "the second CREATE is not answered yet"

    scene.later(40)
    again.caching.said(scene.now)

    assert scene.told() == ["A: a RWH>RH!"]
    scene.later(34)
    assert is_waiting(opening), "the client has its 35 seconds from then on"
    scene.acknowledge(writer, "RH")
    assert opening.over


def test_a_break_that_is_to_be_told_is_forgotten_with_the_last_open():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    writer.caching.promise()
    opening = scene.create("B")
    writer.close()
    writer.caching.said(scene.now)
    assert opening.over
    assert scene.told() == []


def test_what_a_client_is_about_to_lose_is_not_granted_to_it_again():
    scene = Scene()
    reader = scene.create("A", "a", "R")
    reader.caching.promise()
    scene.change(scene.create("B"))
    again = scene.create("A", "a", "RH")
    reader.caching.said(scene.now)
    assert scene.told() == ["A: a R>"]
    assert again.has == ""


def test_an_overwriting_create_waits_for_no_more_than_write():
    scene = Scene()
    holder = scene.create("A", "a", "RH")

    assert not isinstance(scene.create("B", operation=Operation.OVERWRITE), Wait)
    assert not isinstance(scene.create("B", operation=Operation.OVERWRITE), Wait)
    assert scene.told() == ["A: a RH>!"]
    assert scene.acknowledge(holder, "") == ""
    assert scene.told() == []


def test_more_than_was_offered_is_refused_and_the_break_goes_on():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    wait = scene.create("B")

    with pytest.raises(NtError) as error:
        scene.acknowledge(writer, "RW")

    assert error.value.status == NtStatus.REQUEST_NOT_ACCEPTED
    assert is_waiting(wait)
    assert scene.acknowledge(writer, "R") == "R", "less than was offered is welcome"
    assert wait.over


def test_an_acknowledgment_without_read_leaves_nothing():
    scene = Scene()
    writer = scene.create("A", "a", "RHW")
    scene.create("B")

    assert scene.acknowledge(writer, "H") == ""
    assert writer.has == ""


def test_an_acknowledgment_that_nobody_asked_for_is_refused():
    with pytest.raises(NtError) as error:
        scene = Scene()
        scene.acknowledge(scene.create("A", "a", "R"), "R")

    assert error.value.status == NtStatus.UNSUCCESSFUL


@pytest.mark.parametrize("oplock", [BATCH, EXCLUSIVE])
def test_an_oplock_breaks_to_level_ii_and_then_to_none(oplock):
    scene = Scene()
    first = scene.create("A", oplock=oplock)
    assert is_waiting(scene.create("B", oplock=BATCH))
    scene.acknowledge(first, "R")

    second = scene.create("B", oplock=BATCH)
    scene.change(second)

    assert second.has == ""
    told = [f"A: oplock {letters(oplock)}>R!", "A: oplock R>", "B: oplock R>"]
    assert scene.told() == told, "level II is told, its own open's change too; nothing is awaited"


def test_a_level_ii_oplock_that_was_wanted_away_meanwhile_goes_at_once():
    scene = Scene()
    first = scene.create("A", oplock=EXCLUSIVE)
    scene.create("B")
    overwriting = scene.create("C", operation=Operation.OVERWRITE)

    scene.acknowledge(first, "R")

    assert scene.told() == ["A: oplock RW>R!", "A: oplock R>"]
    assert overwriting.over


def test_a_sharing_violation_asks_for_the_handle():
    scene = Scene()
    holder = scene.create("A", "a", "RHW")

    wait = scene.create("B", operation=Operation.COLLISION)

    assert scene.told() == ["A: a RWH>RW!"]
    assert is_waiting(wait)
    holder.close()
    assert wait.over, "the handle was a cached one: the CREATE looks again"
    assert scene.create("B", "b", "RHW").has == "RWH"


def test_a_sharing_violation_asks_a_batch_oplock_and_no_exclusive_one():
    scene = Scene()
    scene.create("A", oplock=EXCLUSIVE)
    assert scene.file.contend(Operation.COLLISION, None, scene.now) is None
    assert scene.told() == []

    scene = Scene()
    scene.create("A", oplock=BATCH)
    assert is_waiting(scene.file.contend(Operation.COLLISION, None, scene.now))
    assert scene.told() == ["A: oplock RWH>R!"]


def test_a_write_takes_read_from_the_others_and_waits_for_nobody():
    scene = Scene()
    own = scene.create("A", "a", "R")
    scene.create("B", "b", "R")
    kept = scene.create("C", "c", "RH")

    assert scene.change(own) is None

    assert own.has == "R"
    assert scene.told() == ["B: b R>", "C: c RH>!"]
    assert scene.change(own) is None
    assert scene.told() == [], "what was told is not told again"
    scene.acknowledge(kept, "")


def test_removing_the_name_waits_for_the_handles_of_the_others():
    scene = Scene()
    own = scene.create("A", "a", "RH")
    other = scene.create("B", "b", "RH")

    wait = scene.remove(own)

    assert scene.told() == ["B: b RH>R!"]
    assert is_waiting(wait)
    scene.acknowledge(other, "R")
    assert wait.over
    assert scene.remove(own) is None
    assert own.has == "RH"


@pytest.mark.parametrize(
    ("access", "lease", "oplock"),
    [
        (Access.FILE_READ_ATTRIBUTES, False, False),
        (Access.FILE_WRITE_ATTRIBUTES, False, False),
        (Access.SYNCHRONIZE, False, False),
        (Access.READ_CONTROL, False, True),
        (Access.FILE_READ_DATA, True, True),
        (Access.FILE_READ_EA, True, True),
        (Access.DELETE, True, True),
        (Access.WRITE_DAC, True, True),
    ],
)
def test_an_open_that_only_looks_breaks_nothing(access, lease, oplock):
    scene = Scene()
    scene.create("A", "a", "RHW")
    assert is_waiting(scene.create("B", access=access)) is lease

    scene = Scene()
    scene.create("A", oplock=BATCH)
    assert is_waiting(scene.create("B", access=access)) is oplock


def test_an_overwriting_create_breaks_whatever_access_it_wants():
    scene = Scene()
    scene.create("A", "a", "RHW")

    assert is_waiting(scene.create("B", access=LOOKING, operation=Operation.OVERWRITE))


# --- keys ---


def test_one_key_is_shared_by_two_opens_and_lasts_as_long_as_one_of_them():
    scene = Scene()
    first = scene.create("A", "a", "RHW")
    second = scene.create("A", "a", "R")
    assert scene.told() == []

    first.close()
    assert second.has == "RWH"
    assert scene.client("A").lease(b"a") is second.caching
    second.close()

    assert scene.client("A").leases == {}
    assert not scene.file.keepers
    with pytest.raises(NtError) as error:
        scene.client("A").lease(b"a")
    assert error.value.status == NtStatus.OBJECT_NAME_NOT_FOUND


def test_the_same_key_of_another_client_is_another_lease():
    scene = Scene()
    scene.create("A", "k", "RHW")

    assert is_waiting(scene.create("B", "k", "RHW"))
    assert scene.told() == ["A: k RWH>RH!"]
    with pytest.raises(NtError):
        scene.client("B").lease(b"k")


def test_an_open_with_the_key_of_a_breaking_lease_sees_the_old_state_and_does_not_wait():
    scene = Scene()
    scene.create("A", "a", "RHW")
    scene.create("B")

    again = scene.create("A", "a", "RHW")

    assert again.has == "RWH"
    assert again.caching.is_breaking
    assert scene.told() == ["A: a RWH>RH!"]


def test_the_epoch_counts_grants_upgrades_and_each_notification():
    """Linux ignores a notification whose epoch it knows, so the steps of one break count too."""
    scene = Scene()
    nothing = scene.create("A", "n", "", version=2, epoch=7)
    assert nothing.caching.epoch == 7
    nothing.close()
    handle = scene.create("A", "a", "R", version=2, epoch=0xFFFE)
    lease = handle.caching
    assert lease.epoch == 0xFFFF
    scene.create("A", "a", "RHW", version=2, epoch=5)
    assert lease.epoch == 0
    scene.create("A", "a", "RH", version=2, epoch=5)
    assert lease.epoch == 0
    scene.create("B")
    scene.create("C", operation=Operation.OVERWRITE)
    assert lease.epoch == 1
    scene.acknowledge(handle, "RH")
    assert lease.epoch == 2
    scene.acknowledge(handle, "R")
    assert lease.epoch == 3


def test_what_is_done_with_the_key_of_the_directory_breaks_no_lease_of_it():
    scene = Scene()
    mine = scene.create("A", "d", "RH", directory=True, version=2)
    scene.create("B", "e", "RH", directory=True, version=2)

    scene.file.contend(Operation.CHANGE, scene.client("A").leases.get(b"d"), scene.now)

    assert mine.has == "RH"
    assert scene.told() == ["B: e RH>!"]


# --- connections ---


def test_a_break_is_told_again_when_its_connection_is_lost_before_the_acknowledgment():
    scene = Scene()
    second = scene.connect("A", "A2")
    writer = scene.create("A", "a", "RHW")
    wait = scene.create("B")
    assert scene.told() == ["A: a RWH>RH!"]

    scene.lose("A", scene.wire("A"))

    assert scene.told() == ["A2: a RWH>RH!"]
    assert is_waiting(wait)
    scene.acknowledge(writer, "RH")
    scene.lose("A", second)
    assert scene.told() == [], "it was acknowledged"


def test_a_break_told_again_has_no_more_time_than_the_first():
    scene = Scene()
    scene.connect("A", "A2")
    scene.create("A", "a", "RHW")
    wait = scene.create("B")
    scene.later(PATIENCE - 1)
    scene.lose("A", scene.wire("A"))

    scene.later(1)

    assert wait.over


def test_a_client_that_is_gone_gives_way_at_once():
    scene = Scene()
    holder = scene.create("A", "a", "RHW")
    scene.lose("A", scene.wire("A"))

    assert scene.create("B", "b", "RHW").has == "RH"
    assert holder.has == "RH", "what it would have been left with"
    assert scene.told() == []


def test_a_client_that_goes_while_its_break_is_under_way_gives_way_then():
    scene = Scene()
    holder = scene.create("A", "a", "RHW")
    wait = scene.create("B", operation=Operation.OVERWRITE)

    scene.lose("A", scene.wire("A"))

    assert wait.over
    assert holder.has == ""
    scene.later(2 * PATIENCE)


def test_a_request_that_gives_up_waiting_leaves_nothing():
    scene = Scene()
    scene.create("A", "a", "RHW")
    for _ in range(3):
        scene.create("B").give_up()

    assert not scene.file.waits


# --- amounts ---


def test_a_thousand_leases_break_once_and_delay_no_later_write(monkeypatch):
    scene = Scene()
    for number in range(1000):
        scene.create("A", f"k{number}", "RH")
    writer = scene.create("B")

    scene.change(writer)
    assert len(scene.told()) == 1000

    looked_at = []
    monkeypatch.setattr(Caching, "break_to", lambda self, *_: looked_at.append(self))
    scene.change(writer)
    assert scene.told() == looked_at == []


def test_what_many_leases_keep_many_requests_from_is_looked_at_once(monkeypatch):
    scene = Scene()
    holders = [scene.create("A", f"k{number}", "RH") for number in range(30)]
    waits = [scene.create("B", operation=Operation.COLLISION) for _ in range(30)]
    own = scene.file.contend(Operation.REMOVE, holders[0].caching, scene.now)
    looked_at = []
    hinderers = scene.file._hinderers
    monkeypatch.setattr(
        Cachings, "_hinderers", lambda _, *of, **how: looked_at.append(of) or hinderers(*of, **how)
    )

    for holder in reversed(holders[1:]):
        assert not own.over
        scene.acknowledge(holder, "R")

    assert own.over, "its own lease hinders no request"
    assert not any(wait.over for wait in waits)
    scene.acknowledge(holders[0], "R")
    assert all(wait.over for wait in waits)
    assert len(looked_at) == len(holders), "as often as one is given up, not once for each request"
    assert not scene.file.waits


def test_thousands_of_breaks_are_told_again_one_by_one():
    scene = Scene()
    client, second = scene.client("A"), scene.connect("A", "A2")
    first = scene.wire("A")
    keys = [f"k{number}" for number in range(3)]
    holders = [scene.create("A", key, "RH") for key in keys]
    scene.change(scene.create("B"))
    scene.told()

    lost = client.lost(first)
    next(lost)
    assert scene.told() == ["A2: k0 RH>!"]
    scene.acknowledge(holders[1], "")
    list(lost)
    assert scene.told() == ["A2: k2 RH>!"], "what was acknowledged meanwhile is not told again"
    scene.lose("A", second)
    assert [holder.has for holder in holders] == ["", "", ""]


def test_a_request_that_waits_for_many_looks_once_when_the_last_has_given_up():
    scene = Scene()
    holders = [scene.create("A", f"k{number}", "RH") for number in range(3)]
    wait = scene.create("B", operation=Operation.COLLISION)

    for holder in holders:
        assert not wait.over
        scene.acknowledge(holder, "R")

    assert wait.over


def test_a_request_that_waits_asks_those_too_that_came_meanwhile():
    scene = Scene()
    first = scene.create("A", "a", "RH")
    wait = scene.create("B", operation=Operation.COLLISION)
    scene.create("C", "c", "RH")

    scene.acknowledge(first, "R")

    assert wait.over
    assert is_waiting(scene.create("B", operation=Operation.COLLISION))
    assert scene.told()[-1] == "C: c RH>R!"


def test_a_file_that_many_cache_is_cached_by_no_more():
    scene = Scene()
    first = scene.create("A", "first", "R")
    for number in range(MOST_KEEPERS - 1):
        scene.create("A", f"k{number}", "R")

    assert scene.create("B", "b", "RH").has == ""
    assert scene.create("B", oplock=LEVEL_II).has == ""
    assert scene.create("A", "first", "RH").has == "RH", "who has some may have more"
    first.close()


def test_a_lease_takes_what_it_is_counted_with():
    scene = Scene()
    scene.client("A")
    start()
    try:
        handles = [scene.create("A", f"k{number:014}", "RH") for number in range(1000)]
        taken = get_traced_memory()[0] / len(handles)
    finally:
        stop()

    assert taken < CACHING <= 1024


def test_the_only_lease_of_a_file_takes_no_more():
    """Beside what a file without leases takes."""
    scenes = [Scene() for _ in range(1000)]
    for scene in scenes:
        scene.client("A")
    start()
    try:
        for number, scene in enumerate(scenes):
            scene.create("A", f"key of {number:09}", "RHW")
        taken = get_traced_memory()[0] / len(scenes)
    finally:
        stop()

    assert taken < CACHING
