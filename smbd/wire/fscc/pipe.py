"""Information classes of named pipes ([MS-FSCC] 2.4.36, 2.4.37)."""

from dataclasses import dataclass
from struct import Struct

from smbd.ntstatus import NtStatus
from smbd.wire.bounds import unpack_payload

_PIPE = Struct(
    "<"
    "I"  # ReadMode
    "I"  # CompletionMode
)  # fmt: skip
_PIPE_LOCAL = Struct(
    "<"
    "I"  # NamedPipeType
    "I"  # NamedPipeConfiguration
    "I"  # MaximumInstances
    "I"  # CurrentInstances
    "I"  # InboundQuota
    "I"  # ReadDataAvailable
    "I"  # OutboundQuota
    "I"  # WriteQuotaAvailable
    "I"  # NamedPipeState
    "I"  # NamedPipeEnd
)  # fmt: skip


@dataclass(slots=True)
class PipeInformation:
    """FilePipeInformation: 0 is byte stream and blocking, 1 is message mode and not blocking."""

    read_mode: int
    completion_mode: int


def parse_pipe(data: memoryview) -> PipeInformation:
    """SET_INFO's FilePipeInformation."""
    return PipeInformation(*unpack_payload(_PIPE, data, NtStatus.INFO_LENGTH_MISMATCH))


def pack_pipe(information: PipeInformation) -> bytes:
    """QUERY_INFO's FilePipeInformation."""
    return _PIPE.pack(information.read_mode, information.completion_mode)


@dataclass(slots=True)
class PipeLocal:
    """FilePipeLocalInformation, by default a message pipe of a server that talks to a client."""

    pipe_type: int = 1  # message
    configuration: int = 2  # full duplex
    maximum_instances: int = 0xFFFFFFFF
    current_instances: int = 1
    inbound_quota: int = 4096
    read_data_available: int = 0
    outbound_quota: int = 4096
    write_quota_available: int = 4096
    state: int = 3  # connected
    end: int = 0  # the client's


def pack_pipe_local(information: PipeLocal) -> bytes:
    """QUERY_INFO's FilePipeLocalInformation."""
    i = information
    return _PIPE_LOCAL.pack(
        i.pipe_type, i.configuration, i.maximum_instances, i.current_instances,
        i.inbound_quota, i.read_data_available, i.outbound_quota, i.write_quota_available,
        i.state, i.end,
    )  # fmt: skip
