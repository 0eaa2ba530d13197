//! Commands that hints name.
//!
//! Invariant: no hint is made of anything but these, so that one test holds all of them against the commands there are.

use std::fmt;

/// What has a name or an id that a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By name or id.
    Lease,
    /// By hypervisor host name or id.
    Host,
    /// By address or id.
    FloatingIp,
    /// By name.
    Property,
    /// By id; shown with its lease.
    Reservation,
}

impl Kind {
    /// The command that is about these.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Host => "host",
            Self::FloatingIp => "floatingip",
            Self::Property => "property",
            Self::Reservation => "allocation",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Lease => "lease",
            Self::Host => "host",
            Self::FloatingIp => "floating IP",
            Self::Property => "property",
            Self::Reservation => "reservation",
        })
    }
}

/// A command that a hint names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hint<'a> {
    /// What there is of a kind.
    List(Kind),
    /// The lease with this id.
    ShowLease(&'a str),
    /// What the host with this id is promised to.
    ShowAllocation(&'a str),
    /// How hosts are registered.
    CreateHost,
    /// How hosts are changed.
    UpdateHost,
}

impl<'a> Hint<'a> {
    /// The words of its command line, without `berth`.
    pub(crate) fn words(self) -> Vec<&'a str> {
        match self {
            Self::List(kind) => vec![kind.command(), "list"],
            Self::ShowLease(id) => vec!["lease", "show", id],
            Self::ShowAllocation(host) => vec!["allocation", "show", host],
            Self::CreateHost => vec!["host", "create", "--help"],
            Self::UpdateHost => vec!["host", "update", "--help"],
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;
    use crate::endpoint::TypedConnection;
    use crate::{Command, ConnectionArguments};

    #[derive(Debug, Parser)]
    struct Program {
        #[command(subcommand)]
        _command: Command,
    }

    #[test]
    fn a11_every_hint_names_a_command_that_there_is() {
        let typed = TypedConnection::of(&ConnectionArguments {
            url: Some("http://h:1".to_owned()),
            ..ConnectionArguments::default()
        });
        for hint in [
            Hint::List(Kind::Lease),
            Hint::List(Kind::Host),
            Hint::List(Kind::FloatingIp),
            Hint::List(Kind::Property),
            Hint::List(Kind::Reservation),
            Hint::ShowLease("6ee55c78-ac52-41a6-99af-2d2d73bcc466"),
            Hint::ShowAllocation("7"),
            Hint::CreateHost,
            Hint::UpdateHost,
        ] {
            let shown = typed.hint(hint).unwrap();
            match Program::try_parse_from(shlex::split(&shown).unwrap()) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{shown}: {error}"),
            }
        }
    }
}
