//! The table itself, read once from its data file.
//!
//! A line of the file starts a package (`%package`, its name in OpenAPI, its group and version), a message
//! (`%message`, its name, `kind` if it stands on its own, `atomic` if it is applied as a whole), or names a
//! field of the message above, in the order Kubernetes writes them. Columns of a field: JSON name (`.` if
//! its fields stand in the message itself), protobuf number, type (`[]` before a list, `{}` before a map
//! from strings, `@` before a message), flags (`p` a pointer in Go, `o` left out when empty, `i` inlined,
//! `z` left out when zero), Go's name of the type if it is not the usual one, list type, list map keys, map
//! type, patch strategy, patch merge key. `-` stands for nothing; nothing at the end is left out.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use windlass_core::scheme::{GroupVersion, GroupVersionKind};

use super::{Cardinality, Field, FieldRef, Merge, Message, MessageRef, Type, field::Flags};

const DATA: &str = include_str!("../../data/schema.tsv");
const META: &str = "meta.k8s.io/v1";
static BUILTIN: LazyLock<Schema> = LazyLock::new(|| parse(DATA).expect("data/schema.tsv parses"));

/// All messages of the built-in kinds.
#[derive(Debug)]
pub struct Schema {
    messages: Vec<Message>,
    by_definition: FxHashMap<String, u16>,
    packages: FxHashMap<&'static str, &'static str>,
}

// === impl Schema ===

impl Schema {
    /// The schema of the built-in kinds. Parsed at the first call; cheap after that, from any task.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The message of a kind. The kinds every group version has (`DeleteOptions`, and for the built-in
    /// groups `Status`, `PatchOptions`, …) are found in each of them.
    #[must_use]
    pub fn kind(&'static self, gvk: &GroupVersionKind) -> Option<MessageRef> {
        let package = self.packages.get(gvk.api_version().as_str());
        let found = package.and_then(|package| self.message(&format!("{package}.{}", gvk.kind)));
        let common = || {
            let meta = self.packages.get(META)?;
            (package.is_some() || gvk.kind == "DeleteOptions")
                .then(|| self.message(&format!("{meta}.{}", gvk.kind)))?
        };
        found.or_else(common).filter(|message| message.is_kind)
    }

    /// The message of a definition: `io.k8s.api.core.v1.PodSpec`.
    #[must_use]
    pub fn message(&'static self, definition: &str) -> Option<MessageRef> {
        self.by_definition.get(definition).map(|&index| self.message_at(index))
    }

    /// All messages, package by package.
    pub fn messages(&'static self) -> impl ExactSizeIterator<Item = MessageRef> {
        self.messages.iter()
    }

    /// The group and version a message belongs to. What all groups have in common belongs to the core
    /// group, under which its objects travel.
    #[must_use]
    pub fn group_version(&self, message: MessageRef) -> GroupVersion {
        let found = self.packages.iter().find(|(_, package)| **package == message.package);
        let (group, version) = match found.map_or(META, |(name, _)| name) {
            META => ("", "v1"),
            name => name.split_once('/').unwrap_or(("", name)),
        };
        GroupVersion { group: group.to_owned().into(), version: version.to_owned().into() }
    }

    pub(super) fn message_at(&'static self, index: u16) -> MessageRef {
        &self.messages[usize::from(index)]
    }

    pub(super) fn field_at(&'static self, (message, field): (u16, u16)) -> FieldRef {
        &self.messages[usize::from(message)].own[usize::from(field)]
    }

    /// Works out which fields each message has in JSON.
    fn link(&mut self) {
        for index in 0..self.messages.len() {
            let (flat, offsets) = self.flatten(index);
            let name =
                |at: &(u16, u16)| self.messages[usize::from(at.0)].own[usize::from(at.1)].name;
            let mut by_name: Vec<_> =
                (0_u16..).zip(&flat).map(|(place, at)| (name(at), place)).collect();
            by_name.sort_unstable();
            let message = &mut self.messages[index];
            message.by_name = by_name;
            message.flat = flat;
            for (field, offset) in message.own.iter_mut().zip(offsets) {
                field.offset = offset;
            }
        }
    }

    /// The fields a message has in JSON, and where among them each of its own stands.
    fn flatten(&self, index: usize) -> (Vec<(u16, u16)>, Vec<u16>) {
        let (mut flat, mut offsets) = (Vec::new(), Vec::new());
        for (place, field) in (0_u16..).zip(&self.messages[index].own) {
            offsets.push(u16::try_from(flat.len()).expect("a message has few fields"));
            match Message::inlined(field) {
                Some(part) => flat.append(&mut self.flatten(usize::from(part)).0),
                None => flat
                    .push((u16::try_from(index).expect("messages are counted in 16 bits"), place)),
            }
        }
        (flat, offsets)
    }
}

/// Reads the data file: `%package` lines, below them `%message` lines, below them the fields.
fn parse(data: &'static str) -> Option<Schema> {
    let mut schema =
        Schema { messages: Vec::new(), by_definition: index(data), packages: FxHashMap::default() };
    let mut package = "";
    for line in data.lines() {
        let mut columns = line.split('\t').map(|column| if column == "-" { "" } else { column });
        let (first, second, third) = (columns.next()?, columns.next()?, columns.next()?);
        match first {
            "%package" => {
                package = second;
                schema.packages.insert(third, package);
            }
            "%message" => schema.messages.push(message(package, second, third)),
            _ => {
                let rest = std::array::from_fn(|_| columns.next().unwrap_or_default());
                let field =
                    parse_field(package, &schema.by_definition, [first, second, third], rest)?;
                schema.messages.last_mut()?.own.push(field);
            }
        }
    }
    schema.messages.iter_mut().for_each(sort_by_number);
    schema.link();
    Some(schema)
}

/// The place of each definition.
fn index(data: &'static str) -> FxHashMap<String, u16> {
    let mut package = "";
    let mut places = 0_u16..;
    let mut found = FxHashMap::default();
    for line in data.lines() {
        let mut columns = line.split('\t');
        match (columns.next(), columns.next()) {
            (Some("%package"), Some(name)) => package = name,
            (Some("%message"), Some(name)) => {
                found.extend(places.next().map(|place| (format!("{package}.{name}"), place)));
            }
            _ => {}
        }
    }
    found
}

fn message(package: &'static str, name: &'static str, flags: &'static str) -> Message {
    let is_kind = flags.split(',').any(|flag| flag == "kind");
    let type_meta = |name| Field {
        name,
        number: 0,
        cardinality: Cardinality::One,
        ty: Type::String,
        merge: Merge::default(),
        flags: Flags { omit_empty: true, ..Flags::default() },
        offset: 0,
        go_type: None,
    };
    Message {
        name,
        package,
        is_kind,
        atomic: flags.split(',').any(|flag| flag == "atomic"),
        own: if is_kind { vec![type_meta("apiVersion"), type_meta("kind")] } else { Vec::new() },
        by_number: Vec::new(),
        flat: Vec::new(),
        by_name: Vec::new(),
    }
}

fn sort_by_number(message: &mut Message) {
    let mut places: Vec<u16> =
        (0_u16..).zip(&message.own).filter(|(_, f)| f.number > 0).map(|(at, _)| at).collect();
    places.sort_unstable_by_key(|&at| message.own[usize::from(at)].number);
    message.own.shrink_to_fit();
    message.by_number = places;
}

fn parse_field(
    package: &str,
    definitions: &FxHashMap<String, u16>,
    [name, number, ty]: [&'static str; 3],
    [flags, go_type, merge @ ..]: [&'static str; 7],
) -> Option<Field> {
    let (cardinality, ty) = match (ty.strip_prefix("[]"), ty.strip_prefix("{}")) {
        (Some(ty), _) => (Cardinality::List, ty),
        (_, Some(ty)) => (Cardinality::Map, ty),
        _ => (Cardinality::One, ty),
    };
    Some(Field {
        name: if name == "." { "" } else { name },
        number: number.parse().ok()?,
        cardinality,
        ty: parse_type(package, definitions, ty)?,
        merge: Merge::new(merge)?,
        flags: Flags {
            pointer: flags.contains('p'),
            omit_empty: flags.contains('o'),
            inline: flags.contains('i'),
        },
        offset: 0,
        go_type: Some(go_type).filter(|name| !name.is_empty()),
    })
}

fn parse_type(package: &str, definitions: &FxHashMap<String, u16>, ty: &str) -> Option<Type> {
    Some(match ty {
        "string" => Type::String,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "bool" => Type::Bool,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "quantity" => Type::Quantity,
        "intorstring" => Type::IntOrString,
        "raw" => Type::RawExtension,
        "fieldsv1" => Type::FieldsV1,
        "json" => Type::Json,
        "schemaorarray" => Type::SchemaOrArray,
        "schemaorbool" => Type::SchemaOrBool,
        "schemaorstrings" => Type::SchemaOrStrings,
        "stringlist" => Type::StringList,
        name => {
            let name = name.strip_prefix('@')?;
            let local = || definitions.get(&format!("{package}.{name}"));
            Type::Message(*definitions.get(name).or_else(local)?)
        }
    })
}
