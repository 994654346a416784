//! How does a test play the Kubernetes API server?
//!
//! With one that lives in the test's own process: the test sets which objects it has and which requests it refuses, and
//! reads the requests that it received. Watches stay open until the test ends them.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use hyper::{Method, Request, Response, StatusCode};
use kana::cluster::kubernetes::{self, Client};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use super::eventually;

/// A request that the server received.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Value,
}

/// A refusal of requests that the server could serve.
struct Refusal {
    method: Method,
    path: String,
    /// The text that the query must contain.
    query: &'static str,
    /// The `Status` to respond with.
    status: Value,
    /// Requests that are still to be refused.
    times: usize,
}

/// An open watch.
struct Watch {
    path: String,
    query: String,
    out: UnboundedSender<Result<Bytes, std::io::Error>>,
}

#[derive(Default)]
struct State {
    objects: Vec<(String, Value)>,
    version: u64,
    refusals: Vec<Refusal>,
    received: Vec<Received>,
    watches: Vec<Watch>,
    /// All events so far, for watches that resume.
    history: Vec<PastEvent>,
    is_down: bool,
    ends_watches_at_once: bool,
    page_size: Option<usize>,
    logs: VecDeque<String>,
}

/// An event that watches received.
struct PastEvent {
    version: u64,
    collection: String,
    event: Value,
}

/// The API server of one test.
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
/// The ConfigMaps' collection.
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/ns/configmaps";
/// The Events' collection.
pub const EVENTS: &str = "/api/v1/namespaces/ns/events";

impl ApiServer {
    /// Starts a server without objects, and returns it with a client of it.
    pub fn start() -> (Self, Client) {
        let server = Self::default();
        (server.clone(), server.client())
    }

    /// Creates another client of this server.
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<kubernetes::Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await.unwrap_or_default();
                let received = Received {
                    method: parts.method,
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
                };
                server.respond(received).ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
            }
        });
        Client::new(service, "ns")
    }

    /// Adds or replaces an object, and sends that on every watch of its collection.
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
        state.send(collection, json!({ "type": kind, "object": object }));
    }

    /// The object of this name.
    pub fn get(&self, collection: &str, name: &str) -> Value {
        let state = self.state();
        state.objects[state.find(collection, name).expect("an object that exists")].1.clone()
    }

    /// Changes an object as `manager`, as `kubectl edit` and `kubectl scale` do; `subresource` is `scale` for the latter.
    pub fn update(&self, collection: &str, name: &str, change: &Value, (manager, subresource): (&str, &str)) {
        let mut state = self.state();
        let at = state.find(collection, name).expect("an object that exists");
        state.patch(at, change, manager, subresource);
    }

    /// Applies a manifest as Helm 4 does, by its field manager `helm`: creates the object, or sets the fields of `spec`
    /// and the annotations that the manifest has. Returns the first conflict where another manager owns a field with
    /// another value.
    pub fn apply(&self, collection: &str, manifest: &Value) -> Result<(), String> {
        let mut state = self.state();
        let name = manifest["metadata"]["name"].as_str().expect("a name");
        let Some(at) = state.find(collection, name) else {
            let object = state.versioned(manifest.clone());
            state.objects.push((collection.to_owned(), object.clone()));
            state.send(collection, json!({ "type": "ADDED", "object": object }));
            return Ok(());
        };
        let live = &state.objects[at].1;
        let fields = manifest["spec"].as_object().cloned().unwrap_or_default();
        for (field, _) in fields.iter().filter(|(field, value)| live["spec"][field.as_str()] != **value) {
            let owned = |entry: &&Value| !entry["fieldsV1"]["f:spec"][format!("f:{field}")].is_null();
            let mut others = live["metadata"]["managedFields"].as_array().into_iter().flatten().filter(owned);
            if let Some(other) = others.find(|entry| entry["manager"] != "helm") {
                return Err(format!("conflict with {} using .spec.{field}", other["manager"]));
            }
        }
        let change = json!({ "metadata": { "annotations": manifest["metadata"]["annotations"] },
            "spec": manifest["spec"], "data": manifest["data"] });
        state.patch(at, &change, "helm", "");
        Ok(())
    }

    /// Removes an object, and sends that on every watch of its collection.
    pub fn remove(&self, collection: &str, name: &str) {
        let mut state = self.state();
        let object = state.remove(collection, name);
        state.send(collection, json!({ "type": "DELETED", "object": object }));
    }

    /// Removes an object, and sends nothing on the watches.
    pub fn remove_silently(&self, collection: &str, name: &str) {
        self.state().remove(collection, name);
    }

    /// Sends an event on every watch of a collection.
    pub fn send(&self, collection: &str, event: Value) {
        self.state().send(collection, event);
    }

    /// Ends every watch of a collection, as a server does after a while.
    pub fn end_watches(&self, collection: &str) {
        self.state().watches.retain(|watch| watch.path != collection);
    }

    /// Ends every watch as soon as it is open, as some proxies do.
    pub fn end_watches_at_once(&self) {
        self.state().ends_watches_at_once = true;
    }

    /// Refuses connections, and breaks those that are open.
    pub fn go_down(&self) {
        let mut state = self.state();
        state.is_down = true;
        for watch in state.watches.drain(..) {
            let _ = watch.out.unbounded_send(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
    }

    /// Splits lists into pages of this many objects.
    pub fn set_page_size(&self, count: usize) {
        self.state().page_size = Some(count);
    }

    /// Accepts connections again.
    pub fn come_back(&self) {
        self.state().is_down = false;
    }

    /// Responds with this `Status`, so many times, to requests with this method and path.
    pub fn refuse(&self, method: Method, path: &str, status: Value, times: usize) {
        self.add(Refusal { method, path: path.to_owned(), query: "", status, times });
    }

    /// Refuses the pages of a list after its first.
    pub fn refuse_later_pages(&self, path: &str, status: Value, times: usize) {
        self.add(Refusal { method: Method::GET, path: path.to_owned(), query: "continue=", status, times });
    }

    /// Refuses watches, and no lists.
    pub fn refuse_watches(&self, path: &str, status: Value, times: usize) {
        self.add(Refusal { method: Method::GET, path: path.to_owned(), query: "watch=true", status, times });
    }

    /// Refuses nothing any more.
    pub fn clear_refusals(&self) {
        self.state().refusals.clear();
    }

    fn add(&self, refusal: Refusal) {
        self.state().refusals.push(refusal);
    }

    /// Sets the text of the next log that is requested.
    pub fn add_log(&self, text: &str) {
        self.state().logs.push_back(text.to_owned());
    }

    /// All requests so far, in their order.
    pub fn requests(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// All requests with this method so far, in their order.
    pub fn requests_with(&self, method: Method) -> Vec<Received> {
        self.requests().into_iter().filter(|request| request.method == method).collect()
    }

    /// Waits for an open watch of a collection.
    pub async fn until_watched(&self, collection: &str) {
        eventually(&format!("a watch of {collection}"), async || {
            self.state().watches.iter().any(|watch| watch.path == collection && !watch.out.is_closed()).then_some(())
        })
        .await;
    }

    /// Whether no watch is open.
    pub fn is_unwatched(&self) -> bool {
        self.state().watches.iter().all(|watch| watch.out.is_closed())
    }

    fn respond(&self, request: Received) -> Option<Response<Body>> {
        let mut state = self.state();
        state.received.push(request.clone());
        if state.is_down {
            return None;
        }
        let matches = |refusal: &&mut Refusal| {
            refusal.times > 0
                && refusal.method == request.method
                && refusal.path == request.path
                && request.query.contains(refusal.query)
        };
        if let Some(refusal) = state.refusals.iter_mut().find(matches) {
            refusal.times -= 1;
            let code = refusal.status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a code");
            return Some(json_response(code, &refusal.status));
        }
        if request.query.contains("watch=true") {
            return Some(state.open_watch(request));
        }
        if request.path.ends_with("/log") {
            let text = state.logs.pop_front().unwrap_or_default();
            return Some(Response::new(Body::from(text)));
        }
        Some(state.respond(&request))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    fn remove(&mut self, collection: &str, name: &str) -> Value {
        let is_it = |(held, object): &(String, Value)| held == collection && object["metadata"]["name"] == name;
        let at = self.objects.iter().position(is_it).expect("an object that exists");
        let object = self.objects.remove(at).1;
        self.versioned(object)
    }

    fn find(&self, collection: &str, name: &str) -> Option<usize> {
        self.objects.iter().position(|(held, object)| held == collection && object["metadata"]["name"] == name)
    }

    /// Merges a change into the object at this index. Whoever changes a field of `spec` owns it alone from then on.
    fn patch(&mut self, at: usize, change: &Value, manager: &str, subresource: &str) -> Value {
        let (collection, mut object) = self.objects[at].clone();
        let mut entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let fields = change["spec"].as_object().into_iter().flatten();
        let changed: Vec<_> = fields.filter(|(name, value)| object["spec"][name.as_str()] != **value).collect();
        for (name, _) in &changed {
            let owned = entries.iter_mut().filter_map(|entry| entry["fieldsV1"]["f:spec"].as_object_mut());
            owned.for_each(|owned| drop(owned.remove(&format!("f:{name}"))));
        }
        if !changed.is_empty() {
            let owned: serde_json::Map<_, _> =
                changed.iter().map(|(name, _)| (format!("f:{name}"), json!({}))).collect();
            let operation = if manager == "helm" { "Apply" } else { "Update" };
            entries.push(json!({ "manager": manager, "operation": operation, "subresource": subresource,
                "fieldsV1": { "f:spec": owned } }));
        }
        let given = change["metadata"]["managedFields"].as_array();
        merge(&mut object, change);
        object["metadata"]["managedFields"] = json!(given.cloned().unwrap_or(entries));
        let object = self.versioned(object);
        self.objects[at].1 = object.clone();
        self.send(&collection, json!({ "type": "MODIFIED", "object": object }));
        object
    }

    fn versioned(&mut self, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object
    }

    fn send(&mut self, collection: &str, event: Value) {
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let line = Bytes::from(format!("{event}\n"));
        if event["type"] != "ERROR" {
            self.history.push(PastEvent { version: self.version, collection: collection.to_owned(), event });
        }
        for watch in self.watches.iter().filter(|watch| watch.path == collection) {
            if !is_selected(&watch.query, &name) {
                continue;
            }
            let _ = watch.out.unbounded_send(Ok(line.clone()));
        }
    }

    /// Opens a watch, which begins with the events that it missed since its resource version.
    fn open_watch(&mut self, request: Received) -> Response<Body> {
        let (out, events) = unbounded();
        let version = request.query.split_once("resourceVersion=");
        let version = version.and_then(|(_, rest)| rest.split('&').next()?.parse::<u64>().ok());
        let missed = self.history.iter().filter(|past| {
            let name = past.event["object"]["metadata"]["name"].as_str().unwrap_or_default();
            version.is_some_and(|version| past.version > version)
                && past.collection == request.path
                && is_selected(&request.query, name)
        });
        for PastEvent { event, .. } in missed {
            let _ = out.unbounded_send(Ok(Bytes::from(format!("{event}\n"))));
        }
        if !self.ends_watches_at_once {
            self.watches.push(Watch { path: request.path, query: request.query, out });
        }
        Response::new(Body::from_stream(events))
    }

    fn list(&self, request: &Received) -> Response<Body> {
        let collection = self.objects.iter().filter(|(collection, _)| *collection == request.path);
        let is_selected =
            |object: &&Value| is_selected(&request.query, object["metadata"]["name"].as_str().unwrap_or_default());
        let items: Vec<_> = collection.map(|(_, object)| object).filter(is_selected).collect();
        let from = request.query.split_once("continue=").map_or(0, |(_, rest)| {
            rest.split('&').next().and_then(|token| token.parse().ok()).expect("a token of this server's")
        });
        let count = self.page_size.unwrap_or(usize::MAX);
        let has_more = items.len().saturating_sub(from) > count;
        let token = if has_more { (from + count).to_string() } else { String::new() };
        let items: Vec<_> = items.into_iter().skip(from).take(count).collect();
        let metadata = json!({ "resourceVersion": self.version.to_string(), "continue": token });
        json_response(200, &json!({ "metadata": metadata, "items": items }))
    }

    fn respond(&mut self, request: &Received) -> Response<Body> {
        let (method, path) = (&request.method, request.path.as_str());
        if method == Method::GET && [PODS, DEPLOYMENTS, HPAS, SCALED_OBJECTS, CONFIG_MAPS].contains(&path) {
            return self.list(request);
        }
        if method == Method::POST && path == EVENTS {
            return json_response(201, &request.body);
        }
        let object_path = path.strip_suffix("/scale").or_else(|| path.strip_suffix("/eviction")).unwrap_or(path);
        let (collection, name) = object_path.rsplit_once('/').expect("a name in the path");
        let Some(at) = self.find(collection, name) else {
            let status = json!({ "code": 404, "reason": "NotFound", "message": format!("{name} not found"),
                "details": { "name": name } });
            return json_response(404, &status);
        };
        if method == Method::PATCH {
            let version = &request.body["metadata"]["resourceVersion"];
            if !version.is_null() && *version != self.objects[at].1["metadata"]["resourceVersion"] {
                let message = "the object has been modified; please apply your changes to the latest version";
                return json_response(409, &json!({ "code": 409, "reason": "Conflict", "message": message }));
            }
            let subresource = if path.ends_with("/scale") { "scale" } else { "" };
            let manager = request.query.split_once("fieldManager=").map_or("", |(_, rest)| rest);
            let manager = manager.split('&').next().unwrap_or_default().to_owned();
            return json_response(200, &self.patch(at, &request.body, &manager, subresource));
        }
        if method == Method::GET {
            return json_response(200, &self.objects[at].1);
        }
        self.end(at, request)
    }

    /// Deletes or evicts the pod at this index.
    fn end(&mut self, at: usize, request: &Received) -> Response<Body> {
        let options = request.body.get("deleteOptions").unwrap_or(&request.body);
        let uid = &self.objects[at].1["metadata"]["uid"];
        if options["preconditions"]["uid"] != *uid {
            let message = "the UID in the precondition does not match the UID in record";
            return json_response(409, &json!({ "code": 409, "reason": "Conflict", "message": message }));
        }
        let mut object = self.objects[at].1.clone();
        if options["gracePeriodSeconds"] == 0 {
            self.objects.remove(at);
            let object = self.versioned(object);
            self.send(PODS, json!({ "type": "DELETED", "object": object }));
        } else {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-02T04:00:00Z");
            let object = self.versioned(object);
            self.objects[at].1 = object.clone();
            self.send(PODS, json!({ "type": "MODIFIED", "object": object }));
        }
        json_response(200, &json!({ "kind": "Status", "status": "Success", "code": 200 }))
    }
}

/// Whether a query selects the object of this name, by a field selector on names or by none.
fn is_selected(query: &str, name: &str) -> bool {
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
