//! What `hosts.toml` says.

use super::is_local;
use base64::Engine;
use oci_client::secrets::RegistryAuth;
use std::fs;
use std::path::Path;
use toml_edit::{DocumentMut, Item, TableLike};

/// The names of the server behind `docker.io`, the one it is asked by first.
const HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// A server that has images.
#[derive(Clone)]
pub(super) struct Host {
    /// `mirror.example:5000`, maybe with a path.
    pub(super) name: String,
    /// It is told whose images it is asked for: it is not the server that their names mean.
    pub(super) mirror: bool,
    /// What a pod has for its registry is for this one.
    pub(super) trusted: bool,
    pub(super) plain_http: bool,
    pub(super) skip_verify: bool,
    /// Certificates in PEM that are trusted beside the usual ones.
    pub(super) roots: Vec<Vec<u8>>,
    /// It is asked which manifest a tag means.
    pub(super) resolve: bool,
    /// It is asked for what has a digest.
    pub(super) pull: bool,
    /// How it is told who asks.
    pub(super) auth: Option<RegistryAuth>,
}

// === impl Host ===

impl Host {
    /// The server that an image's name means.
    pub(super) fn server(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mirror: false,
            trusted: true,
            plain_http: is_local(name),
            skip_verify: false,
            roots: Vec::new(),
            resolve: true,
            pull: true,
            auth: None,
        }
    }
}

/// The hosts in the order of the file, and the server behind them.
pub(super) fn parse(text: &str, registry: &str, folder: &Path) -> Result<Vec<Host>, String> {
    let document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
    let mut hosts = Vec::new();
    for (url, item) in table(document.get("host"), "host")?.into_iter().flat_map(TableLike::iter) {
        let says = table(Some(item), url)?.ok_or_else(|| format!("\"{url}\" is no table"))?;
        hosts.push(host(url, registry, says, folder)?);
    }
    let says = document.as_table();
    let server = match string(says, "server")? {
        None => Host { plain_http: is_local(registry), ..host(registry, registry, says, folder)? },
        Some(url) => Host { trusted: true, ..host(url, registry, says, folder)? },
    };
    hosts.push(server);
    Ok(hosts)
}

/// The name of the server that a registry's images come from.
fn server(registry: &str) -> &str {
    if HUB.contains(&registry) { HUB[0] } else { registry }
}

fn host(url: &str, registry: &str, says: &dyn TableLike, folder: &Path) -> Result<Host, String> {
    let (plain_http, rest) = match url.split_once("://") {
        None => (false, url),
        Some(("https", rest)) => (false, rest),
        Some(("http", rest)) => (true, rest),
        Some((scheme, _)) => return Err(format!("\"{scheme}\" is no scheme of registries")),
    };
    let mut name = rest.trim_end_matches('/');
    if boolean(says, "override_path")? {
        // Paths of images begin with /v2 here, wherever else they may begin.
        name = name.strip_suffix("/v2").ok_or("override_path is for paths that end in /v2")?;
    }
    if says.contains_key("client") {
        return Err("client certificates are not supported".into());
    }
    let capabilities = match says.get("capabilities") {
        None => vec!["pull".to_owned(), "resolve".to_owned()],
        Some(_) => strings(says, "capabilities")?,
    };
    if let Some(unknown) =
        capabilities.iter().find(|c| !["pull", "resolve", "push"].contains(&c.as_str()))
    {
        return Err(format!("unknown capability \"{unknown}\""));
    }
    let has = |wanted: &str| capabilities.iter().any(|capability| capability == wanted);
    let roots = strings(says, "ca")?.into_iter().map(|path| {
        let path = folder.join(path);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let (name, own) = (server(name), server(name) == server(registry));
    Ok(Host {
        name: name.to_owned(),
        mirror: !own,
        trusted: own,
        plain_http,
        skip_verify: boolean(says, "skip_verify")?,
        roots: roots.collect::<Result<_, _>>()?,
        resolve: has("resolve"),
        pull: has("pull"),
        auth: authorization(table(says.get("header"), "header")?)?,
    })
}

/// Of all headers one is known.
fn authorization(headers: Option<&dyn TableLike>) -> Result<Option<RegistryAuth>, String> {
    let mut found = None;
    for (name, _) in headers.into_iter().flat_map(TableLike::iter) {
        if !name.eq_ignore_ascii_case("authorization") {
            return Err(format!("header \"{name}\" is not supported"));
        }
        let values = strings(headers.ok_or("no headers")?, name)?;
        let [value] = values.as_slice() else { return Err("authorization: give one value".into()) };
        let (kind, secret) = value.split_once(' ').unwrap_or_default();
        found = Some(match kind.to_ascii_lowercase().as_str() {
            "bearer" => RegistryAuth::Bearer(secret.to_owned()),
            "basic" => basic(secret).ok_or("authorization: malformed")?,
            _ => return Err("authorization: neither Basic nor Bearer".into()),
        });
    }
    Ok(found)
}

fn basic(secret: &str) -> Option<RegistryAuth> {
    let plain = base64::engine::general_purpose::STANDARD.decode(secret).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (name, password) = plain.split_once(':')?;
    Some(RegistryAuth::Basic(name.into(), password.into()))
}

fn table<'a>(item: Option<&'a Item>, name: &str) -> Result<Option<&'a dyn TableLike>, String> {
    let Some(item) = item else { return Ok(None) };
    item.as_table_like().map(Some).ok_or_else(|| format!("\"{name}\" is no table"))
}

fn string<'a>(says: &'a dyn TableLike, name: &str) -> Result<Option<&'a str>, String> {
    let Some(item) = says.get(name) else { return Ok(None) };
    item.as_str().map(Some).ok_or_else(|| format!("\"{name}\" is no string"))
}

fn boolean(says: &dyn TableLike, name: &str) -> Result<bool, String> {
    let Some(item) = says.get(name) else { return Ok(false) };
    item.as_bool().ok_or_else(|| format!("\"{name}\" is neither true nor false"))
}

/// One string or several.
fn strings(says: &dyn TableLike, name: &str) -> Result<Vec<String>, String> {
    let Some(item) = says.get(name) else { return Ok(Vec::new()) };
    if let Some(one) = item.as_str() {
        return Ok(vec![one.to_owned()]);
    }
    let all = item.as_array().map(|all| all.iter().map(|one| one.as_str().map(str::to_owned)));
    all.and_then(Iterator::collect).ok_or_else(|| format!("\"{name}\" is no list of strings"))
}
