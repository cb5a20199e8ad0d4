"""How long an Open outlives its connection: [MS-SMB2] 3.3.1.10, the fields from IsDurable on."""

from collections.abc import Callable
from dataclasses import dataclass

from smbd.auth import Identity

DEFAULT_TIMEOUT = 60.0  # seconds: as Windows, where the client leaves it to the server
LONGEST_TIMEOUT = 300.0  # the same
NO_GUID = bytes(16)


@dataclass(slots=True, eq=False)
class Durability:
    """How a durable Open is claimed again, and for how long."""

    owner: Identity  # DurableOwner
    timeout: float  # DurableOpenTimeout, in seconds
    create_guid: bytes = NO_GUID  # CreateGuid; NO_GUID: durable by version 1
    persistent: bool = False  # IsPersistent: it outlives the process, too ...
    client_guid: bytes = NO_GUID
    action: int = 0  # CreateAction
    forget: Callable[[], None] | None = None  # ... by a record on the disk, which goes so; blocks


@dataclass(slots=True, eq=False)
class Creation:
    """How a CREATE is known again that its client sends a second time (IsReplayEligible)."""

    key: tuple[bytes, bytes]  # ClientGuid, CreateGuid
    action: int  # CreateAction of its response
    sequence: int  # ChannelSequence of its request


def timeout_of(asked: int) -> float:
    """Seconds that are granted for the milliseconds that a client asks for."""
    return min(asked / 1000, LONGEST_TIMEOUT) if asked else DEFAULT_TIMEOUT
