//! Asks the gRPC health service (gRPC Health Checking Protocol): one call, written by hand.

use super::{Outcome, Patient, dial, host, join};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use windlass_core::apis::core::v1::GRPCAction;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u8 = 1;
/// An answer is a few bytes.
const LIMIT: usize = 4096;

pub(super) async fn run(action: &GRPCAction, patient: &Patient) -> Outcome {
    let port = u16::try_from(action.port).map_err(|_| "invalid port".to_owned())?;
    let address = join(&host(None, patient)?, port);
    let stream = dial(&address).await?;
    let io = TokioIo::new(stream);
    let failed = |error: &dyn std::fmt::Display| format!("error: health rpc failed: {error}");
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .map_err(|e| failed(&e))?;
    let request = Request::post(format!("http://{address}{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.36")
        .body(Full::new(question(action.service.as_deref().unwrap_or_default())))
        .map_err(|e| failed(&e))?;
    let ask = async {
        let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let head = grpc_status(response.headers());
        let body = http_body_util::Limited::new(response.into_body(), LIMIT);
        let body = body.collect().await.map_err(|e| failed(&e))?;
        let status = head.or_else(|| body.trailers().and_then(grpc_status));
        verdict(status.as_deref(), &body.to_bytes())
    };
    tokio::select! {
        outcome = ask => outcome,
        ended = connection => Err(failed(&ended.err().map_or("closed".to_owned(), |e| e.to_string()))),
    }
}

fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.put_u8((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.put_u8(length as u8);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put(message);
    frame.freeze()
}

fn grpc_status(headers: &http::HeaderMap) -> Option<String> {
    headers.get("grpc-status")?.to_str().ok().map(ToOwned::to_owned)
}

fn verdict(status: Option<&str>, body: &[u8]) -> Outcome {
    match status {
        Some("0") => {}
        Some("12") => return Err("error: this server does not implement the grpc health protocol (grpc.health.v1.Health)".into()),
        other => return Err(format!("error: health rpc failed: code = {}", other.unwrap_or("none"))),
    }
    // One message: a flag, a length, and the field `status` when it is not 0.
    match body.get(5..) {
        Some([0x08, SERVING, ..]) => Ok(()),
        Some([0x08, status, ..]) => {
            Err(format!("service unhealthy (responded with status {status})"))
        }
        _ => Err("service unhealthy (responded with \"UNKNOWN\")".into()),
    }
}
