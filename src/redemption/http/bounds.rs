//! What a request may say: bounds that the API's types can't express.

use super::body::OrderRequest;
use crate::{
    app::App,
    error::{Error, Issue, Result},
    redemption::{
        demand::{AMOUNT_MAX, Demand},
        redeem::Order,
    },
};
use chrono::Duration;

/// The longest id or reason that a client can send, in characters.
pub(super) const TEXT_MAX: usize = 200;

/// Positions in one order at most.
const ITEMS_MAX: usize = 500;

/// 0 is no lock; longer than allowed is as long as allowed.
pub(super) fn lock_duration(app: &App, seconds: Option<f64>) -> Result<Option<Duration>> {
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

/// An order within bounds.
pub(super) fn order(order: OrderRequest, demand: Demand, request: &[u8]) -> Result<Order> {
    let items = order.items.unwrap_or_default();
    if items.len() > ITEMS_MAX {
        return Err(Error::invalid("/order/items", format!("must be at most {ITEMS_MAX}")));
    }
    for (at, item) in items.iter().enumerate() {
        text(format!("/order/items/{at}/productId"), &item.product_id)?;
        amount(format!("/order/items/{at}/quantity"), item.quantity, 0)?;
        amount(format!("/order/items/{at}/price"), item.price, 0)?;
    }
    Ok(Order {
        id: text("/order/id", &order.id)?.to_owned(),
        amount: amount("/order/amount", order.amount, 0)?,
        items: items.into_iter().map(|item| (item.product_id, item.quantity, item.price)).collect(),
        demand: demand.of_at_least(1),
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
pub(super) fn text(pointer: impl Into<std::borrow::Cow<'static, str>>, text: &str) -> Result<&str> {
    if text.trim().is_empty() || text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            pointer,
            format!("must be 1 to {TEXT_MAX} characters, none of them a control character"),
        ));
    }
    Ok(text)
}
