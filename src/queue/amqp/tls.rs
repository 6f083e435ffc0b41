//! TLS towards a broker: whom to believe, who we are, and what a refusal means.
//!
//! The broker's certificate is always verified, and always for the host's name in the address; there is no way to
//! switch that off. Files are read again for every connection.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::secret_file::{FileError, Watch, read};
use crate::settings::TlsSettings;

/// One connection's certificates.
pub(super) struct Client {
    /// For the handshake.
    pub(super) config: Arc<ClientConfig>,
    /// Whether a certificate is shown to the broker.
    has_certificate: bool,
    /// Where the authorities are from, in words.
    authorities: String,
}

const CA: &str = "tls.ca_file";
const CERTIFICATE: &str = "tls.certificate_file";
const KEY: &str = "tls.key_file";

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// A file of the operator's.
    #[error(transparent)]
    File(#[from] FileError),
    /// The host knows no authorities.
    #[error("this host has no certificate authorities{0}: install ca-certificates, or give {CA}")]
    NoAuthorities(String),
    /// Never with what is built in.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl Client {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file and its key.
    pub(super) fn read(files: &TlsSettings, watch: &Watch) -> Result<Self, TlsError> {
        let (roots, authorities) = match &files.ca_file {
            Some(path) => (roots_of(path)?, format!("{CA} '{}'", path.display())),
            None => (roots_of_system()?, "this host's certificate authorities".to_owned()),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots);
        let (config, has_certificate) = match (&files.certificate_file, &files.key_file) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(CERTIFICATE, certificate)?;
                let bytes = watch.read_secret(KEY, key)?;
                let private = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
                    FileError::new(KEY, key, "there is no private key in it; give one in PEM form")
                })?;
                let config = builder.with_client_auth_cert(chain, private).map_err(|error| {
                    let problem = match error {
                        rustls::Error::InconsistentKeys(_) => {
                            format!("it is not the key of {CERTIFICATE} '{}'", certificate.display())
                        }
                        other => format!("it cannot be used: {other}"),
                    };
                    FileError::new(KEY, key, problem)
                })?;
                (config, true)
            }
            _ => (builder.with_no_client_auth(), false),
        };
        Ok(Self { config: Arc::new(config), has_certificate, authorities })
    }

    /// What a failure of the handshake, or of a connection after it, means for an operator; none when it has nothing
    /// to do with TLS.
    pub(super) fn explain(&self, error: &io::Error) -> Option<String> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::InvalidCertificate(problem) => self.explain_certificate(problem),
            rustls::Error::AlertReceived(alert) => self.explain_alert(*alert),
            rustls::Error::InvalidMessage(_) => {
                "it does not speak TLS there; is this its port without? (amqps is 5671 by default, amqp 5672)"
                    .to_owned()
            }
            other => format!("TLS failed: {other}"),
        })
    }

    /// What an end without a word right after the handshake may mean.
    pub(super) fn hint(&self) -> &'static str {
        if self.has_certificate {
            ""
        } else {
            "; if it demands a certificate of clients, give tls.certificate_file"
        }
    }

    fn explain_certificate(&self, problem: &CertificateError) -> String {
        match problem {
            CertificateError::Expired => "its certificate has expired; renew it".to_owned(),
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("its certificate expired on {}; renew it", date(*not_after))
            }
            CertificateError::NotValidYet => {
                "its certificate is not valid yet; compare the clocks".to_owned()
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("its certificate is valid from {} on; compare the clocks", date(*not_before))
            }
            CertificateError::NotValidForNameContext { expected, presented } => format!(
                "its certificate is for {}, not for {}; use a name it is for in the address, or a certificate for this one",
                if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") },
                expected.to_str()
            ),
            CertificateError::NotValidForName => "its certificate is for another host".to_owned(),
            CertificateError::UnknownIssuer => format!(
                "its certificate is by an authority that is not in {}; give its authority in {CA}",
                self.authorities
            ),
            other => format!("its certificate is refused: {other}"),
        }
    }

    fn explain_alert(&self, alert: AlertDescription) -> String {
        let own = "our certificate";
        match alert {
            AlertDescription::CertificateRequired => {
                format!("it demands a certificate of clients; give {CERTIFICATE} and {KEY}")
            }
            AlertDescription::HandshakeFailure | AlertDescription::BadCertificate
                if !self.has_certificate =>
            {
                format!(
                    "it refused TLS ({alert:?}); if it demands a certificate of clients, give {CERTIFICATE}"
                )
            }
            AlertDescription::CertificateExpired => {
                format!("it says that {own} has expired; renew {CERTIFICATE}")
            }
            AlertDescription::UnknownCA => {
                format!("it does not know the authority of {own}; is {CERTIFICATE} meant for this broker?")
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate => {
                format!("it refuses {own} ({alert:?}); is {CERTIFICATE} meant for this broker?")
            }
            other => format!("it refused TLS ({other:?})"),
        }
    }
}

/// The certificates of a PEM file; at least one.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let none = "there is no certificate in it; give one in PEM form";
    let found = found.map_err(|_| FileError::new(key, path, "it is no whole PEM file"))?;
    if found.is_empty() { Err(FileError::new(key, path, none)) } else { Ok(found) }
}

fn roots_of(path: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for (place, certificate) in certificates(CA, path)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            FileError::new(
                CA,
                path,
                format!("certificate {} in it cannot be an authority's: {error}", place + 1),
            )
        })?;
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
    Err(TlsError::NoAuthorities(why))
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let stamp = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp
        .map_or_else(|| "an unknown day".to_owned(), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
