"""From whatever Mosquitto's dynamic security holds to what it must hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telehealth.brokers import dynamic
from telehealth.errors import SettingError

NAMES = st.sampled_from(["ox-1", "ox-2", "bp-1", "bp-2"])


def applied(state: dynamic.State, commands: Iterable[dict[str, Any]]) -> dynamic.State:
    """What the plugin makes of commands."""
    clients, roles, defaults = dict(state.clients), dict(state.roles), set(state.defaults)
    for each in commands:
        match each["command"]:
            case "deleteClient":
                del clients[each["username"]]
            case "deleteRole":
                gone = each["rolename"]
                del roles[gone]
                clients = {n: dynamic.Client(c.roles - {gone}, c.disabled, c.grouped) for n, c in clients.items()}
            case "createRole" | "modifyRole" as kind:
                assert (each["rolename"] in roles) is (kind == "modifyRole")
                assert all(acl["allow"] for acl in each["acls"])
                roles[each["rolename"]] = frozenset((acl["acltype"], acl["topic"]) for acl in each["acls"])
            case "createClient" | "modifyClient" as kind:
                assert (each["username"] in clients) is (kind == "modifyClient")
                assert all(role["rolename"] in roles for role in each["roles"])
                before = clients.get(each["username"], dynamic.Client(frozenset()))
                named = frozenset(role["rolename"] for role in each["roles"])
                clients[each["username"]] = dynamic.Client(named, before.disabled)
            case "enableClient":
                before = clients[each["username"]]
                clients[each["username"]] = dynamic.Client(before.roles, False, before.grouped)
            case "setDefaultACLAccess":
                defaults = {acl["acltype"] for acl in each["acls"] if acl["allow"]}
    return dynamic.State(clients, roles, frozenset(defaults))


@st.composite
def states(draw: st.DrawFn) -> dynamic.State:
    """Any mixture of right, wrong, missing and foreign."""
    full = dynamic.wanted(["ox-1", "ox-2", "bp-1", "bp-2"], "telehealth", dynamic.ADMIN)
    roles = {
        name: draw(st.sampled_from([allowed, frozenset([("publishClientSend", "#")]), frozenset([("deny", "#")])]))
        for name, allowed in full.roles.items()
        if draw(st.booleans())
    }
    some = st.frozensets(st.sampled_from(sorted(roles)) if roles else st.nothing(), max_size=2)
    clients = {
        name: dynamic.Client(draw(some), draw(st.booleans()), draw(st.booleans()))
        for name in full.clients
        if draw(st.booleans())
    }
    return dynamic.State(clients, roles, draw(st.sampled_from([frozenset(), frozenset({"unsubscribe"})])))


@given(states(), st.sets(NAMES))
def test_ends_in_step_and_then_has_nothing_to_do(present: dynamic.State, devices: set[str]) -> None:
    """Whatever is there, the commands lead to what must be there; others' clients and roles stay."""
    target = dynamic.wanted(devices, "telehealth", dynamic.ADMIN)
    foreign = dynamic.Client(frozenset({"dashboard"}))
    present = dynamic.State(
        {**present.clients, "grafana": foreign},
        {**present.roles, "dashboard": frozenset([("subscribePattern", "$SYS/#")])},
        present.defaults,
    )
    after = applied(present, dynamic.commands(present, target))
    assert {name: after.clients[name] for name in target.clients} == dict(target.clients)
    assert {name: after.roles[name] for name in target.roles} == dict(target.roles)
    assert after.defaults == target.defaults
    assert after.clients["grafana"] == foreign
    assert not any(name.startswith("device:") for name in set(after.roles) - set(target.roles))
    assert list(dynamic.commands(after, target)) == []


@given(st.sets(NAMES))
def test_the_first_file_needs_no_commands(devices: set[str]) -> None:
    target = dynamic.wanted(devices, "telehealth", dynamic.ADMIN)
    written = dynamic.document(target)
    defaults = [{"acltype": kind, "allow": allowed} for kind, allowed in written["defaultACLAccess"].items()]
    assert dynamic.read(written["clients"], written["roles"], defaults) == target
    assert not any("password" in client for client in written["clients"])


def test_access_is_taken_before_it_is_given() -> None:
    before = dynamic.wanted(["ox-1"], "telehealth", dynamic.ADMIN)
    names = [
        each["command"] for each in dynamic.commands(before, dynamic.wanted(["ox-2"], "telehealth", dynamic.ADMIN))
    ]
    assert names == ["deleteClient", "deleteRole", "createRole", "createClient"]


@pytest.mark.parametrize("name", ["telehealth", dynamic.ADMIN])
def test_a_device_with_the_name_of_an_account(name: str) -> None:
    with pytest.raises(SettingError):
        dynamic.wanted([name], "telehealth", dynamic.ADMIN)
