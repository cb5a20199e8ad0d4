"""Listings in Apple's layout (READ_DIR_ATTR): the rights that they show are those of CREATE."""

from struct import pack, unpack_from

import pytest

from smbd.vfs.acl import account_sid
from smbd.wire.access import FILE_ALL_ACCESS, FILE_GENERIC_READ, Access
from smbd.wire.dtyp import Ace, AceType, Control, SecurityDescriptor
from tests.commands.story import DIRECTORY, OPEN, client
from tests.core import messages
from tests.core.messages import QUERY_DIRECTORY

ID_BOTH = 37
AAPL = (b"AAPL", pack("<IIQQ", 1, 0, 1, 1))


def list_of(user, mask):
    ace = Ace(AceType.ACCESS_ALLOWED, 0, mask, account_sid(user))
    return SecurityDescriptor(None, None, [ace], control=Control.DACL_PRESENT)


async def listed_access(someone, name):
    """Maximal access in the listing."""
    folder = await someone.open("", access=1, options=DIRECTORY, contexts=(AAPL,))
    body = messages.query_directory(folder, name, info_class=ID_BOTH)
    answer = await someone.ask(QUERY_DIRECTORY, body)
    assert answer.status == 0
    await someone.close(folder)
    return unpack_from("<I", answer.output, 64)[0]


async def told_access(someone, name):
    """Maximal access in the answer to a CREATE that asks for it."""
    answer = await someone.create(
        name, access=Access.FILE_READ_ATTRIBUTES, disposition=OPEN, contexts=((b"MxAc", b""),)
    )
    assert answer.status == 0
    await someone.close(answer.file_id)
    status, access = unpack_from("<II", answer.contexts[b"MxAc"])
    assert status == 0
    return access


@pytest.mark.parametrize("user", ["ann", "bob"])
async def test_a_listing_shows_the_rights_of_the_user_that_asks(tmp_path, mock_clock, user):
    async with client(tmp_path) as someone:
        someone.become("ann")
        mine = await someone.open("hers")
        assert await someone.set_security(mine, list_of("ann", FILE_GENERIC_READ)) == 0
        await someone.close(mine)
        await someone.touch("free")
        someone.become(user)
        for name in ("hers", "free"):
            assert await listed_access(someone, name) == await told_access(someone, name)
        assert await listed_access(someone, "free") == FILE_ALL_ACCESS
        reads = await listed_access(someone, "hers") & Access.FILE_READ_DATA
        assert bool(reads) == (user == "ann")


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
async def test_a_listing_shows_what_unix_forbids(tmp_path, mock_clock, mode):
    async with client(tmp_path) as someone:
        await someone.touch("file")
        (tmp_path / "file").chmod(mode)
        assert await listed_access(someone, "file") == await told_access(someone, "file")
