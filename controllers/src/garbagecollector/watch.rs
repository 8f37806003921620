//! From changes to the graph, and from it to requests.

use super::graph::{Graph, Node, Source, Uid};
use crate::Context;
use crate::support::kinds::{Definition, Kind};
use crate::views::Headers;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::cache::{Change, HeaderOnly, Informer};
use windlass_core::client::{Client, ListOptions, Scope};
use windlass_core::component::Shutdown;
use windlass_core::workqueue::WorkQueue;

pub(super) type Queue = Arc<WorkQueue<Uid>>;

/// Keeps the nodes of one kind.
pub(super) fn follow(
    cache: &Headers,
    (kind, source): (&Kind, Source),
    graph: &Arc<Graph>,
    queue: &Queue,
) {
    let (kind, graph, queue) = (Arc::new(kind.clone()), graph.clone(), queue.clone());
    cache.on_change(move |change| {
        let header = change.object().header();
        let node = Node::new(&kind, source, header);
        let forget = |uid: &str| graph.forget(uid, &node.place);
        let old = match change {
            Change::Updated { old, .. } => Some(&*old.object.header().uid),
            _ => None,
        };
        // Made anew under the same name between two looks.
        let replaced = old.filter(|old| **old != *header.uid).map(forget).unwrap_or_default();
        let mut look = match change {
            Change::Deleted(_) => forget(&header.uid),
            _ => graph.observe(&header.uid, node),
        };
        look.extend(replaced);
        look.into_iter().for_each(|uid| queue.add(uid));
    });
}

/// Follows the kinds that definitions add, each as long as it is defined.
pub(super) fn follow_definitions(
    context: &Context,
    definitions: &Informer<Definition>,
    graph: &Arc<Graph>,
    queue: &Queue,
    shutdown: &Shutdown,
) {
    let followed: Mutex<FxHashMap<String, (Kind, Shutdown)>> = Mutex::default();
    let (client, graph, queue, shutdown) =
        (context.client.clone(), graph.clone(), queue.clone(), shutdown.clone());
    definitions.on_change(move |change| {
        let name = change.object().name();
        let mut followed = followed.lock();
        if matches!(change, Change::Deleted(_)) {
            followed.remove(name).into_iter().for_each(|(_, stop)| stop.cancel());
            return;
        }
        let Some(kind) = change.entry().view.kind() else { return };
        if followed.get(name).is_some_and(|(known, _)| *known == kind) {
            return;
        }
        let stop = shutdown.child_token();
        // Another version, say: the one that was followed may be served no longer.
        let before = followed.insert(name.to_owned(), (kind.clone(), stop.clone()));
        before.into_iter().for_each(|(_, stop)| stop.cancel());
        follow_until(&client, (&kind, Source::Own), &graph, &queue, stop);
    });
}

/// Follows one kind with a cache of its own.
pub(super) fn follow_until(
    client: &Arc<dyn Client>,
    (kind, source): (&Kind, Source),
    graph: &Arc<Graph>,
    queue: &Queue,
    stop: Shutdown,
) {
    let scope = Scope::all(kind.resource.clone());
    let cache = Arc::new(Informer::<HeaderOnly>::new(scope, ListOptions::default()));
    graph.pending().begin(&cache.synced(), &stop);
    follow(&cache, (kind, source), graph, queue);
    let (client, graph, queue) = (client.clone(), graph.clone(), queue.clone());
    let kind = Arc::new(kind.clone());
    tokio::spawn(async move {
        cache.run(client, stop).await;
        for entry in cache.list(None) {
            let header = entry.object.header();
            let place = Node::new(&kind, source, header).place;
            graph.unfollow(&header.uid, &place).into_iter().for_each(|uid| queue.add(uid));
        }
    });
}
