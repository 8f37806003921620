//! A second round of changes, for plugins that want to see what others made of an object (KEP-492).

use crate::strategy::Map;
use std::collections::BTreeSet;

/// How far the changes of one object have come.
#[derive(Debug, Default)]
pub(crate) struct Reinvocation {
    second: bool,
    needed: bool,
    /// Of mutating webhooks.
    pub(super) webhooks: Invoked,
    /// Of mutating policies.
    pub(super) policies: Invoked,
}

/// What of one plugin was called and what is to be called again.
#[derive(Debug, Default)]
pub(super) struct Invoked {
    /// The object as the plugin left it. Kept only when something may have to be called again.
    output: Option<Map>,
    before: BTreeSet<String>,
    again: BTreeSet<String>,
}

// === impl Reinvocation ===

impl Reinvocation {
    /// Whether this is the second round.
    pub(super) fn is_second(&self) -> bool {
        self.second
    }

    /// The object was changed by something that is called, not built in.
    pub(super) fn changed(&mut self) {
        self.needed = true;
    }

    /// Begins the second round, if there is to be one. There is no third.
    pub(super) fn begin_second(&mut self) -> bool {
        let begins = self.needed && !self.second;
        self.second |= begins;
        begins
    }
}

// === impl Invoked ===

impl Invoked {
    /// The plugin's turn comes again: what it called before is called again if others changed the object since.
    pub(super) fn begin(&mut self, object: Option<&Map>) {
        if self.output.as_ref() != object {
            self.require();
        }
    }

    /// What was called so far is to be called again.
    pub(super) fn require(&mut self) {
        self.again.append(&mut self.before);
    }

    /// Whether this one is to be called in the second round.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.again.contains(key)
    }

    /// It was called, and wants to be called again when something changes.
    pub(super) fn called(&mut self, key: &str) {
        self.before.insert(key.to_owned());
    }

    /// The plugin's turn is over.
    pub(super) fn end(&mut self, object: Option<&Map>) {
        let kept = !self.before.is_empty() || !self.again.is_empty();
        self.output = object.filter(|_| kept).cloned();
    }
}
