#!/usr/bin/env bash
# The controllers under load: a whole control plane in one process, with nodes that only say they run pods.
# On a machine that others use too, CPU time is the figure to go by.
# Usage: controllers-load.sh [--quick]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
load=${CARGO_TARGET_DIR:-$here/target}/release/controllers-load
deployments=10000 nodes=1000 pods=5000 objects=10000 beating=5000 seconds=30
[[ ${1:-} != --quick ]] || { deployments=200 nodes=50 pods=200 objects=500 beating=500 seconds=5; }
cargo build --release --quiet --manifest-path "$here/Cargo.toml" --package windlass-benches --no-default-features \
  --features controllers-load --bin controllers-load
printf '%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
nice -n 10 "$load" deployments --deployments "$deployments" --nodes "$nodes"
nice -n 10 "$load" rollout --pods "$pods"
nice -n 10 "$load" namespace --objects "$objects"
nice -n 10 "$load" heartbeats --nodes "$beating" --seconds "$seconds"
