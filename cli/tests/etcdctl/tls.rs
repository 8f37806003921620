//! Certificates.

use crate::scene::{Scene, installed, text};
use std::process::Command;

/// Certificates for server and client by one authority, made with `openssl`.
fn certificates(scene: &Scene) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
            printf 'subjectAltName=IP:127.0.0.1\\n' >$name.ext
            openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile $name.ext -out $name.crt
        done";
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(scene.path(""));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn clients_show_their_certificates() {
    if !installed() {
        return;
    }
    let mut scene = Scene::unstarted();
    certificates(&scene);
    let [ca, cert, key] = ["ca.crt", "server.crt", "server.key"].map(|name| scene.path(name));
    let tls = ["--cert-file", text(&cert), "--key-file", text(&key)];
    let clients = ["--trusted-ca-file", text(&ca)];
    // As in etcd, who names an authority means that its certificates are asked for.
    scene.start("data", &[tls.as_slice(), clients.as_slice()].concat());
    assert!(scene.endpoint.starts_with("https://127.0.0.1:"));
    let trust = ["--cacert".to_owned(), text(&ca).to_owned()];
    scene.flags = [&trust[..], &["--command-timeout=2s".to_owned()]].concat();
    assert!(!scene.fails(&["put", "a", "1"]).is_empty());
    let [cert, key] = ["client.crt", "client.key"].map(|name| text(&scene.path(name)).to_owned());
    scene.flags = [&trust[..], &["--cert".to_owned(), cert, "--key".to_owned(), key]].concat();
    assert_eq!(scene.ok(&["put", "a", "1"]), "OK\n");
    scene.terminate();
}
