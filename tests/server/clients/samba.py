"""Samba's smbclient, one process for each handful of commands."""

import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.clients.refusals import SambaError

PROGRAM = shutil.which("smbclient")
DIALECTS = {
    "2.0.2": "SMB2_02",
    "2.1": "SMB2_10",
    "3.0": "SMB3_00",
    "3.0.2": "SMB3_02",
    "3.1.1": "SMB3_11",
    "SMB1": "NT1",
}
_LISTED = r"^  (.+?) +[NADHSR]* +\d+  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$"


class SambaClient:
    """Commands for `smbclient -c`, in a folder of their own.

    `dialect` pins one, `protection` is "sign", "encrypt" or "off"; `options` are those of
    smb.conf, with underscores.
    """

    def __init__(
        self,
        server,
        dialect=None,
        *,
        user=None,
        password=None,
        share=None,
        port=None,
        protection="",
        encrypt=False,
        **options,
    ):
        if PROGRAM is None:
            pytest.skip("Samba's smbclient is not installed")
        if encrypt:
            protection = "encrypt"
        if dialect:
            options = {
                "client_min_protocol": DIALECTS[dialect],
                "client_max_protocol": DIALECTS[dialect],
                **options,
            }
        user = server.user if user is None else user
        password = server.password if password is None else password
        self._command = [
            PROGRAM, f"//{server.host}/{share or server.share}", f"--port={port or server.port}",
            f"--user={user}%{password}", "--configfile=/dev/null",
            *([f"--client-protection={protection}"] if protection else []),
            *(f"--option={key.replace('_', ' ')}={value}" for key, value in options.items()),
        ]  # fmt: skip

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="smbclient-")
        self.folder = Path(self._folder.name)
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def run(self, *commands):
        """What it prints; SambaError with it, if it ends with an error."""
        return self._run(*self._command, "--command", ";".join(commands))

    @contextmanager
    def started(self, command):
        """The process of a command that has no end; it is killed with the block."""
        process = subprocess.Popen(
            ["stdbuf", "-oL", *self._command, "--command", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                process.kill()

    def list_shares(self):
        """What `smbclient -L` prints."""
        program, place, *options = self._command
        return self._run(program, f"--list={place.split('/')[2]}", *options)

    def _run(self, *command):
        done = subprocess.run(
            command,
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=250, check=False, text=True,
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )  # fmt: skip
        if done.returncode:
            raise SambaError(done.stdout)
        return done.stdout

    def put(self, name, data):
        (self.folder / "sent").write_bytes(data)
        self.run(f'put sent "{name}"')

    def get(self, name):
        self.run(f'get "{name}" received')
        return (self.folder / "received").read_bytes()

    def names(self, folder=""):
        return set(self.listing(folder)) - {".", ".."}

    def listing(self, folder=""):
        """Names, sorted by nobody, each as often as it comes."""
        return re.findall(_LISTED, self.run(f'ls "{folder}/*"' if folder else "ls"), re.MULTILINE)

    def remove(self, name):
        self.run(f'rm "{name}"')
