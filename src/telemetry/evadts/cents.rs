//! Every cent that the totals of reports hold is a sale or in a note, and no report that was cut off makes one.

use super::{
    counters::Counters,
    format::{self, Reading},
    place::is_whole,
    sold::Sold,
    vends::vends,
};
use proptest::prelude::*;

/// A counter: how often, and for how much.
type Count = (i64, i64);

/// What a machine says at one time.
#[derive(Clone, Debug)]
struct Sheet {
    selections: Vec<(&'static str, i64, Count)>,
    total: Option<Count>,
    means: Vec<(&'static str, Count)>,
    /// Whether selections are counted as such, and by means of payment.
    has_counts: bool,
    has_parts: bool,
    /// What is added to the worth of each part.
    parts_off: i64,
    /// Lines that open it and close it.
    opens: &'static [&'static str],
    closes: &'static [&'static str],
}

const NAMES: [&str; 4] = ["1", "A1", "B1", "12"];

/// Openings and ends of reports; with G85 there is a checksum.
const ENVELOPES: [(&[&str], &[&str]); 5] = [
    (&["DXS*SCR0000001*VA*V0/6*1", "ST*001*0001"], &["G85*", "SE*9*0001", "DXE*1*1"]),
    (&["DXS*SCR0000001*VA*V0/6*1", "ST*001*0001"], &["SE*9*0001"]),
    (&["ST*001*0001"], &["G85*"]),
    (&["DXS*SCR0000001*VA*V0/6*1"], &["DXE*1*1"]),
    (&[], &[]),
];

impl Sheet {
    fn written(&self) -> String {
        let mut lines: Vec<String> = vec!["ID1*1*M".into(), "ID4*2*978*EUR".into()];
        lines.extend(self.total.map(|(number, value)| format!("VA1*{value}*{number}")));
        lines.extend(self.means.iter().map(|(means, (number, value))| format!("{means}2*{value}*{number}")));
        for (name, price, (number, value)) in &self.selections {
            lines.push(format!("PA1*{name}*{price}*P"));
            if self.has_counts {
                lines.push(format!("PA2*{number}*{value}"));
            }
            if self.has_parts {
                lines.push(format!("PA7*{name}*CA*0*{price}*{number}*{}", value + self.parts_off));
            }
        }
        lines.push("EA3*1*20261120*080000".into());
        let opens = self.opens.iter().map(|line| (*line).to_owned());
        let mut text: String = opens.chain(lines).flat_map(|line| [line, "\r\n".to_owned()]).collect();
        for close in self.closes {
            let set = text.find("ST*").map_or("", |at| &text[at..]);
            let line = if *close == "G85*" { format!("G85*{:04X}", crc(set)) } else { (*close).to_owned() };
            text = format!("{text}{line}\r\n");
        }
        text
    }

    fn sum(&self) -> Count {
        self.selections.iter().fold((0, 0), |sum, (_, _, count)| plus(sum, *count))
    }
}

/// The checksum of a report, bit by bit.
fn crc(text: &str) -> u16 {
    text.bytes().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 })
    })
}

fn plus(one: Count, other: Count) -> Count {
    (one.0 + other.0, one.1 + other.1)
}

fn minus(one: Count, other: Count) -> Count {
    (one.0 - other.0, one.1 - other.1)
}

/// The only report in a file, and its counters.
fn read(text: &str) -> Option<(Reading, Counters)> {
    let reports = format::read(text.as_bytes()).ok()?;
    let reading = Reading::of(&reports[0]).ok()?;
    let counters = Counters::of(&reading, "EUR");
    Some((reading, counters))
}

fn counters(sheet: &Sheet) -> Counters {
    read(&sheet.written()).unwrap().1
}

/// What paid vends bring, and how many there are: none where what was counted is not believed, which is told.
fn taken(sold: &Sold) -> Count {
    let vends = vends(sold).unwrap_or_default();
    let paid: Vec<i64> = vends.iter().map(|vend| vend.price).collect();
    (paid.len() as i64, paid.iter().sum())
}

/// A machine before it sold something.
fn sheets() -> impl Strategy<Value = Sheet> {
    let selection = (1..400_i64, 0..500_i64);
    let form = (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_usize, 0..ENVELOPES.len());
    (prop::collection::vec(selection, 1..4), form).prop_map(|(selections, form)| {
        let (has_total, has_counts, has_parts, means, envelope) = form;
        let selections: Vec<_> = NAMES
            .into_iter()
            .zip(selections)
            .map(|(name, (price, number))| (name, price, (number, number * price)))
            .collect();
        let (opens, closes) = ENVELOPES[envelope];
        let sheet = Sheet {
            selections,
            total: None,
            means: Vec::new(),
            has_counts,
            has_parts,
            parts_off: 0,
            opens,
            closes,
        };
        let sum = sheet.sum();
        Sheet {
            total: has_total.then_some(sum),
            means: ["CA", "DA"].into_iter().zip([sum, (7, 900)]).take(means).collect(),
            ..sheet
        }
    })
}

/// What was sold by each selection, and what its counters make of that: how far off the total, the means and
/// the first selection are, and the worth of parts.
type Story = (Vec<i64>, Count, Count, Count, i64);

fn stories() -> impl Strategy<Value = Story> {
    let off = || prop_oneof![3 => Just((0, 0)), 1 => (0..4_i64, 0..900_i64)];
    let parts = prop_oneof![3 => Just(0), 1 => 1..4_000_000_000_i64];
    let selection = prop_oneof![3 => Just((0, 0)), 1 => (1..4_i64, 0..900_i64)];
    (prop::collection::vec(0..6_i64, 4), off(), off(), selection, parts)
}

fn after(before: &Sheet, story: &Story) -> Sheet {
    let (sold, total_off, means_off, selection_off, parts_off) = story;
    let mut after = before.clone();
    for ((_, price, count), sold) in after.selections.iter_mut().zip(sold) {
        *count = plus(*count, (*sold, *sold * *price));
    }
    let moved = minus(after.sum(), before.sum());
    after.total = before.total.map(|total| plus(plus(total, moved), *total_off));
    if let Some((_, count)) = after.means.first_mut() {
        *count = plus(plus(*count, moved), *means_off);
    }
    let first = &mut after.selections[0].2;
    *first = plus(*first, *selection_off);
    after.parts_off = *parts_off;
    after
}

proptest! {
    #[test]
    fn every_cent_of_the_totals_is_sold_or_noted(before in sheets(), story in stories()) {
        let after = after(&before, &story);
        let (was, is) = (counters(&before), counters(&after));
        let sold = Sold::between(&was, &is);
        let taken = taken(&sold);
        let notes = sold.notes.join("\n");
        let total = after.total.zip(before.total).map(|(after, before)| minus(after, before));
        let sums = |sheet: &Sheet| sheet.means.iter().fold((0, 0), |sum, (_, count)| plus(sum, *count));
        let means = (!after.means.is_empty()).then(|| minus(sums(&after), sums(&before)));
        for counted in [total, means].into_iter().flatten() {
            let is_told = notes.contains(&format!("{} vends for {}", counted.0, is.said(counted.1)));
            prop_assert!(taken == counted || is_told, "{counted:?} {taken:?} {notes}");
        }
        // Selections alone are no reason to take more than the total, unless the means of payment agree.
        let told = minus(after.sum(), before.sum());
        let is_counted = after.total != Some((0, 0));
        if let Some(total) = total && is_counted && before.has_counts && means != Some(told) {
            prop_assert!(taken.1 <= total.1, "{taken:?} {total:?} {notes}");
        }
        if total.is_none() && means.is_none() && before.has_counts {
            prop_assert_eq!(taken, told);
        }
        if total.is_none_or(|total| total == told) && means.is_none_or(|means| means == told) && before.has_counts {
            prop_assert_eq!(taken, told);
        }
    }

    #[test]
    fn no_report_that_was_cut_off_makes_money(before in sheets(), story in stories(), later in stories()) {
        let story = (story.0, (0, 0), (0, 0), (0, 0), 0);
        let later = (later.0, (0, 0), (0, 0), (0, 0), 0);
        let middle = after(&before, &story);
        let last = after(&middle, &later);
        let (was, last) = (counters(&before), counters(&last));
        let whole = taken(&Sold::between(&was, &last));
        let text = middle.written();
        let sold_by_all = taken(&Sold::between(&was, &counters(&middle)));
        for at in 0..text.len() {
            let Some((reading, mut cut)) = read(&text[..at]) else { continue };
            if reading.is_cut {
                continue;
            }
            cut.carry(&was, reading.ended);
            if !is_whole(&reading, &cut) {
                continue;
            }
            // All counters are in it, so it tells what the whole report does, or nothing of it yet.
            let so_far = Sold::between(&was, &cut);
            so_far.add_to_old_total(&mut cut);
            let so_far = taken(&so_far);
            prop_assert!(so_far == sold_by_all || so_far == (0, 0), "{so_far:?} of {:?}", &text[..at]);
            let mut last = last.clone();
            last.carry(&cut, true);
            prop_assert_eq!(plus(so_far, taken(&Sold::between(&cut, &last))), whole, "{:?}", &text[..at]);
        }
    }
}
