use super::*;
use crate::framework::{Plugin, Profile};
use serde_json::json;

fn read(mut fields: Value) -> Result<Configuration, ConfigError> {
    let object = fields.as_object_mut().expect("an object");
    object.insert("apiVersion".into(), "kubescheduler.config.k8s.io/v1".into());
    object.insert("kind".into(), "KubeSchedulerConfiguration".into());
    Configuration::new(fields)
}

fn profiles(fields: Value) -> Result<Vec<Arc<Profile>>, ConfigError> {
    Ok(read(fields)?.profiles(&Registry::default(), None)?.iter().cloned().collect())
}

/// Who scores, with which weight.
fn scores(profile: &Profile) -> Vec<(&str, i64)> {
    profile.at(|at| at.score.as_ref()).map(|(e, _)| (e.plugin.name(), e.weight)).collect()
}

#[test]
fn without_profiles_there_is_the_default_one() {
    let all = profiles(json!({})).expect("valid");
    assert_eq!((all.len(), all[0].name()), (1, "default-scheduler"));
    let scores = scores(&all[0]);
    assert!(scores.contains(&("TaintToleration", 3)) && scores.contains(&("NodeResourcesFit", 1)));
    assert!(!all[0].has("GangScheduling"));
}

#[test]
fn the_default_profile_is_the_one_that_a_file_gets() {
    let of = |profile: &Profile| {
        let mut all: Vec<_> =
            profile.plugins().iter().map(|e| (e.plugin.name(), e.weight)).collect();
        all.sort_unstable();
        all
    };
    let file = profiles(json!({})).expect("valid");
    assert_eq!(of(&file[0]), of(&crate::plugins::simulated_profile()));
}

#[test]
fn plugins_are_enabled_disabled_and_weighed() {
    let file = json!({"profiles": [
        {"schedulerName": "a", "plugins": {
            "score": {"disabled": [{"name": "TaintToleration"}], "enabled": [{"name": "NodeAffinity", "weight": 7}]},
            "multiPoint": {"enabled": [{"name": "GangScheduling"}, {"name": "NodeResourcesFit", "weight": 5}]}}},
        {"schedulerName": "b", "plugins": {"multiPoint": {"disabled": [{"name": "*"}], "enabled": [{"name": "PrioritySort"}]},
            "filter": {"enabled": [{"name": "NodeResourcesFit"}]}}}]});
    let all = profiles(file).expect("valid");
    let given = scores(&all[0]);
    assert!(
        given.contains(&("NodeAffinity", 7)) && given.contains(&("NodeResourcesFit", 5)),
        "{given:?}"
    );
    assert!(given.iter().all(|(name, _)| *name != "TaintToleration"));
    assert!(all[0].has("GangScheduling") && all[0].has("TaintToleration"));
    assert_eq!(scores(&all[1]), []);
    let filters: Vec<_> =
        all[1].at(|at| at.filter.as_ref()).map(|(e, _)| e.plugin.name()).collect();
    assert_eq!(filters, ["NodeResourcesFit"]);
}

#[test]
fn a_plugin_of_ones_own_can_be_named() {
    struct Mine;
    impl Plugin for Mine {
        fn name(&self) -> &'static str {
            "Mine"
        }
        fn extensions(self: Arc<Self>) -> crate::framework::Extensions {
            crate::framework::Extensions::default()
        }
    }
    let registry = Registry::default().plugin("Mine", |args, _| match args["size"].as_u64() {
        Some(_) => Ok(Mine),
        None => Err(ConfigError::Invalid("size: Required value".into())),
    });
    let file = |args: Value| {
        let plugins = json!({"multiPoint": {"enabled": [{"name": "Mine"}]}});
        read(
            json!({"profiles": [{"plugins": plugins, "pluginConfig": [{"name": "Mine", "args": args}]}]}),
        )
    };
    let made = file(json!({"size": 3})).expect("valid").profiles(&registry, None).expect("valid");
    assert!(made.first().has("Mine"));
    let error = file(json!({})).expect("valid").profiles(&registry, None).err().expect("refused");
    assert_eq!(error.to_string(), "initializing plugin \"Mine\": size: Required value");
}

#[test]
fn what_is_wrong_is_said() {
    for (file, expected) in [
        (json!({"profile": []}), "strict decoding error: unknown field `profile`"),
        (json!({"percentageOfNodesToScore": 101}), "not in valid range [0-100]"),
        (json!({"podInitialBackoffSeconds": 20}), "podMaxBackoffSeconds: Invalid value"),
        (json!({"profiles": [{}, {}]}), "profiles: Duplicate value: \"default-scheduler\""),
        (
            json!({"profiles": [{"plugins": {"filter": {"enabled": [{"name": "None"}]}}}]}),
            "plugin \"None\" does not exist",
        ),
        (
            json!({"profiles": [{"plugins": {"queueSort": {"disabled": [{"name": "*"}]}}}]}),
            "one queue sort plugin required",
        ),
        (
            json!({"profiles": [{"pluginConfig": [{"name": "DefaultPreemption", "args": {"minCandidateNodesAbsolute": "x"}}]}]}),
            "initializing plugin \"DefaultPreemption\"",
        ),
    ] {
        let error = profiles(file).err().expect("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
    let other =
        Configuration::new(json!({"apiVersion": "v1", "kind": "Pod"})).expect_err("refused");
    assert_eq!(other.to_string(), "no kind \"Pod\" is registered for version \"v1\"");
}

#[test]
fn the_rest_of_a_file_is_read() {
    let extender = json!({"urlPrefix": "http://x/", "filterVerb": "filter", "bindVerb": "bind"});
    for (wrong, why) in [
        (json!({"extenders": [{"filterVerb": "filter"}]}), "urlPrefix: Required value"),
        (json!({"extenders": [{"urlPrefix": "x", "prioritizeVerb": "p"}]}), "positive weight"),
        (json!({"extenders": [extender, extender]}), "found 2 extenders implementing bind"),
        (
            json!({"extenders": [extender], "profiles": [{"plugins": {"multiPoint": {"enabled": [
            {"name": "GangScheduling"}]}}}]}),
            "no say in gangs",
        ),
    ] {
        let error = profiles(wrong).err().expect("refused").to_string();
        assert!(error.contains(why), "{error}");
    }
    let file = json!({"clientConnection": {"kubeconfig": "/k", "qps": 50.5}, "parallelism": 16,
        "leaderElection": {"leaderElect": true}, "podMaxBackoffSeconds": 30,
        "percentageOfNodesToScore": 50,
        "extenders": [{"urlPrefix": "http://x/", "filterVerb": "filter", "enableHTTPS": true, "httpTimeout": "5s"}]});
    let configuration = read(file).expect("valid");
    assert_eq!(configuration.kubeconfig(), Some("/k"));
    assert_eq!(configuration.backoff(), (Duration::from_secs(1), Duration::from_secs(30)));
    assert!(configuration.extenders()[0].enable_https);
}
