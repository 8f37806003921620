//! What expressions ask the authorizer, and what it said.

use crate::authentication::User;
use crate::authorization::{Attributes, Authorizer, Decision as Decided, Selectors};
use crate::cel::{Check, Decide, Decision, Subject};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::GroupVersionResource;

/// The decisions for one request. Each is made once.
#[derive(Debug, Default)]
pub(in crate::admission) struct Decisions {
    known: Mutex<FxHashMap<Check, Decision>>,
    unknown: Mutex<Vec<Check>>,
}

// === impl Decisions ===

impl Decide for Decisions {
    fn decide(&self, check: &Check) -> Option<Decision> {
        let known = self.known.lock().get(check).cloned();
        if known.is_none() {
            self.unknown.lock().push(check.clone());
        }
        known
    }
}

impl Decisions {
    /// Asks for what was not known; whether there was something.
    pub(in crate::admission) async fn learn(
        &self,
        authorizer: &dyn Authorizer,
        user: &User,
    ) -> bool {
        let unknown = std::mem::take(&mut *self.unknown.lock());
        for check in &unknown {
            let decision = ask(authorizer, user, check).await;
            self.known.lock().insert(check.clone(), decision);
        }
        !unknown.is_empty()
    }
}

async fn ask(authorizer: &dyn Authorizer, user: &User, check: &Check) -> Decision {
    let account = check.account.as_ref().map(account);
    let user = account.as_ref().unwrap_or(user);
    let (target, selectors) = (target(&check.to), selectors(&check.to));
    let path = match &check.to {
        Subject::Path(path) => path.as_str(),
        Subject::Resource { .. } => "",
    };
    let attributes = match &target {
        Some(target) => Attributes::of(user, &check.verb, target).selecting(selectors.as_ref()),
        None => Attributes::of_path(user, &check.verb, path),
    };
    let (allowed, reason) = match authorizer.authorize(&attributes).await {
        Decided::Allow(why) => (true, why.to_string()),
        Decided::Deny(why) | Decided::NoOpinion(why) => (false, why),
    };
    Decision { allowed, reason, error: String::new() }
}

fn account((namespace, name): &(String, String)) -> User {
    let all = "system:serviceaccounts";
    let group = format!("{all}:{namespace}");
    User::new(format!("system:serviceaccount:{namespace}:{name}"), [all, group.as_str()])
}

fn selectors(subject: &Subject) -> Option<Selectors> {
    match subject {
        Subject::Path(_) => None,
        Subject::Resource { fields, labels, .. } => Selectors::parse(fields, labels),
    }
}

fn target(subject: &Subject) -> Option<ResourceTarget> {
    let Subject::Resource { group, resource, subresource, namespace, name, .. } = subject else {
        return None;
    };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Some(ResourceTarget {
        resource: GroupVersionResource {
            group: group.clone().into(),
            version: "*".into(),
            resource: resource.clone().into(),
        },
        namespace: given(namespace),
        name: given(name),
        subresource: given(subresource),
        rest: String::new(),
    })
}
