use super::dictionary::dictionary;
use super::frame::{Incoming, Outgoing, encode, read};
use super::headers::{Inflater, stored};

#[test]
fn the_dictionary_is_the_one_clients_name() {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in dictionary() {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    // zlib names a dictionary by its Adler-32 checksum; this is what SPDY/3 clients send.
    assert_eq!(b << 16 | a, 0xe3c6_a7c2);
}

fn syn_stream(id: u32, zlib_head: bool, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut text = (pairs.len() as u32).to_be_bytes().to_vec();
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        text.extend((part.len() as u32).to_be_bytes());
        text.extend(part.as_bytes());
    }
    let mut block = if zlib_head { vec![0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2] } else { vec![] };
    block.extend(stored(&text, false));
    block.extend(stored(&[], false));
    let body = [&id.to_be_bytes()[..], &[0; 4], &[0; 2], &block].concat();
    let head = [0x80, 3, 0, 1].into_iter().chain((body.len() as u32).to_be_bytes());
    head.chain(body).collect()
}

#[tokio::test]
async fn streams_open_and_carry_data() {
    let mut wire = syn_stream(1, true, &[("Streamtype", "data"), ("port", "80")]);
    wire.extend(syn_stream(3, false, &[("streamtype", "error")]));
    wire.extend([0, 0, 0, 1, 1, 0, 0, 2, b'h', b'i']);
    let (mut from, mut inflater) = (wire.as_slice(), Inflater::new().expect("begins"));
    let mut next = async || read(&mut from, &mut inflater).await.expect("reads");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![pair("streamtype", "data"), pair("port", "80")];
    assert_eq!(next().await, Some(Incoming::Open { id: 1, headers, fin: false }));
    let headers = vec![pair("streamtype", "error")];
    assert_eq!(next().await, Some(Incoming::Open { id: 3, headers, fin: false }));
    assert_eq!(next().await, Some(Incoming::Data { id: 1, data: "hi".into(), fin: true }));
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn what_is_no_frame_is_refused() {
    let mut inflater = Inflater::new().expect("begins");
    let mut garbage: &[u8] = &[0x80, 3, 0, 1, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2];
    assert!(read(&mut garbage, &mut inflater).await.is_err());
    let mut huge: &[u8] = &[0, 0, 0, 1, 0, 0xff, 0xff, 0xff];
    assert!(read(&mut huge, &mut inflater).await.is_err());
}

#[test]
fn replies_are_frames() {
    let mut first = true;
    let reply = encode(&Outgoing::Reply { id: 1 }, &mut first);
    assert_eq!(&reply[..12], [0x80, 3, 0, 2, 0, 0, 0, 20, 0, 0, 0, 1]);
    let data = encode(&Outgoing::Data { id: 5, data: "x".into(), fin: true }, &mut first);
    assert_eq!(&*data, [0, 0, 0, 5, 1, 0, 0, 1, b'x']);
}
