//! What a PDF is asked for with: sheet, bleed, marks and ruler, in the words of the style.

use crate::{
    campaigns::style::Style,
    error::{Error, Issue, Result},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// What to print on. What is not said is as the campaign's style has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// `a4-3x8` (24 labels of 63.5 × 33.9 mm), `a4-2x7`, `a4-4x10`, `letter-3x8`, `letter-2x7`, `letter-4x10`,
    /// or one coupon a page: `a6`, `business-card`, `receipt-58`, `receipt-80`.
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
}

impl Options {
    /// The same as a style that says nothing else.
    fn read(&self) -> Result<Style> {
        let text = serde_json::to_string(self).map_err(Error::fault)?;
        let malformed = |fault: crate::campaigns::style::Fault| Issue::at(fault.pointer, fault.detail);
        Style::read(&text).map_err(|faults| Error::Malformed(faults.into_iter().map(malformed).collect()))
    }

    /// Refuses what can't be printed on.
    pub fn check(&self) -> Result<()> {
        self.read().map(|_| ())
    }

    /// The style with these in the place of what it says itself.
    pub fn over(&self, style: &Style) -> Result<Style> {
        let asked = self.read()?;
        Ok(Style {
            sheet: asked.sheet.or(style.sheet),
            bleed: asked.bleed.or(style.bleed),
            marks: asked.marks.or(style.marks),
            ruler: asked.ruler.or(style.ruler),
            ..style.clone()
        })
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
