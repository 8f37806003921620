use super::plan::{SecretView, Step, fill, plan};
use crate::support::testing::{entry, merged};
use serde_json::json;
use windlass_core::cache::HeaderOnly;

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
