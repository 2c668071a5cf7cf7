//! `scrip`: one binary, a subcommand a role.

use clap::{Parser, Subcommand};
use scrip::{
    app::{self, App},
    author,
    campaigns::own_codes,
    config::Config,
    crash, demo, http,
    identity::look,
    postgres::{roles, schema, setup},
    redemption::{self, epoch},
    telemetry,
    time::Clock,
};
use sqlx::PgPool;
use std::{error::Error, io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

mod serve;
mod user;

/// A request allocates and frees some hundred small things; this one does that in fewer cycles than glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a tool waits for both stores.
const STORES_WITHIN: Duration = Duration::from_secs(5);

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
        /// Leave background work to other servers, or to `scrip work`.
        #[arg(long)]
        only_http: bool,
    },
    /// Do background work alone.
    Work,
    /// Bring the schema up to date.
    Migrate,
    /// Recompute balances and counters from the journal and say what differs (exit code 1 if anything does).
    Verify,
    /// Recount the sums of sales, payments and events from their rows and say what differs (exit code 1 if
    /// anything does).
    Recount {
        /// Make right what differs.
        #[arg(long)]
        mend: bool,
    },
    /// Declare everything in Redis worthless: it is loaded again from Postgres as it is asked for.
    Rebuild,
    /// Load the demo's data, once, and write what its visitors need.
    Demo {
        /// The file to write to.
        #[arg(long, default_value = ".dev/demo.env")]
        write: PathBuf,
    },
    /// Add users, the first one of all among them, and help those who can't get in.
    User {
        #[command(subcommand)]
        command: user::Command,
    },
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
    fn setup(error: impl Error + 'static) -> Self {
        Self::Setup(with_causes(&error))
    }

    fn run(error: impl Error + 'static) -> Self {
        Self::Run(with_causes(&error))
    }
}

/// The error and what led to it, in one line.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    // A fault says to clients that it is none of theirs; who reads this wants to know what it is.
    if let Some(scrip::error::Error::Fault(cause)) = error.downcast_ref() {
        return with_causes(&**cause);
    }
    let mut messages = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        messages.push(error.to_string());
        cause = error.source();
    }
    // Many errors say what their cause says.
    messages.dedup();
    messages.join(": ")
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
    let role = arguments.role.unwrap_or(Role::Serve { migrate: false, only_http: false });
    if matches!(role, Role::Openapi) {
        let document = http::document().to_pretty_json().map_err(Failure::run)?;
        return print(&document);
    }
    let config = Config::load().map_err(Failure::Setup)?;
    if matches!(role, Role::Config) {
        return print(&serde_json::to_string_pretty(&config).map_err(Failure::run)?);
    }
    http::trace::start(config.log_format);
    let workers = match config.worker_threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)),
        workers => workers,
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(Failure::run)?
        .block_on(play(role, config))
}

async fn play(role: Role, config: Config) -> Result<(), Failure> {
    match role {
        Role::Serve { migrate: first, only_http } => {
            config.signing_secret().map_err(Failure::Setup)?;
            if first {
                migrate(&config).await?;
            }
            let app = start(config).await?;
            serve::http(app, only_http).await.map_err(Failure::run)
        }
        Role::Work => serve::work(start(config).await?).await.map_err(Failure::run),
        Role::Migrate => migrate(&config).await,
        Role::Verify => verify(config).await,
        Role::Recount { mend } => recount(&config, mend).await,
        Role::Rebuild => {
            let db = database(&config).await?;
            let epoch = epoch::raise_in(&db, 0).await.map_err(Failure::run)?;
            tracing::info!(epoch, "everything in Redis is loaded again as it is asked for");
            Ok(())
        }
        Role::Demo { write } => {
            let app = start(config).await?;
            let loaded = author::system("scrip demo", demo::load(&app, &write)).await.map_err(Failure::run);
            serve::finish(&app).await;
            loaded
        }
        Role::User { command } => author::system("scrip user", user::run(&config, command)).await,
        Role::Openapi | Role::Config => Ok(()),
    }
}

/// Starts what every role but the smallest needs.
async fn start(config: Config) -> Result<App, Failure> {
    config.signing_secret().map_err(Failure::Setup)?;
    check_postgres(&config).await?;
    let app = App::start(config, Clock::default()).map_err(Failure::setup)?;
    app.hot.check().await.map_err(Failure::Setup)?;
    Ok(app)
}

/// Refuses a Postgres that cannot be worked with. One that is away may come yet.
async fn check_postgres(config: &Config) -> Result<(), Failure> {
    let options = setup::options(config).map_err(Failure::Setup)?;
    if setup::check(&options).await.map_err(Failure::Setup)? {
        schema::check(&options).await.map_err(Failure::Setup)?;
    }
    Ok(())
}

/// The pool for tools.
async fn database(config: &Config) -> Result<PgPool, Failure> {
    check_postgres(config).await?;
    app::database(config).map_err(Failure::Setup)
}

async fn migrate(config: &Config) -> Result<(), Failure> {
    let db = database(&config.for_migrations()).await?;
    if let Err(error) = schema::MIGRATIONS.run(&db).await {
        return Err(schema::remedy(&error).map_or_else(|| Failure::run(error), Failure::Setup));
    }
    author::system("scrip migrate", own_codes::give_forms(&db)).await.map_err(Failure::run)?;
    author::system("scrip migrate", look::give_looks(&db)).await.map_err(Failure::run)?;
    if config.migration_database_url.is_some() {
        let server = setup::options(config).map_err(Failure::Setup)?;
        roles::grant_to_server(&db, &server).await.map_err(Failure::Setup)?;
    }
    tracing::info!("the schema is up to date");
    Ok(())
}

async fn verify(config: Config) -> Result<(), Failure> {
    let app = start(config).await?;
    if !app.ready(STORES_WITHIN).await {
        tracing::warn!("a store does not answer; verifying what there is");
    }
    let report = redemption::verify::verify(&app).await.map_err(Failure::run);
    serve::finish(&app).await;
    let report = report?;
    print(&serde_json::to_string_pretty(&report).map_err(Failure::run)?)?;
    match report.differences.len() {
        0 => Ok(()),
        differences => Err(Failure::Run(format!("{differences} differences"))),
    }
}

async fn recount(config: &Config, mend: bool) -> Result<(), Failure> {
    let db = database(config).await?;
    let report = author::system("scrip recount", telemetry::recount::recount(&db, mend))
        .await
        .map_err(Failure::run)?;
    print(&serde_json::to_string_pretty(&report).map_err(Failure::run)?)?;
    match report.differing {
        0 => Ok(()),
        differing => Err(Failure::Run(format!("{differing} differences"))),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{text}").map_err(Failure::run)
}
