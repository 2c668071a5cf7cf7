//! How settings are read: the defaults as figment has them, and what is said of a setting that is wrong.

use super::Config;
use crate::wording::within;
use figment::{Source, error::Kind, providers::Serialized};
use secrecy::ExposeSecret;

/// Names the setting that is wrong and says why; its value is not shown, since it may be a secret.
pub(super) fn complaint(error: &figment::Error) -> String {
    let source = error.metadata.as_ref().and_then(|metadata| metadata.source.as_ref());
    let file = source.and_then(Source::file_path).map(|path| path.display().to_string());
    let named = |name: &str| match &file {
        Some(file) => format!("{} in {file}", name.to_lowercase()),
        None if matches!(name, "database_url" | "redis_url") => name.to_uppercase(),
        None => format!("SCRIP_{}", name.to_uppercase()),
    };
    let name = match (error.path.last(), &file) {
        (Some(name), _) => named(name),
        (None, Some(file)) => file.clone(),
        (None, None) => "settings".to_owned(),
    };
    match &error.kind {
        Kind::UnknownField(name, _) => {
            format!("there is no setting {}; `scrip config` prints all that there are", named(name))
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("{name}: must be {}", within(expected))
        }
        other => format!("{name}: {other}"),
    }
}

/// [`Config::default`] as a figment provider, with the secrets in clear (they are defaults).
#[derive(Default)]
pub(super) struct Defaults(Config);

impl figment::Provider for Defaults {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named("defaults")
    }

    fn data(&self) -> Result<figment::value::Map<figment::Profile, figment::value::Dict>, figment::Error> {
        let mut data = Serialized::defaults(&self.0).data()?;
        for dict in data.values_mut() {
            for secret in [
                "migration_database_url",
                "signing_secret",
                "signing_secret_previous",
                "secret_key",
                "secret_key_previous",
                "smtp_url",
            ] {
                dict.remove(secret);
            }
            dict.insert("database_url".to_owned(), self.0.database_url.expose_secret().into());
            dict.insert("redis_url".to_owned(), self.0.redis_url.expose_secret().into());
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use figment::Figment;
    use std::collections::BTreeMap;

    #[test]
    fn a_bad_setting_is_named_and_its_value_is_not_shown() {
        let told = |environment: &[(&str, &str)]| {
            let given: BTreeMap<_, _> = environment.iter().copied().collect();
            let read = Figment::from(Defaults::default()).merge(Serialized::defaults(given));
            complaint(&read.extract::<Config>().unwrap_err())
        };
        let unknown = told(&[("lock_max", "5")]);
        assert!(unknown.starts_with("there is no setting SCRIP_LOCK_MAX;"), "{unknown}");
        assert_eq!(
            told(&[("lock_max_s", "hunter2")]),
            "SCRIP_LOCK_MAX_S: must be a whole number from 0 to 4294967295"
        );
    }
}
