//! Where a backend sends its clients, as clients of the proxy reach it.

/// The location with the proxy's path before it, when it leads to the backend itself and is not relative.
pub(in crate::nodes) fn rewritten(location: &str, prefix: &str, hosts: &[&str]) -> Option<String> {
    let path = match location.split_once("://") {
        Some(("http" | "https", rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (host, path) = rest.split_at(end);
            if !hosts.contains(&host) {
                return None;
            }
            path
        }
        _ if location.starts_with('/') && !location.starts_with("//") => location,
        _ => return None,
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let inside = path.strip_prefix(prefix);
    if inside.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
        return Some(path.to_owned());
    }
    Some(format!("{prefix}{slash}{path}"))
}
