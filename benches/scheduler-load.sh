#!/usr/bin/env bash
# The scheduler under load. By default upstream's workloads end to end, at 500 and 5,000 nodes: pods are created over TLS,
# kept in a durable store, bound and seen by a watcher, all in one process; its CPU time is that of API server, store,
# scheduler and clients together. On a machine that others use too, it is the figure to go by.
# Usage: scheduler-load.sh [NODES…]                  every workload on so many nodes
#        scheduler-load.sh simulate [NODES [PODS]]   Deployments placed by what-if alone, default 100,000 and 1,000,000
#        scheduler-load.sh --quick                   little load on an unoptimized build: whether it works; figures say nothing
# BENCH_DIR: a directory on the disk to measure, default /tmp
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
profile=release folder=release
[[ ${1:-} != --quick ]] || profile=dev folder=debug
load=${CARGO_TARGET_DIR:-$here/target}/$folder/scheduler-load
cargo build --profile "$profile" --quiet --manifest-path "$here/Cargo.toml" --package windlass-benches \
  --no-default-features --features scheduler-load --bin scheduler-load

now() { printf '%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"; }
place() { "$load" place "$@" --dir "${BENCH_DIR:-/tmp}"; }

now
case ${1:-} in
  simulate) "$load" simulate "${@:2}" ;;
  --quick)
    for workload in $("$load" workloads); do place "$workload" --nodes 50; done
    "$load" simulate 1000 5000
    ;;
  *)
    (($#)) || set -- 500 5000
    for nodes; do
      for workload in $("$load" workloads); do place "$workload" --nodes "$nodes"; done
    done
    now
    # At a steady rate nothing queues: what one pod takes.
    place SchedulingBasic --nodes "$1" --pods 5000 --rate 500
    ;;
esac
now
