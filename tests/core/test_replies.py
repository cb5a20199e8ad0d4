"""What `Connection` puts around a reply: header, credits, chain, interim response."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.ntstatus import NtStatus
from smbd.request import Reply
from tests.core import messages
from tests.core.messages import ASYNC, CANCEL, CREATE, ECHO, READ, RELATED, answers, message
from tests.core.stage import a_connection, answered, payload, received
from tests.scripted import Peer


def test_a_reply_repeats_what_its_request_said():
    connection = a_connection(held=100)
    frame = message(CREATE, message_id=0, tree_id=5, session_id=6, asked=3, charge=2)
    (answer,) = answered(connection, *received(connection, frame), status=NtStatus.ACCESS_DENIED)
    assert (answer.command, answer.message_id) == (CREATE, 0)
    assert (answer.tree_id, answer.session_id) == (5, 6)
    assert (answer.status, answer.granted) == (NtStatus.ACCESS_DENIED, 3)
    assert answer.flags & ~messages.RESPONSE == 0


@pytest.mark.parametrize("asked", [0, 1, 10, 65535])
def test_credits_are_granted_as_far_as_they_are_asked_for(asked):
    connection = a_connection(held=0)
    (answer,) = answered(connection, *received(connection, message(ECHO, asked=asked)))
    assert answer.granted == min(max(asked, 1), 8192)
    assert connection.window.available == answer.granted


def test_in_a_compound_each_reply_grants_its_own_credits():
    connection = a_connection(held=2)
    fields = ({"asked": 2}, {"asked": 0}, {"asked": 5})
    frame = Peer().compound(*((ECHO, messages.EMPTY, one) for one in fields))
    got = answered(connection, *received(connection, frame))
    assert [one.granted for one in got] == [2, 0, 5]


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=10))
def test_a_compound_of_any_bodies_is_aligned_and_comes_apart_again(bodies):
    connection = a_connection()
    frame = Peer().related(*((ECHO, b"") for _ in bodies))
    requests = received(connection, frame)
    pairs = [(request, Reply(body)) for request, body in zip(requests, bodies, strict=True)]
    got = answers(payload(connection.finish_compound(pairs)))
    assert [one.message_id for one in got] == list(range(len(bodies)))
    for answer, body in zip(got, bodies, strict=True):
        assert answer.body[: len(body)] == body
        assert not any(answer.body[len(body) :])
    padded = -(-len(bodies[-1]) // 8) * 8 if len(bodies) > 1 else len(bodies[-1])
    assert len(got[-1].body) == padded, "the last is padded too, but not one that is alone"
    assert all(one.flags & RELATED for one in got[1:])


def test_an_interim_response_takes_the_credits_and_gives_an_async_id():
    connection = a_connection(held=0)
    (request,) = received(connection, message(READ, asked=4, tree_id=5))
    reply = connection.request_list.interim(request)
    (interim,) = answers(payload(connection.finish(request, reply)))
    assert interim.status == NtStatus.PENDING
    assert interim.flags & ASYNC
    assert interim.granted == 4
    assert interim.async_id in connection.request_list.pending
    (final,) = answered(connection, request)
    assert (final.async_id, final.granted) == (interim.async_id, 0)
    assert connection.window.available == 4


def test_async_ids_are_never_used_again():
    connection = a_connection()
    requests = [received(connection, message(READ, message_id=place))[0] for place in range(5)]
    for request in requests:
        connection.request_list.interim(request)
        connection.request_list.ended(request)
    assert len({one.async_id for one in requests}) == 5
    assert not connection.request_list.pending


def cancel(connection, **fields):
    (request,) = received(connection, message(CANCEL, messages.EMPTY, **fields))
    return connection.find_running(request)


def test_cancel_finds_what_runs_and_nothing_else():
    connection = a_connection()
    (request,) = received(connection, message(READ, message_id=3))
    assert cancel(connection, message_id=3) is None
    connection.request_list.started(request)
    assert cancel(connection, message_id=3) is request
    assert cancel(connection, message_id=4) is None
    assert cancel(connection, message_id=0, flags=ASYNC, async_id=3) is None
    connection.request_list.interim(request)
    assert cancel(connection, flags=ASYNC, async_id=request.async_id) is request
    assert cancel(connection, flags=ASYNC, async_id=request.async_id | 1 << 32) is None
    assert cancel(connection, message_id=3) is request, "clients may have missed the AsyncId"
    connection.request_list.ended(request)
    assert cancel(connection, message_id=3) is None
    assert cancel(connection, flags=ASYNC, async_id=request.async_id) is None
