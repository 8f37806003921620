//! Leases.

use crate::scene::{Scene, everywhere, refused};
use crate::wire::lease_client::LeaseClient;
use crate::wire::*;
use tonic::Code;
use tonic::transport::Channel;

const NOT_FOUND: &str = "etcdserver: requested lease not found";

fn client(scene: &Scene) -> LeaseClient<Channel> {
    LeaseClient::new(scene.channel.clone())
}

async fn time_to_live(lease: &mut LeaseClient<Channel>, id: i64) -> LeaseTimeToLiveResponse {
    let request = LeaseTimeToLiveRequest { id, keys: true };
    lease.lease_time_to_live(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_lease_takes_its_keys_with_it() {
    everywhere(async |scene| {
        let mut lease = client(scene);
        let grant = LeaseGrantRequest { ttl: 100, id: 0 };
        let granted = lease.lease_grant(grant).await.unwrap().into_inner();
        let id = granted.id;
        assert!(id != 0);
        assert_eq!((granted.ttl, revision(&granted.header)), (100, 1));
        for key in ["b", "a"] {
            let leased = PutRequest { lease: id, ..put(key, "1") };
            scene.kv.put(leased).await.unwrap();
        }
        assert_eq!(scene.range(range("a", "")).await.kvs[0].lease, id);
        let status = time_to_live(&mut lease, id).await;
        assert_eq!((status.id, status.granted_ttl, status.keys.len()), (id, 100, 2));
        assert!((90..=100).contains(&status.ttl), "{}", status.ttl);
        let compare =
            compare("a", CompareResult::Equal, CompareTarget::Lease, TargetUnion::Lease(id));
        let keep = PutRequest { ignore_lease: true, ..put("a", "2") };
        assert!(scene.txn(txn([compare], [keep.into()], [])).await.succeeded);
        assert_eq!(scene.range(range("a", "")).await.kvs[0].lease, id);
        scene.put("b", "free").await;

        let response = lease.lease_revoke(LeaseRevokeRequest { id }).await.unwrap().into_inner();
        assert_eq!(revision(&response.header), 6);
        assert_eq!(scene.list(range("a", "z")).await, "b=free");
        let again = lease.lease_revoke(LeaseRevokeRequest { id }).await;
        refused(again, Code::NotFound, NOT_FOUND);
        assert_eq!(time_to_live(&mut lease, id).await.ttl, -1);
        let leased = PutRequest { lease: id, ..put("a", "1") };
        refused(scene.kv.put(leased).await, Code::NotFound, NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn leases_have_names_and_bounds() {
    everywhere(async |scene| {
        let mut lease = client(scene);
        let grant = |ttl, id| LeaseGrantRequest { ttl, id };
        for id in [7, -9] {
            assert_eq!(lease.lease_grant(grant(100, id)).await.unwrap().into_inner().id, id);
        }
        let message = "etcdserver: lease already exists";
        refused(lease.lease_grant(grant(100, 7)).await, Code::FailedPrecondition, message);
        let message = "etcdserver: too large lease TTL";
        refused(lease.lease_grant(grant(9_000_000_001, 0)).await, Code::OutOfRange, message);
        let listed = lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner();
        let mut ids: Vec<i64> = listed.leases.iter().map(|lease| lease.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [-9, 7]);
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_kept_alive() {
    everywhere(async |scene| {
        let mut lease = client(scene);
        let id = 5;
        lease.lease_grant(LeaseGrantRequest { ttl: 100, id }).await.unwrap();
        let requests = [id, 6, id].map(|id| LeaseKeepAliveRequest { id });
        let stream = lease.lease_keep_alive(futures::stream::iter(requests)).await.unwrap();
        let mut answers = stream.into_inner();
        for expected in [(5, 100), (6, 0), (5, 100)] {
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!((answer.id, answer.ttl), expected);
        }
        assert!(answers.message().await.unwrap().is_none(), "it ends with the requests");
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_nobody_keeps_alive_ends() {
    everywhere(async |scene| {
        let mut lease = client(scene);
        lease.lease_grant(LeaseGrantRequest { ttl: 1, id: 3 }).await.unwrap();
        let mut watching = scene.watching().await;
        watching.create(WatchCreateRequest { key: "a".into(), ..Default::default() }).await;
        scene.kv.put(PutRequest { lease: 3, ..put("a", "1") }).await.unwrap();
        assert_eq!(watching.events().await, "+a=1");
        assert_eq!(watching.events().await, "-a");
    })
    .await;
}
