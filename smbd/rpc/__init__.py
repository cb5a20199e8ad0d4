"""Named pipes of IPC$: DCE/RPC services that clients ask before they see a share.

`srvsvc` ([MS-SRVS]) lists the shares, `wkssvc` ([MS-WKST]) names the machine, `lsarpc` ([MS-LSAT])
names the SIDs in security descriptors.  Bytes in, bytes out; the commands bring the bytes, and a
`ServerView` with the facts that may be told.
"""

from smbd.rpc.pipe import Pipe, is_pipe, open_pipe
from smbd.rpc.view import ServerView, ShareType, ShareView

__all__ = ["Pipe", "ServerView", "ShareType", "ShareView", "is_pipe", "open_pipe"]
