//! What the server's machine runs when it boots: the database, and a shell around the gateway's conversation that does
//! what the tokio shell does, on a simulated network and the simulator's tasks.

use std::time::Duration;

use helios_env::{Env, Instant};
use helios_server::{AuthMethod, Conversation, Progress};
use helios_sim::{CrashKind, NetworkError, SimNet, SimStream};
use heliosdb::Database;

use super::ledger::{SCHEMA, SNAPSHOT, Seen};
use super::{PORT, SERVER, Shared};
use crate::opening;
use crate::trouble::Trouble;

/// How long nothing is heard of a client before it is asked whether it is there.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long a client may take to say who it is (`authentication_timeout`).
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens the database, judges what it shows, and serves until the machine crashes.
pub(super) async fn boot(env: Env, network: SimNet, shared: Shared) {
    if *shared.is_over.lock() {
        return;
    }
    let database = match Box::pin(open(&env, &shared)).await.map_err(|trouble| shared.plan.entitled.allow(trouble)) {
        Ok(Some(database)) => database,
        Ok(None) => return shared.want_restart(CrashKind::Power),
        Err(Trouble::Stopped(_) | Trouble::Refused(_)) => return shared.want_restart(CrashKind::Process),
        Err(trouble) => return shared.fail(trouble.into()),
    };
    let listener = network.listen(SERVER, PORT).expect("a machine that boots has its ports");
    loop {
        let stream = listener.accept().await;
        let conversation = Conversation::new(database.clone(), AuthMethod::Trust, None);
        let _task = env.spawn("conversation", converse(stream, conversation, env.clone(), shared.plan.read_bytes));
    }
}

/// `None`: see [`opening::open`].
async fn open(env: &Env, shared: &Shared) -> Result<Option<Database>, Trouble> {
    let Some(database) = opening::open(env, &shared.plan.config, shared.plan.entitled).await? else { return Ok(None) };
    let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
    if !database.catalog().tables().any(|table| table.name == "ledger") {
        let created = connection.execute_batch_async(SCHEMA).await;
        created.map_err(|error| Trouble::of(error, "creating the schema"))?;
    }
    judge(&database, shared).await?;
    Ok(Some(database))
}

/// Nobody else is at work: what is not there now never will be.
pub(super) async fn judge(database: &Database, shared: &Shared) -> Result<(), Trouble> {
    let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
    let begun = shared.ledger().tick();
    let rows = connection.query_async(SNAPSHOT, &[]).await.map_err(|error| Trouble::of(error, SNAPSHOT))?;
    let read = |row: heliosdb::Row| {
        Ok(Seen {
            group: row.get(0)?,
            part: i64::from(row.get::<_, i32>(1)?),
            parts: i64::from(row.get::<_, i32>(2)?),
            counter: row.get(3)?,
            payload: row.get(4)?,
        })
    };
    let rows: heliosdb::Result<Vec<Seen>> = rows.into_iter().map(read).collect();
    let rows = rows.map_err(|error| Trouble::of(error, SNAPSHOT))?;
    Ok(shared.ledger().judge(&rows, begun, true)?)
}

/// Moves bytes between a connection and its conversation until either ends.
async fn converse(stream: SimStream, mut conversation: Conversation, env: Env, read_bytes: usize) {
    stream.keep_alive(KEEPALIVE);
    // How a connection broke is of no interest; dropping the conversation rolls back.
    let _ = moved(&stream, &mut conversation, &env, read_bytes).await;
}

async fn moved(
    stream: &SimStream,
    conversation: &mut Conversation,
    env: &Env,
    read_bytes: usize,
) -> Result<(), NetworkError> {
    let deadline = env.clock.monotonic() + AUTHENTICATION_TIMEOUT;
    let mut buffer = vec![0; read_bytes];
    loop {
        let progress = conversation.advance().await;
        let output = conversation.take_output();
        stream.write_all(&output).await?;
        match progress {
            Progress::Flush => {}
            Progress::Closed => return Ok(()),
            Progress::NeedInput => {
                let is_known = conversation.activity().is_some();
                let limit = if is_known { Instant(u64::MAX) } else { deadline };
                match within(env, limit, stream.read(&mut buffer)).await {
                    None => return Ok(()),
                    Some(Ok(0)) => {
                        env.sometimes("gateway: a client's bytes ended");
                        return Ok(());
                    }
                    Some(Err(error)) => {
                        match error {
                            NetworkError::TimedOut => env.sometimes("gateway: a client was silent for too long"),
                            _ => env.sometimes("gateway: a client's connection was reset"),
                        }
                        return Err(error);
                    }
                    Some(Ok(count)) => conversation.inbox().extend_from_slice(&buffer[..count]),
                }
            }
        }
    }
}

/// What `future` gives, if it does so before `limit`.
pub(super) async fn within<T>(env: &Env, limit: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    if limit == Instant(u64::MAX) {
        return Some(future.await);
    }
    let mut sleep = std::pin::pin!(env.clock.sleep_until(limit));
    std::future::poll_fn(move |context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
    })
    .await
}
