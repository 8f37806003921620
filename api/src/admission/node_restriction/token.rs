//! Tokens: a node asks for those of the pods it runs, for the audiences that these pods want.

use super::Asked;
use crate::admission::Operation;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::strategy::json::{map_of, maps_of, str_at, str_of, strs_of};
use windlass_core::client::Key;
use windlass_core::meta::Status;
use windlass_core::scheme;

// === impl Asked ===

impl Asked<'_, '_> {
    /// A token is for a pod that runs here.
    pub(super) async fn token(&self) -> Result<Result<(), String>, Status> {
        let request = self.request;
        if request.operation != Operation::Create || request.subresource != "token" {
            return Ok(Ok(()));
        }
        let bound = request.object.as_ref().and_then(|token| map_of(token, "spec"));
        let bound = bound.and_then(|spec| map_of(spec, "boundObjectRef"));
        let text =
            |field: &str| bound.and_then(|bound| bound.get(field)?.as_str()).unwrap_or_default();
        if (text("kind"), text("apiVersion")) != ("Pod", "v1") || text("name").is_empty() {
            return Ok(Err("node requested token not bound to a pod".into()));
        }
        if text("uid").is_empty() {
            return Ok(Err("node requested token with a pod binding without a uid".into()));
        }
        let name = text("name");
        let Some(pod) = self.stored_pod(name).await? else {
            return Err(Status::not_found("", "pods", name));
        };
        let uid = str_at(&pod, &["metadata", "uid"]);
        if text("uid") != uid {
            return Ok(Err(format!(
                "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
                text("uid")
            )));
        }
        if str_at(&pod, &["spec", "nodeName"]) != self.node {
            let why = "node requested token bound to a pod scheduled on a different node";
            return Ok(Err(why.into()));
        }
        let spec = request.object.as_ref().and_then(|token| map_of(token, "spec"));
        let mut audiences = spec.into_iter().flat_map(|spec| strs_of(spec, "audiences"));
        let audience = audiences.next().map_or("", |(_, audience)| audience);
        if audiences.next().is_some() {
            return Ok(Err("node may only request 0 or 1 audiences".into()));
        }
        if self.mounts(&pod, audience).await? {
            return Ok(Ok(()));
        }
        Ok(Err(format!("audience {audience:?} not found in pod spec volume")))
    }

    /// Whether a pod has a volume that needs a token for an audience: a projected token, or one of a driver's.
    async fn mounts(&self, pod: &Map, audience: &str) -> Result<bool, Status> {
        let empty = Map::new();
        let spec = map_of(pod, "spec").unwrap_or(&empty);
        for (_, volume) in maps_of(spec, "volumes") {
            let sources = map_of(volume, "projected");
            let mut sources = sources.into_iter().flat_map(|all| maps_of(all, "sources"));
            let is_meant = |token: &Map| str_of(token, "audience") == audience;
            if sources.any(|(_, it)| map_of(it, "serviceAccountToken").is_some_and(is_meant)) {
                return Ok(true);
            }
            let driver = match self.driver(pod, volume).await? {
                Some(name) => self.found(&Key::cluster(scheme::CSIDRIVERS, &name)).await?,
                None => None,
            };
            let spec = driver.as_ref().and_then(|driver| map_of(driver, "spec"));
            let mut requests = spec.into_iter().flat_map(|spec| maps_of(spec, "tokenRequests"));
            if requests.any(|(_, request)| is_meant(request)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name of the CSI driver behind a volume: its own, or that of the volume its claim is bound to.
    async fn driver(&self, pod: &Map, volume: &Map) -> Result<Option<String>, Status> {
        let given = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        if let Some(own) = map_of(volume, "csi") {
            return Ok(given(str_of(own, "driver")));
        }
        let claim = match map_of(volume, "persistentVolumeClaim") {
            Some(named) => str_of(named, "claimName").to_owned(),
            None if map_of(volume, "ephemeral").is_some() => {
                format!("{}-{}", str_at(pod, &["metadata", "name"]), str_of(volume, "name"))
            }
            None => return Ok(None),
        };
        let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, self.request.namespace, &claim);
        let Some(claim) = self.found(&key).await? else { return Ok(None) };
        let name = str_at(&claim, &["spec", "volumeName"]);
        let volume = self.found(&Key::cluster(scheme::PERSISTENTVOLUMES, name)).await?;
        Ok(volume.and_then(|volume| given(str_at(&volume, &["spec", "csi", "driver"]))))
    }

    async fn found(&self, key: &Key) -> Result<Option<Map>, Status> {
        let found = self.request.objects.get_at(key, ReadVersion::Newest).await?;
        found.map(|object| object.view()).transpose().map_err(Status::internal)
    }
}
