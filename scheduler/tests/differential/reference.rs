//! The plugins, written plainly: node by node, pod by pod, straight from the objects.

use std::collections::{BTreeMap, BTreeSet};
use windlass_core::apis::Quantity as ApiQuantity;
use windlass_core::apis::core::v1::{
    Container, Node, NodeSelectorTerm, Pod, PodAffinityTerm, Taint, TopologySpreadConstraint,
    Volume,
};
use windlass_core::apis::meta::v1::LabelSelector;

pub(crate) type Labels = BTreeMap<String, String>;

#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) pods: BTreeMap<String, Pod>,
    pub(crate) namespaces: BTreeMap<String, Labels>,
    /// Namespace and selector.
    pub(crate) services: Vec<(String, Labels)>,
    /// Selector of the ReplicaSet `owner` of a namespace.
    pub(crate) replica_sets: BTreeMap<String, Labels>,
}

fn labels(meta: &windlass_core::apis::meta::v1::ObjectMeta) -> Labels {
    meta.labels.clone().unwrap_or_default()
}

fn namespace(pod: &Pod) -> String {
    pod.metadata.namespace.clone().unwrap_or_default()
}

fn spec(pod: &Pod) -> &windlass_core::apis::core::v1::PodSpec {
    pod.spec.as_ref().expect("a spec")
}

fn label<'a>(node: &'a Node, key: &str) -> Option<&'a String> {
    node.metadata.labels.as_ref()?.get(key)
}

fn selects(selector: Option<&LabelSelector>, of: &Labels) -> bool {
    let Some(selector) = selector else { return false };
    let equal = selector.match_labels.iter().flatten().all(|(k, v)| of.get(k) == Some(v));
    let expressions = selector.match_expressions.iter().flatten().all(|e| {
        let values = e.values.clone().unwrap_or_default();
        requirement(&e.operator, of.get(&e.key), &values)
    });
    equal && expressions
}

fn requirement(operator: &str, value: Option<&String>, values: &[String]) -> bool {
    let number = |text: Option<&String>| text.and_then(|t| t.parse::<i64>().ok());
    let both = number(value).zip(number(values.first()));
    match operator {
        "In" => value.is_some_and(|v| values.contains(v)),
        "NotIn" => !value.is_some_and(|v| values.contains(v)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => both.is_some_and(|(a, b)| a > b),
        "Lt" => both.is_some_and(|(a, b)| a < b),
        _ => unreachable!("{operator}"),
    }
}

// --- node affinity, taints ---

fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.clone().unwrap_or_default();
    !expressions.is_empty()
        && expressions.iter().all(|e| {
            let values = e.values.clone().unwrap_or_default();
            requirement(&e.operator, label(node, &e.key), &values)
        })
}

pub(crate) fn node_affinity(pod: &Pod, node: &Node) -> bool {
    let selector = spec(pod).node_selector.clone().unwrap_or_default();
    let required = (|| {
        let affinity = spec(pod).affinity.as_ref()?.node_affinity.as_ref()?;
        affinity.required_during_scheduling_ignored_during_execution.as_ref()
    })();
    selector.iter().all(|(k, v)| label(node, k) == Some(v))
        && required.is_none_or(|r| r.node_selector_terms.iter().any(|t| term_matches(t, node)))
}

pub(crate) fn node_affinity_scores(pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
    let preferred = (|| {
        let affinity = spec(pod).affinity.as_ref()?.node_affinity.as_ref()?;
        affinity.preferred_during_scheduling_ignored_during_execution.clone()
    })()
    .unwrap_or_default();
    let raw = |node: &&Node| {
        let fits = preferred.iter().filter(|p| term_matches(&p.preference, node));
        fits.map(|p| i64::from(p.weight)).sum::<i64>()
    };
    by_highest(nodes.iter().map(raw).collect(), false)
}

fn by_highest(raw: Vec<i64>, reverse: bool) -> Vec<i64> {
    let highest = raw.iter().copied().max().unwrap_or(0);
    let scale = |n: i64| if highest == 0 { 0 } else { n * 100 / highest };
    raw.into_iter().map(|n| if reverse { 100 - scale(n) } else { scale(n) }).collect()
}

fn tolerated(pod: &Pod, taint: &Taint) -> bool {
    spec(pod).tolerations.iter().flatten().any(|t| {
        let empty = String::new();
        let (key, effect) = (t.key.as_ref().unwrap_or(&empty), t.effect.as_ref().unwrap_or(&empty));
        let exists = t.operator.as_deref() == Some("Exists");
        let value = t.value.as_ref().unwrap_or(&empty) == taint.value.as_ref().unwrap_or(&empty);
        (effect.is_empty() || *effect == taint.effect)
            && (key.is_empty() || *key == taint.key)
            && (exists || value)
    })
}

fn taints(node: &Node) -> Vec<Taint> {
    node.spec.as_ref().and_then(|s| s.taints.clone()).unwrap_or_default()
}

pub(crate) fn taint_toleration(pod: &Pod, node: &Node) -> bool {
    let forbidding = |t: &&Taint| t.effect != "PreferNoSchedule";
    taints(node).iter().filter(forbidding).all(|t| tolerated(pod, t))
}

pub(crate) fn taint_scores(pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
    let raw = |node: &&Node| {
        let mut seen = BTreeSet::new();
        let soft = taints(node).into_iter().filter(|t| t.effect == "PreferNoSchedule");
        let soft = soft.filter(|t| seen.insert((t.key.clone(), t.value.clone())));
        soft.filter(|t| !tolerated(pod, t)).count() as i64
    };
    by_highest(nodes.iter().map(raw).collect(), true)
}

pub(crate) fn unschedulable(pod: &Pod, node: &Node) -> bool {
    let taint = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        effect: "NoSchedule".into(),
        ..Taint::default()
    };
    let cordoned = node.spec.as_ref().and_then(|s| s.unschedulable).unwrap_or(false);
    !cordoned || tolerated(pod, &taint)
}

// --- ports, resources, images ---

impl Cluster {
    pub(crate) fn pods_on<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Pod> {
        self.pods.values().filter(|p| spec(p).node_name == node.metadata.name)
    }

    pub(crate) fn node_ports(&self, pod: &Pod, node: &Node) -> bool {
        let ports = |pod: &Pod| {
            let sidecars = spec(pod).init_containers.iter().flatten().filter(|c| is_sidecar(c));
            let all = sidecars.chain(&spec(pod).containers);
            let all = all.flat_map(|c| c.ports.clone().unwrap_or_default());
            let all = all.filter(|p| p.host_port.unwrap_or(0) > 0);
            all.map(|p| (p.host_port, p.protocol, p.host_ip.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let any = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
        let wanted = ports(pod);
        self.pods_on(node).flat_map(ports).all(|(port, protocol, ip)| {
            wanted
                .iter()
                .all(|(p, q, i)| (*p, q) != (port, &protocol) || (*i != ip && !any(i) && !any(&ip)))
        })
    }

    pub(crate) fn fits(&self, pod: &Pod, node: &Node) -> bool {
        let pods = self.pods_on(node).count() as i64;
        let short = |resource: &str| {
            let asked = request(pod, resource, false);
            let used: i64 = self.pods_on(node).map(|p| request(p, resource, false)).sum();
            asked > 0 && asked > allocatable(node, resource) - used
        };
        pods < allocatable(node, "pods") && !["cpu", "memory", "x.io/gpu"].into_iter().any(short)
    }

    fn usage(&self, pod: &Pod, node: &Node, resource: &str, assume: bool) -> (i64, i64, i64) {
        let used = self.pods_on(node).map(|p| request(p, resource, assume)).sum::<i64>();
        (allocatable(node, resource), used, used + request(pod, resource, assume))
    }

    pub(crate) fn least_allocated(&self, pod: &Pod, node: &Node) -> i64 {
        let one = |resource| {
            let (has, _, with) = self.usage(pod, node, resource, true);
            if with > has { 0 } else { (has - with) * 100 / has }
        };
        (one("cpu") + one("memory")) / 2
    }

    /// CPU counts twice, GPUs once where the pod wants some.
    pub(crate) fn most_allocated(&self, pod: &Pod, node: &Node) -> i64 {
        let (mut sum, mut weights) = (0, 0);
        for (resource, weight) in [("cpu", 2), ("x.io/gpu", 1)] {
            let (has, _, with) = self.usage(pod, node, resource, true);
            let bypassed = resource == "x.io/gpu" && request(pod, resource, true) == 0;
            if has > 0 && !bypassed {
                sum += weight * (with.min(has) * 100 / has);
                weights += weight;
            }
        }
        sum / weights
    }

    /// CPU once and memory thrice, on a curve through (10, 0), (40, 100) and (90, 30).
    pub(crate) fn on_a_curve(&self, pod: &Pod, node: &Node) -> i64 {
        let height = |at: i64| match at {
            ..=10 => 0,
            11..=40 => 100 * (at - 10) / 30,
            41..=90 => 100 - 70 * (at - 40) / 50,
            91.. => 30,
        };
        let (mut sum, mut weights) = (0, 0);
        for (resource, weight) in [("cpu", 1), ("memory", 3)] {
            let (has, _, with) = self.usage(pod, node, resource, true);
            let score = height(if with > has { 100 } else { with * 100 / has });
            if score > 0 {
                sum += weight * score;
                weights += weight;
            }
        }
        if weights == 0 { 0 } else { (sum as f64 / weights as f64).round() as i64 }
    }

    pub(crate) fn balance(&self, pod: &Pod, node: &Node) -> i64 {
        if ["cpu", "memory"].into_iter().all(|r| request(pod, r, false) == 0) {
            return 0;
        }
        let share = |resource, with: bool| {
            let (has, used, sum) = self.usage(pod, node, resource, false);
            ((if with { sum } else { used }) as f64 / has as f64).min(1.0)
        };
        let score = |with| {
            let deviation = ((share("cpu", with) - share("memory", with)) / 2.0).abs();
            ((1.0 - deviation) * 100.0) as i64
        };
        50 + (50 + score(true) - score(false)) / 2
    }

    pub(crate) fn image_locality(&self, pod: &Pod, node: &Node) -> i64 {
        let on = |node: &Node, image: &str| {
            let images = node.status.as_ref().and_then(|s| s.images.clone()).unwrap_or_default();
            let found = images.into_iter().find(|i| i.names.iter().flatten().any(|n| n == image));
            found.and_then(|i| i.size_bytes)
        };
        let (mut sum, mut count) = (0, 0);
        for container in spec(pod).init_containers.iter().flatten().chain(&spec(pod).containers) {
            count += 1;
            let image = container.image.clone().expect("an image");
            let image = if image.contains(':') { image } else { format!("{image}:latest") };
            let having = self.nodes.values().filter(|n| on(n, &image).is_some()).count();
            let spread = having as f64 / self.nodes.len() as f64;
            sum += on(node, &image).map_or(0, |size| (size as f64 * spread) as i64);
        }
        let mb = 1024 * 1024;
        let most = 1000 * mb * count;
        // Without a container there is no image to have.
        if most == 0 { 0 } else { 100 * (sum.clamp(23 * mb, most) - 23 * mb) / (most - 23 * mb) }
    }
}

fn amount(quantity: &str) -> i64 {
    let quantity: windlass_core::meta::Quantity = quantity.parse().expect("a quantity");
    quantity.milli()
}

fn allocatable(node: &Node, resource: &str) -> i64 {
    let all = node.status.as_ref().and_then(|s| s.allocatable.clone()).unwrap_or_default();
    let has = all.get(resource).map_or(0, |q| amount(&q.0));
    if resource == "pods" { has / 1000 } else { has }
}

/// What a pod needs at most at any time.
fn request(pod: &Pod, resource: &str, assume: bool) -> i64 {
    let (mut sidecars, mut most) = (0, 0);
    for init in spec(pod).init_containers.iter().flatten() {
        let asks = container_request(pod, init, resource, assume);
        most = most.max(sidecars + asks);
        sidecars += if is_sidecar(init) { asks } else { 0 };
    }
    let of = |container: &Container| container_request(pod, container, resource, assume);
    let running = sidecars + spec(pod).containers.iter().map(of).sum::<i64>();
    let overhead = spec(pod).overhead.as_ref().and_then(|all| all.get(resource));
    running.max(most) + overhead.map_or(0, |q| amount(&q.0))
}

/// While a container is resized: the most of what it asks for, has, and was promised.
fn container_request(pod: &Pod, container: &Container, resource: &str, assume: bool) -> i64 {
    let status = pod.status.clone().unwrap_or_default();
    let statuses = match spec(pod).containers.contains(container) {
        true => status.container_statuses.unwrap_or_default(),
        false if is_sidecar(container) => status.init_container_statuses.unwrap_or_default(),
        false => Vec::new(),
    };
    let of = |all: Option<BTreeMap<String, _>>| {
        all.and_then(|all| all.get(resource).map(|q: &ApiQuantity| amount(&q.0)))
    };
    let mut amounts = vec![of(container.resources.as_ref().and_then(|r| r.requests.clone()))];
    for status in statuses.into_iter().filter(|s| s.name == container.name) {
        let Some(actual) = status.resources else { continue };
        let never =
            pod.status.iter().flat_map(|s| s.conditions.iter().flatten()).any(|c| {
                c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible")
            });
        if never {
            amounts.clear();
        }
        amounts.extend([of(actual.requests), of(status.allocated_resources)]);
    }
    let asked = amounts.into_iter().flatten().max();
    asked.unwrap_or(match resource {
        "cpu" if assume => amount("100m"),
        "memory" if assume => amount("200Mi"),
        _ => 0,
    })
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

// --- names, disks ---

pub(crate) fn node_name(pod: &Pod, node: &Node) -> bool {
    let named = spec(pod).node_name.as_ref().filter(|name| !name.is_empty());
    named.is_none_or(|name| Some(name) == node.metadata.name.as_ref())
}

impl Cluster {
    pub(crate) fn disks(&self, pod: &Pod, node: &Node) -> bool {
        let volumes = |pod: &Pod| spec(pod).volumes.clone().unwrap_or_default();
        let wanted = volumes(pod);
        let clash = |there: &Volume| wanted.iter().any(|own| same_disk(own, there));
        !self.pods_on(node).flat_map(volumes).any(|there| clash(&there))
    }
}

fn same_disk(a: &Volume, b: &Volume) -> bool {
    let both_read = |a: Option<bool>, b: Option<bool>| a == Some(true) && b == Some(true);
    if let (Some(a), Some(b)) = (&a.gce_persistent_disk, &b.gce_persistent_disk) {
        return a.pd_name == b.pd_name && !both_read(a.read_only, b.read_only);
    }
    if let (Some(a), Some(b)) = (&a.aws_elastic_block_store, &b.aws_elastic_block_store) {
        return a.volume_id == b.volume_id;
    }
    if let (Some(a), Some(b)) = (&a.iscsi, &b.iscsi) {
        return a.iqn == b.iqn && !both_read(a.read_only, b.read_only);
    }
    let (Some(a), Some(b)) = (&a.rbd, &b.rbd) else { return false };
    let pool = |pool: &Option<String>| pool.clone().unwrap_or("rbd".into());
    a.monitors.iter().any(|monitor| b.monitors.contains(monitor))
        && (pool(&a.pool), &a.image) == (pool(&b.pool), &b.image)
        && !both_read(a.read_only, b.read_only)
}

// --- affinity between pods ---

impl Cluster {
    fn means(&self, term: &PodAffinityTerm, holder: &Pod, other: &Pod) -> bool {
        let names = term.namespaces.clone().unwrap_or_default();
        let own = names.is_empty() && term.namespace_selector.is_none();
        let of = self.namespaces.get(&namespace(other)).cloned().unwrap_or_default();
        let there = names.contains(&namespace(other))
            || (own && namespace(holder) == namespace(other))
            || selects(term.namespace_selector.as_ref(), &of);
        let (mine, theirs) = (labels(&holder.metadata), labels(&other.metadata));
        let same = |keys: &Option<Vec<String>>, equal: bool| {
            keys.iter().flatten().all(|key| match mine.get(key) {
                Some(value) => (theirs.get(key) == Some(value)) == equal,
                None => true,
            })
        };
        there
            && selects(term.label_selector.as_ref(), &theirs)
            && same(&term.match_label_keys, true)
            && same(&term.mismatch_label_keys, false)
    }

    fn same_place(&self, key: &str, pod: &Pod, node: &Node) -> bool {
        let there = spec(pod).node_name.as_ref().and_then(|name| self.nodes.get(name));
        let value = label(node, key);
        value.is_some() && there.is_some_and(|there| label(there, key) == value)
    }

    fn known_place(&self, key: &str, pod: &Pod) -> bool {
        let there = spec(pod).node_name.as_ref().and_then(|name| self.nodes.get(name));
        there.is_some_and(|there| label(there, key).is_some())
    }

    pub(crate) fn inter_pod_affinity(&self, pod: &Pod, node: &Node) -> bool {
        let required = required(pod, true);
        let all = |other: &Pod| required.iter().all(|term| self.means(term, pod, other));
        let company: Vec<&Pod> = self.pods.values().filter(|other| all(other)).collect();
        let near = required.iter().all(|term| {
            company.iter().any(|other| self.same_place(&term.topology_key, other, node))
        });
        let labelled = required.iter().all(|term| label(node, &term.topology_key).is_some());
        let none = !company
            .iter()
            .any(|other| required.iter().any(|term| self.known_place(&term.topology_key, other)));
        let with = near || (labelled && none && all(pod));
        let apart = self.pods.values().all(|other| {
            let mine = self::required(pod, false);
            let theirs = self::required(other, false);
            let clash = |term: &PodAffinityTerm, holder, meant| {
                self.means(term, holder, meant) && self.same_place(&term.topology_key, other, node)
            };
            !mine.iter().any(|term| clash(term, pod, other))
                && !theirs.iter().any(|term| clash(term, other, pod))
        });
        with && apart
    }

    pub(crate) fn inter_pod_affinity_scores(&self, pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
        let raw = |node: &&Node| -> i64 {
            let mut sum = 0;
            for other in self.pods.values() {
                let mut count = |weight: i32, term: &PodAffinityTerm, holder, meant| {
                    if self.means(term, holder, meant)
                        && self.same_place(&term.topology_key, other, node)
                    {
                        sum += i64::from(weight);
                    }
                };
                preferred(pod).iter().for_each(|(w, term)| count(*w, term, pod, other));
                preferred(other).iter().for_each(|(w, term)| count(*w, term, other, pod));
                required(other, true).iter().for_each(|term| count(1, term, other, pod));
            }
            sum
        };
        let raw: Vec<i64> = nodes.iter().map(raw).collect();
        let (least, most) = (*raw.iter().min().expect("nodes"), *raw.iter().max().expect("nodes"));
        let share =
            |n: i64| if most > least { (n - least) as f64 / (most - least) as f64 } else { 0.0 };
        raw.into_iter().map(|n| (100.0 * share(n)) as i64).collect()
    }
}

fn required(pod: &Pod, with: bool) -> Vec<PodAffinityTerm> {
    let Some(affinity) = &spec(pod).affinity else { return Vec::new() };
    let terms = match with {
        true => affinity
            .pod_affinity
            .as_ref()
            .and_then(|a| a.required_during_scheduling_ignored_during_execution.clone()),
        false => affinity
            .pod_anti_affinity
            .as_ref()
            .and_then(|a| a.required_during_scheduling_ignored_during_execution.clone()),
    };
    terms.unwrap_or_default()
}

fn preferred(pod: &Pod) -> Vec<(i32, PodAffinityTerm)> {
    let Some(affinity) = spec(pod).affinity.clone() else { return Vec::new() };
    let likes = affinity.pod_affinity.unwrap_or_default();
    let likes = likes.preferred_during_scheduling_ignored_during_execution.unwrap_or_default();
    let dislikes = affinity.pod_anti_affinity.unwrap_or_default();
    let dislikes =
        dislikes.preferred_during_scheduling_ignored_during_execution.unwrap_or_default();
    let likes = likes.into_iter().map(|w| (w.weight, w.pod_affinity_term));
    likes.chain(dislikes.into_iter().map(|w| (-w.weight, w.pod_affinity_term))).collect()
}

// --- spreading ---

impl Cluster {
    /// Constraints, and whether nodes need all their labels.
    fn constraints(&self, pod: &Pod, hard: bool) -> (Vec<TopologySpreadConstraint>, bool) {
        let own = spec(pod).topology_spread_constraints.clone().unwrap_or_default();
        if !own.is_empty() {
            let kind = if hard { "DoNotSchedule" } else { "ScheduleAnyway" };
            let mut own: Vec<_> =
                own.into_iter().filter(|c| c.when_unsatisfiable == kind).collect();
            for constraint in &mut own {
                for key in constraint.match_label_keys.clone().unwrap_or_default() {
                    let Some(value) = labels(&pod.metadata).get(&key).cloned() else { continue };
                    let selector =
                        constraint.label_selector.as_mut().expect("keys need a selector");
                    // A second requirement on one key as an expression: both must hold.
                    let wanted = windlass_core::apis::meta::v1::LabelSelectorRequirement {
                        key,
                        operator: "In".into(),
                        values: Some(vec![value]),
                    };
                    selector.match_expressions.get_or_insert_default().push(wanted);
                }
            }
            return (own, true);
        }
        let mine = labels(&pod.metadata);
        let mut like = Labels::new();
        for (ns, selector) in &self.services {
            let fits = selector.iter().all(|(k, v)| mine.get(k) == Some(v));
            if *ns == namespace(pod) && !selector.is_empty() && fits {
                like.extend(selector.clone());
            }
        }
        let owner = pod.metadata.owner_references.clone().unwrap_or_default();
        if owner.iter().any(|o| o.kind == "ReplicaSet") {
            like.extend(self.replica_sets.get(&namespace(pod)).cloned().unwrap_or_default());
        }
        if hard || like.is_empty() {
            return (Vec::new(), false);
        }
        let wish = |key: &str, max_skew| TopologySpreadConstraint {
            max_skew,
            topology_key: key.into(),
            label_selector: Some(LabelSelector {
                match_labels: Some(like.clone()),
                ..LabelSelector::default()
            }),
            ..TopologySpreadConstraint::default()
        };
        (vec![wish("kubernetes.io/hostname", 3), wish("topology.kubernetes.io/zone", 5)], false)
    }

    fn counts(&self, pod: &Pod, constraint: &TopologySpreadConstraint, node: &Node) -> bool {
        let honor = |policy: &Option<String>, default: &str| {
            policy.clone().unwrap_or(default.into()) == "Honor"
        };
        (!honor(&constraint.node_affinity_policy, "Honor") || node_affinity(pod, node))
            && (!honor(&constraint.node_taints_policy, "Ignore") || taint_toleration(pod, node))
    }

    fn alike(&self, pod: &Pod, constraint: &TopologySpreadConstraint, node: &Node) -> i64 {
        let counted = self.pods_on(node).filter(|other| {
            other.metadata.deletion_timestamp.is_none()
                && namespace(other) == namespace(pod)
                && selects(constraint.label_selector.as_ref(), &labels(&other.metadata))
        });
        counted.count() as i64
    }

    pub(crate) fn topology_spread(&self, pod: &Pod, node: &Node) -> bool {
        let (constraints, _) = self.constraints(pod, true);
        let complete = |n: &Node| constraints.iter().all(|c| label(n, &c.topology_key).is_some());
        constraints.iter().all(|constraint| {
            let key = &constraint.topology_key;
            let Some(place) = label(node, key) else { return false };
            let mut places: BTreeMap<&String, i64> = BTreeMap::new();
            for other in self.nodes.values() {
                if complete(other) && self.counts(pod, constraint, other) {
                    let value = label(other, key).expect("complete");
                    *places.entry(value).or_default() += self.alike(pod, constraint, other);
                }
            }
            let least = places.values().min().copied().unwrap_or(0);
            let few = (places.len() as i32) < constraint.min_domains.unwrap_or(1);
            let least = if few { 0 } else { least };
            let itself = selects(constraint.label_selector.as_ref(), &labels(&pod.metadata));
            let here = places.get(place).copied().unwrap_or(0);
            here + i64::from(itself) - least <= i64::from(constraint.max_skew)
        })
    }

    pub(crate) fn topology_spread_scores(&self, pod: &Pod, nodes: &[&Node]) -> Vec<i64> {
        let (constraints, all) = self.constraints(pod, false);
        if constraints.is_empty() {
            return vec![0; nodes.len()];
        }
        let complete =
            |n: &Node| !all || constraints.iter().all(|c| label(n, &c.topology_key).is_some());
        let rated: Vec<&&Node> = nodes.iter().filter(|n| complete(n)).collect();
        let raw = |node: &&Node| -> Option<i64> {
            if !complete(node) {
                return None;
            }
            let mut sum = 0.0;
            for constraint in &constraints {
                let key = &constraint.topology_key;
                let Some(place) = label(node, key) else { continue };
                let host = key == "kubernetes.io/hostname";
                let places: BTreeSet<_> = rated.iter().map(|n| label(n, key)).collect();
                let size = if host { rated.len() } else { places.len() };
                let count: i64 = match host {
                    true => self.alike(pod, constraint, node),
                    false => {
                        let there = self.nodes.values().filter(|n| label(n, key) == Some(place));
                        let there =
                            there.filter(|n| complete(n) && self.counts(pod, constraint, n));
                        there.map(|n| self.alike(pod, constraint, n)).sum()
                    }
                };
                sum += count as f64 * ((size + 2) as f64).ln() + f64::from(constraint.max_skew - 1);
            }
            Some(sum.round() as i64)
        };
        let raw: Vec<Option<i64>> = nodes.iter().map(raw).collect();
        let least = raw.iter().flatten().min().copied().unwrap_or(i64::MAX);
        let most = raw.iter().flatten().max().copied().unwrap_or(0);
        let scale = |n: Option<i64>| match n {
            None => 0,
            Some(_) if most == 0 => 100,
            Some(n) => 100 * (most + least - n) / most,
        };
        raw.into_iter().map(scale).collect()
    }
}
