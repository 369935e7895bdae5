//! A client that sends bytes and understands just enough of what comes back to write it down, and a server for it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use helios_server::{AuthMethod, Server, ServerOptions};
use heliosdb::Database;
use tokio::sync::oneshot;

/// A server in this process, for as long as the value lives.
pub(crate) struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(auth: AuthMethod) -> Served {
        let database = Database::open(":memory:").expect("memory is there");
        let (announce, announced) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let options = ServerOptions { listen: "127.0.0.1:0".to_owned(), auth, ..ServerOptions::default() };
            let server = Server::bind(database, options).await.expect("a port on loopback");
            announce.send(server.local_address().expect("a socket that listens")).expect("somebody waits");
            server.run(async { drop(stopped.await) }).await.expect("the socket keeps listening");
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().expect("threads for a runtime").block_on(serve);
        });
        let address = announced.recv().expect("a server that listens");
        Served { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
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

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("sixty seconds are a time");
    client.set_nodelay(true).expect("TCP has it");
    client
}

/// Sends, unless the other side has gone already.
pub(crate) fn send(client: &mut TcpStream, bytes: &[u8]) {
    let _ = client.write_all(bytes);
}

/// What is answered to these bytes, on a connection of their own, up to its end.
pub(crate) fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<String> {
    let mut client = connect(address);
    send(&mut client, bytes);
    read_all(client)
}

/// Says that nothing more will be sent, and reads what is answered.
pub(crate) fn read_all(mut client: TcpStream) -> Vec<String> {
    let _ = client.shutdown(Shutdown::Write);
    let mut received = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            // Closed with something of ours unread.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no end after {:?}: {error}", describe(&received)),
        }
    }
    describe(&received)
}

/// Reads until an UPDATE has been completed.
pub(crate) fn wait_for_update(client: &mut TcpStream) {
    let mut received = Vec::new();
    let mut buffer = [0; 1024];
    while !received.windows(6).any(|window| window == b"UPDATE") {
        let count = client.read(&mut buffer).expect("an answer arrives");
        assert_ne!(count, 0, "closed after {:?}", describe(&received));
        received.extend_from_slice(&buffer[..count]);
    }
}

/// A line for each message. What a server tells of itself at the start is left out; so is the description of columns, which
/// PostgreSQL has no time for when folding a constant fails before.
fn describe(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        let length = rest.get(..4).map(|four| u32::from_be_bytes(four.try_into().expect("four bytes")) as usize);
        // The answer to a request for TLS is a single byte.
        let Some(body) = length.and_then(|length| rest.get(4..length)) else {
            if kind == b'N' {
                lines.push("N".to_owned());
                bytes = rest;
                continue;
            }
            // Protocols before 3.0 have messages without a length.
            lines.push(format!("raw {}", bytes.escape_ascii()));
            break;
        };
        bytes = &rest[4 + body.len()..];
        match kind {
            b'S' | b'K' | b'T' => {}
            b'E' | b'N' => lines.push(report(body)),
            b'D' => lines.push(format!("D {}", row(body))),
            b'C' => lines.push(format!("C {}", text(body))),
            b'Z' => lines.push(format!("Z {}", char::from(body[0]))),
            b'R' => lines.push(format!("R {}", body[3])),
            b'v' => lines.push(format!("v {body:?}")),
            other => lines.push(char::from(other).to_string()),
        }
    }
    lines
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)).into_owned()
}

/// Severity, SQLSTATE, message, and detail, hint and position where there are any.
fn report(body: &[u8]) -> String {
    let fields: Vec<(u8, String)> =
        body.split(|byte| *byte == 0).filter_map(|field| field.split_first()).map(|(k, v)| (*k, text(v))).collect();
    let field = |kind| fields.iter().find(|(other, _)| *other == kind).map(|(_, value)| value.as_str());
    let mut line = [b'V', b'C', b'M'].map(|kind| field(kind).unwrap_or("?")).join(" ");
    for (kind, name) in [(b'D', "detail"), (b'H', "hint"), (b'P', "at")] {
        if let Some(value) = field(kind) {
            line = format!("{line} [{name}: {value}]");
        }
    }
    line.replace('\n', "\\n")
}

fn row(mut body: &[u8]) -> String {
    let mut values = Vec::new();
    body = &body[2..];
    while let Some((length, rest)) = body.split_first_chunk() {
        let length = i32::from_be_bytes(*length);
        let Ok(length) = usize::try_from(length) else {
            values.push("NULL".to_owned());
            body = rest;
            continue;
        };
        values.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        body = &rest[length..];
    }
    values.join("|")
}
