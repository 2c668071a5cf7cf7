//! Everything that needs real stores, in one binary. Run by `make test`.

#![expect(clippy::unwrap_used, reason = "a test that can't set itself up is to fail")]
#![expect(unreachable_pub, reason = "one binary: `pub` says what the tests use of the harness")]

mod activity;
mod alerts;
mod assortment;
mod audits;
mod campaigns;
mod charts;
mod coupons;
mod edge;
mod exports;
mod fairness;
mod faults;
mod follow;
mod gateway;
mod generation;
mod harness;
mod history;
mod hot;
mod idempotency;
mod identity;
mod images;
mod inheritance;
mod integrations;
mod list;
mod logos;
mod logs;
mod looks;
mod lua;
mod model;
mod moments;
mod opening_hours;
mod owner;
mod races;
mod redemption;
mod reference;
mod reports;
mod resources;
mod retention;
mod roles;
mod schema;
mod settings;
mod support;
mod surface;
mod sweep;
mod telemetry;
mod users;
mod vouchers;
mod whole;
mod written_back;

use support::{app, client, database, field, load, pair, server, stores, tally, world};
