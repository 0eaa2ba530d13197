//! What is printed.
//!
//! Invariant: without a terminal, or with `NO_COLOR`, the output is plain ASCII decoration around the
//! service's own text; colour never carries a meaning of its own.

use std::io::{IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::endpoint::Environment;
use crate::error::ClientError;

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
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// Prints text that ends its own lines.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), ClientError> {
        Ok(self.writer.write_all(text.as_bytes())?)
    }

    /// Prints a JSON value for people and programs.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), ClientError> {
        self.line(&format!("{value:#}"))
    }

    /// Prints one member of an object: text without quotation marks, a list one item a line.
    pub(crate) fn field(&mut self, object: &Value, name: &str) -> Result<(), ClientError> {
        let Some(value) = object.get(name) else {
            let known: Vec<&str> = object
                .as_object()
                .map(|members| members.keys().map(String::as_str).collect())
                .unwrap_or_default();
            return Err(ClientError::Usage(format!(
                "--field {name}: there is none; there are {}",
                known.join(", ")
            )));
        };
        match value.as_array() {
            Some(items) => items.iter().try_for_each(|item| self.line(&scalar(item))),
            None => self.line(&scalar(value)),
        }
    }

    /// Prints a heading between tables.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), ClientError> {
        let text = if self.colour {
            format!("\n\x1b[1m{text}\x1b[0m")
        } else {
            format!("\n{text}")
        };
        self.line(&text)
    }

    /// Prints a table; an empty one is said in words.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>, none: &str) -> Result<(), ClientError> {
        if rows.is_empty() {
            return self.line(none);
        }
        let mut table = self.empty_table();
        table.set_header(header.iter().map(|name| {
            let cell = Cell::new(name);
            if self.colour {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        for row in rows {
            table.add_row(row);
        }
        self.print_table(&mut table)
    }

    /// Prints names and values of one object.
    pub(crate) fn object(&mut self, rows: Vec<(&str, Cell)>) -> Result<(), ClientError> {
        let mut table = self.empty_table();
        for (name, value) in rows {
            table.add_row(vec![Cell::new(name), value]);
        }
        self.print_table(&mut table)
    }

    /// A status, coloured on a terminal.
    pub(crate) fn status(&self, status: &str) -> Cell {
        let cell = Cell::new(status);
        if !self.colour {
            return cell;
        }
        match status.to_ascii_uppercase().as_str() {
            "ACTIVE" | "DONE" => cell.fg(Color::Green),
            "ERROR" => cell.fg(Color::Red),
            "PENDING" | "UNDONE" => cell.fg(Color::Cyan),
            "TERMINATED" | "DELETED" => cell.fg(Color::DarkGrey),
            _ => cell.fg(Color::Yellow),
        }
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
            self.line(line.trim_end())?;
        }
        Ok(())
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
