//! `berth policy`: prints the policy rules as a policy file.
//!
//! Invariant: `berth serve --policy-file` with what is printed decides as `berth serve` does without it.

use std::path::PathBuf;

use clap::Args;
use policy::{Rules, expressions, file_of_rules};

use crate::options::CloudKind;
use crate::serve::reloadable::{defaults, overrides};

/// `berth policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// What executes leases, which the defaults depend on
    #[arg(long, env = "BERTH_CLOUD", value_enum, default_value = "standalone")]
    cloud: CloudKind,
    /// Policy file whose rules take the places of the defaults
    #[arg(long, env = "BERTH_POLICY_FILE", value_name = "FILE")]
    policy_file: Option<PathBuf>,
}

/// The policy file with all rules in force.
///
/// # Errors
/// When the file given cannot be used.
pub(crate) fn printed(arguments: &PolicyArguments) -> anyhow::Result<String> {
    let overrides = overrides(arguments.policy_file.as_deref())?;
    Rules::load(defaults(arguments.cloud), &overrides, true)?;
    let rules = file_of_rules(&expressions(defaults(arguments.cloud), &overrides, true));
    Ok(format!(
        "# Rules of `berth serve`, in the language of oslo.policy. A file for --policy-file needs only those that differ:\n\
         # rules that are left out keep their defaults, also when a new version has others.\n\n{rules}"
    ))
}
