"""srvsvc, the Server service ([MS-SRVS]): it lists the shares to `net view` and Explorer."""

import time
from collections.abc import Mapping
from uuid import UUID

from smbd.config import share_name_problem
from smbd.rpc.interface import (
    Interface,
    Method,
    Win32,
    denied,
    denied_enumeration,
    denied_with_parameter,
    information,
)
from smbd.rpc.ndr import Reader, Row, Writer
from smbd.rpc.shares import share_check, share_enum, share_enum_sticky, share_get_info
from smbd.rpc.view import ServerView

PLATFORM_ID_NT = 500  # [MS-SRVS] 2.2.2.6: the family whose calls are understood

# [MS-SRVS] 2.2.2.7: WORKSTATION, SERVER, SERVER_UNIX, NT, SERVER_NT.
_SERVER_TYPE = 0x00000001 | 0x00000002 | 0x00000800 | 0x00001000 | 0x00008000

_NAME_TYPE_SHARE = 9  # [MS-SRVS] 2.2.2.8


def _server_get_info(stub: Reader, view: ServerView) -> bytes:
    """NetrServerGetInfo, 3.1.4.17."""
    stub.optional_string()  # ServerName
    level = stub.u32()
    if level not in (100, 101, 102, 502, 503):
        return information(level, None, Win32.INVALID_LEVEL)
    # 502 and 503 are the tuning of Windows' own server, and for administrators.
    if level > 102 or (level == 102 and view.guest):
        return information(level, None, Win32.ACCESS_DENIED)
    row: Row = (PLATFORM_ID_NT, view.name)
    if level > 100:
        row = (*row, *view.version, _SERVER_TYPE, view.comment)
    if level > 101:
        row = (*row, *_LIMITS)
    return information(level, row, Win32.SUCCESS)


# SERVER_INFO_102 from sv102_users on, 2.2.4.42: the defaults of a server that is not announced.
_LIMITS: Row = (
    0xFFFFFFFF,  # users: as many as connect
    0xFFFFFFFF,  # disc: SV_NODISC, an idle session is not ended
    1,  # hidden: nothing is announced to the network browser ...
    240,  # announce: ... at this interval in seconds
    3000,  # anndelta: milliseconds
    0,  # licenses
    "C:\\",  # userpath
)


def _remote_time_of_day(stub: Reader, view: ServerView) -> bytes:
    """NetrRemoteTOD, 3.1.4.21: the time of day in UTC, and how far west of it the server is."""
    stub.optional_string()  # ServerName
    utc = time.gmtime(view.now)
    timezone = -time.localtime(view.now).tm_gmtoff // 60
    row = (
        int(view.now) & 0xFFFFFFFF,
        int(view.uptime * 1000) & 0xFFFFFFFF,  # wraps after 49 days, as it does on Windows
        utc.tm_hour,
        utc.tm_min,
        utc.tm_sec,
        int(view.now * 100) % 100,
        timezone & 0xFFFFFFFF,
        310,  # tinterval: a clock tick in 0.1 ms, as Windows has it
        utc.tm_mday,
        utc.tm_mon,
        utc.tm_year,
        (utc.tm_wday + 1) % 7,  # Sunday is 0
    )
    out = Writer()
    out.pointer(lambda: out.row(row))
    return out.finish(Win32.SUCCESS)


def _server_disk_enum(stub: Reader, view: ServerView) -> bytes:
    """NetrServerDiskEnum, 3.1.4.19: the drive letters that the told paths have."""
    stub.optional_string()  # ServerName
    level = stub.u32()
    stub.no_entries(varying=True)
    stub.u32()  # PreferedMaximumLength: SHOULD be ignored, there being 26 letters
    resume = stub.optional_u32()
    drives: list[str] = []
    error = Win32.SUCCESS
    if level != 0:
        error = Win32.INVALID_LEVEL
    elif view.guest:
        error = Win32.ACCESS_DENIED
    else:
        drives = sorted({share.path[:2] for share in view.shares if share.path[1:2] == ":"})
    out = Writer()

    def disks() -> None:
        out.u32(len(drives))  # maximum count
        out.u32(0)  # offset
        out.u32(len(drives))
        for drive in drives:
            out.varying_string(drive)

    out.u32(len(drives))
    out.pointer(disks if drives else None)
    out.place()
    out.u32(len(drives))
    out.optional_u32(None if resume is None else 0)
    return out.finish(error)


def _name_validate(stub: Reader, _view: ServerView) -> bytes:
    """NetprNameValidate, 3.1.4.32: whether a share of ours could have a name.

    This server gives no other names, so other types are none of its own.
    """
    stub.optional_string()  # ServerName
    name = stub.string()
    kind = stub.u32()
    flags = stub.u32()
    if kind != _NAME_TYPE_SHARE or flags:
        return Writer().finish(Win32.INVALID_PARAMETER)
    return Writer().finish(Win32.INVALID_NAME if share_name_problem(name) else Win32.SUCCESS)


_METHODS: Mapping[int, Method] = {
    8: denied_enumeration(2, frozenset((0, 1))),  # NetrConnectionEnum
    9: denied_enumeration(3, frozenset((2, 3))),  # NetrFileEnum
    11: denied,  # NetrFileClose
    12: denied_enumeration(3, frozenset((0, 1, 2, 10, 502))),  # NetrSessionEnum
    13: denied,  # NetrSessionDel
    14: denied_with_parameter,  # NetrShareAdd
    15: share_enum,
    16: share_get_info,
    17: denied_with_parameter,  # NetrShareSetInfo
    18: denied,  # NetrShareDel
    19: denied,  # NetrShareDelSticky
    20: share_check,
    21: _server_get_info,
    22: denied_with_parameter,  # NetrServerSetInfo
    23: _server_disk_enum,
    26: denied_enumeration(1, frozenset((0, 1, 2, 3))),  # NetrServerTransportEnum
    28: _remote_time_of_day,
    33: _name_validate,
    36: share_enum_sticky,
}

SRVSVC = Interface(UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0, _METHODS)
