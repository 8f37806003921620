//! The forms of texts: what is wrong with one, in Kubernetes' words. An empty answer means nothing is.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const ENV_NAME: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// The form of the names of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain, at most 253 characters.
    #[default]
    Subdomain,
    /// RFC 1123 label, at most 63 characters.
    Label,
    /// RFC 1035 label, at most 63 characters.
    Label1035,
    /// Anything that can be one segment of a path.
    PathSegment,
}

// === impl NameRule ===

impl NameRule {
    /// What is wrong with a name. A prefix (`generateName`) may end in `-`.
    #[must_use]
    pub fn check(self, name: &str, prefix: bool) -> Vec<String> {
        // A dash at the end of a prefix will not be the end of the name.
        let shortened = name.strip_suffix('-').map(|rest| format!("{rest}a"));
        let name = shortened.as_deref().filter(|_| prefix).unwrap_or(name);
        match self {
            Self::Subdomain => dns1123_subdomain(name),
            Self::Label => dns1123_label(name),
            Self::Label1035 => dns1035_label(name),
            Self::PathSegment => path_segment(name),
        }
    }
}

/// An RFC 1123 subdomain.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let labels = || text.split('.').all(|part| is_label(part, |first| first.is_ascii_digit()));
    both(longer_than(text, 253), !labels(), SUBDOMAIN)
}

/// An RFC 1123 label.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    both(longer_than(text, 63), !is_label(text, |first| first.is_ascii_digit()), LABEL)
}

/// An RFC 1035 label.
#[must_use]
pub fn dns1035_label(text: &str) -> Vec<String> {
    both(longer_than(text, 63), !is_label(text, |_| false), LABEL_1035)
}

/// One segment of a path.
#[must_use]
pub fn path_segment(text: &str) -> Vec<String> {
    match text {
        "." | ".." => vec![format!("may not be '{text}'")],
        _ => ['/', '%']
            .into_iter()
            .filter(|bad| text.contains(*bad))
            .map(|bad| format!("may not contain '{bad}'"))
            .collect(),
    }
}

/// The key of a label, an annotation, a taint, a resource: an optional prefix and a name.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let parts: Vec<_> = text.split('/').collect();
    let (prefix, name) = match parts.as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            return vec![format!(
                "a qualified {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                QUALIFIED.replacen("name part", "name", 1)
            )];
        }
    };
    let mut found = Vec::new();
    match prefix {
        Some("") => found.push("prefix part must be non-empty".into()),
        Some(prefix) => {
            found.extend(dns1123_subdomain(prefix).into_iter().map(|m| format!("prefix part {m}")));
        }
        None => {}
    }
    if name.is_empty() {
        found.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        found.push("name part must be no more than 63 bytes".into());
    }
    if !is_word(name) {
        found.push(QUALIFIED.into());
    }
    found
}

/// The value of a label.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    both(longer_than(text, 63), !text.is_empty() && !is_word(text), LABEL_VALUE)
}

/// The name of an environment variable.
#[must_use]
pub fn env_var_name(text: &str) -> Vec<String> {
    let ok = !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=');
    both(None, !ok, ENV_NAME)
}

/// A key of a ConfigMap or a Secret.
#[must_use]
pub fn config_map_key(text: &str) -> Vec<String> {
    let bad =
        text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let mut found = both(longer_than(text, 253), bad, CONFIG_KEY);
    match text {
        "." => found.push("must not be '.'".into()),
        ".." => found.push("must not be '..'".into()),
        _ if text.starts_with("..") => found.push("must not start with '..'".into()),
        _ => {}
    }
    found
}

/// The name of a port (IANA_SVC_NAME).
#[must_use]
pub fn port_name(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.len() > 15 {
        found.push("must be no more than 15 bytes".into());
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        found.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        found.push("must contain at least one letter (a-z)".into());
    }
    if text.contains("--") {
        found.push("must not contain consecutive hyphens".into());
    }
    if text.starts_with('-') || text.ends_with('-') {
        found.push("must not begin or end with a hyphen".into());
    }
    found
}

/// The number of a port.
#[must_use]
pub fn port_number(port: i64) -> Vec<String> {
    both(None, !(1..=65535).contains(&port), "must be between 1 and 65535, inclusive")
}

/// An IP address, v4 or v6.
#[must_use]
pub fn ip_address(text: &str) -> Vec<String> {
    let bad = text.parse::<std::net::IpAddr>().is_err();
    both(None, bad, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
}

/// A network in CIDR notation.
#[must_use]
pub fn cidr(text: &str) -> Vec<String> {
    let read = || {
        let (address, prefix) = text.split_once('/')?;
        let address: std::net::IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        prefix.parse::<u8>().ok().filter(|prefix| *prefix <= most)
    };
    both(None, read().is_none(), "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
}

/// A host name that may start with `*.`.
#[must_use]
pub fn wildcard_subdomain(text: &str) -> Vec<String> {
    let Some(rest) = text.strip_prefix("*.") else {
        return vec![
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".into(),
        ];
    };
    dns1123_subdomain(rest)
}

fn both(first: Option<String>, bad: bool, message: &str) -> Vec<String> {
    first.into_iter().chain(bad.then(|| message.to_owned())).collect()
}

fn longer_than(text: &str, limit: usize) -> Option<String> {
    (text.len() > limit).then(|| format!("must be no more than {limit} bytes"))
}

fn is_label(text: &str, also_first: impl Fn(&u8) -> bool) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| b.is_ascii_lowercase() || also_first(b))
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
}

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}
