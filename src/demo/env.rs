//! The file that tells visitors, scripts and load tests of the demo what to use.

use sqlx::types::Uuid;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What a visitor of the demo needs.
pub(super) struct DemoEnv {
    pub(super) url: String,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) device_key: String,
    pub(super) device_id: String,
    pub(super) device_ids: Vec<String>,
    pub(super) read_key: String,
    pub(super) code_discount: String,
    pub(super) code_gift: String,
    pub(super) voucher_discount: Uuid,
}

/// What a later run keeps of an earlier one.
pub(super) struct Kept {
    pub(super) password: String,
    pub(super) device_key: String,
    pub(super) read_key: Option<String>,
}

impl DemoEnv {
    /// What an earlier run wrote, if it did.
    pub(super) fn read(file: &Path) -> Option<Kept> {
        let text = fs::read_to_string(file).ok()?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(line.trim_matches('\'').to_owned()).filter(|value| !value.is_empty())
        };
        Some(Kept {
            password: value("SCRIP_PASSWORD")?,
            device_key: value("SCRIP_DEVICE_KEY")?,
            read_key: value("SCRIP_READ_KEY"),
        })
    }

    /// Writes it so that a shell can source it; nobody but its owner may read it.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        let device_ids = self.device_ids.join(",");
        let voucher_discount = self.voucher_discount.to_string();
        for (name, value) in [
            ("SCRIP_URL", &self.url),
            ("SCRIP_USER", &self.user),
            ("SCRIP_PASSWORD", &self.password),
            ("SCRIP_DEVICE_KEY", &self.device_key),
            ("SCRIP_DEVICE_ID", &self.device_id),
            ("SCRIP_DEVICE_IDS", &device_ids),
            ("SCRIP_READ_KEY", &self.read_key),
            ("SCRIP_CODE_DISCOUNT", &self.code_discount),
            ("SCRIP_CODE_GIFT", &self.code_gift),
            ("SCRIP_VOUCHER_DISCOUNT", &voucher_discount),
        ] {
            writeln!(out, "{name}='{value}'")?;
        }
        Ok(())
    }
}
