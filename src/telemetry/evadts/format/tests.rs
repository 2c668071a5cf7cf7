//! Files as they come: in parts, in pieces, and in any bytes.

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
    [vec![head], body, tail.to_vec()].concat().iter().flat_map(|line| [line, end]).collect::<String>().into()
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
    assert_eq!(sets.iter().map(|r| (r.sender.as_str(), r.line)).collect::<Vec<_>>(), [("A", 1), ("A", 5)]);
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
fn gear_pads_and_indents() {
    let report = |text: &str| one(text).segments.iter().map(|s| s.tag.clone()).collect::<Vec<_>>();
    let plain = "ST*001*0001\r\nID1*42\r\nVA1*150*1\r\nSE*4*0001\r\n";
    let expected = ["ID1", "VA1"];
    for end in ["\u{1a}", "\0\0\0", "  \r\nDXE*1*1\r\n", "DXE*1*1\r\n\u{1a}", "\t\r\n\0\r\n"] {
        assert_eq!(report(&format!("{plain}{end}")), expected, "{end:?}");
    }
    assert_eq!(report(&format!("\u{feff}{plain}")), expected);
    assert_eq!(report(&format!("\u{feff}DXS*A\r\n{plain}")), expected);
    assert_eq!(report(&plain.replace("\r\n", "\r\n  ")), expected);
    // The checksum is of the lines, however they are indented.
    let file = String::from_utf8(written("SCR0000001", &[("ID1".into(), vec!["42".into()])], "\r\n"));
    let indented = file.unwrap().replace("\r\n", "\r\n\t ");
    assert!(one(&indented).checked);
    // Padding within a line means that bytes were lost.
    assert_eq!(faults("ST*001*0001\r\nID1*4\u{1a}2\r\nSE*3*0001")[0].0, 2);
}

#[test]
fn words_behind_the_set_are_no_part_of_it() {
    let fiscal = "DXS*A\r\nST*001*0001\r\nID1*42\r\nSE*3*0001\r\n@$1*HI*37*ID101*X**p\r\n\
                  ?!\r\n@$10*Venduto*1.50\r\nPA2*9*9\r\nXX9*1\r\nDXE*1*1\r\n";
    let report = one(fiscal);
    assert_eq!((report.segments.len(), report.stray, report.ended), (1, 1, true));
    // Within the set they are a fault.
    assert_eq!(faults(&fiscal.replace("SE*3*0001\r\n", ""))[0].0, 4);
    let two = format!("{fiscal}{}", fiscal.replace("ID1*42", "ID1*43"));
    assert_eq!(read(two.as_bytes()).unwrap().len(), 2);
}

#[test]
fn what_begins_has_to_end() {
    let due = |text: &str| {
        let report = one(text);
        (report.opened, report.ended)
    };
    assert_eq!(due("DXS*A\nID1*1"), (true, false));
    assert_eq!(due("ST*001*0001\nID1*1"), (true, false));
    assert_eq!(due("ST*001*0001\nID1*1\nSE*3*1"), (true, true));
    assert_eq!(due("ID1*1\nVA1*1*1"), (false, false));
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
