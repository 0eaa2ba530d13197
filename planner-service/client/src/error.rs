//! What can go wrong with a client command, and what the user can do about it.
//!
//! Invariant: every error has an exit code a script can rely on: 1 refused by the service, 2 wrong
//! command line, and nothing has happened, 3 the service did not answer.

use serde_json::{Map, Value, json};
use url::{Host, Url};

use crate::api::{Api, ApiError};
use crate::condition::ConditionError;
use crate::endpoint::{EndpointError, TypedConnection};
use crate::hint::{Hint, Kind};
use crate::key_values::{nearest, question};
use crate::keystone::KeystoneError;
use crate::moment::MomentError;
use crate::request::{Request, accepted};
use crate::several::{self, Failure};

/// The command line is wrong, and nothing has happened.
const USAGE: u8 = 2;

/// The service did not answer.
pub(crate) const UNREACHABLE: u8 = 3;

/// Why a client command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The service refused or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The service refused, and the command knows what can be done.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: ApiError,
        /// What can be done, in lines.
        next: Vec<String>,
    },
    /// The service could not be found.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A time cannot be meant.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// A condition on hosts cannot be read.
    #[error("--where: {0}")]
    Condition(#[from] ConditionError),
    /// Options contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// No object of this kind has this name.
    #[error("no {kind} is called '{name}'{}", question(nearest.as_deref()))]
    NoSuchName {
        /// What it would be.
        kind: Kind,
        /// As written.
        name: String,
        /// The name of one that may have been meant.
        nearest: Option<String>,
    },
    /// Several objects have this name.
    #[error("{count} {kind}s are called '{name}': {ids}")]
    AmbiguousName {
        /// What it would be.
        kind: Kind,
        /// As written.
        name: String,
        /// How many.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// The answer lacks what the API promises.
    #[error("the service answered without '{0}'; is this the address of a reservation service?")]
    Answer(&'static str),
    /// Some of several things were not done.
    #[error("{}", failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several {
        /// Which, and why.
        failures: Vec<Failure>,
        /// What was done, as it is printed.
        done: Map<String, Value>,
    },
    /// One of several things, after the service had stopped to answer.
    #[error("not tried, because the service does not answer")]
    Untried,
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    /// The output cannot be written after something was changed.
    #[error("cannot write the output: {error}")]
    Unwritten {
        /// Why not.
        error: std::io::Error,
        /// What was changed, in sentences.
        done: Vec<String>,
    },
}

impl ClientError {
    /// A call that failed; what the service offers is shown as a change of the request, and where it offers nothing, the
    /// question what would fit.
    pub(crate) fn refused(error: ApiError, request: &impl Request, api: &Api) -> Self {
        let ApiError::Refused { offers, message, .. } = &error else {
            return Self::Api(error);
        };
        let mut next = accepted(request, offers, api.typed());
        let question = request
            .question()
            .filter(|_| next.is_empty() && message.contains("Not enough"));
        if let Some(question) = question.and_then(|words| api.typed().command(&words)) {
            next.push("Ask for less, another time or a weaker condition. This tells what fits:".to_owned());
            next.push(format!("  {question}"));
            next.extend(api.typed().left_out().map(str::to_owned));
        }
        if next.is_empty() {
            Self::Api(error)
        } else {
            Self::Refused { refusal: error, next }
        }
    }

    /// A call that failed; after a conflict with what there is, `hint` shows that.
    pub(crate) fn conflict(error: ApiError, hint: Hint<'_>, shows: &str, api: &Api) -> Self {
        match (&error, api.typed().hint(hint)) {
            (ApiError::Refused { status: 409, .. }, Some(command)) => Self::Refused {
                refusal: error,
                next: vec![format!("`{command}` {shows}")],
            },
            _ => Self::Api(error),
        }
    }

    /// What is said of it, a sentence for each thing that failed.
    pub(crate) fn said(&self) -> Vec<String> {
        if let Self::Several { failures, .. } = self {
            failures.iter().map(ToString::to_string).collect()
        } else {
            vec![self.to_string()]
        }
    }

    /// The document that stands for it where JSON is printed: the service's own where it refused, else an object `error`.
    pub(crate) fn document(&self, typed: &TypedConnection) -> Value {
        match (self, self.answer()) {
            (Self::Several { failures, done }, _) => several::document(failures, done, typed),
            (_, Some(answer)) => answer.clone(),
            (_, None) => json!({"error": {
                "kind": self.kind(),
                "message": self.to_string(),
                "exit_code": self.exit_code(),
                "next_steps": self.next_steps(typed),
            }}),
        }
    }

    /// What kind of error it is, for programs.
    fn kind(&self) -> &'static str {
        let named = [
            (matches!(self, Self::NoSuchName { .. }), "no_such_name"),
            (matches!(self, Self::AmbiguousName { .. }), "ambiguous_name"),
            (matches!(self, Self::Untried), "untried"),
            (self.exit_code() == USAGE, "usage"),
            (self.exit_code() == UNREACHABLE, "unreachable"),
            (
                matches!(self, Self::Api(ApiError::Refused { .. }) | Self::Refused { .. }),
                "refused",
            ),
        ];
        let kind = named.into_iter().find(|(is_it, _)| *is_it);
        kind.map_or("unexpected_answer", |(_, kind)| kind)
    }

    /// What the service answered when it refused, as far as that was JSON.
    pub(crate) fn answer(&self) -> Option<&Value> {
        let (Self::Api(refusal) | Self::Refused { refusal, .. }) = self else {
            return None;
        };
        match refusal {
            ApiError::Refused { body, .. } => Some(&**body).filter(|body| !body.is_null()),
            ApiError::Unreachable { .. }
            | ApiError::Gateway { .. }
            | ApiError::Redirected { .. }
            | ApiError::TooLong { .. }
            | ApiError::NotJson { .. }
            | ApiError::Address { .. }
            | ApiError::Client { .. } => None,
        }
    }

    /// That none of these has this name.
    pub(crate) fn no_such<'a>(kind: Kind, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::NoSuchName {
            kind,
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        }
    }

    /// The exit code: 1 refused or not found, 2 usage and nothing has happened, 3 not reachable.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Api(ApiError::Unreachable { .. } | ApiError::Gateway { .. })
            | Self::Endpoint(EndpointError::Keystone(KeystoneError::Unreachable { .. }))
            | Self::Untried => UNREACHABLE,
            Self::Several { failures, .. } => {
                let mut codes = failures.iter().map(|failure| failure.error.exit_code());
                codes.find(|code| *code == UNREACHABLE).unwrap_or(1)
            }
            Self::Api(ApiError::Address { .. } | ApiError::Client { .. })
            | Self::Moment(_)
            | Self::Condition(_)
            | Self::Usage(_)
            | Self::Endpoint(
                EndpointError::Keystone(
                    KeystoneError::Missing { .. }
                    | KeystoneError::Certificate { .. }
                    | KeystoneError::Client { .. }
                    | KeystoneError::Method { .. },
                )
                | EndpointError::Address { .. }
                | EndpointError::Token,
            ) => USAGE,
            Self::Api(
                ApiError::Refused { .. }
                | ApiError::NotJson { .. }
                | ApiError::Redirected { .. }
                | ApiError::TooLong { .. },
            )
            | Self::Endpoint(EndpointError::Keystone(
                KeystoneError::Refused { .. } | KeystoneError::Answer(_) | KeystoneError::NotInCatalog { .. },
            ))
            | Self::Refused { .. }
            | Self::NoSuchName { .. }
            | Self::AmbiguousName { .. }
            | Self::Answer(_)
            | Self::Output(_)
            | Self::Unwritten { .. } => 1,
        }
    }

    /// What the user can do next, a line each; commands lead to the service that was asked.
    pub fn next_steps(&self, typed: &TypedConnection) -> Vec<String> {
        if let Self::Refused { next: steps, .. } | Self::Unwritten { done: steps, .. } = self {
            return steps.clone();
        }
        let Self::Several { failures, .. } = self else {
            return self.next_step(typed).into_iter().collect();
        };
        let mut steps: Vec<String> = Vec::new();
        for step in failures.iter().flat_map(|failure| failure.error.next_steps(typed)) {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// What the user can do next, in one sentence.
    fn next_step(&self, typed: &TypedConnection) -> Option<String> {
        let text = match self {
            Self::Api(ApiError::Unreachable { url, reason }) => return Some(unreachable_hint(url, reason)),
            Self::Api(ApiError::Gateway { .. }) => "The service behind this address is down; try again later.",
            Self::Api(ApiError::Refused { status, message, .. }) => return refusal_hint(*status, message, typed),
            Self::Api(ApiError::NotJson { .. } | ApiError::Redirected { .. } | ApiError::TooLong { .. })
            | Self::Answer(_) => CHECK_ADDRESS,
            Self::Endpoint(EndpointError::Keystone(error)) => return Some(error.next_step()),
            Self::NoSuchName { kind, .. } => {
                let list = typed.hint(Hint::List(*kind))?;
                return Some(format!("`{list}` shows what there is."));
            }
            Self::AmbiguousName { .. } => "Say which one by its id.",
            Self::Usage(_) | Self::Condition(_) | Self::Moment(_) => "Add --help to see what the command takes.",
            Self::Api(ApiError::Address { .. } | ApiError::Client { .. })
            | Self::Endpoint(EndpointError::Address { .. } | EndpointError::Token)
            | Self::Refused { .. }
            | Self::Several { .. }
            | Self::Untried
            | Self::Output(_)
            | Self::Unwritten { .. } => return None,
        };
        Some(text.to_owned())
    }
}

/// What to do where no service answers.
fn unreachable_hint(url: &str, reason: &str) -> String {
    let parsed = Url::parse(url).ok();
    let parsed = parsed.as_ref();
    if reason.contains("InvalidContentType") {
        return "What listens there speaks no TLS; write http:// if it is a service without it.".to_owned();
    }
    let is_here = |host: Host<&str>| match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match parsed.and_then(|url| {
        Some((
            url.host().filter(|host| is_here(host.clone()))?,
            url.port_or_known_default()?,
        ))
    }) {
        Some((host, port)) => format!(
            "Start one with `berth serve --listen {host}:{port}`, or set BERTH_URL (or --url) to the address of a running \
             service."
        ),
        None => "Check the address (--url or BERTH_URL), and that the service runs there.".to_owned(),
    }
}

/// What to do where something else answers, or the service does not know the path.
const CHECK_ADDRESS: &str =
    "Check the address (--url or BERTH_URL): it is the one that the service listens on, with or without /v1.";

/// Words with which services say of what kind the thing is that they do not have.
const MISSING: [(&str, Kind); 6] = [
    ("'lease_id'", Kind::Lease),
    ("Lease ", Kind::Lease),
    ("'host_id'", Kind::Host),
    ("Host ", Kind::Host),
    ("'property_name'", Kind::Property),
    ("Floating IP ", Kind::FloatingIp),
];

fn refusal_hint(status: u16, message: &str, typed: &TypedConnection) -> Option<String> {
    let of_a_lease = message.contains(":leases:") && !message.contains(":leases:post");
    let text = match status {
        401 => "Set BERTH_TOKEN (or --token) to a valid token, or the OS_* variables to log in with Keystone.",
        403 if message.contains("Policy") && of_a_lease => {
            "It belongs to another project, or your role does not allow this; ask an operator of the service."
        }
        403 if message.contains("Policy") => "Your role does not allow this; ask an operator of the service.",
        404 if message.contains("URL was not found") => CHECK_ADDRESS,
        404 => {
            let (_, kind) = MISSING.iter().find(|(words, _)| message.contains(words))?;
            let list = typed.hint(Hint::List(*kind))?;
            return Some(format!("It may have been deleted; `{list}` shows what there is."));
        }
        503 if message.contains("the database") => {
            "The service cannot use its database: tell its operator; its log names the reason under the request id."
        }
        503 => "This is no refusal: try again in a moment.",
        500..=599 => "The service failed; its log names the reason under the request id.",
        _ => return None,
    };
    Some(text.to_owned())
}
