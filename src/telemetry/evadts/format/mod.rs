//! The format of EVA-DTS audit files: bytes in, reports of segments out, without I/O.
//!
//! A file holds one report or several. A report is a list of segments, one a line: a tag and elements
//! between asterisks. Around them are an envelope (`DXS` to `DXE`), a set (`ST` to `SE`) and a checksum
//! (`G85`). Real files lack parts of these, have other line ends, indents and padding, and something in front
//! of the report or behind its set; all of that is taken. A line that is no segment and a checksum that does
//! not agree are not: they mean that bytes were lost. A report that begins and does not end was cut off.

mod checksum;
mod counting;
mod element;
mod ledger;
mod reading;
mod segment;

pub use counting::{Count, Since};
pub use reading::{Occurrence, Part, Product, Reading, State, Tube};
pub use segment::Segment;

/// Faults that are named at most: after these, somebody sent something else than an audit.
pub const FAULTS_MAX: usize = 100;

/// Reports in one file at most: a machine that was away for months has fewer.
pub const REPORTS_MAX: usize = 100;

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1 on.
    pub line: usize,
    /// What is wrong there.
    pub detail: String,
}

impl Fault {
    fn at(line: usize, detail: impl Into<String>) -> Self {
        Self { line, detail: detail.into() }
    }
}

/// What one device read out of one machine at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The line that it begins at.
    pub line: usize,
    /// Who sends it: three letters of a maker and seven characters; empty where nobody says.
    pub sender: String,
    /// What it says, without the envelope.
    pub segments: Vec<Segment>,
    /// Whether it had a checksum. It agreed, or there would be no report.
    pub checked: bool,
    /// Whether its end was there: the checksum, or one of the lines that close its set and its envelope.
    pub ended: bool,
    /// Whether its beginning was there, so that an end is due: the line that opens its envelope or its set.
    pub opened: bool,
    /// Lines with counters behind its set, which are no part of it.
    pub stray: usize,
}

/// Reads a file. What is wrong with it is told as a whole.
pub fn read(bytes: &[u8]) -> Result<Vec<Report>, Vec<Fault>> {
    let mut reader = Reader { bytes, reports: Vec::new(), open: None, faults: Vec::new() };
    for line in lines(bytes) {
        reader.take(line);
        if reader.faults.len() >= FAULTS_MAX {
            return Err(reader.faults);
        }
    }
    reader.close();
    if reader.reports.is_empty() && reader.faults.is_empty() {
        reader.faults.push(Fault::at(1, "there is no audit in it: no line begins with DXS, ST or ID1"));
    }
    if reader.faults.is_empty() { Ok(reader.reports) } else { Err(reader.faults) }
}

/// The byte order mark, with which UTF-8 files of some editors begin.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Lines by which sales are told.
const COUNTERS: [&str; 8] = ["VA1", "CA2", "DA2", "DB2", "TA2", "PA1", "PA2", "PA7"];

/// A line without its end, its indent and the mark in front of it.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    /// Where it begins in the file, with what is in front of its text.
    starts: usize,
    /// Bytes in front of its text.
    indent: usize,
    text: &'a [u8],
}

/// Returns `true` if gear fills up lines and files with it: blanks, NUL and ^Z.
fn is_padding(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0 | 0x1A)
}

/// Counts the bytes in front of a line's text.
fn indent(text: &[u8]) -> usize {
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    mark + text[mark..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The lines that have more in them than padding. They end with CR LF, LF or CR.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut number = 0;
    let mut starts = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(starts..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        number += 1;
        let indent = indent(&rest[..length]);
        let line = Line { number, starts, indent, text: &rest[indent..length] };
        starts += length + if rest[length..].starts_with(b"\r\n") { 2 } else { 1 };
        Some(line)
    })
    .filter(|line| !line.text.iter().copied().all(is_padding))
}

/// A report that is being read.
struct Open<'a> {
    report: Report,
    /// Whether the set of segments has begun in it.
    has_set: bool,
    /// Whether it has ended too.
    is_past_set: bool,
    /// What the checksum goes over; none once it has been.
    summed: Option<Vec<Line<'a>>>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    reports: Vec<Report>,
    open: Option<Open<'a>>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, line: Line<'a>) {
        let Some(tag) = segment::tag(line.text) else { return self.take_other(line) };
        match tag.as_str() {
            "DXS" => self.begin(line),
            "ST" => {
                // A report has one set of segments: a further one is a further read.
                if let Some(open) = self.open.take_if(|open| open.has_set) {
                    let sender = open.report.sender.clone();
                    self.finish(open);
                    self.start(line.number, sender);
                } else if self.open.is_none() {
                    self.start(line.number, String::new());
                }
                if let Some(open) = &mut self.open {
                    open.has_set = true;
                    open.report.opened = true;
                    open.summed = Some(vec![line]);
                }
            }
            "G85" => self.check(line),
            "SE" => {
                self.end();
                if let Some(open) = &mut self.open {
                    open.is_past_set = true;
                }
            }
            "DXE" => {
                self.end();
                self.close();
            }
            _ => {
                if self.open.is_none() && self.reports.is_empty() && tag == "ID1" {
                    self.start(line.number, String::new());
                }
                let Some(open) = &mut self.open else { return };
                if open.is_past_set {
                    open.report.stray += usize::from(COUNTERS.contains(&tag.as_str()));
                    return;
                }
                match Segment::read(line.number, tag, line.text) {
                    Ok(segment) => open.report.segments.push(segment),
                    Err(detail) => self.faults.push(Fault::at(line.number, detail)),
                }
                if let Some(summed) = &mut open.summed {
                    summed.push(line);
                }
            }
        }
    }

    /// A line that is no segment: a device may have put something in front of the report, or words of its
    /// own behind the set.
    fn take_other(&mut self, line: Line<'a>) {
        if let Some(at) = line.text.windows(4).position(|window| window == b"DXS*") {
            self.begin(Line { text: &line.text[at..], ..line });
        } else if self.open.as_ref().is_some_and(|open| !open.is_past_set) {
            let seen: String = String::from_utf8_lossy(line.text).chars().take(20).collect();
            self.faults.push(Fault::at(line.number, format!("is no segment: {seen:?}")));
        }
    }

    /// A report begins with its envelope.
    fn begin(&mut self, line: Line<'a>) {
        self.close();
        let envelope = Segment::read(line.number, "DXS".to_owned(), line.text);
        let sender = envelope.map(|envelope| envelope.text(1).to_owned()).unwrap_or_default();
        self.start(line.number, sender);
        if let Some(open) = &mut self.open {
            open.report.opened = true;
        }
    }

    fn start(&mut self, line: usize, sender: String) {
        let report = Report {
            line,
            sender,
            segments: Vec::new(),
            checked: false,
            ended: false,
            opened: false,
            stray: 0,
        };
        self.open = Some(Open { report, has_set: false, is_past_set: false, summed: Some(Vec::new()) });
    }

    fn check(&mut self, line: Line<'a>) {
        let Some(open) = &mut self.open else { return };
        let Ok(segment) = Segment::read(line.number, "G85".to_owned(), line.text) else {
            return self.faults.push(Fault::at(line.number, "the checksum can't be read"));
        };
        open.report.ended = true;
        let claimed = segment.text(1);
        if claimed.is_empty() {
            return;
        }
        let Some(summed) = open.summed.take() else {
            return self.faults.push(Fault::at(line.number, "is a second checksum of the same lines"));
        };
        let from = summed.first().map_or(line.starts, |first| first.starts + first.indent);
        let texts: Vec<&[u8]> = summed.iter().map(|line| line.text).collect();
        match checksum::check(claimed, &texts, &self.bytes[from..line.starts]) {
            Ok(()) => open.report.checked = true,
            Err(detail) => self.faults.push(Fault::at(line.number, detail)),
        }
    }

    fn end(&mut self) {
        if let Some(open) = &mut self.open {
            open.report.ended = true;
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.finish(open);
        }
    }

    fn finish(&mut self, open: Open<'_>) {
        if open.report.segments.is_empty() {
            self.faults.push(Fault::at(open.report.line, "begins a report in which there is nothing"));
        } else if self.reports.len() == REPORTS_MAX {
            let detail = format!("begins one report more than the {REPORTS_MAX} that a file can have");
            self.faults.push(Fault::at(open.report.line, detail));
        } else {
            self.reports.push(open.report);
        }
    }
}

#[cfg(test)]
mod tests;
