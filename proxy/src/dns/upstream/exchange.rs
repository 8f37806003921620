//! One question to one server.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Room for an answer by datagram.
const DATAGRAM: u16 = 1232;

/// Asks by datagram, and once more by stream when the answer did not fit.
///
/// Each question has a port of its own, chosen by the kernel, and an id: who wants to forge an answer
/// must guess both (RFC 5452). The caller sets the deadline.
pub(super) async fn exchange(server: SocketAddr, query: &Query, id: u16) -> io::Result<Message> {
    let mut question = encode(query, id, true)?;
    let mut answer = by_datagram(server, query, id, &question).await?;
    if answer.metadata.response_code == ResponseCode::FormErr {
        // An old server, which knows no EDNS (RFC 6891, 7).
        question = encode(query, id, false)?;
        answer = by_datagram(server, query, id, &question).await?;
    }
    if answer.metadata.truncation {
        return by_stream(server, query, id, &question).await;
    }
    Ok(answer)
}

async fn by_datagram(
    server: SocketAddr,
    query: &Query,
    id: u16,
    question: &[u8],
) -> io::Result<Message> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(DATAGRAM)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Anything else was forged, or is late.
        if let Some(answer) = decode(&buffer[..length], query, id) {
            return Ok(answer);
        }
    }
}

async fn by_stream(
    server: SocketAddr,
    query: &Query,
    id: u16,
    question: &[u8],
) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut buffer).await?;
    decode(&buffer, query, id).ok_or_else(|| io::Error::other("the answer is to another question"))
}

fn encode(query: &Query, id: u16, extended: bool) -> io::Result<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    if extended {
        let mut edns = Edns::new();
        edns.set_max_payload(DATAGRAM);
        message.set_edns(edns);
    }
    message.to_vec().map_err(io::Error::other)
}

fn decode(bytes: &[u8], query: &Query, id: u16) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let fits = answer.metadata.id == id
        && answer.metadata.message_type == MessageType::Response
        && answer
            .queries
            .first()
            .is_some_and(|asked| asked.name == query.name && asked.query_type == query.query_type);
    fits.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::{Name, RecordType};

    #[tokio::test]
    async fn a_server_without_edns_is_asked_plainly() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let mut answer = Message::from_vec(&buffer[..length]).unwrap();
                answer.metadata.message_type = MessageType::Response;
                if answer.edns.take().is_some() {
                    answer.metadata.response_code = ResponseCode::FormErr;
                }
                socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
            }
        });
        let query = Query::query(Name::from_ascii("example.org.").unwrap(), RecordType::A);
        let answer = exchange(server, &query, 7).await.unwrap();
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    }
}
