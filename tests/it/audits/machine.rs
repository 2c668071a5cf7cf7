//! A vending machine that counts what it sells and can be read out.

use std::collections::BTreeMap;

/// What it counts of one product.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    name: &'static str,
    price: i64,
    number: i64,
    value: i64,
    free: i64,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Machine {
    selections: BTreeMap<&'static str, Selection>,
    means: BTreeMap<&'static str, (i64, i64)>,
    /// Day and time of its clock.
    pub clock: (&'static str, &'static str),
    /// Lines about events.
    pub events: Vec<String>,
    /// What its lines end with.
    pub line_end: &'static str,
    /// Whether it sends a checksum.
    pub has_checksum: bool,
}

impl Machine {
    /// One that sells cola and water, and has done so for a while.
    pub fn new() -> Self {
        let selection =
            |name, price, number| Selection { name, price, number, value: price * number, free: 2 };
        let selections = [("11", selection("Cola", 150, 40)), ("A12", selection("WATER", 90, 10))];
        Self {
            selections: selections.into(),
            means: [("CA", (45, 6_000)), ("DA", (5, 900))].into(),
            clock: ("261120", "0800"),
            events: Vec::new(),
            line_end: "\r\n",
            has_checksum: true,
        }
    }

    /// Sells so many of a selection for what it costs.
    pub fn sell(&mut self, selection: &str, number: i64, means: &'static str) -> &mut Self {
        let sold = self.selections.get_mut(selection).unwrap();
        sold.number += number;
        sold.value += number * sold.price;
        let counted = self.means.entry(means).or_default();
        *counted = (counted.0 + number, counted.1 + number * sold.price);
        self
    }

    /// Gives one away.
    pub fn give(&mut self, selection: &str) -> &mut Self {
        self.selections.get_mut(selection).unwrap().free += 1;
        self
    }

    /// Begins to count again.
    pub fn initialise(&mut self) -> &mut Self {
        self.means.clear();
        self.restart("11").restart("A12")
    }

    /// Begins to count one selection again.
    pub fn restart(&mut self, selection: &str) -> &mut Self {
        let sold = self.selections.get_mut(selection).unwrap();
        (sold.number, sold.value, sold.free) = (0, 0, 0);
        self
    }

    /// Gets another card reader.
    pub fn swap_reader(&mut self) -> &mut Self {
        self.means.insert("DA", (0, 0));
        self
    }

    /// Its clock goes on to here.
    pub fn at(&mut self, day: &'static str, time: &'static str) -> &mut Self {
        self.clock = (day, time);
        self
    }

    /// What a reader gets out of it.
    pub fn audit(&self) -> String {
        let mut body =
            vec!["ST*001*0001".to_owned(), "ID1*4711*Model X*1".to_owned(), "ID4*2*978*EUR".to_owned()];
        let sum = |of: fn(&Selection) -> i64| self.selections.values().map(of).sum::<i64>();
        body.push(format!("VA1*{}*{}", sum(|sold| sold.value), sum(|sold| sold.number)));
        for (means, (number, value)) in &self.means {
            body.push(format!("{means}2*{value}*{number}"));
        }
        for (selection, sold) in &self.selections {
            body.push(format!("PA1*{selection}*{}*{}", sold.price, sold.name));
            body.push(format!("PA2*{}*{}", sold.number, sold.value));
            body.push(format!("PA4*{}*0", sold.free));
        }
        body.extend(self.events.iter().cloned());
        body.push(format!("EA3*1*{}*{}", self.clock.0, self.clock.1));
        let mut lines = vec!["DXS*SCR0000001*VA*V0/6*1".to_owned()];
        if self.has_checksum {
            let summed = format!("{}\r\n", body.join("\r\n"));
            let checksum = format!("G85*{:04X}", crc16(summed.as_bytes()));
            body.push(checksum);
        }
        lines.append(&mut body);
        lines.extend(["SE*99*0001".to_owned(), "DXE*1*1".to_owned()]);
        lines.iter().flat_map(|line| [line, self.line_end]).collect()
    }
}

/// Bit by bit, as the standard's shift register has it.
fn crc16(bytes: &[u8]) -> u16 {
    let mut register = 0_u16;
    for byte in bytes {
        for bit in 0..8 {
            let feedback = (register ^ (u16::from(*byte) >> bit)) & 1 == 1;
            register >>= 1;
            if feedback {
                register ^= 0xA001;
            }
        }
    }
    register
}
