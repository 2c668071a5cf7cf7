//! A small world that every test finds in its database.
//!
//! Groups: root above a and b, a above a1. Each group has a user of its name (password [`PASSWORD`]),
//! a location, two machines `vm-<group>-1` and `-2`, and a machine group with the first of them.

use argon2::{Argon2, Params, PasswordHasher};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

/// Of every user.
pub const PASSWORD: &str = "correct horse battery staple";

/// The groups' ids, which are also the ids of their users, locations and machine groups.
pub const ROOT: i64 = 1;
/// Below [`ROOT`].
pub const A: i64 = 2;
/// Below [`A`].
pub const A1: i64 = 3;
/// Below [`ROOT`], beside [`A`].
pub const B: i64 = 4;

/// Groups by id, with their names.
pub const GROUPS: [(i64, &str); 4] = [(ROOT, "root"), (A, "a"), (A1, "a1"), (B, "b")];

const SQL: &str = include_str!("world.sql");

/// Fills a fresh database.
pub async fn settle(db: &PgPool) {
    sqlx::raw_sql(SQL).execute(db).await.unwrap();
    sqlx::query("UPDATE account SET password_hash = $1").bind(password_hash()).execute(db).await.unwrap();
}

/// Cheap parameters: what is tested is not how hard a password is to guess.
fn password_hash() -> String {
    let params = Params::new(64, 1, 1, None).unwrap();
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password(PASSWORD.as_bytes()).unwrap().to_string()
}

/// Makes a key for a machine, or for all of a group's with `machine` absent; returns the key itself.
pub async fn key(db: &PgPool, group: i64, machine: Option<&str>, scopes: &[&str]) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let key = format!("scrip_{random}{}", &random[..11]);
    sqlx::query(
        "INSERT INTO api_key (user_group, name, machine, scopes, hash)
         VALUES ($1, 'test', (SELECT id FROM machine WHERE hostname = $2), $3, $4)",
    )
    .bind(group)
    .bind(machine)
    .bind(scopes)
    .bind(&Sha256::digest(&key)[..])
    .execute(db)
    .await
    .unwrap();
    key
}

/// Puts `count` more machines at a group's location; returns their host names.
pub async fn machines(db: &PgPool, group: i64, count: i32) -> Vec<String> {
    sqlx::query_scalar(
        "INSERT INTO machine (user_group, name, hostname, location, machine_type, machine_model, manufacturer)
         SELECT $1, 'Machine', format('vm-%s-more-%s', $1, n), $1, 1, 1, 1 FROM generate_series(1, $2) n
         RETURNING hostname",
    )
    .bind(group)
    .bind(count)
    .fetch_all(db)
    .await
    .unwrap()
}
