#!/usr/bin/env bash
# windlass-store beside etcd: the same load on the same disk, taken in turns, medians of several rounds. On a machine
# that others use too only the ratios count. Needs `etcd` and `protoc`.
# Usage: store-vs-etcd.sh [--quick]    ROUNDS: how many, default 5    BENCH_DIR: a directory on the disk to measure, default /tmp
# WINDLASS_STORE: the program `windlass-store`, in place of the same server in the load generator
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${CARGO_TARGET_DIR:-$here/target}/release
rounds=${ROUNDS:-5} seconds=2 keys=1000000 watched=200 fast_commits=20000
[[ ${1:-} != --quick ]] || { rounds=1 seconds=0.5 keys=20000 watched=20 fast_commits=2000; }
cd "$here"
cargo build --release --quiet --package windlass-benches --no-default-features --features load --bin store-load
work=$(mktemp -d -p "${BENCH_DIR:-/tmp}")
declare -A pid=() port=() etcd=() windlass=()
trap 'for store in "${!pid[@]}"; do stop "$store"; done; rm -rf "$work"' EXIT

# free_port: a port of 127.0.0.1 where nobody listens.
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); do
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# start etcd|windlass: on its directory in $work, made when it is not there.
start() {
  local store=$1 dir=$work/$1 client peer
  client=127.0.0.1:${port[$store]:=$(free_port)}
  case $store in
    etcd)
      peer=http://127.0.0.1:$(free_port)
      etcd --data-dir "$dir" --listen-client-urls "http://$client" --advertise-client-urls "http://$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
        --quota-backend-bytes 8589934592 --logger zap --log-level error >"$work/$store.log" 2>&1 & ;;
    windlass) ${WINDLASS_STORE:-"$out/store-load" serve} --data-dir "$dir" --listen-client "$client" >"$work/$store.log" 2>&1 & ;;
  esac
  pid[$store]=$!
}
stop() {
  [[ -n ${pid[$1]:-} ]] || return 0
  kill "${pid[$1]}" && wait "${pid[$1]}" || true
  unset "pid[$1]"
}
restart_empty() {
  for store in etcd windlass; do
    stop "$store"
    rm -rf "${work:?}/$store"
    start "$store"
    load "$store" range >/dev/null
  done
}

# load etcd|windlass COMMAND…: the load on a server; local --memory|--buffered DIR|--fsync DIR COMMAND…: in its own process.
load() { "$out/store-load" "${@:2}" --endpoint "127.0.0.1:${port[$1]}" --server "${pid[$1]}"; }
# figure NAME: from lines of names and figures.
figure() { awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }'; }
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'; }
# turns COMMAND…: both servers in turns; the lines are in $work/etcd.lines and $work/windlass.lines.
turns() {
  : >"$work/etcd.lines"; : >"$work/windlass.lines"
  for ((round = 0; round < rounds; round++)); do
    for store in etcd windlass; do load "$store" "$@" >>"$work/$store.lines"; done
  done
}
of() { figure "$2" <"$work/$1.lines" | median; }
# beside NAME: the medians of both, and the median of the ratios of each round.
beside() {
  local ratio
  ratio=$(paste <(figure "$1" <"$work/windlass.lines") <(figure "$1" <"$work/etcd.lines") | awk '{ print $1 / $2 }' | median)
  printf '%s %s %.2f' "$(of windlass "$1")" "$(of etcd "$1")" "$ratio"
}

printf '%s, %s cores, load %s, %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" "$(etcd --version | head -1)"

printf '\nDurable puts of 1 KiB over gRPC   (columns: windlass, etcd, ratio)\n'
for clients in 1 16 64 256; do
  restart_empty
  turns put --clients "$clients" --seconds "$seconds"
  printf '%4d clients   a second %8s %8s  x%-6s' "$clients" $(beside per_s)
  printf 'p50 µs %8s %8s  x%-6s' $(beside p50_us)
  printf 'p99 µs %8s %8s  x%-6s' $(beside p99_us)
  printf 'server CPU µs %6s %6s  x%s\n' $(beside cpu_us)
done

printf '\nWatch fan-out over gRPC, 1,000 watchers of one prefix, %d commits\n' "$watched"
restart_empty
turns watch --commits "$watched" --rate 0
printf 'events a second %s %s  x%s   ' $(beside events_per_s)
printf 'server CPU ns an event and watcher %s %s  x%s\n' $(beside cpu_ns_event)

printf '\n%d keys of 1 KiB over gRPC\n' "$keys"
restart_empty
for store in etcd windlass; do
  load "$store" fill --keys "$keys" >"$work/$store.fill"
  stop "$store"
  start "$store"
  load "$store" range >"$work/$store.lines"
  stop "$store"
done
printf 'filled, keys a second %s %s\n' "$(figure per_s <"$work/windlass.fill")" "$(figure per_s <"$work/etcd.fill")"
for name in open_s rss_mib range_keys_per_s page_us; do printf '%s %s %s  x%s\n' "$name" $(beside "$name"); done

printf '\nIn process, puts of 1 KiB a second (p99 µs)\n'
one() { "$out/store-load" put --clients "$1" --seconds "$seconds" "${@:2}"; rm -rf "$work/data"; }
for clients in 1 16 64 256; do
  : >"$work/disk.lines"; : >"$work/fsync.lines"; : >"$work/buffered.lines"; : >"$work/memory.lines"
  for ((round = 0; round < rounds; round++)); do
    "$out/store-load" disk "$work" --writes 300 >>"$work/disk.lines"
    one "$clients" --fsync "$work/data" >>"$work/fsync.lines"
    one "$clients" --buffered "$work/data" >>"$work/buffered.lines"
    one "$clients" --memory >>"$work/memory.lines"
  done
  printf '%4d writers  ' "$clients"
  for kind in fsync buffered memory; do printf ' %s %s (%s) ' "$kind" "$(of "$kind" per_s)" "$(of "$kind" p99_us)"; done
  printf ' one synced write at a time, no store: %s\n' "$(of disk per_s)"
done

printf '\nIn process, 1,000 watchers of one prefix, 10,000 commits a second, every event seen once, in order, uncopied\n'
"$out/store-load" watch --memory --commits "$fast_commits"

printf '\nIn process, %d keys of 1 KiB\n' "$keys"
"$out/store-load" fill --keys "$keys" --buffered "$work/data"
"$out/store-load" range --buffered "$work/data"
