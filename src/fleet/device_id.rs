//! Device ids: what a machine is called by those who speak for it.
//!
//! A device id is a machine's host name, in any case, or its gateway's number. An id of digits alone is a
//! gateway's number, and no machine can be given such a host name; those that had one before keep it. Either has
//! one spelling: a number has no sign, no leading zero and no blanks.
//!
//! Names are looked for among the machines of the caller's group and of the groups below it. A key that is bound
//! to a machine is compared with that machine alone, so that it learns nothing of any other.

use crate::{
    error::{Error, Result},
    http::Caller,
    resource::field::is_hostname,
};
use sqlx::PgPool;
use std::borrow::Cow;

/// A device id that is well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId<'a> {
    text: &'a str,
    gateway: Option<i64>,
}

impl<'a> DeviceId<'a> {
    /// Reads a device id. Returns `None` if no machine can be called so.
    pub fn parse(text: &'a str) -> Option<Self> {
        is_hostname(text).then(|| Self { text, gateway: gateway_number(text) })
    }

    /// Returns the id as it was given.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// Returns the gateway's number that the id is, if it is one.
    pub fn gateway(self) -> Option<i64> {
        self.gateway
    }

    /// Returns the spelling that all spellings of the id share.
    pub fn key(self) -> Cow<'a, str> {
        if self.text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(self.text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(self.text)
        }
    }

    /// Returns `true` if the id is neither a gateway's number nor a host name that can be entered.
    pub fn is_mere_digits(self) -> bool {
        self.gateway.is_none() && is_digits(self.text)
    }
}

/// Returns `true` for digits alone, which stand for a gateway's number.
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn gateway_number(text: &str) -> Option<i64> {
    let is_plain = is_digits(text) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok()).flatten()
}

/// The machines among which a caller's device ids are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The caller's group: its machines, and those of the groups below it.
    pub group: i64,
    /// The only machine, for a key that is bound to one.
    pub machine: Option<i64>,
}

impl Scope {
    /// Returns the scope of a caller.
    pub fn of(caller: &Caller) -> Self {
        Self { group: caller.group(), machine: caller.machine() }
    }
}

/// Finds the machine that a device id names for a caller.
pub async fn machine(db: &PgPool, scope: Scope, id: DeviceId<'_>) -> Result<Option<i64>> {
    let found = sqlx::query_scalar("SELECT id FROM machine_named($1, $2, $3, $4)")
        .bind(id.text)
        .bind(id.gateway)
        .bind(scope.group)
        .bind(scope.machine);
    Ok(found.fetch_optional(db).await?)
}

/// Returns the refusal (403) of a key that names another machine than its own, whether or not there is one.
pub fn other_machine() -> Error {
    Error::Forbidden("this key speaks for another machine".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_a_gateways_number_in_one_spelling_alone() {
        for (text, number) in [("0", 0), ("7", 7), ("769604", 769_604), ("9223372036854775807", i64::MAX)] {
            assert_eq!(DeviceId::parse(text).unwrap().gateway(), Some(number), "{text}");
        }
        for none in
            ["+769604", "-1", " 769604", "769604 ", "7 9", "\u{0667}", "٧", "", " ", "a\0b", ".1", "_1"]
        {
            assert_eq!(DeviceId::parse(none), None, "{none:?}");
        }
        // Machines from before may be called so.
        for text in ["00", "000769604", "9223372036854775808"] {
            let id = DeviceId::parse(text).unwrap();
            assert!(id.gateway().is_none() && id.is_mere_digits(), "{text}");
        }
        for text in ["1e3", "0x10", "10.0.0.1", "1_000"] {
            let id = DeviceId::parse(text).unwrap();
            assert!(id.gateway().is_none() && !id.is_mere_digits(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_number_has_one_spelling(number in 0i64.., zeros in 0usize..4, sign in "[+ -]?") {
            let text = format!("{sign}{}{number}", "0".repeat(zeros));
            let read = DeviceId::parse(&text).and_then(DeviceId::gateway);
            prop_assert_eq!(read, (sign.is_empty() && zeros == 0).then_some(number));
        }

        #[test]
        fn no_text_is_both_a_number_and_another_machines_key(one in "\\PC{0,12}", other in "[0-9a-zA-Z._-]{1,12}") {
            for text in [&one, &other] {
                let Some(id) = DeviceId::parse(text) else { continue };
                let key = id.key();
                let again = DeviceId::parse(&key).unwrap();
                prop_assert_eq!(again.key(), key.clone(), "a key is its own key");
                prop_assert_eq!(again.gateway(), id.gateway());
                prop_assert!(id.gateway().is_none_or(|number| key == number.to_string()));
            }
        }

        #[test]
        fn case_makes_no_difference(name in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}") {
            let (upper, lower) = (name.to_ascii_uppercase(), name.to_ascii_lowercase());
            let key = |text: &str| DeviceId::parse(text).unwrap().key().into_owned();
            prop_assert_eq!(key(&upper), key(&lower));
        }
    }
}
