//! How coupons look: what a `style` or `voucherStyle` can say, as data.
//!
//! It is the JSON of the published API (`{"voucherText1Lbl": {"fontSize": "28px"}}`) and a few more
//! words of the same kind. It is never markup: nothing in it is fetched or run. Properties of CSS that no coupon
//! follows are taken along and told of.

mod canonical;
mod content;
mod css;
mod grammar;
#[cfg(test)]
mod grammar_tests;
mod locale;
mod tree;
mod values;

pub use locale::UnknownLocale;
pub use values::{BLEED_MAX, FONT_SIZE_MAX, FONT_SIZE_MIN};

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The longest style, in bytes of JSON.
pub const STYLE_MAX_BYTES: usize = 4096;

/// Something that is wrong with a style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901) within the style.
    pub pointer: String,
    /// What.
    pub detail: Cow<'static, str>,
}

impl Fault {
    fn at(pointer: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// What a campaign or a voucher asks of its coupons. What is absent is the layout's to choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Style {
    /// `voucherText1Lbl` to `voucherText4Lbl`: the four lines of text.
    pub lines: [Look; 4],
    /// `voucherValueLbl`: what the voucher is worth.
    pub value: Look,
    /// `voucherExpiryLbl`: until when it is good.
    pub expiry: Look,
    /// `voucherCodeLbl`: the code for people to read, below the symbol.
    pub code: Look,
    /// `sheet`: what is printed on.
    pub sheet: Option<SheetKind>,
    /// `bleed`, in points: how far artwork goes on beyond the cut.
    pub bleed: Option<f32>,
    /// `marks`: whether there are marks to cut at.
    pub marks: Option<bool>,
    /// `ruler`: whether there is a ruler that shows whether it was printed at 100 %.
    pub ruler: Option<bool>,
    /// `content`: what the QR code says.
    pub content: Content,
    /// `code128`: whether a bar code stands beside it.
    pub code128: bool,
    /// `locale`: how amounts and dates are written.
    pub locale: Option<Locale>,
    /// Properties that no coupon follows, by label.
    pub ignored: Vec<Ignored>,
}

/// A property of CSS that no coupon follows, or not with this value.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub struct Ignored {
    /// The label that it is said of.
    pub label: Label,
    /// Its name: `letterSpacing`.
    pub property: String,
    /// Its value, as JSON.
    pub value: String,
}

/// A part of a coupon whose look a style can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// `voucherText1Lbl`
    Text1,
    /// `voucherText2Lbl`
    Text2,
    /// `voucherText3Lbl`
    Text3,
    /// `voucherText4Lbl`
    Text4,
    /// `voucherValueLbl`
    Value,
    /// `voucherExpiryLbl`
    Expiry,
    /// `voucherCodeLbl`
    Code,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Text1, Self::Text2, Self::Text3, Self::Text4, Self::Value, Self::Expiry, Self::Code];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text1 => "voucherText1Lbl",
            Self::Text2 => "voucherText2Lbl",
            Self::Text3 => "voucherText3Lbl",
            Self::Text4 => "voucherText4Lbl",
            Self::Value => "voucherValueLbl",
            Self::Expiry => "voucherExpiryLbl",
            Self::Code => "voucherCodeLbl",
        }
    }
}

impl Style {
    /// The look of a label.
    pub const fn look(&self, label: Label) -> &Look {
        let [first, second, third, fourth] = &self.lines;
        match label {
            Label::Text1 => first,
            Label::Text2 => second,
            Label::Text3 => third,
            Label::Text4 => fourth,
            Label::Value => &self.value,
            Label::Expiry => &self.expiry,
            Label::Code => &self.code,
        }
    }

    const fn look_mut(&mut self, label: Label) -> &mut Look {
        let [first, second, third, fourth] = &mut self.lines;
        match label {
            Label::Text1 => first,
            Label::Text2 => second,
            Label::Text3 => third,
            Label::Text4 => fourth,
            Label::Value => &mut self.value,
            Label::Expiry => &mut self.expiry,
            Label::Code => &mut self.code,
        }
    }
}

/// How one line of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// In points.
    pub font_size: Option<f32>,
    /// Whether it is bold.
    pub bold: Option<bool>,
    /// Its colour.
    pub color: Option<Rgb>,
    /// Where it stands in its box.
    pub align: Option<Align>,
    /// Which of the families it is set in.
    pub family: Option<Family>,
    /// `true` for italics.
    pub italic: Option<bool>,
    /// The case of its letters.
    pub case: Option<Case>,
    /// The margins around it, in points: above, on the right, below, on the left.
    pub margins: [f32; 4],
}

/// The case of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Case {
    /// As they come.
    Plain,
    /// All of them large.
    Upper,
    /// All of them small.
    Lower,
    /// The first of each word large.
    Title,
}

impl Case {
    /// Returns a text written so.
    pub fn of(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Title => text
                .split_inclusive(char::is_whitespace)
                .flat_map(|word| {
                    let mut letters = word.chars();
                    let first = letters.next().into_iter().flat_map(char::to_uppercase);
                    first.chain(letters).collect::<Vec<_>>()
                })
                .collect(),
        }
    }
}

/// A colour, as screens mix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Where a line stands in its box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Align {
    /// Where reading it begins: on the left, or on the right for Arabic and Hebrew.
    #[default]
    Start,
    /// On the left.
    Left,
    /// In the middle.
    Center,
    /// On the right.
    Right,
}

/// A family of typefaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Without serifs.
    #[default]
    Sans,
    /// With serifs.
    Serif,
    /// Every character as wide as the other.
    Mono,
}

/// What coupons are printed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SheetKind {
    /// `a4-3x8`: 24 labels of 63.5 × 33.9 mm.
    #[default]
    #[serde(rename = "a4-3x8")]
    A4ThreeByEight,
    /// `a4-3x7`: 21 labels of 63.5 × 38.1 mm.
    #[serde(rename = "a4-3x7")]
    A4ThreeBySeven,
    /// `a4-2x7`: 14 labels of 99.1 × 38.1 mm.
    #[serde(rename = "a4-2x7")]
    A4TwoBySeven,
    /// `a4-4x10`: 40 labels of 45.7 × 25.4 mm.
    #[serde(rename = "a4-4x10")]
    A4FourByTen,
    /// `letter-3x8`: 24 labels.
    #[serde(rename = "letter-3x8")]
    LetterThreeByEight,
    /// `letter-3x10`: 30 labels of 2⅝ × 1 inches.
    #[serde(rename = "letter-3x10")]
    LetterThreeByTen,
    /// `letter-2x7`: 14 labels of 4 × 1⅓ inches.
    #[serde(rename = "letter-2x7")]
    LetterTwoBySeven,
    /// `letter-4x10`: 40 labels.
    #[serde(rename = "letter-4x10")]
    LetterFourByTen,
    /// `a6`: one coupon of 105 × 148 mm a page.
    #[serde(rename = "a6")]
    A6,
    /// `business-card`: one coupon of 85 × 55 mm a page.
    #[serde(rename = "business-card")]
    BusinessCard,
    /// `receipt-58`: a strip of paper 58 mm wide, as long as it takes.
    #[serde(rename = "receipt-58")]
    Receipt58,
    /// `receipt-80`: a strip of paper 80 mm wide, as long as it takes.
    #[serde(rename = "receipt-80")]
    Receipt80,
}

impl SheetKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::A4ThreeByEight,
        Self::A4ThreeBySeven,
        Self::A4TwoBySeven,
        Self::A4FourByTen,
        Self::LetterThreeByEight,
        Self::LetterThreeByTen,
        Self::LetterTwoBySeven,
        Self::LetterFourByTen,
        Self::A6,
        Self::BusinessCard,
        Self::Receipt58,
        Self::Receipt80,
    ];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::A4ThreeByEight => "a4-3x8",
            Self::A4ThreeBySeven => "a4-3x7",
            Self::A4TwoBySeven => "a4-2x7",
            Self::A4FourByTen => "a4-4x10",
            Self::LetterThreeByEight => "letter-3x8",
            Self::LetterThreeByTen => "letter-3x10",
            Self::LetterTwoBySeven => "letter-2x7",
            Self::LetterFourByTen => "letter-4x10",
            Self::A6 => "a6",
            Self::BusinessCard => "business-card",
            Self::Receipt58 => "receipt-58",
            Self::Receipt80 => "receipt-80",
        }
    }

    /// The one that is called so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What the QR code of a coupon says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The code itself.
    #[default]
    Code,
    /// An address with the code in the place of `{code}`.
    Url(String),
    /// A GS1 Digital Link with a Global Coupon Number: application identifier 255 of the GS1 General
    /// Specifications, in the path that GS1's "Digital Link Standard: URI Syntax" gives it.
    ///
    /// The number's serial component has 1 to 12 digits. A code whose body (what is behind its
    /// prefix and the dash) is such a number is written there: `00000-42` gives `/255/{gcn}42`.
    /// Any other code goes along as `?code=`, where readers of the number alone ignore it.
    DigitalLink {
        /// Scheme, domain and path that it begins with, without a slash at its end.
        domain: String,
        /// The 13 digits of the coupon's number, the last of them a check digit.
        gcn: String,
    },
}

/// A language and a country whose way of writing amounts and dates is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale(pub pure_rust_locales::Locale);
