//! One kind of request: what is sent, and what must be answered.

use crate::target::Target;
use serde_json::{Value, json};

/// A scenario: its name, and the verbs that it is made of with their weights.
pub(crate) type Mix = (&'static str, &'static [(Verb, usize)]);

/// What can be asked for by name.
pub(crate) const MIXES: [Mix; 5] = [
    ("validate", &[(Verb::Validate, 1)]),
    ("validate-lock", &[(Verb::ValidateLock, 1)]),
    ("redeem", &[(Verb::Redeem, 1)]),
    ("redeem-hot", &[(Verb::RedeemHot, 1)]),
    ("mixed", &[(Verb::ValidateLock, 70), (Verb::Redeem, 25), (Verb::RedeemPoor, 3), (Verb::Guess, 2)]),
];

#[derive(Clone, Copy)]
pub(crate) enum Verb {
    Validate,
    ValidateLock,
    Redeem,
    /// Of the one gift voucher that everybody redeems.
    RedeemHot,
    /// Asks a gift voucher for more than it holds.
    RedeemPoor,
    Guess,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::ValidateLock => "validate-lock",
            Self::Redeem => "redeem",
            Self::RedeemHot => "redeem-hot",
            Self::RedeemPoor => "redeem-poor",
            Self::Guess => "guess",
        }
    }

    /// The path, for a machine that holds `code`.
    pub(crate) fn path(self, target: &Target, code: &str) -> String {
        match self {
            Self::Validate | Self::ValidateLock => format!("/voucher/{code}/validate"),
            Self::Redeem => format!("/voucher/{code}/redeem"),
            Self::RedeemHot => format!("/voucher/{}/redeem", target.hot),
            Self::RedeemPoor => format!("/voucher/{}/redeem", target.poor),
            Self::Guess => format!("/voucher/GUESS-{:08}/validate", rand::random_range(0..100_000_000)),
        }
    }

    pub(crate) fn body(self, device: &str, order: &str) -> Value {
        let order = json!({ "id": order, "amount": 250 });
        match self {
            Self::Validate | Self::Guess => json!({ "deviceId": device }),
            Self::ValidateLock => json!({ "deviceId": device, "lockDuration": 30 }),
            Self::Redeem => json!({ "deviceId": device, "order": order }),
            Self::RedeemHot => json!({ "deviceId": device, "order": order, "demand": { "amount": 1 } }),
            Self::RedeemPoor => json!({ "deviceId": device, "order": order, "demand": { "amount": 100 } }),
        }
    }

    pub(crate) const fn status(self) -> u16 {
        if matches!(self, Self::Guess) { 404 } else { 200 }
    }

    /// What an answer of that status must say.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Validate | Self::ValidateLock => "\"valid\":true",
            Self::Redeem | Self::RedeemHot => "\"redeemed\":true",
            Self::RedeemPoor => "\"redeemed\":false",
            Self::Guess => "",
        }
    }
}
