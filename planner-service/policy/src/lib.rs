//! The rule language of oslo.policy and Blazar's rules.
//!
//! Invariant: what is not understood is refused when the rules are loaded; what is not known at
//! evaluation (a rule, a credential, a member of the target) makes its check fail. Nothing here does IO.

pub mod defaults;
pub mod expression;
pub mod file;
pub mod parse;
pub mod rules;

pub use defaults::{DEFAULT_RULES, Defaults};
pub use expression::{Expression, Operand, Piece, Template};
pub use file::{FileError, file_of_rules, rules_of_file};
pub use parse::ParseError;
pub use rules::{Credentials, Doubt, LoadError, Rules, Target, expressions};
