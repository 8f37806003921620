//! In a network namespace of its own.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::dns::DnsOptions;

fn ip(arguments: &str) -> String {
    let shown = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(shown.status.success(), "ip {arguments}");
    String::from_utf8(shown.stdout).unwrap()
}

fn is_there(address: IpAddr) -> bool {
    ip("-o addr show dev lo").contains(&format!("{address}/"))
}

fn in_namespace(test: impl AsyncFnOnce() + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        assert!(
            std::env::var("WINDLASS_ROOT_TESTS").as_deref() != Ok("required"),
            "this needs root"
        );
        println!("SKIP: network namespaces need root");
        return;
    }
    let within = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may");
        ip("link set lo up");
        std::fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    within.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn it_is_put_there_even_where_any_address_can_be_bound_and_given_back() {
    in_namespace(async || {
        for address in ["10.96.0.10", "fd96::10"].map(|text| text.parse().unwrap()) {
            let taken = LocalAddress::take(address).unwrap();
            assert!(taken.is_some() && is_there(address), "{address}");
            drop(taken);
            assert!(!is_there(address), "{address}");
        }
    });
}

#[test]
fn one_that_an_earlier_run_left_is_taken_over() {
    in_namespace(async || {
        for address in ["10.96.0.10", "fd96::10"].map(|text| text.parse().unwrap()) {
            std::mem::forget(LocalAddress::take(address).unwrap().unwrap());
            let taken = LocalAddress::take(address).unwrap();
            assert!(is_there(address));
            drop(taken.expect("its own mark is there"));
            assert!(!is_there(address));
        }
    });
}

#[test]
fn one_of_somebody_else_stays_his() {
    in_namespace(async || {
        for address in ["10.96.0.10", "fd96::10"].map(|text| text.parse().unwrap()) {
            ip(&format!("addr add {address} dev lo"));
            assert!(LocalAddress::take(address).unwrap().is_none());
            assert!(is_there(address));
        }
    });
}

#[test]
fn it_is_given_back_when_nobody_can_listen_there() {
    in_namespace(async || {
        let options = DnsOptions::new("10.96.0.10".parse().unwrap());
        let _other = std::net::TcpListener::bind(options.listen).unwrap();
        let error = options.bind().await.err().expect("the port is taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(!is_there(options.listen.ip()));
    });
}
