"""Who gets what a server sends: the one that waits for it, in whatever order it comes."""

from struct import pack

import pytest
import trio
from trio.testing import memory_stream_pair

from smbd.wire.oplock_break import pack_lease_break_notification, pack_oplock_break
from tests.core import messages
from tests.core.messages import ECHO, OPLOCK_BREAK, READ, RESPONSE, UNASKED, message
from tests.scripted import PENDING, Connection, HungUpError
from tests.scripted.caching import H, LeaseBreak, OplockBreak, R, W, parse_break
from tests.scripted.framing import framed

KEY = b"a lease's key..."


class Script:
    """A client's connection, and what a server says on it."""

    def __init__(self):
        client, self.server = memory_stream_pair()
        self.connection = Connection(client)

    async def say(self, *responses):
        await self.server.send_all(framed(*responses))


@pytest.fixture
def script():
    return Script()


def response(message_id, command=ECHO, body=messages.EMPTY, *, status=0, async_id=None):
    flags = RESPONSE if async_id is None else RESPONSE | messages.ASYNC
    made = bytearray(message(command, body, message_id=message_id, flags=flags, async_id=async_id))
    made[8:12] = pack("<I", status)
    return bytes(made)


def told(body):
    return response(UNASKED, OPLOCK_BREAK, body)


OPLOCK = told(pack_oplock_break(1, 5, 6))
LEASE = told(pack_lease_break_notification(3, 1, KEY, R | H | W, R))


async def test_each_gets_its_own_response_in_whatever_order_they_come(script):
    first = await script.connection.begin(READ)
    second = await script.connection.begin(ECHO)
    await script.say(response(second), response(first, READ))
    assert (await script.connection.reply(first)).command == READ
    assert (await script.connection.reply(second)).command == ECHO


async def test_tasks_that_wait_at_once_do_not_take_each_others(script):
    ids = [await script.connection.begin(ECHO) for _ in range(3)]
    got = []

    async def wait(message_id):
        got.append((message_id, (await script.connection.reply(message_id)).message_id))

    async with trio.open_nursery() as nursery:
        for one in ids:
            nursery.start_soon(wait, one)
        await script.say(*map(response, reversed(ids)))
    assert sorted(got) == [(one, one) for one in ids]


async def test_a_wait_that_is_given_up_loses_nothing(script):
    waiting = await script.connection.begin(READ)
    with trio.move_on_after(0):
        await script.connection.reply(waiting)
    await script.say(response(waiting, READ))
    assert (await script.connection.reply(waiting)).command == READ


async def test_an_interim_response_is_there_for_who_asks_and_no_reply(script):
    waiting = await script.connection.begin(READ)
    await script.say(response(waiting, READ, status=PENDING, async_id=9))
    assert (await script.connection.interim(waiting)).async_id == 9
    await script.say(response(waiting, READ, status=PENDING, async_id=9))
    await script.say(response(waiting, READ))
    assert (await script.connection.reply(waiting)).status == 0
    await script.server.aclose()
    assert await script.connection.hung_up()


async def test_a_notification_is_no_response_to_anything(script):
    asked = await script.connection.begin(ECHO)
    await script.say(OPLOCK, response(asked), LEASE)
    assert (await script.connection.answer()).message_id == asked
    assert parse_break(await script.connection.notification()) == OplockBreak(1, pack("<QQ", 5, 6))
    assert parse_break(await script.connection.notification()) == LeaseBreak(
        3, must_acknowledge=True, key=KEY, current=R | H | W, new=R
    )
    assert script.connection.notifications == []


async def test_who_waits_when_the_server_hangs_up_is_told(script):
    waiting = await script.connection.begin(READ)
    await script.server.aclose()
    with pytest.raises(HungUpError):
        await script.connection.reply(waiting)
    with pytest.raises(HungUpError):
        await script.connection.notification()
    assert await script.connection.hung_up()


async def test_a_request_can_be_cancelled_by_either_of_its_ids(script):
    waiting = await script.connection.begin(READ)
    await script.connection.cancel(waiting)
    await script.connection.cancel(async_id=9)
    sent = await script.server.receive_some()
    by_message, by_async = sent[-144:-72], sent[-72:]
    assert by_message[4 + 12] == by_async[4 + 12] == messages.CANCEL
    assert by_message[4 + 24 : 4 + 32] == pack("<Q", waiting)
    assert by_async[4 + 32 : 4 + 40] == pack("<Q", 9)
