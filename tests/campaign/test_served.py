"""What a campaign counts as left of its attack, and what not."""

from pathlib import Path

from tests.core import messages
from tests.core.messages import CLOSE, FLUSH
from tests.scripted import connected

from .served import served


async def test_what_clients_have_is_counted_until_they_go_and_what_engines_keep_is_not(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        before = await server.held_at_rest()
        async with connected(server) as client:
            await client.connect()
            file_id = await client.open("file")
            held = await server.held()
            assert {what for what, count in before.items() if held[what] > count} >= {
                *("connections", "sessions", "opens", "descriptors", "tasks"),
            }
            # Threads in C may not be at hand at the first one.
            for _ in range(20):
                assert (await client.ask(FLUSH, messages.flush(file_id))).status == 0
            await client.ask(CLOSE, messages.close(file_id))
        left = await server.left(before)
    assert max(left.values()) <= 0, left
