//! From a placement to a bound pod, by the plugins of the profile.

use super::failure::Failures;
use super::reference;
use super::state::Placed;
use crate::extender::Extenders;
use crate::framework::{PermitWait, Placement, Profiles, Reason};
use crate::plugins::look;
use windlass_core::Error;
use windlass_core::events::{EventType, Recorder};

pub(super) struct Binder {
    pub(super) profiles: Profiles,
    pub(super) extenders: Extenders,
    pub(super) recorder: Recorder,
    pub(super) failures: Failures,
}

impl Binder {
    /// Asks for reservations and permits for pods that are placed together; none is left when one is refused.
    pub(super) fn reserve(&self, together: &[Placed]) -> Result<Vec<PermitWait>, Reason> {
        let mut waits = Vec::new();
        for (_, placement) in together {
            match self.try_reserve(placement) {
                Ok(more) => waits.extend(more),
                Err(reason) => {
                    together.iter().for_each(|(_, placement)| self.unreserve(placement));
                    return Err(reason);
                }
            }
        }
        Ok(waits)
    }

    fn try_reserve(&self, placement: &Placement) -> Result<Vec<PermitWait>, Reason> {
        for (_, reserve) in self.profiles.of(&placement.pod).at(|at| at.reserve.as_ref()) {
            reserve.reserve(placement)?;
        }
        let permits = self.profiles.of(&placement.pod).at(|at| at.permit.as_ref());
        permits.filter_map(|(_, permit)| permit.permit(placement).transpose()).collect()
    }

    pub(super) fn unreserve(&self, placement: &Placement) {
        for (_, reserve) in self.profiles.of(&placement.pod).at(|at| at.reserve.as_ref()) {
            reserve.unreserve(placement);
        }
    }

    /// What must be done before the pod is bound. May take long.
    pub(super) async fn prepare(&self, placement: &Placement) -> Result<(), Reason> {
        for (_, pre_bind) in self.profiles.of(&placement.pod).at(|at| at.pre_bind.as_ref()) {
            pre_bind.pre_bind(placement).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Binds, and says so.
    pub(super) async fn bind(&self, placement: &Placement) -> Result<(), Reason> {
        self.try_bind(placement).await?;
        for (_, after) in self.profiles.of(&placement.pod).at(|at| at.post_bind.as_ref()) {
            after.post_bind(placement);
        }
        let Placement { pod, node, .. } = placement;
        let text = format!("Successfully assigned {}/{} to {node}", pod.namespace, pod.name);
        self.recorder.event(reference(pod), EventType::Normal, "Scheduled", &text);
        Ok(())
    }

    async fn try_bind(&self, placement: &Placement) -> Result<(), Reason> {
        let extended = self.extenders.bind(placement).await;
        if extended.map_err(|error| error.to_string())? {
            // What it says is not what is: a pod that nobody bound would keep its room for ever.
            let none =
                Error::Transport("an extender says it has bound the pod, but has not".into());
            let bound = look(&*self.failures.client, placement, none).await;
            return Ok(bound.map_err(|error| error.to_string())?);
        }
        let mut binders = self.profiles.of(&placement.pod).at(|at| at.bind.as_ref());
        let (_, bind) = binders.next().ok_or("the profile has no Bind plugin")?;
        Ok(bind.bind(placement).await.map_err(|error| error.to_string())?)
    }
}
