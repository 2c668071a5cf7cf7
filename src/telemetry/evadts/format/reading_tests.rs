//! A report's content, read from its lines.

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
        reading("VA1**195\nEA1*EA_7*some text*x\nEA2*OBC\nCA3*a*b*c*d*e\nCA17*x\nID5*000000*0000").unwrap();
    assert_eq!(sparse.paid, Count { number: Some(195), value: None });
    assert_eq!((sparse.occurrences[0].at, sparse.clocks), (None, [None, None]));
    assert!(sparse.ledger.is_empty() && sparse.tubes.is_empty());
}

#[test]
fn selections_are_called_alike_and_prices_make_none() {
    let reading = reading(
        "LA1*1*17**0*68315\nPA1*01*50\nPA1*A1*50\nPA7*1*CA*0*50*3*150\nPA7*a1*CA*0*50*2*100\n\
         LA1*1*001*60*0*2\nPA7*9*CA*0*0*0*0\nPA7*8*CA*0*50*1*50",
    )
    .unwrap();
    let parts = |of: &str| reading.products[of].parts.iter().map(|part| part.count.value).collect::<Vec<_>>();
    assert_eq!(reading.products.keys().collect::<Vec<_>>(), ["01", "8", "A1"]);
    assert_eq!((parts("01"), parts("A1"), parts("8")), (vec![Some(150)], vec![Some(100)], vec![Some(50)]));
    assert_eq!(reading.products["01"].lists[&1], (Some(60), Some(2)));
}

#[test]
fn counters_since_the_reset_hold_where_there_are_no_others() {
    let count = |number, value| Count { number: Some(number), value: Some(value) };
    let interval =
        reading("VA1*9000**150*3\nCA2**0*150*3\nPA1*1*50\nPA2***3*150\nEA3*5*20261120*080000").unwrap();
    assert_eq!((interval.since, interval.resets, interval.ever_taken), (Since::Reset, Some(5), Some(9000)));
    assert_eq!((interval.paid, interval.means["CA"]), (count(3, 150), count(3, 150)));
    assert_eq!(interval.products["1"].paid, count(3, 150));
    let both = reading("VA1*9000*90*150*3\nPA1*1*50\nPA2*90*9000*3*150").unwrap();
    assert_eq!((both.since, both.paid, both.ever_taken), (Since::SetUp, count(90, 9000), None));
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
