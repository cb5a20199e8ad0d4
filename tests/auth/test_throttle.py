"""Repeated failures slow an address down, and only that one, and only for a while."""

from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.auth import LoginThrottle
from smbd.auth.throttle import FORGIVENESS, FREE_FAILURES, LONGEST_DELAY, MOST_ADDRESSES

HOME = "192.0.2.7"


def failed(throttle: LoginThrottle, times: int, address: str = HOME, now: float = 0.0) -> float:
    return [throttle.failed(address, now) for _ in range(times)][-1]


def test_typing_errors_cost_nothing():
    assert failed(LoginThrottle(), FREE_FAILURES) == 0.0


def test_each_further_failure_doubles_the_delay_up_to_a_limit():
    throttle = LoginThrottle()
    failed(throttle, FREE_FAILURES)
    delays = [throttle.failed(HOME, 0.0) for _ in range(7)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert failed(throttle, 10_000) == LONGEST_DELAY


def test_a_success_waits_as_long_as_a_failure_and_clears_nothing():
    throttle = LoginThrottle()
    delay = failed(throttle, 6)
    assert throttle.delay(HOME, 0.0) == delay == 1.0
    assert throttle.delay(HOME, 0.0) == 1.0


def test_failures_are_forgotten_one_by_one():
    throttle = LoginThrottle()
    failed(throttle, 6)
    assert throttle.delay(HOME, FORGIVENESS) == 0.5
    assert throttle.delay(HOME, 2 * FORGIVENESS) == 0.25
    assert throttle.delay(HOME, 3 * FORGIVENESS) == 0.0
    assert throttle.failed(HOME, 7 * FORGIVENESS) == 0.0


def test_other_addresses_are_not_slowed():
    throttle = LoginThrottle()
    failed(throttle, 20)
    assert throttle.delay("192.0.2.8", 0.0) == 0.0


def test_an_ipv6_host_cannot_get_away_by_changing_its_address_within_its_network():
    throttle = LoginThrottle()
    for host in range(20):
        throttle.failed(f"2001:db8::{host:x}", 0.0)
    assert throttle.delay("2001:db8::ffff", 0.0) == LONGEST_DELAY
    assert throttle.delay("2001:db8:0:1::1", 0.0) == 0.0


def test_ipv4_is_the_same_address_inside_ipv6():
    throttle = LoginThrottle()
    failed(throttle, 20, f"::ffff:{HOME}")
    assert throttle.delay(HOME, 0.0) == LONGEST_DELAY
    assert throttle.delay("::ffff:192.0.2.8", 0.0) == 0.0


def test_what_is_no_ip_address_is_a_place_of_its_own():
    throttle = LoginThrottle()
    failed(throttle, 20, "local socket")
    assert throttle.delay("local socket", 0.0) == LONGEST_DELAY


def test_memory_is_bounded_and_an_address_that_goes_on_failing_is_not_forgotten():
    throttle = LoginThrottle()
    for number in range(3 * MOST_ADDRESSES):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
        if number % 1000 == 0:
            throttle.failed(HOME, 0.0)
    assert len(throttle._failures) == MOST_ADDRESSES
    assert throttle.delay(HOME, 0.0) == LONGEST_DELAY


def test_an_address_without_failures_takes_no_memory():
    throttle = LoginThrottle()
    throttle.delay(HOME, 0.0)
    throttle.failed(HOME, 0.0)
    throttle.delay(HOME, FORGIVENESS)
    assert not throttle._failures


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), max_size=50), st.integers(0, 60))
def test_a_delay_is_never_negative_nor_beyond_the_limit(times, failures):
    throttle = LoginThrottle()
    failed(throttle, failures + 1)
    for now in sorted(times):
        assert 0.0 <= throttle.delay(HOME, now) <= LONGEST_DELAY
