"""One folder for one user by environment variables: a container's quick start.

They count only where SMBD_FOLDER is set, as in the image, and only in place of a shares.toml that
is not there: a file that is mounted says all itself.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from smbd.config import reading
from smbd.config.model import ConfigError, Problem

_SECRET = Path("/run/secrets/smbd_password")  # Docker's and Podman's place of a secret
_NAME = "environment"

# A container's own addresses are of no use to clients: none is told of for further connections.
_DOCUMENT = """\
[server]
listen = ["0.0.0.0:4450"]
interfaces = []
[users.{user}]
{password}
[shares.{share}]
path = {folder}
"""


def text_of(path: Path) -> tuple[str, bytes]:
    """Return the configuration's name, for messages, and its text; OSError if there is none.

    Raises ConfigError if the environment is to say it and does not.
    """
    try:
        return str(path), reading.read(path)
    except FileNotFoundError:
        if "SMBD_FOLDER" not in os.environ:
            raise
    return _NAME, _written(os.environ).encode()


def stands_in(path: Path) -> bool:
    """Whether the environment is read in place of this file."""
    return "SMBD_FOLDER" in os.environ and not path.exists()


def _written(variables: Mapping[str, str]) -> str:
    """The shares.toml that SMBD_FOLDER, USER, PASSWORD, PASSWORD_FILE and SHARE stand for."""
    return _DOCUMENT.format(
        user=_quoted(variables.get("USER") or "smbd"),
        password=_password(variables),
        share=_quoted(variables.get("SHARE") or "share"),
        folder=_quoted(variables["SMBD_FOLDER"]),
    )


def _password(variables: Mapping[str, str]) -> str:
    password, file = variables.get("PASSWORD"), variables.get("PASSWORD_FILE")
    if password and file:
        raise _wrong("PASSWORD and PASSWORD_FILE exclude each other")
    if password:
        return f"password = {_quoted(password)}"
    if not file and not _SECRET.exists():
        raise _wrong(
            "PASSWORD: must be set, or PASSWORD_FILE to the path of a file that has the password, "
            f"or {_SECRET} be such a file"
        )
    return f"password_file = {_quoted(file or str(_SECRET))}"


def _wrong(message: str) -> ConfigError:
    return ConfigError((Problem(_NAME, None, "", message),))


def _quoted(text: str) -> str:
    """Write a string as TOML does; what UTF-8 cannot hold (a surrogate) becomes U+FFFD."""
    text = text.encode(errors="surrogateescape").decode(errors="replace")
    escaped = "".join(
        f"\\u{ord(one):04x}" if ord(one) < 0x20 or one in '"\\\x7f' else one for one in text
    )
    return f'"{escaped}"'
