//! Tells people what was noted: one mail for all that concerns the same people within a window of time.
//!
//! The window begins with the first note. When it has passed, all notes of that group of recipients are taken
//! in the transaction that puts mails for each of them in the outbox; so each note is told exactly once, and
//! nothing is over before it was told.

use crate::{
    app::App,
    crash,
    error::Result,
    mail::{
        bulletin::{Bulletin, Line},
        letter::Letter,
        outbox,
    },
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// Lines that a mail has at most.
const LINES_MAX: usize = 20;

/// Something that began or ended.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Notice {
    alert_observer: i64,
    machine: i64,
    letter: Letter,
    observer_name: String,
    machine_name: String,
    location_name: String,
    time_zone: String,
    error: Option<String>,
    at: DateTime<Utc>,
}

/// Someone to be told.
#[derive(Debug, sqlx::FromRow)]
struct Recipient {
    name: String,
    email: String,
    language: i64,
    code: String,
}

/// Puts mails in the outbox for all windows that have passed.
pub async fn send_all(app: &App) -> Result<()> {
    const SQL: &str = "
        SELECT alert_group FROM alert_notice GROUP BY alert_group HAVING min(noted_at) <= $1 ORDER BY min(noted_at)";
    let begun = app.clock.now() - Duration::seconds(i64::try_from(app.config.alert_window_s).unwrap_or(0));
    let due: Vec<i64> = sqlx::query_scalar(SQL).bind(begun).fetch_all(&app.db).await?;
    for group in due {
        send(app, group, begun).await?;
    }
    Ok(())
}

/// Tells a group of recipients what was noted for it, if its window began so early: first what began.
async fn send(app: &App, group: i64, begun: DateTime<Utc>) -> Result<()> {
    const LOCK: &str = "SELECT user_group FROM alert_group WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
    // Before their notices, as whoever deletes an observer does.
    const HOLD: &str = "
        SELECT id FROM alert_observer WHERE id IN (SELECT alert_observer FROM alert_notice WHERE alert_group = $1)
        ORDER BY id FOR NO KEY UPDATE";
    const TAKE: &str = "
        WITH taken AS (
            DELETE FROM alert_notice WHERE alert_group = $1 AND alert_observer = ANY($3) AND EXISTS (
                SELECT FROM alert_notice WHERE alert_group = $1 AND noted_at <= $2)
            RETURNING *
        )
        SELECT n.*, o.name AS observer_name FROM taken n JOIN alert_observer o ON o.id = n.alert_observer ORDER BY n.id";
    const RECIPIENTS: &str = "
        SELECT r.name, r.email, r.language, l.language AS code
        FROM alert_recipient r JOIN language l ON l.id = r.language WHERE r.alert_group = $1 AND r.active ORDER BY r.id";
    const SENT: &str = "UPDATE alert_observer SET sent_at = $2 WHERE id = ANY($1)";
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    let owner: Option<i64> = sqlx::query_scalar(LOCK).bind(group).fetch_optional(&mut *tx).await?;
    // Another server is at it, or someone renames the group.
    let Some(owner) = owner else { return Ok(()) };
    let held: Vec<i64> = sqlx::query_scalar(HOLD).bind(group).fetch_all(&mut *tx).await?;
    let take = sqlx::query_as(TAKE).bind(group).bind(begun).bind(held);
    let notices: Vec<Notice> = take.fetch_all(&mut *tx).await?;
    // Another server has told it meanwhile.
    if notices.is_empty() {
        return Ok(());
    }
    let recipients: Vec<Recipient> = sqlx::query_as(RECIPIENTS).bind(group).fetch_all(&mut *tx).await?;
    let words = translations(&mut tx, owner, &recipients, &notices).await?;
    let (alerts, recoveries): (Vec<_>, Vec<_>) =
        notices.into_iter().partition(|notice| notice.letter == Letter::Alert);
    for (letter, notices) in [(Letter::Alert, &alerts), (Letter::Recovery, &recoveries)] {
        for recipient in recipients.iter().filter(|_| !notices.is_empty()) {
            let lines = lines(notices, recipient.language, &words);
            let bulletin = Bulletin {
                name: recipient.name.clone(),
                language: recipient.code.clone(),
                total: notices.len(),
                more: lines.len().saturating_sub(LINES_MAX),
                lines: lines.into_iter().take(LINES_MAX).collect(),
            };
            outbox::put_bulletin(&mut tx, letter, &recipient.email, &bulletin, owner, now).await?;
        }
    }
    if !alerts.is_empty() && !recipients.is_empty() {
        let observers: Vec<i64> = alerts.iter().map(|notice| notice.alert_observer).collect();
        sqlx::query(SENT).bind(observers).bind(now).execute(&mut *tx).await?;
    }
    crash::point("alert-mail-before-commit");
    tx.commit().await?;
    crash::point("alert-mail-after-commit");
    Ok(())
}

/// What errors are called, by language and key.
type Words = HashMap<(i64, String), String>;

/// What the errors are called in the recipients' languages: by the nearest group, from their own upwards.
async fn translations(
    connection: &mut PgConnection,
    group: i64,
    recipients: &[Recipient],
    notices: &[Notice],
) -> Result<Words> {
    const SQL: &str = "
        SELECT DISTINCT ON (t.language, t.key) t.language, t.key, t.value FROM translation t
        JOIN user_group_tree g ON g.ancestor = t.user_group AND g.descendant = $1
        WHERE t.language = ANY($2) AND t.key = ANY($3) AND t.value IS NOT NULL ORDER BY t.language, t.key, g.depth";
    let languages: Vec<i64> = recipients.iter().map(|recipient| recipient.language).collect();
    let keys: Vec<&str> = notices.iter().filter_map(|notice| notice.error.as_deref()).collect();
    let found = sqlx::query_as(SQL).bind(group).bind(languages).bind(keys);
    let found: Vec<(i64, String, String)> = found.fetch_all(connection).await?;
    Ok(found.into_iter().map(|(language, key, value)| ((language, key), value)).collect())
}

/// What is told: a line for each observer, error and machine, the first to happen first.
fn lines(notices: &[Notice], language: i64, words: &Words) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut known: BTreeMap<(i64, Option<&str>, i64), usize> = BTreeMap::new();
    for notice in notices {
        let key = (notice.alert_observer, notice.error.as_deref(), notice.machine);
        if let Some(&index) = known.get(&key) {
            lines[index].times += 1;
            continue;
        }
        known.insert(key, lines.len());
        let called = |error: &String| words.get(&(language, error.clone())).unwrap_or(error).clone();
        let error = notice.error.as_ref().map(called);
        let what = match error {
            Some(error) => format!("{}: {error}", notice.observer_name),
            None => notice.observer_name.clone(),
        };
        lines.push(Line {
            what,
            place: format!("{}, {}", notice.machine_name, notice.location_name),
            when: on_the_wall(notice.at, &notice.time_zone),
            times: 1,
        });
    }
    lines
}

/// What the clock on the wall shows at the machine.
fn on_the_wall(at: DateTime<Utc>, zone: &str) -> String {
    at.with_timezone(&zone.parse::<Tz>().unwrap_or(Tz::UTC)).format("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(observer: i64, machine: i64, error: Option<&str>) -> Notice {
        Notice {
            alert_observer: observer,
            machine,
            letter: Letter::Alert,
            observer_name: format!("Observer {observer}"),
            machine_name: format!("Machine {machine}"),
            location_name: "Centraal".to_owned(),
            time_zone: "Europe/Amsterdam".to_owned(),
            error: error.map(str::to_owned),
            at: "2026-10-25T00:30:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn what_repeats_is_one_line_and_called_in_the_readers_language() {
        let words = HashMap::from([((2, "jam".to_owned()), "Vastgelopen".to_owned())]);
        let notices = [
            notice(1, 7, Some("jam")),
            notice(2, 7, None),
            notice(1, 7, Some("jam")),
            notice(1, 8, Some("E4")),
        ];
        let lines = lines(&notices, 2, &words);
        let told: Vec<_> = lines.iter().map(|line| (line.what.as_str(), line.times)).collect();
        assert_eq!(told, [("Observer 1: Vastgelopen", 2), ("Observer 2", 1), ("Observer 1: E4", 1)]);
        assert_eq!(lines[0].place, "Machine 7, Centraal");
        assert_eq!(lines[0].when, "2026-10-25 02:30 CEST");
    }
}
