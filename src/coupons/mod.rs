//! Coupons: vouchers on paper.

pub mod lettering;
pub mod logo;
pub mod wording;
