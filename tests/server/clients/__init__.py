"""Three clients that know nothing of each other or of us, each behind the same few words.

A client is connected when its `with` block begins.  It can `put(name, data)`, `get(name)`,
`names(folder)` and `remove(name)`; what only one of them can do, tests ask of it directly.
`status_of(error)` is the NTSTATUS that any of them was refused with.
"""

from tests.server.clients.impacket import ImpacketClient
from tests.server.clients.pypi import PypiClient
from tests.server.clients.refusals import refusal, status_of
from tests.server.clients.samba import SambaClient

CLIENTS = {"smbclient": SambaClient, "impacket": ImpacketClient, "smbprotocol": PypiClient}

__all__ = ["CLIENTS", "ImpacketClient", "PypiClient", "SambaClient", "refusal", "status_of"]
