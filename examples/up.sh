#!/usr/bin/env bash
# Starts a cluster, runs the application in manifests/ on it and asks it for an answer; then keeps the cluster
# running until Ctrl-C. With ONCE=1 it takes all away again and is done. DATA_DIR and LISTEN choose folder and address.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cluster.sh
. "$here/cluster.sh"

work=$(mktemp -d)
trap 'stop_cluster; rm -rf "$work"' EXIT
start_cluster "${DATA_DIR:-/var/lib/windlass}" --listen "${LISTEN:-0.0.0.0:6443}"

"$here/busybox-image.sh" "$work/busybox.tar"
"$windlass" image import --data-dir "${DATA_DIR:-/var/lib/windlass}" "$work/busybox.tar"
kubectl apply -f "$here/manifests"
kubectl rollout status deployment/back deployment/front --timeout=120s

address=$(kubectl get service front -o 'jsonpath={.spec.clusterIP}')
node=$(kubectl get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
# Rules follow endpoints within moments.
ask() { curl -fsS --max-time 10 --retry 5 --retry-delay 1 --retry-connrefused "$1"; }
echo "Service front at http://$address/cgi-bin/hello answers:"
ask "http://$address/cgi-bin/hello"
echo "Node port 30080 answers:"
ask "http://$node:30080/cgi-bin/hello"

if [[ -n ${ONCE-} ]]; then
  kubectl delete -f "$here/manifests" --timeout=60s
  stop_cluster --with-pods
  exit 0
fi
echo
echo "The cluster runs. In another shell:  export KUBECONFIG=$KUBECONFIG; kubectl get pods -A"
echo "Ctrl-C stops it."
wait "$cluster"
