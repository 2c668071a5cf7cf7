//! Whatever bytes are sent as an audit: reading them ends, faults name lines that there are, and what was
//! read holds no control character, counts nothing below 0 and is the same when it is read again.

#![no_main]

use format::{FAULTS_MAX, Fault, Reading};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/telemetry/evadts/format/mod.rs"]
mod format;

fuzz_target!(|bytes: &[u8]| {
    let reports = match format::read(bytes) {
        Ok(reports) => reports,
        Err(faults) => return assert_told(bytes, &faults),
    };
    assert!(!reports.is_empty());
    assert_eq!(format::read(bytes).as_ref(), Ok(&reports));
    for report in &reports {
        assert!(!report.segments.is_empty());
        for segment in &report.segments {
            assert!((report.line..=bytes.len()).contains(&segment.line), "{segment:?}");
            let control = |text: &String| text.chars().any(|letter| letter.is_ascii_control() && letter != '\t');
            assert!(!control(&segment.tag) && !segment.elements.iter().any(control), "{segment:?}");
        }
        match Reading::of(report) {
            Ok(reading) => assert_counted(&reading),
            Err(faults) => assert_told(bytes, &faults),
        }
    }
});

fn assert_told(bytes: &[u8], faults: &[Fault]) {
    assert!((1..=FAULTS_MAX).contains(&faults.len()));
    for fault in faults {
        assert!((1..=bytes.len().max(1)).contains(&fault.line), "{fault:?}");
        assert!(!fault.detail.is_empty() && !fault.detail.contains('\0'), "{fault:?}");
    }
}

fn assert_counted(reading: &Reading) {
    assert!(reading.decimals <= 9);
    let means = reading.means.values().copied();
    let products = reading.products.iter().flat_map(|(name, product)| {
        assert!(!name.contains('\0'));
        let parts = product.parts.iter().map(|part| part.count);
        [product.paid, product.free, product.test, product.mixed, product.discounted].into_iter().chain(parts)
    });
    for count in [reading.paid, reading.free].into_iter().chain(means).chain(products) {
        assert!(count.number.is_none_or(|number| number >= 0) && count.value.is_none_or(|value| value >= 0));
    }
}
