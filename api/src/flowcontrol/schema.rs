//! Which flow a request belongs to: FlowSchemas in a form that is quick to ask.

use crate::authentication::User;
use crate::authorization::Attributes;
use windlass_core::apis::flowcontrol::v1::{
    FlowSchemaSpec, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, Subject,
};

const ALL: &str = "*";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// What a FlowSchema says, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    /// Lower ones are asked first.
    pub(crate) precedence: i32,
    /// What tells its flows apart.
    pub(crate) distinguisher: Distinguisher,
    rules: Vec<Rules>,
}

/// What tells the flows of a FlowSchema apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Distinguisher {
    /// Nothing: they are one.
    #[default]
    None,
    /// Who sends.
    User,
    /// The namespace that is asked about.
    Namespace,
}

#[derive(Clone, Debug)]
struct Rules {
    subjects: Vec<Who>,
    resources: Vec<ResourcePolicyRule>,
    paths: Vec<NonResourcePolicyRule>,
}

#[derive(Clone, Debug)]
enum Who {
    AnyUser,
    User(String),
    AnyGroup,
    Group(String),
    /// A service account, by its name as a user.
    Account(String),
    /// All service accounts of a namespace, by what their names as users begin with.
    Accounts(String),
}

// === impl Matcher ===

impl Matcher {
    pub(crate) fn new(spec: &FlowSchemaSpec) -> Self {
        let method = spec.distinguisher_method.as_ref().map(|method| method.type_.as_str());
        let distinguisher = match method {
            Some("ByUser") => Distinguisher::User,
            Some("ByNamespace") => Distinguisher::Namespace,
            _ => Distinguisher::None,
        };
        let rules = spec.rules.iter().flatten().map(Rules::new).collect();
        Self { precedence: spec.matching_precedence.unwrap_or(1000), distinguisher, rules }
    }

    /// Whether a request is one of its own.
    pub(crate) fn takes(&self, attributes: &Attributes<'_>) -> bool {
        self.rules.iter().any(|rules| rules.take(attributes))
    }

    /// What tells the flow of a request apart from others of the same schema.
    pub(crate) fn flow<'a>(&self, attributes: &Attributes<'a>) -> &'a str {
        match self.distinguisher {
            Distinguisher::None => "",
            Distinguisher::User => &attributes.user.name,
            Distinguisher::Namespace => {
                attributes.resource.and_then(|target| target.namespace.as_deref()).unwrap_or("")
            }
        }
    }
}

// === impl Rules ===

impl Rules {
    fn new(rules: &PolicyRulesWithSubjects) -> Self {
        Self {
            subjects: rules.subjects.iter().filter_map(Who::new).collect(),
            resources: rules.resource_rules.clone().unwrap_or_default(),
            paths: rules.non_resource_rules.clone().unwrap_or_default(),
        }
    }

    fn take(&self, attributes: &Attributes<'_>) -> bool {
        self.subjects.iter().any(|who| who.is(attributes.user))
            && match attributes.resource {
                Some(_) => self.resources.iter().any(|rule| about_resource(rule, attributes)),
                None => self.paths.iter().any(|rule| about_path(rule, attributes)),
            }
    }
}

fn about_resource(rule: &ResourcePolicyRule, attributes: &Attributes<'_>) -> bool {
    let Some(target) = attributes.resource else { return false };
    let place = match attributes.namespace().filter(|namespace| !namespace.is_empty()) {
        Some(namespace) => has(rule.namespaces.as_deref().unwrap_or_default(), namespace),
        None => rule.cluster_scope == Some(true),
    };
    place
        && has(&rule.verbs, attributes.verb)
        && has(&rule.api_groups, &target.resource.group)
        && rule.resources.iter().any(|one| {
            one == ALL || names(one, &target.resource.resource, target.subresource.as_deref())
        })
}

/// Whether `pods` or `pods/status` names a resource or subresource.
fn names(rule: &str, resource: &str, subresource: Option<&str>) -> bool {
    match subresource {
        None => rule == resource,
        Some(subresource) => rule
            .strip_prefix(resource)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| rest == subresource),
    }
}

fn about_path(rule: &NonResourcePolicyRule, attributes: &Attributes<'_>) -> bool {
    let path = |url: &String| match url.strip_suffix('*') {
        Some(prefix) => attributes.path.starts_with(prefix),
        None => url == attributes.path,
    };
    has(&rule.verbs, attributes.verb) && rule.non_resource_urls.iter().any(path)
}

fn has(listed: &[String], wanted: &str) -> bool {
    listed.iter().any(|one| one == ALL || one == wanted)
}

// === impl Who ===

impl Who {
    fn new(subject: &Subject) -> Option<Self> {
        Some(match subject.kind.as_str() {
            "User" => match subject.user.as_ref()?.name.as_str() {
                ALL => Self::AnyUser,
                name => Self::User(name.to_owned()),
            },
            "Group" => match subject.group.as_ref()?.name.as_str() {
                ALL => Self::AnyGroup,
                name => Self::Group(name.to_owned()),
            },
            "ServiceAccount" => {
                let account = subject.service_account.as_ref()?;
                let prefix = format!("{SERVICE_ACCOUNT}{}:", account.namespace);
                match account.name.as_str() {
                    ALL => Self::Accounts(prefix),
                    name => Self::Account(prefix + name),
                }
            }
            _ => return None,
        })
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Self::AnyUser => true,
            Self::AnyGroup => !user.groups.is_empty(),
            Self::Group(group) => user.is_in(group),
            Self::User(name) | Self::Account(name) => user.name == *name,
            Self::Accounts(prefix) => user.name.starts_with(prefix),
        }
    }
}
