//! A request as the command line that makes it, so that an offer of the service can be shown as one to copy.
//!
//! Invariant: a command that is shown parses again and asks for what the offer says; what a shell or a terminal would
//! take for something else is not shown as a command.

use api_types::capacity::Offer;
use api_types::name::is_steering;
use chrono::{DateTime, Utc};

use crate::condition::written;
use crate::endpoint::TypedConnection;
use crate::moment::Moment;

/// A refused request that can be made again with a change.
pub(crate) trait Request: Sized {
    /// The request that the offer describes; `None` if the options of the command cannot say it.
    fn with(&self, offer: &Offer) -> Option<Self>;

    /// Whether it asks for anything but what there is.
    fn is_change(&self) -> bool {
        true
    }

    /// The words of its command line, without `berth`; options that were not given are left out.
    fn words(&self) -> Vec<String>;

    /// The words of the question what would become of it; `None` if no command can ask that.
    fn question(&self) -> Option<Vec<String>> {
        None
    }

    /// What the reservation at this place of the request counts, as (one, many).
    fn noun(&self, reservation: u32) -> (&'static str, &'static str);
}

/// What would be accepted in place of a request, a line each; empty if nothing is offered.
pub(crate) fn accepted(request: &impl Request, offers: &[Offer], typed: &TypedConnection) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_copied = false;
    for offer in offers {
        let changed = request.with(offer);
        if changed.as_ref().is_some_and(|changed| !changed.is_change()) {
            continue;
        }
        let shown = changed.and_then(|changed| typed.command(&changed.words()));
        is_copied |= shown.is_some();
        let shown = shown.unwrap_or_else(|| described(request, offer));
        let (Offer::Start { without_moves, .. }
        | Offer::End { without_moves, .. }
        | Offer::Amount { without_moves, .. }
        | Offer::Replace { without_moves, .. }
        | Offer::Drop { without_moves, .. }) = offer;
        let moves = if *without_moves {
            ""
        } else {
            " (earlier reservations would get other hosts)"
        };
        lines.push(format!("Would be accepted{moves}:"));
        lines.push(format!("  {shown}"));
    }
    lines.extend(typed.left_out().filter(|_| is_copied).map(str::to_owned));
    lines
}

/// A text that a shell reads as one word; `None` if it cannot be shown as one.
pub(crate) fn quoted(text: &str) -> Option<String> {
    (!text.contains(is_steering)).then(|| shlex::try_quote(text).ok().map(std::borrow::Cow::into_owned))?
}

/// An offer in words.
fn described(request: &impl Request, offer: &Offer) -> String {
    match offer {
        Offer::Start { start, end, .. } => match (at(start.0), at(end.0)) {
            (Some(start), Some(end)) => format!("from {start} until {end} (UTC)"),
            _ => "another time".to_owned(),
        },
        Offer::End { end, .. } => match at(end.0) {
            Some(end) => format!("until {end} (UTC)"),
            None => "an earlier end".to_owned(),
        },
        Offer::Amount {
            reservation, amount, ..
        } => {
            let (one, many) = request.noun(*reservation);
            format!(
                "{amount} {} for reservation {}",
                if *amount == 1 { one } else { many },
                reservation + 1
            )
        }
        Offer::Replace {
            reservation,
            condition,
            replacement,
            ..
        } => format!(
            "reservation {} with {replacement} in place of {condition}",
            reservation + 1
        ),
        Offer::Drop {
            reservation, condition, ..
        } => {
            let value = serde_json::from_str(condition).ok();
            let words = value.as_ref().and_then(written).unwrap_or_else(|| condition.clone());
            format!("reservation {} without the condition {words}", reservation + 1)
        }
    }
}

/// A time of an offer.
pub(crate) fn at(seconds: i64) -> Option<Moment> {
    DateTime::<Utc>::from_timestamp(seconds, 0).map(Moment::At)
}

/// Adds an option with its value if it was given.
pub(crate) fn option(words: &mut Vec<String>, name: &str, value: Option<impl ToString>) {
    let Some(value) = value.map(|value| value.to_string()) else {
        return;
    };
    if value.starts_with('-') {
        // In one word it is not taken for another option.
        words.push(format!("{name}={value}"));
    } else {
        words.extend([name.to_owned(), value]);
    }
}

/// Adds what is no option, after all options.
pub(crate) fn operand(words: &mut Vec<String>, value: &str) {
    if value.starts_with('-') {
        words.push("--".to_owned());
    }
    words.push(value.to_owned());
}

#[cfg(test)]
mod tests {
    use api_types::date::ZonedTime;
    use clap::Parser;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::lease::{CreateArguments, LeaseAction};
    use crate::{Command, WhatIfArguments};

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_893_492_042, 0).unwrap()
    }

    /// 2030-01-02 08:00 UTC, a day long.
    const OFFERED: (i64, i64) = (1_893_571_200, 1_893_657_600);

    fn start() -> Offer {
        Offer::Start {
            start: ZonedTime(OFFERED.0),
            end: ZonedTime(OFFERED.1),
            without_moves: true,
        }
    }

    fn amount(reservation: u32, amount: u32) -> Offer {
        Offer::Amount {
            reservation,
            amount,
            without_moves: true,
        }
    }

    fn parsed(words: &[String]) -> Command {
        let shown = TypedConnection::default().command(words).expect("it can be shown");
        let words = shlex::split(&shown).expect("a shell reads it");
        Program::try_parse_from(words)
            .unwrap_or_else(|error| panic!("{shown}: {error}"))
            .command
    }

    fn of_lease(command: &Command) -> Option<&CreateArguments> {
        if let Command::Lease(lease) = command
            && let LeaseAction::Create(arguments) = &lease.action
        {
            return Some(arguments);
        }
        None
    }

    fn of_question(command: &Command) -> &WhatIfArguments {
        if let Command::WhatIf(arguments) = command {
            return arguments;
        }
        panic!("it is another command: {command:?}")
    }

    /// What a command sends.
    fn body(command: &Command) -> Value {
        match of_lease(command) {
            Some(arguments) => arguments.body(now()).unwrap(),
            None => of_question(command).body(now()).unwrap(),
        }
    }

    /// The words of the command with the change of an offer.
    fn changed(command: &Command, offer: &Offer) -> Option<Vec<String>> {
        match of_lease(command) {
            Some(arguments) => arguments.with(offer).map(|changed| changed.words()),
            None => crate::what_if::asked(of_question(command), now())
                .with(offer)
                .map(|changed| changed.words()),
        }
    }

    /// What an amount is called, by the entry it is of.
    fn set_amount(entry: &mut Value, amount: u32) {
        for name in if entry.get("min").is_some() {
            &["min", "max"][..]
        } else {
            &["amount"]
        } {
            entry[*name] = json!(amount);
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9]{1,6}",
            Just("it's \"$HOME\" `x` \\ ;#&|<>*?!~".to_owned()),
            Just("-x".to_owned()),
            Just("漢字 é".to_owned()),
            "[ -~]{1,12}",
        ]
    }

    fn plain() -> impl Strategy<Value = Vec<String>> {
        let given = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        prop_oneof![
            Just(Vec::new()),
            Just(given(&["--hosts", "3"])),
            Just(given(&[
                "--hosts",
                "2-4",
                "--where",
                "gpu=True and (vcpus>=8 or zone='a b')"
            ])),
            Just(given(&[
                "--hosts",
                "2",
                "--resource-properties",
                r#"["and", ["=", "$gpu", "True"], ["!=", "$x", "it's"]]"#
            ])),
            Just(given(&[
                "--instances",
                "9",
                "--vcpus",
                "2",
                "--memory-mb",
                "512",
                "--affinity",
                "different"
            ])),
            Just(given(&["--instances", "9", "--flavor", "-3 x"])).prop_map(|mut words| {
                // A value that begins with a hyphen is one word.
                words.truncate(2);
                words.push("--flavor=-3 x".to_owned());
                words
            }),
        ]
    }

    fn whole() -> impl Strategy<Value = Vec<String>> {
        let texts = prop_oneof![
            Just("min=2,max=5"),
            Just(r#"min=3,hypervisor_properties=["and", [">=", "$vcpus", "2"], ["==", "$a", "x=1,y=2"]]"#),
            Just("resource_type=virtual:instance,amount=7,vcpus=1,affinity=False"),
            Just("resource_type=licence:cad,amount=5"),
            Just(
                r#"resource_type=virtual:floatingip,network_id=n,amount=4,required_floatingips=["192.0.2.9","192.0.2.8"]"#
            ),
        ];
        proptest::collection::vec(texts, 0..3).prop_map(|texts| {
            texts
                .into_iter()
                .flat_map(|text| ["--reservation".to_owned(), text.to_owned()])
                .collect()
        })
    }

    proptest! {
        /// B8, B9: the printed command parses and asks for what the offer says, and for nothing else.
        #[test]
        fn b8_a_printed_command_asks_for_what_is_offered(
            what_if: bool,
            name in text(),
            starts in proptest::sample::select(vec![None, Some("now"), Some("+90m"), Some("2030-01-01 12:00")]),
            ends in proptest::sample::select(vec![None, Some("+2h"), Some("2030-01-05")]),
            latest in proptest::sample::select(vec![None, Some("+30d"), Some("2030-01-20 06:30")]),
            plain in plain(),
            whole in whole(),
            place in 0_u32..3,
            fewer in 1_u32..3,
        ) {
            prop_assume!(!plain.is_empty() || !whole.is_empty());
            let mut words: Vec<String> = vec!["berth".to_owned()];
            words.extend(if what_if { vec!["what-if".to_owned()] } else { vec!["lease".to_owned(), "create".to_owned()] });
            option(&mut words, "--start", starts);
            option(&mut words, "--end", ends);
            words.extend(plain);
            words.extend(whole);
            if what_if {
                option(&mut words, "--latest-start", latest);
                option(&mut words, "--down", Some("gpu03:+1h..2030-01-02 10:00"));
            } else {
                option(&mut words, "--before-end", Some("-30m"));
                operand(&mut words, &name);
            }
            let command = Program::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}")).command;
            let asked = body(&command);
            let entries = if what_if { "/lease/reservations" } else { "/reservations" };

            let again = parsed(&changed(&command, &start()).expect("another start can be said"));
            let mut expected = asked.clone();
            if what_if {
                expected["lease"]["start"] = json!("2030-01-02T08:00:00Z");
                expected["lease"]["end"] = json!("2030-01-03T08:00:00Z");
            } else {
                expected["start_date"] = json!("2030-01-02 08:00");
                expected["end_date"] = json!("2030-01-03 08:00");
                expected["before_end_date"] = json!("2030-01-03 07:30");
            }
            prop_assert_eq!(body(&again), expected);

            let end = Offer::End { end: ZonedTime(OFFERED.1), without_moves: true };
            let again = parsed(&changed(&command, &end).expect("another end can be said"));
            let mut expected = asked.clone();
            if what_if {
                expected["lease"]["end"] = json!("2030-01-03T08:00:00Z");
            } else {
                expected["end_date"] = json!("2030-01-03 08:00");
                expected["before_end_date"] = json!("2030-01-03 07:30");
            }
            prop_assert_eq!(body(&again), expected);

            let mut expected = asked.clone();
            let offered = changed(&command, &amount(place, fewer));
            match expected.pointer_mut(entries).and_then(|entries| entries.get_mut(place as usize)) {
                None => prop_assert!(offered.is_none()),
                Some(entry) => {
                    set_amount(entry, fewer);
                    prop_assert_eq!(body(&parsed(&offered.expect("another amount can be said"))), expected);
                }
            }
        }
    }

    #[test]
    fn b8_a_condition_is_left_out_of_the_command() {
        let drop = |reservation, condition: &str| Offer::Drop {
            reservation,
            condition: condition.to_owned(),
            without_moves: true,
        };
        for (words, offer, expected) in [
            (
                &["--hosts", "2", "--where", "gpu=True and vcpus>=8 and zone=a"][..],
                drop(0, r#"[">=","$vcpus","8"]"#),
                r#"["and",["==","$gpu","True"],["==","$zone","a"]]"#,
            ),
            (
                &["--hosts", "2", "--where", "gpu=True"],
                drop(0, r#"["==","$gpu","True"]"#),
                "",
            ),
            (&["--where", "gpu=True"], drop(0, r#"["==","$gpu","True"]"#), ""),
            (
                &[
                    "--reservation",
                    r#"min=2,resource_properties=["and", ["=", "$a", "1"], ["=", "$b", "2"]]"#,
                ],
                drop(0, r#"["==","$a","1"]"#),
                r#"["=","$b","2"]"#,
            ),
        ] {
            let words = [&["berth", "lease", "create", "x"], words].concat();
            let command = Program::try_parse_from(words).unwrap().command;
            let mut asked = body(&command);
            asked["reservations"][0]["resource_properties"] = json!(expected);
            assert_eq!(body(&parsed(&changed(&command, &offer).unwrap())), asked);
            assert!(changed(&command, &drop(0, r#"["==","$other","1"]"#)).is_none());
            assert!(changed(&command, &drop(9, r#"["==","$gpu","True"]"#)).is_none());
        }
    }

    #[test]
    fn b4_the_condition_that_is_meant_takes_the_place_of_the_misspelt_one() {
        let offer = Offer::Replace {
            reservation: 0,
            condition: r#"["==","$gpu","true"]"#.to_owned(),
            replacement: r#"["==","$gpu","True"]"#.to_owned(),
            without_moves: true,
        };
        let both = r#"["and",["==","$gpu","True"],[">=","$vcpus","8"]]"#;
        for (words, expected) in [
            (&["--hosts", "2", "--where", "gpu=true and vcpus>=8"][..], both),
            (&["--where", "gpu=true"], r#"["==","$gpu","True"]"#),
            (
                &[
                    "--reservation",
                    r#"min=2,resource_properties=["and", ["=", "$gpu", "true"], [">=", "$vcpus", "8"]]"#,
                ],
                r#"["and",["==","$gpu","True"],[">=","$vcpus","8"]]"#,
            ),
        ] {
            let words = [&["berth", "lease", "create", "x"], words].concat();
            let command = Program::try_parse_from(words).unwrap().command;
            let mut asked = body(&command);
            asked["reservations"][0]["resource_properties"] = json!(expected);
            assert_eq!(body(&parsed(&changed(&command, &offer).unwrap())), asked);
        }
    }

    #[test]
    fn v19_what_cannot_be_copied_safely_is_said_in_words() {
        let words = [
            "berth",
            "lease",
            "create",
            "x\x1b[2Jy\n",
            "--instances",
            "4",
            "--vcpus",
            "1",
        ];
        let command = Program::try_parse_from(words).unwrap().command;
        let arguments = of_lease(&command).expect("it creates a lease");
        let offers = [start(), amount(0, 1), amount(0, 2)];
        assert_eq!(
            accepted(arguments, &offers, &TypedConnection::default()),
            [
                "Would be accepted:",
                "  from 2030-01-02 08:00 until 2030-01-03 08:00 (UTC)",
                "Would be accepted:",
                "  1 instance for reservation 1",
                "Would be accepted:",
                "  2 instances for reservation 1",
            ]
        );
    }

    /// B9: a start after the latest one is no offer to copy; an earlier one keeps the latest as it was asked.
    #[test]
    fn b9_the_latest_start_is_kept() {
        let words = ["berth", "what-if", "--hosts", "3", "--latest-start", "+30d"];
        let command = Program::try_parse_from(words).unwrap().command;
        let asked = body(&command);
        let again = body(&parsed(&changed(&command, &start()).unwrap()));
        assert_eq!(again["lease"]["latest_start"], asked["lease"]["latest_start"]);
        let words = ["berth", "what-if", "--hosts", "3", "--latest-start", "+1h"];
        let command = Program::try_parse_from(words).unwrap().command;
        assert_eq!(changed(&command, &start()), None);
    }
}
