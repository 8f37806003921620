//! In a network namespace of its own.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use super::*;

fn on_loopback() -> String {
    let shown = Command::new("ip").args(["-o", "addr", "show", "dev", "lo"]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn it_is_put_there_even_where_any_address_can_be_bound() {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var("WINDLASS_ROOT_TESTS").as_deref() != Ok("required"),
            "this needs root"
        );
        println!("SKIP: network namespaces need root");
        return;
    }
    let in_namespace = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may");
        std::fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address = "10.96.0.10".parse().unwrap();
            let _left_by_an_earlier_run = LocalAddress::take(address).await.unwrap();
            assert!(on_loopback().contains("10.96.0.10/32"));
            let taken = LocalAddress::take(address).await.expect("one that is there is fine");
            taken.give_back().await.unwrap();
            assert!(!on_loopback().contains("10.96.0.10"));
        });
    });
    in_namespace.join().unwrap();
}
