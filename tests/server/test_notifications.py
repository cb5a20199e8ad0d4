"""What the server says of its own accord, over a real socket."""

import trio

import smbd.testing
from smbd.wire.oplock_break import pack_oplock_break
from tests.core.messages import ECHO, OPLOCK_BREAK
from tests.scripted import connected

BREAK = pack_oplock_break(0, 3, 3)


async def test_a_client_that_asks_nothing_is_told_at_once(tmp_path):
    async with smbd.testing.serve(tmp_path) as server, connected(server) as client:
        await client.connect()
        (served,) = server.server._clients
        with trio.fail_after(240):
            for _ in range(2):
                served.connection.notify(BREAK, client.session.session_id, None)
                said = await client.notification()
                assert (said.command, said.message_id) == (OPLOCK_BREAK, 2**64 - 1)
                assert (said.session_id, said.body) == (client.session.session_id, BREAK)
            assert (await client.ask(ECHO)).status == 0, "no id and no credit went with it"
