#!/usr/bin/env bash
# Installs Debian's packages that the tests drive: a browser, and containers without a Docker engine.
# Nothing is done where they are there already, nor without root or apt: those tests then say why they are skipped.
set -euo pipefail

packages=(chromium podman buildah netavark aardvark-dns runc iptables fuse-overlayfs catatonit mmdebstrap)

if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "without apt and root, install them yourself: ${packages[*]}" >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "${missing[@]}" > /dev/null
fi
