//! A network that fails at the worst moment: while a commit is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use planner_core::ports::{Store, StoreError};
use store::{SqlStore, StoreOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::samples::{DAY, commit, lease, put};
use store::testing::{Engine, TestDatabase};

/// What happens, once, to the message that asks for the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The connection breaks before the server sees it.
    LostOnTheWay,
    /// The server does it, but the connection breaks before it can say so.
    LostAnswer,
    /// The server does it, and nothing is ever heard again.
    Silence,
}

/// A proxy in front of the server; ends with the set it runs in.
async fn proxy(database: &TestDatabase, fault: Fault, tasks: &mut JoinSet<()>) -> String {
    let mut address = url::Url::parse(&database.address).unwrap();
    let server = format!("127.0.0.1:{}", address.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    address.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        let armed = Arc::new(AtomicBool::new(true));
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            connections.spawn(forward(client, server, fault, Arc::clone(&armed)));
        }
    });
    address.to_string()
}

async fn forward(mut client: TcpStream, mut server: TcpStream, fault: Fault, armed: Arc<AtomicBool>) {
    let (mut question, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                let part = &question[..length];
                let strikes = part.windows(6).any(|bytes| bytes == b"COMMIT") && armed.swap(false, Ordering::SeqCst);
                if strikes && fault == Fault::LostOnTheWay {
                    return;
                }
                server.write_all(part).await.unwrap();
                if strikes {
                    // The answer shows that it is done; the client does not get it.
                    let _ = server.read(&mut answer).await;
                    if fault == Fault::Silence {
                        std::future::pending::<()>().await;
                    }
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Nobody knows what became of the commit, so it is neither repeated nor called a success; who looks finds out.
async fn an_unknown_outcome_is_reported(database: TestDatabase) {
    let direct = database.store().await;
    for (round, fault) in (1..).zip([Fault::LostAnswer, Fault::LostOnTheWay, Fault::Silence]) {
        let before = direct.epoch().await.unwrap();
        let mut tasks = JoinSet::new();
        let address = proxy(&database, fault, &mut tasks).await;
        let options = StoreOptions {
            operation_timeout: Duration::from_secs(2),
            ..StoreOptions::default()
        };
        let store = SqlStore::connect(&address, options).await.unwrap();
        let error = commit(&store, vec![put(lease("a", &["1"], 0, DAY * round))])
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Unavailable {
                    operation: "commit",
                    ..
                }
            ),
            "{fault:?}: {error:?}"
        );
        let done = i64::from(fault != Fault::LostOnTheWay);
        assert_eq!(direct.epoch().await.unwrap(), before + done, "{fault:?}");
        // Reading is still possible, and the server does not wait for the lost transaction for ever.
        assert_eq!(
            store.load().await.map(|contents| contents.epoch).ok(),
            Some(before + done),
            "{fault:?}"
        );
        commit(&direct, vec![put(lease("b", &["2"], 0, DAY * round))])
            .await
            .unwrap();
    }
}

#[test]
fn postgres_reports_an_unknown_outcome() {
    Engine::Postgres.test(an_unknown_outcome_is_reported);
}

#[test]
fn mariadb_reports_an_unknown_outcome() {
    Engine::MariaDb.test(an_unknown_outcome_is_reported);
}
