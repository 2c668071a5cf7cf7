//! Coupons: vouchers on paper.

pub mod lettering;
pub mod wording;
