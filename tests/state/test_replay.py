"""CREATEs that come again: while the first is under way, after it, and once it was used."""

from smbd.auth import Identity
from smbd.ntstatus import NtError, NtStatus
from smbd.state import UNUSED, Creation, Creations, Durability
from tests.state.holders import PaperHolder, an_open

KEY = b"client guid", b"create guid"


def status_of(creations, session_id=7, *, replay=True):
    try:
        return creations.find(KEY, session_id, replay=replay)
    except NtError as error:
        return error.status


def created(creations):
    one = an_open()
    one.holder = PaperHolder(session_id=7)
    one.creation = Creation(KEY, 2, 5)
    creations.begin(KEY)
    creations.succeed(one)
    creations.fail(KEY)  # comes always, and means nothing then
    return one


def test_a_replay_gives_the_open_of_the_first_create():
    creations = Creations()
    assert status_of(creations) is None
    one = created(creations)
    assert status_of(creations) is one


def test_a_create_that_does_not_say_that_it_is_a_replay_is_a_duplicate():
    creations = Creations()
    created(creations)
    assert status_of(creations, replay=False) == NtStatus.DUPLICATE_OBJECTID


def test_a_replay_by_another_session_than_the_holder_is_a_duplicate():
    creations = Creations()
    one = created(creations)
    assert status_of(creations, session_id=8) == NtStatus.DUPLICATE_OBJECTID
    one.holder = None
    assert status_of(creations, session_id=8) is one, "it is parked: whose it is is asked next"


def test_while_the_first_create_is_under_way_its_replay_is_to_come_again():
    creations = Creations()
    creations.begin(KEY)
    assert status_of(creations) == NtStatus.FILE_NOT_AVAILABLE
    assert status_of(creations, replay=False) == NtStatus.DUPLICATE_OBJECTID
    creations.fail(KEY)
    assert status_of(creations) is None


def test_an_open_that_was_used_is_not_eligible_any_more():
    creations = Creations()
    one = created(creations)
    assert one.channel_sequence == UNUSED
    creations.used(one)
    assert one.channel_sequence == 5
    assert status_of(creations) is None
    assert one.creation is None


def test_a_persistent_open_stays_eligible():
    creations = Creations()
    one = created(creations)
    one.durable = Durability(Identity("ann", "", b""), 60.0, persistent=True)
    creations.used(one)
    assert one.channel_sequence == 5
    assert status_of(creations) is one


def test_a_closed_open_is_forgotten_and_leaves_a_later_one_alone():
    creations = Creations()
    one = created(creations)
    creations.used(one)
    two = created(creations)
    creations.forget(one)
    assert status_of(creations) is two
    creations.forget(two)
    assert not creations._opens
