//! Files that are read again while the service runs: tokens and policy.
//!
//! Invariant: a file that cannot be used changes nothing; the log says why, and what was read before stays in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use policy::{Defaults, Rules};
use regular_file::{LONGEST, RegularFile};
use server::authorization::RulePolicy;
use server::identity::tokens::{TokenFile, Tokens};

use crate::file_mode::private_text;
use crate::options::{AuthenticationKind, CloudKind, ServeArguments};

/// What was read from files, and where from.
pub(super) struct Reloadable {
    defaults: Defaults,
    policy_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    pub(super) policy: Arc<RulePolicy>,
    /// Where callers have tokens of a file.
    pub(super) tokens: Option<Arc<Tokens>>,
}

impl Reloadable {
    /// Reads the files that the options name.
    pub(super) fn read(arguments: &ServeArguments) -> anyhow::Result<Self> {
        let defaults = defaults(arguments.cloud);
        let rules = rules(defaults, arguments.policy_file.as_deref())?;
        let token_file = match (arguments.authentication(), &arguments.token_file) {
            (AuthenticationKind::Tokens, Some(path)) => Some(path.clone()),
            (AuthenticationKind::Tokens, None) => {
                bail!("--auth tokens needs --token-file FILE; `berth token create` makes one")
            }
            (AuthenticationKind::None | AuthenticationKind::Keystone, _) => None,
        };
        let tokens = token_file
            .as_deref()
            .map(|path| tokens(path, &rules.roles()))
            .transpose()?;
        Ok(Self {
            defaults,
            policy_file: arguments.policy_file.clone(),
            token_file,
            policy: Arc::new(RulePolicy::new(rules)),
            tokens: tokens.map(|file| Arc::new(Tokens::new(file))),
        })
    }

    /// Reads the files again.
    pub(super) fn reload(&self) {
        match self.read_again() {
            Ok(()) => tracing::info!("tokens and policy are read again"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "tokens and policy stay as they were");
            }
        }
    }

    fn read_again(&self) -> anyhow::Result<()> {
        let rules = rules(self.defaults, self.policy_file.as_deref())?;
        if let (Some(path), Some(in_force)) = (&self.token_file, &self.tokens) {
            in_force.replace(tokens(path, &rules.roles())?);
        }
        self.policy.replace(rules);
        Ok(())
    }
}

/// The default rules of a service with this cloud.
pub(crate) const fn defaults(cloud: CloudKind) -> Defaults {
    match cloud {
        CloudKind::Openstack => Defaults::Upstream,
        CloudKind::Standalone => Defaults::Standalone,
    }
}

/// The rules of a policy file, none if there is no file.
pub(crate) fn overrides(path: Option<&Path>) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(path) = path else {
        return Ok(BTreeMap::new());
    };
    let failed = || format!("--policy-file {}", path.display());
    let text = RegularFile::open(path).and_then(|file| file.text(LONGEST));
    policy::rules_of_file(&text.with_context(failed)?).with_context(failed)
}

/// The default rules, with those of the policy file over them.
fn rules(defaults: Defaults, path: Option<&Path>) -> anyhow::Result<Rules> {
    let overrides = overrides(path)?;
    let rules = Rules::load(defaults, &overrides, true).with_context(|| match path {
        Some(path) => format!("--policy-file {}", path.display()),
        None => "the default rules".to_owned(),
    })?;
    for doubt in rules.doubts(&overrides) {
        tracing::warn!(%doubt, "the policy file may be wrong");
    }
    Ok(rules)
}

/// The tokens of a file, which must be private.
fn tokens(path: &Path, roles: &BTreeSet<String>) -> anyhow::Result<TokenFile> {
    let failed = || format!("--token-file {}", path.display());
    let text = private_text(path).with_context(failed)?;
    if text.is_empty() {
        // `berth token revoke` leaves none: it was cut off, and would lock everybody out.
        bail!("{}: it is empty", failed());
    }
    TokenFile::parse_with_roles(&text, roles).with_context(failed)
}
