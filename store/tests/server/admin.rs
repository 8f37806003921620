//! Maintenance, members, users.

use crate::scene::{everywhere, ours, refused};
use crate::wire::auth_client::AuthClient;
use crate::wire::cluster_client::ClusterClient;
use crate::wire::maintenance_client::MaintenanceClient;
use crate::wire::*;
use tonic::Code;
use windlass_store::{Embedded, EmbeddedOptions, KeyRange, Read};

#[tokio::test]
async fn the_status_is_that_of_a_leader() {
    everywhere(async |scene| {
        scene.put("a", "1").await;
        let mut client = MaintenanceClient::new(scene.channel.clone());
        let status = client.status(StatusRequest {}).await.unwrap().into_inner();
        let header = status.header.unwrap();
        assert_eq!((status.leader, header.revision), (header.member_id, 2));
        assert!(status.raft_index > 0 && status.raft_term > 0 && !status.is_learner);
        assert!(status.errors.is_empty());
        let version: Vec<u32> = status.version.split('.').map(|n| n.parse().unwrap()).collect();
        assert_eq!(version[0], 3);
        let get = AlarmRequest { ..Default::default() };
        assert!(client.alarm(get).await.unwrap().into_inner().alarms.is_empty());
        client.defragment(DefragmentRequest {}).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn there_is_one_member() {
    everywhere(async |scene| {
        let mut client = ClusterClient::new(scene.channel.clone());
        let list = client.member_list(MemberListRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.members.len(), 1);
        assert_eq!(
            (&list.members[0].name[..], list.members[0].id),
            ("default", list.header.unwrap().member_id)
        );
    })
    .await;
    ours(async |scene| {
        let mut client = ClusterClient::new(scene.channel.clone());
        let added = client.member_add(MemberAddRequest::default()).await;
        assert_eq!(added.unwrap_err().code(), Code::Unimplemented);
        let mut client = MaintenanceClient::new(scene.channel.clone());
        let moved = client.move_leader(MoveLeaderRequest { target_id: 1 }).await;
        refused(moved, Code::FailedPrecondition, "etcdserver: bad leader transferee");
        assert_eq!(
            client.hash_kv(HashKvRequest::default()).await.unwrap_err().code(),
            Code::Unimplemented
        );
    })
    .await;
}

#[tokio::test]
async fn there_are_no_users() {
    everywhere(async |scene| {
        let mut client = AuthClient::new(scene.channel.clone());
        let login = AuthenticateRequest { name: "root".into(), password: "x".into() };
        let message = "etcdserver: authentication is not enabled";
        refused(client.authenticate(login).await, Code::FailedPrecondition, message);
    })
    .await;
    ours(async |scene| {
        let mut client = AuthClient::new(scene.channel.clone());
        let message = "etcdserver: authentication is not enabled";
        let added = client.role_add(AuthRoleAddRequest { name: "r".into() }).await;
        refused(added, Code::FailedPrecondition, message);
        let added =
            client.user_add(AuthUserAddRequest { name: "u".into(), ..Default::default() }).await;
        refused(added, Code::FailedPrecondition, message);
        let status = client.auth_status(AuthStatusRequest {}).await.unwrap().into_inner();
        assert!(!status.enabled);
        assert_eq!(
            client.auth_enable(AuthEnableRequest {}).await.unwrap_err().code(),
            Code::Unimplemented
        );
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_comes_in_pieces_with_a_checksum_and_can_be_restored() {
    ours(async |scene| {
        let store = scene.store.clone().unwrap();
        for n in 0..50 {
            let txn = windlass_store::Txn::new().put(format!("k{n:02}"), vec![b'v'; 10_000]);
            store.commit(txn).await.unwrap();
        }
        let mut client = MaintenanceClient::new(scene.channel.clone());
        let mut pieces = client.snapshot(SnapshotRequest {}).await.unwrap().into_inner();
        let (mut file, mut last) = (Vec::new(), 1);
        while let Some(piece) = pieces.message().await.unwrap() {
            assert!(piece.blob.len() <= 64 << 10);
            file.extend_from_slice(&piece.blob);
            last = piece.remaining_bytes;
        }
        assert_eq!((last, file.len() % 512), (0, 32), "as etcdctl checks it");
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("saved"), dir.path().join("data"));
        std::fs::write(&path, &file).unwrap();
        assert_eq!(windlass_store::backup::restore(&path, &to).unwrap(), 51);
        let restored = Embedded::open(EmbeddedOptions::new(&to)).unwrap();
        let all = restored.range(&KeyRange::all(), 0, None).await.unwrap();
        assert_eq!((all.items.len(), all.items[7].value.len()), (50, 10_000));
        for at in [file.len() - 1, file.len() - 33, 100] {
            file[at] ^= 1;
            std::fs::write(&path, &file).unwrap();
            let other = dir.path().join(at.to_string());
            assert!(windlass_store::backup::restore(&path, &other).is_err(), "byte {at}");
            file[at] ^= 1;
        }
    })
    .await;
}
