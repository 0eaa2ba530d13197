//! References to other options inside values.

use crate::{DEFAULT_GROUP, Document, ValueError};

/// Deepest chain of references.
const MAX_DEPTH: usize = 16;

/// A value with every reference replaced by what it refers to.
pub(crate) fn substituted(document: &Document, group: &str, name: &str, text: &str) -> Result<String, ValueError> {
    Option { document, group, name }.expanded(text, group, 0)
}

/// The option that was asked for.
struct Option<'d> {
    document: &'d Document,
    group: &'d str,
    name: &'d str,
}

impl Option<'_> {
    /// A text that stands in `group`, with its references replaced.
    fn expanded(&self, text: &str, group: &str, depth: usize) -> Result<String, ValueError> {
        if depth > MAX_DEPTH {
            return Err(ValueError::Circle {
                group: self.group.to_owned(),
                name: self.name.to_owned(),
            });
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            if let Some(before) = before.strip_suffix('\\') {
                expanded.push_str(before);
                expanded.push('$');
                rest = after;
                continue;
            }
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                expanded.push('$');
                rest = after;
                continue;
            }
            let (reference, after) = reference(after);
            if reference.is_empty() {
                expanded.push('$');
                rest = after;
                continue;
            }
            let (of_group, option) = reference.split_once('.').unwrap_or((group, reference));
            let places = [of_group, DEFAULT_GROUP];
            let found = places
                .into_iter()
                .find_map(|place| Some((place, self.document.written(place, option)?)));
            let Some((place, value)) = found else {
                return Err(ValueError::Unknown {
                    group: self.group.to_owned(),
                    name: self.name.to_owned(),
                    reference: reference.to_owned(),
                });
            };
            expanded.push_str(&self.expanded(value, place, depth + 1)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

/// The name after a dollar sign, and what follows it; an empty name if there is none.
fn reference(after: &str) -> (&str, &str) {
    if let Some((name, rest)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (name, rest);
    }
    let begins = |character: char| character.is_ascii_alphabetic() || character == '_';
    if !after.starts_with(begins) {
        return ("", after);
    }
    let goes_on = |character: char| begins(character) || character.is_ascii_digit() || character == '.';
    let end = after.find(|character| !goes_on(character)).unwrap_or(after.len());
    let name = after[..end].trim_end_matches('.');
    (name, &after[name.len()..])
}
