#!/usr/bin/env bash
# The node agent: how long pods take from binding to Running, and what many pods cost that do nothing.
# As root, with kubectl, a static busybox and, for containerd, containerd and runc:
#   .ci/in-netns benches/agent-load.sh [--quick] [oci|containerd]…
# The cluster is one process, so the idle figures are those of the whole cluster: the agent has a part of them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../examples/cluster.sh
. "$here/examples/cluster.sh"
starts=100 many=500 seconds=60
[[ ${1-} != --quick ]] || { starts=20 many=40 seconds=10; shift; }
(($#)) || set -- oci containerd
[[ -n ${WINDLASS-} ]] || cargo build --release --quiet --manifest-path "$here/Cargo.toml" --package windlass --bin windlass
image=${IMAGE:-$here/../shared/accept/image.sh}
cluster='' daemon='' work=''

end() {
  stop_cluster --with-pods
  [[ -z $daemon ]] || { kill "$daemon"; wait "$daemon" || true; }
  daemon=''
  [[ -z $work ]] || rm -rf "$work"
  work=''
}
trap end EXIT

# pods FROM TO: their manifests. A node has addresses for 254: those after the 200th use the node's own.
pods() {
  local n host
  for n in $(seq "$1" "$2"); do
    host=$( ((n > 200)) && echo true || echo false)
    printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%s, namespace: load}\n' "$n"
    printf 'spec:\n  terminationGracePeriodSeconds: 0\n  hostNetwork: %s\n' "$host"
    printf '  containers: [{name: main, image: "busybox:accept", command: [sleep, "1000000"]}]\n'
  done
}

# Lines "<milliseconds> <pod> <phase>" for each change of a pod that is bound.
changes() {
  kubectl get pods -n load --watch -o jsonpath='{.metadata.name} {.status.phase} {.spec.nodeName}{"\n"}' |
    while read -r name phase node; do
      [[ -z $node ]] || printf '%s %s %s\n' "$((${EPOCHREALTIME/./} / 1000))" "$name" "$phase"
    done
}

# Waits until this many pods run.
running() {
  local end=$((SECONDS + 600))
  # Each pod once: a change of something else shows its phase again.
  until (($(awk '$3 == "Running" && !seen[$2]++' "$work/changes" | wc -l) >= $1)); do
    ((SECONDS < end)) || { echo "pods do not start" >&2; return 1; }
    sleep 0.2
  done
}

ticks() { awk '{ print $14 + $15 }' "/proc/$cluster/stat"; }

measure() {
  local runtime=$1 flags=(--max-pods $((many + starts + 10))) watcher before
  work=$(mktemp -d)
  if [[ $runtime == containerd ]]; then
    printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\n[grpc]\naddress = "%s/sock"\n' "$work" "$work" "$work" >"$work/toml"
    containerd --config "$work/toml" >"$work/containerd.log" 2>&1 &
    daemon=$!
    grep -q 'successfully booted' <(timeout 60 tail -n +1 -f --pid "$daemon" "$work/containerd.log")
    flags+=(--runtime containerd --containerd-address "$work/sock")
  fi
  "$image" "$work/image.tar" >/dev/null
  start_cluster "$work/data" "${flags[@]}" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
  "$windlass" image import --data-dir "$work/data" "${flags[@]:2}" "$work/image.tar" >/dev/null
  kubectl create namespace load >/dev/null
  changes >"$work/changes" &
  watcher=$!
  for n in $(seq "$starts"); do
    pods "$n" "$n" | kubectl create -f - >/dev/null
    running "$n"
  done
  awk -v runtime="$runtime" '
    !($2 in bound) { bound[$2] = $1 }
    $3 == "Running" && !($2 in ran) { ran[$2] = $1; print $1 - bound[$2] | "sort -n >'"$work"'/times" }' "$work/changes"
  awk -v r="$runtime" '{ t[NR] = $1 } END { printf "%s: start one by one, p50 %d ms, p99 %d ms, of %d\n", r, t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.5)], NR }' "$work/times"
  before=${EPOCHREALTIME/./}
  pods $((starts + 1)) "$many" | kubectl create -f - >/dev/null
  running "$many"
  echo "$runtime: $((many - starts)) at once, $(((many - starts) * 1000000 / (${EPOCHREALTIME/./} - before))) pods a second"
  sleep 10
  before=$(ticks)
  sleep "$seconds"
  echo "$runtime: $many pods idle, $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$cluster/status") MB," \
    "$(awk -v t=$(($(ticks) - before)) -v s="$seconds" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", 100 * t / hz / s }') % of a core"
  kill "$watcher" 2>/dev/null || true
  end
}

printf '%s, %s cores, load %s\n' "$(date -u +%FT%TZ)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
for runtime; do measure "$runtime"; done
