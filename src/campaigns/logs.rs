//! Who asked what of a voucher, and what the answer was.
//!
//! Redemptions stand in the journal, everything else in the voucher log; here they are one list in
//! the order of time.

use crate::{
    app::App,
    error::Result,
    http::list::{Column, Ids, Kind, ListParams, Listing, rows},
};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

/// One entry of a voucher's log.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
#[schema(as = VoucherLogEntry)]
pub struct LogEntry {
    /// Its id, which grows with time.
    pub id: i64,
    /// The voucher.
    pub voucher: String,
    /// The requester: a device's hostname, or `user:` and the name of a person in its place.
    pub requester: String,
    /// The person's id.
    pub actor: Option<i64>,
    /// Where it stood: the location's id.
    pub requester_location: String,
    /// What was asked.
    #[schema(examples("validate", "redeem", "release", "rollback"))]
    pub action: String,
    /// 1 if the answer was yes.
    pub success: i64,
    /// The request as it came.
    pub request: String,
    /// The response as it went.
    pub response: String,
    /// ISO 4217.
    pub currency: String,
    /// When.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// The same: entries do not change.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
}

/// An entry's id is the millisecond in which it was asked, or in which it was written down if that was long after,
/// and its place among the voucher's entries of that millisecond.
/// The voucher is `v.id` throughout: of one that is asked for, only its own redemptions are then looked for.
static ENTRIES: Listing = Listing {
    select: "id, voucher::text AS voucher, requester_name(requester) AS requester,
        requester_account(requester) AS actor, location::text AS requester_location, action, success,
        request, response, currency, created_at, created_at AS updated_at",
    from: "(
        SELECT ms * 1000 + row_number() OVER (PARTITION BY voucher, ms ORDER BY number, key) - 1 AS id, *
        FROM (
            SELECT floor(extract(epoch FROM COALESCE(l.written_at, l.created_at)) * 1000)::bigint AS ms, l.id AS number,
                NULL::uuid AS key, l.voucher, l.requester, l.location, l.action, l.success::int::bigint AS success,
                l.request, l.response, l.currency, l.created_at
            FROM voucher_log_entry l
            UNION ALL
            SELECT floor(extract(epoch FROM r.occurred_at) * 1000)::bigint, 0, r.id, v.id, r.requester, r.location,
                'redeem', 1::bigint, r.request,
                json_build_object('code', v.code, 'campaignType', r.campaign_type, 'voucherId', r.voucher,
                    'redeemed', true, 'reason', NULL, 'discount', json_build_object('type', 'cents', 'amountOff', r.amount_off),
                    'voucherValue', r.voucher_value)::text,
                r.currency, r.occurred_at
            FROM voucher v, redemptions_of(v.id, v.key) r
        ) asked
    ) entry",
    ids: Ids::Log,
    order: None,
    columns: &[
        Column::new("id", "id", Kind::Int),
        Column::new("voucher", "voucher", Kind::Uuid),
        Column::new("requester", "requester_name(requester)", Kind::Text),
        Column::new("actor", "requester_account(requester)", Kind::Int),
        Column::new("requesterLocation", "location::text", Kind::Text),
        Column::new("action", "action", Kind::Word(&["validate", "redeem", "release", "rollback"])),
        Column::new("success", "(success = 1)", Kind::Bool),
        Column::new("request", "request", Kind::Text),
        Column::new("response", "response", Kind::Text),
        Column::new("currency", "currency", Kind::Text),
        Column::new("createdAt", "created_at", Kind::Time),
        Column::new("updatedAt", "created_at", Kind::Time),
    ],
};

/// Answers with the log of a voucher that the caller is known to see.
pub(super) async fn page(app: &App, group: i64, voucher: Uuid, params: ListParams) -> Result<Response> {
    let mut query = params.over(&ENTRIES)?;
    query.now = Some(app.clock.now());
    let reading = app.reads.list(group).await?;
    let of_voucher = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("voucher = ").push_bind(voucher);
    };
    query.answer(app, reading, of_voucher, rows::<LogEntry>).await
}
