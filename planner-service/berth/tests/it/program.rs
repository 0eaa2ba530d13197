//! The real program, started on a free port and spoken to over HTTP.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use http_client::{Client, Method, RequestBuilder, Trust};
use serde_json::{Value, json};

/// Arguments of every program: a free port, and a log that can be read.
pub(crate) const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];

/// How long a test waits for the program.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running `berth serve`; killed when it goes out of scope.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
}

/// A program that ended before it listened.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Program {
    /// Starts the program and waits until it listens.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(SERVE).args(arguments).envs(environment.iter().copied());
        Self::try_start(command).unwrap_or_else(|ended| panic!("the program ended:\n{}", ended.log))
    }

    /// Starts a command that becomes the program, with [`SERVE`] among its arguments.
    pub(crate) fn try_start(command: Command) -> Result<Self, Ended> {
        let (program, log) = Self::try_start_with_log(command)?;
        // The rest of the log is read on, so that the program never blocks on a full pipe.
        std::thread::spawn(move || for _ in log.lines() {});
        Ok(program)
    }

    /// The same, with the log from there on.
    pub(crate) fn try_start_with_log(mut command: Command) -> Result<(Self, BufReader<ChildStderr>), Ended> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut reader = BufReader::new(child.stderr.take().expect("its log is read"));
        let mut log = String::new();
        let address = loop {
            let mut line = String::new();
            if reader.read_line(&mut line).expect("the log is text") == 0 {
                let code = child.wait().expect("the program has ended").code();
                return Err(Ended { code, log });
            }
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            log.push_str(&line);
            if let Some(address) = entry["fields"]["address"].as_str() {
                break address.to_owned();
            }
        };
        let program = Self {
            child,
            url: format!("http://{address}"),
        };
        Ok((program, reader))
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs on Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .expect("a number of KiB");
        number.trim().parse().expect("a number")
    }

    /// `kill -9`, and waits until it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the program is killed");
        self.child.wait().expect("the program is dead");
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) {
        let asked = Command::new("kill").arg(self.id().to_string()).status();
        assert!(
            asked.is_ok_and(|status| status.success()),
            "the program is asked to stop"
        );
        self.wait_for_death();
    }

    /// Waits until the program has died by itself, and gives its exit code.
    pub(crate) fn wait_for_death(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be asked") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the program lives on");
            std::thread::yield_now();
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(request(Method::GET, &format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(request(Method::POST, &format!("{}{path}", self.url)).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(request(Method::PUT, &format!("{}{path}", self.url)).json(body)).await
    }

    /// Asks until the answer is as it should be.
    pub(crate) async fn wait_for(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        let deadline = Instant::now() + PATIENCE;
        loop {
            poll.tick().await;
            let (_, body) = self.get(path).await;
            if wanted(&body) {
                return body;
            }
            assert!(Instant::now() < deadline, "{path} stays {body:#}");
        }
    }

    /// Asks until the lease has the status.
    pub(crate) async fn wait_for_status(&self, lease_id: &str, status: &str) -> Value {
        let path = format!("/v1/leases/{lease_id}");
        self.wait_for(&path, |body| body["lease"]["status"] == status).await["lease"].take()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request to a program on this machine.
pub(crate) fn request(method: Method, url: &str) -> RequestBuilder {
    let client = Client::new(PATIENCE, Trust::PlainHttp).expect("a client without TLS can be made");
    client.request(method, url)
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("the program answers");
    let status = response.status().as_u16();
    let text = response.text().await.expect("the answer is text");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A host of the standalone inventory.
pub(crate) fn host(name: &str) -> Value {
    json!({"name": name, "vcpus": "8", "memory_mb": "16384", "local_gb": "100"})
}

/// A lease of whole hosts; times as the API takes them.
pub(crate) fn lease(name: &str, start: &str, end: &str, hosts: u32) -> Value {
    json!({
        "name": name, "start_date": start, "end_date": end, "events": [],
        "reservations": [{
            "resource_type": "physical:host", "min": hosts, "max": hosts,
            "hypervisor_properties": "[\">=\", \"$vcpus\", \"4\"]", "resource_properties": ""
        }]
    })
}
