//! The server under test, and the machines that talk to it.

use crate::Result;
use serde_json::{Value, json};
use std::{env, net::SocketAddr};

/// A machine: the id that it gives and the token that it shows.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) token: Option<String>,
}

/// Where to send requests, and in whose name.
pub(crate) struct Target {
    /// One for each server; connections take them in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) host: String,
    pub(crate) devices: Vec<Device>,
}

/// The product's URL, from the command line or the environment; several servers' with commas between.
pub(crate) fn url(given: Option<&str>) -> Result<String> {
    let url = match given {
        Some(url) => url.to_owned(),
        None => env::var("SCRIP_URL").map_err(|_| "neither --url nor SCRIP_URL is given")?,
    };
    Ok(url.trim_end_matches('/').to_owned())
}

impl Target {
    /// The product: every device has its own key (`SCRIP_DEVICE_KEYS`), or all share a user's token.
    pub(crate) async fn product(url: &str) -> Result<Self> {
        let ids = list("SCRIP_DEVICE_IDS").ok_or("SCRIP_DEVICE_IDS is not set")?;
        let tokens = match list("SCRIP_DEVICE_KEYS") {
            Some(keys) if keys.len() == ids.len() => keys,
            Some(_) => return Err("SCRIP_DEVICE_KEYS needs a key for each of SCRIP_DEVICE_IDS".into()),
            None => vec![token(url).await?; ids.len()],
        };
        let devices =
            ids.into_iter().zip(tokens).map(|(id, token)| Device { id, token: Some(token) }).collect();
        Self::new(url, devices).await
    }

    /// A service that asks for no token.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let devices = (1..=20).map(|n| Device { id: format!("vm-{n:04}"), token: None }).collect();
        Self::new(url, devices).await
    }

    async fn new(url: &str, devices: Vec<Device>) -> Result<Self> {
        let mut addresses = Vec::new();
        for url in url.split(',') {
            let host = url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
            let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
            addresses.push(tokio::net::lookup_host(named).await?.next().ok_or("the host has no address")?);
        }
        let host = first(url).trim_start_matches("http://").to_owned();
        Ok(Self { addresses, host, devices })
    }
}

/// A token for the user that the environment names: `SCRIP_TOKEN`, or by logging in.
pub(crate) async fn token(url: &str) -> Result<String> {
    if let Ok(token) = env::var("SCRIP_TOKEN") {
        return Ok(token);
    }
    let need = |name| env::var(name).map_err(|_| format!("{name} is not set"));
    let login = json!({ "username": need("SCRIP_USER")?, "password": need("SCRIP_PASSWORD")? });
    let answer =
        reqwest::Client::new().post(format!("{}/auth/login", first(url))).json(&login).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().ok_or("the login gave no access_token")?.to_owned())
}

fn first(urls: &str) -> &str {
    urls.split(',').next().unwrap_or(urls)
}

fn list(name: &str) -> Option<Vec<String>> {
    let text = env::var(name).ok()?;
    Some(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}
