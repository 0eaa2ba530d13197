//! Addresses of databases, in our form and in the one that OpenStack services are configured with.
//!
//! Invariant: an error never repeats the address, which holds a password.

use std::path::PathBuf;

use url::Url;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The scheme names no engine that is supported.
    #[error(
        "the database address begins with `{scheme}`; supported are sqlite:///PATH, postgres://USER:PASSWORD@HOST/DATABASE and mysql://USER:PASSWORD@HOST/DATABASE"
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// `sqlite://` without an absolute path, or with something after it.
    #[error(
        "a SQLite address is sqlite:// and an absolute path of a file, as in sqlite:///var/lib/berth/book.db: {problem}"
    )]
    SqlitePath {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not a URL.
    #[error("the database address is not a URL: {problem}")]
    Syntax {
        /// What is wrong with it.
        problem: String,
    },
    /// The name of the database is missing.
    #[error("the database address does not name a database after the host")]
    NoDatabase,
}

/// Where the book is kept.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL as the driver understands it.
    Postgres(Url),
    /// A server; the URL as the driver understands it.
    MariaDb(Url),
}

impl Address {
    /// Reads an address. `mysql+pymysql://` and the like name a driver after the `+`, which is ignored,
    /// as are parameters that only that driver knows.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| AddressError::Syntax {
            problem: "`://` is missing".to_owned(),
        })?;
        let engine = scheme.split_once('+').map_or(scheme, |(engine, _driver)| engine);
        match engine {
            "sqlite" => sqlite_path(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => server_url(
                "postgres",
                rest,
                &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port"],
            )
            .map(Self::Postgres),
            "mysql" | "mariadb" => {
                server_url("mysql", rest, &["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"]).map(Self::MariaDb)
            }
            _ => Err(AddressError::Scheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, AddressError> {
    let problem = |problem| Err(AddressError::SqlitePath { problem });
    if rest.contains(['?', '\0']) {
        return problem("options after the path are not supported");
    }
    if !rest.starts_with('/') {
        return problem("the path is not absolute");
    }
    if rest.ends_with('/') {
        return problem("the path names a folder");
    }
    // SQLAlchemy writes absolute paths with four slashes.
    let path = rest.trim_start_matches('/');
    Ok(PathBuf::from(format!("/{path}")))
}

fn server_url(scheme: &str, rest: &str, known: &[&str]) -> Result<Url, AddressError> {
    let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|error| AddressError::Syntax {
        problem: error.to_string(),
    })?;
    if url.path().trim_matches('/').is_empty() {
        return Err(AddressError::NoDatabase);
    }
    let kept: Vec<(String, String)> = url
        .query_pairs()
        // PyMySQL writes ssl_ca where others write ssl-ca.
        .map(|(name, value)| {
            (
                if scheme == "mysql" {
                    name.replace('_', "-")
                } else {
                    name.into_owned()
                },
                value,
            )
        })
        .filter(|(name, _)| known.contains(&name.as_str()))
        .map(|(name, value)| (name, value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openstack_forms_are_understood() {
        let parse = |text: &str| match Address::parse(text) {
            Ok(Address::Sqlite(path)) => path.display().to_string(),
            Ok(Address::Postgres(url) | Address::MariaDb(url)) => url.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(parse("sqlite:////var/lib/b/book.db"), "/var/lib/b/book.db");
        assert_eq!(parse("sqlite:///var/lib/b/100%.db"), "/var/lib/b/100%.db");
        assert_eq!(
            parse("mysql+pymysql://blazar:p%40ss@db/blazar?charset=utf8&ssl_ca=/etc/ca.pem"),
            "mysql://blazar:p%40ss@db/blazar?ssl-ca=%2Fetc%2Fca.pem"
        );
        assert_eq!(parse("mariadb://u@h:3307/d"), "mysql://u@h:3307/d");
        assert_eq!(
            parse("postgresql+psycopg2://u:p@h/d?sslmode=require&gssencmode=disable"),
            "postgres://u:p@h/d?sslmode=require"
        );
    }

    #[test]
    fn wrong_addresses_are_refused_without_their_password() {
        for text in [
            "",
            "book.db",
            "sqlite://book.db",
            "sqlite:///",
            "sqlite:///b?mode=ro",
            "oracle://u:secret@h/d",
            "mysql://u:secret@h",
            "mysql://u:secret@h:port/d",
            "postgres://",
        ] {
            let error = Address::parse(text)
                .err()
                .unwrap_or_else(|| panic!("{text} was accepted"));
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
