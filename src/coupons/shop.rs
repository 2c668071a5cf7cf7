//! The print shop: from vouchers in the database to PDFs, off the async workers, a few at a time.

use super::{
    coupon::{Coupon, Flaw},
    lettering::Typefaces,
    logo::Logo,
    notes::Note,
    options::Options,
    press::{self, Print},
    store::{Design, Voucher},
    wording,
};
use crate::{
    app::App,
    campaigns::{
        style::{Locale, Style},
        terms::{ValueType, zone},
    },
    config::Config,
    error::{Error, Result},
    fairness::{Gate, Limits},
    fleet::image::{self, Size},
};
use quick_cache::sync::Cache;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Logos that are kept: each has a few megabytes at most.
const LOGOS: usize = 16;

/// Prints that wait for their turn at most.
const WAITING_MAX: usize = 256;

/// How long one waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// Prints coupons.
#[derive(Debug)]
pub struct PrintShop {
    typefaces: Arc<Typefaces>,
    /// How amounts and dates are written where no style says so.
    locale: Locale,
    turns: Gate,
    /// Logos that were read, by the hash of their image.
    logos: Cache<Vec<u8>, Arc<Logo>>,
}

/// Styles that were read, by their text: coupons of the same style share it.
type Styles = HashMap<Option<String>, Arc<Style>>;

/// A PDF that was printed.
#[derive(Debug)]
pub(super) struct Pdf {
    pub(super) bytes: Vec<u8>,
    pub(super) pages: usize,
    pub(super) notes: Vec<Note>,
}

impl PrintShop {
    /// With the fonts and the room that `config` gives it. The error says which font can't be used.
    pub fn new(config: &Config) -> Result<Self> {
        let typefaces = Typefaces::load(config.font_dir.as_deref()).map_err(Error::fault)?;
        let places = config.coupons_parallel_max;
        Ok(Self {
            typefaces: Arc::new(typefaces),
            locale: config.locale,
            turns: Gate::new(Limits {
                what: "coupons",
                places,
                share: places.div_ceil(2),
                waiting: WAITING_MAX,
                patience: PATIENCE,
                retry_after_s: 5,
            }),
            logos: Cache::new(LOGOS),
        })
    }

    /// One PDF of these vouchers of a campaign.
    pub(super) async fn print(
        &self,
        app: &App,
        design: &Design,
        options: &Options,
        vouchers: Vec<Voucher>,
    ) -> Result<Pdf> {
        let style = Self::style(design.voucher_style.as_deref());
        let print = self.setting(app, design, options, &style).await?;
        let mut styles = Styles::new();
        let locale = self.locale(design);
        let coupon = |voucher| Self::coupon(&design.currency, locale, voucher, &mut styles);
        let coupons: Vec<Coupon> = vouchers.into_iter().map(coupon).collect();
        let stop = app.stop.clone();
        self.work(design.user_group, move || {
            let printed = press::print(&print, &coupons, &mut |_| !stop.is_cancelled()).map_err(refusal)?;
            let notes = printed.remarks.iter().map(Note::from).collect();
            Ok(Pdf { bytes: printed.bytes, pages: printed.pages, notes })
        })
        .await
    }

    /// The fonts.
    pub(super) fn typefaces(&self) -> &Arc<Typefaces> {
        &self.typefaces
    }

    /// What would have to be done for a voucher's coupon to fit. Refuses a sheet that there is not.
    pub(super) async fn preview(
        &self,
        app: &App,
        design: &Design,
        options: &Options,
        voucher: Voucher,
    ) -> Result<Vec<Note>> {
        let style = Self::style(design.voucher_style.as_deref());
        options.check(&style)?;
        let print = self.setting(app, design, options, &style).await?;
        let coupon = Self::coupon(&design.currency, self.locale(design), voucher, &mut Styles::new());
        self.work(design.user_group, move || {
            let notes = press::check(&print, &coupon).map_err(refusal)?;
            Ok(notes.iter().map(|note| Note::of(note, 1, &coupon.code)).collect())
        })
        .await
    }

    /// What is printed on, for coupons of this style.
    async fn setting(&self, app: &App, design: &Design, options: &Options, style: &Style) -> Result<Print> {
        let sheet = options.sheet(style)?;
        let logo = match design.voucher_logo_img {
            Some(id) => Some(self.logo(app, design.user_group, id).await?),
            None => None,
        };
        Ok(Print {
            sheet,
            logo,
            title: design.name.clone(),
            language: style.locale.unwrap_or_else(|| self.locale(design)).to_string(),
            typefaces: Arc::clone(&self.typefaces),
        })
    }

    /// A logo; to read one takes as long as many coupons.
    async fn logo(&self, app: &App, group: i64, id: i64) -> Result<Arc<Logo>> {
        let hash = image::store::hash(&app.db, group, id, Size::Original).await?;
        if let Some(logo) = self.logos.get(&hash) {
            return Ok(logo);
        }
        let image = image::store::fetch(&app.db, group, id, Size::Original).await?;
        // The image may be another by now.
        let hash = image.hash.clone();
        let logo = self.work(group, move || Logo::read(&image).map(Arc::new).map_err(Error::fault)).await?;
        self.logos.insert(hash, Arc::clone(&logo));
        Ok(logo)
    }

    /// The locale of coupons whose own style has none.
    fn locale(&self, design: &Design) -> Locale {
        Self::style(design.campaign_style.as_deref()).locale.unwrap_or(self.locale)
    }

    /// What a voucher's coupon says, in words.
    fn coupon(currency: &str, locale: Locale, voucher: Voucher, styles: &mut Styles) -> Coupon {
        let Voucher { code, value, expires_on, time_zone, text1, text2, text3, text4, style, .. } = voucher;
        let style = styles.entry(style).or_insert_with_key(|text| Arc::new(Self::style(text.as_deref())));
        let locale = style.locale.unwrap_or(locale);
        let worth = wording::value(ValueType::Cents, value, currency, locale);
        let expiry = expires_on.and_then(|text| wording::expiry(&text, zone(&time_zone), locale));
        let texts = [text1, text2, text3, text4].map(|text| text.filter(|text| !text.trim().is_empty()));
        Coupon {
            code,
            texts,
            // A voucher for nothing off is for something else, which its texts say.
            value: (value > 0).then_some(worth),
            expiry,
            style: Arc::clone(style),
        }
    }

    /// A stored style. One from before the grammar, which could not be stored now, says nothing.
    pub(super) fn style(text: Option<&str>) -> Style {
        text.and_then(|text| Style::read(text).ok()).unwrap_or_default()
    }

    /// Works off the async workers when it is the turn of the user group whose coupons they are.
    async fn work<T: Send + 'static>(
        &self,
        group: i64,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.enter(group).await?;
        let work = move || {
            let outcome = work();
            drop(turn);
            outcome
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(Error::fault(panic)))
    }
}

/// A flaw as whoever asked is told of it.
fn refusal(flaw: Flaw) -> Error {
    match flaw {
        Flaw::TooLong { .. } | Flaw::TooDense { .. } => Error::invalid("/sheet", flaw.to_string()),
        Flaw::Font { .. } | Flaw::Stopped => Error::fault(flaw),
    }
}
