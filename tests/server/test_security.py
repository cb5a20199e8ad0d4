"""Security descriptors: what Unix knows of a file, as SIDs and rights ([MS-DTYP] 2.4.6)."""

import os

from impacket.ldap.ldaptypes import SR_SECURITY_DESCRIPTOR

from smbd.ntstatus import NtStatus
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition
from smbd.wire.query_info import InfoType, SecurityInformation
from tests.server.clients import ImpacketClient, refusal

WHO = SecurityInformation.OWNER | SecurityInformation.GROUP
EVERYONE = "S-1-1-0"


def descriptor(client, name, parts, access=Access.READ_CONTROL):
    """The security descriptor of a file, by impacket's words for all of it."""
    smb3 = client.connection.getSMBServer()
    tree = smb3.connectTree(client.share)
    opened = smb3.create(tree, name, access, 7, 0, CreateDisposition.OPEN, 0)
    try:
        data = smb3.queryInfo(
            tree, opened, infoType=InfoType.SECURITY, fileInfoClass=0, additionalInformation=parts
        )
    finally:
        smb3.close(tree, opened)
    return SR_SECURITY_DESCRIPTOR(data=data)


def test_owner_and_group_are_sambas_sids_for_unix_ids(folder, server):
    (folder / "file").touch()
    with ImpacketClient(server) as client:
        found = descriptor(client, "file", WHO)
    assert found["OwnerSid"].formatCanonical() == f"S-1-22-1-{os.getuid()}"
    assert found["GroupSid"].formatCanonical() == f"S-1-22-2-{(folder / 'file').stat().st_gid}"


def test_the_mode_becomes_rights(folder, server):
    (folder / "file").touch(mode=0o600)
    (folder / "public").touch()
    (folder / "public").chmod(0o644)
    with ImpacketClient(server) as client:
        private = descriptor(client, "file", SecurityInformation.DACL)
        public = descriptor(client, "public", SecurityInformation.DACL)
    assert EVERYONE not in rights(private)
    assert rights(public)[EVERYONE] & Access.FILE_READ_DATA
    assert not rights(public)[EVERYONE] & Access.FILE_WRITE_DATA


def rights(found):
    return {
        one["Ace"]["Sid"].formatCanonical(): one["Ace"]["Mask"]["Mask"]
        for one in found["Dacl"]["Data"]
    }


def test_the_right_to_read_them_is_needed(folder, server):
    (folder / "file").touch()
    with ImpacketClient(server) as client:
        status = refusal(descriptor, client, "file", WHO, Access.FILE_READ_DATA)
    assert status == NtStatus.ACCESS_DENIED
