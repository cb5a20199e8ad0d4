"""Answers that no single command owns."""

from typing import Never

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request

# CANCEL has no response ([MS-SMB2] 3.3.5.16); dispatch sends this one nowhere.
NO_REPLY = Reply()


def later(request: Request) -> None:
    """The `try_now` of a command that always waits for something."""


async def never(request: Request) -> Never:
    """The `run` of a command whose `try_now` always answers."""
    raise AssertionError(f"command {request.command} answers at once")


def check_charge(request: Request, size: int) -> None:
    """[MS-SMB2] 3.3.5.2.5: a request pays one credit per 64 KiB that it moves, either way."""
    if request.connection.multi_credit:
        charge = request.credit_charge or 1
        if size > charge * 65536:
            raise NtError(NtStatus.INVALID_PARAMETER)
    elif size > 65536:
        raise NtError(NtStatus.INVALID_PARAMETER)
