"""Signed and unsigned ([MS-SMB2] 3.3.5.2.4 and 3.3.4.1.1): what goes over the wire, and when."""

import pytest
import trio
from smbprotocol.connection import SigningAlgorithms

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from smbd.wire.header import Command
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.tap import PLAIN, tapped

SMB2_DIALECTS = ["2.0.2", "2.1"]
SMB3_DIALECTS = ["3.0", "3.0.2", "3.1.1"]
ALGORITHMS = {
    "2.0.2": "HMAC-SHA256",
    "2.1": "HMAC-SHA256",
    "3.0": "AES-CMAC",
    "3.0.2": "AES-CMAC",
    "3.1.1": "AES-GMAC",
}


def after_login(tap):
    """Messages of the logged-in session, less those that nothing can sign."""
    return [
        one
        for one in tap.messages()
        if one.command not in {Command.NEGOTIATE, Command.SESSION_SETUP}
        and one.status != NtStatus.PENDING
    ]


async def listen_in(folder, story, **options):
    """Run a story of a client against a server; what went by, and what the server says of it."""
    documents = []
    async with serve(folder, **options) as server, tapped(server) as tap:

        def look():
            documents.append(server.server.document())

        await trio.to_thread.run_sync(
            story, tap.place, lambda: trio.from_thread.run_sync(look), abandon_on_cancel=True
        )
    return tap, documents


def pypi_story(dialect, **options):
    def story(place, look):
        with PypiClient(place, dialect, **options) as client:
            client.put("file", b"payload")
            look()
            assert client.get("file") == b"payload"

    return story


def samba_story(dialect, protection):
    def story(place, look):
        with SambaClient(place, dialect, protection=protection) as client:
            client.put("file", b"payload")
            assert client.get("file") == b"payload"

    return story


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_required_signs_every_message_of_a_session_in_both_directions(folder, dialect):
    tap, (document,) = await listen_in(folder, pypi_story(dialect), signing="required")
    assert after_login(tap)
    assert all(one.is_signed for one in after_login(tap))
    assert document["sessions"][0]["signing"] == ALGORITHMS[dialect]


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_required_makes_a_client_sign_that_would_rather_not(folder, dialect):
    tap, _ = await listen_in(folder, samba_story(dialect, "off"), signing="required")
    assert all(one.is_signed for one in after_login(tap))


@pytest.mark.parametrize("dialect", SMB2_DIALECTS)
async def test_enabled_leaves_a_client_unsigned_that_does_not_ask(folder, dialect):
    tap, _ = await listen_in(folder, pypi_story(dialect, sign=False), signing="enabled")
    signed = {one.command for one in after_login(tap) if one.is_signed}
    assert signed == {Command.IOCTL}  # VALIDATE_NEGOTIATE_INFO always is


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_enabled_leaves_data_unsigned_that_samba_does_not_sign(folder, dialect):
    tap, _ = await listen_in(folder, samba_story(dialect, "off"), signing="enabled")
    data = [one for one in tap.messages() if one.command in {Command.READ, Command.WRITE}]
    assert data
    assert not any(one.is_signed for one in data)


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_enabled_signs_for_a_client_that_requires_it(folder, dialect):
    tap, _ = await listen_in(folder, pypi_story(dialect, sign=True), signing="enabled")
    assert all(one.is_signed for one in after_login(tap))


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        (SigningAlgorithms.AES_GMAC, "AES-GMAC"),
        (SigningAlgorithms.AES_CMAC, "AES-CMAC"),
        (SigningAlgorithms.HMAC_SHA256, "HMAC-SHA256"),
    ],
)
async def test_on_3_1_1_the_client_may_offer_any_algorithm(folder, offered, name):
    _, (document,) = await listen_in(folder, pypi_story("3.1.1", signers=[offered]))
    assert document["sessions"][0]["signing"] == name


async def test_the_last_reply_of_a_login_is_signed_and_no_other_of_it(folder):
    tap, _ = await listen_in(folder, pypi_story("3.1.1"))
    logins = [one for one in tap.messages() if one.command == Command.SESSION_SETUP]
    assert [(one.sender, one.is_signed) for one in logins] == [
        ("client", False),
        ("server", False),
        ("client", False),
        ("server", True),
    ]


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_a_changed_request_is_denied_and_does_nothing(folder, dialect):
    async with serve(folder) as server, tapped(server) as tap:

        def spoil(sender, frame):
            return frame.replace(b"payload", b"PAYLOAD") if sender == "client" else frame

        def story():
            with PypiClient(tap.place, dialect) as client:
                opened = client.open("file")
                tap.change = spoil
                assert refusal(opened.write, b"payload") == NtStatus.ACCESS_DENIED
                assert opened.write(b"honest") == len(b"honest")
                opened.close()

        await trio.to_thread.run_sync(story)
    assert (folder / "file").read_bytes() == b"honest"


@pytest.mark.parametrize("dialect", [*SMB2_DIALECTS, *SMB3_DIALECTS])
async def test_a_signature_that_was_stripped_is_missed_where_it_is_required(folder, dialect):
    async with serve(folder, signing="required") as server, tapped(server) as tap:

        def strip(sender, frame):
            if sender == "client" and frame[:4] == PLAIN and frame[12] == Command.WRITE:
                flags = int.from_bytes(frame[16:20], "little") & ~8
                return (
                    frame[:16] + flags.to_bytes(4, "little") + frame[20:48] + bytes(16) + frame[64:]
                )
            return frame

        def story():
            with PypiClient(tap.place, dialect) as client:
                opened = client.open("file")
                tap.change = strip
                assert refusal(opened.write, b"payload") == NtStatus.ACCESS_DENIED
                opened.close()

        await trio.to_thread.run_sync(story)
    assert (folder / "file").read_bytes() == b""


@pytest.mark.parametrize("dialect", SMB3_DIALECTS)
async def test_a_negotiate_that_was_tampered_with_costs_the_connection(folder, dialect):
    """3.0.x finds out by VALIDATE_NEGOTIATE_INFO, 3.1.1 by its preauth hash."""
    async with serve(folder, signing="enabled") as server, tapped(server) as tap:

        def weaken(sender, frame):
            """Tell the server that the client cannot do anything special."""
            if sender == "client" and frame[12] == Command.NEGOTIATE:
                return frame[:72] + bytes(4) + frame[76:]
            return frame

        def story():
            tap.change = weaken
            with (
                pytest.raises(Exception, match=r"closed|signature|ACCESS|denied"),
                PypiClient(tap.place, dialect),
            ):
                pass

        await trio.to_thread.run_sync(story)
    commands = [one.command for one in tap.messages() if one.sender == "client"]
    assert (Command.IOCTL in commands) == (dialect != "3.1.1")


@pytest.mark.parametrize("dialect", ["3.0", "3.0.2"])
async def test_an_honest_negotiate_is_confirmed_and_the_confirmation_signed(folder, dialect):
    tap, _ = await listen_in(folder, pypi_story(dialect), signing="enabled")
    ioctls = [one for one in tap.messages() if one.command == Command.IOCTL]
    assert [(one.sender, one.status, one.is_signed) for one in ioctls] == [
        ("client", 0, True),
        ("server", 0, True),
    ]


async def test_samba_signs_and_believes_our_signatures_with_each_of_its_algorithms(folder):
    for offered in ("AES-128-GMAC", "AES-128-CMAC", "HMAC-SHA256"):
        async with serve(folder) as server:

            def story(server=server, offered=offered):
                with SambaClient(
                    server, "3.1.1", protection="sign", client_smb3_signing_algorithms=offered
                ) as client:
                    client.put(offered, b"payload")
                    assert client.get(offered) == b"payload"

            await trio.to_thread.run_sync(story)
        assert (folder / offered).read_bytes() == b"payload"
