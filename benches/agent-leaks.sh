#!/usr/bin/env bash
# What pods leave behind: mounts, links, addresses, control groups, processes and files, counted before and after so many
# pods with volumes and a port of the node came and went. Fails when anything is left.
# As root, with kubectl, a static busybox and, for containerd, containerd and runc:
#   .ci/in-netns benches/agent-leaks.sh [PODS] [oci|containerd]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../examples/cluster.sh
. "$here/examples/cluster.sh"
total=${1:-1000} runtime=${2:-oci} wave=50
[[ -n ${WINDLASS-} ]] || cargo build --release --quiet --manifest-path "$here/Cargo.toml" --package windlass --bin windlass
work=$(mktemp -d) cluster='' daemon=''

end() {
  stop_cluster --with-pods
  [[ -z $daemon ]] || { kill "$daemon"; wait "$daemon" || true; }
  rm -rf "$work"
}
trap end EXIT

# Those of this cluster alone, by its folder and by the ids of its pods and sandboxes: others may run on the machine.
traces() {
  local data=$work/data names=$work/names
  { echo "$work"; cat "$work/ids" 2>/dev/null || true; } | sort -u >"$names"
  printf 'mounts %s\n' "$(grep -cFf "$names" /proc/self/mountinfo || true)"
  printf 'links %s\n' "$(ip -o link | wc -l)"
  printf 'addresses %s\n' "$(grep -o '"address"' "$data/agent/network/addresses.json" 2>/dev/null | wc -l)"
  printf 'groups %s\n' "$(find /sys/fs/cgroup -type d -name 'pod*' -printf '%f\n' | grep -cFf "$names" || true)"
  printf 'processes %s\n' "$(pgrep -fc "oci-shim.*$work" || true)"
  printf 'folders %s\n' "$(ls /run/windlass 2>/dev/null | grep -cFf "$names" || true)"
  printf 'files %s\n' "$(find "$data/agent" \( -path '*/pods/*' -o -path '*/containers/*' -o -path '*/sandboxes/*' -o -path '*/logs/*' \) | wc -l)"
}

pods() {
  local n
  for n in $(seq "$1" "$2"); do
    printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%s, namespace: leaks}\nspec:\n' "$n"
    printf '  terminationGracePeriodSeconds: 0\n  restartPolicy: Never\n  volumes:\n'
    printf '  - {name: memory, emptyDir: {medium: Memory}}\n  - {name: disk, emptyDir: {}}\n'
    printf '  containers:\n  - name: main\n    image: "busybox:windlass"\n    command: [sh, -c, "echo x >/disk/x; exec sleep 1000000"]\n'
    printf '    ports: [{containerPort: 80, hostPort: %s}]\n' "$((40000 + n % wave))"
    printf '    volumeMounts: [{name: memory, mountPath: /memory}, {name: disk, mountPath: /disk, subPath: deep}]\n'
  done
}

flags=(--max-pods $((2 * wave)))
if [[ $runtime == containerd ]]; then
  printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\n[grpc]\naddress = "%s/sock"\n' "$work" "$work" "$work" >"$work/toml"
  containerd --config "$work/toml" >"$work/containerd.log" 2>&1 &
  daemon=$!
  grep -q 'successfully booted' <(timeout 60 tail -n +1 -f --pid "$daemon" "$work/containerd.log")
  flags+=(--runtime containerd --containerd-address "$work/sock")
fi
"${IMAGE:-$here/examples/busybox-image.sh}" "$work/image.tar" >/dev/null
start_cluster "$work/data" "${flags[@]}" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$windlass" image import --data-dir "$work/data" "${flags[@]:2}" "$work/image.tar" >/dev/null
kubectl create namespace leaks >/dev/null
before=$(traces)
for ((from = 1; from <= total; from += wave)); do
  to=$((from + wave - 1 < total ? from + wave - 1 : total))
  pods "$from" "$to" | kubectl create -f - >/dev/null
  kubectl wait -n leaks --for=jsonpath='{.status.phase}'=Running pods --all --timeout=120s >/dev/null
  kubectl get pods -n leaks -o jsonpath='{range .items[*]}{.metadata.uid}{"\n"}{end}' >>"$work/ids"
  find "$work/data/agent" -path '*/sandboxes/*.json' -printf '%f\n' | sed 's/\.json$//' >>"$work/ids"
  kubectl delete pods -n leaks --all --grace-period=0 --timeout=120s --wait >/dev/null
done
# The API forgets a pod before the last of its folders is gone.
for _ in $(seq 100); do
  after=$(traces)
  [[ $after != "$before" ]] || break
  sleep 0.1
done
if [[ $after != "$before" ]]; then
  printf '%s pods on %s left something behind:\n' "$total" "$runtime"
  diff <(echo "$before") <(echo "$after") || true
  exit 1
fi
printf '%s pods on %s left nothing: %s\n' "$total" "$runtime" "$(paste -sd, <<<"$after")"
