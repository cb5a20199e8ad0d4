"""CREATE's contexts ([MS-SMB2] 3.3.5.9.1 to 3.3.5.9.14): what they ask for, and the answers.

Those of oplocks, leases and durable handles are let pass: a client that gets no answer to one
knows that it has not got what it asked for.
"""

from dataclasses import dataclass

from smbd.fsa.opening import Found
from smbd.ntstatus import NtError, NtStatus
from smbd.wire.aapl import ResolveId, ServerQuery, parse_aapl
from smbd.wire.create import CreateRequest
from smbd.wire.create_contexts import (
    ContextName,
    pack_maximal_access,
    pack_query_on_disk_id,
    parse_allocation_size,
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


def parse(message: CreateRequest) -> Asked:
    """The contexts as far as they are known; OBJECT_NAME_NOT_FOUND for a file of the past."""
    asked = Asked()
    for name, data in message.contexts:
        if name == ContextName.MAXIMAL_ACCESS:
            asked.maximum = True
            asked.unless_written = parse_maximal_access(data)
        elif name == ContextName.QUERY_ON_DISK_ID:
            asked.on_disk_id = True
        elif name == ContextName.ALLOCATION_SIZE:
            asked.allocation = parse_allocation_size(data)
        elif name == ContextName.SECURITY_DESCRIPTOR:
            asked.security = parse_security_descriptor(data)
        elif name == ContextName.EXTENDED_ATTRIBUTES:
            asked.eas = parse_full_ea(data)
        elif name == ContextName.AAPL:
            asked.aapl = parse_aapl(data)
        elif name == ContextName.TIMEWARP and parse_timewarp(data):
            raise NtError(NtStatus.OBJECT_NAME_NOT_FOUND)  # there are no snapshots
    return asked


def answers(asked: Asked, found: Found) -> list[tuple[bytes, bytes]]:
    """The contexts of the response."""
    known = found.information
    packed = []
    if asked.maximum and asked.unless_written != known.last_write_time:
        # [MS-SMB2] 3.3.5.9.5: a client whose time is the file's has the answer from before.
        maximal = pack_maximal_access(NtStatus.SUCCESS, found.maximal)
        packed.append((ContextName.MAXIMAL_ACCESS, maximal))
    if asked.on_disk_id:
        on_disk_id = pack_query_on_disk_id(known.index_number, known.volume_id)
        packed.append((ContextName.QUERY_ON_DISK_ID, on_disk_id))
    return packed
