//! What must hold of every coupon, whatever it says.

use super::*;
use crate::{
    campaigns::style::{Content, SheetKind, Style},
    coupons::{
        area::mm,
        bars,
        composer::{Composed, Composer},
        coupon::Flaw,
        lettering::Typefaces,
        symbol::Plan,
    },
};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static TYPEFACES: LazyLock<Arc<Typefaces>> = LazyLock::new(|| Arc::new(Typefaces::load(None).unwrap()));

fn sheet(kind: SheetKind) -> Sheet {
    Sheet::new(kind, Some(mm(3.0)), None, None)
}

fn compose(kind: SheetKind, logo: Option<f32>, coupon: &Coupon) -> Result<Composed, Flaw> {
    Composer::new(&sheet(kind), logo, TYPEFACES.clone()).compose(coupon)
}

fn coupon(texts: [&str; 4], value: &str) -> Coupon {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Coupon {
        code: "00000-ABCDEFGHJKMN".to_owned(),
        texts: texts.map(some),
        value: some(value),
        expiry: Some("Valid until 31 December 2027".to_owned()),
        style: Arc::new(Style::default()),
    }
}

fn with_style(coupon: Coupon, style: Style) -> Coupon {
    Coupon { style: Arc::new(style), ..coupon }
}

const FULL: [&str; 4] = [
    "A coffee on us",
    "Any size, any machine",
    "Scan the code at the machine, choose your drink and enjoy it.",
    "One per person. Not for cash.",
];

/// What a piece covers, without the air above and below its characters.
fn covered(piece: &Piece) -> Area {
    match piece {
        Piece::Text { x, y, block, .. } => {
            let runs = || block.lines.iter().flat_map(|line| &line.runs);
            let left = runs().map(|run| run.x).fold(f32::MAX, f32::min);
            Area::new(x + left, y + 0.12 * block.height, block.width, 0.8 * block.height)
        }
        Piece::Logo(area) | Piece::Surface(area, _) => *area,
    }
}

/// Everything on a coupon but the surfaces below it, from the coupon's corner.
fn areas(composed: &Composed) -> Vec<Area> {
    let stamp = &composed.stamp;
    let down = |area: &Area| Area { y: area.y + composed.art.drop, ..*area };
    let pieces = composed.art.pieces.iter().filter(|piece| !matches!(piece, Piece::Surface(..)));
    let mut areas: Vec<Area> = pieces.map(covered).collect();
    areas.extend([down(&stamp.symbol), down(&stamp.code)]);
    areas.extend(stamp.bars.iter().map(down));
    areas
}

fn check(kind: SheetKind, composed: &Composed) -> Result<(), TestCaseError> {
    let cell = sheet(kind).cell();
    let whole = Area::new(0.0, 0.0, cell.width, composed.art.height);
    prop_assert!(cell.height.is_none_or(|height| (height - composed.art.height).abs() < 0.01));
    let areas = areas(composed);
    for (n, area) in areas.iter().enumerate() {
        prop_assert!(whole.grown(0.05).holds(area), "{kind:?}: {area:?} is not in {whole:?}");
        let other = areas[n + 1..].iter().find(|other| area.inset(0.05, 0.05).overlaps(other));
        prop_assert!(other.is_none(), "{kind:?}: {area:?} overlaps {other:?}");
    }
    for piece in composed.art.pieces.iter().filter(|piece| matches!(piece, Piece::Text { .. })) {
        let safe = whole.inset(cell.sides.min(mm(2.0)), cell.ends.min(mm(2.0)));
        prop_assert!(safe.grown(0.05).holds(&covered(piece)), "{kind:?}: {:?} {safe:?}", covered(piece));
    }
    Ok(())
}

fn parts(notes: &[Note]) -> Vec<(Part, &Outcome)> {
    notes.iter().map(|note| (note.part, &note.outcome)).collect()
}

#[test]
fn ordinary_texts_lose_nothing_on_any_sheet() {
    for kind in SheetKind::ALL {
        for logo in [None, Some(3.0), Some(0.5)] {
            let composed = compose(kind, logo, &coupon(FULL, "€ 2,50")).unwrap();
            let lost = composed.art.notes.iter().find(|note| {
                let small = matches!(kind, SheetKind::A4FourByTen | SheetKind::LetterFourByTen)
                    || matches!(kind, SheetKind::LetterThreeByEight | SheetKind::LetterThreeByTen);
                matches!(note.outcome, Outcome::LeftOut) || (note.outcome == Outcome::Cut && !small)
            });
            assert_eq!(lost, None, "{kind:?} {logo:?}");
            check(kind, &composed).unwrap();
        }
    }
}

#[test]
fn what_is_absent_gives_its_room_to_the_others() {
    let kind = SheetKind::A4ThreeByEight;
    let size = |composed: &Composed| match composed.art.pieces.first() {
        Some(Piece::Text { block, .. }) => block.lines[0].runs[0].size,
        other => panic!("{other:?}"),
    };
    let long = "Ein Getränk Ihrer Wahl am Automaten";
    let alone = compose(kind, None, &coupon([long, "", "", ""], "")).unwrap();
    let among = compose(kind, None, &coupon([long, FULL[2], FULL[2], FULL[2]], "€ 1 234,56")).unwrap();
    assert!(size(&alone) >= size(&among));
    let empty = Coupon { expiry: None, ..coupon(["", " ", "", ""], "") };
    let composed = compose(kind, None, &empty).unwrap();
    assert!(composed.art.pieces.is_empty() && composed.art.notes.is_empty());
}

#[test]
fn the_symbol_is_large_enough_to_scan() {
    for kind in SheetKind::ALL {
        let composed = compose(kind, Some(3.0), &coupon(FULL, "€ 2,50")).unwrap();
        let modules = Plan::of(&composed.content).unwrap().width();
        let module = composed.stamp.module(modules) / mm(1.0);
        let side = module * modules as f32;
        let least = match kind {
            SheetKind::A4FourByTen | SheetKind::LetterFourByTen | SheetKind::LetterThreeByTen => 14.0,
            SheetKind::LetterThreeByEight => 19.0,
            _ => 20.0,
        };
        assert!(side >= least, "{kind:?}: {side} mm");
        assert!(module >= 0.33, "{kind:?}: {module} mm");
    }
}

#[test]
fn what_would_be_too_dense_is_refused() {
    let url = format!("https://example.com/{}?c={{code}}", "x".repeat(260));
    let style = Style { content: Content::Url(url), ..Style::default() };
    let dense = with_style(coupon(FULL, ""), style);
    assert!(compose(SheetKind::A6, None, &dense).is_ok());
    let refused = compose(SheetKind::A4FourByTen, None, &dense).unwrap_err();
    assert!(matches!(refused, Flaw::TooDense { module_mm, .. } if module_mm < 0.33), "{refused:?}");
}

#[test]
fn bars_stand_where_there_is_room_for_them() {
    let style = Style { code128: true, ..Style::default() };
    for kind in SheetKind::ALL {
        let composed = compose(kind, None, &with_style(coupon(FULL, "€ 2,50"), style.clone())).unwrap();
        check(kind, &composed).unwrap();
        let modules = bars::Bars::of("00000-ABCDEFGHJKMN").unwrap().width() + 2 * bars::QUIET;
        if let Some(area) = composed.stamp.bars {
            assert!(area.width / modules as f32 >= mm(0.189), "{kind:?}");
        } else {
            assert_eq!(kind, SheetKind::A4FourByTen);
            assert_eq!(parts(&composed.notes).last(), Some(&(Part::Code128, &Outcome::LeftOut)));
        }
    }
    let odd = Coupon { code: "caf\u{e9}".to_owned(), ..with_style(coupon(FULL, ""), style) };
    let composed = compose(SheetKind::A6, None, &odd).unwrap();
    assert_eq!(parts(&composed.notes), [(Part::Code128, &Outcome::LeftOut)]);
}

#[test]
fn a_code_is_never_cut() {
    let code = format!("ABCDE-{}", "W".repeat(64));
    for (kind, size) in SheetKind::ALL.into_iter().flat_map(|kind| [(kind, None), (kind, Some(96.0))]) {
        let mut style = Style::default();
        style.code.font_size = size;
        let long = Coupon { code: code.clone(), ..with_style(coupon(FULL, "€ 2,50"), style) };
        let composed = compose(kind, None, &long).unwrap();
        let said: String =
            composed.code.lines.iter().flat_map(|line| &line.runs).map(|run| run.text.as_str()).collect();
        assert_eq!(said, code, "{kind:?}");
        check(kind, &composed).unwrap();
    }
}

#[test]
fn slanting_cases_and_margins_are_followed_and_the_rest_is_told() {
    let kind = SheetKind::A4TwoBySeven;
    let with = |words: &str| {
        let style = Style::read(&format!(r#"{{"voucherText1Lbl": {words}}}"#)).unwrap();
        compose(kind, None, &with_style(coupon(FULL, ""), style)).unwrap()
    };
    let first = |composed: &Composed| match composed.art.pieces.first() {
        Some(Piece::Text { x, y, block, slants, .. }) => {
            (*x, *y, block.lines[0].runs[0].text.clone(), *slants)
        }
        other => panic!("{other:?}"),
    };
    let (plain, styled) = (
        with(r#"{"fontSize": "6pt", "align": "left"}"#),
        with(
            r#"{"fontSize": "6pt", "align": "left", "fontStyle": "italic", "textTransform": "uppercase",
                "margin": "2pt 0 0 3pt", "letterSpacing": "1px", "opacity": 0.5}"#,
        ),
    );
    let ((x, _, text, upright), (styled_x, _, shout, slants)) = (first(&plain), first(&styled));
    assert_eq!((shout, upright, slants), (text.to_uppercase(), false, true));
    assert!((styled_x - x - 3.0).abs() < 0.01, "{x} {styled_x}");
    let told = Note { part: Part::Text1, outcome: Outcome::Ignored("letterSpacing, opacity".to_owned()) };
    assert!(styled.notes.contains(&told) && !plain.notes.contains(&told), "{:?}", styled.notes);
}

#[test]
fn a_style_is_followed() {
    let mut style = Style::default();
    style.lines[0] = Look {
        font_size: Some(6.0),
        bold: Some(false),
        color: Some(crate::campaigns::style::Rgb(200, 0, 0)),
        align: Some(Align::Right),
        family: Some(crate::campaigns::style::Family::Serif),
        ..Look::default()
    };
    let kind = SheetKind::A4TwoBySeven;
    let composed = compose(kind, None, &with_style(coupon(FULL, ""), style)).unwrap();
    let Some(Piece::Text { x, block, ink, .. }) = composed.art.pieces.first() else { panic!() };
    let run = &block.lines[0].runs[0];
    assert!((run.size - 6.0).abs() < 0.01);
    assert!(TYPEFACES.face(run.face).name.starts_with("NotoSerif"));
    assert_eq!(*ink, Ink::Screen(crate::campaigns::style::Rgb(200, 0, 0)));
    let right = x + run.x + block.width;
    assert!((right - composed.stamp.beside.right()).abs() < 0.1);
}

#[test]
fn a_coupon_that_is_read_from_right_to_left_has_its_lines_on_the_right() {
    let arabic = coupon(["\u{642}\u{647}\u{648}\u{629}", "Free", "", ""], "AED 15.00");
    let composed = compose(SheetKind::A4TwoBySeven, Some(2.0), &arabic).unwrap();
    for piece in &composed.art.pieces {
        let right = covered(piece).right();
        assert!((right - composed.stamp.beside.right()).abs() < 0.1, "{piece:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn nothing_overlaps_or_leaves_its_coupon(
        kind in proptest::sample::select(&SheetKind::ALL[..]),
        texts in proptest::array::uniform4(proptest::option::of("\\PC{0,12}|[a-zA-Z ]{0,200}|[\u{627}-\u{64a} ]{0,60}")),
        value in proptest::option::of("[0-9.,]{1,12} [€$₽]"),
        expiry in proptest::option::of("[a-z0-9 ]{1,60}"),
        size in proptest::option::of(5.0f32..96.0),
        logo in proptest::option::of(0.05f32..20.0),
        code in "[A-Z0-9]{1,5}-[A-Z0-9-]{1,30}|[ -~]{1,60}",
        code128 in any::<bool>(),
    ) {
        let mut style = Style { code128, ..Style::default() };
        style.lines.iter_mut().chain([&mut style.value, &mut style.code]).for_each(|look| look.font_size = size);
        let coupon = Coupon { code, texts, value, expiry, style: Arc::new(style) };
        check(kind, &compose(kind, logo, &coupon).unwrap())?;
    }
}
