//! The text form of the public instances.
//!
//! Comment lines begin with `#`; empty lines mean nothing. Then `Type = 1`, `Jobs = J`, J lines `start end`,
//! `Qualifications = W`, and W lines `count: task task ...`, tasks numbered from 0.

use super::instance::{Instance, InstanceError, MOST_PAIRS, MOST_TIME, Task};

/// Where a text cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ReadError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

struct Lines<'a> {
    rest: std::iter::Enumerate<std::str::Lines<'a>>,
    last: usize,
}

impl<'a> Lines<'a> {
    /// The next line that says something, with its number.
    fn next(&mut self) -> Option<(usize, &'a str)> {
        for (index, line) in self.rest.by_ref() {
            self.last = index + 1;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                return Some((index + 1, line));
            }
        }
        None
    }

    fn expect(&mut self, what: &str) -> Result<(usize, &'a str), ReadError> {
        let end = self.last + 1;
        self.next()
            .ok_or_else(|| wrong(end, format!("the text ends where {what} should be")))
    }

    /// The value of a line `key = value`.
    fn value(&mut self, key: &str) -> Result<(usize, usize), ReadError> {
        let (line, text) = self.expect(&format!("`{key} = ...`"))?;
        let value = match text.split_once('=') {
            Some((name, value)) if name.trim() == key => value.trim(),
            _ => return Err(wrong(line, format!("`{key} = ...` expected, not `{}`", shown(text)))),
        };
        Ok((line, number(line, value)?))
    }
}

fn wrong(line: usize, reason: String) -> ReadError {
    ReadError { line, reason }
}

/// The beginning of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn number<N: std::str::FromStr>(line: usize, text: &str) -> Result<N, ReadError> {
    text.parse()
        .map_err(|_| wrong(line, format!("`{}` is not a number that fits here", shown(text))))
}

/// Reads an instance.
pub fn read(text: &str) -> Result<Instance, ReadError> {
    let mut lines = Lines {
        rest: text.lines().enumerate(),
        last: 0,
    };
    let (line, kind) = lines.value("Type")?;
    if kind != 1 {
        return Err(wrong(line, format!("type {kind} is not known; only 1 is")));
    }
    let (line, count) = lines.value("Jobs")?;
    if count > MOST_PAIRS {
        return Err(wrong(line, format!("{count} tasks are more than {MOST_PAIRS}")));
    }
    let mut tasks = Vec::new();
    for task in 0..count {
        let (line, text) = lines.expect(&format!("task {task} of {count}"))?;
        tasks.push(interval(line, text)?);
    }
    let (line, workers) = lines.value("Qualifications")?;
    if workers.checked_mul(count.max(1)).is_none_or(|pairs| pairs > MOST_PAIRS) {
        return Err(wrong(line, InstanceError::Large { tasks: count, workers }.to_string()));
    }
    let mut skills = Vec::new();
    let mut seen_by = vec![None; count];
    for worker in 0..workers {
        let (line, text) = lines.expect(&format!("worker {worker} of {workers}"))?;
        skills.push(skill(line, text, worker, &mut seen_by)?);
    }
    if let Some((line, text)) = lines.next() {
        return Err(wrong(
            line,
            format!("nothing may follow the last worker, not `{}`", shown(text)),
        ));
    }
    Instance::new(tasks, skills).map_err(|error| wrong(lines.last, error.to_string()))
}

/// A line `start end`.
fn interval(line: usize, text: &str) -> Result<Task, ReadError> {
    let mut words = text.split_whitespace();
    let (Some(start), Some(end), None) = (words.next(), words.next(), words.next()) else {
        return Err(wrong(line, format!("`start end` expected, not `{}`", shown(text))));
    };
    let task = Task {
        start: number(line, start)?,
        end: number(line, end)?,
    };
    let far = |time: i64| !(-MOST_TIME..=MOST_TIME).contains(&time);
    if far(task.start) || far(task.end) {
        return Err(wrong(line, format!("a time is beyond {MOST_TIME}")));
    }
    if task.end <= task.start {
        return Err(wrong(
            line,
            format!("the end {} is not after the start {}", task.end, task.start),
        ));
    }
    Ok(task)
}

/// A line `count: task task ...`. `seen_by` holds the last worker who named each task.
fn skill(line: usize, text: &str, worker: usize, seen_by: &mut [Option<usize>]) -> Result<Vec<usize>, ReadError> {
    let Some((count, list)) = text.split_once(':') else {
        return Err(wrong(
            line,
            format!("`count: task ...` expected, not `{}`", shown(text)),
        ));
    };
    let count: usize = number(line, count.trim())?;
    let mut tasks = Vec::new();
    for word in list.split_whitespace() {
        let task: usize = number(line, word)?;
        let all = seen_by.len();
        let Some(seen) = seen_by.get_mut(task) else {
            return Err(wrong(line, format!("there is no task {task}; they end before {all}")));
        };
        if seen.replace(worker) == Some(worker) {
            return Err(wrong(line, format!("task {task} is named twice")));
        }
        tasks.push(task);
    }
    if tasks.len() != count {
        return Err(wrong(line, format!("{count} tasks announced, {} named", tasks.len())));
    }
    Ok(tasks)
}
