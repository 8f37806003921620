use super::*;
use crate::apiextensions::schema::StructuralSchema;
use crate::validation::Path;
use serde_json::{Value, json};

const CONFIG_MAP: GroupVersionKind = GroupVersionKind::new("", "v1", "ConfigMap");
const DEPLOYMENT: GroupVersionKind = GroupVersionKind::new("apps", "v1", "Deployment");
const SERVICE: GroupVersionKind = GroupVersionKind::new("", "v1", "Service");
const GADGET: GroupVersionKind = GroupVersionKind::new("example.com", "v1", "Gadget");

fn map(value: Value) -> Map {
    value.as_object().expect("an object").clone()
}

fn config(data: Value) -> Map {
    map(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": data}))
}

struct Scene {
    gvk: GroupVersionKind,
    live: Option<Map>,
    second: i64,
    schema: Option<StructuralSchema>,
}

impl Scene {
    fn new(gvk: GroupVersionKind) -> Self {
        Self { gvk, live: None, second: 0, schema: None }
    }

    fn custom(&self) -> Option<Custom<'_>> {
        let schema = self.schema.as_ref()?;
        Some(Custom { schema: Some(schema), has_status: true })
    }

    fn try_apply(&mut self, manager: &str, config: &Map, force: bool) -> Result<bool, Status> {
        self.second += 1;
        let now = Timestamp::from_second(self.second).expect("in range");
        let live = self.live.as_ref();
        let (gvk, subresource) = (&self.gvk, "");
        let applied = apply(&Apply {
            gvk,
            live,
            config,
            manager,
            subresource,
            custom: self.custom(),
            force,
            now,
        })?;
        self.live = Some(applied.object);
        Ok(applied.changed)
    }

    fn apply(&mut self, manager: &str, config: &Map) -> bool {
        self.try_apply(manager, config, false).expect("no conflict")
    }

    fn update(&mut self, manager: &str, change: impl FnOnce(&mut Map)) {
        self.second += 1;
        let now = Timestamp::from_second(self.second).expect("in range");
        let old = self.live.clone();
        let mut new = old.clone().unwrap_or_default();
        change(&mut new);
        let request = crate::managed_fields::Update {
            gvk: &self.gvk,
            old: old.as_ref(),
            manager,
            subresource: "",
            now,
            custom: self.custom(),
        };
        crate::managed_fields::update(&mut new, &request);
        self.live = Some(new);
    }

    fn live(&self) -> &Map {
        self.live.as_ref().expect("something was applied")
    }

    fn owners(&self, path: &str) -> Vec<String> {
        let managed = Managed::of(self.live()).unwrap_or_default();
        let owns = |m: &&Manager| m.fields.paths().iter().any(|p| p == path);
        managed.0.iter().filter(owns).map(|m| m.name.clone()).collect()
    }
}

#[test]
fn a_conflict_names_the_owner_and_force_moves_the_field() {
    let mut scene = Scene::new(CONFIG_MAP);
    scene.apply("one", &config(json!({"x": "1"})));
    let refused = scene.try_apply("two", &config(json!({"x": "2"})), false);
    let status = refused.expect_err("one owns x");
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"one\": .data.x");
    assert_eq!(status.code, 409);
    let causes = status.details.expect("details").causes;
    assert_eq!(
        (causes[0].reason.as_str(), causes[0].field.as_str()),
        ("FieldManagerConflict", ".data.x")
    );

    assert!(scene.try_apply("two", &config(json!({"x": "2"})), true).expect("forced"));
    assert_eq!(scene.live()["data"], json!({"x": "2"}));
    assert_eq!(scene.owners(".data.x"), ["two"]);

    scene.apply("two", &config(json!({})));
    assert_eq!(scene.live().get("data").and_then(|data| data.get("x")), None);
}

#[test]
fn who_applies_the_same_value_owns_it_too() {
    let mut scene = Scene::new(CONFIG_MAP);
    scene.apply("one", &config(json!({"x": "1", "y": "1"})));
    scene.apply("two", &config(json!({"x": "1"})));
    assert_eq!(scene.owners(".data.x"), ["one", "two"]);
    scene.apply("one", &config(json!({})));
    assert_eq!(scene.live()["data"], json!({"x": "1"}), "two still wants x; nobody wants y");
    let status = scene.try_apply("three", &config(json!({"x": "9"})), false).expect_err("two's");
    assert!(status.message.contains("\"two\""), "{}", status.message);
}

#[test]
fn applying_again_changes_nothing() {
    let mut scene = Scene::new(CONFIG_MAP);
    assert!(scene.apply("one", &config(json!({"x": "1"}))));
    let before = scene.live().clone();
    assert!(!scene.apply("one", &config(json!({"x": "1"}))));
    assert_eq!(scene.live(), &before);
}

#[test]
fn several_conflicts_are_listed_by_owner() {
    let mut scene = Scene::new(CONFIG_MAP);
    scene.apply("one", &config(json!({"x": "1", "y": "1"})));
    scene.update("editor", |object| object["data"]["z"] = json!("1"));
    let wanted = config(json!({"x": "2", "y": "2", "z": "2"}));
    let status = scene.try_apply("two", &wanted, false).expect_err("conflicts");
    assert_eq!(
        status.message,
        "Apply failed with 3 conflicts: conflicts with \"editor\" using v1 at 1970-01-01T00:00:02Z:\n- .data.z\nconflicts with \"one\":\n- .data.x\n- .data.y"
    );
}

#[test]
fn lists_merge_by_their_keys() {
    let mut scene = Scene::new(DEPLOYMENT);
    let wanted = |containers: Value| {
        map(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": containers}}}}))
    };
    scene.apply("one", &wanted(json!([{"name": "a", "image": "a:1"}])));
    scene.apply("mesh", &wanted(json!([{"name": "sidecar", "image": "s"}])));
    scene
        .apply("one", &wanted(json!([{"name": "a", "image": "a:2"}, {"name": "b", "image": "b"}])));
    let names = |scene: &Scene| -> Vec<String> {
        let list = scene.live()["spec"]["template"]["spec"]["containers"].as_array().cloned();
        list.into_iter().flatten().map(|c| c["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(&scene), ["a", "sidecar", "b"]);
    scene.apply("one", &wanted(json!([{"name": "b", "image": "b"}])));
    assert_eq!(names(&scene), ["sidecar", "b"]);
}

#[test]
fn what_defaulting_filled_in_goes_with_its_element() {
    let mut scene = Scene::new(SERVICE);
    let wanted = |ports: Value| {
        map(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}),
        )
    };
    scene.apply("one", &wanted(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}])));
    for port in scene.live.as_mut().expect("live")["spec"]["ports"].as_array_mut().expect("ports") {
        port["protocol"] = json!("TCP");
    }
    assert!(
        !scene.apply("one", &wanted(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "b"}])))
    );
    scene.apply("one", &wanted(json!([{"port": 81, "name": "b"}])));
    let ports = scene.live()["spec"]["ports"].as_array().expect("ports");
    assert_eq!(ports.len(), 1);
    assert_eq!((&ports[0]["port"], &ports[0]["protocol"]), (&json!(81), &json!("TCP")));
}

#[test]
fn the_same_amount_in_other_words_is_no_conflict() {
    let mut scene = Scene::new(DEPLOYMENT);
    let wanted = |cpu: &str| {
        let container = json!({"name": "a", "resources": {"requests": {"cpu": cpu}}});
        map(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [container]}}}}))
    };
    scene.apply("one", &wanted("1000m"));
    let before = scene.live().clone();
    assert!(!scene.apply("one", &wanted("1000m")));
    assert_eq!(scene.live(), &before);
    scene.apply("two", &wanted("1"));
    let status = scene.try_apply("two", &wanted("2"), false).expect_err("one owns it");
    assert!(status.message.contains("resources.requests.cpu"), "{}", status.message);
}

#[test]
fn an_untracked_object_belongs_to_its_past() {
    let mut scene = Scene::new(CONFIG_MAP);
    scene.live = Some(config(json!({"x": "1"})));
    let status = scene.try_apply("one", &config(json!({"x": "2"})), false).expect_err("conflict");
    assert!(status.message.contains("\"before-first-apply\" using v1"), "{}", status.message);
    scene.apply("one", &config(json!({"x": "1", "y": "2"})));
    assert_eq!(scene.owners(".data.x"), ["one", "before-first-apply"]);
}

#[test]
fn kinds_without_a_schema_are_applied_key_by_key() {
    let mut scene = Scene::new(GADGET);
    let wanted = |spec: Value| {
        map(
            json!({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": spec}),
        )
    };
    scene.apply("one", &wanted(json!({"a": {"b": 1}, "list": [1, 2]})));
    scene.apply("two", &wanted(json!({"a": {"c": 2}})));
    assert_eq!(scene.live()["spec"], json!({"a": {"b": 1, "c": 2}, "list": [1, 2]}));
    let status = scene.try_apply("two", &wanted(json!({"list": [3]})), false).expect_err("whole");
    assert!(status.message.ends_with(".spec.list"), "{}", status.message);
}

#[test]
fn malformed_configurations_are_refused() {
    let mut scene = Scene::new(SERVICE);
    let bad = |spec: Value| {
        map(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}))
    };
    for (config, words) in [
        (bad(json!({"ports": [{"name": "x"}]})), "omits key field"),
        (bad(json!({"ports": [{"port": 1}, {"port": 1}]})), "duplicate entries"),
        (map(json!({"apiVersion": "v2", "kind": "Service"})), "Incorrect version"),
        (
            map(json!({"apiVersion": "v1", "metadata": {"managedFields": [{}]}})),
            "metadata.managedFields must be nil",
        ),
    ] {
        let status = scene.try_apply("one", &config, false).expect_err(words);
        assert!(status.message.contains(words), "{}", status.message);
        assert_eq!(status.code, 400);
    }
}

#[test]
fn custom_resources_are_applied_as_their_schema_says() {
    let mut scene = Scene::new(GADGET);
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "map": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "p"],
                "items": {"type": "object", "required": ["k"], "properties": {
                    "k": {"type": "string"}, "p": {"type": "string", "default": "TCP"}, "v": {"type": "integer"}}}},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "string"}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    scene.schema = StructuralSchema::compile(&schema, &Path::new("s")).ok();
    let wanted = |spec: Value| {
        map(json!({"apiVersion": "example.com/v1", "kind": "Gadget",
            "metadata": {"name": "g", "labels": {"a": "b"}}, "spec": spec, "status": {"x": 1}}))
    };
    scene.apply(
        "one",
        &wanted(json!({"map": [{"k": "a", "v": 1}], "set": ["x"], "labels": {"a": "1"},
        "whole": {"a": "1"}, "any": {"deep": {"a": 1}}, "list": ["x"]})),
    );
    scene.apply(
        "two",
        &wanted(json!({"map": [{"k": "b", "v": 2}], "set": ["y"], "labels": {"b": "2"},
        "any": {"deep": {"b": 2}}})),
    );
    assert_eq!(
        scene.live()["spec"],
        json!({"map": [{"k": "a", "v": 1}, {"k": "b", "v": 2}], "set": ["x", "y"], "labels": {"a": "1", "b": "2"},
            "whole": {"a": "1"}, "any": {"deep": {"a": 1, "b": 2}}, "list": ["x"]})
    );
    assert_eq!(scene.owners(".spec.map[k=\"a\",p=\"TCP\"].v"), ["one"]);
    assert_eq!(scene.owners(".metadata.labels.a"), ["one", "two"]);
    assert!(scene.owners(".status.x").is_empty(), "the status is written elsewhere");
    for (spec, path) in [
        (json!({"whole": {"b": "2"}}), ".spec.whole"),
        (json!({"list": ["y"]}), ".spec.list"),
        (json!({"map": [{"k": "a", "p": "TCP", "v": 2}]}), ".spec.map[k=\"a\",p=\"TCP\"].v"),
    ] {
        let status = scene.try_apply("two", &wanted(spec), false).expect_err("one owns it");
        assert!(status.message.ends_with(path), "{}", status.message);
    }
    scene.apply("one", &wanted(json!({"set": ["x"]})));
    assert_eq!(scene.live()["spec"]["map"], json!([{"k": "b", "v": 2}]));
    scene.update("editor", |object| object["spec"]["labels"]["c"] = json!("3"));
    assert_eq!(scene.owners(".spec.labels.c"), ["editor"]);
}

const AUTOSCALER: [GroupVersionKind; 2] = [
    GroupVersionKind::new("autoscaling", "v1", "HorizontalPodAutoscaler"),
    GroupVersionKind::new("autoscaling", "v2", "HorizontalPodAutoscaler"),
];

impl Scene {
    /// Goes on in another version.
    fn switch(&mut self, gvk: GroupVersionKind) {
        let live = self.live.take();
        self.live =
            live.map(|live| crate::registry::convert(&live, &self.gvk, &gvk).expect("it has both"));
        self.gvk = gvk;
    }
}

fn autoscaler(version: usize, spec: Value) -> Map {
    let version = AUTOSCALER[version].api_version();
    map(json!({"apiVersion": version, "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"}, "spec": spec}))
}

fn cpu(percent: u32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}])
}

#[test]
fn owners_of_another_version_are_asked_in_theirs() {
    let [v1, v2] = AUTOSCALER;
    let mut scene = Scene::new(v1.clone());
    scene.apply("old", &autoscaler(0, json!({"targetCPUUtilizationPercentage": 50})));
    scene.switch(v2.clone());
    assert!(scene.try_apply("new", &autoscaler(1, json!({"metrics": cpu(50)})), false).is_ok());
    let other = autoscaler(1, json!({"metrics": cpu(60)}));
    let refused = scene.try_apply("newer", &other, false).expect_err("both own it");
    assert!(refused.message.contains(".spec.targetCPUUtilizationPercentage"), "{refused:?}");
    assert!(refused.message.contains(".spec.metrics"), "{refused:?}");

    scene.update("anybody", |live| live["spec"]["metrics"] = cpu(70));
    assert!(scene.owners(".spec.targetCPUUtilizationPercentage").is_empty());
    assert_eq!(scene.owners(".spec.metrics"), ["anybody"]);
    scene.switch(v1);
    assert_eq!(scene.live()["spec"]["targetCPUUtilizationPercentage"], 70);
}

#[test]
fn what_was_applied_in_another_version_is_dropped_when_nobody_wants_it() {
    let [v1, v2] = AUTOSCALER;
    let old = json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50});
    for (shared, left) in [(false, Value::Null), (true, cpu(50))] {
        let mut scene = Scene::new(v1.clone());
        scene.apply("me", &autoscaler(0, old.clone()));
        scene.switch(v2.clone());
        if shared {
            scene.apply("you", &autoscaler(1, json!({"metrics": cpu(50)})));
        }
        scene.apply("me", &autoscaler(1, json!({"maxReplicas": 3})));
        let spec = scene.live()["spec"].as_object().expect("a spec");
        assert_eq!(spec.get("metrics").cloned().unwrap_or_default(), left);
        assert_eq!(spec["maxReplicas"], 3);
    }
}
