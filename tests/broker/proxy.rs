//! A way to the broker that can be broken: bytes are passed on, lost, or held up, and connections reset.
//!
//! A connection that has lost bytes stays lost in that direction, whatever is set later: passing on the rest
//! would be a fault no network has. One thread carries all connections and ends with the proxy.
#![allow(dead_code)] // Every test file uses a part of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

/// Bytes held for an end that does not read; then the other end is not read either.
const HELD: usize = 64 << 10;
/// Bytes of a connection's beginning in which the client's name for it is looked for.
const OPENING: usize = 4 << 10;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Fault {
    /// They arrive.
    #[default]
    None,
    /// They are lost, and nobody is told: a half-open connection.
    BlackHole,
    /// The broker's answers are lost.
    LoseToClient,
    /// The client's requests are lost.
    LoseToBroker,
    /// They wait: nobody reads, and whoever writes is held up. Nothing is lost.
    Stall,
}

/// A proxy in front of one broker.
pub(crate) struct Proxy {
    port: u16,
    orders: Arc<Mutex<Orders>>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Orders {
    fault: Fault,
    /// For connections whose opening has this text.
    named: Option<(String, Fault)>,
    resets: u64,
    /// Where to pass on to.
    broker: u16,
    /// Connections there are, and were.
    open: usize,
    accepted: usize,
    /// Orders given, and those that all connections there were have felt.
    given: u64,
    felt: u64,
    is_over: bool,
}

impl Proxy {
    /// Listens on a free port of this host and passes on to the broker's.
    pub(crate) fn start(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (wake, woken) = UnixStream::pair().unwrap();
        woken.set_nonblocking(true).unwrap();
        let orders = Arc::new(Mutex::new(Orders { broker, ..Orders::default() }));
        let carried = Arc::clone(&orders);
        let thread = std::thread::spawn(move || carry(&listener, &woken, &carried));
        Self { port, orders, wake, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// For all connections, those there are and those to come.
    pub(crate) fn set(&self, fault: Fault) {
        self.order(|orders| (orders.fault, orders.named) = (fault, None));
    }

    /// For connections that the client gave a name with this text in it; the others go on.
    pub(crate) fn set_named(&self, name: &str, fault: Fault) {
        self.order(|orders| orders.named = Some((name.to_owned(), fault)));
    }

    /// Ends all connections there are with a reset on both sides.
    pub(crate) fn reset(&self) {
        self.order(|orders| orders.resets += 1);
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.orders.lock().unwrap().open
    }

    /// How many connections were tried, whatever became of them.
    pub(crate) fn accepted(&self) -> usize {
        self.orders.lock().unwrap().accepted
    }

    /// Passes new connections on to another port.
    pub(crate) fn lead_to(&self, broker: u16) {
        self.order(|orders| orders.broker = broker);
    }

    /// Returns when it is so.
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let number = {
            let mut orders = self.orders.lock().unwrap();
            change(&mut orders);
            orders.given += 1;
            orders.given
        };
        (&self.wake).write_all(b"!").unwrap();
        while self.orders.lock().unwrap().felt < number {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Ok(mut orders) = self.orders.lock() {
            orders.is_over = true;
        }
        let _ = (&self.wake).write_all(b"!");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Connection {
    /// Client to broker, broker to client.
    ways: [Way; 2],
    /// What the client said first; its name for the connection is in there.
    opening: Vec<u8>,
    resets: u64,
}

/// One direction.
struct Way {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    held: Vec<u8>,
    has_ended: bool,
    is_lost: bool,
}

fn carry(listener: &TcpListener, woken: &UnixStream, orders: &Mutex<Orders>) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let (given, is_new, resets, mut faults) = {
            let mut orders = orders.lock().unwrap();
            if orders.is_over {
                return;
            }
            connections.retain(|connection| {
                let is_reset = connection.resets < orders.resets;
                if is_reset {
                    reset(&connection.ways[0].from);
                    reset(&connection.ways[0].to);
                }
                !is_reset
            });
            orders.open = connections.len();
            let faults: Vec<Fault> = connections.iter().map(|connection| connection.fault(&orders)).collect();
            (orders.given, orders.felt < orders.given, orders.resets, faults)
        };
        // What was ordered just now is done without waiting for bytes: there may be none for long.
        let timeout = if is_new { PollTimeout::ZERO } else { PollTimeout::NONE };
        wait(listener, woken, &connections, &faults, timeout);
        let _ = (&mut &*woken).read(&mut [0; 64]);
        if let Ok((client, _)) = listener.accept() {
            let (broker, fault) = {
                let mut orders = orders.lock().unwrap();
                orders.accepted += 1;
                (orders.broker, orders.fault)
            };
            // Else the client is told by the end of its connection.
            if let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)) {
                connections.push(Connection::new(client, broker, resets));
                faults.push(fault);
            }
        }
        let mut fault = faults.into_iter();
        connections.retain_mut(|connection| connection.pass(fault.next().unwrap_or_default()));
        orders.lock().unwrap().felt = given;
    }
}

/// Waits until any socket can do something that is wanted of it.
fn wait(
    listener: &TcpListener,
    woken: &UnixStream,
    connections: &[Connection],
    faults: &[Fault],
    timeout: PollTimeout,
) {
    let mut waits =
        vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
    for (connection, fault) in connections.iter().zip(faults) {
        if *fault == Fault::Stall {
            continue;
        }
        for way in &connection.ways {
            if !way.has_ended && way.held.len() < HELD {
                waits.push(PollFd::new(way.from.as_fd(), PollFlags::POLLIN));
            }
            if !way.held.is_empty() {
                waits.push(PollFd::new(way.to.as_fd(), PollFlags::POLLOUT));
            }
        }
    }
    let _ = poll(&mut waits, timeout);
}

/// What is closed now is closed with a reset.
fn reset(stream: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = setsockopt(stream, sockopt::Linger, &at_once);
}

impl Connection {
    fn new(client: TcpStream, broker: TcpStream, resets: u64) -> Self {
        for stream in [&client, &broker] {
            stream.set_nonblocking(true).unwrap();
            let _ = stream.set_nodelay(true);
        }
        let (client, broker) = (Arc::new(client), Arc::new(broker));
        let way = |from: &Arc<TcpStream>, to: &Arc<TcpStream>| Way {
            from: Arc::clone(from),
            to: Arc::clone(to),
            held: Vec::new(),
            has_ended: false,
            is_lost: false,
        };
        Self { ways: [way(&client, &broker), way(&broker, &client)], opening: Vec::new(), resets }
    }

    fn fault(&self, orders: &Orders) -> Fault {
        match &orders.named {
            Some((name, fault)) if self.opening.windows(name.len()).any(|part| part == name.as_bytes()) => {
                *fault
            }
            _ => orders.fault,
        }
    }

    /// Moves what can be moved; false once both ends are done.
    fn pass(&mut self, fault: Fault) -> bool {
        let [to_broker, to_client] = &mut self.ways;
        to_broker.is_lost |= matches!(fault, Fault::BlackHole | Fault::LoseToBroker);
        to_client.is_lost |= matches!(fault, Fault::BlackHole | Fault::LoseToClient);
        if fault == Fault::Stall {
            return true;
        }
        let opening = (self.opening.len() < OPENING).then_some(&mut self.opening);
        let is_alive = to_broker.pass(opening) && to_client.pass(None);
        is_alive && ![to_broker, to_client].iter().all(|way| way.has_ended && way.held.is_empty())
    }
}

impl Way {
    /// False when an end is broken.
    fn pass(&mut self, seen: Option<&mut Vec<u8>>) -> bool {
        let mut buffer = [0; 16 << 10];
        if !self.has_ended && self.held.len() < HELD {
            match (&*self.from).read(&mut buffer) {
                Ok(0) => self.has_ended = true,
                Ok(count) if !self.is_lost => {
                    self.held.extend(&buffer[..count]);
                    if let Some(seen) = seen {
                        seen.extend(&buffer[..count]);
                    }
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return false,
            }
        }
        if self.is_lost {
            self.held.clear();
            // The end of a connection is lost like its bytes.
            return true;
        }
        while !self.held.is_empty() {
            match (&*self.to).write(&self.held) {
                Ok(count) => drop(self.held.drain(..count)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                Err(_) => return false,
            }
        }
        if self.has_ended && self.held.is_empty() {
            let _ = self.to.shutdown(Shutdown::Write);
        }
        true
    }
}
