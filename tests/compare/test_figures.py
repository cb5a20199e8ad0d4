"""What a run comes to, and what several come to."""

import json
import random
from dataclasses import asdict, replace

import pytest

from aio.compare.figures import (
    SHARES,
    UNITS,
    Figures,
    Latencies,
    Summary,
    distribution,
    summarize,
)

MILLISECONDS = [number / 1000 for number in range(1, 1001)]
RUN = Figures(
    seconds=2.0,
    operations=1000,
    transferred=4_000_000,
    latencies=Latencies.of(MILLISECONDS),
    cpu=0.5,
    switches=3000,
    hops=2000,
    inline=500,
    stall=0.25,
    iterations=(1.5, 250000.0),
    stats={"reads": 1000, "seconds": 1.25},
)
OTHERS = replace(
    RUN, operations=1000, cpu=0.0, switches=0, hops=0, inline=0, iterations=(), stats={}
)


def test_a_distribution_is_in_microseconds_in_whatever_order_it_was_measured() -> None:
    shuffled = random.Random(1).sample(MILLISECONDS, 1000)
    found = Latencies.of(shuffled)
    assert found == Latencies.of(MILLISECONDS)
    assert found.count == 1000
    assert len(found.quantiles) == len(SHARES)
    assert [found.at(share) for share in (0.0, 0.5, 0.99, 1.0)] == [1000, 501000, 991000, 1000000]


def test_of_one_value_everything_is_that_value() -> None:
    assert set(Latencies.of([0.5]).quantiles) == {500000.0}


def test_of_nothing_there_are_no_quantiles() -> None:
    assert Latencies.of([]) == Latencies(0, ())


def test_a_share_that_is_not_kept_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        Latencies.of([1.0]).at(0.42)


def test_a_run_is_summed_up_per_second_and_per_operation() -> None:
    assert RUN.summary() == {
        "ops_per_s": 500.0,
        "mb_per_s": 2.0,
        "p50_us": 501000.0,
        "p99_us": 991000.0,
        "p999_us": 1000000.0,
        "max_us": 1000000.0,
        "cpu_us": 500.0,
        "switches": 3.0,
        "hops": 2.0,
        "inline": 0.5,
        "stall_us": 250000.0,
        "others_per_s": 0.0,
    }
    assert set(RUN.summary()) == set(UNITS)


def test_what_others_did_beside_shares_the_costs_and_not_the_rate() -> None:
    found = replace(RUN, beside=OTHERS).summary()
    assert found["ops_per_s"] == 500.0
    assert found["others_per_s"] == 500.0
    assert (found["cpu_us"], found["switches"], found["hops"]) == (250.0, 1.5, 1.0)
    assert found["inline"] == 0.25


def test_others_that_got_nothing_are_no_trouble() -> None:
    none = replace(OTHERS, operations=0, transferred=0, latencies=Latencies.of([]))
    found = replace(RUN, beside=none)
    assert found.summary()["others_per_s"] == 0.0
    assert found.summary()["cpu_us"] == 500.0
    json.dumps(asdict(found), allow_nan=False)


def test_rounds_give_median_and_spread() -> None:
    rounds = [replace(RUN, seconds=seconds) for seconds in (1.0, 4.0, 2.0)]
    assert summarize(rounds)["ops_per_s"] == Summary(median=500.0, low=250.0, high=1000.0)
    assert set(summarize(rounds)) == set(UNITS)


def test_a_distribution_of_rounds_is_the_median_of_each_quantile() -> None:
    rounds = [replace(RUN, latencies=Latencies.of([value])) for value in (0.003, 0.001, 0.002)]
    assert distribution(rounds) == [2000.0] * len(SHARES)


def test_rounds_in_which_nothing_was_measured_are_not_of_the_distribution() -> None:
    nothing = replace(RUN, latencies=Latencies.of([]))
    assert distribution([nothing, RUN]) == list(RUN.latencies.quantiles)
    assert distribution([nothing]) == []


def test_figures_are_the_same_after_json() -> None:
    for figures in (RUN, replace(RUN, beside=OTHERS)):
        assert Figures.from_json(json.loads(json.dumps(asdict(figures)))) == figures


@pytest.mark.parametrize("name", ["latencies", "iterations", "beside", "seconds"])
def test_json_that_lacks_something_is_an_error(name: str) -> None:
    values = asdict(RUN)
    del values[name]
    with pytest.raises((KeyError, TypeError)):
        Figures.from_json(values)
