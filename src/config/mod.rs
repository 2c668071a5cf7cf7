//! What an operator can set: environment variables `SCRIP_…` over an optional TOML file, parsed once.
//!
//! Every limit is a field here, named with its unit. Unknown keys are refused.

mod defaults;
mod masking;
mod reading;

use crate::{campaigns::style::Locale, http::peer::TrustedProxies};
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use masking::{masked, masked_url};
use reading::{Defaults, complaint};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// Signing secrets that stand in documents and examples, and so are nobody's secret.
const DOCUMENTED_SECRETS: &[&str] =
    &["change-me", "changeme", "secret", "your-secret-here", "0123456789abcdef0123456789abcdef"];

/// The shortest secret that HS256 is safe with (RFC 7518, 3.2), and a cipher with it.
const SECRET_MIN_BYTES: usize = 32;

/// 32 random hexadecimal digits have fewer once in ten million times.
const SECRET_MIN_DISTINCT_BYTES: usize = 8;

/// Names that clients use (`.dev/demo.env`, the load generator); they may stand in a server's environment too.
const CLIENT_NAMES: &[&str] = &[
    "config_file",
    "url",
    "user",
    "password",
    "device_key",
    "device_id",
    "device_ids",
    "device_keys",
    "read_key",
    "code_discount",
    "code_gift",
    "voucher_discount",
    "token",
];

/// Everything that can be set, with its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to serve HTTP.
    pub listen: SocketAddr,
    /// Where to serve metrics and the documentation instead of there, so that they can be kept private.
    pub admin_listen: Option<SocketAddr>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses and networks, separated by commas.
    pub trusted_proxies: TrustedProxies,
    /// Days that a new API key is good for at most; 0: without end.
    pub api_key_days_max: u32,
    /// The URL that clients reach this server at, for links.
    pub public_url: String,
    /// `postgres://…`; also read from `DATABASE_URL`.
    #[serde(serialize_with = "masked_url")]
    pub database_url: SecretString,
    /// `postgres://…` of the role that owns the schema, which migrations use alone: servers then need no right to
    /// change it. The role of `database_url` owns it if not set.
    #[serde(serialize_with = "masked")]
    pub migration_database_url: Option<SecretString>,
    /// `redis://…` or `redis+unix:///…`; also read from `REDIS_URL`.
    #[serde(serialize_with = "masked_url")]
    pub redis_url: SecretString,
    /// Prefix of every key in Redis, so that installations can share a server.
    pub redis_prefix: String,
    /// Signs access tokens: at least 32 bytes, random, the same on all servers of an installation.
    #[serde(serialize_with = "masked")]
    pub signing_secret: Option<SecretString>,
    /// The signing secret before this one: tokens that it signed are good until they expire.
    #[serde(serialize_with = "masked")]
    pub signing_secret_previous: Option<SecretString>,
    /// Seals the keys of machines' wireless networks: as the signing secret, from which it is derived if not set.
    #[serde(serialize_with = "masked")]
    pub secret_key: Option<SecretString>,
    /// The secret key before this one, for what was sealed with it.
    #[serde(serialize_with = "masked")]
    pub secret_key_previous: Option<SecretString>,
    /// Whom to tell of a hole in this installation, for `/.well-known/security.txt`: an address or a URL.
    pub security_contact: Option<String>,
    /// Set by `make run` alone: allows the demo's own secret and login.
    pub demo: bool,

    /// The mail server, as `smtps://user:password@host` (or `smtp://`, with `?tls=required` for STARTTLS).
    #[serde(serialize_with = "masked")]
    pub smtp_url: Option<SecretString>,
    /// Whom mails are from, as `Scrip <scrip@example.com>`; needed with a mail server.
    pub mail_from: Option<String>,
    /// A folder that mails are written to instead, with their links in the log: for trying things out.
    pub mail_dir: Option<PathBuf>,

    /// Threads that answer requests; 0 is one less than there are cores, since Postgres, Redis and the
    /// kernel do the larger part where all of them share a machine.
    pub worker_threads: usize,
    /// Connections to Postgres, besides the journal's own, three that watch over it, and the two kinds below.
    pub database_connections: u32,
    /// Connections to Postgres for what vends look up that is not in memory: nobody else has them.
    pub vend_connections: u32,
    /// Connections to Postgres for what people look up: lists, exports, reports. One user group has half of them
    /// at most.
    pub read_connections: u32,
    /// How long Postgres works at one look-up of a list at most, in milliseconds.
    pub read_timeout_ms: u64,
    /// Rows of a list that `skip` can leave out.
    pub skip_max: u32,
    /// How long a request waits for a connection, in milliseconds.
    pub database_wait_ms: u64,
    /// How long a statement of the journal waits for a row that someone else holds, in milliseconds.
    pub journal_lock_wait_ms: u64,
    /// Journal connections: batches under way at once, each for its share of the vouchers.
    pub journal_lanes: usize,
    /// Redemptions in one commit at most.
    pub journal_batch_max: usize,
    /// Redemptions waiting for a commit at most; more are answered 503.
    pub journal_queue_max: usize,
    /// A redemption that has waited this long is given up, in milliseconds.
    pub redeem_deadline_ms: u64,
    /// An answer of Redis that takes longer counts as none, in milliseconds.
    pub redis_timeout_ms: u64,
    /// A reservation in Redis that is not settled after this is looked up in Postgres, in milliseconds.
    pub reservation_stale_ms: u64,
    /// Vouchers whose terms are kept in memory.
    pub near_vouchers_max: usize,
    /// Log entries of validations waiting to be written; more are dropped and counted.
    pub audit_queue_max: usize,

    /// The longest lock a device can ask for, in seconds; longer ones are shortened to it.
    pub lock_max_s: u32,
    /// Failed look-ups a minute that one device has.
    pub guesses_per_device_per_minute: u32,
    /// Failed look-ups a minute that one key or user has for each device that it spoke for within the last
    /// hour. With less than a device has itself, a device can be turned away for the guesses of others.
    pub guesses_per_key_per_minute: u32,
    /// Failed log-ins a minute for one user name from one address, and ten times as many for it from addresses
    /// that it has not logged in from.
    pub logins_per_minute: u32,
    /// Failed log-ins a minute from one address, for any names.
    pub logins_per_address_per_minute: u32,
    /// Failed log-ins a minute in all, from addresses that nobody has logged in from.
    pub logins_of_strangers_per_minute: u32,
    /// Mails an hour that one address can have sent by who has forgotten a password.
    pub resets_per_hour: u32,
    /// Requests a minute for such mails, to any address, from one client.
    pub resets_per_client_per_minute: u32,
    /// Such mails a minute in all that one server sends; those beyond a minute's wait.
    pub reset_mails_per_minute: u32,
    /// The same for mails to new users and new addresses of each user group.
    pub group_mails_per_minute: u32,
    /// Mails an hour that one user group can have sent to addresses that nobody has confirmed, by creating users
    /// and changing addresses.
    pub mails_to_strangers_per_hour: u32,
    /// The largest body, in bytes.
    pub body_max_bytes: usize,
    /// The largest body of a batch that came zipped, in bytes as it is unzipped.
    pub inflated_max_bytes: usize,
    /// The largest image, in bytes as it is decoded from base64; a body with images may weigh twice that.
    pub image_max_bytes: usize,
    /// The largest image, in pixels.
    pub image_max_pixels: u64,
    /// The largest drawing (SVG) that is taken as a logo, in bytes.
    pub drawing_max_bytes: usize,
    /// Images received at once; more wait before their bodies are read.
    pub image_uploads_max: usize,
    /// Images decoded at once: each takes a core, and four to ten bytes a pixel.
    pub image_parallel_max: usize,
    /// Requests under way at once; more are answered 503.
    pub requests_max: usize,
    /// Gateways that wait for commands at once; more are answered 503.
    pub polls_max: usize,
    /// Requests whose bodies are waited for at once; more are answered 503.
    pub bodies_max: usize,
    /// Connections at once, if the limit on open files allows that; more are closed.
    pub connections_max: usize,
    /// The share of each of these four that one address can have, in percent. Trusted proxies can have all.
    pub address_share_percent: u8,
    /// How long the head of a request may take to arrive, in seconds.
    pub head_max_s: u64,
    /// How long a body may take to arrive, in seconds.
    pub body_max_s: u64,
    /// How long a connection may be idle between requests, in seconds: longer than balancers keep theirs.
    pub idle_max_s: u64,
    /// The slowest rate at which a client may send a body or take an answer, in bytes a second.
    pub client_bytes_per_s_min: usize,
    /// How long that is averaged over, and so how long a client may be silent in between, in seconds.
    pub client_window_s: u64,
    /// How long a stop goes on taking connections while ready says no, in seconds: as long as a balancer may
    /// take to hear of it.
    pub stop_delay_s: u64,
    /// How long a stop waits for what was accepted, in seconds.
    pub drain_s: u64,

    /// A folder of fonts (.ttf, .otf, .ttc) for what the bundled ones lack on coupons, as Chinese or Thai.
    pub font_dir: Option<PathBuf>,

    /// Life of an access token, in seconds.
    pub access_token_s: u64,
    /// Life of a refresh token, in seconds.
    pub refresh_token_s: u64,
    /// The longest that a session can be renewed for, in seconds.
    pub session_max_s: u64,
    /// Life of the link in an activation mail, in seconds.
    pub activation_token_s: u64,
    /// Life of a link to a file, in seconds.
    pub link_s: u64,
    /// Life of the link in a mail for a new password, in seconds.
    pub reset_token_s: u64,
    /// Seconds for which a change of an e-mail address can be taken back from the address before.
    pub address_restore_s: u64,
    /// Memory of one password hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of one password hash.
    pub argon2_passes: u32,
    /// Passwords hashed at once: each takes a core from vends.
    pub argon2_parallel_max: usize,
    /// Log-ins that wait for that; more are answered 429 or 503, those of the busiest address first.
    pub logins_waiting_max: usize,

    /// Vouchers that a campaign's generation writes in one transaction.
    pub generation_batch: usize,
    /// Coupons in one PDF; a campaign of more gets several.
    pub coupons_per_part: usize,
    /// Single coupons that are rendered at once for those who download them: each takes a core for some milliseconds.
    pub coupons_parallel_max: usize,
    /// How long the PDF of a campaign is kept after it was last asked for, in days.
    pub coupons_keep_days: u32,
    /// Machines that one command or one change of configuration can be for.
    pub filter_machines_max: usize,
    /// Machines that a change of many configurations writes in one transaction.
    pub configuration_batch: usize,
    /// How long a command waits for its machine where its sender does not say, in seconds.
    pub command_expires_s: u32,
    /// How long it waits at most, in seconds.
    pub command_expires_max_s: u32,
    /// A worker that is silent for this long loses its job to another, in seconds.
    pub job_lease_s: u64,
    /// Lets integrations have URLs that begin with http: for trying things out.
    pub integration_plain_http: bool,
    /// Lets deliveries to integrations go to private addresses, as those of this server's own network.
    pub integration_private_addresses: bool,
    /// How long a delivery waits for a connection, in seconds.
    pub integration_connect_s: u64,
    /// How long a delivery takes at most, its answer included, in seconds.
    pub integration_timeout_s: u64,
    /// How long a server goes on delivering to one integration before another has its turn, in seconds.
    pub integration_turn_s: u64,
    /// Deliveries under way at once.
    pub integration_parallel_max: usize,
    /// Of these, to one integration.
    pub integration_each_parallel_max: usize,
    /// How long deliveries are signed with the secret before the last as well, in seconds.
    pub integration_secret_overlap_s: u64,
    /// How long deliveries and what came of them are kept, in days; what has not been delivered by then never is.
    pub integration_keep_days: u32,
    /// A machine that was not heard of for so long is offline, in seconds.
    pub heartbeat_s: u64,
    /// Sales, payments and events of more months ago than this are kept in the archive; 0: all stay at hand.
    pub archive_after_months: u32,
    /// How long the archive keeps a month of sales, payments and events, in months; 0: for ever. Sums of reports stay.
    pub archive_keep_months: u32,
    /// How long the log of validations, releases and refusals is kept, in months; 0: for ever. The journal of
    /// redemptions and rollbacks is kept whatever this says.
    pub voucher_log_keep_months: u32,
    /// How long sales tell who bought (`token`) after they were received, in days; 0: for ever.
    pub sale_tokens_keep_days: u32,
    /// How long events have their `extraData` after they were received, in days; 0: for ever.
    pub event_data_keep_days: u32,
    /// How long an address that a user logged in from is known, in days; 0: for ever.
    pub login_addresses_keep_days: u32,
    /// How long a mail waits to be sent at most, in days; 0: until it can't be sent for good.
    pub mails_keep_days: u32,
    /// Alerts to the same people within this time are one mail, in seconds.
    pub alert_window_s: u64,
    /// How coupons write amounts and dates where their style does not say (BCP 47).
    pub locale: Locale,
    /// `text` or `json`.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Config {
    /// Reads the file that `SCRIP_CONFIG_FILE` names (or `scrip.toml`, if there is one), then the environment.
    /// The error says in one line what is wrong with which setting.
    pub fn load() -> Result<Self, String> {
        let file = std::env::var_os("SCRIP_CONFIG_FILE").map(PathBuf::from);
        let toml = match &file {
            Some(path) => Toml::file_exact(path),
            None => Toml::file("scrip.toml"),
        };
        Figment::from(Defaults::default())
            .merge(toml)
            .merge(Env::raw().only(&["DATABASE_URL", "REDIS_URL"]))
            .merge(Env::prefixed("SCRIP_").ignore(CLIENT_NAMES))
            .extract()
            .map_err(|error| complaint(&error))
    }

    /// The same settings for who changes the schema.
    #[must_use]
    pub fn for_migrations(&self) -> Self {
        let database_url = self.migration_database_url.as_ref().unwrap_or(&self.database_url).clone();
        Self { database_url, ..self.clone() }
    }

    /// The signing secret, if it is fit to sign with.
    pub fn signing_secret(&self) -> Result<&SecretString, String> {
        let secret = self.signing_secret.as_ref().ok_or(
            "SCRIP_SIGNING_SECRET is not set: give it at least 32 random bytes (openssl rand -hex 32)",
        )?;
        fit("SCRIP_SIGNING_SECRET", secret)?;
        if secret.expose_secret().starts_with(DEMO_SECRET_PREFIX) && !self.demo {
            return Err("SCRIP_SIGNING_SECRET is the demo's: make your own (openssl rand -hex 32)".to_owned());
        }
        Ok(secret)
    }

    /// The secrets that tokens may be signed with: the first signs.
    pub fn signing_secrets(&self) -> Result<Vec<&SecretString>, String> {
        let mut secrets = vec![self.signing_secret()?];
        if let Some(previous) = &self.signing_secret_previous {
            fit("SCRIP_SIGNING_SECRET_PREVIOUS", previous)?;
            secrets.push(previous);
        }
        Ok(secrets)
    }

    /// What secrets at rest are sealed with, and behind it what earlier ones may have been.
    pub fn secret_keys(&self) -> Result<Vec<&SecretString>, String> {
        let own = [
            ("SCRIP_SECRET_KEY", &self.secret_key),
            ("SCRIP_SECRET_KEY_PREVIOUS", &self.secret_key_previous),
        ];
        let mut keys = Vec::new();
        for (name, secret) in own {
            if let Some(secret) = secret {
                fit(name, secret)?;
                keys.push(secret);
            }
        }
        keys.extend(self.signing_secrets()?);
        Ok(keys)
    }
}

/// Refuses a secret that is short, or nobody's secret.
fn fit(name: &str, secret: &SecretString) -> Result<(), String> {
    let text = secret.expose_secret();
    if text.len() < SECRET_MIN_BYTES {
        return Err(format!("{name} is shorter than {SECRET_MIN_BYTES} bytes"));
    }
    let distinct: std::collections::HashSet<u8> = text.bytes().collect();
    if distinct.len() < SECRET_MIN_DISTINCT_BYTES {
        return Err(format!("{name} repeats a few characters: make a random one (openssl rand -hex 32)"));
    }
    if DOCUMENTED_SECRETS.iter().any(|known| text.to_lowercase().starts_with(known)) {
        return Err(format!(
            "{name} is one that stands in documentation: make your own (openssl rand -hex 32)"
        ));
    }
    Ok(())
}

/// What the demo's signing secret begins with, so that nobody else can use one.
pub const DEMO_SECRET_PREFIX: &str = "scrip-demo-";

#[cfg(test)]
mod tests;
