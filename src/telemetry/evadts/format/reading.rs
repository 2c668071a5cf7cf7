//! What a report says, in types.
//!
//! Counters run from the machine's initialisation on, so that the difference of two reports is what
//! happened in between. Whatever is not told here stays in the segments.

use super::{
    Fault, Report, Segment,
    counting::{Count, DISCOUNTS, MACHINES, PARTS, SELECTIONS, Since, count, since},
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

/// A segment about a selection, which may stand in front of the `PA1` of it.
#[derive(Debug)]
enum Loose {
    /// `PA7`.
    Part(String, Part),
    /// `LA1`: a price list with its price and its vends.
    Price(String, i64, (Option<i64>, Option<i64>)),
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
    /// Its currency by three letters, if it says them.
    pub currency: String,
    /// The same by number.
    pub currency_number: String,
    /// Since when all counters count.
    pub since: Since,
    /// How often it was read with a reset.
    pub resets: Option<i64>,
    /// What it has taken since it was set up, where all else is counted since a reset.
    pub ever_taken: Option<i64>,
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
    /// Whether it was cut off: it began, and did not come to its end.
    pub is_cut: bool,
    /// Lines with counters behind its end, which don't count.
    pub stray: usize,
}

impl Reading {
    /// Reads a report. Sales are worked out from its counters, so one that is no number is a fault.
    pub fn of(report: &Report) -> Result<Self, Vec<Fault>> {
        let mut reading = Self {
            decimals: DECIMALS,
            ended: report.ended,
            is_cut: report.opened && !report.ended,
            stray: report.stray,
            since: since(&report.segments),
            ..Self::default()
        };
        // What lines below a `PA1` are about.
        let mut selection = None;
        let mut loose = Vec::new();
        let mut faults = Vec::new();
        let is_entry =
            |segment: &&Segment| matches!(&*segment.tag, "PA1" | "PA7" | "LA1" | "EA1" | "EA2" | "CA17");
        if let Some(beyond) = report.segments.iter().filter(is_entry).nth(ENTRIES_MAX) {
            let detail = format!("is one of more than {ENTRIES_MAX} lines about selections and events");
            return Err(vec![Fault::at(beyond.line, detail)]);
        }
        for segment in &report.segments {
            if let Err(detail) = reading.take(segment, &mut selection, &mut loose) {
                faults.push(Fault::at(segment.line, format!("{}: {detail}", segment.tag)));
            }
        }
        for segment in loose {
            reading.fasten(segment);
        }
        faults.truncate(super::FAULTS_MAX);
        if faults.is_empty() { Ok(reading) } else { Err(faults) }
    }

    fn take(
        &mut self,
        segment: &Segment,
        selection: &mut Option<String>,
        loose: &mut Vec<Loose>,
    ) -> Result<(), String> {
        let text = |number: usize| beginning(segment.text(number), NAME_MAX);
        let since = self.since;
        match segment.tag.as_str() {
            "ID1" => (self.serial, self.model, self.asset) = (text(1), text(2), text(6)),
            "ID4" => self.take_currency(segment)?,
            "ID5" => self.clocks[1] = moment(segment.text(1), segment.text(2)),
            "VA1" => {
                self.paid = count(segment, since.of(MACHINES))?;
                self.ever_taken = number(segment.text(1))?.filter(|_| since == Since::Reset);
            }
            "VA3" => self.free = count(segment, since.of(MACHINES))?,
            "CA2" => self.take_means("CA", segment)?,
            "DA2" => self.take_means("DA", segment)?,
            "DB2" => self.take_means("DB", segment)?,
            "TA2" => self.take_means("TA", segment)?,
            "PA1" => self.take_product(segment, selection)?,
            "PA7" => loose.push(part(segment, since)?),
            "LA1" => loose.extend(price(segment)?),
            "PA2" | "PA3" | "PA4" | "PA5" | "PA8" => {
                let product = selection.as_ref().and_then(|selection| self.products.get_mut(selection));
                product.ok_or("there is no PA1 above it")?.take(segment, since)?;
            }
            "EA1" => self.occurrences.extend(occurrence(segment)),
            "EA2" => self.take_state(segment)?,
            "EA3" => {
                self.clocks[0] = moment(segment.text(2), segment.text(3));
                self.resets = number(segment.text(1)).ok().flatten();
            }
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
        // Old gear has a number there too.
        let letters =
            Some(segment.text(3)).filter(|text| text.bytes().all(|byte| byte.is_ascii_alphabetic()));
        letters.unwrap_or_default().clone_into(&mut self.currency);
        segment.text(2).clone_into(&mut self.currency_number);
        Ok(())
    }

    fn take_means(&mut self, device: &'static str, segment: &Segment) -> Result<(), String> {
        self.means.insert(device, count(segment, self.since.of(MACHINES))?);
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

    /// Adds what stood by itself to its selection. A price makes no product of a place that nothing was ever
    /// put in, nor does a counter that counts nothing.
    fn fasten(&mut self, segment: Loose) {
        match segment {
            Loose::Part(selection, part) => {
                let known = self.called(&selection);
                if known.is_some() || part.count.number.is_some_and(|number| number > 0) {
                    self.products.entry(known.unwrap_or(selection)).or_default().parts.push(part);
                }
            }
            Loose::Price(selection, list, price) => {
                let known = self.called(&selection);
                if let Some(product) = known.and_then(|known| self.products.get_mut(&known)) {
                    product.lists.insert(list, price);
                }
            }
        }
    }

    /// The selection that is called so, as its `PA1` has it. Some gear writes 1 here and 01 there, or a1 and
    /// A1.
    fn called(&self, selection: &str) -> Option<String> {
        if self.products.contains_key(selection) {
            return Some(selection.to_owned());
        }
        let bare = |name: &str| name.trim_start_matches('0').to_lowercase();
        let mut alike = self.products.keys().filter(|name| bare(name) == bare(selection));
        alike.next().filter(|_| alike.next().is_none()).cloned()
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
    fn take(&mut self, segment: &Segment, since: Since) -> Result<(), String> {
        match segment.tag.as_str() {
            "PA2" => {
                self.paid = count(segment, since.of(SELECTIONS))?;
                self.discounted = count(segment, since.of(DISCOUNTS))?;
            }
            "PA3" => self.test = count(segment, since.of(SELECTIONS))?,
            "PA4" => self.free = count(segment, since.of(SELECTIONS))?,
            "PA8" => self.mixed = count(segment, since.of(SELECTIONS))?,
            _ => {
                self.sold_out = moment(segment.text(1), segment.text(2));
                self.missed = number(segment.text(3)).ok().flatten();
            }
        }
        Ok(())
    }
}

fn part(segment: &Segment, since: Since) -> Result<Loose, String> {
    let selection = short(segment.text(1))?;
    let device = beginning(segment.text(2), NAME_MAX).to_ascii_uppercase();
    if selection.is_empty() || device.is_empty() {
        return Err("names no selection or no device".to_owned());
    }
    let list = number(segment.text(3)).ok().flatten();
    Ok(Loose::Part(selection.to_owned(), Part { device, list, count: count(segment, since.of(PARTS))? }))
}

fn price(segment: &Segment) -> Result<Option<Loose>, String> {
    let Some(list) = number(segment.text(1))? else { return Ok(None) };
    let price = (number(segment.text(3))?, number(segment.text(5))?);
    Ok(Some(Loose::Price(short(segment.text(2))?.to_owned(), list, price)))
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
#[path = "reading_tests.rs"]
mod tests;
