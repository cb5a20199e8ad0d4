"""CREATE's context AAPL: what a Mac is told of Apple's extensions here, and what follows from it.

A client that has been answered asks again on each connection, and gives the connection up if it is
then not answered.
"""

from smbd.ntstatus import NtStatus
from smbd.request import Request
from smbd.wire.aapl import (
    Reported,
    ResolveId,
    ServerCaps,
    ServerQuery,
    VolumeCaps,
    pack_resolve_id_refusal,
    pack_server_query_reply,
)

# Not OSX_COPYFILE, which no document describes, nor NFS_ACE, by which modes would be set.
# UNIX_BASED also promises zeros where a file is written behind its end.
_SERVER = ServerCaps.UNIX_BASED | ServerCaps.READ_DIR_ATTR
# Names are found in any case, and no file is found by its FileId alone: no other bit.
_VOLUME = VolumeCaps.FULL_SYNC  # every FLUSH is one


def answer(request: Request, asked: ServerQuery | ResolveId) -> bytes:
    """The context of the response; from now on listings in the session are as it says."""
    if isinstance(asked, ResolveId):
        return pack_resolve_id_refusal(NtStatus.NOT_SUPPORTED)
    server = _SERVER
    if not asked.client_capabilities & ServerCaps.READ_DIR_ATTR:
        server &= ~ServerCaps.READ_DIR_ATTR
    if asked.request_bitmap & Reported.SERVER_CAPS:
        request.live_session().read_dir_attr = bool(server & ServerCaps.READ_DIR_ATTR)
    return pack_server_query_reply(asked, server, _VOLUME)
