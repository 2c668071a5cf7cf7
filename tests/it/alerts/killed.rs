//! Servers die at each step of an alert; two others share what is left.

use super::{MESSAGE, event, sent};
use crate::{
    database::{self, Database},
    pair::becomes,
    server::Server,
    world,
};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

const STEPS: [&str; 4] =
    ["alert-before-commit", "alert-after-commit", "alert-mail-before-commit", "alert-mail-after-commit"];

/// Someone of group a's is told of all that its machines say.
const WATCH: &str = "
    INSERT INTO alert_recipient (user_group, alert_group, name, email, language) VALUES (2, 2, 'Ann', 'ann@example.com', 1);
    INSERT INTO alert_observer (user_group, alert_group, name, type, observer, timer, timer_type, occurs)
    VALUES (2, 2, 'Heard', 'event', 'occurrence', 1, 4, 1);";

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_is_told_exactly_once_whoever_dies() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let names = world::machines(&db, world::A, 24).await;
    let sql = "SELECT id FROM machine WHERE hostname = ANY($1) ORDER BY id";
    let machines: Vec<i64> = sqlx::query_scalar(sql).bind(&names).fetch_all(&db).await.unwrap();
    let sql = "UPDATE machine SET name = format('Machine #%s.', id) WHERE id = ANY($1)";
    sqlx::query(sql).bind(&machines).execute(&db).await.unwrap();
    sqlx::raw_sql(WATCH).execute(&db).await.unwrap();
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(&db).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let told = |machine: &i64| {
        let name = format!("- Heard: hello – Machine #{machine}.,");
        sent(folder.path()).iter().map(|mail| mail.matches(&name).count()).sum::<usize>()
    };
    let start = async |more: &[(&str, &str)]| {
        let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
        let dir = folder.path().display().to_string();
        let common = [("SCRIP_MAIL_DIR", dir.as_str()), ("SCRIP_ALERT_WINDOW_S", "0")];
        server.start_with(&[&common[..], more].concat()).await
    };

    let (each, rest) = machines.split_at(STEPS.len());
    for (machine, step) in each.iter().zip(STEPS) {
        let fail = format!("{step}=return");
        let mut server = start(&[("FAILPOINTS", &fail), ("SCRIP_JOB_LEASE_S", "1")]).await;
        event(&db, *machine, "hello", MESSAGE, now).await;
        becomes("the server has died", async || server.has_ended()).await;
        server.restart_without(&["FAILPOINTS"]).await;
        becomes("it is told", async || told(machine) == 1).await;
    }
    let _both = [start(&[]).await, start(&[]).await];
    for machine in rest {
        event(&db, *machine, "hello", MESSAGE, now).await;
    }
    becomes("all are told", async || rest.iter().all(|machine| told(machine) > 0)).await;
    let firing = "SELECT count(*) FROM alert_watch WHERE firing";
    assert_eq!(sqlx::query_scalar::<_, i64>(firing).fetch_one(&db).await.unwrap(), 24);
    let pending = "SELECT (SELECT count(*) FROM alert_notice) + (SELECT count(*) FROM alert_look)";
    assert_eq!(sqlx::query_scalar::<_, i64>(pending).fetch_one(&db).await.unwrap(), 0);
    assert!(machines.iter().all(|machine| told(machine) == 1), "nobody is told twice");
    assert!(sent(folder.path()).iter().all(|mail| mail.contains("- Heard: ")), "no mail says nothing");
}
