//! `scrip user`: what the operator does for users.

use crate::{Failure, database, print};
use clap::Subcommand;
use scrip::{
    config::Config,
    error::{Error, Issue, Result},
    time::Clock,
    users::{
        operator::{self, NewUser},
        record,
    },
};
use secrecy::SecretString;
use std::io;

/// Postgres's code for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a user and print a link to choose the password with. On an empty installation this makes the first
    /// user group, whose members may do everything.
    Add {
        /// The name that it logs in with.
        #[arg(long)]
        username: String,
        /// Where it gets its mail.
        #[arg(long)]
        email: String,
        /// The name or the id of its user group; the name of the first one on an empty installation.
        #[arg(long)]
        group: Option<String>,
        /// The language that it is addressed in, as ISO 639 code or locale: en, nl, de, fr.
        #[arg(long)]
        language: Option<String>,
        /// Read the password from standard input instead: its first line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// End the sessions of a user and print a link to choose a new password with.
    ResetPassword {
        /// Its user name or e-mail address.
        name: String,
        /// Read the password from standard input instead: its first line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a user, and all that tells who it was.
    Erase {
        /// Its user name or e-mail address.
        name: String,
    },
    /// Print all that is kept of a user, as JSON.
    Export {
        /// Its user name or e-mail address.
        name: String,
    },
}

pub(crate) async fn run(config: &Config, command: Command) -> Result<(), Failure> {
    let db = database(config).await?;
    let now = Clock::default().now();
    let link = match command {
        Command::Add { username, email, group, language, password_stdin } => {
            let user = NewUser { username, email, group, language };
            operator::add(&db, config, user, password(password_stdin)?, now).await
        }
        Command::ResetPassword { name, password_stdin } => {
            operator::reset_password(&db, config, &name, password(password_stdin)?, now).await
        }
        Command::Erase { name } => operator::erase(&db, &name, now).await.map(|()| None),
        Command::Export { name } => {
            let record = record::read(&db, &name).await.map_err(failure)?;
            return print(&serde_json::to_string_pretty(&record).map_err(Failure::run)?);
        }
    };
    match link.map_err(failure)? {
        // Alone in its line, for scripts.
        Some(link) => print(&link),
        None => Ok(()),
    }
}

/// Reads a password, without the end of its line.
fn password(from_stdin: bool) -> Result<Option<SecretString>, Failure> {
    if !from_stdin {
        return Ok(None);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(Failure::run)?;
    Ok(Some(SecretString::from(line.trim_end_matches(['\r', '\n']))))
}

/// Tells what the operator can mend from what is none of its making.
fn failure(error: Error) -> Failure {
    match error {
        Error::Invalid(issues) => {
            let told: Vec<String> = issues.iter().map(told).collect();
            Failure::Setup(told.join("; "))
        }
        Error::NotFound(_) | Error::Conflict(_) => Failure::setup(error),
        Error::Fault(cause)
            if cause.downcast_ref().is_some_and(|error: &sqlx::Error| {
                error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref()
                    == Some(UNDEFINED_TABLE)
            }) =>
        {
            Failure::Setup("there is no schema yet: run `scrip migrate`".to_owned())
        }
        error => Failure::run(error),
    }
}

/// Names the option that is wrong and says why.
fn told(issue: &Issue) -> String {
    match &*issue.pointer {
        "/userGroup" => format!("--group {}", issue.detail),
        "/password" => format!("the password {}", issue.detail),
        "/name" => format!("the name of the group {}", issue.detail),
        pointer => format!("--{} {}", pointer.trim_start_matches('/'), issue.detail),
    }
}
