# shellcheck shell=bash
# A cluster of one program a component, each with a kubeconfig of its own and no more rights than Kubernetes' roles
# give it: start_parts DATA [AGENT-FLAG…], stop_parts [--with-pods]. After cluster.sh, whose variables it uses.
node=worker-1
parts=()

# part NAME [FLAG…]: starts a program; what it says goes to DATA/log/NAME.
part() {
  local name=$1; shift
  "${windlass%/*}/windlass-$name" "$@" >"$data/log/$name" 2>&1 &
  parts+=("$!")
}

# identity NAME USER [GROUP]: a kubeconfig for it.
identity() {
  "$windlass" kubeconfig --data-dir "$data" --user "$2" ${3:+--group "$3"} -o "$data/$1.kubeconfig"
}

# until_true SECONDS COMMAND…: tries until it succeeds.
until_true() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "in vain: $*" >&2; tail -n 5 "$data"/log/* >&2; return 1; }
    sleep 0.1
  done
}

start_parts() {
  data=$1; shift
  local address dns=10.96.0.10
  address=$(ip -4 route get 198.51.100.1 | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  mkdir -p "$data/log"
  export KUBECONFIG=$data/admin.kubeconfig
  part apiserver --data-dir "$data" --advertise-address "$address"
  until_true 30 kubectl get --raw /readyz
  identity controllers system:kube-controller-manager
  identity scheduler system:kube-scheduler
  identity agent "system:node:$node" system:nodes
  identity proxy system:kube-proxy
  kubectl create clusterrole network-policy-reader --verb=list,watch \
    --resource=pods,namespaces,networkpolicies.networking.k8s.io >/dev/null
  kubectl create clusterrolebinding network-policy-reader --clusterrole=network-policy-reader --user=system:kube-proxy >/dev/null
  part controller-manager --kubeconfig "$data/controllers.kubeconfig" --root-ca-file "$data/pki/ca.crt" \
    --service-account-private-key-file "$data/pki/sa.key" \
    --cluster-signing-cert-file "$data/pki/ca.crt" --cluster-signing-key-file "$data/pki/ca.key"
  part scheduler --kubeconfig "$data/scheduler.kubeconfig"
  part proxy --kubeconfig "$data/proxy.kubeconfig" --node-name "$node" --cluster-dns "$dns"
  part agent --kubeconfig "$data/agent.kubeconfig" --node-name "$node" --node-ip "$address" --data-dir "$data" \
    --client-ca-file "$data/pki/ca.crt" --cluster-dns "$dns" "$@"
  until_true 60 approved
  until_true 60 kubectl wait --for=condition=Ready "node/$node" --timeout=1s
}

# The certificate that the agent serves with is approved by a person.
approved() {
  local asked
  asked=$(kubectl get csr -o jsonpath='{.items[?(@.spec.signerName=="kubernetes.io/kubelet-serving")].metadata.name}')
  # shellcheck disable=SC2086
  [[ -n $asked ]] && kubectl certificate approve $asked
}

stop_parts() {
  local n
  ((${#parts[@]})) || return 0
  [[ ${1-} != --with-pods ]] || pods_away
  for ((n = ${#parts[@]} - 1; n >= 0; n--)); do
    kill -TERM "${parts[n]}" 2>/dev/null && wait "${parts[n]}" || true
  done
  parts=()
}
