//! `berth token`: makes, lists and revokes the tokens of a token file.
//!
//! Invariants: a token is shown once, when it is made, and the file keeps its SHA-256; the file always stands there whole, as
//! it was or as it is to be, with its owner and mode; comments and the entries of others stay.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use planner_core::ports::Identifiers;
use regular_file::{FileError, LONGEST, RegularFile};
use serde_json::{Value, json};
use server::identity::token_sha256;
use server::identity::tokens::{TokenEntry, TokenFile};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::options::CloudKind;
use crate::output::{self, remark};
use crate::serve::reloadable::{defaults, overrides};

/// Mode of a file that is made: its owner's alone.
const PRIVATE: u32 = 0o600;

/// Hexadecimal digits of a SHA-256 that are shown: enough to tell tokens apart.
const SHOWN: usize = 12;

/// Fewest digits by which a token is named.
const FEWEST: usize = 6;

/// `berth token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token, print it, and add it to the file; it is printed this once
    Create(CreateArguments),
    /// List users, projects and roles of the file's tokens
    List(FileArguments),
    /// Remove tokens from the file
    Revoke(RevokeArguments),
}

#[derive(Debug, Args)]
struct FileArguments {
    /// The token file, as `berth serve --token-file` names it; made if it is not there
    #[arg(long, env = "BERTH_TOKEN_FILE", value_name = "FILE")]
    file: PathBuf,
    /// Policy file of the service, whose rules may ask for roles beside admin, manager, member and reader
    #[arg(long, env = "BERTH_POLICY_FILE", value_name = "FILE")]
    policy_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CreateArguments {
    /// User id
    #[arg(long)]
    user: String,
    /// Project id, whose leases the user sees
    #[arg(long)]
    project: String,
    /// A role, repeatable; admin implies manager, manager member, and member reader
    #[arg(long = "role", value_name = "ROLE", default_value = "member")]
    roles: Vec<String>,
    #[command(flatten)]
    of: FileArguments,
}

#[derive(Debug, Args)]
struct RevokeArguments {
    /// Tokens by the beginning of their SHA-256, as `berth token list` shows it
    #[arg(value_name = "SHA256", required_unless_present = "user")]
    tokens: Vec<String>,
    /// All tokens of this user
    #[arg(long, conflicts_with = "tokens")]
    user: Option<String>,
    #[command(flatten)]
    of: FileArguments,
}

/// Runs the command; tokens are made of random identifiers.
pub(crate) fn run(arguments: &TokenArguments, identifiers: &dyn Identifiers) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        TokenAction::Create(arguments) => create(arguments, identifiers),
        TokenAction::List(arguments) => list(arguments),
        TokenAction::Revoke(arguments) => revoke(arguments),
    }
}

fn create(arguments: &CreateArguments, identifiers: &dyn Identifiers) -> anyhow::Result<ExitCode> {
    let of = &arguments.of;
    let editing = Editing::begin(&of.file)?;
    // More than 240 random bits.
    let token = format!("berth_{}{}", identifiers.next(), identifiers.next()).replace('-', "");
    let digits = hexadecimal(&token_sha256(&token));
    let entry = json!({
        "token_sha256": digits,
        "user_id": arguments.user,
        "project_id": arguments.project,
        "roles": arguments.roles,
    });
    let before = of.read(&editing.text)?;
    let text = with_entry(&editing.text, &entry)?;
    let after = of.read(&text)?;
    if after.entries().len() != before.entries().len() + 1 {
        bail!(
            "{}: an entry cannot be added to a file of this form; write each as [[tokens]], or the file as JSON",
            of.file.display()
        );
    }
    let shown = if of.json {
        format!("{:#}\n", json!({"token": token, "token_sha256": digits}))
    } else {
        format!("{token}\n")
    };
    // First: an entry whose token nobody has read could only be revoked.
    show(&shown).context("the token cannot be printed, and was not added")?;
    editing
        .finish(&text)
        .context("the token that was printed is not valid")?;
    if !of.json {
        remark("This is shown once; the file keeps its SHA-256. A service that runs reads the file again on SIGHUP.");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &FileArguments) -> anyhow::Result<ExitCode> {
    let text = RegularFile::open(&arguments.file).and_then(|file| file.text(LONGEST));
    let text = text.with_context(|| arguments.file.display().to_string())?;
    let file = arguments.read(&text)?;
    if arguments.json {
        let entries: Vec<Value> = file.entries().iter().map(document).collect();
        print(&format!("{:#}\n", json!({"tokens": entries})))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["SHA256", "USER", "PROJECT", "ROLES"]);
    for entry in file.entries() {
        table.add_row([
            &shown(entry),
            &entry.user_id,
            &entry.project_id,
            &entry.roles.join(", "),
        ]);
    }
    print(&format!("{}\n", table.trim_fmt()))?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(arguments: &RevokeArguments) -> anyhow::Result<ExitCode> {
    let of = &arguments.of;
    let editing = Editing::begin(&of.file)?;
    let before = of.read(&editing.text)?;
    let revoked = places(&before, arguments)?;
    let text = without_entries(&editing.text, &revoked)?;
    let kept: Vec<&TokenEntry> = (0..)
        .zip(before.entries())
        .filter(|(place, _)| !revoked.contains(place))
        .map(|(_, entry)| entry)
        .collect();
    if of.read(&text).is_ok_and(|after| after.entries().iter().eq(kept)) {
        editing.finish(&text)?;
    } else {
        let numbers: Vec<String> = revoked.iter().map(|place| (place + 1).to_string()).collect();
        bail!(
            "{}: entries cannot be taken out of a file of this form; remove entry {} by hand",
            of.file.display(),
            numbers.join(", ")
        );
    }
    let revoked = revoked.iter().filter_map(|place| before.entries().get(*place));
    let said = if of.json {
        let revoked: Vec<Value> = revoked.map(document).collect();
        format!("{:#}\n", json!({"revoked": revoked}))
    } else {
        let lines = revoked.map(|entry| format!("Revoked {} of {}.\n", shown(entry), entry.user_id));
        lines.collect()
    };
    print(&said).context("the tokens are revoked, but that cannot be printed")?;
    remark("A service that runs reads the file again on SIGHUP; until then it takes these tokens.");
    Ok(ExitCode::SUCCESS)
}

/// The places in the file of what is to be revoked.
fn places(file: &TokenFile, arguments: &RevokeArguments) -> anyhow::Result<Vec<usize>> {
    let entries = file.entries();
    let mut places = Vec::new();
    if let Some(user) = &arguments.user {
        places
            .extend((0..entries.len()).filter(|place| entries.get(*place).is_some_and(|entry| entry.user_id == *user)));
        if places.is_empty() {
            bail!("--user {user}: the file has no token of this user");
        }
    }
    for digits in &arguments.tokens {
        let begins = |entry: &TokenEntry| hexadecimal(&entry.token_sha256).starts_with(&digits.to_ascii_lowercase());
        let found: Vec<usize> = (0..entries.len())
            .filter(|place| entries.get(*place).is_some_and(begins))
            .collect();
        match found.as_slice() {
            // Not quoted: somebody may have pasted the token itself.
            _ if digits.len() < FEWEST => bail!("at least {FEWEST} digits of a SHA-256 are needed"),
            [place] => places.push(*place),
            [] => bail!("no token of the file has a SHA-256 that begins so; `berth token list` shows them"),
            _ => bail!("{} tokens have a SHA-256 that begins so; give more digits", found.len()),
        }
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

impl FileArguments {
    /// The entries of the file, all of which the service would take.
    fn read(&self, text: &str) -> anyhow::Result<TokenFile> {
        let overrides = overrides(self.policy_file.as_deref())?;
        let mut roles = BTreeSet::new();
        for cloud in [CloudKind::Standalone, CloudKind::Openstack] {
            roles.extend(policy::Rules::load(defaults(cloud), &overrides, true)?.roles());
        }
        TokenFile::parse_with_roles(text, &roles).with_context(|| self.file.display().to_string())
    }
}

/// A token file with one more entry.
fn with_entry(text: &str, entry: &Value) -> anyhow::Result<String> {
    if text.trim_start().starts_with('{') {
        let mut file: Value = serde_json::from_str(text)?;
        if let Some(Value::Array(tokens)) = file.get_mut("tokens") {
            tokens.push(entry.clone());
        }
        return Ok(format!("{file:#}\n"));
    }
    // JSON's texts and lists are TOML's.
    let members = entry.as_object().into_iter().flatten();
    let lines: Vec<String> = members.map(|(name, value)| format!("{name} = {value}\n")).collect();
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    Ok(format!("{text}{gap}[[tokens]]\n{}", lines.concat()))
}

/// A token file without the entries at these places.
fn without_entries(text: &str, places: &[usize]) -> anyhow::Result<String> {
    if text.trim_start().starts_with('{') {
        let mut file: Value = serde_json::from_str(text)?;
        if let Some(Value::Array(tokens)) = file.get_mut("tokens") {
            let mut place = 0..;
            tokens.retain(|_| place.next().is_none_or(|place| !places.contains(&place)));
        }
        return Ok(format!("{file:#}\n"));
    }
    let mut kept = String::with_capacity(text.len());
    let comments = Source::new(text)
        .lex()
        .filter(|token| token.kind() == TokenKind::Comment);
    let mut comments = comments.map(|token| token.span()).peekable();
    // The number of entries so far; the last one is where a line belongs.
    let mut entries = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let words: String = line.split_whitespace().collect();
        entries += usize::from(words.starts_with("[[tokens]]"));
        let is_kept = entries == 0 || !places.contains(&(entries - 1));
        end += line.len();
        let own = std::iter::from_fn(|| comments.next_if(|comment| comment.start() < end));
        let own: Vec<&str> = own
            .filter_map(|comment| text.get(comment.start()..comment.end()))
            .collect();
        // Comments stay, as lines of their own, apart from those of the next entry.
        let is_gap = words.is_empty() && !kept.is_empty() && !kept.ends_with("\n\n");
        if is_kept || is_gap {
            kept.push_str(line);
        } else {
            kept.extend(own.iter().flat_map(|comment| [comment, "\n"]));
        }
    }
    if kept.trim().is_empty() {
        // The service takes an empty file for one that was cut off.
        kept.push_str("# All tokens were revoked.\n");
    }
    Ok(kept)
}

/// A token file, locked against a second edit.
struct Editing {
    path: PathBuf,
    /// As it was, empty if it was not there.
    text: String,
    /// Its owner and mode, if it was there.
    before: Option<Metadata>,
    /// Its folder, locked.
    _folder: File,
}

impl Editing {
    fn begin(path: &Path) -> anyhow::Result<Self> {
        let failed = || path.display().to_string();
        // What a link leads to is edited, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).with_context(failed)?;
        folder.lock().with_context(failed)?;
        let (text, before) = match RegularFile::open(&path) {
            Ok(file) => (file.text(LONGEST).with_context(failed)?, Some(file.metadata().clone())),
            Err(FileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), None),
            Err(error) => return Err(error).with_context(failed),
        };
        Ok(Self {
            path,
            text,
            before,
            _folder: folder,
        })
    }

    /// Puts the new text in the place of the old one.
    fn finish(self, text: &str) -> anyhow::Result<()> {
        let failed = || format!("{}: the file stays as it was", self.path.display());
        let new = self.path.with_added_extension("new");
        // Left over from a run that was cut off.
        let _ = std::fs::remove_file(&new);
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(PRIVATE)
                .open(&new)?;
            if let Some(old) = &self.before {
                let own = file.metadata()?;
                if (old.uid(), old.gid()) != (own.uid(), own.gid()) {
                    fchown(&file, Some(old.uid()), Some(old.gid()))?;
                }
                // An open mode is kept: the service refuses the file and says how to mend it.
                file.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o777))?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)
        };
        let written = write();
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written.with_context(failed)
    }
}

/// An entry as JSON.
fn document(entry: &TokenEntry) -> Value {
    json!({
        "token_sha256": hexadecimal(&entry.token_sha256),
        "user_id": entry.user_id,
        "project_id": entry.project_id,
        "roles": entry.roles,
    })
}

/// The beginning of an entry's SHA-256.
fn shown(entry: &TokenEntry) -> String {
    hexadecimal(&entry.token_sha256).chars().take(SHOWN).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a text cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Writes what is shown this once: a reader that has gone is a failure.
fn show(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()
}

fn print(text: &str) -> anyhow::Result<()> {
    output::print(text.as_bytes()).map(drop)
}
