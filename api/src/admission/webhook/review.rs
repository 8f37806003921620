//! `AdmissionReview` (API reference, `admission.k8s.io/v1` and `v1beta1`): what is asked.

use crate::admission::view::Shown;
use crate::strategy::Map;
use bytes::Bytes;
use serde::Serialize;
use windlass_core::meta::Status;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    kind: &'static str,
    api_version: String,
    request: Asked<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    uid: &'a str,
    #[serde(flatten)]
    shown: Shown<'a>,
    object: Option<&'a Map>,
    old_object: Option<&'a Map>,
}

/// The review that asks about a request.
pub(super) fn request(
    version: &str,
    uid: &str,
    shown: Shown<'_>,
    object: Option<&Map>,
    old_object: Option<&Map>,
) -> Result<Bytes, Status> {
    let review = Review {
        kind: "AdmissionReview",
        api_version: format!("admission.k8s.io/{version}"),
        request: Asked { uid, shown, object, old_object },
    };
    serde_json::to_vec(&review).map(Bytes::from).map_err(Status::internal)
}
