"""lsarpc, the Local Security Authority ([MS-LSAT], [MS-LSAD]): names for the SIDs in descriptors.

Clients need it to show and to edit an access list: Explorer's security page, smbcacls, libsmb2.
Nothing is changed here; the methods that would are none (fault OP_RNG_ERROR).
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeGuard
from uuid import UUID

from smbd.ntstatus import NtError, NtStatus
from smbd.rpc import principals
from smbd.rpc.handles import NO_HANDLE
from smbd.rpc.interface import Interface, Method
from smbd.rpc.ndr import Reader, StubError, Writer
from smbd.rpc.principals import Principal, Use, machine
from smbd.rpc.view import ServerView
from smbd.vfs.acl.sids import ACCOUNT_DOMAIN

# [MS-LSAT] allows 1,000 names and 20,480 SIDs a call.  1,000 SIDs took the loop for 14 ms, with a
# neighbour on the same cores; clients ask for those of one list, which on ext4 has room for 110.
_MOST = 256

_NO_DOMAIN = 0xFFFFFFFF  # DomainIndex: -1

# [MS-LSAD] 2.2.1.1.2: the rights to a policy, and the meaning of the generic rights for everybody.
_GRANTED = (
    0x00000001 | 0x00000800 | 0x00020000
)  # VIEW_LOCAL_INFORMATION, LOOKUP_NAMES, READ_CONTROL
_MEANS_GRANTED = 0x02000000 | 0x20000000  # MAXIMUM_ALLOWED, GENERIC_EXECUTE

_Put: TypeAlias = Callable[[Writer, Principal | None, int], None]


def _close(stub: Reader, _view: ServerView) -> bytes:
    """LsarClose, [MS-LSAD] 3.1.4.9.4."""
    stub.handles.close(stub.handle())
    out = Writer()
    out.octets(NO_HANDLE)
    return out.finish(NtStatus.SUCCESS)


def _open_policy(stub: Reader, _view: ServerView) -> bytes:
    """LsarOpenPolicy, [MS-LSAD] 3.1.4.4.2, whose SystemName is one character of a name."""
    if stub.u32():
        stub.u16()
    return _open(stub)


def _open_policy_2(stub: Reader, _view: ServerView) -> bytes:
    """LsarOpenPolicy2, [MS-LSAD] 3.1.4.4.1."""
    stub.optional_string()  # SystemName
    return _open(stub)


def _open(stub: Reader) -> bytes:
    """Take ObjectAttributes and DesiredAccess, and give a handle.

    Guests get one, too: they may learn what the well-known SIDs are called.
    """
    _object_attributes(stub)
    status, handle = NtStatus.SUCCESS, NO_HANDLE
    if stub.u32() & ~(_GRANTED | _MEANS_GRANTED):
        status = NtStatus.ACCESS_DENIED
    else:
        try:
            handle = stub.handles.open()
        except NtError as refusal:
            status = refusal.status
    out = Writer()
    out.octets(handle)
    return out.finish(status)


def _object_attributes(stub: Reader) -> None:
    """Take LSAPR_OBJECT_ATTRIBUTES ([MS-LSAD] 2.2.2.4), of which nothing counts.

    Its pointers but the last must be NULL, and clients have them so.
    """
    stub.u32()  # Length
    root, name, _attributes, descriptor, quality = (stub.u32() for _ in range(5))
    if root or name or descriptor:
        raise StubError
    if quality:
        stub.octets(8)  # SECURITY_QUALITY_OF_SERVICE: SMB's own login has decided it


def _query_policy(stub: Reader, view: ServerView) -> bytes:
    """LsarQueryInformationPolicy and ...2, [MS-LSAD] 3.1.4.4.3 and 3.1.4.4.4."""
    stub.handle()
    wanted = stub.u16()
    put = _POLICIES.get(wanted)
    out = Writer()
    if put is None:
        out.pointer(None)
        return out.finish(NtStatus.INVALID_PARAMETER)

    def union() -> None:
        out.u16(wanted)
        put(out, view)

    out.pointer(union)
    return out.finish(NtStatus.SUCCESS)


def _primary_domain(out: Writer, view: ServerView) -> None:
    """POLICY_PRIMARY_DOM_INFO: a workgroup, which has no SID."""
    out.unicode_string(view.workgroup)
    out.optional_sid(None)


def _account_domain(out: Writer, view: ServerView) -> None:
    """POLICY_ACCOUNT_DOM_INFO."""
    out.unicode_string(machine(view))
    out.optional_sid(ACCOUNT_DOMAIN)


def _dns_domain(out: Writer, view: ServerView) -> None:
    """POLICY_DNS_DOMAIN_INFO: a workgroup has no DNS name, forest, GUID or SID."""
    for name in (view.workgroup, "", ""):
        out.unicode_string(name)
    out.octets(bytes(16))
    out.optional_sid(None)


# POLICY_INFORMATION_CLASS, [MS-LSAD] 2.2.4.1.
_POLICIES: dict[int, Callable[[Writer, ServerView], None]] = {
    3: _primary_domain,
    5: _account_domain,
    12: _dns_domain,
}


def _get_user_name(stub: Reader, view: ServerView) -> bytes:
    """LsarGetUserName, [MS-LSAT] 3.1.4.4: the caller's name and domain."""
    stub.optional_string()  # SystemName
    stub.optional_unicode_string()  # UserName: must be NULL, and is not looked at
    wants_domain = stub.u32()
    user, domain = view.user, machine(view)
    if not user:
        user, domain = "ANONYMOUS LOGON", "NT AUTHORITY"
    out = Writer()
    out.pointer(lambda: out.unicode_string(user))
    out.place()
    out.pointer((lambda: out.pointer(lambda: out.unicode_string(domain))) if wants_domain else None)
    return out.finish(NtStatus.SUCCESS)


def _lookup_sids(put: _Put, *, handle: bool = True) -> Method:
    """LsarLookupSids, ...2 and ...3, [MS-LSAT] 3.1.4.11, 3.1.4.10 and 3.1.4.9.

    The last one is for domain controllers, and takes no handle; its answer is the same.  The
    parameters behind the SIDs say where else to look, and there is nowhere else.
    """

    def method(stub: Reader, view: ServerView) -> bytes:
        if handle:
            stub.handle()
        sids = stub.sids(_MOST)
        return _answer(put, [principals.of_sid(sid, view) or _unknown(sid) for sid in sids])

    return method


def _lookup_names(put: _Put, *, handle: bool = True) -> Method:
    """LsarLookupNames, ...2, ...3 and ...4, [MS-LSAT] 3.1.4.8 to 3.1.4.5."""

    def method(stub: Reader, view: ServerView) -> bytes:
        if handle:
            stub.handle()
        names = stub.unicode_strings(_MOST)
        return _answer(put, [principals.of_name(name, view) for name in names])

    return method


def _unknown(sid: str) -> Principal:
    """The principal of an unknown SID: its name is the SID itself."""
    return Principal(sid, Use.UNKNOWN, "", sid)


def _answer(put: _Put, found: Sequence[Principal | None]) -> bytes:
    """The answer: the domains of the principals found, these, their count, and whether all were."""
    domains: dict[str, str] = {}
    for one in found:
        if _is_known(one):
            domains.setdefault(one.domain_sid, one.domain)
    places = {sid: index for index, sid in enumerate(domains)}
    out = Writer()
    out.pointer(lambda: _domains(out, list(domains.items())))
    out.place()

    def element(index: int) -> None:
        one = found[index]
        put(out, one, places[one.domain_sid] if _is_known(one) else _NO_DOMAIN)

    out.array(len(found), element)
    out.place()
    mapped = sum(map(_is_known, found))
    out.u32(mapped)
    if mapped == len(found):
        return out.finish(NtStatus.SUCCESS)
    return out.finish(NtStatus.SOME_NOT_MAPPED if mapped else NtStatus.NONE_MAPPED)


def _is_known(one: Principal | None) -> TypeGuard[Principal]:
    return one is not None and one.use != Use.UNKNOWN


def _domains(out: Writer, domains: Sequence[tuple[str, str]]) -> None:
    """LSAPR_REFERENCED_DOMAIN_LIST ([MS-LSAT] 2.2.12)."""

    def element(index: int) -> None:
        sid, name = domains[index]
        out.unicode_string(name)
        out.optional_sid(sid)

    out.array(len(domains), element)
    out.u32(32)  # MaxEntries, which clients do not look at; Windows' value


def _name(out: Writer, one: Principal | None, domain: int) -> None:
    """LSAPR_TRANSLATED_NAME ([MS-LSAT] 2.2.19)."""
    assert one is not None
    out.u16(one.use)
    out.unicode_string(one.name)
    out.u32(domain)


def _sid(out: Writer, one: Principal | None, domain: int) -> None:
    """LSA_TRANSLATED_SID ([MS-LSAT] 2.2.14)."""
    out.u32(Use.UNKNOWN if one is None else one.use)
    out.u32(0 if one is None else one.relative_id)
    out.u32(domain)


def _whole_sid(out: Writer, one: Principal | None, domain: int) -> None:
    """LSAPR_TRANSLATED_SID_EX2 less its Flags ([MS-LSAT] 2.2.25)."""
    out.u32(Use.UNKNOWN if one is None else one.use)
    out.optional_sid(None if one is None else one.sid)
    out.u32(domain)


def _with_flags(put: _Put) -> _Put:
    """The same with Flags behind: 0, since every principal is found in this server's own list."""

    def extended(out: Writer, one: Principal | None, domain: int) -> None:
        put(out, one, domain)
        out.u32(0)

    return extended


LSARPC = Interface(
    UUID("12345778-1234-abcd-ef00-0123456789ab"),
    0,
    0,
    {
        0: _close,
        6: _open_policy,
        7: _query_policy,
        14: _lookup_names(_sid),
        15: _lookup_sids(_name),
        44: _open_policy_2,
        45: _get_user_name,
        46: _query_policy,
        57: _lookup_sids(_with_flags(_name)),
        58: _lookup_names(_with_flags(_sid)),
        68: _lookup_names(_with_flags(_whole_sid)),
        76: _lookup_sids(_with_flags(_name), handle=False),
        77: _lookup_names(_with_flags(_whole_sid), handle=False),
    },
)
