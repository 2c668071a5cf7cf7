//! Vouchers as CSV: streamed row by row, so that a million of them need no more memory than one.

use super::{
    voucher::Voucher,
    voucher_list::{self as list, VOUCHERS},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        csv::{self, Sheet},
        list::{Below, ListParams, ListQuery, belongs_to},
    },
};
use axum::response::Response;
use futures_util::TryStreamExt;
use serde_json::Value;

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
];

/// Vouchers whose locks are looked up in one go.
const CHUNK: usize = 500;

/// The vouchers of `group` and the groups below it, as a download.
pub(super) async fn vouchers(app: App, group: i64, mut params: ListParams) -> Result<Response> {
    let columns = columns(params.take("columns")?)?;
    let query = params.over_all(&VOUCHERS)?;
    let permit = csv::begin()?;
    let (mut sheet, reader) = csv::sheet(columns.iter().copied())?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let writing = Box::pin(write(&app, group, &query, &columns, &mut sheet));
        let outcome = app.liveness.while_up(writing).await;
        sheet.end(outcome).await;
        drop(permit);
    });
    reader.download("vouchers.csv").await
}

async fn write(
    app: &App,
    group: i64,
    query: &ListQuery,
    columns: &[&'static str],
    sheet: &mut Sheet,
) -> Result<()> {
    let now = app.clock.now();
    let below = Below::of(&app.db, group).await?;
    let mut statement = list::all(query, |sql| belongs_to(sql, "c.user_group", &below));
    let vouchers = statement.build_query_as::<Voucher>().fetch(&app.db);
    let mut chunks = vouchers.try_chunks(CHUNK);
    while let Some(chunk) = chunks.try_next().await.map_err(|broken| broken.1)? {
        let mut vouchers: Vec<Voucher> = chunk.into_iter().map(|voucher| voucher.as_of(now)).collect();
        if columns.iter().any(|column| column.starts_with("lock")) {
            list::overlay_locks(app, &mut vouchers).await?;
        }
        for voucher in vouchers {
            let fields = serde_json::to_value(&voucher).map_err(Error::fault)?;
            let cells = columns.iter().map(|column| fields.get(column).unwrap_or(&Value::Null));
            if !sheet.row(cells).await? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads `code,value,…`, each at most once.
fn columns(text: Option<String>) -> Result<Vec<&'static str>> {
    let text = text.ok_or_else(|| Error::malformed("/columns", "is required: names separated by commas"))?;
    let mut columns = Vec::new();
    for name in text.split(',').map(str::trim) {
        let Some(field) = FIELDS.iter().find(|field| **field == name) else {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Error::malformed(
                "/columns",
                format!("names `{shown}`, which is not a column of vouchers"),
            ));
        };
        if columns.contains(field) {
            return Err(Error::malformed("/columns", format!("names `{field}` twice")));
        }
        columns.push(*field);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_names_of_fields() {
        assert_eq!(columns(Some("code, value".to_owned())).unwrap(), ["code", "value"]);
        for bad in [None, Some(""), Some("code,"), Some("code,code"), Some("colour")] {
            let error = columns(bad.map(str::to_owned)).unwrap_err();
            assert_eq!(error.problem().errors[0].pointer, "/columns", "{bad:?}");
        }
    }
}
