//! A network between the nodes of a world: connections that deliver bytes in order, or end.
//!
//! ```text
//!        node 1                                                       node 0
//!   SimStream (a program's)                                     SimListener ── accept ──▶ SimStream
//!      │ write, read, shut_down                                                              │
//!      ▼                                                                                     ▼
//!   End: acked, sent, written; inbox, early                                      End: the same, mirrored
//!      │                                                                                     ▲
//!      └── segments ──▶  Link 1→0: latency, in order   ── delayed, lost, doubled, ──▶ ───────┘
//!                        Link 0→1: the other way          reordered, cut off
//! ```
//!
//! A program sees what a user of TCP sees, and nothing of segments: bytes that were written come out once, in order, cut
//! and joined anywhere, after any time; or the connection ends with an error, after a part of them. Delay, loss,
//! duplication and reordering of segments show as time, and as bytes that come in other pieces. What a program must deal
//! with itself:
//!
//! | what happens | what a program sees |
//! |---|---|
//! | nobody listens | [`NetworkError::Refused`] |
//! | a partition, one way or both | nothing for as long as it lasts; [`NetworkError::TimedOut`] if that is too long for data under way, for a new connection, or for a [keepalive](SimStream::keep_alive) |
//! | half-close | the end of the bytes in one direction, while the other goes on; the writer is told [`NetworkError::Closed`] |
//! | reset in the middle of a message | a part of the bytes, then [`NetworkError::Reset`] at both ends |
//! | the peer's process was killed | what it had written, then the end of the bytes, or a reset |
//! | the peer's power failed | silence, until it is up again and answers with a reset, or until a time-out |
//!
//! A stream belongs to the incarnation of its node that made it. When the node crashes, nothing of that incarnation is
//! heard of any more: a kill closes its connections as a kernel does, a power cut forgets them, and what listened is gone.
//!
//! Every decision is asked of [`crate::Choices`] at sites `network.*`: latencies, where segments are cut, how long a
//! partition lasts. A world that opens no connection asks none of them. All events are in the trace
//! ([`crate::Event::Segment`], [`crate::Event::Connection`]), so that they are hashed, and drawn by the viewer.
//!
//! ```
//! use helios_sim::World;
//! # use helios_sim::{DeviceProfile, DiskImage, Timing};
//! let world = World::seeded(7);
//! let client = world.add_node(&DiskImage::empty(), DeviceProfile::default(), Timing::nvme());
//! let network = world.network();
//! let listener = network.listen(0, 80).expect("nobody has that port");
//! world.env().spawn("echo", async move {
//!     let stream = listener.accept().await;
//!     let mut buffer = [0; 100];
//!     while let Ok(count @ 1..) = stream.read(&mut buffer).await {
//!         stream.write_all(&buffer[..count]).await.expect("the client is there");
//!     }
//! });
//! let answer = world.run_on(client, async move {
//!     let stream = network.connect(client, 0, 80).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shut_down()?;
//!     stream.read_to_end().await
//! });
//! assert_eq!(answer.expect("nothing crashes"), Ok(b"hello".to_vec()));
//! ```

mod end;
mod hosts;
mod patience;
mod segment;
mod stream;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use helios_env::sync::Mutex;

pub use stream::{SimListener, SimStream};

use crate::core::{Core, CrashKind, Incarnation};
use crate::executor::NodeId;
use hosts::Hosts;

/// Why an operation on a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkError {
    /// Nobody listens at that port (ECONNREFUSED).
    Refused,
    /// The connection was reset (ECONNRESET).
    Reset,
    /// The peer has not answered for too long (ETIMEDOUT).
    TimedOut,
    /// This direction of the connection has been shut down (EPIPE).
    Closed,
    /// Somebody listens at that port already (EADDRINUSE).
    AddressInUse,
}

impl NetworkError {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            NetworkError::Refused => "refused",
            NetworkError::Reset => "reset",
            NetworkError::TimedOut => "timed out",
            NetworkError::Closed => "closed",
            NetworkError::AddressInUse => "address in use",
        }
    }
}

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection: {}", self.name())
    }
}

impl std::error::Error for NetworkError {}

/// How the machines of a world speak with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The most bytes of one segment.
    pub segment_bytes_max: u64,
    /// Bytes that are kept until they are acknowledged; whoever writes more waits.
    pub send_buffer_bytes: usize,
    /// Bytes that wait to be read; a peer that sends more waits.
    pub receive_buffer_bytes: u64,
    /// Connections that wait to be accepted; further ones are not answered.
    pub backlog: usize,
    /// When to send again what was not acknowledged; doubled each time, up to [`NetworkOptions::retry_after_max`].
    pub retry_after_min: Duration,
    /// See [`NetworkOptions::retry_after_min`].
    pub retry_after_max: Duration,
    /// How long to send again before the connection has timed out.
    pub give_up_after: Duration,
}

impl Default for NetworkOptions {
    fn default() -> NetworkOptions {
        NetworkOptions {
            segment_bytes_max: 1_460,
            send_buffer_bytes: 64 << 10,
            receive_buffer_bytes: 64 << 10,
            backlog: 128,
            retry_after_min: Duration::from_millis(200),
            retry_after_max: Duration::from_secs(5),
            give_up_after: Duration::from_secs(30),
        }
    }
}

impl NetworkOptions {
    fn retry_after(&self, retries: u32) -> Duration {
        (self.retry_after_min * 2u32.pow(retries.min(10))).min(self.retry_after_max)
    }
}

/// What of the network is in a world's core.
#[derive(Default)]
pub(crate) struct Network(Mutex<Hosts>);

impl Network {
    /// A node starts, or starts anew.
    pub(crate) fn begin(&self, incarnation: &Arc<Incarnation>) {
        self.0.lock().begin(incarnation);
    }

    /// A node's life has ended.
    pub(crate) fn crash(&self, core: &Arc<Core>, node: NodeId, kind: CrashKind) {
        self.0.lock().crash(core, node, kind);
    }

    /// Partitions end, machines that boot are up.
    pub(crate) fn heal(&self) {
        self.0.lock().heal();
    }
}

/// The network of a world, from the outside. Clones are the same network.
#[derive(Clone)]
pub struct SimNet {
    core: Arc<Core>,
}

impl SimNet {
    pub(crate) fn new(core: Arc<Core>) -> SimNet {
        SimNet { core }
    }

    fn hosts(&self) -> helios_env::sync::MutexGuard<'_, Hosts> {
        self.core.network.0.lock()
    }

    /// Listens at a port of a node, as the node lives now.
    ///
    /// # Errors
    /// [`NetworkError::AddressInUse`].
    pub fn listen(&self, node: usize, port: u16) -> Result<SimListener, NetworkError> {
        let number = self.hosts().listen(node, port)?;
        Ok(SimListener::new(self.core.clone(), node, port, number))
    }

    /// Connects a node, as it lives now, to a port of another one (or of its own).
    ///
    /// Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// [`NetworkError::Refused`], [`NetworkError::TimedOut`].
    pub async fn connect(&self, from: usize, to: usize, port: u16) -> Result<SimStream, NetworkError> {
        let id = self.hosts().connect(&self.core, from, to, port);
        let stream = SimStream::new(self.core.clone(), id);
        stream.connected().await?;
        Ok(stream)
    }

    /// How connections work from now on.
    pub fn configure(&self, options: NetworkOptions) {
        self.hosts().options = options;
    }

    /// How connections work.
    pub fn options(&self) -> NetworkOptions {
        self.hosts().options.clone()
    }

    /// From now on nothing that `from` sends reaches `to`, until [`SimNet::mend`] or [`crate::World::heal`].
    pub fn cut(&self, from: usize, to: usize) {
        self.hosts().cut(from, to, None);
    }

    /// The same in both directions.
    pub fn partition(&self, a: usize, b: usize) {
        self.cut(a, b);
        self.cut(b, a);
    }

    /// All partitions end.
    pub fn mend(&self) {
        self.hosts().mend();
    }

    /// Ends of connections that a node has: those of its programs, and those that its kernel has yet to bring to an end.
    pub fn connections_of(&self, node: usize) -> usize {
        self.hosts().ends_of(node)
    }
}
