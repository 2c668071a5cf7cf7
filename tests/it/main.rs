//! Everything that needs real stores, in one binary. Run by `make test`.

#![expect(clippy::unwrap_used, reason = "a test that can't set itself up is to fail")]
#![expect(unreachable_pub, reason = "one binary: `pub` says what the tests use of the harness")]

mod activity;
mod alerts;
mod app;
mod assortment;
mod audits;
mod campaigns;
mod charts;
mod client;
mod coupons;
mod database;
mod edge;
mod exports;
mod fairness;
mod faults;
mod field;
mod follow;
mod gateway;
mod generation;
mod harness;
mod history;
mod hot;
mod identity;
mod images;
mod inheritance;
mod integrations;
mod list;
mod load;
mod logos;
mod logs;
mod looks;
mod lua;
mod model;
mod moments;
mod opening_hours;
mod owner;
mod pair;
mod races;
mod redemption;
mod reports;
mod resources;
mod retention;
mod roles;
mod server;
mod stores;
mod surface;
mod sweep;
mod tally;
mod telemetry;
mod users;
mod vouchers;
mod whole;
mod world;
