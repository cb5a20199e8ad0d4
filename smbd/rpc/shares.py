"""The share methods of srvsvc: they list the shares, and describe one ([MS-SRVS] 3.1.4)."""

from collections.abc import Callable, Mapping

from smbd.rpc.interface import Enumeration, Method, Win32, information
from smbd.rpc.ndr import Reader, Row, Writer
from smbd.rpc.view import ServerView, ShareType, ShareView

_Level = Callable[[ShareView], Row]


def _level_2(share: ShareView) -> Row:
    return (
        share.name,
        share.type,
        share.comment,
        0,  # permissions: of share-level security, which there is no more
        share.max_uses,
        share.current_uses,
        share.path,
        None,  # passwd: likewise
    )


def _level_502(share: ShareView) -> Row:
    return (*_level_2(share), *_security(share))


def _level_503(share: ShareView) -> Row:
    return (*_level_2(share), "*", *_security(share))  # servername: not scoped to one


def _security(share: ShareView) -> Row:
    descriptor = share.security_descriptor
    return (len(descriptor), descriptor or None)


_LISTED: Mapping[int, _Level] = {
    0: lambda share: (share.name,),
    1: lambda share: (share.name, share.type, share.comment),
    2: _level_2,
    501: lambda share: (share.name, share.type, share.comment, share.flags),
    502: _level_502,
    503: _level_503,
}
_TOLD: Mapping[int, _Level] = {
    **_LISTED,
    1004: lambda share: (share.comment,),
    1005: lambda share: (share.flags,),
    1006: lambda share: (share.max_uses,),
    1007: lambda share: (share.flags, None),  # no alternate directory name
    1501: _security,
}
# The levels that Windows tells a caller without an account (Samba's torture test has them).
_LISTED_TO_GUESTS = frozenset((0, 1))
_TOLD_TO_GUESTS = frozenset((0, 1, 501, 1004, 1005))


def _share_enum(levels: Mapping[int, _Level]) -> Method:
    """NetrShareEnum, 3.1.4.8.  Hidden shares are left out: their names alone open them."""

    def method(stub: Reader, view: ServerView) -> bytes:
        stub.optional_string()  # ServerName
        asked = Enumeration.take(stub, _TOLD)  # Samba's IDL has all these levels here too
        if asked.level not in levels:
            return asked.refuse(Win32.INVALID_LEVEL)
        if view.guest and asked.level not in _LISTED_TO_GUESTS:
            return asked.refuse(Win32.ACCESS_DENIED)
        level = levels[asked.level]
        return asked.answer([level(share) for share in view.every_share() if not share.hidden])

    return method


share_enum = _share_enum(_LISTED)

# 3.1.4.9: all shares come from the configuration, and so are sticky; level 501 is excluded.
share_enum_sticky = _share_enum({level: row for level, row in _LISTED.items() if level != 501})


def share_get_info(stub: Reader, view: ServerView) -> bytes:
    """NetrShareGetInfo, 3.1.4.10."""
    stub.optional_string()  # ServerName
    name = stub.string().casefold()
    level = stub.u32()
    if level not in _TOLD:
        return information(level, None, Win32.INVALID_LEVEL)
    if view.guest and level not in _TOLD_TO_GUESTS:
        return information(level, None, Win32.ACCESS_DENIED)
    for share in view.every_share():
        if share.name.casefold() == name:
            return information(level, _TOLD[level](share), Win32.SUCCESS)
    return information(level, None, Win32.NET_NAME_NOT_FOUND)


def share_check(stub: Reader, view: ServerView) -> bytes:
    """NetrShareCheck, 3.1.4.13: whether, and as what, a path is shared."""
    stub.optional_string()  # ServerName
    path = stub.string().casefold()
    found = None
    if not view.guest:  # a caller that is told no path has none confirmed
        found = next((s for s in view.every_share() if s.path.casefold() == path), None)
    out = Writer()
    out.u32(found.type if found else ShareType.DISKTREE)
    return out.finish(Win32.SUCCESS if found else Win32.DEVICE_NOT_SHARED)
