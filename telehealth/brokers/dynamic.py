"""Mosquitto's dynamic security: what it must hold, and the commands from what it holds to that.

One role and one client per device, both in step with the registry. Clients have no password there: the plugin takes
only plain ones while it runs, and the registry keeps only hashes. Without one it leaves the question to the password
file, or to the client certificate; what a client may do, and that a revoked one is thrown out, is the plugin's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telehealth.brokers import rules
from telehealth.errors import SettingError

ADMIN = "telehealth-admin"
#: Roles that are ours; clients and roles of others are left alone.
_DEVICE, _SERVICE_ROLE, _ADMIN_ROLE = "device:", "telehealth:service", "telehealth:admin"

_ROOT = "telehealth/v1"
_RECEIVE = "publishClientReceive"
_CONTROL = "$CONTROL/dynamic-security/#"
_DEFAULTS = ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe")

#: acltype, topic: all that a role allows. Everything else is denied.
Rule = tuple[str, str]
Command = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """roles: names. disabled: may not come in."""

    roles: frozenset[str]
    disabled: bool = False
    grouped: bool = False


@dataclass(frozen=True)
class State:
    """clients by user name, roles by name; defaults: kinds of access that are allowed where no role says anything."""

    clients: Mapping[str, Client]
    roles: Mapping[str, frozenset[Rule]]
    defaults: frozenset[str] = frozenset({"unsubscribe"})


def wanted(devices: Iterable[str], service_user: str, admin_user: str) -> State:
    """What Mosquitto must hold. Raises SettingError if a device has the name of an account."""
    names = list(devices)
    for user, setting in ((service_user, "MQTT_URL"), (admin_user, "TELEHEALTH_MQTT_ADMIN_URL")):
        if user in names:
            raise SettingError(setting, "its user name is also a device's: choose another one")
    if service_user == admin_user:
        raise SettingError("TELEHEALTH_MQTT_ADMIN_URL", "needs a user name of its own")
    roles = {_DEVICE + name: _of_device(name) for name in names}
    roles |= {_SERVICE_ROLE: _of_service(), _ADMIN_ROLE: _of_admin()}
    clients = {name: Client(frozenset({_DEVICE + name})) for name in names}
    clients |= {service_user: Client(frozenset({_SERVICE_ROLE})), admin_user: Client(frozenset({_ADMIN_ROLE}))}
    return State(clients, roles)


def document(state: State) -> dict[str, Any]:
    """As the plugin's own file, for a broker that starts for the first time."""
    return {
        "defaultACLAccess": {kind: kind in state.defaults for kind in _DEFAULTS},
        "clients": [
            {"username": name, "roles": _named(client.roles)} for name, client in sorted(state.clients.items())
        ],
        "roles": [{"rolename": name, "acls": _acls(allowed)} for name, allowed in sorted(state.roles.items())],
    }


def read(clients: Sequence[Mapping[str, Any]], roles: Sequence[Mapping[str, Any]], defaults: Any) -> State:
    """From the answers to listClients, listRoles (both verbose) and getDefaultACLAccess."""
    return State(
        {
            str(each["username"]): Client(
                frozenset(role["rolename"] for role in each.get("roles", ())),
                bool(each.get("disabled", False)),
                bool(each.get("groups")),
            )
            for each in clients
        },
        {
            # A rule that denies is none of ours: it makes the role differ.
            str(each["rolename"]): frozenset(
                (acl["acltype"] if acl.get("allow") else "deny", acl["topic"]) for acl in each.get("acls", ())
            )
            for each in roles
        },
        frozenset(each["acltype"] for each in defaults if each.get("allow")),
    )


def commands(present: State, target: State) -> Iterator[Command]:
    """From what is there to what must be there. Whoever loses access loses it first, and the connection with it."""
    for name, client in present.clients.items():
        if name not in target.clients and any(role.startswith(_DEVICE) for role in client.roles):
            yield {"command": "deleteClient", "username": name}
    for role in present.roles:
        if role not in target.roles and role.startswith(_DEVICE):
            yield {"command": "deleteRole", "rolename": role}
    if present.defaults != target.defaults:
        acls = [{"acltype": kind, "allow": kind in target.defaults} for kind in _DEFAULTS]
        yield {"command": "setDefaultACLAccess", "acls": acls}
    for role, allowed in target.roles.items():
        if role not in present.roles:
            yield {"command": "createRole", "rolename": role, "acls": _acls(allowed)}
        elif present.roles[role] != allowed:
            yield {"command": "modifyRole", "rolename": role, "acls": _acls(allowed)}
    for name, client in target.clients.items():
        found = present.clients.get(name)
        if found is None:
            yield {"command": "createClient", "username": name, "roles": _named(client.roles)}
            continue
        if found.roles != client.roles or found.grouped:
            yield {"command": "modifyClient", "username": name, "roles": _named(client.roles), "groups": []}
        if found.disabled:
            yield {"command": "enableClient", "username": name}


def _of_device(device_id: str) -> frozenset[Rule]:
    own = f"{_ROOT}/{device_id}"
    return frozenset(
        [("publishClientSend", f"{own}/{last}") for last in rules.DEVICE_WRITES]
        + [(kind, f"{own}/{last}") for last in rules.DEVICE_READS for kind in ("subscribeLiteral", _RECEIVE)]
    )


def _of_service() -> frozenset[Rule]:
    below = f"{_ROOT}/#"
    return frozenset(
        [("publishClientSend", f"{_ROOT}/+/{last}") for last in rules.DEVICE_READS]
        + [("subscribePattern", below), ("subscribePattern", f"$share/+/{below}"), (_RECEIVE, below)]
        + [(kind, f"{rules.CHECK}/#") for kind in ("publishClientSend", "subscribePattern", _RECEIVE)]
    )


def _of_admin() -> frozenset[Rule]:
    return frozenset((kind, _CONTROL) for kind in ("publishClientSend", "subscribePattern", _RECEIVE))


def _named(roles: Iterable[str]) -> list[dict[str, str]]:
    return [{"rolename": role} for role in sorted(roles)]


def _acls(allowed: Iterable[Rule]) -> list[dict[str, Any]]:
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in sorted(allowed)]
