//! Faults of how Postgres was set up for this server, in words that say what to do.

use super::CONNECT_WITHIN;
use crate::config::Config;
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::str::FromStr;
use tokio::time::timeout;
use url::Url;

/// The fault of a pooler, and the remedy.
const POOLED: &str = "DATABASE_URL leads to a connection pooler that shares its connections between statements or \
                      transactions. This server needs sessions of its own (LISTEN, prepared statements, settings): \
                      lead it to Postgres itself, or set pool_mode=session with \
                      ignore_startup_parameters=extra_float_digits,options";

/// The protocol violation that poolers answer start-up parameters and transactions with.
const PROTOCOL_VIOLATION: &str = "08P01";

/// How to connect, from `DATABASE_URL`. The error is for the operator.
pub fn options(config: &Config) -> Result<PgConnectOptions, String> {
    let url = understood(config.database_url.expose_secret())?;
    let options = PgConnectOptions::from_str(&url).map_err(|error| format!("DATABASE_URL: {error}"))?;
    if matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
        return Err("DATABASE_URL asks for TLS (sslmode), which this build does not speak to Postgres: use \
                    sslmode=disable on a network that you trust, or a tunnel beside the server"
            .to_owned());
    }
    Ok(options
        .application_name("scrip")
        .options([
            ("TimeZone", "UTC"),
            ("idle_in_transaction_session_timeout", "30000"),
            ("lock_timeout", "2000"),
            // Statements are short or read sums: compiling one is a good part of its time.
            ("jit", "off"),
            // What reports sort and group of a large fleet fits into memory.
            ("work_mem", "16MB"),
        ])
        // Statements of the hot path are many and known; whoever waits too long is told so.
        .disable_statement_logging())
}

/// The URL without what this server does by itself; an error for what libpq understands and it does not.
fn understood(text: &str) -> Result<String, String> {
    let address = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = address.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let mut url = match Url::parse(text) {
        _ if hosts.contains(',') => return Err(SEVERAL.to_owned()),
        Ok(url) => url,
        Err(error) => return Err(format!("DATABASE_URL: {error}")),
    };
    if url.query_pairs().any(|(name, value)| matches!(&*name, "host" | "hostaddr") && value.contains(',')) {
        return Err(SEVERAL.to_owned());
    }
    let Some(attribute) =
        url.query_pairs().find_map(|(name, value)| (name == "target_session_attrs").then_some(value))
    else {
        return Ok(text.to_owned());
    };
    if !matches!(&*attribute, "primary" | "read-write") {
        return Err(
            "DATABASE_URL: target_session_attrs can be read-write or primary (which it always is): this \
                    server writes, and takes no standby"
                .to_owned(),
        );
    }
    let others: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(name, _)| name != "target_session_attrs").collect();
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Ok(url.into())
}

/// The fault of a list of hosts.
const SEVERAL: &str = "DATABASE_URL names several hosts, of which this server takes one: lead it to the primary by one \
                       address (a virtual IP, HAProxy, or what your Postgres service offers)";

/// Sees that there is no pooler between that breaks what this server relies on. `false` if nobody answers, and
/// so nobody knows.
pub async fn check(options: &PgConnectOptions) -> Result<bool, String> {
    match timeout(CONNECT_WITHIN, is_shared(options)).await {
        Ok(Ok(true)) => Err(POOLED.to_owned()),
        Ok(Ok(false)) => Ok(true),
        Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some(PROTOCOL_VIOLATION) => {
            Err(format!("{POOLED} ({error})"))
        }
        _ => Ok(false),
    }
}

/// Returns `true` if two sessions are one to Postgres. The second takes what the first has left and keeps it.
async fn is_shared(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut first = options.connect().await?;
    let mut second = options.connect().await?;
    let before = backend(&mut first).await?;
    sqlx::raw_sql("BEGIN").execute(&mut second).await?;
    let shared = backend(&mut second).await? == before || backend(&mut first).await? != before;
    sqlx::raw_sql("ROLLBACK").execute(&mut second).await?;
    first.close().await?;
    second.close().await?;
    Ok(shared)
}

async fn backend(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn refusal(url: &str) -> Option<String> {
        options(&Config { database_url: SecretString::from(url), ..Config::default() }).err()
    }

    #[test]
    fn what_libpq_understands_and_this_does_not_is_refused() {
        for (url, named) in [
            ("postgres://scrip:pw@db/scrip?sslmode=require", "sslmode"),
            ("postgres://scrip:pw@db/scrip?sslmode=verify-full", "sslmode"),
            ("postgres://scrip:pw@a:5432,b:5432/scrip", "several hosts"),
            ("postgres://scrip:pw@a,b/scrip", "several hosts"),
            ("postgres://scrip:pw@localhost/scrip?host=a,b", "several hosts"),
            ("postgres://scrip:pw@db/scrip?target_session_attrs=any", "target_session_attrs"),
            ("postgres://scrip:pw@db/scrip?target_session_attrs=standby", "target_session_attrs"),
            ("db", "DATABASE_URL"),
        ] {
            let refusal = refusal(url).unwrap_or_default();
            assert!(refusal.contains(named) && !refusal.contains("pw"), "{url}: {refusal}");
        }
    }

    #[test]
    fn what_it_does_anyway_may_be_asked_for() {
        for url in [
            "postgres://scrip:p%2Cw@db/scrip",
            "postgres://scrip@db/scrip?sslmode=prefer",
            "postgres://scrip@db/scrip?target_session_attrs=read-write",
            "postgres://scrip@db/scrip?target_session_attrs=primary&application_name=a%20b",
        ] {
            assert_eq!(refusal(url), None, "{url}");
        }
        let url = "postgres://scrip@localhost/scrip?host=/run/a&target_session_attrs=primary&port=5433";
        let understood = understood(url).unwrap();
        assert!(!understood.contains("target_session_attrs"), "{understood}");
        let options = PgConnectOptions::from_str(&understood).unwrap();
        assert_eq!(
            (options.get_socket().map(|path| path.display().to_string()).as_deref(), options.get_port()),
            (Some("/run/a"), 5433)
        );
    }
}
