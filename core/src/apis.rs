//! The typed kinds of Kubernetes 1.36. The one place that names their crate: all others write
//! `windlass_core::apis::core::v1::Pod`. They are views like any other: decoded for the moments that
//! need everything, then dropped.

pub use k8s_openapi::api::*;
pub use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
pub use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
pub use k8s_openapi::apimachinery::pkg::apis::meta;
pub use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
pub use k8s_openapi::kube_aggregator::pkg::apis::apiregistration;
pub use k8s_openapi::{ByteString, Metadata, Resource};
