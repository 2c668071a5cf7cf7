//! Coupons: vouchers on paper.

pub mod area;
pub mod bars;
pub mod composer;
pub mod coupon;
pub mod layout;
pub mod lettering;
pub mod logo;
pub mod press;
pub mod recent;
pub mod sheet;
pub mod symbol;
pub mod wording;
