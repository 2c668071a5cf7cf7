//! Vouchers as sheets: streamed row by row, so that a million of them need no more memory than one.

use super::{
    voucher::Voucher,
    voucher_list::{self as list, VOUCHERS},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        list::{Below, ListParams, ListQuery, belongs_to, value::Condition},
        sheet::{self, Asked, Sheet},
    },
    resource::export::in_zone,
    transaction,
};
use axum::response::Response;
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::PgPool;

/// What can be exported: the fields of [`Voucher`], by their names in the API.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "code",
    "campaign",
    "type",
    "value",
    "valueType",
    "currency",
    "initialValue",
    "redemptionLimit",
    "redemptionCount",
    "totalRedemptionCount",
    "lastRedemptionAt",
    "lastRedemptionLocation",
    "prefix",
    "resetFrequency",
    "lastResetAt",
    "startsOn",
    "expiresOn",
    "timeZone",
    "lockOwner",
    "lockedTill",
    "status",
    "amountRedeemed",
    "totalAmountRedeemed",
    "createdAt",
    "updatedAt",
    "balance",
    "text1",
    "text2",
    "text3",
    "text4",
    "logoImg",
    "pdfStatus",
    "style",
    "pdfUrl",
    "voucherComments",
    "inherits",
];

/// Those that are instants.
const TIMES: &[&str] = &["lastRedemptionAt", "lastResetAt", "lockedTill", "createdAt", "updatedAt"];

/// Vouchers whose locks are looked up in one go.
const CHUNK: usize = 500;

/// The vouchers of `group` and the groups below it, as a download.
pub(super) async fn vouchers(app: App, group: i64, mut params: ListParams) -> Result<Response> {
    let asked = Asked::take(&mut params, FIELDS, "vouchers")?;
    let query = list::asked(params.over_all(&VOUCHERS)?, app.clock.now());
    let reading = app.reads.export(group).await?;
    let (mut sheet, reader) = sheet::sheet(asked.form, asked.columns.iter().copied())?;
    let filename = asked.filename.clone();
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let writing = Box::pin(write(&app, &reading, group, &query, &asked, &mut sheet));
        let outcome = app.liveness.while_up(writing).await;
        sheet.end(outcome).await;
        drop(reading);
    });
    reader.download(&filename).await
}

async fn write(
    app: &App,
    db: &PgPool,
    group: i64,
    query: &(ListQuery, Vec<Condition>),
    asked: &Asked,
    sheet: &mut Sheet,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = transaction::look(db, sheet::TIME_MAX_S).await?;
    let below = Below::of(&mut *tx, group).await?;
    let mut statement = list::all(query, |sql| belongs_to(sql, "c.user_group", &below));
    let vouchers = statement.build_query_as::<Voucher>().fetch(&mut *tx);
    let mut chunks = vouchers.try_chunks(CHUNK);
    while let Some(chunk) = chunks.try_next().await.map_err(|broken| broken.1)? {
        let mut vouchers: Vec<Voucher> = chunk.into_iter().map(|voucher| voucher.as_of(now)).collect();
        if asked.columns.iter().any(|column| column.starts_with("lock")) {
            list::overlay_locks(app, &mut vouchers).await?;
        }
        for voucher in vouchers {
            let mut fields = serde_json::to_value(&voucher).map_err(Error::fault)?;
            let cells = asked.columns.iter().map(|column| {
                let value = fields.get_mut(column).map(Value::take).unwrap_or_default();
                if TIMES.contains(column) { in_zone(value, asked.zone) } else { value }
            });
            let cells: Vec<Value> = cells.collect();
            if !sheet.row(&cells).await? {
                return Ok(());
            }
        }
    }
    Ok(())
}
