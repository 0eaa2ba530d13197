//! Text that others wrote, before it reaches logs, reports and terminals.
//!
//! Invariant: what comes out is one line, cannot steer a terminal, and is no longer than was asked for.

/// The text without blanks around it, at most `longest` characters of it, with every character escaped that is not shown
/// as itself: control characters, line ends, and those that change the direction of what follows.
pub fn foreign_text(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for character in text.trim().chars().take(longest) {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

const fn is_plain(character: char) -> bool {
    !matches!(character,
        // C0 with line ends, DEL and C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Line and paragraph separators, marks of direction, invisible characters, byte order mark, tags.
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::foreign_text;

    #[test]
    fn v16_what_is_not_shown_as_itself_is_escaped() {
        assert_eq!(
            foreign_text("  out of paper\n\nWARN hacked\r\n", 300),
            r"out of paper\u{a}\u{a}WARN hacked"
        );
        assert_eq!(
            foreign_text("\u{1b}[2J\u{9b}31m\u{7f}\0", 300),
            r"\u{1b}[2J\u{9b}31m\u{7f}\u{0}"
        );
        assert_eq!(
            foreign_text("a\u{202e}b\u{2028}c\u{200b}", 300),
            r"a\u{202e}b\u{2028}c\u{200b}"
        );
        assert_eq!(foreign_text("größer ✓ 計算 \t!", 300), r"größer ✓ 計算 \u{9}!");
        assert_eq!(foreign_text("計算機", 2), "計算");
        for character in '\0'..=char::MAX {
            let shown = foreign_text(&character.to_string(), 1);
            assert!(!shown.chars().any(char::is_control), "{character:?}");
        }
    }
}
