"""Parked opens: who gets one back, when it ends, whom it gives way to, how many there are."""

from dataclasses import replace

import pytest

from smbd.auth import Identity
from smbd.ntstatus import NtError, NtStatus
from smbd.state import (
    OPLOCKS,
    Claim,
    Client,
    Durability,
    OpenTable,
    Tables,
    WantedCaching,
    timeout_of,
)
from smbd.wire.create import OplockLevel
from smbd.wire.create_contexts import Lease
from tests.state.holders import READ, PaperFile, PaperHolder, an_open

ANN, BOB = Identity("ann", "", b""), Identity("bob", "", b"")
GUID, KEY = b"g" * 16, b"k" * 16
R, H, W = 1, 2, 4
MISSING, REFUSED = NtStatus.OBJECT_NAME_NOT_FOUND, NtStatus.ACCESS_DENIED


class Scene:
    """Tables, and a clock that the test moves."""

    def __init__(self, limit=1000):
        self.tables = Tables(OpenTable(limit))
        self.client = Client(guid=b"c" * 16)
        self.number = 0
        self.woken = []
        self.tables.durable.wake = lambda: self.woken.append(True)

    def holder(self, user="ann"):
        self.number += 1
        return PaperHolder(f"connection {self.number}", f"user {user}", "net")

    def opened(self, *, lease=None, oplock=OplockLevel.BATCH, owner=ANN, now=0.0, **details):
        """An Open that is durable by a lease, or by an oplock."""
        self.number += 1
        file = details.pop("file", None) or PaperFile(inode=self.number, path=f"f{self.number}")
        one = an_open(file, number=self.number, **details)
        wanted = WantedCaching(oplock=OPLOCKS.get(oplock, 0))
        if lease is not None:
            asked = Lease(2, KEY, lease)
            wanted = WantedCaching(client=self.client, lease=asked)
        holder = self.holder(owner.user)
        assert self.tables.enter(one, holder, wanted, now) is None
        one.durable = Durability(owner, 60.0, GUID)
        return one

    def parked(self, *, now=0.0, **details):
        one = self.opened(now=now, **details)
        assert self.tables.park(one, now)
        return one

    def claim(self, one, **said):
        """The right one, but for what is said."""
        lease = one.caching is not None and not one.caching.is_oplock
        right = Claim(
            persistent_id=one.persistent_id,
            user=ANN,
            share=one.share,
            root=one.file.root,
            name=(one.file.path, None),
            create_guid=GUID,
            client=self.client,
            lease_key=KEY if lease else None,
        )
        return replace(right, **said)

    def status(self, one, **said):
        try:
            self.tables.reclaim(self.claim(one, **said), self.holder())
        except NtError as error:
            return error.status
        return 0

    def ended(self):
        return self.tables.durable.take_ended()

    def close(self, one):
        self.tables.leave(one)
        return one


class Told:
    """A connection, and the breaks that were told over it."""

    def __init__(self):
        self.told = []

    def tell_break(self, notification):
        self.told.append(notification)


@pytest.mark.parametrize("lease", [None, R | H, R | W | H])
def test_a_parked_open_goes_back_to_whom_it_was_granted(lease):
    scene = Scene()
    one = scene.parked(lease=lease)
    assert scene.status(one) == 0
    assert one.holder is not None
    assert scene.tables.park(one, 1.0), "and again"
    assert scene.status(one) == 0
    assert not len(scene.tables.durable)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"persistent_id": 99}, MISSING),
        ({"create_guid": b"another guid 16b"}, MISSING),
        ({"persistent": True}, MISSING),
        ({"share": None}, MISSING),
        ({"root": None}, MISSING),
        ({"client": Client(guid=b"d" * 16)}, MISSING),
        ({"client": None}, MISSING),
        ({"lease_key": None}, MISSING),
        ({"lease_key": b"x" * 16}, MISSING),
        ({"name": ("another", None)}, NtStatus.INVALID_PARAMETER),
        ({"user": BOB}, REFUSED),
        ({"user": None}, REFUSED),
        ({"user": Identity("ann", "", b"", is_guest=True)}, REFUSED),
        ({"user": Identity("", "", b"", is_anonymous=True)}, REFUSED),
    ],
)
def test_anything_that_is_another_keeps_a_parked_open_from_whoever_says_it(said, status):
    scene = Scene()
    one = scene.parked(lease=R | H)
    assert scene.status(one, **said) == status
    assert one.holder is None
    assert scene.status(one) == 0, "it is still there for the right one"


def test_a_client_may_come_back_for_an_oplock_with_another_guid_and_name_but_with_no_lease():
    scene = Scene()
    one = scene.parked()
    assert scene.status(one, lease_key=KEY) == MISSING
    assert scene.status(one, client=None, name=("", None)) == 0


def test_a_lease_goes_on_with_its_client_whoever_logs_in_first_on_the_next_connection():
    scene = Scene()
    one = scene.parked(lease=R | H)
    next_ = Client(guid=scene.client.guid)
    assert scene.status(one, client=next_) == 0
    assert one.caching.teller is next_
    assert next_.leases == {KEY: one.caching}
    assert not scene.client.leases
    scene.close(one)
    assert not next_.leases


def test_a_lease_key_that_the_client_uses_again_meanwhile_is_of_one_file():
    scene = Scene()
    one, before = scene.parked(lease=R | H), scene.client
    scene.client = Client(guid=before.guid)
    scene.opened(lease=R | H)
    assert scene.status(one) == MISSING


def test_clients_that_say_no_guid_are_as_many_as_their_connections():
    scene = Scene()
    scene.client = Client()
    one = scene.parked(lease=R | H)
    assert scene.status(one, client=Client()) == MISSING


def test_version_1_says_no_create_guid():
    scene = Scene()
    one = scene.parked()
    assert scene.status(one, create_guid=None) == 0


def test_the_name_of_an_account_is_one_in_any_case():
    scene = Scene()
    assert scene.status(scene.parked(), user=Identity("ANN", "domain", b"key")) == 0


def test_an_open_that_somebody_holds_is_claimed_by_nobody():
    scene = Scene()
    one = scene.opened()
    assert scene.status(one) == MISSING


@pytest.mark.parametrize(
    "details",
    [
        {"oplock": OplockLevel.NONE},
        {"oplock": OplockLevel.LEVEL_II},
        {"oplock": OplockLevel.EXCLUSIVE},
        {"lease": R | W},
    ],
)
def test_an_open_that_may_not_keep_its_handle_is_not_parked(details):
    scene = Scene()
    one = scene.opened(**details)
    assert not scene.tables.park(one, 0.0)
    assert one.holder is not None


def test_an_open_that_is_not_durable_is_not_parked():
    scene = Scene()
    one = scene.opened()
    one.durable = None
    assert not scene.tables.park(one, 0.0)


def test_an_open_whose_caching_is_being_broken_is_not_parked():
    scene = Scene()
    one = scene.opened()
    one.caching.teller.join(Told())
    other = an_open(one.file, number=99)
    assert scene.tables.enter(other, scene.holder("bob"), WantedCaching(), 0.0) is not None
    assert one.caching.is_breaking
    assert not scene.tables.park(one, 0.0)


def test_a_parked_open_ends_when_its_time_is_over_and_not_before():
    scene = Scene()
    one = scene.parked(now=5.0)
    scene.tables.deadlines.pass_(64.9)
    assert not scene.ended()
    scene.tables.deadlines.pass_(65.0)
    assert scene.woken
    assert scene.status(one) == MISSING, "although it is not closed yet"
    assert scene.ended() == [one]
    assert not scene.ended()
    scene.close(one)
    assert not list(scene.tables.opens)


def test_an_open_that_was_claimed_has_no_end_any_more():
    scene = Scene()
    one = scene.parked()
    assert scene.status(one) == 0
    scene.tables.deadlines.pass_(1000.0)
    assert not scene.ended()
    assert not len(scene.tables.deadlines)


@pytest.mark.parametrize(
    ("lease", "sharing", "waits"),
    [(None, 7, True), (R | W | H, 7, True), (R | H, 0, True), (R | H, 7, False)],
)
def test_a_parked_open_yields_to_whoever_takes_what_it_caches(lease, sharing, waits):
    scene = Scene()
    one = scene.parked(lease=lease, sharing=sharing)
    other = an_open(one.file, number=99, access=READ)
    holder = scene.holder("bob")
    wait = scene.tables.enter(other, holder, WantedCaching(), 1.0)
    assert (wait is not None) == waits
    if not waits:
        assert not scene.ended(), "a lease of READ and HANDLE does not mind another reader"
        assert scene.status(one) == 0
        return
    assert not wait.over, "its share mode is still there"
    assert scene.status(one) == MISSING
    assert scene.ended() == [one]
    scene.close(one)
    assert wait.over
    assert scene.tables.enter(other, holder, WantedCaching(), 1.0) is None


def test_only_the_parked_opens_of_a_lease_yield_and_its_client_is_told_for_the_others():
    scene = Scene()
    one = scene.parked(lease=R | W | H)
    two = scene.opened(lease=R | W | H, file=one.file)
    client = Told()
    scene.client.join(client)
    third = an_open(one.file, number=99)
    assert scene.tables.enter(third, scene.holder("bob"), WantedCaching(), 1.0) is not None
    assert scene.ended() == [one]
    assert len(client.told) == 1
    assert two.caching.is_breaking


def test_one_user_has_half_of_the_parked_opens_at_most():
    scene = Scene()
    scene.tables.durable.limit = 10
    for _ in range(5):
        scene.parked()
    assert not scene.tables.park(scene.opened(), 0.0)
    for _ in range(5):
        scene.parked(owner=BOB)
    assert len(scene.tables.durable) == 10
    assert not scene.tables.park(scene.opened(owner=Identity("eve", "", b"")), 0.0)


def test_one_user_has_half_of_the_persistent_opens_at_most():
    scene = Scene()
    durable = scene.tables.durable
    durable.limit = 10
    hers = [scene.opened() for _ in range(6)]
    assert [durable.make_persistent(one) for one in hers] == [True] * 5 + [False]
    assert durable.make_persistent(scene.opened(owner=BOB))
    scene.close(hers[0])
    assert durable.make_persistent(hers[5])
    for one in durable.persistent:
        scene.close(one)
    assert not durable._persistent_of


def test_handles_of_clients_that_vanish_are_bounded_by_count_and_by_memory():
    scene = Scene()
    scene.tables.durable.limit = 100
    kept = sum(scene.tables.park(scene.opened(), 0.0) for _ in range(200))
    assert kept == 50
    scene.tables.durable.account.open(0)
    assert not scene.tables.park(scene.opened(owner=BOB), 0.0)
    scene.tables.deadlines.pass_(60.0)
    ended = scene.ended()
    assert len(ended) == 50
    for one in ended:
        scene.close(one)
    assert scene.tables.durable.account.held == 0
    assert not scene.tables.durable._of_user


def test_when_the_server_ends_all_parked_opens_do():
    scene = Scene()
    one, two = scene.parked(), scene.parked()
    scene.tables.durable.end_all()
    assert scene.ended() == [one, two]


@pytest.mark.parametrize(
    ("asked", "granted"), [(0, 60.0), (1, 0.001), (5000, 5.0), (300_001, 300.0), (2**32 - 1, 300.0)]
)
def test_a_timeout_is_what_a_client_asks_for_up_to_five_minutes(asked, granted):
    assert timeout_of(asked) == granted


@pytest.mark.parametrize(("lease", "stays"), [(R | H, True), (R, False)])
def test_a_parked_open_that_cannot_be_recorded_any_more_stays_as_a_durable_one(lease, stays):
    scene = Scene()
    durable = scene.tables.durable
    one = scene.opened(lease=lease)
    assert durable.make_persistent(one)
    assert scene.tables.park(one, 0.0)
    durable.make_merely_durable(one)
    assert (durable.due(one) is not None) == stays
    if stays:
        writer = an_open(one.file, number=99, sharing=0)
        assert scene.tables.enter(writer, scene.holder("bob"), WantedCaching(), 1.0)
    assert scene.ended() == [one], "it yields, or its time is over at once"
    scene.close(one)
    assert not durable.persistent
    assert not len(scene.tables.deadlines)


def test_what_the_lost_session_has_in_work_came_before_what_the_next_one_sends():
    one = Scene().opened()
    assert one.begin_request(0)
    one.restart_sequence(1)
    assert not one.follow_sequence(1, replay=True), "what it repeats may be under way"
    one.end_request(0)
    assert one.follow_sequence(1, replay=True)
    assert (one.requests, one.earlier_requests) == (0, 0)


def test_a_refused_reconnect_leaves_the_lease_in_the_account_of_the_session_that_has_it():
    scene, file = Scene(limit=5), PaperFile(inode=7, path="shared")
    first, second = (scene.parked(lease=R | H, file=file) for _ in range(2))
    home, full = scene.holder(), scene.holder()
    scene.tables.reclaim(scene.claim(first), home)
    held = home.account.held
    for number in (98, 99):
        other = an_open(PaperFile(inode=number), number=number, claimants=full.claimants)
        scene.tables.opens.add(other)
    with pytest.raises(NtError):
        scene.tables.reclaim(scene.claim(second), full)
    assert home.account.held == held
    assert full.account.held == 0
