"""Security descriptors: who may do what, what is passed on, what is changed, how they are kept."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from smbd import vfs
from smbd.ntstatus import NtError, NtStatus
from smbd.vfs import acl
from smbd.vfs.acl import sids, stored
from smbd.wire.access import (
    FILE_ALL_ACCESS,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    Access,
)
from smbd.wire.dtyp import Ace, AceFlags, AceType, Control, SecurityDescriptor
from smbd.wire.fscc import ExtendedAttribute
from tests.vfs.conftest import another_user, stat_of

ALLOW, DENY = AceType.ACCESS_ALLOWED, AceType.ACCESS_DENIED
FILES, FOLDERS, ONLY, STOP, MARK = (
    AceFlags.OBJECT_INHERIT,
    AceFlags.CONTAINER_INHERIT,
    AceFlags.INHERIT_ONLY,
    AceFlags.NO_PROPAGATE_INHERIT,
    AceFlags.INHERITED,
)
ME, OTHER, GROUP = "S-1-22-1-1000", "S-1-22-1-2000", "S-1-22-2-100"
TOKEN = acl.Token(frozenset((ME, GROUP, sids.EVERYONE)), ME, GROUP)
READ, WRITE = FILE_GENERIC_READ, Access.FILE_WRITE_DATA
IMPLIED = Access.READ_CONTROL | Access.WRITE_DAC


def descriptor(*aces, owner=OTHER, control=Control.DACL_PRESENT):
    return SecurityDescriptor(owner, GROUP, list(aces), control=control)


def ace(sid, mask=READ, flags=0, kind=ALLOW):
    return Ace(kind, flags, mask, sid)


# -- the check -------------------------------------------------------------------------------------


def test_rights_are_those_of_all_entries_that_mean_the_caller() -> None:
    mine = descriptor(ace(ME, READ), ace(GROUP, WRITE), ace(OTHER, FILE_ALL_ACCESS))
    assert acl.allowed(mine, TOKEN) == READ | WRITE
    assert acl.allowed(descriptor(), TOKEN) == 0


def test_no_list_at_all_allows_everything() -> None:
    assert acl.allowed(SecurityDescriptor(OTHER, GROUP, None), TOKEN) == FILE_ALL_ACCESS


def test_the_first_entry_that_speaks_of_a_right_decides_it() -> None:
    denied_first = descriptor(ace(GROUP, WRITE, kind=DENY), ace(ME, WRITE | READ))
    allowed_first = descriptor(ace(ME, WRITE | READ), ace(GROUP, WRITE, kind=DENY))
    assert acl.allowed(denied_first, TOKEN) == READ
    assert acl.allowed(allowed_first, TOKEN) == READ | WRITE


def test_an_entry_for_what_will_be_inside_says_nothing_of_the_folder() -> None:
    assert acl.allowed(descriptor(ace(ME, READ, FILES | ONLY)), TOKEN) == 0


def test_an_owner_can_always_read_and_change_the_descriptor() -> None:
    assert acl.allowed(descriptor(owner=ME), TOKEN) == IMPLIED
    assert acl.allowed(descriptor(ace(ME, IMPLIED, kind=DENY), owner=ME), TOKEN) == IMPLIED


def test_owner_rights_take_the_place_of_what_owners_have_anyway() -> None:
    limited = descriptor(ace(sids.OWNER_RIGHTS, Access.READ_CONTROL), owner=ME)
    assert acl.allowed(limited, TOKEN) == Access.READ_CONTROL
    assert acl.allowed(replace(limited, owner=OTHER), TOKEN) == 0
    passed_on = descriptor(ace(sids.OWNER_RIGHTS, 0, FILES | ONLY), owner=ME)
    assert acl.allowed(passed_on, TOKEN) == IMPLIED


def test_a_condition_that_cannot_be_judged_opens_nothing_and_closes_all() -> None:
    opens = descriptor(ace(ME, READ, kind=AceType.ACCESS_ALLOWED_CALLBACK))
    closes = descriptor(ace(ME, READ, kind=AceType.ACCESS_DENIED_CALLBACK), ace(ME, READ))
    audits = descriptor(ace(ME, READ, kind=AceType.SYSTEM_AUDIT))
    assert acl.allowed(opens, TOKEN) == 0
    assert acl.allowed(closes, TOKEN) == 0
    assert acl.allowed(audits, TOKEN) == 0


def test_a_login_is_the_process_and_a_guest_is_not() -> None:
    user = acl.user_token("ann")
    process = f"S-1-22-1-{os.geteuid()}"
    assert {process, sids.EVERYONE, sids.AUTHENTICATED_USERS} < user.sids
    assert process not in acl.GUEST.sids
    assert sids.AUTHENTICATED_USERS not in acl.GUEST.sids
    everybody = acl.of_unix(os.geteuid(), 0, 0o644)
    assert acl.allowed(everybody, user) == FILE_ALL_ACCESS
    assert acl.allowed(everybody, acl.GUEST) == READ


def test_a_user_is_the_same_after_a_restart_and_no_other() -> None:
    # Spelled out: what is stored on somebody's disk says so.
    assert acl.account_sid("ann") == "S-1-5-21-1775857559-3683489330-2064505483-224302385"
    ann, bob = acl.user_token("Ann"), acl.user_token("bob")
    assert ann.owner == acl.account_sid("ANN")
    assert ann.owner not in bob.sids
    denied = descriptor(ace(ann.owner, WRITE, kind=DENY), ace(sids.EVERYONE, READ | WRITE))
    assert acl.allowed(denied, ann) == READ
    assert acl.allowed(denied, bob) == READ | WRITE
    assert acl.allowed(denied, acl.GUEST) == READ | WRITE
    assert acl.allowed(descriptor(owner=ann.owner), ann) == IMPLIED
    assert acl.allowed(descriptor(owner=ann.owner), bob) == 0


def test_an_owner_by_the_number_of_a_client_means_every_login() -> None:
    by_number = descriptor(owner="S-1-5-88-1-1000")
    assert acl.allowed(by_number, acl.user_token("ann")) == IMPLIED
    assert acl.allowed(by_number, acl.GUEST) == 0
    made = acl.of_new(None, by_number, acl.user_token("ann"), directory=False)
    assert made.owner == "S-1-5-88-1-1000"
    with pytest.raises(NtError):
        acl.of_new(None, by_number, acl.GUEST, directory=False)


def test_a_mode_says_what_owner_group_and_others_have() -> None:
    made = acl.of_unix(1000, 100, 0o100751)
    assert (made.owner, made.group) == (ME, GROUP)
    assert made.dacl == [
        ace(ME, FILE_ALL_ACCESS),
        ace(GROUP, FILE_GENERIC_READ | FILE_GENERIC_EXECUTE),
        ace(sids.EVERYONE, FILE_GENERIC_EXECUTE),
    ]
    assert acl.of_unix(1000, 100, 0o600).dacl == [ace(ME, FILE_ALL_ACCESS)]


# -- inheritance -----------------------------------------------------------------------------------


def inherited(parent, *, directory, given=None):
    made = acl.of_new(parent, given, TOKEN, directory=directory)
    return made and [(one.sid, one.flags) for one in made.dacl]


@pytest.mark.parametrize(
    ("flags", "file", "folder"),
    [
        (FILES | FOLDERS, 0, FILES | FOLDERS),
        (FILES, 0, FILES | ONLY),
        (FOLDERS, None, FOLDERS),
        (FILES | FOLDERS | STOP, 0, 0),
        (FILES | STOP, 0, None),
        (FOLDERS | STOP, None, 0),
        (FILES | FOLDERS | ONLY, 0, FILES | FOLDERS),
        (0, None, None),
    ],
)
def test_what_an_entry_becomes_in_a_new_file_and_folder(flags, file, folder) -> None:
    # One more that is always passed on, so that there is something in any case.
    parent = descriptor(ace(OTHER, READ, flags), ace(ME, READ, FILES | FOLDERS))
    for expected, directory in ((file, False), (folder, True)):
        got = inherited(parent, directory=directory)
        always = (ME, FILES | FOLDERS if directory else 0)
        assert got == ([] if expected is None else [(OTHER, expected)]) + [always]


def test_the_creator_is_named_in_what_he_makes() -> None:
    parent = descriptor(
        ace(sids.CREATOR_OWNER, READ, FILES | FOLDERS | ONLY),
        ace(sids.CREATOR_GROUP, READ, FILES | FOLDERS | ONLY),
    )
    assert inherited(parent, directory=False) == [(ME, 0), (GROUP, 0)]
    assert inherited(parent, directory=True) == [
        (ME, 0),
        (sids.CREATOR_OWNER, FILES | FOLDERS | ONLY),
        (GROUP, 0),
        (sids.CREATOR_GROUP, FILES | FOLDERS | ONLY),
    ]


def test_entries_are_marked_as_inherited_where_the_parent_keeps_to_that() -> None:
    parent = descriptor(ace(ME, READ, FILES), control=Control.DACL_AUTO_INHERITED)
    made = acl.of_new(parent, None, TOKEN, directory=False)
    assert made is not None
    assert made.control & Control.DACL_AUTO_INHERITED
    assert made.dacl == [ace(ME, READ, MARK)]


def test_a_folder_that_passes_nothing_on_leaves_its_files_to_their_creators() -> None:
    made = acl.of_new(descriptor(ace(OTHER)), None, TOKEN, directory=False)
    assert made is not None
    assert (made.owner, made.group) == (ME, GROUP)
    assert made.dacl == [ace(ME, FILE_ALL_ACCESS), ace(sids.SYSTEM, FILE_ALL_ACCESS)]


def test_without_any_descriptor_a_new_file_gets_none() -> None:
    assert acl.of_new(None, None, TOKEN, directory=False) is None
    assert acl.of_new(None, SecurityDescriptor(ME, None, None), TOKEN, directory=False) is None


def test_what_is_given_goes_before_what_is_inherited() -> None:
    parent = descriptor(ace(OTHER, READ, FILES))
    given = SecurityDescriptor(
        None, None, [ace(ME, Access.GENERIC_WRITE)], control=Control.DACL_PRESENT
    )
    made = acl.of_new(parent, given, TOKEN, directory=False)
    assert made is not None
    assert made.dacl == [ace(ME, FILE_GENERIC_WRITE), ace(OTHER)]
    alone = replace(given, control=Control.DACL_PRESENT | Control.DACL_PROTECTED)
    made = acl.of_new(parent, alone, TOKEN, directory=False)
    assert made is not None
    assert made.dacl == [ace(ME, FILE_GENERIC_WRITE)]
    assert made.control & Control.DACL_PROTECTED


def test_nobody_makes_files_that_are_somebody_elses() -> None:
    with pytest.raises(NtError) as caught:
        acl.of_new(None, descriptor(owner=OTHER), TOKEN, directory=False)
    assert caught.value.status == NtStatus.INVALID_OWNER


# -- SET_INFO --------------------------------------------------------------------------------------


def test_only_the_parts_that_are_named_change() -> None:
    old = descriptor(ace(ME, READ))
    new = SecurityDescriptor(ME, "S-1-5-32-545", [ace(ME, WRITE)], control=Control.DACL_PRESENT)
    assert acl.changed(old, new, 1, TOKEN) == replace(old, owner=ME)
    assert acl.changed(old, new, 2, TOKEN) == replace(old, group="S-1-5-32-545")
    assert acl.changed(old, new, 4, TOKEN).dacl == [ace(ME, WRITE)]
    assert old.dacl == [ace(ME, READ)]


def test_generic_rights_are_kept_as_what_they_mean() -> None:
    new = descriptor(ace(ME, Access.GENERIC_ALL), ace(GROUP, Access.GENERIC_READ | WRITE))
    changed = acl.changed(descriptor(), new, 4, TOKEN)
    assert changed.dacl == [ace(ME, FILE_ALL_ACCESS), ace(GROUP, READ | WRITE)]


def test_files_are_not_given_away() -> None:
    for owner in (OTHER + "1", None):
        with pytest.raises(NtError) as caught:
            acl.changed(descriptor(), descriptor(owner=owner), 1, TOKEN)
        assert caught.value.status == NtStatus.INVALID_OWNER


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (Control.DACL_AUTO_INHERITED, 0),
        (Control.DACL_AUTO_INHERIT_REQUIRED, 0),
        (
            Control.DACL_AUTO_INHERITED | Control.DACL_AUTO_INHERIT_REQUIRED,
            Control.DACL_AUTO_INHERITED,
        ),
        (Control.DACL_PROTECTED, Control.DACL_PROTECTED),
    ],
)
def test_that_a_list_is_inherited_counts_if_asked_for(sent: int, kept: int) -> None:
    changed = acl.changed(descriptor(), descriptor(control=sent), 4, TOKEN)
    assert changed.control == kept | Control.DACL_PRESENT


# -- where they are kept ---------------------------------------------------------------------------


def test_a_descriptor_stays_with_its_file(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    kept = descriptor(ace(ME), ace(OTHER, WRITE, kind=DENY))
    with stat_of(root, "file") as file:
        assert acl.load(file) is None
        acl.store(file, kept)
        root.rename(file, "renamed", replace=False)
    with stat_of(root, "renamed") as file:
        read = acl.load(file)
        assert read is not None
        assert (read.owner, read.group, read.dacl) == (kept.owner, kept.group, kept.dacl)
        assert vfs.list_eas(file, 65536) == []
        assert vfs.information(file).ea_size == 0
        with pytest.raises(NtError):
            vfs.set_eas(file, [ExtendedAttribute(b"NTACL", b"mine")])


def test_a_null_list_is_not_an_empty_one(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    with stat_of(root, "file") as file:
        for dacl in (None, []):
            acl.store(file, SecurityDescriptor(ME, GROUP, dacl, control=Control.DACL_PRESENT))
            read = acl.load(file)
            assert read is not None
            assert read.dacl == dacl


def test_a_damaged_descriptor_lets_nobody_in() -> None:
    packed = stored.pack(descriptor(ace(sids.EVERYONE)))
    for damaged in (b"", b"\1", packed[:40], b"\x09" + packed[1:]):
        assert acl.allowed(stored.parse(damaged), TOKEN) == 0


def test_a_descriptor_that_cannot_be_read_lets_nobody_in(root: vfs.Root, share: Path) -> None:
    (share / "file").touch()
    (share / "free").touch()
    with stat_of(root, "file") as file:
        acl.store(file, descriptor(ace(sids.EVERYONE)))
    for name in ("file", "free"):
        (share / name).chmod(0o200)
        if os.geteuid() == 0:
            os.chown(share / name, 65534, 65534)
    with another_user():
        with stat_of(root, "file") as file:
            _, read = vfs.examine(file)
            assert read is not None
            assert acl.allowed(read, TOKEN) == 0
        with stat_of(root, "free") as file:
            assert vfs.examine(file)[1] is None


# Made by Samba's own Python bindings, of "O:S-1-22-1-1000D:(A;;FR;;;S-1-22-1-1000)".
_SAMBAS = {
    1: "0100010000000200010004801c00000000000000000000002c000000010200000000001601000000"
    "e803000004002000010000000000180089001200010200000000001601000000e8030000",
    2: "02000200000002000400020000000000000000000000000000000000010004803000000000000000"
    "0000000040000000010200000000001601000000e803000004002000010000000000180089001200"
    "010200000000001601000000e8030000",
    3: "03000300000002000400020001000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0100048064000000000000000000000074000000010200000000001601000000e803000004002000"
    "010000000000180089001200010200000000001601000000e8030000",
    4: "04000400000002000400020001000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000706f"
    "7369785f61636c000500000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "01000480b40000000000000000000000c4000000010200000000001601000000e803000004002000"
    "010000000000180089001200010200000000001601000000e8030000",
}


@pytest.mark.parametrize("version", _SAMBAS)
def test_what_samba_keeps_is_read(version: int) -> None:
    read = stored.parse(bytes.fromhex(_SAMBAS[version]))
    assert (read.owner, read.group, read.dacl) == (ME, None, [ace(ME)])


@pytest.mark.skipif(not shutil.which("ndrdump"), reason="needs Samba's ndrdump")
def test_samba_reads_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(stored.pack(descriptor(ace(ME, READ), owner=ME)))
    command = ["ndrdump", "xattr", "xattr_NTACL", "struct", str(tmp_path / "blob"), "--validate"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "dump OK" in said.stdout, said
    assert f": {ME}" in said.stdout
