use super::*;

fn object(version: &str) -> Map {
    let object = json!({"apiVersion": format!("a.b/{version}"), "kind": "Car",
        "metadata": {"name": "c", "uid": "1", "labels": {"a": "b"}}, "spec": {"x": 1}});
    object.as_object().unwrap().clone()
}

fn answer(change: impl FnOnce(&mut Value)) -> Result<Vec<Map>, String> {
    let mut review = json!({"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1",
        "response": {"uid": "u", "result": {"status": "Success"}, "convertedObjects": [object("v2")]}});
    change(&mut review);
    let to = GroupVersionKind::new("a.b", "v2", "Car");
    read("v1", "u", &to, review.to_string().as_bytes(), vec![object("v1")])
}

#[test]
fn labels_change_and_the_rest_of_the_metadata_stays() {
    let taken = answer(|review| {
        review["response"]["convertedObjects"][0]["metadata"] =
            json!({"name": "c", "uid": "1", "labels": {"new": "x"}, "generation": 9});
    });
    let taken = &taken.unwrap()[0];
    assert_eq!(taken["metadata"], json!({"name": "c", "uid": "1", "labels": {"new": "x"}}));
    assert_eq!(taken["apiVersion"], "a.b/v2");
}

#[test]
fn other_answers_are_refused() {
    let refused = |change: fn(&mut Value)| answer(change).unwrap_err();
    assert_eq!(
        refused(|r| r["response"]["uid"] = json!("x")),
        "expected response.uid=\"u\", got \"x\""
    );
    let failed =
        refused(|r| r["response"]["result"] = json!({"status": "Failed", "message": "no"}));
    assert_eq!(failed, "no");
    let fewer = refused(|r| r["response"]["convertedObjects"] = json!([]));
    assert_eq!(fewer, "webhook returned 0 objects, expected 1");
    for change in [
        (|r| r["response"]["convertedObjects"][0]["apiVersion"] = json!("a.b/v3"))
            as fn(&mut Value),
        |r| r["response"]["convertedObjects"][0]["kind"] = json!("Van"),
        |r| r["response"]["convertedObjects"][0]["metadata"]["name"] = json!("d"),
        |r| r["response"]["convertedObjects"][0]["metadata"]["labels"] = json!({"a": 1}),
        |r| r["response"]["convertedObjects"][0] = json!(1),
    ] {
        let why = refused(change);
        assert!(why.starts_with("webhook returned invalid converted object at index 0: "), "{why}");
    }
    assert!(
        refused(|r| r["apiVersion"] = json!("apiextensions.k8s.io/v2"))
            .starts_with("expected webhook")
    );
    assert_eq!(
        refused(|r| _ = r.as_object_mut().unwrap().shift_remove("response")),
        "no response provided"
    );
}
