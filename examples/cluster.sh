# shellcheck shell=bash
# A cluster for a script: start_cluster DATA [FLAG…], stop_cluster [--with-pods]. Sets KUBECONFIG.
# WINDLASS names another binary than that of the release build.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
windlass=${WINDLASS:-${CARGO_TARGET_DIR:-$root/target}/release/windlass}

start_cluster() {
  local data=$1 ready; shift
  ready=$(mktemp -u)
  "$windlass" up --data-dir "$data" --ready-file "$ready" "$@" &
  cluster=$!
  until [[ -e $ready ]]; do
    kill -0 "$cluster" 2>/dev/null || { cluster=; echo "the cluster did not start" >&2; return 1; }
    sleep 0.1
  done
  rm "$ready"
  export KUBECONFIG=$data/admin.kubeconfig
}

pods_away() {
  kubectl delete pods --all --all-namespaces --grace-period=1 --timeout=60s >/dev/null || true
  local end=$((SECONDS + 60))
  while [[ -n $(kubectl get pods --all-namespaces -o name) ]] && ((SECONDS < end)); do sleep 0.5; done
}

# Containers outlive their cluster: with --with-pods they go first.
stop_cluster() {
  [[ -n ${cluster-} ]] || return 0
  [[ ${1-} != --with-pods ]] || pods_away
  kill -TERM "$cluster" 2>/dev/null && wait "$cluster" || true
  cluster=
}
