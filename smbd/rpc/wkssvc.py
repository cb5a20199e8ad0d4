"""wkssvc, the Workstation service ([MS-WKST]): Explorer asks it for the machine's name."""

from uuid import UUID

from smbd.rpc.interface import (
    Interface,
    Win32,
    denied_enumeration,
    denied_with_parameter,
    information,
)
from smbd.rpc.ndr import Reader, Row, Writer
from smbd.rpc.srvsvc import PLATFORM_ID_NT
from smbd.rpc.view import ServerView

_NET_SETUP_WORKGROUP_NAME = 2  # [MS-WKST] 2.2.3.1


def _wksta_get_info(stub: Reader, view: ServerView) -> bytes:
    """NetrWkstaGetInfo, 3.2.4.1."""
    stub.optional_string()  # ServerName
    level = stub.u32()
    if level not in (100, 101, 102, 502):
        return information(level, None, Win32.INVALID_LEVEL)
    # 502 is the tuning of Windows' redirector, and for administrators.
    if level == 502 or (level > 100 and view.guest):
        return information(level, None, Win32.ACCESS_DENIED)
    row: Row = (PLATFORM_ID_NT, view.name, view.workgroup, *view.version)
    if level > 100:
        row = (*row, "")  # lanroot: not used
    if level > 101:
        row = (*row, view.sessions)
    return information(level, row, Win32.SUCCESS)


def _get_join_information(stub: Reader, view: ServerView) -> bytes:
    """NetrGetJoinInformation, 3.2.4.12: a workgroup, never a domain."""
    stub.optional_string()  # ServerName
    stub.optional_string()  # NameBuffer: the answer's place
    out = Writer()
    out.row((view.workgroup,))
    out.place()
    out.u16(_NET_SETUP_WORKGROUP_NAME)
    return out.finish(Win32.SUCCESS)


WKSSVC = Interface(
    UUID("6bffd098-a112-3610-9833-46c3f87e345a"),
    1,
    0,
    {
        0: _wksta_get_info,
        1: denied_with_parameter,  # NetrWkstaSetInfo
        2: denied_enumeration(1, frozenset((0, 1))),  # NetrWkstaUserEnum
        20: _get_join_information,
    },
)
