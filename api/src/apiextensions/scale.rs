//! Where the objects of a defined kind say how many they are (`subresources.scale`).

use super::jsonpath::JsonPath;
use crate::strategy::Map;
use crate::strategy::json::map_mut;
use serde_json::Value;
use windlass_core::meta::Status;

/// How many of something there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scale {
    /// As many as there shall be.
    pub(crate) replicas: i64,
    /// As many as there are.
    pub(crate) current: i64,
    /// The labels of what is counted, as a query has them.
    pub(crate) selector: Option<String>,
}

/// The paths to it, each from key to key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScalePaths {
    replicas: Box<[String]>,
    current: Box<[String]>,
    selector: Option<Box<[String]>>,
}

// === impl ScalePaths ===

impl ScalePaths {
    /// `None` when one of them is none that can be followed.
    pub(super) fn new(replicas: &str, current: &str, selector: Option<&str>) -> Option<Self> {
        let selector = match selector.filter(|path| !path.is_empty()) {
            Some(path) => Some(keys(path)?),
            None => None,
        };
        Some(Self { replicas: keys(replicas)?, current: keys(current)?, selector })
    }

    /// The scale of an object.
    pub(crate) fn read(&self, object: &Map) -> Result<Scale, Status> {
        let number = |path: &[String]| at(object, path).and_then(Value::as_i64);
        let Some(replicas) = number(&self.replicas) else {
            let path = self.replicas.join(".");
            let text = format!("the spec replicas field \".{path}\" does not exist");
            return Err(Status::internal(text));
        };
        let selector = self
            .selector
            .as_deref()
            .map(|path| at(object, path).and_then(Value::as_str).unwrap_or_default().to_owned());
        let selector = selector.filter(|selector| !selector.is_empty());
        Ok(Scale { replicas, current: number(&self.current).unwrap_or(0), selector })
    }

    /// Says how many there shall be.
    pub(crate) fn set(&self, object: &mut Map, replicas: i64) {
        let (last, parents) = self.replicas.split_last().expect("a path has at least one key");
        let parent = parents.iter().fold(object, |map, key| map_mut(map, key));
        parent.insert(last.clone(), replicas.into());
    }

    /// The path and the value of what is no number of something.
    pub(super) fn fault(&self, object: &Map) -> Option<(String, Value)> {
        let negative = |path: &[String]| {
            let value = at(object, path)?;
            (value.as_i64()? < 0).then(|| (path.join("."), value.clone()))
        };
        negative(&self.replicas).or_else(|| negative(&self.current))
    }
}

fn keys(path: &str) -> Option<Box<[String]>> {
    let path = JsonPath::parse(path).ok()?;
    let keys: Box<[_]> = path.keys()?.into_iter().map(str::to_owned).collect();
    (!keys.is_empty()).then_some(keys)
}

fn at<'a>(object: &'a Map, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.get(first)?, |value, key| value.get(key))
}
