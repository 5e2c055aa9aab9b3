#!/usr/bin/env bash
# Finds what the installation needs from the system, before it starts: prints the chosen Python on stdout,
# or names on stderr every Debian package that is missing, with the one command that installs them all.
set -euo pipefail

# The client and the runtime run on any Python from 3.11 on; TensorFlow, which is installed as well, ends at 3.13.
usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

python=""
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if usable "$candidate"; then
        python="$(command -v "$candidate")"
        break
    fi
done

missing=()
reasons=()
need() { # package, why
    missing+=("$1")
    reasons+=("  $1: $2")
}

command -v make >/dev/null || need make "runs the Makefile"
if ! command -v gcc >/dev/null; then
    need gcc "compiles fastecdsa, which libp2p needs"
    need libc6-dev "the C library's headers for gcc"
elif ! echo '#include <stdlib.h>' | gcc -E -x c - >/dev/null 2>&1; then
    need libc6-dev "the C library's headers for gcc"
fi

if [ -z "$python" ]; then
    found="$(python3 --version 2>/dev/null || echo "no python3")"
    if [ -n "${PYTHON:-}" ]; then
        echo "PYTHON is '$PYTHON', which is not a Python 3.11, 3.12 or 3.13: point it at one" >&2
        exit 1
    fi
    need python3.11 "Python 3.11, 3.12 or 3.13 (found: $found)"
    need python3.11-venv "makes the virtual environment"
    need python3.11-dev "Python's headers, to compile fastecdsa"
else
    version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || need "python$version-venv" "makes the virtual environment"
    header="$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"
    [ -f "$header" ] || need "python$version-dev" "Python's headers ($header), to compile fastecdsa"
fi

has_gmp() {
    compgen -G '/usr/include/gmp.h' >/dev/null || compgen -G '/usr/include/*/gmp.h' >/dev/null \
        || echo '#include <gmp.h>' | gcc -E -x c - >/dev/null 2>&1
}
has_gmp || need libgmp-dev "GMP's header gmp.h, to compile fastecdsa"

if [ "${#missing[@]}" -gt 0 ]; then
    {
        echo "System packages are missing:"
        printf '%s\n' "${reasons[@]}"
        echo "Install them, then run make again:"
        echo "  sudo apt-get install -y ${missing[*]}"
    } >&2
    exit 1
fi
echo "$python"
