//! The demo's world: loaded once, and what a visitor needs to try it.
//!
//! Secrets are random and shown in one place, the file that `scrip demo` writes. A later run keeps
//! them while the file is there, and names codes that are still good.

mod env;

use crate::{
    app::App,
    error::{Error, Result},
    identity::keys,
    redemption::code::{self, Code},
    transaction,
};
use chrono::{DateTime, Utc};
use env::DemoEnv;
use rand::{RngExt, distr::Alphanumeric};
use secrecy::SecretString;
use sqlx::{PgConnection, types::Uuid};
use std::path::Path;

/// Only one process at a time loads the demo; any number will do for the lock.
const LOADING_LOCK: i64 = 0x5C21_DE40;

const WORLD: &str = include_str!("world.sql");

/// What its machines sold and what happened to them, until `demo.now`.
const HISTORY: &str = include_str!("history.sql");

/// The machine whose key visitors get.
const FIRST_MACHINE: &str = "vm-0001";

/// What a machine's key is good for: a stolen one shows no code.
const MACHINE_SCOPES: &[&str] = &["voucher.redeem", "gateway.use"];

/// What the brand's key is good for that looks and changes nothing.
const READ_SCOPES: &[&str] = &["campaign.read", "voucher.read"];

/// Characters of the demo user's password.
const PASSWORD_CHARS: usize = 20;

/// Loads the demo if it is not there yet, and writes what a visitor needs to `file`.
pub async fn load(app: &App, file: &Path) -> Result<()> {
    if !app.config.demo {
        return Err(Error::Conflict("the demo is for a demo server: set SCRIP_DEMO=true".into()));
    }
    let mut tx = transaction::begin(&app.db).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOADING_LOCK).execute(&mut *tx).await?;
    if !is_loaded(&mut tx).await? {
        settle(&mut tx, app.clock.now()).await?;
    }
    let known = DemoEnv::read(file);
    let device_key = match known.as_ref().map(|known| &known.device_key) {
        Some(key) if is_good(&mut tx, key).await? => key.clone(),
        _ => new_key(&mut tx, FIRST_MACHINE).await?,
    };
    let read_key = match known.as_ref().and_then(|known| known.read_key.as_ref()) {
        Some(key) if is_good(&mut tx, key).await? => key.clone(),
        _ => new_read_key(&mut tx).await?,
    };
    let password = match known {
        Some(known) => known.password,
        None => rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect(),
    };
    let hash =
        app.passwords.hash(app.passwords.turn(None).await?, SecretString::from(password.clone())).await?;
    sqlx::query("UPDATE account SET password_hash = $1 WHERE username = 'demo'")
        .bind(hash)
        .execute(&mut *tx)
        .await?;

    let (voucher_discount, code_discount) = unspent(&mut tx, "discount").await?;
    let (_, code_gift) = unspent(&mut tx, "gift").await?;
    let device_ids =
        sqlx::query_scalar("SELECT hostname FROM machine WHERE hostname ~ '^vm-[0-9]{4}$' ORDER BY id")
            .fetch_all(&mut *tx)
            .await?;
    let demo = DemoEnv {
        url: app.config.public_url.clone(),
        user: "demo".to_owned(),
        password,
        device_key,
        device_id: FIRST_MACHINE.to_owned(),
        device_ids,
        read_key,
        code_discount,
        code_gift,
        voucher_discount,
    };
    tx.commit().await?;
    demo.write(file).map_err(Error::fault)
}

async fn is_loaded(db: &mut PgConnection) -> Result<bool> {
    let (demo, others): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM account WHERE username = 'demo'), EXISTS (SELECT FROM user_group)",
    )
    .fetch_one(db)
    .await?;
    if others && !demo {
        return Err(Error::Conflict("there is data of someone else in this database".into()));
    }
    Ok(demo)
}

/// Fills an empty database.
async fn settle(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::raw_sql(WORLD).execute(&mut *db).await?;
    // Statements of a file take no parameters.
    sqlx::query("SELECT set_config('demo.now', $1, true)").bind(now.to_rfc3339()).execute(&mut *db).await?;
    sqlx::raw_sql(HISTORY).execute(&mut *db).await?;
    let machines: Vec<String> =
        sqlx::query_scalar("SELECT hostname FROM machine ORDER BY id").fetch_all(&mut *db).await?;
    for hostname in machines.iter().filter(|hostname| *hostname != FIRST_MACHINE) {
        new_key(db, hostname).await?;
    }
    let campaigns: Vec<(i64, String, i64)> =
        sqlx::query_as("SELECT id, prefix, total_vouchers FROM campaign ORDER BY id")
            .fetch_all(&mut *db)
            .await?;
    for (campaign, prefix, vouchers) in campaigns {
        generate(db, campaign, &prefix, vouchers as u64).await?;
    }
    partners(db).await
}

/// Makes a campaign's vouchers; they inherit its terms.
async fn generate(db: &mut PgConnection, campaign: i64, prefix: &str, vouchers: u64) -> Result<()> {
    let (ids, codes, keys) = new_codes(prefix, vouchers, vouchers);
    sqlx::query(
        "INSERT INTO voucher (id, campaign, code, key, prefix, generated, inherits, balance)
         SELECT new.id, c.id, new.code, new.key, c.prefix, true, true,
                CASE c.type WHEN 'gift' THEN c.voucher_value END
         FROM campaign c, unnest($2::uuid[], $3::text[], $4::text[]) AS new (id, code, key)
         WHERE c.id = $1",
    )
    .bind(campaign)
    .bind(ids)
    .bind(codes)
    .bind(keys)
    .execute(db)
    .await?;
    Ok(())
}

/// The vouchers of the dynamic campaign, each with terms of its own.
async fn partners(db: &mut PgConnection) -> Result<()> {
    let (ids, codes, keys) = new_codes("MIX", 2, 1_000);
    sqlx::query(
        "INSERT INTO voucher (id, campaign, code, key, prefix, generated, inherits, type, value, redemption_limit,
                              reset_frequency, time_zone, balance)
         SELECT new.id, c.id, new.code, new.key, c.prefix, true, false, own.type, own.value, own.redemption_limit,
                own.reset_frequency, c.time_zone, CASE own.type WHEN 'gift' THEN own.value END
         FROM campaign c, unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS new (id, code, key, number)
         JOIN (VALUES (1, 'discount', 75, 5, 'week'), (2, 'gift', 2500, NULL, 'month'))
              AS own (number, type, value, redemption_limit, reset_frequency) USING (number)
         WHERE c.type = 'dynamic'",
    )
    .bind(ids)
    .bind(codes)
    .bind(keys)
    .execute(db)
    .await?;
    Ok(())
}

/// Ids, codes and look-up keys of `count` vouchers in a campaign of `size`.
fn new_codes(prefix: &str, count: u64, size: u64) -> (Vec<Uuid>, Vec<String>, Vec<String>) {
    let mut rng = rand::rng();
    let (mut ids, mut codes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    while (ids.len() as u64) < count {
        let text = code::generate(prefix, size, &mut rng);
        if let Some(code) = Code::parse(&text) {
            ids.push(Uuid::now_v7());
            keys.push(code.key().to_owned());
            codes.push(text);
        }
    }
    (ids, codes, keys)
}

/// Gives a machine a key that acts for the machine's own group.
async fn new_key(db: &mut PgConnection, hostname: &str) -> Result<String> {
    let (key, digest) = keys::fresh();
    sqlx::query(
        "INSERT INTO api_key (user_group, name, machine, scopes, hash)
         SELECT user_group, 'Key of ' || hostname, id, $2, $3 FROM machine WHERE hostname = $1",
    )
    .bind(hostname)
    .bind(MACHINE_SCOPES)
    .bind(&digest[..])
    .execute(db)
    .await?;
    Ok(key)
}

/// Makes the key that reads what is the brand's, as a till or a report would.
async fn new_read_key(db: &mut PgConnection) -> Result<String> {
    let (key, digest) = keys::fresh();
    sqlx::query(
        "INSERT INTO api_key (user_group, name, scopes, hash)
         SELECT user_group, 'Key that reads', $1, $2 FROM account WHERE username = 'demo'",
    )
    .bind(READ_SCOPES)
    .bind(&digest[..])
    .execute(db)
    .await?;
    Ok(key)
}

async fn is_good(db: &mut PgConnection, key: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM api_key WHERE hash = $1 AND revoked_at IS NULL)")
        .bind(&keys::digest(key)[..])
        .fetch_one(db)
        .await?)
}

/// The id and the code of a voucher that nobody has redeemed yet, not even to give it back: orders
/// are remembered for ever, and a visitor may send the same one twice.
async fn unspent(db: &mut PgConnection, kind: &'static str) -> Result<(Uuid, String)> {
    let voucher = sqlx::query_as(
        "SELECT v.id, v.code FROM voucher v JOIN campaign c ON c.id = v.campaign
         WHERE c.type = $1 AND c.reset_frequency = 'never' AND c.status = 'active' AND v.inherits
           AND v.status = 'active' AND NOT EXISTS (SELECT FROM redemptions_of(v.id, v.key))
         ORDER BY v.id LIMIT 1",
    )
    .bind(kind)
    .fetch_optional(db)
    .await?;
    voucher.ok_or(Error::Conflict("every voucher of the demo is spent: delete .dev and start again".into()))
}
