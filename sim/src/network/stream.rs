//! Connections and listeners as a program holds them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::NetworkError;
use super::end::{End, Phase, Surroundings};
use super::segment::EndId;
use crate::core::Core;
use crate::executor::NodeId;
use crate::faults::FaultKind;

/// What may happen in the middle of a write.
const ON_A_WRITE: [FaultKind; 2] = [FaultKind::HalfClose, FaultKind::ConnectionReset];

/// One end of a connection, owned by the incarnation of a node that made it: once that is over, no operation completes.
///
/// All methods take `&self`, so that one task may read while another writes; two that read at once may leave one of them
/// waiting for ever. Futures may be dropped at any await: what was not returned was not read, what [`SimStream::write`] had
/// not returned was not written. Dropping the stream closes it, as `close` does: what was written still arrives, and the
/// peer sees the end of it, or a reset if something was left unread.
pub struct SimStream {
    core: Arc<Core>,
    id: EndId,
}

impl SimStream {
    pub(super) fn new(core: Arc<Core>, id: EndId) -> SimStream {
        SimStream { core, id }
    }

    /// Waits until bytes have arrived and takes as many as there are and fit; 0 when all have been read and no more will
    /// come (and for an empty buffer that nothing is left to wait for).
    ///
    /// # Errors
    /// [`NetworkError::Reset`], [`NetworkError::TimedOut`].
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize, NetworkError> {
        self.poll(|end, context, around| end.poll_read(buffer, context, around)).await
    }

    /// Everything until the peer's end.
    ///
    /// # Errors
    /// As [`SimStream::read`].
    pub async fn read_to_end(&self) -> Result<Vec<u8>, NetworkError> {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.read(&mut buffer).await? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Waits until there is room and takes as many bytes as fit; how many. They are sent at once, and have not arrived.
    ///
    /// # Errors
    /// [`NetworkError::Closed`] after [`SimStream::shut_down`] and after the fault of that kind; [`NetworkError::Reset`],
    /// [`NetworkError::TimedOut`].
    pub async fn write(&self, bytes: &[u8]) -> Result<usize, NetworkError> {
        let core = self.core.clone();
        self.poll(|end, context, around| {
            let room = match end.poll_room(context, around) {
                Poll::Ready(Ok(room)) => room.min(bytes.len()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            if room == 0 {
                return Poll::Ready(Ok(0));
            }
            let fault = if end.node == end.peer { None } else { core.draw("network.write", &ON_A_WRITE) };
            if let Some(kind) = fault {
                return Poll::Ready(break_off(&core, kind, end, &bytes[..room], around));
            }
            end.write(&bytes[..room], around);
            Poll::Ready(Ok(room))
        })
        .await
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// As [`SimStream::write`]; a part of the bytes may have been written.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), NetworkError> {
        while !bytes.is_empty() {
            let count = self.write(bytes).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits until the peer's machine has everything that was written (its program need not have read it).
    ///
    /// # Errors
    /// [`NetworkError::Reset`], [`NetworkError::TimedOut`].
    pub async fn flushed(&self) -> Result<(), NetworkError> {
        self.poll(|end, context, _| end.poll_flushed(context)).await
    }

    /// No more bytes will be written; the peer reads what was, and then their end. It may go on writing itself.
    ///
    /// # Errors
    /// That with which the connection has ended.
    pub fn shut_down(&self) -> Result<(), NetworkError> {
        let ended = self.now(|end, around| match end.phase {
            Phase::Failed(error) => Err(error),
            _ => {
                end.shut_down(around);
                Ok(())
            }
        });
        ended.unwrap_or(Ok(()))
    }

    /// Ends the connection at once: both ends fail with [`NetworkError::Reset`], what is under way is lost.
    pub fn reset(&self) {
        self.now(End::abort);
    }

    /// Asks the peer whether it is there when nothing was heard for `idle`, so that one that is gone is noticed: the
    /// connection then ends with [`NetworkError::TimedOut`] or [`NetworkError::Reset`]. Without it, whoever only reads
    /// waits for ever.
    pub fn keep_alive(&self, idle: Duration) {
        self.now(|end, around| end.keep_alive(idle, around.now));
    }

    pub(super) async fn connected(&self) -> Result<(), NetworkError> {
        self.poll(|end, context, _| end.poll_connected(context)).await
    }

    /// `None` once the node has crashed.
    fn now<T>(&self, act: impl FnOnce(&mut End, &mut Surroundings<'_>) -> T) -> Option<T> {
        let mut hosts = self.core.network.0.lock();
        if hosts.is_dead(self.id) { None } else { hosts.act(&self.core, self.id, act) }
    }

    async fn poll<T>(
        &self,
        mut act: impl FnMut(&mut End, &Context<'_>, &mut Surroundings<'_>) -> Poll<Result<T, NetworkError>>,
    ) -> Result<T, NetworkError> {
        poll_fn(|context| {
            let mut hosts = self.core.network.0.lock();
            if hosts.is_dead(self.id) {
                return Poll::Pending;
            }
            hosts
                .act(&self.core, self.id, |end, around| act(end, context, around))
                .expect("an end lives as long as its stream")
        })
        .await
    }
}

/// The connection breaks in the middle of what is being written.
fn break_off(
    core: &Core,
    kind: FaultKind,
    end: &mut End,
    bytes: &[u8],
    around: &mut Surroundings<'_>,
) -> Result<usize, NetworkError> {
    core.fired(kind);
    let part = around.choices.pick("network.break at", bytes.len());
    if part > 0 {
        end.write(&bytes[..part], around);
    }
    if kind == FaultKind::ConnectionReset {
        end.abort(around);
        return Err(NetworkError::Reset);
    }
    end.shut_down(around);
    if part > 0 { Ok(part) } else { Err(NetworkError::Closed) }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.core.network.0.lock().release(&self.core, self.id);
    }
}

impl std::fmt::Debug for SimStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimStream(connection {}, {:?})", self.id.connection, self.id.side)
    }
}

/// A port at which a node listens. Dropping it stops that; who was not accepted is reset.
pub struct SimListener {
    core: Arc<Core>,
    node: NodeId,
    port: u16,
    number: u64,
}

impl SimListener {
    pub(super) fn new(core: Arc<Core>, node: NodeId, port: u16, number: u64) -> SimListener {
        SimListener { core, node, port, number }
    }

    /// The next connection. Once the node's incarnation is over none comes.
    pub async fn accept(&self) -> SimStream {
        let accepted =
            poll_fn(|context| self.core.network.0.lock().poll_accept((self.node, self.port), self.number, context));
        SimStream::new(self.core.clone(), accepted.await)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        self.core.network.0.lock().stop_listening(&self.core, (self.node, self.port), self.number);
    }
}
