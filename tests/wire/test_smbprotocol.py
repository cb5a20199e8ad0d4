"""smbprotocol's structures as a second opinion; on much of this impacket has none."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from smbprotocol import change_notify as their_notify
from smbprotocol import connection, exceptions, file_info, security_descriptor, tree
from smbprotocol import create_contexts as their_contexts
from smbprotocol import ioctl as their_ioctl
from smbprotocol import open as files

from smbd.wire import (
    close,
    create,
    create_contexts,
    dtyp,
    error,
    fscc,
    fsctl,
    ioctl,
    lock,
    negotiate,
    negotiate_contexts,
    output,
    query_directory,
    query_info,
    read,
    set_info,
    tree_connect,
    write,
)
from smbd.wire.change_notify import pack_notify_information
from smbd.wire.fscc import FileClass, FileSystemClass

from .test_fscc import INFORMATION, VIEW, VOLUME

FILE_ID = b"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
KEY = bytes(range(16))
PARENT_KEY = bytes(range(16, 32))


def fields(structure, **values):
    """One of their structures with its fields set."""
    for name, value in values.items():
        structure[name] = value
    return structure


def frame(structure) -> memoryview:
    return memoryview(bytes(64) + structure.pack())


def unpack(structure, data: bytes):
    assert structure.unpack(bytes(data)) == b""
    return structure


def values(structure, *names: str) -> list:
    return [structure[name].get_value() for name in names]


@pytest.mark.parametrize("dialects", [[0x0311], [0x0210, 0x0311], [0x0202, 0x0210, 0x0311]])
def test_negotiate_with_contexts(dialects: list[int]) -> None:
    integrity = fields(
        connection.SMB2PreauthIntegrityCapabilities(), hash_algorithms=[1], salt=b"s" * 32
    )
    ciphers = fields(connection.SMB2EncryptionCapabilities(), ciphers=[2, 1])
    signing = fields(connection.SMB2SigningCapabilities(), signing_algorithms=[2, 1, 0])
    netname = fields(connection.SMB2NetnameNegotiateContextId(), net_name="host")
    request = fields(
        connection.SMB3NegotiateRequest(), dialects=dialects, client_guid=uuid.UUID(int=5)
    )
    request["negotiate_context_list"] = [
        fields(connection.SMB2NegotiateContextRequest(), context_type=number, data=data)
        for number, data in ((1, integrity), (2, ciphers), (5, netname), (8, signing))
    ]
    parsed = negotiate.parse_negotiate_request(frame(request))
    assert parsed.dialects == dialects
    assert parsed.client_guid == uuid.UUID(int=5).bytes_le
    contexts = dict(parsed.contexts)
    assert bytes(negotiate_contexts.parse_preauth_integrity(contexts[1]).salt) == b"s" * 32
    assert negotiate_contexts.parse_encryption(contexts[2]) == [2, 1]
    assert negotiate_contexts.parse_signing(contexts[8]) == [2, 1, 0]


def test_negotiate_response_with_contexts() -> None:
    packed = negotiate.pack_negotiate_response(
        negotiate.NegotiateResponse(
            1, 0x0311, KEY, 4, 1, 2, 3, 116444736000000000, token=b"token",
            contexts=[
                (1, negotiate_contexts.pack_preauth_integrity(1, b"salt")),
                (2, negotiate_contexts.pack_encryption(2)),
                (8, negotiate_contexts.pack_signing(1)),
            ],
        )
    )  # fmt: skip
    response = connection.SMB2NegotiateResponse()
    response.unpack(packed)  # which calls the list, whose size no field tells, left over
    assert values(response, "dialect_revision", "buffer") == [0x0311, b"token"]
    integrity, cipher, signing = response["negotiate_context_list"].get_value()
    assert integrity["data"]["salt"].get_value() == b"salt"
    assert cipher["data"]["ciphers"].get_value() == [2]
    assert signing["data"]["signing_algorithms"].get_value() == [1]


def test_tree_connect() -> None:
    request = fields(tree.SMB2TreeConnectRequest(), buffer="\\\\h\\s".encode("utf-16-le"))
    assert tree_connect.parse_tree_connect_request(frame(request)).path == "\\\\h\\s"
    packed = tree_connect.pack_tree_connect_response(1, 0x800, 0x10, 0x1F01FF)
    response = unpack(tree.SMB2TreeConnectResponse(), packed)
    assert values(response, "share_type", "maximal_access") == [1, 0x1F01FF]


def their_create(contexts: list, name: str) -> files.SMB2CreateRequest:
    request = fields(
        files.SMB2CreateRequest(),
        impersonation_level=2,
        desired_access=0x120089,
        share_access=7,
        create_disposition=1,
        create_options=0x40,
        buffer_path=name.encode("utf-16-le") or b"\0\0",
    )
    request["buffer_contexts"] = their_contexts.SMB2CreateContextRequest.pack_multiple(contexts)
    return request


def test_create_with_contexts() -> None:
    name = their_contexts.CreateContextName
    lease = fields(
        their_contexts.SMB2CreateRequestLeaseV2(),
        lease_key=KEY,
        lease_state=7,
        lease_flags=4,
        parent_lease_key=PARENT_KEY,
        epoch=b"\x02\x00",
    )
    durable = fields(
        their_contexts.SMB2CreateDurableHandleRequestV2(),
        timeout=1000,
        flags=2,
        create_guid=KEY,
    )
    maximal = their_contexts.SMB2CreateQueryMaximalAccessRequest()
    timewarp = fields(
        their_contexts.SMB2CreateTimewarpToken(), timestamp=datetime(1970, 1, 1, tzinfo=UTC)
    )
    request = their_create(
        [
            fields(their_contexts.SMB2CreateContextRequest(), buffer_name=context, buffer_data=data)
            for context, data in (
                (name.SMB2_CREATE_REQUEST_LEASE, lease),
                (name.SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, durable),
                (name.SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST, maximal),
                (name.SMB2_CREATE_TIMEWARP_TOKEN, timewarp),
                (name.SMB2_CREATE_QUERY_ON_DISK_ID, b""),
            )
        ],
        "dir\\file",
    )
    parsed = create.parse_create_request(frame(request))
    assert parsed.name == "dir\\file"
    assert [context for context, _ in parsed.contexts] == [
        b"RqLs", b"DH2Q", b"MxAc", b"TWrp", b"QFid"
    ]  # fmt: skip
    contexts = dict(parsed.contexts)
    assert create_contexts.parse_lease(contexts[b"RqLs"]) == (
        create_contexts.Lease(2, KEY, 7, 4, PARENT_KEY, 2)
    )
    assert create_contexts.parse_durable_v2_request(contexts[b"DH2Q"]) == (
        create_contexts.DurableV2(1000, 2, KEY)
    )
    assert create_contexts.parse_timewarp(contexts[b"TWrp"]) == 116444736000000000


def test_create_of_the_root() -> None:
    parsed = create.parse_create_request(frame(their_create([], "")))
    assert (parsed.name, parsed.contexts) == ("", [])


def test_create_response_with_contexts() -> None:
    packed = create.pack_create_response(
        0xFF,
        2,
        INFORMATION,
        1,
        2,
        [
            (b"MxAc", create_contexts.pack_maximal_access(0, 0x1F01FF)),
            (b"QFid", create_contexts.pack_query_on_disk_id(77, 8)),
            (b"RqLs", create_contexts.pack_lease(create_contexts.Lease(1, KEY, 3))),
            (b"DH2Q", create_contexts.pack_durable_v2_response(1000, 2)),
        ],
    )
    response = unpack(files.SMB2CreateResponse(), packed)
    assert values(response, "file_id", "create_action", "end_of_file") == [FILE_ID, 2, 100]
    maximal, on_disk, lease, durable = (
        context.get_context_data() for context in response["buffer"].get_value()
    )
    assert values(maximal, "query_status", "maximal_access") == [0, 0x1F01FF]
    assert values(on_disk, "disk_file_id", "volume_id") == [77, 8]
    assert values(lease, "lease_key", "lease_state") == [KEY, 3]
    assert values(durable, "timeout", "flags") == [1000, 2]


def test_close() -> None:
    request = fields(files.SMB2CloseRequest(), flags=1, file_id=FILE_ID)
    assert close.parse_close_request(frame(request)) == close.CloseRequest(1, 1, 2)
    response = unpack(files.SMB2CloseResponse(), close.pack_close_response(INFORMATION))
    assert values(response, "allocation_size", "end_of_file") == [4096, 100]


def test_read_and_write() -> None:
    request = fields(
        files.SMB2ReadRequest(), length=5, offset=6, file_id=FILE_ID, minimum_count=1, flags=1
    )
    assert read.parse_read_request(frame(request)) == read.ReadRequest(5, 6, 1, 2, 1, 0, 1)
    out = bytearray(16) + b"data"
    read.pack_read_response_into(out, 0, 4)
    response = unpack(files.SMB2ReadResponse(), out)
    assert values(response, "data_offset", "buffer") == [80, b"data"]
    request = fields(files.SMB2WriteRequest(), offset=6, file_id=FILE_ID, flags=1, buffer=b"data")
    assert write.parse_write_request(frame(request)) == (
        write.WriteRequest(6, 1, 2, memoryview(b"data"), 0, 1)
    )
    response = unpack(files.SMB2WriteResponse(), write.pack_write_response(4))
    assert values(response, "count") == [4]


def test_lock() -> None:
    element = fields(files.SMB2LockElement(), offset=1, length=2, flags=0x12)
    request = fields(files.SMB2LockRequest(), lock_sequence=3, file_id=FILE_ID, locks=[element])
    parsed = lock.parse_lock_request(frame(request))
    assert parsed.locks == [lock.LockElement(1, 2, 0x12)]


def test_ioctl() -> None:
    asked = fields(
        their_ioctl.SMB2ValidateNegotiateInfoRequest(),
        capabilities=0x44,
        guid=uuid.UUID(int=5),
        security_mode=1,
        dialects=[0x0202, 0x0300],
    )
    request = fields(
        their_ioctl.SMB2IOCTLRequest(),
        ctl_code=fsctl.Fsctl.VALIDATE_NEGOTIATE_INFO,
        file_id=b"\xff" * 16,
        max_output_response=24,
        flags=1,
        buffer=asked,
    )
    parsed = ioctl.parse_ioctl_request(frame(request))
    assert parsed.persistent_id == parsed.volatile_id == 2**64 - 1
    assert fsctl.parse_validate_negotiate(parsed.input) == fsctl.ValidateNegotiate(
        0x44, uuid.UUID(int=5).bytes_le, 1, [0x0202, 0x0300]
    )
    packed = ioctl.pack_ioctl_response(
        parsed.ctl_code, 1, 2, fsctl.pack_validate_negotiate(0x44, KEY, 1, 0x0300)
    )
    response = unpack(their_ioctl.SMB2IOCTLResponse(), packed)
    answer = unpack(their_ioctl.SMB2ValidateNegotiateInfoResponse(), response["buffer"].get_value())
    assert values(answer, "capabilities", "dialect") == [0x44, 0x0300]


DIRECTORY = [
    (FileClass.DIRECTORY, file_info.FileDirectoryInformation),
    (FileClass.FULL_DIRECTORY, file_info.FileFullDirectoryInformation),
    (FileClass.BOTH_DIRECTORY, file_info.FileBothDirectoryInformation),
    (FileClass.ID_BOTH_DIRECTORY, file_info.FileIdBothDirectoryInformation),
    (FileClass.ID_FULL_DIRECTORY, file_info.FileIdFullDirectoryInformation),
    (FileClass.NAMES, file_info.FileNamesInformation),
]


@pytest.mark.parametrize(("info_class", "structure"), DIRECTORY)
def test_query_directory(info_class: int, structure) -> None:
    request = fields(
        files.SMB2QueryDirectoryRequest(),
        file_information_class=info_class,
        file_id=FILE_ID,
        output_buffer_length=65536,
        buffer="*".encode("utf-16-le"),
    )
    parsed = query_directory.parse_query_directory_request(frame(request))
    assert (parsed.info_class, parsed.pattern) == (info_class, "*")
    names = ["one", "zwei€", "\U0001f600", "x" * 200]
    out, _ = fscc.pack_directory_entries(
        info_class, [(name, INFORMATION, 0) for name in names], 65536
    )
    response = unpack(files.SMB2QueryDirectoryResponse(), output.pack_output_response(out))
    entries = files.SMB2QueryDirectoryRequest.unpack_response(
        info_class, response["buffer"].get_value()
    )
    assert [entry["file_name"].get_value().decode("utf-16-le") for entry in entries] == names
    assert all(type(entry) is structure for entry in entries)
    if info_class != FileClass.NAMES:
        assert [entry["end_of_file"].get_value() for entry in entries] == [100] * 4


def test_query_info() -> None:
    request = fields(
        files.SMB2QueryInfoRequest(),
        info_type=1,
        file_info_class=18,
        output_buffer_length=1024,
        file_id=FILE_ID,
        buffer=b"in",
    )
    parsed = query_info.parse_query_info_request(frame(request))
    assert parsed == query_info.QueryInfoRequest(1, 18, 1024, 0, 0, 1, 2, memoryview(b"in"))


FILE_CLASSES = [
    (FileClass.ALL, file_info.FileAllInformation),
    (FileClass.ALIGNMENT, file_info.FileAlignmentInformation),
    (FileClass.ATTRIBUTE_TAG, file_info.FileAttributeTagInformation),
    (FileClass.BASIC, file_info.FileBasicInformation),
    (FileClass.EA, file_info.FileEaInformation),
    (FileClass.INTERNAL, file_info.FileInternalInformation),
    (FileClass.MODE, file_info.FileModeInformation),
    (FileClass.NAME, file_info.FileNameInformation),
    (FileClass.POSITION, file_info.FilePositionInformation),
    (FileClass.STANDARD, file_info.FileStandardInformation),
]


@pytest.mark.parametrize(("info_class", "structure"), FILE_CLASSES)
def test_query_info_of_a_file(info_class: int, structure) -> None:
    packed = fscc.FILE_QUERIES[info_class].pack(VIEW)
    response = unpack(files.SMB2QueryInfoResponse(), output.pack_output_response(packed))
    read_back = unpack(structure(), response["buffer"].get_value())
    assert read_back.pack() == packed


@pytest.mark.parametrize(
    ("info_class", "structure"),
    [
        (FileSystemClass.FULL_SIZE, file_info.FileFsFullSizeInformation),
        (FileSystemClass.OBJECT_ID, file_info.FileFsObjectIdInformation),
        (FileSystemClass.VOLUME, file_info.FileFsVolumeInformation),
    ],
)
def test_query_info_of_a_file_system(info_class: int, structure) -> None:
    volume = replace(VOLUME, creation_time=116444736000000000)  # whole microseconds for Python
    packed = fscc.FILE_SYSTEM_QUERIES[info_class].pack(volume)
    assert unpack(structure(), packed).pack() == packed


def test_set_info() -> None:
    rename = fields(
        file_info.FileRenameInformation(),
        replace_if_exists=True,
        file_name="d\\f".encode("utf-16-le"),
    )
    request = fields(
        files.SMB2SetInfoRequest(),
        info_type=1,
        file_info_class=10,
        file_id=FILE_ID,
        buffer=rename,
    )
    parsed = set_info.parse_set_info_request(frame(request))
    assert fscc.parse_rename(parsed.data) == fscc.Rename(replace=True, name="d\\f")
    end = fields(file_info.FileEndOfFileInformation(), end_of_file=99)
    assert fscc.parse_end_of_file(memoryview(end.pack())) == 99


def test_extended_attributes() -> None:
    attributes = [fscc.ExtendedAttribute(b"one", b"11"), fscc.ExtendedAttribute(b"x", b"", 0x80)]
    packed = fscc.pack_full_ea(attributes)
    first = file_info.FileFullEaInformation()
    first.unpack(packed)
    assert values(first, "ea_name", "ea_value", "next_entry_offset") == [b"one", b"11", 16]
    theirs = fields(file_info.FileFullEaInformation(), ea_name=b"two", ea_value=b"22")
    assert fscc.parse_full_ea(memoryview(theirs.pack())) == [fscc.ExtendedAttribute(b"two", b"22")]


def test_change_notify() -> None:
    packed = pack_notify_information([(4, "old"), (5, "new name")], 1024)
    assert packed is not None
    first = their_notify.FileNotifyInformation()
    first.unpack(packed)
    assert values(first, "action", "file_name", "next_entry_offset") == [4, "old", 20]


def test_error_with_a_context() -> None:
    packed = error.pack_error_response(0x0311, 0xC0000023, (9).to_bytes(4, "little"))
    response = unpack(exceptions.SMB2ErrorResponse(), packed)
    (context,) = response["error_data"].get_value()
    assert values(context, "error_id", "error_context_data") == [0, b"\x09\0\0\0"]


def their_sid(text: str) -> security_descriptor.SIDPacket:
    sid = security_descriptor.SIDPacket()
    sid.from_string(text)
    return sid


def test_our_security_descriptor_is_read() -> None:
    packed = dtyp.pack_security_descriptor(
        dtyp.SecurityDescriptor(
            "S-1-5-32-544",
            "S-1-5-21-1-2-3-513",
            [dtyp.Ace(0, 3, 0x1F01FF, "S-1-1-0"), dtyp.Ace(1, 0, 2, "S-1-5-7")],
        )
    )
    theirs = security_descriptor.SMB2CreateSDBuffer()
    theirs.unpack(packed)
    assert str(theirs.get_owner()) == "S-1-5-32-544"
    assert str(theirs.get_group()) == "S-1-5-21-1-2-3-513"
    first, second = theirs.get_dacl()["aces"].get_value()
    assert (first["mask"].get_value(), str(first["sid"].get_value())) == (0x1F01FF, "S-1-1-0")
    assert str(second["sid"].get_value()) == "S-1-5-7"


def test_their_security_descriptor_is_read() -> None:
    theirs = security_descriptor.SMB2CreateSDBuffer()
    acl = security_descriptor.AclPacket()
    acl["aces"] = [
        fields(security_descriptor.AccessAllowedAce(), mask=0x1F01FF, sid=their_sid("S-1-1-0"))
    ]
    theirs.set_dacl(acl)
    theirs.set_owner(their_sid("S-1-5-18"))
    theirs["control"].set_flag(security_descriptor.SDControl.SELF_RELATIVE)
    parsed = dtyp.parse_security_descriptor(memoryview(theirs.pack()))
    assert parsed.owner == "S-1-5-18"
    assert parsed.dacl == [dtyp.Ace(0, 0, 0x1F01FF, "S-1-1-0")]
