//! What every exchange over HTTP has in common: the client, addresses as they may be shown, the text of a refusal.

use std::time::Duration;

use http_client::{Client, Trust};
use serde_json::Value;

/// Long enough for a decision at the service's own limit, short enough for a person who waits.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// Longest refusal that is read, in bytes; the rest of a longer one is left out.
pub(crate) const LONGEST_REFUSAL: usize = 4 << 20;

/// The HTTP client for one command.
pub(crate) fn http_client(
    url: &str,
    certificates: Option<&[u8]>,
    insecure: bool,
) -> Result<Client, http_client::ClientError> {
    let trust = match certificates {
        _ if url.starts_with("http://") => Trust::PlainHttp,
        _ if insecure => Trust::Unverified,
        Some(certificates) => Trust::SystemAnd(certificates),
        None => Trust::System,
    };
    Client::new(ANSWER_WITHIN, trust)
}

/// An address as it may be shown: what stands before the `@` of its host is a name with a password.
pub(crate) fn without_password(address: &str) -> String {
    let (scheme, rest) = match address.find("//") {
        Some(at) => address.split_at(at + 2),
        None => ("", address),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match host.rfind('@') {
        Some(at) => format!("{scheme}...{}", &rest[at..]),
        None => address.to_owned(),
    }
}

/// The text of an error body: the API's own, RFC 9457, or Keystone's.
pub(crate) fn message_of(body: &Value) -> Option<String> {
    ["/error_message", "/detail", "/error/message", "/title"]
        .iter()
        .find_map(|pointer| body.pointer(pointer).and_then(Value::as_str))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn v26_what_is_shown_of_an_address_is_not_its_password() {
        for (address, shown) in [
            ("https://ann:SE@CRET@h:1/v1?a=b@c", "https://...@h:1/v1?a=b@c"),
            ("http://h/a@b", "http://h/a@b"),
            ("h:1234", "h:1234"),
            ("ann:SECRET@h:1234/v1", "...@h:1234/v1"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
