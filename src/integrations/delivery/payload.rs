//! What integrations are sent: made from the rows when it is sent, so that what belongs together and
//! came together is there.

use super::store::Delivery;
use crate::{
    error::{Error, Result},
    integrations::{integration::Event, rights::Rights},
};
use axum::body::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgPool, types::Json};

/// A sale with its payments.
const TRANSACTION: &str = "
    SELECT json_build_object(
        'id', t.id, 'remote', t.remote, 'machine', t.machine, 'hostname', m.hostname, 'location', t.location,
        'externalRef', l.external_ref, 'occurredAt', rfc3339(t.occurred_at),
        'timestamp', floor(extract(epoch FROM t.occurred_at))::bigint, 'timezone', t.time_zone,
        'product', t.product, 'name', t.name, 'internalRef', t.internal_ref, 'barcode', t.barcode,
        'price', t.price, 'originalPrice', t.original_price, 'currency', t.currency, 'token', t.token,
        'salestype', t.salestype, 'pricelist', t.pricelist,
        'payments', COALESCE((
            SELECT json_agg(json_build_object('id', p.id, 'remote', p.remote, 'method', p.method, 'type', p.type,
                'price', p.price, 'currency', p.currency, 'occurredAt', rfc3339(p.occurred_at)) ORDER BY p.id)
            FROM payment_transaction_ever p
            WHERE p.revenuetransaction = t.id AND p.machine = t.machine
                AND p.occurred_at BETWEEN t.occurred_at - interval '1 day' AND t.occurred_at + interval '1 day'
        ), '[]'))
    FROM revenue_transaction_ever t
    LEFT JOIN machine m ON m.id = t.machine LEFT JOIN location l ON l.id = t.location
    WHERE t.id = $1 AND t.occurred_at = $2";

/// A redemption. `$2` is the user group whose vouchers' codes are shown.
const REDEEMED: &str = "
    SELECT json_build_object(
        'voucher', r.voucher, 'code', shown_code(v.code, r.campaign, $2), 'campaign', r.campaign,
        'campaignType', r.campaign_type, 'machine', r.machine, 'deviceId', device_of(r.requester, r.machine),
        'location', r.location, 'order', r.order_id,
        'amountOff', r.amount_off, 'voucherValue', r.voucher_value, 'currency', r.currency,
        'occurredAt', rfc3339(r.occurred_at))
    FROM redemption r LEFT JOIN voucher v ON v.id = r.voucher WHERE r.id = ($1->>'redemption')::uuid";

/// A rollback, in the same way.
const ROLLED_BACK: &str = "
    SELECT json_build_object(
        'voucher', r.voucher, 'code', shown_code(v.code, r.campaign, $2), 'campaign', r.campaign,
        'machine', r.machine, 'deviceId', device_of(r.requester, r.machine),
        'location', r.location, 'order', r.order_id, 'amountOff', r.amount_off, 'voucherValue', r.voucher_value,
        'currency', r.currency, 'reason', r.reason, 'occurredAt', rfc3339(r.occurred_at))
    FROM redemption_rollback r LEFT JOIN voucher v ON v.id = r.voucher WHERE r.redemption = ($1->>'redemption')::uuid";

/// A validation, as the machine was answered: the voucher has changed since, so the answer itself was kept. `$3` is the user group
/// whose vouchers' codes are shown.
const VALIDATED: &str = "
    SELECT json_build_object('voucher', $1->'voucher', 'machine', $1->'machine', 'deviceId', $1->'deviceId',
        'location', $1->'location', 'occurredAt', rfc3339($2), 'currency', $1->'currency',
        'answer', CASE jsonb_typeof($1->'answer') WHEN 'object' THEN
            jsonb_set($1->'answer', '{code}', to_jsonb(shown_code($1->'answer'->>'code',
                (SELECT v.campaign FROM voucher v WHERE v.id = ($1->>'voucher')::uuid), $3))) END)";

/// A campaign whose vouchers are all there.
const READY: &str = "
    SELECT json_build_object('campaign', c.id, 'name', c.name, 'type', c.type, 'totalVouchers', c.total_vouchers,
        'status', c.status, 'occurredAt', rfc3339($2))
    FROM campaign c WHERE c.id = ($1->>'campaign')::bigint";

/// What is sent: what has happened, when, and the rest.
#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'a str,
    timestamp: String,
    data: &'a RawValue,
}

/// A delivery as it is sent.
#[derive(Debug)]
pub struct Payload {
    /// Names it, the same at each attempt and each replay.
    pub id: String,
    /// Its body.
    pub body: Bytes,
}

/// What is sent for a delivery; `None` if what it is about is gone.
pub async fn render(db: &PgPool, delivery: &Delivery, rights: Rights) -> Result<Option<Payload>> {
    // Redemptions say themselves when they were.
    let (facts, at) = (&delivery.facts, delivery.occurred_at);
    let reader = rights.shows_codes().then_some(rights.group);
    let query = match delivery.event {
        Event::Transaction => sqlx::query_scalar(TRANSACTION).bind(delivery.revenue_transaction).bind(at),
        Event::Redeemed => sqlx::query_scalar(REDEEMED).bind(facts).bind(reader),
        Event::RolledBack => sqlx::query_scalar(ROLLED_BACK).bind(facts).bind(reader),
        Event::Validated => sqlx::query_scalar(VALIDATED).bind(facts).bind(at).bind(reader),
        Event::Ready => sqlx::query_scalar(READY).bind(facts).bind(at),
    };
    let id = match (delivery.revenue_transaction, facts) {
        (Some(sale), _) => format!("transaction-{sale}"),
        (None, Some(facts)) => facts["id"].as_str().unwrap_or_default().to_owned(),
        (None, None) => return Ok(None),
    };
    let data: Option<Json<Box<RawValue>>> = query.fetch_optional(db).await?;
    let Some(data) = data else { return Ok(None) };
    let timestamp = delivery.occurred_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let envelope = Envelope { r#type: delivery.event.word(), timestamp, data: &data };
    Ok(Some(Payload { id, body: serde_json::to_vec(&envelope).map_err(Error::fault)?.into() }))
}
