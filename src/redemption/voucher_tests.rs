//! Tests of [`super`]: precedence, resets, choice, amounts.

use super::*;
use crate::redemption::rules::{RuleField, tests::device};
use crate::time::Frequency;
use chrono::Duration;
use chrono_tz::{America::New_York, Europe::Amsterdam};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn now() -> DateTime<Utc> {
    at("2026-06-01T10:00:00Z")
}

fn terms(kind: Kind, value: i64) -> Terms {
    Terms {
        kind,
        value,
        limit: None,
        reset: Frequency::Never,
        zone: Amsterdam,
        starts_at: None,
        expires_at: None,
    }
}

/// A gift of 100 cents with 60 left, redeemed once of twice, for products 5 and 7.
fn gift() -> Voucher {
    let own = OwnTerms { kind: Some(Kind::Gift), value: Some(100), limit: Some(2), ..OwnTerms::default() };
    let rule = |value: &str| Rule { field: RuleField::Product, value: value.to_owned() };
    let campaign = Campaign {
        id: 1,
        group: 1,
        kind: CampaignType::Dynamic,
        active: true,
        version: 1,
        currency: "EUR".into(),
        terms: terms(Kind::Discount, 0),
        history: History::default(),
        rules: vec![rule("5"), rule("7")],
    };
    let facts = Facts {
        id: Uuid::from_u128(1),
        code: "00000-ABC".into(),
        generated: true,
        campaign: 1,
        version: 1,
        active: true,
        created_at: at("2026-05-01T00:00:00Z"),
        own,
        terms_since: DateTime::UNIX_EPOCH,
        rules: Vec::new(),
    };
    let state = State { period: DateTime::UNIX_EPOCH, count: 1, balance: 60, lock: None };
    Voucher::new(Arc::new(campaign), Arc::new(facts), state)
}

const ORDER: Ask<'_> = Ask::Redeem { order_amount: 250, demand: 50, products: &["5"] };

/// Puts an obstacle in a voucher's way.
type Obstacle = (Refusal, fn(&mut Voucher));

fn own(voucher: &mut Voucher) -> &mut Terms {
    &mut voucher.terms
}

/// Every obstacle, in order of precedence.
fn obstacles() -> Vec<Obstacle> {
    vec![
        (Refusal::CampaignInactive, |voucher| Arc::make_mut(&mut voucher.campaign).active = false),
        (Refusal::VoucherInactive, |voucher| Arc::make_mut(&mut voucher.facts).active = false),
        (Refusal::NotStarted, |voucher| own(voucher).starts_at = Some(now() + Duration::milliseconds(1))),
        (Refusal::Expired, |voucher| own(voucher).expires_at = Some(now())),
        (Refusal::RedemptionLimitReached, |voucher| voucher.state.count = 2),
        (Refusal::InsufficientBalance, |voucher| voucher.state.balance = 49),
        (Refusal::Locked { till: now() + Duration::seconds(9) }, |voucher| {
            voucher.state.lock = Some(Lock { owner: 8, till: now() + Duration::seconds(9) });
        }),
        (Refusal::RuleNotMet, |voucher| {
            let rule = Rule { field: RuleField::Machine, value: "8".to_owned() };
            Arc::make_mut(&mut voucher.facts).rules.push(rule);
        }),
        (Refusal::CurrencyMismatch, |voucher| Arc::make_mut(&mut voucher.campaign).currency = "JPY".into()),
        (Refusal::ProductNotAllowed, |voucher| {
            let rule = Rule { field: RuleField::Product, value: "7".to_owned() };
            Arc::make_mut(&mut voucher.facts).rules.push(rule);
        }),
    ]
}

#[test]
fn each_refusal_beats_all_later_ones() {
    let obstacles = obstacles();
    for combination in 0u32..1 << obstacles.len() {
        let mut voucher = gift();
        let present = obstacles.iter().enumerate().filter(|(at, _)| combination & (1 << at) != 0);
        let present: Vec<_> = present.map(|(_, obstacle)| obstacle).collect();
        for (_, put) in &present {
            put(&mut voucher);
        }
        let expected = present.first().map_or(Ok(50), |(refusal, _)| Err(*refusal));
        assert_eq!(voucher.verdict(&device(), ORDER, now()), expected, "{combination:b}");
    }
}

#[test]
fn what_is_not_in_the_way_is_no_obstacle() {
    let mut voucher = gift();
    own(&mut voucher).starts_at = Some(now());
    own(&mut voucher).expires_at = Some(now() + Duration::milliseconds(1));
    voucher.state.balance = 50;
    voucher.state.lock = Some(Lock { owner: 7, till: now() + Duration::seconds(1) });
    assert_eq!(voucher.verdict(&device(), ORDER, now()), Ok(50));
    voucher.state.lock = Some(Lock { owner: 8, till: now() });
    assert_eq!(voucher.verdict(&device(), ORDER, now()), Ok(50), "a lock ends at its end");
    // Without a list of products none is refused: the machine has asked before.
    let order = Ask::Redeem { order_amount: 250, demand: 50, products: &[] };
    assert_eq!(voucher.verdict(&device(), order, now()), Ok(50));
    assert_eq!(
        voucher.verdict(
            &device(),
            Ask::Redeem { order_amount: 250, demand: 50, products: &["5", "6"] },
            now()
        ),
        Err(Refusal::ProductNotAllowed)
    );
}

#[test]
fn an_empty_gift_is_refused_even_to_those_who_ask_for_nothing() {
    let mut voucher = gift();
    voucher.state.balance = 0;
    for demand in [None, Some(0), Some(10)] {
        let verdict = voucher.verdict(&device(), Ask::Validate { demand }, now());
        assert_eq!(verdict, Err(Refusal::InsufficientBalance), "{demand:?}");
    }
}

/// The state of a voucher with these terms at a later time.
fn later(state: State, terms: &Terms, now: DateTime<Utc>) -> State {
    let mut voucher = Voucher { state, ..gift() };
    *own(&mut voucher) = terms.clone();
    let facts = Arc::make_mut(&mut voucher.facts);
    (facts.own.reset, facts.own.zone) = (Some(terms.reset), Some(terms.zone));
    voucher.state_at(now)
}

#[test]
fn a_lock_in_force_carries_its_owners_redemption_past_the_end_and_nothing_else() {
    let held = |owner, seconds| Some(Lock { owner, till: now() + Duration::seconds(seconds) });
    let validate = Ask::Validate { demand: None };
    let mut voucher = gift();
    own(&mut voucher).expires_at = Some(now());
    for (lock, ask, expected) in [
        (None, ORDER, Err(Refusal::Expired)),
        (held(7, 1), ORDER, Ok(50)),
        (held(7, 0), ORDER, Err(Refusal::Expired)),
        (held(8, 1), ORDER, Err(Refusal::Expired)),
        (held(7, 1), validate, Err(Refusal::Expired)),
    ] {
        voucher.state.lock = lock;
        assert_eq!(voucher.verdict(&device(), ask, now()), expected, "{lock:?} {ask:?}");
    }
    voucher.state.lock = held(7, 1);
    for (refusal, put) in obstacles().into_iter().filter(|(refusal, _)| *refusal != Refusal::Expired) {
        let mut voucher = voucher.clone();
        put(&mut voucher);
        // Another's lock is none of its own.
        let expected = if matches!(refusal, Refusal::Locked { .. }) { Refusal::Expired } else { refusal };
        assert_eq!(voucher.verdict(&device(), ORDER, now()), Err(expected));
    }
}

#[test]
fn a_period_begins_at_midnight_where_the_voucher_is() {
    let day = |zone| Terms { reset: Frequency::Day, zone, ..terms(Kind::Gift, 100) };
    let spent = State { period: at("2026-10-24T22:00:00Z"), count: 3, balance: 1, lock: None };
    // The day on which Amsterdam sets its clocks back has 25 hours.
    assert_eq!(later(spent, &day(Amsterdam), at("2026-10-25T22:59:59.999Z")), spent);
    let fresh = State { period: at("2026-10-25T23:00:00Z"), count: 0, balance: 100, lock: None };
    assert_eq!(later(spent, &day(Amsterdam), at("2026-10-25T23:00:00Z")), fresh);
    let new_york = State { period: at("2026-10-25T04:00:00Z"), ..spent };
    assert_eq!(later(new_york, &day(New_York), at("2026-10-26T03:59:59Z")), new_york);
    assert_eq!(later(new_york, &day(New_York), at("2026-10-26T04:00:00Z")).count, 0);
    let discount = Terms { reset: Frequency::Day, ..terms(Kind::Discount, 100) };
    assert_eq!(later(spent, &discount, at("2026-11-01T00:00:00Z")).balance, 0);
}

fn voucher(number: u128, group: i64, expires_in: Option<i64>, age: i64, usable: bool) -> Voucher {
    let mut voucher = gift();
    let facts = Arc::make_mut(&mut voucher.facts);
    (facts.id, facts.active) = (Uuid::from_u128(number), usable);
    facts.created_at -= Duration::days(age);
    own(&mut voucher).expires_at = expires_in.map(|days| now() + Duration::days(days));
    Arc::make_mut(&mut voucher.campaign).group = group;
    voucher
}

#[test]
fn a_code_means_the_usable_one_then_the_first_to_expire_then_the_oldest() {
    let chosen = |vouchers: &[Voucher]| {
        choose(vouchers, &device(), ORDER, now()).map(|voucher| voucher.facts.id.as_u128())
    };
    let (own_group, ancestor, foreign) = (3, 1, 4);
    assert_eq!(chosen(&[]), None);
    assert_eq!(chosen(&[voucher(1, foreign, None, 0, true)]), None);
    assert_eq!(
        chosen(&[voucher(1, foreign, Some(1), 9, true), voucher(2, ancestor, None, 0, false)]),
        Some(2)
    );
    assert_eq!(
        chosen(&[voucher(1, ancestor, Some(1), 9, false), voucher(2, own_group, None, 0, true)]),
        Some(2)
    );
    assert_eq!(
        chosen(&[voucher(1, ancestor, None, 9, true), voucher(2, own_group, Some(5), 0, true)]),
        Some(2)
    );
    assert_eq!(
        chosen(&[voucher(1, ancestor, Some(5), 1, true), voucher(2, own_group, Some(5), 2, true)]),
        Some(2)
    );
    assert_eq!(
        chosen(&[voucher(2, ancestor, Some(5), 1, true), voucher(1, own_group, Some(5), 1, true)]),
        Some(1)
    );
    assert_eq!(
        chosen(&[voucher(1, ancestor, Some(9), 1, false), voucher(2, own_group, Some(5), 0, false)]),
        Some(2)
    );
}

proptest! {
    #[test]
    fn the_order_in_which_vouchers_are_found_does_not_matter(
        of in prop::collection::vec((prop::sample::select(vec![1i64, 3, 4]), prop::option::of(0i64..3), 0i64..3, any::<bool>()), 0..6),
        turn in 0usize..6,
    ) {
        let mut vouchers: Vec<Voucher> = (1..)
            .zip(&of)
            .map(|(number, &(group, expires_in, age, usable))| voucher(number, group, expires_in, age, usable))
            .collect();
        let id = |vouchers: &[Voucher]| choose(vouchers, &device(), ORDER, now()).map(|voucher| voucher.facts.id);
        let chosen = id(&vouchers);
        prop_assert_eq!(chosen.is_some(), of.iter().any(|(group, ..)| *group != 4));
        vouchers.rotate_left(turn.min(of.len()));
        prop_assert_eq!(id(&vouchers), chosen);
        vouchers.reverse();
        prop_assert_eq!(id(&vouchers), chosen);
    }

    #[test]
    fn a_state_is_reset_once_a_period_and_keeps_no_lapsed_lock(
        since in 0i64..1_000_000, seconds in 0i64..10_000_000, count in 0i64..9, balance in 0i64..100,
        lock in prop::option::of((1i64..9, 0i64..12_000_000)),
        reset in prop::sample::select(vec![Frequency::Day, Frequency::Week, Frequency::Month, Frequency::Never]),
        zone in prop::sample::select(vec![Amsterdam, New_York]),
    ) {
        let terms = Terms { reset, zone, ..terms(Kind::Gift, 100) };
        let start = now() + Duration::seconds(since);
        let lock = lock.map(|(owner, till)| Lock { owner, till: start + Duration::seconds(till) });
        let state = State { period: reset.period_start(zone, start), count, balance, lock };
        let end = start + Duration::seconds(seconds);
        let then = later(state, &terms, end);
        prop_assert_eq!(later(then, &terms, end), then, "looking twice changes nothing");
        prop_assert_eq!(then.lock, lock.filter(|lock| lock.till > end));
        if reset.period_start(zone, end) == state.period {
            prop_assert_eq!((then.count, then.balance, then.period), (count, balance, state.period));
        } else {
            prop_assert_eq!((then.count, then.balance), (0, 100));
            prop_assert!(state.period < then.period && then.period <= end);
        }
    }

    #[test]
    fn what_a_voucher_lacks_is_its_campaigns_and_the_earlier_end_holds(
        own_end in prop::option::of(0i64..9), campaign_end in prop::option::of(0i64..9),
        limit in prop::option::of(1i64..9), campaign_limit in prop::option::of(1i64..9),
        reset in prop::option::of(prop::sample::select(vec![Frequency::Day, Frequency::Never])),
        zone in prop::option::of(prop::sample::select(vec![Amsterdam, New_York])),
    ) {
        let day = |days| now() + Duration::days(days);
        let campaign = Terms {
            limit: campaign_limit, reset: Frequency::Week, starts_at: Some(day(-1)),
            expires_at: campaign_end.map(day), ..terms(Kind::Gift, 100)
        };
        let own = OwnTerms { limit, reset, zone, expires_at: own_end.map(day), ..OwnTerms::default() };
        let terms = own.over(&campaign);
        prop_assert_eq!(terms.expires_at, own_end.into_iter().chain(campaign_end).min().map(day));
        prop_assert_eq!((terms.kind, terms.value, terms.starts_at), (Kind::Gift, 100, Some(day(-1))));
        prop_assert_eq!(terms.limit, limit.or(campaign_limit));
        prop_assert_eq!((terms.reset, terms.zone), (reset.unwrap_or(Frequency::Week), zone.unwrap_or(Amsterdam)));
        prop_assert_eq!(OwnTerms::default().over(&campaign), campaign);
    }

    #[test]
    fn amounts_stay_within_value_order_demand_and_balance(
        value in 0i64..1_000, balance in 0i64..1_000, order_amount in 0i64..1_000, demand in 0i64..1_000,
    ) {
        let state = State { period: DateTime::UNIX_EPOCH, count: 0, balance, lock: None };
        let order = Ask::Redeem { order_amount, demand, products: &[] };
        let (discount, gift) = (terms(Kind::Discount, value), terms(Kind::Gift, value));
        prop_assert_eq!(amount_off(&discount, &state, Ask::Validate { demand: Some(demand) }), value);
        prop_assert_eq!(amount_off(&discount, &state, order), value.min(order_amount));
        prop_assert_eq!(amount_off(&gift, &state, Ask::Validate { demand: None }), balance);
        prop_assert_eq!(amount_off(&gift, &state, Ask::Validate { demand: Some(demand) }), demand.min(balance));
        prop_assert_eq!(amount_off(&gift, &state, order), demand);
    }
}
