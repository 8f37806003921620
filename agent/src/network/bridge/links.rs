//! Interfaces and routes, over rtnetlink.

use crate::runtime::linux::namespaces::within;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute};
use rtnetlink::packet_route::neighbour::NeighbourState;
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection,
};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The gateway of all pods.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The hardware address of the node's end of each link.
const GATEWAY_MAC: [u8; 6] = [0xee; 6];
/// The pod's interface.
const POD_LINK: &str = "eth0";

/// A pod's link.
pub(super) struct Link<'a> {
    /// The interface of the node.
    pub(super) name: &'a str,
    pub(super) address: Ipv4Addr,
    pub(super) mtu: u32,
}

/// The name of a sandbox's interface on the node; names have at most 15 letters.
pub(super) fn name(sandbox: &str) -> String {
    let safe = sandbox.chars().filter(char::is_ascii_alphanumeric);
    format!("wl{}", safe.take(12).collect::<String>())
}

/// Makes a pod's link and routes, on both sides.
pub(super) fn connect(netns: &Path, link: &Link<'_>) -> io::Result<()> {
    let node = File::open("/proc/thread-self/ns/net")?;
    within(netns, || run(async |handle| furnish_pod(&handle, link, &node).await))?;
    run(async |handle| furnish_node(&handle, link).await)
}

/// Switches the loopback interface of a namespace on.
pub(crate) fn loopback_up(netns: &Path) -> io::Result<()> {
    within(netns, || {
        run(async |handle| {
            let lo = index(&handle, "lo").await?;
            handle.link().change(LinkUnspec::new_with_index(lo).up().build()).execute().await
        })
    })
}

/// Removes the link of this name, and with it its other end and the routes. It may be gone.
pub(super) fn disconnect(name: &str) -> io::Result<()> {
    run(async |handle| match index(&handle, name).await {
        Ok(index) => handle.link().del(index).execute().await,
        Err(e) if is(&e, rustix::io::Errno::NODEV) => Ok(()),
        Err(e) => Err(e),
    })
}

async fn furnish_pod(
    handle: &Handle,
    link: &Link<'_>,
    node: &File,
) -> Result<(), rtnetlink::Error> {
    let lo = index(handle, "lo").await?;
    handle.link().change(LinkUnspec::new_with_index(lo).up().build()).execute().await?;
    let peer = LinkMessageBuilder::<LinkUnspec>::new()
        .name(link.name)
        .mtu(link.mtu)
        .address(GATEWAY_MAC.to_vec())
        .setns_by_fd(node.as_raw_fd())
        .build();
    let pair = LinkVeth::new(POD_LINK, link.name)
        .mtu(link.mtu)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    handle.link().add(pair).execute().await?;
    let eth = index(handle, POD_LINK).await?;
    handle.address().add(eth, IpAddr::V4(link.address), 32).execute().await?;
    handle.link().change(LinkUnspec::new_with_index(eth).up().build()).execute().await?;
    let mac = handle.neighbours().add(eth, IpAddr::V4(GATEWAY)).link_layer_address(&GATEWAY_MAC);
    mac.state(NeighbourState::Permanent).execute().await?;
    let gateway = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(GATEWAY, 32)
        .output_interface(eth)
        .scope(RouteScope::Link);
    handle.route().add(gateway.build()).execute().await?;
    let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(eth);
    handle.route().add(default.build()).execute().await
}

async fn furnish_node(handle: &Handle, link: &Link<'_>) -> Result<(), rtnetlink::Error> {
    let index = index(handle, link.name).await?;
    handle.link().change(LinkUnspec::new_with_index(index).up().build()).execute().await?;
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(link.address, 32)
        .output_interface(index)
        .scope(RouteScope::Link);
    handle.route().add(route.build()).replace().execute().await
}

async fn index(handle: &Handle, name: &str) -> Result<u32, rtnetlink::Error> {
    use futures::TryStreamExt;
    let mut found = handle.link().get().match_name(name.to_string()).execute();
    let link = found.try_next().await?;
    debug_assert!(link.as_ref().is_none_or(|l| {
        l.attributes.iter().any(|a| matches!(a, LinkAttribute::IfName(n) if n == name))
    }));
    link.map(|l| l.header.index).ok_or(rtnetlink::Error::RequestFailed)
}

fn is(error: &rtnetlink::Error, wanted: rustix::io::Errno) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(e) if e.raw_code() == -wanted.raw_os_error())
}

/// Runs requests on a connection of their own: a netlink socket belongs to the namespace of the
/// thread that opened it.
fn run(work: impl AsyncFnOnce(Handle) -> Result<(), rtnetlink::Error>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = new_connection()?;
        let connection = tokio::spawn(connection);
        let done = work(handle).await;
        connection.abort();
        done.map_err(io_error)
    })
}

fn io_error(error: rtnetlink::Error) -> io::Error {
    match &error {
        rtnetlink::Error::NetlinkError(e) => io::Error::from_raw_os_error(-e.raw_code()),
        _ => io::Error::other(error),
    }
}
