//! Conditions on hosts as people write them, `gpu=True and vcpus>=8`, translated into the property
//! language of the API, `["and", ["==", "$gpu", "True"], [">=", "$vcpus", "8"]]`.
//!
//! Invariant: a condition is translated completely or refused with the place where it goes wrong;
//! nothing is guessed. `and` binds closer than `or`.

use serde_json::{Value, json};

use crate::output::scalar;

/// Deepest nesting of parentheses the service reads.
const MAX_DEPTH: usize = 64;

/// Why a condition cannot be read; places count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Something else stands where this was expected.
    #[error("at character {place}: expected {expected}, found {found}")]
    Unexpected {
        /// Where.
        place: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A quotation mark without its partner.
    #[error("at character {0}: this quotation mark is never closed")]
    OpenQuote(usize),
    /// Too many parentheses inside each other.
    #[error("more than {MAX_DEPTH} parentheses inside each other")]
    TooDeep,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(&'static str),
    Open,
    Close,
    End,
}

impl Token {
    fn describe(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) => format!("'{text}'"),
            Self::Operator(operator) => format!("'{operator}'"),
            Self::Open => "'('".to_owned(),
            Self::Close => "')'".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Translates a condition into the property language, as a JSON value.
///
/// # Errors
/// [`ConditionError`] with the place in `text`.
pub fn parse_condition(text: &str) -> Result<Value, ConditionError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
    };
    let condition = parser.any_of(0)?;
    let (place, token) = parser.take();
    if token != Token::End {
        return Err(ConditionError::Unexpected {
            place,
            expected: "and, or, the end",
            found: token.describe(),
        });
    }
    Ok(condition)
}

/// Characters that end a word.
const SIGNS: &str = "()=<>!'\"";

/// The condition as people write it, which [`parse_condition`] reads as the same value; `None` if it cannot be said.
pub(crate) fn written(condition: &Value) -> Option<String> {
    let [Value::String(operator), operands @ ..] = condition.as_array()?.as_slice() else {
        return None;
    };
    if matches!(operator.as_str(), "and" | "or") {
        let enclosed = |operand: &Value| {
            let text = written(operand)?;
            let inner = operand.get(0).and_then(Value::as_str);
            // `and` binds closer.
            let is_apart = inner == Some("or") || inner == Some(operator);
            Some(if is_apart { format!("({text})") } else { text })
        };
        let operands: Option<Vec<String>> = operands.iter().map(enclosed).collect();
        let operands = operands.filter(|operands| operands.len() > 1)?;
        return Some(operands.join(&format!(" {operator} ")));
    }
    let [Value::String(name), value] = operands else {
        return None;
    };
    let name = name
        .strip_prefix('$')
        .filter(|name| is_word(name) && !name.starts_with('$'))?;
    if name.eq_ignore_ascii_case("and") || name.eq_ignore_ascii_case("or") {
        return None;
    }
    let operator = match operator.as_str() {
        "=" | "==" => "=",
        operator @ ("!=" | ">=" | "<=" | ">" | "<") => operator,
        _ => return None,
    };
    let value = scalar(value);
    let value = match ['\'', '"'].into_iter().find(|mark| !value.contains(*mark)) {
        _ if is_word(&value) => value,
        Some(mark) if !value.is_empty() => format!("{mark}{value}{mark}"),
        Some(_) | None => return None,
    };
    Some(format!("{name} {operator} {value}"))
}

/// Whether a text is read as one word.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|character: char| character.is_whitespace() || SIGNS.contains(character))
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ConditionError> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(&character) = characters.get(position) {
        let place = position + 1;
        position += 1;
        let followed_by_equals = characters.get(position) == Some(&'=');
        let token = match character {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '=' => Token::Operator("=="),
            '>' if followed_by_equals => Token::Operator(">="),
            '<' if followed_by_equals => Token::Operator("<="),
            '!' if followed_by_equals => Token::Operator("!="),
            '>' => Token::Operator(">"),
            '<' => Token::Operator("<"),
            '\'' | '"' => {
                let length = characters[position..]
                    .iter()
                    .position(|&other| other == character)
                    .ok_or(ConditionError::OpenQuote(place))?;
                let content = characters[position..position + length].iter().collect();
                position += length + 1;
                Token::Quoted(content)
            }
            _ => {
                while characters
                    .get(position)
                    .is_some_and(|&other| !other.is_whitespace() && !SIGNS.contains(other))
                {
                    position += 1;
                }
                Token::Word(characters[place - 1..position].iter().collect())
            }
        };
        if followed_by_equals && matches!(token, Token::Operator(_)) {
            position += 1;
        }
        found.push((place, token));
    }
    found.push((characters.len() + 1, Token::End));
    Ok(found)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn take(&mut self) -> (usize, Token) {
        let place_of_end = self.tokens.last().map_or(1, |(place, _)| *place);
        let token = self
            .tokens
            .get(self.next)
            .cloned()
            .unwrap_or((place_of_end, Token::End));
        self.next += 1;
        token
    }

    fn any_of(&mut self, depth: usize) -> Result<Value, ConditionError> {
        self.chain("or", depth, Self::all_of)
    }

    fn all_of(&mut self, depth: usize) -> Result<Value, ConditionError> {
        self.chain("and", depth, Self::single)
    }

    fn chain(
        &mut self,
        keyword: &str,
        depth: usize,
        operand: fn(&mut Self, usize) -> Result<Value, ConditionError>,
    ) -> Result<Value, ConditionError> {
        let first = operand(self, depth)?;
        if !self.peek().is_keyword(keyword) {
            return Ok(first);
        }
        let mut chain = vec![json!(keyword), first];
        while self.peek().is_keyword(keyword) {
            self.take();
            chain.push(operand(self, depth)?);
        }
        Ok(Value::Array(chain))
    }

    fn single(&mut self, depth: usize) -> Result<Value, ConditionError> {
        if depth >= MAX_DEPTH {
            return Err(ConditionError::TooDeep);
        }
        let name = match self.take() {
            (_, Token::Open) => {
                let inner = self.any_of(depth + 1)?;
                return match self.take() {
                    (_, Token::Close) => Ok(inner),
                    (place, other) => Err(unexpected(place, "and, or, ')'", &other)),
                };
            }
            (place, token) if token.is_keyword("and") || token.is_keyword("or") => {
                return Err(unexpected(place, "the name of a property or '('", &token));
            }
            (_, Token::Word(name)) => name,
            (place, other) => return Err(unexpected(place, "the name of a property or '('", &other)),
        };
        let operator = match self.take() {
            (_, Token::Operator(operator)) => operator,
            (place, other) => return Err(unexpected(place, "one of = != >= <= > <", &other)),
        };
        let value = match self.take() {
            (_, Token::Word(value)) => value,
            (_, Token::Quoted(value)) if !value.is_empty() => value,
            (place, other) => return Err(unexpected(place, "a value", &other)),
        };
        Ok(json!([operator, format!("${}", name.trim_start_matches('$')), value]))
    }
}

fn unexpected(place: usize, expected: &'static str, token: &Token) -> ConditionError {
    ConditionError::Unexpected {
        place,
        expected,
        found: token.describe(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a11_a_condition_is_written_as_people_write_it_and_reads_as_the_same() {
        for (given, expected) in [
            ("gpu=True", "gpu = True"),
            ("vcpus>100 and gpu==True", "vcpus > 100 and gpu = True"),
            ("(a=1 or b!=2) and c<=3", "(a = 1 or b != 2) and c <= 3"),
            ("a=1 or b=2 and c=3", "a = 1 or b = 2 and c = 3"),
            ("a=1 and (b=2 and c=3)", "a = 1 and (b = 2 and c = 3)"),
            ("zone='a b'", "zone = 'a b'"),
            ("zone=\"it's\"", "zone = \"it's\""),
            ("zone=and", "zone = and"),
        ] {
            let value = parse_condition(given).unwrap();
            let text = written(&value).unwrap();
            assert_eq!(text, expected);
            assert_eq!(parse_condition(&text).unwrap(), value);
        }
        for value in [
            json!(["==", "$a b", "x"]),
            json!(["==", "$and", "x"]),
            json!(["==", "$a", "'\""]),
            json!(["==", "$a", ""]),
            json!(["==", "a", "x"]),
            json!(["and", ["==", "$a", "x"]]),
            json!(["in", "$a", "x"]),
            json!("a"),
        ] {
            assert_eq!(written(&value), None, "{value}");
        }
    }

    #[test]
    fn conditions_become_the_property_language() {
        for (text, expected) in [
            ("gpu=True", json!(["==", "$gpu", "True"])),
            ("$gpu == True", json!(["==", "$gpu", "True"])),
            (
                "gpu=True and vcpus>=8",
                json!(["and", ["==", "$gpu", "True"], [">=", "$vcpus", "8"]]),
            ),
            (
                "a=1 or b=2 AND c!=3",
                json!(["or", ["==", "$a", "1"], ["and", ["==", "$b", "2"], ["!=", "$c", "3"]]]),
            ),
            (
                "(a<1 or b>2) and c<=3",
                json!(["and", ["or", ["<", "$a", "1"], [">", "$b", "2"]], ["<=", "$c", "3"]]),
            ),
            (
                "capabilities:gpu_model='A100 80GB' and zone != \"az1\"",
                json!([
                    "and",
                    ["==", "$capabilities:gpu_model", "A100 80GB"],
                    ["!=", "$zone", "az1"]
                ]),
            ),
            ("cpu=Größe-8.5", json!(["==", "$cpu", "Größe-8.5"])),
        ] {
            assert_eq!(parse_condition(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_at_its_place() {
        for (text, message) in [
            (
                "",
                "at character 1: expected the name of a property or '(', found the end",
            ),
            ("gpu", "at character 4: expected one of = != >= <= > <, found the end"),
            ("gpu=", "at character 5: expected a value, found the end"),
            ("gpu=''", "at character 5: expected a value, found ''"),
            ("gpu ~ 3", "at character 5: expected one of = != >= <= > <, found '~'"),
            (
                "gpu=True vcpus>=8",
                "at character 10: expected and, or, the end, found 'vcpus'",
            ),
            ("(gpu=True", "at character 10: expected and, or, ')', found the end"),
            (
                "gpu=True and",
                "at character 13: expected the name of a property or '(', found the end",
            ),
            (
                "and gpu=True",
                "at character 1: expected the name of a property or '(', found 'and'",
            ),
            ("gpu='x", "at character 5: this quotation mark is never closed"),
            ("a=b=c", "at character 4: expected and, or, the end, found '=='"),
        ] {
            assert_eq!(parse_condition(text).unwrap_err().to_string(), message, "{text}");
        }
        let deep = format!("{}a=1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(parse_condition(&deep), Err(ConditionError::TooDeep));
    }
}
