//! Opens a connection.

use super::{Outcome, Patient, dial, host, join, port};
use windlass_core::apis::core::v1::TCPSocketAction;

pub(super) async fn run(action: &TCPSocketAction, patient: &Patient) -> Outcome {
    let port = port(&action.port, &patient.container)?;
    dial(&join(&host(action.host.as_ref(), patient)?, port)).await.map(drop)
}
