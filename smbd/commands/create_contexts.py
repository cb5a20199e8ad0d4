"""CREATE's contexts ([MS-SMB2] 3.3.5.9.1 to 3.3.5.9.14): what they ask for, and the answers.

Those of durable handles are let pass: a client that gets no answer to one knows that it has not
got what it asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from smbd.fsa.opening import Found
from smbd.ntstatus import NtError, NtStatus
from smbd.state import Caching
from smbd.wire.aapl import ResolveId, ServerQuery, parse_aapl
from smbd.wire.create import CreateRequest
from smbd.wire.create_contexts import (
    ContextName,
    Lease,
    LeaseFlags,
    pack_lease,
    pack_maximal_access,
    pack_query_on_disk_id,
    parse_allocation_size,
    parse_lease,
    parse_maximal_access,
    parse_timewarp,
)
from smbd.wire.dtyp import SecurityDescriptor, parse_security_descriptor
from smbd.wire.fscc import ExtendedAttribute, parse_full_ea


@dataclass(slots=True)
class Asked:
    """What the contexts of one CREATE ask for."""

    maximum: bool = False  # MxAc ...
    unless_written: int | None = None  # ... but for a file that the client knows so
    on_disk_id: bool = False  # QFid
    allocation: int = 0  # AlSi
    security: SecurityDescriptor | None = None  # SecD
    eas: list[ExtendedAttribute] | None = None  # ExtA
    aapl: ServerQuery | ResolveId | None = None  # AAPL
    lease: Lease | None = None  # RqLs


NOTHING = Asked()  # of a CREATE without contexts, as most are


def parse(message: CreateRequest) -> Asked:
    """The contexts as far as they are known; OBJECT_NAME_NOT_FOUND for a file of the past."""
    if not message.contexts:
        return NOTHING
    asked = Asked()
    for name, data in message.contexts:
        if name == ContextName.MAXIMAL_ACCESS:
            asked.maximum = True
            asked.unless_written = parse_maximal_access(data)
        elif name == ContextName.QUERY_ON_DISK_ID:
            asked.on_disk_id = True
        elif name == ContextName.TIMEWARP and parse_timewarp(data):
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)  # there are no snapshots
        elif name in _VALUES:
            field, parsed = _VALUES[name]
            setattr(asked, field, parsed(data))
    return asked


def _parse_lease(data: memoryview) -> Lease:
    """A parent key that no flag speaks of is none (3.3.5.9.11)."""
    lease = parse_lease(data)
    if not lease.flags & LeaseFlags.PARENT_LEASE_KEY_SET:
        lease.parent_key = b""
    return lease


# Fields of Asked that are what a context says.
_VALUES: dict[bytes, tuple[str, Callable[[memoryview], object]]] = {
    ContextName.ALLOCATION_SIZE: ("allocation", parse_allocation_size),
    ContextName.SECURITY_DESCRIPTOR: ("security", parse_security_descriptor),
    ContextName.EXTENDED_ATTRIBUTES: ("eas", parse_full_ea),
    ContextName.AAPL: ("aapl", parse_aapl),
    ContextName.LEASE: ("lease", _parse_lease),
}


def answers(asked: Asked, found: Found, caching: Caching | None) -> list[tuple[bytes, bytes]]:
    """The contexts of the response."""
    known = found.information
    packed = []
    if caching is not None and not caching.is_oplock:
        packed.append((ContextName.LEASE, _lease(caching)))
    if asked.maximum and asked.unless_written != known.last_write_time:
        # [MS-SMB2] 3.3.5.9.5: a client whose time is the file's has the answer from before.
        maximal = pack_maximal_access(NtStatus.SUCCESS, found.maximal)
        packed.append((ContextName.MAXIMAL_ACCESS, maximal))
    if asked.on_disk_id:
        on_disk_id = pack_query_on_disk_id(known.index_number, known.volume_id)
        packed.append((ContextName.QUERY_ON_DISK_ID, on_disk_id))
    return packed


def _lease(lease: Caching) -> bytes:
    """[MS-SMB2] 2.2.14.2.10 and 2.2.14.2.11: the version is that of the lease's first CREATE."""
    flags = LeaseFlags.BREAK_IN_PROGRESS if lease.is_breaking else 0
    if lease.parent_key:
        flags |= LeaseFlags.PARENT_LEASE_KEY_SET
    return pack_lease(
        Lease(lease.version, lease.key, lease.held, flags, lease.parent_key, lease.epoch)
    )
