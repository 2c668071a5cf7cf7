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

#[tokio::test]
async fn orders_by_an_older_schema_are_known_by_their_new_ids() {
    let database = Database::bare().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let older = MIGRATIONS.iter().filter(|migration| migration.version < IDS).cloned();
    Migrator::with_migrations(older.collect()).run(&db).await.unwrap();
    world::settle(&db).await;
    let code = Code::parse("hello-oil").unwrap();
    let older = Uuid::from_slice(&Sha256::digest(b"HELLO-OIL\x0021\x00order-1\x00")[..16]).unwrap();
    sqlx::query(OLDER).bind(older).bind(code.key()).execute(&db).await.unwrap();

    MIGRATIONS.run(&db).await.unwrap();
    let newer: (Uuid, Uuid, Uuid, Uuid, Uuid, Uuid) = sqlx::query_as(NEWER).fetch_one(&db).await.unwrap();
    let id = idempotency_key(&code, 21, "order-1");
    assert_eq!(newer, (id, id, id, id, id, id));
    let changed = sqlx::query("UPDATE redemption SET order_id = 'order-2'").execute(&db).await;
    assert!(changed.unwrap_err().to_string().contains("append-only"));
}
