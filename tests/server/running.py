"""A server that runs from a shares.toml, which a test writes again."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from smbd.config import load, prepare
from smbd.server import Server, serving
from tests.scripted import connected

USERS = "[users.test]\npassword = 'test'\n"
ONE_SHARE = "[shares.share]\npath = 'one'\n"


@dataclass
class Running:
    server: Server
    folder: Path  # of shares.toml, and of what it shares

    @property
    def host(self):
        return self.server.addresses[0].host

    @property
    def port(self):
        return self.server.addresses[0].port

    def write(self, text, server="", users=USERS):
        write(self.folder, text, server, users)

    async def reload(self):
        return await self.server.reload(lambda: prepare(load(self.folder / "shares.toml")).config)

    async def ask(self, question):
        """The control socket's answer to one line."""
        line = question if isinstance(question, bytes) else json.dumps(question).encode() + b"\n"
        async with await trio.open_unix_socket(self.folder / "control") as stream:
            await stream.send_all(line)
            received = b"".join([chunk async for chunk in stream])
        return json.loads(received)


def write(folder, text, server="", users=USERS):
    listen = "listen = ['127.0.0.1:0']\nstatus_socket = 'control'\n"
    file = folder / "shares.toml"
    file.write_text(f"[server]\n{listen}{server}\n{users}{text}")
    file.chmod(0o600)


@asynccontextmanager
async def running(folder, text=ONE_SHARE, server="", users=USERS):
    for name in ("one", "two"):
        (folder / name).mkdir()
    write(folder, text, server, users)
    async with serving(prepare(load(folder / "shares.toml")).config) as found:
        yield Running(found, folder)


async def login_status(server, user="test", password="test"):
    """What a new client's login ends with."""
    async with connected(server) as client:
        await client.negotiate()
        return (await client.log_in(user, password)).status


async def connect_status(server, share):
    """What a new client's tree connect ends with."""
    async with connected(server) as client:
        await client.negotiate()
        assert (await client.log_in()).status == 0
        return (await client.enter(share)).status
