//! Whether the quotas of a namespace let an object be, and what is used then.

use super::asked::{Amounts, Asked};
use super::limited::{self, LimitedResource};
use std::collections::BTreeMap;
use windlass_core::apis;
use windlass_core::apis::core::v1;
use windlass_core::meta::LabelRequirement;
use windlass_core::quota::{Amount, Scopes, source};
use windlass_core::{Object, Result};

/// A quota as the controller has left it: what it has not looked at yet does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota {
    name: String,
    scopes: Scopes,
    hard: Amounts,
    used: Amounts,
}

/// What is used then, by the place of the quota in the list.
pub(super) type Charged = Vec<(usize, Amounts)>;

/// Decides. The error says why not.
pub(super) fn decide(
    quotas: &[Quota],
    asked: &Asked,
    limited: &[LimitedResource],
) -> std::result::Result<Charged, String> {
    let mut matching = Vec::new();
    let (mut covered, mut scopes) = (Vec::<String>::new(), Vec::<LabelRequirement>::new());
    for (at, quota) in quotas.iter().enumerate() {
        if let Some(it) = asked.scoped() {
            scopes.extend(quota.scopes.matching(it));
        }
        let names = quota.names_for(asked);
        if names.is_empty() || !quota.takes(asked) {
            continue;
        }
        quota.check(&names, asked)?;
        covered.extend(names.into_iter().cloned());
        matching.push(at);
    }
    if let Some(negative) = negative(&asked.usage) {
        return Err(format!("quota usage is negative for resource(s): {negative}"));
    }
    if asked.more.is_empty() && !matching.iter().any(|at| asked.enters(&quotas[*at].scopes)) {
        return Ok(vec![]);
    }
    let mut missing = limited::names(limited, asked);
    missing.retain(|name| !covered.contains(name));
    if !missing.is_empty() {
        return Err(format!("insufficient quota to consume: {}", missing.join(",")));
    }
    let mut missing = limited::scopes(limited, asked);
    missing.retain(|scope| !scopes.contains(scope));
    if !missing.is_empty() {
        let all: Vec<_> = missing.iter().map(show_scope).collect();
        return Err(format!("insufficient quota to match these scopes: [{}]", all.join(" ")));
    }
    let charge = |at: usize| {
        let all = asked.enters(&quotas[at].scopes);
        let uses = if all { &asked.usage } else { &asked.more };
        quotas[at].charge(uses).map(|used| (at, used))
    };
    let charged = matching.into_iter().map(charge).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(charged.into_iter().filter(|(_, used)| !used.is_empty()).collect())
}

// === impl Quota ===

impl Quota {
    pub(super) fn of(object: &Object) -> Result<Self> {
        let quota: v1::ResourceQuota = object.view()?;
        let status = quota.status.unwrap_or_default();
        let amounts = |list: Option<BTreeMap<String, apis::Quantity>>| {
            let list = list.into_iter().flatten();
            list.filter_map(|(name, quantity)| Some((name, quantity.0.parse().ok()?))).collect()
        };
        Ok(Self {
            name: object.name().to_owned(),
            scopes: Scopes::of(&quota.spec.unwrap_or_default()),
            hard: amounts(status.hard),
            used: amounts(status.used),
        })
    }

    /// The names it has for what is asked for.
    fn names_for(&self, asked: &Asked) -> Vec<&String> {
        self.hard.keys().filter(|name| source(name).as_ref() == Some(&asked.source)).collect()
    }

    fn takes(&self, asked: &Asked) -> bool {
        match asked.scoped() {
            Some(it) => self.scopes.take(it),
            None => self.scopes.is_empty(),
        }
    }

    /// Containers must state what is counted, and the controller must have counted.
    fn check(&self, names: &[&String], asked: &Asked) -> std::result::Result<(), String> {
        let silent = asked.silent.iter().filter(|(name, _)| names.iter().any(|one| one == *name));
        let silent: Vec<_> = silent
            .map(|(name, all)| {
                let all: Vec<_> = all.iter().map(String::as_str).collect();
                format!("{name} for: {}", all.join(","))
            })
            .collect();
        if !silent.is_empty() {
            return Err(format!("failed quota: {}: must specify {}", self.name, silent.join("; ")));
        }
        if names.iter().any(|name| !self.used.contains_key(*name)) {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            let (name, names) = (&self.name, names.join(","));
            return Err(format!("status unknown for quota: {name}, resources: {names}"));
        }
        Ok(())
    }

    /// What is used of it then.
    fn charge(&self, more: &Amounts) -> std::result::Result<Amounts, String> {
        let asked: Amounts = more
            .iter()
            .filter(|(name, _)| self.hard.contains_key(*name))
            .map(|(name, amount)| (name.clone(), *amount))
            .collect();
        let mut used = Amounts::new();
        for (name, amount) in &asked {
            let mut sum = self.used.get(name).copied().unwrap_or_default();
            sum += *amount;
            used.insert(name.clone(), sum);
        }
        let over: Vec<_> =
            used.iter().filter(|(name, sum)| sum.value > self.hard[*name].value).collect();
        if over.is_empty() {
            return Ok(used);
        }
        let show = |list: &Amounts| {
            let one =
                |name: &String| format!("{name}={}", list.get(name).copied().unwrap_or_default());
            over.iter().map(|(name, _)| one(name)).collect::<Vec<_>>().join(",")
        };
        Err(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            self.name,
            show(&asked),
            show(&self.used),
            show(&self.hard)
        ))
    }
}

fn negative(usage: &Amounts) -> Option<String> {
    let below = usage.iter().filter(|(_, amount)| amount.value < Amount::default().value);
    let below: Vec<_> = below.map(|(name, _)| name.as_str()).collect();
    (!below.is_empty()).then(|| below.join(","))
}

/// As Kubernetes prints it: `{PriorityClass In [high]}`.
fn show_scope(scope: &LabelRequirement) -> String {
    format!("{{{} {:?} [{}]}}", scope.key, scope.operator, scope.values.join(" "))
}
