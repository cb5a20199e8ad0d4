"""What a share lets its users do, in the words of `tsmbd check` and the banner."""

from smbd.config import ShareConfig


def access(share: ShareConfig, *, can_write: bool) -> str:
    """Say who reads and who writes; `can_write`: the server's user can."""
    if share.read_only or not can_write:
        return "read only"
    if share.write is None and share.read is None:
        return "read and write"
    writers = f" for {', '.join(share.write)}" if share.write is not None else ""
    readers = ", ".join(share.read) if share.read is not None else "others"
    return f"read and write{writers}, read only for {readers}"


def who(share: ShareConfig) -> str:
    """Say which users may connect; "" where `access` has named them all, or it is none."""
    if share.write is not None and share.read is not None:
        return ""
    return "every user" if share.users is None else ", ".join(share.users)
