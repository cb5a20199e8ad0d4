"""What a command takes from those that have the same file cached ([MS-FSA] 2.1.4.12)."""

from smbd.request import Request
from smbd.state import Open, Operation, Wait
from smbd.waiting import until


def tell_change(request: Request, open_: Open) -> None:
    """The data of an open file has changed: other clients are told, and not waited for.

    Where a worker changes it this is said again when it is done: others may have read the old data
    meanwhile, and cached it anew.
    """
    if not open_.changes_alone:
        open_.cachings.contend(Operation.CHANGE, open_.caching, request.service.clock())


def ask_for_handles(request: Request, open_: Open) -> Wait | None:
    """The name goes: clients that keep the file open for no program are to close it.

    What to wait for before they have.
    """
    now = request.service.clock()
    return open_.cachings.contend(Operation.REMOVE, open_.caching, now)


async def await_handles(request: Request, open_: Open) -> None:
    """As `ask_for_handles`, and wait until they have."""
    while (wait := ask_for_handles(request, open_)) is not None:
        await until(request.waits_for(wait))
