"""Checks a share of homes: one whose path has "{user}" in it, a folder for each user."""

from collections.abc import Iterable

from smbd.config.document import Findings
from smbd.config.lines import KeyPath
from smbd.config.model import PLACE_OF_USER, ShareConfig

_LONGEST_NAME = 255  # bytes: NAME_MAX


def check(document: Findings, key_path: KeyPath, share: ShareConfig, users: Iterable[str]) -> None:
    """Note what would lead anybody elsewhere than to a folder of his own."""
    if not share.has_homes:
        return
    where = (*key_path, "path")
    with_user = [part for part in share.path.parts if PLACE_OF_USER in part]
    if len(with_user) > 1:
        document.problem(where, f"{PLACE_OF_USER} may stand in one part of the path")
    if share.create and PLACE_OF_USER not in share.path.name:
        text = (
            f"makes no folder in a user's own: {PLACE_OF_USER} must stand in the last part of path"
        )
        document.problem((*key_path, "create"), text)
    if share.guest:
        document.problem((*key_path, "guest"), "guests have no home")
    for user in users:
        names = [part.replace(PLACE_OF_USER, user) for part in with_user]
        if share.allows(user) and not all(map(_is_one_name, names)):
            document.problem(where, f'there can be no folder for the user "{user}"')


def _is_one_name(name: str) -> bool:
    """Whether it leads from a folder to one in it, whatever the user is called."""
    if name in {"", ".", ".."} or {"/", "\0"} & set(name):
        return False
    return len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME
