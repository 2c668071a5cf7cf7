//! Languages and countries by their tags (BCP 47), as far as their way of writing is known.

use super::Locale;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a language is spoken that is named alone, as CLDR's likely subtags have it; languages that
/// are called like their country (`de-DE`) need no entry.
const COUNTRIES: &str = "aa-ET af-ZA ak-GH am-ET an-ES ar-EG as-IN be-BY bn-BD bo-CN br-FR bs-BA ca-ES ce-RU \
    cs-CZ cv-RU cy-GB da-DK dv-MV dz-BT el-GR en-US et-EE eu-ES fa-IR ff-SN fil-PH fy-NL ga-IE gd-GB gl-ES \
    gu-IN gv-GB ha-NG he-IL hi-IN hy-AM ig-NG iu-CA ja-JP ka-GE kk-KZ kl-GL km-KH kn-IN ko-KR ks-IN ku-TR \
    kw-GB ky-KG lb-LU lg-UG li-NL ln-CD lo-LA mi-NZ ml-IN mr-IN ms-MY my-MM nb-NO ne-NP nn-NO nr-ZA oc-FR \
    om-ET or-IN os-RU pa-IN ps-AF pt-BR sa-IN sc-IT sd-IN se-NO si-LK sl-SI sm-WS sq-AL sr-RS ss-ZA st-ZA \
    sv-SE sw-TZ ta-IN te-IN tg-TJ ti-ET tk-TM tl-PH tn-ZA ts-ZA tt-RU ug-CN uk-UA ur-PK ve-ZA vi-VN wa-BE \
    wo-SN xh-ZA yi-US yo-NG yue-HK zh-CN zu-ZA";

/// Languages that are written in several scripts: with the country where none is named, and what
/// glibc, from which the data is, puts behind the name.
const SCRIPTS: &[(&str, &str, &str, &str)] = &[
    ("be", "latn", "BY", "@latin"),
    ("sr", "cyrl", "RS", ""),
    ("sr", "latn", "RS", "@latin"),
    ("uz", "cyrl", "UZ", "@cyrillic"),
    ("uz", "latn", "UZ", ""),
    ("zh", "hans", "CN", ""),
    ("zh", "hant", "TW", ""),
];

/// A tag that names no language and country of which it is known how they write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a language, or a language and a country, that are known: like hy or nl-NL")]
pub struct UnknownLocale;

impl Default for Locale {
    /// English, as in the United States.
    fn default() -> Self {
        Self(pure_rust_locales::Locale::en_US)
    }
}

impl FromStr for Locale {
    type Err = UnknownLocale;

    /// Reads `nl-NL`, `nl` or `sr-Latn-RS`.
    fn from_str(tag: &str) -> Result<Self, UnknownLocale> {
        let tag = tag.to_ascii_lowercase();
        let parts: Vec<&str> = tag.split('-').collect();
        let (language, script, country) = match parts[..] {
            [language] => (language, None, None),
            [language, script] if script.len() == 4 => (language, Some(script), None),
            [language, country] => (language, None, Some(country)),
            [language, script, country] => (language, Some(script), Some(country)),
            _ => return Err(UnknownLocale),
        };
        // Old names of languages, and the one of both Norwegians.
        let language = match language {
            "iw" => "he",
            "in" => "id",
            "no" => "nb",
            "ji" => "yi",
            language => language,
        };
        let written = match script {
            None => None,
            Some(script) => Some(
                SCRIPTS
                    .iter()
                    .find(|(its, one, ..)| *its == language && *one == script)
                    .ok_or(UnknownLocale)?,
            ),
        };
        let country = match (country, written) {
            (Some(country), _) => country.to_ascii_uppercase(),
            (None, Some((_, _, country, _))) => (*country).to_owned(),
            (None, None) => main_country(language),
        };
        let behind = written.map_or("", |(_, _, _, behind)| behind);
        let name = format!("{language}_{country}{behind}");
        pure_rust_locales::Locale::from_str(&name).map(Self).map_err(|_| UnknownLocale)
    }
}

/// Where a language is spoken mainly.
fn main_country(language: &str) -> String {
    let listed = COUNTRIES.split_whitespace().find_map(|tag| {
        let (its, country) = tag.split_once('-')?;
        (its == language).then_some(country)
    });
    listed.map_or_else(|| language.to_ascii_uppercase(), str::to_owned)
}

impl fmt::Display for Locale {
    /// Its tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.to_string();
        let (place, behind) = name.split_once('@').unwrap_or((&name, ""));
        match (place.split_once('_'), behind) {
            (Some((language, country)), "latin") => write!(f, "{language}-Latn-{country}"),
            (Some((language, country)), "cyrillic") => write!(f, "{language}-Cyrl-{country}"),
            (Some((language, country)), _) => write!(f, "{language}-{country}"),
            (None, _) => f.write_str(place),
        }
    }
}

impl Serialize for Locale {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_languages_and_countries() {
        for (tag, shown) in [
            ("nl-NL", "nl-NL"),
            ("NL-be", "nl-BE"),
            ("hy", "hy-AM"),
            ("en", "en-US"),
            ("en-GB", "en-GB"),
            ("ar-EG", "ar-EG"),
            ("de", "de-DE"),
            ("no", "nb-NO"),
            ("iw-IL", "he-IL"),
            ("fil", "fil-PH"),
            ("sr-Latn", "sr-Latn-RS"),
            ("sr-Cyrl-ME", "sr-ME"),
            ("uz-Cyrl-UZ", "uz-Cyrl-UZ"),
            ("zh-Hant", "zh-TW"),
            ("zh-Hans-SG", "zh-SG"),
        ] {
            let locale: Locale = tag.parse().unwrap();
            assert_eq!(locale.to_string(), shown, "{tag}");
            assert_eq!(locale.to_string().parse(), Ok(locale), "{tag}");
        }
        for tag in [
            "",
            "-",
            "x",
            "nl_NL",
            "nl-XX",
            "xx-NL",
            "nl-Latn-NL",
            "nl-NL-euro",
            "POSIX",
            "C",
            "de_DE@euro",
            "nl-NL@euro",
            "en-US-u-nu-arab",
            "ﬁ",
            "nl-\u{0}",
        ] {
            assert_eq!(tag.parse::<Locale>(), Err(UnknownLocale), "{tag}");
        }
    }

    #[test]
    fn every_country_of_the_list_is_known() {
        for tag in COUNTRIES.split_whitespace() {
            let (language, _) = tag.split_once('-').unwrap();
            assert_eq!(language.parse::<Locale>().map(|locale| locale.to_string()).as_deref(), Ok(tag));
        }
    }
}
