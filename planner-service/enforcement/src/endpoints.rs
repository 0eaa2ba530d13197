//! Which URL is called for which question.

use url::Url;

/// Why the configured URLs cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Nothing is to be asked.
    #[error(
        "ExternalServiceFilter has nothing to call: give external_service_base_endpoint, or one of \
         external_service_check_create_endpoint, external_service_check_update_endpoint and \
         external_service_on_end_endpoint"
    )]
    Nothing,
    /// Not a URL that can be called. It is not quoted, since it may hold a password.
    #[error("{option}: an http or https URL is allowed{}", .reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Malformed {
        /// The option.
        option: &'static str,
        /// What the reader of URLs says.
        reason: Option<url::ParseError>,
    },
}

/// The URLs of the service; `None`: that question is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Asked before a lease is booked.
    pub(crate) check_create: Option<Url>,
    /// Asked before a lease is changed.
    pub(crate) check_update: Option<Url>,
    /// Told that a lease ends.
    pub(crate) on_end: Option<Url>,
}

impl Endpoints {
    /// The URLs of their own where given, else relative to `base` (which therefore should end with `/`).
    ///
    /// # Errors
    /// When one is not an HTTP URL, or there is none.
    pub fn new(
        base: Option<&str>,
        check_create: Option<&str>,
        check_update: Option<&str>,
        on_end: Option<&str>,
    ) -> Result<Self, EndpointError> {
        let base = base
            .map(|base| read("external_service_base_endpoint", base))
            .transpose()?;
        let choose = |option, own: Option<&str>, path: &str| match (own, &base) {
            (Some(own), _) => read(option, own).map(Some),
            (None, Some(base)) => base.join(path).map(Some).map_err(|reason| EndpointError::Malformed {
                option: "external_service_base_endpoint",
                reason: Some(reason),
            }),
            (None, None) => Ok(None),
        };
        let endpoints = Self {
            check_create: choose("external_service_check_create_endpoint", check_create, "check-create")?,
            check_update: choose("external_service_check_update_endpoint", check_update, "check-update")?,
            on_end: choose("external_service_on_end_endpoint", on_end, "on-end")?,
        };
        match endpoints {
            Self {
                check_create: None,
                check_update: None,
                on_end: None,
            } => Err(EndpointError::Nothing),
            endpoints => Ok(endpoints),
        }
    }

    /// Every URL that may be called.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Url> {
        [&self.check_create, &self.check_update, &self.on_end]
            .into_iter()
            .flatten()
    }
}

fn read(option: &'static str, value: &str) -> Result<Url, EndpointError> {
    let malformed = |reason| EndpointError::Malformed { option, reason };
    let url = Url::parse(value).map_err(|reason| malformed(Some(reason)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed(None));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: Option<&Url>) -> Option<&str> {
        url.map(Url::as_str)
    }

    #[test]
    fn a_base_gives_every_url_and_an_own_one_wins() {
        let all = Endpoints::new(
            Some("http://filter/usage/"),
            None,
            Some("https://other/changes?a=b"),
            None,
        );
        let all = all.unwrap();
        assert_eq!(
            shown(all.check_create.as_ref()),
            Some("http://filter/usage/check-create")
        );
        assert_eq!(shown(all.check_update.as_ref()), Some("https://other/changes?a=b"));
        assert_eq!(shown(all.on_end.as_ref()), Some("http://filter/usage/on-end"));
        // As RFC 3986 has it: the last segment without a slash is replaced.
        let all = Endpoints::new(Some("http://filter/usage"), None, None, None).unwrap();
        assert_eq!(shown(all.on_end.as_ref()), Some("http://filter/on-end"));
        let one = Endpoints::new(None, None, None, Some("http://filter/end")).unwrap();
        assert_eq!((one.check_create, one.check_update), (None, None));
    }

    #[test]
    fn what_cannot_be_called_is_named() {
        assert_eq!(Endpoints::new(None, None, None, None), Err(EndpointError::Nothing));
        for url in ["filter/usage", "ftp://filter/", "file:///etc/passwd", "http://", ""] {
            let error = Endpoints::new(Some(url), None, None, None).unwrap_err().to_string();
            assert!(
                error.starts_with("external_service_base_endpoint: an http or https URL is allowed"),
                "{error}"
            );
            assert!(
                url.is_empty() || !error.contains(url),
                "it may hold a password: {error}"
            );
            let error = Endpoints::new(Some("http://filter/"), None, None, Some(url)).unwrap_err();
            assert!(
                error.to_string().starts_with("external_service_on_end_endpoint: "),
                "{error}"
            );
        }
    }
}
