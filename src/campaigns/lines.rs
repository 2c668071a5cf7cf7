//! The words of a client that are printed: the four lines of a coupon and their style, each with its
//! pointer in the body that it came in.

use super::{
    campaign::{Campaign, CampaignDraft, CampaignPatch},
    voucher::Voucher,
    voucher_change::VoucherReplacement,
    voucher_draft::VoucherDraft,
};

/// The lines of a coupon and its style.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// The four lines.
    pub texts: [Line<'a>; 4],
    /// How they look: JSON as text.
    pub style: Line<'a>,
}

/// A text, if there is one, and the pointer to it.
pub type Line<'a> = (&'static str, Option<&'a str>);

impl<'a> Lines<'a> {
    fn of_campaign(texts: [Option<&'a str>; 4], style: Option<&'a str>) -> Self {
        let [first, second, third, fourth] = texts;
        let texts = [
            ("/voucherText1", first),
            ("/voucherText2", second),
            ("/voucherText3", third),
            ("/voucherText4", fourth),
        ];
        Self { texts, style: ("/voucherStyle", style) }
    }

    fn of_voucher(texts: [Option<&'a str>; 4], style: Option<&'a str>) -> Self {
        let [first, second, third, fourth] = texts;
        let texts = [("/text1", first), ("/text2", second), ("/text3", third), ("/text4", fourth)];
        Self { texts, style: ("/style", style) }
    }

    /// Without those that `stored` has too.
    #[must_use]
    pub fn besides(mut self, stored: &Self) -> Self {
        let stored = stored.texts.iter().chain([&stored.style]);
        for (sent, (_, stored)) in self.texts.iter_mut().chain([&mut self.style]).zip(stored) {
            sent.1 = sent.1.filter(|text| Some(*text) != *stored);
        }
        self
    }
}

/// Lines of a type whose fields hold them.
macro_rules! lines {
    ($($holder:ty),*: $of:ident($first:ident, $second:ident, $third:ident, $fourth:ident; $style:ident)) => {$(
        impl $holder {
            /// What its coupons say, and how that looks.
            pub fn lines(&self) -> Lines<'_> {
                let texts = [&self.$first, &self.$second, &self.$third, &self.$fourth];
                Lines::$of(texts.map(Option::as_deref), self.$style.as_deref())
            }
        }
    )*};
}

lines!(Campaign, CampaignDraft: of_campaign(voucher_text1, voucher_text2, voucher_text3, voucher_text4; voucher_style));
lines!(Voucher, VoucherDraft, VoucherReplacement: of_voucher(text1, text2, text3, text4; style));

impl CampaignPatch {
    /// What it has coupons say from now on, and how that looks.
    pub fn lines(&self) -> Lines<'_> {
        let texts = [&self.voucher_text1, &self.voucher_text2, &self.voucher_text3, &self.voucher_text4];
        let style = self.voucher_style.as_ref().and_then(Option::as_deref);
        Lines::of_campaign(texts.map(|text| text.as_ref().and_then(Option::as_deref)), style)
    }
}
