//! What coupons are printed with.

use crate::campaigns::style::Rgb;

/// A colour on paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ink {
    /// So much of black alone: 1 is black. Text in one ink can't be printed out of register.
    Key(f32),
    /// A colour as screens mix it.
    Screen(Rgb),
}

/// Black.
pub const BLACK: Ink = Ink::Key(1.0);
/// What small print is set in.
pub(super) const MUTED: Ink = Ink::Key(0.68);
/// What lies under the amount on a coupon that has room for that.
pub(super) const TINT: Ink = Ink::Key(0.07);

impl From<Rgb> for Ink {
    /// Greys are printed with black alone.
    fn from(color: Rgb) -> Self {
        let Rgb(red, green, blue) = color;
        if red == green && green == blue {
            Self::Key(1.0 - f32::from(red) / 255.0)
        } else {
            Self::Screen(color)
        }
    }
}
