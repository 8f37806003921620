//! Regular expressions, as Go reads them (RE2 syntax).

use parking_lot::Mutex;
use regex::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock};

/// How much memory one compiled expression may take. Go has no such limit, but refuses what repeats more
/// than a thousand times.
const SIZE_LIMIT: usize = 2 << 20;
/// The same for one that somebody wrote into an object, not into a schema or a rule.
const SMALL: usize = 128 << 10;

/// Compiled expressions are large, and few are used at a time: so many are kept.
const MOST: usize = 256;
static USED: LazyLock<Mutex<Used>> = LazyLock::new(Mutex::default);

/// Expressions that were used lately.
#[derive(Default)]
struct Used {
    lately: FxHashMap<String, Arc<Regex>>,
    /// What was used lately before that, and not since.
    before: FxHashMap<String, Arc<Regex>>,
}

/// Why a text is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("error parsing regexp: {0}")]
pub(crate) struct PatternError(String);

/// Whether it is a regular expression.
///
/// # Errors
/// Why it is not.
pub(crate) fn check(pattern: &str) -> Result<(), PatternError> {
    compiled(pattern).map(|_| ())
}

/// Whether a part of the text matches. The time is linear in the length of the text.
///
/// # Errors
/// Why the pattern is no regular expression.
pub(crate) fn is_match(pattern: &str, text: &str) -> Result<bool, PatternError> {
    compiled(pattern).map(|regex| regex.is_match(text))
}

/// The expression, compiled at most once as long as it is in use.
///
/// # Errors
/// Why it is none.
pub(crate) fn compiled(pattern: &str) -> Result<Arc<Regex>, PatternError> {
    if let Some(regex) = USED.lock().known(pattern) {
        return Ok(regex);
    }
    let regex = Arc::new(compile(pattern, SIZE_LIMIT)?);
    USED.lock().keep(pattern.to_owned(), regex.clone());
    Ok(regex)
}

/// One that an object says: it takes a fraction of a millisecond at most, and no place from those that are in use all
/// the time.
///
/// # Errors
/// Why it is none, or that it is too large.
pub(crate) fn compile_small(pattern: &str) -> Result<Regex, PatternError> {
    compile(pattern, SMALL)
}

fn compile(pattern: &str, size_limit: usize) -> Result<Regex, PatternError> {
    RegexBuilder::new(&translate(pattern))
        .size_limit(size_limit)
        .dfa_size_limit(SIZE_LIMIT / 4)
        .build()
        .map_err(|error| PatternError(reason(&error)))
}

// === impl Used ===

impl Used {
    fn known(&mut self, pattern: &str) -> Option<Arc<Regex>> {
        if let Some(regex) = self.lately.get(pattern) {
            return Some(regex.clone());
        }
        let (pattern, regex) = self.before.remove_entry(pattern)?;
        self.keep(pattern, regex.clone());
        Some(regex)
    }

    /// Half of all there are may be new; then those that were not used meanwhile go.
    fn keep(&mut self, pattern: String, regex: Arc<Regex>) {
        if self.lately.len() >= MOST / 2 {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(pattern, regex);
    }
}

/// The last line says why; those before show where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Rewrites what Go's syntax means in another way: classes of ASCII, literal braces, brackets and signs
/// in classes, quoted runs.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut class = false;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        match first {
            '\\' => taken = escape(rest, class, &mut out),
            '[' if !class => {
                class = true;
                taken = open_class(rest, &mut out);
            }
            '[' if rest.starts_with("[:") => match rest.find(":]") {
                Some(end) => {
                    taken = end + 2;
                    out.push_str(&rest[..taken]);
                }
                None => out.push_str("\\["),
            },
            '[' | '&' | '~' if class => {
                out.push('\\');
                out.push(first);
            }
            '-' if class && rest.starts_with("--") => out.push_str("\\-"),
            ']' if class => {
                class = false;
                out.push(']');
            }
            '{' if !class && !is_repetition(rest) => out.push_str("\\{"),
            _ => out.push(first),
        }
        rest = &rest[taken..];
    }
    out
}

/// The start of a class: a bracket that closes at once stands for itself.
fn open_class(rest: &str, out: &mut String) -> usize {
    let start = if rest.starts_with("[^") { 2 } else { 1 };
    out.push_str(&rest[..start]);
    if rest[start..].starts_with(']') {
        out.push_str("\\]");
        return start + 1;
    }
    start
}

/// One escape; gives back how long it is.
fn escape(rest: &str, class: bool, out: &mut String) -> usize {
    let Some(letter) = rest[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    let replaced = match (letter, class) {
        ('d', true) => "0-9",
        ('w', true) => "0-9A-Za-z_",
        ('s', true) => r"\t\n\f\r ",
        ('d', false) => "[0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('s', false) => r"[\t\n\f\r ]",
        ('D', _) => "[^0-9]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('S', _) => r"[^\t\n\f\r ]",
        ('b', false) => r"(?-u:\b)",
        ('Q', _) => return quoted(rest, out),
        _ => {
            out.push('\\');
            out.push(letter);
            return 1 + letter.len_utf8();
        }
    };
    out.push_str(replaced);
    2
}

/// `\Q…\E`: everything in between is literal.
fn quoted(rest: &str, out: &mut String) -> usize {
    let body = &rest[2..];
    let (literal, taken) = match body.find("\\E") {
        Some(end) => (&body[..end], end + 4),
        None => (body, rest.len()),
    };
    out.push_str(&regex::escape(literal));
    taken
}

/// `{2}`, `{2,}`, `{2,5}`; other braces are literal.
fn is_repetition(rest: &str) -> bool {
    let Some(end) = rest.find('}') else { return false };
    let (least, most) = rest[1..end].split_once(',').unwrap_or((&rest[1..end], ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}
