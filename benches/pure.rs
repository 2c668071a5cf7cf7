//! What is computed without the stores: records, verdicts, rules, codes, bodies, and a page of coupons.
//!
//! `cargo bench` prints times; only their ratios carry over to other machines.

use chrono::{DateTime, Utc};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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
    http::extract::parse,
    redemption::{
        code::{self, Code},
        hot::Copy,
        http::body::{Discount, ValidateAnswer, ValidateRequest},
        journal,
        period::History,
        rules::{Device, Products, Rule, RuleField, hold},
        voucher::{Ask, Campaign, CampaignType, Facts, Kind, OwnTerms, State, Terms, Voucher, choose},
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
        location_external_ref_group: 1,
        location_groups: vec![100, 101],
        machine_groups: vec![70],
        machine_type: 4,
        currency: "EUR".into(),
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
        history: History::default(),
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
        own: OwnTerms::default(),
        terms_since: DateTime::UNIX_EPOCH,
        rules: Vec::new(),
    };
    let state = State { period: DateTime::UNIX_EPOCH, count: 0, balance: 0, lock: None };
    Voucher::new(Arc::new(campaign), Arc::new(facts), state)
}

fn products(count: usize) -> Vec<Rule> {
    (0..count).map(|n| Rule { field: RuleField::Product, value: n.to_string() }).collect()
}

fn records(c: &mut Criterion) {
    let voucher = voucher(1, 0);
    let copy = Copy::new(&voucher.facts, voucher.state, 1, 1, 1);
    let (id, bytes) = (copy.id, copy.pack());
    c.bench_function("pack a copy", |b| b.iter(|| black_box(&copy).pack()));
    c.bench_function("pack a voucher's facts into a copy", |b| {
        b.iter(|| Copy::new(black_box(&voucher.facts), voucher.state, 1, 1, 1));
    });
    c.bench_function("unpack a copy, header alone", |b| {
        b.iter(|| Copy::unpack(id.as_bytes(), black_box(&bytes)));
    });
    c.bench_function("unpack a copy's facts", |b| b.iter(|| black_box(&copy).facts()));
    for count in [1, 8] {
        let fields: Vec<(Vec<u8>, Vec<u8>)> =
            (1..=count).map(|n| (Uuid::from_u128(n).as_bytes().to_vec(), bytes.clone())).collect();
        c.bench_function(&format!("unpack the hash of a code, {count} vouchers"), |b| {
            b.iter(|| Copy::unpack_all(black_box(&fields)));
        });
    }
}

fn verdicts(c: &mut Criterion) {
    let (device, now) = (device(), now());
    let ask = Ask::Validate { demand: None };
    for count in [0, 1, 10, 100] {
        let voucher = voucher(1, count);
        c.bench_function(&format!("verdict with {count} rules"), |b| {
            b.iter(|| black_box(&voucher).verdict(&device, ask, now));
        });
        let rules = rules(count);
        c.bench_function(&format!("hold {count} rules"), |b| b.iter(|| hold(black_box(&rules), &device, 1)));
        let products = products(count);
        c.bench_function(&format!("expression of {count} products"), |b| {
            b.iter(|| Products::of(black_box(&products)).expression());
        });
    }
    let many: Vec<Voucher> = (1..=8).map(|number| voucher(number, 1)).collect();
    for count in [1, 2, 4, 8] {
        c.bench_function(&format!("choose among {count} vouchers of a code"), |b| {
            b.iter(|| choose(black_box(&many[..count]), &device, ask, now).is_some());
        });
    }
    c.bench_function("start of a day in its zone", |b| {
        b.iter(|| Frequency::Day.period_start(chrono_tz::Europe::Amsterdam, black_box(now)));
    });
}

fn codes(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut thousand = c.benchmark_group("codes");
    thousand.throughput(Throughput::Elements(1_000));
    thousand.bench_function("generate 1,000", |b| {
        b.iter(|| (0..1_000).map(|_| code::generate("00000", 1_000_000, &mut rng)).collect::<Vec<_>>());
    });
    thousand.finish();
    for (what, typed) in [("as printed", "00000-ABCDEFGHJKMN"), ("as typed", " ooooo-abcdefghjkmn ")] {
        c.bench_function(&format!("parse a code {what}"), |b| b.iter(|| Code::parse(black_box(typed))));
    }
    c.bench_function("check a code", |b| b.iter(|| code::is_intact(black_box("00000-ABCDEFGHJKMN"))));
    let scanned = Code::parse("00000-ABCDEFGHJKMN").expect("a code");
    c.bench_function("idempotency key", |b| {
        b.iter(|| journal::idempotency_key(black_box(&scanned), true, 7, "order-1"));
    });
}

/// What a validate reads and writes: the request as the extractor reads it, the answer as it is sent.
fn bodies(c: &mut Criterion) {
    let plain = br#"{"deviceId":"vm-0007","lockDuration":30}"#;
    let full = br#"{"deviceId":"vm-0007","lockDuration":30,"demand":{"amount":250}}"#;
    let wrong = br#"{"deviceId":"vm-0007","lockDuration":"30","demand":{"amount":250}}"#;
    for (what, body) in [("", plain.as_slice()), (" with a demand", full), (" that is wrong", wrong)] {
        c.bench_function(&format!("read a validate{what}"), |b| {
            b.iter(|| parse::<ValidateRequest>(black_box(body)));
        });
    }
    for count in [0, 10] {
        let mut voucher = voucher(1, 0);
        let campaign = Campaign { rules: products(count), ..(*voucher.campaign).clone() };
        voucher.campaign = Arc::new(campaign);
        c.bench_function(&format!("write a validate's answer with {count} products"), |b| {
            b.iter(|| serde_json::to_string(&answer(black_box(&voucher))));
        });
    }
}

fn answer(voucher: &Voucher) -> ValidateAnswer {
    ValidateAnswer {
        code: voucher.facts.code.to_string(),
        campaign_type: voucher.campaign.kind,
        voucher_id: voucher.facts.id,
        valid: true,
        reason: None,
        locked_till: None,
        voucher_value: voucher.value(now()),
        discount: Discount::of(100),
        valid_for: voucher.products().into(),
    }
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

criterion_group!(benches, records, verdicts, codes, bodies, coupons);
criterion_main!(benches);
