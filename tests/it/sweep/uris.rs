//! Paths and query strings that are wrong.

use super::{
    document::{Operation, Parameter},
    judge::{Case, Expected},
    stock::Stock,
};

/// A parameter of the path that is nobody's, another group's, or nothing at all; each in its turn.
pub fn paths(operation: &Operation, own: &Stock, foreign: &Stock) -> Vec<Case> {
    let cases = operation.places().flat_map(|place| {
        // A word of a few, or one that anybody may make up.
        let values = if operation.invents(place) || place.name == "status" {
            names()
        } else {
            places(operation, place, own, foreign)
        };
        let values = values.into_iter();
        values.map(|(text, statuses)| {
            let uri = operation.path_with(|other| {
                if other.name == place.name { text.clone() } else { own.place(operation, other) }
            });
            Case::bare(uri, Expected::Refused(statuses, format!("/{}", place.name)))
        })
    });
    cases.collect()
}

/// What nothing can be called.
fn names() -> Vec<(String, &'static [u16])> {
    let long = "a".repeat(101);
    let bad = ["%00", "a%00", "%2F", "..%2F..", "%20", "a%07", "%E2%80%AE", "%FF", &long];
    bad.map(|text| (text.to_owned(), &[400][..])).into()
}

/// What can't stand for a parameter of a path, and what is answered to it.
fn places(
    operation: &Operation,
    place: &Parameter,
    own: &Stock,
    foreign: &Stock,
) -> Vec<(String, &'static [u16])> {
    let good = own.place(operation, place);
    let is_number = good.parse::<i64>().is_ok();
    let is_uuid = uuid::Uuid::parse_str(&good).is_ok();
    // Any text may be a name or a code; one that can't be is none that there is.
    let unreadable: &'static [u16] = if is_number || is_uuid { &[400] } else { &[404] };
    let long = "9".repeat(5_000);
    let garbage =
        ["abc", "%00", "1%00", "%2F", "..%2F..", "%20", "1.5", "1e3", "0x1", "%27%3B--", "%E2%80%AE", "null"];
    let mut cases: Vec<(String, &'static [u16])> = Vec::new();
    cases.extend(garbage.iter().map(|text| ((*text).to_owned(), unreadable)));
    cases.push((long, unreadable));
    for number in ["9223372036854775808", "-9223372036854775809"] {
        cases.push((number.to_owned(), unreadable));
    }
    cases.push(("%FF".to_owned(), &[400]));
    cases.push(("%C0%80".to_owned(), &[400]));
    let unknown: &[&str] = if is_number {
        &["999999999", "0", "-1", "9223372036854775807", "-9223372036854775808"]
    } else if is_uuid {
        &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
    } else {
        &["00000-NOSUCHCODE", "nothing"]
    };
    cases.extend(unknown.iter().map(|text| ((*text).to_owned(), &[404][..])));
    if operation.owns(place) {
        cases.push((foreign.place(operation, place), &[404]));
    }
    cases
}

/// Query strings by the parameter that is wrong in them, with the pointer if it is not just that.
const LIST: &[(&str, &[&str])] = &[
    ("limit", &["0", "101", "-1", "abc", "1.5", "1e1", "9223372036854775808", "%00", "%FF"]),
    ("skip", &["-1", "abc", "99999999999999999999", "9223372036854775808", "%00"]),
    ("after", &["abc%00", "%FF", "~"]),
    ("before", &["abc%00", "%FF", "~"]),
    ("sort", &["nonsense", "id%20sideways", "id%20asc%20asc", "id%3Bdesc", "%00", "%FF", "-id"]),
    ("from", &["abc", "2026-13-01", "2026-02-30", "0001-01-01", "%00", "%FF", "-1", "20260101"]),
    ("to", &["abc", "2026-13-01", "%00", "%FF", "262143-01-01"]),
    ("exportAll", &["maybe", "2", "%00", "%FF"]),
    ("columns", &["nonsense", "id,id", "id,", "%00", "%FF", "*"]),
    ("timezone", &["nonsense", "Mars/Olympus", "UTC%00", "%FF", "+01:00"]),
    ("filename", &["..%2Fx", ".csv", "a%00", "%FF", "%E2%80%AE", "a%22b", "a%0Ab"]),
    ("size", &["huge", "Original", "%00", "%FF", "1"]),
    ("hostname", &["%00", "a%00b", "%FF", "a%20b"]),
    ("expires", &["0", "-1", "abc", "1.5", "9223372036854775808", "%00", "%FF"]),
    ("wait", &["abc", "-1", "61", "1.5", "%00", "%FF"]),
    ("part", &["abc", "1.5", "2147483648", "%FF"]),
    ("sheet", &["a3", "a4-8x3", "%00", "%FF"]),
    ("bleed", &["wide", "-3mm", "3em", "NaN", "%FF"]),
    ("marks", &["1", "TRUE", "%FF"]),
    ("ruler", &["yes", "%FF"]),
    ("start", &["0", "-1", "abc", "1.5", "65536", "%00", "%FF"]),
    ("offsetX", &["wide", "11mm", "3em", "NaN", "%00", "%FF"]),
    ("offsetY", &["wide", "-10.5", "3em", "inf", "%00", "%FF"]),
    ("bom", &["maybe", "2", "%00", "%FF"]),
    ("separator", &["pipe", ",,", "%00", "%FF"]),
    ("erase", &["maybe", "2", "%00", "%FF"]),
    ("useArchive", &["maybe", "2", "%00", "%FF"]),
    ("widget", &["abc", "-1", "1.5", "9223372036854775808", "%FF"]),
    ("status", &["sleeping", "%00", "%FF"]),
    ("machine", &["abc", "-1", "1.5", "9223372036854775808", "%FF"]),
    ("machines", &["abc", "-1", "1.5", "9223372036854775808", "%FF"]),
    ("locations", &["abc", "-1", "1.5", "9223372036854775808", "%FF"]),
    ("machines[]", &["abc", "1.5", "9223372036854775808", "%FF"]),
    ("locations[]", &["abc", "1.5", "9223372036854775808", "%FF"]),
    ("machineGroups[]", &["abc", "1.5", "9223372036854775808", "%FF"]),
    ("locationGroups[]", &["abc", "1.5", "9223372036854775808", "%FF"]),
    ("startDate", &["soon", "2026-02-30", "0001-01-01x", "%00", "%FF"]),
    ("endDate", &["soon", "2026-02-30", "0001-01-01x", "%00", "%FF"]),
    ("amount", &["0", "101", "-1", "abc", "%FF"]),
    ("format", &["xml", "%00", "%FF"]),
    ("period1[startDate]", &["soon", "2026-02-30%2000:00:00", "%00", "%FF"]),
    ("period1[endDate]", &["soon", "2026-02-30%2000:00:00", "%00", "%FF"]),
    ("period1[referenceDate]", &["soon", "%00", "%FF"]),
    ("period1[type]", &["%00"]),
    ("handOverTo", &["abc", "1.5", "9223372036854775808", "%FF"]),
    ("source", &["abc", "1.5", "1e1", "9223372036854775808", "%00", "%FF"]),
];

/// Conditions that no list has.
const CONDITIONS: &[&str] = &[
    "where[nonsense][=]=1",
    "where[id][nonsense]=1",
    "where[id][=]=nonsense",
    "where[id][=]=%00",
    "where[id][in]=,",
    "where[id][=]=9223372036854775808",
    "where[id][contains]=1",
    "where[id]x]=1",
    "where[][=]=1",
    "where[createdAt][%3C]=yesterday",
    "where[createdAt][=]=%FF",
    "where[id)%20or%20(1][=]=1",
];

/// Query strings that an operation does not understand.
pub fn queries(operation: &Operation, own: &Stock) -> Vec<Case> {
    let mut cases = Vec::new();
    // Each stands behind what may not be left out.
    let mut add = |without: &str, query: &str, pointer: String| {
        let uri = own.uri(operation, without);
        let uri = format!("{uri}{}{query}", if uri.contains('?') { "&" } else { "?" });
        let case = Case::bare(uri, Expected::Refused(&[400], pointer));
        cases.push(Case { what: query.to_owned(), ..case });
    };
    for Parameter { name, required, .. } in operation.query() {
        if name.starts_with("where[") {
            for condition in CONDITIONS {
                let name = condition.rsplit_once("]=").map_or(*condition, |(name, _)| name);
                let closing = if condition.contains("]=") { "]" } else { "" };
                add("", condition, format!("/{}{closing}", name.replace("%20", " ").replace("%3C", "<")));
            }
            continue;
        }
        // One that is not good is answered as in a header: nobody is known to ask.
        if name == "token" {
            continue;
        }
        let (_, bad) = LIST
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("{name}: the sweep does not know how this parameter can be wrong"));
        let pointer = || format!("/{}", name.trim_end_matches("[]"));
        for value in *bad {
            add(name, &format!("{name}={value}"), pointer());
        }
        let twice = bad[0];
        add(name, &format!("{name}={twice}&{name}={twice}"), pointer());
        if *required {
            add(name, "", pointer());
        }
    }
    if operation.query().next().is_some() {
        add("", "nonsense=1", "/nonsense".to_owned());
        add("", "a%2Fb=1", "/a~1b".to_owned());
    }
    cases
}
