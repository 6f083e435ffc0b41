//! `s3://bucket/key`: signed here, fetched like everything else.
//!
//! A signed URL lets the same download with the same limits, retries and certificates do the work. Keys come
//! from the environment; the metadata services of clouds are never asked.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use object_store::ClientOptions;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path;
use object_store::signer::Signer;
use ureq::http::Method;

use super::address::Address;
use super::error::FetchError;
use super::settings::FetchSettings;

/// The longest a signature may be valid: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
const LONGEST_VALID: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The address to really request.
///
/// # Errors
/// When keys are missing or the settings cannot be used.
pub(super) fn sign(address: &Address, settings: &FetchSettings) -> Result<Address, FetchError> {
    let wrong = |key: &'static str, problem: String| FetchError::Settings { key, problem };
    let variable = |name: &'static str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            wrong(name, "it is not set; fetching from S3 needs the store's keys there".to_owned())
        })
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(address.host())
        .with_region(&settings.s3.region)
        .with_access_key_id(variable("AWS_ACCESS_KEY_ID")?)
        .with_secret_access_key(variable("AWS_SECRET_ACCESS_KEY")?)
        .with_virtual_hosted_style_request(false)
        .with_allow_http(true)
        .with_http_connector(NoNetwork);
    if let Ok(token) = variable("AWS_SESSION_TOKEN") {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = &settings.s3.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    let store = builder.build().map_err(|error| wrong("fetch.s3", error.to_string()))?;
    let key = Path::from_url_path(address.uri().path()).ok().filter(|key| !key.as_ref().is_empty());
    let key = key.ok_or_else(|| FetchError::Redirect {
        url: address.to_string(),
        problem: "it names no object; write it like s3://bucket/key".to_owned(),
    })?;
    let valid = settings.timeout.0.clamp(Duration::from_secs(60), LONGEST_VALID);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| wrong("fetch.s3", error.to_string()))?;
    let url = runtime
        .block_on(store.signed_url(Method::GET, &key, valid))
        .map_err(|error| wrong("fetch.s3", error.to_string()))?;
    url.as_str().parse().map_err(|error| {
        wrong("fetch.s3.endpoint", format!("{error}; write it like https://minio.example:9000"))
    })
}

/// Signing with keys that are given needs no requests, and none is made.
#[derive(Debug, Clone, Copy)]
struct NoNetwork;

impl HttpConnector for NoNetwork {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Self))
    }
}

impl HttpService for NoNetwork {
    fn call<'service, 'call>(
        &'service self,
        _request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'call>>
    where
        'service: 'call,
        Self: 'call,
    {
        let refusal = std::io::Error::other("signing makes no requests");
        Box::pin(std::future::ready(Err(HttpError::new(HttpErrorKind::Unknown, refusal))))
    }
}
