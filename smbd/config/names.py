"""The names that users and shares may have."""

# [MS-SRVS] 2.2.4.23 and NetShareAdd: these never stand in a share's name, and Windows refuses them
# in an account's; "@" too, but that stands in mail addresses.
_IN_NO_NAME = frozenset('"/\\[]:|<>+;,?*=')
_LONGEST_SHARE_NAME, _LONGEST_USER_NAME = 80, 64
# IPC$ is the server's own, ADMIN$ Windows' own; [MS-SRVS] 3.1.4.7 reserves pipe and mailslot.
_RESERVED_SHARES = frozenset({"ipc$", "admin$", "pipe", "mailslot"})


def user_name_problem(name: str) -> str | None:
    """Say why nobody could log in by a name, or None."""
    return _problem(name, "a user's", _LONGEST_USER_NAME)


def share_name_problem(name: str) -> str | None:
    """Say what is wrong with a share's name, or None."""
    if name.casefold() in _RESERVED_SHARES:
        return "this name is reserved; choose another"
    return _problem(name, "a share's", _LONGEST_SHARE_NAME)


def _problem(name: str, whose: str, longest: int) -> str | None:
    if (
        0 < len(name) <= longest
        and name.isprintable()
        and name == name.strip()
        and _IN_NO_NAME.isdisjoint(name)
    ):
        return None
    return f"{whose} name has 1 to {longest} printable characters, none of " + " ".join(
        sorted(_IN_NO_NAME)
    )
