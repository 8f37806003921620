//! From the options of a request to what storage is asked (API concepts, "Resource versions").

use super::loopback::Loopback;
use super::{Entry, Registry, observer};
use crate::storage::{
    Continuation, EventStream, ListQuery, Page, ReadVersion, Selection, WatchFrom, WatchQuery,
};
use std::sync::Arc;
use windlass_core::client::{ListOptions, VersionMatch};
use windlass_core::meta::{FieldSelector, LabelSelector, Reason, Status, StatusCause};
use windlass_core::object::ListMeta;
use windlass_core::{Object, ObjectList};
use windlass_store::Revision;

// === impl Registry ===

impl Registry {
    pub(crate) async fn get(
        &self,
        entry: &Entry,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Arc<Object>, Status> {
        if let Some(observer) = &entry.observer {
            return observer::get((&**observer, entry), &self.objects, namespace, name).await;
        }
        let found = self.stored(entry, namespace, name).await?;
        entry.serve(found).await
    }

    /// The newest version of an object as it is stored.
    pub(super) async fn stored(
        &self,
        entry: &Entry,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Arc<Object>, Status> {
        let key = entry.place.key(namespace, name);
        let found = self.storage().get(&entry.place, &key, ReadVersion::Newest).await?;
        found.ok_or_else(|| Status::not_found(entry.group(), entry.plural(), name))
    }

    pub(crate) async fn list(
        &self,
        entry: &Entry,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<ObjectList, Status> {
        let mut query = entry.list_query(namespace, options)?;
        if let Some(observer) = &entry.observer {
            return observer::list(&**observer, &self.objects, namespace, options).await;
        }
        let fields = entry.split(&mut query.selection);
        let page = self.storage().list(&query).await;
        let mut page = page.map_err(|status| match status.reason {
            Reason::Expired if query.start.is_some() => Status::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                 You can start a new list without the continue parameter.",
            ),
            _ => status,
        })?;
        if !fields.requirements.is_empty() {
            page.remaining = None;
        }
        let meta = list_meta(entry, &query, &page);
        let mut items = entry.serve_all(page.items).await?;
        items.retain(|object| entry.selects(&fields, object));
        Ok(ObjectList { meta, items })
    }

    pub(crate) async fn watch(
        &self,
        entry: &Arc<Entry>,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<EventStream, Status> {
        let mut query = entry.watch_query(namespace, options)?;
        let fields = entry.split(&mut query.selection);
        let Loopback { storage, .. } = &self.objects;
        let stream = storage.watch(query).await?;
        Ok(match (entry.conversion, &entry.custom) {
            (Some(conversion), _) => conversion.served_events(entry.served.clone(), stream),
            (None, Some(custom)) => custom.clone().served_events(stream, fields),
            (None, None) => stream,
        })
    }
}

fn list_meta(entry: &Entry, query: &ListQuery, page: &Page) -> ListMeta {
    let token = |next| Continuation::at(&entry.place.prefix, next, page.revision).encode();
    ListMeta {
        continue_token: page.next.as_ref().map(token).unwrap_or_default(),
        remaining_item_count: page.remaining.filter(|_| query.selection.takes_all()),
        resource_version: page.revision.to_string(),
    }
}

// === impl Entry ===

impl Entry {
    pub(crate) fn list_query(
        &self,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<ListQuery, Status> {
        let selection = self.selection(namespace, options)?;
        let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
        let resource = self.place.clone();
        if options.send_initial_events.is_some() {
            return Err(invalid("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        if !options.continue_token.is_empty() {
            if !matches!(options.resource_version.as_str(), "" | "0") {
                let why = "specifying resource version is not allowed when using continue";
                return Err(Status::bad_request(why));
            }
            if options.version_match.is_some() {
                return Err(invalid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden when continue is provided",
                ));
            }
            let token = Continuation::decode(&options.continue_token)?;
            let (at, start) = (ReadVersion::Exact(token.revision), token.key(&self.place.prefix));
            return Ok(ListQuery { resource, selection, at, limit, start: Some(start) });
        }
        let at = list_version(options)?;
        Ok(ListQuery { resource, selection, at, limit, start: None })
    }

    pub(crate) fn watch_query(
        &self,
        namespace: Option<&str>,
        options: &ListOptions,
    ) -> Result<WatchQuery, Status> {
        let selection = self.selection(namespace, options)?;
        let from = watch_from(options)?;
        let bookmarks = options.allow_bookmarks;
        Ok(WatchQuery { resource: self.place.clone(), selection, from, bookmarks })
    }

    fn selection(&self, namespace: Option<&str>, o: &ListOptions) -> Result<Selection, Status> {
        let labels = LabelSelector::parse(&o.label_selector)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let mut fields = FieldSelector::parse(&o.field_selector)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        for requirement in &mut fields.requirements {
            if let Some(conversion) = self.conversion {
                requirement.field = conversion.stored_field(&requirement.field);
            }
            if !self.has_field(&requirement.field) {
                let field = &requirement.field;
                return Err(Status::bad_request(format!("field label not supported: {field}")));
            }
        }
        Ok(Selection { namespace: namespace.map(str::to_owned), labels, fields })
    }
}

fn list_version(options: &ListOptions) -> Result<ReadVersion, Status> {
    let version = parse_version(&options.resource_version)?;
    Ok(match (version, options.version_match) {
        (None, None) => ReadVersion::Newest,
        (None, Some(_)) => {
            return Err(invalid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        (Some(0), Some(VersionMatch::Exact)) => {
            return Err(invalid(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        (Some(0), _) => ReadVersion::Any,
        (Some(version), Some(VersionMatch::Exact)) => ReadVersion::Exact(version),
        (Some(version), Some(VersionMatch::NotOlderThan)) => ReadVersion::NotOlderThan(version),
        // Without a word about it a page is of that very version (API concepts, the table for lists).
        (Some(version), None) if options.limit > 0 => ReadVersion::Exact(version),
        (Some(version), None) => ReadVersion::NotOlderThan(version),
    })
}

fn watch_from(options: &ListOptions) -> Result<WatchFrom, Status> {
    let version = parse_version(&options.resource_version)?;
    let Some(initial) = options.send_initial_events else {
        if options.version_match.is_some() {
            return Err(invalid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        return Ok(match version {
            None => WatchFrom::Objects { at: ReadVersion::Newest, mark_end: false },
            Some(0) => WatchFrom::Objects { at: ReadVersion::Any, mark_end: false },
            Some(version) => WatchFrom::After(version),
        });
    };
    if options.version_match != Some(VersionMatch::NotOlderThan) {
        return Err(invalid(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let mark_end = initial && options.allow_bookmarks;
    Ok(match version {
        Some(version) if !initial && version > 0 => WatchFrom::After(version),
        None if !initial => WatchFrom::Now { at: ReadVersion::Newest },
        Some(0) if !initial => WatchFrom::Now { at: ReadVersion::Any },
        None => WatchFrom::Objects { at: ReadVersion::Newest, mark_end },
        Some(0) => WatchFrom::Objects { at: ReadVersion::Any, mark_end },
        Some(version) => WatchFrom::Objects { at: ReadVersion::NotOlderThan(version), mark_end },
    })
}

fn parse_version(text: &str) -> Result<Option<Revision>, Status> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let field = "resourceVersion";
            Status::bad_request(format!(
                "{field}: Invalid value: {text:?}: invalid resource version"
            ))
        }),
    }
}

fn invalid(field: &str, why: &str) -> Status {
    let cause = StatusCause {
        reason: "FieldValueForbidden".into(),
        message: format!("Forbidden: {why}"),
        field: field.into(),
    };
    Status::invalid("meta.k8s.io", "ListOptions", "", vec![cause])
}
