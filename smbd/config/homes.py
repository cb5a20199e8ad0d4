"""Checks a share of homes: one whose path has "{user}" in it, a folder for each user."""

from collections.abc import Iterable

from smbd.config.document import Findings
from smbd.config.lines import KeyPath
from smbd.config.model import PLACE_OF_USER, ShareConfig

_LONGEST_NAME = 255  # bytes: NAME_MAX


def check(document: Findings, key_path: KeyPath, share: ShareConfig, users: Iterable[str]) -> None:
    """Note what would lead anybody elsewhere than to a folder of his own."""
    where = (*key_path, "path")
    if PLACE_OF_USER in str(share.path.parent):
        # Behind a user's folder that user may have put symbolic links, to anywhere.
        document.problem(where, f"{PLACE_OF_USER} may stand in the last name of the path alone")
        return
    if not share.has_homes:
        return
    if share.guest:
        document.problem((*key_path, "guest"), "guests have no home")
    for user in users:
        if share.allows(user) and not _is_safe(share.home_of(user).name, share, user):
            document.problem(where, f'there can be no folder for the user "{user}"')


def _is_safe(name: str, share: ShareConfig, user: str) -> bool:
    """Whether a user's name makes one name of the path, as long as a name may be."""
    wanted = share.path.name.replace(PLACE_OF_USER, user)
    is_one = name == wanted and name not in {"", ".", ".."} and not {"/", "\0"} & set(name)
    return is_one and len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME
