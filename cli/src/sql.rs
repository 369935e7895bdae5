//! `helios sql`: statements from a file, an argument, a pipe or a person.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use heliosdb::{Config, Database, Error, Notice, Reply, RowEncoder, Session, SessionOptions, Severity};

use crate::DataDirectory;
use crate::table::Table;

/// Arguments of `helios sql`.
#[derive(clap::Args)]
pub(crate) struct SqlArguments {
    #[command(flatten)]
    directory: DataDirectory,
    /// A file of SQL; `-` is standard input. Without a file or -c, a prompt (or standard input, if it is no terminal).
    file: Option<PathBuf>,
    /// SQL to run. May be given several times.
    #[arg(short = 'c', long = "command", value_name = "SQL", conflicts_with = "file")]
    commands: Vec<String>,
    /// Go on after a statement that failed; the exit status still says that one did.
    #[arg(long)]
    keep_going: bool,
}

pub(crate) fn run(arguments: &SqlArguments) -> ExitCode {
    let config = match &arguments.directory.data_dir {
        Some(directory) => Config::from(directory.clone()),
        None => Config::from(":memory:"),
    };
    let opened =
        Database::open(config).and_then(|database| Ok((database.session(SessionOptions::default())?, database)));
    let (session, database) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("helios: could not open the database: {}", error.message());
            if let Some(hint) = error.hint() {
                eprintln!("HINT:  {hint}");
            }
            return ExitCode::FAILURE;
        }
    };
    let mut shell = Shell { database, session, keep_going: arguments.keep_going };
    let outcome = shell.run(arguments);
    let Shell { database, session, .. } = shell;
    drop(session);
    let env = database.env().clone();
    if let Err(error) = env.block_on(async { database.close().await }) {
        eprintln!("helios: could not close the database: {}", error.message());
        return ExitCode::FAILURE;
    }
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("helios: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Shell {
    database: Database,
    session: Session,
    keep_going: bool,
}

impl Shell {
    /// Whether every statement succeeded.
    fn run(&mut self, arguments: &SqlArguments) -> std::io::Result<bool> {
        if !arguments.commands.is_empty() {
            let commands = arguments.commands.clone();
            return Ok(commands.iter().all(|command| self.script(command)));
        }
        match &arguments.file {
            Some(path) if path.as_os_str() != "-" => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    std::io::Error::new(error.kind(), format!("could not read \"{}\": {error}", path.display()))
                })?;
                Ok(self.statements(&text))
            }
            None if std::io::stdin().is_terminal() => self.prompt(),
            _ => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                Ok(self.statements(&text))
            }
        }
    }

    /// Runs a text statement by statement, each in a transaction of its own unless it says otherwise, as psql does with
    /// a file.
    fn statements(&mut self, text: &str) -> bool {
        let mut good = true;
        for range in helios_sql::parse::split(text) {
            let statement = &text[range];
            if statement.trim().is_empty() {
                continue;
            }
            good &= self.script(statement);
            if !good && !self.keep_going {
                return false;
            }
        }
        good
    }

    /// Runs a script and prints what comes of it; whether it succeeded.
    fn script(&mut self, sql: &str) -> bool {
        self.session.query(sql);
        let mut table: Option<(Table, RowEncoder)> = None;
        loop {
            let env = self.database.env().clone();
            let session = &mut self.session;
            let reply = env.block_on(async { session.next().await });
            for notice in self.session.take_notices() {
                print_notice(&notice);
            }
            match reply {
                Ok(None) => return true,
                Ok(Some(reply)) => {
                    if let Err(error) = self.show(reply, &mut table) {
                        print_error(&error, sql);
                        return false;
                    }
                }
                Err(error) => {
                    print_error(&error, sql);
                    return false;
                }
            }
        }
    }

    fn show(&mut self, reply: Reply, table: &mut Option<(Table, RowEncoder)>) -> Result<(), Error> {
        match reply {
            Reply::Columns(columns) => {
                *table = Some((Table::new(&columns), self.session.encoder(&columns, &[])));
            }
            Reply::Rows(batch) => {
                if let Some((table, encoder)) = table {
                    table.push(&batch, encoder)?;
                }
            }
            Reply::Complete(tag) => match table.take() {
                Some((table, _)) => println!("{}", table.render()),
                None => println!("{tag}"),
            },
            Reply::CopyData(data) => print!("{}", String::from_utf8_lossy(&data)),
            Reply::CopyIn(_) => {
                let env = self.database.env().clone();
                let session = &mut self.session;
                return Err(env.block_on(async { session.copy_in_fail("helios sql has no data for COPY FROM STDIN") }));
            }
            Reply::Suspended | Reply::Empty | Reply::CopyOut(_) | Reply::CopyDone => {}
        }
        Ok(())
    }

    /// Reads statements from a person, with history.
    fn prompt(&mut self) -> std::io::Result<bool> {
        let mut editor = rustyline::DefaultEditor::new().map_err(std::io::Error::other)?;
        let history = history_file();
        if let Some(history) = &history {
            let _ = editor.load_history(history);
        }
        println!("helios {}: type SQL, ended by a semicolon; \\q quits.", env!("CARGO_PKG_VERSION"));
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { "helios=# " } else { "helios-# " };
            match editor.readline(prompt) {
                Ok(line) => {
                    if text.is_empty() && matches!(line.trim(), "\\q" | "exit" | "quit") {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                    let whole = text.trim_end().ends_with(';') && helios_sql::parse::incomplete(&text).is_none();
                    if whole || text.trim().is_empty() {
                        let _ = editor.add_history_entry(text.trim());
                        self.statements(&std::mem::take(&mut text));
                    }
                }
                Err(rustyline::error::ReadlineError::Interrupted) => text.clear(),
                Err(rustyline::error::ReadlineError::Eof) => break,
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
        if let Some(history) = &history {
            let _ = editor.save_history(history);
        }
        Ok(true)
    }
}

fn history_file() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".helios_history"))
}

fn print_notice(notice: &Notice) {
    let severity = match notice.severity {
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
    };
    eprintln!("{severity}:  {}", notice.message);
    if let Some(detail) = &notice.detail {
        eprintln!("DETAIL:  {detail}");
    }
    if let Some(hint) = &notice.hint {
        eprintln!("HINT:  {hint}");
    }
}

/// An error as psql prints it, with the line that it is in.
fn print_error(error: &Error, sql: &str) {
    eprintln!("ERROR:  {}", error.message());
    if let Some(position) = error.position() {
        let mut at = position.min(sql.len());
        while !sql.is_char_boundary(at) {
            at -= 1;
        }
        let start = sql[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = sql[at..].find('\n').map_or(sql.len(), |newline| at + newline);
        let number = sql[..at].matches('\n').count() + 1;
        let label = format!("LINE {number}: ");
        eprintln!("{label}{}", &sql[start..end]);
        eprintln!("{}^", " ".repeat(label.len() + sql[start..at].chars().count()));
    }
    if let Some(detail) = error.detail() {
        eprintln!("DETAIL:  {detail}");
    }
    if let Some(hint) = error.hint() {
        eprintln!("HINT:  {hint}");
    }
    if let Some(context) = error.context() {
        eprintln!("CONTEXT:  {context}");
    }
}
