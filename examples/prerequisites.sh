#!/usr/bin/env bash
# Says what is missing to build, run and try Windlass; as root on Debian it installs it.
set -euo pipefail

command -v cargo >/dev/null || { echo "cargo not found: install Rust 1.95 or newer (https://rustup.rs)" >&2; exit 1; }

# A program, and the Debian package that has it.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need cc gcc
need curl curl
need ip iproute2
need kubectl kubernetes-client
need etcd etcd-server
need etcdctl etcd-client
need containerd containerd
need runc runc
need protoc protobuf-compiler
[[ -e /usr/include/google/protobuf/descriptor.proto ]] || missing+=(libprotobuf-dev)
[[ -e /usr/include/seccomp.h ]] || missing+=(libseccomp-dev)
[[ -x /bin/busybox ]] && ! ldd /bin/busybox >/dev/null 2>&1 || missing+=(busybox-static)
((${#missing[@]})) || exit 0

if ((EUID == 0)) && command -v apt-get >/dev/null; then
  echo "Installing from Debian's packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Missing: ${missing[*]}. Install these packages, or run this as root on Debian." >&2
  exit 1
fi
