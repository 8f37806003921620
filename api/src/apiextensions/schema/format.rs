//! The formats of texts and numbers that schemas may name.

use super::pattern;
use crate::validation::format::{dns1123_label, dns1123_subdomain};
use jiff::civil::Date;
use std::net::{IpAddr, Ipv6Addr};

const HOSTNAME: &str = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$";
const CREDIT_CARD: &str = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$";
const RGB: &str = r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$";
const DURATION_UNITS: [(&[&str], &str); 8] = [
    (&["ns"], "nano"),
    (&["us", "µs"], "micro"),
    (&["ms"], "milli"),
    (&["s"], "sec"),
    (&["m"], "min"),
    (&["h", "hr"], "hour"),
    (&["d"], "day"),
    (&["w", "wk"], "week"),
];

macro_rules! formats {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// A format that is checked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Format { $($variant),* }

        impl Format {
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

formats! {
    BsonObjectId "bsonobjectid", Uri "uri", Email "email", Hostname "hostname", Ipv4 "ipv4",
    Ipv6 "ipv6", Cidr "cidr", Mac "mac", Uuid "uuid", Uuid3 "uuid3", Uuid4 "uuid4", Uuid5 "uuid5",
    Isbn "isbn", Isbn10 "isbn10", Isbn13 "isbn13", CreditCard "creditcard", Ssn "ssn",
    HexColor "hexcolor", RgbColor "rgbcolor", Byte "byte", Password "password", Date "date",
    Duration "duration", DateTime "date-time", ShortName "k8s-short-name", LongName "k8s-long-name",
    Int32 "int32", Int64 "int64", Float "float", Double "double",
}

// === impl Format ===

impl Format {
    /// The format that a schema of this type names; none if it is not known for the type, and ignored.
    pub(super) fn of(ty: &str, name: &str) -> Option<Self> {
        let numeric =
            |f: &Self| matches!(f, Self::Int32 | Self::Int64 | Self::Float | Self::Double);
        match ty {
            "" | "string" => {
                let plain = name.replace('-', "");
                let found = match plain.as_str() {
                    "datetime" => Some(Self::DateTime),
                    "k8sshortname" => Some(Self::ShortName),
                    "k8slongname" => Some(Self::LongName),
                    plain => Self::parse(plain),
                };
                found.filter(|format| !numeric(format))
            }
            "integer" => Self::parse(name).filter(|f| matches!(f, Self::Int32 | Self::Int64)),
            "number" => Self::parse(name).filter(|f| matches!(f, Self::Float | Self::Double)),
            _ => None,
        }
    }

    /// Whether a text has this form.
    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Self::BsonObjectId => text.len() == 24 && hex(text),
            Self::Uri => is_request_uri(text),
            Self::Email => is_email(text),
            Self::Hostname => is_hostname(text),
            Self::Ipv4 => text.contains('.') && ip(text).is_some(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Cidr => is_cidr(text),
            Self::Mac => is_mac(text),
            Self::Uuid => is_uuid(text, None),
            Self::Uuid3 => is_uuid(text, Some(b'3')),
            Self::Uuid4 => is_uuid(text, Some(b'4')),
            Self::Uuid5 => is_uuid(text, Some(b'5')),
            Self::Isbn => is_isbn10(text) || is_isbn13(text),
            Self::Isbn10 => is_isbn10(text),
            Self::Isbn13 => is_isbn13(text),
            Self::CreditCard => is_credit_card(text),
            Self::Ssn => pattern_accepts(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$", text),
            Self::HexColor => {
                let digits = text.strip_prefix('#').unwrap_or(text);
                matches!(digits.len(), 3 | 6) && hex(digits)
            }
            Self::RgbColor => pattern_accepts(RGB, text),
            Self::Byte => is_base64(text),
            Self::Date => is_date(text),
            Self::Duration => is_duration(text),
            Self::DateTime => is_date_time(text),
            Self::ShortName => dns1123_label(text).is_empty(),
            Self::LongName => dns1123_subdomain(text).is_empty(),
            Self::Password | Self::Int32 | Self::Int64 | Self::Float | Self::Double => true,
        }
    }
}

fn pattern_accepts(regex: &str, text: &str) -> bool {
    pattern::is_match(regex, text).is_ok_and(|matches| matches)
}

fn hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An address; leading zeros do no harm.
fn ip(text: &str) -> Option<IpAddr> {
    let sloppy = || {
        let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
        let octets: [u8; 4] = parts?.try_into().ok()?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        text.split('.').all(digits).then(|| IpAddr::from(octets))
    };
    text.parse().ok().or_else(sloppy)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let most = match ip(address) {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    digits && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

/// What `net/url.ParseRequestURI` takes: a path, or a scheme and what it says.
fn is_request_uri(text: &str) -> bool {
    let clean = |byte: u8| byte > b' ' && byte != 0x7f;
    if text.is_empty() || !text.bytes().all(clean) || !escapes_are_whole(text) {
        return false;
    }
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return text.starts_with('/');
    };
    let _ = scheme;
    let Some(authority) = rest.strip_prefix("//") else { return true };
    let end = authority.find(['/', '?']).unwrap_or(authority.len());
    let host = authority[..end].rsplit('@').next().unwrap_or_default();
    let port = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((_, rest)) => rest,
            None => return false,
        },
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let bad = |c: char| "<>\"{}|\\^`".contains(c);
    !host.contains(bad) && (port.is_empty() || port.strip_prefix(':').is_some_and(digits))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.is_char_boundary(2) && hex(&after[..2]))
}

/// `local@domain`, or a name and that in angle brackets.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<').map_or("", |(_, address)| address),
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let special = |byte: u8| b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || special(byte) || byte >= 0x80;
    let dotted =
        |text: &str| text.split('.').all(|part| !part.is_empty() && part.bytes().all(atom));
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    (quoted || dotted(local)) && literal.map_or_else(|| dotted(domain), |inner| ip(inner).is_some())
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 255
        && text.split('.').all(|part| part.len() <= 63)
        && pattern_accepts(HOSTNAME, text)
}

fn is_mac(text: &str) -> bool {
    let (sign, width) = match text.find([':', '-', '.']) {
        Some(4) => ('.', 4),
        Some(2) if text.as_bytes()[2] != b'.' => (char::from(text.as_bytes()[2]), 2),
        _ => return false,
    };
    let mut groups = 0;
    let whole = text.split(sign).all(|group| {
        groups += 1;
        group.len() == width && hex(group)
    });
    whole && matches!(groups * width / 2, 6 | 8 | 20)
}

/// With or without dashes, in any case; the version, and from 4 on the variant, where they must be.
fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let mut digits = Vec::with_capacity(32);
    let mut dash_ok = false;
    for byte in text.bytes() {
        match byte {
            b'-' if dash_ok => dash_ok = false,
            byte if byte.is_ascii_hexdigit() => {
                digits.push(byte.to_ascii_lowercase());
                dash_ok = matches!(digits.len(), 8 | 12 | 16 | 20);
            }
            _ => return false,
        }
    }
    let variant = |byte: u8| b"89ab".contains(&byte);
    digits.len() == 32
        && version
            .is_none_or(|version| digits[12] == version && (version == b'3' || variant(digits[16])))
}

fn isbn_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect()
}

fn is_isbn10(text: &str) -> bool {
    let text = isbn_digits(text);
    let value = |at: usize, byte: u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'X' if at == 9 => Some(10),
        _ => None,
    };
    let values: Option<Vec<_>> = text.bytes().enumerate().map(|(at, b)| value(at, b)).collect();
    values.is_some_and(|values| {
        values.len() == 10
            && (1..).zip(&values).map(|(at, value): (u32, _)| at * value).sum::<u32>() % 11 == 0
    })
}

fn is_isbn13(text: &str) -> bool {
    let text = isbn_digits(text);
    let digits = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    let weight = |at: usize| if at.is_multiple_of(2) { 1 } else { 3 };
    digits
        && text.bytes().enumerate().map(|(at, b)| weight(at) * u32::from(b - b'0')).sum::<u32>()
            % 10
            == 0
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let doubled = |value: u32| if value > 4 { value * 2 - 9 } else { value * 2 };
    let luhn = digits.bytes().rev().enumerate().map(|(at, byte)| {
        let value = u32::from(byte - b'0');
        if at % 2 == 1 { doubled(value) } else { value }
    });
    pattern_accepts(CREDIT_CARD, &digits) && luhn.sum::<u32>() % 10 == 0
}

/// Padded base64, not empty.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !body.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(letter)
}

fn is_date(text: &str) -> bool {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped && text.parse::<Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some((date, time)) = lower.split_once('t') else { return false };
    let shape = r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";
    is_date(date)
        && pattern_accepts(shape, time)
        && &time[..2] <= "23"
        && &time[3..5] <= "59"
        && &time[6..8] <= "59"
}

/// Go's durations, and those of Scala: numbers with units in words.
fn is_duration(text: &str) -> bool {
    is_go_duration(text) || {
        let mut rest = text;
        let mut known = false;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            rest = rest[start..].trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
            let is_letter = |c: char| c.is_ascii_alphabetic() || c == 'µ';
            let end = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
            let unit = rest[..end].to_lowercase();
            known |= DURATION_UNITS
                .iter()
                .any(|(short, long)| short.contains(&unit.as_str()) || unit.starts_with(long));
            rest = &rest[end..];
        }
        known
    }
}

fn is_go_duration(text: &str) -> bool {
    crate::cel::duration::parse(text).is_some()
}
