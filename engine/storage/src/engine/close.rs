//! Closing in order.

use super::Engine;
use crate::log::Request;
use crate::{Error, Result};

impl Engine {
    /// Carries out what was enqueued, flushes, seals the log, ends the background work, lets go of the directory.
    pub(crate) async fn close(&self) -> Result<()> {
        let orderly = self.close_in_order().await;
        self.log.close();
        self.tree.stop();
        self.join_workers().await;
        self.sweep().await;
        // Whoever writes has ended; a reader that is still around only reads.
        let lock = self.tree.lock.lock().take();
        drop(lock);
        orderly
    }

    async fn close_in_order(&self) -> Result<()> {
        match self.log.enqueue(Request::Rotate, 0).await {
            Ok(_) => (),
            // A second close has nothing left to do.
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
        // Without a flush the next open replays the log: slower, and as good.
        if let Err(error) = self.flush_immutable().await {
            tracing::warn!(%error, "the last flush failed; the log keeps what it would have written");
        }
        self.log.enqueue(Request::Seal, 0).await.map(drop)
    }
}
