//! Tests of [`super`]: what a voucher takes from its campaign once it is changed.

use super::{
    tests::{at, gift, value},
    *,
};
use crate::campaigns::properties::tests::campaign;

/// The same with all terms as they were, only brought up to date.
fn unchanged(now: &Standing) -> Standing {
    Standing { schedule: now.schedule.clone(), ..inheriting() }
}

/// One that follows a campaign of gifts of 500 cents in everything.
fn inheriting() -> Standing {
    let of_campaign = CampaignDefaults { reset_frequency: Frequency::Never, ..campaign() };
    Standing {
        inherits: true,
        own: OwnProperties::default(),
        expires_on: of_campaign.expires_on.clone(),
        redemption_limit: of_campaign.redemption_limit,
        defaults: of_campaign,
        ..gift(500, 500, Frequency::Never)
    }
}

#[test]
fn a_replacement_by_what_was_read_changes_nothing() {
    let mut voucher = inheriting();
    let read: VoucherReplacement = serde_json::from_value(serde_json::json!({
        "campaign": 1, "type": "gift", "value": 500, "validationRules": [], "redemptionLimit": 1,
        "resetFrequency": "never", "expiresOn": "2027-12-31", "timeZone": "Europe/Amsterdam", "text1": "Cheers"
    }))
    .unwrap();
    let span = voucher.replace(read, at("2026-11-24T12:00:00Z")).unwrap();
    assert_eq!((&voucher, span), (&unchanged(&voucher), Span::default()));
}

#[test]
fn a_replacement_takes_from_the_campaign_what_it_lacks() {
    let mut voucher = gift(500, 100, Frequency::Week);
    let asked = serde_json::json!({"campaign": 1, "type": "gift", "value": 600, "validationRules": []});
    voucher.replace(serde_json::from_value(asked).unwrap(), at("2026-11-24T12:00:00Z")).unwrap();
    assert_eq!((voucher.reset_frequency, voucher.redemption_limit), (Frequency::Day, Some(1)));
    assert_eq!((voucher.own.reset_frequency, voucher.own.time_zone), (None, None));
    assert_eq!((voucher.own.value, voucher.balance), (Some(600), Some(200)));
}

#[test]
fn a_patch_of_what_a_voucher_has_already_leaves_it_with_its_campaign() {
    let mut voucher = inheriting();
    let now = at("2026-11-24T12:00:00Z");
    voucher.amend(value(500), now).unwrap();
    assert_eq!(voucher, unchanged(&voucher));
    voucher.amend(value(600), now).unwrap();
    assert!(!voucher.inherits);
    let own = OwnProperties { value: Some(600), ..OwnProperties::copied(&voucher.defaults) };
    assert_eq!(voucher.own, own);
}

#[test]
fn a_type_is_the_campaigns() {
    let mut voucher = inheriting();
    voucher.total_redemption_count = 0;
    let asked = serde_json::json!({"campaign": 1, "type": "discount", "value": 5, "validationRules": []});
    let error = voucher
        .replace(serde_json::from_value(asked).unwrap(), at("2026-11-24T12:00:00Z"))
        .unwrap_err()
        .problem();
    assert_eq!((error.status, &*error.errors[0].pointer), (422, "/type"));
}
