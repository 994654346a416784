//! What does a Kubernetes API server say that exists for one test?
//!
//! It answers by script: a test says what it holds and what it refuses, and reads what it was asked. Watches stay open
//! until the test says something on them or ends them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::eventually;

/// A request as the server got it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// What is answered instead of what is held.
struct Rule {
    method: Method,
    path: String,
    /// What the query must contain.
    query: &'static str,
    answer: Value,
    times: usize,
}

/// One open watch.
struct Open {
    path: String,
    query: String,
    out: UnboundedSender<Result<Bytes, std::io::Error>>,
}

#[derive(Default)]
struct State {
    objects: Vec<(String, Value)>,
    version: u64,
    rules: Vec<Rule>,
    asked: Vec<Asked>,
    watches: Vec<Open>,
    /// What watches were told, by version, for those that come back.
    past: Vec<(u64, String, Value)>,
    is_down: bool,
    page: Option<usize>,
    texts: VecDeque<String>,
}

/// The server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<State>>);

/// The pods' collection.
pub const PODS: &str = "/api/v1/namespaces/ns/pods";
/// The Deployments' collection.
pub const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/ns/deployments";
/// The HorizontalPodAutoscalers' collection.
pub const HPAS: &str = "/apis/autoscaling/v2/namespaces/ns/horizontalpodautoscalers";
/// The ScaledObjects' collection.
pub const SCALED_OBJECTS: &str = "/apis/keda.sh/v1alpha1/namespaces/ns/scaledobjects";

impl ApiServer {
    /// A server that holds nothing, and a client of it.
    pub fn start() -> (Self, kube::Client) {
        let server = Self::default();
        (server.clone(), server.client())
    }

    /// Another client of it.
    pub fn client(&self) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.unwrap_or_default();
                let asked = Asked {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
                };
                server.answer(asked).ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
            }
        });
        kube::Client::new(service, "ns")
    }

    /// Holds this object from now on, and tells those who watch.
    pub fn put(&self, collection: &str, object: Value) {
        let mut state = self.state();
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let object = state.versioned(object);
        let is_same =
            |(held, other): &(String, Value)| held == collection && other["metadata"]["name"] == name.as_str();
        let known = state.objects.iter().position(is_same);
        let kind = if known.is_some() { "MODIFIED" } else { "ADDED" };
        known.map(|at| state.objects.remove(at));
        state.objects.push((collection.to_owned(), object.clone()));
        state.tell(collection, json!({ "type": kind, "object": object }));
    }

    /// Holds it no longer; `told` says whether those who watch hear of it.
    pub fn remove(&self, collection: &str, name: &str, told: bool) {
        let mut state = self.state();
        let is_it = |(held, object): &(String, Value)| held == collection && object["metadata"]["name"] == name;
        let at = state.objects.iter().position(is_it).expect("an object that is held");
        let object = state.objects.remove(at).1;
        let object = state.versioned(object);
        if told {
            state.tell(collection, json!({ "type": "DELETED", "object": object }));
        }
    }

    /// Says this on every watch of a collection.
    pub fn say(&self, collection: &str, event: Value) {
        self.state().tell(collection, event);
    }

    /// Ends every watch of a collection, as a server does after a while.
    pub fn end_watches(&self, collection: &str) {
        self.state().watches.retain(|open| open.path != collection);
    }

    /// No connection is taken any more, and those that are open break.
    pub fn go_down(&self) {
        let mut state = self.state();
        state.is_down = true;
        for open in state.watches.drain(..) {
            let _ = open.out.unbounded_send(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
    }

    /// Lists come in pages of this many objects.
    pub fn page(&self, count: usize) {
        self.state().page = Some(count);
    }

    /// Connections are taken again.
    pub fn come_back(&self) {
        self.state().is_down = false;
    }

    /// Answers this, as a `Status` of its `code`, so many times instead of what is held.
    pub fn refuse(&self, method: Method, path: &str, status: Value, times: usize) {
        self.rule(method, path, "", status, times);
    }

    /// The same, for pages of a list behind the first.
    pub fn refuse_later_pages(&self, path: &str, status: Value, times: usize) {
        self.rule(Method::GET, path, "continue=", status, times);
    }

    /// The same, for watches alone.
    pub fn refuse_watches(&self, path: &str, status: Value, times: usize) {
        self.rule(Method::GET, path, "watch=true", status, times);
    }

    /// Refuses no more.
    pub fn relent(&self) {
        self.state().rules.clear();
    }

    fn rule(&self, method: Method, path: &str, query: &'static str, answer: Value, times: usize) {
        self.state().rules.push(Rule { method, path: path.to_owned(), query, answer, times });
    }

    /// The next log that is asked for.
    pub fn log(&self, text: &str) {
        self.state().texts.push_back(text.to_owned());
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// What it was asked with this method so far.
    pub fn asked_to(&self, method: Method) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.method == method).collect()
    }

    /// Waits for an open watch of a collection.
    pub async fn watched(&self, collection: &str) {
        eventually(&format!("a watch of {collection}"), async || {
            self.state().watches.iter().any(|open| open.path == collection && !open.out.is_closed()).then_some(())
        })
        .await;
    }

    /// Whether nobody watches anything.
    pub fn is_unwatched(&self) -> bool {
        self.state().watches.iter().all(|open| open.out.is_closed())
    }

    fn answer(&self, asked: Asked) -> Option<Response<Body>> {
        let mut state = self.state();
        state.asked.push(asked.clone());
        if state.is_down {
            return None;
        }
        let fits = |rule: &&mut Rule| {
            rule.times > 0 && rule.method == asked.method && rule.path == asked.path && asked.query.contains(rule.query)
        };
        if let Some(rule) = state.rules.iter_mut().find(fits) {
            rule.times -= 1;
            let code = rule.answer["code"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a code");
            return Some(json_response(code, &rule.answer));
        }
        if asked.query.contains("watch=true") {
            let (out, events) = unbounded();
            let after =
                asked.query.split_once("resourceVersion=").and_then(|(_, rest)| rest.split('&').next()?.parse().ok());
            let missed = state.past.iter().filter(|(version, collection, event)| {
                let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default();
                after.is_some_and(|after: u64| *version > after)
                    && *collection == asked.path
                    && is_meant(&asked.query, name)
            });
            for (_, _, event) in missed {
                let _ = out.unbounded_send(Ok(Bytes::from(format!("{event}\n"))));
            }
            state.watches.push(Open { path: asked.path, query: asked.query, out });
            return Some(Response::new(Body::from_stream(events)));
        }
        if asked.path.ends_with("/log") {
            let text = state.texts.pop_front().unwrap_or_default();
            return Some(Response::new(Body::from(text)));
        }
        Some(state.resource(&asked))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn versioned(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object
    }

    fn tell(&mut self, collection: &str, event: Value) {
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let line = Bytes::from(format!("{event}\n"));
        if event["type"] != "ERROR" {
            self.past.push((self.version, collection.to_owned(), event));
        }
        for open in self.watches.iter().filter(|open| open.path == collection) {
            if !is_meant(&open.query, &name) {
                continue;
            }
            let _ = open.out.unbounded_send(Ok(line.clone()));
        }
    }

    fn resource(&mut self, asked: &Asked) -> Response<Body> {
        let (method, path) = (&asked.method, asked.path.as_str());
        if method == Method::GET && [PODS, DEPLOYMENTS, HPAS, SCALED_OBJECTS].contains(&path) {
            let held = self.objects.iter().filter(|(held, _)| held == path).map(|(_, object)| object);
            let items: Vec<_> = held
                .filter(|object| is_meant(&asked.query, object["metadata"]["name"].as_str().unwrap_or("")))
                .collect();
            let from = asked.query.split_once("continue=").map_or(0, |(_, rest)| {
                rest.split('&').next().and_then(|token| token.parse().ok()).expect("a token of this server's")
            });
            let count = self.page.unwrap_or(usize::MAX);
            let rest = items.len().saturating_sub(from) > count;
            let token = if rest { (from + count).to_string() } else { String::new() };
            let items: Vec<_> = items.into_iter().skip(from).take(count).collect();
            let metadata = json!({ "resourceVersion": self.version.to_string(), "continue": token });
            return json_response(200, &json!({ "metadata": metadata, "items": items }));
        }
        let whole = path.strip_suffix("/scale").or_else(|| path.strip_suffix("/eviction")).unwrap_or(path);
        let (collection, name) = whole.rsplit_once('/').expect("a name in the path");
        let is_it = |(held, object): &(String, Value)| held == collection && object["metadata"]["name"] == name;
        let Some(at) = self.objects.iter().position(is_it) else {
            let status = json!({ "code": 404, "reason": "NotFound", "message": format!("{name} not found"),
                "details": { "name": name } });
            return json_response(404, &status);
        };
        if method == Method::PATCH {
            let mut object = self.objects[at].1.clone();
            merge(&mut object, &asked.body);
            let object = self.versioned(object);
            self.objects[at].1 = object.clone();
            self.tell(collection, json!({ "type": "MODIFIED", "object": object }));
            return json_response(200, &object);
        }
        if method == Method::GET {
            return json_response(200, &self.objects[at].1);
        }
        self.end(at, asked)
    }

    /// Deletes or evicts a pod.
    fn end(&mut self, at: usize, asked: &Asked) -> Response<Body> {
        let options = asked.body.get("deleteOptions").unwrap_or(&asked.body);
        let uid = &self.objects[at].1["metadata"]["uid"];
        if options["preconditions"]["uid"] != *uid {
            let message = "the UID in the precondition does not match the UID in record";
            return json_response(409, &json!({ "code": 409, "reason": "Conflict", "message": message }));
        }
        let mut object = self.objects[at].1.clone();
        if options["gracePeriodSeconds"] == 0 {
            self.objects.remove(at);
            let object = self.versioned(object);
            self.tell(PODS, json!({ "type": "DELETED", "object": object }));
        } else {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-02T04:00:00Z");
            let object = self.versioned(object);
            self.objects[at].1 = object.clone();
            self.tell(PODS, json!({ "type": "MODIFIED", "object": object }));
        }
        json_response(200, &json!({ "kind": "Status", "status": "Success", "code": 200 }))
    }
}

/// Whether a field selector on the name, where there is one, means this name.
fn is_meant(query: &str, name: &str) -> bool {
    query.split_once("metadata.name%3D").is_none_or(|(_, rest)| rest.split('&').next() == Some(name))
}

fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            for (key, value) in change {
                merge(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, change) => *object = change.clone(),
    }
}

fn json_response(code: u16, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    response
}

/// A ready worker of release `a`, whose Deployment is `kana-worker`.
pub fn worker(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ns", "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {
                "app.kubernetes.io/name": "kana", "app.kubernetes.io/instance": "a",
                "app.kubernetes.io/component": "worker", "pod-template-hash": "5d4f8",
            },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "kana-worker-5d4f8",
                "uid": "r", "controller": true }],
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "worker" }] },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "worker", "image": "kana", "imageID": "", "ready": true,
                "restartCount": 0, "state": { "running": {} } }],
        },
    })
}

/// The Deployment `kana-worker`.
pub fn deployment(replicas: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" }, "spec": { "replicas": replicas },
        "status": { "replicas": replicas } })
}

/// What the server says of a right that is missing.
pub fn forbidden(verb: &str, resource: &str) -> Value {
    let message = format!(
        "{resource} is forbidden: User \"system:serviceaccount:ns:a\" cannot {verb} resource \"{resource}\" in API \
         group \"\" in the namespace \"ns\""
    );
    json!({ "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": message })
}
