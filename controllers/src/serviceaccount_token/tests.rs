use super::plan::{SecretView, Step, fill, plan};
use crate::support::testing::{cases, entry, merged};
use serde::Deserialize;
use serde_json::json;
use windlass_core::cache::HeaderOnly;

#[derive(Deserialize)]
struct Case {
    name: String,
    account: Option<String>,
    uid: Option<String>,
    #[serde(default)]
    filled: bool,
    #[serde(default)]
    deleting: bool,
    bot: Option<String>,
    does: String,
}

#[test]
fn a_secret_is_as_its_account_is() {
    for case in cases::<Case>(include_str!("tests/secrets.yaml")) {
        let notes = [("name", case.account), ("uid", case.uid)];
        let notes = notes.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let notes: std::collections::BTreeMap<_, _> = notes
            .map(|(key, value)| (format!("kubernetes.io/service-account.{key}"), value))
            .collect();
        let full = json!({"token": "eA==", "ca.crt": "eA==", "namespace": "eA=="});
        let data = if case.filled { full } else { json!({"token": ""}) };
        let deleted = case.deleting.then_some("2027-01-15T08:00:00Z");
        let meta = json!({"name": "s", "annotations": notes, "deletionTimestamp": deleted});
        let secret = entry::<SecretView>(json!({"metadata": meta, "data": data}));
        let account = case
            .bot
            .map(|uid| entry::<HeaderOnly>(json!({"metadata": {"name": "bot", "uid": uid}})));
        let account = account.as_ref().map(|account| account.object.header());
        let found = match plan(secret.object.header(), &secret.view, account) {
            Step::Nothing => "nothing",
            Step::Fill(_) => "fill",
            Step::Delete => "delete",
        };
        assert_eq!(found, case.does, "{}", case.name);
    }
}

#[test]
fn a_secret_is_filled_once_and_goes_with_its_account() {
    let bare = json!({"metadata": {"name": "s", "namespace": "ns", "uid": "u", "annotations": {"kubernetes.io/service-account.name": "bot"}}});
    let account = entry::<HeaderOnly>(
        json!({"metadata": {"name": "bot", "namespace": "ns", "uid": "bot-1"}}),
    );
    let other = entry::<HeaderOnly>(
        json!({"metadata": {"name": "bot", "namespace": "ns", "uid": "bot-2"}}),
    );
    let secret = entry::<SecretView>(bare.clone());
    let Step::Fill(claims) =
        plan(secret.object.header(), &secret.view, Some(account.object.header()))
    else {
        panic!()
    };
    assert_eq!(
        (&claims["sub"], &claims["kubernetes.io/serviceaccount/secret.name"]),
        (&json!("system:serviceaccount:ns:bot"), &json!("s"))
    );
    assert_eq!(plan(secret.object.header(), &secret.view, None), Step::Delete);

    let filled =
        entry::<SecretView>(merged(bare, fill(secret.object.header(), "bot-1", "ey", "PEM")));
    assert_eq!(
        plan(filled.object.header(), &filled.view, Some(account.object.header())),
        Step::Nothing
    );
    assert_eq!(
        plan(filled.object.header(), &filled.view, Some(other.object.header())),
        Step::Delete
    );
    let nameless = entry::<SecretView>(json!({"metadata": {"name": "s"}}));
    assert_eq!(plan(nameless.object.header(), &nameless.view, None), Step::Nothing);
}
