//! The four verbs over HTTP: request in, verb, answer out, and a log entry for each.

use super::{
    audit::{Action, Logged},
    code::Code,
    redeem::{self, Order, Receipt, Redeemed},
    release, rollback,
    rules::{Device, Products},
    validate::{self, Validated},
    voucher::{CampaignType, Refusal, Voucher},
};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    http::{Caller, Path, RawJson, caller::Permission},
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The largest amount in one request, in cents: sums of many stay exact everywhere.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// The longest id or reason that a client can send, in characters.
const TEXT_MAX: usize = 200;

/// Positions in one order at most.
const ITEMS_MAX: usize = 500;

/// The endpoints.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(validate))
        .routes(routes!(redeem))
        .routes(routes!(release))
        .routes(routes!(rollback))
}

/// What a machine asks before it vends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValidateRequest {
    /// The machine's hostname, or its gateway's id.
    #[schema(examples("vm-0001"))]
    device_id: String,
    /// Holds the voucher for this device, for so many seconds; longer than the server allows is shortened.
    #[schema(examples(30))]
    lock_duration: Option<f64>,
    /// For a gift: caps what is answered.
    demand: Option<Demand>,
}

/// What a gift is to pay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Demand {
    /// Cents.
    #[schema(examples(150))]
    amount: i64,
}

/// What a machine sends to spend a voucher.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedeemRequest {
    /// The machine's hostname, or its gateway's id.
    #[schema(examples("vm-0001"))]
    device_id: String,
    /// What is bought.
    order: OrderRequest,
    /// Required for a gift: exactly this is taken, or nothing.
    demand: Option<Demand>,
}

/// A purchase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrderRequest {
    /// The client's own id of it. With code and device it names a redemption for ever.
    #[schema(examples("7f3c2a"))]
    id: String,
    /// What it costs, in cents.
    #[schema(examples(250))]
    amount: i64,
    /// What it is made of.
    items: Option<Vec<Item>>,
}

/// A position of a purchase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    /// PLU, or the client's product id.
    #[schema(examples("5"))]
    product_id: String,
    /// How many.
    quantity: i64,
    /// Cents each.
    price: i64,
}

/// What a machine sends to give a lock back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReleaseRequest {
    /// The machine's hostname, or its gateway's id.
    #[schema(examples("vm-0001"))]
    device_id: String,
}

/// What a machine sends after a failed vend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RollbackRequest {
    /// The machine's hostname, or its gateway's id.
    #[schema(examples("vm-0001"))]
    device_id: String,
    /// The order that was redeemed.
    order: OrderName,
    /// Why, in a few words.
    #[schema(examples("spiral jammed"))]
    reason: Option<String>,
}

/// Which order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrderName {
    /// As it was redeemed.
    #[schema(examples("7f3c2a"))]
    id: String,
}

/// What a voucher takes off.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Discount {
    /// Always `cents`.
    r#type: &'static str,
    /// Cents.
    amount_off: i64,
}

impl Discount {
    const fn of(amount_off: i64) -> Self {
        Self { r#type: "cents", amount_off }
    }
}

/// What may be bought with a voucher.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ValidFor {
    /// An object keyed by product id; empty where every product is allowed.
    products: BTreeMap<String, bool>,
    /// Matches exactly the allowed product ids.
    #[schema(examples("^(?:5|7)$"))]
    products_reg_exp: String,
}

impl From<Products> for ValidFor {
    fn from(products: Products) -> Self {
        let products_reg_exp = products.expression();
        let products = match products {
            Products::Any => BTreeMap::new(),
            Products::Only(ids) => ids.into_iter().map(|id| (id, true)).collect(),
        };
        Self { products, products_reg_exp }
    }
}

/// Whether a voucher is good here and now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ValidateAnswer {
    /// As printed.
    code: String,
    /// What its campaign's vouchers are.
    campaign_type: CampaignType,
    /// Its id.
    voucher_id: Uuid,
    /// Whether it may be used.
    valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("expired"))]
    reason: Option<&'static str>,
    /// With `locked`: until when, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_till: Option<DateTime<Utc>>,
    /// A discount's value, a gift's balance, in cents.
    voucher_value: i64,
    /// What it would take off.
    discount: Discount,
    /// What may be bought with it.
    valid_for: ValidFor,
}

/// Whether a voucher was spent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RedeemAnswer {
    /// As printed.
    code: String,
    /// What its campaign's vouchers are.
    campaign_type: String,
    /// Its id.
    voucher_id: Uuid,
    /// Whether it was spent by this order.
    redeemed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("redemption_limit_reached"))]
    reason: Option<&'static str>,
    /// With `locked`: until when, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_till: Option<DateTime<Utc>>,
    /// What it took off.
    discount: Discount,
    /// A discount's value; a gift's balance after it, in cents.
    voucher_value: i64,
}

/// Whether a lock was given back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReleaseAnswer {
    /// As printed.
    code: String,
    /// Its id.
    voucher_id: Uuid,
    /// `false` if this device held none.
    released: bool,
}

/// A redemption that is undone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RollbackAnswer {
    /// As printed.
    code: String,
    /// Its id.
    voucher_id: Uuid,
    /// Always `true`: a redemption that there never was is a 404.
    rolled_back: bool,
    /// A discount's value; a gift's balance after it was given back, in cents.
    voucher_value: i64,
}

/// A caller at a machine, with a code.
struct Asked<'a> {
    app: &'a App,
    caller: &'a Caller,
    device: Arc<Device>,
    device_id: &'a str,
    code: Option<Code>,
    request: &'a [u8],
}

impl<'a> Asked<'a> {
    /// Finds the machine, and sees that the caller may speak for it and has not been guessing.
    async fn new(
        app: &'a App,
        caller: &'a Caller,
        device_id: &'a str,
        code: &str,
        request: &'a [u8],
    ) -> Result<Self> {
        caller.may(Permission::VoucherRedeem)?;
        let unknown =
            || Error::invalid("/deviceId", "is not the hostname or gateway id of a machine of yours");
        let well_formed =
            (1..=TEXT_MAX).contains(&device_id.len()) && !device_id.chars().any(char::is_control);
        if !well_formed {
            return Err(unknown());
        }
        let device = app.near.device(&app.db, device_id).await?.ok_or_else(unknown)?;
        if !device.belongs_below(caller.group()) {
            return Err(unknown());
        }
        if caller.machine().is_some_and(|machine| machine != device.machine) {
            return Err(Error::Forbidden("this key speaks for another machine".into()));
        }
        app.guesses.admit(caller.0.who, &device)?;
        Ok(Self { app, caller, device, device_id, code: Code::parse(code), request })
    }

    /// The code, if it looks like one.
    fn code(&self) -> Result<&Code> {
        self.code.as_ref().ok_or_else(|| self.unknown())
    }

    /// One failed look-up more: the same answer for codes of others and of nobody.
    fn unknown(&self) -> Error {
        match self.app.guesses.failed(self.caller.0.who, &self.device) {
            Ok(()) => Error::NotFound("voucher"),
            Err(too_many) => too_many,
        }
    }

    fn log(&self, action: Action, success: bool, voucher: Uuid, currency: &str, response: &str) {
        self.app.audit.log(Logged {
            voucher,
            action,
            success,
            requester: self.device_id.to_owned(),
            location: self.device.location,
            request: String::from_utf8_lossy(self.request).into_owned(),
            response: response.to_owned(),
            currency: currency.into(),
            at: self.app.clock.now(),
        });
    }
}

/// Validate at the machine, locking the voucher for the device.
///
/// Always 200 for a voucher that this device may know of: `valid` says whether it may be used here
/// and now, `reason` the first thing that stands in the way.
#[utoipa::path(post, path = "/voucher/{code}/validate", tag = "voucher", operation_id = "validate_voucher",
    params(("code" = String, Path, description = "As printed; case, space and look-alikes of generated codes are forgiven")),
    request_body = ValidateRequest, responses((status = 200, body = ValidateAnswer)))]
async fn validate(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    RawJson { bytes, value: body }: RawJson<ValidateRequest>,
) -> Result<Response> {
    let lock = lock_duration(&app, body.lock_duration)?;
    let demand = body.demand.map(|demand| amount("/demand/amount", demand.amount, 0)).transpose()?;
    let asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    let validated = validate::validate(&app, &asked.device, asked.code()?, demand, lock).await?;
    let Validated { voucher, verdict, at } = validated.ok_or_else(|| asked.unknown())?;
    let answer = ValidateAnswer {
        code: voucher.facts.code.to_string(),
        campaign_type: voucher.campaign.kind,
        voucher_id: voucher.facts.id,
        valid: verdict.is_ok(),
        reason: verdict.err().map(Refusal::word),
        locked_till: verdict.err().and_then(locked_till),
        voucher_value: voucher.value(at),
        discount: Discount::of(verdict.unwrap_or(0)),
        valid_for: voucher.products().into(),
    };
    let text = serde_json::to_string(&answer).map_err(Error::fault)?;
    asked.log(Action::Validate, answer.valid, answer.voucher_id, &voucher.campaign.currency, &text);
    Ok(json(text))
}

/// Redeem at the machine.
///
/// The same `order.id` from the same device with the same code is the same redemption, for ever:
/// asked again it gives the first answer again and changes nothing. A 503 promises nothing: ask again.
#[utoipa::path(post, path = "/voucher/{code}/redeem", tag = "voucher", operation_id = "redeem_voucher",
    params(("code" = String, Path, description = "As printed; case, space and look-alikes of generated codes are forgiven")),
    request_body = RedeemRequest, responses((status = 200, body = RedeemAnswer)))]
async fn redeem(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    RawJson { bytes, value: body }: RawJson<RedeemRequest>,
) -> Result<Response> {
    let order = order(body.order, body.demand, &bytes)?;
    let asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    let (answer, currency) = match redeem::redeem(&app, &asked.device, asked.device_id, asked.code()?, &order)
        .await?
    {
        Redeemed::Unknown => return Err(asked.unknown()),
        Redeemed::Done(receipt) => {
            return Ok(json(serde_json::to_string(&receipt_answer(receipt, None)).map_err(Error::fault)?));
        }
        Redeemed::RolledBack(receipt) => {
            let currency = receipt.currency.clone();
            (receipt_answer(receipt, Some(Refusal::RolledBack)), currency)
        }
        Redeemed::Refused { refusal, voucher, at } => {
            (refused_answer(&voucher, refusal, at), voucher.campaign.currency.clone())
        }
    };
    let text = serde_json::to_string(&answer).map_err(Error::fault)?;
    asked.log(Action::Redeem, false, answer.voucher_id, &currency, &text);
    Ok(json(text))
}

fn receipt_answer(receipt: Receipt, refusal: Option<Refusal>) -> RedeemAnswer {
    RedeemAnswer {
        code: receipt.code,
        campaign_type: receipt.campaign_type,
        voucher_id: receipt.voucher,
        redeemed: refusal.is_none(),
        reason: refusal.map(Refusal::word),
        locked_till: None,
        discount: Discount::of(if refusal.is_none() { receipt.amount_off } else { 0 }),
        voucher_value: receipt.voucher_value,
    }
}

fn refused_answer(voucher: &Voucher, refusal: Refusal, at: DateTime<Utc>) -> RedeemAnswer {
    RedeemAnswer {
        code: voucher.facts.code.to_string(),
        campaign_type: voucher.campaign.kind.word().to_owned(),
        voucher_id: voucher.facts.id,
        redeemed: false,
        reason: Some(refusal.word()),
        locked_till: locked_till(refusal),
        discount: Discount::of(0),
        voucher_value: voucher.value(at),
    }
}

/// Give the device's lock back.
#[utoipa::path(post, path = "/voucher/{code}/release", tag = "voucher", operation_id = "release_voucher",
    params(("code" = String, Path, description = "As it was validated")),
    request_body = ReleaseRequest, responses((status = 200, body = ReleaseAnswer)))]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    RawJson { bytes, value: body }: RawJson<ReleaseRequest>,
) -> Result<Response> {
    let asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    let released =
        release::release(&app, &asked.device, asked.code()?).await?.ok_or_else(|| asked.unknown())?;
    let voucher = released.voucher;
    let answer = ReleaseAnswer {
        code: voucher.facts.code.to_string(),
        voucher_id: voucher.facts.id,
        released: released.released,
    };
    let text = serde_json::to_string(&answer).map_err(Error::fault)?;
    asked.log(Action::Release, answer.released, answer.voucher_id, &voucher.campaign.currency, &text);
    Ok(json(text))
}

/// Undo a redemption after a failed vend.
///
/// Exactly once: asked again it gives the same answer and changes nothing. What is given back belongs
/// to the period in which it was redeemed.
#[utoipa::path(post, path = "/voucher/{code}/rollback", tag = "voucher", operation_id = "roll_back_voucher",
    params(("code" = String, Path, description = "As it was redeemed")),
    request_body = RollbackRequest, responses((status = 200, body = RollbackAnswer)))]
async fn rollback(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    RawJson { bytes, value: body }: RawJson<RollbackRequest>,
) -> Result<Response> {
    let order_id = text("/order/id", &body.order.id)?;
    let reason = body.reason.as_deref().map(|reason| text("/reason", reason)).transpose()?;
    let asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    let undone = rollback::rollback(&app, &asked.device, asked.device_id, asked.code()?, order_id, reason);
    let Some(undone) = undone.await? else {
        // Asking for orders is as good as asking for codes.
        return Err(match asked.unknown() {
            Error::NotFound(_) => Error::NotFound("redemption"),
            too_many => too_many,
        });
    };
    let answer = RollbackAnswer {
        code: undone.code,
        voucher_id: undone.voucher,
        rolled_back: true,
        voucher_value: undone.voucher_value,
    };
    let text = serde_json::to_string(&answer).map_err(Error::fault)?;
    if undone.first {
        asked.log(Action::Rollback, true, answer.voucher_id, &undone.currency, &text);
    }
    Ok(json(text))
}

/// JSON that is already text, since the log wants it too.
fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

fn locked_till(refusal: Refusal) -> Option<DateTime<Utc>> {
    match refusal {
        Refusal::Locked { till } => Some(till),
        _ => None,
    }
}

/// 0 is no lock; longer than allowed is as long as allowed.
fn lock_duration(app: &App, seconds: Option<f64>) -> Result<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if seconds < 0.0 || !seconds.is_finite() => {
            Err(Error::invalid("/lockDuration", "must be at least 0 seconds"))
        }
        Some(seconds) => {
            let seconds = seconds.min(f64::from(app.config.lock_max_s));
            let lock = Duration::milliseconds((seconds * 1000.0) as i64);
            Ok((lock > Duration::zero()).then_some(lock))
        }
    }
}

fn order(order: OrderRequest, demand: Option<Demand>, request: &[u8]) -> Result<Order> {
    let items = order.items.unwrap_or_default();
    if items.len() > ITEMS_MAX {
        return Err(Error::invalid("/order/items", format!("must be at most {ITEMS_MAX}")));
    }
    for (at, item) in items.iter().enumerate() {
        text(format!("/order/items/{at}/productId"), &item.product_id)?;
        amount(format!("/order/items/{at}/quantity"), item.quantity, 1)?;
        amount(format!("/order/items/{at}/price"), item.price, 0)?;
    }
    Ok(Order {
        id: text("/order/id", &order.id)?.to_owned(),
        amount: amount("/order/amount", order.amount, 0)?,
        items: items.into_iter().map(|item| (item.product_id, item.quantity, item.price)).collect(),
        demand: demand.map(|demand| amount("/demand/amount", demand.amount, 1)).transpose()?,
        request: String::from_utf8_lossy(request).into_owned(),
    })
}

/// A number of cents (or of things) within bounds.
fn amount(pointer: impl Into<std::borrow::Cow<'static, str>>, amount: i64, least: i64) -> Result<i64> {
    if (least..=AMOUNT_MAX).contains(&amount) {
        Ok(amount)
    } else {
        Err(Error::Invalid(vec![Issue::at(pointer, format!("must be from {least} to {AMOUNT_MAX}"))]))
    }
}

/// A short text without control characters.
fn text(pointer: impl Into<std::borrow::Cow<'static, str>>, text: &str) -> Result<&str> {
    if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            pointer,
            format!("must be 1 to {TEXT_MAX} characters, none of them a control character"),
        ));
    }
    Ok(text)
}
