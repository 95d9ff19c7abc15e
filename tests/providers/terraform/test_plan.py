"""Plans as a person is shown them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.providers.terraform.plan import summarise

NODES = ("x-1", "x-2", "x-3")


def change(kind: str, *actions: str, index: object = None, **values: object) -> dict[str, Any]:
    before = None if actions == ("create",) else values
    after = None if actions == ("delete",) else values
    found: dict[str, Any] = {"mode": "managed", "type": kind, "name": "it", "change": {"actions": list(actions)}}
    found["change"] |= {"before": before, "after": after}
    return found if index is None else {**found, "index": index}


def plan(*changes: dict[str, Any], summary: str = "") -> dict[str, Any]:
    outputs = {"summary": {"value": summary}} if summary else {"summary": {"sensitive": False}}
    return {"resource_changes": list(changes), "planned_values": {"outputs": outputs}}


def test_it_says_what_is_made_how_many_of_which_type_and_where() -> None:
    found = summarise(
        plan(
            *(change("aws_instance", "create", index=name, instance_type="t3.medium") for name in ("x-2", "x-1")),
            *(change("aws_ebs_volume", "create", index=f"x-{number}-disk-0", size=20) for number in (1, 2)),
            change("aws_vpc", "create"),
            change("aws_eip", "create", index="x-1"),
            change("aws_eip", "create", index="x-1"),
            change("aws_ami", "read"),
            change("aws_key_pair", "no-op"),
            summary="aws eu-central-1",
        ),
        NODES,
    )
    assert found.lines == (
        "make       2 aws_ebs_volume (20 GiB)",
        "make       2 aws_instance (t3.medium): x-1, x-2",
        "make       2 aws_eip: x-1",
        "make       1 aws_vpc",
    )
    assert (found.made, found.lost, found.asks, found.where) == ({"x-1", "x-2"}, frozenset(), True, "aws eu-central-1")


def test_a_machine_that_runs_and_would_be_lost_is_named() -> None:
    found = summarise(
        plan(
            change("aws_instance", "delete", "create", index="x-1", instance_type="a"),
            change("aws_instance", "delete", index="x-2", instance_type="a"),
            change("aws_instance", "delete", index="x-3", instance_type="a"),
        ),
        NODES,
        running=("x-1", "x-2"),
    )
    assert "replace    1 aws_instance (a): x-1" in found.lines
    assert "destroy    2 aws_instance (a): x-2, x-3" in found.lines
    assert found.lines[-1] == "x-1, x-2 run now, and all that is on them will be lost"
    assert found.asks


def test_a_new_address_of_this_machine_is_not_asked_about() -> None:
    for kind in (
        "aws_vpc_security_group_ingress_rule", "google_compute_firewall", "azurerm_network_security_rule",
        "oci_core_network_security_group_security_rule", "openstack_networking_secgroup_rule_v2",
    ):  # fmt: skip
        found = summarise(plan(change(kind, "delete"), change(kind, "create")), NODES)
        assert found.lines
        assert not found.asks
    assert not summarise(plan(change("aws_vpc", "update")), NODES).asks
    assert summarise(plan(change("aws_security_group", "create")), NODES).asks


def update(kind: str, before: dict[str, Any], after: dict[str, Any], index: object = "x-1") -> dict[str, Any]:
    found = change(kind, "update", index=index)
    found["change"] |= {"before": {"tags": {}, **before}, "after": {"tags": {"expires": "later"}, **after}}
    return found


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        ("azurerm_linux_virtual_machine", {"size": "D2"}, {"size": "D4"}, "D4"),
        ("aws_instance", {"instance_type": "a"}, {"instance_type": "b"}, "b"),
        (
            "azurerm_linux_virtual_machine",
            {"size": "D2", "os_disk": [{"disk_size_gb": 30}]},
            {"size": "D2", "os_disk": [{"disk_size_gb": 64}]},
            "64 GiB",
        ),
        (
            "oci_core_instance",
            {"shape": "E4.Flex", "shape_config": [{"ocpus": 1, "memory_in_gbs": 8}]},
            {"shape": "E4.Flex", "shape_config": [{"ocpus": 2, "memory_in_gbs": 16}]},
            "2 OCPUs, 16 GiB",
        ),
    ],
)
def test_a_machine_of_another_size_is_asked_about_and_named_where_it_runs(
    kind: str, before: dict[str, Any], after: dict[str, Any], told: str
) -> None:
    shown = plan(update(kind, before, after), update(kind, before, after, index="x-2"))
    found = summarise(shown, NODES, running=("x-2",))
    assert found.lines == (f"resize     2 {kind} ({told}): x-1, x-2", "x-2 run now, and may be restarted by this")
    assert (found.made, found.lost, found.asks, found.resizes) == (frozenset(), frozenset(), True, True)
    assert len(summarise(shown, NODES).lines) == 1


@pytest.mark.parametrize(
    ("before", "after"), [({"size": 20}, {"size": 40}), ({"size_in_gbs": "50"}, {"size_in_gbs": "64"})]
)
def test_a_bigger_disk_is_asked_about(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = summarise(plan(update("some_volume", before, after, index="x-1-disk-0")), NODES, running=NODES)
    assert found.lines == (f"resize     1 some_volume ({next(iter(after.values()))} GiB)",)
    assert found.asks
    assert found.resizes


def test_other_changes_go_on_unasked() -> None:
    same = {
        "size": "D2",
        "size_in_gbs": "50",
        "shape_config": [{"ocpus": 1.0}],
        "os_disk": [{"disk_size_gb": 30, "a": 1}],
    }
    also = {"size": "D2", "size_in_gbs": 50, "shape_config": [{"ocpus": 1}], "os_disk": [{"disk_size_gb": 30, "a": 2}]}
    found = summarise(plan(update("some_machine", same, also)), NODES, running=NODES)
    assert found.lines == ("change     1 some_machine (D2): x-1",)
    assert (found.asks, found.resizes) == (False, False)


def test_nothing_to_do_is_nothing_to_say() -> None:
    assert summarise(plan(change("aws_vpc", "no-op")), NODES).lines == ()


def test_names_from_a_cloud_are_cleaned() -> None:
    (line,) = summarise(plan(change("aws\x1b[31m_x", "create", instance_type="a\nb" + "c" * 500)), NODES).lines
    assert "\x1b" not in line
    assert "\n" not in line
    assert len(line) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("resource_changes", "change", "actions", "mode", "type", "index", "after", "planned_values"),
                    *("outputs", "size", "shape", "shape_config", "ocpus", "os_disk", "disk_size_gb"),
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
ODD = st.fixed_dictionaries(
    {
        "mode": st.just("managed"),
        "type": JSON,
        "index": JSON,
        "change": st.fixed_dictionaries({"actions": JSON | st.just(["update"]), "before": JSON, "after": JSON}),
    }
) | st.fixed_dictionaries(
    {"mode": st.just("managed"), "change": st.fixed_dictionaries({"actions": st.just(["create"]), "after": JSON})}
)


@given(
    st.dictionaries(st.sampled_from(["resource_changes", "planned_values"]), JSON)
    | st.lists(ODD).map(lambda x: plan(*x))
)
def test_any_json_is_told(shown: dict[str, Any]) -> None:
    found = summarise(shown, NODES)
    assert all("\n" not in line for line in found.lines)
