//! TLS before a broker's plain port, with any certificate, and changed while it runs: RabbitMQ keeps what it read.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, Signed};

/// A listener that ends with the test.
pub(crate) struct Front {
    port: u16,
    state: Arc<Mutex<Arc<ServerConfig>>>,
    /// A change ends all connections.
    era: watch::Sender<u64>,
    runtime: Option<tokio::runtime::Runtime>,
}

fn configuration(signed: &Signed, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

impl Front {
    /// Listens before that port.
    pub(crate) fn new(to: u16, signed: &Signed, clients: Option<&Authority>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(configuration(signed, clients)));
        let (era, eras) = watch::channel(0);
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(Arc::clone(&shared.lock().unwrap()));
                let mut eras = eras.clone();
                eras.borrow_and_update();
                tokio::spawn(async move {
                    let carried = async {
                        let mut inner = acceptor.accept(stream).await?;
                        let mut outer = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], to))).await?;
                        tokio::io::copy_bidirectional(&mut inner, &mut outer).await
                    };
                    tokio::select! {
                        _ = carried => {}
                        _ = eras.changed() => {}
                    }
                });
            }
        });
        Self { port, state, era, runtime: Some(runtime) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections and goes on with another certificate, or other clients.
    pub(crate) fn change(&self, signed: &Signed, clients: Option<&Authority>) {
        *self.state.lock().unwrap() = configuration(signed, clients);
        self.cut();
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.era.send_modify(|era| *era += 1);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
