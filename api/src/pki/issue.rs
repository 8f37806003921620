//! Certificates as an authority writes them (RFC 5280), DER by hand where `rcgen` keeps too little: it holds one value
//! for each part of a name, and a user is of as many organizations as he has groups.

use super::usage::{Usage, key_usage_bits};
use super::{KeyPair, Result, invalid};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    SigningKey,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use yasna::models::{GeneralizedTime, ObjectIdentifier, UTCTime};
use yasna::{DERWriter, DERWriterSeq, Tag};

const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const AUTHORITY_KEY: &[u64] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
/// `UTCTime` ends here (RFC 5280, section 4.1.2.5).
const LAST_SHORT_YEAR: i32 = 2049;

/// What a certificate is to say.
pub(super) struct Subject<'a> {
    /// Its name, DER.
    pub(super) name: &'a [u8],
    /// Its key, DER.
    pub(super) key: &'a [u8],
    /// The content of the extension with its other names, DER.
    pub(super) alternative_names: Option<&'a [u8]>,
    pub(super) usages: &'a [Usage],
    pub(super) from: OffsetDateTime,
    pub(super) until: OffsetDateTime,
}

/// Who signs it.
pub(super) struct Signer<'a> {
    /// Its name, DER.
    pub(super) name: &'a [u8],
    /// The identifier of its key, if it has one.
    pub(super) key_id: Option<&'a [u8]>,
    pub(super) key: &'a KeyPair,
}

/// A certificate, DER.
///
/// # Errors
/// When the signer's key is of a kind that is not known, or does not sign.
pub(super) fn certificate(subject: &Subject<'_>, signer: &Signer<'_>) -> Result<Vec<u8>> {
    let algorithm = algorithm(signer.key)?;
    let body = yasna::construct_der(|writer| {
        writer.write_sequence(|body| write_body(body, subject, signer, &algorithm));
    });
    let signature = signer.key.sign(&body).map_err(|error| invalid("certificate", &error))?;
    Ok(yasna::construct_der(|writer| {
        writer.write_sequence(|whole| {
            whole.next().write_der(&body);
            whole.next().write_der(&algorithm);
            whole.next().write_bitvec_bytes(&signature, signature.len() * 8);
        });
    }))
}

/// The name of a user of these groups, DER.
pub(super) fn user_name(user: &str, groups: &[&str]) -> Vec<u8> {
    let part = |names: &mut DERWriterSeq<'_>, kind: &[u64], value: &str| {
        names.next().write_set(|set| {
            set.next().write_sequence(|pair| {
                pair.next().write_oid(&ObjectIdentifier::from_slice(kind));
                pair.next().write_utf8_string(value);
            });
        });
    };
    yasna::construct_der(|writer| {
        writer.write_sequence(|names| {
            groups.iter().for_each(|group| part(names, ORGANIZATION, group));
            part(names, COMMON_NAME, user);
        });
    })
}

fn write_body(
    body: &mut DERWriterSeq<'_>,
    subject: &Subject<'_>,
    signer: &Signer<'_>,
    algorithm: &[u8],
) {
    // Version 3.
    body.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
    body.next().write_bigint_bytes(&serial(subject), true);
    body.next().write_der(algorithm);
    body.next().write_der(signer.name);
    body.next().write_sequence(|validity| {
        write_time(validity.next(), subject.from);
        write_time(validity.next(), subject.until);
    });
    body.next().write_der(subject.name);
    body.next().write_der(subject.key);
    body.next().write_tagged(Tag::context(3), |writer| {
        writer.write_sequence(|extensions| write_extensions(extensions, subject, signer));
    });
}

fn write_extensions(all: &mut DERWriterSeq<'_>, subject: &Subject<'_>, signer: &Signer<'_>) {
    if let Some((bits, length)) = key_usage_bits(subject.usages) {
        extension(all, KEY_USAGE, true, |w| w.write_bitvec_bytes(&bits, length));
    }
    let extended: Vec<_> = subject.usages.iter().filter_map(|usage| usage.extended()).collect();
    if !extended.is_empty() {
        extension(all, EXTENDED_KEY_USAGE, false, |writer| {
            writer.write_sequence(|list| {
                let oids = extended.iter().map(|oid| ObjectIdentifier::from_slice(oid));
                oids.for_each(|oid| list.next().write_oid(&oid));
            });
        });
    }
    // No authority.
    extension(all, BASIC_CONSTRAINTS, true, |writer| writer.write_sequence(|_| {}));
    if let Some(id) = signer.key_id {
        extension(all, AUTHORITY_KEY, false, |writer| {
            writer.write_sequence(|fields| {
                let field = fields.next();
                field.write_tagged_implicit(Tag::context(0), |writer| writer.write_bytes(id));
            });
        });
    }
    if let Some(names) = subject.alternative_names {
        extension(all, ALTERNATIVE_NAMES, false, |writer| writer.write_der(names));
    }
}

fn extension(
    all: &mut DERWriterSeq<'_>,
    oid: &[u64],
    critical: bool,
    content: impl FnOnce(DERWriter<'_>),
) {
    all.next().write_sequence(|extension| {
        extension.next().write_oid(&ObjectIdentifier::from_slice(oid));
        if critical {
            extension.next().write_bool(true);
        }
        extension.next().write_bytes(&yasna::construct_der(content));
    });
}

fn write_time(writer: DERWriter<'_>, time: OffsetDateTime) {
    if time.year() <= LAST_SHORT_YEAR {
        writer.write_utctime(&UTCTime::from_datetime(time));
    } else {
        writer.write_generalized_time(&GeneralizedTime::from_datetime(time));
    }
}

/// Another for each that says something else: nothing random is needed.
fn serial(subject: &Subject<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(subject.name);
    hash.update(subject.key);
    hash.update(subject.alternative_names.unwrap_or_default());
    hash.update(subject.from.unix_timestamp().to_be_bytes());
    hash.update(subject.until.unix_timestamp().to_be_bytes());
    let mut serial = hash.finalize()[..16].to_vec();
    // Neither negative nor zero.
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

/// How the key signs, DER.
fn algorithm(key: &KeyPair) -> Result<Vec<u8>> {
    let known = [
        (&PKCS_ECDSA_P256_SHA256, &[1, 2, 840, 10045, 4, 3, 2][..], false),
        (&PKCS_ECDSA_P384_SHA384, &[1, 2, 840, 10045, 4, 3, 3], false),
        (&PKCS_ED25519, &[1, 3, 101, 112], false),
        (&PKCS_RSA_SHA256, &[1, 2, 840, 113_549, 1, 1, 11], true),
    ];
    let own = PublicKeyData::algorithm(key);
    let found = known.into_iter().find(|(kind, ..)| *kind == own);
    let (_, oid, null) = found.ok_or_else(|| invalid("authority", &format!("{own:?} keys")))?;
    Ok(yasna::construct_der(|writer| {
        writer.write_sequence(|parts| {
            parts.next().write_oid(&ObjectIdentifier::from_slice(oid));
            if null {
                parts.next().write_null();
            }
        });
    }))
}
