//! The plugins that a configuration can name: one line each.

use super::{ConfigError, KubeSchedulerProfile};
use crate::framework::{Plugin, Profile};
use crate::gang::GangScheduling;
use crate::plugins::{
    BalancedAllocation, DefaultBinder, DeviceSelectors, DynamicResources, ImageLocality,
    InterPodAffinity, NodeAffinity, NodeName, NodePorts, NodeResourcesFit, NodeResourcesFitArgs,
    NodeUnschedulable, NodeVolumeLimits, PodTopologySpread, PrioritySort, SchedulingGates,
    TaintToleration, VolumeBinding, VolumeRestrictions, VolumeZone,
};
use crate::preemption::DefaultPreemption;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use windlass_core::client::Client;

/// What plugins are made with.
#[derive(Clone, Default)]
pub struct Context {
    /// For those that write to the cluster; none when there is no cluster (what-if).
    pub client: Option<Arc<dyn Client>>,
    /// Resources that extenders manage and `NodeResourcesFit` leaves to them.
    pub ignored: Vec<String>,
    /// Evaluates CEL for `DynamicResources`.
    pub selectors: Option<Arc<dyn DeviceSelectors>>,
}

/// Makes a plugin of its arguments. No plugin: it has no place where there is no cluster.
pub type Factory =
    Arc<dyn Fn(&Value, &Context) -> Result<Option<Arc<dyn Plugin>>, ConfigError> + Send + Sync>;

/// The plugins there are, and those of them that take part unless a configuration says otherwise.
#[derive(Clone)]
pub struct Registry {
    plugins: Vec<Entry>,
    selectors: Option<Arc<dyn DeviceSelectors>>,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The weight of its scores, for one that takes part by default.
    pub(super) default: Option<i64>,
    pub(super) factory: Factory,
}

impl Default for Registry {
    /// Kubernetes' plugins.
    fn default() -> Self {
        let mut registry = Self { plugins: Vec::new(), selectors: None };
        registry.built_in("SchedulingGates", Some(0), |_| Ok(SchedulingGates));
        registry.built_in("PrioritySort", Some(0), |_| Ok(PrioritySort));
        registry.built_in("NodeUnschedulable", Some(0), |_| Ok(NodeUnschedulable));
        registry.built_in("NodeName", Some(0), |_| Ok(NodeName));
        registry.built_in("TaintToleration", Some(3), |_| Ok(TaintToleration));
        registry.built_in("NodeAffinity", Some(2), |given| Ok(NodeAffinity::new(args(given)?)));
        registry.built_in("NodePorts", Some(0), |_| Ok(NodePorts));
        registry.add("NodeResourcesFit", Some(1), |given, context| {
            let mut args: NodeResourcesFitArgs = args(given)?;
            args.ignored_resources.extend_from_slice(&context.ignored);
            Ok(Some(NodeResourcesFit::new(args)))
        });
        registry.built_in("VolumeRestrictions", Some(0), |_| Ok(VolumeRestrictions));
        registry.built_in("NodeVolumeLimits", Some(0), |_| Ok(NodeVolumeLimits));
        registry.add("VolumeBinding", Some(0), |given, context| {
            Ok(Some(VolumeBinding::new(context.client.clone(), &args(given)?)))
        });
        registry.built_in("VolumeZone", Some(0), |_| Ok(VolumeZone));
        registry.built_in("PodTopologySpread", Some(2), |given| {
            Ok(PodTopologySpread::new(args(given)?))
        });
        registry
            .built_in("InterPodAffinity", Some(2), |given| Ok(InterPodAffinity::new(args(given)?)));
        registry.add("DynamicResources", Some(0), |_, context| {
            Ok(Some(DynamicResources::new(context.client.clone(), context.selectors.clone())))
        });
        registry.built_in("NodeResourcesBalancedAllocation", Some(1), |given| {
            Ok(BalancedAllocation::new(args(given)?))
        });
        registry.built_in("ImageLocality", Some(1), |_| Ok(ImageLocality));
        registry.built_in("DefaultPreemption", Some(0), args::<DefaultPreemption>);
        registry.built_in("GangScheduling", None, |_| Ok(GangScheduling));
        registry.with_client("DefaultBinder", Some(0), |_, client| Ok(DefaultBinder::new(client)));
        registry
    }
}

impl Registry {
    /// Adds a plugin of one's own, or takes the place of one of that name. It takes part where a configuration enables it.
    #[must_use]
    pub fn plugin<P: Plugin>(
        mut self,
        name: &str,
        make: impl Fn(&Value, &Context) -> Result<P, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        let default = self.get(name).and_then(|entry| entry.default);
        self.plugins.retain(|entry| entry.name != name);
        self.add(name, default, move |args, context| make(args, context).map(Some));
        self
    }

    /// Evaluates CEL for `DynamicResources`: without it, pods whose devices are selected by CEL wait.
    #[must_use]
    pub fn device_selectors(mut self, selectors: Arc<dyn DeviceSelectors>) -> Self {
        self.selectors = Some(selectors);
        self
    }

    /// The profile `default-scheduler`: the plugins that take part by default, with Kubernetes' weights. Without a client
    /// there is none that writes to a cluster.
    #[must_use]
    pub fn default_profile(&self, client: Option<Arc<dyn Client>>) -> Profile {
        let context = self.context(client, Vec::new());
        let given = KubeSchedulerProfile::default();
        super::profile::build(&given, self, &context).expect("the defaults go together")
    }

    pub(super) fn context(&self, client: Option<Arc<dyn Client>>, ignored: Vec<String>) -> Context {
        Context { client, ignored, selectors: self.selectors.clone() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.plugins.iter().find(|entry| entry.name == name)
    }

    pub(super) fn defaults(&self) -> impl Iterator<Item = (&str, i64)> {
        self.plugins.iter().filter_map(|entry| Some((entry.name.as_str(), entry.default?)))
    }

    fn built_in<P: Plugin>(
        &mut self,
        name: &str,
        default: Option<i64>,
        make: impl Fn(&Value) -> Result<P, ConfigError> + Send + Sync + 'static,
    ) {
        self.add(name, default, move |args, _| make(args).map(Some));
    }

    fn with_client<P: Plugin>(
        &mut self,
        name: &str,
        default: Option<i64>,
        make: impl Fn(&Value, Arc<dyn Client>) -> Result<P, ConfigError> + Send + Sync + 'static,
    ) {
        self.add(name, default, move |args, context| {
            context.client.clone().map(|client| make(args, client)).transpose()
        });
    }

    fn add<P: Plugin>(
        &mut self,
        name: &str,
        default: Option<i64>,
        make: impl Fn(&Value, &Context) -> Result<Option<P>, ConfigError> + Send + Sync + 'static,
    ) {
        let label = name.to_owned();
        let factory: Factory = Arc::new(move |args, context| {
            let made = make(args, context).map_err(|error| named(&label, &error))?;
            Ok(made.map(|plugin| Arc::new(plugin) as Arc<dyn Plugin>))
        });
        self.plugins.push(Entry { name: name.to_owned(), default, factory });
    }
}

/// Reads a plugin's arguments; what is not given is as by default. Fields that are not known are refused where the type
/// does so. `apiVersion` and `kind` say nothing new.
///
/// # Errors
/// A field of a wrong type.
pub fn args<T: DeserializeOwned + Default>(args: &Value) -> Result<T, ConfigError> {
    let fields = match args {
        Value::Null => return Ok(T::default()),
        Value::Object(fields) => fields,
        _ => return Err(ConfigError::Invalid("args: must be an object".into())),
    };
    let own = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"));
    let own: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(serde_json::from_value(Value::Object(own))?)
}

fn named(plugin: &str, error: &ConfigError) -> ConfigError {
    ConfigError::Arguments { plugin: plugin.to_owned(), reason: error.to_string() }
}
