//! One family's table in the kernel: the renderer's transactions, carried out.

use std::borrow::Cow;
use std::io;

use super::encode;
use super::layout::{Layout, Settings};
use super::node;
use super::render::Renderer;
use super::uapi::NFTA_TABLE_HANDLE;
use crate::backend::Change;
use crate::model::Family;
use crate::netlink::Socket;
use crate::policy::PolicyChange;

#[derive(Debug)]
pub(super) struct Table {
    renderer: Renderer,
    layout: Layout,
    socket: Socket,
    /// Whether the kernel may hold something else than the renderer believes.
    broken: bool,
    forwarding: bool,
    /// The kernel's number of the table; one that is made anew gets another.
    handle: Option<u64>,
}

// === impl Table ===

impl Table {
    /// Makes sure that the kernel can hold the table; changes nothing yet.
    pub(super) fn open(family: Family, settings: Settings) -> io::Result<Self> {
        let (layout, mut socket) = (Layout::new(family, settings), Socket::netfilter()?);
        socket.transact(&encode::probe(&layout))?;
        Ok(Self {
            renderer: Renderer::new(family).reserving(layout.reserved()),
            layout,
            socket,
            broken: true,
            forwarding: false,
            handle: None,
        })
    }

    pub(super) fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    /// Carries out a change. After an error nothing more is applied until [`replace`](Self::replace) succeeds.
    pub(super) fn apply(&mut self, change: &Change) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the table must be replaced first"));
        }
        let transaction = self.renderer.apply(&change.updated, &change.removed);
        let policies = self.policies_of(change);
        if transaction.is_empty() && policies.is_empty() {
            return Ok(());
        }
        self.broken = true;
        self.socket.transact(&encode::batch(&self.layout, &transaction, &policies, false))?;
        self.broken = false;
        self.forward_if_used();
        Ok(())
    }

    /// Replaces the table by one with what the change adds to nothing, in one transaction.
    pub(super) fn replace(&mut self, state: &Change) -> io::Result<()> {
        let mut renderer = Renderer::new(self.renderer.family()).reserving(self.layout.reserved());
        let transaction = renderer.apply(&state.updated, &[]);
        let batch = encode::batch(&self.layout, &transaction, &self.policies_of(state), true);
        self.broken = true;
        self.socket.transact(&batch)?;
        self.handle = Some(self.current_handle()?);
        self.renderer = renderer;
        self.broken = false;
        self.forward_if_used();
        Ok(())
    }

    /// Whether the kernel still has the table that [`replace`](Self::replace) made.
    pub(super) fn is_there(&mut self) -> bool {
        self.handle.is_some() && self.current_handle().ok() == self.handle
    }

    /// The port id of the table's socket.
    pub(super) fn port_id(&self) -> io::Result<u32> {
        self.socket.port_id()
    }

    fn policies_of<'a>(&self, change: &'a Change) -> Cow<'a, PolicyChange> {
        match self.layout.has_policies() {
            true => Cow::Borrowed(&change.policies),
            false => Cow::default(),
        }
    }

    fn current_handle(&mut self) -> io::Result<u64> {
        let mut handle = None;
        self.socket.dump(&encode::query_table(self.renderer.family()), |reply| {
            let found = reply.attributes().find(|(attribute, _)| *attribute == NFTA_TABLE_HANDLE);
            handle = found.and_then(|(_, value)| value.try_into().ok()).map(u64::from_be_bytes);
        })?;
        handle.ok_or_else(|| io::Error::other("the kernel did not tell the table's handle"))
    }

    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.broken = true;
        self.socket.transact(&encode::remove_table(self.renderer.family()))
    }

    /// IPv6 forwarding makes a node a router in the eyes of its neighbours, so it waits for the
    /// first Service that needs it.
    fn forward_if_used(&mut self) {
        if self.forwarding
            || self.renderer.family() == Family::V4
            || self.renderer.ports().next().is_none()
        {
            return;
        }
        self.forwarding = true;
        if let Err(error) = node::enable_forwarding_v6() {
            tracing::warn!(%error, "IPv6 Services only reach endpoints on this node");
        }
    }
}
