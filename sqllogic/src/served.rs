//! A server in this process, on a port of its own, for as long as the value lives.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use helios_server::{AuthMethod, Server, ServerOptions};
use heliosdb::Database;
use tokio::sync::oneshot;

/// A server in this process.
pub struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves a database; clients are trusted.
    ///
    /// # Panics
    ///
    /// When this machine has no port or no thread left.
    #[must_use]
    pub fn start(database: Database) -> Served {
        let (announce, announced) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let listen = "127.0.0.1:0".to_owned();
            let options = ServerOptions { listen, auth: AuthMethod::Trust, ..ServerOptions::default() };
            let server = Server::bind(database, options).await.expect("a port on loopback");
            announce.send(server.local_address().expect("a socket that listens")).expect("somebody waits");
            // Its end is asked for by a message or by dropping the sender; either will do.
            let stopped = async { drop(stopped.await) };
            if let Err(error) = server.run(stopped).await {
                eprintln!("the server stopped: {error}");
            }
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().expect("threads for a runtime").block_on(serve);
        });
        let address = announced.recv().expect("a server that listens");
        Served { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How clients connect to it.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("postgresql://postgres@{}/postgres", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
