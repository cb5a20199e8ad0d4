"""IOCTL ([MS-SMB2] 3.3.5.15): what clients ask that no other command says."""

from collections.abc import Awaitable, Callable

from smbd import vfs
from smbd.commands import copychunk, sparse
from smbd.commands.reply import ioctl_reply
from smbd.ntstatus import NtError, NtStatus, ProtocolError
from smbd.request import Reply, Request
from smbd.state import Open
from smbd.wire.access import Access
from smbd.wire.fsctl import (
    Fsctl,
    pack_compression_format,
    pack_network_interfaces,
    pack_object_id,
    pack_snapshots,
    pack_validate_negotiate,
    parse_compression_format,
    parse_validate_negotiate,
)
from smbd.wire.header import Capabilities, Dialect
from smbd.wire.ioctl import IoctlFlags, IoctlRequest, parse_ioctl_request


def try_now(request: Request) -> Reply | None:
    """Answer those that wait for nothing; refuse those that are not known."""
    message = parse_ioctl_request(request.frame)
    if message.flags != IoctlFlags.IS_FSCTL:
        raise NtError(NtStatus.NOT_SUPPORTED)
    request.check_length(
        max(message.max_output_response, message.max_input_response, len(message.input))
    )
    if message.ctl_code in _DFS:
        # [MS-SMB2] 3.3.5.15.2: what a server answers that takes no part in DFS.
        raise NtError(NtStatus.FS_DRIVER_REQUIRED)
    if message.ctl_code == Fsctl.QUERY_NETWORK_INTERFACE_INFO:
        _check_network_interfaces(request, message)
        return None
    handler = _NOW.get(message.ctl_code)
    if handler is not None:
        return ioctl_reply(request, message, handler(request, message))
    request.find_open(message)
    if message.ctl_code in _LATER:
        return None
    raise NtError(_REFUSALS.get(message.ctl_code, NtStatus.INVALID_DEVICE_REQUEST))


async def run(request: Request) -> Reply:
    """Those that have to look at the disk."""
    message = parse_ioctl_request(request.frame)
    if message.ctl_code == Fsctl.QUERY_NETWORK_INTERFACE_INFO:
        return await _network_interfaces(request, message)
    return await _LATER[message.ctl_code](request, request.find_open(message), message)


def _validate_negotiate(request: Request, message: IoctlRequest) -> bytes:
    """[MS-SMB2] 3.3.5.15.12: tell again, signed, what NEGOTIATE said; a difference is an attack.

    3.1.1 has its preauth integrity hash for this: there the request itself is an attack.
    """
    known = request.connection.negotiated
    if known.dialect == Dialect.SMB_3_1_1:
        raise ProtocolError("VALIDATE_NEGOTIATE_INFO on 3.1.1")
    said = parse_validate_negotiate(message.input)
    if message.max_output_response < _VALIDATE_RESPONSE_SIZE:
        raise ProtocolError("no room for VALIDATE_NEGOTIATE_INFO's answer")
    if (
        said.guid != known.client_guid
        or said.security_mode != known.client_security_mode
        or said.capabilities != known.client_capabilities
        or tuple(said.dialects) != known.client_dialects
    ):
        raise ProtocolError("NEGOTIATE was tampered with")
    return pack_validate_negotiate(
        known.capabilities,
        request.service.guid,
        known.security_mode,
        known.dialect,
    )


def _check_network_interfaces(request: Request, message: IoctlRequest) -> None:
    """[MS-SMB2] 3.3.5.15.11; a FileId that names a file, or input, is refused as on Windows."""
    if not request.connection.negotiated.capabilities & Capabilities.MULTI_CHANNEL:
        raise NtError(NtStatus.NOT_SUPPORTED)
    if {message.persistent_id, message.volatile_id} != {_NO_FILE} or message.input:
        raise NtError(NtStatus.INVALID_PARAMETER)


async def _network_interfaces(request: Request, message: IoctlRequest) -> Reply:
    """The kernel knows them.

    NOT_SUPPORTED where clients are told of none: to cifs.ko an empty success is malformed.
    """
    try:
        found = await request.service.blocking(request.service.interfaces)
    except OSError:
        found = ()  # a container may keep the kernel from telling
    if not found:
        raise NtError(NtStatus.NOT_SUPPORTED)
    packed = pack_network_interfaces(found, message.max_output_response)
    return ioctl_reply(request, message, packed)


def _snapshots(request: Request, message: IoctlRequest) -> bytes:
    """[MS-SMB2] 3.3.5.15.1: there are none, which Explorer shows as no previous versions."""
    request.find_open(message)
    return pack_snapshots((), message.max_output_response)


def _get_compression(request: Request, message: IoctlRequest) -> bytes:
    """[MS-FSCC] 2.3.21: nothing is compressed that the client would have to know of."""
    request.find_open(message)
    if message.max_output_response < _COMPRESSION_FORMAT_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    return pack_compression_format(_COMPRESSION_FORMAT_NONE)


def _set_compression(request: Request, message: IoctlRequest) -> bytes:
    """[MS-FSCC] 2.3.67: to ask for none is harmless, and copying tools do."""
    request.find_open(message).require_any(Access.FILE_WRITE_DATA | Access.FILE_WRITE_ATTRIBUTES)
    if parse_compression_format(message.input) != _COMPRESSION_FORMAT_NONE:
        raise NtError(NtStatus.NOT_SUPPORTED)
    return b""


async def _object_id(request: Request, open_: Open, message: IoctlRequest) -> Reply:
    """[MS-FSCC] 2.3.1: Explorer names files in shortcuts so; made of FileId and volume."""
    if message.max_output_response < _OBJECT_ID_SIZE:
        raise NtError(NtStatus.INVALID_PARAMETER)
    volume = await request.blocking(open_.file.root.volume, open_.file)
    known = await request.blocking(vfs.information, open_.file)
    object_id = known.index_number.to_bytes(8, "little") + known.volume_id.to_bytes(8, "little")
    return ioctl_reply(request, message, pack_object_id(object_id, volume.guid))


_VALIDATE_RESPONSE_SIZE = 24
_COMPRESSION_FORMAT_SIZE = 2
_COMPRESSION_FORMAT_NONE = 0
_OBJECT_ID_SIZE = 64
_NO_FILE = 0xFFFFFFFFFFFFFFFF
# An FSCTL that is unknown, or not built, is no request for this device ([MS-FSA] 2.1.5.10).
_REFUSALS = {
    # Symbolic links are followed here, in the server: a client sees none of them.
    Fsctl.GET_REPARSE_POINT: NtStatus.NOT_A_REPARSE_POINT,
    Fsctl.SET_REPARSE_POINT: NtStatus.NOT_A_REPARSE_POINT,
    Fsctl.DELETE_REPARSE_POINT: NtStatus.NOT_A_REPARSE_POINT,
    Fsctl.SRV_READ_HASH: NtStatus.HASH_NOT_SUPPORTED,  # [MS-SMB2] 3.3.5.15.7
}
_DFS = frozenset((Fsctl.DFS_GET_REFERRALS, Fsctl.DFS_GET_REFERRALS_EX))
_NOW: dict[int, Callable[[Request, IoctlRequest], bytes]] = {
    Fsctl.VALIDATE_NEGOTIATE_INFO: _validate_negotiate,
    Fsctl.SRV_REQUEST_RESUME_KEY: copychunk.resume_key,
    Fsctl.SRV_ENUMERATE_SNAPSHOTS: _snapshots,
    Fsctl.GET_COMPRESSION: _get_compression,
    Fsctl.SET_COMPRESSION: _set_compression,
}
_LATER: dict[int, Callable[[Request, Open, IoctlRequest], Awaitable[Reply]]] = {
    Fsctl.SRV_COPYCHUNK: copychunk.copy,
    Fsctl.SRV_COPYCHUNK_WRITE: copychunk.copy,
    Fsctl.SET_SPARSE: sparse.set_sparse,
    Fsctl.SET_ZERO_DATA: sparse.set_zero_data,
    Fsctl.QUERY_ALLOCATED_RANGES: sparse.query_allocated_ranges,
    Fsctl.CREATE_OR_GET_OBJECT_ID: _object_id,
    Fsctl.GET_OBJECT_ID: _object_id,  # it is there before anybody asks
}
