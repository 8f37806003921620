use super::hosts::{Host, parse};
use super::*;
use oci_client::secrets::RegistryAuth;

fn parsed(registry: &str, text: &str) -> std::result::Result<Vec<Host>, String> {
    parse(text, registry, Path::new("/no/such/folder"))
}

fn hosts(registry: &str, text: &str) -> Vec<Host> {
    parsed(registry, text).expect(text)
}

#[test]
fn hosts_come_in_the_order_of_the_file_and_the_server_last() {
    let text = r#"
        server = "https://registry.example:5000"
        [host."http://z.example"]
        capabilities = ["pull"]
        [host."https://a.example/proxy/v2"]
        override_path = true
        skip_verify = true
        [host."https://a.example/proxy/v2".header]
        Authorization = "Basic bWU6c2VjcmV0"
    "#;
    let [z, a, server] = &hosts("registry.example:5000", text)[..] else { panic!("three") };
    assert_eq!(
        (z.name.as_str(), z.plain_http, z.pull, z.resolve),
        ("z.example", true, true, false)
    );
    assert_eq!((a.name.as_str(), a.plain_http), ("a.example/proxy", false));
    assert!(a.skip_verify && a.pull && a.resolve && a.mirror && !a.trusted);
    let Some(RegistryAuth::Basic(name, password)) = &a.auth else { panic!("a password") };
    assert_eq!((name.as_str(), password.as_str()), ("me", "secret"));
    assert_eq!(server.name, "registry.example:5000");
    assert!(server.trusted && !server.mirror);
}

#[test]
fn the_registry_itself_is_trusted_under_all_of_its_names() {
    let text = "[host.\"https://registry-1.docker.io\"]\n[host.\"https://other.example\"]\n";
    let all = hosts("docker.io", text);
    let names: Vec<_> = all.iter().map(|h| (h.name.as_str(), h.trusted, h.mirror)).collect();
    let hub = ("index.docker.io", true, false);
    assert_eq!(names, [hub, ("other.example", false, true), hub]);
    let elsewhere = hosts("registry.example", "server = \"https://behind.example\"");
    assert!(elsewhere[0].trusted && elsewhere[0].mirror, "the administrator says so");
    assert!(hosts("127.0.0.1:5000", "")[0].plain_http, "as without a file");
}

#[test]
fn what_cant_be_done_is_said() {
    for (text, why) in [
        ("host = 1", "\"host\" is no table"),
        ("server = [", "TOML"),
        ("[host.\"ftp://x\"]", "\"ftp\" is no scheme"),
        ("[host.\"https://x\"]\ncapabilities = [\"eat\"]", "unknown capability \"eat\""),
        ("[host.\"https://x\"]\nclient = \"key.pem\"", "client certificates"),
        ("[host.\"https://x/y\"]\noverride_path = true", "override_path"),
        ("[host.\"https://x\"]\nskip_verify = \"no\"", "neither true nor false"),
        ("[host.\"https://x\"]\nca = \"missing.pem\"", "/no/such/folder/missing.pem"),
        ("[host.\"https://x\".header]\nx-token = \"1\"", "header \"x-token\""),
        ("[host.\"https://x\".header]\nauthorization = \"Digest 1\"", "neither Basic nor Bearer"),
    ] {
        let error = parsed("registry.example", text).err().expect(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_folder_of_a_registry_comes_before_the_one_of_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, server: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = format!("server = \"https://{server}\"");
        std::fs::write(folder.join("hosts.toml"), text).expect("written");
    };
    let server = |registry: &str| {
        let hosts = read(folder.path(), registry).expect("read");
        hosts.first().map(|host| host.name.clone()).unwrap_or_default()
    };
    assert_eq!(server("a.example"), "", "nothing is said");
    write("_default", "all");
    write("b.example_5000_", "b");
    write("c.example:5000", "c");
    let found = ["a.example", "b.example:5000", "c.example:5000"].map(server);
    assert_eq!(found, ["all", "b", "c"]);
}
