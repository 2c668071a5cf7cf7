//! Scrip: the voucher and campaign server for vending fleets.
//!
//! A machine scans a code, validates it with a lock, vends, and redeems it. [`redemption`] is that
//! story and the centre of this crate; everything else makes vouchers, says who may use them, or
//! shows what happened. The way down is HTTP → domain → store, never back.

pub mod activity;
pub mod alerts;
pub mod app;
pub mod assortment;
pub mod author;
pub mod budget;
pub mod campaigns;
pub mod charts;
pub mod config;
pub mod coupons;
pub mod crash;
pub mod dashboards;
pub mod demo;
pub mod error;
pub mod fairness;
pub mod files;
pub mod fleet;
pub mod gateway;
pub mod http;
pub mod idempotency;
pub mod identity;
pub mod ids;
pub mod integrations;
pub mod jobs;
pub mod lull;
pub mod mail;
pub mod notice;
pub mod offload;
pub mod postgres;
pub mod redemption;
pub mod reports;
pub mod resource;
pub mod retention;
pub mod seal;
pub mod security;
pub mod stores;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod transaction;
pub mod users;
pub mod wording;
