//! One attempt to connect: the network, TLS, and the broker's own welcome, each with an end and a clear refusal.
//!
//! The client library is handed a stream that is connected already. Its own TLS would verify the same, but
//! it tells all failures as one, reads certificates once, and brings a reader of PKCS #12 along.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_compat::Compat;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, ErrorKind};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::login::Known;
use super::secret_file::FileError;
use super::tls::{Client, TlsError};

/// The longest wait for any of the steps.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no connection. All of it is tried again: what is wrong can be mended without a restart.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// There is nowhere to go.
    #[error("there is no address")]
    NoAddress,
    /// No answer in time.
    #[error("no answer within {PATIENCE:?} when {0}")]
    Silent(&'static str),
    /// A file of the operator's.
    #[error(transparent)]
    File(#[from] FileError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The network refused.
    #[error("cannot be reached: {0}")]
    Network(io::Error),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(String),
    /// The user or the password is not the broker's.
    #[error("it refuses {user}, {reason}")]
    Credentials {
        /// Who, in words.
        user: String,
        /// Where the password is from, and what may be wrong.
        reason: String,
    },
    /// The user has no business there.
    #[error(
        "it refuses {user} in virtual host '{vhost}' ({detail}): create it, or give the user permissions in it"
    )]
    VirtualHost {
        /// Who, in words.
        user: String,
        /// Where.
        vhost: String,
        /// The broker's own words.
        detail: String,
    },
    /// The connection ended while logging in.
    #[error("it ended the connection when logging in: {0}{1}")]
    Ended(lapin::Error, &'static str),
    /// Anything else the broker said.
    #[error("it refuses: {0}")]
    Refused(lapin::Error),
}

impl DialError {
    /// Whether trying again soon cannot help: what is given is wrong, or wrong for this broker.
    pub(super) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NoAddress
                | Self::File(_)
                | Self::Tls(_)
                | Self::Handshake(_)
                | Self::Credentials { .. }
                | Self::VirtualHost { .. }
        )
    }
}

/// Connects to one address with what is known about it.
///
/// # Errors
/// [`DialError`]; none of them shows a password.
pub(super) async fn dial(
    uri: AMQPUri,
    tls: Option<Client>,
    known: &Known,
    properties: ConnectionProperties,
) -> Result<Connection, DialError> {
    let host = uri.authority.host.clone();
    let network = TcpStream::connect((host.as_str(), uri.authority.port));
    let stream = in_time("connecting", network).await?.map_err(DialError::Network)?;
    stream.set_nodelay(true).map_err(DialError::Network)?;
    let stream: Box<dyn Wire> = match &tls {
        None => Box::new(stream),
        Some(client) => {
            let name = ServerName::try_from(host).map_err(|_| {
                DialError::Handshake("the host is no name a certificate can be for".to_owned())
            })?;
            let handshake = TlsConnector::from(client.config.clone()).connect(name, stream);
            let stream = in_time("agreeing on TLS", handshake).await?.map_err(|error| {
                let words = client.explain(&error);
                DialError::Handshake(words.unwrap_or_else(|| format!("TLS failed: {error}{}", client.hint())))
            })?;
            Box::new(Encrypted(stream))
        }
    };
    let vhost = uri.vhost.clone();
    // Taken once: the client does not connect again by itself.
    let stream = Mutex::new(Some(Compat::new(stream)));
    let connect = async move |_: AMQPUri, _: Runtime<Kit>| {
        let taken = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.map(AsyncTcpStream::Plain).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected).into())
    };
    let runtime = Runtime::new(Kit(Tokio::current()));
    let welcome = Connection::connector(uri, runtime, connect, properties);
    in_time("logging in", welcome).await?.map_err(|error| explain(error, tls.as_ref(), known, vhost))
}

async fn in_time<T>(step: &'static str, answer: impl Future<Output = T>) -> Result<T, DialError> {
    tokio::time::timeout(PATIENCE, answer).await.map_err(|_| DialError::Silent(step))
}

/// A refusal to log in, in the operator's terms.
fn explain(error: lapin::Error, tls: Option<&Client>, known: &Known, vhost: String) -> DialError {
    let user = known.shown();
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => match refusal.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                DialError::Credentials { user, reason: known.refusal() }
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                let detail = refusal.get_message().to_string();
                DialError::VirtualHost { user, vhost, detail }
            }
            _ => DialError::Refused(error),
        },
        ErrorKind::IOError(failure) => match tls.map(|client| (client.explain(failure), client.hint())) {
            // A client's certificate is judged only after the client's side of the handshake is done.
            Some((Some(words), _)) => DialError::Handshake(words),
            Some((None, hint)) => DialError::Ended(error, hint),
            None => DialError::Ended(error, "; if this is its port for TLS, use amqps"),
        },
        _ => DialError::Refused(error),
    }
}

/// A stream of bytes both ways.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A TLS stream whose abrupt end is said in the operator's words: brokers that die do not say goodbye, and
/// messages have lengths of their own, so nothing cut off is taken for whole.
struct Encrypted(TlsStream<TcpStream>);

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the broker ended the connection"),
            _ => error,
        })
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// The client's way to the runtime: tokio's in everything but what a connection is.
#[derive(Debug, Clone)]
struct Kit(Tokio);

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for Kit {
    type TcpStream = Compat<Box<dyn Wire>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        // The client is given its connection and makes none.
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
