//! Coupons: vouchers on paper.

pub mod lettering;
