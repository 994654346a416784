//! How does a test play the gateway that a client talks to?
//!
//! With a real HTTP server whose every response comes from the test's script, and which keeps the requests that it
//! received.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use futures::stream;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A request that the gateway received.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method and path, such as `GET /v1/dead?limit=1000`.
    pub line: String,
    /// Headers of the request.
    pub headers: HeaderMap,
    /// Body of the request.
    pub body: Bytes,
}

impl Received {
    /// The value of a header; empty where the request has none of this name.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// The names of the files in a multipart body, in its order.
    pub fn filenames(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        text.split("filename=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    }
}

/// A response of the script.
pub enum Reply {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status, a JSON body and an additional header.
    With(u16, Value, (&'static str, &'static str)),
    /// Status 200, and a body that breaks off.
    Cut,
}

type Script = dyn FnMut(&Received) -> Reply + Send;

/// A gateway that responds as its script says, to one request after the other.
pub struct Gateway {
    /// URL of the gateway: `http://` and the address.
    pub url: String,
    requests: Arc<Mutex<Vec<Received>>>,
    _end: DropGuard,
}

struct Server {
    script: Mutex<Box<Script>>,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Gateway {
    /// Starts a gateway that responds to each request by `script`.
    pub async fn with_script(script: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = Arc::new(Server { script: Mutex::new(Box::new(script)), requests: Arc::clone(&requests) });
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let end = CancellationToken::new();
        let app = Router::new().fallback(respond).with_state(server);
        let ended = end.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(ended).await });
        Self { url, requests, _end: end.drop_guard() }
    }

    /// All requests so far, in their order.
    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().clone()
    }
}

async fn respond(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let received = Received { line: format!("{} {}", head.method, head.uri), headers: head.headers, body };
    server.requests.lock().push(received.clone());
    let reply = (server.script.lock())(&received);
    let response = |status: u16, body: Body| {
        let status = StatusCode::from_u16(status).expect("a status");
        Response::builder().status(status).body(body).expect("a response")
    };
    match reply {
        Reply::Json(status, value) => response(status, value.to_string().into()),
        Reply::With(status, value, (name, text)) => {
            let mut response = response(status, value.to_string().into());
            response.headers_mut().insert(HeaderName::from_static(name), text.parse().expect("a header's value"));
            response
        }
        Reply::Cut => {
            let broken: [Result<Bytes, std::io::Error>; 2] =
                [Ok(Bytes::from_static(b"{\"batch\"")), Err(std::io::ErrorKind::BrokenPipe.into())];
            response(200, Body::from_stream(stream::iter(broken)))
        }
    }
}
