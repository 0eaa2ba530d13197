//! Signatures by which a receiver knows that Berth sent a document, after the Standard Webhooks specification.
//!
//! Invariant: the secret is in no log and in no debug output.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// How a secret begins that is written in base 64.
const BASE64_PREFIX: &str = "whsec_";

/// What Berth and a receiver share.
#[derive(Debug, Clone)]
pub struct Secret(SecretSlice<u8>);

/// Why a secret cannot be used. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableSecret {
    /// There is nothing.
    #[error("the secret is empty; at least one character is needed, 32 random ones are good")]
    Empty,
    /// It says that it is base 64 and is not.
    #[error("what follows whsec_ is not base 64")]
    NotBase64,
}

impl Secret {
    /// Reads a secret as it stands in a file or variable, without blanks around it: base 64 after `whsec_`, else the text
    /// itself.
    ///
    /// # Errors
    /// When there is none, or it is not what it says.
    pub fn read(text: &str) -> Result<Self, UnusableSecret> {
        let text = text.trim();
        let bytes = match text.strip_prefix(BASE64_PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| UnusableSecret::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(UnusableSecret::Empty);
        }
        Ok(Self(SecretSlice::from(bytes)))
    }

    /// The value of `webhook-signature`: HMAC-SHA256 over id, time and body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // A key of any length is allowed.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, UnusableSecret};

    /// The example of the specification's reference libraries.
    #[test]
    fn it_signs_as_the_specification_says() {
        let secret = Secret::read(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_or_refused_and_never_shown() {
        assert_eq!(Secret::read(" \n").unwrap_err(), UnusableSecret::Empty);
        assert_eq!(Secret::read("whsec_").unwrap_err(), UnusableSecret::Empty);
        assert_eq!(Secret::read("whsec_?").unwrap_err(), UnusableSecret::NotBase64);
        let secret = Secret::read("open sesame").unwrap();
        assert!(!format!("{secret:?}").contains("111"), "{secret:?}");
    }
}
