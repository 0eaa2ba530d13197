//! Which characters names hold.
//!
//! Invariant: what names may not hold, a terminal must not be sent either: the server refuses it in names, the client
//! escapes it in whatever it prints.

/// Whether a character steers what shows it in place of being shown: a control character (ESC, BEL, line feed, those of
/// C1), a line or paragraph separator, or an embedding, override or isolate of the direction of text (UAX #9).
pub fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::is_steering;

    #[test]
    fn v19_what_steers_a_terminal_is_told_from_text() {
        for character in [
            '\0', '\x07', '\x1b', '\r', '\n', '\t', '\x7f', '\u{9b}', '\u{202e}', '\u{2067}', '\u{2028}',
        ] {
            assert!(is_steering(character), "{character:?}");
        }
        // Joiners of scripts and emoji, and marks that only say a direction, are text.
        for character in "aZ 9ß漢字שלוםمرحبا👩\u{200d}💻\u{200c}\u{200f}\u{301}".chars() {
            assert!(!is_steering(character), "{character:?}");
        }
    }
}
