//! Fetching from servers that are slow, broken, elsewhere or in the wrong hands.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::server::{Reply, Server, sha256, zip};
use gavel::cancel::CancelToken;
use gavel::submission::Submission;
use gavel::units::{Bytes, Time};
use gavel::workspace::{FetchSettings, Workspace, WorkspaceError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;

const SMALL_DISK: &str = "GAVEL_TEST_FETCH_SMALL_DISK";

/// A package of some hundred kilobytes that do not compress, so that it can be cut in many places.
fn package() -> Vec<u8> {
    let mut state = 1u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + (state >> 60) as u8)
    })
    .take(300 << 10)
    .collect();
    zip(&[("sum/1.in", &noise), ("sum/1.ans", "3\n")])
}

fn submission(url: &str, bytes: &[u8]) -> Submission {
    serde_json::from_value(json!({"schema": 1, "id": "s", "language": "bash", "files": [],
        "problem": {"url": url, "sha256": sha256(bytes)}}))
    .unwrap()
}

/// Settings that allow a server, with short pauses.
fn settings(server: &Server) -> FetchSettings {
    FetchSettings { allow: vec![server.url("/").parse().unwrap()], ..FetchSettings::default() }
}

/// Fetches into a cache of its own; the names of the tests found.
fn fetch(settings: FetchSettings, url: &str, bytes: &[u8]) -> Result<usize, WorkspaceError> {
    let cache = tempfile::tempdir().unwrap();
    let workspace = Workspace::open_with_fetch(&[], cache.path(), settings)?;
    let outcome = workspace.find(&submission(url, bytes), &CancelToken::new().unwrap());
    let left = std::fs::read_dir(cache.path().join("fetched/drafts")).unwrap().count();
    assert_eq!(left, 0, "something half-made is left");
    outcome.map(|problem| problem.tests.len())
}

fn refusal(settings: FetchSettings, url: &str, bytes: &[u8]) -> WorkspaceError {
    let error = fetch(settings, url, bytes).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn a_download_that_breaks_goes_on_where_it_stopped() {
    let bytes = package();
    let broken = Reply { cut_after: Some(70_000), ranges: true, ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/a.zip", broken)]);
    assert_eq!(fetch(settings(&server), &server.url("/a.zip"), &bytes).unwrap(), 1);
    let ranges: Vec<_> = server.seen().iter().map(|seen| seen.headers.get("range").cloned()).collect();
    assert_eq!(ranges[0], None);
    assert!(ranges[1..].iter().all(Option::is_some) && ranges.len() > 2, "{ranges:?}");
}

#[test]
fn a_server_that_cannot_continue_begins_again() {
    let bytes = package();
    let broken = Reply { cut_after: Some(70_000), ..Reply::bytes(&bytes) }.times(2);
    let server = Server::start(vec![("/a.zip", broken), ("/a.zip", Reply::bytes(&bytes))]);
    assert_eq!(fetch(settings(&server), &server.url("/a.zip"), &bytes).unwrap(), 1);
    assert_eq!(server.requests("/a.zip"), 3);
}

#[test]
fn a_file_that_changed_between_two_halves_is_fetched_whole() {
    let (bytes, mut other) = (package(), package());
    other[10] ^= 1;
    let first = Reply { cut_after: Some(70_000), ranges: true, ..Reply::bytes(&other) }.times(1);
    let second = Reply { ranges: true, ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/a.zip", first), ("/a.zip", second)]);
    assert_eq!(fetch(settings(&server), &server.url("/a.zip"), &bytes).unwrap(), 1);
    assert_eq!(server.requests("/a.zip"), 3);
}

#[test]
fn an_answer_cut_without_a_sign_is_asked_for_once_more() {
    let bytes = package();
    let silent = Reply { cut_after: Some(70_000), length: false, ..Reply::bytes(&bytes) }.times(1);
    let server = Server::start(vec![("/a.zip", silent), ("/a.zip", Reply::bytes(&bytes))]);
    assert_eq!(fetch(settings(&server), &server.url("/a.zip"), &bytes).unwrap(), 1);
    let other = Reply { length: false, ..Reply::bytes(b"something else") };
    let server = Server::start(vec![("/a.zip", other)]);
    let error = refusal(settings(&server), &server.url("/a.zip"), &bytes);
    assert!(!error.is_ours() && error.to_string().contains("its SHA-256 is"), "{error}");
    assert_eq!(server.requests("/a.zip"), 2);
}

#[test]
fn a_server_that_is_ill_for_a_while_is_asked_again() {
    let bytes = package();
    let server = Server::start(vec![
        ("/a.zip", Reply::status(503).times(1)),
        (
            "/a.zip",
            Reply { headers: vec![("retry-after".into(), "0".into())], ..Reply::status(429) }.times(1),
        ),
        ("/a.zip", Reply::bytes(&bytes)),
    ]);
    assert_eq!(fetch(settings(&server), &server.url("/a.zip"), &bytes).unwrap(), 1);
}

#[test]
fn what_the_server_or_the_network_fails_at_is_ours() {
    let bytes = package();
    let silent = Reply { stall_after: Some(1000), ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/ill", Reply::status(500)), ("/silent", silent)]);
    let hasty = || FetchSettings { attempts: 2, ..settings(&server) };
    let error = refusal(hasty(), &server.url("/ill"), &bytes);
    assert!(error.is_ours() && error.to_string().contains("answered 500 (tried 2 times)"), "{error}");
    let stall = FetchSettings { stall_timeout: Time(Duration::from_millis(300)), ..hasty() };
    let error = refusal(stall, &server.url("/silent"), &bytes);
    assert!(error.is_ours() && error.to_string().contains("fell silent"), "{error}");
    // A port where nobody listens any more.
    let gone = Server::start(vec![]);
    let (nobody, url) = (FetchSettings { attempts: 2, ..settings(&gone) }, gone.url("/a.zip"));
    drop(gone);
    let error = refusal(nobody, &url, &bytes);
    assert!(error.is_ours() && error.to_string().contains("refused"), "{error}");
}

#[test]
fn the_whole_takes_no_longer_than_it_may() {
    let bytes = package();
    let silent = Reply { stall_after: Some(1000), ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/silent", silent)]);
    let short = FetchSettings { timeout: Time(Duration::from_millis(500)), ..settings(&server) };
    let error = refusal(short, &server.url("/silent"), &bytes);
    assert!(error.is_ours(), "{error}");
}

#[test]
fn redirects_lead_to_what_is_allowed_and_nowhere_else() {
    let bytes = package();
    let elsewhere = Server::start(vec![("/x.zip", Reply::bytes(&bytes))]);
    let server = Server::start(vec![
        ("/relative", Reply::redirect("deep/a.zip?secret=1")),
        ("/deep/a.zip", Reply::redirect("/a.zip")),
        ("/a.zip", Reply::bytes(&bytes)),
        ("/away", Reply::redirect(&elsewhere.url("/x.zip?secret=1"))),
        ("/file", Reply::redirect("file:///etc/passwd")),
        ("/round", Reply::redirect("/round")),
        ("/nowhere", Reply::status(302)),
    ]);
    assert_eq!(fetch(settings(&server), &server.url("/relative"), &bytes).unwrap(), 1);
    for (path, expected) in [
        ("/away", "which this worker may not fetch"),
        ("/file", "it redirects to 'file:///etc/passwd'"),
        ("/round", "more than 5 times"),
        ("/nowhere", "without saying where"),
    ] {
        let error = refusal(settings(&server), &server.url(path), &bytes);
        let message = error.to_string();
        assert!(message.contains(expected) && !message.contains("secret"), "{message}");
        assert!(!error.is_ours());
    }
    assert_eq!(elsewhere.seen().len(), 0);
    let mut both = settings(&server);
    both.allow.push(elsewhere.url("/").parse().unwrap());
    assert_eq!(fetch(both, &server.url("/away"), &bytes).unwrap(), 1);
}

#[test]
fn nothing_is_asked_of_anyone_by_default() {
    let bytes = package();
    let server = Server::start(vec![("/a.zip", Reply::bytes(&bytes))]);
    let error = refusal(FetchSettings::default(), &server.url("/a.zip?token=secret"), &bytes);
    let message = error.to_string();
    assert!(message.contains("fetch.allow") && !message.contains("secret"), "{message}");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn what_is_too_large_is_not_read_to_its_end() {
    let bytes = package();
    let silent = |length| Reply { length, stall_after: Some(200_000), ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/told", silent(true)), ("/untold", silent(false))]);
    for path in ["/told", "/untold"] {
        let small = FetchSettings { largest_archive: Bytes::kib(100), ..settings(&server) };
        let error = refusal(small, &server.url(path), &bytes);
        assert!(error.to_string().contains("larger than 100KiB") && !error.is_ours(), "{error}");
    }
}

#[test]
fn a_fetch_ends_at_once_when_nobody_wants_it_any_more() {
    let bytes = package();
    let silent = Reply { stall_after: Some(1000), ..Reply::bytes(&bytes) };
    let server = Server::start(vec![("/a.zip", silent)]);
    let cache = tempfile::tempdir().unwrap();
    let endless = Time(Duration::from_secs(100_000));
    let patient = FetchSettings { stall_timeout: endless, timeout: endless, ..settings(&server) };
    let workspace = Workspace::open_with_fetch(&[], cache.path(), patient).unwrap();
    let submission = submission(&server.url("/a.zip"), &bytes);
    let (first, second) = (CancelToken::new().unwrap(), CancelToken::new().unwrap());
    std::thread::scope(|scope| {
        // One downloads, and the other waits for it; both would for a day.
        let fetching = scope.spawn(|| workspace.find(&submission, &first));
        while server.requests("/a.zip") == 0 {
            std::thread::yield_now();
        }
        let waiting = scope.spawn(|| workspace.find(&submission, &second));
        second.cancel();
        assert!(matches!(waiting.join().unwrap(), Err(WorkspaceError::Cancelled)));
        first.cancel();
        assert!(matches!(fetching.join().unwrap(), Err(WorkspaceError::Cancelled)));
    });
    assert_eq!(server.requests("/a.zip"), 1);
}

#[test]
fn a_proxy_is_used_when_it_is_set() {
    let bytes = package();
    let server = Server::start(vec![("/a.zip", Reply::bytes(&bytes))]);
    let proxy = Server::start(vec![]);
    let proxied = FetchSettings {
        proxy: Some(proxy.url("").replace("localhost", "127.0.0.1")),
        attempts: 1,
        ..settings(&server)
    };
    fetch(proxied, &server.url("/a.zip"), &bytes).unwrap_err();
    assert_eq!((proxy.seen().len(), server.seen().len()), (1, 0));
    for wrong in ["nonsense", "socks5://127.0.0.1:1", ""] {
        let wrong = FetchSettings { proxy: Some(wrong.to_owned()), ..settings(&server) };
        let error = Workspace::open_with_fetch(&[], tempfile::tempdir().unwrap().path(), wrong).unwrap_err();
        assert!(error.to_string().starts_with("fetch.proxy: "), "{error}");
    }
}

/// A server with a certificate of a private authority, and the authority's own as PEM.
fn private_server(host: &str, replies: Vec<(&str, Reply)>) -> (Server, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
    let config = Arc::new(config);
    let server = Server::with(
        replies,
        "https",
        Arc::new(move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(Box::new(rustls::StreamOwned::new(session, stream)))
        }),
    );
    (server, authority.pem())
}

#[test]
fn certificates_are_checked_against_the_authorities_that_are_set() {
    let bytes = package();
    let (server, authority) = private_server("localhost", vec![("/a.zip", Reply::bytes(&bytes))]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, &authority).unwrap();
    let trusting = || FetchSettings { ca_file: Some(path.clone()), ..settings(&server) };
    assert_eq!(fetch(trusting(), &server.url("/a.zip"), &bytes).unwrap(), 1);

    let error = refusal(settings(&server), &server.url("/a.zip"), &bytes);
    let message = error.to_string();
    assert!(
        error.is_ours() && message.contains("certificate") && message.contains("fetch.ca_file"),
        "{message}"
    );

    let (elsewhere, authority) = private_server("files.example", vec![("/a.zip", Reply::bytes(&bytes))]);
    std::fs::write(&path, &authority).unwrap();
    let trusting = FetchSettings { ca_file: Some(path.clone()), ..settings(&elsewhere) };
    let error = refusal(trusting, &elsewhere.url("/a.zip"), &bytes);
    assert!(error.is_ours() && error.to_string().contains("certificate"), "{error}");
    assert_eq!(elsewhere.requests("/a.zip"), 0);

    for (content, expected) in [("", "no certificate"), ("-----BEGIN CERTIFICATE-----\n!\n", "ca.pem")] {
        std::fs::write(&path, content).unwrap();
        let wrong = FetchSettings { ca_file: Some(path.clone()), ..FetchSettings::default() };
        let error = Workspace::open_with_fetch(&[], directory.path(), wrong).unwrap_err().to_string();
        assert!(error.starts_with("fetch.ca_file: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_certificate_is_no_reason_to_try_again() {
    let bytes = package();
    let (server, _) = private_server("localhost", vec![("/a.zip", Reply::bytes(&bytes))]);
    // Pauses alone would take an hour.
    let patient =
        FetchSettings { attempts: 1000, timeout: Time(Duration::from_secs(100_000)), ..settings(&server) };
    refusal(patient, &server.url("/a.zip"), &bytes);
}

#[test]
fn a_package_that_does_not_load_is_told_without_the_caches_paths() {
    let bytes = zip(&[("sum/1.in", "1\n")]);
    let server = Server::start(vec![("/sum.zip", Reply::bytes(&bytes))]);
    let error = refusal(settings(&server), &server.url("/sum.zip"), &bytes);
    let message = error.to_string();
    assert!(message.starts_with(&format!("{}: 1.in: ", server.url("/sum.zip"))), "{message}");
    assert!(!error.is_ours());
}

#[test]
fn a_package_at_the_archives_root_or_in_its_only_folder_is_the_same() {
    for (files, name) in [
        (vec![("1.in", "1\n"), ("1.ans", "1\n")], "archive"),
        (vec![("sum/1.in", "1\n"), ("sum/1.ans", "1\n")], "sum"),
        (vec![("sum/1.in", "1\n"), ("sum/1.ans", "1\n"), ("__MACOSX/sum/._1.in", "x")], "sum"),
        (vec![("data/secret/1.in", "1\n"), ("data/secret/1.ans", "1\n")], "archive"),
    ] {
        let bytes = zip(&files);
        let server = Server::start(vec![("/archive.tar.gz", Reply::bytes(&bytes))]);
        let cache = tempfile::tempdir().unwrap();
        let workspace = Workspace::open_with_fetch(&[], cache.path(), settings(&server)).unwrap();
        let submission = submission(&server.url("/archive.tar.gz"), &bytes);
        let problem = workspace.find(&submission, &CancelToken::new().unwrap()).unwrap();
        assert_eq!((problem.name.as_str(), problem.tests.len()), (name, 1), "{files:?}");
    }
}

#[test]
fn what_is_in_use_stays_and_the_rest_goes_when_the_cache_is_full() {
    let packages: Vec<_> =
        (0..6).map(|number| zip(&[("1.in", &"x".repeat(50_000 + number)), ("1.ans", "1\n")])).collect();
    let paths: Vec<_> = (0..6).map(|number| format!("/{number}.zip")).collect();
    let replies = paths.iter().zip(&packages).map(|(path, bytes)| (path.as_str(), Reply::bytes(bytes)));
    let server = Server::start(replies.collect());
    let cache = tempfile::tempdir().unwrap();
    let small = FetchSettings { capacity: Bytes::kib(200), ..settings(&server) };
    let workspace = Workspace::open_with_fetch(&[], cache.path(), small).unwrap();
    let find = |place: usize| {
        let submission = submission(&server.url(&paths[place]), &packages[place]);
        workspace.find(&submission, &CancelToken::new().unwrap()).unwrap()
    };
    let in_use = find(0);
    (1..6).for_each(|place| drop(find(place)));
    assert_eq!(std::fs::read(&in_use.tests[0].input).unwrap().len(), 50_000);
    drop(find(1));
    assert_eq!(server.requests("/0.zip"), 1);
    assert_eq!(server.requests("/1.zip"), 2, "it had to go");
}

/// Not a check of its own: what the next test runs on a disk of 512 KiB that only it can see.
#[test]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK) else { return };
    let cache = Path::new(&disk).join("cache");
    let large = "0123456789abcdef".repeat(40_000);
    let packed = zip(&[("1.in", &large), ("1.ans", "1\n")]);
    let noise = package().repeat(6);
    let server = Server::start(vec![("/a.zip", Reply::bytes(&packed)), ("/b.zip", Reply::bytes(&noise))]);
    let workspace = Workspace::open_with_fetch(&[], &cache, settings(&server)).unwrap();
    for (path, bytes) in [("/a.zip", &packed), ("/b.zip", &noise)] {
        let submission = submission(&server.url(path), bytes);
        let error = workspace.find(&submission, &CancelToken::new().unwrap()).unwrap_err();
        assert!(error.is_ours() && error.to_string().contains("No space left"), "{error}");
        assert_eq!(std::fs::read_dir(cache.join("fetched/drafts")).unwrap().count(), 0);
    }
    // Room again, and it goes on.
    let small = zip(&[("1.in", "1\n"), ("1.ans", "1\n")]);
    server.reply("/c.zip", Reply::bytes(&small));
    workspace.find(&submission(&server.url("/c.zip"), &small), &CancelToken::new().unwrap()).unwrap();
}

#[test]
fn a_full_disk_is_ours_and_leaves_nothing() {
    crate::common::small_disk::run("fetch_http::on_a_small_disk", SMALL_DISK, "512k");
}

#[test]
fn archives_of_common_tools_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
import io, sys, tarfile, zipfile
class Pipe(io.RawIOBase):
    def __init__(self, file): self.file = file
    def writable(self): return True
    def write(self, data): return self.file.write(data)
name = 'sum/' + 'd' * 120 + '/\u{e9}'
files = [(name + '.in', b'1 2\\n' * 1000), (name + '.ans', b'3\\n'), ('sum/b.in', b''), ('sum/b.ans', b'')]
with open('stream.zip', 'wb') as out, zipfile.ZipFile(Pipe(out), 'w', zipfile.ZIP_DEFLATED) as z:
    for n, c in files: z.writestr(n, c)
with zipfile.ZipFile('plain.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.mkdir('sum')
    for n, c in files: z.writestr(n, c)
for kind, format in [('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)]:
    with tarfile.open(kind + '.tar.gz', 'w:gz', format=format) as t:
        for n, c in files:
            info = tarfile.TarInfo(n); info.size = len(c); info.mtime = 1.5
            t.addfile(info, io.BytesIO(c))
";
    let made = Command::new("python3").args(["-c", script]).current_dir(directory.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    for name in ["stream.zip", "plain.zip", "gnu.tar.gz", "pax.tar.gz"] {
        let mut bytes = Vec::new();
        std::fs::File::open(directory.path().join(name)).unwrap().read_to_end(&mut bytes).unwrap();
        let server = Server::start(vec![("/a", Reply::bytes(&bytes))]);
        assert_eq!(fetch(settings(&server), &server.url("/a"), &bytes).unwrap(), 2, "{name}");
    }
}
