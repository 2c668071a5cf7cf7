//! How coupons look: what a `style` or `voucherStyle` can say, as data.
//!
//! It is the JSON of the published API (`{"voucherText1Lbl": {"fontSize": "28px"}}`) and a few more
//! words of the same kind. It is never markup: nothing in it is fetched or run.

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SheetKind {
    /// `a4-3x8`: 24 labels of 63.5 × 33.9 mm.
    #[default]
    A4ThreeByEight,
    /// `a4-2x7`: 14 labels of 99.1 × 38.1 mm.
    A4TwoBySeven,
    /// `a4-4x10`: 40 labels of 45.7 × 25.4 mm.
    A4FourByTen,
    /// `letter-3x8`: 24 labels.
    LetterThreeByEight,
    /// `letter-2x7`: 14 labels of 4 × 1⅓ inches.
    LetterTwoBySeven,
    /// `letter-4x10`: 40 labels.
    LetterFourByTen,
    /// `a6`: one coupon of 105 × 148 mm a page.
    A6,
    /// `business-card`: one coupon of 85 × 55 mm a page.
    BusinessCard,
    /// `receipt-58`: a strip of paper 58 mm wide, as long as it takes.
    Receipt58,
    /// `receipt-80`: a strip of paper 80 mm wide, as long as it takes.
    Receipt80,
}

/// What the QR code of a coupon says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// The code itself.
    #[default]
    Code,
    /// An address with the code in the place of `{code}`.
    Url(String),
    /// A GS1 Digital Link with a Global Coupon Number.
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
