import pytest

from aio.compare.amounts import count, duration, figure, roughly, short, with_spread
from aio.compare.claims import judge
from aio.compare.document import Document, Skipped
from aio.compare.figures import Summary
from aio.compare.forms import FORMS
from aio.compare.report import text
from aio.compare.report.grid import WIDTH, grid
from aio.compare.report.reasons import reasons
from aio.compare.report.trials import trial
from aio.compare.report.view import short_name
from aio.compare.workloads import WORKLOADS
from tests.compare.example import example


@pytest.mark.parametrize(
    ("microseconds", "written"),
    [
        (0, "0"),
        (0.34, "0.340 us"),
        (45.31, "45.3 us"),
        (999.6, "1.00 ms"),
        (12_345, "12.3 ms"),
        (2_000_000, "2.00 s"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_a_time_has_three_digits_and_the_unit_that_keeps_it_short(microseconds, written):
    assert duration(microseconds) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (7.5, "7.50"), (954, "954"), (12_345, "12.3k"), (2e6, "2.00M")]
)
def test_a_count_has_three_digits(value, written):
    assert count(value) == written


def test_each_figure_is_written_as_what_it_is():
    assert figure("mb_per_s", 12_345) == "12300"
    assert figure("inline", 0.997) == "100%"
    assert figure("hops", 1) == "1.00"
    assert figure("stall_us", 1500) == "1.50 ms"
    assert figure("ops_per_s", float("nan")) == "-"


def test_a_spread_says_how_far_the_farthest_round_is_off():
    assert with_spread("cpu_us", Summary(100, 92, 104)) == "100 us ±8%"
    assert with_spread("cpu_us", Summary(100, 92, 250)) == "100 us +150%"
    assert with_spread("cpu_us", Summary(100, 99.9, 100.1)) == "100 us"
    assert with_spread("hops", Summary(0, 0, 0.5)) == "0 ..0.50"
    assert with_spread("cpu_us", None) == "-"


def test_a_tilde_marks_what_rounds_do_not_agree_on():
    assert roughly("cpu_us", Summary(100, 92, 104)) == "100 us"
    assert roughly("cpu_us", Summary(100, 50, 104)) == "~100 us"
    assert roughly("hops", Summary(0, 0, 0)) == "0"
    assert roughly("hops", None) == "-"


def test_ticks_lose_the_digits_that_say_nothing():
    assert [short(each) for each in ("10.0 us", "1.20 ms", "0.500 us", "1.25k", "200")] == [
        "10 us",
        "1.2 ms",
        "0.5 us",
        "1.25k",
        "200",
    ]


def test_a_table_that_is_too_wide_goes_on_below_with_its_names():
    lines = grid(["", "one", "two", "three"], [["a name", *("12345678",) * 3]], width=30)
    assert lines == [
        "             one       two",
        "a name  12345678  12345678",
        "",
        "           three",
        "a name  12345678",
    ]


def test_an_experiment_has_a_line_for_each_kind_of_call_and_what_else_it_found():
    found = trial(
        {
            "cold_count": 2,
            "cold_slept": 1,
            "cold_median_us": 1500,
            "cold_max_us": 2e6,
            "took_all": True,
            "missing": None,
            "each": [1.0, float("nan")],
            "longest_us": 12,
        }
    )
    assert found.calls == [["cold", "2", "1", "1.50 ms", "-", "2.00 s"]]
    assert found.others == [
        ("took all", "yes"),
        ("missing", "-"),
        ("each", "1.00, -"),
        ("longest", "12.0 us"),
    ]


def test_a_workload_is_called_by_what_its_group_does_not_say():
    assert short_name("hits 4 KiB x16") == "4 KiB x16"
    assert short_name("hits 4 KiB x1 beside 16 misses") == "beside 16 misses"
    assert short_name("something new") == "something new"


@pytest.mark.parametrize("full", [False, True])
def test_text_fits_the_terminal(full):
    assert all(len(line) <= WIDTH for line in text(example(), full=full).splitlines())


def test_the_short_text_has_every_form_on_every_volume_and_every_claim():
    lines = text(example()).splitlines()
    for form in FORMS:
        tables = sum(line.startswith(f"{form.name}  ") for line in lines)
        assert tables == (2 if form.options else 4)  # tmpfs has no O_DIRECT
    for verdict in judge(example()):
        assert any(line.startswith(f"{verdict.number}. {verdict.text[:20]}") for line in lines)
    assert len(lines) < 200


def test_the_full_text_has_every_workload_figure_and_experiment():
    found = text(example(), full=True)
    for workload in WORKLOADS:
        assert f"\nserved: {workload.name}\n" in found
        assert f"\nbare: {workload.name}\n" in found
    for words in ("p99.9", "others/s", "experiment: io_submit", "inline_limit=65536"):
        assert words in found
    assert "libaio direct: io_submit past the page cache" in found


def test_a_reason_is_given_once():
    document = example()
    found = reasons(document, document.volumes[1])
    assert len(found) == 3
    kept = {each.why.partition(":")[0]: each.what for each in found}
    assert kept["O_DIRECT"] == "libaio direct, uring direct: everything"
    assert kept["pages of tmpfs cannot be evicted"].startswith("every form: all of misses, ")
    assert "\n  libaio direct, uring direct: everything - O_DIRECT: " in text(document)


def test_what_one_layer_lacks_is_said_of_that_layer():
    document = example()
    volume = document.volumes[0]
    volume.skipped = [Skipped("served", "hits 4 KiB x1", "sync", "no server")]
    assert [each.what for each in reasons(document, volume)] == ["served: sync: hits 4 KiB x1"]


def test_an_interrupted_study_and_a_quick_one_say_so():
    assert "INTERRUPTED" in text(example(complete=False))
    assert "QUICK" in text(example(quick=True))
    assert not {"INTERRUPTED", "QUICK"} & set(text(example()).replace(".", "").split())


def test_a_study_that_has_measured_nothing_is_still_told():
    nothing = Document("2026-02-03T04:05:06+01:00", (), {}, "required", quick=True)
    assert "INTERRUPTED" in text(nothing)
    assert "The claims" in text(nothing, full=True)
    bare_volume = example()
    bare_volume.volumes[0].measurements = []
    assert "Nothing was measured here." in text(bare_volume)
