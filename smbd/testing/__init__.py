"""A server inside a test: in process, on a free port, gone at the end of the block.

def test_upload(smb_server):                                # with pytest: its plugin is there
    client.connect(smb_server.host, smb_server.port, smb_server.share, ...)

async with smbd.testing.serve(tmp_path) as server:          # in trio's loop
async with smbd.testing.serve_asyncio(tmp_path) as server:  # beside asyncio's
with smbd.testing.serve_in_thread(tmp_path) as server:      # anywhere
    client.connect(server.host, server.port, server.share, server.user, server.password)

The server is the same each time: in the caller's trio loop, or in that of a thread of its own.
"""

from smbd.content import (
    ARCHIVE,
    HIDDEN,
    NORMAL,
    OFFLINE,
    READONLY,
    SYSTEM,
    TEMPORARY,
    File,
    Folder,
    Symlink,
)
from smbd.testing.asyncio_ import serve_asyncio
from smbd.testing.login import Login
from smbd.testing.options import LimitsOptions, Options, ServerOptions, ShareOptions
from smbd.testing.server import TestServer
from smbd.testing.threads import serve_in_thread
from smbd.testing.trio_ import serve

__all__ = [
    "ARCHIVE",
    "HIDDEN",
    "NORMAL",
    "OFFLINE",
    "READONLY",
    "SYSTEM",
    "TEMPORARY",
    "File",
    "Folder",
    "LimitsOptions",
    "Login",
    "Options",
    "ServerOptions",
    "ShareOptions",
    "Symlink",
    "TestServer",
    "serve",
    "serve_asyncio",
    "serve_in_thread",
]
