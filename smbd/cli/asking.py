"""Asks running servers over their control sockets: one line of JSON out, one document back."""

import argparse
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smbd.cli import UsageError, complain
from smbd.config import load, runtime_directory

# A server that is asked answers at once; one that hangs shall not hang us.
_PATIENCE = 5.0

Document = dict[str, Any]


def ask_all(arguments: argparse.Namespace, question: Mapping[str, Any]) -> Iterator[Document]:
    """Give the answer of every server that is meant; UsageError if the one that is named is not."""
    for _, answer in ask_each(arguments, question):
        yield answer


def ask_each(
    arguments: argparse.Namespace, question: Mapping[str, Any]
) -> Iterator[tuple[Path, Document]]:
    """Give the socket of each, too."""
    found = 0
    for path in _sockets(arguments):
        try:
            answer = ask(path, question)
        except OSError as error:
            if arguments.socket:
                raise UsageError(f"{path}: {error.strerror or error}") from None
            continue  # left by a server that was killed
        found += 1
        yield path, answer
    if not found:
        complain("no server of this user is running")


def _sockets(arguments: argparse.Namespace) -> list[Path]:
    if arguments.socket:
        return [arguments.socket]
    if arguments.config:
        path = load(arguments.config).server.status_socket
        if path is None:
            raise UsageError(f'{arguments.config}: status_socket = "" tells nobody anything')
        if path.parent != runtime_directory():
            return [path]
    return running_servers()


def running_servers() -> list[Path]:
    """Return the sockets of this user's servers, and those that killed ones have left."""
    return sorted(runtime_directory().glob("*.sock"))


def ask(path: Path, question: Mapping[str, Any]) -> Document:
    """Return the answer of the server at a socket; OSError if none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(str(path))
        connection.sendall(json.dumps(question).encode() + b"\n")
        received = bytearray()
        while chunk := connection.recv(65536):
            received += chunk
    try:
        answer: Document = json.loads(received)
    except ValueError:  # it ended meanwhile
        raise ConnectionError(f"{path}: no whole answer") from None
    return answer
