"""Answers that no single command owns."""

from typing import Never

from smbd.ntstatus import NtStatus
from smbd.request import Reply, Request
from smbd.wire.ioctl import IoctlRequest, pack_ioctl_response

# CANCEL has no response ([MS-SMB2] 3.3.5.16); dispatch sends this one nowhere.
NO_REPLY = Reply()


def later(request: Request) -> None:
    """The `try_now` of a command that always waits for something."""


async def never(request: Request) -> Never:
    """The `run` of a command whose `try_now` always answers."""
    raise AssertionError(f"command {request.command} answers at once")


def ioctl_reply(
    request: Request, message: IoctlRequest, output: bytes = b"", status: int = NtStatus.SUCCESS
) -> Reply:
    """An IOCTL response, which some statuses other than SUCCESS have too ([MS-SMB2] 3.3.4.4)."""
    persistent_id, volatile_id = message.persistent_id, message.volatile_id
    if request.open is not None:
        persistent_id, volatile_id = request.open.persistent_id, request.open.volatile_id
    packed = pack_ioctl_response(message.ctl_code, persistent_id, volatile_id, output)
    return Reply(packed, status)
