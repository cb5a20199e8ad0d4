"""CREATE: fields that no file can satisfy, create contexts, attributes that hinder."""

import os
from struct import pack, unpack_from

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from tests.commands.story import OPEN, OVERWRITE, client
from tests.commands.test_information import ea

SUPERSEDE, OVERWRITE_IF = 0, 5
READONLY, HIDDEN, SYSTEM, ARCHIVE = 1, 2, 4, 0x20
READ, WRITE, DELETE = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA, Access.DELETE


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ({"options": 0x41}, NtStatus.INVALID_PARAMETER),  # a directory and none
        ({"options": 1 << 24}, NtStatus.INVALID_PARAMETER),
        ({"options": 0x80}, NtStatus.NOT_SUPPORTED),
        ({"options": 0x2000}, NtStatus.NOT_SUPPORTED),
        ({"options": 0x100000}, NtStatus.NOT_SUPPORTED),
        ({"options": 1, "disposition": OVERWRITE_IF}, NtStatus.INVALID_PARAMETER),
        ({"disposition": 6}, NtStatus.INVALID_PARAMETER),
        ({"share": 8}, NtStatus.INVALID_PARAMETER),
        ({"attributes": 0x40}, NtStatus.INVALID_PARAMETER),
        ({"attributes": 0x08}, NtStatus.INVALID_PARAMETER),
        ({"attributes": READONLY, "options": 0x1000}, NtStatus.CANNOT_DELETE),
        ({"access": 0}, NtStatus.ACCESS_DENIED),
        ({"access": 1 << 26}, NtStatus.ACCESS_DENIED),
        ({"access": 1 << 10}, NtStatus.ACCESS_DENIED),
        ({"access": 1 << 24}, NtStatus.PRIVILEGE_NOT_HELD),
        ({"contexts": [(b"xxx", b"")]}, NtStatus.INVALID_PARAMETER),
        ({"contexts": [(b"AlSi", b"\1")]}, NtStatus.INVALID_PARAMETER),
        ({"contexts": [(b"TWrp", pack("<Q", 1))]}, NtStatus.OBJECT_NAME_NOT_FOUND),
    ],
)
async def test_what_cannot_be_asked_for(tmp_path, mock_clock, field, status):
    async with client(tmp_path) as me:
        assert (await me.create("a", **field)).status == status
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [0x400, 0x800, 0x4000, 0x8000, 0x10000, 0x200000, 0x800000])
async def test_options_that_say_nothing_to_a_server(tmp_path, mock_clock, option):
    async with client(tmp_path) as me:
        assert (await me.create("a", options=option)).status == 0


async def test_contexts_that_are_unknown_are_let_be(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"xxxx", b""), (b"x" * 16, b"data")])
        assert (answer.status, answer.contexts) == (0, {})


async def test_a_file_is_told_by_its_number_on_disk(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"QFid", b"")])
        told = answer.contexts[b"QFid"]
        assert len(told) == 32
        number, volume = unpack_from("<QQ", told)
        assert number == (tmp_path / "a").stat().st_ino
        status, data = await me.query(answer.file_id, 59)  # FileIdInformation
        assert status == 0
        assert unpack_from("<QQ", data) == (volume, number)


async def test_the_most_that_one_may_is_told_unless_the_file_is_known(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"MxAc", b"")])
        assert answer.contexts[b"MxAc"] == pack("<II", 0, 0x1F01FF)
        written = answer.raw[64 + 24 : 64 + 32]
        answer = await me.create("a", contexts=[(b"MxAc", written)])
        assert answer.contexts == {}


async def test_a_new_file_gets_its_space_and_its_attributes(tmp_path, mock_clock):
    given = [(b"AlSi", pack("<Q", 100_000)), (b"ExtA", ea(b"COLOUR", b"red"))]
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=given)
        assert unpack_from("<QQ", answer.raw, 64 + 40) == (
            (tmp_path / "a").stat().st_blocks * 512,
            0,
        )
        assert (tmp_path / "a").stat().st_blocks * 512 >= 100_000
        assert os.getxattr(tmp_path / "a", "user.COLOUR") == b"red"
        # To one that is opened they do nothing.
        await me.create("a", contexts=[(b"ExtA", ea(b"COLOUR", b"blue"))])
        assert os.getxattr(tmp_path / "a", "user.COLOUR") == b"red"


async def test_attributes_that_cannot_be_set_leave_no_file_behind(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"ExtA", ea(b"DOSATTRIB", b"mine"))])
        assert answer.status == NtStatus.ACCESS_DENIED
        assert not list(tmp_path.iterdir())


async def test_readonly_hinders_writing_and_not_what_is_known_of_it(tmp_path, mock_clock):
    everything = [(b"MxAc", b"")]
    async with client(tmp_path) as me:
        await me.touch("a", attributes=READONLY)
        assert await me.status_of_open("a", WRITE) == NtStatus.ACCESS_DENIED
        assert await me.status_of_open("a", READ) == 0
        answer = await me.create("a", access=Access.MAXIMUM_ALLOWED, contexts=everything)
        assert answer.contexts[b"MxAc"] == pack("<II", 0, 0x1F01FF)
        # [MS-FSA] 2.1.5.1.2.1: without writing, appending, and deleting of children.
        assert await me.query(answer.file_id, 8) == (0, pack("<I", 0x1F01FF & ~0x46))
        doomed = await me.create("a", options=0x1000)
        assert doomed.status == NtStatus.ACCESS_DENIED
        doomed = await me.create("a", access=DELETE, options=0x1000)
        assert doomed.status == NtStatus.CANNOT_DELETE


@pytest.mark.parametrize("disposition", [SUPERSEDE, OVERWRITE, OVERWRITE_IF])
async def test_who_overwrites_repeats_what_was_hidden_on_purpose(tmp_path, mock_clock, disposition):
    async with client(tmp_path) as me:
        await me.touch("a", attributes=HIDDEN | SYSTEM)
        for attributes, status in (
            (0, NtStatus.ACCESS_DENIED),
            (HIDDEN, NtStatus.ACCESS_DENIED),
            (HIDDEN | SYSTEM, 0),
        ):
            answer = await me.create("a", disposition=disposition, attributes=attributes)
            assert answer.status == status


async def test_a_name_with_a_dot_is_hidden_and_overwritten_all_the_same(tmp_path, mock_clock):
    (tmp_path / ".profile").write_text("old")
    async with client(tmp_path) as me:
        answer = await me.create(".profile", disposition=OVERWRITE)
        assert answer.status == 0
        assert unpack_from("<I", answer.raw, 64 + 56)[0] == HIDDEN | ARCHIVE
        assert os.listxattr(tmp_path / ".profile") == []
        await me.close(answer.file_id)
        file = await me.open(".profile", attributes=SYSTEM, disposition=OVERWRITE)
        assert (await me.query(file, 4))[1][32] == HIDDEN | SYSTEM | ARCHIVE


async def test_to_overwrite_is_to_write_whatever_was_asked_for(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        held = await me.open("a", share=1)
        answer = await me.create("a", access=READ, disposition=OVERWRITE)
        assert answer.status == NtStatus.SHARING_VIOLATION
        await me.close(held)
        answer = await me.create("a", access=READ, disposition=OVERWRITE)
        assert (answer.status, await me.query(answer.file_id, 8)) == (0, (0, pack("<I", READ)))


async def test_the_root_is_opened_with_all_rights_and_stays(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        root = await me.open("", disposition=OPEN)
        assert await me.query(root, 8) == (0, pack("<I", 0x1F01FF))
        assert await me.set(root, 13, b"\1") == NtStatus.CANNOT_DELETE
        doomed = await me.create("", options=0x1000, disposition=OPEN)
        assert doomed.status == NtStatus.CANNOT_DELETE
