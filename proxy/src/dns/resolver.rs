//! What is answered to a message: from the zone at once, else from other servers.

use std::sync::Arc;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};
use parking_lot::RwLock;

use super::catalog::Catalog;
use super::upstream::Upstream;
use super::zone::{Found, Zone};

/// So many names may stand one for another.
const MAX_ALIASES: usize = 8;
/// The greatest datagram that is not cut to pieces on its way (DNS flag day 2020).
const MAX_DATAGRAM: u16 = 1232;
/// The greatest to who says nothing of it (RFC 1035).
const PLAIN_DATAGRAM: u16 = 512;

/// Answers questions.
pub(super) struct Resolver {
    pub(super) zone: Zone,
    pub(super) catalog: RwLock<Catalog>,
    pub(super) upstream: Arc<Upstream>,
}

/// What is to be done about a message.
pub(super) enum Verdict {
    /// It is answered.
    Answer(Message),
    /// Other servers know the rest.
    Ask(Box<Rest>),
    /// It gets no answer.
    Silence,
}

/// A verdict, and how long a datagram to the client may be.
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) limit: u16,
}

/// A question that is answered in part.
pub(super) struct Rest {
    answer: Message,
    query: Query,
}

// === impl Resolver ===

impl Resolver {
    /// Decides without waiting.
    pub(super) fn decide(&self, bytes: &[u8]) -> Decision {
        let request = match Message::read(&mut BinDecoder::new(bytes)) {
            Ok(request) => request,
            Err(_) => return Decision { verdict: malformed(bytes), limit: PLAIN_DATAGRAM },
        };
        Decision { verdict: self.judge(&request), limit: datagram_limit(&request) }
    }

    fn judge(&self, request: &Message) -> Verdict {
        if request.metadata.message_type == MessageType::Response {
            return Verdict::Silence;
        }
        let answer = prepare(request);
        match check(request) {
            Err(code) => Verdict::Answer(failed(answer, code)),
            Ok(query) => self.look_up(query.clone(), answer),
        }
    }

    /// Asks other servers for the rest. A failure is an answer too.
    pub(super) async fn complete(&self, rest: Rest) -> Message {
        let Rest { mut answer, query } = rest;
        match self.upstream.resolve(&query).await {
            Ok(found) => merge(&mut answer, found),
            Err(error) => {
                tracing::debug!(%error, name = %query.name, "no answer from other servers");
                answer.metadata.response_code = ResponseCode::ServFail;
            }
        }
        answer
    }

    fn look_up(&self, query: Query, mut answer: Message) -> Verdict {
        let catalog = self.catalog.read();
        let mut name = query.name.clone();
        for _ in 0..MAX_ALIASES {
            match self.zone.find(&catalog, &name, query.query_type) {
                Found::Records { answers, additionals } => {
                    answer.answers.extend(turned(answers, answer.metadata.id));
                    answer.additionals = additionals;
                    return authoritative(answer);
                }
                Found::Alias(record, target) => {
                    answer.answers.push(*record);
                    if query.query_type == RecordType::CNAME {
                        return authoritative(answer);
                    }
                    name = target;
                }
                Found::NoData => return self.absent(&catalog, answer, ResponseCode::NoError),
                Found::NoName => return self.absent(&catalog, answer, ResponseCode::NXDomain),
                Found::Elsewhere => return self.elsewhere(&query, name, answer),
            }
        }
        Verdict::Answer(failed(answer, ResponseCode::ServFail))
    }

    fn absent(&self, catalog: &Catalog, mut answer: Message, code: ResponseCode) -> Verdict {
        answer.metadata.response_code = code;
        answer.authorities.push(self.zone.start_of_authority(catalog));
        authoritative(answer)
    }

    fn elsewhere(&self, query: &Query, name: Name, mut answer: Message) -> Verdict {
        if !answer.metadata.recursion_desired {
            return Verdict::Answer(failed(answer, ResponseCode::Refused));
        }
        let mut query = query.clone();
        query.name = name;
        match self.upstream.cached(&query) {
            Some(found) => {
                merge(&mut answer, found);
                Verdict::Answer(answer)
            }
            None => Verdict::Ask(Box::new(Rest { answer, query })),
        }
    }
}

// === impl Rest ===

impl Rest {
    /// The answer when nobody can be asked.
    pub(super) fn give_up(self) -> Message {
        failed(self.answer, ResponseCode::ServFail)
    }
}

/// The answer's bytes. What does not fit in `limit` is left out, and the message says so.
pub(super) fn encode(answer: &Message, limit: u16) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::from(PLAIN_DATAGRAM));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit);
    match answer.emit(&mut encoder) {
        Ok(()) => Some(bytes),
        Err(error) => {
            tracing::warn!(%error, "an answer can't be encoded");
            None
        }
    }
}

fn datagram_limit(request: &Message) -> u16 {
    let asked = request.edns.as_ref().map(Edns::max_payload);
    asked.map_or(PLAIN_DATAGRAM, |asked| asked.clamp(PLAIN_DATAGRAM, MAX_DATAGRAM))
}

fn prepare(request: &Message) -> Message {
    let mut answer =
        Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&request.metadata);
    answer.metadata.recursion_available = true;
    answer.queries.clone_from(&request.queries);
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_DATAGRAM);
        answer.edns = Some(edns);
    }
    answer
}

fn check(request: &Message) -> Result<&Query, ResponseCode> {
    if request.metadata.op_code != OpCode::Query {
        return Err(ResponseCode::NotImp);
    }
    if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Err(ResponseCode::BADVERS);
    }
    let [query] = request.queries.as_slice() else { return Err(ResponseCode::FormErr) };
    let transfer = matches!(query.query_type, RecordType::AXFR | RecordType::IXFR);
    if transfer || !matches!(query.query_class, DNSClass::IN | DNSClass::ANY) {
        return Err(ResponseCode::Refused);
    }
    Ok(query)
}

/// A message that can't be read gets an answer if it has a header, and is not an answer itself.
fn malformed(bytes: &[u8]) -> Verdict {
    let &[high, low, flags, ..] = bytes else { return Verdict::Silence };
    if bytes.len() < 12 || flags & 0x80 != 0 {
        return Verdict::Silence;
    }
    let id = u16::from_be_bytes([high, low]);
    Verdict::Answer(Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
}

fn authoritative(mut answer: Message) -> Verdict {
    answer.metadata.authoritative = true;
    Verdict::Answer(answer)
}

fn failed(mut answer: Message, code: ResponseCode) -> Message {
    answer.metadata.response_code = code;
    answer
}

/// The same records, begun with another each time: clients take the first.
fn turned(mut records: Vec<Record>, id: u16) -> Vec<Record> {
    if records.len() > 1 {
        let by = usize::from(id) % records.len();
        records.rotate_left(by);
    }
    records
}

fn merge(answer: &mut Message, found: Message) {
    answer.metadata.response_code = found.metadata.response_code;
    answer.answers.extend(found.answers);
    answer.authorities.extend(found.authorities);
}
