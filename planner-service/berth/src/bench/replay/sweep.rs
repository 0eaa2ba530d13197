//! The gain over upstream's rule for many values of what a stream is like.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use benches::baseline::Rule;
use benches::generator::Parameters;
use benches::plot;
use benches::random::ratio;
use serde_json::{Value, json};

use super::outcome::{Outcome, beyond_upstream, mean, shares, written};
use super::{BERTH, BID_PRICE, MOBILE, ReplayArguments, drawn};
use crate::bench::report::{machine, peak_memory, print, table};
use crate::generate::bar;

/// A parameter and the values it takes.
#[derive(Debug, Clone)]
pub(crate) struct Varied {
    name: String,
    values: Vec<f64>,
}

impl FromStr for Varied {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, values) = text
            .split_once('=')
            .with_context(|| format!("`{text}` is not of the form PARAMETER=VALUE,VALUE"))?;
        let values = values.split(',').map(|value| {
            let number = value.trim().parse::<f64>();
            number.with_context(|| format!("`{value}` is no number"))
        });
        let varied = Self {
            name: name.trim().to_owned(),
            values: values.collect::<anyhow::Result<_>>()?,
        };
        let first = varied.values.first().copied().unwrap_or_default();
        set(&mut Parameters::default(), &varied.name, first)?;
        Ok(varied)
    }
}

/// Changes one parameter.
fn set(parameters: &mut Parameters, name: &str, value: f64) -> anyhow::Result<()> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    let count = || -> anyhow::Result<u32> {
        if value.fract() != 0.0 || !(1.0..=1e9).contains(&value) {
            bail!("`{name}` is {value}, allowed are whole numbers from 1");
        }
        Ok(value as u32)
    };
    match name {
        "hosts" => parameters.hosts = count()?,
        "classes" => parameters.classes = count()? as usize,
        "days" => parameters.days = count()?,
        "load" => parameters.load = value,
        "drop" => parameters.drop = value,
        "lead-mean" => parameters.lead_mean = value,
        _ => bail!("`{name}` cannot be varied, only hosts, classes, days, load, drop and lead-mean can"),
    }
    Ok(())
}

/// One combination of values and what came of its streams.
struct Point {
    parameters: Parameters,
    streams: Vec<(u64, Outcome)>,
}

/// A figure over streams: mean, deviation, least and greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    mean: f64,
    deviation: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let middle = mean(values.iter().copied());
        let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
        Self {
            mean: middle,
            deviation: (squares * ratio(1, (values.len() as u64).saturating_sub(1).max(1))).sqrt(),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn written(self) -> Value {
        json!({ "mean": self.mean, "deviation": self.deviation, "least": self.least, "most": self.most })
    }
}

impl Point {
    /// Points beyond upstream: host-hours and requests.
    fn beyond(&self, name: &str) -> Option<(Spread, Spread)> {
        let both: Vec<(f64, f64)> = self
            .streams
            .iter()
            .filter_map(|(_, outcome)| beyond_upstream(outcome, name))
            .collect();
        let (hours, requests): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
        (!hours.is_empty()).then(|| (Spread::of(&hours), Spread::of(&requests)))
    }

    /// Mean share of the host-hours asked for, in percent.
    fn promised(&self, name: &str) -> f64 {
        let outcomes = self.streams.iter();
        let shares: Vec<f64> = outcomes
            .filter_map(|(_, outcome)| outcome.get(name).map(|tally| shares(tally).0))
            .collect();
        mean(shares.into_iter())
    }

    fn written(&self) -> Value {
        let beyond: serde_json::Map<String, Value> = [BERTH, BID_PRICE, MOBILE]
            .into_iter()
            .filter_map(|name| {
                let (hours, requests) = self.beyond(name)?;
                let value = json!({ "host_hours": hours.written(), "requests": requests.written() });
                Some((name.to_owned(), value))
            })
            .collect();
        let Parameters {
            hosts,
            classes,
            days,
            load,
            drop,
            lead_mean,
            ..
        } = self.parameters;
        let streams: Vec<Value> = self
            .streams
            .iter()
            .map(|(seed, outcome)| written(*seed, outcome))
            .collect();
        json!({
            "hosts": hosts, "classes": classes, "days": days, "load": load, "drop": drop, "lead_mean": lead_mean,
            "points_beyond_upstream": beyond,
            "streams": streams,
        })
    }
}

/// Runs every combination.
pub(super) fn run(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let mut combinations = vec![arguments.stream.parameters()];
    for varied in &arguments.vary {
        let mut more = Vec::with_capacity(combinations.len() * varied.values.len());
        for parameters in &combinations {
            for &value in &varied.values {
                let mut changed = parameters.clone();
                set(&mut changed, &varied.name, value)?;
                changed.validate()?;
                more.push(changed);
            }
        }
        combinations = more;
    }
    let bar = bar(combinations.len() as u64, "combinations");
    let mut points = Vec::with_capacity(combinations.len());
    for parameters in combinations {
        let streams = drawn(arguments, &parameters)?;
        points.push(Point { parameters, streams });
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(folder) = &arguments.plots {
        plot(folder, &points)?;
    }
    if arguments.json {
        let points: Vec<Value> = points.iter().map(Point::written).collect();
        let all = json!({ "machine": machine(), "peak_kilobytes": peak_memory(), "points": points });
        print(&format!("{all:#}"))?;
    } else {
        print(&shown(arguments, &points))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(arguments: &ReplayArguments, points: &[Point]) -> String {
    let mut heads = vec![
        "hosts",
        "classes",
        "days",
        "load",
        "drop",
        "lead",
        "upstream %",
        "berth %",
        "gain",
        "deviation",
        "by seed",
        "requests",
        "open",
        "moves",
    ];
    let others: Vec<&str> = [
        arguments.bid_price.map(|_| BID_PRICE),
        arguments.mobile.then_some(MOBILE),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names: Vec<[String; 2]> = others
        .iter()
        .map(|name| [format!("{name}: gain"), format!("{name}: requests")])
        .collect();
    heads.extend(names.iter().flatten().map(String::as_str));
    let mut rows = table(&heads);
    for point in points {
        let Some((hours, requests)) = point.beyond(BERTH) else {
            continue;
        };
        let ours = || point.streams.iter().filter_map(|(_, outcome)| outcome.get(BERTH));
        let Parameters {
            hosts,
            classes,
            days,
            load,
            drop,
            lead_mean,
            ..
        } = point.parameters;
        let mut row = vec![
            hosts.to_string(),
            classes.to_string(),
            days.to_string(),
            load.to_string(),
            drop.to_string(),
            lead_mean.to_string(),
            format!("{:.1}", point.promised(Rule::Upstream.name())),
            format!("{:.1}", point.promised(BERTH)),
            format!("{:+.1}", hours.mean),
            format!("{:.1}", hours.deviation),
            format!("{:+.1} to {:+.1}", hours.least, hours.most),
            format!("{:+.1}", requests.mean),
            ours().map(|tally| tally.undecided).sum::<u64>().to_string(),
            ours().map(|tally| tally.moves).sum::<u64>().to_string(),
        ];
        for name in &others {
            let (hours, requests) = point.beyond(name).map_or((0.0, 0.0), |both| (both.0.mean, both.1.mean));
            row.extend([format!("{hours:+.1}"), format!("{requests:+.1}")]);
        }
        rows.add_row(row);
    }
    let all: Vec<f64> = points
        .iter()
        .filter_map(|point| point.beyond(BERTH).map(|both| both.0.mean))
        .collect();
    format!(
        "{rows}\nBerth beside upstream's default rule, points of the host-hours asked for; mean of all rows {:+.1} ({} streams \
         each)",
        mean(all.into_iter()),
        arguments.seeds,
    )
}

/// The gain by load, a line for each combination of everything else.
fn plot(folder: &Path, points: &[Point]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for point in points {
        let parameters = &point.parameters;
        let name = format!(
            "{} hosts, {} classes, {} days, drop {}, lead {}",
            parameters.hosts, parameters.classes, parameters.days, parameters.drop, parameters.lead_mean
        );
        if let Some((hours, _)) = point.beyond(BERTH) {
            lines.entry(name).or_default().push((parameters.load, hours.mean));
        }
    }
    let lines: Vec<plot::Line> = lines.into_iter().collect();
    plot::lines(
        &folder.join("replay-gain.svg"),
        "Host-hours promised beyond upstream's rule",
        ("load", "points of the host-hours asked for"),
        &lines,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Spread, Varied};

    #[test]
    fn values_of_parameters_are_read_and_others_named() {
        let varied: Varied = "load=0.7, 0.85".parse().expect("it is well formed");
        assert_eq!((varied.name.as_str(), varied.values), ("load", vec![0.7, 0.85]));
        for (wrong, named) in [
            ("load", "form"),
            ("load=x", "x"),
            ("colour=1", "colour"),
            ("hosts=0.5", "hosts"),
        ] {
            let error = wrong.parse::<Varied>().expect_err("it is wrong").to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_spread_of_three_values() {
        let spread = Spread::of(&[1.0, 2.0, 3.0]);
        assert_eq!(
            (spread.mean, spread.deviation, spread.least, spread.most),
            (2.0, 1.0, 1.0, 3.0)
        );
    }
}
