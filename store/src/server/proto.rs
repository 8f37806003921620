//! Messages and services as they go over the wire.

/// Keys and events.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub(super) mod mvccpb {
    tonic::include_proto!("mvccpb");
}

/// Permissions.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
pub(super) mod authpb {
    tonic::include_proto!("authpb");
}

/// Requests, responses and services.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
pub(super) mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

pub(super) use etcdserverpb as rpc;
