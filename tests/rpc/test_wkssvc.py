"""wkssvc as impacket's client sees it."""

import pytest
from impacket.dcerpc.v5 import wkst
from impacket.dcerpc.v5.rpcrt import DCERPCException

from smbd.rpc import open_pipe

from .client import connect, server

ACCESS_DENIED = 5
INVALID_LEVEL = 124


def client(**changes):
    pipe = open_pipe("WKSSVC", lambda: server(**changes))
    assert pipe is not None
    return connect(pipe, wkst.MSRPC_UUID_WKST)


def error_of(call, *arguments) -> int:
    with pytest.raises(DCERPCException) as caught:
        call(*arguments)
    return caught.value.get_error_code()


async def test_the_machine_has_a_name_and_a_workgroup():
    info = wkst.hNetrWkstaGetInfo(client(), 102)["WkstaInfo"]["WkstaInfo102"]
    assert info["wki102_computername"] == "BOX\0"
    assert info["wki102_langroup"] == "WORKGROUP\0"
    assert (info["wki102_ver_major"], info["wki102_ver_minor"]) == (6, 1)
    assert info["wki102_logged_on_users"] == 4


async def test_a_guest_gets_level_100_only():
    connected = client(guest=True)
    info = wkst.hNetrWkstaGetInfo(connected, 100)["WkstaInfo"]["WkstaInfo100"]
    assert info["wki100_computername"] == "BOX\0"
    assert error_of(wkst.hNetrWkstaGetInfo, connected, 101) == ACCESS_DENIED


async def test_levels_that_nobody_gets():
    assert error_of(wkst.hNetrWkstaGetInfo, client(), 502) == ACCESS_DENIED
    assert error_of(wkst.hNetrWkstaGetInfo, client(), 7) == INVALID_LEVEL
    assert error_of(wkst.hNetrWkstaUserEnum, client(), 1) == ACCESS_DENIED


async def test_the_machine_is_in_a_workgroup_and_no_domain():
    response = wkst.hNetrGetJoinInformation(client(), "\0")
    assert response["NameBuffer"] == "WORKGROUP\0"
    assert response["BufferType"] == 2
