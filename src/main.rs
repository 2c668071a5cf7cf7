//! `scrip`: one binary, a subcommand a role.

use clap::{Parser, Subcommand};
use scrip::{
    app::{self, App, MIGRATIONS},
    config::Config,
    crash, http,
    time::Clock,
};
use std::{io::Write as _, process::ExitCode};

mod serve;

/// Voucher and campaign server for vending fleets.
#[derive(Parser)]
#[command(version, arg_required_else_help = false)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Answer requests and do background work (what `scrip` alone does too).
    Serve {
        /// Bring the schema up to date first.
        #[arg(long)]
        migrate: bool,
    },
    /// Do background work alone.
    Work,
    /// Bring the schema up to date.
    Migrate,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print the configuration in force, secrets masked.
    Config,
}

/// What went wrong, and whose it is to mend.
enum Failure {
    /// The operator's: exit code 2.
    Setup(String),
    /// Anything else: exit code 1.
    Run(String),
}

impl Failure {
    fn setup(error: impl std::fmt::Display) -> Self {
        Self::Setup(error.to_string())
    }

    fn run(error: impl std::fmt::Display) -> Self {
        Self::Run(error.to_string())
    }
}

fn main() -> ExitCode {
    crash::arm();
    let (message, code) = match run(Arguments::parse()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Setup(message)) => (message, 2),
        Err(Failure::Run(message)) => (message, 1),
    };
    // There may be no log yet, and none at all that the operator looks at.
    if writeln!(std::io::stderr(), "scrip: {message}").is_err() {
        return ExitCode::FAILURE;
    }
    ExitCode::from(code)
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let role = arguments.role.unwrap_or(Role::Serve { migrate: false });
    if matches!(role, Role::Openapi) {
        let document = http::document().to_pretty_json().map_err(Failure::run)?;
        return print(&document);
    }
    let config = Config::load().map_err(Failure::setup)?;
    if matches!(role, Role::Config) {
        return print(&serde_json::to_string_pretty(&config).map_err(Failure::run)?);
    }
    http::trace::start(config.log_format);
    // One core is left to Postgres, Redis and the kernel, which on one machine do the larger part.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .enable_all()
        .build()
        .map_err(Failure::run)?
        .block_on(play(role, config))
}

async fn play(role: Role, config: Config) -> Result<(), Failure> {
    match role {
        Role::Serve { migrate: first } => {
            config.signing_secret().map_err(Failure::setup)?;
            if first {
                migrate(&config).await?;
            }
            let app = App::start(config, Clock::default()).map_err(Failure::setup)?;
            serve::http(app).await.map_err(Failure::run)
        }
        Role::Work => {
            config.signing_secret().map_err(Failure::setup)?;
            let app = App::start(config, Clock::default()).map_err(Failure::setup)?;
            serve::work(app).await.map_err(Failure::run)
        }
        Role::Migrate => migrate(&config).await,
        Role::Openapi | Role::Config => Ok(()),
    }
}

async fn migrate(config: &Config) -> Result<(), Failure> {
    let db = app::database(config).map_err(Failure::setup)?;
    MIGRATIONS.run(&db).await.map_err(Failure::run)?;
    tracing::info!("the schema is up to date");
    Ok(())
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(Failure::run)
}
