//! Values of callers in texts for them.

/// Longest value quoted in a text, in characters.
pub const LONGEST_ECHO: usize = 1_000;

/// The value, or the beginning of one that is longer than [`LONGEST_ECHO`].
pub fn shortened(value: &str) -> String {
    cut(value, LONGEST_ECHO)
}

/// The text, or the first `most` characters of one that is longer, and `...`.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
