#!/usr/bin/env bash
# Installs Debian packages that are missing, or prints the command. Usage: packages.sh NAME...
set -euo pipefail

missing=()
for name in "$@"; do
    case "$name" in
        mosquitto) have=/usr/sbin/mosquitto ;;
        mosquitto-clients) have=/usr/bin/mosquitto_pub ;;
        rabbitmq-server) have=/usr/sbin/rabbitmq-server ;;
        postgresql-15) have=/usr/lib/postgresql/15/bin/postgres ;;
        faketime) have=/usr/bin/faketime ;;
        chromium) have=/usr/bin/chromium ;;
        coturn) have=/usr/bin/turnserver ;;
        janus) have=/usr/bin/janus ;;
        make) have=/usr/bin/make ;;
        *) have="" ;;
    esac
    if [ -n "$have" ] && [ -x "$have" ]; then continue; fi
    missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null || ! grep -qs '^ID=debian' /etc/os-release; then
    echo "Missing: ${missing[*]}. On Debian 12: $install" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
        sudo=sudo
    else
        echo "Missing: ${missing[*]}. Run: sudo $install" >&2
        exit 1
    fi
fi
# The tests start servers of their own; the packages must not start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | ${sudo:-} tee $policy >/dev/null
    ${sudo:-} chmod +x $policy
    trap '${sudo:-} rm -f $policy' EXIT
fi
${sudo:-} apt-get update -qq >&2
# By env, because sudo hands no variables on.
${sudo:-} env DEBIAN_FRONTEND=noninteractive $install >&2
