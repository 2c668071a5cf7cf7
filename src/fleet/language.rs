//! Languages, and what things are called in them.

use crate::{
    http::list::Kind,
    identity::directory::UserGroup,
    resource::{FieldType, Name, Note, Preset, Ref, Text, resource},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::openapi::{ObjectBuilder, Schema, schema::Type};

resource! {
    /// A language, and the formats that go with it.
    Language "language" at "/language" in "language";
    may TranslationRead, TranslationWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What its speakers call it.
        #[eg("\"Nederlands\"")]
        name: Name,
        /// Its ISO 639 code.
        #[eg("\"nl\"")]
        language: LanguageCode,
        /// Its locale (BCP 47).
        #[eg("\"nl-NL\"")]
        locale: LanguageCode,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

resource! {
    /// What something is called in a language.
    Translation "translation" at "/translation" in "translation";
    may TranslationRead, TranslationWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What is called so.
        #[eg("\"water_tank_empty\"")]
        key: Text<200>,
        /// In which language.
        language: Ref<Language>,
        /// What it is called.
        #[eg("\"Watertank leeg\"")]
        value: Option<Note>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

/// A language tag (BCP 47) without its rarer parts: `nl`, `nl-NL`, `zh-Hans-CN`.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageCode(String);

const TAG_PATTERN: &str = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$";

impl<'de> Deserialize<'de> for LanguageCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(deserializer)?;
        let mut parts = tag.split(['-', '_']);
        let first = parts.next().unwrap_or_default();
        let fits = (2..=3).contains(&first.len())
            && first.bytes().all(|byte| byte.is_ascii_alphabetic())
            && parts.clone().count() <= 3
            && parts.all(|part| {
                (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if fits { Ok(Self(tag)) } else { Err(D::Error::custom("must be a language tag, like nl or nl-NL")) }
    }
}

impl FieldType for LanguageCode {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(TAG_PATTERN)).into()
    }

    fn shows() -> Schema {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}
