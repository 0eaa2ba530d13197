//! Text to [`Expression`].
//!
//! The language is that of oslo.policy's policy files: checks joined by `and`, `or`, `not` and
//! parentheses, `not` binding tightest and `or` loosest. Invariant: no input makes the parser
//! panic, and the stack it needs is bounded by [`MAX_DEPTH`].

use winnow::ascii::{Caseless, multispace0, multispace1};
use winnow::combinator::{alt, cut_err, delimited, eof, opt, peek, preceded, repeat, separated, terminated};
use winnow::error::{ContextError, ErrMode};
use winnow::stream::{Location, Stateful};
use winnow::token::{literal, none_of, one_of, take_while};
use winnow::{LocatingSlice, ModalResult, Parser};

use crate::expression::{Expression, Operand, Piece, Template};

/// Longest expression in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// Deepest nesting of parentheses.
pub const MAX_DEPTH: usize = 32;

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`MAX_LENGTH`].
    #[error("the expression has {length} bytes, at most {MAX_LENGTH} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("parentheses are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Not of the language.
    #[error(
        "not understood from byte {offset} on; allowed are rule:NAME, role:NAME, CREDENTIAL:VALUE, 'LITERAL':VALUE, \
         @, !, and, or, not, parentheses and %(MEMBER)s"
    )]
    Syntax {
        /// First byte that makes no sense.
        offset: usize,
    },
    /// `http:` and `https:` checks ask another service; not supported.
    #[error("the check {kind}: asks another service, which is not supported")]
    Remote {
        /// `http` or `https`
        kind: String,
    },
}

#[derive(Debug, Clone, Default)]
struct Progress {
    depth: usize,
    too_deep: bool,
    remote: Option<String>,
}

type Input<'a> = Stateful<LocatingSlice<&'a str>, Progress>;

/// Parses an expression.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    if text.len() > MAX_LENGTH {
        return Err(ParseError::TooLong { length: text.len() });
    }
    // Only the empty text: blanks alone are no expression, and oslo.policy denies on them.
    if text.is_empty() {
        return Ok(Expression::Allow);
    }
    let mut input = Input {
        input: LocatingSlice::new(text),
        state: Progress::default(),
    };
    match terminated(any_of, (multispace0, eof)).parse_next(&mut input) {
        Ok(expression) => Ok(expression),
        Err(_) if input.state.too_deep => Err(ParseError::TooDeep),
        Err(_) => Err(match input.state.remote.take() {
            Some(kind) => ParseError::Remote { kind },
            None => ParseError::Syntax {
                offset: input.current_token_start(),
            },
        }),
    }
}

/// `all or all or ...`
fn any_of(input: &mut Input<'_>) -> ModalResult<Expression> {
    separated(1.., all_of, joint("or"))
        .map(|parts: Vec<Expression>| join(parts, Expression::Any))
        .parse_next(input)
}

/// `unary and unary and ...`
fn all_of(input: &mut Input<'_>) -> ModalResult<Expression> {
    separated(1.., unary, joint("and"))
        .map(|parts: Vec<Expression>| join(parts, Expression::All))
        .parse_next(input)
}

fn join(mut parts: Vec<Expression>, joined: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            joined(parts)
        }
        None => Expression::Deny,
    }
}

/// `not not ... atom`: pairs of `not` cancel out, so that a long row of them does not nest.
fn unary(input: &mut Input<'_>) -> ModalResult<Expression> {
    let negations: usize = repeat(0.., preceded(multispace0, word("not"))).parse_next(input)?;
    let inner = atom(input)?;
    Ok(if negations % 2 == 1 {
        Expression::Not(Box::new(inner))
    } else {
        inner
    })
}

fn atom(input: &mut Input<'_>) -> ModalResult<Expression> {
    multispace0.parse_next(input)?;
    alt((
        group,
        terminated('@'.value(Expression::Allow), boundary),
        terminated('!'.value(Expression::Deny), boundary),
        check,
    ))
    .parse_next(input)
}

fn group(input: &mut Input<'_>) -> ModalResult<Expression> {
    '('.parse_next(input)?;
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        input.state.too_deep = true;
        return Err(ErrMode::Cut(ContextError::new()));
    }
    let inner = cut_err(terminated(any_of, (multispace0, ')'))).parse_next(input)?;
    input.state.depth -= 1;
    Ok(inner)
}

/// `kind:match`
fn check(input: &mut Input<'_>) -> ModalResult<Expression> {
    let left = terminated(operand, ':').parse_next(input)?;
    let right = cut_err(template).parse_next(input)?;
    Ok(match &left {
        Operand::Credential(kind) if kind == "rule" => match right.0.as_slice() {
            [Piece::Text(name)] => Expression::Rule(name.clone()),
            _ => return Err(ErrMode::Cut(ContextError::new())),
        },
        Operand::Credential(kind) if kind == "role" => Expression::Role(right),
        Operand::Credential(kind) if kind == "http" || kind == "https" => {
            input.state.remote = Some(kind.clone());
            return Err(ErrMode::Cut(ContextError::new()));
        }
        Operand::Literal(_) | Operand::Credential(_) => Expression::Compare { left, right },
    })
}

fn operand(input: &mut Input<'_>) -> ModalResult<Operand> {
    alt((
        quoted('\''),
        quoted('"'),
        alt((literal("True"), literal("False"), literal("None")))
            .map(|word: &str| Operand::Literal(word.to_owned()))
            .and_then_before_colon(),
        (opt('-'), take_while(1.., '0'..='9'))
            .take()
            .map(|digits: &str| Operand::Literal(digits.to_owned()))
            .and_then_before_colon(),
        // What begins like a number and is no whole one would be a literal to oslo.policy, not a name.
        (
            one_of(|letter: char| letter.is_ascii_alphabetic() || letter == '_'),
            take_while(0.., |letter: char| {
                letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
            }),
        )
            .take()
            .map(|name: &str| Operand::Credential(name.to_owned())),
    ))
    .parse_next(input)
}

/// Adds "and the next byte is the colon" to a parser, so that `Nonesuch:x` is a credential.
trait BeforeColon<'a>: Parser<Input<'a>, Operand, ErrMode<ContextError>> + Sized {
    fn and_then_before_colon(self) -> impl Parser<Input<'a>, Operand, ErrMode<ContextError>> {
        terminated(self, peek(':'))
    }
}

impl<'a, P: Parser<Input<'a>, Operand, ErrMode<ContextError>>> BeforeColon<'a> for P {}

fn quoted<'a>(quote: char) -> impl Parser<Input<'a>, Operand, ErrMode<ContextError>> {
    delimited(
        quote,
        take_while(0.., move |letter: char| {
            letter != quote && !letter.is_whitespace() && !matches!(letter, '(' | ')' | ':' | '\\')
        }),
        quote,
    )
    .map(|text: &str| Operand::Literal(text.to_owned()))
}

fn template(input: &mut Input<'_>) -> ModalResult<Template> {
    repeat(
        1..,
        alt((
            delimited("%(", take_while(1.., |letter: char| !matches!(letter, '(' | ')')), ")s")
                .map(|name: &str| Piece::Target(name.to_owned())),
            repeat(
                1..,
                alt((
                    "%%".value('%'),
                    none_of(|letter: char| letter.is_whitespace() || "()%".contains(letter)),
                )),
            )
            .map(Piece::Text),
        )),
    )
    .map(Template)
    .parse_next(input)
}

/// A word between two expressions. White space on both sides is part of the language: oslo.policy reads `(a:b)and(c:d)`
/// as one check.
fn joint<'a>(name: &'static str) -> impl Parser<Input<'a>, (), ErrMode<ContextError>> {
    preceded(multispace1, word(name))
}

fn word<'a>(name: &'static str) -> impl Parser<Input<'a>, (), ErrMode<ContextError>> {
    terminated(literal(Caseless(name)), peek(multispace1)).void()
}

/// The end of a word: white space, a parenthesis or the end, not consumed.
fn boundary(input: &mut Input<'_>) -> ModalResult<()> {
    alt((
        eof.void(),
        peek(one_of(|letter: char| {
            letter.is_whitespace() || matches!(letter, '(' | ')')
        }))
        .void(),
    ))
    .parse_next(input)
}
