//! Two servers on the loopback: one that is asked, and the thief it points to.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{BodyError, Client, Method, SendError, Trust, beginning_of, body_up_to, send};

fn client() -> Client {
    Client::new(Duration::from_secs(20), Trust::PlainHttp).expect("a client without TLS can be made")
}

#[tokio::test]
async fn v9_no_redirect_is_followed_and_its_target_is_named_without_secrets() {
    let thief = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&thief)
        .await;
    let thief_origin = thief.uri();
    for status in [300, 301, 302, 303, 307, 308] {
        let asked = MockServer::start().await;
        let location = format!("{}/steal?token=SECRET", thief_origin.replace("//", "//user:SECRET@"));
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("Location", location.as_str()))
            .mount(&asked)
            .await;
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let request = client()
                .request(method, format!("{}/SECRET", asked.uri()))
                .header("X-Auth-Token", "SECRET")
                .body("SECRET");
            let error = send(request).await.expect_err("a redirect is no answer");
            let text = error.to_string();
            assert!(matches!(error, SendError::Redirected { .. }), "{text}");
            assert!(
                text.contains(&status.to_string()) && text.contains(&thief_origin),
                "{text}"
            );
            assert!(!text.contains("SECRET"), "{text}");
        }
    }
    assert_eq!(thief.received_requests().await.expect("requests are recorded").len(), 0);
}

#[tokio::test]
async fn a_redirect_to_nowhere_or_to_the_same_server_is_an_error_too() {
    let asked = MockServer::start().await;
    for (location, expected) in [
        (Some("/login"), asked.uri()),
        (Some("mailto:x"), "no address".to_owned()),
        (None, "no address".to_owned()),
    ] {
        asked.reset().await;
        let mut answer = ResponseTemplate::new(302);
        if let Some(location) = location {
            answer = answer.insert_header("Location", location);
        }
        Mock::given(any()).respond_with(answer).mount(&asked).await;
        let error = send(client().request(Method::GET, asked.uri()))
            .await
            .expect_err("a redirect is no answer");
        assert!(
            error.to_string().contains(&format!("a redirect to {expected};")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_error_never_shows_the_address_that_was_asked() {
    let error = send(client().request(Method::GET, "http://127.0.0.1:1/SECRET"))
        .await
        .expect_err("nobody listens");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    let error = send(client().request(Method::GET, "no address SECRET"))
        .await
        .expect_err("that is no URL");
    assert!(
        matches!(error, SendError::Request(_)) && !format!("{error:?}").contains("SECRET"),
        "{error:?}"
    );
}

#[tokio::test]
async fn v25_a_document_is_refused_and_a_complaint_cut_at_the_limit() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_string("0123456789"))
        .mount(&server)
        .await;
    let answer = async || {
        send(client().request(Method::GET, server.uri()))
            .await
            .expect("it answers")
    };
    assert_eq!(body_up_to(answer().await, 10).await.expect("it fits"), b"0123456789");
    let error = body_up_to(answer().await, 9).await.expect_err("it is too long");
    assert!(matches!(error, BodyError::TooLong { limit: 9 }), "{error}");
    assert_eq!(beginning_of(answer().await, 4).await, b"0123");
    assert_eq!(beginning_of(answer().await, 40).await, b"0123456789");
}

/// Answers one request with `head`, then with `piece` until the other side has had enough or 64 MiB are written.
async fn endless(head: &'static str, piece: Vec<u8>) -> (String, JoinSet<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("it is asked");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let mut written = 0;
        if stream.write_all(head.as_bytes()).await.is_ok() {
            while written < 64 << 20 && stream.write_all(&piece).await.is_ok() {
                written += piece.len();
            }
        }
        written
    });
    (format!("http://{address}"), serving)
}

async fn written(mut serving: JoinSet<usize>) -> usize {
    serving.join_next().await.expect("there is a server").expect("it ends")
}

#[tokio::test]
async fn v25_an_endless_answer_is_given_up_at_the_limit() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let limit = 1 << 20;
    let begun = Instant::now();
    let (url, serving) = endless(head, vec![b'['; 16 << 10]).await;
    let answer = send(client().request(Method::GET, url)).await.expect("it answers");
    let error = body_up_to(answer, limit).await.expect_err("it never ends");
    assert!(matches!(error, BodyError::TooLong { .. }), "{error}");
    // What the kernel's buffers hold besides.
    assert!(written(serving).await < 32 << 20);
    let (url, serving) = endless(head, vec![b'['; 16 << 10]).await;
    let answer = send(client().request(Method::GET, url)).await.expect("it answers");
    assert_eq!(beginning_of(answer, 300).await.len(), 300);
    assert!(written(serving).await < 32 << 20);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// 64 MiB of zeros as gzip (RFC 1952), some 64 KiB long: one block with fixed codes, repeated copies of 258 bytes.
fn gzip_bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // Final block, fixed codes; the literal 0, then (length 258, distance 1) again and again.
    bits.push(0b1, 1);
    bits.push(0b01, 2);
    bits.push_code(0b0011_0000, 8);
    for _ in 0..(64 << 20) / 258 {
        bits.push_code(0b1100_0101, 8);
        bits.push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    file.extend(bits.bytes);
    file.extend([0; 8]);
    file
}

/// Bits in the order of DEFLATE: numbers from their lowest bit, codes from their highest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for place in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> place & 1 == 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (self.used % 8);
            }
            self.used += 1;
        }
    }

    fn push_code(&mut self, value: u32, count: u32) {
        for place in (0..count).rev() {
            self.push(value >> place & 1, 1);
        }
    }
}

#[tokio::test]
async fn v25_a_gzip_bomb_is_given_up_at_the_limit_of_what_it_unpacks_to() {
    let bomb = gzip_bomb();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Content-Encoding", "gzip")
                .set_body_bytes(bomb),
        )
        .mount(&server)
        .await;
    let answer = send(client().request(Method::GET, server.uri()))
        .await
        .expect("it answers");
    let error = body_up_to(answer, 2 << 20).await.expect_err("it unpacks to 64 MiB");
    assert!(
        matches!(error, BodyError::TooLong { limit } if limit == 2 << 20),
        "{error}"
    );
    let answer = send(client().request(Method::GET, server.uri()))
        .await
        .expect("it answers");
    assert_eq!(beginning_of(answer, 1000).await, vec![0; 1000]);
}
