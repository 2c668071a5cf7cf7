//! The code about itself: what a reviewer would otherwise have to look for, file by file.

#![expect(clippy::unwrap_used, reason = "a test that can't read the code is to fail")]

use figment::{
    Figment,
    providers::{Format, Toml},
};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file that a person can hold in mind.
const LINES_MAX: usize = 450;

/// Words that say that something is not finished, or that its author did not know what it is.
const BANNED_WORDS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// File names that say nothing about what is in the file.
const BANNED_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc"];

/// A file of this crate, by its path from the crate's root.
struct Source {
    path: String,
    text: String,
}

/// Every file below a folder with one of these endings.
fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.extension().is_some_and(|its| its == *ending)) {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(root).unwrap().display().to_string(), text });
            }
        }
    }
    sources
}

/// The code that is shipped: without comments, and without the tests at its end.
fn shipped(source: &Source) -> String {
    let code = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Fails with every complaint at once.
#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_file_is_short_and_says_what_it_is() {
    let mut complaints = Vec::new();
    for source in sources("src", &["rs"]).into_iter().chain(sources("tests", &["rs"])) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!("{}: {lines} lines", source.path));
        }
        if !source.text.starts_with("//! ") {
            complaints.push(format!("{}: does not begin with what it is", source.path));
        }
        let stem = Path::new(&source.path).file_stem().unwrap().to_string_lossy().into_owned();
        if BANNED_NAMES.contains(&stem.as_str()) {
            complaints.push(format!("{}: its name says nothing", source.path));
        }
    }
    none(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    let folders = ["src", "tests", "lua", "migrations", "dev", "benches", "loadtest"];
    let everything = folders.iter().flat_map(|folder| sources(folder, &["rs", "lua", "sql", "sh", "md"]));
    let mut complaints = Vec::new();
    for source in everything.filter(|source| source.path != "tests/tidy.rs") {
        for (number, line) in source.text.lines().enumerate() {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric());
            complaints.extend(
                words
                    .filter(|word| BANNED_WORDS.contains(word))
                    .map(|word| format!("{}:{}: {word}", source.path, number + 1)),
            );
            // Where this was written is nobody's business, and is nowhere else.
            if ["/work/", "/home/", "/root/", "/tmp/wt"].iter().any(|path| line.contains(path)) {
                complaints.push(format!("{}:{}: names a folder of one machine", source.path, number + 1));
            }
        }
    }
    none(&complaints);
}

/// What a file must not speak of: the way down is HTTP → domain → store.
struct Layer {
    what: &'static str,
    files: fn(&str) -> bool,
    never: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        what: "only redemption/hot speaks Redis",
        files: |path| !path.starts_with("src/redemption/hot"),
        never: &["redis::", "deadpool_redis"],
    },
    Layer {
        what: "what a voucher is, which rules it has and how codes look is pure",
        files: |path| {
            ["voucher.rs", "rules.rs", "code.rs", "period.rs"]
                .iter()
                .any(|file| path == format!("src/redemption/{file}"))
        },
        never: &["async ", ".await", "sqlx::query", "axum", "tokio::"],
    },
    Layer {
        what: "the verbs and the stores below them know nothing of HTTP",
        files: |path| {
            let path = path.strip_prefix("src/redemption/").unwrap_or_default();
            !path.is_empty() && path != "http.rs" && !path.starts_with("http/")
        },
        never: &["axum", "StatusCode", "IntoResponse"],
    },
    Layer {
        what: "civil time and the calendar are pure",
        files: |path| path == "src/time.rs",
        never: &["async ", ".await", "sqlx::query", "axum"],
    },
];

#[test]
fn nobody_reaches_past_the_layer_below() {
    let mut complaints = Vec::new();
    for source in sources("src", &["rs"]) {
        let code = shipped(&source);
        for layer in LAYERS.iter().filter(|layer| (layer.files)(&source.path)) {
            let found = layer.never.iter().filter(|word| code.contains(**word));
            complaints.extend(found.map(|word| format!("{}: {word} ({})", source.path, layer.what)));
        }
    }
    none(&complaints);
}

#[test]
fn every_script_states_its_contract_and_is_decoded_in_full() {
    let decoder: String = sources("src/redemption/hot", &["rs"]).iter().map(shipped).collect();
    let mut complaints = Vec::new();
    for script in sources("lua", &["lua"]) {
        let header: Vec<&str> = script.text.lines().take_while(|line| line.starts_with("--")).collect();
        if header.is_empty() {
            complaints.push(format!("{}: does not begin with what it does", script.path));
        }
        if script.path.starts_with("lua/lib/") {
            continue;
        }
        for part in ["KEYS[1]", "ARGV[1]", "Returns"] {
            if !header.iter().any(|line| line.contains(part)) {
                complaints.push(format!("{}: its header lacks {part}", script.path));
            }
        }
        let returns = header.iter().skip_while(|line| !line.contains("Returns"));
        let words: Vec<&str> = returns.filter_map(|line| line.split('"').nth(1)).collect();
        let lost = words.iter().filter(|word| !decoder.contains(&format!("\"{word}\""))).count();
        // One word may be what is left when it is none of the others; a reply may be of no interest.
        if lost > 1 && lost < words.len() {
            complaints.push(format!("{}: {lost} of {words:?} are not decoded", script.path));
        }
    }
    none(&complaints);
}

#[test]
fn migrations_are_numbered_from_one_without_a_gap() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "README.md");
    names.sort();
    let is_sql = |name: &str| Path::new(name).extension().is_some_and(|its| its == "sql");
    let complaints: Vec<String> = (1..)
        .zip(&names)
        .filter(|(number, name)| !(name.starts_with(&format!("{number:04}_")) && is_sql(name)))
        .map(|(number, name)| format!("migrations/{name} is not {number:04}_<area>.sql"))
        .collect();
    none(&complaints);
}

#[test]
fn migrations_are_short_and_name_what_they_make() {
    let mut complaints = Vec::new();
    for source in sources("migrations", &["sql"]) {
        if source.text.lines().count() > LINES_MAX {
            complaints.push(format!("{}: more than {LINES_MAX} lines", source.path));
        }
        if !source.text.starts_with("-- ") {
            complaints.push(format!("{}: does not begin with what it is", source.path));
        }
        // A name that is worked out is found by nobody who looks for it.
        let made = ["CREATE TRIGGER ", "CREATE FUNCTION ", "CREATE OR REPLACE FUNCTION "];
        let hidden = source.text.lines().filter(|line| {
            made.iter().any(|words| line.contains(words) && (!line.starts_with(words) || line.contains('%')))
        });
        complaints.extend(hidden.map(|line| format!("{}: not literal: {line}", source.path)));
    }
    none(&complaints);
}

/// The list of `planted_bugs.py`.
#[derive(Deserialize)]
struct PlantedBugs {
    bug: Vec<PlantedBug>,
}

/// One guarantee that a changed text takes away.
#[derive(Deserialize)]
struct PlantedBug {
    name: String,
    file: PathBuf,
    old: String,
    new: String,
    tests: Vec<String>,
}

#[test]
fn every_planted_bug_can_still_be_planted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = Figment::from(Toml::file_exact(root.join("tests/planted_bugs.toml")));
    let PlantedBugs { bug: bugs } = list.extract().unwrap();
    let stale = bugs.iter().filter(|bug| {
        let text = fs::read_to_string(root.join(&bug.file)).unwrap_or_default();
        text.matches(&bug.old).count() != 1 || bug.old == bug.new || bug.tests.is_empty()
    });
    let complaints: Vec<String> = stale
        .map(|bug| format!("{}: {} does not hold its text once", bug.name, bug.file.display()))
        .collect();
    none(&complaints);
    assert!(bugs.len() >= 20, "{} planted bugs", bugs.len());
}
