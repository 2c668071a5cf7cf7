//! What a PDF is asked for with: sheet, bleed, marks and ruler in the words of the style, and what is so
//! for one time alone: a sheet that is used in part, and a printer that is off.

use super::{
    area::mm,
    sheet::{OFFSET_MAX, Sheet},
};
use crate::{
    campaigns::style::Style,
    error::{Error, Issue, Result},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// What to print on. What is not said is as the campaign's style has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// `a4-3x8` (24 labels of 63.5 × 33.9 mm; Avery L7159), `a4-3x7` (L7160), `a4-2x7` (L7163), `a4-4x10` (L7654),
    /// `letter-3x10` (Avery 5160), `letter-2x7` (5162), `letter-3x8`, `letter-4x10`, or one coupon a page: `a6`,
    /// `business-card`, `receipt-58`, `receipt-80`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "a4-3x8")]
    pub sheet: Option<String>,
    /// How far artwork goes on beyond the cut, in millimetres: at most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "3mm")]
    pub bleed: Option<String>,
    /// Whether there are marks to cut at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<bool>,
    /// Whether there is a ruler that shows whether it was printed at 100 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruler: Option<bool>,
    /// The label that the first coupon stands on, counted from 1 along the rows: those before it are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, example = 7)]
    pub start: Option<u16>,
    /// How far everything is moved to the right, in millimetres, for a printer that is off by as much; to the
    /// left if it is negative. At most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "1.5mm")]
    pub offset_x: Option<String>,
    /// The same down, or up if it is negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "-0.5mm")]
    pub offset_y: Option<String>,
}

impl Options {
    /// The same as a style that says nothing else.
    fn read(&self) -> Result<Style> {
        let Self { sheet, bleed, marks, ruler, .. } = self.clone();
        let said = Self { sheet, bleed, marks, ruler, ..Self::default() };
        let text = serde_json::to_string(&said).map_err(Error::fault)?;
        let malformed = |fault: crate::campaigns::style::Fault| Issue::at(fault.pointer, fault.detail);
        Style::read(&text).map_err(|faults| Error::Malformed(faults.into_iter().map(malformed).collect()))
    }

    /// Refuses what can't be printed on. `style` is that of the coupons, if it is known yet.
    pub fn check(&self, style: &Style) -> Result<()> {
        let places = self.sheet(style)?.coupons();
        if self.start.is_some_and(|start| start == 0 || usize::from(start) > places) {
            return Err(Error::malformed("/start", format!("must be from 1 to {places} on this sheet")));
        }
        Ok(())
    }

    /// The sheet that a style asks for, with these in the place of what it says itself.
    pub fn sheet(&self, style: &Style) -> Result<Sheet> {
        let asked = self.read()?;
        let sheet = Sheet::new(
            asked.sheet.or(style.sheet).unwrap_or_default(),
            asked.bleed.or(style.bleed),
            asked.marks.or(style.marks),
            asked.ruler.or(style.ruler),
        );
        let right = offset("/offsetX", self.offset_x.as_deref())?;
        let down = offset("/offsetY", self.offset_y.as_deref())?;
        Ok(sheet.starting_at(self.start.unwrap_or(1).into()).moved(right, down))
    }

    /// The same for what follows on sheets that are not used yet.
    #[must_use]
    pub fn on_whole_sheets(self) -> Self {
        Self { start: None, ..self }
    }

    /// Puts them behind an address.
    pub fn append_to(&self, url: &mut String) -> Result<()> {
        let serde_json::Value::Object(said) = self.to_json()? else { return Ok(()) };
        for (name, value) in said {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(
                &form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish(),
            );
        }
        Ok(())
    }

    /// As it is kept with a campaign's PDF.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(Error::fault)
    }
}

/// A length to move things by, in points: millimetres, whether it says so or not.
fn offset(pointer: &'static str, text: Option<&str>) -> Result<f32> {
    let Some(text) = text else { return Ok(0.0) };
    let number = text.trim();
    let number = number.strip_suffix("mm").unwrap_or(number).trim_end();
    let plain = number.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c));
    let length = number.parse().ok().filter(|_| plain).map(mm);
    // A hair more is no reason to refuse.
    length
        .filter(|length: &f32| length.abs() <= OFFSET_MAX * 1.0001)
        .ok_or_else(|| Error::malformed(pointer, "must be from -10 to 10 millimetres, like 1.5mm"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::style::SheetKind;

    fn pointer(options: &Options, style: &Style) -> String {
        options.check(style).unwrap_err().problem().errors[0].pointer.to_string()
    }

    #[test]
    fn an_offset_is_in_millimetres() {
        let hundredths = |length: f32| (length / mm(1.0) * 100.0).round() as i64;
        let read = |text: &str| offset("/offsetX", Some(text)).map(hundredths);
        for (text, expected) in
            [("1.5", 150), ("1.5mm", 150), (" -0.25 mm ", -25), ("+3", 300), ("0", 0), ("-10mm", -1000)]
        {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
        assert_eq!(offset("/offsetX", None).map(hundredths).unwrap(), 0);
        for text in ["", "mm", "1px", "1.5in", "10.1", "-11mm", "NaN", "inf", "1e1", "1,5", "--1"] {
            assert_eq!(read(text).unwrap_err().problem().errors[0].pointer, "/offsetX", "{text}");
        }
    }

    #[test]
    fn a_start_is_a_place_of_the_sheet_that_is_printed_on() {
        let start = |start, sheet: Option<&str>| Options {
            start: Some(start),
            sheet: sheet.map(str::to_owned),
            ..Options::default()
        };
        let plain = Style::default();
        let cards = Style { sheet: Some(SheetKind::BusinessCard), ..Style::default() };
        assert!(start(24, None).check(&plain).is_ok() && start(1, None).check(&cards).is_ok());
        assert!(start(30, Some("letter-3x10")).check(&cards).is_ok());
        for (options, style) in
            [(start(0, None), &plain), (start(25, None), &plain), (start(2, None), &cards)]
        {
            assert_eq!(pointer(&options, style), "/start", "{options:?}");
        }
        // Where the style has come to ask for another sheet since, it begins at the top.
        assert_eq!(start(24, None).sheet(&cards).unwrap(), Options::default().sheet(&cards).unwrap());
        assert_eq!(start(7, None).on_whole_sheets(), Options::default());
    }
}
