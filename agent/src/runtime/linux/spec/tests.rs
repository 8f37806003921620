use super::*;
use crate::runtime::{HostNamespaces, Mount, Security};
use oci_spec::image::ConfigBuilder;

fn image() -> ImageConfig {
    ConfigBuilder::default()
        .entrypoint(vec!["/entry".to_string()])
        .cmd(vec!["cmd".to_string()])
        .env(vec!["A=image".to_string(), "PATH=/img".to_string()])
        .working_dir("/srv")
        .build()
        .unwrap()
}

fn inputs<'a>(
    container: &'a ContainerConfig,
    sandbox: &'a SandboxConfig,
    image: &'a ImageConfig,
) -> Inputs<'a> {
    Inputs {
        container,
        sandbox,
        image,
        user: User { uid: 7, gid: 8, groups: vec![9] },
        capabilities: vec!["CAP_KILL".into()],
        seccomp: None,
        namespaces: "/run/w/s".into(),
        cgroup: Path::new("/windlass/pod/c"),
        overlay: vec!["lowerdir+=/l".into()],
        resolv_conf: None,
        devices: vec![],
        lowest_oom_score: 0,
    }
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn command_and_arguments_replace_the_images() {
    let of = |command: &[&str], args: &[&str]| {
        let c =
            ContainerConfig { command: words(command), args: words(args), ..Default::default() };
        arguments(&c, &image()).unwrap()
    };
    assert_eq!(of(&[], &[]), ["/entry", "cmd"]);
    assert_eq!(of(&[], &["x"]), ["/entry", "x"]);
    assert_eq!(of(&["/c"], &[]), ["/c"]);
    assert_eq!(of(&["/c"], &["x"]), ["/c", "x"]);
}

#[test]
fn nothing_to_run_is_invalid() {
    let none = arguments(&ContainerConfig::default(), &ImageConfig::default());
    assert!(matches!(none, Err(Error::Invalid(_))));
}

#[test]
fn later_variables_win() {
    let c = ContainerConfig {
        env: vec![("A".into(), "pod".into()), ("B".into(), "=x".into())],
        ..Default::default()
    };
    let s = SandboxConfig { hostname: "h".into(), ..Default::default() };
    let image = image();
    let env = environment(&inputs(&c, &s, &image));
    assert_eq!(env, ["PATH=/img", "HOSTNAME=h", "A=pod", "B==x"]);
}

#[test]
fn the_nodes_namespaces_are_left_out() {
    let c = ContainerConfig { command: words(&["x"]), ..Default::default() };
    let s = SandboxConfig {
        host_namespaces: HostNamespaces { network: true, pid: true, ipc: true },
        ..Default::default()
    };
    let image = image();
    let spec = build(&inputs(&c, &s, &image)).unwrap();
    assert_eq!(spec["linux"]["namespaces"], json!([{ "type": "mount" }]));
}

#[test]
fn a_pods_mount_takes_the_place_of_a_standard_one() {
    let c = ContainerConfig {
        command: words(&["x"]),
        mounts: vec![
            Mount { source: "/b".into(), target: "/data/inner".into(), ..Default::default() },
            Mount {
                source: "/a".into(),
                target: "/data".into(),
                read_only: true,
                ..Default::default()
            },
            Mount { source: "/s".into(), target: "/dev/shm".into(), ..Default::default() },
        ],
        ..Default::default()
    };
    let (s, image) = (SandboxConfig::default(), image());
    let all = mounts(&inputs(&c, &s, &image));
    let order: Vec<&str> = all.iter().map(|m| m["destination"].as_str().unwrap()).collect();
    assert_eq!(order.iter().filter(|d| **d == "/dev/shm").count(), 1);
    assert!(
        order.iter().position(|d| *d == "/data") < order.iter().position(|d| *d == "/data/inner")
    );
    assert_eq!(all.iter().find(|m| m["destination"] == "/data").unwrap()["options"][2], "ro");
}

#[test]
fn what_cant_be_lowered_is_raised() {
    let mut c = ContainerConfig { command: words(&["x"]), ..Default::default() };
    c.resources.oom_score_adj = Some(-997);
    let (s, image) = (SandboxConfig::default(), image());
    let spec = build(&inputs(&c, &s, &image)).unwrap();
    assert_eq!(spec["process"]["oomScoreAdj"], 0);
}

#[test]
fn privileged_masks_nothing() {
    let c = ContainerConfig {
        command: words(&["x"]),
        security: Security { privileged: true, ..Default::default() },
        ..Default::default()
    };
    let (s, image) = (SandboxConfig::default(), image());
    let spec = build(&inputs(&c, &s, &image)).unwrap();
    assert!(spec["linux"].get("maskedPaths").is_none());
    assert_eq!(spec["linux"]["resources"]["devices"][0]["allow"], true);
}
