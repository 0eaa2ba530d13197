//! `berth availability`: how many hosts are free when.
//!
//! Invariant: every row says what the service counted; the bar beside it shows the same numbers and is
//! drawn only where there is room for it.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;

use crate::ConnectionArguments;
use crate::answer::list;
use crate::api::Api;
use crate::condition::parse_condition;
use crate::error::ClientError;
use crate::moment::{Moment, from_wire, time_for_people, to_rfc3339, to_wire};
use crate::output::{Cell, Output, cell_of, text_of};

/// Narrowest terminal that gets a bar beside the numbers.
const WIDTH_WITH_BAR: u16 = 90;
/// Characters of a bar.
const BAR: u64 = 24;

/// `berth availability`.
#[derive(Debug, Args)]
pub struct AvailabilityArguments {
    /// From when: now, +2h (from now), '2030-01-01 10:00' (UTC)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "now")]
    start: Moment,
    /// Until when: +2d (from the start), '2030-01-08' (UTC)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "+7d")]
    end: Moment,
    /// Which hosts, e.g. 'gpu=True and vcpus>=8'; and, or, parentheses, = != >= <= > <
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Condition on hosts in the API's own form
    #[arg(
        long,
        help = r#"Condition on hosts in the API's own form, e.g. '[">=", "$vcpus", "8"]'"#,
        value_name = "JSON",
        alias = "hosts-properties"
    )]
    hypervisor_properties: Option<String>,
    /// Condition on properties in the API's own form
    #[arg(
        long,
        help = r#"Condition on properties in the API's own form, e.g. '["==", "$gpu", "True"]'"#,
        value_name = "JSON",
        conflicts_with = "condition"
    )]
    resource_properties: Option<String>,
    /// Most rows, 1 to 1000
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

pub(crate) async fn run(
    arguments: &AvailabilityArguments,
    api: &Api,
    output: &mut Output<'_>,
    now: DateTime<Utc>,
) -> Result<(), ClientError> {
    let start = arguments.start.resolve(now, now)?;
    let end = arguments.end.resolve(now, start)?;
    let condition = arguments.condition.as_deref().map(parse_condition).transpose()?;
    let resource_properties = condition
        .map(|condition| condition.to_string())
        .or_else(|| arguments.resource_properties.clone());
    let mut query: Vec<(&str, String)> = vec![("end", to_rfc3339(end)), ("limit", arguments.limit.to_string())];
    // The service's own clock decides what "now" is.
    if arguments.start != Moment::Now {
        query.push(("start", to_rfc3339(start)));
    }
    let properties = [
        ("hypervisor_properties", arguments.hypervisor_properties.clone()),
        ("resource_properties", resource_properties),
    ];
    query.extend(properties.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = api.get("/capacity/v1/availability", &query).await?;
    if output.json {
        return output.value(&answer);
    }
    show(answer, output)
}

fn show(answer: Value, output: &mut Output<'_>) -> Result<(), ClientError> {
    let matching = text_of(&answer, "hosts_matching");
    let hint = answer.get("hint").and_then(Value::as_str).map(str::to_owned);
    let next = answer.get("next_marker").and_then(Value::as_str).map(str::to_owned);
    let steps = list(answer, "steps")?;
    let most = steps.iter().map(|step| number(step, "in_service")).max().unwrap_or(0);
    let wide = output.width.is_none_or(|width| width >= WIDTH_WITH_BAR);
    let rows = steps.iter().map(|step| {
        let mut row = vec![
            Cell::new(time_for_people(&text_of(step, "start"))),
            Cell::new(time_for_people(&text_of(step, "end"))),
            cell_of(step, "free"),
            cell_of(step, "free_with_moves"),
            cell_of(step, "in_service"),
        ];
        if wide {
            row.push(Cell::new(bar(step, most, output.blocks)));
        }
        row
    });
    let rows = rows.collect();
    let header = ["FROM (UTC)", "UNTIL (UTC)", "FREE", "WITH MOVES", "IN SERVICE", ""];
    let header = if wide { &header[..] } else { &header[..5] };
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    output.line(&format!("Hosts that match: {matching}{hint}"))?;
    output.table(header, rows, "Nothing is known of this range.")?;
    // Only a time is shown as something to copy.
    if let Some(next) = next.as_deref().and_then(from_wire).map(to_wire) {
        output.line(&format!("There is more: --start '{next}' goes on from here."))?;
    }
    Ok(())
}

fn number(step: &Value, name: &str) -> u64 {
    step.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Free hosts, hosts that could be free, and the rest, as parts of the most there are.
fn bar(step: &Value, most: u64, blocks: bool) -> String {
    let length = |hosts: u64| usize::try_from(hosts * BAR / most.max(1)).unwrap_or(0);
    let (free, movable) = (length(number(step, "free")), length(number(step, "free_with_moves")));
    let all = length(number(step, "in_service"));
    let [full, half, rest] = if blocks { ["█", "▒", "·"] } else { ["#", "+", "."] };
    let part = |sign: &str, count: usize| sign.repeat(count);
    part(full, free) + &part(half, movable.saturating_sub(free)) + &part(rest, all.saturating_sub(movable))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_bar_divides_what_there_is() {
        let step = json!({"free": 3, "free_with_moves": 6, "in_service": 12});
        assert_eq!(super::bar(&step, 12, false), "######++++++............");
        assert_eq!(super::bar(&step, 24, false), "###+++......");
        assert_eq!(super::bar(&json!({}), 0, true), "");
    }
}
