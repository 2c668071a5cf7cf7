//! Who is told: people, in groups that observers name.

use crate::{
    fleet::language::Language,
    http::list::Kind,
    identity::{directory::UserGroup, recovery::check_address},
    resource::{FieldType, Flag, Name, Preset, Ref, resource},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::openapi::{ObjectBuilder, Schema, schema::Type};

resource! {
    /// People who are told of the same things.
    AlertGroup "alert group" at "/alertgroup" in "alert_group";
    area "alertgroup";
    may AlertRead, AlertWrite;
    reach Own;
    does ANSWERING;
    takes {
        /// What people call it.
        #[eg("\"Technicians\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    backward { alert_recipients: AlertRecipient = "this.alert_group" }
}

resource! {
    /// Someone who is told by mail.
    AlertRecipient "alert recipient" at "/alertrecipient" in "alert_recipient";
    area "alertrecipient";
    may AlertRead, AlertWrite;
    reach Own;
    does ALL;
    takes {
        /// What it is addressed with.
        #[eg("\"Ann\"")]
        name: Name,
        /// Where it gets its mail.
        #[eg("\"ann@example.com\"")]
        email: Email,
        /// What it is addressed in.
        language: Ref<Language>,
        /// What it is told: whatever is told to this group.
        alert_group: Ref<AlertGroup>,
        /// Whether it is told anything.
        active: Preset<Flag>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

/// An e-mail address.
#[derive(Clone, Debug, Serialize)]
pub struct Email(String);

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = String::deserialize(deserializer)?.trim().to_owned();
        check_address(&address)
            .map_err(|_| D::Error::custom("must be an e-mail address, as name@example.com"))?;
        Ok(Self(address))
    }
}

impl FieldType for Email {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(254)).into()
    }

    fn shows() -> Schema {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}
