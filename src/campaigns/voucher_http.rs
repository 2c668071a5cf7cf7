//! Vouchers over HTTP, as their owners see them. What machines do with them is
//! [`crate::redemption`]'s.

use super::{
    export, links,
    logs::{self, LogEntry},
    rules::VoucherInFull,
    voucher::Voucher,
    voucher_change::{VoucherPatch, VoucherReplacement},
    voucher_draft::VoucherDraft,
    voucher_list, voucher_store as store,
};
use crate::{
    app::App,
    error::Result,
    http::{
        Caller, Json, Message, Path, Unread,
        caller::Permission,
        list::{Below, ExportParams, ListParams, belongs_to},
        sheet::FormParams,
        written_back::Absent,
    },
};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sqlx::{Postgres, QueryBuilder};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(export_vouchers))
        .routes(routes!(fetch, replace, amend))
        .routes(routes!(list_logs))
}

/// Create vouchers
///
/// One, which is returned, or up to 5,000 alike, with an empty body: all of them or none. They keep
/// what they are posted with; the rest they take from their campaign, and follow it there. None outlives
/// its campaign: the earlier end holds.
#[utoipa::path(post, path = "/voucher", tag = "voucher", operation_id = "create_voucher",
    request_body = VoucherDraft,
    responses((status = 201, description = "The vouchers were created; the voucher, if it is one", body = Voucher)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<VoucherDraft>>,
) -> Result<Response> {
    let Json(draft) = body.read(&app, &caller, Permission::VoucherWrite).await?;
    let new = draft.check()?;
    app.print_shop.check_printable(&new.draft.lines())?;
    Ok(match store::create(&app, caller.group(), &new).await? {
        (creation, Some(voucher)) => creation.commit(StatusCode::CREATED, voucher).await?.into_response(),
        (creation, None) => creation.commit_silent(StatusCode::CREATED).await?.into_response(),
    })
}

/// List vouchers
#[utoipa::path(get, path = "/voucher", tag = "voucher", operation_id = "list_vouchers", params(ListParams),
    responses((status = 200, description = "A page of vouchers", body = Vec<Voucher>)))]
async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::VoucherRead)?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| belongs_to(sql, "c.user_group", &below);
    voucher_list::answer(&app, &caller, reading, params, scope).await
}

/// Read a voucher
#[utoipa::path(get, path = "/voucher/{id}", tag = "voucher", operation_id = "fetch_voucher",
    params(("id" = Uuid, Path, description = "The voucher")),
    responses((status = 200, description = "The voucher", body = VoucherInFull)))]
async fn fetch(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<VoucherInFull>> {
    caller.may(Permission::VoucherRead)?;
    let voucher = links::of_voucher(&app, &caller, store::fetch(&app, caller.group(), id).await?)?;
    Ok(Json(VoucherInFull { voucher, validation_rules: store::rules(&app.db, id).await? }))
}

/// Reads a voucher for a change that repeats what was read. Boxed, because few do.
async fn shown(app: &App, caller: &Caller, id: Uuid) -> Result<VoucherInFull> {
    Box::pin(fetch(State(app.clone()), caller.clone(), Path(id))).await.map(|Json(shown)| shown)
}

/// Replace a voucher's terms
///
/// It takes from its campaign what is absent, but for rules, which stay then; with the type `inherit` it takes
/// everything from there. A gift's balance moves by the difference to the value before;
/// what was spent in this period stays spent. The type can change until the first redemption.
#[utoipa::path(put, path = "/voucher/{id}", tag = "voucher", operation_id = "replace_voucher",
    params(("id" = Uuid, Path, description = "The voucher")), request_body = VoucherReplacement,
    responses((status = 200, description = "The voucher was replaced", body = Message)))]
async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: Unread<Json<VoucherReplacement>>,
) -> Result<Json<Message>> {
    let shown = shown(&app, &caller, id);
    let new = body.read_over(&app, &caller, Permission::VoucherWrite, Absent::Goes, shown).await?;
    if app.print_shop.check_printable(&new.lines()).is_err() {
        let stored = store::fetch(&app, caller.group(), id).await?;
        app.print_shop.check_printable(&new.lines().besides(&stored.lines()))?;
    }
    store::replace(&app.db, caller.group(), id, new, app.clock.now()).await?;
    Ok(Message::json("voucher replaced"))
}

/// Change a voucher's value, expiry or status
///
/// An absent property stays. A voucher that follows its campaign keeps its own copy of the campaign's
/// terms from a change of value or expiry on.
#[utoipa::path(patch, path = "/voucher/{id}", tag = "voucher", operation_id = "amend_voucher",
    params(("id" = Uuid, Path, description = "The voucher")), request_body = VoucherPatch,
    responses((status = 200, description = "The voucher was changed", body = Message)))]
async fn amend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: Unread<Json<VoucherPatch>>,
) -> Result<Json<Message>> {
    let shown = shown(&app, &caller, id);
    let patch = body.read_over(&app, &caller, Permission::VoucherWrite, Absent::Stays, shown).await?;
    store::amend(&app.db, caller.group(), id, patch, app.clock.now()).await?;
    Ok(Message::json("voucher updated"))
}

/// List a voucher's log
///
/// Who validated, redeemed, released and rolled it back, from where, and what the answer was.
#[utoipa::path(get, path = "/voucher/{id}/logs", tag = "voucher", operation_id = "list_voucher_logs",
    params(("id" = Uuid, Path, description = "The voucher"), ListParams),
    responses((status = 200, description = "A page of log entries", body = Vec<LogEntry>)))]
async fn list_logs(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::VoucherRead)?;
    store::fetch(&app, caller.group(), id).await?;
    logs::page(&app, caller.group(), id, params).await
}

/// Export vouchers
///
/// As CSV, or as a workbook for spreadsheets (`format=xlsx`). Takes `where` and `sort` as the list does. Text that a
/// spreadsheet would take for a formula has an apostrophe in front in CSV; in a workbook text is text.
#[utoipa::path(get, path = "/voucher/export", tag = "voucher", operation_id = "export_vouchers",
    params(
        ("columns" = String, Query, description = "Fields of vouchers, separated by commas"),
        ("timezone" = Option<String>, Query, description = "The zone that times are given in; UTC without it"),
        FormParams, ExportParams),
    responses((status = 200, description = "The vouchers",
        content((String = "text/csv"), ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn export_vouchers(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::VoucherRead)?;
    export::vouchers(app, caller.group(), params).await
}
