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
use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::error::ClientError;
use crate::key_values::suggestion;
use crate::keystone::Environment;

/// Columns of a terminal that does not tell.
const DEFAULT_WIDTH: u16 = 100;

/// Width of a UUID.
const LONGEST_UNBROKEN: u16 = 36;

/// Where and how a command prints.
pub struct Output<'a> {
    writer: &'a mut (dyn Write + Send),
    /// Print the API's JSON instead of tables.
    pub json: bool,
    /// Colours and block characters are welcome.
    pub colour: bool,
    /// Columns; `None`: nobody limits them.
    pub width: Option<u16>,
}

impl<'a> Output<'a> {
    /// Plain output without colours and width limit.
    pub const fn plain(writer: &'a mut (dyn Write + Send), json: bool) -> Self {
        Self {
            writer,
            json,
            colour: false,
            width: None,
        }
    }

    /// Output to standard output: colours and its width only if it is a terminal; `NO_COLOR` is honoured.
    pub fn for_terminal(writer: &'a mut (dyn Write + Send), json: bool, environment: Environment<'_>) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let colour = terminal && set("NO_COLOR").is_none() && set("TERM").as_deref() != Some("dumb");
        let columns = set("COLUMNS").and_then(|columns| columns.parse().ok());
        let width = columns.or_else(|| terminal.then(|| Table::new().width().unwrap_or(DEFAULT_WIDTH)));
        Self {
            writer,
            json,
            colour,
            width,
        }
    }

    /// Columns to draw in.
    pub(crate) fn drawing_width(&self) -> u16 {
        self.width.unwrap_or(DEFAULT_WIDTH)
    }

    /// Prints one line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), ClientError> {
        Ok(writeln!(self.writer, "{}", escaped(text))?)
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
            self.line(line)?;
        }
        Ok(())
    }

    /// Prints one member of an object: text without quotation marks, a list one item a line.
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
        match value.as_array() {
            Some(items) => items.iter().try_for_each(|item| self.line(&scalar(item))),
            None => self.line(&scalar(value)),
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
        let mut table = self.empty_table();
        table.set_header(header.iter().map(|name| {
            let cell = Cell::new(name);
            if self.colour { cell.bold().0 } else { cell.0 }
        }));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| cell.0));
        }
        self.print_table(&mut table)
    }

    /// Prints names and values of one object.
    pub(crate) fn object(&mut self, rows: Vec<(&str, Cell)>) -> Result<(), ClientError> {
        let mut table = self.empty_table();
        for (name, value) in rows {
            table.add_row(vec![Cell::new(name).0, value.0]);
        }
        self.print_table(&mut table)
    }

    /// A status, coloured on a terminal.
    pub(crate) fn status(&self, status: &str) -> Cell {
        let cell = Cell::new(status);
        if !self.colour {
            return cell;
        }
        let colour = match status.to_ascii_uppercase().as_str() {
            "ACTIVE" | "DONE" => Color::Green,
            "ERROR" => Color::Red,
            "PENDING" | "UNDONE" => Color::Cyan,
            "TERMINATED" | "DELETED" => Color::DarkGrey,
            _ => Color::Yellow,
        };
        Cell(cell.0.fg(colour))
    }

    fn empty_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if let Some(width) = self.width {
            table
                .set_width(width)
                .set_content_arrangement(ContentArrangement::Dynamic);
        }
        table
    }

    fn print_table(&mut self, table: &mut Table) -> Result<(), ClientError> {
        let widths = table.column_max_content_widths();
        for (column, width) in table.column_iter_mut().zip(widths) {
            column.set_padding((0, 2));
            // Ids, names and times stay in one piece, to be copied; only sentences are broken.
            if width <= LONGEST_UNBROKEN {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        for line in table.lines() {
            writeln!(self.writer, "{}", line.trim_end())?;
        }
        Ok(())
    }
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
pub(crate) struct Cell(comfy_table::Cell);

impl Cell {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(comfy_table::Cell::new(escaped(&text.to_string())))
    }

    pub(crate) fn bold(self) -> Self {
        Self(self.0.add_attribute(Attribute::Bold))
    }
}

/// A number with its noun: `1 host`, `2 hosts`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
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
