//! Paths and query strings that are wrong.

use super::{
    document::Operation,
    judge::{Case, Expected},
    stock::{Stock, with},
};

/// A path parameter that is nobody's, another group's, or nothing at all.
pub fn paths(operation: &Operation, own: &Stock, foreign: &Stock) -> Vec<Case> {
    let Some(good) = own.parameter(operation) else { return Vec::new() };
    let name = operation.path.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let unreadable: &'static [u16] = match name {
        "id" => &[400],
        // Any text may be a code; one that can't be is none that there is.
        _ => &[404],
    };
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
    let unknown: &[&str] = match (good.parse::<i64>(), name) {
        (Ok(_), _) => &["999999999", "0", "-1", "9223372036854775807", "-9223372036854775808"],
        (_, "id") => &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        _ => &["00000-NOSUCHCODE", "nothing"],
    };
    cases.extend(unknown.iter().map(|text| ((*text).to_owned(), &[404][..])));
    if name != "type" {
        cases.push((foreign.parameter(operation).unwrap(), &[404]));
    }
    let case = |(text, statuses): (String, _)| {
        Case::bare(with(operation, &text), Expected::Refused(statuses, format!("/{name}")))
    };
    cases.into_iter().map(case).collect()
}

/// Query strings by the parameter that is wrong in them, with the pointer if it is not just that.
const LIST: &[(&str, &[&str])] = &[
    ("limit", &["0", "101", "-1", "abc", "", "1.5", "1e1", "9223372036854775808", "%00", "%FF"]),
    ("skip", &["-1", "abc", "", "99999999999999999999", "9223372036854775808", "%00"]),
    ("after", &["abc%00", "%FF", "", "~"]),
    ("sort", &["nonsense", "", "id%20sideways", "id%20asc%20asc", "id%3Bdesc", "%00", "%FF", "-id"]),
    ("from", &["abc", "2026-13-01", "2026-02-30", "0001-01-01", "%00", "%FF", "-1", "20260101"]),
    ("to", &["abc", "2026-13-01", "%00", "%FF", "262143-01-01"]),
    ("columns", &["", "nonsense", "id,id", "id,", "%00", "%FF", "*"]),
];

/// Conditions that no list has.
const CONDITIONS: &[&str] = &[
    "where[nonsense][=]=1",
    "where[id][nonsense]=1",
    "where[id][]=1",
    "where[id][=]=nonsense",
    "where[id][=]=%00",
    "where[id][in]=",
    "where[id][=]=9223372036854775808",
    "where[id][contains]=1",
    "where[id",
    "where[]",
    "where[createdAt][%3C]=yesterday",
    "where[createdAt][=]=%FF",
    "where[id)%20or%20(1][=]=1",
];

/// Query strings that an operation does not understand.
pub fn queries(operation: &Operation, own: &Stock) -> Vec<Case> {
    if operation.query.is_empty() {
        return Vec::new();
    }
    let path = own.path(operation);
    let has = |name: &str| operation.query.iter().any(|known| known == name);
    // An export has to be told what to export.
    let (start, columns) = if has("columns") { ("columns=id&", true) } else { ("", false) };
    let mut cases = Vec::new();
    let mut add = |query: String, pointer: String| {
        let case = Case::bare(format!("{path}?{query}"), Expected::Refused(&[400], pointer));
        cases.push(Case { what: query, ..case });
    };
    add(format!("{start}nonsense=1"), "/nonsense".to_owned());
    add(format!("{start}a%2Fb=1"), "/a~1b".to_owned());
    for name in &operation.query {
        if name.starts_with("where[") {
            for condition in CONDITIONS {
                let name = condition.rsplit_once("]=").map_or(*condition, |(name, _)| name);
                let closing = if condition.contains("]=") { "]" } else { "" };
                add(
                    format!("{start}{condition}"),
                    format!("/{}{closing}", name.replace("%20", " ").replace("%3C", "<")),
                );
            }
            continue;
        }
        let (_, bad) = LIST
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("{name}: the sweep does not know how this parameter can be wrong"));
        let start = if name == "columns" { "" } else { start };
        for value in *bad {
            add(format!("{start}{name}={value}"), format!("/{name}"));
        }
        let twice = bad[0];
        add(format!("{start}{name}={twice}&{name}={twice}"), format!("/{name}"));
    }
    if columns {
        add(String::new(), "/columns".to_owned());
    }
    cases
}
