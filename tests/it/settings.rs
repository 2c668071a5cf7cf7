//! Documentation that is written from the code: settings with their defaults, metrics with their meaning.

use crate::support::generated::assert_generated;
use scrip::config::Config;
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

/// The documentation of each setting, in the order of the code.
fn documented() -> Vec<(String, String)> {
    let source = include_str!("../../src/config/mod.rs");
    let fields = source.split_once("pub struct Config {").unwrap().1.split_once("\n}").unwrap().0;
    let (mut settings, mut text) = (Vec::new(), Vec::new());
    for line in fields.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            text.push(words);
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|field| field.split_once(':')) {
            settings.push((name.to_owned(), std::mem::take(&mut text).join(" ")));
        }
    }
    settings
}

#[test]
fn every_setting_is_in_the_list_with_its_default() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut table = String::from(
        "# Settings\n\nWritten by a test (`tests/it/settings.rs`) from `src/config/mod.rs`. In a TOML file the \
         names are in lower case and without `SCRIP_`.\n\n| name | default | |\n|---|---|---|\n",
    );
    for (name, text) in documented() {
        let variable = match name.as_str() {
            "database_url" | "redis_url" => name.to_uppercase(),
            _ => format!("SCRIP_{}", name.to_uppercase()),
        };
        let default = match &defaults[&name] {
            Value::Null => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => other.to_string(),
        };
        writeln!(table, "| `{variable}` | {default} | {text} |").unwrap();
    }
    assert_eq!(documented().len(), defaults.as_object().unwrap().len());
    assert_generated("docs/settings.md", &table);
}

/// Names that stand behind one of these in the code.
fn named(sources: &[String], macros: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        for name in macros {
            for behind in source.split(name).skip(1) {
                let behind = behind.trim_start();
                if let Some(name) = behind.strip_prefix('"').and_then(|name| name.split('"').next()) {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_metric_is_described() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let used = named(&found, &["counter!(", "gauge!(", "histogram!("]);
    let described: BTreeSet<String> =
        scrip::http::metrics::DESCRIPTIONS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(used, described);
    let mut table = String::from(
        "# Metrics\n\nAt `/metrics`, for Prometheus. Written by a test (`tests/it/settings.rs`) from \
         `src/http/descriptions.rs`.\n\n| name | kind | |\n|---|---|---|\n",
    );
    for metric in scrip::http::metrics::DESCRIPTIONS {
        writeln!(table, "| `{}` | {} | {} |", metric.name, metric.kind.word(), metric.text).unwrap();
    }
    assert_generated("docs/metrics.md", &table);
}
