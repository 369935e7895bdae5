//! The `helios` binary as a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to listen, or to stop, before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The `helios` binary.
#[derive(Clone, Debug)]
pub struct Binary(PathBuf);

impl Binary {
    /// The binary at this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Binary {
        Binary(path.into())
    }

    /// The binary that lies beside this program: what `cargo build -p helios` with the same profile made.
    ///
    /// # Errors
    ///
    /// When there is none, with the command that makes it.
    pub fn beside_this_one() -> Result<Binary, String> {
        let this = std::env::current_exe().map_err(|error| format!("this program does not know its path: {error}"))?;
        let path = this.with_file_name(format!("helios{}", std::env::consts::EXE_SUFFIX));
        if path.exists() {
            return Ok(Binary(path));
        }
        Err(format!("there is no {}: build it first (cargo build -p helios, same profile)", path.display()))
    }

    /// A command of the binary.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env_remove("HELIOSDB_DATA_DIR").env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&OsStr]) -> Output {
        self.command().args(arguments).output().expect("the helios binary can be started")
    }

    /// `helios verify`: what it printed, as an error when it did not call the directory clean.
    ///
    /// # Errors
    ///
    /// When the directory is not clean.
    pub fn verify(&self, directory: &Path) -> Result<String, String> {
        let output = self.run(&["verify".as_ref(), "--data-dir".as_ref(), directory.as_os_str()]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(text) } else { Err(format!("helios verify: {}\n{text}", output.status)) }
    }

    /// Starts `helios serve` on a port of its own choice.
    #[must_use]
    pub fn serve(&self, directory: &Path) -> Starting {
        self.serve_with(directory, |_| {})
    }

    /// As [`Binary::serve`], after a last change to the command.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn serve_with(&self, directory: &Path, change: impl FnOnce(&mut Command)) -> Starting {
        let mut command = self.command();
        command.arg("serve").arg("--data-dir").arg(directory).args(["--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        change(&mut command);
        let begin = Instant::now();
        let mut child = command.spawn().expect("the helios binary can be started");
        let stderr = BufReader::new(child.stderr.take().expect("it was asked for"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (announce, announced) = channel();
        let listener = std::thread::spawn({
            let said = said.clone();
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    if let Some((_, address)) = line.rsplit_once(" on ").filter(|_| line.starts_with("helios: serving"))
                    {
                        // Nobody waits any more when the process was killed early.
                        let _ = address.parse::<SocketAddr>().map(|address| announce.send(address));
                    }
                    said.lock().expect("nobody panics with it").push(line);
                }
            }
        });
        Starting { process: Process { child, begin, said, listener: Some(listener) }, announced }
    }
}

/// A process that may not listen yet.
pub struct Starting {
    process: Process,
    announced: Receiver<SocketAddr>,
}

impl Starting {
    /// Waits until it listens.
    ///
    /// # Errors
    ///
    /// When it ended instead, or did nothing for long: with everything that it said.
    pub fn listening(mut self) -> Result<Server, String> {
        match self.announced.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Server { process: self.process, address }),
            Err(_) => {
                self.process.signal(Signal::KILL);
                let status = self.process.ended();
                Err(format!("helios serve does not serve ({status:?}):\n{}", self.process.said().join("\n")))
            }
        }
    }

    /// kill -9, however far it has come.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        let _ = self.process.ended();
    }

    /// Waits for its end: how it ended and what it said.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub fn refused(mut self) -> Result<(ExitStatus, Vec<String>), String> {
        let status = self.process.ended()?;
        Ok((status, self.process.said()))
    }
}

/// A process and what it says.
struct Process {
    child: Child,
    begin: Instant,
    said: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    fn signal(&self, signal: Signal) {
        // One that has ended already is what we wanted.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end and for its last words.
    fn ended(&mut self) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) => return Err("helios does not end".to_owned()),
                Err(error) => return Err(format!("helios cannot be waited for: {error}")),
            }
        };
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        Ok(status)
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that listens. Killed when dropped.
pub struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the process was started.
    #[must_use]
    pub fn begin(&self) -> Instant {
        self.process.begin
    }

    /// What it has said on its standard error.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.process.said()
    }

    /// A client of it.
    ///
    /// # Errors
    ///
    /// When it does not let us in.
    pub fn connect(&self) -> Result<Client, postgres::Error> {
        connect(self.address)
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        let _ = self.process.ended();
    }

    /// SIGTERM, and the wait for its end: how it ended and everything that it said.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub fn terminate(mut self) -> Result<(ExitStatus, Vec<String>), String> {
        self.process.signal(Signal::TERM);
        let status = self.process.ended()?;
        Ok((status, self.process.said()))
    }
}

/// A client of the server at `address`.
///
/// # Errors
///
/// When it does not let us in.
pub fn connect(address: SocketAddr) -> Result<Client, postgres::Error> {
    postgres::Config::new()
        .host(&address.ip().to_string())
        .port(address.port())
        .user("postgres")
        .dbname("postgres")
        .connect(NoTls)
}
