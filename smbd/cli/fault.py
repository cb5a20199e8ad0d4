"""`tsmbd fault`: has the requests of a running server go wrong, as rules say."""

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smbd.cli import UsageError, complain
from smbd.cli.asking import ask, ask_each
from smbd.cli.table import table
from smbd.faults import parse_rule

_COLUMNS = ("number", "hits", "of", "held", "rule")


def run(arguments: argparse.Namespace) -> int:
    """Add, list or remove rules; 1 if there is no server that takes any, or no such rule."""
    if arguments.action == "add":
        return _add(arguments)
    if arguments.action == "remove":
        return _remove(arguments)
    path = _server(arguments)
    return 1 if path is None else _list(ask(path, _QUESTION), in_json=arguments.json)


_QUESTION = {"ask": "fault"}


def _add(arguments: argparse.Namespace) -> int:
    words = arguments.rule
    line = words[0] if len(words) == 1 else shlex.join(words)
    try:
        parse_rule(line)
    except ValueError as error:
        raise UsageError(f"{line}: {error}") from None
    path = _server(arguments)
    if path is None:
        return 1
    answer = ask(path, _QUESTION | {"add": line})
    if "error" in answer:
        complain(answer["error"])
        return 1
    print(f"{answer['added']['number']}: {answer['added']['rule']}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    if arguments.which != "all" and not arguments.which.isdecimal():
        raise UsageError(f'{arguments.which}: must be the number of a rule, or "all"')
    path = _server(arguments)
    if path is None:
        return 1
    which = arguments.which if arguments.which == "all" else int(arguments.which)
    removed = ask(path, _QUESTION | {"remove": which})["removed"]
    for one in removed:
        print(f"removed {one['number']}: {one['rule']}, {one['hits']} hits")
    if not removed:
        complain("there is no such rule: `tsmbd fault list` shows all")
    return 0 if removed else 1


def _list(answer: Mapping[str, Any], *, in_json: bool) -> int:
    faults = answer["faults"]
    if in_json:
        print(json.dumps(faults))
    elif not faults:
        print("nothing goes wrong on purpose")
    else:
        keys = ("number", "hits", "seen", "held", "rule")
        rows = [[str(one[key]) for key in keys] for one in faults]
        print(table(_COLUMNS, rows, left=0))
    return 0


def _server(arguments: argparse.Namespace) -> Path | None:
    """The socket of the only server that takes faults; UsageError if there are several.

    A rule that is meant for one must not reach another, which somebody works with.
    """
    refusals, found = [], []
    for path, answer in ask_each(arguments, _QUESTION):
        if "error" in answer:
            refusals.append(answer["error"])
        else:
            found.append(path)
    if len(found) > 1:
        sockets = ", ".join(map(str, found))
        raise UsageError(f"several servers take faults: name one by --socket ({sockets})")
    if not found and refusals:
        complain(refusals[0])
    return found[0] if found else None
