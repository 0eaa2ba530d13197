//! What an operator meets at the command line: tokens, policy, configuration files, and what the program shows of secrets.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::Program;

/// How long a test waits for the program.
const PATIENCE: Duration = Duration::from_mins(1);

/// What must be shown nowhere.
const SECRET: &str = "hunter2";

/// `berth` with nothing of the caller's environment, in a folder of its own.
fn berth(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("BERTH_") || name.starts_with("OS_") {
            command.env_remove(&*name);
        }
    }
    command
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    berth(folder, arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    let (out, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!("{out}{error}")
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", printed(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A file in the folder, readable by its owner alone.
fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    path
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What the program says when it refuses to serve.
fn refusal(folder: &TempDir, arguments: &[&str]) -> String {
    refusal_with(folder, arguments, &[])
}

fn refusal_with(folder: &TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = berth(folder, &["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments).envs(environment.iter().copied());
    refused(&mut command)
}

/// What a command says when it refuses to do anything.
fn refused(command: &mut Command) -> String {
    // A program that does not refuse might serve, or wait, for ever.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{command:?} goes on: {}", printed(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {}", printed(&output));
    printed(&output)
}

/// A new token of the file `tokens.toml`.
fn token(folder: &TempDir, user: &str, project: &str, roles: &[&str]) -> String {
    let mut arguments = vec![
        "token",
        "create",
        "--file",
        "tokens.toml",
        "--user",
        user,
        "--project",
        project,
    ];
    arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
    succeeded(&run(folder, &arguments)).trim().to_owned()
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn c1_tokens_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let ann = token(&folder, "ann", "lab", &["admin"]);
    let path = folder.path().join("tokens.toml");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("# Tokens of the lab\n\n# Ann, who left\n{text}")).unwrap();
    let bob = token(&folder, "bob", "lab", &[]);
    assert_ne!(ann, bob);
    assert!(ann.len() > 60, "{ann}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&ann) && !text.contains(&bob), "{text}");

    let listed = succeeded(&run(&folder, &["token", "list", "--file", "tokens.toml", "--json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["tokens"][0]["user_id"], "ann");
    assert_eq!(listed["tokens"][1]["roles"], serde_json::json!(["member"]));
    let digits = listed["tokens"][1]["token_sha256"].as_str().unwrap().to_owned();
    let table = succeeded(&run(&folder, &["token", "list", "--file", "tokens.toml"]));
    contains(&table, &["SHA256", "ann", "bob", &digits[..12]]);

    let mut unknown = berth(&folder, &["token", "create", "--file", "tokens.toml"]);
    let refused = unknown
        .args(["--user", "x", "--project", "p", "--role", "membre"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    contains(&printed(&refused), &["'membre'", "admin, manager, member, reader"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    for (token, part) in [
        ("abc", "at least 6 digits"),
        ("0123456789ab", "no token"),
        (ann.as_str(), "no token"),
    ] {
        let refused = run(&folder, &["token", "revoke", "--file", "tokens.toml", token]);
        assert_eq!(refused.status.code(), Some(2));
        contains(&printed(&refused), &[part]);
        assert!(!printed(&refused).contains(&ann));
    }

    let revoked = succeeded(&run(
        &folder,
        &["token", "revoke", "--file", "tokens.toml", "--user", "ann"],
    ));
    contains(&revoked, &["ann"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Tokens of the lab\n"), "{text}");
    assert!(!text.contains("ann") && text.contains(&digits), "{text}");
    let revoke = ["token", "revoke", "--file", "tokens.toml", &digits[..8], "--json"];
    let revoked: Value = serde_json::from_str(&succeeded(&run(&folder, &revoke))).unwrap();
    assert_eq!(revoked, serde_json::json!({"revoked": [listed["tokens"][1]]}));
    let listed = succeeded(&run(&folder, &["token", "list", "--file", "tokens.toml", "--json"]));
    assert_eq!(
        serde_json::from_str::<Value>(&listed).unwrap()["tokens"],
        serde_json::json!([])
    );
}

/// C1: every comment stays, wherever it stands.
#[test]
fn c1_comments_of_a_token_file_stay() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |user: &str, comment: &str| {
        let digits = user.repeat(64);
        format!(
            "[[tokens]]{comment}\ntoken_sha256 = \"{digits}\"\nuser_id = \"{user}#\" # who\nproject_id = \"p\"\n\
             roles = [ # several\n  \"member\",\n]\n"
        )
    };
    let (a, b, c) = (entry("a", " # c1"), entry("b", ""), entry("c", ""));
    let path = file(
        &folder,
        "tokens.toml",
        &format!("# note\n{a}\n# of b\n{b}{c}# the end\n"),
    );
    let revoke = |user: &str| {
        let arguments = ["token", "revoke", "--file", "tokens.toml", "--user", user];
        succeeded(&run(&folder, &arguments));
        std::fs::read_to_string(&path).unwrap()
    };
    let own = "# c1\n# who\n# several\n";
    assert_eq!(revoke("a#"), format!("# note\n{own}\n# of b\n{b}{c}# the end\n"));
    assert_eq!(
        revoke("c#"),
        format!("# note\n{own}\n# of b\n{b}# who\n# several\n# the end\n")
    );
}

/// C1: no token is added that nobody could read.
#[test]
fn c1_a_token_that_cannot_be_printed_is_not_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "tokens.toml", "# none\n");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    for output in [Stdio::from(full), Stdio::from(gone)] {
        let mut create = berth(&folder, &["token", "create", "--file", "tokens.toml"]);
        let failed = create
            .args(["--user", "x", "--project", "p"])
            .stdout(output)
            .output()
            .unwrap();
        assert_eq!(failed.status.code(), Some(2));
        contains(&printed(&failed), &["was not added"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# none\n");
    }
}

#[test]
fn c1_a_token_file_in_json_is_edited_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "tokens.json", "{\"tokens\": []}");
    for user in ["ann", "bob", "ann"] {
        succeeded(&run(
            &folder,
            &[
                "token",
                "create",
                "--file",
                "tokens.json",
                "--user",
                user,
                "--project",
                "p",
            ],
        ));
    }
    let users = || {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let tokens = file["tokens"].as_array().unwrap().clone();
        tokens
            .iter()
            .map(|token| token["user_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(users(), ["ann", "bob", "ann"]);
    succeeded(&run(
        &folder,
        &["token", "revoke", "--file", "tokens.json", "--user", "ann"],
    ));
    assert_eq!(users(), ["bob"]);
    // Entries of a form that cannot be edited are left alone.
    let inline = "tokens = [{token = \"x\", user_id = \"u\", project_id = \"p\", roles = []}]\n";
    let path = file(&folder, "inline.toml", inline);
    for arguments in [&["create", "--project", "p"][..], &["revoke"]] {
        let refused = berth(&folder, &["token"])
            .args(arguments)
            .args(["--file", "inline.toml", "--user", "u"])
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", printed(&refused));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), inline);
    }
}

#[test]
fn c1_a_token_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "tokens.toml", "");
    for mode in [0o604, 0o644, 0o620, 0o660, 0o602] {
        set_mode(&path, mode);
        let refused = refusal(&folder, &["--token-file", "tokens.toml"]);
        contains(&refused, &["tokens.toml", &format!("mode {mode:o}"), "chmod 600"]);
    }
}

/// Commands and options with a file each: `FILE` stands for it.
const OF_FILES: &[&[&str]] = &[
    &["serve", "--config", "FILE"],
    &["serve", "--data", "data", "--fleet", "FILE"],
    &["serve", "--countables", "FILE"],
    &["serve", "--flavors", "FILE"],
    &["serve", "--token-file", "FILE"],
    &["serve", "--policy-file", "FILE"],
    &[
        "serve",
        "--webhook",
        "http://127.0.0.1:1/",
        "--webhook-secret-file",
        "FILE",
    ],
    &["serve", "--countables", "countables.json"],
    &[
        "serve",
        "--transport-url",
        "rabbit://127.0.0.1:1/?ssl=1&ssl_ca_file=FILE",
    ],
    &[
        "serve",
        "--config",
        "cloud.toml",
        "--data",
        "data",
        "--os-cacert",
        "FILE",
    ],
    &["serve", "--database", "sqlite://FOLDER/FILE"],
    &["token", "list", "--file", "FILE"],
    &["token", "create", "--user", "u", "--project", "p", "--file", "FILE"],
    &["token", "revoke", "--user", "u", "--file", "FILE"],
    &["policy", "--policy-file", "FILE"],
    &["backup", "--database", "sqlite://FOLDER/FILE", "copy"],
    &["restore", "--data", "other", "FILE"],
    &["restore", "--data", "other", "--accept-loss", "FILE"],
];

/// A pipe has nobody who writes to it, a device no end: neither is waited for, whichever option names it.
#[test]
fn d5_only_regular_files_are_read_whatever_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    set_mode(&folder.path().join("pipe"), 0o600);
    std::os::unix::fs::symlink("/dev/zero", path("endless")).unwrap();
    file(
        &folder,
        "cloud.toml",
        "cloud = \"openstack\"\nos_auth_url = \"http://127.0.0.1:1/v3\"\nos_username = \"u\"\nos_password = \"p\"\n\
         os_project_name = \"p\"\n",
    );
    for name in ["pipe", "endless"] {
        let entry = format!(
            r#"[{{"resource_type": "licence", "units": 1, "webhook": "http://127.0.0.1:1/", "secret_file": "{}"}}]"#,
            path(name)
        );
        file(&folder, "countables.json", &entry);
        for arguments in OF_FILES {
            let with_file = arguments
                .iter()
                .map(|part| part.replace("FOLDER/FILE", &path(name)).replace("FILE", name));
            let arguments: Vec<String> = with_file.collect();
            let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut command = berth(&folder, &words);
            if words[0] == "serve" {
                command.args(["--listen", "127.0.0.1:0"]);
            }
            contains(&refused(&mut command), &["it is no regular file"]);
        }
        let mut client = berth(&folder, &["lease", "list"]);
        client
            .env("OS_AUTH_URL", "http://127.0.0.1:1/v3")
            .env("OS_CACERT", name);
        contains(&refused(&mut client), &["OS_CACERT", "it is no regular file"]);
    }
}

#[test]
fn f13_the_secret_of_a_webhook_that_others_can_read_is_refused_as_a_token_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", "open sesame");
    let entry =
        r#"[{"resource_type": "licence", "units": 1, "webhook": "http://127.0.0.1:1/", "secret_file": "secret"}]"#;
    file(&folder, "countables.json", entry);
    let tokens = file(&folder, "tokens.toml", "");
    for mode in [0o644, 0o660, 0o602] {
        set_mode(&secret, mode);
        set_mode(&tokens, mode);
        for arguments in [
            &["--webhook", "http://127.0.0.1:1/", "--webhook-secret-file", "secret"][..],
            &["--countables", "countables.json"],
            &["--token-file", "tokens.toml"],
        ] {
            let said = refusal(&folder, arguments);
            contains(&said, &[arguments[0], &format!("mode {mode:o}"), "chmod 600"]);
            assert!(!said.contains("sesame"), "{said}");
        }
    }
}

/// A service with a log that a test reads.
struct Logged {
    program: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    url: String,
}

impl Logged {
    fn start(folder: &TempDir, arguments: &[&str]) -> Self {
        let mut command = berth(folder, &["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
        let mut program = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let log = BufReader::new(program.stderr.take().unwrap());
        std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut started = Self {
            program,
            lines,
            url: String::new(),
        };
        let serves: Value = serde_json::from_str(&started.wait_for("berth serves")).unwrap();
        started.url = format!("http://{}", serves["fields"]["address"].as_str().unwrap());
        started
    }

    fn wait_for(&self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("`{part}` is not logged:\n{seen}"));
            if line.contains(part) {
                return line;
            }
            seen += &line;
            seen.push('\n');
        }
    }

    fn hang_up(&self) {
        let id = self.program.id().to_string();
        let status = Command::new("kill").args(["-HUP", &id]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A pipe that nobody writes to, a file that is cut off or far too long: the service goes on with what it has read.
#[test]
fn c1_a_token_file_that_cannot_be_read_at_once_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ann = token(&folder, "ann", "p", &["reader"]);
    let service = Logged::start(&folder, &["--token-file", "tokens.toml", "--data", "data"]);
    let path = folder.path().join("tokens.toml");
    let make_pipe = || assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let cut_off = || drop(file(&folder, "tokens.toml", ""));
    let lengthen = || std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let spoilers: [(&dyn Fn(), &str); 3] = [
        (&make_pipe, "regular file"),
        (&cut_off, "empty"),
        (&lengthen, "longer than"),
    ];
    for (spoil, said) in spoilers {
        std::fs::remove_file(&path).unwrap();
        spoil();
        set_mode(&path, 0o600);
        service.hang_up();
        contains(&service.wait_for("stay as they were"), &[said]);
        let mut list = berth(&folder, &["lease", "list", "--url", &service.url]);
        succeeded(&list.env("BERTH_TOKEN", &ann).output().unwrap());
    }
}

#[test]
fn c1_tokens_and_policy_are_read_again_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let ann = token(&folder, "ann", "p", &["reader"]);
    file(&folder, "policy.yaml", "");
    let service = Logged::start(
        &folder,
        &[
            "--token-file",
            "tokens.toml",
            "--policy-file",
            "policy.yaml",
            "--data",
            "data",
        ],
    );
    let code = |token: &str, arguments: &[&str]| {
        let mut command = berth(&folder, arguments);
        command.args(["--url", &service.url]).env("BERTH_TOKEN", token);
        command.output().unwrap().status.code()
    };
    let list = |token: &str| code(token, &["lease", "list"]);
    assert_eq!(list(&ann), Some(0));
    assert_eq!(code(&ann, &["host", "list"]), Some(0));
    let bob = token(&folder, "bob", "p", &["member"]);
    file(&folder, "policy.yaml", "\"blazar:oshosts:get\": \"rule:admin\"\n");
    assert_eq!(list(&bob), Some(1));
    service.hang_up();
    service.wait_for("read again");
    assert_eq!((list(&ann), list(&bob)), (Some(0), Some(0)));
    assert_eq!(code(&ann, &["host", "list"]), Some(1));

    // A wrong file changes nothing, and the log says why.
    let path = folder.path().join("tokens.toml");
    let right = std::fs::read_to_string(&path).unwrap();
    for (wrong, part) in [
        (format!("{right}\n[[tokens]]\ntoken = \"{SECRET}\n"), "at line"),
        (right.replace("\"member\"", "\"membre\""), "membre"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        service.hang_up();
        let line = service.wait_for("stay as they were");
        contains(&line, &["ERROR", "tokens.toml", part]);
        assert!(!line.contains(SECRET), "{line}");
        assert_eq!((list(&ann), list(&bob)), (Some(0), Some(0)));
    }
    std::fs::write(&path, "").unwrap();
    file(&folder, "policy.yaml", "\"blazar:leases:get\": \"((\"\n");
    service.hang_up();
    contains(
        &service.wait_for("stay as they were"),
        &["policy.yaml", "blazar:leases:get"],
    );
    assert_eq!(list(&ann), Some(0));
}

#[test]
fn c1_sighup_ends_no_service_whatever_proves_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let service = Logged::start(&folder, &["--data", "data"]);
    service.hang_up();
    service.wait_for("read again");
    assert!(run(&folder, &["lease", "list", "--url", &service.url]).status.success());
}

#[test]
fn c2_the_printed_policy_is_read_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for cloud in ["standalone", "openstack"] {
        let printed = succeeded(&run(&folder, &["policy", "--cloud", cloud]));
        contains(
            &printed,
            &[
                "\"blazar:leases:get\": \"",
                "GET /v1/leases",
                "\"berth:timeline:get\": ",
            ],
        );
        file(&folder, "policy.yaml", &printed);
        for other in ["standalone", "openstack"] {
            let again = succeeded(&run(
                &folder,
                &["policy", "--cloud", other, "--policy-file", "policy.yaml"],
            ));
            assert_eq!(again, printed);
        }
    }
    assert_ne!(
        succeeded(&run(&folder, &["policy", "--cloud", "standalone"])),
        succeeded(&run(&folder, &["policy", "--cloud", "openstack"]))
    );
}

/// The whole way of a second user of a service without a cloud, with the client alone.
#[test]
fn c2_a_member_learns_his_machines_and_not_who_has_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (boss, ann, bob) = (
        token(&folder, "boss", "p0", &["admin"]),
        token(&folder, "ann", "p1", &["member"]),
        token(&folder, "bob", "p2", &["member"]),
    );
    let service = Logged::start(&folder, &["--token-file", "tokens.toml", "--data", "data"]);
    let call = |token: &str, arguments: &[&str]| {
        let mut command = berth(&folder, arguments);
        command.args(["--url", &service.url]).env("BERTH_TOKEN", token);
        command.output().unwrap()
    };
    for (host, class) in [("rack1-a", "slow"), ("rack1-b", "fast")] {
        let rack = [
            "host",
            "create",
            host,
            "--vcpus",
            "8",
            "--memory-mb",
            "1024",
            "--property",
            "vault=x",
        ];
        succeeded(&call(
            &boss,
            &[&rack[..], &["--property", &format!("class={class}")]].concat(),
        ));
    }
    let hide = ["property", "set", "vault", "--private"];
    let hidden = call(&boss, &hide);
    succeeded(&hidden);
    let book = |token: &str, name: &str, class: &str| {
        let condition = format!("class = {class}");
        let arguments = [
            "lease", "create", name, "--start", "+2h", "--end", "+2h", "--where", &condition,
        ];
        succeeded(&call(token, &arguments))
    };
    contains(&book(&ann, "annas", "fast"), &["rack1-b"]);
    book(&bob, "bobs", "slow");

    // Hosts by name, wherever a lease is shown.
    let shown = succeeded(&call(&ann, &["lease", "show", "annas"]));
    contains(&shown, &["rack1-b"]);
    assert!(!shown.contains("rack1-a"), "{shown}");
    assert_eq!(
        succeeded(&call(&ann, &["lease", "show", "annas", "--field", "hosts"])).trim(),
        "rack1-b"
    );
    // Hosts and properties without what is private.
    let hosts = succeeded(&call(&ann, &["host", "list", "--json"]));
    contains(&hosts, &["rack1-a", "rack1-b", "class"]);
    assert!(!hosts.contains("vault"), "{hosts}");
    let one = succeeded(&call(&ann, &["host", "show", "rack1-a"]));
    assert!(!one.contains("vault"), "{one}");
    contains(&succeeded(&call(&boss, &["host", "show", "rack1-a"])), &["vault"]);
    // Both hosts are seen to be taken, and only the own lease is named.
    let taken = succeeded(&call(&ann, &["allocation", "list", "--json"]));
    let taken: Value = serde_json::from_str(&taken).unwrap();
    let uses: Vec<&Value> = taken["allocations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| &host["reservations"][0])
        .collect();
    assert_eq!(
        uses.iter().filter(|used| used["start_date"].is_string()).count(),
        2,
        "{taken:#}"
    );
    assert_eq!(
        uses.iter()
            .filter(|used| used["lease_id"].is_null() && used["id"].is_null())
            .count(),
        1,
        "{taken:#}"
    );
    let bobs = succeeded(&call(&bob, &["lease", "show", "bobs", "--field", "id"]));
    let of_bob = ["allocation", "list", "--json", "--lease", bobs.trim()];
    let refused = call(&ann, &of_bob);
    assert!(!printed(&refused).contains("start_date"), "{}", printed(&refused));
    for text in [
        succeeded(&call(&ann, &["timeline"])),
        succeeded(&call(&ann, &["allocation", "list"])),
    ] {
        contains(&text, &["rack1-a", "rack1-b", "annas"]);
        assert!(!text.contains("bobs"), "{text}");
        assert!(
            text.contains("other projects") || text.contains("(another project's)"),
            "{text}"
        );
    }
}

#[test]
fn d2_a_cloud_needs_a_database_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = ["--cloud", "openstack", "--os-auth-url", "http://127.0.0.1:1/v3"];
    let refused = refusal(&folder, &cloud);
    contains(&refused, &["BERTH_DATABASE", "[berth] database", "--data DIR"]);
    file(&folder, "blazar.conf", "[DEFAULT]\nos_admin_username = blazar\n");
    contains(
        &refusal(&folder, &["--config", "blazar.conf"]),
        &["BERTH_DATABASE", "[berth] database"],
    );
    let import = run(&folder, &["import-blazar", "--from", "mysql://127.0.0.1:1/blazar"]);
    contains(&printed(&import), &["BERTH_DATABASE"]);
    let left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["blazar.conf"]);
}

#[test]
fn d5_what_would_have_no_effect_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "tokens.toml", "");
    file(&folder, "berth.toml", "max_lease_duration = 60\n");
    file(&folder, "blank.toml", "data = \" \"\n");
    for (arguments, parts) in [
        (
            &["--max-lease-duration", "60"][..],
            ["--max-lease-duration", "MaxLeaseDurationFilter"],
        ),
        (
            &["--config", "berth.toml"],
            ["--max-lease-duration", "MaxLeaseDurationFilter"],
        ),
        (
            &[
                "--max-lease-duration",
                "60",
                "--enabled-filters",
                "ExternalServiceFilter",
            ],
            ["--max-lease-duration", "MaxLeaseDurationFilter"],
        ),
        (
            &["--external-service-token", "x"],
            ["--external-service-token", "ExternalServiceFilter"],
        ),
        (
            &["--token-file", "tokens.toml", "--auth", "none"],
            ["--token-file", "--auth tokens"],
        ),
        (&["--trusts"], ["--trusts", "--cloud openstack"]),
        (&["--log", "verbose"], ["--log", "error, warn, info, debug, trace"]),
        (&["--auth", "tokens"], ["--token-file", "berth token create"]),
        (&["--data", " "], ["--data", "a blank names no file or folder"]),
        (
            &["--config", "blank.toml"],
            ["--data", "a blank names no file or folder"],
        ),
        (&["--public-url", "not a url"], ["--public-url", "http or https URL"]),
        (
            &["--public-url", "ftp://berth.example/"],
            ["--public-url", "http or https URL"],
        ),
        (&["--public-url", " "], ["--public-url", "http or https URL"]),
        (
            &["--public-url", "https://berth.example/?a"],
            ["--public-url", "without ? and #"],
        ),
    ] {
        contains(&refusal(&folder, arguments), &parts);
    }
    // A secret that nothing is signed with, or of which there are two.
    let secret = [("BERTH_WEBHOOK_SECRET", "open sesame")];
    contains(
        &refusal_with(&folder, &[], &secret),
        &["BERTH_WEBHOOK_SECRET has no effect without --webhook"],
    );
    file(&folder, "secret", "another");
    let both = ["--webhook", "http://127.0.0.1:1/", "--webhook-secret-file", "secret"];
    contains(
        &refusal_with(&folder, &both, &secret),
        &["BERTH_WEBHOOK_SECRET has no effect beside --webhook-secret-file"],
    );
    // OpenStack's variables stand in many a shell, and upstream's options in its file.
    file(
        &folder,
        "polling.conf",
        "[DEFAULT]\n[physical:host]\npolling_interval = 7\n",
    );
    let refused = refusal_with(&folder, &["--config", "polling.conf"], &[("OS_USERNAME", "ann")]);
    contains(&refused, &["BERTH_DATABASE"]);
    file(&folder, "own.conf", "[DEFAULT]\n[berth]\npolling_interval = 7\n");
    contains(
        &refusal(&folder, &["--config", "own.conf"]),
        &["--polling-interval has no effect without"],
    );
    contains(
        &refusal(&folder, &["--command", "/no/such thing"]),
        &["--command", "/no/such"],
    );
    contains(
        &refusal(&folder, &["--command", "no-such-program"]),
        &["--command", "PATH"],
    );
    let refused = refusal_with(&folder, &[], &[("BERTH_MAX_LEASE_DURATION", "60")]);
    contains(&refused, &["--max-lease-duration", "MaxLeaseDurationFilter"]);
}

#[tokio::test]
async fn d5_files_are_merged_in_their_order_and_lists_are_lists() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    file(
        &folder,
        "one.toml",
        "cleaning_time = 5\nresource_types = [\"virtual:instance\", \"physical:host\"]\nlog_format = \"json\"\n",
    );
    file(
        &folder,
        "two",
        &format!("data = {:?}\nresource_types = [\"physical:host\"]\n", path("data")),
    );
    let files = [path("one.toml"), path("two")];
    let start = |more: &[&str]| {
        let arguments = ["--config", &files[0], "--config", &files[1]];
        Program::start(
            &[&arguments[..], more].concat(),
            &[("BERTH_WEBHOOK", ""), ("BERTH_FLEET", " ")],
        )
    };
    let instance = serde_json::json!({"name": "x", "start_date": "now", "end_date": "2099-01-01 00:00", "events": [],
        "reservations": [{"resource_type": "virtual:instance", "amount": 1, "vcpus": 1, "memory_mb": 1, "disk_gb": 0,
                          "affinity": null, "resource_properties": ""}]});
    let refused = |(status, body): (u16, Value)| {
        let text = body["error_message"].as_str().unwrap_or_default().to_owned();
        assert!(status >= 400, "{body}");
        text.contains("not supported")
    };
    let program = start(&[]);
    assert!(
        refused(program.post("/v1/leases", &instance).await),
        "the later file counts"
    );
    program.kill();
    let program = start(&["--resource-types", "virtual:instance"]);
    assert!(
        !refused(program.post("/v1/leases", &instance).await),
        "a flag goes before files"
    );
    assert!(refused(
        program
            .post("/v1/leases", &crate::program::lease("x", "now", "2099-01-01 00:00", 1))
            .await
    ));
}

#[test]
fn d5_configuration_files_name_what_is_wrong_and_quote_nothing() {
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "k.conf", "[DEFAULT]\nport = abc\n");
    let refused = printed(&run(&folder, &["serve", "--config", "k.conf"]));
    contains(&refused, &["k.conf", "[DEFAULT] host and port", "abc"]);
    for (name, text, parts) in [
        (
            "berth.toml",
            format!("os_password = \"{SECRET}\nlog = \"info\"\n"),
            &["line 1", "not TOML"][..],
        ),
        (
            "a.cfg",
            format!("transport_url = rabbit://u:{SECRET}@h/\n"),
            &["BERTH_DATABASE"],
        ),
        (
            "b",
            format!("transport_url = rabbit://u:{SECRET}@h/\n"),
            &["line 1", "not TOML"],
        ),
        (
            "c.cfg",
            format!("[DEFAULT]\ntransport_url rabbit://u:{SECRET}@h/\n[x]\ny = 1\n"),
            &["transport_url ...", "NAME = VALUE"],
        ),
        (
            "d.conf",
            format!("[DEFAULT]\nos_admin_password = ${SECRET}\n"),
            &["os_admin_password", "$$"],
        ),
        (
            "e.toml",
            format!("os_password = [\"{SECRET}\"]\n"),
            &["os_password", "list"],
        ),
        (
            "f.toml",
            "resource_types = [\"physical:host\", [\"x\"]]\n".to_owned(),
            &["resource_types", "array"],
        ),
        (
            "l.conf",
            "[DEFAULT]\ncleaning_time = soon\n".to_owned(),
            &["l.conf", "[DEFAULT] cleaning_time", "soon"],
        ),
        (
            "m.conf",
            "[DEFAULT]\n[berth]\nretry_ceiling = 0\n".to_owned(),
            &["m.conf", "[berth] retry_ceiling", "1..=3600"],
        ),
        (
            "n.toml",
            "idle_timeout = \"soon\"\n".to_owned(),
            &["n.toml: idle_timeout", "soon"],
        ),
        ("g.toml", "no_such = 1\n".to_owned(), &["no_such", "cleaning_time"]),
        ("h.toml", "trusts = \"perhaps\"\n".to_owned(), &["trusts", "true"]),
        (
            "i.toml",
            "resource_types = [\"a,b\"]\n".to_owned(),
            &["resource_types", "','"],
        ),
        (
            "j.toml",
            format!("[DEFAULT]\nos_password = \"{SECRET}\"\n"),
            &["DEFAULT", "groups"],
        ),
    ] {
        let path = file(&folder, name, &text);
        let refused = refusal(&folder, &["--config", path.to_str().unwrap()]);
        assert!(!refused.contains(SECRET), "{refused}");
        contains(&refused, &[name]);
        contains(&refused, parts);
    }
}

#[test]
fn v26_neither_help_nor_errors_show_what_the_environment_holds() {
    let folder = tempfile::tempdir().unwrap();
    let help = |arguments: &[&str]| succeeded(&run(&folder, &[arguments, &["--help"]].concat()));
    let commands: Vec<String> = help(&[])
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        // Lines that go on with a description have more blanks before them.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    let mut variables = std::collections::BTreeSet::new();
    for command in &commands {
        // The help is wrapped.
        let help = help(&[command]).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in help.split("[env: ").skip(1) {
            variables.extend(part.split([']', '=']).next().map(str::to_owned));
        }
    }
    contains(
        &format!("{variables:?}"),
        &[
            "BERTH_WEBHOOK",
            "BERTH_DATABASE",
            "BERTH_URL",
            "BERTH_TOKEN",
            "OS_PASSWORD",
        ],
    );
    for command in &commands {
        let mut asked = berth(&folder, &[command, "--help"]);
        asked.envs(variables.iter().map(|name| (name, format!("https://u:{SECRET}@h/"))));
        let shown = printed(&asked.output().unwrap());
        assert!(!shown.contains(SECRET), "{command}: {shown}");
    }
    let countables = file(&folder, "units.json", &format!("[\"https://u:{SECRET}@h/\"]"));
    let countables = countables.to_str().unwrap().to_owned();
    let external = format!("ftp://u:{SECRET}@h/");
    let filter = [
        "--enabled-filters",
        "ExternalServiceFilter",
        "--external-service-base-endpoint",
        &external,
    ];
    let refused = refusal(&folder, &filter);
    assert!(!refused.contains(SECRET), "{refused}");
    contains(&refused, &["http or https"]);
    for (option, value) in [
        ("--webhook", format!("ftp://u:{SECRET}@h/")),
        ("--webhook", format!("u:{SECRET}@h")),
        ("--webhook", format!("http://u:{SECRET}@[h/")),
        ("--database", format!("oracle://u:{SECRET}@h/")),
        ("--transport-url", format!("redis://u:{SECRET}@h/")),
        ("--countables", countables),
    ] {
        let refused = refusal(&folder, &[option, &value]);
        assert!(!refused.contains(SECRET), "{option} {value}: {refused}");
        contains(&refused, &[option]);
    }
}

#[test]
fn f13_a_password_on_the_command_line_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file_with = |mode| {
        let path = file(
            &folder,
            "secret.toml",
            &format!("transport_url = \"redis://u:{SECRET}@h/\"\n"),
        );
        set_mode(&path, mode);
        path.to_str().unwrap().to_owned()
    };
    let url = format!("redis://u:{SECRET}@h/");
    let given = refusal(&folder, &["--transport-url", &url]);
    contains(
        &given,
        &[
            "--transport-url puts a secret on the command line",
            "BERTH_TRANSPORT_URL",
        ],
    );
    let given = refusal(&folder, &[&format!("--transport-url={url}")]);
    contains(&given, &["--transport-url puts a secret on the command line"]);
    for quiet in [
        refusal_with(&folder, &[], &[("BERTH_TRANSPORT_URL", &url)]),
        refusal(&folder, &["--config", &file_with(0o640)]),
        refusal(&folder, &["--transport-url", "redis://u@h/"]),
    ] {
        assert!(!quiet.contains("secret on") && !quiet.contains("every user"), "{quiet}");
    }
    contains(
        &refusal(&folder, &["--config", &file_with(0o644)]),
        &["it holds transport_url", "mode 644", "chmod"],
    );
}

/// Half a fleet would be taken for the whole one at the next start.
#[test]
fn a_fleet_is_loaded_as_a_whole_whatever_the_policy_says() {
    let folder = tempfile::tempdir().unwrap();
    let admin = ["token", "create", "--file", "tokens.toml", "--user", "ann"];
    let admin = [&admin[..], &["--project", "lab", "--role", "admin"]].concat();
    let token = succeeded(&run(&folder, &admin)).trim().to_owned();
    file(
        &folder,
        "policy.yaml",
        "\"blazar:oshosts:get\": \"role:reader\"\n\"blazar:oshosts:post\": \"!\"\n",
    );
    let generated = succeeded(&run(&folder, &["generate", "--hosts", "5", "--classes", "2"]));
    let whole: Value = serde_json::from_str(&generated).unwrap();
    let mut wrong = whole.clone();
    wrong["hosts"][3]["reservable"] = false.into();
    let mut arguments = vec!["--token-file", "tokens.toml", "--policy-file", "policy.yaml"];
    arguments.extend(["--fleet", "fleet.json", "--data", "data"]);
    file(&folder, "fleet.json", &wrong.to_string());
    contains(&refusal(&folder, &arguments), &["--fleet fleet.json", "reservable"]);
    file(&folder, "fleet.json", &whole.to_string());
    let service = Logged::start(&folder, &arguments);
    let mut list = berth(&folder, &["host", "list", "--json", "--url", &service.url]);
    let listed = succeeded(&list.env("BERTH_TOKEN", token).output().unwrap());
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["hosts"].as_array().map(Vec::len), Some(5), "{listed}");
}
