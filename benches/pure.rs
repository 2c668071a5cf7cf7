//! What is computed without the stores: packing, verdicts, rules, codes, and a page of coupons.
//!
//! `cargo bench` prints times; only their ratios carry over to other machines.

use chrono::{DateTime, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{SeedableRng, rngs::StdRng};
use scrip::{
    campaigns::style::SheetKind,
    coupons::{
        coupon::Coupon,
        lettering::Typefaces,
        press::{self, Print},
        sheet::Sheet,
        symbol::Plan,
    },
    redemption::{
        code::{self, Code},
        hot::Copy,
        journal,
        rules::{Device, Products, Rule, RuleField, hold},
        voucher::{Ask, Campaign, CampaignType, Facts, Kind, State, Terms, Voucher, choose},
    },
    time::Frequency,
};
use std::{hint::black_box, sync::Arc};
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_500_000_000).unwrap_or_default()
}

fn device() -> Device {
    Device {
        machine: 7,
        hostname: "vm-0007".to_owned(),
        groups: vec![3, 2, 1],
        location: 10,
        location_external_ref: Some("kiosk".to_owned()),
        location_groups: vec![100, 101],
        machine_groups: vec![70],
        machine_type: 4,
    }
}

fn rules(count: usize) -> Vec<Rule> {
    (0..count).map(|n| Rule { field: RuleField::Location, value: (n + 11 - count).to_string() }).collect()
}

fn voucher(number: u128, rule_count: usize) -> Voucher {
    let terms = Terms {
        kind: Kind::Discount,
        value: 100,
        limit: Some(3),
        reset: Frequency::Day,
        zone: chrono_tz::Europe::Amsterdam,
        starts_at: None,
        expires_at: Some(now() + chrono::Duration::days(30)),
    };
    let campaign = Campaign {
        id: 1,
        group: 1,
        kind: CampaignType::Discount,
        active: true,
        version: 1,
        currency: "EUR".into(),
        terms,
        rules: rules(rule_count),
    };
    let facts = Facts {
        id: Uuid::from_u128(number),
        code: "00000-ABCDEFGHJKMN".into(),
        generated: true,
        campaign: 1,
        version: 1,
        active: true,
        created_at: now(),
        own: None,
        rules: Vec::new(),
    };
    let state = State { period: DateTime::UNIX_EPOCH, count: 0, balance: 0, lock: None };
    Voucher { campaign: Arc::new(campaign), facts: Arc::new(facts), state }
}

fn pure(c: &mut Criterion) {
    let (device, now) = (device(), now());
    let ask = Ask::Validate { demand: None };

    let copy = Copy::new(&voucher(1, 0).facts, voucher(1, 0).state, 1, 1, 1);
    let (id, bytes) = (copy.id, copy.pack());
    c.bench_function("unpack a copy, header alone", |b| {
        b.iter(|| Copy::unpack(id.as_bytes(), black_box(&bytes)));
    });
    c.bench_function("unpack a copy's facts", |b| b.iter(|| black_box(&copy).facts()));

    for count in [0, 1, 10] {
        let voucher = voucher(1, count);
        c.bench_function(&format!("verdict with {count} rules"), |b| {
            b.iter(|| black_box(&voucher).verdict(&device, ask, now));
        });
    }
    let many: Vec<Voucher> = (1..=8).map(|number| voucher(number, 1)).collect();
    for count in [1, 8] {
        c.bench_function(&format!("choose among {count} vouchers of a code"), |b| {
            b.iter(|| choose(black_box(&many[..count]), &device, ask, now).is_some());
        });
    }
    let ten = rules(10);
    c.bench_function("hold 10 rules", |b| b.iter(|| hold(black_box(&ten), &device)));
    let plus: Vec<Rule> = (0..10).map(|n| Rule { field: RuleField::Product, value: n.to_string() }).collect();
    c.bench_function("expression of 10 products", |b| b.iter(|| Products::of(black_box(&plus)).expression()));

    let mut rng = StdRng::seed_from_u64(1);
    c.bench_function("generate a code", |b| b.iter(|| code::generate("00000", 1_000_000, &mut rng)));
    c.bench_function("parse a code", |b| b.iter(|| Code::parse(black_box("00000-ABCDEFGHJKMN"))));
    c.bench_function("idempotency key", |b| {
        b.iter(|| journal::idempotency_key(black_box("00000-ABCDEFGHJKMN"), 7, "order-1"));
    });
    c.bench_function("start of a day in its zone", |b| {
        b.iter(|| Frequency::Day.period_start(chrono_tz::Europe::Amsterdam, black_box(now)));
    });
}

/// A page of coupons, and what of it is the encoding of their QR codes.
fn coupons(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let coupons: Vec<Coupon> = (0..24)
        .map(|_| Coupon {
            code: code::generate("00000", 5_000, &mut rng),
            texts: [
                "Free coffee",
                "One hot drink of your choice",
                "Ձեր սուրճը՝ մեր հաշվին",
                "At any machine",
            ]
            .map(|text| Some(text.to_owned())),
            value: Some("€2.50".to_owned()),
            expiry: Some("Valid until 31 December 2027".to_owned()),
            style: Arc::default(),
        })
        .collect();
    c.bench_function("encode 24 QR codes", |b| {
        b.iter(|| coupons.iter().all(|coupon| Plan::of(&coupon.code).is_ok_and(|plan| plan.draw().is_ok())));
    });
    let Ok(typefaces) = Typefaces::load(None) else { return };
    let print = Print {
        sheet: Sheet::new(SheetKind::default(), None, None, None),
        logo: None,
        title: "Coupons".to_owned(),
        language: "en-US".to_owned(),
        typefaces: Arc::new(typefaces),
    };
    c.bench_function("print 24 coupons", |b| {
        b.iter(|| press::print(black_box(&print), &coupons, &mut |_| true).is_ok());
    });
}

criterion_group!(benches, pure, coupons);
criterion_main!(benches);
