//! Secrets of type `kubernetes.io/service-account-token`: filled with a token, deleted with their account.
//!
//! Watches: such Secrets; ServiceAccounts, which map to the Secrets that name them.

mod cleaning;
mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use plan::SecretView;
use windlass_core::cache::Entry;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

const BY_ACCOUNT: &str = "account";

/// The controller of token Secrets. Idle when the settings have no signer.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let selector = format!("type={}", plan::TYPE);
    let secrets = context.informers.filtered::<SecretView>(scheme::SECRETS, &selector);
    secrets.add_index(BY_ACCOUNT, |secret: &Entry<SecretView>| {
        let account = secret.view.account();
        account
            .map(|name| ObjectKey::new(secret.object.namespace(), name).to_string())
            .into_iter()
            .collect()
    });
    let accounts = views::headers(context, scheme::SERVICEACCOUNTS);
    let sync = sync::Sync::new(context, secrets.clone(), accounts.clone());
    let controller = Controller::new("serviceaccount-token", sync)
        .after(secrets.synced())
        .after(accounts.synced());
    let queue = controller.queue();
    wiring::itself(&secrets, &queue);
    accounts.on_change(move |change| {
        let account = ObjectKey::of(change.object()).to_string();
        secrets
            .by_index(BY_ACCOUNT, &account)
            .iter()
            .for_each(|secret| queue.add(ObjectKey::of(&secret.object)));
    });
    Box::new(controller)
}

/// The controller that deletes Secrets with tokens that were made for accounts and that nobody uses.
#[must_use]
pub fn cleaning(context: &Context) -> Box<dyn Component> {
    cleaning::component(context)
}
