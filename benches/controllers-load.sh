#!/usr/bin/env bash
# The controllers under load: a whole control plane in one process, with nodes that only say they run pods.
# On a machine that others use too, CPU time is the figure to go by. With --quick little load on an unoptimized build:
# whether it works, and writes a pod; its times say nothing.
# Usage: controllers-load.sh [--quick]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
profile=release folder=release deployments=10000 nodes=1000 pods=5000 objects=10000 beating=5000 seconds=30
[[ ${1:-} != --quick ]] ||
  { profile=dev folder=debug deployments=100 nodes=50 pods=200 objects=500 beating=500 seconds=5; }
load=${CARGO_TARGET_DIR:-$here/target}/$folder/controllers-load
cargo build --profile "$profile" --quiet --manifest-path "$here/Cargo.toml" --package windlass-benches \
  --no-default-features --features controllers-load --bin controllers-load
printf '%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
nice -n 10 "$load" deployments --deployments "$deployments" --nodes "$nodes"
nice -n 10 "$load" rollout --pods "$pods"
nice -n 10 "$load" namespace --objects "$objects"
nice -n 10 "$load" heartbeats --nodes "$beating" --seconds "$seconds"
