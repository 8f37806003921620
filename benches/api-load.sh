#!/usr/bin/env bash
# The API server under load: over TLS and HTTP/2 against a server in a process of its own, and in process.
# On a machine that others use too, CPU time is the figure to go by.
# Usage: api-load.sh [--quick]    BENCH_DIR: a directory on the disk to measure, default /tmp
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${CARGO_TARGET_DIR:-$here/target}/release
seconds=5 lists=40 pods=5000 watchers=1000 updates=10000 held=150000 nodes=5000
[[ ${1:-} != --quick ]] || { seconds=1 lists=5 pods=500 watchers=100 updates=500 held=5000 nodes=200; }
cargo build --release --quiet --manifest-path "$here/Cargo.toml" --package windlass-benches --features api-load --bin api-load
work=$(mktemp -d -p "${BENCH_DIR:-/tmp}")
server=
trap 'stop; rm -rf "$work"' EXIT

# start: an empty server; returns when it is ready.
start() {
  rm -rf "$work/data"
  coproc "$out/api-load" serve "$work/data"
  server=$COPROC_PID
  read -r -t 30 -u "${COPROC[0]}"
}
stop() {
  [[ -n $server ]] || return 0
  kill "$server" && wait "$server" || true
  server=
}
there() { "$out/api-load" "$@" --kubeconfig "$work/data/admin.kubeconfig" --server "$server"; }

printf '%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
printf '\nOver TLS and HTTP/2, the durable store\n'
start
for clients in 1 16 64; do there create --clients "$clients" --seconds "$seconds" | sed "s/^/$clients clients: /"; done
for clients in 1 16 64; do there get --clients "$clients" --seconds "$seconds" | sed "s/^/$clients clients: /"; done
there list --pods "$pods" --lists "$lists"
stop
start
there watch --watchers "$watchers" --updates "$((updates / 10))" --rate 100
stop

printf '\nIn process\n'
"$out/api-load" create --durable "$work/here" --seconds "$seconds"
"$out/api-load" create --memory --seconds "$seconds"
"$out/api-load" get --memory --seconds "$seconds"
"$out/api-load" list --memory --pods "$pods" --lists "$lists"
"$out/api-load" watch --memory --watchers "$watchers" --updates "$updates" --rate 1000
"$out/api-load" hold "$work/held" --pods "$held" --nodes "$nodes" --fill
"$out/api-load" hold "$work/held" --pods "$held" --nodes "$nodes"
