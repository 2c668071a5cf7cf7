//! The last day on which a coupon is good, in a sentence of its language.

use super::is;
use crate::{
    campaigns::style::Locale,
    time::{Moment, start_of_day},
};
use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use pure_rust_locales::locale_match;

/// How a language says until when something is good.
struct Tongue {
    /// A language, or a language and a country.
    key: &'static str,
    /// `{d}`, `{m}` and `{y}` are numbers, `{month}` is a name.
    date: &'static str,
    /// `{date}` is the last day.
    day: &'static str,
    /// `{date}` and `{time}` are when it ends.
    moment: &'static str,
}

const fn tongue(key: &'static str, date: &'static str, day: &'static str, moment: &'static str) -> Tongue {
    Tongue { key, date, day, moment }
}

/// What is said in a language that is not among the others.
const ENGLISH: Tongue = tongue("en", "{d} {month} {y}", "Valid until {date}", "Valid until {date}, {time}");

/// The first that fits counts.
const TONGUES: &[Tongue] = &[
    tongue("en-US", "{month} {d}, {y}", "Valid until {date}", "Valid until {date}, {time}"),
    tongue("en-CA", "{month} {d}, {y}", "Valid until {date}", "Valid until {date}, {time}"),
    tongue("en-PH", "{month} {d}, {y}", "Valid until {date}", "Valid until {date}, {time}"),
    ENGLISH,
    tongue("nl", "{d} {month} {y}", "Geldig t/m {date}", "Geldig tot {date} om {time} uur"),
    tongue("de", "{d}. {month} {y}", "Gültig bis {date}", "Gültig bis {date}, {time} Uhr"),
    tongue("fr", "{d} {month} {y}", "Valable jusqu’au {date}", "Valable jusqu’au {date} à {time}"),
    tongue("es", "{d} de {month} de {y}", "Válido hasta el {date}", "Válido hasta el {date}, {time}"),
    // Without an article, which would have to be another one before 8 and 11.
    tongue("it", "{d} {month} {y}", "Scadenza: {date}", "Scadenza: {date}, ore {time}"),
    tongue("pt", "{d} de {month} de {y}", "Válido até {date}", "Válido até {date}, {time}"),
    tongue("pl", "{d} {month} {y}", "Ważne do {date}", "Ważne do {date}, godz. {time}"),
    tongue("cs", "{d}. {month} {y}", "Platí do {date}", "Platí do {date}, {time}"),
    tongue("ro", "{d} {month} {y}", "Valabil până la {date}", "Valabil până la {date}, ora {time}"),
    tongue("hu", "{y}. {month} {d}.", "Lejárat: {date}", "Lejárat: {date} {time}"),
    tongue("sv", "{d} {month} {y}", "Giltig till och med {date}", "Giltig till {date} kl. {time}"),
    tongue("da", "{d}. {month} {y}", "Gyldig til og med {date}", "Gyldig til {date} kl. {time}"),
    tongue("nb", "{d}. {month} {y}", "Gyldig til og med {date}", "Gyldig til {date} kl. {time}"),
    tongue("nn", "{d}. {month} {y}", "Gyldig til og med {date}", "Gyldig til {date} kl. {time}"),
    tongue("fi", "{d}. {month}ta {y}", "Voimassa {date} asti", "Voimassa {date} klo {time} asti"),
    tongue("tr", "{d} {month} {y}", "Son geçerlilik tarihi: {date}", "Son geçerlilik tarihi: {date} {time}"),
    tongue("el", "{d} {month} {y}", "Ισχύει έως {date}", "Ισχύει έως {date}, {time}"),
    tongue("ru", "{d} {month} {y} г.", "Действует до {date} включительно", "Действует до {date}, {time}"),
    tongue("uk", "{d} {month} {y} р.", "Діє до {date} включно", "Діє до {date}, {time}"),
    tongue(
        "hy",
        "{y} թ. {month} {d}-ը",
        "Վավեր է մինչև {date} ներառյալ",
        "Վավեր է մինչև {date}, ժամը {time}",
    ),
    tongue("ka", "{d} {month}, {y}", "მოქმედების ვადა: {date}", "მოქმედების ვადა: {date}, {time}"),
    tongue("ar", "{d} {month} {y}", "صالح حتى {date}", "صالح حتى {date}، {time}"),
    tongue("he", "{d} ב{month} {y}", "בתוקף עד {date}", "בתוקף עד {date}, {time}"),
    tongue("ja", "{y}年{m}月{d}日", "有効期限：{date}", "有効期限：{date} {time}"),
    tongue("zh-TW", "{y}年{m}月{d}日", "有效期限：{date}", "有效期限：{date} {time}"),
    tongue("zh-HK", "{y}年{m}月{d}日", "有效期限：{date}", "有效期限：{date} {time}"),
    tongue("zh", "{y}年{m}月{d}日", "有效期至{date}", "有效期至{date} {time}"),
    tongue("ko", "{y}년 {m}월 {d}일", "유효기간: {date}까지", "유효기간: {date} {time}까지"),
];

/// Says until when something is good that expires on `expires_on`, a date or an instant as clients
/// give it, in `zone`. `None` for what is neither.
pub fn expiry(expires_on: &str, zone: Tz, locale: Locale) -> Option<String> {
    let known = TONGUES.iter().find(|tongue| is(locale, tongue.key));
    let (tongue, locale) = known.map_or((&ENGLISH, Locale::default()), |tongue| (tongue, locale));
    Some(match Moment::parse(expires_on, zone)? {
        Moment::Date(date) => tongue.day.replace("{date}", &day(tongue, date, locale)),
        Moment::Instant(at) => {
            let at = at.with_timezone(&zone);
            let date = at.date_naive();
            if at == start_of_day(date, zone) {
                // Midnight ends the day before, and is the start of one for most readers.
                tongue.day.replace("{date}", &day(tongue, date.pred_opt()?, locale))
            } else {
                let sentence = tongue.moment.replace("{date}", &day(tongue, date, locale));
                sentence.replace("{time}", &time(&at, locale))
            }
        }
    })
}

fn day(tongue: &Tongue, date: NaiveDate, locale: Locale) -> String {
    let names = {
        let locale = locale.0;
        locale_match!(locale => LC_TIME::MON)
    };
    let month = names.get(date.month0() as usize).copied().unwrap_or_default();
    let number = match date.day() {
        1 if is(locale, "fr") => "1er".to_owned(),
        day => day.to_string(),
    };
    tongue
        .date
        .replace("{d}", &number)
        .replace("{month}", month)
        .replace("{m}", &date.month().to_string())
        .replace("{y}", &date.year().to_string())
}

/// The time of day to the minute: what is left of it is not promised.
fn time(at: &DateTime<Tz>, locale: Locale) -> String {
    let pattern = match &*locale.to_string() {
        "en-US" | "en-CA" | "en-PH" | "en-AU" | "en-IN" => "%-I:%M\u{a0}%p",
        "da-DK" | "fi-FI" => "%H.%M",
        _ => "%H:%M",
    };
    at.format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::Sao_Paulo, Asia::Yerevan, Europe::Amsterdam};
    use proptest::prelude::*;

    fn said(expires_on: &str, tag: &str) -> String {
        expiry(expires_on, Amsterdam, tag.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_day_is_named_in_each_language() {
        for (tag, expected) in [
            ("en", "Valid until December 31, 2026"),
            ("en-GB", "Valid until 31 December 2026"),
            ("nl", "Geldig t/m 31 december 2026"),
            ("de", "Gültig bis 31. Dezember 2026"),
            ("fr-BE", "Valable jusqu’au 31 décembre 2026"),
            ("es", "Válido hasta el 31 de diciembre de 2026"),
            ("it", "Scadenza: 31 dicembre 2026"),
            ("pt-PT", "Válido até 31 de dezembro de 2026"),
            ("pl", "Ważne do 31 grudnia 2026"),
            ("cs", "Platí do 31. prosince 2026"),
            ("ro", "Valabil până la 31 decembrie 2026"),
            ("hu", "Lejárat: 2026. december 31."),
            ("sv", "Giltig till och med 31 december 2026"),
            ("da", "Gyldig til og med 31. december 2026"),
            ("no", "Gyldig til og med 31. desember 2026"),
            ("nn", "Gyldig til og med 31. desember 2026"),
            ("fi", "Voimassa 31. joulukuuta 2026 asti"),
            ("tr", "Son geçerlilik tarihi: 31 Aralık 2026"),
            ("el", "Ισχύει έως 31 Δεκεμβρίου 2026"),
            ("ru", "Действует до 31 декабря 2026 г. включительно"),
            ("uk", "Діє до 31 грудня 2026 р. включно"),
            ("hy", "Վավեր է մինչև 2026 թ. դեկտեմբերի 31-ը ներառյալ"),
            ("ka", "მოქმედების ვადა: 31 დეკემბერი, 2026"),
            ("ar", "صالح حتى 31 ديسمبر 2026"),
            ("he", "בתוקף עד 31 בדצמבר 2026"),
            ("ja", "有効期限：2026年12月31日"),
            ("zh", "有效期至2026年12月31日"),
            ("zh-TW", "有效期限：2026年12月31日"),
            ("ko", "유효기간: 2026년 12월 31일까지"),
            ("bg", "Valid until 31 December 2026"),
        ] {
            assert_eq!(said("2026-12-31", tag), expected);
        }
        assert_eq!(said("2027-01-01", "fr"), "Valable jusqu’au 1er janvier 2027");
    }

    #[test]
    fn an_instant_is_shown_with_its_time_in_the_zone() {
        for (tag, expected) in [
            ("en", "Valid until December 31, 2026, 2:30\u{a0}PM"),
            ("en-GB", "Valid until 31 December 2026, 14:30"),
            ("nl", "Geldig tot 31 december 2026 om 14:30 uur"),
            ("fi", "Voimassa 31. joulukuuta 2026 klo 14.30 asti"),
            ("ru", "Действует до 31 декабря 2026 г., 14:30"),
        ] {
            assert_eq!(said("2026-12-31T13:30:59Z", tag), expected);
        }
        let in_yerevan = expiry("2026-12-31T20:00:01Z", Yerevan, "hy".parse().unwrap()).unwrap();
        assert_eq!(in_yerevan, "Վավեր է մինչև 2027 թ. հունվարի 1-ը, ժամը 00:00");
        assert_eq!(
            said("2026-12-31 14:30:00", "en-GB"),
            "Valid until 31 December 2026, 14:30",
            "a civil time"
        );
        assert_eq!(expiry("soon", Amsterdam, Locale::default()), None);
    }

    #[test]
    fn midnight_ends_the_day_before() {
        assert_eq!(said("2027-01-01T00:00:00+01:00", "nl"), "Geldig t/m 31 december 2026");
        // The night in which there was no midnight.
        let gap = expiry("2018-11-04T03:00:00Z", Sao_Paulo, "pt".parse().unwrap()).unwrap();
        assert_eq!(gap, "Válido até 3 de novembro de 2018");
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_fill_in(secs in 0i64..200_000_000_000, tongue in 0..TONGUES.len()) {
            let at = DateTime::from_timestamp(secs, 0).unwrap();
            let key = TONGUES[tongue].key.parse().unwrap();
            for moment in [at.to_rfc3339(), at.date_naive().to_string()] {
                let text = expiry(&moment, Yerevan, key).unwrap();
                let year = at.with_timezone(&Yerevan).year();
                let said = text.contains(&year.to_string()) || text.contains(&(year - 1).to_string());
                prop_assert!(!text.contains(['{', '}']) && said, "{}", text);
            }
        }
    }
}
