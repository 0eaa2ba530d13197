//! What clients cost who are connected and ask nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::program::Program;

/// So many are connected.
const CLIENTS: u64 = 500;

#[test]
fn v8_an_idle_client_costs_less_than_32_kib() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(&["--data", folder.path().to_str().unwrap()], &[]);
    let address = program.url.strip_prefix("http://").unwrap();
    let connect = || {
        let mut client = TcpStream::connect(address).unwrap();
        client
            .write_all(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut beginning = [0; 15];
        client.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"HTTP/1.1 200 OK");
        client
    };
    drop(connect());
    let before = program.resident();
    let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect()).collect();
    let each = program.resident().saturating_sub(before) / CLIENTS;
    drop(clients);
    assert!(each < 32, "{each} KiB");
}
