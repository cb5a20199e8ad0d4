"""No change is lost to a watch, and no watch sleeps, amid requests taken back and quick clients."""

import random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.ntstatus import NtStatus
from smbd.wire.change_notify import CompletionFilter, FileAction
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    DELETE_ON_CLOSE,
    ECHO,
    FILE_CREATE,
    FILE_OPEN,
    PREVIOUS_FILE,
    QUERY_INFO,
    SET_INFO,
)
from tests.scripted import connected, frames
from tests.server.quick import QuickClient, busy_alone, send, standing_by

BASIC = 4
NAMES = CompletionFilter.FILE_NAME | CompletionFilter.DIR_NAME
END = CLOSE, messages.close(PREVIOUS_FILE)
DELETE, LIST = 0x10000, 0x81


def steps(who, count):
    """Frames by which files come, get other names and go, and what a watcher is told of them."""
    asked, told = [], []
    for number in range(count):
        name, new = f"{who} {number}", f"{who} {number} renamed"
        create = CREATE, messages.create(name, disposition=FILE_CREATE)
        gone = {"disposition": FILE_OPEN, "options": DELETE_ON_CLOSE, "access": DELETE}
        rename = SET_INFO, messages.set_info(PREVIOUS_FILE, frames.RENAME, frames.rename(new))
        asked += [
            [create, END],
            [(CREATE, messages.create(name, disposition=FILE_OPEN)), rename, END],
            [(CREATE, messages.create(new, **gone)), END],
        ]
        told += [
            (FileAction.ADDED, name),
            (FileAction.RENAMED_OLD_NAME, name),
            (FileAction.RENAMED_NEW_NAME, new),
            (FileAction.REMOVED, new),
        ]
    return asked, told


class Watcher:
    """Asks again and again on one handle; sometimes it takes a request back."""

    def __init__(self, connection, directory, chance):
        self.told = []
        self._connection = connection
        self._chance = chance
        self._body = messages.change_notify(directory, NAMES, length=65536)
        self._asked = 0
        self.waits = False  # for an answer, as long as there is nothing to tell

    def begin(self):
        self._asked = send(self._connection, (CHANGE_NOTIFY, self._body))
        self.waits = True

    def cancel(self):
        send(self._connection, (CANCEL, messages.EMPTY), message_id=self._asked)
        self.waits = False

    async def end(self):
        """The answer to what it asks; whether it tells of something."""
        answer = await self._connection.reply(self._asked)
        self.waits = False
        assert answer.status in {0, NtStatus.CANCELLED}
        if not answer.status:
            self.told += frames.changed(answer)
        return not answer.status

    async def hear(self):
        """Ask once more, and maybe take it back, before or behind the answer."""
        self.begin()
        for _ in range(self._chance.randrange(6)):
            await trio.lowlevel.checkpoint()
        if self._chance.random() < 0.5:
            self.cancel()
        await self.end()

    async def hear_until(self, clients):
        """Hear the first answer, and more until these are done."""
        await self.end()
        while not all(client.done.is_set() for client in clients):
            await self.hear()

    async def hear_the_rest(self):
        more = True
        while more:
            self.begin()
            self.cancel()
            more = await self.end()


class Pauses:
    """Half of a client's requests come at once, and the others later."""

    def __init__(self, nursery, chance):
        self._nursery = nursery
        self._chance = chance

    def __call__(self, ask):
        rests = self._chance.random() < 0.5
        if rests:
            self._nursery.start_soon(self._later, ask)
        return rests

    async def _later(self, ask):
        for _ in range(self._chance.randrange(4)):
            await trio.lowlevel.checkpoint()
        ask()


async def told_of(server, meanwhile, connections, chance):
    """What a watcher is told of two others' changes: (told, what it should be) for each."""
    watching, *changing = connections
    watcher = Watcher(watching, await watching.open("", access=LIST), chance)
    look = QUERY_INFO, messages.query_info(await changing[0].open("", access=LIST), BASIC)
    whose = dict(zip(("one", "other"), changing, strict=True))
    wanted = {who: steps(who, 15) for who in whose}
    async with trio.open_nursery() as nursery:
        pauses = Pauses(nursery, chance)
        clients = [
            QuickClient(server, connection, *wanted[who][0], rests=pauses)
            for who, connection in whose.items()
        ]
        await busy_alone(changing[0], *look)
        watcher.begin()
        await watching.ask(ECHO)  # the watch is there
        meanwhile.acts += [client.ask for client in clients]
        nursery.start_soon(watcher.hear_until, clients)
        for client in clients:
            await client.done.wait()
        await wait_all_tasks_blocked()
        waited, before = watcher.waits, list(watcher.told)
        watcher.cancel()
    await watcher.hear_the_rest()
    assert not waited or watcher.told == before, "it was not woken"
    assert not [hex(status) for client in clients for status in client.statuses if status]
    return [
        ([one for one in watcher.told if one[1].startswith(who)], told)
        for who, (_, told) in wanted.items()
    ]


@pytest.mark.parametrize("seed", range(12))
async def test_a_watcher_is_told_of_all_that_quick_clients_do(folder, seed):
    async with (
        standing_by(folder) as (server, meanwhile),
        connected(server) as watching,
        connected(server) as one,
        connected(server) as other,
    ):
        connections = watching, one, other
        for connection in connections:
            await connection.connect()
        with trio.fail_after(240):
            for told, wanted in await told_of(server, meanwhile, connections, random.Random(seed)):
                assert told == wanted
