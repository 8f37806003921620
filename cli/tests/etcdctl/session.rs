//! What one does with `etcdctl`.

use crate::scene::{Scene, installed, store, text};

#[test]
fn keys_are_put_read_and_removed() {
    if !installed() {
        return;
    }
    let scene = Scene::new();
    for (key, value) in [("a/1", "x"), ("a/2", "z"), ("a/3", "y"), ("b", "w")] {
        assert_eq!(scene.ok(&["put", key, value]), "OK\n");
    }
    assert_eq!(scene.ok(&["get", "b"]), "b\nw\n");
    assert_eq!(scene.ok(&["get", "a/", "--prefix", "--print-value-only"]), "x\nz\ny\n");
    assert_eq!(
        scene.ok(&["get", "a/", "--prefix", "--limit", "2", "--keys-only"]),
        "a/1\n\na/2\n\n"
    );
    let sorted =
        ["get", "a/", "--prefix", "--order", "DESCEND", "--sort-by", "VALUE", "--keys-only"];
    assert_eq!(scene.ok(&sorted), "a/2\n\na/3\n\na/1\n\n");
    assert_eq!(scene.ok(&["get", "a/2", "--from-key", "--keys-only"]), "a/2\n\na/3\n\nb\n\n");
    let count = scene.ok(&["get", "a", "--from-key", "--limit", "1", "--write-out", "fields"]);
    assert!(count.contains("\"Count\" : 4"), "{count}");
    assert_eq!(scene.ok(&["put", "b", "v", "--prev-kv"]), "OK\nb\nw\n");
    assert_eq!(scene.ok(&["get", "b", "--rev", "5"]), "b\nw\n");
    let json = scene.ok(&["get", "b", "-w", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["header"]["revision"], &json["count"]), (&6.into(), &1.into()));
    let kv = &json["kvs"][0];
    assert_eq!(
        (&kv["key"], &kv["create_revision"], &kv["mod_revision"]),
        (&"Yg==".into(), &5.into(), &6.into())
    );
    assert_eq!(scene.ok(&["del", "a/", "--prefix", "--prev-kv"]), "3\na/1\nx\na/2\nz\na/3\ny\n");
    assert_eq!(scene.ok(&["del", "a/1"]), "0\n");
    assert!(
        scene
            .fails(&["put", "b", "--ignore-value", "--ignore-lease", "--lease=1f"])
            .contains("rror")
    );
}

#[test]
fn a_transaction_takes_one_branch() {
    if !installed() {
        return;
    }
    let scene = Scene::new();
    scene.ok(&["put", "a", "1"]);
    let input = "value(\"a\") = \"1\"\nmod(\"b\") = \"0\"\n\nput a 2\nput b 1\nget a\n\nget a\n\n";
    assert_eq!(scene.with_input(&["txn"], input), "SUCCESS\n\nOK\n\nOK\n\na\n2\n");
    assert_eq!(scene.with_input(&["txn"], input), "FAILURE\n\na\n2\n");
    let twice = "\nput a 1\nput a 2\n\n\n";
    let mut command = scene.etcdctl(&["txn"]);
    command.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), twice.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("duplicate key given in txn request"), "{complaint}");
}

#[test]
fn a_watch_follows_from_any_revision() {
    if !installed() {
        return;
    }
    let scene = Scene::new();
    for value in ["1", "2", "3"] {
        scene.ok(&["put", "a", value]);
    }
    let mut past = scene.running(&["watch", "a", "--rev", "3", "--prev-kv"]);
    assert_eq!(past.lines(5), ["PUT", "a", "1", "a", "2"]);
    assert_eq!(past.lines(5), ["PUT", "a", "2", "a", "3"]);
    scene.ok(&["del", "a"]);
    assert_eq!(past.lines(5), ["DELETE", "a", "3", "a", ""]);

    let mut many = scene.running(&["watch", "--interactive"]);
    many.type_in("watch b --rev 1\n");
    many.type_in("progress\n");
    loop {
        // Not before the watch is there.
        let line = many.line();
        if line.starts_with("progress notify: ") {
            assert_eq!(line, "progress notify: 5");
            break;
        }
        many.type_in("progress\n");
    }
    scene.ok(&["put", "b", "1"]);
    let mut line = many.line();
    while line.starts_with("progress notify: ") {
        line = many.line();
    }
    assert_eq!((&line[..], many.lines(2)), ("PUT", vec!["b".to_owned(), "1".to_owned()]));

    assert_eq!(scene.ok(&["compaction", "5"]), "compacted revision 5\n");
    let complaint = scene.fails(&["compaction", "5"]);
    assert!(complaint.contains("required revision has been compacted"), "{complaint}");
    let output = scene.etcdctl(&["watch", "a", "--rev", "2"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("required revision has been compacted"), "{said}");
    let complaint = scene.fails(&["get", "a", "--rev", "2"]);
    assert!(complaint.contains("required revision has been compacted"), "{complaint}");
}

#[test]
fn leases_are_granted_kept_and_revoked() {
    if !installed() {
        return;
    }
    let scene = Scene::new();
    let granted = scene.ok(&["lease", "grant", "300"]);
    let id = granted.split(' ').nth(1).unwrap();
    assert_eq!(granted, format!("lease {id} granted with TTL(300s)\n"));
    scene.ok(&["put", "a", "1", "--lease", id]);
    let left = scene.ok(&["lease", "timetolive", id, "--keys"]);
    assert!(
        left.contains("granted with TTL(300s)") && left.contains("attached keys([a])"),
        "{left}"
    );
    let kept = scene.ok(&["lease", "keep-alive", "--once", id]);
    assert_eq!(kept, format!("lease {id} keepalived with TTL(300)\n"));
    assert_eq!(scene.ok(&["lease", "list"]), format!("found 1 leases\n{id}\n"));
    assert_eq!(scene.ok(&["lease", "revoke", id]), format!("lease {id} revoked\n"));
    assert_eq!(scene.ok(&["get", "a"]), "");
    let complaint = scene.fails(&["put", "a", "1", "--lease", id]);
    assert!(complaint.contains("requested lease not found"), "{complaint}");

    let short = scene.ok(&["lease", "grant", "1"]);
    let id = short.split(' ').nth(1).unwrap();
    let mut watch = scene.running(&["watch", "b", "--rev", "2"]);
    scene.ok(&["put", "b", "1", "--lease", id]);
    assert_eq!(watch.lines(5), ["PUT", "b", "1", "DELETE", "b"], "it ends by itself");
}

#[test]
fn the_server_tells_of_itself() {
    if !installed() {
        return;
    }
    let mut scene = Scene::new();
    scene.ok(&["put", "a", "1"]);
    let status = scene.ok(&["endpoint", "status", "-w", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let status = &status[0]["Status"];
    assert_eq!(status["leader"], status["header"]["member_id"]);
    assert!(status["version"].as_str().unwrap().starts_with("3.5."));
    assert!(status["dbSize"].as_u64().unwrap() > 0, "{status}");
    scene.ok(&["endpoint", "health"]);
    let members = scene.ok(&["member", "list"]);
    assert!(members.contains("started, default") && members.contains(&scene.endpoint), "{members}");
    assert_eq!(scene.ok(&["alarm", "list"]), "");
    scene.ok(&["defrag"]);
    for refused in [&["role", "add", "r"][..], &["user", "add", "u", "--new-user-password", "p"]] {
        let complaint = scene.fails(refused);
        assert!(complaint.contains("authentication is not enabled"), "{complaint}");
    }
    scene.terminate();
}

#[test]
fn a_snapshot_is_saved_and_restored() {
    if !installed() {
        return;
    }
    let mut scene = Scene::new();
    scene.ok(&["put", "a", "1"]);
    scene.ok(&["put", "a", "2"]);
    let (theirs, ours, offline) = (scene.path("theirs"), scene.path("ours"), scene.path("offline"));
    scene.ok(&["snapshot", "save", text(&theirs)]);
    let endpoint = format!("http://{}", scene.endpoint);
    let saved = store(&["snapshot", text(&ours), "--endpoint", &endpoint]);
    assert!(saved.status.success(), "{saved:?}");
    let data = scene.path("data");
    let busy = store(&["snapshot", text(&offline), "--data-dir", text(&data)]);
    assert!(String::from_utf8(busy.stderr).unwrap().contains("in use by another process"));
    scene.terminate();
    let saved = store(&["snapshot", text(&offline), "--data-dir", text(&data)]);
    let said = String::from_utf8(saved.stdout).unwrap();
    assert!(said.starts_with("Saved revision 3 to "), "{said}");
    for (name, from) in [("x", &theirs), ("y", &ours), ("z", &offline)] {
        let to = scene.path(name);
        let restored = store(&["restore", text(from), "--data-dir", text(&to)]);
        let said = String::from_utf8(restored.stdout).unwrap();
        assert_eq!(said, format!("Restored revision 3 to {}\n", to.display()));
        let again = store(&["restore", text(from), "--data-dir", text(&to)]);
        assert!(String::from_utf8(again.stderr).unwrap().contains("is not empty"));
        scene.start(name, &[]);
        assert_eq!(scene.ok(&["get", "a"]), "a\n2\n");
        scene.ok(&["put", "a", "3"]);
        assert_eq!(scene.ok(&["get", "a", "--rev", "4"]), "a\n3\n");
        scene.kill();
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if !installed() {
        return;
    }
    for durability in ["fsync", "buffered"] {
        let mut scene = Scene::unstarted();
        scene.start("data", &["--durability", durability]);
        for n in 0..20 {
            scene.ok(&["put", "a", &n.to_string()]);
        }
        scene.kill();
        scene.start("data", &[]);
        assert_eq!(scene.ok(&["get", "a"]), "a\n19\n");
        assert_eq!(scene.ok(&["get", "a", "--rev", "5"]), "a\n3\n");
    }
}

#[test]
fn wrong_command_lines_are_refused_in_words() {
    for (args, expected) in [
        (&[][..], "--data-dir"),
        (&["--data-dir", "/dev/null/x"], "/dev/null"),
        (&["--data-dir", "x", "--listen-client", "0.0.0.0:0"], "--insecure"),
        (&["--data-dir", "x", "--cert-file", "c"], "--key-file"),
        (&["--data-dir", "x", "--cert-file", "c", "--key-file", "k"], "c: No such file"),
        (&["--data-dir", "x", "--client-cert-auth"], "--trusted-ca-file"),
        (&["snapshot", "f"], "--data-dir"),
        (&["snapshot", "f", "--data-dir", "nowhere"], "no such directory"),
        (&["snapshot", "f", "--data-dir", "."], "no store in this directory"),
        (&["snapshot", "f", "--endpoint", "http://127.0.0.1:1"], "can't be reached"),
        (&["restore", "nowhere", "--data-dir", "x"], "nowhere"),
        (&["restore", "/dev/null", "--data-dir", "x"], "/dev/null"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_windlass-store"))
            .args(args)
            .current_dir(&dir)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{args:?}: {said}");
    }
    let help = String::from_utf8(store(&["--help"]).stdout).unwrap();
    assert!(help.contains("Examples:") && help.contains("--listen-client"), "{help}");
}
