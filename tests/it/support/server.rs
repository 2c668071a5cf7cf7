//! The real binary as real processes: for races between servers, and for killing them.

use crate::database::{self, Database};
use reqwest::Method;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;

/// A server that is not ready after this long never will be.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// One server process; killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Option<Child>,
    address: SocketAddr,
    environment: Vec<(String, String)>,
    client: reqwest::Client,
    /// What it says, of all its lives; shown if the test fails.
    log: NamedTempFile,
    /// How many files it can have open, and how many it can ask for; as the tests if it is not said.
    files: Option<(u32, u32)>,
}

/// How a role that ends by itself has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub complaint: String,
}

impl Ran {
    /// Its standard output, having ended well.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.complaint);
        self.out
    }

    /// Sees that the operator was told this to mend.
    #[track_caller]
    pub fn refused(self, told: &str) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.complaint.contains(told) && self.out.is_empty(), "{self:?}");
    }
}

impl Server {
    /// Starts a server on a database of the tests' own stores, and waits until it is ready.
    pub async fn start(database: &Database) -> Self {
        Self::of(database).start_with(&[]).await
    }

    /// A server on a database of the tests' own stores that is not started yet.
    pub fn of(database: &Database) -> Self {
        Self::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name)
    }

    /// As [`Server::start`], with another log: its filter and its format.
    pub async fn start_with_log(database: &Database, filter: &str, format: &str) -> Self {
        Self::of(database).start_with(&[("RUST_LOG", filter), ("SCRIP_LOG_FORMAT", format)]).await
    }

    /// A server that is not started yet, on any stores.
    pub fn on(database_url: &str, redis_url: &str, prefix: &str) -> Self {
        let address = free_address();
        let environment = [
            ("DATABASE_URL", database_url),
            ("REDIS_URL", redis_url),
            ("SCRIP_REDIS_PREFIX", prefix),
            ("SCRIP_LISTEN", &address.to_string()),
            ("SCRIP_SIGNING_SECRET", "of the tests alone, 5f8f1e4b7f9a7b1d"),
            ("SCRIP_ARGON2_MEMORY_KIB", "64"),
            ("SCRIP_ARGON2_PASSES", "1"),
            ("SCRIP_LOG_FORMAT", "text"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            process: None,
            address,
            environment: environment.to_vec(),
            client: reqwest::Client::new(),
            log: NamedTempFile::new().unwrap(),
            files: None,
        }
    }

    /// With these limits on open files.
    pub fn with_files(mut self, soft: u32, hard: u32) -> Self {
        self.files = Some((soft, hard));
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// With more environment.
    pub fn with(mut self, more: &[(&str, &str)]) -> Self {
        self.environment.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Starts it with more environment, fail points (`FAILPOINTS=journal.commit=abort`) among it.
    pub async fn start_with(self, more: &[(&str, &str)]) -> Self {
        let mut server = self.with(more);
        server.restart().await;
        server
    }

    /// Starts it again, with the environment of the first time.
    pub async fn restart(&mut self) {
        self.restart_without(&[]).await;
    }

    /// Starts it again without some of its environment: the fail points that have done their work.
    pub async fn restart_without(&mut self, names: &[&str]) {
        self.kill();
        self.process = Some(self.spawn(names));
        self.wait_ready().await;
    }

    fn spawn(&self, without: &[&str]) -> Child {
        let environment = self.environment.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        let binary = env!("CARGO_BIN_EXE_scrip");
        let mut command = Command::new(if self.files.is_some() { "/bin/sh" } else { binary });
        if let Some((soft, hard)) = self.files {
            let script = format!("ulimit -Sn {soft}; ulimit -Hn {hard}; exec {binary} \"$@\"");
            command.args(["-c", &script, "sh"]);
        }
        command
            .arg("serve")
            // What configures the tests is none of the server's business.
            .env_clear()
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or("warn".to_owned()))
            .envs(environment.map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(File::options().append(true).open(self.log.path()).unwrap())
            .spawn()
            .unwrap()
    }

    /// What it says and its exit code, where it refuses to start; with more environment.
    pub async fn refuses(
        database_url: &str,
        redis_url: &str,
        more: &[(&str, &str)],
    ) -> (String, Option<i32>) {
        let mut server = Self::on(database_url, redis_url, "scrip");
        let more = [&[("RUST_LOG", "off")], more].concat();
        server.environment.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let mut process = server.spawn(&[]);
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            if let Some(status) = process.try_wait().unwrap() {
                return (server.log(), status.code());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.process = Some(process);
        panic!("the server does not refuse to start");
    }

    /// Runs another role of the binary on the same stores, and waits for its end.
    pub fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut process = Command::new(env!("CARGO_BIN_EXE_scrip"))
            .args(arguments)
            .env_clear()
            .env("RUST_LOG", "off")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // What reads nothing may have ended already.
        let _may_be_closed = process.stdin.take().unwrap().write_all(input.as_bytes());
        let output = process.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Waits until it answers.
    pub async fn wait_ready(&mut self) {
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            assert!(!self.has_ended(), "the server has ended before it was ready");
            if self.client.get(self.url("/health/live")).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server is not ready after {READY_WITHIN:?}");
    }

    /// As `kill -9`: it gets no chance to finish anything.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended itself, at a fail point.
            let _already_gone = process.kill();
            process.wait().unwrap();
        }
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").arg("-TERM").arg(id).status().unwrap().success());
    }

    /// Asks it to stop, and waits; whether it ended well.
    pub fn stop(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        let told = Command::new("kill").arg("-TERM").arg(process.id().to_string()).status().unwrap();
        told.success() && process.wait().unwrap().success()
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some())
    }

    /// What it has said on standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request; `None` if no whole answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let request = self.client.request(method, self.url(path)).bearer_auth(token);
        let request = body.map_or(request.try_clone(), |body| Some(request.json(body)))?;
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// `POST`.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
        self.send(Method::POST, path, token, Some(body)).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str, token: &str) -> Option<(u16, Value)> {
        self.send(Method::GET, path, token, None).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            // The test's own failure is the one to show.
            let _may_be_closed = io::stderr().write_all(self.log().as_bytes());
        }
    }
}

/// An address that was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
