//! What an older schema says was redeemed is known by its order after an upgrade, too.

use crate::{database::Database, world};
use scrip::{
    app::MIGRATIONS,
    redemption::{code::Code, journal::idempotency_key},
};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, migrate::Migrator};
use uuid::Uuid;

/// The migration that has ids start with the code.
const IDS: i64 = 84;

/// The migration that has the ids of generated codes be those of every spelling.
const SPELLINGS: i64 = 85;

/// A rolled-back redemption of a voucher with an own code, its payments booked, to be booked and told.
const OLDER: &str = "
    WITH made AS (
        INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, status,
            status_wanted)
        VALUES (2, 'Summer', 0, 'discount', 100, 1, 'active', 'active') RETURNING id
    ), voucher AS (
        INSERT INTO voucher (id, campaign, code, key, generated, inherits)
        SELECT gen_random_uuid(), id, 'Hello-Oil', $2, false, true FROM made RETURNING id, campaign
    ), entered AS (
        INSERT INTO redemption (key, fingerprint, voucher, campaign, machine, location, requester, order_id,
            order_amount, amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
        SELECT $1, $1, id, campaign, 21, 2, 'vm-a-1', 'order-1', 250, 100, 100, 'discount', 'EUR', now(), '{}', now()
        FROM voucher
    ), undone AS (
        INSERT INTO redemption_rollback (key, voucher, campaign, machine, location, requester, order_id, amount_off,
            voucher_value, currency, occurred_at)
        SELECT $1, id, campaign, 21, 2, 'vm-a-1', 'order-1', 100, 100, 'EUR', now() FROM voucher
    ), unbooked AS (
        INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
        VALUES (21, 2, 100, 'EUR', $1, now())
    ), booked AS (
        INSERT INTO payment_transaction (redemption, machine, location, user_group, occurred_at, time_zone, method,
            type, price, currency)
        VALUES ($1, 21, 2, 2, now(), 'UTC', 'code', 'voucher', 100, 'EUR')
    )
    INSERT INTO delivery (integration, event, lane, machine, facts, occurred_at)
    VALUES (1, 'voucher.redeemed', 21, 21, jsonb_build_object('id', 'voucher-redeemed-1', 'redemption', $1), now())";

/// Where the id of a redemption is.
const NEWER: &str = "
    SELECT r.id, b.redemption, u.redemption, p.redemption, (d.facts->>'redemption')::uuid,
        (SELECT id FROM redemption WHERE id BETWEEN first_redemption(v.key) AND last_redemption(v.key))
    FROM redemption r JOIN voucher v ON v.id = r.voucher, redemption_rollback b, voucher_payment u, payment_transaction p,
        delivery d";

/// Brings an empty database to the schema before a migration.
async fn migrate_to_before(db: &PgPool, version: i64) {
    let older = MIGRATIONS.iter().filter(|migration| migration.version < version).cloned();
    Migrator::with_migrations(older.collect()).run(db).await.unwrap();
}

#[tokio::test]
async fn orders_by_an_older_schema_are_known_by_their_new_ids() {
    let database = Database::bare().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    migrate_to_before(&db, IDS).await;
    world::settle(&db).await;
    let code = Code::parse("hello-oil").unwrap();
    let older = Uuid::from_slice(&Sha256::digest(b"HELLO-OIL\x0021\x00order-1\x00")[..16]).unwrap();
    sqlx::query(OLDER).bind(older).bind(code.key()).execute(&db).await.unwrap();

    MIGRATIONS.run(&db).await.unwrap();
    let newer: (Uuid, Uuid, Uuid, Uuid, Uuid, Uuid) = sqlx::query_as(NEWER).fetch_one(&db).await.unwrap();
    let id = idempotency_key(&code, false, 21, "order-1");
    assert_eq!(newer, (id, id, id, id, id, id));
    let changed = sqlx::query("UPDATE redemption SET order_id = 'order-2'").execute(&db).await;
    assert!(changed.unwrap_err().to_string().contains("append-only"));
}

/// What a spelling led to before: a generated code redeemed as it was typed, and the same order once more in another
/// spelling.
const SPELLED: &str = "
    WITH made AS (
        INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, status, status_wanted)
        VALUES (2, 'Summer', 0, 'discount', 100, 'active', 'active') RETURNING id
    ), voucher AS (
        INSERT INTO voucher (id, campaign, code, key, generated, inherits)
        SELECT gen_random_uuid(), id, $1, $2, true, true FROM made RETURNING id, campaign
    ), entered AS (
        INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id, order_amount,
            amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
        SELECT key, key, id, campaign, 21, 2, 'vm-a-1', 'order-1', 250, 100, 100, 'discount', 'EUR', 'epoch', '{}',
            now() + nth * interval '1 hour'
        FROM voucher, unnest($3::uuid[]) WITH ORDINALITY AS typed(key, nth)
    ), undone AS (
        INSERT INTO redemption_rollback (redemption, voucher, campaign, machine, location, requester, order_id,
            amount_off, voucher_value, currency, occurred_at)
        SELECT $3[1], id, campaign, 21, 2, 'vm-a-1', 'order-1', 100, 100, 'EUR', now() FROM voucher
    )
    INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
    SELECT 21, 2, 100, 'EUR', unnest($3), now()";

#[tokio::test]
async fn orders_of_generated_codes_are_known_in_every_spelling() {
    let database = Database::bare().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    migrate_to_before(&db, SPELLINGS).await;
    world::settle(&db).await;
    let code = Code::parse("COLA-23456789ABCD").unwrap();
    let typed = ["COLA-23456789ABCD", "C0LA-23456789ABCD"].map(|typed| {
        let order = Sha256::digest(format!("{typed}\x0021\x00order-1\x00"));
        let of_code = Sha256::digest(format!("{}\x00", code.key()));
        Uuid::from_slice(&[&of_code[..4], &order[..12]].concat()).unwrap()
    });
    let spelled = sqlx::query(SPELLED).bind("COLA-23456789ABCD").bind(code.key()).bind(typed);
    spelled.execute(&db).await.unwrap();

    MIGRATIONS.run(&db).await.unwrap();
    let id = idempotency_key(&code, true, 21, "order-1");
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM redemption ORDER BY occurred_at").fetch_all(&db).await.unwrap();
    assert_eq!(ids, [id, typed[1]], "the first has the order");
    let undone: Uuid =
        sqlx::query_scalar("SELECT redemption FROM redemption_rollback").fetch_one(&db).await.unwrap();
    assert_eq!(undone, id);
    let paid: Vec<Uuid> = sqlx::query_scalar("SELECT redemption FROM voucher_payment ORDER BY id")
        .fetch_all(&db)
        .await
        .unwrap();
    assert_eq!(paid, [id, typed[1]]);
}
