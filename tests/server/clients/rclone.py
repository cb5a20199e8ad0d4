"""rclone, whose SMB is go-smb2: one process for each command, which does not try twice."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAM = shutil.which("rclone")


class RcloneError(Exception):
    """rclone ended with an error; what it printed is the message."""


class RcloneClient:
    """The remote TEST:, with one connection."""

    def __init__(self, server, *, share=None):
        if PROGRAM is None:
            pytest.skip("rclone is not installed")
        self._share = share or server.share
        self._account = {
            "RCLONE_CONFIG_TEST_TYPE": "smb",
            "RCLONE_CONFIG_TEST_HOST": server.host,
            "RCLONE_CONFIG_TEST_PORT": str(server.port),
            "RCLONE_CONFIG_TEST_USER": server.user,
        }
        self._password = server.password

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="rclone-")
        self.folder = Path(self._folder.name)
        obscured = self._run("obscure", self._password).decode().strip()
        self._account["RCLONE_CONFIG_TEST_PASS"] = obscured
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def put(self, name, data):
        (self.folder / "sent").write_bytes(data)
        self._run("copyto", "--ignore-times", "sent", self._place(name))

    def get(self, name):
        return self._run("cat", self._place(name))

    def names(self, folder=""):
        return set(self._run("lsf", self._place(folder)).decode().replace("/\n", "\n").split("\n"))

    def remove(self, name):
        self._run("deletefile", self._place(name))

    def _place(self, name):
        return f"TEST:{self._share}/{name}"

    def _run(self, *command):
        done = subprocess.run(
            [PROGRAM, "--config=", "--retries=1", "--low-level-retries=1", "--timeout=20s",
             "--multi-thread-streams=0", *command],
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=99, check=False,
            env={"PATH": "/usr/bin", "HOME": str(self.folder), **self._account},
        )  # fmt: skip
        if done.returncode:
            raise RcloneError(done.stderr.decode())
        return done.stdout
