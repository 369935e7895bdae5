//! Bugs that the simulation found, each told as a story that must not happen again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use helios_env::Env;
use helios_env::sync::Mutex;
use helios_sim::World;
use helios_storage::{Options, Space, Storage, Version};
use helios_txn::{CommitOptions, Error, RowLock, RowLockMode, Transaction, TransactionOptions, Transactions, Wait};

const SPACE: Space = Space::new(0, 1);
const KEY: Bytes = Bytes::from_static(b"k");
const OTHER_KEY: Bytes = Bytes::from_static(b"l");
const ROW: Bytes = Bytes::from_static(b"row");

async fn lock(transaction: &Transaction, mode: RowLockMode) -> Result<Version, Error> {
    lock_key(transaction, KEY, mode, Wait::Error).await
}

async fn lock_key(transaction: &Transaction, key: Bytes, mode: RowLockMode, wait: Wait) -> Result<Version, Error> {
    let statement = transaction.statement();
    let seen = transaction.get(&statement, SPACE, &key).await?.expect("the row is there");
    match transaction.lock_row(&statement, SPACE, &key, &seen, mode, wait).await? {
        RowLock::Current(version) => Ok(version),
        other => panic!("nobody has changed the row: {other:?}"),
    }
}

async fn with_a_row(env: &Env) -> Transactions {
    let (storage, _) = Storage::open(env.clone(), Options::tiny()).await.expect("memory opens");
    let transactions = Transactions::new(env.clone(), storage, 1);
    let first = transactions.begin(TransactionOptions::default());
    for key in [KEY, OTHER_KEY] {
        first.put(&first.statement(), SPACE, key, ROW, false);
    }
    first.commit(CommitOptions::default()).await.expect("memory has space");
    transactions
}

/// SELECT ... FOR UPDATE, a savepoint, UPDATE of the same row, ROLLBACK TO. The UPDATE dropped the last lock that had been
/// taken on the row, as its own write stood for it; that was the one of FOR UPDATE, and with the write it was gone.
#[test]
fn a_row_locked_before_a_savepoint_is_locked_behind_it() {
    let env = Env::memory().expect("memory can be had");
    env.clone().block_on(async {
        let transactions = with_a_row(&env).await;
        let holder = transactions.begin(TransactionOptions::default());
        lock(&holder, RowLockMode::Update).await.expect("it is free");
        let savepoint = holder.savepoint();
        let version = lock(&holder, RowLockMode::NoKeyUpdate).await.expect("it is ours");
        holder.update(&holder.statement(), SPACE, KEY, ROW, &version);
        let other = transactions.begin(TransactionOptions::default());
        // FOR KEY SHARE goes with an UPDATE that leaves the key alone, not with FOR UPDATE.
        let refused = lock(&other, RowLockMode::KeyShare).await;
        assert!(matches!(refused, Err(Error::LockNotAvailable(_))), "{refused:?}");
        holder.rollback_to(savepoint);
        let refused = lock(&other, RowLockMode::NoKeyUpdate).await;
        assert!(matches!(refused, Err(Error::LockNotAvailable(_))), "{refused:?}");
        holder.rollback();
        lock(&other, RowLockMode::Update).await.expect("it is free");
    });
}

/// One transaction waits for a row that a second holds, and has found no deadlock. A third strengthens its own lock on
/// the row, which needs no queueing, and waits for the first: it finds no deadlock either, as the first is known to wait
/// for the second only. The second ends, and the first finds the third in its way: that closes the cycle, and nobody
/// searched any more.
#[test]
fn a_waiter_that_finds_somebody_else_in_its_way_looks_for_a_deadlock_again() {
    let world = World::seeded(1);
    let env = world.env();
    let outcomes = world.run(async {
        let transactions = with_a_row(&env).await;
        let deadlock_timeout = Duration::from_millis(5);
        let begin = || Arc::new(transactions.begin(TransactionOptions { deadlock_timeout, ..Default::default() }));
        let (first, second, third) = (begin(), begin(), begin());
        let pause = || env.sleep(Duration::from_millis(20));
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let wait_for = |transaction: &Arc<Transaction>, key: Bytes, mode: RowLockMode| {
            let (transaction, outcomes) = (transaction.clone(), outcomes.clone());
            env.spawn("waiter", async move {
                let outcome = lock_key(&transaction, key, mode, Wait::Block(None)).await;
                transaction.rollback();
                outcomes.lock().push(outcome.map(drop));
            })
        };
        lock(&second, RowLockMode::Share).await.expect("it is free");
        lock(&third, RowLockMode::KeyShare).await.expect("both share it");
        lock_key(&first, OTHER_KEY, RowLockMode::Update, Wait::Error).await.expect("it is free");
        let first_waits = wait_for(&first, KEY, RowLockMode::NoKeyUpdate);
        pause().await;
        lock(&third, RowLockMode::Share).await.expect("both share it");
        let third_waits = wait_for(&third, OTHER_KEY, RowLockMode::Update);
        pause().await;
        second.rollback();
        first_waits.await;
        third_waits.await;
        std::mem::take(&mut *outcomes.lock())
    });
    let outcomes = outcomes.expect("nobody waits for ever");
    assert!(matches!(outcomes[..], [Err(Error::Deadlock { .. }), Ok(())]), "{outcomes:?}");
}

/// A transaction had written a row and wanted more of it (FOR UPDATE), and waited for a reader's FOR KEY SHARE. Before it in
/// the queue stood one who waited for the transaction itself. The reader ended and woke the front of the queue, which
/// could not go; the one behind it, which could, slept on.
#[test]
fn a_waiter_that_strengthens_its_lock_is_woken_behind_one_that_cannot_go() {
    let world = World::seeded(1);
    let env = world.env();
    let ended = world.run(async {
        let transactions = with_a_row(&env).await;
        // By the time that the reader ends, nobody looks by itself any more.
        let deadlock_timeout = Duration::from_millis(5);
        let begin = || Arc::new(transactions.begin(TransactionOptions { deadlock_timeout, ..Default::default() }));
        let (reader, writer, third) = (begin(), begin(), begin());
        let wait_for = |transaction: &Arc<Transaction>, mode: RowLockMode| {
            let transaction = transaction.clone();
            env.spawn("waiter", async move {
                let locked = lock_key(&transaction, KEY, mode, Wait::Block(None)).await.expect("no deadlock is here");
                assert_eq!(locked.value.row(), Some(&ROW));
                transaction.rollback();
            })
        };
        lock(&reader, RowLockMode::KeyShare).await.expect("it is free");
        let statement = writer.statement();
        let seen = writer.get(&statement, SPACE, &KEY).await.expect("readable").expect("there");
        let mode = RowLockMode::NoKeyUpdate;
        writer.lock_row(&statement, SPACE, &KEY, &seen, mode, Wait::Error).await.expect("it goes with FOR KEY SHARE");
        writer.update(&statement, SPACE, KEY, ROW, &seen);
        let third_waits = wait_for(&third, RowLockMode::Share);
        env.sleep(Duration::from_millis(20)).await;
        let writer_waits = wait_for(&writer, RowLockMode::Update);
        env.sleep(Duration::from_millis(20)).await;
        reader.rollback();
        writer_waits.await;
        third_waits.await;
    });
    ended.expect("nobody waits for ever");
}

/// An UPDATE of a unique column locks its row FOR UPDATE. Its write stood for the lock then, and locked less: somebody who
/// wanted the key to stay (FOR KEY SHARE) was let in.
#[test]
fn a_write_locks_no_less_than_the_lock_it_stands_for() {
    let env = Env::memory().expect("memory can be had");
    env.clone().block_on(async {
        let transactions = with_a_row(&env).await;
        let writer = transactions.begin(TransactionOptions::default());
        let statement = writer.statement();
        let seen = writer.get(&statement, SPACE, &KEY).await.expect("readable").expect("there");
        writer.lock_row(&statement, SPACE, &KEY, &seen, RowLockMode::Update, Wait::Error).await.expect("it is free");
        writer.update(&statement, SPACE, KEY, ROW, &seen);
        let other = transactions.begin(TransactionOptions::default());
        let refused = lock(&other, RowLockMode::KeyShare).await;
        assert!(matches!(refused, Err(Error::LockNotAvailable(_))), "{refused:?}");
    });
}

/// The story of the deadlock above, with a first waiter whose time to look for a deadlock comes after the third has closed
/// the cycle by strengthening its lock: it searched from what it had seen when it fell asleep, looked again, and slept.
#[test]
fn a_waiter_looks_for_a_deadlock_behind_its_last_look() {
    let world = World::seeded(1);
    let env = world.env();
    let outcomes = world.run(async {
        let transactions = with_a_row(&env).await;
        let begin = |milliseconds| {
            let deadlock_timeout = Duration::from_millis(milliseconds);
            Arc::new(transactions.begin(TransactionOptions { deadlock_timeout, ..Default::default() }))
        };
        // The second never ends by itself: nobody is woken.
        let (first, second, third) = (begin(100), begin(5), begin(5));
        let pause = || env.sleep(Duration::from_millis(20));
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let wait_for = |transaction: &Arc<Transaction>, key: Bytes, mode: RowLockMode| {
            let (transaction, outcomes) = (transaction.clone(), outcomes.clone());
            env.spawn("waiter", async move {
                let outcome = lock_key(&transaction, key, mode, Wait::Block(None)).await;
                transaction.rollback();
                outcomes.lock().push(outcome.map(drop));
            })
        };
        lock(&second, RowLockMode::Share).await.expect("it is free");
        lock(&third, RowLockMode::KeyShare).await.expect("both share it");
        lock_key(&first, OTHER_KEY, RowLockMode::Update, Wait::Error).await.expect("it is free");
        let first_waits = wait_for(&first, KEY, RowLockMode::NoKeyUpdate);
        pause().await;
        lock(&third, RowLockMode::Share).await.expect("both share it");
        let third_waits = wait_for(&third, OTHER_KEY, RowLockMode::Update);
        first_waits.await;
        third_waits.await;
        std::mem::take(&mut *outcomes.lock())
    });
    let outcomes = outcomes.expect("nobody waits for ever");
    assert!(matches!(outcomes[..], [Err(Error::Deadlock { .. }), Ok(())]), "{outcomes:?}");
}

/// A holder went back to a savepoint, and so to a weaker lock. Woken were those who conflict with nobody before them in
/// the queue, up to the first who does, and nobody behind that one, though it barred nobody's way.
#[test]
fn a_waiter_is_woken_behind_others_that_it_does_not_conflict_with() {
    let world = World::seeded(1);
    let env = world.env();
    let ended = world.run(async {
        let transactions = with_a_row(&env).await;
        // By the time that the lock gets weaker, nobody looks by itself any more.
        let deadlock_timeout = Duration::from_millis(1);
        let begin = || Arc::new(transactions.begin(TransactionOptions { deadlock_timeout, ..Default::default() }));
        let (holder, key_sharer) = (begin(), begin());
        let wait_for = |transaction: &Arc<Transaction>, mode: RowLockMode| {
            let transaction = transaction.clone();
            env.spawn("waiter", async move {
                let locked = lock_key(&transaction, KEY, mode, Wait::Block(None)).await.expect("no deadlock is here");
                assert_eq!(locked.value.row(), Some(&ROW));
                transaction.rollback();
            })
        };
        let pause = || env.sleep(Duration::from_millis(20));
        lock(&holder, RowLockMode::NoKeyUpdate).await.expect("it is free");
        let savepoint = holder.savepoint();
        lock(&holder, RowLockMode::Update).await.expect("it is ours");
        let share_waits = wait_for(&begin(), RowLockMode::Share);
        pause().await;
        let update_waits = wait_for(&begin(), RowLockMode::NoKeyUpdate);
        pause().await;
        let key_share_waits = wait_for(&key_sharer, RowLockMode::KeyShare);
        pause().await;
        holder.rollback_to(savepoint);
        key_share_waits.await;
        holder.rollback();
        share_waits.await;
        update_waits.await;
    });
    ended.expect("nobody waits for ever");
}
