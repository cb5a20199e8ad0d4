"""What a client can say and Linux cannot keep: it is refused with a status that says so."""

import os
from struct import pack

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.access import FILE_ALL_ACCESS
from smbd.wire.dtyp import Ace, AceFlags, Control, SecurityDescriptor
from smbd.wire.fscc import FileClass
from tests.commands.story import DACL, DIRECTORY, SECURITY, client
from tests.core import messages
from tests.core.messages import QUERY_INFO, SET_INFO

EVERYONE, CREATOR_OWNER = "S-1-1-0", "S-1-3-0"
INHERITED_BY_FOLDERS = AceFlags.OBJECT_INHERIT | AceFlags.CONTAINER_INHERIT | AceFlags.INHERIT_ONLY


def full_ea(*names, value=b"v"):
    entries = [pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value for name in names]
    padded = [one + bytes(-len(one) % 4) for one in entries]
    linked = [pack("<I", 4 + len(one)) + one for one in padded[:-1]]
    return b"".join(linked) + pack("<I", 0) + entries[-1]


def get_ea(*names):
    entries = [pack("<B", len(name)) + name + b"\0" for name in names]
    padded = [one + bytes(-len(one) % 4) for one in entries]
    linked = [pack("<I", 4 + len(one)) + one for one in padded[:-1]]
    return b"".join(linked) + pack("<I", 0) + entries[-1]


@pytest.mark.parametrize("name", [b"a\0b", b"\0", b"a\0", b"a\nb", b"\x1f"])
async def test_an_ea_name_with_a_nul_or_control_character_is_invalid(tmp_path, mock_clock, name):
    invalid = NtStatus.INVALID_EA_NAME
    async with client(tmp_path) as me:
        file = await me.open("file")
        assert await me.set(file, FileClass.FULL_EA, full_ea(b"good", name)) == invalid
        answer = await me.create("new", contexts=[(b"ExtA", full_ea(b"good", name))])
        assert answer.status == invalid
        body = messages.query_info(file, FileClass.FULL_EA, data=get_ea(name))
        assert (await me.ask(QUERY_INFO, body)).status == invalid
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert os.listxattr(tmp_path / "file") == []


@pytest.mark.parametrize("name", [b"n" * 255, b"DOSATTRIB"])
async def test_a_create_whose_ea_cannot_be_set_leaves_no_file(tmp_path, mock_clock, name):
    async with client(tmp_path) as me:
        answer = await me.create("new", contexts=[(b"ExtA", full_ea(name))])
        assert answer.status in {NtStatus.INVALID_EA_NAME, NtStatus.ACCESS_DENIED}
    assert list(tmp_path.iterdir()) == []


async def test_more_eas_than_there_is_a_use_for_are_refused_unread(tmp_path, mock_clock):
    names = [b"%07d" % number for number in range(5000)]
    async with client(tmp_path) as me:
        me.stage.settle(max_transact=1 << 20)
        file = await me.open("file")
        for data, status in (
            (full_ea(*names), NtStatus.EA_CORRUPT_ERROR),
            (full_ea(b"n") + bytes(140_000), NtStatus.EA_TOO_LARGE),
        ):
            me.stage.ask(SET_INFO, messages.set_info(file, FileClass.FULL_EA, data), charge=3)
            assert (await me.stage.answer()).status == status
        body = messages.query_info(file, FileClass.FULL_EA, data=get_ea(*names))
        me.stage.ask(QUERY_INFO, body, charge=2)
        assert (await me.stage.answer()).status == NtStatus.EA_CORRUPT_ERROR
        body = messages.query_info(file, FileClass.FULL_EA, data=get_ea(*names[:100]))
        answer = await me.ask(QUERY_INFO, body)
        assert answer.status == 0
        some = [b"%d" % number for number in range(50)]
        assert await me.set(file, FileClass.FULL_EA, full_ea(*some)) == 0
    assert len(os.listxattr(tmp_path / "file")) == 50


def acl_of(*aces, control=0):
    return SecurityDescriptor(None, None, list(aces), control=control | Control.DACL_PRESENT)


async def test_a_list_that_grows_beyond_64_kib_when_it_is_packed_is_refused(tmp_path, mock_clock):
    """AceSize need not be a multiple of 4 in what comes, and is in what is kept."""
    sid = bytes.fromhex("010100000000000100000000")
    ace = pack("<BBHI", 9, 0, 33, FILE_ALL_ACCESS) + sid + b"one byte more"
    count = 65_000 // len(ace)
    dacl = pack("<BBHHH", 2, 0, 8 + count * len(ace), count, 0) + ace * count
    data = pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20) + dacl
    body_of = lambda file: messages.set_info(file, 0, data, info_type=SECURITY, additional=DACL)  # noqa: E731
    async with client(tmp_path) as me:
        me.stage.ask(SET_INFO, body_of(await me.open("file")), charge=2)
        assert (await me.stage.answer()).status == NtStatus.ALLOTTED_SPACE_EXCEEDED
    assert os.listxattr(tmp_path / "file") == []


async def test_a_folder_whose_list_grows_too_long_takes_no_folder(
    tmp_path, mock_clock, monkeypatch
):
    """Each entry for CREATOR OWNER becomes two in a folder: for its maker, and to pass on."""
    monkeypatch.setattr("smbd.wire.dtyp._LARGEST", 2500)
    creators = [Ace(0, INHERITED_BY_FOLDERS, FILE_ALL_ACCESS, CREATOR_OWNER)] * 60
    async with client(tmp_path) as me:
        folder = await me.open("folder", options=DIRECTORY)
        everyone = Ace(0, 0, FILE_ALL_ACCESS, EVERYONE)
        assert await me.set_security(folder, acl_of(everyone, *creators)) == 0
        answer = await me.create("folder\\inside", options=DIRECTORY)
        assert answer.status == NtStatus.ALLOTTED_SPACE_EXCEEDED
        assert (await me.create("folder\\file")).status == 0
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["file"]
