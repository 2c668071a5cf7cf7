//! What a report says, in types.
//!
//! Counters run from the machine's initialisation on, so that the difference of two reports is what
//! happened in between. Whatever is not told here stays in the segments.

use super::{
    Fault, Report, Segment,
    element::{moment, number},
    ledger,
};
use chrono::NaiveDateTime;
use std::collections::BTreeMap;

/// Decimals that amounts have where the report does not say.
const DECIMALS: u8 = 2;

/// Lines about selections and events in one report at most: no machine has as many.
const ENTRIES_MAX: usize = 5_000;

/// Characters of a name or a code at most. A selection, by which sales are told apart, can't be longer; of
/// anything else there is the beginning.
const NAME_MAX: usize = 200;

/// Characters of a note at most.
const NOTE_MAX: usize = 10_000;

/// How many, and of which worth. Not every machine counts both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub number: Option<i64>,
    /// For how much, in the report's decimals.
    pub value: Option<i64>,
}

/// What was sold of a product by one means of payment and at one price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `CA` for cash, `DA` for the first cashless device, and so on.
    pub device: String,
    /// The number of the price list.
    pub list: Option<i64>,
    /// How much.
    pub count: Count,
}

/// What a report says of one selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// What the machine asks for it.
    pub price: Option<i64>,
    /// What the machine calls it.
    pub name: Option<String>,
    /// How many fit in.
    pub capacity: Option<i64>,
    /// How many are in.
    pub level: Option<i64>,
    /// Paid vends.
    pub paid: Count,
    /// Those of them that were discounted, and by how much.
    pub discounted: Count,
    /// Test vends.
    pub test: Count,
    /// Free vends.
    pub free: Count,
    /// Paid vends once more, by means of payment.
    pub parts: Vec<Part>,
    /// Vends that were paid in several ways, and the cash in them.
    pub mixed: Count,
    /// Since when it is sold out.
    pub sold_out: Option<NaiveDateTime>,
    /// How often it was asked for since.
    pub missed: Option<i64>,
    /// Prices by price list, with the vends at each.
    pub lists: BTreeMap<i64, (Option<i64>, Option<i64>)>,
}

/// An event that the machine wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// What happened.
    pub code: String,
    /// When.
    pub at: Option<NaiveDateTime>,
    /// For how many minutes.
    pub minutes: Option<i64>,
    /// What the maker says besides.
    pub note: String,
}

/// An event that the machine counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What happens.
    pub code: String,
    /// How often it has.
    pub count: Option<i64>,
    /// Whether it lasts.
    pub active: bool,
}

/// Coins of a tube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tube {
    /// What a coin of it is worth.
    pub coin: i64,
    /// How many are in it.
    pub coins: i64,
}

/// A report, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The machine's serial number.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// The number that its owner gave it.
    pub asset: String,
    /// Decimals of all amounts.
    pub decimals: u8,
    /// Its currency, by letters or by number.
    pub currency: String,
    /// When it was read, by its own clock, and what that clock showed: one or both may be missing.
    pub clocks: [Option<NaiveDateTime>; 2],
    /// Paid vends of the whole machine.
    pub paid: Count,
    /// Free vends of the whole machine.
    pub free: Count,
    /// Paid vends by means of payment: `CA`, `DA`, `DB` and `TA`.
    pub means: BTreeMap<&'static str, Count>,
    /// By selection.
    pub products: BTreeMap<String, Product>,
    /// What happened.
    pub occurrences: Vec<Occurrence>,
    /// What is counted of it.
    pub states: Vec<State>,
    /// What the coin tubes hold.
    pub tubes: Vec<Tube>,
    /// Further counts and amounts by name, and whether each is money.
    pub ledger: BTreeMap<&'static str, (i64, bool)>,
    /// Whether it came to its end: if not, what is last in a report may be missing.
    pub ended: bool,
}

impl Reading {
    /// Reads a report. Sales are worked out from its counters, so one that is no number is a fault.
    pub fn of(report: &Report) -> Result<Self, Vec<Fault>> {
        let mut reading = Self { decimals: DECIMALS, ended: report.ended, ..Self::default() };
        // What lines below a `PA1` are about.
        let mut selection = None;
        let mut faults = Vec::new();
        let is_entry =
            |segment: &&Segment| matches!(&*segment.tag, "PA1" | "PA7" | "LA1" | "EA1" | "EA2" | "CA17");
        if let Some(beyond) = report.segments.iter().filter(is_entry).nth(ENTRIES_MAX) {
            let detail = format!("is one of more than {ENTRIES_MAX} lines about selections and events");
            return Err(vec![Fault::at(beyond.line, detail)]);
        }
        for segment in &report.segments {
            if let Err(detail) = reading.take(segment, &mut selection) {
                faults.push(Fault::at(segment.line, format!("{}: {detail}", segment.tag)));
            }
        }
        faults.truncate(super::FAULTS_MAX);
        if faults.is_empty() { Ok(reading) } else { Err(faults) }
    }

    fn take(&mut self, segment: &Segment, selection: &mut Option<String>) -> Result<(), String> {
        let text = |number: usize| beginning(segment.text(number), NAME_MAX);
        match segment.tag.as_str() {
            "ID1" => (self.serial, self.model, self.asset) = (text(1), text(2), text(6)),
            "ID4" => self.take_currency(segment)?,
            "ID5" => self.clocks[1] = moment(segment.text(1), segment.text(2)),
            "VA1" => self.paid = count(segment, 2, 1)?,
            "VA3" => self.free = count(segment, 2, 1)?,
            "CA2" => self.take_means("CA", segment)?,
            "DA2" => self.take_means("DA", segment)?,
            "DB2" => self.take_means("DB", segment)?,
            "TA2" => self.take_means("TA", segment)?,
            "PA1" => self.take_product(segment, selection)?,
            "PA7" => self.take_part(segment)?,
            "LA1" => self.take_list(segment)?,
            "PA2" | "PA3" | "PA4" | "PA5" | "PA8" => {
                let product = selection.as_ref().and_then(|selection| self.products.get_mut(selection));
                product.ok_or("there is no PA1 above it")?.take(segment)?;
            }
            "EA1" => self.occurrences.extend(occurrence(segment)),
            "EA2" => self.take_state(segment)?,
            "EA3" => self.clocks[0] = moment(segment.text(2), segment.text(3)),
            "CA17" => {
                let number = |at| number(segment.text(at)).ok().flatten();
                self.tubes.extend(number(2).zip(number(3)).map(|(coin, coins)| Tube { coin, coins }));
            }
            _ => {}
        }
        self.ledger.extend(ledger::entries(segment));
        Ok(())
    }

    fn take_currency(&mut self, segment: &Segment) -> Result<(), String> {
        self.decimals = match number(segment.text(1))? {
            None => DECIMALS,
            Some(decimals @ 0..=9) => decimals as u8,
            Some(_) => return Err("amounts have 0 to 9 decimals".to_owned()),
        };
        let letters = segment.text(3);
        let said = if letters.is_empty() { segment.text(2) } else { letters };
        said.clone_into(&mut self.currency);
        Ok(())
    }

    fn take_means(&mut self, device: &'static str, segment: &Segment) -> Result<(), String> {
        self.means.insert(device, count(segment, 2, 1)?);
        Ok(())
    }

    fn take_product(&mut self, segment: &Segment, selection: &mut Option<String>) -> Result<(), String> {
        // Some gear leaves the first element empty, and everything is one further on.
        let shift = usize::from(segment.text(1).is_empty());
        let text = |at: usize| segment.text(at + shift);
        *selection = None;
        let name = short(text(1))?;
        if name.is_empty() {
            return Err("names no selection".to_owned());
        }
        *selection = Some(name.to_owned());
        let product = self.products.entry(name.to_owned()).or_default();
        product.price = number(text(2))?;
        product.name = Some(beginning(text(3), NAME_MAX)).filter(|name| !name.is_empty());
        product.capacity = number(text(4)).ok().flatten();
        product.level = number(text(8)).ok().flatten();
        Ok(())
    }

    /// This one names its selection itself, and may stand anywhere.
    fn take_part(&mut self, segment: &Segment) -> Result<(), String> {
        let selection = short(segment.text(1))?;
        let device = beginning(segment.text(2), NAME_MAX).to_ascii_uppercase();
        if selection.is_empty() || device.is_empty() {
            return Err("names no selection or no device".to_owned());
        }
        let part =
            Part { device, list: number(segment.text(3)).ok().flatten(), count: count(segment, 5, 6)? };
        self.products.entry(selection.to_owned()).or_default().parts.push(part);
        Ok(())
    }

    fn take_list(&mut self, segment: &Segment) -> Result<(), String> {
        if let Some(list) = number(segment.text(1))? {
            let product = self.products.entry(short(segment.text(2))?.to_owned()).or_default();
            product.lists.insert(list, (number(segment.text(3))?, number(segment.text(5))?));
        }
        Ok(())
    }

    fn take_state(&mut self, segment: &Segment) -> Result<(), String> {
        let code = beginning(segment.text(1), NAME_MAX);
        if !code.is_empty() {
            let active = segment.text(5) == "1";
            self.states.push(State { code, count: number(segment.text(3))?, active });
        }
        Ok(())
    }
}

impl Product {
    fn take(&mut self, segment: &Segment) -> Result<(), String> {
        match segment.tag.as_str() {
            "PA2" => {
                self.paid = count(segment, 1, 2)?;
                self.discounted = count(segment, 5, 6)?;
            }
            "PA3" => self.test = count(segment, 1, 2)?,
            "PA4" => self.free = count(segment, 1, 2)?,
            "PA8" => self.mixed = count(segment, 1, 2)?,
            _ => {
                self.sold_out = moment(segment.text(1), segment.text(2));
                self.missed = number(segment.text(3)).ok().flatten();
            }
        }
        Ok(())
    }
}

fn count(segment: &Segment, number_at: usize, value_at: usize) -> Result<Count, String> {
    let read = |at| number(segment.text(at)).map_err(|detail| format!("element {at}: {detail}"));
    Ok(Count { number: read(number_at)?, value: read(value_at)? })
}

/// A name that has to be told as a whole.
fn short(name: &str) -> Result<&str, String> {
    let is_long = name.chars().nth(NAME_MAX).is_some();
    if is_long { Err(format!("has a name of more than {NAME_MAX} characters")) } else { Ok(name) }
}

fn beginning(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn occurrence(segment: &Segment) -> Option<Occurrence> {
    let code = Some(beginning(segment.text(1), NAME_MAX)).filter(|code| !code.is_empty())?;
    Some(Occurrence {
        code,
        at: moment(segment.text(2), segment.text(3)),
        minutes: number(segment.text(4)).ok().flatten(),
        note: beginning(segment.text(6), NOTE_MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};

    fn reading(text: &str) -> Result<Reading, Vec<Fault>> {
        Reading::of(&read(format!("DXS*SCR0000001\n{text}").as_bytes()).unwrap()[0])
    }

    #[test]
    fn a_report_is_read() {
        let reading = reading(
            "ID1*4711*Model X*1***asset-9\nID4*2*978*EUR\nID5*20261124*170500\nVA1*3450*20*150*1\nVA3*0*2\n\
             CA2*2000*12\nDA2*1450*8\nTA2*300*2\nCA17*0*50*12\nCA15*600\nCA4*1*2*3*4\n\
             PA1*11*150*Cola*10****7*2\nPA2*12*1800*1*150*2*60\nPA4*2*0\nPA5*261123*0905*3\nPA8*1*50\n\
             PA7*11*CA*0*150*10*1500\nPA7*11*DA*1*150*2*300\nLA1*0*11*150*1*12\n\
             EA1*EGS*261124*1610*5**door\nEA2*OBC*1*4**1\nEA3*1*261124*1704*T1\nEA7*1*9\nMA5*anything",
        )
        .unwrap();
        assert_eq!((reading.serial.as_str(), reading.asset.as_str()), ("4711", "asset-9"));
        assert_eq!((reading.decimals, reading.currency.as_str()), (2, "EUR"));
        let clocks = reading.clocks.map(|at| at.unwrap().to_string());
        assert_eq!(clocks, ["2026-11-24 17:04:00", "2026-11-24 17:05:00"]);
        let count = |number, value| Count { number: Some(number), value: Some(value) };
        assert_eq!((reading.paid, reading.free), (count(20, 3450), count(2, 0)));
        assert_eq!(reading.means["CA"], count(12, 2000));
        assert_eq!(reading.means["TA"], count(2, 300));
        assert_eq!(reading.tubes, [Tube { coin: 50, coins: 12 }]);
        assert_eq!(reading.ledger["tubesContents"], (600, true));
        assert_eq!(reading.ledger["cashDispensed"], (3, true));
        assert_eq!(reading.ledger["powerOutages"], (9, false));
        let cola = &reading.products["11"];
        assert_eq!((cola.price, cola.name.as_deref()), (Some(150), Some("Cola")));
        assert_eq!((cola.capacity, cola.level, cola.missed), (Some(10), Some(7), Some(3)));
        assert_eq!((cola.paid, cola.discounted, cola.free), (count(12, 1800), count(2, 60), count(2, 0)));
        assert_eq!(cola.mixed, count(1, 50));
        assert_eq!(
            cola.parts.iter().map(|part| (part.device.as_str(), part.count)).collect::<Vec<_>>(),
            [("CA", count(10, 1500)), ("DA", count(2, 300)),]
        );
        assert_eq!(cola.lists[&0], (Some(150), Some(12)));
        assert_eq!((reading.occurrences[0].minutes, reading.occurrences[0].note.as_str()), (Some(5), "door"));
        assert_eq!(reading.states, [State { code: "OBC".into(), count: Some(4), active: true }]);
    }

    #[test]
    fn gear_has_its_ways() {
        let shifted = reading("PA1**1*5\nPA2*7*35\nPA1*2*\nPA2*3").unwrap();
        assert_eq!((shifted.products["1"].price, shifted.products["1"].paid.number), (Some(5), Some(7)));
        assert_eq!(shifted.products["2"].paid, Count { number: Some(3), value: None });
        let sparse =
            reading("VA1**195\nEA1*EA_7*some text*x\nEA2*OBC\nCA3*a*b*c*d*e\nCA17*x\nID5*000000*0000")
                .unwrap();
        assert_eq!(sparse.paid, Count { number: Some(195), value: None });
        assert_eq!((sparse.occurrences[0].at, sparse.clocks), (None, [None, None]));
        assert!(sparse.ledger.is_empty() && sparse.tubes.is_empty());
    }

    #[test]
    fn long_words_are_cut() {
        let (fits, long) = ("\u{e9}".repeat(NAME_MAX), "\u{e9}".repeat(NOTE_MAX + 1));
        let report = format!("PA1*{fits}*1*{long}\nEA1*{long}*261124*1610*5**{long}\nEA2*{long}*1*4**1");
        let reading = reading(&report).unwrap();
        assert_eq!(reading.products[&fits].name.as_ref(), Some(&fits));
        assert_eq!((&reading.occurrences[0].code, &reading.states[0].code), (&fits, &fits));
        assert_eq!(reading.occurrences[0].note.chars().count(), NOTE_MAX);
    }

    #[test]
    fn a_counter_that_is_none_is_a_fault_of_its_line() {
        let lines =
            |text: &str| reading(text).unwrap_err().into_iter().map(|fault| fault.line).collect::<Vec<_>>();
        assert_eq!(lines("VA1*x*1\nPA1*1*-5\nPA2*1*1\nCA2*1*1.5"), [2, 3, 5]);
        assert_eq!(lines("PA2*1*1"), [2]);
        assert_eq!(lines("PA1*\nPA2*1*1\nPA7**CA\nID4*12"), [2, 3, 4, 5]);
        assert_eq!(lines(&"PA1*1\n".repeat(ENTRIES_MAX + 1)), [ENTRIES_MAX + 2]);
        let long = "\u{e9}".repeat(NAME_MAX + 1);
        assert_eq!(lines(&format!("PA1*{long}*150\nPA7*{long}*CA*0*1*1\nLA1*0*{long}*1*1*1")), [2, 3, 4]);
        let detail = reading("PA1*1*150\nPA2*12*18OO").unwrap_err()[0].detail.clone();
        assert_eq!(detail, "PA2: element 2: \"18OO\" is not a number of at most 12 digits");
    }
}
