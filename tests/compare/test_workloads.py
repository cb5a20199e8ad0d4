"""The workloads and forms that there are make sense together."""

from typing import get_args

import pytest

from aio import check_options, parse_spec
from aio.compare.forms import FORMS, Form, form_named
from aio.compare.workloads import (
    KIB,
    MIB,
    WORKLOADS,
    Group,
    Workload,
    in_bytes,
    workload_named,
)

VARIANTS = sorted({name for workload in WORKLOADS for name in workload.variants})


def test_names_are_unique_and_find_their_workload() -> None:
    assert len({workload.name for workload in WORKLOADS}) == len(WORKLOADS)
    assert all(workload_named(workload.name) is workload for workload in WORKLOADS)
    with pytest.raises(KeyError):
        workload_named("hits 4 KiB x3")


def test_every_group_has_a_workload_in_the_short_study_and_groups_are_not_torn_apart() -> None:
    assert {workload.group for workload in WORKLOADS if workload.quick} == set(get_args(Group))
    groups = [workload.group for workload in WORKLOADS]
    order = [group for at, group in enumerate(groups) if at == 0 or groups[at - 1] != group]
    assert order == list(get_args(Group))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.name)
def test_a_group_says_where_the_data_is(workload: Workload) -> None:
    loads = [workload.load, *([workload.beside] if workload.beside else [])]
    assert (workload.group == "flood") == any(load.data == "dirty" for load in loads)
    assert all(load.operation == "write" for load in loads if load.data == "dirty")
    if workload.group in {"hits", "misses", "streams"}:
        data = "cached" if workload.group == "hits" else "evicted"
        assert [(load.operation, load.data) for load in loads] == [("read", data)]


@pytest.mark.parametrize("form", FORMS, ids=lambda each: each.name)
def test_a_form_is_found_by_its_name_and_is_one_that_can_be_opened(form: Form) -> None:
    assert form_named(form.name) == form
    check_options(parse_spec(form.spec), form.options)
    assert form.probe == parse_spec(form.spec).probe


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_form_of_its_own_that_can_be_opened(name: str) -> None:
    form = form_named(name)
    assert form.name == name
    assert form not in FORMS
    check_options(parse_spec(form.spec), form.options)


def test_form_names_are_unique() -> None:
    assert len({form.name for form in FORMS}) == len(FORMS)


def test_an_option_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="many"):
        form_named("threads workers=many")


def test_a_switch_is_named_by_itself() -> None:
    assert Form("uring", {"direct": 1}).name == "uring direct"
    assert form_named("threads workers=4 ").spec == "threads"


@pytest.mark.parametrize(
    ("size", "text"), [(512, "512 B"), (4 * KIB, "4 KiB"), (64 * KIB, "64 KiB"), (MIB, "1 MiB")]
)
def test_sizes_are_named_as_one_says_them(size: int, text: str) -> None:
    assert in_bytes(size) == text
