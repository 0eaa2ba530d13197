//! An expression of the rule language as a value, and its text form.
//!
//! Invariant: the text of any expression the parser returns parses again to an expression that
//! decides alike.

use std::fmt;

/// A check, or checks put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// `@` or an empty expression: everybody.
    Allow,
    /// `!`: nobody.
    Deny,
    /// `rule:name`: what that rule says.
    Rule(String),
    /// `role:name`: the caller has the role, upper and lower case alike.
    Role(Template),
    /// `left:right`: both sides are the same text.
    Compare {
        /// A literal or the name of a credential.
        left: Operand,
        /// Text with members of the target filled in.
        right: Template,
    },
    /// `not x`
    Not(Box<Expression>),
    /// `x and y`; at least two.
    All(Vec<Expression>),
    /// `x or y`; at least two.
    Any(Vec<Expression>),
}

/// Left side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// `'text'`, a whole number, `True`, `False` or `None`, as text.
    Literal(String),
    /// Name of a credential, e.g. `project_id`.
    Credential(String),
}

/// Text with places for members of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Itself.
    Text(String),
    /// `%(name)s`: a member of the target.
    Target(String),
}

impl Expression {
    /// Levels of nesting; 1 for a single check.
    pub fn depth(&self) -> usize {
        match self {
            Self::Allow | Self::Deny | Self::Rule(_) | Self::Role(_) | Self::Compare { .. } => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
        }
    }

    fn write_joined(parts: &[Self], word: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(")?;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                write!(formatter, " {word} ")?;
            }
            write!(formatter, "{part}")?;
        }
        formatter.write_str(")")
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => formatter.write_str("@"),
            Self::Deny => formatter.write_str("!"),
            Self::Rule(name) => write!(formatter, "rule:{name}"),
            Self::Role(template) => write!(formatter, "role:{template}"),
            Self::Compare { left, right } => write!(formatter, "{left}:{right}"),
            Self::Not(inner) => write!(formatter, "not {inner}"),
            Self::All(parts) => Self::write_joined(parts, "and", formatter),
            Self::Any(parts) => Self::write_joined(parts, "or", formatter),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) if text.contains('\'') => write!(formatter, "\"{text}\""),
            Self::Literal(text) => write!(formatter, "'{text}'"),
            Self::Credential(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => formatter.write_str(&text.replace('%', "%%"))?,
                Piece::Target(name) => write!(formatter, "%({name})s")?,
            }
        }
        Ok(())
    }
}
