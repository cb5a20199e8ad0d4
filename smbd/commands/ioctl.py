"""IOCTL ([MS-SMB2] 3.3.5.15): what clients ask that no other command says."""

from collections.abc import Callable

from smbd.commands.reply import check_charge
from smbd.ntstatus import NtError, NtStatus, ProtocolError
from smbd.request import Reply, Request
from smbd.wire.file_id import ANY_FILE_ID
from smbd.wire.fsctl import Fsctl, pack_validate_negotiate, parse_validate_negotiate
from smbd.wire.header import Dialect
from smbd.wire.ioctl import IoctlFlags, IoctlRequest, pack_ioctl_response, parse_ioctl_request


def try_now(request: Request) -> Reply | None:
    """Answer those that wait for nothing; refuse those that are not known."""
    message = parse_ioctl_request(request.frame)
    if message.flags != IoctlFlags.IS_FSCTL:
        raise NtError(NtStatus.NOT_SUPPORTED)
    largest = max(message.max_output_response, message.max_input_response, len(message.input))
    if largest > request.connection.max_transact:
        raise NtError(NtStatus.INVALID_PARAMETER)
    check_charge(request, largest)
    if message.ctl_code in _DFS:
        # [MS-SMB2] 3.3.5.15.2: what a server answers that takes no part in DFS.
        raise NtError(NtStatus.FS_DRIVER_REQUIRED)
    handler = _NOW.get(message.ctl_code)
    if handler is None:
        if message.volatile_id != ANY_FILE_ID:
            request.find_open(message)
        raise NtError(NtStatus.NOT_SUPPORTED)
    output = handler(request, message)
    return Reply(
        pack_ioctl_response(message.ctl_code, message.persistent_id, message.volatile_id, output)
    )


async def run(request: Request) -> Reply:
    """Nothing that is known has to wait."""
    raise NtError(NtStatus.NOT_SUPPORTED)


def _validate_negotiate(request: Request, message: IoctlRequest) -> bytes:
    """[MS-SMB2] 3.3.5.15.12: tell again, signed, what NEGOTIATE said; a difference is an attack.

    3.1.1 has its preauth integrity hash for this: there the request itself is an attack.
    """
    connection = request.connection
    if connection.dialect == Dialect.SMB_3_1_1:
        raise ProtocolError("VALIDATE_NEGOTIATE_INFO on 3.1.1")
    said = parse_validate_negotiate(message.input)
    if message.max_output_response < _VALIDATE_RESPONSE_SIZE:
        raise ProtocolError("no room for VALIDATE_NEGOTIATE_INFO's answer")
    if (
        said.guid != connection.client_guid
        or said.security_mode != connection.client_security_mode
        or said.capabilities != connection.client_capabilities
        or tuple(said.dialects) != connection.client_dialects
    ):
        raise ProtocolError("NEGOTIATE was tampered with")
    return pack_validate_negotiate(
        connection.capabilities,
        request.service.guid,
        connection.security_mode,
        connection.dialect,
    )


_VALIDATE_RESPONSE_SIZE = 24
_DFS = frozenset((Fsctl.DFS_GET_REFERRALS, Fsctl.DFS_GET_REFERRALS_EX))
_NOW: dict[int, Callable[[Request, IoctlRequest], bytes]] = {
    Fsctl.VALIDATE_NEGOTIATE_INFO: _validate_negotiate,
}
