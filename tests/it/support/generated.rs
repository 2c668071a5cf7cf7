//! Files of the repository that are written from the code.

use std::{fs, path::Path};

/// Compares a file with what the code says; `INSTA_UPDATE=always` writes it instead, as it does snapshots.
pub fn assert_generated(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&file, text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{path} is out of date: run this test with INSTA_UPDATE=always");
}
