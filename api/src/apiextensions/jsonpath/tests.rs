use super::*;
use serde_json::json;

fn found(path: &str) -> Vec<Value> {
    let value = json!({
        "spec": {"replicas": 3, "a.b": "dotted", "list": [1, 2, 3, 4]},
        "status": {"conditions": [
            {"type": "Ready", "status": "True", "age": 7},
            {"type": "Done", "status": "False", "age": 9},
        ]},
    });
    let path = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    path.find(&value).into_iter().cloned().collect()
}

#[test]
fn paths_lead_where_kubectl_goes() {
    for (path, expected) in [
        (".spec.replicas", json!([3])),
        ("{.spec.replicas}", json!([3])),
        ("$.spec.replicas", json!([3])),
        (".spec['a.b']", json!(["dotted"])),
        (r".spec.a\.b", json!(["dotted"])),
        (".spec.list[0]", json!([1])),
        (".spec.list[-1]", json!([4])),
        (".spec.list[9]", json!([])),
        (".spec.list[1:3]", json!([2, 3])),
        (".spec.list[-2:]", json!([3, 4])),
        (".spec.list[::2]", json!([1, 3])),
        (".spec.list[0,2]", json!([1, 3])),
        (".spec.list[*]", json!([1, 2, 3, 4])),
        (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
        (".status.conditions[?(@.type == 'Done')].status", json!(["False"])),
        (".status.conditions[?(@.age>8)].type", json!(["Done"])),
        (".status.conditions[?(@.age<=7)].type", json!(["Ready"])),
        (".status.conditions[?(@.type!='Ready')].type", json!(["Done"])),
        (".status.conditions[?(@.nothing)].type", json!([])),
        (".status.conditions[?(@.age)].age", json!([7, 9])),
        ("..age", json!([7, 9])),
        (".status.*[0].age", json!([7])),
        (".spec.missing.deeper", json!([])),
        (".spec.replicas.deeper", json!([])),
    ] {
        assert_eq!(Value::Array(found(path)), expected, "{path}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    let bad = [
        ".spec[",
        ".spec[?(@.a",
        ".spec[a]",
        ".a..",
        ".spec['a",
        "spec",
        ".a b",
        ".a[::0]",
        ".a[?('x')]",
        ".a[99999999999999999999]",
    ];
    for path in bad {
        assert!(JsonPath::parse(path).is_err(), "{path}");
    }
    let deep = format!(".a{}1{}", "[?(@.a".repeat(40), ")]".repeat(40));
    assert!(JsonPath::parse(&deep).is_err());
}

#[test]
fn simple_paths_are_keys() {
    let keys = |text: &str| {
        let path = JsonPath::parse(text).expect("a path");
        path.keys().map(|keys| keys.join("/"))
    };
    assert_eq!(keys(".spec.replicas").as_deref(), Some("spec/replicas"));
    assert_eq!(keys(".spec['a.b'].c").as_deref(), Some("spec/a.b/c"));
    assert_eq!(keys(".spec.list[0]"), None);
}

#[test]
fn what_leads_to_the_same_again_and_again_comes_to_an_end() {
    let nested = |inner: Value, _| json!([inner, "end"]);
    let value = (0..60).fold(json!([]), nested);
    for path in ["..[*]".repeat(12), "[*,*]".repeat(50)] {
        let path = JsonPath::parse(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(path.find(&value).len() < 1_000_000);
    }
}
