"""What a client was refused with."""

import re
from collections.abc import Callable
from typing import Any

from impacket import nt_errors
from impacket.smb3 import SessionError as Smb3SessionError
from impacket.smbconnection import SessionError
from smbprotocol.exceptions import SMBOSError, SMBResponseException

from smbd.ntstatus import NtStatus, status_name

REFUSALS = (SMBResponseException, SMBOSError, SessionError, Smb3SessionError)


class SambaError(Exception):
    """Samba's smbclient ended with an error; what it printed is the message."""


def status_of(error: BaseException) -> str:
    """The name of the NTSTATUS that a client's exception carries, as in NtStatus; else ''."""
    match error:
        case SambaError():
            found = re.search(r"NT_STATUS_(\w+)", str(error))
            return found[1] if found else ""
        case SMBResponseException() | SMBOSError():
            return _name(error.ntstatus if isinstance(error, SMBOSError) else error.status)
        case SessionError() | Smb3SessionError():
            code = error.getErrorCode() if isinstance(error, SessionError) else error.error
            return _name(code)
    return ""


def _name(status: int) -> str:
    known = nt_errors.ERROR_MESSAGES.get(status)
    return known[0].removeprefix("STATUS_") if known else status_name(status)


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The NTSTATUS that a call of smbprotocol's or impacket's is refused with; 0 if it is not."""
    try:
        call(*args, **kwargs)
    except REFUSALS as error:
        return int(getattr(NtStatus, status_of(error)))
    return 0
