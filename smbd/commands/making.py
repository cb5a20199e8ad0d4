"""A CREATE of what is not there, in the turn of the loop that asks for it.

Nothing comes between the look and the making, so nothing has to be reserved.
"""

import contextlib

from smbd.commands.create_contexts import Asked
from smbd.commands.entering import enter
from smbd.fsa.opening import Found, Wanted, create_at_once, place_at_once
from smbd.ntstatus import NtError
from smbd.request import Request
from smbd.state import ADDED, Open
from smbd.vfs import Place
from smbd.wire.create import CreateRequest


def make_now(
    request: Request, message: CreateRequest, asked: Asked, wanted: Wanted
) -> tuple[Open, Found] | None:
    """The Open of a file that was not there; None if it is, or to make it may have to wait.

    A worker may have opened the file before it was whole: its CREATE looks again.
    """
    files = request.tables.files
    if wanted.made_refusal:
        return None
    place = place_at_once(request.live_root(), wanted)
    if place is None:
        return None
    with place:
        if files.changes.hinders(place.directory):
            return None
        found = create_at_once(place, wanted)
        if found is None:
            return None
        try:
            if found.failure is not None:
                raise found.failure
            open_ = enter(request, message, asked, found)
            assert isinstance(open_, Open), "a new file is nobody's"
        except BaseException:
            _unmake(request, place, found)
            raise
        files.changes.made(found.file.identity)
    request.changed(open_, ADDED)
    return open_, found


def _unmake(request: Request, place: Place, found: Found) -> None:
    """Remove a file that was made in this turn of the loop: it is nobody's yet."""
    file = found.file
    try:
        with contextlib.suppress(NtError, OSError):
            if place.holds(file):
                place.remove_at_once(directory=file.is_directory)
    finally:
        request.tables.files.changes.made(file.identity)
        file.close()
