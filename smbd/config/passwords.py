"""Files that hold a password."""

import stat
from pathlib import Path

from smbd.config import reading

_SECRETS = Path("/run/secrets")


def read_password(file: Path) -> str:
    """Return the one line of a password file; ValueError if it is not that."""
    try:
        password = reading.read(file).decode()
    except UnicodeDecodeError:
        raise ValueError("must be UTF-8 text") from None
    password = password.removesuffix("\n").removesuffix("\r")
    if not password or not password.isprintable():
        raise ValueError("must hold one line, the password, and nothing else")
    return password


def exposed_problem(file: Path) -> str | None:
    """Say that everybody can read a file which holds a password, or None.  OSError."""
    if _SECRETS in file.parents:
        return None  # 0444 is how Docker and Podman mount them, for nobody but this container
    mode = file.stat().st_mode
    if not mode & stat.S_IROTH:
        return None
    return (
        f"everybody on this machine can read {file} (mode {stat.S_IMODE(mode):04o}), "
        f"which holds a password: chmod o-r {file}"
    )
