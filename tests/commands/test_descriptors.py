"""A security descriptor that a client sets is kept, shown, passed on, and honoured."""

import os

import pytest

from smbd.ntstatus import NtStatus
from smbd.vfs.acl import account_sid
from smbd.vfs.acl.sids import AUTHENTICATED_USERS, EVERYONE
from smbd.wire.access import FILE_ALL_ACCESS, FILE_GENERIC_READ, Access
from smbd.wire.dtyp import (
    Ace,
    AceFlags,
    AceType,
    Control,
    SecurityDescriptor,
    pack_security_descriptor,
)
from tests.commands.story import DACL, DIRECTORY, GROUP, OPEN, OWNER, client
from tests.core.messages import DELETE, DELETE_ON_CLOSE

READ, WRITE = Access.FILE_READ_DATA, Access.FILE_WRITE_DATA
ME = f"S-1-22-1-{os.geteuid()}"
STRANGER = "S-1-5-21-1-2-3-1000"
ACCOUNT = account_sid("test")
ALL_INSIDE = AceFlags.OBJECT_INHERIT | AceFlags.CONTAINER_INHERIT


def allows(sid, mask, flags=0):
    return Ace(AceType.ACCESS_ALLOWED, flags, mask, sid)


def with_list(*aces, owner=None, control=0):
    return SecurityDescriptor(owner, None, list(aces), control=control | Control.DACL_PRESENT)


async def test_a_file_without_a_descriptor_shows_its_mode(tmp_path, mock_clock):
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o640)
    async with client(tmp_path) as me:
        shown = await me.security(await me.open("a"))
        status = (tmp_path / "a").stat()
        assert shown.owner == f"S-1-22-1-{status.st_uid}"
        assert shown.group == f"S-1-22-2-{status.st_gid}"
        assert [ace.sid for ace in shown.dacl] == [shown.owner, shown.group]


async def test_a_descriptor_is_kept_and_honoured(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        assert await me.set_security(file, with_list(allows(EVERYONE, FILE_GENERIC_READ))) == 0
        shown = await me.security(file)
        assert shown.owner == ME
        assert shown.dacl == [allows(EVERYONE, FILE_GENERIC_READ)]
        await me.close(file)
        assert await me.status_of_open("a", READ) == 0
        assert await me.status_of_open("a", WRITE) == NtStatus.ACCESS_DENIED
        # The owner may always change who may do what, and the folder allows to delete.
        assert await me.status_of_open("a", Access.WRITE_DAC) == 0
        assert await me.status_of_open("a", DELETE) == 0
        assert await me.status_of_open("a", Access.WRITE_OWNER) == NtStatus.ACCESS_DENIED


async def test_what_one_may_at_most_goes_by_the_descriptor(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.close(file := await me.open("a"))
        file = await me.open("a")
        await me.set_security(file, with_list(allows(EVERYONE, FILE_GENERIC_READ)))
        await me.close(file)
        expected = FILE_GENERIC_READ | Access.WRITE_DAC | DELETE
        answer = await me.create("a", access=READ, contexts=[(b"MxAc", b"")])
        status, mask = answer.contexts[b"MxAc"][:4], answer.contexts[b"MxAc"][4:]
        assert status == bytes(4)
        assert int.from_bytes(mask, "little") == expected
        everything = await me.open("a", access=Access.MAXIMUM_ALLOWED)
        assert await me.query(everything, 8) == (0, expected.to_bytes(4, "little"))


async def test_a_guest_is_nobody_whom_a_descriptor_names(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        mine = with_list(allows(ME, FILE_ALL_ACCESS), allows(AUTHENTICATED_USERS, READ))
        await me.set_security(file, mine)
        await me.close(file)
        await me.touch("free")
        me.become_guest()
        assert await me.status_of_open("a", READ) == NtStatus.ACCESS_DENIED
        assert await me.status_of_open("a", Access.WRITE_DAC) == NtStatus.ACCESS_DENIED
        assert await me.status_of_open("free", READ) == 0


async def test_one_user_is_shut_out_and_the_other_is_not(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        both = allows(EVERYONE, FILE_GENERIC_READ)
        deny = Ace(AceType.ACCESS_DENIED, 0, FILE_GENERIC_READ, account_sid("bob"))
        assert await me.set_security(file, with_list(deny, both, owner=ACCOUNT), OWNER | DACL) == 0
        await me.close(file)
        assert await me.status_of_open("a", READ) == 0
        me.become("bob")
        assert await me.status_of_open("a", READ) == NtStatus.ACCESS_DENIED
        assert await me.status_of_open("a", Access.WRITE_DAC) == NtStatus.ACCESS_DENIED
        me.become("TEST")
        assert await me.status_of_open("a", READ | Access.WRITE_DAC) == 0


async def test_owner_and_group_by_the_numbers_of_a_client_are_kept(tmp_path, mock_clock):
    # What cifs.ko sets with `idsfromsid` and `modefromsid`.
    owner, group, mode = "S-1-5-88-1-1000", "S-1-5-88-2-1000", "S-1-5-88-3-33188"
    entries = allows(mode, 0), allows(AUTHENTICATED_USERS, FILE_ALL_ACCESS)
    given = with_list(*entries, owner=owner)
    given.group = group
    packed = pack_security_descriptor(given)
    async with client(tmp_path) as me:
        made = await me.open("made", contexts=[(b"SecD", packed)])
        await me.touch("old")
        old = await me.open("old")
        assert await me.set_security(old, given, OWNER | GROUP | DACL) == 0
        for file in (made, old):
            shown = await me.security(file)
            assert (shown.owner, shown.group) == (owner, group)
            assert shown.dacl == list(entries)
        await me.close(old)
        me.become("bob")
        assert await me.status_of_open("old", Access.WRITE_DAC) == 0


async def test_a_folder_says_who_may_add_to_it_and_delete_from_it(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("dir", options=DIRECTORY)
        await me.touch("dir\\old")
        folder = await me.open("dir")
        reading = FILE_GENERIC_READ | Access.WRITE_DAC
        await me.set_security(folder, with_list(allows(EVERYONE, reading)))
        assert (await me.create("dir\\new")).status == NtStatus.ACCESS_DENIED
        assert (await me.create("dir\\new", options=DIRECTORY)).status == NtStatus.ACCESS_DENIED
        assert await me.status_of_open("dir\\old", DELETE) == 0  # the file allows it
        old = await me.open("dir\\old")
        await me.set_security(old, with_list(allows(EVERYONE, READ)))
        await me.close(old)
        assert await me.status_of_open("dir\\old", DELETE) == NtStatus.ACCESS_DENIED
        await me.set_security(folder, with_list(allows(EVERYONE, Access.FILE_DELETE_CHILD)))
        assert await me.status_of_open("dir\\old", DELETE) == 0


async def test_what_is_made_in_a_folder_gets_what_the_folder_passes_on(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("dir", options=DIRECTORY)
        folder = await me.open("dir")
        passed_on = allows(EVERYONE, FILE_ALL_ACCESS, ALL_INSIDE)
        await me.set_security(folder, with_list(passed_on))
        shown = await me.security(await me.open("dir\\file"))
        assert shown.owner == ACCOUNT
        assert shown.dacl == [allows(EVERYONE, FILE_ALL_ACCESS)]
        inner = await me.open("dir\\inner", options=DIRECTORY)
        assert (await me.security(inner)).dacl == [passed_on]


async def test_who_makes_a_file_may_do_with_it_what_he_asked_for(tmp_path, mock_clock):
    given = pack_security_descriptor(with_list(allows(STRANGER, READ)))
    async with client(tmp_path) as me:
        file = await me.open("a", access=READ | WRITE, contexts=[(b"SecD", given)])
        assert (await me.security(await me.open("a", access=Access.READ_CONTROL))).dacl == [
            allows(STRANGER, READ)
        ]
        await me.close(file)
        assert await me.status_of_open("a", READ) == NtStatus.ACCESS_DENIED


async def test_a_file_is_not_made_for_somebody_else(tmp_path, mock_clock):
    given = pack_security_descriptor(with_list(owner=STRANGER))
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"SecD", given)])
        assert answer.status == NtStatus.INVALID_OWNER
        assert not (tmp_path / "a").exists()


async def test_each_part_takes_its_own_right_to_be_set(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("a")
        lists = await me.open("a", access=Access.WRITE_DAC)
        owners = await me.open("a", access=Access.WRITE_OWNER)
        new = with_list(owner=ME)
        denied = NtStatus.ACCESS_DENIED
        assert await me.set_security(lists, new) == 0
        assert await me.set_security(lists, new, OWNER) == denied
        assert await me.set_security(owners, new, OWNER) == 0
        assert await me.set_security(owners, new) == denied
        assert await me.set_security(owners, with_list(owner=STRANGER), OWNER) == (
            NtStatus.INVALID_OWNER
        )


async def test_a_null_list_lets_everybody_do_everything(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        file = await me.open("a")
        null = SecurityDescriptor(None, None, None, control=Control.DACL_PRESENT)
        assert await me.set_security(file, null) == 0
        shown = await me.security(file)
        assert shown.dacl is None
        assert shown.control & Control.DACL_PRESENT
        me.become_guest()
        assert await me.status_of_open("a", FILE_ALL_ACCESS) == 0


async def test_nothing_is_replaced_that_may_not_be_deleted(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("dir", options=DIRECTORY)
        await me.touch("dir\\there")
        there = await me.open("dir\\there")
        await me.set_security(there, with_list(allows(EVERYONE, READ)))
        await me.close(there)
        folder = await me.open("dir", access=Access.WRITE_DAC)
        adding = allows(EVERYONE, Access.FILE_ADD_FILE | Access.FILE_LIST_DIRECTORY)
        await me.set_security(folder, with_list(adding))
        file = await me.open("a", access=DELETE)
        name = "dir\\there".encode("utf-16-le")
        replacing = b"\1" + bytes(15) + len(name).to_bytes(4, "little") + name
        assert await me.set(file, 10, replacing) == NtStatus.ACCESS_DENIED
        await me.set_security(folder, with_list())
        elsewhere = replacing.replace("there".encode("utf-16-le"), "other".encode("utf-16-le"))
        assert await me.set(file, 10, elsewhere) == NtStatus.ACCESS_DENIED
        await me.set_security(folder, with_list(adding))
        assert await me.set(file, 10, elsewhere) == 0


async def test_a_deletion_on_close_takes_the_right_to_delete(tmp_path, mock_clock):
    async with client(tmp_path) as me:
        await me.touch("a")
        for access in (READ, Access.GENERIC_READ):
            answer = await me.create("a", access=access, options=DELETE_ON_CLOSE)
            assert answer.status == NtStatus.ACCESS_DENIED
        await me.touch("a", access=DELETE, options=DELETE_ON_CLOSE, disposition=OPEN)
        assert not (tmp_path / "a").exists()


async def test_where_there_is_no_place_for_one_it_is_refused(tmp_path, mock_clock, monkeypatch):
    def refuse(*_args):
        raise OSError(95, os.strerror(95))

    async with client(tmp_path) as me:
        file = await me.open("a")
        monkeypatch.setattr(os, "setxattr", refuse)
        assert await me.set_security(file, with_list()) == NtStatus.NOT_SUPPORTED


@pytest.mark.parametrize("damage", [b"", b"\1" * 19, b"\2" + bytes(30)])
async def test_bytes_that_are_no_descriptor(tmp_path, mock_clock, damage):
    async with client(tmp_path) as me:
        answer = await me.create("a", contexts=[(b"SecD", damage)])
        assert answer.status == NtStatus.INVALID_PARAMETER
        assert not (tmp_path / "a").exists()
