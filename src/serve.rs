//! A server's life: listen, answer, and stop without dropping what was accepted.

use scrip::{
    alerts,
    app::App,
    files,
    http::{self, accept::Door},
    integrations, jobs,
    postgres::schema::{self, Found},
    redemption::audit::filing,
    retention, telemetry,
};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// How often the schema is looked at until it can be seen.
const SCHEMA_RETRY: Duration = Duration::from_secs(2);

/// Connections that wait to be accepted at most; the kernel has a limit of its own (`net.core.somaxconn`).
const BACKLOG: u32 = 4_096;

/// Connections to the address of operators at most.
const ADMIN_CONNECTIONS_MAX: usize = 256;

/// What runs beside requests is given this long to finish, however long those took.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until told to stop; also does background work, unless others do it.
pub(crate) async fn http(app: App, only_http: bool) -> io::Result<()> {
    let listener = listen(app.config.listen)?;
    let address = listener.local_addr()?;
    let admin_listener = app.config.admin_listen.map(listen).transpose()?;
    let door = Arc::new(Door::new(&app.config, files::connections(&app.config)));
    app.tasks.spawn(watch_schema(app.clone()));
    if !only_http {
        work_in_background(&app);
    }
    app.post.announce();
    tracing::info!(%address, "serving");

    let closing = on_signal(&app, Duration::from_secs(app.config.stop_delay_s))?;
    let admin = async {
        if let Some(listener) = admin_listener {
            // Operators have to get in when everybody else is in already.
            let door = Arc::new(Door::new(&app.config, ADMIN_CONNECTIONS_MAX));
            door.serve(listener, http::admin_surface(app.clone()), closing.clone()).await;
        }
    };
    let serving = async {
        tokio::join!(door.serve(listener, http::surface(app.clone()), closing.clone()), admin);
    };
    let deadline = async {
        closing.cancelled().await;
        tokio::time::sleep(Duration::from_secs(app.config.drain_s)).await;
    };
    tokio::select! {
        () = serving => {}
        () = deadline => tracing::warn!(drain_s = app.config.drain_s, "some requests did not end in time"),
    }
    closing.cancel();
    finish(&app).await;
    Ok(())
}

/// Listens with room for a fleet that comes back all at once: a connection that finds none is tried again
/// by its kernel only after a second.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that follows another must not wait for what is left of its connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Does background work until told to stop.
pub(crate) async fn work(app: App) -> io::Result<()> {
    let closing = on_signal(&app, Duration::ZERO)?;
    work_in_background(&app);
    app.post.announce();
    tracing::info!("working");
    closing.cancelled().await;
    closing.cancel();
    finish(&app).await;
    Ok(())
}

/// Starts what nobody waits for.
fn work_in_background(app: &App) {
    app.keep_up(jobs::work);
    app.keep_up(telemetry::work);
    app.keep_up(filing::keep);
    app.keep_up(retention::keep);
    app.keep_up(alerts::schedule::run);
    app.keep_up(integrations::delivery::work);
}

/// Cancelled `delay` after the first SIGTERM or SIGINT, or by the second. Ready says no from the first on:
/// balancers need a while to hear of it, and those whom they send meanwhile are answered.
fn on_signal(app: &App, delay: Duration) -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let closing = app.closing.clone();
    let (app, told) = (app.clone(), closing.clone());
    app.tasks.clone().spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = told.cancelled() => {}
        }
        app.stores.leave();
        tracing::info!(delay_s = delay.as_secs(), "stopping");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = told.cancelled() => {}
        }
        told.cancel();
    });
    Ok(closing)
}

/// Stops what runs beside requests: last, because answers wait for it.
pub(crate) async fn finish(app: &App) {
    let started = Instant::now();
    app.stop.cancel();
    app.tasks.close();
    let patience = LAST_WORDS.max(Duration::from_secs(app.config.drain_s));
    if tokio::time::timeout(patience, app.tasks.wait()).await.is_err() {
        tracing::warn!(waited_ms = started.elapsed().as_millis() as u64, "some tasks did not end in time");
    }
    // Connections to a Postgres that says nothing are left to the kernel.
    let closed = async { tokio::join!(app.db.close(), app.vends.close(), app.reads.pool().close()) };
    let _ = tokio::time::timeout(LAST_WORDS, closed).await;
    tracing::info!("stopped");
}

/// Says so if the schema is not the one that this build was made for. Not a reason to stay away:
/// Postgres may be, and servers are replaced one by one around a migration.
async fn watch_schema(app: App) {
    let ours = schema::latest();
    loop {
        let Some(found) = app.liveness.unless_cut(schema::find(&app.db)).await else { continue };
        match found {
            Ok(Found::Nothing) => tracing::error!("there is no schema yet: run `scrip migrate`"),
            Ok(Found::Foreign) => tracing::error!("{}", schema::FOREIGN),
            Ok(Found::Version(theirs)) if theirs < ours => {
                tracing::error!(ours, theirs, "the schema is older than this build: run `scrip migrate`");
            }
            Ok(Found::Version(_)) => return,
            Err(error) => tracing::debug!(%error, "can't see the schema yet"),
        }
        if app.stop.run_until_cancelled(tokio::time::sleep(SCHEMA_RETRY)).await.is_none() {
            return;
        }
    }
}
