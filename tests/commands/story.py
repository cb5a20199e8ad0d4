"""One client on the stage, whose requests each wait for their answer: for linear stories."""

from contextlib import asynccontextmanager
from struct import unpack_from

from smbd.auth import Identity
from smbd.wire.dtyp import pack_security_descriptor, parse_security_descriptor
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, QUERY_DIRECTORY, QUERY_INFO, SET_INFO

CREATE_NEW, OPEN, OVERWRITE = 2, 1, 4  # CreateDisposition
DIRECTORY = 1  # CreateOptions
FILE, SECURITY = 1, 3  # InfoType
OWNER, GROUP, DACL = 1, 2, 4  # SecurityInformation
BASIC = 4  # FileBasicInformation


class Client:
    def __init__(self, stage):
        self.stage = stage

    def become(self, user):
        self.stage.session.identity = Identity(user, "", b"")

    def become_guest(self):
        self.stage.session.identity = Identity("guest", "", b"", is_guest=True, is_anonymous=False)

    async def ask(self, command, body):
        self.stage.ask(command, body)
        return await self.stage.answer()

    async def create(self, name, **wanted):
        """The answer to a CREATE, whatever it is."""
        return await self.ask(CREATE, messages.create(name, **wanted))

    async def open(self, name, **wanted):
        """The FileId of a CREATE that succeeds."""
        answer = await self.create(name, **wanted)
        assert answer.status == 0, hex(answer.status)
        return answer.file_id

    async def close(self, file_id, flags=0):
        answer = await self.ask(CLOSE, messages.close(file_id, flags))
        assert answer.status == 0
        return answer

    async def touch(self, name, **wanted):
        """Make a file or folder, and close it."""
        await self.close(await self.open(name, **wanted))

    async def status_of_open(self, name, access):
        """What opening an existing file for these rights gives."""
        answer = await self.create(name, access=access, disposition=OPEN)
        if answer.status == 0:
            await self.close(answer.file_id)
        return answer.status

    async def set_security(self, file_id, descriptor, parts=DACL):
        data = pack_security_descriptor(descriptor)
        body = messages.set_info(file_id, 0, data, info_type=SECURITY, additional=parts)
        return (await self.ask(SET_INFO, body)).status

    async def security(self, file_id, parts=OWNER | GROUP | DACL):
        body = messages.query_info(file_id, 0, info_type=SECURITY, additional=parts)
        answer = await self.ask(QUERY_INFO, body)
        assert answer.status == 0
        return parse_security_descriptor(memoryview(answer.output))

    async def query(self, file_id, info_class, **wanted):
        answer = await self.ask(QUERY_INFO, messages.query_info(file_id, info_class, **wanted))
        return answer.status, answer.output if answer.status == 0 else b""

    async def set(self, file_id, info_class, data):
        return (await self.ask(SET_INFO, messages.set_info(file_id, info_class, data))).status

    async def list(self, file_id, pattern="*", **wanted):
        """(status, names) of one QUERY_DIRECTORY, FileNamesInformation."""
        body = messages.query_directory(file_id, pattern, **wanted)
        answer = await self.ask(QUERY_DIRECTORY, body)
        return answer.status, names(answer.output) if answer.status == 0 else []


def names(listing):
    found, at = [], 0
    while True:
        following, _, length = unpack_from("<III", listing, at)
        found.append(listing[at + 12 : at + 12 + length].decode("utf-16-le"))
        if not following:
            return found
        at += following


@asynccontextmanager
async def client(path):
    async with on_stage(path) as stage:
        yield Client(stage)
