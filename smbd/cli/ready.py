"""The file of `--ready-file`: what a client needs to connect, once it can."""

import contextlib
import json
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smbd import __version__
from smbd.config import Address, Config, ServerConfig, ShareConfig
from smbd.mount import login_name, mount_lines, reachable, unc, url

_CLIENTS = {"Linux": "mount", "smbclient": "smbclient", "Windows": "net_use", "macOS": "open"}


class ReadyFile:
    """A file that is there, and whole, as long as clients can connect."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._is_there = self._is_told = False

    def write(self, config: Config, addresses: Sequence[Address]) -> None:
        """Write it: nobody sees half of it, and only this user may read it.  OSError.

        A FIFO is written to in a thread: its reader may come later.
        """
        text = json.dumps(document(config, addresses), indent=2) + "\n"
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(self._path.stat().st_mode):
                arguments = (self._path, text)
                threading.Thread(target=_tell, args=arguments, daemon=True).start()
                self._is_told = True
                return
        fd, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(fd, "w") as file:
                file.write(text)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink()
            raise
        self._is_there = True

    def remove(self) -> None:
        """Remove it: nobody can connect any more, or ever.

        One that waits at a FIFO for a start that has failed reads nothing, and waits no more.
        """
        if self._is_there:
            self._path.unlink(missing_ok=True)
        elif not self._is_told and self._path.is_fifo():
            with contextlib.suppress(OSError):  # ENXIO: nobody waits
                os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))


def _tell(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):  # the reader has gone
        path.write_text(text)


def document(config: Config, addresses: Sequence[Address]) -> dict[str, Any]:
    """The first share and its login as `smbd.testing` has them, and all shares beside it."""
    address = config.server.announce or reachable(addresses)
    shares = [_share(config, share, address) for share in config.shares]
    return {
        "program": sys.argv[0],
        "version": __version__,
        "pid": os.getpid(),
        "addresses": [*map(str, addresses)],
        "status_socket": _text(config.server.status_socket),
        **shares[0],
        "shares": shares,
    }


def _share(config: Config, share: ShareConfig, address: Address) -> dict[str, Any]:
    user = login_name(config, share)
    password = next((one.password for one in config.users if one.name == user), None)
    return {
        "host": address.host,
        "port": address.port,
        "share": share.name,
        "path": str(share.path),
        "user": user or "",
        "password": password or "",
        "guest": share.guest,
        "read_only": share.read_only,
        "url": url(address, share.name, user, password),
        "unc": unc(address, share.name),
        **_lines(config.server, share, address, user, password),
    }


def _lines(
    server: ServerConfig,
    share: ShareConfig,
    address: Address,
    user: str | None,
    password: str | None,
) -> dict[str, str]:
    lines = mount_lines(server, share, address, user, password)
    return {_CLIENTS[client]: line for client, line in lines}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
