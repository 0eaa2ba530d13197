//! What is printed.
//!
//! Invariants: without a terminal, or with `NO_COLOR`, the output is plain ASCII decoration around the
//! service's own text; colour never carries a meaning of its own. Whatever the source of a text, no character of it that
//! steers a terminal is written: everything printed is made of [`Shown`] and [`Cell`], which escape, or of JSON, which
//! [`Output::value`] escapes.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write};

use api_types::name::is_steering;
use comfy_table::{Attribute, Color, ContentArrangement, Table, presets};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::error::ClientError;
use crate::key_values::suggestion;
use crate::keystone::Environment;

/// Columns of a terminal that does not tell.
const DEFAULT_WIDTH: u16 = 100;

/// Blanks between the columns of a table.
const GAP: usize = 2;

/// Columns of a table this wide are never made narrower: times, states, amounts.
const WIDEST_KEPT: usize = 16;

/// Fewest characters that a name or an id is cut to.
const NARROWEST_CUT: usize = 8;

/// Widest text that is cut where there is no room for it; a wider one with blanks is broken into lines.
const WIDEST_CUT: usize = 36;

/// Fewest characters that a text is broken into.
const NARROWEST_BROKEN: usize = 20;

/// Where and how a command prints.
pub struct Output<'a> {
    writer: &'a mut (dyn Write + Send),
    /// Print the API's JSON instead of tables.
    pub json: bool,
    /// Colours are welcome.
    pub colour: bool,
    /// Block characters are, too: the terminal's locale has them.
    pub blocks: bool,
    /// Columns; `None`: nobody limits them.
    pub width: Option<u16>,
    /// Somebody watches standard error.
    watched: bool,
    /// What has been changed so far, in sentences.
    done: Vec<String>,
}

impl<'a> Output<'a> {
    /// Plain output without colours and width limit.
    pub const fn plain(writer: &'a mut (dyn Write + Send), json: bool) -> Self {
        Self {
            writer,
            json,
            colour: false,
            blocks: false,
            width: None,
            watched: false,
            done: Vec::new(),
        }
    }

    /// Output to standard output: colours and its width only if it is a terminal; `NO_COLOR` is honoured.
    pub fn for_terminal(writer: &'a mut (dyn Write + Send), json: bool, environment: Environment<'_>) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let colour = terminal && set("NO_COLOR").is_none() && set("TERM").as_deref() != Some("dumb");
        let width = columns(terminal, environment);
        Self {
            writer,
            json,
            colour,
            blocks: colour && is_utf8(environment),
            width,
            watched: std::io::stderr().is_terminal(),
            done: Vec::new(),
        }
    }

    /// Columns to draw in.
    pub(crate) fn drawing_width(&self) -> u16 {
        self.width.unwrap_or(DEFAULT_WIDTH)
    }

    /// Prints a sentence, in lines of the terminal's width.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), ClientError> {
        let text = escaped(text);
        for line in broken(&text, self.width.map_or(usize::MAX, usize::from)) {
            writeln!(self.writer, "{line}")?;
        }
        Ok(())
    }

    /// Notes what has been changed. It is said where the output itself cannot be written.
    pub(crate) fn note(&mut self, sentence: String) {
        self.done.push(sentence);
    }

    /// An error, with what had been changed if the output could not be written.
    pub(crate) fn with_notes(&mut self, error: ClientError) -> ClientError {
        let done = std::mem::take(&mut self.done);
        if done.is_empty() {
            return error;
        }
        if let ClientError::Output(error) = error {
            ClientError::Unwritten { error, done }
        } else {
            error
        }
    }

    /// Notes what has been changed, and prints it if no JSON is printed.
    pub(crate) fn change(&mut self, sentence: &str) -> Result<(), ClientError> {
        self.note(sentence.to_owned());
        if self.json { Ok(()) } else { self.line(sentence) }
    }

    /// Prints one line as it is, to be copied or read by a program.
    pub(crate) fn unbroken(&mut self, text: &str) -> Result<(), ClientError> {
        Ok(writeln!(self.writer, "{}", escaped(text))?)
    }

    /// Says on standard error what takes long, if it is a terminal.
    pub(crate) fn progress(&self, text: &str) {
        if self.watched {
            // It changes nothing if nobody reads it.
            let _ = writeln!(std::io::stderr(), "{}", escaped(text));
        }
    }

    /// Prints a drawing, whose labels are [`Shown`]; it ends its own lines.
    pub(crate) fn drawing(&mut self, drawing: &str) -> Result<(), ClientError> {
        Ok(self.writer.write_all(drawing.as_bytes())?)
    }

    /// Prints a JSON value for people and programs. Outside of its texts it holds no character that is escaped but the
    /// line feed, so it reads as the same value.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), ClientError> {
        let text = format!("{value:#}");
        for line in text.split('\n') {
            self.unbroken(line)?;
        }
        Ok(())
    }

    /// Prints the member of an object that has this name, as [`Self::member`].
    pub(crate) fn field(&mut self, object: &Value, name: &str) -> Result<(), ClientError> {
        let Some(value) = object.get(name) else {
            let known: Vec<&str> = object
                .as_object()
                .map(|members| members.keys().map(String::as_str).collect())
                .unwrap_or_default();
            return Err(ClientError::Usage(format!(
                "--field {name}: there is none{}",
                suggestion(name, &known)
            )));
        };
        self.member(value)
    }

    /// Prints one member of an object: text without quotation marks, a list one item a line; or as JSON.
    pub(crate) fn member(&mut self, value: &Value) -> Result<(), ClientError> {
        match value.as_array() {
            _ if self.json => self.value(value),
            Some(items) => items.iter().try_for_each(|item| self.unbroken(&scalar(item))),
            None => self.unbroken(&scalar(value)),
        }
    }

    /// Prints a heading between tables.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), ClientError> {
        let text = escaped(text);
        if self.colour {
            writeln!(self.writer, "\n\x1b[1m{text}\x1b[0m")?;
        } else {
            writeln!(self.writer, "\n{text}")?;
        }
        Ok(())
    }

    /// Prints a table; an empty one is said in words.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>, none: &str) -> Result<(), ClientError> {
        if rows.is_empty() {
            return self.line(none);
        }
        let header: Vec<Cell> = header.iter().map(Cell::new).collect();
        let header: Vec<Cell> = header
            .into_iter()
            .map(|cell| if self.colour { cell.bold() } else { cell })
            .collect();
        let natural = natural_widths(std::iter::once(&header).chain(&rows));
        let Some(widths) = self.fitting(&natural) else {
            return self.records(&header, rows);
        };
        let rows: Vec<Vec<Cell>> = std::iter::once(header).chain(rows).collect();
        self.print_table(rows, &widths)
    }

    /// Prints each row of a table as names and values: the terminal is too narrow for its columns.
    fn records(&mut self, header: &[Cell], rows: Vec<Vec<Cell>>) -> Result<(), ClientError> {
        for (place, row) in rows.into_iter().enumerate() {
            if place > 0 {
                writeln!(self.writer)?;
            }
            let named = header.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty());
            self.object(named.map(|(name, cell)| (name.text.as_str(), cell)).collect())?;
        }
        Ok(())
    }

    /// Prints names and values of one object.
    pub(crate) fn object(&mut self, rows: Vec<(&str, Cell)>) -> Result<(), ClientError> {
        let rows: Vec<Vec<Cell>> = rows
            .into_iter()
            .map(|(name, value)| vec![Cell::new(name), value])
            .collect();
        let natural = natural_widths(&rows);
        // There is nothing else to show them in.
        let widths = self.fitting(&natural).unwrap_or(natural);
        self.print_table(rows, &widths)
    }

    /// A status, coloured on a terminal.
    pub(crate) fn status(&self, status: &str) -> Cell {
        let cell = Cell::new(status);
        if !self.colour {
            return cell;
        }
        // A mark may follow it.
        let word = status.split(' ').next().unwrap_or_default();
        let colour = match word.to_ascii_uppercase().as_str() {
            "ACTIVE" | "DONE" => Color::Green,
            "ERROR" => Color::Red,
            "PENDING" | "UNDONE" => Color::Cyan,
            "TERMINATED" | "DELETED" => Color::DarkGrey,
            _ => Color::Yellow,
        };
        Cell {
            colour: Some(colour),
            ..cell
        }
    }

    /// The widths of columns that fit the terminal; `None` if some would be too narrow to be read.
    fn fitting(&self, natural: &[Width]) -> Option<Vec<Width>> {
        let mut widths = natural.to_vec();
        let Some(limit) = self.width else { return Some(widths) };
        let room = usize::from(limit).saturating_sub(GAP * natural.len().saturating_sub(1));
        for width in &mut widths {
            width.columns = width.columns.min(room.max(width.narrowest()));
        }
        while widths.iter().map(|width| width.columns).sum::<usize>() > room {
            // The widest gives way, the last of equal ones.
            let wide = widths.iter_mut().filter(|width| width.columns > width.narrowest());
            wide.max_by_key(|width| width.columns)?.columns -= 1;
        }
        Some(widths)
    }

    fn print_table(&mut self, rows: Vec<Vec<Cell>>, widths: &[Width]) -> Result<(), ClientError> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_content_arrangement(ContentArrangement::Disabled);
        for row in rows {
            table.add_row(row.into_iter().zip(widths).map(|(cell, width)| cell.within(*width)));
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if place + 1 < widths.len() { 2 } else { 0 }));
        }
        for line in table.lines() {
            writeln!(self.writer, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How wide a column is, and what becomes of a text that is wider.
#[derive(Debug, Clone, Copy)]
struct Width {
    columns: usize,
    /// As wide as its widest text.
    natural: usize,
    /// Whether texts are broken into lines; else they are cut.
    breaks: bool,
}

impl Width {
    fn narrowest(self) -> usize {
        if self.breaks {
            NARROWEST_BROKEN
        } else if self.natural <= WIDEST_KEPT {
            self.natural
        } else {
            NARROWEST_CUT
        }
    }
}

/// The widths of columns in which everything fits.
fn natural_widths<'a>(rows: impl IntoIterator<Item = &'a Vec<Cell>>) -> Vec<Width> {
    let mut widths: Vec<Width> = Vec::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if widths.len() <= place {
                widths.push(Width {
                    columns: 0,
                    natural: 0,
                    breaks: false,
                });
            }
            let width = &mut widths[place];
            width.natural = width.natural.max(cell.text.width());
            width.columns = width.natural;
            width.breaks |= cell.text.width() > WIDEST_CUT && cell.text.contains(' ');
        }
    }
    widths
}

/// A text in exactly this many columns, cut where it is wider.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let shown = cut(text, width);
    let missing = width.saturating_sub(shown.width());
    shown + &" ".repeat(missing)
}

/// A text in no more than this many columns; `~` stands for what is cut off.
fn cut(text: &str, width: usize) -> String {
    let mut shown = text.to_owned();
    if text.width() > width {
        while shown.width() >= width.max(1) {
            shown.pop();
        }
        shown.push('~');
    }
    shown
}

/// A text in lines of no more than this many columns, broken at blanks; a longer word is broken where the line ends.
pub(crate) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + 1 + word.width() > width {
            lines.push(String::new());
        } else if line > 0
            && let Some(last) = lines.last_mut()
        {
            last.push(' ');
        }
        while word.width() > width {
            let end = word
                .char_indices()
                .map(|(at, _)| at)
                .skip(1)
                .find(|&at| word[..at].width() >= width.max(1));
            let (head, tail) = word.split_at(end.unwrap_or(word.len()));
            if let Some(last) = lines.last_mut() {
                last.push_str(head);
            }
            word = tail;
            if !word.is_empty() {
                lines.push(String::new());
            }
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
    }
    lines
}

/// Whether the characters of the locale are UTF-8: the first of these variables that is set says so. Without one it is the
/// locale C, which is not.
fn is_utf8(environment: Environment<'_>) -> bool {
    let set = |name: &&str| environment(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let characters = locale.split('@').next().unwrap_or_default();
    characters.ends_with("utf-8") || characters.ends_with("utf8")
}

/// How many columns there are to print in; `None`: nobody limits them.
fn columns(terminal: bool, environment: Environment<'_>) -> Option<u16> {
    let columns = environment("COLUMNS").and_then(|columns| columns.parse().ok());
    columns.or_else(|| terminal.then(|| Table::new().width().unwrap_or(DEFAULT_WIDTH)))
}

/// How wide a line on standard error may be.
pub(crate) fn width_of_errors(environment: Environment<'_>) -> usize {
    let terminal = std::io::stderr().is_terminal();
    let columns = terminal.then(|| columns(terminal, environment)).flatten();
    columns.map_or(usize::MAX, usize::from)
}

/// A text without characters that steer a terminal: they are written as JSON writes them, `\u001b`.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_steering(character) {
            // Writing to a text cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// A label of a drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    pub(crate) fn new(text: &str) -> Self {
        Self(escaped(text).into_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A cell of a table.
pub(crate) struct Cell {
    text: String,
    colour: Option<Color>,
    bold: bool,
}

impl Cell {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self {
            text: escaped(&text.to_string()).into_owned(),
            colour: None,
            bold: false,
        }
    }

    pub(crate) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// As the table's library prints it, in a column of this width.
    fn within(self, width: Width) -> comfy_table::Cell {
        let text = if width.breaks {
            broken(&self.text, width.columns).join("\n")
        } else {
            cut(&self.text, width.columns)
        };
        let mut cell = comfy_table::Cell::new(text);
        if self.bold {
            cell = cell.add_attribute(Attribute::Bold);
        }
        match self.colour {
            Some(colour) => cell.fg(colour),
            None => cell,
        }
    }
}

/// A number with its noun: `1 host`, `2 hosts`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The name of a host, with the number of places there if they are several.
pub(crate) fn with_places(host: &str, places: u64) -> String {
    match places {
        0 | 1 => host.to_owned(),
        places => format!("{host} ({places} places)"),
    }
}

/// A JSON value as one piece of text.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The member `name` as text; empty when there is none.
pub(crate) fn text_of(object: &Value, name: &str) -> String {
    object.get(name).map(scalar).unwrap_or_default()
}

/// A cell with the member `name`.
pub(crate) fn cell_of(object: &Value, name: &str) -> Cell {
    Cell::new(text_of(object, name))
}

#[cfg(test)]
mod tests {
    use super::is_utf8;

    #[test]
    fn the_locale_says_whether_its_characters_are_utf_8() {
        for (variables, expected) in [
            (&[][..], false),
            (&[("LANG", "en_US.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "de_DE.UTF-8@euro")], true),
            (&[("LANG", "de_DE@euro")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LC_ALL", "C"), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], true),
            (&[("LC_CTYPE", "POSIX"), ("LANG", "C.UTF-8")], false),
        ] {
            let value = |name: &str| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_utf8(&value), expected, "{variables:?}");
        }
    }
}
