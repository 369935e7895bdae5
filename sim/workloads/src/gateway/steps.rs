//! What clients do: each way in which a driver speaks with a server, and each in which it stops doing so.

use std::time::Duration;

use helios_sim::Violation;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use super::client::Client;
use super::ledger::Group;
use super::wire::{Answer, Failure, Loss};
use super::{PORT, SERVER};

const INSERT: &str = "INSERT INTO ledger VALUES ($1, $2, $3, $4, $5)";
const COUNT: &str = "UPDATE counters SET n = n + 1 WHERE id = $1";

impl Client {
    /// One thing that a client does.
    pub(super) async fn step(&mut self) -> Result<(), Failure> {
        let unresolved = self.shared.ledger().unresolved(Some(self.number));
        if let Some(group) = unresolved {
            return self.resolve(group).await;
        }
        match self.below(32) {
            0..7 => self.implicit_transaction().await,
            7..15 => self.transaction().await,
            15..22 => self.pipeline().await,
            22..25 => self.copy_in().await,
            25 => self.look(true).await,
            26 => self.look(false).await,
            27 => self.echo().await,
            28 => self.many_rows().await,
            29 => self.portal().await,
            30 => self.cancelled().await,
            _ => {
                let idle = Duration::from_millis(100 << self.below(8));
                self.env.sleep(idle).await;
                Ok(())
            }
        }
    }

    /// One Query whose statements are a transaction by themselves.
    async fn implicit_transaction(&mut self) -> Result<(), Failure> {
        let group = self.begin(true);
        let mut sql = format!("INSERT INTO ledger VALUES {}", group.values());
        let mut letters = "C".to_owned();
        if let Some(counter) = group.counter {
            sql += &format!("; UPDATE counters SET n = n + 1 WHERE id = {counter}");
            letters += "C";
        }
        self.shared.ledger().asked(group);
        let outcome = self.session().ask(&sql).await;
        self.settle(group, outcome, &letters, "an implicit transaction")
    }

    /// BEGIN, a statement for each part, and an end: some clients go away before it.
    async fn transaction(&mut self) -> Result<(), Failure> {
        let group = self.begin(true);
        let mut statements = vec!["BEGIN".to_owned()];
        for part in 0..group.parts {
            let counter = group.counter.map_or("NULL".to_owned(), |counter| counter.to_string());
            let (number, parts, payload) = (group.number, group.parts, group.payload(part));
            statements.push(format!("INSERT INTO ledger VALUES ({number}, {part}, {parts}, {counter}, '{payload}')"));
        }
        if let Some(counter) = group.counter {
            statements.push(format!("UPDATE counters SET n = n + 1 WHERE id = {counter}"));
        }
        for sql in statements {
            let outcome = self.session().ask(&sql).await;
            let answer = self.heard(group, outcome)?;
            if let Some(refusal) = &answer.refusal {
                answer.expect_refused("CZ", &sql)?;
                self.refused(Some(group), refusal, &[], &sql)?;
                return self.ask("ROLLBACK", "CZ").await.map(drop);
            }
            answer.expect("CZ", &sql)?;
            if answer.status != Some('T') {
                return Err(Violation::new(format!("after {sql} the status is {:?}", answer.status)).into());
            }
        }
        if self.one_in(6) {
            self.env.sleep(Duration::from_millis(self.below(4_000))).await;
        }
        match self.below(10) {
            0 => {
                self.env.sometimes("gateway: a client vanished in a transaction");
                self.vanish(group)
            }
            1 => {
                self.shared.ledger().is_not_there(group, "it is going to be rolled back")?;
                self.ask("ROLLBACK", "CZ").await.map(drop)
            }
            _ => {
                self.shared.ledger().asked(group);
                let outcome = self.session().ask("COMMIT").await;
                if let Ok(answer) = &outcome
                    && answer.refusal.is_none()
                    && answer.tags != ["COMMIT"]
                {
                    return Err(Violation::new(format!("COMMIT is answered by {:?}", answer.tags)).into());
                }
                self.settle(group, outcome, "C", "COMMIT")
            }
        }
    }

    /// Goes away without a word: closes, or resets.
    fn vanish(&mut self, group: Group) -> Result<(), Failure> {
        self.shared.ledger().lost(group);
        if self.one_in(2) {
            self.session().stream.reset();
        }
        Err(Failure::Lost(Loss::Left))
    }

    /// Several batches of the extended protocol, each up to its Sync a transaction, all sent before any answer is read;
    /// some with an error in the middle.
    async fn pipeline(&mut self) -> Result<(), Failure> {
        let count = 1 + self.below(4);
        let batches: Vec<Batch> = (0..count).map(|_| self.batch()).collect();
        let mut waiting = batches.iter();
        let sent = self.session().flush().await;
        let outcome = async {
            sent?;
            for batch in waiting.by_ref() {
                let outcome = self.session().answer().await;
                self.batch_answered(batch, outcome)?;
            }
            Ok(())
        }
        .await;
        if outcome.is_err() {
            for batch in &batches {
                self.shared.ledger().lost(batch.group);
            }
        }
        outcome
    }

    /// Adds a batch to what is to be sent.
    fn batch(&mut self) -> Batch {
        let group = self.begin(true);
        let fails = self.one_in(6);
        let fails_at = self.below(group.parts + 1);
        let marker = format!("question {}", group.number);
        let mut letters = "1".to_owned();
        self.shared.ledger().asked(group);
        let out = &mut self.session.as_mut().expect("a step begins with a session").outbox;
        let name = if group.number.is_multiple_of(3) { "insert" } else { "" };
        if !name.is_empty() {
            frontend::close(b'S', name, out).expect("no zero bytes");
            letters.insert(0, '3');
        }
        frontend::parse(name, INSERT, [20, 23, 23, 23, 25], out).expect("no zero bytes");
        for part in 0..group.parts {
            if fails && part == fails_at {
                wrong(out);
            }
            let counter = group.counter.map(|counter| counter.to_string());
            let numbers = [group.number as u64, part, group.parts].map(|number| Some(number.to_string()));
            let values = numbers.into_iter().chain([counter, Some(group.payload(part))]);
            bind(name, values, out);
            frontend::execute("", 0, out).expect("no zero bytes");
            letters += "2C";
        }
        if let Some(counter) = group.counter {
            frontend::parse("", COUNT, [23], out).expect("no zero bytes");
            bind("", [Some(counter.to_string())], out);
            frontend::execute("", 0, out).expect("no zero bytes");
            letters += "12C";
        }
        frontend::parse("", "SELECT $1::text", [], out).expect("no zero bytes");
        bind("", [Some(marker.clone())], out);
        frontend::describe(b'P', "", out).expect("no zero bytes");
        frontend::execute("", 0, out).expect("no zero bytes");
        letters += "12TDC";
        if fails && fails_at == group.parts {
            wrong(out);
        }
        frontend::sync(out);
        Batch { group, fails, marker, letters }
    }

    fn batch_answered(&mut self, batch: &Batch, outcome: Result<Answer, Failure>) -> Result<(), Failure> {
        let what = "a batch";
        if let Ok(answer) = &outcome {
            // Rows that came are the ones that this question asked for.
            let is_right = |row: &Vec<Option<String>>| *row == [Some(batch.marker.clone())];
            if !answer.rows.iter().all(is_right) {
                let got = format!("{:?} is the answer to {:?}", answer.rows, batch.marker);
                return Err(Violation::new(got).into());
            }
            if batch.fails {
                // The statement that is wrong has no letters of its own before its error.
                let Some(refusal) = &answer.refusal else {
                    return Err(answer.expect("a part and EZ", what).expect_err("nothing was refused"));
                };
                answer.expect_refused(&format!("{}12Z", batch.letters), what).or_else(|error| {
                    let before = answer.letters.strip_suffix("12EZ").or(answer.letters.strip_suffix("1EZ"));
                    if before.is_some_and(|before| batch.letters.starts_with(before)) { Ok(()) } else { Err(error) }
                })?;
                self.env.sometimes("gateway: a batch failed in the middle");
                return self.refused(Some(batch.group), &refusal.clone(), &["22012"], what);
            }
        }
        self.settle(batch.group, outcome, &batch.letters, what)
    }

    /// COPY FROM STDIN in pieces that fit nowhere; some fail, some are never ended.
    async fn copy_in(&mut self) -> Result<(), Failure> {
        let group = self.begin(false);
        let outcome = self.session().ask("COPY ledger FROM STDIN").await;
        let answer = self.heard(group, outcome)?;
        if let Some(refusal) = &answer.refusal {
            return self.refused(Some(group), refusal, &[], "COPY");
        }
        answer.expect("G", "COPY")?;
        let end = self.below(8);
        let mut lines = group.copy_lines();
        if end == 0 {
            lines += "not a number\t0\t0\t0\t\n";
        }
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(1 + self.below(200) as usize));
            rest = more;
            let data = frontend::CopyData::new(piece).expect("a piece is small");
            data.write(&mut self.session().outbox);
            if self.one_in(3) {
                let sent = self.session().flush().await;
                self.heard(group, sent)?;
            }
        }
        match end {
            1 => {
                let sent = self.session().flush().await;
                self.heard(group, sent)?;
                self.env.sometimes("gateway: a client vanished in a COPY");
                return self.vanish(group);
            }
            2 => frontend::copy_fail("enough", &mut self.session().outbox).expect("no zero bytes"),
            _ => frontend::copy_done(&mut self.session().outbox),
        }
        let is_wrong = matches!(end, 0 | 2);
        if !is_wrong {
            self.shared.ledger().asked(group);
        }
        let sent = self.session().flush().await;
        self.heard(group, sent)?;
        let outcome = self.session().answer().await;
        if !is_wrong {
            return self.settle(group, outcome, "C", "COPY's data");
        }
        let answer = self.heard(group, outcome)?;
        let Some(refusal) = &answer.refusal else {
            return Err(answer.expect("EZ", "a COPY that fails").expect_err("nothing was refused"));
        };
        answer.expect_refused("EZ", "a COPY that fails")?;
        self.refused(Some(group), refusal, &["22P02", "57014"], "a COPY that fails")
    }

    /// Several Queries at once: each answer is its own question's.
    async fn echo(&mut self) -> Result<(), Failure> {
        let first = self.below(1 << 20);
        let questions = first..first + 2 + self.below(3);
        for number in questions.clone() {
            self.session().query(&format!("SELECT {number}, 'echo {number}'"));
        }
        self.session().flush().await?;
        for number in questions {
            let answer = self.session().answer().await?;
            if let Some(refusal) = &answer.refusal {
                self.refused(None, refusal, &[], "an echo")?;
                continue;
            }
            answer.expect("TDCZ", "an echo")?;
            if answer.rows != [[Some(number.to_string()), Some(format!("echo {number}"))]] {
                return Err(Violation::new(format!("{:?} is the echo of {number}", answer.rows)).into());
            }
        }
        Ok(())
    }

    /// More rows than fit into any buffer; some clients lose interest.
    async fn many_rows(&mut self) -> Result<(), Failure> {
        let count = 100 + self.below(900);
        let sql = format!("SELECT i, repeat('r', i % 90) FROM generate_series(1, {count}) AS i");
        if self.one_in(4) {
            self.session().query(&sql);
            self.session().flush().await?;
            self.session().message().await?;
            self.env.sleep(Duration::from_millis(self.below(1_000))).await;
            return Err(Failure::Lost(Loss::Left));
        }
        let Some(answer) = self.ask(&sql, "TDCZ").await? else { return Ok(()) };
        numbered(&answer, count, |number| Some("r".repeat(number as usize % 90)))
    }

    /// A portal whose rows are fetched in pieces.
    async fn portal(&mut self) -> Result<(), Failure> {
        let count = 5 + self.below(30);
        let out = &mut self.session().outbox;
        frontend::parse("", "SELECT i, NULL FROM generate_series(1, $1) AS i", [23], out).expect("no zero bytes");
        bind("", [Some(count.to_string())], out);
        let mut letters = "12".to_owned();
        for _ in 0..count / 10 {
            frontend::execute("", 10, out).expect("no zero bytes");
            letters += "Ds";
        }
        frontend::execute("", 0, out).expect("no zero bytes");
        letters += if count.is_multiple_of(10) { "CZ" } else { "DCZ" };
        frontend::sync(out);
        self.session().flush().await?;
        let answer = self.session().answer().await?;
        if let Some(refusal) = &answer.refusal {
            return self.refused(None, refusal, &[], "a portal");
        }
        answer.expect(&letters, "a portal")?;
        numbered(&answer, count, |_| None)
    }

    /// A transaction that takes long, and a cancel request on a connection of its own, which may come too late.
    async fn cancelled(&mut self) -> Result<(), Failure> {
        let group = self.begin(true);
        let (network, node, key) = (self.network.clone(), self.node, self.session().key);
        let patience = Duration::from_millis(self.below(2_500));
        let env = self.env.clone();
        let _task = self.env.spawn("cancel", async move {
            env.sleep(patience).await;
            if let Ok(stream) = network.connect(node, SERVER, PORT).await {
                let mut request = bytes::BytesMut::new();
                frontend::cancel_request(key.0, key.1, &mut request);
                // Nothing is answered.
                let _ = stream.write_all(&request).await;
                let _ = stream.read_to_end().await;
            }
        });
        let count = group.counter.map(|id| format!("UPDATE counters SET n = n + 1 WHERE id = {id};"));
        let values = group.values();
        let sql = format!("INSERT INTO ledger VALUES {values}; {} SELECT pg_sleep(2)", count.as_deref().unwrap_or(""));
        let letters = if count.is_some() { "CCTDC" } else { "CTDC" };
        self.shared.ledger().asked(group);
        let outcome = self.session().ask(&sql).await;
        if let Ok(Answer { refusal: Some(refusal), .. }) = &outcome
            && refusal.code == "57014"
        {
            self.env.sometimes("gateway: a statement was cancelled");
        }
        self.settle(group, outcome, letters, "a transaction that takes long")
    }
}

struct Batch {
    group: Group,
    /// A statement in it is wrong.
    fails: bool,
    /// What its last question must be answered with.
    marker: String,
    /// The answers to all of it.
    letters: String,
}

/// Adds a statement that fails when it is executed.
fn wrong(out: &mut bytes::BytesMut) {
    frontend::parse("", "SELECT 1 / $1", [23], out).expect("no zero bytes");
    bind("", [Some("0".to_owned())], out);
    frontend::execute("", 0, out).expect("no zero bytes");
}

/// Adds a Bind of the unnamed portal, all values as text.
fn bind(statement: &str, values: impl IntoIterator<Item = Option<String>>, out: &mut bytes::BytesMut) {
    let write = |value: Option<String>, out: &mut bytes::BytesMut| match value {
        None => Ok(IsNull::Yes),
        Some(text) => {
            out.extend_from_slice(text.as_bytes());
            Ok(IsNull::No)
        }
    };
    let bound = frontend::bind("", statement, [], values, write, [], out);
    assert!(bound.is_ok(), "no zero bytes, and few values");
}

/// Rows 1 to `count`, in order, each with what `second` says.
fn numbered(answer: &Answer, count: u64, second: impl Fn(u64) -> Option<String>) -> Result<(), Failure> {
    let expected = (1..=count).map(|number| vec![Some(number.to_string()), second(number)]);
    if expected.eq(answer.rows.iter().cloned()) {
        return Ok(());
    }
    Err(Violation::new(format!("{} rows are not the {count} numbered ones", answer.rows.len())).into())
}
