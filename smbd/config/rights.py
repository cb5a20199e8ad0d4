"""Checks who may connect to a share, read and write: `users`, `write`, `read` and `read_only`."""

from smbd.config.document import Findings
from smbd.config.lines import KeyPath
from smbd.config.model import ShareConfig

# The keys that name users, with what an empty list of each should be.
NAMES_USERS = {
    "users": "without this key, every user may",
    "write": "read_only = true lets nobody write",
    "read": "without this key, every user may write",
}


def check(document: Findings, key_path: KeyPath, share: ShareConfig) -> None:
    """Note where these keys contradict one another."""
    write, read = share.write or (), share.read or ()
    if write and share.read_only:
        text = "read_only = true lets nobody write: leave one of them out"
        document.problem((*key_path, "write"), text)
    writers = {name.casefold() for name in write}
    for index, name in enumerate(read):
        if name.casefold() in writers:
            document.problem((*key_path, "read", index), f'"{name}" is in write too')
    if share.users is None:
        return
    if share.write is not None and share.read is not None:
        text = "write and read together name all who may connect: leave users out"
        document.problem((*key_path, "users"), text)
        return
    connecting = {name.casefold() for name in share.users}
    for key, names in (("write", write), ("read", read)):
        for index, name in enumerate(names):
            if name.casefold() not in connecting:
                document.problem((*key_path, key, index), f'"{name}" is not among users')
