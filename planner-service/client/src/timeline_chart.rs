//! The drawing of hosts and time.
//!
//! Invariant: a column shows the lease that holds the host longest within the column's span, so that
//! even the shortest lease is visible; the same input draws the same text.

use std::fmt::Write;

use chrono::DateTime;

/// What is drawn; times are Unix seconds.
pub(crate) struct Chart {
    /// First second shown.
    pub(crate) from: i64,
    /// First second not shown.
    pub(crate) until: i64,
    /// The present.
    pub(crate) now: i64,
    /// One line each.
    pub(crate) rows: Vec<Row>,
    /// What the blocks belong to.
    pub(crate) leases: Vec<LeaseLabel>,
}

/// A host.
pub(crate) struct Row {
    /// Its name.
    pub(crate) label: String,
    /// Takes no new work.
    pub(crate) out_of_service: bool,
    /// What it serves.
    pub(crate) blocks: Vec<Block>,
}

/// A stretch of time a host is promised to a lease.
pub(crate) struct Block {
    /// Index into [`Chart::leases`].
    pub(crate) lease: usize,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The planner may still choose another host.
    pub(crate) tentative: bool,
}

/// A line of the legend.
pub(crate) struct LeaseLabel {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// How to draw.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Colours and block characters; else plain ASCII.
    pub(crate) colour: bool,
    /// Columns of the whole drawing.
    pub(crate) width: usize,
}

/// Fewest columns of the time part, however narrow the terminal is.
const MIN_COLUMNS: usize = 24;

/// Longest host name shown in full.
const MAX_LABEL: usize = 24;

/// Columns a label of the axis needs, with a blank after it.
const TICK_COLUMNS: i64 = 8;

/// Distances between labels in seconds, each a multiple of a whole minute.
const TICKS: [i64; 18] = [
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    364 * DAY,
];

const DAY: i64 = 86_400;

/// Backgrounds from the 256-colour palette on which black text reads well, neighbours well apart.
const PALETTE: [u8; 12] = [75, 215, 114, 176, 222, 80, 210, 149, 147, 180, 117, 218];

/// Draws the chart; every line ends with a line feed.
pub(crate) fn draw(chart: &Chart, style: Style) -> String {
    let span = (chart.until - chart.from).max(60);
    let longest = chart
        .rows
        .iter()
        .map(|row| row.label.chars().count())
        .max()
        .unwrap_or(0);
    let label_width = longest.clamp(4, MAX_LABEL);
    let columns = style.width.saturating_sub(label_width + 2).max(MIN_COLUMNS);
    let grid = Grid {
        from: chart.from,
        span,
        columns: i64::try_from(columns).unwrap_or(i64::MAX),
    };
    let tick = grid.tick();

    let mut text = String::new();
    let dim = |text: &str| {
        if style.colour {
            format!("\x1b[2m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let margin = " ".repeat(label_width + 2);
    let mut line = |content: String| {
        text.push_str(content.trim_end());
        text.push('\n');
    };

    line(format!("{margin}{}", axis(grid, tick)));
    let here = grid.column_of(chart.now);
    if (chart.from..chart.until).contains(&chart.now) {
        line(format!(
            "{margin}{}{}",
            " ".repeat(here),
            if style.colour { "\x1b[1m▼ now\x1b[0m" } else { "v now" }
        ));
    }
    for row in &chart.rows {
        let label: String = if row.label.chars().count() > label_width {
            row.label.chars().take(label_width - 1).chain(['~']).collect()
        } else {
            row.label.clone()
        };
        let mark = if row.out_of_service { '!' } else { ' ' };
        let mut cells = String::new();
        let mut previous = None;
        for column in 0..grid.columns {
            let block = grid.longest_block(row, column);
            if let Some(block) = block {
                let first = previous != Some(block.lease);
                cells.push_str(&paint(block, first, style));
            } else {
                let tick_here = grid.tick_in(column, tick).is_some();
                cells.push_str(&dim(match (style.colour, tick_here) {
                    (true, true) => "┊",
                    (true, false) => "·",
                    (false, true) => ":",
                    (false, false) => ".",
                }));
            }
            previous = block.map(|block| block.lease);
        }
        line(format!("{label:<label_width$}{mark} {cells}"));
    }
    legend(chart, style, &mut line);
    text
}

fn legend(chart: &Chart, style: Style, line: &mut impl FnMut(String)) {
    let shown = |index: usize| {
        let blocks = || {
            chart
                .rows
                .iter()
                .flat_map(|row| &row.blocks)
                .filter(move |block| block.lease == index)
        };
        (blocks().count(), blocks().all(|block| block.tentative))
    };
    let names = chart
        .leases
        .iter()
        .map(|lease| lease.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut any_tentative = false;
    if !chart.leases.is_empty() {
        line(String::new());
    }
    for (index, lease) in chart.leases.iter().enumerate() {
        let (hosts, tentative) = shown(index);
        any_tentative |= tentative;
        let sample = Block {
            lease: index,
            start: 0,
            end: 0,
            tentative,
        };
        let plural = if hosts == 1 { "" } else { "s" };
        line(format!(
            "{}  {:<names$}  {:<10}  {} .. {}  {hosts} host{plural}",
            paint(&sample, true, style),
            lease.name,
            lease.status,
            day_and_time(lease.start),
            day_and_time(lease.end),
        ));
    }
    if any_tentative {
        line("Small letters: not started, the planner may still exchange these hosts.".to_owned());
    }
    if chart.leases.len() > 26 {
        line("Letters repeat: there are more than 26 leases.".to_owned());
    }
    if chart.rows.iter().any(|row| row.out_of_service) {
        line("! takes no new leases.".to_owned());
    }
}

/// One column of a block.
fn paint(block: &Block, first: bool, style: Style) -> String {
    let position = u8::try_from(block.lease % 26).unwrap_or(0);
    let letter = char::from(if block.tentative {
        b'a' + position
    } else {
        b'A' + position
    });
    if !style.colour {
        return letter.to_string();
    }
    let colour = PALETTE[block.lease % PALETTE.len()];
    match (block.tentative, first) {
        (true, true) => format!("\x1b[1;38;5;{colour}m{letter}\x1b[0m"),
        (true, false) => format!("\x1b[38;5;{colour}m▒\x1b[0m"),
        (false, true) => format!("\x1b[1;30;48;5;{colour}m{letter}\x1b[0m"),
        (false, false) => format!("\x1b[48;5;{colour}m \x1b[0m"),
    }
}

/// Labels of the time axis, each at the column of its time.
fn axis(grid: Grid, tick: i64) -> String {
    let mut axis = String::new();
    let mut drawn = 0;
    for column in 0..grid.columns {
        let Some(time) = grid.tick_in(column, tick) else {
            continue;
        };
        let label = if tick >= DAY || time.rem_euclid(DAY) == 0 {
            format_time(time, "%b %d")
        } else {
            format_time(time, "%H:%M")
        };
        let at = usize::try_from(column).unwrap_or(0);
        let fits = at + label.len() <= usize::try_from(grid.columns).unwrap_or(0);
        if at >= drawn && fits {
            let _ = write!(axis, "{:gap$}{label}", "", gap = at - axis.chars().count());
            drawn = axis.chars().count() + 1;
        }
    }
    axis
}

/// A time for people, to the minute.
pub(crate) fn day_and_time(time: i64) -> String {
    format_time(time, "%Y-%m-%d %H:%M")
}

fn format_time(time: i64, format: &str) -> String {
    DateTime::from_timestamp(time, 0)
        .map(|time| time.format(format).to_string())
        .unwrap_or_default()
}

/// How time maps to columns.
#[derive(Clone, Copy)]
struct Grid {
    from: i64,
    span: i64,
    columns: i64,
}

impl Grid {
    /// First second of a column; wide arithmetic, since a span may be years of seconds.
    fn start_of(self, column: i64) -> i64 {
        let offset = i128::from(self.span) * i128::from(column) / i128::from(self.columns);
        self.from + i64::try_from(offset).unwrap_or(i64::MAX)
    }

    fn column_of(self, time: i64) -> usize {
        let offset = i128::from(time - self.from) * i128::from(self.columns) / i128::from(self.span);
        usize::try_from(offset).unwrap_or(0)
    }

    /// The smallest distance between labels that leaves room for each.
    fn tick(self) -> i64 {
        let enough =
            |tick: i64| i128::from(tick) * i128::from(self.columns) >= i128::from(self.span) * i128::from(TICK_COLUMNS);
        TICKS.into_iter().find(|&tick| enough(tick)).unwrap_or(364 * DAY)
    }

    /// The labelled time within a column.
    fn tick_in(self, column: i64, tick: i64) -> Option<i64> {
        let (start, end) = (self.start_of(column), self.start_of(column + 1));
        let time = start + (-start).rem_euclid(tick);
        (time < end).then_some(time)
    }

    fn longest_block(self, row: &Row, column: i64) -> Option<&Block> {
        let (start, end) = (self.start_of(column), self.start_of(column + 1));
        row.blocks
            .iter()
            .map(|block| (block.end.min(end) - block.start.max(start), block))
            .filter(|(overlap, _)| *overlap > 0)
            // The earlier block wins a tie, so that neighbours keep their order.
            .max_by_key(|(overlap, block)| (*overlap, -block.start))
            .map(|(_, block)| block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2030-01-01 00:00 UTC.
    const NEW_YEAR: i64 = 1_893_456_000;
    const HOUR: i64 = 3600;

    fn chart() -> Chart {
        let at = |hours: i64| NEW_YEAR + hours * HOUR;
        let block = |lease, from, until, tentative| Block {
            lease,
            start: at(from),
            end: at(until),
            tentative,
        };
        Chart {
            from: at(20),
            until: at(32),
            now: at(22),
            rows: vec![
                Row {
                    label: "c01".to_owned(),
                    out_of_service: false,
                    blocks: vec![block(0, 18, 23, false), block(1, 24, 28, true)],
                },
                Row {
                    label: "c02".to_owned(),
                    out_of_service: true,
                    blocks: vec![],
                },
                Row {
                    label: "gpu01".to_owned(),
                    out_of_service: false,
                    blocks: vec![block(1, 24, 28, true), block(2, 28, 40, true)],
                },
            ],
            leases: vec![
                LeaseLabel {
                    name: "training".to_owned(),
                    status: "ACTIVE".to_owned(),
                    start: at(18),
                    end: at(23),
                },
                LeaseLabel {
                    name: "night".to_owned(),
                    status: "PENDING".to_owned(),
                    start: at(24),
                    end: at(28),
                },
                LeaseLabel {
                    name: "tail".to_owned(),
                    status: "PENDING".to_owned(),
                    start: at(28),
                    end: at(40),
                },
            ],
        }
    }

    #[test]
    fn plain_drawing() {
        let drawn = draw(
            &chart(),
            Style {
                colour: false,
                width: 55,
            },
        );
        let expected = "       20:00   22:00   Jan 02  02:00   04:00   06:00
               v now
c01    AAAAAAAAAAAA....bbbbbbbbbbbbbbbb:.......:.......
c02  ! :.......:.......:.......:.......:.......:.......
gpu01  :.......:.......bbbbbbbbbbbbbbbbcccccccccccccccc

A  training  ACTIVE      2030-01-01 18:00 .. 2030-01-01 23:00  1 host
b  night     PENDING     2030-01-02 00:00 .. 2030-01-02 04:00  2 hosts
c  tail      PENDING     2030-01-02 04:00 .. 2030-01-02 16:00  1 host
Small letters: not started, the planner may still exchange these hosts.
! takes no new leases.
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn the_shortest_lease_shows_in_the_longest_window() {
        let mut chart = chart();
        chart.until = chart.from + 3 * 365 * DAY;
        let drawn = draw(
            &chart,
            Style {
                colour: false,
                width: 10,
            },
        );
        assert!(drawn.contains("gpu01  c"), "{drawn}");
        chart.until = chart.from;
        assert!(
            draw(
                &chart,
                Style {
                    colour: false,
                    width: 0
                }
            )
            .contains("c01    A")
        );
    }
}
