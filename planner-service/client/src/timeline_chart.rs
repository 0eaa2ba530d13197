//! The drawing of hosts and time.
//!
//! Invariant: every lease of a host is visible, the shortest too: leases that would share a column are drawn in lanes,
//! one under the other, and no two leases have the same label. The same input draws the same text.

use std::fmt::Write;

use chrono::DateTime;
use unicode_width::UnicodeWidthStr;

use crate::output::{Shown, broken, counted, fitted};

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
    pub(crate) label: Shown,
    /// Takes no new work.
    pub(crate) out_of_service: bool,
    /// What it serves.
    pub(crate) blocks: Vec<Block>,
}

/// A stretch of time a host is promised to a lease, or cleaned after it.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// Index into [`Chart::leases`].
    pub(crate) lease: usize,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The planner may still choose another host.
    pub(crate) tentative: bool,
    /// Instances that share the host; one for a whole host.
    pub(crate) places: usize,
    /// It is the cleaning after the lease.
    pub(crate) cleaning: bool,
}

impl Block {
    /// Fewest columns it is drawn in.
    const fn least_columns(&self, label: i64) -> i64 {
        if self.cleaning { 1 } else { label }
    }
}

/// A line of the legend.
pub(crate) struct LeaseLabel {
    pub(crate) name: Shown,
    pub(crate) status: Shown,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// How to draw.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Colours.
    pub(crate) colour: bool,
    /// Block characters beside colours; else plain ASCII.
    pub(crate) blocks: bool,
    /// Columns of the whole drawing.
    pub(crate) width: usize,
}

/// Fewest columns of the time part, however narrow the terminal is.
const MIN_COLUMNS: usize = 24;

/// What is drawn with signs.
struct Signs {
    now: &'static str,
    /// Time in which nothing is held, where a label of the axis stands.
    tick: &'static str,
    /// The rest of such time.
    free: &'static str,
    cleaning: &'static str,
    /// What fills a bar whose hosts may still be exchanged, where colours tell bars apart.
    tentative: &'static str,
}

impl Style {
    const fn signs(self) -> Signs {
        if self.blocks {
            Signs {
                now: "▼ now",
                tick: "┊",
                free: "·",
                cleaning: "░",
                tentative: "▒",
            }
        } else {
            Signs {
                now: "v now",
                tick: ":",
                free: ".",
                cleaning: "~",
                tentative: "-",
            }
        }
    }
}

/// Longest host name shown in full.
const MAX_LABEL: usize = 24;

/// Longest name of a lease in the legend.
const WIDEST_NAME: usize = 40;

/// Fewest characters of a name in the legend.
const NARROWEST_NAME: usize = 8;

/// Columns of a status in the legend.
const STATUS: usize = 10;

/// Columns of the times in the legend.
const TIMES: usize = 36;

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
        .map(|row| row.label.as_str().width())
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
    let bold = |text: &str| {
        if style.colour {
            format!("\x1b[1m{text}\x1b[0m")
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
        line(format!("{margin}{}{}", " ".repeat(here), bold(style.signs().now)));
    }
    let labels = Labels::for_leases(chart.leases.len());
    for row in &chart.rows {
        let mark = if row.out_of_service { '!' } else { ' ' };
        let mut head = format!("{}{mark} ", fitted(row.label.as_str(), label_width));
        for lane in grid.lanes(row, labels.width) {
            let mut cells = String::new();
            let mut column = 0;
            while column < grid.columns {
                if let Some(bar) = lane.iter().find(|bar| bar.first == column) {
                    cells.push_str(&paint(bar, labels, style));
                    column = bar.last + 1;
                } else {
                    let tick_here = grid.tick_in(column, tick).is_some();
                    let signs = style.signs();
                    cells.push_str(&dim(if tick_here { signs.tick } else { signs.free }));
                    column += 1;
                }
            }
            line(format!("{head}{cells}"));
            head.clone_from(&margin);
        }
    }
    legend(chart, labels, style, &mut line);
    text
}

fn legend(chart: &Chart, labels: Labels, style: Style, line: &mut impl FnMut(String)) {
    let blocks = |index: usize| {
        let rows = chart.rows.iter().flat_map(|row| &row.blocks);
        rows.filter(move |block| block.lease == index && !block.cleaning)
    };
    let mut any_tentative = false;
    let entries: Vec<(String, &LeaseLabel, String)> = chart
        .leases
        .iter()
        .enumerate()
        .map(|(index, lease)| {
            let tentative = blocks(index).all(|block| block.tentative);
            any_tentative |= tentative;
            let sample = Bar {
                lease: index,
                first: 0,
                last: labels.width - 1,
                tentative,
                cleaning: false,
            };
            let (hosts, places) = (
                blocks(index).count(),
                blocks(index).map(|block| block.places).sum::<usize>(),
            );
            let number = |count: usize, one, many| counted(u64::try_from(count).unwrap_or(u64::MAX), one, many);
            let mut amount = number(hosts, "host", "hosts");
            if places > hosts {
                amount = format!("{amount}, {}", number(places, "place", "places"));
            }
            (paint(&sample, labels, style), lease, amount)
        })
        .collect();
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let names = widest(&mut chart.leases.iter().map(|lease| lease.name.as_str().width())).min(WIDEST_NAME);
    let amounts = widest(&mut entries.iter().map(|(_, _, amount)| amount.width()));
    let label = usize::try_from(labels.width).unwrap_or(1);
    // Beside the name: label, status, times and amount, with two blanks between them.
    let room = style
        .width
        .saturating_sub(label + 2 + 2 + STATUS + 2 + TIMES + 2 + amounts);
    let is_narrow = room < names.min(NARROWEST_NAME);
    let names = if is_narrow { names } else { names.min(room) };
    if !entries.is_empty() {
        line(String::new());
    }
    for (sample, lease, amount) in entries {
        let (name, status) = (fitted(lease.name.as_str(), names), lease.status.as_str());
        let times = format!("{} .. {}", day_and_time(lease.start), day_and_time(lease.end));
        if is_narrow {
            let room = style.width.saturating_sub(label + 2 + 2 + STATUS).max(NARROWEST_NAME);
            line(format!(
                "{sample}  {}  {status}",
                fitted(lease.name.as_str(), names.min(room))
            ));
            line(format!("{}  {times}", " ".repeat(label)));
            line(format!("{}  {amount}", " ".repeat(label)));
        } else {
            line(format!("{sample}  {name}  {status:<STATUS$}  {times}  {amount}"));
        }
    }
    let mut sentence = |text: &str| broken(text, style.width).into_iter().for_each(&mut *line);
    if any_tentative {
        sentence("Small letters: not started, the planner may still exchange these hosts.");
    }
    if labels.width > 1 {
        sentence("Short leases are drawn as wide as their letters; the times are those of the list.");
    }
    let mut blocks = chart.rows.iter().flat_map(|row| &row.blocks);
    if blocks.any(|block| block.cleaning) {
        let sign = style.signs().cleaning;
        sentence(&format!(
            "{sign} is cleaned after a lease and given to nobody until then."
        ));
    }
    if chart.rows.iter().any(|row| row.out_of_service) {
        sentence("! takes no new leases.");
    }
}

/// The labels of leases: as few letters as tell all of them apart.
#[derive(Clone, Copy)]
struct Labels {
    /// Letters of each.
    width: i64,
}

impl Labels {
    fn for_leases(count: usize) -> Self {
        let mut width = 1;
        let mut told_apart: usize = 26;
        while told_apart < count {
            width += 1;
            told_apart = told_apart.saturating_mul(26);
        }
        Self { width }
    }

    /// `A`, `B`, ...; or `AA`, `AB`, ...
    fn of(self, lease: usize, tentative: bool) -> String {
        let mut letters = Vec::new();
        let mut rest = lease;
        for _ in 0..self.width {
            let position = u8::try_from(rest % 26).unwrap_or(0);
            letters.push(char::from(if tentative { b'a' } else { b'A' } + position));
            rest /= 26;
        }
        letters.iter().rev().collect()
    }
}

/// What is drawn of a block.
struct Bar {
    lease: usize,
    /// First column.
    first: i64,
    /// Last column.
    last: i64,
    tentative: bool,
    /// It is the cleaning after the lease, which has a sign of its own instead of a label.
    cleaning: bool,
}

/// A bar: its label, and the rest filled. Without colours a single letter fills it, longer labels are followed by signs.
fn paint(bar: &Bar, labels: Labels, style: Style) -> String {
    if bar.cleaning {
        let columns = usize::try_from(bar.last + 1 - bar.first).unwrap_or(0);
        let drawn = style.signs().cleaning.repeat(columns);
        return if style.colour {
            let colour = PALETTE[bar.lease % PALETTE.len()];
            format!("\x1b[38;5;{colour}m{drawn}\x1b[0m")
        } else {
            drawn
        };
    }
    let label = labels.of(bar.lease, bar.tentative);
    let rest = usize::try_from(bar.last + 1 - bar.first - labels.width).unwrap_or(0);
    if !style.colour {
        let fill = match (labels.width, bar.tentative) {
            (1, _) => label.as_str(),
            (_, true) => "-",
            (_, false) => "=",
        };
        return label.clone() + &fill.repeat(rest);
    }
    let colour = PALETTE[bar.lease % PALETTE.len()];
    // One sequence for all columns of a kind: a drawing is read over slow connections too.
    let (head, fill) = if bar.tentative {
        (
            format!("\x1b[1;38;5;{colour}m{label}\x1b[0m"),
            format!("\x1b[38;5;{colour}m{}\x1b[0m", style.signs().tentative.repeat(rest)),
        )
    } else {
        (
            format!("\x1b[1;30;48;5;{colour}m{label}\x1b[0m"),
            format!("\x1b[48;5;{colour}m{}\x1b[0m", " ".repeat(rest)),
        )
    };
    if rest == 0 { head } else { head + &fill }
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

    /// Seconds of a block within a column.
    fn overlap(self, block: &Block, column: i64) -> i64 {
        block.end.min(self.start_of(column + 1)) - block.start.max(self.start_of(column))
    }

    /// The columns a block touches, at least as many as its label has; `None` outside of the drawing.
    fn columns_of(self, block: &Block, label: i64) -> Option<(i64, i64)> {
        let (start, end) = (block.start.max(self.from), block.end.min(self.from + self.span));
        if start >= end {
            return None;
        }
        let column = |time: i64| i64::try_from(self.column_of(time)).unwrap_or(0).min(self.columns - 1);
        let mut first = column(start);
        // Rounding may put a time one column off the one whose span holds it.
        while self.start_of(first + 1) <= start {
            first += 1;
        }
        let mut last = column(end - 1).max(first);
        while last > first && self.start_of(last) >= end {
            last -= 1;
        }
        while last + 1 < self.columns && self.start_of(last + 1) < end {
            last += 1;
        }
        last = last.max(first + label - 1);
        if last >= self.columns {
            (first, last) = ((self.columns - label).clamp(0, first), self.columns - 1);
        }
        Some((first, last))
    }

    /// The blocks of a row in lanes without overlaps, at least one lane. Where the end of one and the start of the next
    /// share a column, it goes to the one that holds more of it, if the other has columns left.
    fn lanes(self, row: &Row, label: i64) -> Vec<Vec<Bar>> {
        let mut blocks: Vec<&Block> = row.blocks.iter().collect();
        blocks.sort_by_key(|block| (block.start, block.end, block.lease));
        let mut lanes: Vec<Vec<(Bar, &Block)>> = vec![Vec::new()];
        for block in blocks {
            let Some((first, last)) = self.columns_of(block, block.least_columns(label)) else {
                continue;
            };
            let mut bar = Bar {
                lease: block.lease,
                first,
                last,
                tentative: block.tentative,
                cleaning: block.cleaning,
            };
            let place = lanes.iter_mut().position(|lane| {
                let Some((before, earlier)) = lane.last_mut() else {
                    return true;
                };
                if before.last < first {
                    return true;
                }
                if before.last > first || earlier.end > block.start {
                    return false;
                }
                let can_give = before.last - before.first >= earlier.least_columns(label);
                let can_take_less = last - first >= block.least_columns(label);
                let is_mine = self.overlap(block, first) > self.overlap(earlier, first);
                if can_give && (is_mine || !can_take_less) {
                    before.last -= 1;
                    true
                } else if can_take_less {
                    bar.first += 1;
                    true
                } else {
                    false
                }
            });
            match place {
                Some(place) => lanes[place].push((bar, block)),
                None => lanes.push(vec![(bar, block)]),
            }
        }
        let lanes = lanes.into_iter();
        lanes
            .map(|lane| lane.into_iter().map(|(bar, _)| bar).collect())
            .collect()
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
            places: 1,
            cleaning: false,
        };
        Chart {
            from: at(20),
            until: at(32),
            now: at(22),
            rows: vec![
                Row {
                    label: Shown::new("c01"),
                    out_of_service: false,
                    blocks: vec![block(0, 18, 23, false), block(1, 24, 28, true)],
                },
                Row {
                    label: Shown::new("c02"),
                    out_of_service: true,
                    blocks: vec![],
                },
                Row {
                    label: Shown::new("gpu01"),
                    out_of_service: false,
                    blocks: vec![block(1, 24, 28, true), block(2, 28, 40, true)],
                },
            ],
            leases: vec![
                LeaseLabel {
                    name: Shown::new("training"),
                    status: Shown::new("ACTIVE"),
                    start: at(18),
                    end: at(23),
                },
                LeaseLabel {
                    name: Shown::new("night"),
                    status: Shown::new("PENDING"),
                    start: at(24),
                    end: at(28),
                },
                LeaseLabel {
                    name: Shown::new("tail"),
                    status: Shown::new("PENDING"),
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
                blocks: false,
                width: 55,
            },
        );
        let expected = "       20:00   22:00   Jan 02  02:00   04:00   06:00
               v now
c01    AAAAAAAAAAAA....bbbbbbbbbbbbbbbb:.......:.......
c02  ! :.......:.......:.......:.......:.......:.......
gpu01  :.......:.......bbbbbbbbbbbbbbbbcccccccccccccccc

A  training  ACTIVE
   2030-01-01 18:00 .. 2030-01-01 23:00
   1 host
b  night     PENDING
   2030-01-02 00:00 .. 2030-01-02 04:00
   2 hosts
c  tail      PENDING
   2030-01-02 04:00 .. 2030-01-02 16:00
   1 host
Small letters: not started, the planner may still
exchange these hosts.
! takes no new leases.
";
        assert_eq!(drawn, expected);
        let legend = "
A  training  ACTIVE      2030-01-01 18:00 .. 2030-01-01 23:00  1 host
b  night     PENDING     2030-01-02 00:00 .. 2030-01-02 04:00  2 hosts
c  tail      PENDING     2030-01-02 04:00 .. 2030-01-02 16:00  1 host
Small letters: not started, the planner may still exchange these hosts.
! takes no new leases.
";
        let drawn = plain(&chart(), 80);
        assert!(drawn.ends_with(legend), "{drawn}");
    }

    #[test]
    fn the_shortest_lease_shows_in_the_longest_window() {
        let mut chart = chart();
        chart.until = chart.from + 3 * 365 * DAY;
        let drawn = draw(
            &chart,
            Style {
                colour: false,
                blocks: false,
                width: 10,
            },
        );
        assert!(drawn.contains("gpu01  b"), "{drawn}");
        assert!(drawn.contains("       c."), "{drawn}");
        chart.until = chart.from;
        assert!(
            draw(
                &chart,
                Style {
                    colour: false,
                    blocks: false,
                    width: 0
                }
            )
            .contains("c01    A")
        );
    }

    fn plain(chart: &Chart, width: usize) -> String {
        draw(
            chart,
            Style {
                colour: false,
                blocks: false,
                width,
            },
        )
    }

    fn one_host(blocks: Vec<Block>) -> Chart {
        let leases = blocks.iter().map(|block| block.lease + 1).max().unwrap_or(0);
        let label = |index: usize| LeaseLabel {
            name: Shown::new(&format!("lease{index}")),
            status: Shown::new("ACTIVE"),
            start: NEW_YEAR,
            end: NEW_YEAR + HOUR,
        };
        Chart {
            from: NEW_YEAR,
            until: NEW_YEAR + 24 * HOUR,
            now: NEW_YEAR,
            rows: vec![Row {
                label: Shown::new("c01"),
                out_of_service: false,
                blocks,
            }],
            leases: (0..leases).map(label).collect(),
        }
    }

    fn held(lease: usize, start: i64, end: i64) -> Block {
        Block {
            lease,
            start: NEW_YEAR + start,
            end: NEW_YEAR + end,
            tentative: false,
            places: 1,
            cleaning: false,
        }
    }

    #[test]
    fn b7_cleaning_is_drawn_with_a_sign_of_its_own() {
        let cleaning = |lease, start, end| Block {
            cleaning: true,
            ..held(lease, start, end)
        };
        let chart = one_host(vec![
            held(0, 0, 6 * HOUR),
            cleaning(0, 6 * HOUR, 8 * HOUR),
            held(1, 8 * HOUR, 12 * HOUR),
            cleaning(1, 12 * HOUR, 12 * HOUR + 600),
        ]);
        let drawn = plain(&chart, 30);
        assert_eq!(drawn.lines().nth(2), Some("c01   AAAAAA~~BBBB~..........."), "{drawn}");
        assert!(drawn.contains("\nA  lease0"), "{drawn}");
        assert_eq!(drawn.matches("  1 host\n").count(), 2, "{drawn}");
        let legend = "~ is cleaned after a lease and\ngiven to nobody until then.\n";
        assert!(drawn.ends_with(legend), "{drawn}");
        let coloured = draw(
            &chart,
            Style {
                colour: true,
                blocks: true,
                width: 30,
            },
        );
        assert!(coloured.contains("░░") && !coloured.contains('~'), "{coloured}");
        let without_blocks = Style {
            colour: true,
            blocks: false,
            width: 30,
        };
        let coloured = draw(&chart, without_blocks);
        assert!(coloured.is_ascii() && coloured.contains("\x1b["), "{coloured}");
        // Shorter than a column, it shows all the same, and the next lease too.
        let chart = one_host(vec![
            held(0, 0, 6 * HOUR),
            cleaning(0, 6 * HOUR, 6 * HOUR + 600),
            held(1, 6 * HOUR + 600, 12 * HOUR),
        ]);
        let drawn = plain(&chart, 30);
        let row = drawn.lines().nth(2).unwrap_or_default();
        assert!(row.contains("A~B"), "{drawn}");
    }

    #[test]
    fn c8_leases_that_share_a_host_are_drawn_under_each_other() {
        let mut chart = one_host(vec![
            held(0, 0, 12 * HOUR),
            held(1, 6 * HOUR, 18 * HOUR),
            held(2, 12 * HOUR, 24 * HOUR),
        ]);
        chart.rows[0].blocks[1].places = 3;
        let drawn = plain(&chart, 30);
        let rows: Vec<&str> = drawn.lines().collect();
        assert_eq!(rows[2], "c01   AAAAAAAAAAAACCCCCCCCCCCC", "{drawn}");
        assert_eq!(rows[3], "      :.....BBBBBBBBBBBB......", "{drawn}");
        assert!(drawn.contains("1 host, 3 places\n"), "{drawn}");
        assert_eq!(drawn.matches("1 host\n").count(), 2, "{drawn}");
    }

    #[test]
    fn c8_every_lease_is_visible_and_has_letters_of_its_own() {
        // Ten minutes each in a drawing of a day in 24 columns, one after the other and some at once.
        for count in [1, 3, 26, 27, 100, 700] {
            let blocks = (0..count).map(|lease| {
                let start = i64::try_from(lease).unwrap() * 120;
                held(lease, start, start + 600)
            });
            let chart = one_host(blocks.collect());
            let drawn = plain(&chart, 60);
            let (drawing, legend) = drawn.split_once("\n\n").unwrap();
            let mut labels: Vec<&str> = legend
                .lines()
                .filter_map(|line| line.split_once("  lease"))
                .map(|(label, _)| label)
                .collect();
            assert_eq!(labels.len(), count);
            for label in &labels {
                let cells = drawing.lines().skip(2).map(|row| row.trim_start_matches("c01").trim());
                let shown = cells.flat_map(|row| row.split(['.', ':', '='])).any(|cells| {
                    let cells = cells.as_bytes();
                    cells.chunks(label.len()).any(|cell| cell == label.as_bytes())
                });
                assert!(shown, "{label} is not in\n{drawing}");
            }
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), count, "letters repeat");
            for line in drawn.lines().take_while(|line| !line.is_empty()) {
                assert!(line.len() <= 60, "{line}");
            }
        }
    }

    #[test]
    fn c8_neighbours_stay_in_one_line() {
        // The border lies within a column.
        let chart = one_host(vec![
            held(0, 0, 75 * 60),
            held(1, 75 * 60, 4 * HOUR),
            held(2, 4 * HOUR, 4 * HOUR + 600),
        ]);
        let drawn = plain(&chart, 30);
        assert!(drawn.lines().any(|line| line.starts_with("c01   ABBBC")), "{drawn}");
        assert_eq!(drawn.lines().filter(|line| line.contains('B')).count(), 2, "{drawn}");
    }

    #[test]
    fn v19_a_colour_drawing_holds_no_other_sequences_than_its_own() {
        let mut chart = one_host(vec![held(0, 0, HOUR)]);
        chart.rows[0].label = Shown::new("c\x1b[2J\u{9b}1");
        chart.leases[0].name = Shown::new("x\x1b]0;PWNED\x07\r\n\u{202e}y");
        let drawn = draw(
            &chart,
            Style {
                colour: true,
                blocks: true,
                width: 120,
            },
        );
        for sequence in drawn.split('\x1b').skip(1) {
            assert!(sequence.starts_with('['), "{sequence}");
            let (parameters, _) = sequence[1..].split_once('m').unwrap();
            assert!(
                parameters.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'),
                "{sequence}"
            );
        }
        assert!(!drawn.contains(['\x07', '\r', '\u{9b}', '\u{202e}']), "{drawn:?}");
        assert!(
            drawn.contains("\\u001b]0;PWNED\\u0007\\u000d\\u000a\\u202ey"),
            "{drawn}"
        );
    }
}
