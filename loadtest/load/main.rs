//! A load generator for the voucher verbs, and what goes with it.
//!
//! `prepare` makes vouchers to shoot at, `generate` keeps the server busy making more, `run` measures and
//! prints one line of JSON, `table` turns many such lines into ratios, `check` holds what a run has
//! recorded against the database.
#![expect(clippy::print_stdout, reason = "results are what this program is for")]

mod aftermath;
mod api;
mod cpu;
mod drive;
mod generate;
mod goals;
mod ledger;
mod pace;
mod prepare;
mod scenario;
mod spread;
mod table;
mod tally;
mod target;
mod wire;

use clap::{Parser, Subcommand};

/// What any step can fail with; nobody handles it, somebody reads it.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Loads a voucher server, and checks what came of it.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a campaign and writes its codes to files.
    Prepare(prepare::Args),
    /// Makes campaigns, one after another, that nobody asks for.
    Generate(generate::Args),
    /// Runs one scenario and prints what it measured.
    Run(drive::Args),
    /// Compares the lines that runs have printed.
    Table(table::Args),
    /// Holds recorded answers against the database; fails if one is not kept.
    Check(ledger::Args),
}

/// One thread is enough to load a server on the same machine, and takes no more of it than it must.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Args::parse().command {
        Command::Prepare(args) => prepare::run(args).await,
        Command::Generate(args) => generate::run(args).await,
        Command::Run(args) => drive::run(args).await,
        Command::Table(args) => table::run(&args),
        Command::Check(args) => ledger::check(args).await,
    }
}
