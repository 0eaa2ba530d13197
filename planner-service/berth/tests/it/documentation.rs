//! README.md and docs/ say what is so: their commands run or at least exist, the tests they name exist, and their links lead
//! somewhere.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Headings of README.md whose commands run here, each in a shell of its own.
const RUN: [&str; 2] = ["A first lease by hand", "Several users"];

/// What commands print, by the beginning of the command; every command of [`RUN`] is here, so that none runs unseen.
const PRINTED: [(&str, &[&str]); 20] = [
    ("make build", &[]),
    ("export PATH", &[]),
    ("export BERTH_TOKEN", &[]),
    ("export BERTH_URL", &[]),
    ("berth serve", &["berth serves"]),
    ("berth host create node1", &["node1", "262144", "gpu"]),
    ("berth host create node2", &["node2", "65536"]),
    ("berth lease create training", &["training", "node1"]),
    (
        "berth lease show training",
        &["training", "node1", "start_lease", "end_lease"],
    ),
    ("berth timeline", &["node1", "node2", "training"]),
    ("berth availability", &["FREE", "1"]),
    ("berth what-if --hosts 2", &["accepted"]),
    ("berth what-if --down node1", &["lost"]),
    ("berth lease delete training", &["training"]),
    (
        "berth lease create web",
        &["web", "2 instances of virtual:instance", "each on another host"],
    ),
    ("berth token create --user root", &["berth_"]),
    ("berth host list", &[]),
    ("berth lease list", &["no leases"]),
    ("berth token list", &["root", "ann", "physics", "member"]),
    ("berth policy", &["blazar:leases:get", "berth:timeline:get"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// README.md and the pages of docs/, by path.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    paths.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "md")),
    );
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The commands of indented blocks: lines that begin with the name of a program, without comments, with what continues them.
fn commands(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let indented = line.strip_prefix("    ").map(str::trim);
        let (command, comment) = indented
            .unwrap_or_default()
            .split_once(" #")
            .unwrap_or((indented.unwrap_or_default(), ""));
        let command = command.trim();
        let begins = ["berth ", "export ", "make "]
            .iter()
            .any(|word| command.starts_with(word));
        let part = command.strip_suffix('\\').unwrap_or(command).trim();
        if continues && let Some(last) = found.last_mut() {
            last.command = format!("{} {part}", last.command);
        } else if begins {
            found.push(Line {
                command: part.to_owned(),
                exit: i32::from(comment.contains("exits with 1")),
            });
        }
        continues = (continues || begins) && command.ends_with('\\');
    }
    found
}

/// A command of a page.
struct Line {
    command: String,
    /// Exit code the page promises.
    exit: i32,
}

/// The part of a page under a heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, after) = text.split_once(&format!("## {heading}\n")).unwrap();
    after.split("\n## ").next().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A shell script that runs the lines and says before and after each which it was and how it ended.
fn script(lines: &[Line], port: u16) -> String {
    let mut script = String::from("make() { :; }\n");
    for (number, line) in lines.iter().enumerate() {
        let mut command = line.command.replace("127.0.0.1:1234", &format!("127.0.0.1:{port}"));
        command = command.replace("127.0.0.1:1235", &format!("127.0.0.1:{port}"));
        script += &["echo '<<<", &number.to_string(), "'\n", &command, "\necho \">>>$?\"\n"].concat();
        if command.ends_with('&') {
            // The service logs that it serves once it listens.
            let listens = format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null");
            script += &[
                "for attempt in $(seq 600); do ",
                &listens,
                " && break; sleep 0.1; done
",
            ]
            .concat();
        }
    }
    script + "kill $(jobs -p)\nwait\n"
}

#[test]
fn c14_the_commands_of_the_readme_do_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for heading in RUN {
        let lines = commands(section(&readme, heading));
        assert!(lines.len() > 5, "{heading} has commands");
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_berth"));
        std::fs::create_dir_all(folder.path().join("target/debug")).unwrap();
        std::os::unix::fs::symlink(program, folder.path().join("target/debug/berth")).unwrap();
        let port = free_port();
        let mut shell = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("BERTH_") || name.starts_with("OS_") {
                shell.env_remove(&*name);
            }
        }
        let path = std::env::var("PATH").unwrap();
        let output = shell
            .arg("-c")
            .arg(format!("exec 2>&1\n{}", script(&lines, port)))
            .env(
                "PATH",
                format!("{}:{path}", folder.path().join("target/debug").display()),
            )
            .env("BERTH_LISTEN", format!("127.0.0.1:{port}"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for (number, line) in lines.iter().enumerate() {
            let (_, after) = said
                .split_once(&format!("<<<{number}\n"))
                .unwrap_or_else(|| panic!("{said}"));
            let (printed, code) = after.split_once(">>>").unwrap_or_else(|| panic!("{said}"));
            let code: i32 = code.lines().next().unwrap().parse().unwrap();
            assert_eq!(code, line.exit, "{}: {printed}", line.command);
            let expected = PRINTED.iter().find(|(command, _)| line.command.starts_with(command));
            let (_, parts) = expected.unwrap_or_else(|| panic!("nothing is expected of: {}", line.command));
            // What a service in the background logs comes while later commands run.
            let place = if line.command.ends_with('&') { &said } else { printed };
            for part in *parts {
                assert!(
                    place.contains(part),
                    "{}: `{part}` is missing in: {printed}",
                    line.command
                );
            }
        }
    }
}

/// Asks the program for the help of a command with its options: it knows them all, or says which it does not.
fn is_known(command: &str) -> Result<(), String> {
    let words: Vec<String> = words(command);
    let until = words
        .iter()
        .position(|word| ["&", "|", ">", ";"].contains(&word.as_str()));
    let words = &words[1..until.unwrap_or(words.len())];
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(words)
        .arg("--help")
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The words of a command line, quotes taken off.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Texts between backquotes, on one line or across two.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split("\n\n")
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn c14_every_command_of_the_pages_is_one_that_the_program_knows() {
    let mut checked = 0;
    for (path, text) in pages() {
        let lines = commands(&text).into_iter().map(|line| line.command);
        let mut all: BTreeSet<String> = lines
            .chain(quoted(&text))
            .filter(|text| text.starts_with("berth "))
            .collect();
        // A list of alternatives, and what clap cannot tell from a value.
        all.retain(|command| !command.contains(['|', '{', '…']) && !command.contains("..."));
        for command in all {
            checked += 1;
            if let Err(error) = is_known(&command) {
                panic!("{}: `{command}`: {error}", path.display());
            }
        }
    }
    assert!(checked > 40, "{checked} commands");
}

/// A11: what the program prints as a command is one, too. The client's own hints are made of commands, not of texts.
#[test]
fn a11_every_command_that_a_text_of_the_program_names_exists() {
    let mut checked = 0;
    let mut folders = vec![root().join("planner-service"), root().join("plugins")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for command in quoted(line).filter(|text| text.starts_with("berth ")) {
                    // What follows the names of commands is put in when it is printed.
                    let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
                    let names: Vec<&str> = command.split_whitespace().take_while(is_name).collect();
                    checked += 1;
                    if let Err(error) = is_known(&names.join(" ")) {
                        panic!("{}: `{command}`: {error}", path.display());
                    }
                }
            }
        }
    }
    assert!(checked > 5, "{checked} commands");
}

#[test]
fn c14_every_option_that_the_pages_name_exists() {
    let mut known = BTreeSet::new();
    let mut ask = vec![Vec::<String>::new()];
    while let Some(command) = ask.pop() {
        let output = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(&command)
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        known.extend(options.map(|word| word.trim_end_matches([',', '.', ';', ':', ')']).to_owned()));
        let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
        for line in commands.take_while(|line| !line.is_empty()) {
            let name = line.strip_prefix("  ").and_then(|line| line.split_whitespace().next());
            if let Some(name) = name.filter(|name| *name != "help" && !line.starts_with("   ")) {
                ask.push([&command[..], &[name.to_owned()]].concat());
            }
        }
    }
    for (path, text) in pages() {
        for option in quoted(&text).filter(|text| text.starts_with("--")) {
            let name = option.split([' ', '=']).next().unwrap();
            // OpenStack's clients have them.
            if !["--hint", "--os-endpoint-override"].contains(&name) {
                assert!(known.contains(name), "{}: `{option}`", path.display());
            }
        }
    }
}

/// Every function that is a test, wherever in the workspace.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let names_of = text
                    .split("fn ")
                    .skip(1)
                    .filter_map(|rest| rest.split(['(', '<']).next().map(str::to_owned));
                names.extend(names_of);
            }
        }
    }
    names
}

#[test]
fn c14_every_test_that_the_pages_name_exists() {
    let tests = tests();
    let is_test = |text: &str| {
        text.matches('_').count() >= 3
            && text
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    };
    let mut checked = 0;
    for (path, text) in pages() {
        let rows = text.lines().filter(|line| line.starts_with('|'));
        // Tests are named in the last column.
        for row in rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next()) {
            for name in quoted(row).filter(|name| is_test(name)) {
                checked += 1;
                assert!(tests.contains(&name), "{}: there is no test {name}", path.display());
            }
        }
    }
    assert!(checked >= 8, "{checked} tests");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| shown by the test |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("| "));
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(quoted(last).any(|name| is_test(&name)), "no test shows: {row}");
    }
}

#[test]
fn c14_every_file_that_the_pages_name_exists() {
    for (path, text) in pages() {
        for name in quoted(&text) {
            let is_page = ["docs/", "dev/", "planner-service/", "solver/", "plugins/", ".ci/"]
                .iter()
                .any(|folder| name.starts_with(folder))
                || name == "ARCHITECTURE.md";
            if is_page && !name.contains([' ', '*', '{', '(']) {
                let file = name.split(':').next().unwrap();
                assert!(root().join(file).exists(), "{}: `{name}`", path.display());
            }
        }
    }
}
