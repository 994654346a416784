//! What does a gateway say that keeps to a script?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use futures::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its method and path, such as `GET /v1/dead?limit=1000`.
    pub line: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Heard {
    /// The value of a header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// The names of the files in a multipart body, in its order.
    pub fn filenames(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        text.split("filename=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    }
}

/// An answer.
pub enum Said {
    /// A status and a JSON body.
    Json(u16, Value),
    /// The same, with one header more.
    With(u16, Value, (&'static str, &'static str)),
    /// A good status, and a body that breaks off.
    Cut,
}

type Script = dyn FnMut(&Heard) -> Said + Send;

/// A gateway that answers what its script says, one request after the other.
pub struct Gateway {
    /// `http://` and its address.
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    _end: DropGuard,
}

struct Stage {
    script: Mutex<Box<Script>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Gateway {
    /// One that answers each request by `script`.
    pub async fn saying(script: impl FnMut(&Heard) -> Said + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let stage = Arc::new(Stage { script: Mutex::new(Box::new(script)), heard: Arc::clone(&heard) });
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let end = CancellationToken::new();
        let app = Router::new().fallback(answer).with_state(stage);
        let ended = end.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(ended).await });
        Self { url, heard, _end: end.drop_guard() }
    }

    /// All requests so far, in their order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no test panics in here").clone()
    }
}

async fn answer(State(stage): State<Arc<Stage>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let heard = Heard { line: format!("{} {}", head.method, head.uri), headers: head.headers, body };
    stage.heard.lock().expect("no test panics in here").push(heard.clone());
    let said = (stage.script.lock().expect("no script panics"))(&heard);
    let response = |status: u16, body: Body| {
        let status = StatusCode::from_u16(status).expect("a status");
        Response::builder().status(status).body(body).expect("a response")
    };
    match said {
        Said::Json(status, value) => response(status, value.to_string().into()),
        Said::With(status, value, (name, text)) => {
            let mut response = response(status, value.to_string().into());
            response.headers_mut().insert(HeaderName::from_static(name), text.parse().expect("a header's value"));
            response
        }
        Said::Cut => {
            let broken: [Result<Bytes, std::io::Error>; 2] =
                [Ok(Bytes::from_static(b"{\"batch\"")), Err(std::io::ErrorKind::BrokenPipe.into())];
            response(200, Body::from_stream(stream::iter(broken)))
        }
    }
}
