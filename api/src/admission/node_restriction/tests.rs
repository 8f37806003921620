use super::NodeRestriction;
use crate::admission::testing::Ask;
use crate::authentication::User;
use crate::local::LocalClient;
use crate::pki::{RequestFor, certificate_request};
use crate::server::ApiServer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key, Patch, PatchType, WriteOptions, Writer};
use windlass_core::scheme;

fn agent() -> User {
    User::new("system:node:here", ["system:nodes"])
}

/// Why an agent may not; empty when it may.
async fn refusal(server: &ApiServer, ask: Ask) -> String {
    let refusal = ask.by(agent()).of(&NodeRestriction, server).await.refusal();
    refusal.split_once(" is forbidden: ").map_or(refusal.clone(), |(_, why)| why.to_owned())
}

fn node(labels: Value, taints: Value) -> Value {
    json!({"metadata": {"name": "here", "labels": labels}, "spec": {"taints": taints}})
}

#[tokio::test]
async fn an_agent_says_little_of_its_node() {
    let server = ApiServer::builder().build().await.unwrap();
    let plain = node(json!({"kubernetes.io/os": "linux"}), json!([]));
    let create = |labels: Value| Ask::create(scheme::NODES, &node(labels, json!([]))).named("here");
    let update = |new: &Value| Ask::update(scheme::NODES, &plain, new).named("here");
    let set = "node \"here\" is not allowed to set the following labels: ";
    let modify = "node \"here\" is not allowed to modify ";
    let mut owned = plain.clone();
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "u"}]);
    let tainted = node(json!({"kubernetes.io/os": "linux"}), json!([{"key": "k"}]));
    for (ask, wanted) in [
        (
            create(json!({"kubernetes.io/hostname": "here", "a": "b", "example.com/x": "y"})),
            String::new(),
        ),
        (
            create(json!({"x.node.kubernetes.io/y": "z", "kubelet.kubernetes.io/a": "b"})),
            String::new(),
        ),
        (
            create(json!({"node-role.kubernetes.io/control-plane": ""})),
            format!("{set}node-role.kubernetes.io/control-plane"),
        ),
        (
            create(json!({"node-restriction.kubernetes.io/a": "b", "x.k8s.io/c": "d"})),
            format!("{set}node-restriction.kubernetes.io/a, x.k8s.io/c"),
        ),
        (create(json!({})).named("there"), format!("{modify}node \"there\"")),
        (update(&plain), String::new()),
        (update(&tainted), format!("{modify}taints")),
        (
            update(&node(
                json!({"a.node-restriction.kubernetes.io/b": "c", "kubernetes.io/os": "linux"}),
                json!([]),
            )),
            format!("{modify}labels: a.node-restriction.kubernetes.io/b"),
        ),
        (update(&owned), format!("{modify}ownerReferences")),
        (update(&plain).named("there"), format!("{modify}node \"there\"")),
        (Ask::delete(scheme::NODES, &plain).named("there"), format!("{modify}node \"there\"")),
    ] {
        assert_eq!(refusal(&server, ask.clone()).await, wanted);
        assert_eq!(ask.of(&NodeRestriction, &server).await.refusal(), "", "others may");
    }
    let nobody = User::new("system:node:", ["system:nodes"]);
    let refused = create(json!({})).by(nobody).of(&NodeRestriction, &server).await.refusal();
    assert!(refused.ends_with("could not determine node from user \"system:node:\""), "{refused}");
}

#[tokio::test]
async fn an_agent_writes_its_own_pods() {
    let server = ApiServer::builder().build().await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let made = client
        .create_from(&Key::cluster(scheme::NODES, ""), &node(json!({}), json!([])))
        .await
        .unwrap();
    let namespace = json!({"metadata": {"name": "ns"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    for (name, place) in [("mine", "here"), ("theirs", "there")] {
        let projected = json!({"sources": [{"serviceAccountToken": {"path": "t"}},
            {"serviceAccountToken": {"path": "u", "audience": "vault"}}]});
        let volumes = json!([{"name": "t", "projected": projected},
            {"name": "d", "csi": {"driver": "csi.example"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}}]);
        let pod = json!({"metadata": {"name": name}, "spec": {"nodeName": place, "volumes": volumes,
            "containers": [{"name": "c", "image": "x"}]}});
        client.create_from(&Key::new(scheme::PODS, "ns", ""), &pod).await.unwrap();
    }
    let uid = made.header().uid.to_string();
    let owner = |uid: &str| json!([{"apiVersion": "v1", "kind": "Node", "name": "here", "uid": uid, "controller": true}]);
    let pod = |spec: Value, owners: Value| {
        let mut pod = json!({"metadata": {"name": "x", "annotations": {"kubernetes.io/config.mirror": "m"}, "ownerReferences": owners}, "spec": {"nodeName": "here"}});
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
        pod
    };
    let create = |spec: Value, owners: Value| Ask::create(scheme::PODS, &pod(spec, owners));
    let plain = json!({"spec": {"nodeName": "here"}, "metadata": {}});
    let elsewhere = json!({"spec": {"nodeName": "there"}, "metadata": {}});
    let labelled = json!({"spec": {"nodeName": "here"}, "metadata": {"labels": {"a": "b"}}});
    let status = |old: &Value, new: &Value| Ask::update(scheme::PODS, old, new).through("status");
    let evict =
        |name: &'static str| Ask::create(scheme::PODS, &json!({})).through("eviction").named(name);
    let refer = "node \"here\" can not create pods that reference ";
    let only = "node \"here\" can only ";
    for (ask, wanted) in [
        (create(json!({}), json!([])), String::new()),
        (create(json!({}), owner(&uid)), String::new()),
        (create(json!({}), owner("other")), format!("node here UID mismatch: expected other got {uid}")),
        (Ask::create(scheme::PODS, &plain), "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"here\" can only create mirror pods".into()),
        (create(json!({"nodeName": "there"}), json!([])), format!("{only}create pods with spec.nodeName set to itself")),
        (create(json!({"serviceAccountName": "s"}), json!([])), format!("{refer}a service account")),
        (create(json!({"volumes": [{"secret": {}}]}), json!([])), format!("{refer}secrets")),
        (create(json!({"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {}}}]}]}), json!([])), format!("{refer}configmaps")),
        (create(json!({"volumes": [{"persistentVolumeClaim": {}}]}), json!([])), format!("{refer}persistentvolumeclaims")),
        (Ask::delete(scheme::PODS, &plain), String::new()),
        (Ask::delete(scheme::PODS, &elsewhere), format!("{only}delete pods with spec.nodeName set to itself")),
        (Ask::update(scheme::PODS, &plain, &plain), "unexpected operation \"UPDATE\", node \"here\" can only create and delete mirror pods".into()),
        (status(&plain, &plain), String::new()),
        (status(&elsewhere, &plain), format!("{only}update pod status for pods with spec.nodeName set to itself")),
        (status(&plain, &labelled), "node \"here\" cannot update labels through pod status".into()),
        (evict("mine"), String::new()),
        (evict("theirs"), "node here can only evict pods with spec.nodeName set to itself".into()),
        (Ask::create(scheme::PODS, &plain).through("binding"), "unexpected pod subresource \"binding\", only 'status' and 'eviction' are allowed".into()),
    ] {
        assert_eq!(refusal(&server, ask).await, wanted);
    }
    let stored = client.get_as::<Value>(&Key::new(scheme::PODS, "ns", "mine")).await.unwrap();
    let token = |name: &str, uid: &str| {
        let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid});
        Ask::create(scheme::SERVICEACCOUNTS, &json!({"spec": {"boundObjectRef": bound}}))
            .through("token")
    };
    let own = stored["metadata"]["uid"].as_str().unwrap();
    assert_eq!(refusal(&server, token("mine", own)).await, "");
    assert!(
        refusal(&server, token("mine", "u")).await.contains("does not match the UID in record")
    );
    for (name, audience) in [("csi.example", "inline"), ("pv.example", "claimed")] {
        let driver = json!({"metadata": {"name": name}, "spec": {"tokenRequests": [{"audience": audience}]}});
        client.create_from(&Key::cluster(scheme::CSIDRIVERS, ""), &driver).await.unwrap();
    }
    let resources = json!({"requests": {"storage": "1Gi"}});
    let claim = json!({"metadata": {"name": "data"}, "spec": {"volumeName": "pv",
        "accessModes": ["ReadWriteOnce"], "resources": resources}});
    client.create_from(&Key::new(scheme::PERSISTENTVOLUMECLAIMS, "ns", ""), &claim).await.unwrap();
    let volume = json!({"metadata": {"name": "pv"}, "spec": {"capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"], "csi": {"driver": "pv.example", "volumeHandle": "h"}}});
    client.create_from(&Key::cluster(scheme::PERSISTENTVOLUMES, ""), &volume).await.unwrap();
    for (audiences, why) in [
        (json!([]), ""),
        (json!(["vault"]), ""),
        (json!(["inline"]), ""),
        (json!(["claimed"]), ""),
        (json!(["other"]), "audience \"other\" not found in pod spec volume"),
        (json!(["vault", "inline"]), "node may only request 0 or 1 audiences"),
    ] {
        let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "mine", "uid": own});
        let spec = json!({"boundObjectRef": bound, "audiences": audiences});
        let ask = Ask::create(scheme::SERVICEACCOUNTS, &json!({"spec": spec})).through("token");
        assert_eq!(refusal(&server, ask).await, why, "{audiences}");
    }
    let unbound = Ask::create(scheme::SERVICEACCOUNTS, &json!({"spec": {}})).through("token");
    assert_eq!(refusal(&server, unbound).await, "node requested token not bound to a pod");
}

#[tokio::test]
async fn an_agent_renews_its_own_lease() {
    let server = ApiServer::builder().build().await.unwrap();
    let lease = |namespace, name| {
        Ask::create(scheme::LEASES, &json!({"metadata": {"name": name}}))
            .within(namespace)
            .named(name)
    };
    assert_eq!(refusal(&server, lease("kube-node-lease", "here")).await, "");
    let name = "can only access node lease with the same name as the requesting node";
    assert_eq!(refusal(&server, lease("kube-node-lease", "there")).await, name);
    let place = "can only access leases in the \"kube-node-lease\" system namespace";
    assert_eq!(refusal(&server, lease("kube-system", "here")).await, place);

    let claim = |status: Value| json!({"spec": {"volumeName": "v"}, "status": status});
    let grow = |new: Value| {
        Ask::update(scheme::PERSISTENTVOLUMECLAIMS, &claim(json!({"phase": "Bound"})), &claim(new))
            .through("status")
    };
    assert_eq!(
        refusal(&server, grow(json!({"phase": "Bound", "capacity": {"storage": "1Gi"}}))).await,
        ""
    );
    let fields = "node \"here\" is not allowed to update fields other than status.capacity and status.conditions";
    assert_eq!(refusal(&server, grow(json!({"phase": "Lost"}))).await, fields);
    for (metadata, why) in [
        (json!({"labels": {"a": "b"}}), fields),
        (json!({"finalizers": ["a/b"]}), fields),
        (json!({"resourceVersion": "7", "managedFields": [{"manager": "agent"}]}), ""),
    ] {
        let (old, mut new) = (claim(json!({})), claim(json!({})));
        new["metadata"] = metadata;
        let ask = Ask::update(scheme::PERSISTENTVOLUMECLAIMS, &old, &new).through("status");
        assert_eq!(refusal(&server, ask).await, why, "{new}");
    }
    let whole = Ask::update(scheme::PERSISTENTVOLUMECLAIMS, &claim(json!({})), &claim(json!({})));
    assert_eq!(refusal(&server, whole).await, "may only update PVC status");

    let slice = Ask::create(scheme::RESOURCESLICES, &json!({"spec": {"nodeName": "there"}}));
    assert!(refusal(&server, slice).await.starts_with("can only create ResourceSlice"));
    let csi = Ask::create(scheme::CSINODES, &json!({"metadata": {"name": "here"}})).named("here");
    assert_eq!(refusal(&server, csi).await, "");
}

#[tokio::test]
async fn an_agent_asks_for_certificates_in_its_own_name() {
    let server = ApiServer::builder().build().await.unwrap();
    let ask = |signer: &str, user: &str| {
        let wanted = RequestFor { user, group: "system:nodes", ..RequestFor::default() };
        let (_, pem) = certificate_request(wanted).unwrap();
        let spec = json!({"signerName": signer, "request": STANDARD.encode(pem)});
        Ask::create(scheme::CERTIFICATESIGNINGREQUESTS, &json!({"spec": spec}))
    };
    let (client, serving) =
        ("kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving");
    let only = "can only create a node CSR with CN=system:node:here";
    for (signer, user, why) in [
        (client, "system:node:here", ""),
        (client, "system:node:there", only),
        (serving, "system:node:here", ""),
        (serving, "system:node:there", only),
        ("example.com/other", "system:node:there", ""),
    ] {
        assert_eq!(refusal(&server, ask(signer, user)).await, why, "{signer} {user}");
    }
    let rubbish = json!({"spec": {"signerName": client, "request": STANDARD.encode("x")}});
    let refusal = refusal(&server, Ask::create(scheme::CERTIFICATESIGNINGREQUESTS, &rubbish)).await;
    assert!(refusal.starts_with("unable to parse csr: "), "{refusal}");
}

#[tokio::test]
async fn an_agent_gives_its_pods_no_owners() {
    let server = ApiServer::builder().admission(std::sync::Arc::new(NodeRestriction)).build();
    let server = server.await.unwrap();
    let client = LocalClient::new(server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "ns"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "here", "containers": [{"name": "c", "image": "x"}]}});
    client.create_from(&Key::new(scheme::PODS, "ns", ""), &pod).await.unwrap();
    let owners = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "u"}]);
    let patch = json!({"metadata": {"ownerReferences": owners}, "status": {"phase": "Running"}});
    let patch = Patch { kind: PatchType::Merge, body: Bytes::from(patch.to_string()) };
    let key = Key::new(scheme::PODS, "ns", "p");
    let node = LocalClient::new(server, agent());
    let status = key.clone().subresource("status");
    node.patch(&status, patch, &WriteOptions::default()).await.unwrap();
    let pod: Value = client.get_as(&key).await.unwrap();
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["metadata"].get("ownerReferences"), None);
}
