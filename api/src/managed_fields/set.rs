//! Sets of paths.

use super::Element;
use std::collections::BTreeMap;

/// A set of paths, as a tree that has no empty branches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(BTreeMap<Element, Node>);

/// The end of a path, or a step on longer ones, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Whether the path that ends here is in the set.
    pub(crate) member: bool,
    /// The paths that go on from here.
    pub(crate) children: FieldSet,
}

// === impl Node ===

impl Node {
    pub(crate) fn leaf() -> Self {
        Self { member: true, children: FieldSet::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }
}

// === impl FieldSet ===

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&Node> {
        self.0.get(element)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Element, &Node)> {
        self.0.iter()
    }

    /// Adds a branch; nothing when it is empty.
    pub(crate) fn put(&mut self, element: Element, node: Node) {
        if node.is_empty() {
            return;
        }
        let slot = self.0.entry(element).or_default();
        slot.member |= node.member;
        slot.children.union(node.children);
    }

    /// Takes a path away, with all that go on from it.
    pub(crate) fn cut(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else { return };
        let element = Element::field(first);
        if rest.is_empty() {
            self.0.remove(&element);
        } else if let Some(node) = self.0.get_mut(&element) {
            node.children.cut(rest);
            if node.is_empty() {
                self.0.remove(&element);
            }
        }
    }

    /// Keeps only what begins with this field, or only what does not.
    pub(crate) fn keep(&mut self, field: &str, inside: bool) {
        let element = Element::field(field);
        self.0.retain(|at, _| (*at == element) == inside);
    }

    pub(crate) fn union(&mut self, other: Self) {
        for (element, node) in other.0 {
            self.put(element, node);
        }
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine && !theirs, Self::difference)
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| mine && theirs, Self::intersection)
    }

    /// The same with every field that has parts in the set being in it itself.
    pub(crate) fn ensure_named(&self) -> Self {
        let named = |(element, node): (&Element, &Node)| {
            let member = node.member || matches!(element, Element::Field(_));
            (element.clone(), Node { member, children: node.children.ensure_named() })
        };
        Self(self.0.iter().map(named).collect())
    }

    /// All paths, each as Kubernetes writes it: `.spec.containers[name="c"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect(&self, prefix: &str, found: &mut Vec<String>) {
        for (element, node) in &self.0 {
            let path = format!("{prefix}{element}");
            node.children.collect(&path, found);
            if node.member {
                found.push(path);
            }
        }
    }

    fn combine(
        &self,
        other: &Self,
        member: impl Fn(bool, bool) -> bool,
        children: impl Fn(&Self, &Self) -> Self,
    ) -> Self {
        let nothing = Node::default();
        let mut result = Self::default();
        for (element, mine) in &self.0 {
            let theirs = other.0.get(element).unwrap_or(&nothing);
            let node = Node {
                member: member(mine.member, theirs.member),
                children: children(&mine.children, &theirs.children),
            };
            result.put(element.clone(), node);
        }
        result
    }
}
