"""A client that does nothing but an ordinary READ now and then, and what it waits for the answer.

It is a process of its own, so that it feels the server's loop and not the attacker's.
"""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import trio

from tests.conformance.servers import CHECKOUT
from tests.core import messages
from tests.core.messages import READ
from tests.scripted import connected

from .served import Served

_EVERY = 0.002  # seconds


@dataclass
class Waits:
    """How long its READs took, in milliseconds, sorted; filled when it has ended."""

    milliseconds: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """The wait that so many percent of the READs did not exceed."""
        if not self.milliseconds:
            return float("inf")
        place = int(len(self.milliseconds) * percent / 100)
        return self.milliseconds[min(place, len(self.milliseconds) - 1)]


def _start(server: Served) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "tests.campaign.bystander", server.host, str(server.port)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT)


@asynccontextmanager
async def bystander(server: Served) -> AsyncIterator[Waits]:
    """One beside what happens in the block."""
    process = _start(server)
    assert process.stdout is not None
    waits = Waits()
    try:
        await trio.to_thread.run_sync(process.stdout.readline)  # it reads now
        yield waits
    finally:
        out, _ = await trio.to_thread.run_sync(process.communicate)  # closes its stdin
        waits.milliseconds = sorted(json.loads(out or b"[]"))


async def _read_until_told(host: str, port: int) -> list[float]:
    took: list[float] = []
    async with connected(SimpleNamespace(host=host, port=port)) as client:
        await client.connect()
        file_id = await client.open("bystander", options=messages.DELETE_ON_CLOSE)
        await client.ask(messages.WRITE, messages.write(file_id, bytes(4096)))
        print("reads", flush=True)
        async with trio.open_nursery() as nursery:

            async def until_end() -> None:
                await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_end)
            while True:
                began = time.perf_counter()
                await client.ask(READ, messages.read(file_id))
                took.append((time.perf_counter() - began) * 1000)
                await trio.sleep(_EVERY)
    return took


if __name__ == "__main__":
    print(json.dumps(trio.run(_read_until_told, sys.argv[1], int(sys.argv[2]))))
