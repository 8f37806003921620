#!/usr/bin/env bash
# Start time, resident memory and idle CPU of `windlass up`, as root. Usage: figures.sh [seconds of idling, default 60]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${CARGO_TARGET_DIR:-$here/target}/release idle=${1:-60}
cargo build --release --quiet --manifest-path "$here/Cargo.toml" --package windlass --package windlass-benches --bins
# shellcheck source=../examples/cluster.sh
. "$here/examples/cluster.sh"
work=$(mktemp -d)
trap 'stop_cluster; rm -rf "$work"' EXIT
listen=(--listen 127.0.0.1:16444)
ticks() { awk '{ print $14 + $15 }' "/proc/$cluster/stat"; }

start_cluster "$work/data" "${listen[@]}" >/dev/null
stop_cluster
for _ in 1 2 3 4 5; do
  "$out/startup" "$windlass" "$work/data/admin.kubeconfig" up --data-dir "$work/data" "${listen[@]}"
done |
  sort -n | sed -n '3s/^/exec to \/readyz, data directory there, median of 5: /p'

start_cluster "$work/data" "${listen[@]}" >/dev/null
sleep 20
before=$(ticks)
sleep "$idle"
after=$(ticks)
echo "resident memory, idle: $(awk '/VmRSS/ { printf "%.1f MB", $2 / 1000 }' "/proc/$cluster/status")"
echo "idle CPU over $idle s: $(awk -v t=$((after - before)) -v s="$idle" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f %% of a core", 100 * t / hz / s }')"
