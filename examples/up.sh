#!/usr/bin/env bash
# Starts a cluster, runs the application in manifests/ on it and asks it for an answer; then keeps the cluster
# running until Ctrl-C. With ONCE=1 it stops the cluster and is done. DATA_DIR and LISTEN choose folder and address.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
windlass=${CARGO_TARGET_DIR:-$here/../target}/release/windlass
data=${DATA_DIR:-/var/lib/windlass} listen=${LISTEN:-0.0.0.0:6443}
export KUBECONFIG=$data/admin.kubeconfig

work=$(mktemp -d)
cleanup() {
  [[ -z ${cluster-} ]] || { kill -TERM "$cluster" 2>/dev/null && wait "$cluster" || true; }
  rm -rf "$work"
}
trap cleanup EXIT

"$windlass" up --data-dir "$data" --listen "$listen" --ready-file "$work/ready" &
cluster=$!
until [[ -e $work/ready ]]; do
  kill -0 "$cluster" 2>/dev/null || { cluster=; echo "the cluster did not start" >&2; exit 1; }
  sleep 0.1
done

"$here/busybox-image.sh" "$work/busybox.tar"
"$windlass" image import --data-dir "$data" "$work/busybox.tar"
kubectl apply -f "$here/manifests"
kubectl rollout status deployment/back deployment/front --timeout=120s

address=$(kubectl get service front -o 'jsonpath={.spec.clusterIP}')
node=$(kubectl get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
echo "Service front at http://$address/cgi-bin/hello answers:"
curl -fsS --max-time 10 "http://$address/cgi-bin/hello"
echo "Node port 30080 answers:"
curl -fsS --max-time 10 "http://$node:30080/cgi-bin/hello"

[[ -z ${ONCE-} ]] || { kubectl delete -f "$here/manifests" --timeout=60s; exit 0; }
echo
echo "The cluster runs. In another shell:  export KUBECONFIG=$KUBECONFIG; kubectl get pods -A"
echo "Ctrl-C stops it."
wait "$cluster"
