"""What real clients say to each fault: the table in smbd/faults/README.md, line by line."""

import gc
import logging
import re
import threading
import warnings
from pathlib import Path

import pytest

import smbd.faults
from smbd.faults import parse_rule
from smbd.testing import serve_in_thread
from tests.server.clients import CLIENTS
from tests.server.clients.rclone import RcloneClient
from tests.server.clients.refusals import REFUSALS

# A client that meets a fault leaves open what it had: smbprotocol's handles warn of that.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CONTENT = bytes(range(250)) * 400
README = Path(smbd.faults.__file__).with_name("README.md")
ROW = re.compile(r"\| `([^`]+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|")
ALL_CLIENTS = {**CLIENTS, "rclone": RcloneClient}
NAMES = ("smbprotocol", "impacket", "smbclient", "rclone")
ROWS = [
    (found[1], name, found[place])
    for line in README.read_text(encoding="utf-8").partition("## What clients say")[2].splitlines()
    if (found := ROW.fullmatch(line))
    for place, name in enumerate(NAMES, 2)
]
UNSAID = {"or", "and", "it", "does", "not", "look", "at", "the", "of", "a"}


@pytest.fixture(scope="module", autouse=True)
def _leftovers():
    """What the clients leave open is gone before other tests, which nothing may warn in."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "file").write_bytes(CONTENT)
    with serve_in_thread(folder) as server:
        yield server


def outcome(client, server, rule):
    """What a client's user gets: the bytes, or the words of an exception."""
    try:
        with client(server) as connected:
            if not rule.commands.isdisjoint({"WRITE"}) or rule.max_write:
                connected.put("new", CONTENT)
                return (server.path / "new").read_bytes()
            return connected.get("file")
    except (*REFUSALS, Exception) as error:  # noqa: BLE001 -- whatever it is, the table has it
        return f"{type(error).__name__} {error}"


def words(said):
    """The words of the table that must be in what a client says."""
    return [word.strip(",:") for word in said.split() if word not in UNSAID]


@pytest.mark.parametrize(("line", "name", "said"), ROWS, ids=lambda one: str(one)[:40])
def test_a_client_says_what_the_table_has(server, caplog, line, name, said):
    caplog.set_level(logging.CRITICAL)  # smbprotocol's threads tell of each connection that ends
    rule = parse_rule(line)
    with server.fault(**rule.said) as fault:
        got = outcome(ALL_CLIENTS[name], server, rule)
    if said.startswith("fine"):
        assert got == CONTENT
    elif "bytes" in said:
        assert got == CONTENT[: int(said.split()[0])]
    elif " or " in said:
        assert any(word.lower() in got.lower() for word in said.split(" or ")), got
    else:
        assert all(word in got for word in words(said)), got
    assert fault.hits >= (0 if rule.is_of_line or rule.breaks else 1)


@pytest.mark.parametrize("name", NAMES)
def test_what_hangs_goes_on_for_a_client_when_the_rule_is_removed(server, name):
    got = []

    def get():
        got.append(outcome(ALL_CLIENTS[name], server, parse_rule("READ hang")))

    with server.fault(command="READ", hang=True) as fault:
        thread = threading.Thread(target=get)
        thread.start()
        fault.wait()
        assert not got
    thread.join(20)
    assert got == [CONTENT]
