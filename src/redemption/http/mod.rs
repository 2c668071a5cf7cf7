//! The four verbs over HTTP: request in, verb, answer out, and a log entry for each.

pub mod body;
mod bounds;
mod express;

use super::{
    audit::{Action, Logged, requester_of},
    code::Code,
    guesses::Lookup,
    proof,
    redeem::{self, Receipt, Redeemed},
    release, rollback,
    rules::Device,
    validate::{self, Validated},
    voucher::{Refusal, Voucher},
};
use crate::{
    app::App,
    error::{Error, Result},
    fleet::device_id::{self, DeviceId, Scope},
    http::{
        Caller, Path, RawJson, Unread,
        caller::{Permission, Who},
    },
    security::{self, Event},
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use body::{
    Discount, RedeemAnswer, RedeemRequest, ReleaseAnswer, ReleaseRequest, RollbackAnswer, RollbackRequest,
    ValidateAnswer, ValidateRequest,
};
use bounds::{lock_duration, order, text};
use chrono::{DateTime, Utc};
pub use express::Express;
use std::{sync::Arc, time::Instant};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The endpoints.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(validate))
        .routes(routes!(redeem))
        .routes(routes!(release))
        .routes(routes!(rollback))
}

/// A caller at a machine, with a code.
struct Asked<'a> {
    app: &'a App,
    caller: &'a Caller,
    device: Arc<Device>,
    /// The name in the journal and the log: the device as it called itself, or a person in its place.
    requester: String,
    code: Option<Code>,
    request: &'a [u8],
    /// The look-up's place in the budgets of guesses, or the refusal of a device that has guessed too often.
    lookup: Result<Option<Lookup<'a>>>,
}

impl<'a> Asked<'a> {
    /// Finds the machine, and sees that the caller may speak for it.
    async fn new(
        app: &'a App,
        caller: &'a Caller,
        device_id: &'a str,
        code: &str,
        request: &'a [u8],
    ) -> Result<Self> {
        let id = DeviceId::parse(device_id).ok_or_else(unknown_device)?;
        let device = app.near.device(&app.vends, Scope::of(caller), id).await?;
        let Some(device) = device.filter(|device| device.belongs_below(caller.group())) else {
            return Err(not_found(app, caller, id).await);
        };
        let requester = match caller.grant.who {
            // In the machine's own spelling.
            Who::Key { .. } if device_id.eq_ignore_ascii_case(&device.hostname) => device.hostname.clone(),
            Who::Key { .. } => device_id.to_owned(),
            Who::Account(id) => requester_of(id),
        };
        let lookup = app.guesses.take(caller.grant.who, &device).await.map(Some);
        Ok(Self { app, caller, device, requester, code: Code::parse(code), request, lookup })
    }

    /// Turns away a device that has guessed too often.
    fn admit(&mut self) -> Result<()> {
        let lookup = std::mem::replace(&mut self.lookup, Ok(None))?;
        self.lookup = Ok(lookup);
        Ok(())
    }

    /// The same, unless it proves to know the code: it holds it locked, or has redeemed this order with it.
    async fn admit_proven(&mut self, held: bool, order_id: Option<&str>) -> Result<()> {
        let (Err(_), Some(code)) = (&self.lookup, &self.code) else { return self.admit() };
        let (app, device) = (self.app, &*self.device);
        let is_proven = held && proof::holds(app, device, code).await?
            || match order_id {
                Some(order_id) => proof::has_redeemed(app, device, code, order_id).await?,
                None => false,
            };
        if is_proven { Ok(()) } else { self.admit() }
    }

    /// The code, if it looks like one.
    async fn code(&mut self) -> Result<Code> {
        match self.code.take() {
            Some(code) => Ok(code),
            None => Err(self.unknown().await),
        }
    }

    /// One failed look-up more: the same answer for codes of others and of nobody.
    async fn unknown(&mut self) -> Error {
        let counted = match std::mem::replace(&mut self.lookup, Ok(None)) {
            Ok(Some(lookup)) => lookup.failed(&self.app.hot, self.app.clock.now()).await,
            Ok(None) => Ok(()),
            Err(too_many) => Err(too_many),
        };
        let Err(too_many) = counted else { return Error::NotFound("voucher") };
        security::note(Event::BudgetUsedUp, Some(self.caller.grant.who), self.caller.address.0, "look-ups");
        too_many
    }

    fn log(&self, action: Action, success: bool, voucher: Uuid, currency: &str, response: &str) {
        self.app.audit.log(Logged {
            voucher,
            action,
            success,
            machine: self.device.machine,
            group: self.device.groups.first().copied().unwrap_or_default(),
            requester: self.requester.clone(),
            location: self.device.location,
            request: String::from_utf8_lossy(self.request).into_owned(),
            response: response.to_owned(),
            currency: currency.into(),
            at: self.app.clock.now(),
            since: Instant::now(),
        });
    }
}

fn unknown_device() -> Error {
    Error::invalid("/deviceId", "is not the hostname or gateway id of a machine of yours")
}

/// The permission of a key to speak for machines, and of a person to act in the place of one.
fn needed(caller: &Caller) -> Permission {
    match caller.grant.who {
        Who::Key { .. } => Permission::VoucherRedeem,
        Who::Account(_) => Permission::VoucherOnBehalf,
    }
}

/// Returns the refusal of a device id that names no machine for the caller.
async fn not_found(app: &App, caller: &Caller, id: DeviceId<'_>) -> Error {
    if caller.machine().is_some() {
        return if id.is_mere_digits() { unknown_device() } else { device_id::other_machine() };
    }
    let counted = app.guesses.unknown_device(caller.grant.who, &app.hot, app.clock.now()).await;
    counted.err().unwrap_or_else(unknown_device)
}

/// Validate at the machine, locking the voucher for the device.
///
/// Always 200 for a voucher that this device may know of: `valid` says whether it may be used here
/// and now, `reason` the first thing that stands in the way.
#[utoipa::path(post, path = "/voucher/{code}/validate", tag = "voucher", operation_id = "validate_voucher",
    params(("code" = String, Path, description = "As printed; case, space and look-alikes of generated codes are forgiven")),
    request_body = ValidateRequest,
    responses((status = 200, description = "Whether it may be used, and what for", body = ValidateAnswer)))]
async fn validate(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    body: Unread<RawJson<ValidateRequest>>,
) -> Result<Response> {
    let RawJson { bytes, value: body } = body.read(&app, &caller, needed(&caller)).await?;
    let lock = lock_duration(&app, body.lock_duration)?;
    let demand = body.demand.of_at_least(0);
    let mut asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    asked.admit()?;
    let code = asked.code().await?;
    let validated = validate::validate(&app, &asked.device, &code, &demand, lock).await?;
    let Some(Validated { voucher, verdict, at }) = validated else { return Err(asked.unknown().await) };
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
    request_body = RedeemRequest,
    responses((status = 200, description = "Whether it was redeemed, and for what", body = RedeemAnswer)))]
async fn redeem(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    body: Unread<RawJson<RedeemRequest>>,
) -> Result<Response> {
    let RawJson { bytes, value: body } = body.read(&app, &caller, needed(&caller)).await?;
    let order = order(body.order, body.demand, &bytes)?;
    let mut asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    asked.admit_proven(true, Some(&order.id)).await?;
    let code = asked.code().await?;
    let redeemed = redeem::redeem(&app, &asked.device, &asked.requester, &code, &order).await?;
    let (answer, currency) = match redeemed {
        Redeemed::Unknown => return Err(asked.unknown().await),
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
    request_body = ReleaseRequest,
    responses((status = 200, description = "Whether the lock was given back", body = ReleaseAnswer)))]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    body: Unread<RawJson<ReleaseRequest>>,
) -> Result<Response> {
    let RawJson { bytes, value: body } = body.read(&app, &caller, needed(&caller)).await?;
    let mut asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    asked.admit_proven(true, None).await?;
    let code = asked.code().await?;
    let Some(released) = release::release(&app, &asked.device, &code).await? else {
        return Err(asked.unknown().await);
    };
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
    request_body = RollbackRequest,
    responses((status = 200, description = "Whether it was undone", body = RollbackAnswer)))]
async fn rollback(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    body: Unread<RawJson<RollbackRequest>>,
) -> Result<Response> {
    let RawJson { bytes, value: body } = body.read(&app, &caller, needed(&caller)).await?;
    let order_id = text("/order/id", &body.order.id)?;
    let reason = body.reason.as_deref().map(|reason| text("/reason", reason)).transpose()?;
    let mut asked = Asked::new(&app, &caller, &body.device_id, &code, &bytes).await?;
    asked.admit_proven(false, Some(order_id)).await?;
    let code = asked.code().await?;
    let undone = rollback::rollback(&app, &asked.device, &asked.requester, &code, order_id, reason);
    let Some(undone) = undone.await? else {
        // Asking for orders is as good as asking for codes.
        return Err(match asked.unknown().await {
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
