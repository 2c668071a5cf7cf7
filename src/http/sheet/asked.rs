//! The parameters of an export, besides its rows: columns, form, zone and name, alike for all.

use crate::{
    error::{Error, Result},
    http::list::ListParams,
};
use chrono_tz::Tz;
use utoipa::IntoParams;

/// The longest name of a file, in characters.
const FILENAME_MAX: usize = 100;

/// The media type of a workbook.
pub const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As lines of text.
    Csv {
        /// Whether it begins with the mark by which a spreadsheet knows UTF-8.
        bom: bool,
        /// What stands between two cells.
        separator: u8,
    },
    /// As a workbook of Office Open XML.
    Workbook,
    /// As an object a line.
    Lines,
}

/// What an export is asked for with.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How it is written.
    pub form: Form,
    /// Its columns.
    pub columns: Vec<&'static str>,
    /// The zone that times are shown in.
    pub zone: Tz,
    /// What the file is called, without its ending.
    pub filename: String,
}

/// The parameters that say how an export is written.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes")]
pub struct FormParams {
    /// `csv` (also if left out), or `xlsx` for a workbook in which codes and barcodes are text.
    #[param(example = "xlsx")]
    format: Option<String>,
    /// Whether CSV begins with a byte order mark, by which Excel knows UTF-8.
    bom: Option<bool>,
    /// What stands between two cells of CSV: `comma` (also if left out), `semicolon` or `tab`.
    #[param(example = "semicolon")]
    separator: Option<String>,
    /// What the file is to be called.
    filename: Option<String>,
}

impl Form {
    /// Takes it out of the parameters of an export.
    pub fn take(params: &mut ListParams) -> Result<Self> {
        let is_workbook = match params.take("format")?.as_deref() {
            None | Some("csv") => false,
            Some("xlsx") => true,
            Some(_) => return Err(Error::malformed("/format", "must be csv or xlsx")),
        };
        Self::of(is_workbook, params.take_flag("bom")?, params.take("separator")?.as_deref())
    }

    /// A workbook, or CSV with what is said of it.
    pub fn of(is_workbook: bool, bom: bool, separator: Option<&str>) -> Result<Self> {
        if is_workbook {
            let csv_alone = |pointer| Err(Error::malformed(pointer, "goes with CSV alone"));
            return match (bom, separator) {
                (true, _) => csv_alone("/bom"),
                (_, Some(_)) => csv_alone("/separator"),
                (false, None) => Ok(Self::Workbook),
            };
        }
        let separator = match separator {
            None | Some("comma" | ",") => b',',
            Some("semicolon" | ";") => b';',
            Some("tab" | "\t") => b'\t',
            Some(_) => return Err(Error::malformed("/separator", "must be comma, semicolon or tab")),
        };
        Ok(Self::Csv { bom, separator })
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8",
            Self::Workbook => WORKBOOK,
            Self::Lines => "application/jsonl",
        }
    }

    /// A name with its ending.
    pub(super) fn file(self, name: &str) -> String {
        let ending = match self {
            Self::Csv { .. } => ".csv",
            Self::Workbook => ".xlsx",
            Self::Lines => ".jsonl",
        };
        if name.to_ascii_lowercase().ends_with(ending) { name.to_owned() } else { format!("{name}{ending}") }
    }
}

impl Asked {
    /// Takes it out of the parameters of an export that can have the columns in `known`. Without another
    /// wish its file has this name.
    pub fn take(params: &mut ListParams, known: &[&'static str], name: &str) -> Result<Self> {
        Ok(Self {
            form: Form::take(params)?,
            columns: columns(&params.take_all("columns"), known)?,
            zone: zone(params.take("timezone")?)?,
            filename: filename(params.take("filename")?, name)?,
        })
    }
}

/// The zone that times are to be shown in: UTC, if none was asked for.
pub fn zone(text: Option<String>) -> Result<Tz> {
    let zone = text.map_or(Ok(Tz::UTC), |text| text.parse());
    zone.map_err(|_| Error::malformed("/timezone", "is no zone of the IANA database, like Europe/Amsterdam"))
}

/// Returns the name of a file: as it is asked for, or else `name`.
pub fn filename(text: Option<String>, name: &str) -> Result<String> {
    let Some(text) = text else { return Ok(name.to_owned()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    if text.is_empty() || text.len() > FILENAME_MAX || !text.chars().all(plain) || text.starts_with('.') {
        return Err(Error::malformed("/filename", "may have letters, digits, dots, dashes and spaces"));
    }
    Ok(text)
}

/// Reads the names of columns, each at most once.
fn columns(texts: &[String], known: &[&'static str]) -> Result<Vec<&'static str>> {
    if texts.is_empty() {
        return Err(Error::malformed("/columns", "is required: names separated by commas"));
    }
    let mut columns = Vec::new();
    for name in texts.iter().map(|text| text.trim()) {
        let Some(column) = known.iter().find(|known| **known == name) else {
            return Err(Error::malformed("/columns", format!("are of {}", known.join(", "))));
        };
        if columns.contains(column) {
            return Err(Error::malformed("/columns", format!("names `{column}` twice")));
        }
        columns.push(*column);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let mut params = ListParams::parse("/export", query);
        let asked = Asked::take(&mut params, &["code", "value"], "vouchers");
        asked.map_err(|error| error.problem().errors[0].pointer.to_string())
    }

    #[test]
    fn an_export_is_asked_for_in_words() {
        let plain = asked("columns=code, value").unwrap();
        assert_eq!((plain.columns.as_slice(), plain.zone), (&["code", "value"][..], Tz::UTC));
        assert_eq!(plain.form, Form::Csv { bom: false, separator: b',' });
        assert_eq!(plain.form.file(&plain.filename), "vouchers.csv");
        let wanted =
            asked("columns[]=value&columns[]=code&format=xlsx&filename=Mai 2026&timezone=Asia/Yerevan");
        let wanted = wanted.unwrap();
        assert_eq!((wanted.columns.as_slice(), wanted.zone), (&["value", "code"][..], Tz::Asia__Yerevan));
        assert_eq!(wanted.form.file(&wanted.filename), "Mai 2026.xlsx");
        assert_eq!(wanted.form.file("a.XLSX"), "a.XLSX");
        for (query, bom, separator) in [
            ("bom=true", true, b','),
            ("bom=1&separator=%3B", true, b';'),
            ("format=csv&separator=semicolon", false, b';'),
            ("separator=tab&bom=false", false, b'\t'),
        ] {
            let asked = asked(&format!("columns=code&{query}")).unwrap();
            assert_eq!(asked.form, Form::Csv { bom, separator }, "{query}");
        }
    }

    #[test]
    fn what_can_not_be_exported_is_named() {
        for (query, pointer) in [
            ("", "/columns"),
            ("columns=", "/columns"),
            ("columns=code,", "/columns"),
            ("columns=code,code", "/columns"),
            ("columns=colour", "/columns"),
            ("columns=code&format=ods", "/format"),
            ("columns=code&separator=|", "/separator"),
            ("columns=code&bom=perhaps", "/bom"),
            ("columns=code&format=xlsx&bom=true", "/bom"),
            ("columns=code&format=xlsx&separator=tab", "/separator"),
            ("columns=code&filename=../x", "/filename"),
            ("columns=code&timezone=Mars", "/timezone"),
        ] {
            assert_eq!(asked(query).unwrap_err(), pointer, "{query}");
        }
    }
}
