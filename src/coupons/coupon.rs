//! What one coupon says, and what there is to say about how it fits its paper.

use crate::campaigns::style::{Label, Style};
use std::sync::Arc;

/// What one coupon says. Amount and date are in words already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coupon {
    /// Its code.
    pub code: String,
    /// Its four lines of text.
    pub texts: [Option<String>; 4],
    /// What it is worth.
    pub value: Option<String>,
    /// Until when it is good.
    pub expiry: Option<String>,
    /// How it looks.
    pub style: Arc<Style>,
}

/// A part of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `text1`: its headline.
    Text1,
    /// `text2`: the line below it.
    Text2,
    /// `text3`: what else there is to say.
    Text3,
    /// `text4`: the small print.
    Text4,
    /// What it is worth.
    Value,
    /// Until when it is good.
    Expiry,
    /// Its code, for people to read.
    Code,
    /// Its code as bars.
    Code128,
    /// The picture on it.
    Logo,
}

/// The four lines of text, in their order.
pub const TEXTS: [Part; 4] = [Part::Text1, Part::Text2, Part::Text3, Part::Text4];

impl From<Label> for Part {
    fn from(label: Label) -> Self {
        match label {
            Label::Text1 => Self::Text1,
            Label::Text2 => Self::Text2,
            Label::Text3 => Self::Text3,
            Label::Text4 => Self::Text4,
            Label::Value => Self::Value,
            Label::Expiry => Self::Expiry,
            Label::Code => Self::Code,
        }
    }
}

impl Part {
    /// As the API calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text1 => "text1",
            Self::Text2 => "text2",
            Self::Text3 => "text3",
            Self::Text4 => "text4",
            Self::Value => "value",
            Self::Expiry => "expiry",
            Self::Code => "code",
            Self::Code128 => "code128",
            Self::Logo => "logo",
        }
    }
}

/// What became of a part that did not fit as it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was set smaller, at this size in points.
    Shrunk(f32),
    /// It was set at its smallest size, on so many lines.
    Wrapped(usize),
    /// Its end is missing: an ellipsis stands for it.
    Cut,
    /// There was no room for it.
    LeftOut,
    /// No font has these characters.
    Missing(Vec<char>),
    /// No coupon follows these properties of its style.
    Ignored(String),
}

/// Something that was done to a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Which part.
    pub part: Part,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why coupons can't be printed as they are.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// What the QR code is to say is too much for any.
    #[error("what the QR code of {code} says is too long")]
    TooLong {
        /// The coupon's code.
        code: String,
    },
    /// Its modules would be too small to be printed and read.
    #[error(
        "what the QR code of {code} says is too long for this sheet: its modules would be {module_mm:.2} mm wide"
    )]
    TooDense {
        /// The coupon's code.
        code: String,
        /// What a module would measure, in millimetres.
        module_mm: f32,
    },
    /// A font can't be put into a PDF.
    #[error("the font {name} can't be embedded: {why}")]
    Font {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Whoever watched the progress wanted it to end.
    #[error("stopped")]
    Stopped,
}
