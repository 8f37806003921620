//! Answers of other servers, for as long as they allow.

use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, RData, RecordType};
use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// No larger answer is kept, in bytes: with the number of them it bounds what clients can make this one hold.
const LARGEST: usize = 4096;
/// So many answers are kept.
const CAPACITY: usize = 10_000;
/// An answer is kept no longer, whatever it says.
const LONGEST: u32 = 3600;
/// An absence is kept no longer (RFC 2308 advises against days).
const LONGEST_ABSENCE: u32 = 300;

type Key = (LowerName, RecordType, DNSClass);

/// What was said, by question.
#[derive(Default)]
pub(super) struct Cache {
    answers: FxHashMap<Key, Kept>,
}

struct Kept {
    /// As on the wire, which takes a tenth of the room of records.
    answer: Vec<u8>,
    since: Instant,
    until: Instant,
}

// === impl Cache ===

impl Cache {
    /// An answer that still holds; its times to live are what is left of them.
    pub(super) fn get(&mut self, query: &Query) -> Option<Message> {
        let now = Instant::now();
        let kept = self.answers.get(&key(query)).filter(|kept| kept.until > now)?;
        let mut answer = Message::from_vec(&kept.answer).ok()?;
        let age = u32::try_from((now - kept.since).as_secs()).unwrap_or(u32::MAX);
        let records = answer.answers.iter_mut().chain(&mut answer.authorities);
        records.for_each(|record| {
            record.decrement_ttl(age);
        });
        Some(answer)
    }

    /// Keeps an answer, if it may be kept at all.
    pub(super) fn put(&mut self, query: &Query, answer: &Message) {
        let Some(lifetime) = lifetime(answer) else { return };
        let mut answer = answer.clone();
        answer.additionals.clear();
        // What can't be encoded can't be sent to a client either.
        let Some(answer) = answer.to_vec().ok().filter(|bytes| bytes.len() <= LARGEST) else {
            return;
        };
        let now = Instant::now();
        self.make_room(now);
        self.answers.insert(key(query), Kept { answer, since: now, until: now + lifetime });
    }

    fn make_room(&mut self, now: Instant) {
        if self.answers.len() < CAPACITY {
            return;
        }
        self.answers.retain(|_, kept| kept.until > now);
        // Whichever comes first of a hash table is as good as drawn.
        while self.answers.len() >= CAPACITY {
            let Some(key) = self.answers.keys().next().cloned() else { return };
            self.answers.remove(&key);
        }
    }
}

fn key(query: &Query) -> Key {
    (LowerName::new(&query.name), query.query_type, query.query_class)
}

/// How long an answer holds; none for one that says nothing of it.
fn lifetime(answer: &Message) -> Option<Duration> {
    let seconds = match answer.metadata.response_code {
        ResponseCode::NoError if !answer.answers.is_empty() => {
            answer.answers.iter().map(|record| record.ttl).min()?.min(LONGEST)
        }
        ResponseCode::NoError | ResponseCode::NXDomain => absence(answer)?.min(LONGEST_ABSENCE),
        _ => return None,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

/// RFC 2308: as long as the start of authority says.
fn absence(answer: &Message) -> Option<u32> {
    answer.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{MessageType, OpCode};
    use hickory_proto::rr::rdata::{A, SOA};
    use hickory_proto::rr::{Name, Record};

    fn question(name: &str) -> Query {
        Query::query(Name::from_ascii(name).unwrap(), RecordType::A)
    }

    fn answer(ttl: u32) -> Message {
        let mut answer = Message::new(1, MessageType::Response, OpCode::Query);
        let name = Name::from_ascii("example.org.").unwrap();
        answer.add_answer(Record::from_rdata(name, ttl, RData::A(A([192, 0, 2, 1].into()))));
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn times_run_down() {
        let mut cache = Cache::default();
        cache.put(&question("example.org."), &answer(30));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(cache.get(&question("EXAMPLE.org.")).unwrap().answers[0].ttl, 20);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(cache.get(&question("example.org.")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn absences_are_kept_as_long_as_their_authority_says() {
        let mut absent = Message::new(1, MessageType::Response, OpCode::Query);
        absent.metadata.response_code = ResponseCode::NXDomain;
        let mut cache = Cache::default();
        cache.put(&question("none.example.org."), &absent);
        assert_eq!(cache.get(&question("none.example.org.")), None, "no authority, no memory");
        let name = Name::from_ascii("example.org.").unwrap();
        let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, 7);
        absent.authorities.push(Record::from_rdata(name, 60, RData::SOA(soa)));
        cache.put(&question("none.example.org."), &absent);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(cache.get(&question("none.example.org.")).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&question("none.example.org.")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_grow_for_ever() {
        let mut cache = Cache::default();
        for number in 0..CAPACITY + 100 {
            cache.put(&question(&format!("n{number}.example.org.")), &answer(30));
        }
        assert_eq!(cache.answers.len(), CAPACITY);
    }

    #[tokio::test(start_paused = true)]
    async fn long_answers_are_not_kept() {
        let mut cache = Cache::default();
        let mut long = answer(30);
        long.answers = std::iter::repeat_n(long.answers[0].clone(), 300).collect();
        cache.put(&question("example.org."), &long);
        assert!(cache.answers.is_empty(), "{} bytes", long.to_vec().unwrap().len());
        long.answers.truncate(100);
        cache.put(&question("example.org."), &long);
        assert_eq!(cache.get(&question("example.org.")).unwrap().answers.len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_what_lasts_no_second_are_not_kept() {
        let mut cache = Cache::default();
        cache.put(&question("example.org."), &answer(0));
        let mut failure = answer(30);
        failure.metadata.response_code = ResponseCode::ServFail;
        cache.put(&question("example.org."), &failure);
        assert!(cache.answers.is_empty());
    }
}
