//! Campaigns over HTTP.

use super::{
    campaign::{Campaign, CampaignDraft, CampaignPatch},
    campaign_store::{self as store, CAMPAIGNS, LAST_RESET},
    links, rules,
    rules::{CampaignInFull, CampaignRule},
    stats::{self, Stats, StatsRange},
    terms::Checks,
    voucher::Voucher,
    voucher_list,
};
use crate::{
    app::App,
    error::Result,
    http::{
        Caller, Created, Json, Message, Path, Query, Unread,
        caller::Permission,
        list::{Below, ListParams, belongs_to, rows},
        written_back::Absent,
    },
    idempotency::Creation,
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(fetch, update, delete))
        .routes(routes!(read_rules, replace_rules))
        .routes(routes!(list_vouchers))
        .routes(routes!(fetch_stats))
        .routes(routes!(cancel))
        .routes(routes!(resume))
}

/// Create a campaign
///
/// Its vouchers, if it is to have any at once, are generated in the background while its status is
/// `creating`.
#[utoipa::path(post, path = "/campaign", tag = "campaign", operation_id = "create_campaign",
    request_body = CampaignDraft,
    responses((status = 201, description = "The campaign was created", body = Created)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<CampaignDraft>>,
) -> Result<(StatusCode, Json<Created>)> {
    let Json(draft) = body.read(&app, &caller, Permission::CampaignWrite).await?;
    let now = app.clock.now();
    let new = draft.check(now)?;
    app.print_shop.check_printable(&new.draft.lines())?;
    let mut creation = Creation::begin(&app.db, now).await?;
    let id = store::create(&mut creation, caller.group(), new, now).await?;
    creation.commit(StatusCode::CREATED, Created { id }).await
}

/// List campaigns
#[utoipa::path(get, path = "/campaign", tag = "campaign", operation_id = "list_campaigns", params(ListParams),
    responses((status = 200, description = "A page of campaigns", body = Vec<Campaign>)))]
async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::CampaignRead)?;
    let now = app.clock.now();
    let mut query = params.over(&CAMPAIGNS)?;
    if query.looks_at(&[LAST_RESET]) {
        query.outside = Some(json!({ "now": now }));
    }
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| belongs_to(sql, "c.user_group", &below);
    let server = app.clone();
    let show = move |row: &PgRow| {
        let campaign: Campaign = rows(row)?;
        links::of_campaign(&server, &caller, campaign.as_of(now))
    };
    query.answer(&app, reading, scope, show).await
}

/// Read a campaign
#[utoipa::path(get, path = "/campaign/{id}", tag = "campaign", operation_id = "fetch_campaign",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign", body = CampaignInFull)))]
async fn fetch(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<CampaignInFull>> {
    caller.may(Permission::CampaignRead)?;
    let campaign = store::fetch(&app.db, caller.group(), id).await?;
    let campaign = links::of_campaign(&app, &caller, campaign.as_of(app.clock.now()))?;
    Ok(Json(CampaignInFull { campaign, validation_rules: store::rules(&app.db, id).await? }))
}

/// Change a campaign
///
/// What is absent stays; `null` takes away. Generated vouchers follow. Setting `status` to
/// `inactive` refuses every redemption from then on; `active` allows them again.
#[utoipa::path(put, path = "/campaign/{id}", tag = "campaign", operation_id = "update_campaign",
    params(("id" = i64, Path, description = "The campaign")), request_body = CampaignPatch,
    responses((status = 200, description = "The campaign was changed", body = Message)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<CampaignPatch>>,
) -> Result<Json<Message>> {
    let shown = async { fetch(State(app.clone()), caller.clone(), Path(id)).await.map(|Json(shown)| shown) };
    let patch = body.read_over(&app, &caller, Permission::CampaignWrite, Absent::Stays, shown).await?;
    if app.print_shop.check_printable(&patch.lines()).is_err() {
        let stored = store::fetch(&app.db, caller.group(), id).await?;
        app.print_shop.check_printable(&patch.lines().besides(&stored.lines()))?;
    }
    store::update(&app.db, caller.group(), id, patch, app.clock.now()).await?;
    Ok(Message::json("campaign updated"))
}

/// Delete a campaign
///
/// With its vouchers. Refused once any of them was redeemed: deactivate it then.
#[utoipa::path(delete, path = "/campaign/{id}", tag = "campaign", operation_id = "delete_campaign",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "The campaign was deleted", body = Message)))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::CampaignWrite)?;
    store::delete(&app.db, caller.group(), id, app.clock.now()).await?;
    Ok(Message::json("campaign deleted"))
}

/// Read a campaign's validation rules
#[utoipa::path(get, path = "/campaign/{id}/validationrules", tag = "campaign",
    operation_id = "list_campaign_validation_rules",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "The rules", body = Vec<CampaignRule>)))]
async fn read_rules(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Vec<CampaignRule>>> {
    caller.may(Permission::CampaignRead)?;
    store::fetch(&app.db, caller.group(), id).await?;
    Ok(Json(store::rules(&app.db, id).await?))
}

/// Replace a campaign's validation rules
///
/// Rules on one field are alternatives; rules on different fields must all hold.
#[utoipa::path(put, path = "/campaign/{id}/validationrules", tag = "campaign",
    operation_id = "replace_campaign_validation_rules",
    params(("id" = i64, Path, description = "The campaign")), request_body = Vec<CampaignRule>,
    responses((status = 200, description = "The rules were replaced", body = Message)))]
async fn replace_rules(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<Vec<CampaignRule>>>,
) -> Result<Json<Message>> {
    let Json(rules) = body.read(&app, &caller, Permission::CampaignWrite).await?;
    store::fetch(&app.db, caller.group(), id).await?;
    let mut checks = Checks::default();
    rules::check_of_campaign(&mut checks, "", id, &rules);
    checks.done()?;
    store::replace_rules(&app.db, caller.group(), id, &rules).await?;
    Ok(Message::json("validation rules replaced"))
}

/// List a campaign's vouchers
#[utoipa::path(get, path = "/campaign/{id}/vouchers", tag = "campaign", operation_id = "list_campaign_vouchers",
    params(("id" = i64, Path, description = "The campaign"), ListParams),
    responses((status = 200, description = "A page of vouchers", body = Vec<Voucher>)))]
async fn list_vouchers(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::CampaignRead)?;
    caller.may(Permission::VoucherRead)?;
    store::fetch(&app.db, caller.group(), id).await?;
    let reading = app.reads.list(caller.group()).await?;
    let of_campaign = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("v.campaign = ").push_bind(id);
    };
    voucher_list::answer(&app, &caller, reading, params, of_campaign).await
}

/// Read a campaign's statistics
///
/// Counts and amounts in all, and for each day of a range in the campaign's time zone.
#[utoipa::path(get, path = "/campaign/{id}/stats", tag = "campaign", operation_id = "fetch_campaign_stats",
    params(("id" = i64, Path, description = "The campaign"), StatsRange),
    responses((status = 200, description = "The statistics", body = Stats)))]
async fn fetch_stats(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    Query(range): Query<StatsRange>,
) -> Result<Json<Stats>> {
    caller.may(Permission::CampaignRead)?;
    let campaign = store::fetch(&app.db, caller.group(), id).await?;
    let reading = app.reads.report(caller.group()).await?;
    Ok(Json(stats::of(&reading, &campaign, range, app.clock.now()).await?))
}

/// Stop what is done for a campaign in the background
///
/// Its generation: what exists stays, and the campaign becomes `inactive`. Or else its PDF.
#[utoipa::path(post, path = "/campaign/{id}/cancel", tag = "campaign", operation_id = "cancel_campaign",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "Nothing more is done", body = Message)))]
async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::CampaignWrite)?;
    Ok(Message::json(store::cancel(&app.db, caller.group(), id, app.clock.now()).await?))
}

/// Go on with what was stopped, or has failed
///
/// With the campaign's PDF, if that was it; else with the generation of its vouchers.
#[utoipa::path(post, path = "/campaign/{id}/resume", tag = "campaign", operation_id = "resume_campaign",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "It goes on", body = Message)))]
async fn resume(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::CampaignWrite)?;
    Ok(Message::json(store::resume(&app.db, caller.group(), id, app.clock.now()).await?))
}
