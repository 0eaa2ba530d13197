//! Tokens from a file, for clouds without Keystone.
//!
//! Invariant: a token is found by its SHA-256 only, so the time a search takes says nothing about
//! the tokens in the file.

use std::collections::HashMap;

use async_trait::async_trait;
use axum::http::HeaderMap;
use planner_core::authority::Caller;
use planner_core::domain::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{AUTH_TOKEN, AuthenticationError, Authenticator, TokenHash, hash, token};

/// Why a token file cannot be used. The text never quotes the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileError {
    /// Neither TOML nor JSON of the form that is read.
    #[error("the token file is not understood{}: {reason}", .line.map(|line| format!(" at line {line}")).unwrap_or_default())]
    Syntax {
        /// Where, if known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// An entry does not have exactly one of `token` and `token_sha256`.
    #[error("token entry {entry} must have either token or token_sha256")]
    TokenCount {
        /// Its number, from 1.
        entry: usize,
    },
    /// A `token_sha256` that is none.
    #[error("token entry {entry}: token_sha256 must be 64 hexadecimal digits")]
    Hash {
        /// Its number, from 1.
        entry: usize,
    },
    /// A token without characters, or with some a header cannot carry.
    #[error("token entry {entry}: token must consist of one or more visible ASCII characters")]
    Token {
        /// Its number, from 1.
        entry: usize,
    },
    /// An empty user or project.
    #[error("token entry {entry}: {member} must not be empty")]
    Empty {
        /// Its number, from 1.
        entry: usize,
        /// `user_id` or `project_id`
        member: &'static str,
    },
    /// Two entries with one token.
    #[error("token entry {entry} has the same token as an earlier one")]
    Twice {
        /// Number of the later one, from 1.
        entry: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    token: Option<String>,
    token_sha256: Option<String>,
    user_id: String,
    project_id: String,
    roles: Vec<String>,
}

/// Authentication by a token file.
#[derive(Clone)]
pub struct TokenFile {
    callers: HashMap<TokenHash, Caller>,
}

impl TokenFile {
    /// Reads the contents of a token file: TOML (`[[tokens]]`) or JSON (`{"tokens": [...]}`), with
    /// `token` or `token_sha256`, `user_id`, `project_id` and `roles` in each entry.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let file: File = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| TokenFileError::Syntax {
                line: Some(error.line()),
                reason: json_reason(&error).to_owned(),
            })?
        } else {
            toml::from_str(text).map_err(|error| TokenFileError::Syntax {
                line: error
                    .span()
                    .map(|span| text[..span.start.min(text.len())].lines().count().max(1)),
                reason: error.message().to_owned(),
            })?
        };
        let mut callers = HashMap::new();
        for (number, entry) in (1..).zip(file.tokens) {
            let (key, caller) = entry.read(number)?;
            if callers.insert(key, caller).is_some() {
                return Err(TokenFileError::Twice { entry: number });
            }
        }
        Ok(Self { callers })
    }
}

/// serde's own text may quote a value, which may be a token.
fn json_reason(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => {
            "an entry has token or token_sha256, user_id, project_id and a list roles, and nothing else"
        }
        serde_json::error::Category::Eof => "the JSON ends too early",
    }
}

impl Entry {
    fn read(self, number: usize) -> Result<(TokenHash, Caller), TokenFileError> {
        let key = match (&self.token, &self.token_sha256) {
            (Some(token), None) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(TokenFileError::Token { entry: number });
            }
            (Some(token), None) => hash(token),
            (None, Some(digits)) => hexadecimal(digits).ok_or(TokenFileError::Hash { entry: number })?,
            _ => return Err(TokenFileError::TokenCount { entry: number }),
        };
        for (member, value) in [("user_id", &self.user_id), ("project_id", &self.project_id)] {
            if value.is_empty() {
                return Err(TokenFileError::Empty { entry: number, member });
            }
        }
        let Self {
            user_id,
            project_id,
            roles,
            ..
        } = self;
        Ok((
            key,
            Caller {
                user_id,
                project_id,
                roles,
                is_admin: false,
                trust_id: None,
            },
        ))
    }
}

fn hexadecimal(digits: &str) -> Option<TokenHash> {
    let mut hash = TokenHash::default();
    if digits.len() != 2 * hash.len() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[async_trait]
impl Authenticator for TokenFile {
    async fn authenticate(&self, headers: &HeaderMap, _: Timestamp) -> Result<Caller, AuthenticationError> {
        token(headers, &AUTH_TOKEN)
            .and_then(|token| self.callers.get(&hash(token.expose_secret())).cloned())
            .ok_or(AuthenticationError::Unauthenticated)
    }

    fn challenge(&self) -> String {
        "Keystone uri=\"\"".to_owned()
    }
}
