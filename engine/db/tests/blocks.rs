//! Transaction blocks and settings. What is expected was observed on PostgreSQL 18.

mod support;

use heliosdb::{CancelReason, Reply, TransactionStatus};
use support::{database, script, session};

#[test]
fn a_block_begins_and_ends() {
    let database = database();
    let mut session = session(&database);
    assert_eq!(script(&mut session, "begin"), ["BEGIN"]);
    assert_eq!(session.status(), TransactionStatus::InTransaction);
    assert_eq!(script(&mut session, "begin"), ["WARNING 25001 there is already a transaction in progress", "BEGIN"]);
    assert_eq!(script(&mut session, "commit"), ["COMMIT"]);
    assert_eq!(session.status(), TransactionStatus::Idle);
    assert_eq!(script(&mut session, "commit"), ["WARNING 25P01 there is no transaction in progress", "COMMIT"]);
    assert_eq!(script(&mut session, "rollback"), ["WARNING 25P01 there is no transaction in progress", "ROLLBACK"]);
    assert_eq!(script(&mut session, ""), ["empty"]);
    assert_eq!(script(&mut session, "savepoint a"), ["ERROR 25P01 SAVEPOINT can only be used in transaction blocks"]);
}

#[test]
fn a_failed_block_refuses_everything_but_its_end() {
    let database = database();
    let mut session = session(&database);
    let refused = ["ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block"];
    script(&mut session, "begin; savepoint a");
    assert_eq!(
        script(&mut session, "set nonsense to 1"),
        ["ERROR 42704 unrecognized configuration parameter \"nonsense\""]
    );
    assert_eq!(session.status(), TransactionStatus::Failed);
    assert_eq!(script(&mut session, "show all"), refused);
    assert_eq!(script(&mut session, "begin"), refused);
    assert_eq!(script(&mut session, "savepoint b"), refused);
    assert_eq!(script(&mut session, "rollback to a"), ["ROLLBACK"]);
    assert_eq!(session.status(), TransactionStatus::InTransaction);
    assert_eq!(script(&mut session, "rollback to b"), ["ERROR 3B001 savepoint \"b\" does not exist"]);
    assert_eq!(script(&mut session, "commit"), ["ROLLBACK"]);
    assert_eq!(session.status(), TransactionStatus::Idle);
}

#[test]
fn settings_follow_the_transaction() {
    let database = database();
    let mut session = session(&database);
    let show = |session: &mut _| script(session, "show application_name")[1].clone();
    script(&mut session, "set application_name to 'one'");
    assert_eq!(show(&mut session), "one");
    script(&mut session, "begin; set application_name to 'two'; savepoint a; set application_name = three");
    assert_eq!(show(&mut session), "three");
    script(&mut session, "rollback to a");
    assert_eq!(show(&mut session), "two");
    script(&mut session, "set local application_name = 'four'");
    assert_eq!(show(&mut session), "four");
    script(&mut session, "commit");
    assert_eq!(show(&mut session), "two");
    script(&mut session, "begin; set application_name to 'five'; rollback");
    assert_eq!(show(&mut session), "two");
    script(&mut session, "set application_name to 'six'; set nonsense to 1");
    assert_eq!(show(&mut session), "two");
    assert_eq!(
        script(&mut session, "set local application_name = 'seven'"),
        ["WARNING 25P01 SET LOCAL can only be used in transaction blocks", "SET"]
    );
    assert_eq!(show(&mut session), "two");
    assert_eq!(script(&mut session, "reset application_name"), ["RESET"]);
    assert_eq!(show(&mut session), "");
}

/// PostgreSQL ignores a cancel request that finds a session between its statements; an error here would say of a
/// transaction that has committed that it has not.
#[test]
fn a_cancel_request_that_comes_after_the_commit_of_a_script_does_not_deny_it() {
    let database = database();
    let mut session = session(&database);
    script(&mut session, "create table t (a int)");
    let env = database.env().clone();
    env.block_on(async {
        session.query("insert into t values (1); insert into t values (2)");
        for _ in 0..2 {
            let reply = session.next().await.expect("both insertions succeed");
            assert!(matches!(reply, Some(Reply::Complete(_))));
        }
        session.activity().cancel(CancelReason::UserRequest);
        assert!(session.next().await.expect("the script has committed").is_none());
    });
    assert_eq!(script(&mut session, "select count(*) from t"), ["count", "2", "SELECT 1"]);
}
