"""The questions of `tsmbd fault` to a running server."""

from collections.abc import Iterable, Mapping
from typing import Any

from smbd.faults import Fault, Faults, parse_rule

# Decided so, though who reaches the socket could end the server as well: the command asks all
# servers of its user, and a production server that damages signatures by a slip of the hand is
# worse than one that has to be started again to be tested.
REFUSAL = "this server takes no faults: it was not started with --faults or --fault"


def answer(faults: Faults, question: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one question: what was added, removed, or is there."""
    match question:
        case {"add": str(line)}:
            try:
                return {"added": _row(faults.add(parse_rule(line)))}
            except ValueError as error:
                return {"error": str(error)}
        case {"remove": int(number)}:
            found = faults.find(number)
            return {"removed": _remove([] if found is None else [found])}
        case {"remove": "all"}:
            return {"removed": _remove(faults)}
    return {"faults": rows(faults)}


def rows(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Each rule, as JSON has it."""
    return [_row(fault) for fault in faults]


def _row(fault: Fault) -> dict[str, Any]:
    return {
        "number": fault.number,
        "rule": str(fault),
        "seen": fault.seen,
        "hits": fault.hits,
        "held": fault.held,
    }


def _remove(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    removed = rows(faults)
    for fault in list(faults):
        fault.remove()
    return removed
