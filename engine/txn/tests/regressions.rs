//! Bugs that the simulation found, each told as a story that must not happen again.

use bytes::Bytes;
use helios_env::Env;
use helios_storage::{Options, Space, Storage, Version};
use helios_txn::{CommitOptions, Error, RowLock, RowLockMode, Transaction, TransactionOptions, Transactions, Wait};

const SPACE: Space = Space::new(0, 1);
const KEY: Bytes = Bytes::from_static(b"k");
const ROW: Bytes = Bytes::from_static(b"row");

async fn lock(transaction: &Transaction, mode: RowLockMode) -> Result<Version, Error> {
    let statement = transaction.statement();
    let seen = transaction.get(&statement, SPACE, &KEY).await?.expect("the row is there");
    match transaction.lock_row(&statement, SPACE, &KEY, &seen, mode, Wait::Error).await? {
        RowLock::Current(version) => Ok(version),
        other => panic!("nobody has changed the row: {other:?}"),
    }
}

async fn with_a_row(env: &Env) -> Transactions {
    let (storage, _) = Storage::open(env.clone(), Options::tiny()).await.expect("memory opens");
    let transactions = Transactions::new(env.clone(), storage, 1);
    let first = transactions.begin(TransactionOptions::default());
    first.put(&first.statement(), SPACE, KEY, ROW, false);
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
