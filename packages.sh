#!/bin/sh
# Install the Debian packages named that are not there yet; says what a person without root has to do.
missing=""
for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q "ok installed" || missing="$missing $name"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null; then sudo="sudo"; else
    echo "error: missing system packages:$missing" >&2
    echo "hint: as root: apt-get install$missing" >&2
    exit 1
fi
echo "installing system packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get install -y -qq $missing >/dev/null 2>&1 || { $sudo apt-get update -qq && $sudo apt-get install -y -qq $missing >/dev/null; }
