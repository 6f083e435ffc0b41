//! A small HTTP server for tests: on loopback, on a port of its own, with answers that may go wrong.
#![allow(dead_code)] // Every test file uses a part of it.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gavel::cache::Digest;

/// What a path answers.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Arc<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
    /// Only for so many first requests; then the next reply of the same path is used.
    pub(crate) times: usize,
    /// Closes the connection after so many bytes of the body.
    pub(crate) cut_after: Option<usize>,
    /// Says nothing more after so many bytes of the body, until the other side goes away.
    pub(crate) stall_after: Option<usize>,
    /// Whether `Range` is understood.
    pub(crate) ranges: bool,
    /// Whether the length is told before.
    pub(crate) length: bool,
}

impl Reply {
    pub(crate) fn bytes(body: &[u8]) -> Self {
        Self {
            status: 200,
            body: Arc::new(body.to_vec()),
            headers: Vec::new(),
            times: usize::MAX,
            cut_after: None,
            stall_after: None,
            ranges: false,
            length: true,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::bytes(b"") }
    }

    pub(crate) fn redirect(location: &str) -> Self {
        let headers = vec![("location".to_owned(), location.to_owned())];
        Self { status: 302, headers, ..Self::bytes(b"") }
    }

    pub(crate) fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// With the query.
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
}

/// Turns a connection into what speaks HTTP: itself, or TLS over it.
pub(crate) type Accept = Arc<dyn Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync>;

pub(crate) trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

struct Shared {
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    requests: Mutex<Vec<Request>>,
    closing: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// Serves until dropped; then every connection is closed and every thread gone.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(replies: Vec<(&str, Reply)>) -> Self {
        Self::with(replies, "http", Arc::new(|stream| Some(Box::new(stream))))
    }

    pub(crate) fn with(replies: Vec<(&str, Reply)>, scheme: &'static str, accept: Accept) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut by_path: HashMap<String, Vec<Reply>> = HashMap::new();
        for (path, reply) in replies {
            by_path.entry(path.to_owned()).or_default().push(reply);
        }
        let shared = Arc::new(Shared {
            replies: Mutex::new(by_path),
            requests: Mutex::default(),
            closing: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming() {
                if for_thread.closing.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                for_thread.open.lock().unwrap().push(stream.try_clone().unwrap());
                let (shared, accept) = (Arc::clone(&for_thread), Arc::clone(&accept));
                serving.push(std::thread::spawn(move || {
                    if let Some(connection) = accept(stream.try_clone().unwrap()) {
                        serve(&shared, connection);
                    }
                    let _ = stream.shutdown(Shutdown::Both);
                }));
            }
            for stream in for_thread.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            for thread in serving {
                let _ = thread.join();
            }
        });
        Self { address, scheme, shared, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    /// How often a path was asked for.
    pub(crate) fn requests(&self, path: &str) -> usize {
        self.seen().iter().filter(|request| request.target.split('?').next() == Some(path)).count()
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn reply(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().unwrap().insert(path.to_owned(), vec![reply]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared, connection: Box<dyn Connection>) {
    let mut reader = BufReader::new(connection);
    let Some(request) = read_request(&mut reader) else { return };
    let path = request.target.split('?').next().unwrap().to_owned();
    let reply = {
        let mut replies = shared.replies.lock().unwrap();
        shared.requests.lock().unwrap().push(request.clone());
        let queue = replies.entry(path).or_default();
        match queue.first_mut() {
            None => Reply::status(404),
            Some(reply) => {
                let answer = reply.clone();
                reply.times -= 1;
                if reply.times == 0 {
                    queue.remove(0);
                }
                answer
            }
        }
    };
    // Whoever asked may be gone.
    let _ = answer(&request, &reply, reader.get_mut().as_mut());
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            return Some(Request { target, headers });
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn answer(request: &Request, reply: &Reply, connection: &mut dyn Connection) -> std::io::Result<()> {
    let from = request
        .headers
        .get("range")
        .filter(|_| reply.ranges)
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let body = &reply.body[from.unwrap_or(0).min(reply.body.len())..];
    let status = if from.is_some() { 206 } else { reply.status };
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    if reply.length {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    if let Some(from) = from {
        head.push_str(&format!(
            "content-range: bytes {from}-{}/{}\r\n",
            reply.body.len() - 1,
            reply.body.len()
        ));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    let end = reply.cut_after.or(reply.stall_after).unwrap_or(body.len()).min(body.len());
    connection.write_all(&body[..end])?;
    connection.flush()?;
    if reply.stall_after.is_some() {
        // Ends when the other side or the server goes away.
        let mut byte = [0];
        let _ = connection.read(&mut byte);
    }
    Ok(())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// A zip archive of text files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
