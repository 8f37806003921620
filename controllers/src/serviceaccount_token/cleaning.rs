//! Token Secrets that were made for accounts in times of old, and that nobody uses: first their tokens are taken no longer,
//! then they go (KEP-2799). The API server notes when a token was last used.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use super::{SecretView, plan::TYPE};
use crate::support::wiring;
use crate::{Context, views};
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The controller that deletes token Secrets nobody uses.
pub(super) fn component(context: &Context) -> Box<dyn Component> {
    let secrets =
        context.informers.filtered::<SecretView>(scheme::SECRETS, &format!("type={TYPE}"));
    let accounts = views::headers(context, scheme::SERVICEACCOUNTS);
    let pods = views::pods(context);
    let sync = sync::Sync::new(context, secrets.clone(), accounts.clone(), pods.clone());
    let controller = Controller::new("legacy-serviceaccount-token-cleaner", sync)
        .after(secrets.synced())
        .after(accounts.synced())
        .after(pods.synced());
    wiring::itself(&secrets, &controller.queue());
    Box::new(controller)
}
