"""The fixtures of smbd.pytest_plugin, in projects that have nothing but their tests."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from textwrap import dedent

import pytest

from smbd import pytest_plugin

OTHERS = ("trio", "asyncio", "anyio", "xdist", "timeout", "hypothesispytest")


# A client that blocks: asyncio and trio have threads for that.
CLIENT = """
    import socket
    from impacket.smbconnection import SMBConnection

    def can_connect(server):
        try:
            socket.create_connection((server.host, server.port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def round_trip(server):
        client = SMBConnection("server", server.host, sess_port=server.port)
        try:
            client.login(server.user, server.password)
            tree = client.connectTree(server.share)
            file = client.createFile(tree, "file")
            client.writeFile(tree, file, b"data")
            data = client.readFile(tree, file)
            client.closeFile(tree, file)
            return data
        finally:
            client.close()
"""


@pytest.fixture
def project(tmp_path):
    """Run pytest in an empty folder with some files, and with the plugins that are named."""

    def run(*arguments, plugins=(), status=0, **files):
        for name, text in {"client": CLIENT, **files}.items():
            (tmp_path / f"{name}.py").write_text(dedent(text))
        for plugin in OTHERS:
            if plugin not in plugins:
                arguments += ("-p", f"no:{plugin}")
        if not any(one.value == pytest_plugin.__name__ for one in entry_points(group="pytest11")):
            arguments += ("-p", pytest_plugin.__name__)  # installed before it had the plugin
        environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-W",
                "error",
                "--strict-markers",
                "-p",
                "no:cacheprovider",
                *arguments,
            ],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


PLAIN = """
    import pytest
    from client import can_connect, round_trip

    ended = []

    def test_a_server_for_a_test(smb_server, tmp_path):
        assert round_trip(smb_server) == b"data"
        assert (smb_server.path / "file").read_bytes() == b"data"
        assert not [*tmp_path.iterdir()]
        ended.append(smb_server)

    def test_it_ends_with_the_test(smb_server):
        assert not can_connect(ended[0])
        assert not [*smb_server.path.iterdir()]
        smb_server.restart()
        assert can_connect(smb_server)

    @pytest.mark.smb_server(read_only=True, user="ann")
    class TestMarked:
        def test_a_marker_has_options(self, smb_server):
            assert smb_server.user == "ann"
            with pytest.raises(Exception, match="MEDIA_WRITE_PROTECTED|ACCESS_DENIED"):
                round_trip(smb_server)

        @pytest.mark.smb_server(read_only=False)
        def test_the_nearest_counts(self, smb_server):
            assert smb_server.user == "ann"
            assert round_trip(smb_server) == b"data"

    @pytest.mark.smb_server("..", read_only=True)
    def test_a_marker_has_the_folder(smb_server):
        assert can_connect(smb_server)

    def test_several(make_smb_server, tmp_path):
        one, two = make_smb_server(tmp_path, share="one"), make_smb_server(max_dialect="2.1")
        assert (one.share, one.path) == ("one", tmp_path)
        assert round_trip(one) == round_trip(two) == b"data"
        with pytest.raises(ValueError, match="server.signing: must be"):
            make_smb_server(signing="always")

    ports = set()

    @pytest.mark.parametrize("i", range(2))
    def test_one_for_all(smb_server_session, i):
        ports.add(smb_server_session.port)
        assert can_connect(smb_server_session)
        assert len(ports) == 1

    def test_failing(smb_server):
        assert can_connect(smb_server)
        assert round_trip(smb_server) == b"other data"
"""


def test_plain_tests(project):
    out = project(status=1, test_it=PLAIN)
    assert "1 failed, 8 passed" in out
    assert "SMB at" not in out, "nobody wants to see the conversation"


def test_tests_of_trio_with_options_of_the_project_for_all_servers(project):
    out = project(
        "-o",
        "trio_mode=true",
        plugins=["trio"],
        conftest="""
            import pytest

            @pytest.fixture(scope="session")
            def smb_server_options():
                return {"user": "ann", "share": "files"}
        """,
        test_it="""
            import pytest
            import trio
            from client import can_connect, round_trip

            async def test(smb_server, make_smb_server, smb_server_session):
                for server in (smb_server, make_smb_server(), smb_server_session):
                    assert (server.user, server.share) == ("ann", "files")
                    assert await trio.to_thread.run_sync(round_trip, server) == b"data"
                smb_server.stop()
                assert not can_connect(smb_server)
                await smb_server.astart()
                assert can_connect(smb_server)

            @pytest.mark.smb_server(share="other")
            def test_marked(smb_server):
                assert (smb_server.user, smb_server.share) == ("ann", "other")
        """,
    )
    assert "2 passed" in out


IN_ASYNCIO = """
    import asyncio
    import pytest
    from smbd.testing import serve_asyncio
    from client import can_connect, round_trip

    @pytest.mark.asyncio
    async def test(smb_server, make_smb_server, smb_server_session):
        for server in (smb_server, make_smb_server(), smb_server_session):
            assert await asyncio.to_thread(round_trip, server) == b"data"
        smb_server.stop()
        assert not can_connect(smb_server)
        await smb_server.astart()
        assert can_connect(smb_server)

    @pytest.mark.asyncio
    async def test_served_here(tmp_path):
        async with serve_asyncio(tmp_path) as server:
            assert await asyncio.to_thread(round_trip, server) == b"data"
"""


def test_tests_of_pytest_asyncio(project):
    scope = "asyncio_default_fixture_loop_scope=function"  # unset it is a warning of some versions
    assert "2 passed" in project("-o", scope, plugins=["asyncio"], test_it=IN_ASYNCIO)


def test_tests_of_anyio_on_both_backends(project):
    out = project(
        plugins=["anyio"],
        conftest="""
            import pytest

            @pytest.fixture(params=["asyncio", "trio"])
            def anyio_backend(request):
                return request.param
        """,
        test_it="""
            import anyio, anyio.to_thread, pytest
            from client import can_connect, round_trip

            pytestmark = pytest.mark.anyio

            @pytest.fixture
            async def uploaded(smb_server):
                await anyio.to_thread.run_sync(round_trip, smb_server)

            async def test(smb_server, uploaded, make_smb_server, smb_server_session):
                assert (smb_server.path / "file").exists()
                for server in (make_smb_server(), smb_server_session):
                    assert await anyio.to_thread.run_sync(round_trip, server) == b"data"
                smb_server.stop()
                assert not can_connect(smb_server)
                await smb_server.astart()
                assert can_connect(smb_server)
        """,
    )
    assert "2 passed" in out


FAILING = """
    import pytest
    from client import round_trip
    from smbd.testing import serve_in_thread

    @pytest.mark.parametrize("i", range(6))
    def test(smb_server, smb_server_session, i):
        assert round_trip(smb_server) == round_trip(smb_server_session) == b"data"

    def test_fixture(smb_server):
        smb_server.restart()
        round_trip(smb_server)
        assert not "here"

    def test_session(smb_server_session):
        assert not "here"

    def test_block(tmp_path):
        with serve_in_thread(tmp_path) as server:
            round_trip(server)
            assert not "here"
"""


def test_workers_of_xdist_have_servers_and_tell_what_they_said_in_failed_tests(project):
    out = project("--smbd-log", "-n", "2", plugins=["xdist"], status=1, test_it=FAILING)
    assert "3 failed, 6 passed" in out
    reports = {text.partition(" ")[0]: text for text in out.split("____ test_")[1:]}
    for name in ("fixture", "block"):
        report = reports[name]
        assert report.count("- SMB at 127.0.0.1:") in {1, 2}, "its own, and the worker's"
        assert "test CREATE share/file " in report
        assert "action=" in report
        assert "test WRITE share/file 4 bytes at 0: SUCCESS (" in report
    assert "nobody has asked anything" in reports["session"], "what others said is not its own"


def test_pytest_rewrites_the_asserts_of_no_module_of_ours(pytestconfig):
    marked = pytestconfig.pluginmanager.rewrite_hook._must_rewrite  # it has that name still
    before = {*marked}
    marked |= {"smbd", "aio", "other"}
    pytest_plugin.pytest_addoption(pytest.Parser(_ispytest=True), pytestconfig.pluginmanager)
    assert marked & {"smbd", "aio", "other"} == {"other"}
    marked &= before


def test_a_project_without_smb_pays_nothing(project):
    out = project(
        test_it="""
            import sys

            def test():
                heavy = {"trio", "impacket", "smbd.testing", "smbd.config", "cryptography"}
                assert not heavy & set(sys.modules)
        """
    )
    assert "1 passed" in out
