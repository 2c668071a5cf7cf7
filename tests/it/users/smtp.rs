//! Mails over SMTP: none is lost while the mail server is away, and none is sent for nothing.

use super::{NEW, create, draft};
use crate::{app::TestApp, world};
use chrono::Duration;
use scrip::jobs::worker::work_one;
use secrecy::SecretString;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How a mail server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Takes every mail.
    Friendly,
    /// Hangs up at once.
    Away,
    /// Knows none of its mailboxes.
    Strict,
    /// Will not talk to strangers.
    Closed,
    /// Takes the mail, and its answer gets lost.
    Silent,
}

/// A mail server that keeps what it is sent.
#[derive(Clone)]
struct Sink {
    mood: Arc<Mutex<Mood>>,
    mails: Arc<Mutex<Vec<String>>>,
    url: String,
}

impl Sink {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let sink = Self { mood: Arc::new(Mutex::new(Mood::Friendly)), mails: Arc::default(), url };
        let serving = sink.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // A client that hangs up early is no concern of a mail server's.
                let _hung_up = serving.talk(connection).await;
            }
        });
        sink
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What it was sent, in plain text.
    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().iter().map(|mail| mail.replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    async fn talk(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Away {
            return Ok(());
        }
        let (reader, mut writer) = connection.split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 sink\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let answer = match (line.split(' ').next().unwrap(), mood) {
                ("MAIL", Mood::Closed) => "530 who are you",
                ("RCPT", Mood::Strict) => "550 no such mailbox",
                ("DATA", _) => {
                    writer.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        mail.push_str(&line);
                        mail.push_str("\r\n");
                    }
                    self.mails.lock().unwrap().push(mail);
                    if mood == Mood::Silent {
                        return Ok(());
                    }
                    "250 taken"
                }
                ("QUIT", _) => "221 bye",
                _ => "250 yes",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}

/// A server that sends mails to a sink, with a clock that is moved.
async fn office(sink: &Sink) -> TestApp {
    let url = sink.url.clone();
    TestApp::builder()
        .stopped_at("2026-06-01T12:00:00Z")
        .config(|config| {
            config.smtp_url = Some(SecretString::from(url));
            config.mail_from = Some("Scrip <scrip@example.com>".to_owned());
        })
        .build()
        .await
}

async fn outbox(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM mail").fetch_one(&app.app.db).await.unwrap()
}

fn token(mail: &str) -> String {
    let (_, rest) = mail.split_once("/account/activate#").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

#[tokio::test]
async fn a_mail_waits_until_the_mail_server_is_back() {
    let sink = Sink::open().await;
    let app = office(&sink).await;
    create(&app.user("a").await, draft("ann", world::A)).await;
    for mood in [Mood::Away, Mood::Closed, Mood::Away] {
        sink.is(mood);
        assert!(work_one(&app.app).await.unwrap(), "{mood:?}");
        assert!(!work_one(&app.app).await.unwrap(), "it waits before it is tried again");
        assert_eq!((outbox(&app).await, sink.mails().len()), (1, 0));
        app.app.clock.advance(Duration::seconds(300));
    }
    sink.is(Mood::Friendly);
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(outbox(&app).await, 0);
    assert!(!work_one(&app.app).await.unwrap());
    let [mail] = <[_; 1]>::try_from(sink.mails()).unwrap();
    for part in [
        "To: ann@example.com",
        "From: Scrip <scrip@example.com>",
        "Subject: Activate your Scrip account",
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "Hello ann,",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    let body = json!({"token": token(&mail), "password": NEW});
    app.anyone().post("/auth/activate", body).await.expect(201);
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_is_sent_again_and_its_last_link_is_good() {
    let sink = Sink::open().await;
    let app = office(&sink).await;
    create(&app.user("a").await, draft("ann", world::A)).await;
    sink.is(Mood::Silent);
    assert!(work_one(&app.app).await.unwrap());
    sink.is(Mood::Friendly);
    app.app.clock.advance(Duration::seconds(300));
    assert!(work_one(&app.app).await.unwrap());
    let [first, second] = <[_; 2]>::try_from(sink.mails()).unwrap();
    let id = |mail: &str| mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned();
    assert_eq!(id(&first), id(&second), "mail programs take them for one");
    let (stale, good) = (token(&first), token(&second));
    assert_ne!(stale, good);
    let body = |token| json!({"token": token, "password": NEW});
    app.anyone().post("/auth/activate", body(stale)).await.expect_problem(422, "/token");
    app.anyone().post("/auth/activate", body(good)).await.expect(201);
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_not_tried_again() {
    let sink = Sink::open().await;
    let app = office(&sink).await;
    create(&app.user("a").await, draft("ann", world::A)).await;
    sink.is(Mood::Strict);
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(outbox(&app).await, 0);
    app.app.clock.advance(Duration::days(1));
    assert!(!work_one(&app.app).await.unwrap());
}

#[tokio::test]
async fn what_is_rolled_back_sends_no_mail() {
    const REFUSE: &str = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'at the last moment'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON account DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse();";
    let sink = Sink::open().await;
    let app = office(&sink).await;
    let a = app.user("a").await;
    sqlx::raw_sql(REFUSE).execute(&app.app.db).await.unwrap();
    a.post("/user", draft("ann", world::A)).await.expect(500);
    assert!(!work_one(&app.app).await.unwrap());
    assert_eq!((outbox(&app).await, sink.mails().len()), (0, 0));
    sqlx::raw_sql("DROP TRIGGER refuse ON account").execute(&app.app.db).await.unwrap();
    create(&a, draft("ann", world::A)).await;
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn the_database_never_sees_a_token() {
    const ALL: &str = "
        SELECT concat((SELECT jsonb_agg(m) FROM mail m), (SELECT jsonb_agg(j) FROM job j),
                      (SELECT jsonb_agg(t) FROM account_token t), (SELECT jsonb_agg(a) FROM account a))";
    let sink = Sink::open().await;
    let app = office(&sink).await;
    create(&app.user("a").await, draft("ann", world::A)).await;
    // Sent, but never taken out of the outbox.
    sink.is(Mood::Silent);
    assert!(work_one(&app.app).await.unwrap());
    let stored: String = sqlx::query_scalar(ALL).fetch_one(&app.app.db).await.unwrap();
    assert!(stored.contains("ann@example.com"));
    let token = token(&sink.mails()[0]);
    assert!(token.len() == 43 && !stored.contains(&token), "{stored}");
}
