//! What single words, numbers and lengths of a style mean, within which bounds.

use super::{Align, Case, Family, Locale, Rgb, SheetKind, tree::Tree};
use std::borrow::Cow;

/// What is wrong with a value, as the end of a sentence that begins with its name.
pub(super) type Wrong = Cow<'static, str>;

/// The smallest text that paper shows, in points.
pub const FONT_SIZE_MIN: f32 = 5.0;

/// The largest text, in points.
pub const FONT_SIZE_MAX: f32 = 96.0;

/// The widest bleed, in points: 10 mm.
pub const BLEED_MAX: f32 = 10.0 * POINTS_PER_MM;

/// A colour's contrast with white paper at least (WCAG 2.2): below it, text is not seen to be there.
const CONTRAST_MIN: f32 = 2.0;

const POINTS_PER_MM: f32 = 72.0 / 25.4;

/// The widest margin, in points: 10 mm.
const MARGIN_MAX: f32 = BLEED_MAX;

/// A size of text where CSS says nothing, in points: what an `em` is.
const POINTS_PER_EM: f32 = 12.0;

/// CSS's pixels: 96 to the inch.
const POINTS_PER_PX: f32 = 0.75;

/// A size of text, in points: pixels where no unit is named.
pub(super) fn font_size(value: &Tree) -> Result<f32, Wrong> {
    let size =
        length(value, (POINTS_PER_PX, Some(POINTS_PER_EM)), "must be a size like 28px, 21pt, 7mm or 1.5em")?;
    Ok(size.clamp(FONT_SIZE_MIN, FONT_SIZE_MAX))
}

/// A bleed, in points: millimetres where no unit is named.
pub(super) fn bleed(value: &Tree) -> Result<f32, Wrong> {
    let bleed = length(value, (POINTS_PER_MM, None), "must be a length like 3mm, 9pt or 12px")?;
    Ok(bleed.clamp(0.0, BLEED_MAX))
}

/// A length in points, where no unit is named in the first of the units; the second is an `em`, if there is text that it
/// is of. The largest of numbers is infinite here, and clamped like any that is too large.
fn length(value: &Tree, (plain_unit, em): (f32, Option<f32>), expected: &'static str) -> Result<f32, Wrong> {
    let points = match value {
        Tree::Number(number) => *number as f32 * plain_unit,
        Tree::Text(text) => {
            let text = text.trim();
            let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
            let (number, unit) = text.split_at(end);
            let unit = match unit.to_ascii_lowercase().as_str() {
                "" => plain_unit,
                "px" => POINTS_PER_PX,
                "pt" => 1.0,
                "mm" => POINTS_PER_MM,
                "cm" => 10.0 * POINTS_PER_MM,
                "in" => 72.0,
                "pc" => 12.0,
                "em" | "rem" => em.ok_or(expected)?,
                _ => return Err(expected.into()),
            };
            number.parse::<f32>().map_err(|_| expected)? * unit
        }
        _ => return Err(expected.into()),
    };
    if points < 0.0 { Err("must not be negative".into()) } else { Ok(points) }
}

/// Whether a weight is a bold one.
pub(super) fn bold(value: &Tree) -> Result<bool, Wrong> {
    let weight = match value {
        Tree::Number(weight) => *weight,
        Tree::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "normal" => 400.0,
            "bold" => 700.0,
            digits if digits.len() == 3 => digits.parse::<u16>().map_or(0.0, f64::from),
            _ => 0.0,
        },
        _ => 0.0,
    };
    if (100.0..=900.0).contains(&weight) && weight.fract() == 0.0 {
        Ok(weight >= 600.0)
    } else {
        Err("must be normal, bold, or a whole number from 100 to 900".into())
    }
}

/// A colour that can be told from the paper.
pub(super) fn color(value: &Tree) -> Result<Rgb, Wrong> {
    let rgb = text(value)
        .and_then(|name| rgb(&name))
        .ok_or("must be a colour like #0a3, #00aa33 or green: one of CSS's 16 basic names")?;
    if contrast_with_white(rgb) < CONTRAST_MIN {
        return Err("is too pale to be read on white paper".into());
    }
    Ok(rgb)
}

fn rgb(name: &str) -> Option<Rgb> {
    if let Some(digits) = name.strip_prefix('#') {
        let digit =
            |at: usize| Some(u8::try_from(char::from(*digits.as_bytes().get(at)?).to_digit(16)?).ok()? * 17);
        let pair = |at: usize| Some(digit(at)? / 17 * 16 + digit(at + 1)? / 17);
        return match digits.len() {
            3 => Some(Rgb(digit(0)?, digit(1)?, digit(2)?)),
            6 => Some(Rgb(pair(0)?, pair(2)?, pair(4)?)),
            _ => None,
        };
    }
    Some(match name {
        "black" => Rgb(0, 0, 0),
        "silver" => Rgb(192, 192, 192),
        "gray" => Rgb(128, 128, 128),
        "white" => Rgb(255, 255, 255),
        "maroon" => Rgb(128, 0, 0),
        "red" => Rgb(255, 0, 0),
        "purple" => Rgb(128, 0, 128),
        "fuchsia" => Rgb(255, 0, 255),
        "green" => Rgb(0, 128, 0),
        "lime" => Rgb(0, 255, 0),
        "olive" => Rgb(128, 128, 0),
        "yellow" => Rgb(255, 255, 0),
        "navy" => Rgb(0, 0, 128),
        "blue" => Rgb(0, 0, 255),
        "teal" => Rgb(0, 128, 128),
        "aqua" => Rgb(0, 255, 255),
        _ => return None,
    })
}

/// The contrast ratio of WCAG 2.2: from 1 for white to 21 for black.
fn contrast_with_white(Rgb(red, green, blue): Rgb) -> f32 {
    let linear = |channel: u8| {
        let channel = f32::from(channel) / 255.0;
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    1.05 / (luminance + 0.05)
}

/// A margin, in points: pixels where no unit is named.
pub(super) fn margin(value: &Tree) -> Result<f32, Wrong> {
    let margin =
        length(value, (POINTS_PER_PX, Some(POINTS_PER_EM)), "must be a margin like 4px, 3pt or 1mm")?;
    Ok(margin.min(MARGIN_MAX))
}

/// Margins above, on the right, below and on the left, of which CSS lets those be left out that are as their opposites.
pub(super) fn margins(value: &Tree) -> Result<[f32; 4], Wrong> {
    let Tree::Text(text) = value else { return margin(value).map(|margin| [margin; 4]) };
    let each = text.split_whitespace().map(|part| margin(&Tree::Text(part.to_owned())));
    match each.collect::<Result<Vec<_>, _>>()?[..] {
        [all] => Ok([all; 4]),
        [upright, across] => Ok([upright, across, upright, across]),
        [above, across, below] => Ok([above, across, below, across]),
        [above, right, below, left] => Ok([above, right, below, left]),
        _ => Err("must be one to four margins".into()),
    }
}

/// The slant of letters.
pub(super) fn italic(value: &Tree) -> Result<bool, Wrong> {
    match text(value).as_deref() {
        Some("normal") => Ok(false),
        Some("italic" | "oblique") => Ok(true),
        _ => Err("must be normal, italic or oblique".into()),
    }
}

/// The case of letters.
pub(super) fn case(value: &Tree) -> Result<Case, Wrong> {
    match text(value).as_deref() {
        Some("none") => Ok(Case::Plain),
        Some("uppercase") => Ok(Case::Upper),
        Some("lowercase") => Ok(Case::Lower),
        Some("capitalize") => Ok(Case::Title),
        _ => Err("must be none, uppercase, lowercase or capitalize".into()),
    }
}

/// Where a line stands.
pub(super) fn align(value: &Tree) -> Result<Align, Wrong> {
    match text(value).as_deref() {
        Some("start") => Ok(Align::Start),
        Some("left") => Ok(Align::Left),
        Some("center") => Ok(Align::Center),
        Some("right") => Ok(Align::Right),
        _ => Err("must be start, left, center or right".into()),
    }
}

/// The first family of a CSS list that is known, by itself or as a typeface of its kind.
pub(super) fn family(value: &Tree) -> Result<Family, Wrong> {
    let names = text(value).unwrap_or_default();
    let known = names.split(',').find_map(|name| {
        Some(match name.trim_matches(|c: char| c.is_whitespace() || "'\"".contains(c)) {
            "sans-serif" | "sans" | "ui-sans-serif" | "system-ui" | "arial" | "helvetica"
            | "helvetica neue" | "verdana" | "tahoma" | "trebuchet ms" | "segoe ui" | "calibri"
            | "roboto" | "open sans" | "lato" | "inter" | "noto sans" => Family::Sans,
            "serif" | "ui-serif" | "times" | "times new roman" | "georgia" | "garamond" | "cambria"
            | "palatino" | "book antiqua" | "noto serif" => Family::Serif,
            "monospace" | "mono" | "ui-monospace" | "courier" | "courier new" | "consolas" | "menlo"
            | "monaco" | "lucida console" | "noto sans mono" => Family::Mono,
            _ => return None,
        })
    });
    known.ok_or_else(|| "must name sans-serif, serif or monospace".into())
}

/// What is printed on.
pub(super) fn sheet(value: &Tree) -> Result<SheetKind, Wrong> {
    text(value)
        .as_deref()
        .and_then(SheetKind::from_word)
        .ok_or_else(|| format!("must be one of {}", SheetKind::ALL.map(SheetKind::word).join(", ")).into())
}

/// A language and a country.
pub(super) fn locale(value: &Tree) -> Result<Locale, Wrong> {
    let tag = text(value).unwrap_or_default();
    tag.parse().map_err(|unknown: super::UnknownLocale| unknown.to_string().into())
}

/// Yes or no.
pub(super) fn truth(value: &Tree) -> Result<bool, Wrong> {
    if let Tree::Bool(truth) = value { Ok(*truth) } else { Err("must be true or false".into()) }
}

/// A word, in lower case and without space around it.
fn text(value: &Tree) -> Option<String> {
    if let Tree::Text(text) = value { Some(text.trim().to_ascii_lowercase()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Tree {
        Tree::Text(text.to_owned())
    }

    #[test]
    fn sizes_have_units_and_bounds() {
        for (text, points) in [
            ("28px", 21.0),
            ("21pt", 21.0),
            (" 10 ", 7.5),
            ("8.5PT", 8.5),
            (".75pt", FONT_SIZE_MIN),
            ("0px", FONT_SIZE_MIN),
            ("25.4mm", 72.0),
            ("99999999999999999999999999999999999999999999px", FONT_SIZE_MAX),
            ("1.5em", 18.0),
            ("1rem", 12.0),
            ("1cm", 10.0 * POINTS_PER_MM),
        ] {
            assert_eq!(font_size(&word(text)), Ok(points), "{text}");
        }
        assert_eq!(font_size(&Tree::Number(28.0)), Ok(21.0));
        assert_eq!(font_size(&Tree::Number(f64::MAX)), Ok(FONT_SIZE_MAX));
        assert_eq!(bleed(&Tree::Number(3.0)), Ok(3.0 * POINTS_PER_MM));
        assert_eq!(bleed(&word("300mm")), Ok(BLEED_MAX));
        assert_eq!(bleed(&word("9pt")), Ok(9.0));
        for text in
            ["", "px", "28vw", "28 px", "2e1px", "nan", "NaNpx", "inf", "1-2px", "--1", "٢٨px", "28px;", "5%"]
        {
            let fault = font_size(&word(text)).unwrap_err();
            assert!(fault.starts_with("must be a size"), "{text}: {fault}");
        }
        for value in [word("-1px"), word("-0.1mm"), Tree::Number(-1.0), Tree::Number(f64::MIN)] {
            assert_eq!(font_size(&value), Err("must not be negative".into()), "{value:?}");
        }
        for value in [Tree::Null, Tree::List, Tree::Bool(true), Tree::Object(Vec::new())] {
            assert!(font_size(&value).is_err() && bleed(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn margins_are_one_to_four() {
        for (text, points) in [
            ("4px", [3.0; 4]),
            ("4px 1pt", [3.0, 1.0, 3.0, 1.0]),
            ("1pt 2pt 3pt", [1.0, 2.0, 3.0, 2.0]),
            ("1pt 2pt 3pt 4pt", [1.0, 2.0, 3.0, 4.0]),
            ("1000mm", [MARGIN_MAX; 4]),
        ] {
            assert_eq!(margins(&word(text)), Ok(points), "{text}");
        }
        assert_eq!(margins(&Tree::Number(4.0)), Ok([3.0; 4]));
        for text in ["", "auto", "-1px", "1px 2px 3px 4px 5px", "1px, 2px"] {
            assert!(margins(&word(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn six_hundred_is_bold() {
        for (value, is_bold) in [
            (word("normal"), false),
            (word("Bold"), true),
            (word("500"), false),
            (word("600"), true),
            (Tree::Number(100.0), false),
            (Tree::Number(900.0), true),
        ] {
            assert_eq!(bold(&value), Ok(is_bold), "{value:?}");
        }
        for value in
            [word("bolder"), word("99"), word("+70"), word("1000"), Tree::Number(650.5), Tree::Number(0.0)]
        {
            assert!(bold(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_colour_is_seen_on_paper() {
        for (name, rgb) in [
            ("#0a3", Rgb(0, 0xAA, 0x33)),
            ("#00AA33", Rgb(0, 0xAA, 0x33)),
            ("Navy", Rgb(0, 0, 128)),
            ("#ff8800", Rgb(255, 0x88, 0)),
        ] {
            assert_eq!(color(&word(name)), Ok(rgb), "{name}");
        }
        for name in ["", "#", "#12", "#1234", "#12345g", "#+1+1+1", "#ééé", "rgb(0,0,0)", "rebeccapurple"]
        {
            assert!(color(&word(name)).unwrap_err().starts_with("must be a colour"), "{name}");
        }
        for name in ["white", "#fff", "yellow", "#eeeeee", "silver"] {
            assert_eq!(color(&word(name)), Err("is too pale to be read on white paper".into()), "{name}");
        }
        assert!((contrast_with_white(Rgb(0, 0, 0)) - 21.0).abs() < 0.01);
    }

    #[test]
    fn the_first_known_family_of_a_list_counts() {
        for (names, known) in [
            ("serif", Family::Serif),
            ("\"Courier New\", monospace", Family::Mono),
            ("Comic Sans MS, 'Times New Roman'", Family::Serif),
            ("ARIAL", Family::Sans),
        ] {
            assert_eq!(family(&word(names)), Ok(known), "{names}");
        }
        for names in ["", ",", "Comic Sans MS", "sans serif", "url(x)"] {
            assert!(family(&word(names)).is_err(), "{names}");
        }
    }
}
