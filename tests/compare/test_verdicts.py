"""How a claim is decided, and what is said where nothing decides it."""

from string import Formatter

from hypothesis import given, settings
from hypothesis import strategies as st

from aio.compare.claims import judge
from aio.compare.claims.readings import SUBMITTING
from aio.compare.claims.rows import Loads
from aio.compare.claims.table import CLAIMS
from aio.compare.claims.verdict import at_least, at_most
from aio.compare.document import Document, Measurement, Skipped
from aio.compare.figures import UNITS, Summary
from tests.compare.example import example
from tests.compare.measured import HITS, MANY_HITS, NOWAIT, judged, put, run, volume

# --- what is not measured -------------------------------------------------------------------------


def test_of_nothing_nothing_is_said() -> None:
    document = Document(
        "2026", ("smbd",), {}, "off", quick=True, volumes=[volume(), volume("tmpfs")]
    )
    for verdict in judge(document):
        assert verdict.text.endswith(".")
        for finding in verdict.volumes.values():
            assert finding.holds == "not measured"
            assert finding.sentence.endswith(".")
            assert finding.evidence == ()


def test_the_reason_why_it_was_not_measured_is_told() -> None:
    where = volume()
    where.skipped.append(Skipped("served", HITS, "", "the disk is full"))
    where.experiments["o_nonblock"] = {"reason": "nothing can be evicted"}
    assert judged("1", where).sentence.endswith("the disk is full.")
    assert judged("0a", where).sentence == "nothing can be evicted."


EXAMPLE = example()
NUMBERS = [each.number for each in judge(EXAMPLE)]
WHOLE = [(at, each) for at, one in enumerate(EXAMPLE.volumes) for each in one.measurements]
TRIED = sorted(
    {
        (name, figure)
        for one in EXAMPLE.volumes
        for name, has in one.experiments.items()
        for figure in has
    }
)


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.integers(0, len(WHOLE) - 1), max_size=40),
    st.sets(st.sampled_from(TRIED)),
    st.integers(1, 3),
)
def test_whatever_is_missing_there_are_all_verdicts(
    kept: set[int], lost: set[tuple[str, str]], rounds: int
) -> None:
    volumes = [volume(each.name) for each in EXAMPLE.volumes]
    for index in kept:
        at, each = WHOLE[index]
        put(volumes[at], each.workload, each.form, *each.rounds[:rounds], layer=each.layer)
    for made, one in zip(volumes, EXAMPLE.volumes, strict=True):
        for name, has in one.experiments.items():
            left = {key: value for key, value in has.items() if (name, key) not in lost}
            made.experiments[name] = left
    document = Document("2026", ("smbd",), {}, "off", quick=True, volumes=volumes)
    assert [each.number for each in judge(document)] == NUMBERS


def test_workloads_of_another_version_are_passed_over() -> None:
    where = volume()
    put(where, "hits of the future", NOWAIT, run())
    put(where, "hits of the future", "sync", run())
    assert judged("1", where).holds == "not measured"


def test_rows_of_workloads_name_forms_and_figures_that_there_are() -> None:
    """A misspelt one would look like one that was not measured."""
    for row in (row for claim in CLAIMS for row in claim.rows if isinstance(row.source, Loads)):
        runs = {"own", "rival", *row.source.beside}
        for _, name, figure, _ in Formatter().parse(row.sentence + row.also):
            assert name in {None, "workload", "depth", "limits[0]", *runs}
            assert not figure or (name in runs and figure in {*UNITS, SUBMITTING})
        decided = {limit.figure for limit in row.limits}
        assert decided | set(row.source.shown) <= {*UNITS, SUBMITTING}


# --- how it is decided ----------------------------------------------------------------------------


def test_the_median_decides_unless_rounds_on_both_sides_say_that_it_may_be_chance() -> None:
    assert at_most(Summary(10, 9, 11), 20) == "yes"
    assert at_most(Summary(30, 29, 31), 20) == "no"
    assert at_most(Summary(19, 10, 30), 20) == "close"
    assert at_most(Summary(21, 10, 30), 20) == "close"
    assert at_most(Summary(10, 9, 25), 20) == "yes"  # one bad round of several
    assert at_most(Summary(20, 20, 20), 20) == "yes"
    assert at_least(Summary(30, 29, 31), 20) == "yes"
    assert at_least(Summary(10, 9, 11), 20) == "no"
    assert at_least(Summary(21, 10, 30), 20) == "close"
    assert at_least(Summary(20, 20, 20), 20) == "yes"


def test_one_round_alone_does_not_decide_what_is_near() -> None:
    where = volume("tmpfs")
    other = volume()
    put(other, MANY_HITS, NOWAIT, run())
    where.measurements = [Measurement("served", MANY_HITS, NOWAIT, [run(rate=8_500)])]
    assert judged("8", where, other).holds == "partly"
    assert "too close to tell" in judged("8", where, other).sentence
    put(where, MANY_HITS, NOWAIT, run(rate=8_500))
    assert judged("8", where, other).holds == "yes"


def test_served_decides_and_bare_is_told_where_it_differs() -> None:
    where = volume()
    for layer, cost in (("served", 50.0), ("bare", 90.0)):
        put(where, HITS, NOWAIT, run(cpu=cost), layer=layer)
        put(where, HITS, "sync", run(), layer=layer)
    finding = judged("1", where)
    assert finding.holds == "yes"
    assert "But bare: no." in finding.sentence
    assert any(label.startswith("bare, ") for label, _ in finding.evidence)
    where.measurements = [each for each in where.measurements if each.layer == "bare"]
    assert judged("1", where).holds == "no"


def test_the_nearest_depth_stands_for_one_that_was_not_measured() -> None:
    where = volume()
    put(where, "hits 4 KiB x64", NOWAIT, run())
    put(where, "hits 4 KiB x64", "sync", run())
    finding = judged("1", where)
    assert finding.holds == "yes"
    assert finding.sentence.count("x64") == 1
