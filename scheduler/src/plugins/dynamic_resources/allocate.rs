//! Which devices claims could have on one node (KEP-4381): a search with a step back where a choice leads nowhere.

use super::DeviceSelectors;
use super::counters::Counters;
use super::objects::{DeviceId, Devices};
use std::collections::HashSet;
use std::sync::Arc;
use windlass_core::apis::resource::v1::{
    Device, DeviceAllocationConfiguration, DeviceClaim, DeviceConstraint,
    DeviceRequestAllocationResult, DeviceSelector, DeviceToleration, ResourceClaim,
};

/// More devices than these no claim may have (API reference, "AllocationResult").
const MOST_DEVICES: usize = 32;
/// A search ends after so many tries, whatever it has found.
const MOST_STEPS: usize = 10_000;

/// A device that nodes can have.
pub(super) struct Offer {
    pub(super) id: DeviceId,
    pub(super) device: Device,
    /// Not all nodes can have it.
    pub(super) local: bool,
    /// Somebody has it.
    pub(super) taken: bool,
}

/// What one request asks for.
struct Request<'a> {
    claim: usize,
    /// `request`, or `request/subrequest`.
    name: String,
    /// `None`: all that there are.
    count: Option<usize>,
    admin: bool,
    class: &'a str,
    selectors: &'a [DeviceSelector],
    tolerations: &'a [DeviceToleration],
}

/// Devices chosen so far: for which request, and where in the list of offers.
type Picks = Vec<(usize, usize)>;

/// One way to read a set of claims: one alternative for each request that has several.
struct Search<'a> {
    offers: &'a [Offer],
    counters: &'a Counters,
    fitting: Vec<Vec<usize>>,
    requests: &'a [Request<'a>],
    constraints: Vec<(usize, &'a DeviceConstraint)>,
    steps: usize,
}

/// Why nothing can be said.
pub(super) type Unknown = String;

/// The devices for each of the claims; none when they can't all have theirs.
pub(super) fn allocate(
    devices: &Devices,
    claims: &[Arc<ResourceClaim>],
    offers: &[Offer],
    counters: &Counters,
    selectors: Option<&dyn DeviceSelectors>,
) -> Result<Option<Vec<Vec<DeviceRequestAllocationResult>>>, Unknown> {
    let specs: Vec<_> = claims.iter().filter_map(|claim| claim.spec.devices.as_ref()).collect();
    for requests in alternatives(&specs) {
        let mut fitting = Vec::with_capacity(requests.len());
        for request in &requests {
            fitting.push(fit(devices, request, offers, selectors)?);
        }
        let constraints = specs.iter().enumerate().flat_map(|(claim, spec)| {
            spec.constraints.iter().flatten().map(move |constraint| (claim, constraint))
        });
        let constraints = constraints.collect();
        let mut search =
            Search { offers, counters, fitting, requests: &requests, constraints, steps: 0 };
        let mut picks = Picks::new();
        if search.request(0, &mut picks) {
            return Ok(Some(results(claims.len(), offers, &requests, &picks)));
        }
    }
    Ok(None)
}

/// All ways to read the claims' requests, the most wanted first.
fn alternatives<'a>(specs: &[&'a DeviceClaim]) -> Vec<Vec<Request<'a>>> {
    let mut ways: Vec<Vec<Request<'a>>> = vec![Vec::new()];
    for (claim, spec) in specs.iter().enumerate() {
        for request in spec.requests.iter().flatten() {
            let options = options(claim, request);
            let mut next = Vec::new();
            for way in ways {
                for option in &options {
                    let mut way: Vec<_> = way.iter().map(Request::again).collect();
                    way.push(option.again());
                    next.push(way);
                }
            }
            next.truncate(64);
            ways = next;
        }
    }
    ways
}

fn options(
    claim: usize,
    request: &windlass_core::apis::resource::v1::DeviceRequest,
) -> Vec<Request<'_>> {
    let count = |mode: &Option<String>, count: Option<i64>| match mode.as_deref() {
        Some("All") => None,
        _ => Some(usize::try_from(count.unwrap_or(1)).unwrap_or(1)),
    };
    if let Some(exact) = &request.exactly {
        return vec![Request {
            claim,
            name: request.name.clone(),
            count: count(&exact.allocation_mode, exact.count),
            admin: exact.admin_access == Some(true),
            class: &exact.device_class_name,
            selectors: exact.selectors.as_deref().unwrap_or_default(),
            tolerations: exact.tolerations.as_deref().unwrap_or_default(),
        }];
    }
    let sub = request.first_available.iter().flatten();
    sub.map(|sub| Request {
        claim,
        name: format!("{}/{}", request.name, sub.name),
        count: count(&sub.allocation_mode, sub.count),
        admin: false,
        class: &sub.device_class_name,
        selectors: sub.selectors.as_deref().unwrap_or_default(),
        tolerations: sub.tolerations.as_deref().unwrap_or_default(),
    })
    .collect()
}

/// The offers that a request can take.
fn fit(
    devices: &Devices,
    request: &Request<'_>,
    offers: &[Offer],
    selectors: Option<&dyn DeviceSelectors>,
) -> Result<Vec<usize>, Unknown> {
    let class = devices.classes.get(request.class);
    let class = class.ok_or_else(|| {
        format!("device class {:?} of request {} does not exist", request.class, request.name)
    })?;
    let all = class.selectors.iter().flatten().chain(request.selectors);
    let expressions: Vec<&str> =
        all.filter_map(|selector| Some(selector.cel.as_ref()?.expression.as_str())).collect();
    let mut fitting = Vec::new();
    for (at, offer) in offers.iter().enumerate() {
        let free = request.admin || (!offer.taken && bears(request, &offer.device));
        if !free {
            continue;
        }
        let mut fits = true;
        for expression in &expressions {
            let evaluator = selectors
                .ok_or("devices are selected by CEL, and this scheduler was given nothing that evaluates it")?;
            fits = fits && evaluator.matches(expression, &offer.id.0, &offer.device)?;
        }
        if fits {
            fitting.push(at);
        }
    }
    Ok(fitting)
}

/// Whether the request tolerates the device's taints (KEP-5055).
fn bears(request: &Request<'_>, device: &Device) -> bool {
    let mut taints = device.taints.iter().flatten().filter(|taint| taint.effect != "None");
    taints.all(|taint| {
        request.tolerations.iter().any(|toleration| {
            let key = toleration.key.as_deref().unwrap_or_default();
            let exists = toleration.operator.as_deref() == Some("Exists");
            let value = toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default();
            let effect = toleration.effect.as_deref().unwrap_or_default();
            (effect.is_empty() || effect == taint.effect)
                && (key == taint.key || (key.is_empty() && exists))
                && (exists || value)
        })
    })
}

// === impl Request ===

impl Request<'_> {
    fn again(&self) -> Self {
        Self { name: self.name.clone(), ..*self }
    }
}

// === impl Offer ===

impl Offer {
    /// Whether this is the device that was allocated.
    pub(super) fn is(&self, result: &DeviceRequestAllocationResult) -> bool {
        let (driver, pool, device) = &self.id;
        (driver, pool, device) == (&result.driver, &result.pool, &result.device)
    }
}

/// The configuration of a claim's devices: that of their classes, then the claim's own.
pub(super) fn config(
    devices: &Devices,
    claim: &ResourceClaim,
    results: &[DeviceRequestAllocationResult],
) -> Vec<DeviceAllocationConfiguration> {
    let Some(spec) = &claim.spec.devices else { return Vec::new() };
    let mut config = Vec::new();
    for option in spec.requests.iter().flatten().flat_map(|request| options(0, request)) {
        let class = devices.classes.get(option.class);
        if results.iter().any(|result| result.request == option.name) {
            for of_class in class.iter().flat_map(|class| class.config.iter().flatten()) {
                config.push(DeviceAllocationConfiguration {
                    opaque: of_class.opaque.clone(),
                    requests: Some(vec![option.name.clone()]),
                    source: "FromClass".into(),
                });
            }
        }
    }
    let own = spec.config.iter().flatten().map(|own| DeviceAllocationConfiguration {
        opaque: own.opaque.clone(),
        requests: own.requests.clone(),
        source: "FromClaim".into(),
    });
    config.extend(own);
    config
}

// === impl Search ===

impl Search<'_> {
    /// Finds devices for this request and those behind it.
    fn request(&mut self, at: usize, picks: &mut Picks) -> bool {
        let Some(request) = self.requests.get(at) else { return true };
        let count = match request.count {
            Some(count) => count,
            // All there are, and there must be one.
            None if self.fitting[at].is_empty() => return false,
            None => self.fitting[at].len(),
        };
        if picks.len() + count > MOST_DEVICES * self.requests.len() {
            return false;
        }
        self.device(at, count, 0, picks)
    }

    /// Finds `missing` more devices for a request among its offers from `from` on.
    fn device(&mut self, at: usize, missing: usize, from: usize, picks: &mut Picks) -> bool {
        if missing == 0 {
            return self.request(at + 1, picks);
        }
        for place in from..self.fitting[at].len() {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return false;
            }
            let offer = self.fitting[at][place];
            let lent = self.requests[at].admin;
            let taken = picks.iter().any(|(r, o)| *o == offer && !lent && !self.requests[*r].admin);
            picks.push((at, offer));
            let enough = lent || self.enough(picks);
            if !taken
                && enough
                && self.holds(picks)
                && self.device(at, missing - 1, place + 1, picks)
            {
                return true;
            }
            picks.pop();
        }
        false
    }

    /// Whether there is enough of what the picks so far share.
    fn enough(&self, picks: &Picks) -> bool {
        let own = picks.iter().filter(|(request, _)| !self.requests[*request].admin);
        let offers = own.map(|(_, offer)| &self.offers[*offer]);
        self.counters.suffice(offers.filter(|offer| offer.device.consumes_counters.is_some()))
    }

    /// Whether the picks so far keep the claims' constraints.
    fn holds(&self, picks: &Picks) -> bool {
        self.constraints.iter().all(|(claim, constraint)| {
            let named = |name: &str| {
                let names = constraint.requests.as_deref().unwrap_or_default();
                let main = name.split('/').next().unwrap_or(name);
                names.is_empty() || names.iter().any(|n| n == name || n == main)
            };
            let of = |(r, offer): &(usize, usize)| {
                let request = &self.requests[*r];
                (request.claim == *claim && named(&request.name)).then_some(&self.offers[*offer])
            };
            let concerned: Vec<&Offer> = picks.iter().filter_map(of).collect();
            let values = |attribute: &str| {
                let value = |offer: &&Offer| attribute_of(offer, attribute);
                concerned.iter().map(value).collect::<Vec<_>>()
            };
            if let Some(attribute) = &constraint.match_attribute {
                let values = values(attribute);
                return values.iter().all(|v| v.is_some() && *v == values[0]);
            }
            if let Some(attribute) = &constraint.distinct_attribute {
                let values = values(attribute);
                let distinct: HashSet<_> = values.iter().collect();
                return distinct.len() == values.len() && values.iter().all(Option::is_some);
            }
            true
        })
    }
}

/// The value of an attribute. A name without a domain is in the driver's.
fn attribute_of(offer: &Offer, attribute: &str) -> Option<String> {
    let attributes = offer.device.attributes.as_ref()?;
    let short = attribute.split_once('/').filter(|(domain, _)| *domain == offer.id.0);
    let found = attributes.get(attribute).or_else(|| attributes.get(short?.1))?;
    let text = |kind: &str, value: &dyn std::fmt::Display| format!("{kind}:{value}");
    let string = found.string.as_ref().map(|s| text("string", s));
    let version = found.version.as_ref().map(|v| text("version", v));
    let int = found.int.map(|n| text("int", &n));
    string.or(version).or(int).or(found.bool.map(|b| text("bool", &b)))
}

fn results(
    claims: usize,
    offers: &[Offer],
    requests: &[Request<'_>],
    picks: &Picks,
) -> Vec<Vec<DeviceRequestAllocationResult>> {
    let mut results = vec![Vec::new(); claims];
    for (at, offer) in picks {
        let (request, (driver, pool, device)) = (&requests[*at], offers[*offer].id.clone());
        results[request.claim].push(DeviceRequestAllocationResult {
            request: request.name.clone(),
            driver,
            pool,
            device,
            admin_access: request.admin.then_some(true),
            tolerations: (!request.tolerations.is_empty()).then(|| request.tolerations.to_vec()),
            ..DeviceRequestAllocationResult::default()
        });
    }
    results
}
