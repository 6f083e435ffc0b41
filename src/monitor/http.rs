//! The HTTP port: three pages for machines to read.
//!
//! One request a connection. It must not disturb judging, whoever connects: connections are few and short, a
//! new one pushes the oldest out, and they are taken in no faster than [`PACE`] allows, so that their one
//! thread cannot fill a core.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::AbortHandle;

use super::{Metrics, Status};
use crate::instruments;

/// Connections at once.
const MOST_CONNECTIONS: usize = 32;
/// Between two connections.
const PACE: Duration = Duration::from_millis(10);
/// For all of a request's head.
const HEAD: Duration = Duration::from_secs(5);
/// For all of a connection.
const LONGEST: Duration = Duration::from_secs(10);
/// A request's head may be so long; hyper allows no less.
const LARGEST_HEAD: usize = 8 << 10;
/// After the kernel had no descriptor for a connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(500);

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// A port that nobody answers on yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// Where it is; the port is the kernel's choice where 0 was asked for.
    pub address: SocketAddr,
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (--listen): {source}")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// Takes the port; connections wait until [`serve`].
///
/// # Errors
/// When it is taken, or not of this host.
pub fn bind(address: SocketAddr) -> Result<Bound, ListenError> {
    let fail = |source| ListenError { address, source };
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok(Bound { listener, address })
}

/// Answers on a thread of its own for as long as the process lives.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn serve(port: Bound, status: Status, metrics: Metrics) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(port.listener) {
                Ok(listener) => accept(listener, &status, &metrics).await,
                Err(error) => tracing::error!(%error, "the HTTP port cannot be served"),
            }
        });
    })?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, status: &Status, metrics: &Metrics) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection to the HTTP port failed");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MOST_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let (status, metrics) = (status.clone(), metrics.clone());
        let answering = service_fn(move |request: Request<Incoming>| {
            let response = answer(request.method(), request.uri().path(), &status, &metrics);
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(LARGEST_HEAD)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answering);
        let task = tokio::spawn(async move {
            // Whatever became of it, it was theirs.
            let _ = tokio::time::timeout(LONGEST, connection).await;
        });
        open.push_back(task.abort_handle());
        tokio::time::sleep(PACE).await;
    }
}

fn answer(method: &Method, path: &str, status: &Status, metrics: &Metrics) -> Response<Full<Bytes>> {
    let page: fn(&Status, &Metrics) -> Response<Full<Bytes>> = match path {
        "/livez" => |status, _| verdict(&status.deaths()),
        "/readyz" => |status, _| verdict(&status.complaints()),
        "/metrics" => |status, metrics| {
            instruments::ready(status.complaints().is_empty());
            text(StatusCode::OK, EXPOSITION, metrics.text())
        },
        _ => {
            return text(StatusCode::NOT_FOUND, PLAIN, "there are /livez, /readyz and /metrics\n".to_owned());
        }
    };
    if method == Method::GET || method == Method::HEAD {
        return page(status, metrics);
    }
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n".to_owned());
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

/// All is well, or what is not, a line each.
fn verdict(complaints: &[String]) -> Response<Full<Bytes>> {
    if complaints.is_empty() {
        return text(StatusCode::OK, PLAIN, "ok\n".to_owned());
    }
    let lines = complaints.iter().map(|complaint| one_line(complaint) + "\n").collect();
    text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, lines)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn text(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
