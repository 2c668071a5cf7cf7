//! The format of EVA-DTS audit files: bytes in, reports of segments out, without I/O.
//!
//! A file holds one report or several. A report is a list of segments, one a line: a tag and elements
//! between asterisks. Around them are an envelope (`DXS` to `DXE`) and a checksum (`G85`). Real files lack
//! parts of the envelope, have other line ends, and something in front of them; all of that is taken. A
//! line that is no segment and a checksum that does not agree are not: they mean that bytes were lost.

mod checksum;
mod element;
mod ledger;
mod reading;
mod segment;

pub use reading::{Count, Occurrence, Part, Product, Reading, State, Tube};
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

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    /// Where it begins in the file.
    starts: usize,
    text: &'a [u8],
}

/// The lines that have something in them. They end with CR LF, LF or CR.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut number = 0;
    let mut starts = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(starts..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        number += 1;
        let line = Line { number, starts, text: &rest[..length] };
        starts += length + if rest[length..].starts_with(b"\r\n") { 2 } else { 1 };
        Some(line)
    })
    .filter(|line| !line.text.is_empty())
}

/// A report that is being read.
struct Open<'a> {
    report: Report,
    /// Whether the set of segments has begun in it.
    has_set: bool,
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
                    open.summed = Some(vec![line]);
                }
            }
            "G85" => self.check(line),
            "SE" => self.end(),
            "DXE" => {
                self.end();
                self.close();
            }
            _ => {
                if self.open.is_none() && self.reports.is_empty() && tag == "ID1" {
                    self.start(line.number, String::new());
                }
                let Some(open) = &mut self.open else { return };
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

    /// A line that is no segment: a device may have put something in front of the report.
    fn take_other(&mut self, line: Line<'a>) {
        if let Some(at) = line.text.windows(4).position(|window| window == b"DXS*") {
            self.begin(Line { text: &line.text[at..], ..line });
        } else if self.open.is_some() {
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
    }

    fn start(&mut self, line: usize, sender: String) {
        let report = Report { line, sender, segments: Vec::new(), checked: false, ended: false };
        self.open = Some(Open { report, has_set: false, summed: Some(Vec::new()) });
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
        let from = summed.first().map_or(line.starts, |first| first.starts);
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A report as a machine would send it, with its checksum.
    fn written(sender: &str, segments: &[(String, Vec<String>)], end: &str) -> Vec<u8> {
        let mut body = vec!["ST*001*0001".to_owned()];
        body.extend(segments.iter().map(|(tag, elements)| segment::written(tag, elements)));
        let summed = format!("{}\r\n", body.join("\r\n"));
        let crc = checksum::of(summed.as_bytes());
        let count = body.len() + 2;
        let head = format!("DXS*{sender}*VA*V0/6*1");
        let tail = [format!("G85*{crc:04X}"), format!("SE*{count}*0001"), "DXE*1*1".to_owned()];
        [vec![head], body, tail.to_vec()]
            .concat()
            .iter()
            .flat_map(|line| [line, end])
            .collect::<String>()
            .into()
    }

    fn one(text: &str) -> Report {
        let mut reports = read(text.as_bytes()).unwrap();
        assert_eq!(reports.len(), 1);
        reports.remove(0)
    }

    fn faults(text: &str) -> Vec<(usize, String)> {
        read(text.as_bytes()).unwrap_err().into_iter().map(|fault| (fault.line, fault.detail)).collect()
    }

    #[test]
    fn an_envelope_is_taken_as_it_comes() {
        let good = one("DXS*SCR0000001*VA*V0/6*1\r\nST*001*0001\r\nID1*42\r\nSE*99*0001\r\nDXE*1*1\r\n");
        assert_eq!((good.sender.as_str(), good.checked), ("SCR0000001", false));
        assert_eq!(good.segments, [Segment { line: 3, tag: "ID1".into(), elements: vec!["42".into()] }]);
        // Something in front of it, other line ends, and neither ST nor SE nor DXE.
        let bare = one("<000|x|>DXS*SCR0000001*VA*V0/6*1\nID1*42");
        assert_eq!((bare.line, bare.segments.len()), (1, 1));
        assert_eq!(one("something\n\nid1*42\nVA1*1*2").segments[1].line, 4);
        assert_eq!(one("ST-1*001*0001\rPA1*1\r").segments.len(), 1);
        for (end, is_one) in
            [("", false), ("VA1*1*1", false), ("G85*", true), ("SE*3*0001", true), ("DXE*1*1", true)]
        {
            assert_eq!(one(&format!("DXS*A\nST*001*0001\nID1*42\n{end}")).ended, is_one, "{end}");
        }
        // What follows the envelope is not looked at.
        assert_eq!(one("DXS*A\nID1*1\nDXE*1*1\n??\nID1*2").segments.len(), 1);
    }

    #[test]
    fn a_file_may_hold_several_reports() {
        let reports = read(b"DXS*A\nST*001*0001\nID1*1\nDXE*1*1\nDXS*B\nID1*2\n<x>DXS*C*\nID1*3").unwrap();
        let of: Vec<_> = reports.iter().map(|r| (r.sender.as_str(), r.segments[0].text(1))).collect();
        assert_eq!(of, [("A", "1"), ("B", "2"), ("C", "3")]);
        let sets = read(b"DXS*A\nST*001*0001\nID1*1\nSE*3*0001\nST*001*0002\nID1*2\nSE*3*0002").unwrap();
        assert_eq!(
            sets.iter().map(|r| (r.sender.as_str(), r.line)).collect::<Vec<_>>(),
            [("A", 1), ("A", 5)]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(faults("hello")[0].0, 1);
        assert_eq!(faults("DXS*A\n\nDXE*1*1")[0], (1, "begins a report in which there is nothing".into()));
        assert_eq!(faults("DXS*A\nID1*1\n!!\nDXE*1*1"), [(3, "is no segment: \"!!\"".into())]);
        assert_eq!(faults("DXS*A\nID1*1\u{0}\nVA1*1")[0].0, 2);
        assert_eq!(faults("DXS*A\nID1*1\nG85*zzzz")[0].0, 3);
        let wrong = faults("DXS*A\nST*001*0001\nID1*1\nG85*0000");
        assert_eq!(wrong[0].0, 4);
        assert!(wrong[0].1.contains("0000"), "{wrong:?}");
        assert_eq!(faults(&format!("DXS*A\n{}", "!\n".repeat(1000))).len(), FAULTS_MAX);
        assert_eq!(faults(&"DXS*A\nID1*1\n".repeat(REPORTS_MAX + 1))[0].0, 2 * REPORTS_MAX + 1);
    }

    #[test]
    fn a_changed_digit_is_noticed() {
        let counters = |n: u32| ("PA2".to_owned(), vec![n.to_string(), (n * 150).to_string()]);
        let segments: Vec<_> = (1..9).map(counters).collect();
        let file = written("SCR0000001", &segments, "\r\n");
        assert!(read(&file).unwrap()[0].checked);
        let body = 40..file.len() - 40;
        for at in body.filter(|&at| file[at].is_ascii_digit()) {
            let mut changed = file.clone();
            changed[at] = if file[at] == b'9' { b'0' } else { file[at] + 1 };
            assert!(read(&changed).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_lines_are_read_to_their_end(text in "((DXS|ST|G85|SE|DXE|ID1|ID4|PA[1278]|EA[1237]|VA1|x)(\\*[-0-9A-F^*]{0,9}){0,6}\r?\n){0,40}") {
            for report in read(text.as_bytes()).unwrap_or_default() {
                prop_assert!(!report.segments.is_empty());
                let _ = Reading::of(&report);
            }
        }

        #[test]
        fn what_is_written_is_read(
            reports in proptest::collection::vec(
                ("[A-Z]{3}[0-9]{7}",
                 proptest::collection::vec(("[A-F][A-D][1-9]", proptest::collection::vec("[^\\x00-\\x1f\\x7f]{0,9}", 0..6)), 1..12)),
                1..4),
            end in "\r\n|\n|\r",
        ) {
            let file: Vec<u8> = reports.iter().flat_map(|(sender, segments)| written(sender, segments, &end)).collect();
            let read = read(&file).map_err(|faults| TestCaseError::fail(format!("{faults:?}")))?;
            prop_assert_eq!(read.len(), reports.len());
            for (report, (sender, segments)) in read.iter().zip(&reports) {
                prop_assert!(report.checked);
                prop_assert_eq!(&report.sender, sender);
                let got: Vec<_> = report.segments.iter().map(|s| (s.tag.clone(), s.elements.clone())).collect();
                prop_assert_eq!(&got, segments);
            }
        }
    }
}
