//! Tokens from a file, for services without Keystone.
//!
//! Invariants: a token is found by its SHA-256 only, so the time a search takes says nothing about the tokens in the file;
//! no error quotes the file, except for names of roles; roles imply each other as Keystone's do; while a new file is
//! wrong, the one before it stays in force.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::http::HeaderMap;
use planner_core::authority::Caller;
use planner_core::domain::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{AUTH_TOKEN, AuthenticationError, Authenticator, TokenHash, token, token_sha256};

/// Keystone's roles, each of which implies those after it.
pub const ROLES: [&str; 4] = ["admin", "manager", "member", "reader"];

/// Members of an entry.
const MEMBERS: [&str; 5] = ["token", "token_sha256", "user_id", "project_id", "roles"];

/// Longest name of a role that is quoted, in characters.
const QUOTED: usize = 60;

/// Why a token file cannot be used. The text never quotes the file, except for a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileError {
    /// Neither TOML nor JSON.
    #[error("the token file is neither TOML nor JSON{}: {reason}", .line.map(|line| format!(" at line {line}")).unwrap_or_default())]
    Syntax {
        /// Where, if known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// The file is no list of tokens.
    #[error("the token file must have a list `tokens` ([[tokens]] in TOML) and nothing else")]
    NoList,
    /// A member is missing or not of its type.
    #[error("token entry {entry}: {member} must be {expected}")]
    Member {
        /// Its number, from 1.
        entry: usize,
        /// Which.
        member: &'static str,
        /// What is needed.
        expected: &'static str,
    },
    /// A member that no entry has.
    #[error("token entry {entry} has a member that is not known; known are {}", MEMBERS.join(", "))]
    UnknownMember {
        /// Its number, from 1.
        entry: usize,
    },
    /// An entry does not have exactly one of `token` and `token_sha256`.
    #[error("token entry {entry} must have either token or token_sha256")]
    TokenCount {
        /// Its number, from 1.
        entry: usize,
    },
    /// A `token_sha256` of another form.
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
    /// A role that no rule of the policy asks for.
    #[error("token entry {entry}: no rule of the policy asks for the role '{role}'; known are {}", .known.join(", "))]
    Role {
        /// Its number, from 1.
        entry: usize,
        /// As written, shortened.
        role: String,
        /// All that are known.
        known: Vec<String>,
    },
    /// Two entries with one token.
    #[error("token entry {entry} has the same token as an earlier one")]
    Twice {
        /// Number of the later one, from 1.
        entry: usize,
    },
}

/// An entry of a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// SHA-256 of the token.
    pub token_sha256: TokenHash,
    /// The user.
    pub user_id: String,
    /// The project.
    pub project_id: String,
    /// Roles as written, without those they imply.
    pub roles: Vec<String>,
}

/// The tokens of a file.
#[derive(Clone, Default)]
pub struct TokenFile {
    entries: Vec<TokenEntry>,
    callers: HashMap<TokenHash, Caller>,
}

impl TokenFile {
    /// Reads the contents of a token file with Keystone's roles alone: see [`TokenFile::parse_with_roles`].
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        Self::parse_with_roles(text, &BTreeSet::new())
    }

    /// Reads the contents of a token file: TOML (`[[tokens]]`) or JSON (`{"tokens": [...]}`), with
    /// `token` or `token_sha256`, `user_id`, `project_id` and `roles` in each entry. `others` are roles, in lower case,
    /// that may be given beside Keystone's.
    ///
    /// # Errors
    /// Names the entry and what is wrong with it.
    pub fn parse_with_roles(text: &str, others: &BTreeSet<String>) -> Result<Self, TokenFileError> {
        let Value::Object(mut file) = value(text)? else {
            return Err(TokenFileError::NoList);
        };
        let tokens = match file.remove("tokens") {
            Some(Value::Array(tokens)) if file.is_empty() => tokens,
            // The last token has been revoked.
            None if file.is_empty() => Vec::new(),
            _ => return Err(TokenFileError::NoList),
        };
        let mut read = Self::default();
        for (number, entry) in (1..).zip(tokens) {
            let entry = TokenEntry::read(number, entry, others)?;
            let caller = Caller {
                user_id: entry.user_id.clone(),
                project_id: entry.project_id.clone(),
                roles: with_implied(&entry.roles),
                is_admin: false,
                trust_id: None,
            };
            if read.callers.insert(entry.token_sha256, caller).is_some() {
                return Err(TokenFileError::Twice { entry: number });
            }
            read.entries.push(entry);
        }
        Ok(read)
    }

    /// The entries in the order of the file.
    pub fn entries(&self) -> &[TokenEntry] {
        &self.entries
    }
}

/// The file as one value, whichever of the two languages it is written in.
fn value(text: &str) -> Result<Value, TokenFileError> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| TokenFileError::Syntax {
            line: Some(error.line()),
            reason: "this is not JSON".to_owned(),
        });
    }
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| TokenFileError::Syntax {
        line: error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            before.matches('\n').count() + 1
        }),
        reason: error.message().to_owned(),
    })?;
    serde_json::to_value(table).map_err(|_| TokenFileError::NoList)
}

/// Roles with those they imply.
fn with_implied(roles: &[String]) -> Vec<String> {
    let mut all = roles.to_vec();
    for role in roles {
        let place = ROLES.iter().position(|known| known.eq_ignore_ascii_case(role));
        for implied in place.map_or(&[][..], |place| &ROLES[place..]) {
            if !all.iter().any(|known| known.eq_ignore_ascii_case(implied)) {
                all.push((*implied).to_owned());
            }
        }
    }
    all
}

impl TokenEntry {
    fn read(number: usize, value: Value, others: &BTreeSet<String>) -> Result<Self, TokenFileError> {
        let Value::Object(mut members) = value else {
            return Err(TokenFileError::Member {
                entry: number,
                member: "it",
                expected: "an object",
            });
        };
        if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(TokenFileError::UnknownMember { entry: number });
        }
        let token = text(&mut members, number, "token")?;
        let digits = text(&mut members, number, "token_sha256")?;
        let token_sha256 = match (token, digits) {
            (Some(token), None) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(TokenFileError::Token { entry: number });
            }
            (Some(token), None) => token_sha256(&token),
            (None, Some(digits)) => hexadecimal(&digits).ok_or(TokenFileError::Hash { entry: number })?,
            _ => return Err(TokenFileError::TokenCount { entry: number }),
        };
        let mut name = |member| match text(&mut members, number, member)? {
            Some(name) if name.is_empty() => Err(TokenFileError::Empty { entry: number, member }),
            Some(name) => Ok(name),
            None => Err(TokenFileError::Member {
                entry: number,
                member,
                expected: "a text",
            }),
        };
        Ok(Self {
            token_sha256,
            user_id: name("user_id")?,
            project_id: name("project_id")?,
            roles: roles(&mut members, number, others)?,
        })
    }
}

/// A member that is a text, if it is there.
fn text(
    members: &mut Map<String, Value>,
    entry: usize,
    member: &'static str,
) -> Result<Option<String>, TokenFileError> {
    match members.remove(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenFileError::Member {
            entry,
            member,
            expected: "a text",
        }),
    }
}

fn roles(
    members: &mut Map<String, Value>,
    entry: usize,
    others: &BTreeSet<String>,
) -> Result<Vec<String>, TokenFileError> {
    let wrong = || TokenFileError::Member {
        entry,
        member: "roles",
        expected: "a list of names",
    };
    let Some(Value::Array(items)) = members.remove("roles") else {
        return Err(wrong());
    };
    let mut roles = Vec::with_capacity(items.len());
    for item in items {
        let Value::String(role) = item else {
            return Err(wrong());
        };
        let is_known =
            ROLES.iter().any(|known| known.eq_ignore_ascii_case(&role)) || others.contains(&role.to_lowercase());
        if !is_known {
            let own = ROLES.map(str::to_owned).into_iter();
            let others = others.iter().filter(|role| !ROLES.contains(&role.as_str()));
            return Err(TokenFileError::Role {
                entry,
                role: role.chars().take(QUOTED).collect(),
                known: own.chain(others.cloned()).collect(),
            });
        }
        roles.push(role);
    }
    Ok(roles)
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
            .and_then(|token| self.callers.get(&token_sha256(token.expose_secret())).cloned())
            .ok_or(AuthenticationError::Unauthenticated)
    }

    fn challenge(&self) -> String {
        "Keystone uri=\"\"".to_owned()
    }
}

/// Authentication by a token file that may be exchanged for another while requests are served.
pub struct Tokens(ArcSwap<TokenFile>);

impl Tokens {
    /// Authentication by this file.
    pub fn new(file: TokenFile) -> Self {
        Self(ArcSwap::from_pointee(file))
    }

    /// Authenticates by another file from now on.
    pub fn replace(&self, file: TokenFile) {
        self.0.store(Arc::new(file));
    }
}

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, AuthenticationError> {
        let file = self.0.load_full();
        file.authenticate(headers, now).await
    }

    fn challenge(&self) -> String {
        self.0.load().challenge()
    }
}
