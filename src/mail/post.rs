//! How mails leave: by SMTP, as files in a folder, or not at all.

use super::letter::Written;
use crate::{
    config::Config,
    error::{Error, Result},
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{self, response::Category},
};
use secrecy::ExposeSecret;
use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A mail server that is silent for this long is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where mails go.
pub enum Post {
    /// To a mail server.
    Smtp {
        /// The way there.
        server: Box<AsyncSmtpTransport<Tokio1Executor>>,
        /// Whom they are from.
        from: Box<Mailbox>,
    },
    /// Into a folder, to be looked at.
    Folder(PathBuf),
    /// Nowhere: nothing is set.
    Nowhere,
}

/// A mail with an address on it.
#[derive(Debug)]
pub struct Envelope {
    /// The mail's id, the same each time that it is sent.
    pub mail: i64,
    /// The address.
    pub to: String,
    /// What is in it.
    pub letter: Written,
    /// The link that it is about; empty without one.
    pub link: String,
}

/// What became of a mail, if it need not be sent again.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on its way.
    Sent,
    /// Nobody will ever take it.
    Refused(String),
}

impl Post {
    /// The way that `config` names; the error says what is wrong with it, without its secrets.
    pub fn new(config: &Config) -> Result<Self, String> {
        if let Some(folder) = &config.mail_dir {
            return Ok(Self::Folder(folder.clone()));
        }
        let Some(url) = &config.smtp_url else { return Ok(Self::Nowhere) };
        let from = config.mail_from.as_deref().ok_or("SCRIP_SMTP_URL needs SCRIP_MAIL_FROM beside it")?;
        let from = from.parse().map_err(|error| format!("SCRIP_MAIL_FROM is not an address: {error}"))?;
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| "SCRIP_SMTP_URL is not the URL of a mail server: smtp://… or smtps://…")?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self::Smtp { server: Box::new(server), from: Box::new(from) })
    }

    /// Says where mails go, for the log of a server that starts.
    pub fn announce(&self) {
        match self {
            Self::Smtp { .. } => {}
            Self::Folder(folder) => tracing::info!(folder = %folder.display(), "mails are written to files"),
            Self::Nowhere => tracing::warn!("mails are not sent: set SCRIP_SMTP_URL and SCRIP_MAIL_FROM"),
        }
    }

    /// Sends a mail. An error is worth another attempt.
    pub async fn send(&self, envelope: Envelope) -> Result<Delivery> {
        match self {
            Self::Smtp { server, from } => {
                let message = match message(from, envelope) {
                    Ok(message) => message,
                    Err(error) => return Ok(Delivery::Refused(error.to_string())),
                };
                match server.send(message).await {
                    Ok(_) => Ok(Delivery::Sent),
                    Err(error) if is_final(&error) => Ok(Delivery::Refused(error.to_string())),
                    Err(error) => Err(Error::fault(error)),
                }
            }
            Self::Folder(folder) => {
                let folder = folder.clone();
                let written = tokio::task::spawn_blocking(move || file(&folder, &envelope)).await;
                written.map_err(Error::fault)?.map_err(Error::fault)?;
                Ok(Delivery::Sent)
            }
            Self::Nowhere => Ok(Delivery::Refused("neither smtp_url nor mail_dir is set".to_owned())),
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp { from, .. } => f.debug_struct("Smtp").field("from", from).finish_non_exhaustive(),
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Nowhere => f.write_str("Nowhere"),
        }
    }
}

/// The mail as it goes over the wire. A repeated one has the same id, by which mail programs know it.
fn message(from: &Mailbox, envelope: Envelope) -> Result<Message, lettre::error::Error> {
    let to = envelope.to.parse().map_err(|_| lettre::error::Error::MissingTo)?;
    let Written { subject, text, html } = envelope.letter;
    Message::builder()
        .message_id(Some(format!("<scrip-{}@{}>", envelope.mail, from.email.domain())))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .multipart(MultiPart::alternative_plain_html(text, html))
}

/// Whether the mail server will not take this mail later, either: there is no such mailbox, say. That
/// it does not take ours at all (who we are, for example) can be mended.
fn is_final(error: &smtp::Error) -> bool {
    error.is_permanent() && error.status().is_some_and(|code| code.category == Category::MailSystem)
}

/// Writes the mail as a text and as a page, and its link to the log: whoever tries this out has no mail server.
fn file(folder: &Path, envelope: &Envelope) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let Written { subject, text, html } = &envelope.letter;
    let name = format!("{:06}", envelope.mail);
    let path = folder.join(format!("{name}.txt"));
    std::fs::write(folder.join(format!("{name}.html")), html)?;
    std::fs::write(&path, format!("To: {}\nSubject: {subject}\n\n{text}\n", envelope.to))?;
    tracing::info!(mail = %path.display(), link = envelope.link, "mail written");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn config(smtp: Option<&str>, from: Option<&str>) -> Config {
        Config {
            smtp_url: smtp.map(SecretString::from),
            mail_from: from.map(str::to_owned),
            ..Config::default()
        }
    }

    #[tokio::test]
    async fn what_is_set_says_how_mails_leave() {
        let from = Some("Scrip <scrip@example.com>");
        assert!(matches!(Post::new(&config(None, None)), Ok(Post::Nowhere)));
        assert!(matches!(Post::new(&config(Some("smtp://localhost"), from)), Ok(Post::Smtp { .. })));
        assert!(matches!(Post::new(&config(Some("smtps://u:hunter2@mail"), from)), Ok(Post::Smtp { .. })));
        for bad in [
            config(Some("smtp://localhost"), None),
            config(Some("smtp://localhost"), Some("nobody")),
            config(Some("imap://u:hunter2@mail"), from),
        ] {
            let told = Post::new(&bad).unwrap_err();
            assert!(told.starts_with("SCRIP_") && !told.contains("hunter2"), "{told}");
        }
        let both = Config { mail_dir: Some(PathBuf::from("mail")), ..config(Some("smtp://localhost"), from) };
        assert!(matches!(Post::new(&both), Ok(Post::Folder(_))), "a folder comes first");
    }
}
