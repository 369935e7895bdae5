//! The protocol as a state machine over bytes.
//!
//! ```text
//!   Opening ──▶ [Password] ──▶ Ready ──▶ Closed
//!                                │
//!       simple:   Query ──▶ replies ──▶ ReadyForQuery
//!       extended: Parse, Bind, Describe, Execute, ... ──▶ Sync ──▶ ReadyForQuery
//!                 after an error everything up to Sync is passed over
//! ```
//!
//! [`Conversation::advance`] works off what has arrived, as far as it goes, and says what it needs next. It awaits the
//! database and nothing else. Output is handed back before it grows large, so that a slow reader slows the query down
//! and not the server's memory up.

use std::net::SocketAddr;

use bytes::BytesMut;
use helios_types::{PgError, SqlState};
use heliosdb::Database;

use crate::auth::{AuthMethod, ScramServer};
use crate::extended::Live;
use crate::message::backend::{self, Gravity};
use crate::message::frontend::{self, Garbage, Opening};
use crate::startup::Requested;

/// Output that is handed back before more is made.
const OUTBOX_BYTES_MAX: usize = 64 << 10;

/// What a conversation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send what [`Conversation::take_output`] gives, then hand in more bytes.
    NeedInput,
    /// Send what [`Conversation::take_output`] gives, then advance again.
    Flush,
    /// Send what is left and close the connection.
    Closed,
}

/// One client's conversation with the server.
pub struct Conversation {
    pub(crate) database: Database,
    pub(crate) auth: AuthMethod,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) inbox: BytesMut,
    pub(crate) outbox: BytesMut,
    pub(crate) state: State,
}

/// Where a conversation stands.
pub(crate) enum State {
    /// Before the start-up packet.
    Opening,
    /// The client proves who it is.
    Password { exchange: Box<ScramServer>, begun: bool, requested: Requested },
    /// Messages.
    Ready(Box<Live>),
    /// Over.
    Closed,
}

/// Whether there is more to do with what has arrived.
pub(crate) enum Step {
    Again,
    NeedInput,
    Close,
}

impl Conversation {
    /// A conversation that begins. `address` is the client's; none for one within this process.
    pub fn new(database: Database, auth: AuthMethod, address: Option<SocketAddr>) -> Conversation {
        Conversation {
            database,
            auth,
            address,
            inbox: BytesMut::with_capacity(8 << 10),
            outbox: BytesMut::with_capacity(8 << 10),
            state: State::Opening,
        }
    }

    /// The bytes that arrived go in here.
    pub fn inbox(&mut self) -> &mut BytesMut {
        &mut self.inbox
    }

    /// The bytes to send, taken out.
    pub fn take_output(&mut self) -> BytesMut {
        self.outbox.split()
    }

    /// Bytes waiting to be sent.
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether the client's next message is waited for, rather than a statement that runs.
    pub fn is_idle(&self) -> bool {
        match &self.state {
            State::Ready(live) => live.is_idle(),
            _ => true,
        }
    }

    /// The running session, for whoever must cancel it.
    pub fn activity(&self) -> Option<&std::sync::Arc<heliosdb::Activity>> {
        match &self.state {
            State::Ready(live) => Some(live.session.activity()),
            _ => None,
        }
    }

    /// Ends the conversation with a FATAL error: shutdown, too many connections.
    pub fn terminate(&mut self, error: &PgError) {
        backend::error_response(&mut self.outbox, error, Gravity::Fatal, "");
        self.state = State::Closed;
    }

    /// Works off what has arrived.
    pub async fn advance(&mut self) -> Progress {
        loop {
            if self.outbox.len() >= OUTBOX_BYTES_MAX {
                return Progress::Flush;
            }
            let step = match &mut self.state {
                State::Opening => self.open(),
                State::Password { .. } => self.password(),
                State::Ready(live) => live.advance(&mut self.inbox, &mut self.outbox).await,
                State::Closed => return Progress::Closed,
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::NeedInput) => return Progress::NeedInput,
                Ok(Step::Close) => self.state = State::Closed,
                Err(Garbage::Told(error)) => self.terminate(&error),
                Err(Garbage::Unheard(why)) => {
                    tracing::debug!(client = ?self.address, why, "closed a connection");
                    self.state = State::Closed;
                }
            }
        }
    }

    fn open(&mut self) -> Result<Step, Garbage> {
        let Some(opening) = frontend::take_opening(&mut self.inbox)? else { return Ok(Step::NeedInput) };
        match opening {
            Opening::Ssl | Opening::Gss => {
                // Neither is offered; the client goes on in the clear or goes away.
                self.outbox.extend_from_slice(b"N");
                if !self.inbox.is_empty() {
                    // It did not wait for the answer, which might have been yes (CVE-2021-23214).
                    let what = if opening == Opening::Ssl { "SSL" } else { "GSSAPI encryption" };
                    let message = format!("received unencrypted data after {what} request");
                    let error = PgError::new(SqlState::PROTOCOL_VIOLATION, message).with_detail(
                        "This could be either a client-software bug or evidence of an attempted \
                         man-in-the-middle attack.",
                    );
                    return Err(Garbage::Told(error));
                }
                Ok(Step::Again)
            }
            Opening::Cancel { pid, secret } => {
                // Nothing is answered, whether it was right or not.
                self.database.cancel(pid, secret);
                Ok(Step::Close)
            }
            Opening::Startup { version, parameters } => self.start(version, parameters),
        }
    }

    fn password(&mut self) -> Result<Step, Garbage> {
        let Some(frame) = frontend::take_frame(&mut self.inbox)? else { return Ok(Step::NeedInput) };
        if frame.kind != b'p' {
            let message = format!("expected SASL response, got message type {}", frame.kind);
            return Err(Garbage::Told(PgError::new(SqlState::PROTOCOL_VIOLATION, message)));
        }
        self.sasl(frame.body)
    }
}
