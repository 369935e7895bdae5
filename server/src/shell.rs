//! The tokio shell: sockets, tasks, shutdown.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use helios_types::{PgError, SqlState};
use heliosdb::{CancelReason, Database};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auth::AuthMethod;
use crate::conversation::{Conversation, Progress};

/// How long a client that is told to go may take to be told.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a client may take to say who it is (`authentication_timeout`).
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How a server serves.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where to listen, as `host:port`.
    pub listen: String,
    /// How clients prove who they are.
    pub auth: AuthMethod,
    /// Connections at a time (`max_connections`).
    pub connections_max: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions { listen: "127.0.0.1:5432".to_owned(), auth: AuthMethod::default(), connections_max: 200 }
    }
}

/// Why a server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The listening socket failed.
    #[error("could not accept connections: {0}")]
    Accept(std::io::Error),
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    database: Database,
    options: ServerOptions,
}

impl Server {
    /// Listens; clients wait until [`Server::run`].
    ///
    /// # Errors
    ///
    /// When the address is taken or is none of this machine's.
    pub async fn bind(database: Database, options: ServerOptions) -> Result<Server, ServeError> {
        let listener = TcpListener::bind(&options.listen)
            .await
            .map_err(|source| ServeError::Listen { address: options.listen.clone(), source })?;
        Ok(Server { listener, database, options })
    }

    /// The address listened on: with the port that was chosen if 0 was asked for.
    ///
    /// # Errors
    ///
    /// When the socket does not know.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` resolves. Then nobody new is let in, clients that wait are told so, statements that run are
    /// cancelled, and what was acknowledged stays.
    ///
    /// # Errors
    ///
    /// When the listening socket fails.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let (stopping, stopped) = watch::channel(false);
        let count = Arc::new(AtomicUsize::new(0));
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => {
                    let (stream, address) = match accepted {
                        Ok(accepted) => accepted,
                        Err(error) if is_passing(&error) => {
                            tracing::warn!(%error, "could not accept a connection");
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            continue;
                        }
                        Err(error) => return Err(ServeError::Accept(error)),
                    };
                    let conversation = Conversation::new(self.database.clone(), self.options.auth, Some(address));
                    let seat = Seat::take(&count, self.options.connections_max);
                    connections.spawn(connection(stream, conversation, seat, stopped.clone()));
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        drop(self.listener);
        let _ = stopping.send(true);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

/// Listens and serves until `stop` resolves.
///
/// # Errors
///
/// As [`Server::bind`] and [`Server::run`].
pub async fn serve(
    database: Database,
    options: ServerOptions,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(database, options).await?.run(stop).await
}

/// Errors of `accept` that say something of one connection or of the moment, not of the socket.
fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
        || matches!(error.raw_os_error(), Some(23 | 24))
}

/// One of the places for connections; given back when dropped.
struct Seat(Option<Arc<AtomicUsize>>);

impl Seat {
    fn take(count: &Arc<AtomicUsize>, most: usize) -> Seat {
        let taken =
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < most).then_some(taken + 1));
        Seat(taken.is_ok().then(|| count.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn connection(mut stream: TcpStream, mut conversation: Conversation, seat: Seat, stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    // A client whose machine is gone says nothing; without this its transaction would keep its locks for ever.
    let _ = socket2::SockRef::from(&stream).set_keepalive(true);
    if seat.0.is_none() {
        let error = PgError::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        // The client speaks first; what it says does not matter.
        let _ = tokio::time::timeout(GOODBYE, stream.read_buf(conversation.inbox())).await;
        conversation.terminate(&error);
        let _ = tokio::time::timeout(GOODBYE, flush(&mut stream, &mut conversation)).await;
        return;
    }
    if let Err(error) = converse(&mut stream, &mut conversation, stopped).await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn converse(
    stream: &mut TcpStream,
    conversation: &mut Conversation,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let begin = tokio::time::Instant::now();
    loop {
        let activity = conversation.activity().cloned();
        let progress = {
            let mut advance = std::pin::pin!(conversation.advance());
            let mut advance = shielded(advance.as_mut());
            tokio::select! {
                biased;
                progress = &mut advance => progress,
                () = told_to_stop(&mut stopped) => {
                    // A statement runs: it is cancelled, and its end is waited for.
                    if let Some(activity) = activity {
                        activity.cancel(CancelReason::Shutdown);
                    }
                    advance.await
                }
            }
        };
        let Ok(progress) = progress else {
            // What the session holds is anybody's guess now; dropping it rolls back.
            let error = PgError::new(SqlState::INTERNAL_ERROR, "an internal error ended this connection")
                .with_hint("The server's log has more. Please report it.");
            conversation.terminate(&error);
            return flush(stream, conversation).await;
        };
        match progress {
            Progress::Flush => flush(stream, conversation).await?,
            Progress::Closed => return flush(stream, conversation).await,
            Progress::NeedInput => {
                flush(stream, conversation).await?;
                let started = conversation.activity().is_some();
                let read = stream.read_buf(conversation.inbox());
                let count = tokio::select! {
                    count = read => count?,
                    () = told_to_stop(&mut stopped) => {
                        let error = PgError::new(
                            SqlState::ADMIN_SHUTDOWN,
                            "terminating connection due to administrator command",
                        );
                        conversation.terminate(&error);
                        let _ = tokio::time::timeout(GOODBYE, flush(stream, conversation)).await;
                        return Ok(());
                    }
                    () = tokio::time::sleep_until(begin + AUTHENTICATION_TIMEOUT), if !started => return Ok(()),
                };
                if count == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// A defect in one statement must not leave its client without a word.
fn shielded<F: Future>(mut future: Pin<&mut F>) -> impl Future<Output = std::thread::Result<F::Output>> + Unpin {
    std::future::poll_fn(move |cx| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
}

async fn flush(stream: &mut TcpStream, conversation: &mut Conversation) -> std::io::Result<()> {
    if conversation.has_output() {
        let output = conversation.take_output();
        stream.write_all(&output).await?;
    }
    Ok(())
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // The sender outlives every connection; were it gone, that would be a stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
