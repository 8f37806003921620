//! Which plugins take part, in which order and with which weight.

use super::Reach;
use super::answers::reaches;
use super::{
    Bind, Columns, Filter, Permit, Plugin, PostBind, PostFilter, PreBind, PreEnqueue, PreFilter,
    PreScore, QueueSort, Reason, Reserve, Score,
};
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// The points a plugin extends: itself, under as many traits as it implements.
#[derive(Default, Clone)]
#[allow(missing_docs, reason = "each field is the trait of its name")]
pub struct Extensions {
    pub pre_enqueue: Option<Arc<dyn PreEnqueue>>,
    pub queue_sort: Option<Arc<dyn QueueSort>>,
    pub pre_filter: Option<Arc<dyn PreFilter>>,
    pub filter: Option<Arc<dyn Filter>>,
    pub post_filter: Option<Arc<dyn PostFilter>>,
    pub pre_score: Option<Arc<dyn PreScore>>,
    pub score: Option<Arc<dyn Score>>,
    pub reserve: Option<Arc<dyn Reserve>>,
    pub permit: Option<Arc<dyn Permit>>,
    pub pre_bind: Option<Arc<dyn PreBind>>,
    pub bind: Option<Arc<dyn Bind>>,
    pub post_bind: Option<Arc<dyn PostBind>>,
    /// The columns it reads, made empty; several plugins may name the same.
    pub columns: Vec<fn() -> Box<dyn Columns>>,
}

/// A plugin in a profile.
#[derive(Clone)]
pub(crate) struct Enabled {
    pub(crate) plugin: Arc<dyn Plugin>,
    pub(crate) at: Extensions,
    pub(crate) weight: i64,
}

/// A `schedulerName` and the plugins that place its pods.
pub struct Profile {
    name: String,
    plugins: Vec<Enabled>,
}

/// The profiles of one scheduler; at least one. Clones are the same.
#[derive(Clone)]
pub struct Profiles(Arc<[Arc<Profile>]>);

/// Makes a [`Profile`].
pub struct ProfileBuilder {
    name: String,
    plugins: Vec<Enabled>,
}

impl Profile {
    /// A profile without plugins.
    pub fn builder(name: impl Into<String>) -> ProfileBuilder {
        ProfileBuilder { name: name.into(), plugins: Vec::new() }
    }

    /// The `schedulerName` of its pods.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An empty snapshot with the columns that the plugins read.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.attach(&mut snapshot);
        snapshot
    }

    /// Attaches the columns that the plugins read. Those that are attached stay as they are.
    pub fn attach(&self, snapshot: &mut Snapshot) {
        for columns in self.plugins.iter().flat_map(|enabled| &enabled.at.columns) {
            snapshot.attach(columns());
        }
    }

    /// Why a pod may not be looked at yet, if one of its gates is closed.
    pub(crate) fn closed<'a>(
        &'a self,
        pod: &'a PodInfo,
    ) -> impl Iterator<Item = (&'static str, Reason)> {
        let gates = self.at(|at| at.pre_enqueue.as_ref());
        gates.filter_map(|(enabled, gate)| {
            Some((enabled.plugin.name(), gate.pre_enqueue(pod).err()?))
        })
    }

    /// The names of its plugins, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.plugins.iter().map(|enabled| enabled.plugin.name())
    }

    /// The same with one of its plugins alone.
    #[must_use]
    pub fn only(&self, plugin: &str) -> Self {
        let plugins = self.plugins.iter().filter(|enabled| enabled.plugin.name() == plugin);
        Self { name: self.name.clone(), plugins: plugins.cloned().collect() }
    }

    /// Whether a plugin of this name takes part.
    #[must_use]
    pub fn has(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|enabled| enabled.plugin.name() == plugin)
    }

    /// Whether some plugin looks beyond single nodes for a pod of this class.
    pub(crate) fn looks_far(&self, class: &PodClass, snapshot: &Snapshot) -> bool {
        reaches(self, class, snapshot).contains(&Reach::Cluster)
    }

    pub(crate) fn plugins(&self) -> &[Enabled] {
        &self.plugins
    }

    /// What each plugin has at one point, with the plugin's name and weight.
    pub(crate) fn at<'a, T: ?Sized + 'a>(
        &'a self,
        point: impl Fn(&'a Extensions) -> Option<&'a Arc<T>> + 'a,
    ) -> impl Iterator<Item = (&'a Enabled, &'a T)> {
        let extends = move |enabled: &'a Enabled| Some((enabled, &**point(&enabled.at)?));
        self.plugins.iter().filter_map(extends)
    }
}

impl Profiles {
    /// These profiles; none when there is not even one.
    #[must_use]
    pub fn new(profiles: Vec<Arc<Profile>>) -> Option<Self> {
        (!profiles.is_empty()).then(|| Self(profiles.into()))
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> &Arc<Profile> {
        &self.0[0]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.0.iter()
    }

    /// Attaches the columns that their plugins read. Those that are attached stay as they are.
    pub fn attach(&self, snapshot: &mut Snapshot) {
        self.iter().for_each(|profile| profile.attach(snapshot));
    }

    /// The one that a pod names. A pod that names none is the first one's.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Profile>> {
        if name.is_empty() {
            return Some(self.first());
        }
        self.0.iter().find(|profile| profile.name() == name)
    }

    /// The one that places a pod which is known to be this scheduler's.
    pub(crate) fn of(&self, pod: &PodInfo) -> &Arc<Profile> {
        self.named(&pod.scheduler_name).unwrap_or_else(|| self.first())
    }
}

impl From<Arc<Profile>> for Profiles {
    fn from(profile: Arc<Profile>) -> Self {
        Self([profile].into())
    }
}

impl From<&Arc<Profile>> for Profiles {
    fn from(profile: &Arc<Profile>) -> Self {
        profile.clone().into()
    }
}

impl From<&Profiles> for Profiles {
    fn from(profiles: &Profiles) -> Self {
        profiles.clone()
    }
}

impl From<Profile> for Profiles {
    fn from(profile: Profile) -> Self {
        Arc::new(profile).into()
    }
}

impl ProfileBuilder {
    /// Adds a plugin behind those before, its scores counted `weight` times.
    #[must_use]
    pub fn plugin(self, plugin: impl Plugin, weight: i64) -> Self {
        self.shared(Arc::new(plugin), weight, |at| at)
    }

    /// The same with one that is shared, at those of its points that `keep` leaves it.
    #[must_use]
    pub fn shared(
        mut self,
        plugin: Arc<dyn Plugin>,
        weight: i64,
        keep: impl FnOnce(Extensions) -> Extensions,
    ) -> Self {
        let at = keep(plugin.clone().extensions());
        self.plugins.push(Enabled { at, plugin, weight });
        self
    }

    /// The profile.
    #[must_use]
    pub fn build(self) -> Profile {
        Profile { name: self.name, plugins: self.plugins }
    }
}
