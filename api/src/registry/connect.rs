//! Connections: nothing is written, but admission has its say.

use super::{Registry, Write};
use crate::admission::Operation;
use crate::strategy::Map;
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionKind;

impl Registry {
    /// Whether admission lets somebody connect, with these options: an object of a kind of its own (`PodExecOptions`).
    /// What the user is told goes to the warnings of the write.
    pub(crate) async fn admit_connect(
        &self,
        write: &mut Write<'_>,
        kind: &GroupVersionKind,
        options: impl FnOnce() -> Map,
    ) -> Result<(), Status> {
        if !self.admission.handles(Operation::Connect, &write.entry.place.gvr) {
            return Ok(());
        }
        let mut request =
            write.admission(Operation::Connect, write.name, Some(options()), None, self);
        request.kind = kind;
        let admitted = self.admission.decide(&mut request).await;
        let (_, warnings) = request.close(admitted.is_ok());
        admitted?;
        write.warnings.extend(warnings);
        Ok(())
    }
}
