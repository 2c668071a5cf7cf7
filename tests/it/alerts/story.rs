//! Time passes, things happen, people are told.

use super::{
    ALARM, MESSAGE, at, event, ids, mails, observer, pass, payment, recipient, resolve, sale, send, sent,
};
use crate::world;
use chrono::Duration;
use scrip::alerts::schedule;
use serde_json::json;

#[tokio::test]
async fn an_alarm_that_lasts_is_told_once_to_each_and_so_is_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mail_dir = folder.path().to_owned();
    let test = at("2026-06-01T12:00:00Z").config(|config| config.mail_dir = Some(mail_dir)).build().await;
    let (app, db, a) = (&test.app, &test.app.db, test.user("a").await);
    recipient(&a, "ann", 1).await;
    recipient(&a, "bob", 2).await;
    let off = recipient(&a, "cas", 1).await;
    a.put(&format!("/alertrecipient/{off}"), json!({"active": false})).await.expect(200);
    let root = test.user("root").await;
    root.post("/translation", json!({"key": "jam", "language": 2, "value": "Vastgelopen"})).await.expect(201);
    let terms =
        json!({"name": "Stuck", "type": "event", "observer": "non_resolution", "timer": 30, "error": 1});
    let stuck = observer(&a, terms).await;
    pass(&test, 0).await;

    event(db, 21, "jam", ALARM, app.clock.now()).await;
    event(db, 22, "door", ALARM, app.clock.now()).await;
    pass(&test, 29).await;
    assert_eq!(ids(&a, "/machine/alerts?status=ok").await, [stuck]);
    pass(&test, 1).await;
    assert_eq!(ids(&a, "/machine/alerts?status=firing").await, [stuck]);
    assert_eq!(ids(&a, "/machine/alerts?status=active").await, [stuck]);
    assert_eq!(ids(&a, "/machine/21/alerts").await, [stuck]);
    assert_eq!(ids(&a, "/machine/22/alerts").await, [0i64; 0], "another error");
    send(&test).await;
    assert_eq!(sent(folder.path()).len(), 0, "it waits for what else comes up");
    pass(&test, 1).await;
    send(&test).await;
    let [ann, bob] = <[_; 2]>::try_from(sent(folder.path())).unwrap();
    assert!(
        ann.starts_with("To: ann@example.com\nSubject: Alert: Stuck: jam, Machine 1 of a, At a\n"),
        "{ann}"
    );
    assert!(bob.starts_with("To: bob@example.com\nSubject: Melding: Stuck: Vastgelopen, Machine"), "{bob}");
    assert!(ann.contains("2026-06-01 14:00 CEST"), "{ann}");
    let row = a.get(&format!("/alertobserver/{stuck}")).await.expect(200);
    assert_eq!(row["sentAt"], "2026-06-01T12:31:00Z");

    for hours in [1, 24, 100] {
        pass(&test, hours * 60).await;
    }
    // Another of the same changes nothing, and nothing is over until both are.
    event(db, 21, "jam", ALARM, app.clock.now()).await;
    pass(&test, 60).await;
    assert_eq!(mails(&test).await.len(), 0);
    resolve(db, 21, app.clock.now()).await;
    pass(&test, 0).await;
    assert_eq!(ids(&a, "/machine/alerts?status=firing").await, [0i64; 0]);
    pass(&test, 1).await;
    let told = mails(&test).await;
    let recovery: Vec<_> = told.iter().map(|(letter, to, _)| (letter.as_str(), to.as_str())).collect();
    assert_eq!(recovery, [("recovery", "ann@example.com"), ("recovery", "bob@example.com")]);
    assert_eq!(told[1].2["lines"][0]["what"], "Stuck: Vastgelopen");

    // What comes in late and is over is nobody's business; what comes in late and lasts is.
    event(db, 21, "jam", ALARM, app.clock.now() - Duration::days(9)).await;
    resolve(db, 21, app.clock.now() - Duration::days(8)).await;
    pass(&test, 2).await;
    assert_eq!(mails(&test).await.len(), 0);
    event(db, 21, "jam", ALARM, app.clock.now() - Duration::days(3)).await;
    pass(&test, 0).await;
    pass(&test, 1).await;
    assert_eq!(mails(&test).await.len(), 2);
}

#[tokio::test]
async fn what_happens_often_enough_fires_until_it_is_too_long_ago() {
    let test = at("2026-06-01T12:00:00Z").build().await;
    let (app, db, a) = (&test.app, &test.app.db, test.user("a").await);
    recipient(&a, "ann", 1).await;
    let busy = json!({"type": "transaction", "observer": "occurrence", "timer": 60, "occurs": 3});
    let busy = observer(&a, busy).await;
    let card = json!({"type": "transaction", "observer": "occurrence", "timer": 60, "paymentMethod": "card"});
    let card = observer(&a, card).await;
    let spoken = observer(&a, json!({"type": "event", "observer": "occurrence", "timer": 60})).await;
    pass(&test, 0).await;
    let firing = async || ids(&a, "/machine/21/alerts").await;

    for late in [1, 2, 3] {
        sale(db, 21, app.clock.now() - Duration::hours(20) - Duration::minutes(late)).await;
    }
    sale(db, 21, app.clock.now()).await;
    pass(&test, 20).await;
    sale(db, 21, app.clock.now()).await;
    sale(db, 22, app.clock.now()).await;
    payment(db, 21, "cash", 150, app.clock.now()).await;
    payment(db, 21, "card", -150, app.clock.now()).await;
    pass(&test, 0).await;
    assert_eq!(firing().await, [0i64; 0]);
    // One that was late, but not too late.
    sale(db, 21, app.clock.now() - Duration::minutes(10)).await;
    pass(&test, 0).await;
    assert_eq!(firing().await, [busy]);
    payment(db, 21, "card", 150, app.clock.now()).await;
    event(db, 21, "hello", MESSAGE, app.clock.now()).await;
    pass(&test, 1).await;
    assert_eq!(firing().await, [busy, card, spoken]);
    let told = mails(&test).await;
    assert_eq!(told.len(), 1, "what comes up together is one mail");
    assert_eq!(told[0].2["total"], 3);
    assert!(told[0].2["lines"].as_array().unwrap().iter().any(|line| line["what"] == "Watch: hello"));
    // The first of the three is an hour old.
    pass(&test, 38).await;
    assert_eq!(firing().await, [busy, card, spoken]);
    pass(&test, 1).await;
    assert_eq!(firing().await, [card, spoken]);
    pass(&test, 60).await;
    assert_eq!(firing().await, [0i64; 0]);
    assert_eq!(mails(&test).await.len(), 1, "all that is noted when the first window ends");
}

#[tokio::test]
async fn a_machine_that_sells_nothing_is_told_of_when_it_was_open_for_so_long() {
    let test = at("2026-10-24T14:00:00Z").build().await;
    let (app, db, a) = (&test.app, &test.app.db, test.user("a").await);
    recipient(&a, "ann", 1).await;
    let daily: Vec<_> =
        (1..=7).map(|day| json!({"day": day, "startTime": "09:00", "endTime": "17:00"})).collect();
    a.put("/openinghours/location/2", json!(daily)).await.expect(200);
    let terms = json!({
        "type": "transaction", "observer": "non_occurrence", "timer": 4, "timerType": 2, "openingHours": true,
        "machines": [21]
    });
    let quiet = observer(&a, terms).await;
    let firing = async || ids(&a, "/machine/alerts?status=firing").await == [quiet];
    // An hour of Saturday is left. On Sunday at 3:00 it is 2:00 again, and it opens at 8:00 UTC.
    pass(&test, 0).await;
    pass(&test, 12 * 60).await;
    pass(&test, 9 * 60 - 1).await;
    assert!(!firing().await);
    pass(&test, 1).await;
    assert!(firing().await, "at 12:00 on the wall");
    pass(&test, 1).await;
    assert_eq!(mails(&test).await.len(), 1);

    // A sale ends it, and begins it anew: two hours on Monday, after three on Sunday.
    pass(&test, 119).await;
    sale(db, 21, app.clock.now() - Duration::minutes(1)).await;
    pass(&test, 0).await;
    assert!(!firing().await);
    pass(&test, 1).await;
    assert_eq!(mails(&test).await[0].0, "recovery");
    pass(&test, 19 * 60 - 3).await;
    assert!(!firing().await);
    sale(db, 21, app.clock.now()).await;
    pass(&test, 1).await;
    assert!(!firing().await, "who sells in time is not looked at before it is due");
    // Longer hours, earlier deadlines: closed hours count where there are no hours any more.
    a.put("/openinghours/location/2", json!([])).await.expect(200);
    pass(&test, 4 * 60 - 1).await;
    assert!(firing().await);
    // Whatever happens while it is closed is not counted.
    a.put("/openinghours/location/2", json!(daily)).await.expect(200);
    let night =
        json!({"type": "event", "observer": "occurrence", "timer": 1, "timerType": 3, "openingHours": true});
    let night = observer(&a, night).await;
    event(db, 21, "jam", ALARM, "2026-10-26T05:00:00Z".parse().unwrap()).await;
    pass(&test, 0).await;
    assert_eq!(ids(&a, "/machine/21/alerts").await, [0i64; 0]);
    event(db, 21, "jam", ALARM, "2026-10-26T08:00:00Z".parse().unwrap()).await;
    pass(&test, 0).await;
    assert_eq!(ids(&a, "/machine/21/alerts").await, [night]);
}

#[tokio::test]
async fn a_storm_is_one_mail_and_so_is_its_end() {
    let test = at("2026-06-01T12:00:00Z").build().await;
    let (app, db, a) = (&test.app, &test.app.db, test.user("a").await);
    recipient(&a, "ann", 1).await;
    world::machines(db, world::A, 300).await;
    let storm = observer(&a, json!({"type": "event", "observer": "occurrence", "timer": 30})).await;
    let sql = "
        INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, type)
        SELECT id, location, user_group, $1, 'Europe/Amsterdam', 'power', 3 FROM machine WHERE user_group = 2";
    sqlx::query(sql).bind(app.clock.now()).execute(db).await.unwrap();
    // Two servers at once.
    let (one, other) = tokio::join!(schedule::tick(app), schedule::tick(app));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    pass(&test, 0).await;
    let firing = "SELECT count(*) FROM alert_watch WHERE firing";
    assert_eq!(sqlx::query_scalar::<_, i64>(firing).fetch_one(db).await.unwrap(), 302);
    app.clock.advance(Duration::minutes(1));
    let (one, other) = tokio::join!(schedule::tick(app), schedule::tick(app));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let told = mails(&test).await;
    let [(letter, _, content)] = &told[..] else { panic!("{} mails", told.len()) };
    assert_eq!((letter.as_str(), &content["total"], &content["more"]), ("alert", &json!(302), &json!(282)));
    assert_eq!(content["lines"].as_array().unwrap().len(), 20);
    pass(&test, 29).await;
    pass(&test, 1).await;
    let told = mails(&test).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].0.as_str(), &told[0].2["total"]), ("recovery", &json!(302)));
    // Who is gone is told nothing, and an observer with nobody to tell still shows where it stands.
    sqlx::query("DELETE FROM alert_recipient").execute(db).await.unwrap();
    event(db, 21, "power", MESSAGE, app.clock.now()).await;
    pass(&test, 0).await;
    pass(&test, 1).await;
    assert_eq!(mails(&test).await.len(), 0);
    assert_eq!(ids(&a, "/machine/21/alerts").await, [storm]);
}

#[tokio::test]
async fn nothing_is_noted_where_nobody_looks() {
    let test = at("2026-06-01T12:00:00Z").build().await;
    let (app, db, a) = (&test.app, &test.app.db, test.user("a").await);
    let now = app.clock.now();
    let noted =
        async || sqlx::query_scalar::<_, i64>("SELECT count(*) FROM alert_look").fetch_one(db).await.unwrap();
    event(db, 21, "jam", ALARM, now).await;
    sale(db, 21, now).await;
    assert_eq!(noted().await, 0);
    observer(&a, json!({"type": "event", "observer": "occurrence", "timer": 5, "error": 1})).await;
    observer(&a, json!({"type": "transaction", "observer": "non_occurrence", "timer": 5})).await;
    event(db, 21, "door", ALARM, now).await;
    event(db, 41, "jam", ALARM, now).await;
    sale(db, 21, now).await;
    payment(db, 21, "cash", 150, now).await;
    assert_eq!(noted().await, 0, "another error, another group, and what is missed by nobody");
    event(db, 21, "jam", ALARM, now).await;
    assert_eq!(noted().await, 1);
}
