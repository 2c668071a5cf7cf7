//! The server, the machines that ask it, and the codes that they hold.

use serde_json::{Value, json};
use std::{env, fs};

/// What any step can fail with; nobody handles it, somebody reads it.
pub(crate) type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A machine: the id that it gives and the token that it shows.
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// What there is to shoot at, and in whose name.
pub(crate) struct Target {
    pub(crate) url: String,
    devices: Vec<Device>,
    codes: Vec<String>,
    pub(crate) hot: String,
    pub(crate) poor: String,
}

impl Target {
    /// As the environment says: see `loadtest/README.md`.
    pub(crate) async fn new() -> Result<Self> {
        let url = need("SCRIP_URL")?.trim_end_matches('/').to_owned();
        let ids = list("SCRIP_DEVICE_IDS").ok_or("SCRIP_DEVICE_IDS is not set")?;
        let tokens = match list("SCRIP_DEVICE_KEYS") {
            Some(keys) if keys.len() == ids.len() => keys,
            Some(_) => return Err("SCRIP_DEVICE_KEYS needs a key for each of SCRIP_DEVICE_IDS".into()),
            None => vec![token(&url).await?; ids.len()],
        };
        let devices = ids.into_iter().zip(tokens).map(|(id, token)| Device { id, token }).collect();
        let codes: Vec<String> = read("LOAD_CODES")?.lines().map(str::to_owned).collect();
        if codes.is_empty() {
            return Err("LOAD_CODES names a file without a code".into());
        }
        Ok(Self { url, devices, codes, hot: read("LOAD_HOT")?, poor: read("LOAD_POOR")? })
    }

    /// The machine that a user of Goose is, and one of its codes.
    ///
    /// A device keeps to its own share of the codes: no lock of another stands in its way.
    pub(crate) fn pick(&self, user: usize) -> (&Device, &str) {
        let at = user % self.devices.len();
        let own = self.codes.len().saturating_sub(at).div_ceil(self.devices.len());
        let nth = if own == 0 { 0 } else { at + self.devices.len() * rand::random_range(0..own) };
        (&self.devices[at], &self.codes[nth])
    }
}

/// A token for the user that the environment names: `SCRIP_TOKEN`, or by logging in.
async fn token(url: &str) -> Result<String> {
    if let Ok(token) = env::var("SCRIP_TOKEN") {
        return Ok(token);
    }
    let login = json!({ "username": need("SCRIP_USER")?, "password": need("SCRIP_PASSWORD")? });
    let answer = reqwest::Client::new().post(format!("{url}/auth/login")).json(&login).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().ok_or("the login gave no access_token")?.to_owned())
}

fn need(name: &str) -> Result<String> {
    Ok(env::var(name).map_err(|_| format!("{name} is not set"))?)
}

fn read(name: &str) -> Result<String> {
    let file = need(name)?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    Ok(text.trim().to_owned())
}

fn list(name: &str) -> Option<Vec<String>> {
    let text = env::var(name).ok()?;
    Some(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}
