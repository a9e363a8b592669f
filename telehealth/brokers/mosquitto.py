"""A Mosquitto set-up in step with the registry: configuration, password file, topic rules or dynamic security.

Written for Mosquitto 2.0.11 (Debian 12) and later. Devices have listeners of their own, where the
broker takes the user name as client id, so that nobody can take another device's session; the
service has one on which it may hold several sessions.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from telehealth.brokers import dynamic, rules
from telehealth.errors import SettingError, TelehealthError, Unavailable
from telehealth.model import secrets

CONFIGURATION, PASSWORDS, TOPICS = "mosquitto.conf", "passwords", "topics"
#: In a folder that Mosquitto may write, because it does.
DYNAMIC = "data/dynamic-security.json"

_MESSAGE_BYTES = 1024 * 1024
_PACKET_BYTES = _MESSAGE_BYTES + 4096


@dataclass(frozen=True)
class Plan:
    """What to write. Addresses are host and port; service None: it shares the devices' listener."""

    directory: Path
    devices: tuple[str, int]
    service: tuple[str, int] | None
    service_user: str = rules.SERVICE
    #: For TLS on the devices' listener, and on the service's if service_tls.
    certificate: Path | None = None
    key: Path | None = None
    service_tls: bool = False
    #: Who signs devices' client certificates, and where devices come that have one: its CN is the device_id.
    authority: Path | None = None
    certified: tuple[str, int] | None = None
    #: The plugin's file; None: topic rules from a file instead.
    plugin: Path | None = None
    admin_user: str = dynamic.ADMIN
    pid_file: Path | None = None
    queued_messages: int = 200_000
    #: Another account that Mosquitto, started as root, must stay on, because its own cannot reach the directory.
    run_as: str | None = None


def configuration(plan: Plan) -> str:
    """The text of mosquitto.conf."""
    folder = plan.directory
    lines = [
        "# Written by `telehealth broker mosquitto-config`; run it again instead of editing.",
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {folder / PASSWORDS}",
        *_access(plan),
        "",
        "# What is queued survives a restart of the broker; a crash may lose what came since the last save,",
        "# which devices then send again: their receipts are missing.",
        "persistence true",
        f"persistence_location {folder / 'data'}/",
        "autosave_interval 60",
        "persistent_client_expiration 14d",
        "",
        "# Mosquitto's own default drops a queue beyond 1,000 messages.",
        f"max_queued_messages {plan.queued_messages}",
        "max_inflight_messages 8000",
        f"message_size_limit {_MESSAGE_BYTES}",
        f"max_packet_size {_PACKET_BYTES}",
        "set_tcp_nodelay true",
        "",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "connection_messages false",
    ]
    if plan.pid_file is not None:
        lines.append(f"pid_file {plan.pid_file}")
    if plan.run_as is not None:
        lines += ["", "# The usual account cannot reach this directory.", f"user {plan.run_as}"]
    tls = [f"certfile {plan.certificate}", f"keyfile {plan.key}", "tls_version tlsv1.2"]
    lines += ["", "# Devices", f"listener {plan.devices[1]} {plan.devices[0]}"]
    if plan.certificate is not None:
        lines += tls
    if plan.service is not None:
        lines += ["use_username_as_clientid true"]
    if plan.certified is not None:
        lines += ["", "# Devices with a certificate", f"listener {plan.certified[1]} {plan.certified[0]}", *tls]
        lines += [f"cafile {plan.authority}", "require_certificate true"]
        lines += ["use_identity_as_username true", "use_username_as_clientid true"]
    if plan.service is not None:
        lines += ["", "# The service: several sessions of one account"]
        lines += [f"listener {plan.service[1]} {plan.service[0]}", *(tls if plan.service_tls else [])]
    return "\n".join(lines) + "\n"


def _access(plan: Plan) -> list[str]:
    if plan.plugin is None:
        return [f"acl_file {plan.directory / TOPICS}"]
    return [f"plugin {plan.plugin}", f"plugin_opt_config_file {plan.directory / DYNAMIC}"]


def plugin() -> Path:
    """Where the dynamic security plugin is on this computer. Raises SettingError."""
    for folder in ("/usr/lib", "/usr/local/lib", "/usr/lib64"):
        for found in sorted(Path(folder).glob("**/mosquitto_dynamic_security.so")):
            return found
    raise SettingError(
        "--dynamic-security", "finds no mosquitto_dynamic_security.so: install Mosquitto on this computer"
    )


def dynamic_security(devices: Iterable[str], plan: Plan) -> str:
    """The text of the plugin's file for a broker that starts for the first time; later it is the plugin's own."""
    state = dynamic.wanted(devices, plan.service_user, plan.admin_user)
    return json.dumps(dynamic.document(state), indent=1) + "\n"


def topics(service_user: str) -> str:
    """The text of the file of topic rules: patterns, so that it does not change with the registry."""
    root = "telehealth/v1"
    lines = [
        "# %u is the user name, which is the device_id. What is written elsewhere reaches nobody.",
        f"user {service_user}",
        f"topic read {root}/#",
        *(f"topic write {root}/+/{last}" for last in rules.DEVICE_READS),
        f"topic readwrite {rules.CHECK}/#",
        "",
        *(f"pattern write {root}/%u/{last}" for last in rules.DEVICE_WRITES),
        *(f"pattern read {root}/%u/{last}" for last in rules.DEVICE_READS),
    ]
    return "\n".join(lines) + "\n"


def passwords(devices: Mapping[str, str], accounts: Mapping[str, str]) -> str:
    """The text of the password file: names and hashes. Raises SettingError if a device has an account's name."""
    if set(accounts) & set(devices):
        raise SettingError("MQTT_URL", "its user name is also a device's: choose another one")
    return "".join(f"{user}:{stored}\n" for user, stored in sorted({**accounts, **devices}.items()))


def account_hash(directory: Path, user: str, password: str | None) -> tuple[str, str | None]:
    """The hash of an account's password, and the password where a new one had to be made.

    password: the one to use; None: the one in the present file stays, if there is one.
    """
    present = present_hash(directory, user)
    if password is not None:
        if present is not None and secrets.verify_device_password(password, present):
            return present, None
        return secrets.hash_device_password(password), None
    if present is not None:
        return present, None
    made = secrets.new_device_password()
    return secrets.hash_device_password(made), made


def present_hash(directory: Path, user: str) -> str | None:
    """What the present password file has for this user."""
    try:
        lines = (directory / PASSWORDS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return next((line.partition(":")[2] for line in lines if line.startswith(f"{user}:")), None)


def keep_passwords(directory: Path, devices: Mapping[str, str], accounts: Iterable[str], pid_file: Path | None) -> bool:
    """Bring the password file in step and have Mosquitto read it, which throws out who is not in it any more.

    Returns whether anything changed. Raises Unavailable if it cannot be written or Mosquitto not be told.
    """
    kept = {user: present_hash(directory, user) for user in accounts}
    text = passwords(devices, {user: stored for user, stored in kept.items() if stored is not None})
    path = directory / PASSWORDS
    try:
        if path.read_text("utf-8") == text:
            return False
        _replace(path, text, broker_account())
    except OSError as error:
        raise Unavailable(f"the password file cannot be kept ({error.strerror})") from None
    if pid_file is not None:
        try:
            reload(pid_file)
        except SettingError as error:
            raise Unavailable(str(error)) from None
    return True


def write(plan: Plan, files: Mapping[str, str]) -> list[str]:
    """Write the files, each whole or not at all; returns the names of those that changed.

    The plugin's file is written only if it is not there. As root they go to the account that
    Mosquitto changes to. Raises SettingError for the directory.
    """
    wanted = {name: text for name, text in files.items() if name != DYNAMIC or not (plan.directory / name).exists()}
    return write_files(plan.directory, wanted, account="mosquitto", folder="data")


def write_files(directory: Path, files: Mapping[str, str], *, account: str, folder: str | None = None) -> list[str]:
    """As write(), for any broker; account: who must read them, if we are root; folder: one that it may write."""
    owner = _account(account)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if folder is not None:
            _own(directory / folder, owner, folder=True)
        changed = []
        for name, text in files.items():
            path = directory / name
            if not path.exists() or path.read_text("utf-8") != text:
                _replace(path, text, owner)
                changed.append(name)
    except OSError as error:
        raise SettingError("--directory", f"cannot be written ({error.strerror})") from None
    return changed


def broker_account() -> pwd.struct_passwd | None:
    """The account that Mosquitto changes to when it is started as root; None when we are not root."""
    return _account("mosquitto")


def _account(name: str) -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def reachable(directory: Path) -> bool:
    """Whether that account can enter the directory, found out by trying."""
    account = broker_account()
    if account is None:
        return True
    directory.mkdir(parents=True, exist_ok=True)
    tried = subprocess.run(
        ["/usr/bin/test", "-x", str(directory)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return tried.returncode == 0


def reload(pid_file: Path) -> None:
    """Have a running Mosquitto read passwords and topic rules again. Raises SettingError for the pid file."""
    try:
        pid = int(pid_file.read_text())
        # A stale number may be another program's by now.
        if "mosquitto" not in Path(f"/proc/{pid}/comm").read_text():
            raise SettingError("--pid-file", "does not name a running Mosquitto")
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        raise SettingError("--pid-file", "does not name a running Mosquitto that we may signal") from None


def _replace(path: Path, text: str, account: pwd.struct_passwd | None) -> None:
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _own(beside, account)
    beside.rename(path)


def _own(path: Path, account: pwd.struct_passwd | None, *, folder: bool = False) -> None:
    if folder:
        path.mkdir(mode=0o700, exist_ok=True)
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise TelehealthError(f"{path} is not a folder")
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
