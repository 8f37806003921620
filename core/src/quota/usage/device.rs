//! Claims of devices (Kubernetes documentation, "Resource quota for devices").

use super::{Amount, Uses};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A claim for all devices may be given so many.
const MOST: usize = 32;

/// What a claim of devices uses: of requests that name several classes, the most of each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Claim")]
pub struct DeviceUsage(
    /// The names it uses something of.
    pub Uses,
);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claim {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    devices: Devices,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Devices {
    requests: Vec<Request>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    exactly: Option<Wanted>,
    first_available: Vec<Wanted>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wanted {
    device_class_name: String,
    allocation_mode: String,
    count: Option<usize>,
}

impl From<Claim> for DeviceUsage {
    fn from(claim: Claim) -> Self {
        let mut classes: BTreeMap<String, usize> = BTreeMap::new();
        for request in claim.spec.devices.requests {
            let mut most: BTreeMap<String, usize> = BTreeMap::new();
            for wanted in request.exactly.into_iter().chain(request.first_available) {
                let devices = match wanted.allocation_mode.as_str() {
                    "All" => MOST,
                    _ => wanted.count.unwrap_or(1),
                };
                let known = most.entry(wanted.device_class_name).or_default();
                *known = devices.max(*known);
            }
            for (class, devices) in most {
                *classes.entry(class).or_default() += devices;
            }
        }
        let mut uses: Uses =
            vec![("count/resourceclaims.resource.k8s.io".into(), Amount::count(1))];
        uses.extend(classes.into_iter().map(|(class, devices)| {
            (format!("{class}.deviceclass.resource.k8s.io/devices"), Amount::count(devices))
        }));
        Self(uses)
    }
}
