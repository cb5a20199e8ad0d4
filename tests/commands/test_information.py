"""QUERY_INFO and SET_INFO: the classes that need more than what stat says."""

from struct import pack, unpack_from

import pytest

from smbd.ntstatus import NtStatus
from smbd.vfs.short_names import short_name
from smbd.wire.access import Access
from tests.commands.story import client
from tests.core import messages
from tests.core.messages import QUERY_INFO

STANDARD, FULL_EA, MODE, ALTERNATE_NAME, STREAM, NORMALIZED = 5, 15, 16, 21, 22, 48
DISPOSITION, DISPOSITION_EX = 13, 64
DELETE_FLAG, POSIX_FLAG = 1, 2
WRITE_THROUGH, SEQUENTIAL, DELETE_ON_CLOSE = 2, 4, 0x1000
FILE_SYSTEM, ATTRIBUTES = 2, 5
PERSISTENT_ACLS = 8


def ea(name, value, *, more=False):
    one = pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value
    one += bytes(-(len(one) + 4) % 4)
    return pack("<I", (len(one) + 4) if more else 0) + one


def wanted_eas(*names):
    out = b""
    for number, name in enumerate(names, 1):
        one = pack("<B", len(name)) + name + b"\0"
        one += bytes(-(len(one) + 4) % 4)
        out += pack("<I", 0 if number == len(names) else len(one) + 4) + one
    return out


async def test_a_link_that_will_go_is_not_counted(tmp_path, mock_clock):
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    async with client(tmp_path) as me:
        file = await me.open("a")
        for doomed, links in ((1, 1), (0, 2)):
            assert await me.set(file, DISPOSITION, bytes([doomed])) == 0
            status, data = await me.query(file, STANDARD)
            assert status == 0
            assert unpack_from("<IB", data, 16) == (links, doomed)


async def test_a_doomed_file_that_somebody_else_removed_has_no_links(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        assert await me.set(file, DISPOSITION, b"\1") == 0
        (tmp_path / "a").unlink()
        status, data = await me.query(file, STANDARD)
        assert status == 0
        assert unpack_from("<IB", data, 16) == (0, 1)


async def test_a_disposition_with_flags_that_are_not_offered(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        both = pack("<I", DELETE_FLAG | POSIX_FLAG)
        assert await me.set(file, DISPOSITION_EX, both) == NtStatus.NOT_SUPPORTED
        assert await me.set(file, DISPOSITION_EX, pack("<I", DELETE_FLAG)) == 0
        await me.close(file)
        assert not (tmp_path / "a").exists()


async def test_the_mode_of_an_open_is_what_it_was_opened_with(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a", options=SEQUENTIAL | DELETE_ON_CLOSE | 0x40)
        assert await me.query(file, MODE) == (0, pack("<I", SEQUENTIAL | DELETE_ON_CLOSE))
        assert await me.set(file, MODE, pack("<I", WRITE_THROUGH)) == 0
        assert await me.query(file, MODE) == (0, pack("<I", WRITE_THROUGH | DELETE_ON_CLOSE))
        for wrong in (DELETE_ON_CLOSE, 0x40, 1 << 31):
            assert await me.set(file, MODE, pack("<I", wrong)) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize("name", ["a", "a long name.document"])
async def test_the_short_name_of_a_file(tmp_path, mock_clock, name):
    async with client(tmp_path) as me:
        status, data = await me.query(await me.open(name), ALTERNATE_NAME)
        assert (status, data[4:].decode("utf-16-le")) == (0, short_name(name))
        root = await me.open("", options=1)
        assert (await me.query(root, ALTERNATE_NAME))[0] == NtStatus.OBJECT_NAME_NOT_FOUND


async def test_a_normalized_name_is_for_3_1_1(tmp_path, mock_clock):
    (tmp_path / "Mixed").touch()
    async with client(tmp_path) as me:
        file = await me.open("MIXED")
        assert (await me.query(file, NORMALIZED))[0] == NtStatus.NOT_SUPPORTED
        me.stage.settle(dialect=0x0311)
        status, data = await me.query(file, NORMALIZED)
        assert (status, data[4:].decode("utf-16-le")) == (0, "Mixed")


async def test_attributes_are_listed_all_or_by_name(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        assert (await me.query(file, FULL_EA))[0] == NtStatus.NO_EAS_ON_FILE
        assert await me.set(file, FULL_EA, ea(b"ONE", b"1", more=True) + ea(b"TWO", b"22")) == 0
        status, data = await me.query(file, FULL_EA)
        assert status == 0
        assert data.count(b"ONE\x001") == data.count(b"TWO\x0022") == 1
        status, data = await me.query(file, FULL_EA, data=wanted_eas(b"TWO", b"NONE"))
        assert status == 0
        assert data.rstrip(b"\0") == (ea(b"TWO", b"22", more=True) + ea(b"NONE", b"")).rstrip(b"\0")
        wrong = await me.query(file, FULL_EA, data=b"\1\2\3")
        assert wrong[0] == NtStatus.EA_CORRUPT_ERROR


async def test_attributes_take_their_rights(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a", access=Access.FILE_READ_DATA)
        assert (await me.query(file, FULL_EA))[0] == NtStatus.ACCESS_DENIED
        assert await me.set(file, FULL_EA, ea(b"ONE", b"1")) == NtStatus.ACCESS_DENIED


async def test_a_folder_has_no_streams_and_a_file_has_its_data(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"12345")
    async with client(tmp_path) as me:
        status, data = await me.query(await me.open("a"), STREAM)
        assert status == 0
        assert unpack_from("<IIQ", data) == (0, 14, 5)
        assert data[24:].decode("utf-16-le") == "::$DATA"
        root = await me.open("", options=1)
        assert await me.query(root, STREAM) == (0, b"")


async def test_the_volume_says_that_descriptors_are_kept_where_they_are(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        root = await me.open("", options=1)
        body = messages.query_info(root, ATTRIBUTES, info_type=FILE_SYSTEM)
        answer = await me.ask(QUERY_INFO, body)
        assert unpack_from("<I", answer.raw, 72)[0] & PERSISTENT_ACLS
